//! `meterkeep people service`: service accounts, and the tokens by which programs sign in.

use std::path::PathBuf;

use wire::login::{LoginAnswer, LoginErrand, LoginWish, LookLogins, NewToken, TokenOf};
use wire::staff::{NewPerson, RoleOf, Wish};
use wire::{Method, Room};

use crate::operator::Operator;
use crate::output::{Format, FormatArg, print, print_json, say, shown, table};
use crate::people::{errand, moment};
use crate::place::HouseArg;
use crate::private_file;
use crate::problem::Problem;
use crate::readings::When;

/// Service accounts: programs that sign in with a token.
///
/// A program does what its roles open for purposes that the file of roles marks `services = true`, as far as its token says so,
/// and nothing that is a person's: no cases, approvals or emergencies, no keys, people or roles.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Add(Add),
    Token(Token),
    Tokens(Tokens),
    EndToken(EndToken),
}

/// Name a service account, whose program runs as a user of this machine of its own. `people leave` ends it.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep people service add erp-export --role billing --house ./house\n  \
                        meterkeep people service add erp-export --user erp --role billing --title \"Export to the ERP\""
)]
struct Add {
    #[command(flatten)]
    house: HouseArg,
    /// As the log names it; never given to anybody else.
    name: String,
    /// Its user at this machine; the same name where this is left out.
    #[arg(long)]
    user: Option<String>,
    /// A role to give it; several where it needs several. `people give` gives it again before it lapses.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// For people.
    #[arg(long, default_value = "")]
    title: String,
}

/// Make a token for a service account. It is shown this once, and good for 90 days at most.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep people service token erp-export --until 2027-02-01 --out erp.token\n  \
                        meterkeep people service token erp-export --until 2027-02-01 --purpose billing --action read-readings"
)]
struct Token {
    #[command(flatten)]
    house: HouseArg,
    /// Whose.
    name: String,
    /// Until when.
    #[arg(long, value_name = "WHEN")]
    until: When,
    /// What it may do; all that the account's roles open to services where this is left out.
    #[arg(long = "action", value_name = "ACTION")]
    actions: Vec<String>,
    /// What for; all that the account's roles open to services where this is left out.
    #[arg(long = "purpose", value_name = "PURPOSE")]
    purposes: Vec<String>,
    /// What it is for, in words.
    #[arg(long, default_value = "")]
    label: String,
    /// Write it to this file, which is made anew and its owner's alone, in place of showing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Show the tokens that there are, and when each was used last: nothing that opens anything.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep people service tokens --house ./house\n  \
                        meterkeep people service tokens --format json")]
struct Tokens {
    #[command(flatten)]
    house: HouseArg,
    #[command(flatten)]
    format: FormatArg,
}

/// End a token, and the sessions that it opened, at once.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep people service end-token erp-export 2\n  \
                        meterkeep people service end-token erp-export 2 --house ./house")]
struct EndToken {
    #[command(flatten)]
    house: HouseArg,
    /// Whose.
    name: String,
    /// Its number, as `meterkeep people service tokens` shows it.
    token: u64,
}

pub(crate) fn run(args: &Args) -> Result<(), Problem> {
    match &args.command {
        Command::Add(args) => add(args),
        Command::Token(args) => token(args),
        Command::Tokens(args) => tokens(args),
        Command::EndToken(args) => {
            let of = TokenOf { service: args.name.clone(), id: args.token };
            let answer = asked(&args.house, LoginWish::EndToken(of))?;
            say(&shown(&answer.done));
            Ok(())
        }
    }
}

fn asked(house: &HouseArg, wish: LoginWish) -> Result<LoginAnswer, Problem> {
    let (layout, _) = house.open()?;
    let operator = Operator::new(&layout)?;
    let errand = LoginErrand { wish: Some(wish) };
    Operator::runtime()?.block_on(operator.call(Method::WardenLogin, Room::Warden, &errand))
}

fn add(args: &Add) -> Result<(), Problem> {
    let user = args.user.as_ref().unwrap_or(&args.name).clone();
    let new = NewPerson { name: args.name.clone(), title: args.title.clone(), user, service: true };
    errand(&args.house, Wish::AddPerson(new))?;
    for role in &args.roles {
        let given = RoleOf { person: args.name.clone(), role: role.clone(), ..RoleOf::default() };
        errand(&args.house, Wish::GiveRole(given))?;
    }
    Ok(())
}

fn token(args: &Token) -> Result<(), Problem> {
    // made first, so that no token is that has nowhere to go
    let file =
        args.out.as_ref().map(|path| private_file::create(path).map(|file| (file, path))).transpose()?;
    let new = NewToken {
        service: args.name.clone(),
        label: args.label.clone(),
        until_ms: args.until.0.0,
        actions: args.actions.clone(),
        purposes: args.purposes.clone(),
    };
    let answer = match (asked(&args.house, LoginWish::AddToken(new)), &args.out) {
        (Ok(answer), _) => answer,
        (Err(problem), out) => {
            // nothing is in it
            if let Some(path) = out {
                let _ = std::fs::remove_file(path);
            }
            return Err(problem);
        }
    };
    let token = zeroize::Zeroizing::new(format!("{}\n", shown(&answer.token)));
    match file {
        Some((mut file, path)) => {
            private_file::fill(&mut file, path, &[token.as_bytes()])?;
            say(&format!("{}; it is in `{}`, and nowhere else", shown(&answer.done), path.display()));
        }
        None => {
            print(&token)?;
            say(&format!("{}; it is shown this once", shown(&answer.done)));
        }
    }
    Ok(())
}

fn tokens(args: &Tokens) -> Result<(), Problem> {
    let all = asked(&args.house, LoginWish::Look(LookLogins { all: true }))?.tokens;
    if args.format.format == Format::Json {
        let lines = all.iter().map(|one| {
            serde_json::json!({
                "service": one.service, "token": one.id, "label": one.label, "until": moment(one.until_ms),
                "used": (one.used_ms > 0).then(|| moment(one.used_ms)), "actions": one.actions,
                "purposes": one.purposes,
            })
        });
        return print_json(&lines.collect::<Vec<_>>());
    }
    let mut text = table(["service", "token", "until", "used last", "for", "may", "label"]);
    for one in &all {
        let (purposes, actions) = (shown(&one.purposes.join(", ")), shown(&one.actions.join(", ")));
        let (until, used) = (moment(one.until_ms), moment(one.used_ms));
        text.add_row([
            shown(&one.service),
            one.id.to_string(),
            until,
            used,
            purposes,
            actions,
            shown(&one.label),
        ]);
    }
    print(&if all.is_empty() { "no tokens\n".to_owned() } else { format!("{text}\n") })
}
