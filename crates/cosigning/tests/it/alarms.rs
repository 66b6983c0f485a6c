//! What becomes an alarm, and what does not.

use cosigning::{Alarm, CLOCKS_APART, Clock, Cosignature, SILENT_AFTER, Standing, Unanswered};
use tlog::SignatureLine;
use tlog::key::KeyId;

const NOW: u64 = 1_900_000_000;

fn cosigned(size: u64, time: u64) -> Cosignature {
    let line = SignatureLine { name: "w".to_owned(), id: KeyId([0; 4]), signature: vec![0] };
    Cosignature { size, time, line }
}

#[test]
fn a_day_without_a_cosignature_is_silence_and_a_short_trouble_is_none() {
    let mut standing = Standing::new(NOW);
    assert!(standing.alarms(NOW + SILENT_AFTER).is_empty(), "it was asked a day ago");
    let trouble = Unanswered::Silent("refused".to_owned());
    standing.take(Err(&trouble), NOW + 10);
    assert!(standing.alarms(NOW + 20).is_empty());
    let late = NOW + SILENT_AFTER + 1;
    let silent = Alarm::Silent { seconds: SILENT_AFTER + 1, trouble: Some(trouble) };
    assert_eq!(standing.alarms(late), std::slice::from_ref(&silent));
    assert_eq!(silent.to_string(), "no cosignature for 24 h: the witness does not answer: refused");
    standing.take(Ok(&cosigned(10, late)), late);
    assert!(standing.alarms(late).is_empty(), "it is heard again");
    assert_eq!((standing.size, standing.trouble), (10, None));
}

#[test]
fn a_fork_and_a_gap_stay_whatever_comes_after() {
    for (trouble, alarm) in [
        (Unanswered::Fork { size: 10 }, Alarm::Fork { size: 10 }),
        (Unanswered::Gap { known: 30, have: 10 }, Alarm::Gap { known: 30, have: 10 }),
    ] {
        let mut standing = Standing::new(NOW);
        standing.take(Ok(&cosigned(30, NOW)), NOW);
        standing.take(Err(&trouble), NOW + 1);
        assert_eq!(standing.alarms(NOW + 2), std::slice::from_ref(&alarm));
        standing.take(Ok(&cosigned(40, NOW + 3)), NOW + 3);
        standing.take(Err(&Unanswered::Fork { size: 99 }), NOW + 4);
        assert_eq!(standing.alarms(NOW + 5), [alarm], "the first is the one that counts");
    }
}

#[test]
fn clocks_that_run_backwards_or_apart_are_named_each_by_its_owner() {
    let mut standing = Standing::new(NOW);
    standing.take(Ok(&cosigned(1, NOW + CLOCKS_APART)), NOW);
    assert!(standing.alarms(NOW).is_empty(), "ordinary clocks");
    standing.take(Ok(&cosigned(2, NOW + 200)), NOW + 10);
    let backwards = Clock::WitnessBackwards { before: NOW + CLOCKS_APART, now: NOW + 200 };
    assert_eq!(standing.alarms(NOW + 10), [Alarm::Clock(backwards)]);
    standing.take(Ok(&cosigned(3, NOW + 310)), NOW + 20);
    assert!(standing.alarms(NOW + 20).is_empty(), "it is past where it was");
    standing.take(Ok(&cosigned(4, NOW + 1000)), NOW + 30);
    let apart = Clock::Apart { witness: NOW + 1000, log: NOW + 30 };
    assert_eq!(standing.alarms(NOW + 30), [Alarm::Clock(apart)]);
    assert!(Alarm::Clock(apart).to_string().contains("970 s apart"));
    // the log's own
    let mut standing = Standing::new(NOW);
    standing.take(Ok(&cosigned(1, NOW)), NOW);
    assert!(standing.alarms(NOW - 10).is_empty());
    let backwards = Clock::LogBackwards { before: NOW, now: NOW - 7200 };
    assert_eq!(standing.alarms(NOW - 7200), [Alarm::Clock(backwards)]);
    standing.take(Ok(&cosigned(2, NOW + 1)), NOW - 7200);
    assert!(standing.alarms(NOW - 7200).contains(&Alarm::Clock(backwards)));
}
