//! Own-made telegrams in the formats that have no records.

use base::MeterAddress;
use proptest::prelude::*;

use super::*;
use crate::records::Record;
use crate::{DecodeError, Formats, Tail, decode};

/// A frame from a meter with an application from its CI byte on, in hexadecimal.
fn frame(meter: &str, application: &str) -> Vec<u8> {
    frame_of(&meter.parse().unwrap(), &hex::decode(application.replace(' ', "")).unwrap())
}

fn frame_of(meter: &MeterAddress, application: &[u8]) -> Vec<u8> {
    let mut frame = vec![0, 0x44];
    frame.extend(meter.as_bytes());
    frame.extend(application);
    frame[0] = u8::try_from(frame.len() - 1).unwrap();
    frame
}

fn read(frame: &[u8]) -> Result<(Vec<Record>, Option<Tail>), DecodeError> {
    let mut records = Vec::new();
    let outcome = decode(frame, 0..frame.len(), &mut Formats::new(), true, &mut records)?;
    for record in &records {
        assert!(record.at + record.len <= frame.len(), "{record:?}");
    }
    Ok((records, outcome.tail))
}

/// `quantity value unit [modifier] {flag} sN`.
fn shown(r: &Record) -> String {
    let mut parts = vec![r.quantity.name().to_owned(), r.value.to_string(), r.unit.name().to_owned()];
    parts.extend(r.modifiers.iter().map(|m| format!("[{m}]")));
    parts.extend(r.set_flags().map(|flag| format!("{{{flag}}}")));
    if r.storage != 0 {
        parts.push(format!("s{}", r.storage));
    }
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}

fn all(frame: &[u8]) -> Vec<String> {
    read(frame).unwrap().0.iter().map(shown).collect()
}

#[test]
fn techem_water_meters_stand_at_the_sum_of_both_parts() {
    // billing day 2025-12-31: 0x339f; today 2026-02-08: month 2, day 8
    let water = frame("TCH-12345678-74-62", "a2 06 9f33 5900 8004 3100 01 02");
    assert_eq!(
        all(&water),
        [
            "date 2025-12-31 s1",
            "volume 8.9 m3 s1",
            "date 2026-02-08",
            "volume 4.9 m3 [since the billing day]",
            "volume 13.8 m3"
        ]
    );
    assert_eq!(read(&water).unwrap().1.map(|tail| (tail.at, tail.len)), Some((20, 2)));
    let heat = frame("TCH-12345678-45-43", "a1 00 9f33 770100 60 780000 00");
    assert_eq!(
        all(&heat)[1..],
        ["energy 375 kWh s1", "energy 120 kWh [since the billing day]", "energy 495 kWh"]
    );
    let vario = frame("TCH-12345678-27-c3", "a2 12 9f33 3833 00a8 6226 0000");
    assert!(all(&vario).contains(&"energy 22938 MJ".to_owned()));
}

#[test]
fn techem_allocators_detectors_and_half_months() {
    let allocator = frame("TCH-12345678-69-80", "a0 11 9f33 0204 8004 8300 c408 f709 14");
    assert_eq!(
        all(&allocator),
        [
            "date 2025-12-31 s1",
            "heat-cost 1026 HCA s1",
            "date 2026-02-08",
            "heat-cost 131 HCA",
            "external-temperature 22.44 °C",
            "flow-temperature 25.51 °C"
        ]
    );
    let smoke = frame("TCH-12345678-76-f0", "a0 01 9f33 82");
    assert_eq!(all(&smoke), ["error-flags 1 {smoke}", "date 2025-12-31 s1"]);
    assert_eq!(all(&frame("TCH-12345678-76-f0", "a0 80 9f")), ["error-flags 128 {defect}"]);
    // 2024-11-28: both halves of November, then October; on the 5th only the first half has begun
    let late = frame("TCH-12345678-50-72", "a2 0c00 7c31 102500 00 2934 00 373a 00");
    assert_eq!(
        all(&late)[..5],
        [
            "date 2024-11-28",
            "volume 948.8 m3",
            "volume 9.3 m3 [change over the month]",
            "date 2024-10-31 s1",
            "volume 11.3 m3 [change over the month] s1"
        ]
    );
    let early = frame("TCH-12345678-50-72", "a2 0c00 6531 102500 00 2934 00 373a 00");
    assert_eq!(
        all(&early)[2..5],
        [
            "volume 4.1 m3 [change over the month]",
            "date 2024-10-31 s1",
            "volume 10.7 m3 [change over the month] s1"
        ]
    );
}

