use proptest::collection::vec;
use proptest::prelude::*;

use super::laid_out;
use crate::meter::{Check, Header, Mode, OpenError, crc16, open, open_clear, open_in_place, protect};

fn any_layout() -> impl Strategy<Value = Vec<u8>> {
    let tail = || vec(any::<u8>(), 0..20);
    prop_oneof![
        (any::<bool>(), any::<u8>(), 1usize..13, tail())
            .prop_map(|(long, acc, n, tail)| laid_out::mode5(long, acc, n, &tail)),
        (any::<bool>(), any::<u32>(), 3u8..8, 1usize..11, tail())
            .prop_map(|(long, c, at, n, tail)| laid_out::mode7(long, c, at, n, &tail)),
        (any::<bool>(), 0u32..1 << 29, vec(any::<u8>(), 0..200))
            .prop_map(|(receiver, sn, records)| laid_out::ell(receiver, sn | 1 << 29, &records)),
        (any::<bool>(), any::<u32>(), 1usize..5, vec(any::<u8>(), 0..200))
            .prop_map(|(long, c, words, records)| laid_out::mode10(long, c, 4 * words, &records)),
        any::<u8>().prop_map(laid_out::na1),
    ]
}

proptest! {
    #[test]
    fn what_was_protected_opens_to_what_it_was(clear in any_layout(), key: [u8; 16]) {
        let mut frame = clear.clone();
        protect(&mut frame, &key).unwrap();
        let (opened, plain) = open(&frame, &key).unwrap();
        prop_assert_eq!(plain.len(), clear.len());
        prop_assert_eq!(&plain[opened.payload.clone()], &clear[opened.payload.clone()]);
        prop_assert_eq!(&plain[opened.clear_tail.clone()], &clear[opened.clear_tail.clone()]);
        let tag = if opened.mode == Mode::Mode10 { opened.header.tpl.as_ref().unwrap().tag_len() } else { 0 };
        prop_assert_eq!(opened.clear_tail.end, clear.len() - tag);
        let mut in_place = frame.clone();
        prop_assert_eq!(open_in_place(&mut in_place, &key).unwrap(), opened);
        prop_assert_eq!(in_place, plain);
    }

    #[test]
    fn a_failure_leaves_the_buffer_as_it_was(clear in any_layout(), key: [u8; 16], other: [u8; 16]) {
        let mut frame = clear;
        protect(&mut frame, &key).unwrap();
        let mut buffer = frame.clone();
        if open_in_place(&mut buffer, &other).is_err() {
            prop_assert_eq!(buffer, frame);
        }
    }

    #[test]
    fn no_changed_byte_passes_under_mode_7(counter: u32, n in 1usize..6, at in any::<prop::sample::Index>(), flip in 1u8..) {
        let key = [7; 16];
        let mut frame = laid_out::mode7(true, counter, 5, n, &[1, 2, 3]);
        protect(&mut frame, &key).unwrap();
        let before = open(&frame, &key).unwrap();
        let at = at.index(frame.len());
        frame[at] ^= flip;
        // link layer and extended link layer stand outside the MAC and outside the plaintext; all else counts
        if let Ok((_, after)) = open(&frame, &key) {
            prop_assert!(at < before.0.header.afl.as_ref().unwrap().control.start, "byte {} passed", at);
            let payload = before.0.payload;
            prop_assert_eq!(&after[payload.clone()], &before.1[payload]);
        }
    }

    #[test]
    fn no_changed_byte_passes_under_mode_10(counter: u32, words in 1usize..5, at in any::<prop::sample::Index>(), flip in 1u8..) {
        let key = [7; 16];
        let mut frame = laid_out::mode10(true, counter, 4 * words, &[1, 2, 3, 4, 5]);
        protect(&mut frame, &key).unwrap();
        let before = open(&frame, &key).unwrap();
        let at = at.index(frame.len());
        frame[at] ^= flip;
        // the link layer stands outside the tag; all else counts
        if let Ok((_, after)) = open(&frame, &key) {
            prop_assert!(at < before.0.header.tpdu.start, "byte {} passed", at);
            let payload = before.0.payload;
            prop_assert_eq!(&after[payload.clone()], &before.1[payload]);
        }
    }

    #[test]
    fn random_bytes_never_panic(mut bytes in vec(any::<u8>(), 0..300), key: [u8; 16]) {
        if let Some(l) = bytes.len().checked_sub(1).and_then(|l| u8::try_from(l).ok()) {
            bytes[0] = l; // else nearly all stop at the length
        }
        let _ = (Header::read(&bytes), open(&bytes, &key), open_clear(&bytes), protect(&mut bytes, &key));
    }

    #[test]
    fn random_headers_never_panic(
        layers in vec(prop_oneof![Just(0x8cu8), Just(0x8d), Just(0x8e), Just(0x8f), Just(0x81), Just(0x90), Just(0x7a),
            Just(0x72), Just(0x05), Just(0x07), Just(0x2c), Just(0x10), Just(0x0f), any::<u8>()], 0..120),
        wired: bool, key: [u8; 16],
    ) {
        let frame = if wired {
            let l = layers.len() as u8;
            let sum = layers.iter().fold(0u8, |a, b| a.wrapping_add(*b));
            [&[0x68, l, l, 0x68][..], &layers, &[sum, 0x16]].concat()
        } else {
            [&[layers.len() as u8][..], &layers].concat()
        };
        let mut copy = frame.clone();
        let read = Header::read(&frame);
        if let (Ok(h), Ok(opened)) = (&read, open_in_place(&mut copy, &key)) {
            prop_assert!(opened.payload.end <= frame.len() && opened.clear_tail.end <= frame.len());
            prop_assert_eq!(h, &opened.header);
        }
        let _ = (open_clear(&frame), protect(&mut copy, &key));
    }
}

