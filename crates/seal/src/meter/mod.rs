//! The security layer of meter telegrams: EN 13757-7 modes 5, 7 and 10, EN 13757-4 extended link layer, [DLMS](dlms).
//!
//! This is all that runs beside meter keys: a small [header reader](Header::read) that finds what a cipher
//! needs, and the ciphers. It knows no data records. Frames are wireless ones without link-layer CRCs (L
//! field first), or wired ones from `68` to `16`.
//!
//! What a successful [`open()`] is worth differs: see [`Check`]. Freshness is not judged here.

mod ccm;
mod crc;
pub mod dlms;
mod header;
mod kdf;
mod layer;
mod mode;
mod open;
mod protect;
#[cfg(test)]
mod tests;

pub use crc::crc16;
pub use header::{Damage, Header, HeaderError, MAX_FRAME, MAX_MESSAGE};
pub use layer::{Afl, Ell, Session, Tpl};
pub use mode::{Check, Mode, Unsupported};
pub use open::{ClearPayload, OpenError, Opened, open, open_clear, open_in_place, open_with};
pub use protect::protect;
