//! Receivers that print lines.

use crate::cul::Cul;
use crate::digits::{bare, decode, is_prefixed};
use crate::frame::{Checker, Frames as Style};
use crate::lines::{Line, Lines};
use crate::{Command, Event, Heard, Mode, Receiver, Refused, rtl_433, rtl_wmbus};

/// How lines are to be read.
#[derive(Debug)]
pub(crate) enum Dialect {
    /// Each line as what it looks like: rtl_433's, rtl_wmbus's (with semicolons), else hexadecimal.
    Auto,
    /// One frame a line, hexadecimal; `0x` before it and blanks between digits are allowed.
    Hex,
    RtlWmbus,
    Rtl433,
    Cul(Cul),
}

/// A receiver of lines. Empty lines and lines that begin with `#` are passed over. Memory: one line, one frame.
#[derive(Debug)]
pub(crate) struct Text {
    lines: Lines,
    parser: Parser,
}

#[derive(Debug)]
struct Parser {
    dialect: Dialect,
    frames: Frames,
}

/// Makes frames of digits.
#[derive(Debug)]
pub(crate) struct Frames {
    checker: Checker,
    bytes: Vec<u8>,
}

impl Frames {
    pub(crate) fn new(style: Style) -> Self {
        Self { checker: Checker::new(style), bytes: Vec::with_capacity(256) }
    }

    /// Gives the frame of these digits, or why there is none.
    pub(crate) fn hex(&mut self, text: &[u8], rssi_dbm: Option<i16>, give: &mut dyn FnMut(Event<'_>)) {
        let checked = decode(bare(text), &mut self.bytes).and_then(|()| self.checker.check(&self.bytes));
        match checked {
            Ok((frame, framing)) => give(Event::Heard(Heard { frame, framing, rssi_dbm, ticks: None })),
            Err(why) => give(Event::Refused(why)),
        }
    }
}

impl Text {
    pub(crate) fn new(dialect: Dialect, style: Style) -> Self {
        Self { lines: Lines::default(), parser: Parser { dialect, frames: Frames::new(style) } }
    }

    pub(crate) fn cul(mode: Mode) -> Self {
        Self::new(Dialect::Cul(Cul::new(mode)), Style::Auto)
    }
}

impl Receiver for Text {
    fn feed(&mut self, bytes: &[u8], give: &mut dyn FnMut(Event<'_>)) {
        let Self { lines, parser } = self;
        lines.feed(bytes, |line| parser.line(line, give));
    }

    fn end(&mut self, give: &mut dyn FnMut(Event<'_>)) {
        let Self { lines, parser } = self;
        lines.end(|line| parser.line(line, give));
    }

    fn setup(&self) -> Vec<Command> {
        if let Dialect::Cul(cul) = &self.parser.dialect { cul.setup() } else { Vec::new() }
    }

    fn sent(&mut self, step: usize) {
        if let Dialect::Cul(cul) = &mut self.parser.dialect {
            cul.sent(step);
        }
    }
}

impl Parser {
    fn line(&mut self, line: Line<'_>, give: &mut dyn FnMut(Event<'_>)) {
        let text = match line {
            Line::TooLong => return give(Event::Refused(Refused::TooLong)),
            Line::Text(text) => text.trim_ascii(),
        };
        if text.is_empty() || text.starts_with(b"#") {
            return;
        }
        let frames = &mut self.frames;
        match &mut self.dialect {
            Dialect::Cul(cul) => cul.line(text, give),
            Dialect::Rtl433 => rtl_433::line(text, frames, give),
            Dialect::Auto if rtl_433::is_about_a_meter(text) => rtl_433::line(text, frames, give),
            Dialect::Hex => frames.hex(text, None, give),
            Dialect::Auto if !text.contains(&b';') => frames.hex(text, None, give),
            Dialect::RtlWmbus if is_prefixed(text) => frames.hex(text, None, give),
            Dialect::Auto | Dialect::RtlWmbus => rtl_wmbus::line(text, frames, give),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Options};
    use proptest::prelude::*;

    /// A frame of 12 bytes, as hexadecimal.
    const GOOD: &str = "0b442d2c6928456 31b16 8d20";

    fn read(kind: Kind, text: &[u8]) -> Vec<Result<Vec<u8>, Refused>> {
        let mut reader = kind.receiver(&Options::default());
        let mut out = Vec::new();
        let mut give = |event: Event<'_>| match event {
            Event::Heard(heard) => out.push(Ok(heard.frame.to_vec())),
            Event::Refused(why) => out.push(Err(why)),
            Event::Answer { .. } => panic!("nothing was asked"),
        };
        reader.feed(text, &mut give);
        reader.end(&mut give);
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
            for kind in [Kind::Auto, Kind::Hex] {
                assert_eq!(read(kind, format!("\n# note\n{text}\n").as_bytes()), [Ok(good())], "{text}");
            }
        }
    }

    #[test]
    fn rtl_wmbus_lines_are_read_only_with_both_flags() {
        let hex = GOOD.replace(' ', "");
        let line = |flags: &str| format!("T1;{flags};2026-11-23 16:00:00.000;61;78;63452869;0x{hex}\n");
        for kind in [Kind::Auto, Kind::RtlWmbus] {
            assert_eq!(read(kind, line("1;1").as_bytes()), [Ok(good())]);
            for flags in ["0;1", "1;0", "0;0", "2;1", ";"] {
                assert_eq!(read(kind, line(flags).as_bytes()), [Err(Refused::CrcFailed)], "{flags}");
            }
            assert_eq!(read(kind, format!("0x{hex}").as_bytes()), [Ok(good())], "bare lines occur");
            let two = format!("C1;1;1;t;1;2;ID;0x{hex};0x{hex}");
            assert_eq!(read(kind, two.as_bytes()), [Ok(good()), Ok(good())]);
            for bad in ["T1;1;1;t;1;2;ID", "X9;1;1;t;1;2;ID;0x00", "T1;1", ";;;;;;;", "T1;1;1;t;1;2;ID;44"] {
                assert_eq!(read(kind, bad.as_bytes()), [Err(Refused::Damaged)], "{bad}");
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
            assert_eq!(read(Kind::Auto, text.as_bytes()), [Err(refused)], "{text}");
        }
        assert_eq!(read(Kind::Auto, &vec![b'0'; 9000]), [Err(Refused::TooLong)]);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_every_frame_is_whole(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            for kind in [Kind::Auto, Kind::Hex, Kind::RtlWmbus] {
                for frame in read(kind, &bytes).into_iter().flatten() {
                    prop_assert_eq!(frame.len(), usize::from(frame[0]) + 1);
                }
            }
        }

        #[test]
        fn a_cut_line_is_never_taken(cut in 0usize..60) {
            let hex = GOOD.replace(' ', "");
            let line = format!("T1;1;1;2026-11-23;61;78;63452869;0x{hex}");
            prop_assume!(cut < line.len());
            for read in read(Kind::Auto, &line.as_bytes()[..cut]) {
                prop_assert!(read.is_err());
            }
        }
    }
}
