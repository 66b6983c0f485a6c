//! Names and contacts: told beside a signed change, sealed, and shown under a grant of their own.

use wire::archive::{ROWS_SKIP_BAD, ROWS_TRY, ROWS_WHOLE, RegisterRow, RegisterRows, RowsAnswer, did};
use wire::contact::{AskedBeside, Contact, Contacts, ContactsAnswer, ContactsQuery, SetContact};

use super::*;

fn named(name: &str) -> Contact {
    let (address, mail, phone) = ("Nygade 1".to_owned(), format!("{name}@example.dk"), String::new());
    Contact { name: name.to_owned(), address, mail, phone }
}

fn beside(items: &[Contact]) -> Vec<u8> {
    Contacts { salt: vec![7; 32], items: items.to_vec() }.encode_to_vec()
}

fn lives(address: &str, place: &str, contact: u32, tenancy: &[u8]) -> RegisterRow {
    RegisterRow {
        address: address.to_owned(),
        place: place.to_owned(),
        customer: format!("K-{place}"),
        from_ms: Some(noon(2).0),
        contact,
        tenancy: tenancy.to_vec(),
        ..RegisterRow::default()
    }
}

fn list(rows: &[RegisterRow], mode: u32) -> RegisterChange {
    let rows = Some(RegisterRows { rows: rows.to_vec(), mode, source: "list.csv".to_owned() });
    RegisterChange { rows, ..RegisterChange::default() }
}

impl House {
    /// A change with contacts beside it, as a client makes it.
    async fn tell(&self, change: RegisterChange, items: &[Contact]) -> Result<RegisterAnswer, Refused> {
        let contacts = beside(items);
        let contacts_digest = seal::contact::digest_beside(&contacts).to_vec();
        let change = RegisterChange { contacts_digest, ..change };
        let Asked { request } = self.sign(&self.grant(Purpose::Register), Action::ChangeRegister, &change);
        self.call(Method::ArchiveRegister, &AskedBeside { request, contacts }).await
    }

    async fn set(&self, tenancy: TenancyId, contact: Contact) -> Result<RegisterAnswer, Refused> {
        let set = SetContact { tenancy: tenancy.0.to_vec(), contact: 1 };
        self.tell(RegisterChange { contacts: vec![set], ..RegisterChange::default() }, &[contact]).await
    }

    async fn who(&self, grant: &Grant, tenancies: &[TenancyId]) -> Result<ContactsAnswer, Refused> {
        let tenancies = tenancies.iter().map(|id| id.0.to_vec()).collect();
        let asked = self.sign(grant, Action::ReadContacts, &ContactsQuery { tenancies });
        self.call(Method::ArchiveContacts, &asked).await
    }

    fn for_names(&self, tenancies: Tenancies) -> Grant {
        let grant = self.grant(Purpose::BillQuestion);
        let scope = Scope { tenancies, ..Scope::nothing() };
        Grant { actions: [Action::ReadContacts].into(), scope, ..grant }
    }

    async fn taken(&self, rows: &[RegisterRow], mode: u32, items: &[Contact]) -> Result<RowsAnswer, Refused> {
        Ok(self.tell(list(rows, mode), items).await?.rows.unwrap())
    }
}

/// Two people, each at a place of their own.
async fn settled() -> (House, [TenancyId; 2]) {
    let house = house().await;
    let rows = [lives("KAM-11111111", "p", 0, &[]), lives("KAM-22222222", "q", 0, &[])];
    let answer = house.change(&list(&rows, ROWS_WHOLE)).await.unwrap().rows.unwrap();
    assert!(answer.done && answer.tenancies.iter().all(Vec::is_empty));
    let meters = house.archive.0.register.meters(MeterId(0), 10, UtcMillis(i64::MAX)).await.unwrap().1;
    let tenancy = |at: usize| meters[at].tenancies.last().unwrap().tenancy;
    (house, [tenancy(0), tenancy(1)])
}

