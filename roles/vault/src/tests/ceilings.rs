//! So much goes out in an hour and no more, to whom it is due, too.

use base::MeterId;
use wire::alarm::AlarmsRequest;
use wire::vault::{DataKeys, ReleaseKeys, SealingKeys, Series};

use super::releasing::{A, sealing, series, settled, span};
use super::*;
use crate::ceilings::Cap;

/// A house of which A has ten meters.
fn house_with(caps: Caps) -> House {
    let mut house = settled();
    house.caps = caps;
    house.restart();
    house.tell(&(3..=10).map(|meter| span(A, meter, "2026-01-01", None)).collect::<Vec<_>>()).unwrap();
    sealing(&house, &daily(2..=10));
    house
}

fn daily(meters: impl IntoIterator<Item = u32>) -> Vec<Series> {
    meters.into_iter().map(|meter| series(A, meter, Class::Daily, "2026-11")).collect()
}

impl House {
    /// A question of a person under a grant.
    pub(super) fn ask(
        &self,
        person: &str,
        grant: u8,
        all: &[Series],
        now: UtcMillis,
    ) -> Result<DataKeys, Failure> {
        let grant = Grant {
            id: [grant; 16],
            person: person.to_owned(),
            not_before: now.plus(-HOUR),
            until: now.plus(HOUR),
            ..self.grant(Purpose::Operations, Action::ReadReadings)
        };
        let signed = grant.sign(&self.warden);
        let request = grant::sign_request(&signed, Action::ReadReadings, vec![], now, &self.session).unwrap();
        let event = Event { at: now, ..self.event(&grant, Action::ReadReadings, &request) }.encode();
        let receipt = self.receipt(&event, now);
        self.vault().release_keys(&ReleaseKeys { request, event, receipt, series: all.to_vec() }, now)
    }

    pub(super) fn alarms(&self) -> Vec<String> {
        let all = self.vault().untold_alarms(&AlarmsRequest::default()).unwrap();
        all.alarms.into_iter().map(|alarm| format!("{}: {}", alarm.code, alarm.text)).collect()
    }
}

#[test]
fn a_person_a_grant_and_the_archive_open_so_many_meters_and_a_restart_refills_nothing() {
    let cap = |keys, meters| Cap { keys, meters };
    let caps = Caps { person: cap(9, 4), grant: cap(9, 3), archive: cap(100, 6), ..Caps::default() };
    let mut house = house_with(caps);
    assert_eq!(house.ask("anna", 1, &daily(2..=4), NOW).unwrap().keys.len(), 96);
    assert_eq!(code(house.ask("anna", 1, &daily([5]), NOW)), "ceiling");
    house.restart();
    assert_eq!(code(house.ask("anna", 1, &daily([5]), NOW)), "ceiling", "a restart refills nothing");
    assert_eq!(code(house.ask("anna", 1, &daily([5]), NOW.plus(-2 * HOUR))), "ceiling", "nor an older clock");
    assert_eq!(house.ask("anna", 2, &daily([5]), NOW).unwrap().keys.len(), 32, "another grant");
    assert_eq!(code(house.ask("anna", 2, &daily([6]), NOW)), "ceiling", "but one person");
    assert!(house.ask("anna", 2, &daily([2, 3]), NOW).is_ok(), "opened before");
    assert!(house.ask("bo", 3, &daily([6, 7]), NOW).is_ok());
    house.restart();
    assert_eq!(code(house.ask("carl", 4, &daily([8]), NOW)), "ceiling", "all people together");
    let alarms = house.alarms();
    assert_eq!(
        alarms,
        [
            "ceiling: grant 01010101010101010101010101010101 of anna has reached the ceiling of 3 meters in an hour",
            "ceiling: person anna has reached the ceiling of 4 meters in an hour",
            "ceiling: the archive has reached the ceiling of 6 meters in an hour",
        ],
        "each once"
    );
    assert_eq!(house.counters.get("alarm.ceiling"), 1, "since this start");
    assert_eq!(house.counters.get("refused.ceiling"), 1);
    assert!(house.ask("carl", 4, &daily([8]), NOW.plus(HOUR)).is_ok(), "the next hour");
}

#[test]
fn a_ceiling_of_nothing_lets_nothing_out() {
    let none = Cap { keys: 0, meters: 0 };
    for caps in [
        Caps { person: none, ..Caps::default() },
        Caps { grant: none, ..Caps::default() },
        Caps { archive: none, ..Caps::default() },
    ] {
        assert_eq!(code(house_with(caps).ask("anna", 1, &daily([2]), NOW)), "ceiling");
    }
    let house = house_with(Caps { intake_keys: 0, ..Caps::default() });
    let answer = sealing(&house, &daily([2]));
    assert_eq!((answer.refused.as_slice(), answer.keys.len()), (["rate-limited".to_owned()].as_slice(), 0));
    assert_eq!(house.alarms(), ["ceiling: intake has reached the ceiling of 0 data keys in an hour"]);
    assert!(house.vault().table.read().data_key(MeterId(2), A, Class::Daily, month("2026-11")).is_err());
}

#[test]
fn intake_gets_so_many_keys_and_those_of_last_month_are_counted_through_a_restart() {
    let mut house = house_with(Caps { intake_keys: 15, ..Caps::default() });
    let early: UtcMillis = "2026-11-10T12:30:00Z".parse().unwrap();
    let late = |house: &House, now| {
        let question = SealingKeys { series: vec![series(A, 2, Class::Daily, "2026-10")] };
        house.vault().sealing_keys(&question, now).unwrap().refused[0].clone()
    };
    // nine keys went out in another hour, which is later: the clock was set back, and they count
    assert_eq!(late(&house, early), "");
    house.restart();
    for _ in 0..5 {
        assert_eq!(late(&house, early), "");
    }
    house.restart();
    assert_eq!(late(&house, early), "rate-limited", "fifteen");
    assert_eq!(late(&house, early.plus(HOUR)), "");
}

#[test]
fn telegrams_are_decrypted_so_fast_for_the_whole_house_and_what_is_refused_is_not_lost() {
    let mut house = House::new();
    house.import(&[("ELS", "87654321", "DEK", key(frames::ELS_KEY))]);
    house.caps = Caps { catch_up: 0, ..Caps::default() };
    house.restart();
    let frames = [(frames::mode7(1, 100), NOW)];
    let ask = |house: &House| house.vault().decrypt_frames(&question(at(1), &frames), NOW);
    assert_eq!(code(ask(&house)), "throttled");
    assert_eq!(code(ask(&house)), "throttled");
    assert_eq!(house.counters.get("decrypt.throttled"), 2);
    assert_eq!(house.alarms().len(), 1);
    house.caps = Caps::default();
    house.restart();
    let answer = ask(&house).unwrap();
    assert_eq!(answer.verdicts.as_ref(), [Verdict::Fresh.code()], "it comes again and is taken");
    // what was decrypted is reserved: with a ceiling of nothing for the rest, the restart knows it
    let (hour, reserved) = house.vault().releases.decrypting();
    assert!(hour == NOW.0 / HOUR && reserved > 0);
    house.restart();
    assert_eq!(house.vault().releases.decrypting(), (hour, reserved));
}
