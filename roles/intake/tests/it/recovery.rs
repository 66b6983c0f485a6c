//! Nothing that was acknowledged is lost, and nothing is counted twice, wherever a process dies.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base::Class;
use intake::faults::{BEFORE_COMMIT, COMMITTED, DECRYPTED, FINAL, Faults, PULLED};
use wire::vault::Verdict::{Fresh, HintOnly, WrongKey};

use crate::frames::{Collector, Heard, NOW, frame};
use crate::house::{House, until};
use crate::vault::Did;

/// Six telegrams: two of a meter that keeps all, one hint, one of a daily meter, one wrong key, one unknown.
fn telegrams(seq: u32) -> Vec<Heard> {
    let at = NOW.plus(-600_000 + i64::from(seq) * 1000);
    vec![
        (frame(2, 100 + seq, seq * 10, Fresh), at),
        (frame(2, 100 + seq, seq * 10 + 1, Fresh), at),
        (frame(4, 1000 + seq, seq * 10 + 2, HintOnly), at),
        (frame(1, 100 + seq, seq * 10 + 3, Fresh), at),
        (frame(2, 1, seq * 10 + 4, WrongKey), at),
        (frame(88, 1, seq * 10 + 5, Fresh), at),
    ]
}

/// After `batches` of [`telegrams`]: each has one outcome, and each reading is stored once.
async fn all_is_accounted_for(house: &House, intake: &crate::house::Running, batches: u64) {
    let sums = intake.sums().await;
    assert_eq!((sums["batches"], sums["telegrams"]), (batches, batches * 6));
    assert_eq!(sums["refused.wrong-key"], batches);
    assert_eq!(sums["refused.unknown-meter"], batches);
    assert_eq!((sums["stored"], sums["thinned"]), (batches * 3 + 1, batches - 1));
    assert_eq!(sums.get("duplicate"), None, "no telegram was taken for its own copy");
    for (meter, each) in [(2, 2), (4, 1)] {
        let fine = house.readings(meter, Class::Fine).await;
        assert_eq!(fine.len() as u64, batches * each, "each reading is stored once");
        let mut hashes: Vec<_> = fine.into_iter().map(|(_, r)| r.telegram_hash).collect();
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len() as u64, batches * each);
    }
}

async fn killed_at(point: &'static str) {
    let house = House::new(4).await;
    let collector = Collector::new(1);
    let intake = house.start().await;
    let key = house.batch_key().await;
    house.gateway.deliver(collector.batch(&key, 1, &telegrams(1)));
    house.confirmed(&collector, 1).await;
    intake.stop().await;
    for seq in 2..=6 {
        house.gateway.deliver(collector.batch(&key, seq.into(), &telegrams(seq)));
    }
    let passed = AtomicU64::new(0);
    let faults = Faults::hook(move |here| here == point && passed.fetch_add(1, Ordering::SeqCst) == 0);
    house.start_with(faults).await.ended().await;
    let intake = house.start().await;
    house.confirmed(&collector, 6).await;
    all_is_accounted_for(&house, &intake, 6).await;
    intake.stop().await;
}

#[tokio::test]
async fn killed_after_a_batch_was_pulled() {
    killed_at(PULLED).await;
}

#[tokio::test]
async fn killed_between_the_vaults_answer_and_its_commit() {
    killed_at(DECRYPTED).await;
    killed_at(BEFORE_COMMIT).await;
}

#[tokio::test]
async fn killed_between_its_commit_and_the_vaults_word() {
    killed_at(COMMITTED).await;
}

#[tokio::test]
async fn killed_between_the_vaults_word_and_the_gateways() {
    killed_at(FINAL).await;
}

#[tokio::test]
async fn both_die_between_commit_and_final_word() {
    let house = House::new(4).await;
    let collector = Collector::new(1);
    let intake = house.start().await;
    let key = house.batch_key().await;
    intake.stop().await;
    for seq in 1..=5 {
        house.gateway.deliver(collector.batch(&key, seq.into(), &telegrams(seq)));
    }
    house.start_with(Faults::hook(|here| here == COMMITTED)).await.ended().await;
    house.vault.restart();
    let before = house.vault.state().log.len();
    let intake = house.start().await;
    house.confirmed(&collector, 5).await;
    all_is_accounted_for(&house, &intake, 5).await;
    // What was committed is presented again with its frames, and final, before anything new.
    let log = house.vault.state().log[before..].to_vec();
    let final_at = |seq| log.iter().position(|d| matches!(d, Did::Final(p) if p.2 == seq)).unwrap();
    let first_new = log.iter().position(|d| matches!(d, Did::Presented(p, _) if p.2 == 5)).unwrap();
    assert!(matches!(&log[0], Did::Presented(p, frames) if p.2 == 1 && !frames.is_empty()), "{:?}", log[0]);
    assert!(final_at(1) < first_new || final_at(5) > 0);
    assert!(intake.shared.counters.get("recovered.batches") > 0);
    intake.stop().await;
}

