//! Frames in, verdicts and plaintext out; each verdict by name.

use super::*;
use frames::{clear, ell, mode5, mode7, mode10, stripped};
use wire::vault::Security;

fn with_keys() -> House {
    let house = House::new();
    let keys =
        [("KAM", "12345678", "DEK", key(frames::KAM_KEY)), ("ELS", "87654321", "DEK", key(frames::ELS_KEY))];
    assert_eq!(house.import(&keys), ["imported", "imported"]);
    house
}

#[test]
fn good_telegrams_come_back_in_clear_and_with_what_protects_them() {
    let house = with_keys();
    let frames = [ell(1_000_000, 0, 7), mode5(1, 8, &[]), clear(1, 9)];
    let (verdicts, answer) = house.decrypt(at(1), &frames);
    assert_eq!(verdicts, [Verdict::Fresh, Verdict::HintOnly, Verdict::Clear]);
    assert_eq!(answer.frames.len(), frames.iter().map(Vec::len).sum::<usize>());
    for litres in [7u32, 8, 9] {
        let record = [&[0x04, 0x13][..], &litres.to_le_bytes()].concat();
        assert!(answer.frames.windows(6).any(|w| w == record), "{litres} l");
    }
    let counter = Some(1_000_000 << 4);
    assert_eq!(answer.security[0], Security { mode: 256, check: 1, counter, from: 17, to: 26 });
    assert_eq!(answer.security[1], Security { mode: 5, check: 1, counter: None, from: 15, to: 31 });
    assert_eq!(answer.security[2], Security { mode: 0, check: 0, counter: None, from: 15, to: 15 });
    let (verdicts, answer) = house.decrypt(at(2), &[mode7(5, 10)]);
    assert_eq!(verdicts, [Verdict::Fresh], "a better mode than before");
    assert_eq!(answer.security[0], Security { mode: 7, check: 2, counter: Some(5), from: 36, to: 52 });
}

#[test]
fn refused_telegrams_have_a_name_and_no_plaintext() {
    let mut house = with_keys();
    let changed = |mut frame: Vec<u8>, at: usize| {
        frame[at] ^= 1;
        frame
    };
    let mode9 = {
        let mut f = mode5(1, 1, &[]);
        f[14] = 0x09;
        f
    };
    let cases = [
        (Verdict::Fresh, mode7(5, 1)),
        (Verdict::MacMismatch, changed(mode7(6, 1), 40)),
        (Verdict::Downgrade, mode5(1, 1, &[])),
        (Verdict::ClearRefused, stripped(1)),
        (Verdict::UnsupportedMode, mode9),
        (Verdict::Duplicate, mode7(5, 1)),
        (Verdict::Conflict, mode7(5, 2)),
        (Verdict::Fresh, ell(1000, 0, 1)),
        (Verdict::WrongKey, changed(ell(1000, 1, 1), 20)),
        (Verdict::Leap, ell(9000, 0, 1)),
        (Verdict::Damaged, ell(1000, 2, 1)[..12].to_vec()),
        (Verdict::Damaged, vec![]),
        (Verdict::NoKey, changed(ell(1000, 3, 1), 4)),
        (Verdict::Fresh, ell(1000, 2, 1)),
    ];
    let frames: Vec<_> = cases.iter().map(|(_, f)| f.clone()).collect();
    let (verdicts, answer) = house.decrypt(at(1), &frames);
    assert_eq!(verdicts, cases.iter().map(|(v, _)| *v).collect::<Vec<_>>());
    assert_eq!(answer.security.len(), 3);
    for verdict in ["leap", "conflict", "mac-mismatch", "no-key"] {
        assert_eq!(house.counters.get(&format!("verdict.{verdict}")), 1);
    }
    // a second presentation, also to a vault that was killed after the commit, says the same
    assert_eq!(house.decrypt(at(1), &frames).0, verdicts);
    assert_eq!(house.commit(&[at(1)]), []);
    house.restart();
    let (again, plain) = house.decrypt(at(1), &frames);
    assert_eq!(again, verdicts);
    assert_eq!(plain.frames, answer.frames);
}

#[test]
fn the_counter_of_mode_10_is_judged_as_that_of_mode_7_is() {
    let mut house = with_keys();
    let mut changed = mode10(6, 1);
    changed[30] ^= 1;
    let cases = [
        (Verdict::Fresh, mode10(5, 1)),
        (Verdict::MacMismatch, changed),
        (Verdict::Duplicate, mode10(5, 1)),
        (Verdict::Conflict, mode10(5, 2)),
        (Verdict::Downgrade, mode5(1, 1, &[])),
        (Verdict::Fresh, mode10(6, 3)),
    ];
    let frames: Vec<_> = cases.iter().map(|(_, f)| f.clone()).collect();
    let (verdicts, answer) = house.decrypt(at(1), &frames);
    assert_eq!(verdicts, cases.iter().map(|(v, _)| *v).collect::<Vec<_>>());
    assert_eq!(answer.security[0], Security { mode: 10, check: 2, counter: Some(5), from: 24, to: 40 });
    assert_eq!(house.commit(&[at(1)]), []);
    house.restart();
    let heard = [(mode10(9, 4), NOW), (mode10(9, 4), NOW.plus(60_000))];
    assert_eq!(house.decrypt_heard(at(2), &heard).0, [Verdict::Fresh, Verdict::Duplicate]);
}

