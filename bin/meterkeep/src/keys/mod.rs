//! `meterkeep keys import`: reads a supplier's key file here, seals its keys to the vault, sends them.
//!
//! What comes in a container is read by a confined reader first, and only its one key is opened by the vault.
//! The file inside is parsed in this process and not in the vault (decision record 0005), and nobody between here and
//! the vault can read or change the list.

mod address;
mod container;
mod decoy;
mod life;
mod rekey;
mod report;
mod supplied;
mod told;
mod wipe;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base::{Resolution, SecretBytes};
use grant::{Action, Purpose};
use house::Layout;
use indicatif::{ProgressBar, ProgressStyle};
use keyfile::{Device, KeyBytes, KeyRole};
use seal::hybrid::PublicKey;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use wire::archive::{ImportKeys, NewMeter};
use wire::vault::{ImportReport, KEY_LIST_INFO, KeyItem, KeyList};
use wire::{Message as _, Method};
use zeroize::{Zeroize as _, Zeroizing};

use crate::operator::{Operator, Reach};
use crate::output::{Format, FormatArg, print, shown};
use crate::place::HouseArg;
use crate::problem::Problem;

use supplied::Reading;
use told::{refuse, say_outcomes};

/// Keys in one call; the vault takes no more.
const KEYS_A_CALL: usize = 1000;

/// Refused meters of one file that are told to the house one by one.
const MAX_TOLD: usize = 20;

/// Meter keys.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Import(Import),
    Address(address::Address),
    Seal(address::Seal),
    Report(report::Report),
    Show(life::Show),
    Retire(life::Retire),
    Fixed(life::Fixed),
    Rekey(rekey::Args),
    Decoy(decoy::Args),
}

/// Import a supplier's key file: Kamstrup KEM or KEM2, zipped or not, or a list of keys; or either in a container that is
/// sealed to the house (CMS, age, or as `keys seal` makes it).
///
/// File and password together are as good as the keys in clear: delete both when the import is done. A key is
/// trusted only once a telegram of its meter has opened with it.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep keys import order-900001.zip.kem --house ./house\n  \
                        meterkeep keys import order-900002.zip.kem2 --password-file pw --format json\n  \
                        meterkeep keys import list.p7m --signer supplier.pem\n  \
                        meterkeep keys import list.csv --column key=\"AES key\" --plain-because \"the maker sends no other\"\n\n\
                        Exit code: 0 all keys are in, 1 the file or some of its meters were refused, 2 wrong use.")]
struct Import {
    #[command(flatten)]
    house: HouseArg,
    /// The file, as it was downloaded.
    file: PathBuf,
    /// Where the meters are: an installation number or the like, never a name or a street.
    #[arg(long, value_name = "REFERENCE", default_value = "unplaced")]
    place: String,
    /// What the new meters' policy keeps; the house's default where this is left out.
    #[arg(long, value_parser = ["daily", "all"])]
    resolution: Option<String>,
    /// Import all keys of the file or none: when one would be refused, nothing is registered and no key is stored.
    #[arg(long)]
    all_or_nothing: bool,
    /// Wipe the file when all its keys are in. Without it the terminal asks. A disk that writes elsewhere than over the old
    /// bytes, such as most of today, may keep a copy for a while.
    #[arg(long)]
    wipe: bool,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    format: FormatArg,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::Import(import) => run_import(import),
        Command::Address(args) => address::show(args).map(|()| ExitCode::SUCCESS),
        Command::Seal(args) => address::seal(args).map(|()| ExitCode::SUCCESS),
        Command::Report(args) => report::run(args),
        Command::Show(args) => life::show(args),
        Command::Retire(args) => life::retire(args),
        Command::Fixed(args) => life::fixed(args),
        Command::Rekey(args) => rekey::run(args),
        Command::Decoy(args) => decoy::run(args),
    }
}

