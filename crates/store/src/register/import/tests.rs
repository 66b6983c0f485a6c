use base::{MeterId, Resolution};

use super::*;
use crate::register::{Register, RegisteredMeter};

const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

async fn fresh() -> (tempfile::TempDir, Register) {
    let folder = tempfile::tempdir().unwrap();
    let register = Register::open(&folder.path().join("register.db")).await.unwrap();
    (folder, register)
}

fn row(address: &str, place: &str) -> Entry {
    Entry {
        address: address.parse().unwrap(),
        place: place.into(),
        area: None,
        customer: None,
        from: None,
        until: None,
        resolution: None,
        clear: None,
        contact: false,
    }
}

fn lives(address: &str, place: &str, customer: &str, from: i64, until: Option<i64>) -> Entry {
    let (customer, from, until) = (Some(customer.to_owned()), Some(UtcMillis(from)), until.map(UtcMillis));
    Entry { customer, from, until, ..row(address, place) }
}

async fn import(register: &Register, entries: &[Entry], rows: Rows) -> Imported {
    let mut change = register.begin(u32::try_from(entries.len()).unwrap()).await.unwrap();
    let imported = change.import(entries, rows, NOW).await.unwrap();
    change.commit().await.unwrap();
    imported
}

async fn all_of(register: &Register) -> Vec<RegisteredMeter> {
    register.meters(MeterId(0), 100, UtcMillis(i64::MIN)).await.unwrap().1
}

fn chain(meter: &RegisteredMeter) -> Vec<(i64, Option<i64>, bool)> {
    meter.tenancies.iter().map(|s| (s.from.0, s.until.map(|u| u.0), s.vacant)).collect()
}

fn did(imported: &Imported) -> Vec<u32> {
    imported.rows.iter().map(|r| r.clone().unwrap().0).collect()
}

/// What the one bad row says.
fn why(imported: &Imported) -> (&'static str, String) {
    let mut bad = imported.rows.iter().filter_map(|r| r.clone().err());
    let (Some(one), None) = (bad.next(), bad.next()) else { panic!("{imported:?}") };
    (one.column, one.why)
}

/// Readings may have been sealed at a place that was there, and at no other.
#[tokio::test]
async fn a_tenancy_that_begins_at_a_place_that_was_there_is_a_move_that_may_be_late() {
    let (_folder, register) = fresh().await;
    let first = import(&register, &[lives("KAM-00000001", "p", "A", 1000, None)], Rows::Whole).await;
    assert!(first.moves.is_empty(), "nothing was heard at a place that was not there");
    let next = [lives("KAM-00000001", "p", "B", 2000, None), lives("KAM-00000002", "q", "C", 2000, None)];
    assert!(import(&register, &next, Rows::Try).await.moves.is_empty());
    let done = import(&register, &next, Rows::Whole).await;
    assert_eq!(done.moves.iter().map(|moved| moved.at).collect::<Vec<_>>(), [UtcMillis(2000)]);
}

#[tokio::test]
async fn a_list_fills_an_empty_register_and_changes_nothing_the_second_time() {
    let (_folder, register) = fresh().await;
    let list = [
        Entry {
            area: Some("Nord".parse().unwrap()),
            resolution: Some(Resolution::All),
            ..lives("KAM-00000001", "p", "A", 1000, None)
        },
        lives("KAM-00000002", "p", "A", 1000, None),
        lives("KAM-00000001", "p", "B", 2000, Some(3000)),
        Entry { clear: Some(true), ..row("KAM-00000003", "q") },
    ];
    let tried = import(&register, &list, Rows::Try).await;
    assert_eq!((register.version(), tried.spans.len()), (1, 0), "a trial changes nothing");
    let done = import(&register, &list, Rows::Whole).await;
    assert_eq!(did(&tried), did(&done), "a trial says just what the change does");
    let bits = |of: &[Did]| of.iter().fold(0, |sum, bit| sum | bit.0);
    assert_eq!(
        did(&done),
        [
            bits(&[Did::METER, Did::PLACE, Did::AREA, Did::BEGAN]),
            bits(&[Did::METER]),
            bits(&[Did::BEGAN, Did::ENDED]),
            bits(&[Did::METER, Did::PLACE])
        ]
    );
    let meters = all_of(&register).await;
    let of_p =
        [(0, Some(1000), true), (1000, Some(2000), false), (2000, Some(3000), false), (3000, None, true)];
    assert_eq!(chain(&meters[0]), of_p);
    assert_eq!(chain(&meters[1]), of_p);
    assert_eq!(chain(&meters[2]), [(0, None, true)]);
    assert_eq!(
        (meters[0].area.as_ref().map(Area::as_str), meters[0].resolution, meters[2].clear),
        (Some("Nord"), Some(Resolution::All), true)
    );
    let size = register.size().await.unwrap();
    assert_eq!((size.meters, size.places, size.customers), (3, 2, 2));
    // the vault hears of each meter's tenancies
    let told: Vec<_> = meters.iter().flat_map(|m| m.tenancies.clone()).collect();
    assert_eq!(done.spans, told);

    let version = register.version();
    for again in [&list[..], &[lives("KAM-00000001", "p", "B", 2000, None)]] {
        let again = import(&register, again, Rows::Whole).await;
        assert!(did(&again).iter().all(|did| *did == 0) && again.spans.is_empty(), "{again:?}");
    }
    assert_eq!(register.version(), version);
}

