//! Targets on telegrams: the link layer, the headers, the records, the layouts that are remembered.

use base::UtcMillis;
use seal::meter::{Header, open_in_place};
use sim::{Plan, Sort, Town};
use telegram::link::{FrameFormat, strip as strip_frame};
use telegram::{Formats, Layers, MAX_RECORDS, decode};

const KEY: [u8; 16] = [0x5a; 16];

/// A frame as a receiver gives it.
pub(crate) fn strip(data: &[u8]) {
    let mut buffer = Vec::new();
    for format in [None, Some(FrameFormat::A), Some(FrameFormat::B), Some(FrameFormat::Stripped)] {
        let Ok((frame, _)) = strip_frame(data, format, &mut buffer) else { continue };
        // What came out is a stripped frame, and stripping it changes nothing.
        let wired = telegram::link::is_wired(frame);
        assert!(wired || frame.len() == frame.first().map_or(0, |l| usize::from(*l) + 1));
        let again = strip_frame(frame, Some(FrameFormat::Stripped), &mut Vec::new()).map(|(f, _)| f.to_vec());
        assert_eq!(again.as_deref(), Ok(frame));
    }
}

/// A decrypted frame, read twice with one memory of layouts, so that compact frames find some.
pub(crate) fn records(data: &[u8]) {
    let mut formats = Formats::new();
    let mut records = Vec::new();
    for verified in [true, false] {
        let outcome = decode(data, 0..data.len(), &mut formats, verified, &mut records);
        assert!(records.len() <= MAX_RECORDS);
        assert!(outcome.is_ok() || records.is_empty());
        for record in &records {
            assert!(record.at + record.len <= data.len(), "a record lies outside the frame");
        }
    }
}

/// Layouts as they come back from disk.
pub(crate) fn layouts(data: &[u8]) {
    if let Ok(formats) = Formats::import(data) {
        let exported = formats.export();
        assert_eq!(Formats::import(&exported).map(|f| f.export()).ok(), Some(exported));
    }
}

/// The vault's header reader, held against the full one: whose telegram it is must not depend on who reads.
pub(crate) fn security_header(data: &[u8]) {
    let header = Header::read(data);
    if let (Ok(header), Ok(layers)) = (&header, Layers::read(data)) {
        assert_eq!((header.link, header.sender), (layers.link, layers.meter));
    }
    if let Ok(header) = &header
        && let Ok(mode) = header.mode()
        && let Ok(range) = header.encrypted(mode)
    {
        assert!(range.start <= range.end && range.end <= data.len());
    }
    let mut frame = data.to_vec();
    if let Ok(opened) = open_in_place(&mut frame, &KEY) {
        assert_eq!(frame.len(), data.len());
        assert!(opened.payload.end <= frame.len() && opened.clear_tail.end <= frame.len());
    }
}

/// Who sent a frame, by its place in the town, and the frame.
type Sent = (Option<usize>, Vec<u8>);

/// A small town's telegrams of every kind and protection, as they go through the air.
fn town() -> (Town, Vec<Sent>) {
    let mut town = Town::new(&Plan { meters: 24, ..Plan::default() }, UtcMillis(1_795_449_600_000));
    let mut frames = Vec::new();
    for _ in 0..72 {
        if let Some(sent) = town.transmit()
            && sent.sort != Sort::Garbage
        {
            frames.push((sent.meter, sent.frame));
        }
    }
    (town, frames)
}

pub(crate) fn encrypted() -> Vec<Vec<u8>> {
    town().1.into_iter().map(|(_, frame)| frame).collect()
}

pub(crate) fn plain() -> Vec<Vec<u8>> {
    let (town, frames) = town();
    let open = |(meter, frame): Sent| {
        let key = town.meters().get(meter?)?.key();
        seal::meter::open(&frame, key).ok().map(|(_, plain)| plain)
    };
    frames.into_iter().filter_map(open).collect()
}

/// Format A frames with good CRCs, and the stripped ones.
pub(crate) fn received() -> Vec<Vec<u8>> {
    let frames = encrypted();
    let framed = frames.iter().map(|frame| sim::receivers::format_a(frame));
    framed.chain(frames.iter().cloned()).collect()
}

pub(crate) fn exported_layouts() -> Vec<Vec<u8>> {
    let mut formats = Formats::new();
    let mut records = Vec::new();
    for frame in plain() {
        let _ = decode(&frame, 0..frame.len(), &mut formats, true, &mut records);
    }
    vec![formats.export(), Formats::new().export()]
}
