//! Targets on what electricity meters push: the stream, the unit, the list.

use base::{Secret, UtcMillis};
use seal::meter::dlms::{Header, Keys, open};
use sim::electricity::{Cover, ElectricityMeter, hdlc};
use telegram::MAX_RECORDS;
use telegram::dlms::hdlc::{Hdlc, MAX_PENDING, write};
use telegram::dlms::{Apdu, Assembler, KeyKind, MAX_UNIT, decode_push, mbus};

const KEY: [u8; 16] = [0x5a; 16];

/// A stream of the port. How it was cut must make no difference to the frames, what passes as one has to be one, and
/// what is joined of them is bounded.
pub(crate) fn stream(data: &[u8]) {
    assert_eq!(units([data]), units(data.chunks(7)), "another cut of the stream gives other units");
    let mut assembler = Assembler::new();
    let mut rest = data;
    while let Some((frame, after)) = mbus::split_frame(rest) {
        if let Ok(segment) = mbus::Segment::read(frame)
            && let Ok(Some(unit)) = assembler.mbus(&segment)
        {
            assert!(unit.len() <= MAX_UNIT);
        }
        rest = after;
    }
}

fn units<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let (mut stream, mut assembler) = (Hdlc::new(), Assembler::new());
    let mut units = Vec::new();
    for chunk in chunks {
        stream.feed(chunk);
        while let Some(next) = stream.next_frame() {
            let Ok(frame) = next else { continue };
            let again =
                write(frame.destination, frame.source, frame.control, frame.segmented, frame.information);
            // the two top bits of the format that are not written back are its type
            assert_eq!(again.as_deref().map(<[u8]>::len), Some(frame.raw.len()));
            if let Ok(Some(unit)) = assembler.hdlc(&frame) {
                assert!(unit.len() <= MAX_UNIT);
                units.push(unit);
            }
        }
        assert!(stream.pending() <= MAX_PENDING);
    }
    units
}

/// A unit: both readers of its head agree, and opening keeps to it.
pub(crate) fn unit(data: &[u8]) {
    if let (Ok(header), Ok(Apdu::Ciphered(full))) = (Header::read(data), Apdu::read(data)) {
        assert_ne!(full.kind, KeyKind::General);
        assert_eq!(
            (header.title, header.control, header.counter),
            (full.title, full.control.0, full.counter)
        );
        assert_eq!((header.payload, header.tag), (full.payload, full.tag));
    }
    if let Ok(header) = Header::read(data) {
        for authentication in [None, Some(&KEY[..])] {
            let mut unit = data.to_vec();
            let opened = open(&mut unit, &Keys { encryption: &KEY, authentication }, &header);
            assert!(opened.is_ok() || unit == data, "an error changed the unit");
        }
    }
    if let Some(title) = telegram::dlms::sender(data) {
        let _ = title.address();
        assert!(telegram::dlms::is_unit(data));
    }
}

/// A plaintext.
pub(crate) fn list(data: &[u8]) {
    let mut records = Vec::new();
    for title in
        [None, Some(base::SystemTitle(*b"KAM\x45\0\0\0\x01")), Some(base::SystemTitle(*b"KFM\x10\0\0\0\x01"))]
    {
        let read = decode_push(data, 0..data.len(), title, &mut records);
        assert!(records.len() <= MAX_RECORDS && (read.is_ok() || records.is_empty()));
        for record in &records {
            assert!(record.at + record.len <= data.len(), "a record lies outside the unit");
            let _ = record.value.to_string();
        }
    }
}

const NOW: UtcMillis = UtcMillis(1_795_449_600_000);

fn meters() -> [ElectricityMeter; 2] {
    [Cover::Authenticated, Cover::EncryptedOnly]
        .map(|cover| ElectricityMeter::with_keys(27_581_522, cover, Secret::new(KEY), Secret::new(KEY), NOW))
}

pub(crate) fn ciphered() -> Vec<Vec<u8>> {
    meters().iter_mut().filter_map(|meter| meter.unit(NOW).ok()).collect()
}

pub(crate) fn streams() -> Vec<Vec<u8>> {
    let framed = |unit: &Vec<u8>| [hdlc(unit, 2000), hdlc(unit, 50)].concat();
    let units = ciphered();
    let segments = units.iter().map(|unit| {
        let parts: Vec<&[u8]> = unit.chunks(60).collect();
        let segment = |(number, part): (u8, &&[u8])| {
            mbus::Segment { number, last: usize::from(number) + 1 == parts.len(), part }
                .write()
                .unwrap_or_default()
        };
        (0u8..).zip(&parts).flat_map(segment).collect::<Vec<u8>>()
    });
    units.iter().map(framed).chain(segments).collect()
}

/// The simulator's list, one that brings its units, one that describes itself, and a P1 telegram.
pub(crate) fn lists() -> Vec<Vec<u8>> {
    let with_units =
        b"\x0f\x40\0\0\0\0\x01\x02\x02\x03\x09\x06\x01\0\x01\x07\0\xff\x06\0\0\x05\x52\x02\x02\x0f\0\x16\x1b\
        \x02\x03\x09\x06\x01\0\x1f\x07\0\xff\x10\0\x23\x02\x02\x0f\xff\x16\x21";
    let described =
        b"\x0f\0\0\0\x01\0\x02\x02\x01\x02\x02\x04\x12\0\x28\x09\x06\0\x08\x19\x09\0\xff\x0f\x02\x12\0\0\
        \x02\x04\x12\0\x03\x09\x06\x01\x01\x01\x08\0\xff\x0f\x02\x12\0\0\x06\0\x0d\x88\xc1";
    let p1 = b"/SAG5X\r\n\r\n0-0:1.0.0(261124163005W)\r\n1-0:1.8.0(000123.456*kWh)\r\n0-2:24.2.1(261124160000W)(01543.012*m3)\r\n!";
    let mut all: Vec<Vec<u8>> = meters().iter().map(|meter| meter.notification(NOW)).collect();
    all.extend([with_units.to_vec(), described.to_vec(), p1.to_vec()]);
    all
}
