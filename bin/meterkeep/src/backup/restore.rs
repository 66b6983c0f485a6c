//! Putting a backup back, or only trying to.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Component, Path, PathBuf};

use base::UtcMillis;
use house::Layout;
use vault::{BACKUP_DAYS, Pinned};
use wire::Room;

use super::{DAY_MS, sealed};
use crate::keys::vault_key;
use crate::officer::OfficerArg;
use crate::operator::Operator;
use crate::output::{count, say, shown};
use crate::place::HouseArg;
use crate::problem::Problem;
use crate::secret::OpeningArg;

/// Put the vault of a backup into its house, which must be stopped. Or `--try` whether that would work.
///
/// Afterwards the log says what the vault has forgotten: it gives out nothing until what was erased since is erased again,
/// which happens by itself, and until who opens the vault accepts it with `meterkeep vault accept-older`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep backup restore vault-2026-11-25.mkbackup --officer-key anna.key --try\n  \
                        meterkeep backup restore vault-2026-11-25.mkbackup --officer-key anna.key --house ./house --replace"
)]
pub(super) struct Restore {
    #[command(flatten)]
    house: HouseArg,
    /// The backup.
    file: PathBuf,
    #[command(flatten)]
    officer: OfficerArg,
    /// Only unpack it elsewhere, open the vault in it, read all of it, and say what is there.
    #[arg(long = "try", conflicts_with = "replace")]
    trial: bool,
    /// Put the vault that is there aside, in a folder beside it.
    #[arg(long)]
    replace: bool,
    /// Take a backup that is older than 35 days, which should not be there any more.
    #[arg(long)]
    expired: bool,
    #[command(flatten)]
    opening: OpeningArg,
}

pub(super) fn restore(args: &Restore) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    let file = File::open(&args.file).map_err(Problem::at(&args.file))?;
    let mut file = BufReader::new(file);
    let (head, hash) = sealed::read_head(&mut file).map_err(Problem::at(&args.file))?;
    let house = grant::act::house_of(vault_key(&layout)?.as_bytes());
    if head.house != house {
        return Err(Problem::new(format!("the backup is of another house, `{}`", shown(&head.name))));
    }
    let made = UtcMillis(head.made_ms);
    if UtcMillis::now().since(made) > BACKUP_DAYS * DAY_MS && !args.expired && !args.trial {
        return Err(Problem::new(format!("the backup is of {made}, more than {BACKUP_DAYS} days ago")).help(
            "what was erased since is in it; take a newer one, or this one with `--expired` and destroy it",
        ));
    }
    if !args.trial {
        may_replace(&layout, args.replace)?;
    }
    let officer = args.officer.receiving()?;
    let stream = sealed::open(file, (&head, hash), &officer).map_err(Problem::at(&args.file))?;
    let folder = layout.room(Room::Vault).with_extension("restored");
    let _ = std::fs::remove_dir_all(&folder);
    let files = unpack(stream, &folder).map_err(Problem::at(&args.file));
    let files = files.inspect_err(|_| _ = std::fs::remove_dir_all(&folder))?;
    if args.trial {
        let tried = look(args, &layout, &folder);
        let _ = std::fs::remove_dir_all(&folder);
        return tried;
    }
    let place = layout.room(Room::Vault);
    if args.replace && place.exists() {
        let stamp = UtcMillis::now().0;
        let aside = place.with_extension(format!("before-{stamp}"));
        std::fs::rename(&place, &aside).map_err(Problem::at(&place))?;
        say(&format!("the vault that was there is in {} now", aside.display()));
    } else if place.exists() {
        // an empty folder gives way; `may_replace` has seen that no vault is in it
        std::fs::remove_dir_all(&place).map_err(Problem::at(&place))?;
    }
    std::fs::rename(&folder, &place).map_err(Problem::at(&place))?;
    say(&format!("the vault of {made} is back: {}", count(files as u64, "file")));
    say(
        "start the house; what the log knows and this vault does not is said by `meterkeep status`. To go on with it:",
    );
    say(&format!("  meterkeep vault accept-older --house {}", layout.root().display()));
    Ok(())
}

/// Nobody runs the vault, and there is none or it may be put aside.
fn may_replace(layout: &Layout, replace: bool) -> Result<(), Problem> {
    let operator = Operator::new(layout)?;
    if Operator::runtime()?.block_on(operator.health(Room::Vault)).is_ok() {
        return Err(Problem::new("the vault is running; stop the house first"));
    }
    if vault::is_there(layout) && !replace {
        return Err(Problem::new("there is a vault in this house")
            .help("with `--replace` it is put aside, not removed"));
    }
    Ok(())
}

/// Unpacks an authentic stream. Gives the number of files.
fn unpack(stream: impl io::Read, folder: &Path) -> io::Result<usize> {
    let mut archive = tar::Archive::new(stream);
    let mut files = 0;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || entry.header().entry_type() != tar::EntryType::Regular {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it holds what no backup holds"));
        }
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut out = File::create_new(&path)?;
        io::copy(&mut entry, &mut out)?;
        out.sync_all()?;
        files += 1;
    }
    // what follows the archive's end is read, too: only then is the stream known to be whole
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(files)
}

/// Opens the vault in a folder that is no house's, and says what is in it.
fn look(args: &Restore, layout: &Layout, folder: &Path) -> Result<(), Problem> {
    let stage = folder.with_extension("trial");
    let trial = Layout::new(&stage);
    let _ = std::fs::remove_dir_all(&stage);
    let place = trial.room(Room::Vault);
    let parent = place.parent().unwrap_or(&stage).to_owned();
    let moved = std::fs::create_dir_all(&parent).and_then(|()| std::fs::rename(folder, &place));
    let tried = moved.map_err(Problem::at(&stage)).and_then(|()| {
        let proof = args.opening.proof(&trial)?;
        let told = |e: house::StartError| Problem::new(e.to_string());
        let warden = layout.verifier(Room::Warden).map_err(told)?;
        let pinned = Pinned { warden, ledger: layout.log_key().map_err(told)? };
        vault::look(&trial, &proof, pinned).map_err(|e| Problem::new(e.to_string()))
    });
    let _ = std::fs::remove_dir_all(&stage);
    let contents = tried?;
    say(&format!(
        "the backup opens: {} and {} tenancies, term {} since {}, {} erasures carried out",
        count(contents.keys as u64, "key"),
        contents.tenancies,
        contents.term,
        contents.term_since,
        contents.erasures
    ));
    Ok(())
}
