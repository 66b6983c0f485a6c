//! The target on what a collector is fed: lines of receivers.

use receiver::{Format, Frames, Reader, Refused};

/// Lines from a receiver. How the bytes were cut on their way must make no difference, and what passes as a frame
/// has to have the length that it says.
pub(crate) fn receiver(data: &[u8]) {
    for format in [Format::Auto, Format::Hex, Format::RtlWmbus] {
        let whole = read(format, [data]);
        assert_eq!(whole, read(format, data.chunks(7)), "another cut of the stream gives other frames");
    }
}

fn read<'a>(format: Format, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Result<Vec<u8>, Refused>> {
    let mut reader = Reader::new(format, Frames::Auto);
    let mut given = Vec::new();
    let mut give = |frame: Result<&[u8], Refused>| {
        if let Ok(frame) = frame {
            assert_eq!(frame.len(), frame.first().map_or(0, |l| usize::from(*l) + 1));
        }
        given.push(frame.map(<[u8]>::to_vec));
    };
    for chunk in chunks {
        reader.feed(chunk, &mut give);
    }
    reader.end(&mut give);
    given
}

pub(crate) fn receivers_lines() -> Vec<Vec<u8>> {
    let hex = |frame: &[u8]| frame.iter().map(|b| format!("{b:02X}")).collect::<String>();
    let frames = crate::telegrams::received();
    let line = |frame: &Vec<u8>| format!("T1;1;1;2026-07-25 17:43:33.000;52;0;41000071;0x{}\n", hex(frame));
    let rtl: String = frames.iter().rev().take(3).map(line).collect();
    let bare: String =
        frames.iter().take(3).map(|frame| format!("# a frame\r\n{}\r\n", hex(frame))).collect();
    vec![rtl.into_bytes(), bare.into_bytes(), b"C1;0;1;;;;;0x00\nnonsense".to_vec()]
}
