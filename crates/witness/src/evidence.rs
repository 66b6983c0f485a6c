//! What a witness keeps against a log: the checkpoint that it cosigned, and the one that the log signed and showed later,
//! which does not go on from it. Two of one size prove a fork to anybody who knows the log's key. One of another size is a
//! lead: whoever has the log can hold it against both (`meterkeep ledger verify --kept`).

use std::path::PathBuf;

use journal::write_atomically;
use tlog::Checkpoint;
use tlog::witness::{Refusal, Request};

use crate::keep::{Keep, KeepError, Last, id, io};

/// The most checkpoints that are kept against one that was cosigned; a log could show others for ever.
pub const SHOWN_AT_MOST: usize = 16;
/// The most folders of them.
const FORKS_AT_MOST: usize = 256;

const COSIGNED: &str = "cosigned.checkpoint";

/// What is kept against a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// Which log.
    pub origin: String,
    /// Leaves of the checkpoint that was cosigned.
    pub size: u64,
    /// Whether another of the same size proves the fork, as against one that only was not proved to go on from it.
    pub proved: bool,
    /// Where the checkpoints lie.
    pub folder: PathBuf,
}

/// A checkpoint, signed by its log, that does not fit what was cosigned.
pub(crate) struct Found {
    pub(crate) size: u64,
    note: Vec<u8>,
}

impl Found {
    pub(crate) fn is_proof(&self, known: u64) -> bool {
        self.size == known
    }
}

/// What a refused request is against the log; nothing where the request is only out of date or its own.
pub(crate) fn of(request: &Request, refusal: &Refusal, last: &Last) -> Option<Found> {
    // before these the log's signature was checked
    if !matches!(refusal, Refusal::Fork { .. } | Refusal::OtherSize { .. } | Refusal::NotConsistent { .. }) {
        return None;
    }
    let checkpoint = Checkpoint::parse(request.checkpoint.unchecked_text()).ok()?;
    let other = checkpoint.size() == last.state.size && checkpoint.root() != last.state.root;
    let unproved = matches!(refusal, Refusal::NotConsistent { .. }) && checkpoint.size() > last.state.size;
    (other || unproved).then(|| Found { size: checkpoint.size(), note: request.checkpoint.bytes() })
}

/// Keeps it, unless there is enough of it.
pub(crate) fn put(keep: &Keep, origin: &str, found: &Found, last: &Last) -> Result<(), KeepError> {
    let (disk, all) = (keep.disk(), keep.forks());
    let name = format!("{}-{}", id(origin), last.state.size);
    disk.make_dir(&all).map_err(io("make", &all))?;
    let forks = disk.list(&all).map_err(io("list", &all))?;
    if forks.len() >= FORKS_AT_MOST && !forks.iter().any(|fork| *fork == *name) {
        return Ok(());
    }
    let (folder, shown) = (all.join(&name), shown(found.size));
    disk.make_dir(&folder).map_err(io("make", &folder))?;
    let there = disk.list(&folder).map_err(io("list", &folder))?;
    // a proof always finds its place among leads
    let is_full = there.len() > SHOWN_AT_MOST && !found.is_proof(last.state.size);
    if is_full || there.iter().any(|file| *file == *shown) {
        return Ok(());
    }
    write_atomically(disk, &folder.join(COSIGNED), &last.note)?;
    Ok(write_atomically(disk, &folder.join(shown), &found.note)?)
}

fn shown(size: u64) -> String {
    format!("shown-{size}.checkpoint")
}

impl Keep {
    /// What is kept against the logs that are watched.
    ///
    /// # Errors
    /// [`KeepError`].
    pub fn evidence(&self) -> Result<Vec<Fork>, KeepError> {
        let (mut found, all) = (Vec::new(), self.forks());
        let names = match self.disk().list(&all) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
            names => names.map_err(io("list", &all))?,
        };
        let logs = self.watched()?;
        for name in names {
            let folder = all.join(&name);
            let name = name.to_string_lossy().into_owned();
            let Some((of, size)) = name.split_once('-') else { continue };
            let (Some(log), Ok(size)) = (logs.iter().find(|log| id(&log.origin) == of), size.parse()) else {
                continue;
            };
            let there = self.disk().list(&folder).map_err(io("list", &folder))?;
            let proved = there.iter().any(|file| *file == *shown(size));
            found.push(Fork { origin: log.origin.clone(), size, proved, folder });
        }
        found.sort_by(|one, other| (&one.origin, one.size).cmp(&(&other.origin, other.size)));
        Ok(found)
    }
}
