//! Each sort of bad telegram is bad in its own way, and good ones stay good beside it.

use std::collections::BTreeMap;

use base::UtcMillis;
use seal::meter::{Mode, OpenError};
use sim::{Kind, Plan, Rate, Sort, Town};

const NOW: UtcMillis = UtcMillis(1_795_449_600_000);

fn stirred(share: f64) -> Town {
    let rates = Sort::ALL.into_iter().skip(1).map(|sort| Rate { sort, share }).collect();
    Town::new(&Plan { meters: 64, rates, ..Plan::default() }, NOW)
}

#[test]
fn every_sort_comes_at_about_its_rate_and_good_telegrams_stay_good() {
    let mut town = stirred(0.1);
    let mut counts: BTreeMap<Sort, u32> = BTreeMap::new();
    let mut last: BTreeMap<usize, u32> = BTreeMap::new();
    let mut at = NOW;
    while counts.get(&Sort::Good).is_none_or(|n| *n < 6400) {
        let t = town.transmit().unwrap();
        assert!(t.at >= at, "time goes forward");
        at = t.at;
        *counts.entry(t.sort).or_default() += 1;
        if t.sort == Sort::Good {
            let meter = &town.meters()[t.meter.unwrap()];
            let (opened, _) = seal::meter::open(&t.frame, meter.key()).unwrap();
            if let Some(counter) = opened.counter {
                assert!(last.insert(t.meter.unwrap(), counter).is_none_or(|l| counter > l));
            }
        }
    }
    for sort in Sort::ALL {
        let n = counts.get(&sort).copied().unwrap_or_default();
        // not every meter can send every sort: leaps need an extended link layer (three models of eight)
        assert!(sort == Sort::Good || (150..900).contains(&n), "{sort}: {n}");
    }
}

#[test]
fn bad_telegrams_fail_for_the_reason_that_their_name_says() {
    let mut town = Town::new(&Plan { meters: 64, ..Plan::default() }, NOW);
    let (mut last, mut seen) = (vec![None; 64], 0);
    for _ in 0..64 * 9 {
        let t = town.transmit().unwrap();
        let meter = t.meter.unwrap();
        last[meter] = Some(t);
    }
    for (index, good) in last.into_iter().enumerate() {
        let good = good.unwrap();
        let at = good.at;
        let (key, kind): ([u8; 16], &Kind) = (*town.meters()[index].key(), town.meters()[index].kind());
        let (genuine, _) = seal::meter::open(&good.frame, &key).unwrap();
        let mut make = |sort| town.misbehave(sort, index, at);
        for sort in [Sort::WrongKey, Sort::BitFlip] {
            let bad = make(sort).unwrap();
            let refused = seal::meter::open(&bad.frame, &key).unwrap_err();
            let due = if kind.name.contains("mode7") { OpenError::MacMismatch } else { OpenError::WrongKey };
            assert_eq!(refused, due, "{sort} {}", kind.name);
        }
        let clear = make(Sort::Clear).unwrap();
        assert_eq!(seal::meter::open(&clear.frame, &key).unwrap_err(), OpenError::NotEncrypted);
        let repeat = make(Sort::Repeat).unwrap();
        assert_eq!(repeat.frame, good.frame);
        let neighbour = make(Sort::Neighbour).unwrap();
        assert!(seal::meter::open(&neighbour.frame, &key).is_err());
        for sort in [Sort::Rollback, Sort::Conflict, Sort::Leap, Sort::Downgrade] {
            let Some(bad) = make(sort) else { continue };
            seen += 1;
            let (opened, _) = seal::meter::open(&bad.frame, &key).unwrap();
            match sort {
                Sort::Rollback => assert!(opened.counter < genuine.counter),
                Sort::Conflict => {
                    assert_eq!(opened.counter, genuine.counter);
                    assert_ne!(bad.frame, good.frame);
                }
                Sort::Leap => assert!(opened.counter.unwrap() > genuine.counter.unwrap() + (1 << 24)),
                _ => assert_eq!(opened.mode, Mode::Mode5),
            }
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn rates_are_read_and_refused_by_text() {
    assert_eq!("replay=0.25".parse::<Rate>(), Ok(Rate { sort: Sort::Replay, share: 0.25 }));
    for text in ["replay", "good=0.1", "replay=2", "replay=-1", "replay=x", "toast=0.1", "replay=NaN"] {
        let refused = text.parse::<Rate>().unwrap_err().to_string();
        assert!(refused.contains(text) && refused.contains("rollback"), "{refused}");
    }
}
