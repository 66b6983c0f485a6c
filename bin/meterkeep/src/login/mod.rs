//! `meterkeep login` and `logout`: showing who one is, beyond being a user of this machine.

mod enrol;
mod https;
mod keep;
mod prove;
mod provider;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use wire::login::{Invite, LoginAnswer, LoginErrand, LoginWish};
use wire::{Method, Room};

use crate::operator::Operator;
use crate::output::{print, say, shown};
use crate::place::HouseArg;
use crate::problem::Problem;

pub(crate) use self::keep::{SignedIn, house_of, signed_in};
pub(crate) use self::prove::with_token;

/// Sign in with two factors: a password with a code of a generator, or a key with a password.
///
/// The session is kept in a file of yours and ends after half an hour without use. Whoever owns a house and is alone in it needs
/// none.
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  meterkeep login --house ./house\n  meterkeep login --key ~/.ssh/id_ed25519\n  \
                  meterkeep login --again        # for keys, people and roles: once more, for ten minutes\n  \
                  meterkeep login --provider     # at the utility's own provider, with a code beside it\n  \
                  meterkeep login --token-file erp.token     # a program, with the token of its service account"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    sign_in: SignIn,
}

#[derive(clap::Subcommand)]
enum Command {
    Invite(InviteArgs),
    Enrol(enrol::Args),
    Show(show::Args),
    End(End),
    AddKey(AddKey),
    RemoveKey(RemoveKey),
    RemovePasskey(RemovePasskey),
    Provider(provider::Args),
}

#[derive(clap::Args)]
struct SignIn {
    #[command(flatten)]
    house: HouseArg,
    /// Show anew who you are, in the session that you have: keys, people and roles need that.
    #[arg(long)]
    again: bool,
    /// The password is the first line of this file, which only you may read. Without it the terminal asks.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// What the generator of codes shows is the first line of this file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["recovery_file", "key"])]
    code_file: Option<PathBuf>,
    /// Use a code from paper, in place of the generator's; without a value the terminal asks.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "", conflicts_with = "key")]
    recovery_file: Option<PathBuf>,
    /// Sign with this key by `ssh-keygen`, in place of a code.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// With nothing but the key: two factors where it is a hardware key that knows you, one otherwise.
    #[arg(long, requires = "key", conflicts_with = "password_file")]
    key_only: bool,
    /// Sign in at the utility's own provider, with a code, a code from paper or a key beside it.
    #[arg(long, conflicts_with_all = ["password_file", "key_only"])]
    provider: bool,
    #[command(flatten)]
    ca: https::CaArg,
    /// A program signs in with the token in the first line of this file, which only its owner may read.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["again", "provider", "password_file", "code_file", "recovery_file", "key"]
    )]
    token_file: Option<PathBuf>,
}

/// Make a code by which somebody sets their ways to sign in. Hand it over in person or by a second channel; it is good once, for
/// three days. The owner of a house in which nobody signs in yet invites themselves.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep login invite bert --house ./house\n  \
                        meterkeep login invite bert --lost")]
struct InviteArgs {
    #[command(flatten)]
    house: HouseArg,
    /// Who.
    person: String,
    /// They lost their ways to sign in, and you have recognised them: those ways end when the code is used.
    #[arg(long)]
    lost: bool,
}

/// End a session before its time; all of your own where none is named.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep login end 5d0c... --house ./house\n  meterkeep login end        # all of mine"
)]
struct End {
    #[command(flatten)]
    house: HouseArg,
    /// Which, as `meterkeep login show` names it.
    session: Option<String>,
}

/// Sign in with an ed25519 key of OpenSSH, too, in a file or in hardware (`ssh-keygen -t ed25519-sk`).
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep login add-key ~/.ssh/id_ed25519.pub\n  \
                        meterkeep login add-key id_ed25519_sk.pub --house ./house")]
struct AddKey {
    #[command(flatten)]
    house: HouseArg,
    /// Its public half.
    file: PathBuf,
}

