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

    #[test]
    fn a_notification_behind_a_transport_header_is_read_in_place() {
        let content = b"\x0f\0\0\0\x01\0\x02\x02\x09\x06\x01\0\x01\x08\0\xff\x06\0\0\0\x2f";
        let read = |frame: &[u8]| {
            let mut records = Vec::new();
            crate::decode(frame, 0..frame.len(), &mut crate::Formats::new(), false, &mut records)?;
            Ok::<_, crate::DecodeError>((records[0].obis, records[0].value.clone()))
        };
        let obis = Some(base::Obis([1, 0, 1, 8, 0, 255]));
        let due = (obis, crate::Value::Number(base::Decimal::new(0x2f, -3)));
        let clear = framed("7c 78563412 2d2c 1b 16 01 00 0000", content);
        assert_eq!(read(&clear).unwrap(), due);
        assert_eq!(carried(&clear), None, "it names its meter by the frame around it");
        // as modes 5 and 7 leave it: two fillers before, and the last block filled; the last byte of the value is one, too
        let filled = [&[0x2f, 0x2f][..], content, &[0x2f; 7]].concat();
        assert_eq!(read(&framed("7d 01 00 2005", &filled)).unwrap(), due);
        let trailing = [&[0x2f, 0x2f][..], content, &[0x2e; 7]].concat();
        assert!(matches!(read(&framed("7d 01 00 2005", &trailing)), Err(crate::DecodeError::Damaged)));
        let within = framed("7d 01 00 2005", b"\x2f\x2f\xdb\x08");
        assert!(matches!(read(&within), Err(crate::DecodeError::Unsupported { ci: 0x7d, .. })));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60), ci in 0x7cu8..0x7e) {
            let frame = framed(&format!("{ci:02x}"), &bytes);
            let mut records = Vec::new();
            let _ = crate::decode(&frame, 0..frame.len(), &mut crate::Formats::new(), false, &mut records);
            if let Some(unit) = carried(&frame) {
                prop_assert!(unit.end == frame.len());
            }
        }
    }
}
