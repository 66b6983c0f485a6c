//! Data subjects of the log: their tags come of their roots, and no key goes out for an entry that does not name them.

use base::TenancyId;
use wire::contact::ContactsQuery;
use wire::vault::{BodyKeys, ContactKeys, KeysReleased, ReleaseKeys, ReleasesRequest, SubjectTags};

use super::erasing::{lived, of_a};
use super::releasing::{A, B, release, sealing, series, settled};
use super::*;

/// A tenancy that nobody knows yet.
const NEW: TenancyId = TenancyId([200; 16]);

fn tags(house: &House, whose: &[TenancyId], beginning: Vec<u8>) -> Result<Vec<Vec<u8>>, Failure> {
    let tenancies = whose.iter().map(|tenancy| tenancy.0.to_vec()).collect();
    house
        .vault()
        .subject_tags(&SubjectTags { tenancies, beginning, with_keys: false }, NOW)
        .map(|told| told.tags)
}

fn tag(house: &House, of: TenancyId) -> Vec<u8> {
    tags(house, &[of], Vec::new()).unwrap().remove(0)
}

fn unchecked(house: &House, checked_up_to: u64) -> Vec<KeysReleased> {
    house.vault().releases(&ReleasesRequest { checked_up_to }).unwrap().releases
}

#[test]
fn tags_last_differ_and_are_told_of_nobody_who_is_not_there() {
    let mut house = settled();
    let (a, b) = (tag(&house, A), tag(&house, B));
    assert!(a.len() == 16 && b.len() == 16 && a != b);
    assert_eq!(tag(&house, NEW), Vec::<u8>::new());
    house.restart();
    assert_eq!((tag(&house, A), tag(&house, B)), (a.clone(), b), "over restarts");
    assert!(!has(&house.disk, &a), "a tag lies nowhere in the vault");
    assert_ne!(tag(&settled(), A), a, "another house has others");
    let many = vec![A; 4097];
    assert!(tags(&house, &many, Vec::new()).is_err());
}

#[test]
fn a_tenancy_begins_for_a_signed_change_alone_and_has_one_tag_from_then_on() {
    let mut house = settled();
    let signed = |action| {
        let purpose = if action == Action::ReadReadings { Purpose::Operations } else { Purpose::Register };
        house.asked(&house.grant(purpose, action), action, vec![]).0
    };
    let reading = signed(Action::ReadReadings);
    assert_eq!(code(tags(&house, &[NEW], reading).map(drop)), "other-action");
    assert_eq!(code(tags(&house, &[NEW], vec![1; 20]).map(drop)), "malformed");
    assert_eq!(tag(&house, NEW), Vec::<u8>::new(), "and nothing began");
    let change = signed(Action::ChangeRegister);
    let begun = tags(&house, &[NEW, A], change).unwrap();
    assert_eq!(begun[1], tag(&house, A));
    house.restart();
    assert_eq!(tag(&house, NEW), begun[0]);
    house.tell(&[span(NEW)]).unwrap();
    assert_eq!(tag(&house, NEW), begun[0], "told of later, it is the same one");
}

fn span(tenancy: TenancyId) -> TenancySpan {
    super::releasing::span(tenancy, 9, "2026-11-01", None)
}

#[test]
fn no_key_goes_out_for_an_entry_that_does_not_name_whose_it_is() {
    let house = settled();
    let all = [series(A, 2, Class::Daily, "2026-11"), series(B, 1, Class::Daily, "2026-11")];
    sealing(&house, &all);
    let grant = house.grant(Purpose::Operations, Action::ReadReadings);
    let request =
        grant::sign_request(&grant.sign(&house.warden), Action::ReadReadings, vec![], NOW, &house.session)
            .unwrap();
    for (named, refused) in [
        (vec![], ["not-in-event", "not-in-event"]),
        (vec![A], ["", "not-in-event"]),
        (vec![B], ["not-in-event", ""]),
        (vec![A, B], ["", ""]),
    ] {
        let subjects = named.iter().map(|of| tag(&house, *of).try_into().unwrap()).collect();
        let event = house.event(&grant, Action::ReadReadings, &request);
        let event = Event { subjects, ..event }.encode();
        let receipt = house.receipt(&event, NOW);
        let question = ReleaseKeys { request: request.clone(), event, receipt, series: all.to_vec() };
        let given = house.vault().release_keys(&question, NOW).unwrap();
        assert_eq!(given.refused, refused);
        assert_eq!(given.keys.len(), 32 * named.len());
    }
    // names neither
    let grant = house.grant(Purpose::BillQuestion, Action::ReadContacts);
    let scope = Scope { tenancies: Tenancies::All, areas: Areas::All, ..Scope::nothing() };
    let grant = Grant { scope, ..grant };
    let body = ContactsQuery { tenancies: vec![A.0.to_vec(), B.0.to_vec()] }.encode_to_vec();
    let request =
        grant::sign_request(&grant.sign(&house.warden), Action::ReadContacts, body, NOW, &house.session)
            .unwrap();
    let event = house.event(&grant, Action::ReadContacts, &request);
    let event = Event { subjects: vec![tag(&house, B).try_into().unwrap()], ..event }.encode();
    let receipt = house.receipt(&event, NOW);
    let question = ContactKeys { request, event, receipt, tenancies: vec![A.0.to_vec(), B.0.to_vec()] };
    let given = house.vault().contact_keys(&question, NOW).unwrap();
    assert_eq!(
        (given.refused.as_slice(), given.keys.len()),
        (&["not-in-event", ""].map(String::from)[..], 32)
    );
}

