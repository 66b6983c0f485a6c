//! What becomes of good telegrams.

use base::Class;
use store::Quality;
use wire::vault::Verdict::{Duplicate, Fresh, HintOnly, Late};

use crate::frames::{Collector, DAY, HOUR, NOW, frame, frame_at, unit};
use crate::house::{House, tenancy, until};

#[tokio::test]
async fn telegrams_become_sealed_readings_with_their_own_times() {
    let house = House::new(8).await;
    let intake = house.start().await;
    let (key, collector) = (house.batch_key().await, Collector::new(1));
    let heard = |n: i64| NOW.plus(-HOUR + n * 16_000);
    // Meter 1 keeps one reading a day, meter 2 all.
    let telegrams: Vec<_> =
        (0..10u32).flat_map(|n| [1, 2].map(|m| (frame(m, 100 * m + n, n, Fresh), heard(n.into())))).collect();
    house.gateway.deliver(collector.batch(&key, 1, &telegrams));
    house.confirmed(&collector, 1).await;

    let daily = house.rows(1, Class::Daily).await;
    let [(facts, reading)] = daily.as_slice() else { panic!("{daily:?}") };
    assert_eq!(
        (facts.sequence, facts.day, facts.term, facts.version),
        (u32::from(NOW.day().of_month()), NOW.day().of_month(), 5, 1)
    );
    assert_eq!((facts.tenancy, facts.quality), (tenancy(1), Quality::Validated));
    assert_eq!((reading.heard_ms, reading.time_quality, reading.collector), (heard(0).0, 0, 1));
    assert_eq!((reading.assurance, reading.counter, reading.late), (3, Some(9), false));
    assert_eq!(
        reading.records[0].value,
        Some(wire::intake::Value::Number(wire::intake::Number { mantissa: 100, exponent: -3 }))
    );

    let fine = house.readings(2, Class::Fine).await;
    assert_eq!(fine.iter().map(|(n, _)| *n).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    assert_eq!(
        fine.iter().map(|(_, r)| r.heard_ms).collect::<Vec<_>>(),
        (0..10).map(|n| heard(n).0).collect::<Vec<_>>()
    );
    assert_eq!(house.readings(2, Class::Daily).await.len(), 1);
    assert!(house.readings(1, Class::Fine).await.is_empty());

    let sums = intake.sums().await;
    assert_eq!((sums["telegrams"], sums["stored"], sums["thinned"], sums["readings"]), (20, 11, 9, 12));
    let (counters, _, state) = intake.health().await;
    assert_eq!(
        (counters["sums-agree"], counters["stored"], counters["meters"], state.as_str()),
        (1, 11, 8, "ready")
    );
    until("the ledger has the digest", || {
        let events = house.ledger.events.lock().unwrap();
        events.iter().find(|e| e.action == "commit-batches").map(|e| {
            assert!(e.detail.starts_with("batches=1 telegrams=20 stored=11 "), "{}", e.detail);
            assert_eq!(e.on_behalf, "c1");
        })
    })
    .await;
    intake.stop().await;
}

#[tokio::test]
async fn pushes_of_electricity_meters_become_readings_with_obis_codes() {
    let house = House::new(4).await;
    let intake = house.start().await;
    let (key, collector) = (house.batch_key().await, Collector::new(1));
    let mut broken = unit(2, 5, 5, 9, Fresh);
    broken[35] = 9; // more values than there are
    let mut stranger = unit(2, 5, 5, 9, Fresh);
    stranger[2..10].copy_from_slice(b"KFM\x10\x10\0\0\x23");
    let telegrams = [unit(2, 9_108, 12, 7, Fresh), frame(2, 55, 1, Fresh), broken, stranger];
    let telegrams: Vec<_> = telegrams.into_iter().map(|frame| (frame, NOW.plus(-HOUR))).collect();
    house.gateway.deliver(collector.batch(&key, 1, &telegrams));
    house.confirmed(&collector, 1).await;

    let fine = house.readings(2, Class::Fine).await;
    let [(_, push), (_, radio)] = fine.as_slice() else { panic!("{fine:?}") };
    assert_eq!((push.assurance, push.counter, push.meter_time.as_str()), (3, Some(7), "2026-11-23T12:00:00"));
    let records: Vec<_> = push.records.iter().map(|r| (r.obis.clone(), r.value.clone(), r.unit)).collect();
    let kwh = u32::from(base::Unit::KilowattHour.code());
    let number =
        |mantissa| Some(wire::intake::Value::Number(wire::intake::Number { mantissa, exponent: -3 }));
    assert_eq!(records[0], (vec![1, 0, 1, 8, 0, 255], number(9_108), kwh));
    assert_eq!(records[1], (vec![1, 0, 2, 8, 0, 255], number(12), kwh));
    assert_eq!(push.records[1].modifiers, [0x3c], "given, as against taken");
    assert!(radio.records.iter().all(|r| r.obis.is_empty()));
    let sums = intake.sums().await;
    assert_eq!((sums["telegrams"], sums["stored"]), (4, 2));
    intake.stop().await;
}

#[tokio::test]
async fn going_on_after_a_restart_thins_and_numbers_as_before() {
    let house = House::new(4).await;
    let collector = Collector::new(1);
    for run in 0..3u32 {
        let intake = house.start().await;
        let key = house.batch_key().await;
        let telegrams: Vec<_> = (0..5u32)
            .flat_map(|n| [1, 2].map(|m| (frame(m, 100 + n, run * 10 + n, Fresh), NOW.plus(-i64::from(n)))))
            .collect();
        house.gateway.deliver(collector.batch(&key, u64::from(run) + 1, &telegrams));
        house.confirmed(&collector, u64::from(run) + 1).await;
        let sums = intake.sums().await;
        assert_eq!(
            sums["readings"],
            u64::from(1 + 6 + run * 5),
            "one daily reading of each, and all of meter 2"
        );
        intake.stop().await;
    }
    let fine = house.readings(2, Class::Fine).await;
    assert_eq!(fine.iter().map(|(n, _)| *n).collect::<Vec<_>>(), (0..15).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_collector_that_delivers_days_late_fills_the_days_that_are_missing() {
    let house = House::new(2).await;
    let intake = house.start().await;
    let key = house.batch_key().await;
    let (prompt, late) = (Collector::new(1), Collector::new(2));
    // The first collector heard today and three days ago; the second was offline and heard all of it too.
    let heard = |day: i64| NOW.plus(-day * DAY);
    let day = |d: u32, verdict| (frame(1, 1000 - d, d, verdict), heard(d.into()));
    house.gateway.deliver(prompt.batch(&key, 1, &[day(3, Fresh), day(0, Fresh)]));
    house.confirmed(&prompt, 1).await;
    // What the first one heard is a second copy now, which the vault recognises.
    let again = [day(3, Fresh), day(2, Late), day(1, Late), day(0, Fresh)];
    house.gateway.deliver(late.batch(&key, 1, &again));
    house.confirmed(&late, 1).await;
    let daily = house.readings(1, Class::Daily).await;
    assert_eq!(daily.len(), 4);
    let told: Vec<_> = daily.iter().map(|(_, r)| (r.heard_ms, r.late, r.collector)).collect();
    assert_eq!(
        told,
        [(heard(3).0, false, 1), (heard(2).0, true, 2), (heard(1).0, true, 2), (heard(0).0, false, 1),]
    );
    let sums = intake.sums().await;
    assert_eq!((sums["stored"], sums["late"], sums["duplicate"], sums["telegrams"]), (2, 2, 2, 6));
    intake.stop().await;
}

#[tokio::test]
async fn duplicates_are_counted_and_not_stored() {
    let house = House::new(2).await;
    let intake = house.start().await;
    let (key, collector) = (house.batch_key().await, Collector::new(1));
    let one = (frame(2, 5, 1, Fresh), NOW);
    house.gateway.deliver(collector.batch(
        &key,
        1,
        &[one.clone(), one.clone(), (frame(2, 6, 2, Duplicate), NOW)],
    ));
    house.gateway.deliver(collector.batch(&key, 2, &[one]));
    house.confirmed(&collector, 2).await;
    let sums = intake.sums().await;
    assert_eq!((sums["stored"], sums["duplicate"], sums["telegrams"]), (1, 3, 4));
    assert_eq!(house.readings(2, Class::Fine).await.len(), 1);
    intake.stop().await;
}

#[tokio::test]
async fn without_a_counter_assurance_follows_the_meters_time_also_after_a_restart() {
    let house = House::new(2).await;
    let collector = Collector::new(1);
    let at = |minutes: i64| NOW.plus(-DAY / 2 + minutes * 60_000);
    let send = |n: u32, minutes: i64, meter_minutes: i64| {
        (frame_at(2, 1000 + n, n, HintOnly, at(meter_minutes)), at(minutes))
    };
    let intake = house.start().await;
    let key = house.batch_key().await;
    let first: Vec<_> = (0..20).map(|n| send(n, n.into(), n.into())).collect();
    house.gateway.deliver(collector.batch(&key, 1, &first));
    house.confirmed(&collector, 1).await;
    intake.kill().await;
    let intake = house.start().await;
    // Twenty minutes later comes a good one, and one that was recorded at the beginning.
    let second = [send(21, 40, 40), send(22, 41, 3)];
    house.gateway.deliver(collector.batch(&key, 2, &second));
    house.confirmed(&collector, 2).await;
    let fine = house.readings(2, Class::Fine).await;
    let assurance: Vec<_> = fine.iter().map(|(_, r)| r.assurance).collect();
    assert_eq!(assurance.len(), 21);
    assert_eq!((assurance[0], &assurance[1..]), (1, [2; 20].as_slice()), "the first shows nothing");
    let sums = intake.sums().await;
    assert_eq!((sums["stored"], sums["refused.rollback"]), (21, 1));
    assert!(fine.iter().all(|(_, r)| r.records[0].unauthenticated));
    intake.stop().await;
}

#[tokio::test]
async fn an_unset_clock_is_marked_and_never_dated_silently() {
    let house = House::new(2).await;
    let intake = house.start().await;
    let (key, mut collector) = (house.batch_key().await, Collector::new(1));
    collector.synchronised = false;
    // It booted in 1970.
    let body = wire::batch::Body {
        wall_ms: vec![5000],
        monotonic_ms: vec![5000],
        ..crate::frames::body(&[(frame(2, 5, 1, Fresh), NOW)], false)
    };
    let (id, public) = crate::frames::read_key(&key);
    house.gateway.deliver(collector.seal(&public, &collector.header(1, id, 1), &body));
    house.confirmed(&collector, 1).await;
    let rows = house.rows(2, Class::Fine).await;
    assert_eq!((rows[0].1.heard_ms, rows[0].1.time_quality, rows[0].0.quality), (NOW.0, 2, Quality::Suspect));
    assert_eq!(house.vault.state().reliable, [false]);
    intake.stop().await;
}