#[test]
fn late_rollback_and_too_old_go_by_the_time_of_hearing() {
    let house = with_keys();
    let minute = |n: i64| NOW.plus(-30 * 60_000 + n * 60_000);
    let first = [(ell(1000, 0, 1), minute(0)), (ell(1020, 0, 2), minute(20))];
    assert_eq!(house.decrypt_heard(at(1), &first).0, [Verdict::Fresh; 2]);
    let later = [
        (ell(1010, 0, 3), minute(25)),
        (ell(1010, 0, 3), minute(10)),
        (ell(1010, 0, 3), minute(10)),
        (ell(900, 0, 4), minute(0)),
        (ell(500, 0, 5), NOW.plus(-15 * 24 * HOUR)),
    ];
    let verdicts = house.decrypt_heard(at(2), &later).0;
    assert_eq!(
        verdicts,
        [Verdict::Rollback, Verdict::Late, Verdict::Duplicate, Verdict::Duplicate, Verdict::TooOld],
        "a counter below the first one heard was sent before the vault knew the meter"
    );
}

#[test]
fn a_clear_tail_that_was_never_there_is_a_downgrade() {
    let house = with_keys();
    assert_eq!(
        house.decrypt(at(1), &[mode5(1, 1, &[]), mode5(2, 2, &[0x0c, 0x14])]).0,
        [Verdict::HintOnly, Verdict::Downgrade]
    );
}

#[test]
fn a_repeaters_copy_is_a_duplicate_although_its_header_bits_differ() {
    let house = with_keys();
    let direct = ell(1000, 0, 1);
    let mut repeated = direct.clone();
    repeated[11] ^= 0x10; // hop bit of the communication control field
    assert_eq!(house.decrypt(at(1), &[direct, repeated]).0, [Verdict::Fresh, Verdict::Duplicate]);
}

#[test]
fn a_commit_names_the_run_that_judged() {
    let mut house = with_keys();
    house.decrypt(at(1), &[ell(1000, 0, 1)]);
    let old_boot = house.vault().positions().boot;
    house.restart();
    let message = |boot| Committed { boot, positions: vec![wire_position(&at(1))] };
    let answer = house.vault().committed(&message(old_boot), NOW).unwrap();
    assert_ne!(answer.boot, old_boot);
    assert_eq!(answer.unknown, message(0).positions);
    // judged again, but the commit of the earlier run does not count for it
    assert_eq!(house.decrypt(at(1), &[ell(1000, 0, 1)]).0, [Verdict::Fresh]);
    assert_eq!(house.vault().committed(&message(old_boot), NOW).unwrap().unknown.len(), 1);
    assert_eq!(house.vault().committed(&message(answer.boot), NOW).unwrap().unknown, []);
    assert_eq!(house.vault().committed(&message(old_boot), NOW).unwrap().unknown, [], "it is final now");
    let positions = house.vault().positions();
    assert_eq!((positions.all_up_to, positions.single), (message(0).positions, vec![]));
}

#[test]
fn messages_that_do_not_hold_together_are_refused() {
    let house = with_keys();
    let good = question(at(1), &[(ell(1, 0, 1), NOW)]);
    let refused = |change: fn(&mut DecryptFrames)| {
        let mut question = good.clone();
        change(&mut question);
        code(house.vault().decrypt_frames(&question, NOW))
    };
    assert_eq!(refused(|q| q.lengths[0] += 1), "malformed");
    assert_eq!(refused(|q| q.lengths[0] -= 1), "malformed");
    assert_eq!(refused(|q| q.lengths[0] = u32::MAX), "malformed");
    assert_eq!(refused(|q| q.heard_ms.clear()), "malformed");
    assert_eq!(refused(|q| q.meters.clear()), "malformed");
    assert_eq!(refused(|q| q.lengths = vec![0; 5000]), "malformed");
    assert_eq!(house.counters.get("meter-id-differs"), 0);
    house.vault().decrypt_frames(&DecryptFrames { meters: vec![9], ..good.clone() }, NOW).unwrap();
    assert_eq!(house.counters.get("meter-id-differs"), 1);
    let empty = question(at(2), &[]);
    assert_eq!(house.vault().decrypt_frames(&empty, NOW).unwrap().verdicts.len(), 0);
    assert_eq!(house.commit(&[at(2)]), [], "a batch without known meters is committed too");
}

#[test]
fn absurd_times_are_no_reason_to_fall_over() {
    let house = with_keys();
    for (n, time) in [i64::MIN, -1, 0, i64::MAX].into_iter().enumerate() {
        let frames = [(ell(1000, n as u32, 1), UtcMillis(time))];
        house.vault().decrypt_frames(&question(at(1), &frames), NOW).unwrap();
    }
}
