//! The Merkle log of the house, in the public formats of C2SP, so that anybody's tools can check it: tiles
//! (`tlog-tiles`), checkpoints (`tlog-checkpoint`, `signed-note`), witnesses (`tlog-witness`, `tlog-cosignature`) and
//! proofs (`tlog-proof`). Hashes and proofs are those of RFC 6962 and RFC 9162. Pure: no I/O, no clock; the caller
//! reads tiles through [`TileSource`] and says what time it is.
//!
//! - [`Tree`] appends leaves and knows the root; [`Writer`] also fills the tiles that an append changes, and [`Window`]
//!   has the proofs about the newest leaves at hand.
//! - [`TrustedTree`] reads tiles of a checkpoint. A tile is held against its parent, up to the signed root, before a
//!   single hash of it is used; there is no way to read one that is not.
//! - [`proof`] makes and checks inclusion and consistency; [`Evidence`] is a proof as a file.
//! - [`Note`], [`Checkpoint`] and [`key`] are the signed texts; [`witness`] is a witness' side and its client's.
//! - [`verify`] holds a whole log, or a span of it, against checkpoints and names the first thing that is wrong.

mod bundle;
mod checkpoint;
mod evidence;
mod hash;
pub mod key;
mod lines;
mod note;
pub mod proof;
mod tile;
mod tree;
mod trusted;
pub mod verify;
mod window;
pub mod witness;
mod writer;

pub use bundle::{BundleError, Entries, MAX_ENTRY, write_bundle};
pub use checkpoint::{Checkpoint, CheckpointError, Cosigned, Opened, open};
pub use evidence::{Evidence, EvidenceError};
pub use hash::{Hash, commitment, empty_root, leaf_hash, node_hash};
pub use note::{MAX_NOTE, MAX_SIGNATURES, Note, NoteError, SignatureLine, Verified};
pub use tile::{BundleId, TILE_WIDTH, TileError, TileId, changed_bundles, changed_tiles};
pub use tree::{MAX_SIZE, Tree, TreeError};
pub use trusted::{ReadError, TileSource, TrustedTree};
pub use window::{Outside, Window};
pub use writer::{Grown, Writer};
