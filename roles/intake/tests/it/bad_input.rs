//! Each bad input is counted under its own name, and loses nothing that is good.

use base::Class;
use store::{RawKind, RawRing};
use wire::vault::Verdict::{self, Clear, Fresh, HintOnly};

use crate::frames::{Collector, HOUR, NOW, body, frame, frame_of, read_key};
use crate::house::{House, until};

#[tokio::test]
async fn what_the_vault_refuses_goes_by_the_vaults_own_words() {
    let house = House::new(2).await;
    let intake = house.start().await;
    let (key, collector) = (house.batch_key().await, Collector::new(1));
    let refused: Vec<Verdict> =
        Verdict::ALL.into_iter().filter(|v| !v.has_plaintext() && *v != Verdict::Duplicate).collect();
    let mut telegrams = vec![(frame(2, 1, 0, Fresh), NOW.plus(-2))];
    telegrams.extend((1..).zip(&refused).map(|(n, v)| (frame(2, 1, n, *v), NOW.plus(-1))));
    telegrams.push((frame(2, 2, 99, Fresh), NOW));
    house.gateway.deliver(collector.batch(&key, 1, &telegrams));
    house.confirmed(&collector, 1).await;
    let sums = intake.sums().await;
    let (counters, ..) = intake.health().await;
    for verdict in &refused {
        assert_eq!(sums[&format!("refused.{}", verdict.name())], 1, "{verdict:?}");
        assert_eq!(counters[&format!("refused.{}", verdict.name())], 1, "{verdict:?}");
    }
    assert_eq!((sums["stored"], counters["sums-agree"]), (2, 1), "what was good is kept");
    until("the log names them", || {
        let events = house.ledger.events.lock().unwrap();
        events.iter().any(|e| e.detail.split(' ').any(|word| word == "refused.wrong-key=1")).then_some(())
    })
    .await;
    intake.stop().await;
}

