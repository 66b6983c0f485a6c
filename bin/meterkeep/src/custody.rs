//! `meterkeep vault`: who can open the vault, and changing it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use house::Layout;
use seal::shares::Share;
use vault::{Custody, ProviderInfo, ProviderKind, RootError};

use crate::officer;
use crate::output::{Format, FormatArg, print, print_json, say, shown, table};
use crate::place::HouseArg;
use crate::private_file;
use crate::problem::{Problem, USAGE};
use crate::secret::{self, OpeningArg};
use crate::token;

/// Who can open the vault: passphrases and officers' shares, each by itself.
///
/// Changes work on the files of the house, on its machine; the vault takes them up at its next start.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Providers(List),
    AddPassphrase(AddPassphrase),
    AddShares(AddShares),
    AddToken(AddToken),
    Remove(Remove),
    Officers(Officers),
    AddOfficer(AddOfficer),
    RemoveOfficer(RemoveOfficer),
    AcceptOlder(AcceptOlder),
    RenewTerm(RenewTerm),
}

/// List what opens the vault. Needs no passphrase.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep vault providers --house ./house\n  \
                        meterkeep vault providers --house ./house --format json")]
struct List {
    #[command(flatten)]
    house: HouseArg,
    #[command(flatten)]
    format: FormatArg,
}

/// Add a passphrase that opens the vault beside what opens it already.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep vault add-passphrase --house ./house --label \"night shift\"\n  \
                        meterkeep vault add-passphrase --label restore --new-passphrase-file new --shares"
)]
struct AddPassphrase {
    #[command(flatten)]
    house: HouseArg,
    /// What people call it.
    #[arg(long)]
    label: String,
    /// The new passphrase is the first line of this file. Without it the terminal asks.
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    opening: OpeningArg,
}

/// Add officers' shares, some of which open the vault together, and fewer learn nothing.
///
/// Each share goes into a file of its own. Carry each to its officer's own machine or write it on paper, and remove the
/// file here: shares that lie together are as good as the vault's key.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep vault add-shares --threshold 3 --shares-in-all 5 --into ./shares\n  \
                        meterkeep vault add-shares --threshold 2 --shares-in-all 3 --into ./shares --label board"
)]
struct AddShares {
    #[command(flatten)]
    house: HouseArg,
    /// What people call the set.
    #[arg(long, default_value = "officers")]
    label: String,
    /// How many have to come together.
    #[arg(long, value_name = "K")]
    threshold: u8,
    /// How many are made.
    #[arg(long, value_name = "N")]
    shares_in_all: u8,
    /// The folder that the files go into; it is made when it is not there.
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    #[command(flatten)]
    opening: OpeningArg,
}

/// Add a hardware token (PKCS #11), whose key never leaves it.
///
/// The token makes an AES key of its own when it has none of that label. A passphrase or shares open the vault for this.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep vault add-token --token vault --token-module /usr/lib/softhsm/libsofthsm2.so\n  \
                        meterkeep vault add-token --token hsm1 --key house --token-module libhsm.so --token-connect 9004 --shares"
)]
struct AddToken {
    #[command(flatten)]
    house: HouseArg,
    /// What people call it.
    #[arg(long, default_value = "hardware token")]
    label: String,
    /// The token's label.
    #[arg(long)]
    token: String,
    /// The label of the key in it.
    #[arg(long, default_value = "meterkeep")]
    key: String,
    #[command(flatten)]
    opening: OpeningArg,
}

/// Take a provider's power away: the others get a new root key.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep vault remove 1 --house ./house\n  \
                        meterkeep vault remove 2 --house ./house --shares")]
struct Remove {
    #[command(flatten)]
    house: HouseArg,
    /// Its number, as `providers` lists it.
    provider: u32,
    #[command(flatten)]
    opening: OpeningArg,
}

/// List the key officers: whose signatures the vault believes.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep vault officers --house ./house\n  \
                        meterkeep vault officers --house ./house --format json")]
struct Officers {
    #[command(flatten)]
    house: HouseArg,
    #[command(flatten)]
    opening: OpeningArg,
    #[command(flatten)]
    format: FormatArg,
}

/// Pin a key officer's public key, as `meterkeep officer new` made it. Two officers are needed to hand keys over.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep vault add-officer anna.officer --house ./house\n  \
                        meterkeep vault add-officer bo.officer --house ./house --shares")]
struct AddOfficer {
    #[command(flatten)]
    house: HouseArg,
    /// The officer's public file.
    file: PathBuf,
    #[command(flatten)]
    opening: OpeningArg,
}

