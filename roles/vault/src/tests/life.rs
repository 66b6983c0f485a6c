//! Keys are brought, proven, changed and retired; each step has its time and its person.

use seal::meter::dlms::agree::unwrap;
use seal::meter::dlms::{Keys, protect};
use wire::custody::{Carried, ErrandAnswer, KeyLife, KeysWish, LifeWish, RekeyWish, RetireWish};

use super::units::{SERIAL, TITLE, plain, unit_of};
use super::*;

const METER: &str = "KAM-27581522";
const MASTER: u8 = 9;

/// A house with a meter whose master key is here, one without, and one of the radio.
fn house() -> House {
    let house = House::new();
    let keys = [
        ("KAM", SERIAL, "GUEK", key(1)),
        ("KAM", SERIAL, "GAK", key(2)),
        ("KAM", SERIAL, "KEK", key(MASTER)),
        ("KFM", "10000023", "GUEK", key(3)),
        ("ELS", "87654321", "DEK", key(5)),
    ];
    assert_eq!(house.import(&keys), ["imported"; 5]);
    house
}

fn unit(counter: u32) -> Vec<u8> {
    unit_of(TITLE, 0x30, counter, 1000 + counter, 1, 2)
}

/// A unit under a key that the vault made.
fn unit_under(encryption: &[u8], counter: u32) -> Vec<u8> {
    let plain = plain(1000 + counter);
    let mut unit = vec![0xdb, 8];
    unit.extend(TITLE);
    unit.push((5 + plain.len() + 12) as u8);
    unit.push(0x30);
    unit.extend(counter.to_be_bytes());
    unit.extend(plain);
    unit.resize(unit.len() + 12, 0);
    protect(&mut unit, &Keys { encryption, authentication: Some(&key(2)) }).unwrap();
    unit
}

impl House {
    fn rekey(&self, meters: &[&str]) -> Result<ErrandAnswer, Failure> {
        let meters = meters.iter().map(|m| (*m).to_owned()).collect();
        self.carry(Carried::Rekey(RekeyWish { meters }))
    }

    fn lives(&self, meter: &str) -> Vec<KeyLife> {
        self.carry(Carried::Life(LifeWish { meter: meter.to_owned() })).unwrap().lives
    }

    fn in_state(&self, state: &str) -> Vec<String> {
        let report = self.vault().report(&KeysWish { state: state.to_owned(), after: Vec::new() }, NOW);
        report.keys.into_iter().map(|row| row.meter).collect()
    }

    fn heard(&self, seq: u64, all: &[(Vec<u8>, UtcMillis)]) -> Vec<Verdict> {
        let verdicts = self.decrypt_heard(at(seq), all).0;
        assert!(self.commit(&[at(seq)]).is_empty());
        verdicts
    }

    fn retire(&self, meter: &str, from: UtcMillis, take_back: bool) -> Result<ErrandAnswer, Failure> {
        let meter = meter.to_owned();
        self.carry(Carried::Retire(RetireWish { meter, from_ms: from.0, take_back }))
    }
}

/// What the meter makes of a transfer: the new key.
fn taken(parameters: &[u8]) -> Vec<u8> {
    assert_eq!(&parameters[..8], [0x01, 0x01, 0x02, 0x02, 0x16, 0x00, 0x09, 24]);
    unwrap(&key(MASTER), &parameters[8..]).unwrap().expose().to_vec()
}

