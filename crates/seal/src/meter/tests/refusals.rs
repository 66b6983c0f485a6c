//! Each refusal by name.

use super::laid_out;
use crate::meter::{Damage, Mode, OpenError, crc16, open, open_clear, protect};

const KEY: [u8; 16] = [0x11; 16];

fn refusal(frame: &[u8]) -> OpenError {
    open(frame, &KEY).unwrap_err()
}

#[test]
fn clear_text_under_an_encrypted_header_is_refused_and_a_diagnostic_finds_it() {
    let mut ell = laid_out::ell(false, 1 << 29, &[1, 2, 3]);
    let crc = crc16(&ell[19..]).to_le_bytes();
    ell[17..19].copy_from_slice(&crc);
    for (frame, mode, from) in [
        (laid_out::mode5(false, 1, 2, &[9]), Mode::Mode5, 15),
        (laid_out::mode7(false, 1, 5, 2, &[]), Mode::Mode7, 36),
        (ell, Mode::EllCtr, 19),
    ] {
        assert_eq!(refusal(&frame), OpenError::ClearUnderEncryptedHeader, "{mode}");
        let clear = open_clear(&frame).unwrap();
        assert_eq!((clear.declared, clear.payload.start, clear.clear_tail.end), (mode, from, frame.len()));
    }
}

#[test]
fn an_encrypted_payload_is_not_taken_for_clear() {
    for mut frame in [
        laid_out::mode5(false, 1, 2, &[]),
        laid_out::mode7(false, 1, 5, 2, &[]),
        laid_out::ell(false, 1 << 29, &[1, 2, 3]),
    ] {
        protect(&mut frame, &KEY).unwrap();
        assert_eq!(open_clear(&frame), Err(OpenError::WrongKey));
    }
}

#[test]
fn a_wrong_key_is_named_where_it_can_be_known() {
    for (mut frame, expected) in [
        (laid_out::mode5(true, 1, 2, &[]), OpenError::WrongKey),
        (laid_out::ell(true, 1 << 29, &[1, 2, 3]), OpenError::WrongKey),
        (laid_out::mode7(true, 1, 5, 2, &[]), OpenError::MacMismatch),
    ] {
        protect(&mut frame, &[0x22; 16]).unwrap();
        assert_eq!(refusal(&frame), expected);
    }
}

#[test]
fn what_declares_no_encryption_is_not_opened() {
    let mut mode0 = laid_out::mode5(false, 1, 1, &[]);
    mode0[14] = 0;
    assert_eq!(refusal(&mode0), OpenError::NotEncrypted);
    let mut no_blocks = laid_out::mode5(false, 1, 1, &[]);
    no_blocks[13] = 0;
    assert_eq!(refusal(&no_blocks), OpenError::NotEncrypted);
    let no_header = [9, 0x44, 0x24, 0x23, 1, 2, 3, 4, 5, 7];
    assert!(matches!(refusal(&no_header), OpenError::Damaged(Damage::Truncated(10))));
    let manufacturer = [11, 0x44, 0x24, 0x23, 1, 2, 3, 4, 5, 7, 0xa2, 0];
    assert_eq!(refusal(&manufacturer), OpenError::NotEncrypted);
}

#[test]
fn a_clear_extended_link_layer_still_needs_its_crc() {
    let mut frame = laid_out::ell(false, 5, &[1, 2, 3]);
    assert_eq!(refusal(&frame), OpenError::Damaged(Damage::Checksum));
    let crc = crc16(&frame[19..]).to_le_bytes();
    frame[17..19].copy_from_slice(&crc);
    assert_eq!(refusal(&frame), OpenError::NotEncrypted);
}

#[test]
fn counts_that_do_not_fit_are_damage() {
    let mut blocks = laid_out::mode5(false, 1, 1, &[]);
    blocks[13] = 0x20;
    assert_eq!(refusal(&blocks), OpenError::Damaged(Damage::Encrypted { declared: 32, left: 16 }));
    let mut afl = laid_out::mode7(false, 1, 5, 1, &[]);
    afl[14] += 1;
    assert_eq!(refusal(&afl), OpenError::Damaged(Damage::Authentication));
    let mut long = laid_out::mode5(false, 1, 1, &[]);
    long.push(0);
    assert!(matches!(refusal(&long), OpenError::Damaged(Damage::Length { .. })));
}