#[test]
fn every_truncation_is_damaged_or_refused_and_never_opens() {
    let key = [3; 16];
    for mut frame in [
        laid_out::mode5(true, 9, 3, &[1, 2]),
        laid_out::mode7(false, 77, 5, 2, &[]),
        laid_out::ell(true, 1 << 29 | 99, &[5; 40]),
        laid_out::mode10(false, 77, 8, &[5; 20]),
    ] {
        protect(&mut frame, &key).unwrap();
        for len in 0..frame.len() {
            let mut cut = frame[..len].to_vec();
            assert!(matches!(open(&cut, &key), Err(OpenError::Damaged(_))), "cut to {len}, L as sent");
            if let Some(l) = cut.first_mut() {
                *l = (len - 1) as u8;
                let made_to_fit = open(&cut, &key);
                assert!(
                    len >= frame.len() - 2 || made_to_fit.is_err(),
                    "cut to {len} of {}, L made to fit: {made_to_fit:?}",
                    frame.len()
                );
            }
        }
    }
}

#[test]
fn counters_and_checks_are_told() {
    let key = [1; 16];
    let facts = |mut frame: Vec<u8>| {
        protect(&mut frame, &key).unwrap();
        let (o, _) = open(&frame, &key).unwrap();
        (o.mode, o.check, o.counter, o.access_number)
    };
    assert_eq!(facts(laid_out::mode5(false, 42, 1, &[])), (Mode::Mode5, Check::Fill2F2F, None, Some(42)));
    let mac = Check::Mac { bytes: 8 };
    assert_eq!(facts(laid_out::mode7(true, 70_000, 5, 1, &[])), (Mode::Mode7, mac, Some(70_000), Some(0x75)));
    let of_mode_10 = facts(laid_out::mode10(true, 70_001, 8, &[1, 2]));
    assert_eq!(of_mode_10, (Mode::Mode10, mac, Some(70_001), Some(0x75)));
    assert_eq!(facts(laid_out::na1(9)), (Mode::ApatorNa1, Check::Fill2F, None, Some(9)));
    let session = 1 << 29 | 1_927_618 << 4 | 3;
    assert_eq!(
        facts(laid_out::ell(false, session, &[2, 0xff, 0x20, 0, 0])),
        (Mode::EllCtr, Check::Crc16, Some(1_927_618 << 4 | 3), Some(0x50))
    );
}

#[test]
fn a_forged_crc_passes_the_extended_link_layer_which_is_why_it_authenticates_nothing() {
    let (key, session) = ([5; 16], 1 << 29 | 16);
    let mut clear = laid_out::ell(false, session, &[2, 0xff, 0x20, 0, 0, 4, 0x13, 1, 2, 3, 4]);
    let mut frame = clear.clone();
    protect(&mut frame, &key).unwrap();
    // the attacker knows the plaintext but not the key: the difference of two CRCs is linear
    let crc = |c: &[u8]| crc16(&c[17 + 2..]).to_le_bytes();
    let before = crc(&clear);
    *clear.last_mut().unwrap() ^= 0x10;
    *frame.last_mut().unwrap() ^= 0x10;
    let after = crc(&clear);
    frame[17] ^= before[0] ^ after[0];
    frame[18] ^= before[1] ^ after[1];
    let (opened, plain) = open(&frame, &key).unwrap();
    assert_eq!(plain.last(), clear.last());
    assert!(!opened.check.authenticates());
}
