//! The line formats: bare hexadecimal, and what rtl_wmbus prints.

use serde::{Deserialize, Serialize};

use crate::Refused;
use crate::frame::{Checker, Frames};
use crate::lines::{Line, Lines};

/// How a source's lines are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A line with semicolons is rtl_wmbus's, any other is hexadecimal.
    #[default]
    Auto,
    /// One frame a line, hexadecimal; `0x` before it and blanks between digits are allowed.
    Hex,
    /// `MODE;CRC_OK;3OUTOF6_OK;time;RSSI;RSSI;ID;0xHEX[;0xHEX…]`, used only when both flags are 1.
    RtlWmbus,
}

/// Bytes to frames: one for each source. Pure: it neither reads nor knows the time.
#[derive(Debug)]
pub struct Reader {
    lines: Lines,
    parser: Parser,
}

#[derive(Debug)]
struct Parser {
    format: Format,
    checker: Checker,
    bytes: Vec<u8>,
}

impl Reader {
    /// A reader of a format.
    #[must_use]
    pub fn new(format: Format, frames: Frames) -> Self {
        let parser = Parser { format, checker: Checker::new(frames), bytes: Vec::with_capacity(256) };
        Self { lines: Lines::default(), parser }
    }

    /// Takes bytes and gives each frame in them (from its L field, without checksums), or why there is none.
    /// Empty lines and lines that begin with `#` are passed over. Memory: one line, one frame.
    pub fn feed(&mut self, bytes: &[u8], mut give: impl FnMut(Result<&[u8], Refused>)) {
        let Self { lines, parser } = self;
        lines.feed(bytes, |line| parser.line(line, &mut give));
    }

    /// The source ended: what stands without a line end is a line.
    pub fn end(&mut self, mut give: impl FnMut(Result<&[u8], Refused>)) {
        let Self { lines, parser } = self;
        lines.end(|line| parser.line(line, &mut give));
    }
}

impl Parser {
    fn line(&mut self, line: Line<'_>, give: &mut impl FnMut(Result<&[u8], Refused>)) {
        let text = match line {
            Line::TooLong => return give(Err(Refused::TooLong)),
            Line::Text(text) => text.trim_ascii(),
        };
        if text.is_empty() || text.starts_with(b"#") {
            return;
        }
        match self.format {
            Format::Hex => self.hex(text, give),
            Format::Auto if !text.contains(&b';') => self.hex(text, give),
            Format::RtlWmbus if is_prefixed(text) => self.hex(text, give),
            Format::Auto | Format::RtlWmbus => self.rtl_wmbus(text, give),
        }
    }

    fn hex(&mut self, text: &[u8], give: &mut impl FnMut(Result<&[u8], Refused>)) {
        let digits = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X")).unwrap_or(text);
        match decode_hex(digits, &mut self.bytes) {
            Ok(()) => give(self.checker.check(&self.bytes)),
            Err(refused) => give(Err(refused)),
        }
    }

    fn rtl_wmbus(&mut self, text: &[u8], give: &mut impl FnMut(Result<&[u8], Refused>)) {
        let mut fields = text.split(|b| *b == b';');
        let (Some(mode), Some(crc), Some(coding)) = (fields.next(), fields.next(), fields.next()) else {
            return give(Err(Refused::Damaged));
        };
        if !matches!(mode, b"T1" | b"C1" | b"S1") {
            return give(Err(Refused::Damaged));
        }
        if (crc, coding) != (b"1", b"1") {
            return give(Err(Refused::CrcFailed));
        }
        // time, two signal levels (magnitudes of the receiver, not dBm), and the identification number
        let mut frames = fields.skip(4).peekable();
        if frames.peek().is_none() {
            return give(Err(Refused::Damaged));
        }
        for frame in frames {
            if is_prefixed(frame) {
                self.hex(frame, give);
            } else {
                give(Err(Refused::Damaged));
            }
        }
    }
}

fn is_prefixed(text: &[u8]) -> bool {
    text.starts_with(b"0x") || text.starts_with(b"0X")
}

