//! Keys of contacts go out for tenancies that somebody has signed for, and for no other.

use wire::archive::{RegisterChange, RegisterRow, RegisterRows};
use wire::contact::{ContactsQuery, SetContact};
use wire::vault::{ContactKeys, DataKeys};

use super::erasing::{lived, of_a};
use super::releasing::{A, B, release, sealing, series, settled};
use super::*;
use base::TenancyId;

fn ids(all: &[TenancyId]) -> Vec<Vec<u8>> {
    all.iter().map(|id| id.0.to_vec()).collect()
}

fn query(named: &[TenancyId]) -> Vec<u8> {
    ContactsQuery { tenancies: ids(named) }.encode_to_vec()
}

/// Asks for the keys of some under a request that names some.
fn ask(
    house: &House,
    (grant, action): (&Grant, Action),
    body: Vec<u8>,
    asked: &[TenancyId],
) -> Result<DataKeys, Failure> {
    let (request, event, receipt) = house.asked(grant, action, body);
    house.vault().contact_keys(&ContactKeys { request, event, receipt, tenancies: ids(asked) }, NOW)
}

/// A grant for names, as the warden mints it: no class, no month.
fn for_names(house: &House, tenancies: Tenancies) -> Grant {
    let grant = house.grant(Purpose::BillQuestion, Action::ReadContacts);
    Grant { scope: Scope { tenancies, areas: Areas::All, ..Scope::nothing() }, ..grant }
}

fn read(house: &House, named: &[TenancyId], asked: &[TenancyId]) -> DataKeys {
    let grant = for_names(house, Tenancies::All);
    ask(house, (&grant, Action::ReadContacts), query(named), asked).unwrap()
}

#[test]
fn an_archive_that_asks_for_contacts_of_others_than_the_request_names_gets_none_of_their_keys() {
    let mut house = settled();
    let given = read(&house, &[A], &[A, B]);
    assert_eq!((given.refused.as_slice(), given.keys.len()), (&["", "not-named"].map(String::from)[..], 32));
    assert_eq!(house.counters.get("contact-keys.refused.not-named"), 1);
    // named, and yet not granted
    let of_a = for_names(&house, Tenancies::Only([A].into()));
    let given = ask(&house, (&of_a, Action::ReadContacts), query(&[A, B]), &[A, B]).unwrap();
    assert_eq!(
        (given.refused.as_slice(), given.keys.len()),
        (&["", "not-in-scope"].map(String::from)[..], 32)
    );
    let unknown = TenancyId([9; 16]);
    assert_eq!(read(&house, &[unknown], &[unknown]).refused, ["unknown-tenancy"]);
    // each tenancy has its own, which no series has, and which lies nowhere
    let both = read(&house, &[A, B], &[A, B]).keys;
    assert_ne!(both[..32], both[32..]);
    let data = sealing(&house, &[series(A, 2, Class::Daily, "2026-11")]).keys;
    assert!(!both.chunks(32).any(|key| key == data) && both.chunks(32).all(|key| !has(&house.disk, key)));
    house.restart();
    assert_eq!(read(&house, &[A, B], &[A, B]).keys, both, "what was sealed still opens");
    house.vault().gauge();
    assert_eq!(house.counters.get("keys.released"), 6, "each is counted, durably");
}

#[test]
fn contacts_are_set_for_tenancies_that_the_signed_change_names() {
    let house = settled();
    let grant = house.grant(Purpose::Register, Action::ChangeRegister);
    let change = (&grant, Action::ChangeRegister);
    let set = SetContact { tenancy: A.0.to_vec(), contact: 1 };
    let body = RegisterChange { contacts: vec![set], ..RegisterChange::default() }.encode_to_vec();
    let given = ask(&house, change, body, &[A, B]).unwrap();
    assert_eq!(given.refused, ["", "not-named"]);
    assert_eq!(given.keys, read(&house, &[A], &[A]).keys, "what is sealed with it opens");
    let row = |tenancy: TenancyId, contact| RegisterRow {
        tenancy: tenancy.0.to_vec(),
        contact,
        ..RegisterRow::default()
    };
    let rows = RegisterRows { rows: vec![row(B, 1), row(A, 0)], ..RegisterRows::default() };
    let body = RegisterChange { rows: Some(rows), ..RegisterChange::default() }.encode_to_vec();
    let given = ask(&house, change, body, &[B, A]).unwrap();
    assert_eq!(given.refused, ["", "not-named"], "a row without a contact names nobody");
    // a change that tells no names opens none
    let given = ask(&house, change, RegisterChange::default().encode_to_vec(), &[A]).unwrap();
    assert_eq!((given.refused.as_slice(), given.keys.len()), (&["not-named".to_owned()][..], 0));
}