#[test]
fn prios_is_descrambled_with_either_published_constant_and_else_named() {
    let meter = "SAP-21242472-D4-01".parse().unwrap();
    for constant in diehl::PUBLISHED {
        let mut sent = frame_of(&meter, &[0xa2, 0x01, 0x3d, 0x40, 0x13]);
        let plain = [0x4b, 0xa0, 0x0d, 0, 0, 0x9e, 0x0d, 0, 0, 0x7e, 0x29];
        sent[0] += 11;
        sent.extend(diehl::apply_stream(&sent, constant, &plain).unwrap());
        assert_eq!(
            all(&sent),
            [
                "fabrication-number C19UA145842",
                "transmission-period 8 s",
                "battery-remaining 14.5 y",
                "error-flags 16416 {meter blocked} {underflow}",
                "volume 3.488 m3",
                "volume 3.486 m3 s1",
                "date 2019-09-30 s1"
            ]
        );
        sent[15] ^= 1;
        assert!(matches!(read(&sent), Err(DecodeError::Unsupported { ci: 0xa2, .. })));
    }
}

#[test]
fn apator_finds_its_counter_behind_fields_of_known_lengths() {
    let old = frame(
        "APA-12345678-05-07",
        "7a 01 00 0000 0f 01020304050607 43 b502 83 000a549b4159029c290f 10 ab440000 71 01 2c440000 be3e0000 ffff 7823",
    );
    assert_eq!(all(&old), ["volume 17.579 m3", "volume 17.452 m3 s1", "volume 16.062 m3 s2"]);
    // an unknown field in front: nothing is guessed
    let unknown = frame("APA-12345678-05-07", "7a 01 00 0000 0f 01020304050607 60 10 ab440000 7823");
    assert_eq!(all(&unknown), [""; 0]);
    let thirds = frame("APT-12345678-0F-0F", "a0 03000000 00");
    assert_eq!(all(&thirds), ["volume 0.001 m3"]);
    let eitn = frame("APT-12345678-04-08", "b6 02 ffff a0 a100 00 7809 9c25 0100 1f2d 6416 c819");
    assert_eq!(
        all(&eitn),
        [
            "date --05-01 s1",
            "heat-cost 2424 HCA s1",
            "event-time 2018-12-28 [fraud]",
            "heat-cost 1 HCA",
            "date 2022-08-31",
            "external-temperature 22.39062500 °C [average] s1",
            "external-temperature 25.78125000 °C [average]"
        ]
    );
    let na_1 = frame("APA-12345678-14-07", "a0 02 01 2f 0040a800 5368a22e 77 07 321a00 00 80");
    assert_eq!(
        all(&na_1),
        [
            "error-flags 1 {summer time}",
            "volume 689.152 m3",
            "datetime 2024-10-16T12:04:35",
            "actuality-duration 375 h s1",
            "datetime 2024-09-30T21:04:35 s1",
            "volume 662.325 m3 s1",
            "error-flags 0",
            "error-flags 128 {flow below minimum} s1"
        ]
    );
}

#[test]
fn bfw_keeps_two_months_in_three_bytes() {
    let months = "000000".repeat(8);
    let sent = format!("7a 80 c0 0000 2f2f 6f1f 0144 0100 1470 {months} 9b 41 ac 260221");
    let read = all(&frame("BFW-12345678-02-08", &sent));
    assert_eq!(read[..2], ["heat-cost 324 HCA s1", "heat-cost 256 HCA"]);
    assert_eq!(read[18..], ["heat-cost 1179 HCA s3", "heat-cost 428 HCA s2", "date 2021-02-26"]);
}