fn decode_hex(digits: &[u8], into: &mut Vec<u8>) -> Result<(), Refused> {
    into.clear();
    into.resize(digits.len() / 2, 0);
    if !digits.is_empty() && hex::decode_to_slice(digits, into).is_ok() {
        return Ok(());
    }
    // The rare way: blanks between the digits.
    let packed: Vec<u8> = digits.iter().copied().filter(|b| !matches!(b, b' ' | b'\t')).collect();
    if packed.is_empty() || packed.len() == digits.len() {
        return Err(Refused::NotHex);
    }
    into.resize(packed.len() / 2, 0);
    hex::decode_to_slice(&packed, into).map_err(|_| Refused::NotHex)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A frame of 12 bytes, as hexadecimal.
    const GOOD: &str = "0b442d2c6928456 31b16 8d20";

    fn read(format: Format, text: &[u8]) -> Vec<Result<Vec<u8>, Refused>> {
        let mut reader = Reader::new(format, Frames::Auto);
        let mut out = Vec::new();
        reader.feed(text, |f| out.push(f.map(<[u8]>::to_vec)));
        reader.end(|f| out.push(f.map(<[u8]>::to_vec)));
        out
    }

    fn good() -> Vec<u8> {
        hex::decode(GOOD.replace(' ', "")).unwrap()
    }

    #[test]
    fn hexadecimal_lines_are_read_however_they_are_written() {
        let plain = GOOD.replace(' ', "");
        for text in [
            plain.clone(),
            plain.to_uppercase(),
            format!("0x{plain}"),
            GOOD.to_owned(),
            format!("  {plain}\r"),
        ] {
            for format in [Format::Auto, Format::Hex] {
                assert_eq!(read(format, format!("\n# note\n{text}\n").as_bytes()), [Ok(good())], "{text}");
            }
        }
    }

    #[test]
    fn rtl_wmbus_lines_are_read_only_with_both_flags() {
        let hex = GOOD.replace(' ', "");
        let line = |flags: &str| format!("T1;{flags};2026-11-23 16:00:00.000;61;78;63452869;0x{hex}\n");
        for format in [Format::Auto, Format::RtlWmbus] {
            assert_eq!(read(format, line("1;1").as_bytes()), [Ok(good())]);
            for flags in ["0;1", "1;0", "0;0", "2;1", ";"] {
                assert_eq!(read(format, line(flags).as_bytes()), [Err(Refused::CrcFailed)], "{flags}");
            }
            assert_eq!(read(format, format!("0x{hex}").as_bytes()), [Ok(good())], "bare lines occur");
            let two = format!("C1;1;1;t;1;2;ID;0x{hex};0x{hex}");
            assert_eq!(read(format, two.as_bytes()), [Ok(good()), Ok(good())]);
            for bad in ["T1;1;1;t;1;2;ID", "X9;1;1;t;1;2;ID;0x00", "T1;1", ";;;;;;;", "T1;1;1;t;1;2;ID;44"] {
                assert_eq!(read(format, bad.as_bytes()), [Err(Refused::Damaged)], "{bad}");
            }
        }
    }

    #[test]
    fn each_fault_has_its_own_name() {
        let plain = GOOD.replace(' ', "");
        for (text, refused) in [
            ("xyz", Refused::NotHex),
            ("0x", Refused::NotHex),
            (&plain[..plain.len() - 1], Refused::NotHex),
            (&plain[..plain.len() - 2], Refused::Damaged),
            ("e5", Refused::Wired),
        ] {
            assert_eq!(read(Format::Auto, text.as_bytes()), [Err(refused)], "{text}");
        }
        assert_eq!(read(Format::Auto, &vec![b'0'; 9000]), [Err(Refused::TooLong)]);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_every_frame_is_whole(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            for format in [Format::Auto, Format::Hex, Format::RtlWmbus] {
                for frame in read(format, &bytes).into_iter().flatten() {
                    prop_assert_eq!(frame.len(), usize::from(frame[0]) + 1);
                }
            }
        }

        #[test]
        fn a_cut_line_is_never_taken(cut in 0usize..60) {
            let hex = GOOD.replace(' ', "");
            let line = format!("T1;1;1;2026-11-23;61;78;63452869;0x{hex}");
            prop_assume!(cut < line.len());
            for read in read(Format::Auto, &line.as_bytes()[..cut]) {
                prop_assert!(read.is_err());
            }
        }
    }
}
