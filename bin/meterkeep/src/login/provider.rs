//! The utility's own provider: setting it, saying who is who there, and carrying its questions and answers.
//!
//! The warden has no network, so the command asks the provider; what it answers the warden checks with the keys that an
//! administrator set. Nothing here decides anything.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use base::UtcMillis;
use login::provider::{LONGEST, description_address, keys_address};
use login::{Provider, Told};
use wire::login::{
    By, LinkOf, LoginAnswer, LoginWish, NewProvider, NoMore, Proof, ProviderBegun, ProviderPost,
    ProviderQuestion, ShownProvider,
};

use super::https::{CaArg, Https};
use super::{ask, change};
use crate::operator::Operator;
use crate::output::{Format, FormatArg, print, print_json, say, shown};
use crate::place::HouseArg;
use crate::problem::{Problem, USAGE};

/// A sign-in is over after five minutes, and the second factor comes after the provider's.
const TYPE_WITHIN: Duration = Duration::from_secs(4 * 60);
/// What is added to the time between two tries when the provider says so (RFC 8628, clause 3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// So many tries one after the other may fail on the way.
const FAILURES: u32 = 3;

/// The utility's own provider to sign in with (OpenID Connect).
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Set(Set),
    Refresh(Refresh),
    Show(Show),
    End(House),
    Link(Link),
    Unlink(Unlink),
}

/// Sign in with this provider, too. It has to know the house as a public client that may use the device flow.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep login provider set --issuer https://id.example.org --client meterkeep\n  \
                  meterkeep login provider set --issuer https://id.example.org --client meterkeep --description about.json --keys keys.json"
)]
struct Set {
    #[command(flatten)]
    house: HouseArg,
    /// The provider, exactly as it writes itself.
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// The house's id there.
    #[arg(long, value_name = "ID")]
    client: String,
    /// What is at `ISSUER/.well-known/openid-configuration`, where this machine cannot fetch it.
    #[arg(long, value_name = "FILE", requires = "keys")]
    description: Option<PathBuf>,
    /// What is at its `jwks_uri`.
    #[arg(long, value_name = "FILE", requires = "description")]
    keys: Option<PathBuf>,
    #[command(flatten)]
    ca: CaArg,
}

/// Fetch the provider's keys anew, after it changed them.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep login provider refresh --house ./house\n  meterkeep login provider refresh --ca authority.pem"
)]
struct Refresh {
    #[command(flatten)]
    house: HouseArg,
    #[command(flatten)]
    ca: CaArg,
}

/// Show the provider.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep login provider show --house ./house\n  meterkeep login provider show --format json"
)]
struct Show {
    #[command(flatten)]
    house: HouseArg,
    #[command(flatten)]
    format: FormatArg,
}

/// No longer sign in with the provider. Who is who there is kept, for one that is set again.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep login provider end\n  meterkeep login provider end --house ./house"
)]
struct House {
    #[command(flatten)]
    house: HouseArg,
}

/// Say who somebody is at the provider: your own after `login --again`, others' for who looks after people.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep login provider link anna 00u1a2b3c4\n  \
                        meterkeep login provider link anna 00u1a2b3c4 --house ./house")]
struct Link {
    #[command(flatten)]
    house: HouseArg,
    /// Who.
    person: String,
    /// Their id there (`sub`), which the provider's own pages show.
    subject: String,
}

/// Somebody no longer signs in with the provider.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep login provider unlink anna\n  \
                        meterkeep login provider unlink anna --house ./house")]
struct Unlink {
    #[command(flatten)]
    house: HouseArg,
    /// Who.
    person: String,
}

pub(super) fn run(args: &Args) -> Result<(), Problem> {
    match &args.command {
        Command::Set(args) => set(args),
        Command::Refresh(args) => {
            let before = current(&args.house)?;
            let (description, keys) = fetch(&args.ca.client()?, &before.issuer)?;
            let new = NewProvider { issuer: before.issuer, client: before.client, description, keys };
            change(&args.house, LoginWish::SetProvider(new))
        }
        Command::Show(args) => show(args),
        Command::End(args) => change(&args.house, LoginWish::EndProvider(NoMore {})),
        Command::Link(args) => {
            if args.subject.is_empty() {
                return Err(Problem::new("the id at the provider is empty").exit(USAGE));
            }
            let (person, subject) = (args.person.clone(), args.subject.clone());
            change(&args.house, LoginWish::Link(LinkOf { person, subject }))
        }
        Command::Unlink(args) => {
            let (person, subject) = (args.person.clone(), String::new());
            change(&args.house, LoginWish::Link(LinkOf { person, subject }))
        }
    }
}

fn set(args: &Set) -> Result<(), Problem> {
    let (description, keys) = match (&args.description, &args.keys) {
        (Some(description), Some(keys)) => (text(description)?, text(keys)?),
        _ => fetch(&args.ca.client()?, &args.issuer)?,
    };
    let (issuer, client) = (args.issuer.clone(), args.client.clone());
    change(&args.house, LoginWish::SetProvider(NewProvider { issuer, client, description, keys }))
}

fn text(file: &PathBuf) -> Result<String, Problem> {
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX);
    if std::fs::metadata(file).map_err(Problem::at(file))?.len() > most {
        let why =
            format!("`{}` has more than {} KiB, which no provider needs", file.display(), LONGEST / 1024);
        return Err(Problem::new(why));
    }
    std::fs::read_to_string(file).map_err(Problem::at(file))
}