#[tokio::test]
async fn who_may_sees_the_names_that_were_named_and_all_of_it_is_in_the_log_without_them() {
    let (house, [one, other]) = settled().await;
    assert_eq!(house.set(one, named("Åse")).await.unwrap().contacts, 1);
    assert_eq!(house.set(other, named("Bo")).await.unwrap().contacts, 1);
    let before = house.ledger.0.events().len();
    let answer = house.who(&house.for_names(Tenancies::All), &[one]).await.unwrap();
    let shown: Vec<_> =
        answer.contacts.iter().map(|c| (c.tenancy.clone(), c.contact.clone().unwrap())).collect();
    assert_eq!(shown, [(one.0.to_vec(), named("Åse"))]);
    let event = house.last_event();
    assert_eq!((house.ledger.0.events().len(), answer.receipt), (before + 1, before as u64));
    assert_eq!((event.action.as_str(), event.subjects.len(), event.data), ("read-contacts", 1, None));
    assert_eq!(event.detail, "1 contacts of 1 tenancies");
    // one told again is not sealed again, another one takes its place
    assert_eq!(house.set(one, named("Åse")).await.unwrap().unchanged, 1);
    assert_eq!(house.set(one, named("Åse-Ny")).await.unwrap().contacts, 1);
    let answer = house.who(&house.for_names(Tenancies::Only([one].into())), &[one]).await.unwrap();
    let newest = &answer.contacts[0];
    assert_eq!((newest.version, newest.contact.as_ref().unwrap()), (2, &named("Åse-Ny")));

    let refused = house.who(&house.for_names(Tenancies::Only([other].into())), &[one]).await.unwrap_err();
    assert_eq!((refused.code, house.last_event().outcome), ("not-in-scope", Outcome::Refused));
    let readings = house.grant(Purpose::Operations);
    assert_eq!(house.who(&readings, &[one]).await.unwrap_err().code, "action-not-in-grant");
    for bad in [
        vec![],
        vec![one; 1001].iter().enumerate().map(|(n, _)| TenancyId((n as u128).to_be_bytes())).collect(),
    ] {
        let refused = house.who(&house.for_names(Tenancies::All), &bad).await.unwrap_err();
        assert_eq!(refused.code, "malformed");
    }
    for event in house.ledger.0.events() {
        let text = format!("{event:?}");
        assert!(!text.contains("Åse") && !text.contains("Nygade") && !text.contains("example"), "{text}");
    }
}

#[tokio::test]
async fn without_the_log_or_the_key_no_name_is_shown_and_none_is_set() {
    let (house, [one, other]) = settled().await;
    house.set(one, named("Åse")).await.unwrap();
    house.ledger.0.behave(Behaviour::Down);
    let calls = house.vault_calls();
    assert_eq!(house.who(&house.for_names(Tenancies::All), &[one]).await.unwrap_err().code, "no-receipt");
    assert_eq!(house.set(other, named("Bo")).await.unwrap_err().code, "no-receipt");
    assert_eq!(house.vault_calls(), calls, "the vault was not even asked");
    house.ledger.0.behave(Behaviour::Good);
    let both = house.who(&house.for_names(Tenancies::All), &[one, other]).await.unwrap();
    assert_eq!(both.contacts.len(), 1);
    assert!(both.notes[0].contains("the register has no contact of"), "{:?}", both.notes);
    house.vault.0.without_name.lock().unwrap().push(one);
    let withheld = house.who(&house.for_names(Tenancies::All), &[one]).await.unwrap();
    assert!(withheld.contacts.is_empty() && withheld.notes[0].contains("withheld by the vault: erased"));
    let refused = house.set(one, named("Cy")).await.unwrap();
    assert!(refused.refused[0].contains("was erased") && refused.contacts == 0, "{refused:?}");
}

#[tokio::test]
async fn a_contact_that_was_moved_to_another_tenancy_does_not_open() {
    let (house, [one, other]) = settled().await;
    house.set(one, named("Åse")).await.unwrap();
    let lies = house.archive.0.register.contacts(&[one]).await.unwrap().remove(0);
    let mut change = house.archive.0.register.begin(0).await.unwrap();
    let moved = store::register::SealedContact { tenancy: other, ..lies };
    change.set_contact(&moved).await.unwrap();
    change.commit().await.unwrap();
    let answer = house.who(&house.for_names(Tenancies::All), &[other]).await.unwrap();
    assert!(answer.contacts.is_empty() && answer.notes[0].contains("does not open"), "{:?}", answer.notes);
}