#[test]
fn each_release_is_told_with_its_entry_until_it_was_checked() {
    let mut house = settled();
    let all = [series(A, 2, Class::Daily, "2026-11"), series(B, 1, Class::Daily, "2026-11")];
    sealing(&house, &all);
    release(&house, &all);
    release(&house, &all[..1]);
    let newest = house.log.borrow().size() - 1;
    let told = unchecked(&house, 0);
    let entries: Vec<u64> = told.iter().map(|release| release.entry).collect();
    assert_eq!(entries, [newest - 1, newest]);
    assert_eq!(told[0].subjects, [tag(&house, A), tag(&house, B)]);
    assert_eq!((told[0].keys.as_slice(), told[1].keys.as_slice()), (&[1, 1][..], &[1][..]));
    house.restart();
    assert_eq!(unchecked(&house, 0), told, "also after a restart");
    assert_eq!(unchecked(&house, told[0].number), told[1..]);
    house.restart();
    assert_eq!(unchecked(&house, 0), told[1..], "what was checked is not told again");
    assert_eq!(unchecked(&house, told[1].number), vec![]);
    house.vault().gauge();
    assert_eq!(house.counters.get("releases.unchecked"), 0);
}

#[test]
fn of_whom_was_erased_there_is_no_tag_and_a_release_is_told_without_them() {
    let (house, officers) = lived();
    let before = tag(&house, A);
    assert_eq!(before.len(), 16);
    release(&house, &[series(A, 1, Class::Daily, "2026-10")]);
    house.erase(&officers, &of_a()).unwrap();
    assert_eq!(tag(&house, A), Vec::<u8>::new());
    let told = unchecked(&house, 0);
    assert!(!told.is_empty() && told.iter().all(|release| !release.subjects.contains(&before)), "{told:?}");
    // a change that names them begins them no more
    let grant = house.grant(Purpose::Register, Action::ChangeRegister);
    let change = house.asked(&grant, Action::ChangeRegister, vec![]).0;
    assert_eq!(tags(&house, &[A], change).unwrap(), [Vec::<u8>::new()]);
}

/// A customer's grant to see who looked at their data, and the request under it.
fn history(house: &House, of: &[TenancyId]) -> (Grant, Vec<u8>) {
    let grant = house.grant(Purpose::OwnData, Action::ReadHistory);
    let scope = Scope {
        tenancies: Tenancies::Only(of.iter().copied().collect()),
        areas: Areas::All,
        ..Scope::nothing()
    };
    let grant = Grant { scope, ..grant };
    let signed =
        grant::sign_request(&grant.sign(&house.warden), Action::ReadHistory, vec![], NOW, &house.session);
    (grant, signed.unwrap())
}

#[test]
fn what_was_sealed_for_a_data_subject_opens_for_their_history_alone_and_not_when_they_were_erased() {
    let house = settled();
    let sealing = || {
        let tenancies = vec![A.0.to_vec(), NEW.0.to_vec(), B.0.to_vec()];
        let question = SubjectTags { tenancies, beginning: Vec::new(), with_keys: true };
        house.vault().subject_tags(&question, NOW).unwrap()
    };
    let (first, second) = (sealing(), sealing());
    assert_eq!((first.key_id.len(), first.keys.len()), (16, 64), "none for who is not there");
    assert!(first.key_id != second.key_id && first.keys[..32] != second.keys[..32], "each call has its own");
    let (grant, request) = history(&house, &[A]);
    let ask = |named: &[TenancyId], of: &[(TenancyId, &[u8])]| {
        let subjects = named.iter().map(|of| tag(&house, *of).try_into().unwrap()).collect();
        let event = Event { subjects, ..house.event(&grant, Action::ReadHistory, &request) }.encode();
        let receipt = house.receipt(&event, NOW);
        let tenancies = of.iter().map(|(of, _)| of.0.to_vec()).collect();
        let ids = of.iter().map(|(_, id)| id.to_vec()).collect();
        let question = BodyKeys { request: request.clone(), event, receipt, tenancies, ids };
        house.vault().body_keys(&question, NOW)
    };
    let (one, other) = (first.key_id.as_slice(), second.key_id.as_slice());
    let given = ask(&[A], &[(A, one), (A, other), (B, one), (NEW, one)]).unwrap();
    assert_eq!(given.refused, ["", "", "not-in-scope", "not-in-scope"]);
    assert_eq!(given.keys, [&first.keys[..32], &second.keys[..32]].concat());
    let told = unchecked(&house, 0);
    assert_eq!(told.last().unwrap().keys, [1], "a person counts once, and it is held against the log");
    assert_eq!(ask(&[B], &[(A, one)]).unwrap().refused, ["not-in-event"]);
    assert_eq!(code(ask(&[A], &[(A, &one[..8])]).map(drop)), "malformed");
    // under any other grant there are none
    let reads = house.grant(Purpose::Operations, Action::ReadReadings);
    let (request, event, receipt) = house.asked(&reads, Action::ReadReadings, vec![]);
    let (tenancies, ids) = (vec![A.0.to_vec()], vec![one.to_vec()]);
    let question = BodyKeys { request, event, receipt, tenancies, ids };
    assert_eq!(code(house.vault().body_keys(&question, NOW).map(drop)), "other-action");
}