#[tokio::test]
async fn what_contradicts_the_register_is_refused_with_both_sides() {
    let (_folder, register) = fresh().await;
    let list = [lives("KAM-00000001", "p", "A", 86_400_000, Some(172_800_000)), row("KAM-00000002", "q")];
    import(&register, &list, Rows::Whole).await;
    import(&register, &[lives("KAM-00000002", "q", "C", 86_400_000, None)], Rows::Whole).await;
    for (bad, column, said) in [
        (row("KAM-00000001", "q"), "place", "is at `p`, and the list says `q`"),
        (
            lives("KAM-00000001", "p", "B", 86_400_000, None),
            "customer",
            "is that of `A`, and the list says `B`",
        ),
        (
            lives("KAM-00000001", "p", "A", 86_400_000, Some(259_200_000)),
            "until",
            "ended on 1970-01-03T00:00:00.000Z, and the list says 1970-01-04",
        ),
        (lives("KAM-00000001", "p", "B", 172_800_000, None), "from", "vacant since 1970-01-03"),
        (
            lives("KAM-00000001", "p", "B", 100_000_000, None),
            "from",
            "1970-01-03T00:00:00.000Z, and the list says that another one began on 1970-01-02T03:46:40",
        ),
        (
            lives("KAM-00000002", "q", "C", 172_800_000, None),
            "from",
            "has `q` since 1970-01-02T00:00:00.000Z, and the list says since 1970-01-03",
        ),
        (Entry { clear: Some(true), ..row("KAM-00000001", "p") }, "clear", "sends encrypted"),
        (Entry { customer: Some("A".into()), ..row("KAM-00000001", "p") }, "from", "no day"),
        (Entry { from: Some(UtcMillis(5)), ..row("KAM-00000001", "p") }, "customer", "no customer"),
        (lives("KAM-00000001", "p", "Z", 9000, Some(9000)), "until", "has to end after"),
        (lives("KAM-00000001", "p", "Z", -5, None), "from", "older"),
        (row("KAM-00000009", ""), "place", "1 to 200"),
        (row("KAM-00000009", "unplaced KAM-00000009"), "place", "own word"),
    ] {
        let version = register.version();
        let list = [bad.clone(), row("KAM-00000007", "new")];
        let refused = import(&register, &list, Rows::Whole).await;
        let (at, why) = why(&refused);
        assert_eq!(at, column, "{bad:?}: {why}");
        assert!(why.contains(said), "{why}");
        assert_eq!(register.version(), version, "one bad row holds the others back");
    }
    let skipped =
        import(&register, &[row("KAM-00000001", "q"), row("KAM-00000007", "new")], Rows::SkipBad).await;
    assert!(skipped.rows[0].is_err() && skipped.rows[1].is_ok());
    assert_eq!(register.size().await.unwrap().meters, 3);
}

#[tokio::test]
async fn a_meter_without_a_place_gets_the_one_of_the_list_from_now_on() {
    let (_folder, register) = fresh().await;
    let mut change = register.begin(2).await.unwrap();
    for address in ["KAM-00000001-1B-16", "KAM-00000002-1B-16"] {
        let meter = crate::register::NewMeter {
            address: address.parse().unwrap(),
            place: format!("unplaced {address}"),
            area: None,
            resolution: None,
            clear: false,
        };
        change.add_meter(&meter, NOW).await.unwrap();
    }
    change.commit().await.unwrap();
    let before = all_of(&register).await;
    // both hang at one place, which is new; the list has no version and type
    let list = [lives("KAM-00000001", "p", "A", 1000, None), lives("KAM-00000002", "p", "A", 1000, None)];
    let done = import(&register, &list, Rows::Whole).await;
    assert_eq!(did(&done)[1], Did::PLACED.0);
    let after = all_of(&register).await;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((after.id, after.place.as_str()), (before.id, "p"));
        // what was heard before stays with the tenancy under which it is sealed
        assert_eq!(chain(after), [(0, Some(NOW.0), true), (NOW.0, None, false)]);
        assert_eq!(after.tenancies[0].tenancy, before.tenancies[0].tenancy);
    }
    assert_eq!(after[0].tenancies[1].tenancy, after[1].tenancies[1].tenancy, "one tenancy of one place");
    assert_eq!(done.spans, [&after[0].tenancies[..], &after[1].tenancies[..]].concat());
    let again = import(&register, &list, Rows::Whole).await;
    assert_eq!(did(&again), [0, 0]);
    // a later move ends the tenancy for both
    let mut change = register.begin(0).await.unwrap();
    let moved = change.move_at("p", NOW.plus(5000), true).await.unwrap();
    change.commit().await.unwrap();
    assert_eq!(moved.spans.len(), 4);
    assert_eq!(
        chain(&all_of(&register).await[0])[1..],
        [(NOW.0, Some(NOW.0 + 5000), false), (NOW.0 + 5000, None, true)]
    );
}