#[test]
fn no_other_grant_and_no_missing_proof_opens_a_contact() {
    let house = settled();
    let grant = for_names(&house, Tenancies::All);
    let (request, event, receipt) = house.asked(&grant, Action::ReadContacts, query(&[A]));
    let asks = |request: &[u8], event: &[u8], receipt: &[u8], now| {
        let (request, event, receipt) = (request.to_vec(), event.to_vec(), receipt.to_vec());
        house.vault().contact_keys(&ContactKeys { request, event, receipt, tenancies: ids(&[A]) }, now)
    };
    assert_eq!(code(asks(&[], &event, &receipt, NOW)), "no-grant");
    assert_eq!(code(asks(&request, &event, &[], NOW)), "no-receipt");
    assert_eq!(code(asks(&request, &event, &receipt, NOW.plus(6 * 60_000))), "request-stale");
    let other = House::new();
    let (forged, ..) = other.asked(&grant, Action::ReadContacts, query(&[A]));
    assert_eq!(code(asks(&forged, &event, &receipt, NOW)), "grant-forged");
    let by_steward =
        Event { actor: "steward".to_owned(), ..house.event(&grant, Action::ReadContacts, &request) };
    let by_steward = by_steward.encode();
    let taken = house.receipt(&by_steward, NOW);
    assert_eq!(code(asks(&request, &by_steward, &taken, NOW)), "event-of-another-actor");
    // who may read readings sees no name, and who sees names no readings
    let readings = house.grant(Purpose::BillQuestion, Action::ReadReadings);
    assert_eq!(code(ask(&house, (&readings, Action::ReadReadings), query(&[A]), &[A])), "other-action");
    let question = wire::vault::ReleaseKeys {
        request: request.clone(),
        event: event.clone(),
        receipt: receipt.clone(),
        series: vec![series(A, 2, Class::Daily, "2026-11")],
    };
    assert_eq!(code(house.vault().release_keys(&question, NOW)), "other-action");
    let many = vec![A; 4097];
    assert_eq!(code(ask(&house, (&grant, Action::ReadContacts), query(&[A]), &many)), "malformed");
    assert!(asks(&request, &event, &receipt, NOW).is_ok());
}

#[test]
fn names_count_under_the_ceilings_of_who_reads_them() {
    let mut house = settled();
    house.caps.person.keys = 3;
    house.restart();
    assert_eq!(read(&house, &[A, B], &[A, B]).keys.len(), 64);
    let grant = for_names(&house, Tenancies::All);
    let again = ask(&house, (&grant, Action::ReadContacts), query(&[A, B]), &[A, B]);
    assert_eq!(code(again), "ceiling");
    house.restart();
    let again = ask(&house, (&grant, Action::ReadContacts), query(&[A, B]), &[A, B]);
    assert_eq!(code(again), "ceiling", "a restart refills nothing");
    let (request, event, receipt) =
        house.asked(&house.grant(Purpose::Operations, Action::ReadReadings), Action::ReadReadings, vec![]);
    sealing(&house, &[series(A, 2, Class::Daily, "2026-11"), series(B, 1, Class::Daily, "2026-11")]);
    let all = vec![series(A, 2, Class::Daily, "2026-11"), series(B, 1, Class::Daily, "2026-11")];
    let question = wire::vault::ReleaseKeys { request, event, receipt, series: all };
    assert_eq!(code(house.vault().release_keys(&question, NOW)), "ceiling", "names and readings together");
}

#[test]
fn who_is_erased_has_no_name_any_more_and_others_keep_theirs() {
    let (mut house, officers) = lived();
    let before = read(&house, &[B], &[B]).keys;
    assert_eq!(read(&house, &[A], &[A]).refused, [""]);
    house.erase(&officers, &of_a()).unwrap();
    for _ in 0..2 {
        let given = read(&house, &[A, B], &[A, B]);
        assert_eq!(
            (given.refused.as_slice(), given.keys.as_slice()),
            (&["erased", ""].map(String::from)[..], &before[..])
        );
        let set = SetContact { tenancy: A.0.to_vec(), contact: 1 };
        let body = RegisterChange { contacts: vec![set], ..RegisterChange::default() }.encode_to_vec();
        let grant = house.grant(Purpose::Register, Action::ChangeRegister);
        assert_eq!(ask(&house, (&grant, Action::ChangeRegister), body, &[A]).unwrap().refused, ["erased"]);
        house.restart();
    }
    assert_eq!(release(&house, &[series(B, 1, Class::Daily, "2026-11")]).refused, [""]);
}
