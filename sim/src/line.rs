//! Telegrams as text, the way receivers print them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::mischief::Sort;
use crate::town::Transmission;

/// What a line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// As the software radio rtl_wmbus prints: `C1;1;1;2026-11-23 16:00:00.000;-62;-61;12345678;0x2544...`.
    #[default]
    RtlWmbus,
    /// Bare hexadecimal digits.
    Hex,
}

/// Writes telegrams as lines.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    form: Form,
    second: Option<(i64, String)>,
}

impl Writer {
    pub(crate) const fn new(form: Form) -> Self {
        Self { form, second: None }
    }

    /// Appends a line. Bare hexadecimal digits have no way to say that a CRC failed: such a telegram is left out
    /// there, as the receiver would, and the answer is false.
    pub(crate) fn write(&mut self, t: &Transmission, out: &mut Vec<u8>) -> bool {
        if t.sort == Sort::Garbage {
            out.extend_from_slice(&t.frame);
            out.push(b'\n');
            return true;
        }
        match self.form {
            Form::Hex if t.sort == Sort::CrcFailed => return false,
            Form::Hex => {}
            Form::RtlWmbus => self.prefix(t, out),
        }
        let kept = if t.sort == Sort::Truncated { t.frame.len() / 2 } else { t.frame.len() };
        hex(t.frame.iter().take(kept), out);
        out.push(b'\n');
        true
    }

    fn prefix(&mut self, t: &Transmission, out: &mut Vec<u8>) {
        let second = t.at.0.div_euclid(1000);
        if self.second.as_ref().is_none_or(|(known, _)| *known != second) {
            self.second = Some((second, date(second)));
        }
        // models with an extended link layer send in mode C, the others in mode T
        let ell = t.frame.get(10) == Some(&0x8d);
        out.extend_from_slice(if ell { b"C1;" } else { b"T1;" });
        out.extend_from_slice(if t.sort == Sort::CrcFailed { b"0;1;" } else { b"1;1;" });
        if let Some((_, text)) = &self.second {
            out.extend_from_slice(text.as_bytes());
        }
        let ms = t.at.0.rem_euclid(1000);
        out.push(b'.');
        out.extend([ms / 100, ms / 10 % 10, ms % 10].map(|d| b'0' + (d as u8)));
        // a signal strength that is the meter's own: further serials are further away
        let strength = t.frame.get(4).map_or(0, |b| b & 0x1f) + 55;
        let digits = [b'0' + strength / 10, b'0' + strength % 10];
        out.extend_from_slice(b";-");
        out.extend(digits);
        out.extend_from_slice(b";-");
        out.extend(digits);
        out.push(b';');
        hex(t.frame.iter().skip(4).take(4).rev(), out);
        out.extend_from_slice(b";0x");
    }
}

/// UTC; receivers print local time, and nobody may rely on either.
fn date(second: i64) -> String {
    let t = Timestamp::from_second(second.clamp(0, 4_102_444_800)).unwrap_or(Timestamp::UNIX_EPOCH);
    let t = t.to_zoned(TimeZone::UTC).datetime();
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        t.year(),
        t.month(),
        t.day(),
        t.hour(),
        t.minute(),
        t.second()
    )
}

fn hex<'a>(bytes: impl Iterator<Item = &'a u8>, out: &mut Vec<u8>) {
    const fn digit(n: u8) -> u8 {
        if n < 10 { b'0' + n } else { b'a' + n - 10 }
    }
    out.extend(bytes.flat_map(|b| [digit(b >> 4), digit(b & 15)]));
}

#[cfg(test)]
mod tests {
    use base::UtcMillis;

    use super::*;

    #[test]
    fn lines_look_like_those_of_the_receiver() {
        let frame = vec![0x0b, 0x44, 0x2d, 0x2c, 0x78, 0x56, 0x34, 0x12, 0x1b, 0x16, 0x8d, 0x20];
        let at: UtcMillis = "2026-11-23T16:00:07.042Z".parse().unwrap();
        let mut t = Transmission { at, sort: Sort::Good, meter: None, frame };
        let mut out = Vec::new();
        assert!(Writer::new(Form::RtlWmbus).write(&t, &mut out));
        let line = String::from_utf8(out).unwrap();
        assert_eq!(line, "C1;1;1;2026-11-23 16:00:07.042;-79;-79;12345678;0x0b442d2c785634121b168d20\n");
        t.sort = Sort::CrcFailed;
        assert!(!Writer::new(Form::Hex).write(&t, &mut Vec::new()));
        let mut out = Vec::new();
        Writer::new(Form::RtlWmbus).write(&t, &mut out);
        assert!(out.starts_with(b"C1;0;1;"));
    }
}