#[test]
fn alarm_bits_have_plain_names() {
    let flags = |meter: &str, record: &str| {
        let read = all(&frame(meter, &format!("7a 01 00 0000 {record}")));
        read.join(" ").split_once(' ').map(|(_, flags)| flags.to_owned())
    };
    for (meter, record, expected) in [
        (
            "APA-12345678-20-16",
            "03fd17 004008",
            "540672 {no consumption last month} {reverse flow this month}",
        ),
        ("EFE-12345678-00-04", "01fd17 10", "16 {flow sensor error}"),
        ("EFE-12345678-70-07", "01fd17 40", "64 {leak or no consumption}"),
        ("DWZ-12345678-02-06", "02fd17 8000", "128 {reverse flow}"),
        ("ZRI-12345678-01-16", "02fd17 a000", "160 {leak} {burst}"),
        ("GSS-12345678-01-02", "04fd17 60000201", "16908384 {low battery} {magnetic tamper}"),
        ("EIE-12345678-0C-1A", "8440ff2c 00100002", "33558528 {low battery} {covered}"),
        ("ABC-12345678-01-07", "02fd17 a000", "160"),
    ] {
        assert_eq!(flags(meter, record).as_deref(), Some(expected), "{meter}");
    }
}

#[test]
fn an_e_itn_40_tells_months_and_seasons() {
    let months: String = (1..=16).map(|n| format!("{n:02x}00")).collect();
    let sent = format!("a0 0000 a100 6001 5001 {months} 6400 c800 2c01 9001 1f2d 0300 ffff");
    let read = all(&frame("APA-12345678-0D-08", &sent));
    assert_eq!(
        read[..4],
        [
            "date --05-01 s1",
            "flow-temperature 22.0000 °C",
            "external-temperature 21.0000 °C",
            "heat-cost 1 HCA [change over the month] s4"
        ]
    );
    assert_eq!(
        read[19..],
        [
            "heat-cost 100 HCA",
            "heat-cost 200 HCA s1",
            "heat-cost 300 HCA s2",
            "heat-cost 400 HCA s3",
            "date 2022-08-31",
            "error-flags 65535 {seal broken}"
        ]
    );
}

#[test]
fn codes_of_several_bytes_and_subunits_are_told_apart() {
    let conto =
        frame("IME-12345678-66-02", "7a 01 00 0000 04ff80843b 362a0c00 04ff81843c 06000000 02ff8a48 f401");
    assert_eq!(
        all(&conto),
        ["energy 7972.38 kWh [forward]", "reactive-energy 0.06 kvarh [backward]", "frequency 50.0 Hz"]
    );
    let nominal =
        frame("SEC-12345678-15-02", "7a 01 00 0000 03ff24 320000 06ff20 76b3090c0000 05ff0b 00004842");
    assert_eq!(all(&nominal), ["frequency 50 Hz [nominal]", "operating-time 201962358 s", "frequency 50 Hz"]);
    let iem =
        frame("SEC-12345678-13-02", "7a 01 00 0000 844003 d4d90000 0483ff0d 01000000 8440 83ff0d 02000000");
    assert_eq!(
        all(&iem),
        [
            "reactive-energy 55.764 kvarh",
            "energy 0.001 kWh [partial]",
            "reactive-energy 0.002 kvarh [partial]"
        ]
    );
}

proptest! {
    #[test]
    fn no_bytes_upset_any_format(
        n in 0usize..64, version in any::<u8>(), device in any::<u8>(), known in any::<bool>(),
        ci in prop_oneof![0xa0u8..=0xb7, Just(0x7a)], data in proptest::collection::vec(any::<u8>(), 0..120),
    ) {
        let maker = &MAKERS[n % MAKERS.len()];
        let models = maker.formats.get(n % maker.formats.len().max(1)).map(|f| &f.models);
        let pick = |list: Option<&[u8]>, other: u8| {
            list.filter(|l| known && !l.is_empty()).map_or(other, |l| l[usize::from(other) % l.len()])
        };
        let (version, device) = (pick(models.map(|m| m.versions), version), pick(models.map(|m| m.devices), device));
        let [m0, m1] = code_of(*maker.letters[0]);
        let meter = MeterAddress::from_link_order([m0, m1, 1, 2, 3, 4, version, device]);
        let mut application = vec![ci];
        application.extend(data);
        let _ = read(&frame_of(&meter, &application));
    }
}