#[tokio::test]
async fn the_vault_restarts_under_load() {
    let house = House::new(4).await;
    let collector = Collector::new(1);
    let intake = house.start().await;
    let key = house.batch_key().await;
    for seq in 1..=60u32 {
        house.gateway.deliver(collector.batch(&key, seq.into(), &telegrams(seq)));
        if seq % 6 == 0 {
            tokio::time::sleep(Duration::from_millis(u64::from(seq % 11))).await;
            house.vault.restart();
        }
    }
    house.confirmed(&collector, 60).await;
    all_is_accounted_for(&house, &intake, 60).await;
    intake.stop().await;
}

#[tokio::test]
async fn rooms_die_again_and_again_under_load() {
    let house = House::new(4).await;
    let (one, two) = (Collector::new(1), Collector::new(2));
    let intake = house.start().await;
    let key = house.batch_key().await;
    intake.stop().await;
    const POINTS: [&str; 5] = [PULLED, DECRYPTED, BEFORE_COMMIT, COMMITTED, FINAL];
    let mut random = 88_172_645_463_325_252u64;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut sent = 0u32;
    for round in 0..60u64 {
        for _ in 0..next(4) {
            sent += 1;
            house.gateway.deliver(one.batch(&key, sent.into(), &telegrams(sent)));
        }
        let point = POINTS[usize::try_from(next(5)).unwrap()];
        let left = AtomicU64::new(1 + next(4));
        let faults = Faults::hook(move |here| here == point && left.fetch_sub(1, Ordering::SeqCst) == 1);
        let intake = house.start_with(faults).await;
        tokio::time::sleep(Duration::from_millis(next(60))).await;
        if !intake.has_ended() && round % 3 == 0 {
            house.vault.restart();
            tokio::time::sleep(Duration::from_millis(next(20))).await;
        }
        intake.kill().await;
        if next(4) == 0 {
            house.vault.restart();
        }
    }
    let intake = house.start().await;
    // A second collector hears nothing new: all of it is a copy.
    house.gateway.deliver(two.batch(&key, 1, &[(frame(2, 1, 1_000_000, Fresh), NOW)]));
    house.confirmed(&one, sent.into()).await;
    house.confirmed(&two, 1).await;
    let sums = intake.sums().await;
    let batches = u64::from(sent);
    assert_eq!((sums["batches"], sums["telegrams"]), (batches + 1, batches * 6 + 1));
    assert_eq!(sums.get("duplicate"), None);
    assert_eq!(house.readings(2, Class::Fine).await.len() as u64, batches * 2 + 1);
    assert_eq!(house.readings(4, Class::Fine).await.len() as u64, batches);
    intake.stop().await;
}

#[tokio::test]
async fn the_store_is_restored_to_yesterdays_copy() {
    let house = House::new(4).await;
    let collector = Collector::new(1);
    let intake = house.start().await;
    let key = house.batch_key().await;
    for seq in 1..=3 {
        house.gateway.deliver(collector.batch(&key, seq.into(), &telegrams(seq)));
    }
    house.confirmed(&collector, 3).await;
    let copy = house.readings_path().with_file_name("yesterday.db");
    intake.shared.store.copy_to(&copy).await.unwrap();
    for seq in 4..=9 {
        house.gateway.deliver(collector.batch(&key, seq.into(), &telegrams(seq)));
    }
    house.confirmed(&collector, 9).await;
    all_is_accounted_for(&house, &intake, 9).await;
    intake.stop().await;
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(house.readings_path().with_file_name(format!("readings.db{suffix}")));
    }
    std::fs::rename(&copy, house.readings_path()).unwrap();
    // The gateway let them go; the collector's ring still has them, and the vault gives the same verdicts.
    house.gateway.state().queue.clear();
    let intake = house.start().await;
    until("all is here again", || {
        let positions = intake.shared.store.positions();
        positions.values().next().is_some_and(|s| s.all_up_to().0 == 9).then_some(())
    })
    .await;
    house.confirmed(&collector, 9).await;
    all_is_accounted_for(&house, &intake, 9).await;
    intake.stop().await;
}

