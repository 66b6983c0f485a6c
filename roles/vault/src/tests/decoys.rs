//! Decoys: whoever touches one is told of, and learns nothing by it.

use envelope::age;
use grant::act::{Deed, ListDecoys};
use seal::hybrid::{KeyPair, Sealed};
use wire::custody::{Carried, DECOYS_INFO, DecoyList, Fetch};

use super::handing::{Officers, age_key, approval, wish};
use super::releasing::{A, sealing, series, span};
use super::*;

/// The meter of the frames in `frames` as a decoy, beside two that are there.
fn house() -> (House, Officers) {
    let (house, officers) = House::with_officers();
    plant(&house);
    (house, officers)
}

fn plant(house: &House) {
    let grant = house.grant(Purpose::KeyImport, Action::ImportKeys);
    let keys = [("ELS", "87654321", "DEK", key(frames::ELS_KEY))];
    let (body, meters) = import_body_of(&house.import_key(), &keys, true);
    let (request, event, receipt) = house.asked(&grant, Action::ImportKeys, body.encode_to_vec());
    let outcomes = house.vault().import_keys(&ImportKeys { request, event, receipt, meters }, NOW).unwrap();
    assert_eq!(outcomes.outcomes, ["imported"], "as for any meter");
}

#[test]
fn telegrams_of_a_decoy_yield_nothing_and_say_where_they_came_from_once_an_hour() {
    let mut house = House::new();
    plant(&house);
    let mut bent = frames::mode7(3, 100);
    *bent.last_mut().unwrap() ^= 1;
    let telegrams = [frames::mode7(1, 100), bent, frames::mode5(1, 100, &[]), frames::stripped(5)];
    let (verdicts, answer) = house.decrypt(at(1), &telegrams);
    assert!(verdicts.iter().all(|v| !v.has_plaintext()), "{verdicts:?}");
    assert_eq!((verdicts[0], verdicts[2]), (Verdict::WrongKey, Verdict::WrongKey), "as with a wrong key");
    assert!(answer.frames.is_empty() && answer.security.is_empty());
    let opened = "decoy: a telegram opened under the key of a decoy, heard by c1: somebody has that key";
    let forged = "decoy: a telegram in the name of a decoy was heard by c1: somebody has made it";
    assert_eq!(house.alarms(), [opened, forged]);
    assert_eq!(house.counters.get("alarm.decoy"), 2);
    house.restart();
    house.decrypt(at(2), &[frames::mode7(2, 100)]);
    assert_eq!(house.alarms().len(), 2, "once an hour");
    // good telegrams of others beside it are as good as ever
    house.import(&[("KAM", "12345678", "DEK", key(frames::KAM_KEY))]);
    let (verdicts, answer) = house.decrypt(at(3), &[frames::mode7(4, 1), frames::ell(5, 1, 7)]);
    assert_eq!(verdicts, [Verdict::WrongKey, Verdict::Fresh]);
    assert_eq!(answer.frames.len(), frames::ell(5, 1, 7).len());
}

#[test]
fn who_asks_for_data_keys_of_a_decoy_gets_what_anybody_gets_and_is_named() {
    let (house, _) = house();
    house.tell(&[span(A, 87_654_321, "2026-01-01", None), span(A, 2, "2026-01-01", None)]).unwrap();
    let of = |meter| [series(A, meter, Class::Daily, "2026-11")];
    assert_eq!(sealing(&house, &of(2)).refused, [""]);
    assert!(house.alarms().is_empty());
    assert_eq!(sealing(&house, &of(87_654_321)).refused, [""]);
    assert_eq!(house.ask("anna", 1, &of(87_654_321), NOW).unwrap().keys.len(), 32);
    assert_eq!(house.ask("anna", 1, &of(2), NOW).unwrap().keys.len(), 32);
    let asked = "decoy: data keys of a decoy were asked for by";
    assert_eq!(house.alarms(), [format!("{asked} intake"), format!("{asked} anna through the archive")]);
}

#[test]
fn a_hand_over_of_all_meters_leaves_the_decoy_out_and_names_the_officer() {
    let (house, officers) = house();
    let (identity, key_of, fingerprint) = age_key();
    let recipient = house.receiver(&officers, key_of, fingerprint);
    let request = wish(recipient, &["ELS-87654321", "KAM-10000001", "KAM-10000002"]);
    let number = house.act("anna", &officers.anna, Deed::Request(request.clone())).unwrap().number;
    assert_eq!(
        house.alarms(),
        ["decoy: officer anna asked for a hand-over that names a decoy; its key stays here"]
    );
    let code = house.act("bo", &officers.bo, approval(number, &request)).unwrap().code;
    let container = house.carry(Carried::Fetch(Fetch { handover: number, code })).unwrap().container;
    let list = age::open(&container, &identity).unwrap();
    let text = std::str::from_utf8(list.expose()).unwrap();
    assert!(text.contains("10000001") && text.contains("10000002") && !text.contains("87654321"), "{text}");
    assert_eq!(text.lines().count(), 3);
}

#[test]
fn only_an_officer_can_open_the_list_of_decoys_and_sees_who_touched_which() {
    let (mut house, officers) = house();
    house.decrypt(at(1), &[frames::mode7(1, 100)]);
    house.restart();
    let pair = KeyPair::generate().unwrap();
    let wish = |to: &[u8]| Deed::Decoys(ListDecoys { to: to.to_vec() });
    let answer = house.act("anna", &officers.anna, wish(pair.public().as_bytes())).unwrap();
    let sealed = Sealed::from_slice(&answer.container).unwrap();
    let plain = pair.open_secret(DECOYS_INFO, &[], &sealed).unwrap();
    let list = DecoyList::decode(plain.expose()).unwrap();
    let [decoy] = list.decoys.as_slice() else { panic!("{list:?}") };
    assert_eq!(decoy.meter, "ELS-87654321");
    assert!(decoy.touches.len() == 1 && decoy.touches[0].what.contains("c1"), "{decoy:?}");
    assert!(!answer.container.windows(8).any(|w| w == b"87654321"), "rooms in between learn nothing");
    assert!(KeyPair::generate().unwrap().open_secret(DECOYS_INFO, &[], &sealed).is_err());
    let stranger = Signer::generate().unwrap();
    assert_eq!(code(house.act("anna", &stranger, wish(pair.public().as_bytes()))), "officer-signature");
    assert_eq!(code(house.act("anna", &officers.anna, wish(&[1; 9]))), "unfit-key");
    // and in a report it is a key like others
    let all = wire::custody::KeysWish { state: "all".into(), after: Vec::new() };
    let report = house.vault().report(&all, NOW);
    assert_eq!(report.keys.len(), 3);
}

#[test]
fn a_meter_that_is_there_is_never_made_a_decoy() {
    let (house, _) = House::with_officers();
    let grant = house.grant(Purpose::KeyImport, Action::ImportKeys);
    for bytes in [key(1), key(77)] {
        let (body, meters) = import_body_of(&house.import_key(), &[("KAM", "10000001", "DEK", bytes)], true);
        let (request, event, receipt) = house.asked(&grant, Action::ImportKeys, body.encode_to_vec());
        house.vault().import_keys(&ImportKeys { request, event, receipt, meters }, NOW).unwrap();
    }
    assert!(house.vault().table.read().decoys.is_empty());
}