#[tokio::test]
async fn telegrams_of_unknown_meters_are_counted_by_manufacturer_and_never_reach_the_vault() {
    let house = House::new(2).await;
    let intake = house.start().await;
    let (key, collector) = (house.batch_key().await, Collector::new(1));
    let strange = |maker, n| (frame_of(maker, 99_999_999, 1, n, 1, None), NOW);
    let telegrams = [
        strange([0x2d, 0x2c], 1),
        strange([0x93, 0x44], 2),
        (frame(1, 5, 3, Fresh), NOW),
        strange([0x93, 0x44], 4),
        (vec![9, 9], NOW),
    ];
    house.gateway.deliver(collector.batch(&key, 1, &telegrams));
    // A batch of unknown meters alone.
    house.gateway.deliver(collector.batch(&key, 2, &[strange([0x93, 0x44], 5)]));
    house.confirmed(&collector, 2).await;
    let sums = intake.sums().await;
    assert_eq!((sums["refused.unknown-meter"], sums["stored"]), (5, 1));
    let (counters, ..) = intake.health().await;
    assert_eq!((counters["unknown.KAM"], counters["unknown.QDS"], counters["unknown.other"]), (1, 3, 1));
    assert_eq!(house.vault.state().meters.iter().copied().collect::<Vec<_>>(), [1]);
    let counts = intake.shared.store.unknown().await.unwrap();
    assert_eq!(
        counts.iter().map(|c| (c.manufacturer.as_str(), c.count)).collect::<Vec<_>>(),
        [("KAM", 1), ("QDS", 3), ("other", 1)]
    );

    // They are kept sealed, and gone after a day.
    until("the raw telegrams are kept", || (intake.shared.counters.get("raw.kept") >= 2).then_some(())).await;
    let raw_key = std::sync::Arc::clone(&intake.shared.keys.raw);
    intake.stop().await;
    let ring =
        RawRing::open(&house.layout().room(wire::Room::Intake).join("raw.db"), [1 << 20; 3]).await.unwrap();
    let pieces = ring.pieces(RawKind::Unknown, 0, 10).await.unwrap();
    assert_eq!(pieces.len(), 2);
    let position = base::BatchPosition {
        collector: base::CollectorId(1),
        epoch: base::Epoch(collector.epoch),
        seq: base::BatchSeq(1),
    };
    let piece = intake::rawkeep::open(&raw_key, position, RawKind::Unknown, &pieces[0].sealed).unwrap();
    assert_eq!(piece.lengths.len(), 4);
    assert!(piece.frames.starts_with(&telegrams[0].0));
    assert!(!pieces[0].sealed.windows(12).any(|w| telegrams[0].0.windows(12).any(|f| f == w)), "sealed");
    ring.purge(NOW.plus(25 * HOUR)).await.unwrap();
    assert!(ring.pieces(RawKind::Unknown, 0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn refused_telegrams_are_kept_sealed_with_their_reasons() {
    let house = House::new(2).await;
    let intake = house.start().await;
    let (key, collector) = (house.batch_key().await, Collector::new(1));
    let telegrams = [
        (frame(1, 5, 1, Verdict::WrongKey), NOW),
        (frame(1, 5, 2, Fresh), NOW),
        (frame(1, 5, 3, Verdict::Rollback), NOW),
    ];
    house.gateway.deliver(collector.batch(&key, 1, &telegrams));
    house.confirmed(&collector, 1).await;
    until("the raw telegrams are kept", || (intake.shared.counters.get("raw.kept") >= 2).then_some(())).await;
    let raw_key = std::sync::Arc::clone(&intake.shared.keys.raw);
    intake.stop().await;
    let ring =
        RawRing::open(&house.layout().room(wire::Room::Intake).join("raw.db"), [1 << 20; 3]).await.unwrap();
    let position = base::BatchPosition {
        collector: base::CollectorId(1),
        epoch: base::Epoch(collector.epoch),
        seq: base::BatchSeq(1),
    };
    let one = |kind| {
        let (ring, raw_key) = (&ring, &raw_key);
        async move {
            let pieces = ring.pieces(kind, 0, 10).await.unwrap();
            intake::rawkeep::open(raw_key, position, kind, &pieces[0].sealed).unwrap()
        }
    };
    let refused = one(RawKind::Refused).await;
    assert_eq!(refused.reasons, ["wrong-key", "rollback"]);
    assert_eq!(refused.frames, [telegrams[0].0.clone(), telegrams[2].0.clone()].concat());
    assert_eq!(one(RawKind::Accepted).await.frames, telegrams[1].0);
}

#[tokio::test]
async fn batches_that_are_signed_but_wrong_are_counted_whole_and_confirmed() {
    let house = House::new(2).await;
    let intake = house.start().await;
    let (key, collector) = (house.batch_key().await, Collector::new(1));
    let (id, public) = read_key(&key);
    let good = |n| [(frame(2, 5, n, Fresh), NOW)];
    let seal = |header: &wire::batch::Header, b: &wire::batch::Body| collector.seal(&public, header, b);
    house.gateway.deliver(collector.batch(&key, 1, &good(1)));
    // Too many telegrams, and a count that does not fit.
    let many: Vec<_> = (0..1025).map(|n| (vec![1, 2, 3, n as u8], NOW)).collect();
    house.gateway.deliver(seal(&collector.header(2, id, 1025), &body(&many, true)));
    house.gateway.deliver(seal(&collector.header(3, id, 7), &body(&good(2), true)));
    // A key that intake does not have.
    house.gateway.deliver(seal(&collector.header(4, id + 9, 3), &body(&good(3), true)));
    // Sealed to another header.
    let header = prost::Message::encode_to_vec(&collector.header(5, id, 2));
    let sealed = public.seal_to(wire::batch::SEAL_INFO, b"other", b"x").unwrap();
    house.gateway.deliver(collector.sign(header, sealed.enc, sealed.ciphertext));
    house.gateway.deliver(collector.batch(&key, 6, &good(4)));
    house.confirmed(&collector, 6).await;
    let sums = intake.sums().await;
    let refused = |reason: &str| sums.get(&format!("refused.{reason}")).copied();
    assert_eq!(refused("oversized-batch"), Some(1025));
    assert_eq!(refused("malformed-batch"), Some(7));
    assert_eq!(refused("no-batch-key"), Some(3));
    assert_eq!(refused("batch-does-not-open"), Some(2));
    assert_eq!((sums["stored"], sums["telegrams"], sums["batches"]), (2, 1039, 6));
    intake.stop().await;
}

#[tokio::test]
async fn a_revoked_collectors_batches_are_refused_from_its_revocation_on() {
    let house = House::new(2).await;
    let intake = house.start().await;
    let (key, collector, other) = (house.batch_key().await, Collector::new(1), Collector::new(2));
    let (id, public) = read_key(&key);
    house.stand(1, "revoked", NOW.plus(-1000));
    until("the gateway knows", || {
        let state = house.gateway.state();
        let last = state.published.last()?;
        last.collectors.iter().any(|c| c.state == "revoked").then_some(())
    })
    .await;
    let send = |c: &Collector, seq, closed_ms, n| {
        let header = wire::batch::Header { closed_ms, ..c.header(seq, id, 1) };
        c.seal(&public, &header, &body(&[(frame(2, 5, n, Fresh), NOW.plus(-5000))], true))
    };
    house.gateway.deliver(send(&collector, 1, NOW.0 - 2000, 1));
    house.gateway.deliver(send(&collector, 2, NOW.0, 2));
    house.gateway.deliver(send(&other, 1, NOW.0, 3));
    house.confirmed(&collector, 2).await;
    house.confirmed(&other, 1).await;
    let sums = intake.sums().await;
    assert_eq!((sums["stored"], sums["refused.revoked-collector"]), (2, 1));
    let (_, notes, _) = intake.health().await;
    assert!(notes.iter().any(|n| n.contains("c1") && n.contains("revoked")), "{notes:?}");
    intake.stop().await;
}

#[tokio::test]
async fn a_forged_batch_is_never_confirmed_and_the_genuine_one_is_fetched() {
    let house = House::new(2).await;
    let intake = house.start().await;
    let (key, collector) = (house.batch_key().await, Collector::new(1));
    let mut forger = Collector::new(2);
    (forger.id, forger.epoch) = (1, collector.epoch);
    let telegram = |n| [(frame(2, 5, n, Fresh), NOW)];
    house.gateway.deliver(collector.batch(&key, 1, &telegram(1)));
    house.gateway.inject(forger.batch(&key, 2, &telegram(66)));
    house.gateway.deliver(collector.batch(&key, 3, &telegram(3)));
    until("the forgery is noticed", || (intake.shared.counters.get("batches.forged") == 1).then_some(()))
        .await;
    house.confirmed(&collector, 1).await;
    until("the genuine one is wanted", || {
        let state = house.gateway.state();
        let wanted = &state.published.last()?.wanted;
        wanted.iter().any(|w| w.range.as_ref().is_some_and(|r| (r.first, r.last) == (2, 2))).then_some(())
    })
    .await;
    assert_eq!(house.gateway.state().confirmed[&(1, collector.epoch)], 1, "nothing behind it is confirmed");
    // The collector has it in its ring.
    house.gateway.deliver(collector.batch(&key, 2, &telegram(2)));
    house.confirmed(&collector, 3).await;
    let sums = intake.sums().await;
    assert_eq!((sums["stored"], sums["telegrams"], sums["batches.forged"]), (3, 3, 1));
    assert_eq!(house.readings(2, Class::Fine).await.len(), 3);
    let (_, notes, _) = intake.health().await;
    assert!(notes.iter().any(|n| n.contains("not signed by its collector")), "{notes:?}");
    until("the log has the alarm", || {
        let events = house.ledger.events.lock().unwrap();
        events.iter().any(|e| e.action == "alarm" && e.detail.starts_with("forged: ")).then_some(())
    })
    .await;
    until("nothing is wanted any more", || {
        house.gateway.state().published.last().is_some_and(|p| p.wanted.is_empty()).then_some(())
    })
    .await;
    intake.stop().await;
}

#[tokio::test]
async fn garbage_from_the_gateway_takes_no_place() {
    let house = House::new(2).await;
    let intake = house.start().await;
    let (key, collector) = (house.batch_key().await, Collector::new(1));
    for garbage in [b"".as_slice(), b"\x01\x02\x03", &[0xff; 5000]] {
        house.gateway.inject(bytes::Bytes::copy_from_slice(garbage));
    }
    house.gateway.inject(Collector::new(9).batch(&key, 1, &[(frame(2, 5, 1, Fresh), NOW)]));
    house.gateway.deliver(collector.batch(&key, 1, &[(frame(2, 5, 1, Fresh), NOW)]));
    house.confirmed(&collector, 1).await;
    let sums = intake.sums().await;
    assert_eq!((sums["stored"], sums["telegrams"], sums["batches"]), (1, 1, 1));
    assert_eq!((sums["batches.no-batch"], sums["batches.unknown-collector"]), (3, 1));
    intake.stop().await;
}

#[tokio::test]
async fn a_collector_in_quarantine_waits_and_is_heard_when_it_is_admitted() {
    let house = House::new(2).await;
    house.stand(1, "quarantined", NOW);
    let intake = house.start().await;
    let (key, collector) = (house.batch_key().await, Collector::new(1));
    house.gateway.deliver(collector.batch(&key, 1, &[(frame(2, 5, 1, Fresh), NOW)]));
    until("it waits", || (intake.shared.counters.get("batches.quarantined") == 1).then_some(())).await;
    assert!(intake.shared.store.positions().is_empty());
    house.stand(1, "admitted", NOW);
    house.confirmed(&collector, 1).await;
    assert_eq!(intake.sums().await["stored"], 1);
    intake.stop().await;
}

#[tokio::test]
async fn clear_telegrams_are_taken_only_from_meters_that_are_declared_so() {
    let house = House::new(4).await;
    {
        let mut list = house.archive.0.lock().unwrap();
        list.meters.iter_mut().filter(|m| m.id == 4).for_each(|m| m.clear = true);
    }
    let intake = house.start().await;
    let (key, collector) = (house.batch_key().await, Collector::new(1));
    let telegrams = [
        (frame(2, 5, 1, Clear), NOW.plus(-3)),
        (frame(4, 5, 2, Clear), NOW.plus(-2)),
        (frame(2, 5, 3, Fresh), NOW),
    ];
    house.gateway.deliver(collector.batch(&key, 1, &telegrams));
    house.confirmed(&collector, 1).await;
    let sums = intake.sums().await;
    assert_eq!((sums["refused.clear-undeclared"], sums["stored"]), (1, 2));
    let rows = house.readings(4, Class::Fine).await;
    assert_eq!((rows[0].1.assurance, rows[0].1.records[0].unauthenticated), (0, true));
    intake.stop().await;
}

#[tokio::test]
async fn content_that_cannot_be_read_is_refused_by_its_reason() {
    let house = House::new(2).await;
    let intake = house.start().await;
    let (key, collector) = (house.batch_key().await, Collector::new(1));
    let with_ci = |ci: u8, n| {
        let mut f = frame(2, 5, n, Fresh);
        f[10] = ci;
        f
    };
    let telegrams = [
        (with_ci(0x7b, 1), NOW.plus(-9)), // compact, layout unknown
        (with_ci(0x7d, 2), NOW.plus(-8)), // DLMS
        (with_ci(0x6a, 3), NOW.plus(-7)), // a format frame that is none
        (frame(2, 5, 4, Fresh), NOW),
    ];
    house.gateway.deliver(collector.batch(&key, 1, &telegrams));
    house.confirmed(&collector, 1).await;
    let sums = intake.sums().await;
    assert_eq!(
        (
            sums["refused.unknown-layout"],
            sums["refused.unsupported-content"],
            sums["refused.undecodable"],
            sums["stored"]
        ),
        (1, 1, 1, 1)
    );
    intake.stop().await;
}

#[tokio::test]
async fn a_replay_without_a_counter_is_refused_as_rollback() {
    let house = House::new(2).await;
    let intake = house.start().await;
    let (key, collector) = (house.batch_key().await, Collector::new(1));
    let telegrams = [
        (frame(2, 500, 1, HintOnly), NOW.plus(-9000)),
        (frame(2, 501, 2, HintOnly), NOW.plus(-8000)),
        (frame(2, 400, 3, HintOnly), NOW.plus(-7000)),
        (frame(2, 502, 4, HintOnly), NOW),
    ];
    house.gateway.deliver(collector.batch(&key, 1, &telegrams));
    house.confirmed(&collector, 1).await;
    let sums = intake.sums().await;
    assert_eq!((sums["refused.rollback"], sums["stored"]), (1, 3));
    intake.stop().await;
}

#[tokio::test]
async fn a_reading_without_a_data_key_is_refused_and_its_day_is_free_again() {
    let house = House::new(2).await;
    house.vault.state().no_keys = Some("unknown-tenancy");
    let intake = house.start().await;
    let (key, collector) = (house.batch_key().await, Collector::new(1));
    let both = |n| [(frame(1, 5, n, Fresh), NOW), (frame(2, 5, n + 1, Fresh), NOW)];
    house.gateway.deliver(collector.batch(&key, 1, &both(1)));
    house.confirmed(&collector, 1).await;
    assert_eq!(intake.sums().await["refused.no-data-key"], 2);
    house.vault.state().no_keys = None;
    house.gateway.deliver(collector.batch(&key, 2, &both(3)));
    house.confirmed(&collector, 2).await;
    let sums = intake.sums().await;
    assert_eq!((sums["stored"], sums["readings"]), (2, 3));
    assert_eq!(house.readings(1, Class::Daily).await.len(), 1);
    // Where the vault only asks to wait, nothing is refused.
    house.vault.state().no_keys = Some("rate-limited");
    house.register(3..=3);
    until("the new meter is known", || (intake.shared.counters.get("meters") == 3).then_some(())).await;
    house.gateway.deliver(collector.batch(&key, 3, &[(frame(3, 5, 9, Fresh), NOW)]));
    until("it waits", || (intake.shared.counters.get("restarts.keys-limited") >= 1).then_some(())).await;
    house.vault.state().no_keys = None;
    house.confirmed(&collector, 3).await;
    let sums = intake.sums().await;
    assert_eq!((sums["stored"], sums["refused.no-data-key"]), (3, 2));
    intake.stop().await;
}
