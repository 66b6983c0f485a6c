//! Each verdict by name, and that no counter is accepted twice.

use std::collections::HashSet;

use proptest::prelude::*;
use seal::meter::Mode;
use wire::vault::Verdict;

use super::meter::{MAX_GAPS, Meter, Order, Sighting, WINDOW};
use super::pin::Pin;
use super::seconds::Secs;

const T0: u32 = 1_795_000_000;
const NOW: Secs = Secs(T0 + 3600);

fn counter(counter: u32, at: u32) -> Sighting {
    let pin = Some(Pin { mode: Mode::Mode7, clear_tail: false });
    Sighting {
        order: Order::Counter(counter),
        hash: u64::from(counter),
        at: Secs(T0 + at),
        reliable: true,
        pin,
    }
}

fn session(minute: u32, within: u32, at: u32) -> Sighting {
    let pin = Some(Pin { mode: Mode::EllCtr, clear_tail: false });
    let order = Order::Session(minute << 4 | within);
    Sighting { order, hash: u64::from(minute << 4 | within), pin, ..counter(0, at) }
}

fn present(meter: &mut Meter, sighting: Sighting) -> Verdict {
    let verdict = meter.judge(&sighting, NOW);
    if verdict.has_plaintext() {
        meter.accept(&sighting, MAX_GAPS);
    }
    verdict
}

#[test]
fn fresh_then_duplicate_then_conflict() {
    let mut m = Meter::default();
    assert_eq!(present(&mut m, counter(7, 0)), Verdict::Fresh);
    assert_eq!(present(&mut m, counter(7, 1)), Verdict::Duplicate);
    assert_eq!(present(&mut m, Sighting { hash: 99, ..counter(7, 1) }), Verdict::Conflict);
    assert_eq!(present(&mut m, counter(8, 16)), Verdict::Fresh);
    assert_eq!(present(&mut m, counter(4_000_000_000, 32)), Verdict::Fresh, "a MAC vouches for any step");
}

#[test]
fn late_is_taken_once_when_its_time_fits_and_is_a_rollback_when_it_does_not() {
    let mut m = Meter::default();
    [counter(10, 0), counter(20, 600)]
        .into_iter()
        .for_each(|s| assert_eq!(present(&mut m, s), Verdict::Fresh));
    assert_eq!(present(&mut m, counter(15, 900)), Verdict::Rollback, "heard after a newer one");
    assert_eq!(present(&mut m, counter(15, 300)), Verdict::Late);
    assert_eq!(present(&mut m, counter(15, 300)), Verdict::Duplicate);
    assert_eq!(present(&mut m, counter(12, 500)), Verdict::Rollback, "after 15, which was heard at 300");
    assert_eq!(present(&mut m, counter(12, 310)), Verdict::Late, "two clocks may differ a little");
    let unsure = Sighting { reliable: false, ..counter(18, 1000) };
    assert_eq!(present(&mut m, unsure), Verdict::Late, "an unreliable time has to fit only roughly");
}

#[test]
fn a_replay_of_what_was_heard_is_refused_also_when_its_bytes_are_forgotten() {
    let mut m = Meter::default();
    for n in 0..40 {
        assert_eq!(present(&mut m, counter(n, n * 16)), Verdict::Fresh);
    }
    assert_eq!(present(&mut m, counter(3, 3 * 16)), Verdict::Duplicate, "another receiver's copy");
    assert_eq!(present(&mut m, counter(3, 39 * 16 + 300)), Verdict::Rollback, "a replay");
}

#[test]
fn a_session_number_leaps_no_further_than_time_allows() {
    let mut m = Meter::default();
    assert_eq!(present(&mut m, session(1_000, 0, 0)), Verdict::Fresh);
    assert_eq!(present(&mut m, session(1_100, 0, 16)), Verdict::Leap, "100 minutes in 16 seconds");
    assert_eq!(present(&mut m, session(1_001, 3, 16)), Verdict::Fresh, "and nothing was moved");
    assert_eq!(present(&mut m, session(1_050, 0, 50 * 60)), Verdict::Fresh);
    let weak = |c, at| Sighting { order: Order::WeakCounter(c), ..counter(c, at) };
    let mut m = Meter::default();
    assert_eq!(present(&mut m, weak(5, 0)), Verdict::Fresh);
    assert_eq!(present(&mut m, weak(500, 10)), Verdict::Leap);
    assert_eq!(present(&mut m, weak(6, 10)), Verdict::Fresh);
}

#[test]
fn older_than_the_window_is_too_old() {
    let mut m = Meter::default();
    let old = Sighting { at: Secs(NOW.0 - WINDOW - 1), ..counter(1, 0) };
    assert_eq!(present(&mut m, old), Verdict::TooOld);
    assert_eq!(m.top, None);
    // what a hole held is given up when the hole is older than the window
    let at = |c, t: u32| Sighting { at: Secs(NOW.0 - t), ..counter(c, 0) };
    m.accept(&at(1, WINDOW + 3000), MAX_GAPS);
    m.accept(&at(50, WINDOW + 1000), MAX_GAPS);
    m.accept(&at(60, 10), MAX_GAPS);
    assert_eq!(m.judge(&at(20, WINDOW), NOW), Verdict::TooOld);
    assert_eq!(m.judge(&at(55, 1000), NOW), Verdict::Late);
}