#[tokio::test]
async fn the_gateways_disk_is_lost() {
    let house = House::new(4).await;
    let collector = Collector::new(1);
    let intake = house.start().await;
    let key = house.batch_key().await;
    for seq in 1..=3 {
        house.gateway.deliver(collector.batch(&key, seq.into(), &telegrams(seq)));
    }
    house.confirmed(&collector, 3).await;
    house.vault.state().down = true;
    for seq in 4..=6 {
        house.gateway.deliver(collector.batch(&key, seq.into(), &telegrams(seq)));
    }
    house.gateway.lose_disk();
    house.vault.state().down = false;
    house.confirmed(&collector, 6).await;
    all_is_accounted_for(&house, &intake, 6).await;
    let told = house.gateway.state().published.first().unwrap().confirmed.clone();
    assert_eq!(
        told.iter().map(|p| p.seq).collect::<Vec<_>>(),
        [3],
        "collectors go on behind what is committed"
    );
    assert_eq!(intake.shared.counters.get("gateway.disks-lost"), 1);
    intake.stop().await;
}

#[tokio::test]
async fn the_vault_forgot_what_the_gateway_no_longer_has() {
    let house = House::new(4).await;
    let collector = Collector::new(1);
    let intake = house.start().await;
    let key = house.batch_key().await;
    for seq in 1..=4 {
        house.gateway.deliver(collector.batch(&key, seq.into(), &telegrams(seq)));
    }
    house.confirmed(&collector, 4).await;
    intake.stop().await;
    // The vault comes back from an old backup; the gateway has let everything go, and the ring has all but one.
    {
        let mut state = house.vault.state();
        *state = crate::vault::State { boot: 9, ..crate::vault::State::default() };
        let mut gateway = house.gateway.state();
        gateway.queue.clear();
        gateway.ring.remove(&(1, collector.epoch, 2));
    }
    let intake = house.start().await;
    house.gateway.deliver(collector.batch(&key, 5, &telegrams(5)));
    house.confirmed(&collector, 5).await;
    all_is_accounted_for(&house, &intake, 5).await;
    let log = house.vault.state().log.clone();
    let order: Vec<u64> =
        log.iter().filter_map(|d| if let Did::Presented(p, _) = d { Some(p.2) } else { None }).collect();
    assert_eq!(order, [1, 2, 3, 4, 5], "in the order of commits, before anything new");
    assert!(
        matches!(&log[1], Did::Presented(_, frames) if frames.is_empty()),
        "what is lost stands without frames"
    );
    let (counters, notes, _) = intake.health().await;
    assert_eq!(counters["recovered.without-content"], 1);
    assert!(notes.iter().any(|n| n.contains("could not be presented")), "{notes:?}");
    intake.stop().await;
}

#[tokio::test]
async fn rooms_that_are_away_are_waited_for() {
    let house = House::new(4).await;
    house.vault.state().down = true;
    let collector = Collector::new(1);
    let intake = house.start().await;
    until("it waits for the vault", || (intake.shared.state() == "waiting-for-vault").then_some(())).await;
    house.vault.state().down = false;
    let key = house.batch_key().await;
    house.gateway.state().down = true;
    until("it cannot pull", || (intake.shared.counters.get("gateway.unreachable") > 0).then_some(())).await;
    house.gateway.state().down = false;
    for seq in 1..=2 {
        house.gateway.deliver(collector.batch(&key, seq.into(), &telegrams(seq)));
    }
    house.confirmed(&collector, 2).await;
    all_is_accounted_for(&house, &intake, 2).await;
    intake.stop().await;
}

#[tokio::test]
async fn a_layout_once_learnt_is_known_after_a_restart() {
    let house = House::new(4).await;
    let collector = Collector::new(1);
    let intake = house.start().await;
    let key = house.batch_key().await;
    house.gateway.deliver(collector.batch(&key, 1, &telegrams(1)));
    house.confirmed(&collector, 1).await;
    let learnt = intake.shared.store.formats().await.unwrap();
    assert_eq!(learnt.len(), 1);
    intake.stop().await;
    let intake = house.start().await;
    until("layouts are loaded", || (intake.shared.counters.get("formats") >= 1).then_some(())).await;
    intake.stop().await;
}