/// No longer sign in with a key.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep login remove-key SHA256:1x2y...\n  \
                        meterkeep login remove-key SHA256:1x2y... --house ./house")]
struct RemoveKey {
    #[command(flatten)]
    house: HouseArg,
    /// Its fingerprint, as `meterkeep login show` names it.
    fingerprint: String,
}

/// No longer sign in with a passkey.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep login remove-passkey 0a1b...\n  \
                        meterkeep login remove-passkey 0a1b... --house ./house")]
struct RemovePasskey {
    #[command(flatten)]
    house: HouseArg,
    /// Its id, as `meterkeep login show` names it.
    id: String,
}

/// Sign out: the session ends here and in the house.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep logout\n  meterkeep logout --house ./house")]
pub(crate) struct LogoutArgs {
    #[command(flatten)]
    house: HouseArg,
}

/// The longest line of a public key.
const MAX_KEY: u64 = 8192;

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        None => prove::run(&args.sign_in),
        Some(Command::Invite(args)) => invite(args),
        Some(Command::Enrol(args)) => enrol::run(args),
        Some(Command::Show(args)) => show::run(args),
        Some(Command::End(args)) => {
            let id = args.session.as_deref().map(hex::decode).transpose();
            let id = id.map_err(|_| Problem::new("a session is named by 32 hexadecimal digits"))?;
            change(&args.house, LoginWish::End(id.unwrap_or_default()))
        }
        Some(Command::AddKey(args)) => {
            if std::fs::metadata(&args.file).map_err(Problem::at(&args.file))?.len() > MAX_KEY {
                return Err(Problem::new(format!("`{}` is no public key", args.file.display())));
            }
            let line = std::fs::read_to_string(&args.file).map_err(Problem::at(&args.file))?;
            change(&args.house, LoginWish::AddKey(line))
        }
        Some(Command::RemoveKey(args)) => change(&args.house, LoginWish::RemoveKey(args.fingerprint.clone())),
        Some(Command::RemovePasskey(args)) => {
            let id = hex::decode(&args.id).map_err(|_| Problem::new("a passkey is named in hexadecimal"))?;
            change(&args.house, LoginWish::RemovePasskey(id))
        }
        Some(Command::Provider(args)) => provider::run(args),
    }?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn logout(args: &LogoutArgs) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let operator = Operator::new(&layout)?;
    let Some(session) = operator.signed_in() else {
        return Err(Problem::new("nobody is signed in here").help("`meterkeep login` signs in"));
    };
    let id = session.id.clone();
    // what is forgotten here ends by itself there, where the house is down
    let ended = Operator::runtime()?.block_on(ask(&operator, LoginWish::End(id)));
    keep::forget_session(&layout)?;
    match ended {
        Ok(_) => say("signed out"),
        Err(problem) => say(&format!("signed out here; in the house it ends by itself ({problem})")),
    }
    Ok(ExitCode::SUCCESS)
}

/// Does an errand of signing in.
async fn ask(operator: &Operator, wish: LoginWish) -> Result<LoginAnswer, Problem> {
    operator.call(Method::WardenLogin, Room::Warden, &LoginErrand { wish: Some(wish) }).await
}

fn change(house: &HouseArg, wish: LoginWish) -> Result<(), Problem> {
    let (layout, _) = house.open()?;
    let operator = Operator::new(&layout)?;
    let answer = Operator::runtime()?.block_on(ask(&operator, wish))?;
    say(&shown(&answer.done));
    Ok(())
}

fn invite(args: &InviteArgs) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    let operator = Operator::new(&layout)?;
    let wish = LoginWish::Invite(Invite { person: args.person.clone(), lost: args.lost });
    let answer = Operator::runtime()?.block_on(ask(&operator, wish))?;
    print(&format!("{}: {}\n", shown(&answer.done), shown(&answer.code)))?;
    say("hand the code over in person or by phone; they use it with `meterkeep login enrol`");
    Ok(())
}