fn run_import(args: &Import) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let operator = Operator::new(&layout)?;
    // wiped when it goes: a list in plain text is nothing but keys
    let bytes = Zeroizing::new(std::fs::read(&args.file).map_err(Problem::at(&args.file))?);
    let source = source_name(&args.file);
    let runtime = Operator::runtime()?;
    let read = args.reading.read(&bytes, &source, (&operator, &runtime))?;
    drop(bytes);
    let read = match read {
        Ok(read) => read,
        Err(refused) => {
            let told = runtime.block_on(tell_refused(&operator, &source, refused.name()));
            return refuse(&source, &refused, told, args.format.format);
        }
    };
    let plan = Plan {
        source: &source,
        place: &args.place,
        resolution: args.resolution.as_deref().and_then(Resolution::from_name),
        plain_because: args.reading.plain_because(&read),
        try_only: false,
        decoys: false,
    };
    let tried = if args.all_or_nothing {
        let trial = Plan { try_only: true, ..plan };
        Some(runtime.block_on(import(&operator, &layout, &read.file.devices, &trial))?)
    } else {
        None
    };
    let held_back = tried.filter(|tried| !read.file.refused.is_empty() || !tried.iter().all(Outcome::is_in));
    let outcomes = runtime.block_on(async {
        for refused in read.file.refused.iter().take(MAX_TOLD) {
            tell_refused(&operator, &source, refused.error.name()).await;
        }
        match held_back {
            Some(tried) => Ok(tried.into_iter().map(Outcome::held_back).collect()),
            None => import(&operator, &layout, &read.file.devices, &plan).await,
        }
    })?;
    let code = say_outcomes(&source, &read, &outcomes, args.format.format)?;
    if code == ExitCode::SUCCESS && wipe::is_wanted(args.wipe, args.format.format, &source)? {
        wipe::wipe(&args.file)?;
        if args.format.format == Format::Human {
            print(&format!("{source} is wiped\n"))?;
        }
    }
    Ok(code)
}

/// The name that the log gets: without folders, which may name people.
pub(crate) fn source_name(file: &Path) -> String {
    shown(&file.file_name().unwrap_or_default().to_string_lossy())
}

/// What is to be done with a key file's meters.
#[derive(Clone, Copy)]
pub(crate) struct Plan<'a> {
    /// For the log.
    pub source: &'a str,
    pub place: &'a str,
    pub resolution: Option<Resolution>,
    /// Why keys that came in plain text are imported all the same; empty for others.
    pub plain_because: &'a str,
    /// Only find out what would become of each.
    pub try_only: bool,
    /// The meters are decoys; only the vault learns that.
    pub decoys: bool,
}

/// What became of a meter's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Outcome {
    pub meter: String,
    /// What the key is for: `DEK`, or `GUEK`, `GAK` and `KEK` of DLMS.
    pub key: &'static str,
    /// As the vault says: `imported`, `unchanged`, `conflict`, `weak` and so on.
    pub outcome: String,
}

impl Outcome {
    /// Whether the vault has this key now.
    pub(crate) fn is_in(&self) -> bool {
        matches!(self.outcome.as_str(), "imported" | "unchanged")
    }

    /// What is said of a key that would be in, if others of its file were good, too.
    fn held_back(self) -> Self {
        let outcome = if self.outcome == "imported" { "held-back".to_owned() } else { self.outcome };
        Self { outcome, ..self }
    }
}

/// Seals the keys of these meters that the vault uses to it and registers the meters.
pub(crate) async fn import(
    operator: &Operator,
    layout: &Layout,
    devices: &[Device],
    plan: &Plan<'_>,
) -> Result<Vec<Outcome>, Problem> {
    let vault = vault_key(layout)?;
    let keyed = keyed(devices);
    let mut outcomes = Vec::with_capacity(keyed.len());
    let progress =
        progress(keyed.len(), KEYS_A_CALL, if plan.try_only { "keys tried" } else { "keys imported" });
    for part in keyed.chunks(KEYS_A_CALL) {
        let body = seal(&vault, part, plan)?;
        let purpose = (Purpose::KeyImport, Action::ImportKeys);
        let answer: ImportReport =
            operator.ask(purpose, &Reach::default(), Method::ArchiveImportKeys, &body).await?;
        let words =
            answer.outcomes.into_iter().map(|w| shown(&w)).chain(std::iter::repeat("unknown".to_owned()));
        outcomes.extend(part.iter().zip(words).map(|(k, outcome)| Outcome {
            meter: k.device.name(),
            key: k.role,
            outcome,
        }));
        progress.inc(part.len() as u64);
    }
    progress.finish_and_clear();
    Ok(outcomes)
}

/// A bar on a terminal, where there is more than one call to wait for.
pub(crate) fn progress(items: usize, a_call: usize, what: &'static str) -> ProgressBar {
    if items <= a_call {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(items as u64).with_message(what);
    let style = ProgressStyle::with_template("{bar:30} {human_pos} of {human_len} {msg}, {eta} to go");
    style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
}

/// The keys that the vault takes, by their names in key files and by its own.
const ROLES: [(KeyRole, &str); 4] =
    [(KeyRole::Dek, "DEK"), (KeyRole::Gpk60, "GUEK"), (KeyRole::Gpk61, "GAK"), (KeyRole::Kek, "KEK")];

/// The keys of these devices that the vault takes, meter by meter.
fn keyed(devices: &[Device]) -> Vec<Keyed<'_>> {
    let all = devices.iter().flat_map(|device| ROLES.iter().map(move |(file, vault)| (device, file, *vault)));
    all.filter_map(|(device, file, role)| device.key(file).map(|key| Keyed { device, role, key })).collect()
}

