//! What rtl_wmbus prints, a software radio:
//! `MODE;CRC_OK;3OUTOF6_OK;YYYY-MM-DD HH:MM:SS.mmm;PKT_RSSI;CUR_RSSI;ID;0xHEX[;0xHEX2..]`. A line is used only when
//! both flags are 1: the program prints damaged frames too.

use crate::digits::is_prefixed;
use crate::text::Frames;
use crate::{Event, Refused};

/// Reads a line that is not bare hexadecimal.
pub(crate) fn line(text: &[u8], frames: &mut Frames, give: &mut dyn FnMut(Event<'_>)) {
    let mut fields = text.split(|b| *b == b';');
    let (Some(mode), Some(crc), Some(coding)) = (fields.next(), fields.next(), fields.next()) else {
        return give(Event::Refused(Refused::Damaged));
    };
    if !matches!(mode, b"T1" | b"C1" | b"S1") {
        return give(Event::Refused(Refused::Damaged));
    }
    if (crc, coding) != (b"1", b"1") {
        return give(Event::Refused(Refused::CrcFailed));
    }
    let rssi_dbm = fields.nth(1).and_then(strength);
    // the signal level of this moment, and the identification number
    let mut telegrams = fields.skip(2).peekable();
    if telegrams.peek().is_none() {
        return give(Event::Refused(Refused::Damaged));
    }
    for telegram in telegrams {
        // a field too many is the sign of two lines in one
        if !is_prefixed(telegram) {
            return give(Event::Refused(Refused::Damaged));
        }
        frames.hex(telegram, rssi_dbm, give);
    }
}

/// The program prints a magnitude of its own, above zero; only what is below zero can be dBm.
fn strength(field: &[u8]) -> Option<i16> {
    let value: f32 = std::str::from_utf8(field).ok()?.parse().ok()?;
    // in range, so that nothing is lost
    (-150.0..0.0).contains(&value).then_some(value as i16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_below_zero_is_a_strength_in_dbm() {
        for (text, dbm) in [
            ("-62", Some(-62)),
            ("-62.5", Some(-62)),
            ("97", None),
            ("0", None),
            ("-151", None),
            ("", None),
            ("nan", None),
        ] {
            assert_eq!(strength(text.as_bytes()), dbm, "{text}");
        }
    }
}
