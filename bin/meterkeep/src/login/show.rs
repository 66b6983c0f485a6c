//! Who is signed in, and how people sign in.

use base::UtcMillis;
use wire::login::{LoginAnswer, LoginWish, LookLogins};

use super::ask;
use crate::operator::Operator;
use crate::output::{Format, FormatArg, print, print_json, shown, table};
use crate::people::moment;
use crate::place::HouseArg;
use crate::problem::Problem;

/// Show your sessions and ways to sign in; everybody's with `--all`, for who looks after people.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep login show --house ./house\n  meterkeep login show --all --format json"
)]
pub(super) struct Args {
    #[command(flatten)]
    house: HouseArg,
    /// Everybody's.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    format: FormatArg,
}

pub(super) fn run(args: &Args) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    let operator = Operator::new(&layout)?;
    let wish = LoginWish::Look(LookLogins { all: args.all });
    let answer = Operator::runtime()?.block_on(ask(&operator, wish))?;
    if args.format.format == Format::Json { json(&answer) } else { human(&answer) }
}

fn json(answer: &LoginAnswer) -> Result<(), Problem> {
    let sessions = answer.sessions.iter().map(|s| {
        serde_json::json!({
            "session": hex::encode(&s.id), "person": s.person, "by": s.by, "strength": s.strength,
            "since": UtcMillis(s.since_ms).to_string(), "used": UtcMillis(s.used_ms).to_string(),
        })
    });
    let ways = answer.ways.iter().map(|w| {
        serde_json::json!({
            "person": w.person, "password": w.password, "recovery_left": w.recovery_left, "keys": w.keys,
            "passkeys": w.passkeys, "provider": (!w.provider.is_empty()).then(|| w.provider.clone()),
            "invited_until": (w.invited_until_ms > 0).then(|| moment(w.invited_until_ms)),
        })
    });
    print_json(&serde_json::json!({
        "sessions": sessions.collect::<Vec<_>>(), "ways": ways.collect::<Vec<_>>(),
    }))
}

fn human(answer: &LoginAnswer) -> Result<(), Problem> {
    let mut ways = table(["person", "signs in with", "invited until"]);
    for way in &answer.ways {
        let mut with = Vec::new();
        if way.password {
            with.push(format!("password and codes ({} on paper left)", way.recovery_left));
        }
        with.extend(way.keys.iter().map(|key| format!("key {}", shown(key))));
        with.extend(way.passkeys.iter().map(|passkey| format!("passkey {}", shown(passkey))));
        if !way.provider.is_empty() {
            with.push(format!("provider {}", shown(&way.provider)));
        }
        ways.add_row([shown(&way.person), with.join("\n"), moment(way.invited_until_ms)]);
    }
    let mut sessions = table(["session", "person", "by", "login", "since", "used"]);
    for one in &answer.sessions {
        let (since, used) = (moment(one.since_ms), moment(one.used_ms));
        sessions.add_row([
            hex::encode(&one.id),
            shown(&one.person),
            shown(&one.by),
            shown(&one.strength),
            since,
            used,
        ]);
    }
    let none =
        |empty, what: &str, table: String| if empty { format!("{what}\n") } else { format!("{table}\n") };
    print(&none(answer.ways.is_empty(), "no ways to sign in", ways.to_string()))?;
    print(&none(answer.sessions.is_empty(), "no sessions", sessions.to_string()))
}