#[tokio::test]
async fn names_of_a_list_are_sealed_with_their_rows_and_a_trial_says_whose_they_will_be() {
    let house = house().await;
    let rows = |tenancies: &[Vec<u8>]| {
        let tenancy = |at: usize| tenancies.get(at).map_or(&[][..], Vec::as_slice);
        [
            lives("KAM-11111111", "p", 1, tenancy(0)),
            lives("KAM-22222222", "q", 2, tenancy(1)),
            // a second meter of the first tenancy
            lives("KAM-33333333", "p", 1, tenancy(2)),
            lives("KAM-44444444", "r", 0, &[]),
        ]
    };
    let items = [named("Åse"), named("Bo")];
    let tried = house.change(&list(&rows(&[]), ROWS_TRY)).await.unwrap().rows.unwrap();
    let told: Vec<bool> = tried.did.iter().map(|bits| bits & did::CONTACT != 0).collect();
    assert_eq!((told, tried.done), (vec![true, true, true, false], false));
    assert_eq!(tried.tenancies[0], tried.tenancies[2]);
    assert!(tried.tenancies[3].is_empty() && tried.tenancies[0] != tried.tenancies[1]);
    assert_eq!(house.archive.0.register.size().await.unwrap().contacts, 0);

    let taken = house.taken(&rows(&tried.tenancies), ROWS_WHOLE, &items).await.unwrap();
    let sealed: Vec<bool> = taken.did.iter().map(|bits| bits & did::CONTACT != 0).collect();
    assert_eq!((sealed, taken.done), (vec![true, true, false, false], true), "one contact a tenancy");
    assert_eq!(taken.tenancies, tried.tenancies, "the trial told whose they will be");
    assert!(house.last_event().detail.ends_with("0 rows refused, contacts of 2 tenancies told"));
    let ids: Vec<TenancyId> =
        tried.tenancies[..2].iter().map(|id| TenancyId(id.as_slice().try_into().unwrap())).collect();
    let answer = house.who(&house.for_names(Tenancies::All), &ids).await.unwrap();
    let mut names: Vec<String> =
        answer.contacts.into_iter().map(|c| c.contact.unwrap().name.clone()).collect();
    names.sort();
    assert_eq!(names, ["Bo", "Åse"]);

    let again = house.taken(&rows(&tried.tenancies), ROWS_WHOLE, &items).await.unwrap();
    assert_eq!(again.did, [0, 0, 0, 0], "the same list changes nothing");
    let other =
        house.taken(&rows(&tried.tenancies), ROWS_WHOLE, &[named("Åse"), named("Bodil")]).await.unwrap();
    assert_eq!(other.did, [0, did::CONTACT, 0, 0]);
}

#[tokio::test]
async fn names_that_were_not_signed_or_are_somebody_elses_are_not_taken() {
    let (house, [one, other]) = settled().await;
    let change = RegisterChange {
        contacts: vec![SetContact { tenancy: one.0.to_vec(), contact: 1 }],
        contacts_digest: seal::contact::digest_beside(&beside(&[named("Åse")])).to_vec(),
        ..RegisterChange::default()
    };
    let Asked { request } = house.sign(&house.grant(Purpose::Register), Action::ChangeRegister, &change);
    let swapped = AskedBeside { request, contacts: beside(&[named("Bo")]) };
    let refused = house.call::<RegisterAnswer>(Method::ArchiveRegister, &swapped).await.unwrap_err();
    assert_eq!(refused.code, "contacts-mismatch");
    let plain = RegisterChange { contacts_digest: Vec::new(), ..change };
    assert_eq!(house.change(&plain).await.unwrap_err().code, "malformed", "a contact that is not there");

    // the register is not as the trial said
    let rows = [lives("KAM-11111111", "p", 1, &other.0)];
    let refused = house.taken(&rows, ROWS_WHOLE, &[named("Åse")]).await.unwrap_err();
    assert_eq!(refused.code, "register-changed");
    let bad = Contact { mail: "no mail".to_owned(), ..named("Åse") };
    let rows = [lives("KAM-11111111", "p", 1, &one.0)];
    let answer = house.taken(&rows, ROWS_SKIP_BAD, std::slice::from_ref(&bad)).await.unwrap();
    assert_eq!((answer.bad[0].column.as_str(), answer.bad[0].why.contains("no mail")), ("mail", false));
    let refused = house.set(one, bad).await.unwrap().refused;
    assert!(refused[0].contains("the mail address has no `@`"), "{refused:?}");
    let nobody =
        RegisterRow { customer: String::new(), from_ms: None, ..lives("KAM-11111111", "p", 1, &one.0) };
    let answer = house.taken(&[nobody], ROWS_SKIP_BAD, &[named("Åse")]).await.unwrap();
    assert_eq!(answer.bad[0].column, "name");
    let meters = house.archive.0.register.meters(MeterId(0), 1, UtcMillis(i64::MIN)).await.unwrap().1;
    let vacant = meters[0].tenancies[0].tenancy;
    let refused = house.set(vacant, named("Åse")).await.unwrap().refused;
    assert!(refused[0].contains("the utility's own tenancy"), "{refused:?}");
    let refused = house.set(TenancyId([9; 16]), named("Åse")).await.unwrap().refused;
    assert!(refused[0].contains("the register has no tenancy"), "{refused:?}");
    assert_eq!(house.archive.0.register.size().await.unwrap().contacts, 0);
}