/// Take a key officer's power away. What they signed before stands.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep vault remove-officer anna --house ./house\n  \
                        meterkeep vault remove-officer bo --house ./house --shares")]
struct RemoveOfficer {
    #[command(flatten)]
    house: HouseArg,
    /// The officer's name.
    name: String,
    #[command(flatten)]
    opening: OpeningArg,
}

/// Accept the vault's files although the log says that there were newer ones.
///
/// For a restore from a backup. What was removed, fetched or imported since then is not known to the vault: look at the log,
/// and do it again. What was erased since is erased again before the files are accepted. It counts for one start within a
/// day, and is recorded in the log.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep vault accept-older --house ./house\n  \
                        meterkeep vault accept-older --house ./house --shares")]
struct AcceptOlder {
    #[command(flatten)]
    house: HouseArg,
    /// Accept them although erasures since cannot be done again: what was erased can be read again. It is an incident.
    #[arg(long)]
    without_erasures: bool,
    #[command(flatten)]
    opening: OpeningArg,
}

/// Begin a new term: all keys in the vault are sealed anew, and the key that they lay under is destroyed.
///
/// It happens by itself once a year, after an erasure and when a provider was removed. A running vault begins within half
/// a minute and goes on answering; a stopped one begins at its next start.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep vault renew-term --house ./house\n  \
                        meterkeep vault renew-term --house ./house --shares")]
struct RenewTerm {
    #[command(flatten)]
    house: HouseArg,
    #[command(flatten)]
    opening: OpeningArg,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::Providers(args) => list(args),
        Command::AddPassphrase(args) => add_passphrase(args),
        Command::AddShares(args) => add_shares(args),
        Command::AddToken(args) => add_token(args),
        Command::Remove(args) => remove(args),
        Command::Officers(args) => officers(args),
        Command::AddOfficer(args) => add_officer(args),
        Command::RemoveOfficer(args) => remove_officer(args),
        Command::AcceptOlder(args) => accept_older(args),
        Command::RenewTerm(args) => renew_term(args),
    }?;
    Ok(ExitCode::SUCCESS)
}

impl From<RootError> for Problem {
    fn from(error: RootError) -> Self {
        Self::new(error.to_string())
    }
}

fn list(args: &List) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    let providers = vault::providers(&layout)?;
    match args.format.format {
        Format::Human => {
            let mut table = table(["number", "how", "label", "added"]);
            for provider in &providers {
                let added = provider.made.to_string();
                table.add_row([provider.id.to_string(), how(provider), shown(&provider.label), added]);
            }
            print(&format!("{table}\n"))
        }
        Format::Json => print_json(&providers.iter().map(json).collect::<Vec<_>>()),
    }
}

fn how(provider: &ProviderInfo) -> String {
    match provider.kind {
        ProviderKind::Passphrase => "passphrase".to_owned(),
        ProviderKind::Token => "hardware token".to_owned(),
        ProviderKind::Shares { threshold, shares } => format!("{threshold} of {shares} shares"),
    }
}

fn json(provider: &ProviderInfo) -> serde_json::Value {
    let (number, label, added) = (provider.id, &provider.label, provider.made.to_string());
    match provider.kind {
        ProviderKind::Passphrase => {
            serde_json::json!({"number": number, "kind": "passphrase", "label": label, "added": added})
        }
        ProviderKind::Token => {
            serde_json::json!({"number": number, "kind": "token", "label": label, "added": added})
        }
        ProviderKind::Shares { threshold, shares } => serde_json::json!({
            "number": number, "kind": "shares", "label": label, "added": added,
            "threshold": threshold, "shares": shares,
        }),
    }
}

fn custody(layout: &Layout, opening: &OpeningArg) -> Result<Custody, Problem> {
    Ok(Custody::open(layout, &opening.proof(layout)?)?)
}

fn add_passphrase(args: &AddPassphrase) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    let custody = custody(&layout, &args.opening)?;
    let file = args.new_passphrase_file.as_deref();
    let passphrase = secret::new_passphrase(file, "New passphrase: ", "--new-passphrase-file")?;
    let id = custody.add_passphrase(&args.label, &passphrase)?;
    say(&format!("provider {id}, \"{}\", opens the vault from now on", shown(&args.label)));
    Ok(())
}

