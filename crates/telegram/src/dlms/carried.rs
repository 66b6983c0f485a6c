//! DLMS in a frame of the M-Bus with a transport header (CI 7C, long, and 7D, short; EN 13757-7 table 2).

use std::ops::Range;

use super::{Apdu, KeyKind};
use crate::layers::{Application, Layers, application};

/// Where a ciphered application unit lies in a stripped wireless or a wired frame whose transport layer encrypts nothing:
/// the unit protects itself and names its meter by its title, so that it is read as one from a customer port. `None` for
/// all other frames.
#[must_use]
pub fn carried(frame: &[u8]) -> Option<Range<usize>> {
    let layers = Layers::read(frame).ok()?;
    let is_dlms = layers.ci.is_some_and(|ci| application(ci) == Application::Dlms);
    if !is_dlms || layers.security().is_encrypted() || layers.afl.is_some() {
        return None;
    }
    match Apdu::read(frame.get(layers.payload.clone())?) {
        Ok(Apdu::Ciphered(unit)) if unit.kind != KeyKind::General => Some(layers.payload),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dlms::{SecurityControl, write_global};
    use proptest::prelude::*;

    fn framed(header: &str, content: &[u8]) -> Vec<u8> {
        let header = hex::decode(format!("00442d2c785634121b16{header}").replace(' ', "")).unwrap();
        let mut frame = [&header[..], content].concat();
        frame[0] = (frame.len() - 1) as u8;
        frame
    }

    #[test]
    fn a_unit_is_found_behind_each_transport_header() {
        let unit = write_global(base::SystemTitle(*b"KAM\x45\0\0\0\x01"), SecurityControl(0x30), 1, b"0123");
        let short = framed("7d 01 00 0000", &unit);
        assert_eq!(short.get(carried(&short).unwrap()), Some(unit.as_slice()));
        let long = framed("7c 78563412 2d2c 1b 16 01 00 0000", &unit);
        assert_eq!(long.get(carried(&long).unwrap()), Some(unit.as_slice()));
        let inner = [&[0x08, 0x05][..], &long[10..]].concat();
        let sum = inner.iter().fold(0u8, |all, byte| all.wrapping_add(*byte));
        let l = inner.len() as u8;
        let wired = [&[0x68, l, l, 0x68][..], &inner, &[sum, 0x16]].concat();
        assert_eq!(wired.get(carried(&wired).unwrap()), Some(unit.as_slice()));
    }

    #[test]
    fn what_is_encrypted_cut_or_something_else_holds_none() {
        let unit = write_global(base::SystemTitle(*b"KAM\x45\0\0\0\x01"), SecurityControl(0x30), 1, b"0123");
        for (header, content) in [
            ("7d 01 00 1005", &unit[..]),
            ("7a 01 00 0000", &unit[..]),
            ("7d 01 00 0000", &unit[..unit.len() - 1]),
            ("7d 01 00 0000", b"\x0f\0\0\0\x01\0"),
        ] {
            assert_eq!(carried(&framed(header, content)), None, "{header}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60), ci in 0x7cu8..0x7e) {
            let frame = framed(&format!("{ci:02x}"), &bytes);
            if let Some(unit) = carried(&frame) {
                prop_assert!(unit.end == frame.len());
            }
        }
    }
}