#[test]
fn other_protection_is_named() {
    let named = |number: u8| {
        let mut frame = laid_out::mode5(false, 1, 1, &[]);
        frame[14] = number;
        refusal(&frame).to_string()
    };
    for (number, name) in [
        (1, "manufacturer specific"),
        (2, "DES-CBC without vector"),
        (4, "specific usage"),
        (8, "AES-128-CTR with CMAC"),
        (9, "AES-128-GCM"),
        (13, "TLS"),
        (15, "specific usage"),
    ] {
        assert_eq!(named(number), format!("security mode {number} ({name}) is not supported"));
    }
    assert_eq!(named(3), "security mode 3 (DES-CBC) is not supported");
    assert_eq!(named(31), "security mode 31 (reserved) is not supported");
    let mut variable = laid_out::ell(false, 0, &[1]);
    variable[10] = 0x86;
    assert_eq!(
        refusal(&variable).to_string(),
        "extended link layer of variable length (CI 86) is not supported"
    );
    let reserved = laid_out::ell(false, 3 << 29, &[1, 2]);
    assert!(refusal(&reserved).to_string().contains("reserved encryption"));
}

#[test]
fn mode_7_asks_for_mac_counter_and_derivation() {
    let with = |change: fn(&mut Vec<u8>)| {
        let mut frame = laid_out::mode7(false, 1, 5, 1, &[]);
        change(&mut frame);
        refusal(&frame).to_string()
    };
    let mut gmac = laid_out::mode7(false, 1, 6, 1, &[]);
    gmac[17] = 0x28; // as long as a CMAC of type 6
    assert!(refusal(&gmac).to_string().contains("without a CMAC"));
    assert!(with(|f| f[35] = 0x00).contains("without key derivation function A"));
    assert!(with(|f| f[15] = 0x01).contains("fragments"));
    let bare = {
        let mut f = laid_out::mode7(false, 1, 5, 1, &[]);
        f.drain(10..30);
        f[0] -= 20;
        refusal(&f).to_string()
    };
    assert!(bare.contains("without a MAC"), "{bare}");
}

#[test]
fn mode_10_asks_for_counter_derivation_and_all_of_the_data() {
    let with = |change: fn(&mut Vec<u8>)| {
        let mut frame = laid_out::mode10(false, 1, 8, &[1; 20]);
        change(&mut frame);
        refusal(&frame).to_string()
    };
    assert!(with(|f| f[18] = 0x00).contains("without key derivation function A"));
    assert!(with(|f| f[17] = 0x0a).contains("without a message counter"));
    assert!(with(|f| f[16] = 0x05).contains("of a part of the data"));
    assert!(with(|f| f[16] = 0xf0).contains("damaged"));
    assert_eq!(with(|f| f[30] ^= 1), OpenError::MacMismatch.to_string());
    let mut short = laid_out::mode10(false, 1, 4, &[]);
    short.truncate(26);
    short[0] = 25;
    assert_eq!(refusal(&short), OpenError::Damaged(Damage::Encrypted { declared: 1, left: 0 }));
}

#[test]
fn an_na_1_without_its_filler_has_another_key() {
    let mut frame = laid_out::na1(3);
    assert_eq!(refusal(&frame), OpenError::ClearUnderEncryptedHeader);
    protect(&mut frame, &KEY).unwrap();
    // one key in 256 passes, so more than one is tried
    let refused = (0u8..=255).filter(|k| open(&frame, &[*k; 16]) == Err(OpenError::WrongKey)).count();
    assert!((240..256).contains(&refused), "{refused} of 256 keys refused");
    let mut other_maker = frame;
    other_maker[2] = 0x02;
    assert_eq!(refusal(&other_maker), OpenError::NotEncrypted);
}

#[test]
fn protect_refuses_what_does_not_begin_with_the_filler() {
    let mut frame = laid_out::mode5(false, 1, 1, &[]);
    frame[15] = 0;
    assert_eq!(protect(&mut frame, &KEY), Err(OpenError::Damaged(Damage::Filler)));
}