#[tokio::test]
async fn a_change_that_was_cut_off_makes_the_same_tenancies_when_it_is_made_again() {
    let (_folder, register) = fresh().await;
    import(&register, &[row("KAM-00000001", "p")], Rows::Whole).await;
    let list = [lives("KAM-00000001", "p", "A", 1000, Some(2000))];
    let mut change = register.begin(1).await.unwrap();
    let told = change.import(&list, Rows::Whole, NOW).await.unwrap().spans;
    drop(change);
    assert_eq!(chain(&all_of(&register).await[0]), [(0, None, true)]);
    assert_eq!(import(&register, &list, Rows::Whole).await.spans, told, "the vault knows them already");
}

#[tokio::test]
async fn a_tenancy_that_was_there_without_a_customer_gets_one() {
    let (_folder, register) = fresh().await;
    import(&register, &[row("KAM-00000001", "p")], Rows::Whole).await;
    let mut change = register.begin(0).await.unwrap();
    change.move_at("p", UtcMillis(1000), false).await.unwrap();
    change.commit().await.unwrap();
    let list = [lives("KAM-00000001", "p", "A", 1000, None)];
    assert_eq!(did(&import(&register, &list, Rows::Whole).await), [Did::CUSTOMER.0]);
    assert_eq!(did(&import(&register, &list, Rows::Whole).await), [0]);
}

/// The vault is asked by what a trial said, so the trial has to be right, also for places that are not there yet.
#[tokio::test]
async fn a_trial_tells_the_tenancies_that_rows_with_a_name_will_have() {
    let (_folder, register) = fresh().await;
    import(&register, &[lives("KAM-00000001", "p", "A", 1000, Some(2000))], Rows::Whole).await;
    let named = |entry: Entry| Entry { contact: true, ..entry };
    let rows = [
        named(lives("KAM-00000001", "p", "A", 1000, Some(2000))),
        row("KAM-00000009", "elsewhere"),
        row("KAM-00000008", "p x"),
        named(lives("KAM-00000002", "new", "B", 1000, None)),
        named(lives("KAM-00000008", "wrong", "B", 1000, None)),
        named(lives("KAM-00000003", "newer", "C", 1000, Some(3000))),
        named(lives("KAM-00000004", "new", "B", 1000, None)),
        named(lives("KAM-00000001", "p", "D", 5000, None)),
        named(row("KAM-00000005", "vacant")),
        lives("KAM-00000006", "silent", "E", 1000, None),
    ];
    let mut change = register.begin(0).await.unwrap();
    let tried = change.import(&rows, Rows::Try, NOW).await.unwrap().tenancies;
    drop(change);
    let imported = import(&register, &rows, Rows::SkipBad).await;
    assert_eq!(imported.tenancies, tried);
    let bad: Vec<usize> =
        imported.rows.iter().enumerate().filter(|(_, r)| r.is_err()).map(|(at, _)| at).collect();
    assert_eq!(bad, [4, 8]);
    let there: Vec<bool> = tried.iter().map(Option::is_some).collect();
    assert_eq!(there, [true, false, false, true, false, true, true, true, false, false]);
    assert_eq!(tried[3], tried[6], "two meters of one tenancy");
    let mut change = register.begin(0).await.unwrap();
    for tenancy in tried.iter().flatten() {
        change.somebodys(*tenancy).await.unwrap();
    }
}

#[tokio::test]
async fn sealed_contacts_are_replaced_by_newer_ones_alone_and_go_with_their_tenancy() {
    let (_folder, register) = fresh().await;
    let rows = [lives("KAM-00000001", "p", "A", 1000, None), lives("KAM-00000002", "q", "B", 1000, None)];
    let rows = rows.map(|entry| Entry { contact: true, ..entry });
    let tenancies: Vec<TenancyId> =
        import(&register, &rows, Rows::Whole).await.tenancies.into_iter().flatten().collect();
    let contact = |at: usize, version: u32| crate::register::SealedContact {
        tenancy: tenancies[at],
        version,
        sealed: vec![u8::try_from(version).unwrap(); 60],
        told: NOW,
    };
    let mut change = register.begin(0).await.unwrap();
    change.set_contact(&contact(0, 1)).await.unwrap();
    change.set_contact(&contact(1, 1)).await.unwrap();
    change.set_contact(&contact(0, 2)).await.unwrap();
    change.commit().await.unwrap();
    let mut change = register.begin(0).await.unwrap();
    assert!(change.set_contact(&contact(0, 2)).await.is_err(), "an older one comes back");
    drop(change);
    let all = register.contacts(&tenancies).await.unwrap();
    assert!(all.len() == 2 && all.contains(&contact(0, 2)) && all.contains(&contact(1, 1)), "{all:?}");
    let mut change = register.begin(0).await.unwrap();
    assert_eq!(change.erase_contacts(&tenancies[..1]).await.unwrap(), 1);
    change.commit().await.unwrap();
    assert_eq!(register.contacts(&tenancies).await.unwrap(), [contact(1, 1)]);
    assert_eq!(register.size().await.unwrap().contacts, 1);
}
