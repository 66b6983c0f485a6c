//! DLMS/COSEM as electricity meters push it (IEC 62056): bytes of a line to frames, frames to application units,
//! units to values with OBIS codes. It knows no keys.
//!
//! 1. [`hdlc::Hdlc`] finds frames in a stream; [`mbus::Segment`] reads frames of the wired M-Bus; [`bare::Units`] finds
//!    units that come without frames.
//! 2. [`Assembler`] joins segments and blocks to application units.
//! 3. [`Apdu::read`] says whose a unit is and how it is protected; decryption is another crate's work.
//! 4. [`decode_push`] reads the values of a unit in clear.

mod apdu;
mod assemble;
mod axdr;
pub mod bare;
mod carried;
mod control;
mod fcs;
mod fields;
pub mod hdlc;
mod known;
mod lists;
pub mod mbus;
mod p1;
mod push;

pub use apdu::{Apdu, ApduError, Ciphered, KeyKind, TAG_LEN, write_global};
pub use assemble::{Assembler, Lost, MAX_UNIT, write_blocks};
pub use axdr::{AxdrError, MAX_DEPTH, MAX_VALUES};
pub use carried::carried;
pub use control::SecurityControl;
pub use fcs::fcs;
pub use fields::fields;
pub use push::{Push, PushError, decode_push};

/// Who sent a unit under the meter's own key; none for anything else.
#[must_use]
pub fn sender(bytes: &[u8]) -> Option<base::SystemTitle> {
    match Apdu::read(bytes) {
        Ok(Apdu::Ciphered(unit)) if unit.kind != KeyKind::General => Some(unit.title),
        _ => None,
    }
}

/// Whether some bytes are a bare application unit that meters push, and all of it: what tells it from a wireless
/// frame, whose first byte counts the rest.
#[must_use]
pub fn is_unit(bytes: &[u8]) -> bool {
    match Apdu::read(bytes) {
        Ok(Apdu::Ciphered(_)) => true,
        Ok(Apdu::DataNotification) => push::is_notification(bytes),
        _ => false,
    }
}
