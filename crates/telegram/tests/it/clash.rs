//! Two layouts with one signature: the first stays, and the caller is told.

use base::MeterAddress;
use telegram::{Formats, Learnt, Record, crc16, decode};

fn frame(meter: &str, application: &[u8]) -> Vec<u8> {
    let meter: MeterAddress = meter.parse().unwrap();
    let mut frame = vec![0, 0x44];
    frame.extend(meter.as_bytes());
    frame.extend(application);
    frame[0] = u8::try_from(frame.len() - 1).unwrap();
    frame
}

/// A record header that differs by its storage number alone.
fn layout(n: u32) -> Vec<u8> {
    let nibble = |shift: u32| (n >> shift & 0x0f) as u8;
    vec![0x82, 0x80 | nibble(0), 0x80 | nibble(4), 0x80 | nibble(8), 0x80 | nibble(12), nibble(16), 0x13]
}

fn full(meter: &str, layout: &[u8]) -> Vec<u8> {
    frame(meter, &[&[0x78], layout, &[1, 0]].concat())
}

fn read(frame: &[u8], formats: &mut Formats) -> (Option<Learnt>, Vec<Record>) {
    let mut records = Vec::new();
    let outcome = decode(frame, 0..frame.len(), formats, true, &mut records);
    (outcome.ok().and_then(|outcome| outcome.learnt), records)
}

#[test]
fn a_second_layout_of_a_signature_clashes_and_the_first_one_stays() {
    let first = layout(1);
    let signature = crc16(&first);
    let second = (2..1 << 20).map(layout).find(|l| crc16(l) == signature).expect("20 bits hold a second one");
    let meter = "KAM-12345678-1B-16";
    let mut formats = Formats::new();
    let Some(Learnt::New(key)) = read(&full(meter, &first), &mut formats).0 else { panic!("new") };

    let changes = formats.changes();
    let Some(Learnt::Clash(clash)) = read(&full(meter, &second), &mut formats).0 else { panic!("a clash") };
    assert_eq!((clash.key, &clash.known[..], &clash.offered[..]), (key, &first[..], &second[..]));
    assert_eq!((formats.get(&key), formats.changes()), (Some(&first[..]), changes));

    // the same signature of another model is another key
    assert!(matches!(read(&full("KAM-12345678-1C-16", &second), &mut formats).0, Some(Learnt::New(_))));

    // The CRC of the full frame cannot be relied on to tell the two apart: a CRC is linear, and these differ
    // within one header, so both give the same. The compact frame is read as the first layout says, and that
    // is why a clash has to raise an alarm.
    let crc = |layout: &[u8]| crc16(&[layout, &[5, 0]].concat()).to_le_bytes();
    assert_eq!(crc(&first), crc(&second));
    let compact = frame(meter, &[&[0x79][..], &signature.to_le_bytes(), &crc(&second), &[5, 0]].concat());
    let storage = |records: &[Record]| records.first().map(|r| r.storage);
    let (_, expected) = read(&full(meter, &first), &mut formats);
    assert_eq!(storage(&read(&compact, &mut formats).1), storage(&expected));
}

#[test]
fn a_public_layout_serves_until_a_verified_frame_teaches_another() {
    let meter = "KAM-12345678-1B-16";
    let public = b"\x02\xff\x20\x04\x13\x44\x13";
    let signature = crc16(public);
    let data = [0x01, 0x00, 0xd2, 0x04, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00];
    let whole = [&public[..3], &data[..2], &public[3..5], &data[2..6], &public[5..], &data[6..]].concat();
    let compact =
        |crc: u16| frame(meter, &[&[0x79][..], &signature.to_le_bytes(), &crc.to_le_bytes(), &data].concat());
    let values = |formats: &mut Formats| -> Vec<String> {
        read(&compact(crc16(&whole)), formats).1.iter().map(|r| r.value.to_string()).collect()
    };
    let mut formats = Formats::new();
    assert_eq!(values(&mut formats), ["1", "1.234", "0.001"]);
    assert!(read(&compact(crc16(&whole) ^ 1), &mut formats).1.is_empty(), "the CRC of the full frame counts");
    assert!(formats.is_empty(), "nothing was learnt from a compact frame");

    // learning the same changes nothing
    let Some(Learnt::New(key)) = read(&frame(meter, &[&[0x78], &whole[..]].concat()), &mut formats).0 else {
        panic!("new")
    };
    assert_eq!(values(&mut formats), ["1", "1.234", "0.001"]);

    // another one alarms, and goes first from then on
    let mut formats = Formats::new();
    let other = (0..1 << 20).map(layout).find(|l| crc16(l) == signature).expect("20 bits hold one");
    let Some(Learnt::Clash(clash)) = read(&full(meter, &other), &mut formats).0 else { panic!("a clash") };
    assert_eq!((clash.key, &clash.known[..], &clash.offered[..]), (key, &public[..], &other[..]));
    assert!(clash.public);
    assert_eq!(formats.get(&key), Some(&other[..]));
    assert!(values(&mut formats).is_empty(), "the learnt layout does not fit this frame");
    assert_eq!(read(&full(meter, &other), &mut formats).0, Some(Learnt::Known));
    // elsewhere the public one still serves
    assert!(read(&frame("EFE-12345678-1B-16", &compact(crc16(&whole))[10..]), &mut formats).1.is_empty());
    assert_eq!(read(&frame("KAW-12345678-3A-16", &compact(crc16(&whole))[10..]), &mut formats).1.len(), 3);
}