fn add_shares(args: &AddShares) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    let custody = custody(&layout, &args.opening)?;
    let mut files = Vec::new();
    let added = custody.add_shares(&args.label, (args.threshold, args.shares_in_all), |shares| {
        shares.iter().try_for_each(|share| write_share(&args.into, &args.label, share, &mut files))
    });
    if added.is_err() {
        // a set that is not in force must not lie about and look like one that is
        files.iter().for_each(|file| _ = std::fs::remove_file(file));
    }
    let id = added?;
    let (threshold, shares) = (args.threshold, args.shares_in_all);
    say(&format!("provider {id}: any {threshold} of these {shares} shares open the vault from now on"));
    files.iter().for_each(|file| say(&format!("  {}", file.display())));
    say("carry each to its officer, remove the files here, and try the shares before you need them:");
    say(&format!("  meterkeep up --house {} --shares", layout.root().display()));
    Ok(())
}

fn add_token(args: &AddToken) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    if !args.opening.token.is_given() {
        return Err(Problem::new("which library does the token have?")
            .help("name it with `--token-module`, such as /usr/lib/softhsm/libsofthsm2.so")
            .exit(USAGE));
    }
    let place = token::place(&args.token, &args.key)?;
    let custody = Custody::open(&layout, &args.opening.known(&layout)?)?;
    let (locked, key) = args.opening.token.lock(place)?;
    let id = custody.add_token(&args.label, locked, &key)?;
    say(&format!("provider {id}: the token `{}` opens the vault from now on", shown(&args.token)));
    say(&format!("  meterkeep up --house {} --token-module ...", layout.root().display()));
    Ok(())
}

/// Writes a share into a new file, for its owner alone.
fn write_share(folder: &Path, label: &str, share: &Share, written: &mut Vec<PathBuf>) -> Result<(), Problem> {
    std::fs::create_dir_all(folder).map_err(Problem::at(folder))?;
    let (number, (threshold, shares)) = (share.number(), share.threshold());
    let file = folder.join(format!("share-{number}-of-{shares}.txt"));
    let mut out = private_file::create(&file)?;
    written.push(file.clone());
    let text = share.to_text();
    let words =
        format!("\nShare {number} of {shares} of \"{}\". Any {threshold} open the vault.\n", shown(label));
    private_file::fill(&mut out, &file, &[text.as_bytes(), words.as_bytes()])
}

fn remove(args: &Remove) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    custody(&layout, &args.opening)?.remove(args.provider)?;
    say(&format!("provider {} opens the vault no more", args.provider));
    say("start the house again: a new term begins then, whose keys it never reached");
    say("a copy of the vault's files from before still opens with it: destroy such copies");
    Ok(())
}

fn officers(args: &Officers) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    let officers = custody(&layout, &args.opening)?.officers()?;
    match args.format.format {
        Format::Human if officers.is_empty() => {
            print("no officer yet; `meterkeep officer new` makes a key for one\n")
        }
        Format::Human => {
            let mut table = table(["officer", "since", "public key"]);
            for officer in &officers {
                let (since, key) = (officer.since.to_string(), hex::encode(officer.key.as_bytes()));
                table.add_row([shown(&officer.name), since, key]);
            }
            print(&format!("{table}\n"))
        }
        Format::Json => {
            let json = |o: &vault::Officer| {
                serde_json::json!({
                    "officer": o.name, "since": o.since.to_string(), "public": hex::encode(o.key.as_bytes()),
                })
            };
            print_json(&officers.iter().map(json).collect::<Vec<_>>())
        }
    }
}

fn add_officer(args: &AddOfficer) -> Result<(), Problem> {
    let (layout, config) = args.house.open()?;
    let officer = officer::public(&args.file)?;
    custody(&layout, &args.opening)?.pin_officers(&config.house.name, &[(&officer.name, officer.key)])?;
    say(&format!("officer {} is pinned; the vault believes them from its next start", shown(&officer.name)));
    Ok(())
}

fn remove_officer(args: &RemoveOfficer) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    custody(&layout, &args.opening)?.unpin_officer(&args.name)?;
    say(&format!(
        "officer {} is removed; the vault believes them no more from its next start",
        shown(&args.name)
    ));
    Ok(())
}

fn accept_older(args: &AcceptOlder) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    custody(&layout, &args.opening)?.accept_older(args.without_erasures)?;
    say("the vault's next start, within a day, accepts its files as they are; that goes into the log");
    Ok(())
}

fn renew_term(args: &RenewTerm) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    let custody = custody(&layout, &args.opening)?;
    let (term, since) = custody.term();
    custody.renew_term()?;
    say(&format!(
        "term {term} has lasted since {since}; the next one begins within half a minute, or at the next start"
    ));
    Ok(())
}