#[test]
fn a_new_key_works_beside_the_old_one_until_it_is_proven_and_late_telegrams_are_taken_after() {
    let mut house = house();
    let minute = |n: i64| NOW.plus(n * 60_000 - 3_600_000);
    assert_eq!(house.heard(1, &[(unit(500), minute(0))]), [Verdict::Fresh]);
    let first = house.rekey(&[METER]).unwrap().transfers.remove(0).parameters;
    house.restart();
    let again = house.rekey(&[METER]).unwrap().transfers.remove(0).parameters;
    assert_eq!(first, again, "the meter may have taken it: it is never thrown away");
    assert!(!has(&house.disk, &taken(&first)));
    assert_eq!(house.in_state("rekey-pending"), [METER]);
    // the meter goes on under the old one, then takes the new one and counts from the beginning
    let new = taken(&first);
    assert_eq!(house.heard(2, &[(unit(501), minute(1))]), [Verdict::Fresh]);
    assert!(house.lives(METER)[0].pending);
    let both = [(unit_under(&new, 1), minute(5)), (unit_under(&new, 2), minute(6))];
    assert_eq!(house.heard(3, &both), [Verdict::Fresh; 2]);
    assert_eq!(house.counters.get("keys.rekeyed"), 1);
    assert!(house.in_state("rekey-pending").is_empty());
    for seq in [4, 5] {
        house.restart();
        // what was heard under the old key before comes late; under it later, and again, comes nothing
        let counter = 498 + seq as u32;
        assert_eq!(house.heard(seq * 10, &[(unit(counter + 2), minute(3))]), [Verdict::Fresh], "{seq}");
        assert_eq!(house.heard(seq * 10 + 1, &[(unit(600), minute(7))]), [Verdict::MacMismatch]);
        assert_eq!(house.heard(seq * 10 + 2, &[(unit_under(&new, 1), minute(8))]), [Verdict::Duplicate]);
        let next = unit_under(&new, seq as u32);
        assert_eq!(house.heard(seq * 10 + 3, &[(next, minute(9 + seq as i64))]), [Verdict::Fresh]);
    }
    // and once more
    let second = taken(&house.rekey(&[METER]).unwrap().transfers[0].parameters);
    assert_ne!(second, new);
    assert_eq!(house.heard(90, &[(unit_under(&second, 1), minute(20))]), [Verdict::Fresh]);
    let lives = house.lives(METER);
    let [life] = lives.as_slice() else { panic!("{lives:?}") };
    assert_eq!((life.role.as_str(), life.state.as_str(), life.pending), ("GUEK", "proven", false));
    let steps: Vec<(&str, &str)> = life.steps.iter().map(|s| (s.what.as_str(), s.by.as_str())).collect();
    for step in [("imported with delivery 1, test", "anna"), ("rekey-requested", "anna"), ("replaced", "")] {
        assert!(steps.contains(&step), "{step:?} in {steps:?}");
    }
}

#[test]
fn a_key_that_nothing_can_change_is_named_as_fixed_and_gets_no_new_one() {
    let house = house();
    assert_eq!(house.in_state("fixed"), ["ELS-87654321", "KFM-10000023"]);
    for bad in [&["KFM-10000023"][..], &[METER, "ELS-87654321"], &["KAM-99999999"]] {
        assert_eq!(code(house.rekey(bad)), "no-master-key", "{bad:?}");
    }
    assert_eq!(code(house.rekey(&["x"])), "no-meter");
    assert_eq!(code(house.rekey(&[])), "malformed");
    assert!(house.in_state("rekey-pending").is_empty(), "all or none");
    let fixed = house.lives("ELS-87654321");
    assert!(!fixed[0].changeable && house.lives(METER)[0].changeable);
    assert_eq!(code(house.carry(Carried::Life(LifeWish { meter: "KAM-99999999".into() }))), "no-key");
}

#[test]
fn telegrams_of_an_exchanged_meter_are_refused_from_then_on_and_late_ones_from_before_are_taken() {
    let mut house = House::new();
    house.import(&[("ELS", "87654321", "DEK", key(frames::ELS_KEY))]);
    let meter = "ELS-87654321";
    let minute = |n: i64| NOW.plus(n * 60_000 - 3_600_000);
    assert_eq!(house.heard(1, &[(frames::mode7(10, 1), minute(0))]), [Verdict::Fresh]);
    assert_eq!(code(house.retire("ELS-11111111", minute(10), false)), "no-key");
    assert_eq!(code(house.retire(meter, minute(10), true)), "not-retired");
    house.retire(meter, minute(10), false).unwrap();
    for round in 0..2 {
        let seq = 10 * (round + 1);
        let n = 20 * (round as u32 + 1);
        let before = (frames::mode7(n, 1), minute(8 + round as i64 / 2));
        let after = (frames::mode7(n + 1, 1), minute(11));
        assert_eq!(house.heard(seq, &[before, after]), [Verdict::Fresh, Verdict::Retired], "{round}");
        house.restart();
    }
    assert_eq!(house.in_state("retired"), [meter]);
    let life = house.lives(meter).remove(0);
    assert_eq!((life.state.as_str(), life.retired_from_ms), ("retired", minute(10).0));
    let what: Vec<(&str, &str)> = life.steps.iter().map(|s| (s.what.as_str(), s.by.as_str())).collect();
    assert_eq!(
        what,
        [("imported with delivery 1, test", "anna"), ("proven by its telegrams", ""), ("retired", "anna"),]
    );
    house.retire(meter, minute(0), true).unwrap();
    house.restart();
    assert_eq!(house.heard(50, &[(frames::mode7(90, 1), minute(12))]), [Verdict::Fresh]);
    assert!(house.in_state("retired").is_empty());
    assert_eq!(house.lives(meter)[0].state, "proven");
}
