//! What intake does beside the pipeline: publishing, enrolments, events, gaps and losses.

use std::sync::atomic::Ordering;

use wire::gateway::Enrol;
use wire::vault::Verdict::Fresh;

use crate::frames::{Collector, DAY, NOW, frame, read_key};
use crate::house::{House, until};

#[tokio::test]
async fn collecting_goes_on_while_the_ledger_is_away_and_its_events_wait() {
    let house = House::new(2).await;
    *house.ledger.down.lock().unwrap() = true;
    let intake = house.start().await;
    let (key, collector) = (house.batch_key().await, Collector::new(1));
    for seq in 1..=3u32 {
        house.gateway.deliver(collector.batch(&key, seq.into(), &[(frame(2, 5, seq, Fresh), NOW)]));
        house.confirmed(&collector, seq.into()).await;
    }
    intake.kill().await;
    assert!(house.ledger.events.lock().unwrap().is_empty());
    *house.ledger.down.lock().unwrap() = false;
    let intake = house.start().await;
    until("all events arrive", || (house.ledger.events.lock().unwrap().len() == 3).then_some(())).await;
    assert_eq!(intake.sums().await["stored"], 3);
    intake.stop().await;
}

#[tokio::test]
async fn an_enrolment_is_answered_when_the_gateway_knows_the_collector() {
    let house = House::new(1).await;
    let intake = house.start().await;
    house.batch_key().await;
    let request = |n: u8, proof: &[u8]| Enrol { token_id: vec![n; 16], body: vec![n], proof: proof.to_vec() };
    house.gateway.state().enrolments = vec![request(1, b"proof"), request(2, b"")];
    until("both are answered", || (house.gateway.state().answered.len() == 2).then_some(())).await;
    let (answered, published) = {
        let state = house.gateway.state();
        (state.answered.clone(), state.published.clone())
    };
    let answer = |n: u8| answered.iter().find(|a| a.token_id == [n; 16]).unwrap().enrolment.clone().unwrap();
    assert_eq!((answer(1).body.as_slice(), answer(1).refused.as_str()), (b"welcome".as_slice(), ""));
    assert_eq!(answer(2).refused, "forged");
    assert!(published.iter().any(|p| p.collectors.iter().any(|c| c.collector == 77)));
    intake.stop().await;
}

#[tokio::test]
async fn a_batch_key_turns_weekly_and_the_old_one_still_opens() {
    let house = House::new(2).await;
    let intake = house.start().await;
    let (old, collector) = (house.batch_key().await, Collector::new(1));
    intake.stop().await;
    house.clock.store(NOW.0 + 8 * DAY, Ordering::SeqCst);
    house.gateway.state().published.clear();
    let intake = house.start().await;
    let new = house.batch_key().await;
    assert_eq!((read_key(&old).0, read_key(&new).0), (1, 2));
    house.gateway.deliver(collector.batch(&old, 1, &[(frame(2, 5, 1, Fresh), NOW)]));
    house.gateway.deliver(collector.batch(&new, 2, &[(frame(2, 6, 2, Fresh), NOW.plus(8 * DAY))]));
    house.confirmed(&collector, 2).await;
    assert_eq!(intake.sums().await["stored"], 2);
    intake.stop().await;
    house.clock.store(NOW.0 + 22 * DAY, Ordering::SeqCst);
    let intake = house.start().await;
    house.gateway.deliver(collector.batch(&old, 3, &[(frame(2, 7, 3, Fresh), NOW)]));
    house.confirmed(&collector, 3).await;
    assert_eq!(intake.sums().await["refused.no-batch-key"], 1);
    intake.stop().await;
}

#[tokio::test]
async fn a_gap_is_recorded_and_what_follows_is_confirmed() {
    let house = House::new(2).await;
    let intake = house.start().await;
    let (key, collector) = (house.batch_key().await, Collector::new(1));
    house.gateway.deliver(collector.batch(&key, 1, &[(frame(2, 5, 1, Fresh), NOW)]));
    house.gateway.deliver(collector.gap(2, 40, 9000));
    house.gateway.deliver(collector.batch(&key, 41, &[(frame(2, 6, 2, Fresh), NOW)]));
    house.confirmed(&collector, 41).await;
    let sums = intake.sums().await;
    assert_eq!((sums["gaps"], sums["gap.telegrams"], sums["telegrams"]), (1, 9000, 2));
    let (_, notes, _) = intake.health().await;
    assert!(notes.iter().any(|n| n.contains("9000 telegrams")), "{notes:?}");
    intake.stop().await;
}

#[tokio::test]
async fn what_never_comes_is_wanted_for_two_weeks_and_then_given_up() {
    let house = House::new(2).await;
    let intake = house.start().await;
    let (key, collector) = (house.batch_key().await, Collector::new(1));
    house.gateway.deliver(collector.batch(&key, 1, &[(frame(2, 5, 1, Fresh), NOW)]));
    house.gateway.deliver(collector.batch(&key, 4, &[(frame(2, 6, 2, Fresh), NOW)]));
    house.confirmed(&collector, 1).await;
    until("2 and 3 are wanted", || {
        let state = house.gateway.state();
        let wanted = &state.published.last()?.wanted;
        wanted.iter().any(|w| w.range.as_ref().is_some_and(|r| (r.first, r.last) == (2, 3))).then_some(())
    })
    .await;
    // Also after a restart the time runs from the first day.
    intake.stop().await;
    house.clock.store(NOW.0 + 13 * DAY, Ordering::SeqCst);
    let intake = house.start().await;
    let pulls = house.gateway.state().pulls;
    until("it has looked", || (house.gateway.state().pulls > pulls + 3).then_some(())).await;
    assert_eq!(house.gateway.state().confirmed[&(1, collector.epoch)], 1);
    house.clock.store(NOW.0 + 14 * DAY, Ordering::SeqCst);
    house.confirmed(&collector, 4).await;
    let sums = intake.sums().await;
    assert_eq!((sums["losses"], sums["telegrams"], sums["alarms.lost"]), (1, 2, 1));
    intake.stop().await;
}