#[test]
fn a_lower_mode_or_a_new_clear_tail_is_a_downgrade() {
    let mut m = Meter::default();
    assert_eq!(present(&mut m, counter(1, 0)), Verdict::Fresh);
    let hint = |mode, clear_tail| Sighting {
        order: Order::Hint(1),
        pin: Some(Pin { mode, clear_tail }),
        ..counter(9, 10)
    };
    assert_eq!(present(&mut m, hint(Mode::Mode5, false)), Verdict::Downgrade);
    let mut m = Meter::default();
    assert_eq!(present(&mut m, hint(Mode::Mode5, false)), Verdict::HintOnly);
    let next = Sighting { hash: 5, order: Order::Hint(2), at: Secs(T0 + 20), ..hint(Mode::Mode5, true) };
    assert_eq!(present(&mut m, next), Verdict::Downgrade);
    assert_eq!(present(&mut m, Sighting { pin: hint(Mode::Mode5, false).pin, ..next }), Verdict::HintOnly);
}

#[test]
fn a_better_mode_begins_a_new_count_and_the_old_one_is_over() {
    let mut m = Meter::default();
    let hint = Sighting {
        order: Order::Hint(1),
        pin: Some(Pin { mode: Mode::Mode5, clear_tail: false }),
        ..counter(9, 10)
    };
    assert_eq!(present(&mut m, hint), Verdict::HintOnly);
    assert_eq!(present(&mut m, counter(3, 60)), Verdict::Fresh);
    assert_eq!(present(&mut m, counter(3, 60)), Verdict::Duplicate);
    assert_eq!(present(&mut m, Sighting { hash: 4, ..hint }), Verdict::Downgrade);
    let mut m = Meter::default();
    assert_eq!(present(&mut m, session(1_000_000, 0, 0)), Verdict::Fresh);
    assert_eq!(present(&mut m, counter(3, 60)), Verdict::Fresh);
    assert_eq!(present(&mut m, session(1_000_001, 0, 60)), Verdict::Downgrade);
}

#[test]
fn a_key_is_proven_by_one_mac_or_two_weak_checks() {
    let mut m = Meter::default();
    m.accept(&session(1, 0, 0), MAX_GAPS);
    assert!(!m.is_proven());
    m.accept(&session(1, 1, 16), MAX_GAPS);
    assert!(m.is_proven());
    let mut m = Meter::default();
    m.accept(&counter(1, 0), MAX_GAPS);
    assert!(m.is_proven());
}

#[test]
fn a_receiver_three_days_late_brings_what_the_others_missed_and_nothing_twice() {
    let mut m = Meter::default();
    // every 16 s; the session counts within the minute
    let telegram = |n: u32| {
        let at = n * 16;
        Sighting { at: Secs(T0 - 300_000 + at), ..session(at / 60, (at % 60) / 16, 0) }
    };
    let missed = |n: u32| n % 400 == 7 || (9000..9050).contains(&n);
    let mut accepted = HashSet::new();
    let mut present = |m: &mut Meter, n: u32, s: Sighting| {
        let verdict = m.judge(&s, NOW);
        if verdict.has_plaintext() {
            m.accept(&s, MAX_GAPS);
            assert!(accepted.insert(n), "{n} accepted twice");
        }
        verdict
    };
    for n in (0..16_200).filter(|n| !missed(*n)) {
        assert_eq!(present(&mut m, n, telegram(n)), Verdict::Fresh, "{n}");
    }
    assert!(m.gaps.len() < 45, "the jumps at the minute are no holes: {}", m.gaps.len());
    for n in 0..16_200 {
        let verdict = present(&mut m, n, telegram(n));
        assert_eq!(verdict, if missed(n) { Verdict::Late } else { Verdict::Duplicate }, "{n}");
    }
}

proptest! {
    /// Whatever the order, the times and the number of copies: one counter is accepted once.
    #[test]
    fn no_counter_is_accepted_twice(
        telegrams in proptest::collection::vec((0u32..60, 0u32..3000, any::<bool>(), 0u8..3), 1..300),
        max_gaps in 1usize..10,
    ) {
        let mut m = Meter::default();
        let mut accepted = HashSet::new();
        for (c, at, reliable, kind) in telegrams {
            let order = match kind { 0 => Order::Counter(c), 1 => Order::Session(c), _ => Order::WeakCounter(c) };
            let s = Sighting { order, reliable, ..counter(c, at) };
            if m.judge(&s, NOW).has_plaintext() {
                m.accept(&s, max_gaps);
                prop_assert!(accepted.insert(c), "{} twice", c);
            }
        }
    }

    /// Accepting in another order than judged, as after a crash, reopens nothing that was accepted.
    #[test]
    fn what_is_accepted_stays_accepted_in_any_order(
        mut telegrams in proptest::collection::vec((0u32..60, 0u32..3000), 1..60),
    ) {
        telegrams.sort_by_key(|(c, at)| (*at, *c));
        let mut m = Meter::default();
        telegrams.iter().for_each(|(c, at)| m.accept(&counter(*c, *at), MAX_GAPS));
        for (c, _) in &telegrams {
            for at in (0..3000).step_by(100) {
                prop_assert!(!m.judge(&counter(*c, at), NOW).has_plaintext(), "{} again", c);
            }
        }
    }
}
