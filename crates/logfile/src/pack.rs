//! Packing what one checkpoint needs into a bundle. The same log gives the same bytes, so that two bundles can be compared.

use std::io::{self, Write};

use tlog::verify::{Depth, LogSource as _};
use tlog::{TileSource as _, changed_bundles, changed_tiles};

use crate::error::Error;
use crate::log::{CHECKPOINT, KEPT, KEY, Log, PRUNED};

/// What goes into a bundle beside the log.
#[derive(Debug, Default)]
pub struct Beside {
    /// The log's key, as a line.
    pub key: Option<String>,
    /// Checkpoints kept from before.
    pub kept: Vec<Vec<u8>>,
}

/// What a bundle holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Packed {
    /// Tiles.
    pub tiles: u64,
    /// Bundles of entries.
    pub bundles: u64,
}

/// Packs the tiles and entries of a log's first so many entries, with the checkpoint over them, and what the log says of entries that
/// it removed.
///
/// # Errors
/// [`Error`]: a file that is not there, or cannot be read; or, with the name of the checkpoint, that `out` cannot be written.
pub fn pack(
    log: &Log,
    checkpoint: &[u8],
    size: u64,
    depth: Depth,
    beside: &Beside,
    out: impl Write,
) -> Result<Packed, Error> {
    let mut source = log;
    let mut archive = tar::Builder::new(out);
    let mut packed = Packed::default();
    let failed = |error| Error::Io { path: CHECKPOINT.into(), error };
    append(&mut archive, CHECKPOINT, checkpoint).map_err(failed)?;
    if let Some(key) = &beside.key {
        append(&mut archive, KEY, format!("{key}\n").as_bytes()).map_err(failed)?;
    }
    if let Some(pruned) = log.pruned()? {
        append(&mut archive, PRUNED, &pruned).map_err(failed)?;
    }
    for (number, kept) in (1..).zip(&beside.kept) {
        append(&mut archive, &format!("{KEPT}/{number:03}.checkpoint"), kept).map_err(failed)?;
    }
    for id in changed_tiles(0, size) {
        append(&mut archive, &id.path(), &source.tile(id)?).map_err(failed)?;
        packed.tiles += 1;
    }
    for id in changed_bundles(0, size).filter(|id| depth.reads(id.first())) {
        append(&mut archive, &id.path(), &source.bundle(id)?).map_err(failed)?;
        packed.bundles += 1;
    }
    archive.into_inner().and_then(|mut out| out.flush()).map_err(failed)?;
    Ok(packed)
}

fn append(archive: &mut tar::Builder<impl Write>, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    archive.append_data(&mut header, name, bytes)
}
