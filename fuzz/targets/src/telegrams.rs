//! Targets on telegrams: the link layer, the headers, the records, the layouts that are remembered.

use base::{MeterAddress, UtcMillis};
use seal::meter::{Header, open_in_place};
use sim::{Plan, Sort, Town};
use telegram::link::{FrameFormat, strip as strip_frame};
use telegram::{Formats, Fragments, Layers, MAX_MESSAGE, MAX_OPEN, MAX_PARTS, MAX_RECORDS, Taken, decode};

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

/// Pieces of a stream as frames: whatever comes, few messages wait, and what is joined has one layer.
pub(crate) fn fragments(data: &[u8]) {
    let mut table = Fragments::new();
    let mut rest = data;
    while let Some((l, _)) = rest.split_first() {
        let (frame, left) = rest.split_at_checked(usize::from(*l) + 1).unwrap_or((rest, &[]));
        match table.take(frame, 0, ()) {
            Taken::Joined(message) => {
                let frame = message.frame;
                assert!(frame.len() <= MAX_MESSAGE + 256 && message.parts.len() <= MAX_PARTS);
                assert!(Layers::read(&frame).is_err() || !telegram::is_fragment(&frame));
            }
            Taken::Dropped(_) => assert!(!table.given_up().is_empty(), "every frame is accounted for"),
            Taken::Whole => assert!(!telegram::is_fragment(frame)),
            Taken::Waiting(_) => assert!(telegram::is_fragment(frame)),
        }
        assert!(table.waiting() <= MAX_OPEN);
        rest = left;
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

/// A frame from a meter.
fn framed(meter: MeterAddress, application: &[u8]) -> Vec<u8> {
    let mut frame = [&[0, 0x44][..], meter.as_bytes(), application].concat();
    let l = u8::try_from(frame.len().saturating_sub(1)).unwrap_or(u8::MAX);
    if let Some(first) = frame.first_mut() {
        *first = l;
    }
    frame
}

/// Makers' own formats: maker, version, device type, CI, and what their readers look for.
const OWN: &[(&str, u8, u8, &[u8])] = &[
    ("TCH", 0x74, 0x62, &[0xa2, 6, 0x9f, 0x33, 0x59, 0, 0x80, 4, 0x31, 0]),
    ("TCH", 0x50, 0x72, &[0xa2, 12, 0, 0x7c, 0x31, 0x10, 0x25, 0, 0, 0x29, 0x34, 0, 0x37, 0x3a, 0]),
    ("TCH", 0x94, 0x80, &[0xa0, 15, 0x9f, 0x33, 2, 4, 0x80, 4, 0x83, 0, 0, 0xc4, 8, 0xf7, 9]),
    ("TCH", 0x76, 0xf0, &[0xa0, 1, 0x9f, 0x33]),
    ("SAP", 0xd4, 0x01, &[0xa2, 1, 0x3d, 0x40, 0x13, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    (
        "APA",
        0x05,
        0x07,
        &[0x7a, 1, 0, 0, 0, 0x0f, 1, 2, 3, 4, 5, 6, 7, 0x43, 1, 2, 0x10, 0xab, 0x44, 0, 0, 0x71, 1],
    ),
    (
        "APA",
        0x04,
        0x08,
        &[0xb6, 1, 0xff, 0xa0, 0xa1, 0, 0, 0x78, 9, 0x9c, 0x25, 1, 0, 0x1f, 0x2d, 0x64, 0x16],
    ),
    (
        "APA",
        0x14,
        0x07,
        &[0xa0, 2, 1, 0x2f, 0, 0x40, 0xa8, 0, 0x53, 0x68, 0xa2, 0x2e, 0x77, 7, 0x32, 0x1a, 0, 0, 0x80],
    ),
    ("BFW", 0x02, 0x08, &[0x7a, 1, 0, 0, 0, 0x2f, 0x2f, 1, 0x44, 1, 0, 0x14, 0x70]),
    ("IME", 0x66, 0x02, &[0x7a, 1, 0, 0, 0, 4, 0xff, 0x80, 0x84, 0x3b, 0x36, 0x2a, 0x0c, 0]),
    ("SEC", 0x13, 0x02, &[0x7a, 1, 0, 0, 0, 0x84, 0x40, 3, 0xd4, 0xd9, 0, 0]),
];

/// Telegrams in clear: the town's, makers' own formats, and each as a long frame of the wired bus.
pub(crate) fn decoded() -> Vec<Vec<u8>> {
    let own = OWN.iter().filter_map(|(maker, version, device, application)| {
        let meter = MeterAddress::from_parts(maker, "12345678", *version, *device).ok()?;
        Some(framed(meter, &[application, &[0x11; 40][..]].concat()))
    });
    let mut seeds: Vec<Vec<u8>> = plain().into_iter().chain(own).collect();
    seeds.push(wired());
    seeds
}

/// A long frame with its sum.
fn wired() -> Vec<u8> {
    let inner = b"\x08\x05\x72\x78\x56\x34\x12\x2d\x2c\x1b\x16\x05\x00\x00\x00\x04\x13\x2b\x0b\x00\x00\x1f";
    let (l, sum) = (inner.len().to_le_bytes(), inner.iter().fold(0u8, |acc, b| acc.wrapping_add(*b)));
    let [l, ..] = l;
    [&[0x68, l, l, 0x68][..], inner, &[sum, 0x16]].concat()
}

/// What comes from the bus and from the air.
pub(crate) fn heard() -> Vec<Vec<u8>> {
    received().into_iter().chain([wired()]).collect()
}

/// Encrypted telegrams, those of mode 10 and of the wired bus among them.
pub(crate) fn secured() -> Vec<Vec<u8>> {
    let mode10 = [0x7a, 1, 0, 0xff, 0x2a, 0x10, 1, 9, 0, 0, 0, 4, 0x13, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0];
    let meter = MeterAddress::from_link_order([0x2d, 0x2c, 1, 2, 3, 4, 0x1b, 0x16]);
    let mut mode10 = framed(meter, &mode10);
    let _ = seal::meter::protect(&mut mode10, &KEY);
    encrypted().into_iter().chain([mode10, wired()]).collect()
}

/// Streams of fragments of one message.
pub(crate) fn fragmented() -> Vec<Vec<u8>> {
    let meter = MeterAddress::from_link_order([0x2d, 0x2c, 1, 2, 3, 4, 0x1b, 0x16]);
    let first = [0x90, 10, 1, 0x78, 0x65, 9, 0, 0, 0, 13, 0, 0, 0x7a, 1, 0, 0, 0];
    let second = [0x90, 11, 2, 0x24, 0x25, 1, 2, 3, 4, 5, 6, 7, 8, 4, 0x13, 1, 2, 3, 4, 0x2f, 0x2f];
    vec![[framed(meter, &first), framed(meter, &second)].concat()]
}

pub(crate) fn exported_layouts() -> Vec<Vec<u8>> {
    let mut formats = Formats::new();
    let mut records = Vec::new();
    for frame in plain() {
        let _ = decode(&frame, 0..frame.len(), &mut formats, true, &mut records);
    }
    vec![formats.export(), Formats::new().export()]
}
