//! Wireless M-Bus: frame to headers to data records. Bytes in, values out; it knows no keys and does no I/O.
//!
//! Three steps, with decryption between the second and the third, which is another crate's work:
//!
//! 1. [`link::strip`] checks the link-layer CRCs of a received frame and takes them out.
//! 2. [`layers::Layers::read`] says whose telegram it is and how it is protected.
//! 3. [`decode()`] reads the records of the decrypted frame into the caller's buffer and learns the layouts of
//!    compact frames from those that verified.
//!
//! ```
//! use telegram::{Formats, decode, link};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let raw = b"\x16\x44\x2d\x2c\x78\x56\x34\x12\x1b\x16\x7a\x05\x00\x00\x00\x04\x13\x2b\x0b\x00\x00\x2f\x2f";
//! let mut buffer = Vec::new();
//! let (frame, _) = link::strip(raw, None, &mut buffer)?;
//! let mut records = Vec::new();
//! let outcome = decode(frame, 0..frame.len(), &mut Formats::new(), false, &mut records)?;
//! assert_eq!(outcome.layers.meter.to_string(), "KAM-12345678-1B-16");
//! assert_eq!(records.len(), 1);
//! assert_eq!(records[0].value.to_string(), "2.859");
//! assert_eq!(records[0].unit.name(), "m3");
//! # Ok(())
//! # }
//! ```
//!
//! Everything is bounded: 512 records, 10 DIFEs, 10 VIFEs, 4096 layouts, 64 messages of 4096 bytes that wait for
//! further fragments. No input can make it panic.

mod compact;
mod crc;
mod decode;
mod device;
pub mod dlms;
mod formats;
mod fragments;
pub mod layers;
pub mod link;
mod makers;
mod obis;
mod records;

pub use crc::{Crc, crc16};
pub use decode::{DecodeError, Outcome, decode, more_follows};
pub use device::{device_name, standard_device};
pub use formats::{Clash, FormatKey, Formats, ImportError, Learnt, MAX_LAYOUT_LEN, MAX_LAYOUTS};
pub use fragments::{
    FragmentError, Fragments, Joined, MAX_MESSAGE, MAX_OPEN, MAX_PARTS, MAX_WAIT_MS, Part, Taken, is_fragment,
};
pub use layers::Layers;
pub use obis::{Register, obis};
pub use records::{
    Date, DateTime, Flag, Flags, Function, HeaderError, MAX_RECORDS, MAX_VIFE, Modifier, Modifiers, Record,
    Tail, TailKind, Time, Value,
};