/// A key on its way.
struct Keyed<'a> {
    device: &'a Device,
    /// As the vault names it.
    role: &'static str,
    key: &'a KeyBytes,
}

fn seal(vault: &PublicKey, part: &[Keyed<'_>], plan: &Plan<'_>) -> Result<ImportKeys, Problem> {
    let mut list = KeyList { items: Vec::with_capacity(part.len()) };
    let mut meters = Vec::with_capacity(part.len());
    let mut aad = Vec::with_capacity(part.len() * 32);
    for Keyed { device, role, key } in part {
        let address = device.name();
        aad.extend(Sha256::digest(&address));
        meters.push(NewMeter {
            address,
            place: plan.place.to_owned(),
            resolution: plan.resolution.map_or(0, |r| u32::from(r.code())),
            ..NewMeter::default()
        });
        list.items.push(KeyItem {
            manufacturer: device.manufacturer.clone(),
            serial: device.serial.clone(),
            role: (*role).to_owned(),
            key: key.expose().to_vec(),
            decoy: plan.decoys,
        });
    }
    // encoded at once into a buffer that cannot grow, so that no copy stays behind
    let mut plain = Vec::with_capacity(list.encoded_len());
    let encoded = list.encode(&mut plain);
    list.items.iter_mut().for_each(|item| item.key.zeroize());
    let plain = SecretBytes::new(plain);
    encoded.map_err(Problem::during("cannot write the key list"))?;
    let sealed = vault
        .seal_to(KEY_LIST_INFO, &aad, plain.expose())
        .map_err(Problem::during("cannot seal the keys to the vault"))?;
    Ok(ImportKeys {
        meters,
        enc: sealed.enc,
        sealed: sealed.ciphertext,
        source: plan.source.to_owned(),
        refused: String::new(),
        plain_because: plan.plain_because.to_owned(),
        try_only: plan.try_only,
    })
}

/// The public key that the vault takes imports with; it names the house, too.
pub(crate) fn vault_key(layout: &Layout) -> Result<PublicKey, Problem> {
    let path = layout.public("vault-import.pub");
    let text = std::fs::read_to_string(&path).map_err(Problem::at(&path))?;
    let bytes = hex::decode(text.trim_end()).map_err(Problem::at(&path))?;
    PublicKey::from_bytes(&bytes).map_err(Problem::at(&path))
}

/// Has a refusal of a file, or of one of its meters, counted and written into the log, so that it shows where
/// other refusals do. False when the house could not be told: the file stays refused all the same.
async fn tell_refused(operator: &Operator, source: &str, reason: &str) -> bool {
    let body = ImportKeys { source: source.to_owned(), refused: reason.to_owned(), ..ImportKeys::default() };
    let purpose = (Purpose::KeyImport, Action::ImportKeys);
    let told: Result<ImportReport, Problem> =
        operator.ask(purpose, &Reach::default(), Method::ArchiveImportKeys, &body).await;
    told.is_ok()
}

#[cfg(test)]
mod tests {
    use base::Secret;
    use keyfile::Key;

    use super::*;

    #[test]
    fn keys_of_the_customer_port_go_to_the_vault_under_its_own_names() {
        let device = |serial: &str, roles: &[KeyRole]| Device {
            manufacturer: "KAM".into(),
            serial: serial.into(),
            customer_no: None,
            model: None,
            consumption: None,
            config_no: None,
            type_no: None,
            order_no: None,
            keys: roles
                .iter()
                .map(|role| Key { role: role.clone(), bytes: KeyBytes::Aes128(Secret::new([7; 16])) })
                .collect(),
        };
        let devices = [
            device("10000001", &[KeyRole::Dek]),
            device("27581522", &[KeyRole::Kek, KeyRole::Gpk60, KeyRole::Gpk61]),
            device("10000003", &[KeyRole::Kek]),
        ];
        let named: Vec<_> = keyed(&devices).iter().map(|k| (k.device.name(), k.role)).collect();
        assert_eq!(
            named,
            [
                ("KAM-10000001".to_owned(), "DEK"),
                ("KAM-27581522".into(), "GUEK"),
                ("KAM-27581522".into(), "GAK"),
                ("KAM-27581522".into(), "KEK"),
                ("KAM-10000003".into(), "KEK")
            ]
        );
    }
}
