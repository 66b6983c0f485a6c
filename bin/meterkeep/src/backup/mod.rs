//! `meterkeep backup`: the vault's files apart from all else, sealed to the officers, and back again.

mod restore;
mod sealed;

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base::UtcMillis;
use house::Layout;
use seal::hybrid::PublicKey;
use vault::{BACKUP_DAYS, Frozen};

use crate::keys::vault_key;
use crate::officer;
use crate::output::{Format, FormatArg, count, print, print_json, say, shown};
use crate::place::HouseArg;
use crate::private_file;
use crate::problem::{Problem, USAGE};

const DAY_MS: i64 = 86_400_000;
const ENDING: &str = "mkbackup";
/// How often a backup is begun anew when files went away under it.
const TRIES: u32 = 3;

/// Back up the vault, apart from all else, and restore it.
///
/// A backup is sealed to officers: any one of them opens it, and then the vault in it still needs what opens the vault. Keep
/// it where the store's backups are not: who has both, and a passphrase, has all readings.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Make(Make),
    Show(Show),
    Restore(restore::Restore),
}

/// Make a backup. The house may run meanwhile; no passphrase is needed.
///
/// Backups in the same folder that are older than 35 days are removed: what was erased since could be read from them.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep backup make --into /media/vault --to anna.officer --to bo.officer\n  \
                        meterkeep backup make --into ./backups --to bo.officer --house ./house --keep-days 14"
)]
struct Make {
    #[command(flatten)]
    house: HouseArg,
    /// The folder that the backup goes into; it is made when it is not there.
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// An officer's public file. Give it as often as needed.
    #[arg(long = "to", value_name = "FILE", required = true)]
    to: Vec<PathBuf>,
    /// Remove backups in the folder that are older than so many days.
    #[arg(long, value_name = "DAYS", default_value_t = BACKUP_DAYS, value_parser = clap::value_parser!(i64).range(1..=BACKUP_DAYS))]
    keep_days: i64,
}

/// Show of which house a backup is, from when, and who opens it. Needs no key.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep backup show vault-2026-11-25.mkbackup\n  \
                        meterkeep backup show vault-2026-11-25.mkbackup --format json")]
struct Show {
    /// The backup.
    file: PathBuf,
    #[command(flatten)]
    format: FormatArg,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::Make(args) => make(args),
        Command::Show(args) => show(args),
        Command::Restore(args) => restore::restore(args),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn recipients(files: &[PathBuf]) -> Result<Vec<(String, PublicKey)>, Problem> {
    let one = |path: &PathBuf| {
        let officer = officer::public(path)?;
        let receives = officer.receives.ok_or_else(|| {
            Problem::new(format!("`{}` holds no key to receive with", path.display()))
                .help("it was made by an earlier edition; `meterkeep officer publish` makes the public file anew")
                .exit(USAGE)
        })?;
        Ok((officer.name, receives))
    };
    files.iter().map(one).collect()
}

fn make(args: &Make) -> Result<(), Problem> {
    let (layout, config) = args.house.open()?;
    let to = recipients(&args.to)?;
    std::fs::create_dir_all(&args.into).map_err(Problem::at(&args.into))?;
    let now = UtcMillis::now();
    let stamp: String = now.to_string().chars().map(|c| if c == ':' { '-' } else { c }).collect();
    let file = args.into.join(format!("vault-{stamp}.{ENDING}"));
    let house = grant::act::house_of(vault_key(&layout)?.as_bytes());
    let mut tries = 0;
    let written = loop {
        tries += 1;
        match write(&layout, &file, (house, &config.house.name), now, &to) {
            // a running vault has cut a journal meanwhile
            Err(Written::Moved(_)) if tries < TRIES => {}
            Err(Written::Moved(error)) => break Err(Problem::at(&file)(error)),
            Err(Written::Other(problem)) => break Err(problem),
            Ok(files) => break Ok(files),
        }
    };
    let files = written.inspect_err(|_| _ = std::fs::remove_file(&file))?;
    let names: Vec<String> = to.iter().map(|(name, _)| shown(name)).collect();
    say(&format!("{}: {}, sealed to {}", file.display(), count(files as u64, "file"), names.join(", ")));
    let removed = expire(&args.into, now.plus(-args.keep_days * DAY_MS))?;
    if removed > 0 {
        say(&format!("{} older than {} days removed", count(removed as u64, "backup"), args.keep_days));
    }
    say("try it now and then, on another machine: `meterkeep backup restore --try`");
    Ok(())
}

enum Written {
    /// A file went away while it was read.
    Moved(io::Error),
    Other(Problem),
}

fn write(
    layout: &Layout,
    file: &Path,
    house: ([u8; 32], &str),
    now: UtcMillis,
    to: &[(String, PublicKey)],
) -> Result<usize, Written> {
    let _ = std::fs::remove_file(file);
    let out = private_file::create(file).map_err(Written::Other)?;
    let frozen = vault::freeze(layout).map_err(|e| Written::Other(e.into()))?;
    let whole = || -> io::Result<usize> {
        let mut archive = tar::Builder::new(sealed::write(BufWriter::new(out), house, now, to)?);
        let files = frozen.files()?;
        files.iter().try_for_each(|path| append(&mut archive, &frozen, path))?;
        let out = archive.into_inner()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        out.sync_all()?;
        Ok(files.len())
    };
    whole().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Written::Moved(error),
        _ => Written::Other(Problem::at(file)(error)),
    })
}

/// Appends a file as long as it is now: what is written behind that belongs to the next backup.
fn append(archive: &mut tar::Builder<impl Write>, frozen: &Frozen, path: &Path) -> io::Result<()> {
    let file = File::open(frozen.folder().join(path))?;
    let size = file.metadata()?.len();
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o600);
    archive.append_data(&mut header, path, file.take(size))
}

/// Removes backups of the folder that are older.
fn expire(folder: &Path, before: UtcMillis) -> Result<usize, Problem> {
    let mut removed = 0;
    for entry in std::fs::read_dir(folder).map_err(Problem::at(folder))?.flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|ending| ending != ENDING) {
            continue;
        }
        let head = File::open(&path).and_then(sealed::read_head);
        if head.is_ok_and(|(head, _)| head.made_ms < before.0) {
            std::fs::remove_file(&path).map_err(Problem::at(&path))?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn show(args: &Show) -> Result<(), Problem> {
    let (head, _) = File::open(&args.file).and_then(sealed::read_head).map_err(Problem::at(&args.file))?;
    let (made, officers) = (UtcMillis(head.made_ms), head.officers.iter().map(|o| shown(&o.name)));
    let officers: Vec<String> = officers.collect();
    match args.format.format {
        Format::Json => print_json(&serde_json::json!({
            "house": hex::encode(&head.house), "name": head.name, "made": made.to_string(), "officers": officers,
        })),
        Format::Human => print(&format!(
            "house     {} ({})\nmade      {made}\nopened by {}\n",
            shown(&head.name),
            hex::encode(&head.house),
            officers.join(", ")
        )),
    }
}
