//! A log as an auditor gets it: a folder in the layout of C2SP `tlog-tiles`, or a bundle, which is a tar of that layout. Both
//! are read for [`tlog::verify`], with one tile and one bundle of entries in memory, whatever the log's size.
//!
//! - [`Log`] opens either and gives its checkpoint, tiles and entries. Nothing that it gives is proved.
//! - [`verify()`] holds the whole of it against a checkpoint, on as many cores as there are.
//! - [`pack()`] writes a bundle of what one checkpoint needs, with checkpoints kept from before beside it.
//!
//! A log that removed entries, as its policy of retention says, has `pruned.checkpoint`: its checkpoint before the first entry that is
//! there. Tiles of hashes are all there, so that everything is proved as before but the bytes of those entries.
//!
//! In a bundle `kept/NAME.checkpoint` are checkpoints kept from before, and `log.vkey` is the log's key as whoever packed it
//! believes it to be. Neither proves anything: what is kept has to be signed by a key that the auditor has from elsewhere.

mod archive;
mod error;
mod folder;
mod log;
mod pack;
mod verify;

pub use error::Error;
pub use log::{CHECKPOINT, KEY, Log, PRUNED, read_checkpoint};
pub use pack::{Beside, Packed, pack};
pub use verify::{Progress, verify};