/// The provider's description and keys, as they are now.
fn fetch(https: &Https, issuer: &str) -> Result<(String, String), Problem> {
    let wrong = |error: login::provider::ProviderError| {
        Problem::new(shown(&error.to_string()))
            .help("give the provider's address exactly as it writes itself (`--issuer`)")
    };
    let description = https.get(&description_address(issuer).map_err(wrong)?)?;
    let keys = https.get(&keys_address(issuer, &description).map_err(wrong)?)?;
    Ok((description, keys))
}

fn current(house: &HouseArg) -> Result<ShownProvider, Problem> {
    let (layout, _) = house.open()?;
    let operator = Operator::new(&layout)?;
    let wish = LoginWish::LookProvider(NoMore {});
    let answer = Operator::runtime()?.block_on(ask(&operator, wish))?;
    answer.provider.ok_or_else(|| Problem::new("the warden shows no provider"))
}

fn show(args: &Show) -> Result<(), Problem> {
    let found = current(&args.house)?;
    let set = UtcMillis(found.at_ms).to_string();
    if args.format.format == Format::Json {
        return print_json(&serde_json::json!({
            "issuer": found.issuer, "client": found.client, "keys": found.keys, "set_by": found.by, "set": set,
            "device_flow": found.device,
        }));
    }
    let keys: Vec<String> = found.keys.iter().map(|key| shown(key)).collect();
    let flow = if found.device { "yes" } else { "no; the command line cannot sign in with it" };
    print(&format!(
        "provider     {}\nclient       {}\nkeys         {}\ndevice flow  {flow}\nset          {set} by {}\n",
        shown(&found.issuer),
        shown(&found.client),
        keys.join(", "),
        shown(&found.by)
    ))
}

/// Has the person sign in at the provider, and gives what it states about them.
pub(super) fn prove(
    ca: &CaArg,
    operator: &Operator,
    runtime: &tokio::runtime::Runtime,
    begun: &LoginAnswer,
) -> Result<Proof, Problem> {
    let Some(first) = &begun.post else {
        return Err(Problem::new("this house has no provider with a device flow")
            .help("an administrator sets one with `meterkeep login provider set`"));
    };
    let (https, began) = (ca.client()?, Instant::now());
    let answer = https.post(&first.url, &first.form)?;
    if answer.status != 200 {
        let said = match Provider::told(&answer.body) {
            Told::Error(word) => format!(": {word}"),
            _ => String::new(),
        };
        return Err(Problem::new(format!("the provider begins no sign-in (status {}{said})", answer.status))
            .help("is the house's client there one for the device flow, and without a password?"));
    }
    let wish = ProviderBegun { nonce: begun.nonce.clone(), answer: answer.body.to_string() };
    let asked = runtime.block_on(ask(operator, LoginWish::AskProvider(wish)))?;
    let (Some(question), Some(poll)) = (&asked.question, &asked.post) else {
        return Err(Problem::new("the warden asks nothing of the provider"));
    };
    let within = Duration::from_secs(question.lasts_s).min(TYPE_WITHIN);
    say(&format!(
        "open {} and type {} there within {} s\ntype it only because you began this yourself, here and now: nobody sends such codes",
        shown(&question.address),
        shown(&question.user_code),
        within.as_secs()
    ));
    let statement = wait(&https, question, poll, began + within)?;
    Ok(Proof { by: Some(By::Provider(statement)) })
}

/// Asks until the person has typed the code, as often as the provider wants to be asked.
fn wait(
    https: &Https,
    question: &ProviderQuestion,
    poll: &ProviderPost,
    until: Instant,
) -> Result<String, Problem> {
    let mut pause = Duration::from_secs(question.interval_s.max(1));
    let mut failures = 0;
    let over = || {
        Problem::new("nobody typed the code in time").help("begin again with `meterkeep login --provider`")
    };
    loop {
        if Instant::now() + pause >= until {
            return Err(over());
        }
        sleep(pause);
        let answer = https.post(&poll.url, &poll.form);
        // a provider that is overloaded is asked less often, and not at all after a while (RFC 8628, clause 3.5)
        let answer = match answer {
            Ok(answer) if answer.status == 429 || answer.status >= 500 => {
                Err(Problem::new(format!("the provider answers with the status {}", answer.status))
                    .help("is it up? other ways to sign in work without it (`meterkeep login`)"))
            }
            answer => answer,
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(problem) => {
                failures += 1;
                if failures >= FAILURES {
                    return Err(problem);
                }
                pause += SLOWER;
                continue;
            }
        };
        failures = 0;
        match Provider::told(&answer.body) {
            Told::Later => {}
            Told::Slower => pause += SLOWER,
            Told::Statement => return Ok(answer.body.to_string()),
            Told::Denied => {
                return Err(Problem::new("the sign-in was refused at the provider")
                    .help("begin again with `meterkeep login --provider`, or sign in without it"));
            }
            Told::Over => return Err(over()),
            Told::Error(word) => return Err(Problem::new(format!("the provider refuses: {word}"))),
            Told::Malformed => {
                let why = "what the provider answers is no statement about anybody";
                return Err(Problem::new(why).help("see in its settings that the scope `openid` is allowed"));
            }
        }
    }
}
