//! What the throttle promises, in any order of events.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::challenge::tests::NOW;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn place(n: u32) -> Source {
    Source::of(Ipv4Addr::from_bits(n).into())
}

fn stranger(name: &Name, n: u32) -> Attempt<'_> {
    Attempt { name, exists: true, source: place(n), device: None }
}

fn known(name: &Name) -> Attempt<'_> {
    Attempt { name, exists: true, source: place(1), device: Some(DeviceId([1; 16])) }
}

#[test]
fn failures_wait_twice_as_long_each_time_and_success_forgets_them() {
    let (mut throttle, anna) = (Throttle::new(10).unwrap(), name("anna"));
    let mut now = NOW;
    for failure in 0..10_u32 {
        let wait = failure.checked_sub(FREE).map_or(0, |over| SECOND << over);
        if wait > 0 {
            let early = throttle.admit(&stranger(&anna, 1), now.plus(wait - 1));
            assert_eq!(early, Err(Throttled { until: now.plus(wait) }), "{failure}");
        }
        now = now.plus(wait);
        let _failed = throttle.admit(&stranger(&anna, 1), now).unwrap();
    }
    now = now.plus(HOUR);
    let ticket = throttle.admit(&stranger(&anna, 1), now).unwrap();
    throttle.succeeded(ticket);
    for _ in 0..FREE {
        let _failed = throttle.admit(&stranger(&anna, 1), now).unwrap();
    }
    assert!(throttle.admit(&stranger(&anna, 1), now).is_err());
}

#[test]
fn a_place_that_tries_one_password_on_everybody_is_stopped() {
    let mut throttle = Throttle::new(1000).unwrap();
    let names: Vec<Name> = (0..1000).map(|n| name(&format!("p{n}"))).collect();
    let tried = names.iter().filter(|n| throttle.admit(&stranger(n, 9), NOW).is_ok()).count();
    assert_eq!(tried, FAILURES_OF_A_PLACE as usize / 2);
    assert!(throttle.admit(&stranger(&names[0], 10), NOW).is_ok(), "another place");
}

#[test]
fn who_succeeds_uses_nothing_up() {
    let (mut throttle, anna) = (Throttle::new(10).unwrap(), name("anna"));
    for _ in 0..1000 {
        let ticket = throttle.admit(&stranger(&anna, 1), NOW).unwrap();
        throttle.succeeded(ticket);
        let ticket = throttle.admit(&known(&anna), NOW).unwrap();
        throttle.succeeded(ticket);
    }
}

#[test]
fn names_of_nobody_are_slowed_like_others_and_take_no_memory() {
    let mut throttle = Throttle::new(10).unwrap();
    for n in 0..20_000_u32 {
        let nobody = name(&format!("nobody{n}"));
        let _ = throttle.admit(&Attempt { exists: false, ..stranger(&nobody, n) }, NOW);
    }
    assert!(throttle.accounts.iter().count() <= usize::from(NOBODY));
    let nobody = name("x");
    let mut throttle = Throttle::new(10).unwrap();
    let admitted =
        (0..100).filter(|n| throttle.admit(&Attempt { exists: false, ..stranger(&nobody, *n) }, NOW).is_ok());
    assert_eq!(admitted.count(), GUESSES_A_DAY as usize / 2);
}

#[test]
fn a_device_that_was_taken_guesses_so_often_a_day_and_is_then_a_stranger() {
    let (mut throttle, anna) = (Throttle::new(10).unwrap(), name("anna"));
    let (mut own, mut as_stranger, mut now) = (0, 0, NOW);
    while now.since(NOW) < DAY {
        match throttle.admit(&known(&anna), now) {
            Ok(Ticket(Lane::Device(..))) => own += 1,
            Ok(Ticket(Lane::Stranger(..))) => as_stranger += 1,
            Err(_) => {}
        }
        now = now.plus(DEVICE_WAIT);
    }
    assert!((1..=DEVICE_GUESSES_A_DAY).contains(&own), "{own}");
    assert!((1..=GUESSES_A_DAY).contains(&as_stranger), "{as_stranger}");
}

#[test]
fn a_restart_refills_nothing() {
    let (mut throttle, anna) = (Throttle::new(10).unwrap(), name("anna"));
    let mut guesses = 0;
    for n in 0..1000 {
        throttle = Throttle::decode(10, &throttle.encode()).unwrap();
        guesses += u32::from(throttle.admit(&stranger(&anna, n), NOW).is_ok());
    }
    assert_eq!(guesses, GUESSES_A_DAY / 2);
    while throttle.admit(&known(&anna), NOW).is_ok() {}
    let mut again = Throttle::decode(10, &throttle.encode()).unwrap();
    assert!(again.admit(&known(&anna), NOW).is_err());
    let bytes = throttle.encode();
    assert!((0..bytes.len()).all(|cut| Throttle::decode(10, &bytes[..cut]).is_err()));
}

#[derive(Debug, Clone)]
enum Event {
    Fail { place: u32, anna: bool, device: bool },
    Wait(i64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let fail = (0..200_u32, any::<bool>(), any::<bool>());
    let fail = fail.prop_map(|(place, anna, device)| Event::Fail { place, anna, device });
    // a clock that is set back is among them
    let wait = prop_oneof![0..2 * SECOND, 0..HOUR, -HOUR..0, 0..DAY].prop_map(Event::Wait);
    proptest::collection::vec(prop_oneof![4 => fail, 1 => wait], 0..400)
}

proptest! {
    #[test]
    fn no_failures_of_others_delay_a_known_device(events in events()) {
        let (mut throttle, anna, bo) = (Throttle::new(4).unwrap(), name("anna"), name("bo"));
        let mut now = NOW;
        for event in events {
            match event {
                Event::Wait(millis) => now = now.plus(millis),
                Event::Fail { place, anna: hers, device } => {
                    let name = if hers { &anna } else { &bo };
                    // another known device fails too: somebody took it
                    let device = device.then_some(DeviceId([2; 16]));
                    let _ = throttle.admit(&Attempt { device, ..stranger(name, place) }, now);
                }
            }
            let ticket = throttle.admit(&known(&anna), now);
            prop_assert!(ticket.is_ok(), "{ticket:?}");
            throttle.succeeded(ticket.unwrap());
        }
    }

    #[test]
    fn a_known_device_waits_a_minute_at_most_for_its_own_failures(failures in 0..DEVICE_GUESSES_A_DAY / 2) {
        let (mut throttle, anna) = (Throttle::new(4).unwrap(), name("anna"));
        let mut now = NOW;
        for _ in 0..failures {
            if let Err(Throttled { until }) = throttle.admit(&known(&anna), now) {
                prop_assert!(until.since(now) <= DEVICE_WAIT);
                now = until;
                prop_assert!(throttle.admit(&known(&anna), now).is_ok());
            }
        }
    }

    #[test]
    fn an_account_is_guessed_at_so_often_a_day_from_however_many_places(
        waits in proptest::collection::vec(0..HOUR, 1..600), places in 1..500_u32,
    ) {
        let (mut throttle, anna) = (Throttle::new(4).unwrap(), name("anna"));
        let mut now = NOW;
        let mut guesses: Vec<UtcMillis> = Vec::new();
        for (n, wait) in (0..).zip(waits) {
            now = now.plus(wait);
            if throttle.admit(&stranger(&anna, n % places), now).is_ok() {
                guesses.push(now);
            }
            let today = guesses.iter().filter(|at| now.since(**at) < DAY).count();
            prop_assert!(today <= GUESSES_A_DAY as usize, "{today}");
        }
    }
}
