//! Questions about a place: what all meters that hung there showed while they did, as one count.

use wire::archive::{JoinedMeter, MeterReading};
use wire::intake::{Number, Record, Value};

use super::registering::exchange;
use super::*;

const OLD: &str = "KAM-11111111-1B-16";
const NEW: &str = "KAM-44444444-1B-16";
const HOUR: i64 = DAY / 24;
/// The meters by their numbers in the register.
const OLD_ID: u32 = 1;
const NEW_ID: u32 = 3;

fn volume(unit: u32, thousandths: i64) -> Record {
    let value = Some(Value::Number(Number { mantissa: thousandths, exponent: -3 }));
    Record { quantity: 2, unit, value, ..Default::default() }
}

fn place() -> ReadingsQuery {
    ReadingsQuery { place: "place-1".to_owned(), ..daily() }
}

fn exchanges(exchanges: Vec<Exchange>) -> RegisterChange {
    RegisterChange { exchanges, ..Default::default() }
}

/// Tenancies of a place where a meter was exchanged three days ago.
struct Exchanged {
    house: House,
    tenancy: TenancyId,
    old_after: TenancyId,
    new_before: TenancyId,
}

/// A house where meter 1 at `place-1` was exchanged, with readings of both meters before and after.
async fn exchanged() -> Exchanged {
    let house = house().await;
    house.add(&[(OLD, "place-1"), ("KAM-22222222-1B-16", "place-2"), (NEW, "")]).await;
    let (tenancy, new_before) = (house.tenancy_of(OLD_ID).await, house.tenancy_of(NEW_ID).await);
    let answer = house.change(&exchanges(vec![exchange(OLD, NEW, noon(3))])).await.unwrap();
    assert_eq!(answer.refused, Vec::<String>::new());
    let old_after = house.tenancy_of(OLD_ID).await;
    let rows = [
        (OLD_ID, tenancy, noon(5), 2_840_000),
        (OLD_ID, tenancy, noon(4), 2_850_000),
        (OLD_ID, old_after, noon(1), 2_850_427),
        (NEW_ID, new_before, noon(4), 12),
        // in the store room still, on the day of the exchange
        (NEW_ID, new_before, noon(3).plus(-HOUR), 12),
        (NEW_ID, tenancy, noon(2), 1_012),
        (NEW_ID, tenancy, noon(1), 3_512),
    ];
    let rows: Vec<_> =
        rows.iter().map(|(m, t, at, shows)| sealed_with((*m, *t), *at, 0, volume(1, *shows))).collect();
    store(&house.readings_file(), 1, &rows).await;
    Exchanged { house, tenancy, old_after, new_before }
}

/// When each was heard, with what it is continued to.
fn counts(answer: &Readings) -> Vec<(i64, Option<i64>)> {
    let count = |item: &MeterReading| {
        let value = item.continued.map(|continued| {
            let value = continued.value.unwrap();
            assert_eq!((continued.record, value.exponent), (0, -3));
            value.mantissa
        });
        (item.reading.as_ref().unwrap().heard_ms, value)
    };
    answer.readings.iter().map(count).collect()
}

#[tokio::test]
async fn the_count_of_a_place_goes_on_over_an_exchange_and_says_what_was_joined() {
    let Exchanged { house, .. } = exchanged().await;
    let answer = house.ask(&place()).await.unwrap();
    let all = [
        (noon(1).0, Some(2_853_927)),
        (noon(2).0, Some(2_851_427)),
        (noon(4).0, Some(2_850_000)),
        (noon(5).0, Some(2_840_000)),
    ];
    assert_eq!(counts(&answer), all, "of both meters while they hung there");
    assert!(answer.readings.iter().all(|r| r.place == "place-1"), "{answer:?}");
    assert_eq!(answer.readings.iter().map(|r| r.joined).collect::<Vec<_>>(), [2, 2, 1, 1]);
    let index = |mantissa, exponent| Some(Index { mantissa, exponent });
    let [old, new] = answer.joined.as_slice() else { panic!("{:?}", answer.joined) };
    let at = noon(3).0;
    assert_eq!((old.series, old.from_ms, old.until_ms, old.unit), (1, 0, Some(at), 1));
    assert_eq!((old.opening, old.closing, old.carry), (None, index(2_850_427, -3), index(0, 0)));
    assert_eq!((new.series, new.from_ms, new.until_ms, new.unit), (1, at, None, 1));
    assert_eq!((new.opening, new.closing, new.carry), (index(12, -3), None, index(2_850_415, -3)));
    assert!(answer.notes.is_empty() && old.why.is_empty() && new.why.is_empty(), "{answer:?}");
    assert!(house.last_event().detail.contains("of 2 meters of a place"), "{:?}", house.last_event());

    let other = house.ask(&ReadingsQuery { place: "place-2".to_owned(), ..daily() }).await.unwrap();
    assert!(other.readings.is_empty() && other.joined.len() == 1);
    // a time after the exchange: the count is the same, and the indices are not told
    let after = house.ask(&ReadingsQuery { from_ms: noon(2).0, ..place() }).await.unwrap();
    assert_eq!(counts(&after), all[..2]);
    let [new] = after.joined.as_slice() else { panic!("{:?}", after.joined) };
    assert_eq!((new.opening, new.carry), (None, index(2_850_415, -3)));
    // what was heard on the day of the exchange before it was hung is looked at, too
    let some = house.ask(&ReadingsQuery { limit: 4, ..place() }).await.unwrap();
    assert_eq!((counts(&some).as_slice(), some.more), (&all[..3], true));
}

#[tokio::test]
async fn the_newest_reading_of_a_place_is_that_of_the_meter_that_hung_there() {
    let Exchanged { house, .. } = exchanged().await;
    let latest = ReadingsQuery { latest: true, ..place() };
    assert_eq!(counts(&house.ask(&latest).await.unwrap()), [(noon(1).0, Some(2_853_927))]);
    for (until, newest) in [
        (noon(2), (noon(4).0, Some(2_850_000))),
        (noon(2).plus(1), (noon(2).0, Some(2_851_427))),
        (noon(4), (noon(5).0, Some(2_840_000))),
    ] {
        let answer = house.ask(&ReadingsQuery { until_ms: until.0, ..latest.clone() }).await.unwrap();
        assert_eq!(counts(&answer), [newest], "until {until}");
    }
}

#[tokio::test]
async fn an_exchanged_meters_readings_show_the_place_where_it_hung_then() {
    let Exchanged { house, old_after, .. } = exchanged().await;
    let meter = ReadingsQuery { meters: vec![OLD.to_owned()], ..daily() };
    let answer = house.ask(&meter).await.unwrap();
    let nowhere = format!("unplaced {OLD}");
    let places: Vec<&str> = answer.readings.iter().map(|r| r.place.as_str()).collect();
    assert_eq!(places, [nowhere.as_str(), "place-1", "place-1"]);
    assert!(answer.joined.is_empty() && answer.readings.iter().all(|r| r.continued.is_none()));
    let all = house.ask(&daily()).await.unwrap();
    let of_new: Vec<_> =
        all.readings.iter().filter(|r| r.address[2] == 0x44).map(|r| r.place.clone()).collect();
    let store_room = format!("unplaced {NEW}");
    assert_eq!(of_new, ["place-1", "place-1", &store_room, &store_room]);
    // who has the store room alone sees no place's name
    let mut grant = house.grant(Purpose::Operations);
    grant.scope.tenancies = Tenancies::Only([old_after].into());
    let answer = house.ask_under(&grant, &meter).await.unwrap();
    assert_eq!(heard(&answer), [(nowhere, noon(1).0)]);
}

#[tokio::test]
async fn whose_tenancy_began_after_an_exchange_is_told_nothing_of_it() {
    let Exchanged { house, tenancy, .. } = exchanged().await;
    let at = noon(2).plus(HOUR);
    let moves = vec![Move { place: "place-1".to_owned(), at_ms: at.0, vacant: false }];
    house.change(&RegisterChange { moves, ..Default::default() }).await.unwrap();
    let begun = house.tenancy_of(NEW_ID).await;
    let moved = sealed_with((NEW_ID, begun), noon(1), 0, volume(1, 3_512));
    store(&house.readings_file(), 2, &[moved]).await;
    let ask = async |tenancies: &[TenancyId]| {
        let mut grant = house.grant(Purpose::Operations);
        grant.scope.tenancies = Tenancies::Only(tenancies.iter().copied().collect());
        house.ask_under(&grant, &place()).await.unwrap()
    };
    let own = ask(&[begun]).await;
    assert_eq!(counts(&own), [(noon(1).0, Some(3_512))], "the count begins with their own meter");
    let [joined] = own.joined.as_slice() else { panic!("{:?}", own.joined) };
    assert_eq!((joined.from_ms, joined.opening, joined.carry.unwrap().mantissa), (at.0, None, 0));
    assert_eq!(house.last_event().subjects, [tag_of(begun)]);

    let before = ask(&[tenancy]).await;
    let shown: Vec<i64> = counts(&before).iter().map(|(heard, _)| *heard).collect();
    assert_eq!(shown, [noon(2).0, noon(4).0, noon(5).0], "and who moved out sees nothing after");
    assert_eq!(before.joined.last().unwrap().until_ms, Some(at.0));
    let nobodys = ask(&[TenancyId([9; 16])]).await;
    assert!(nobodys.readings.is_empty() && nobodys.joined.is_empty() && nobodys.notes.is_empty());
    assert!(house.last_event().subjects.is_empty());
}

#[tokio::test]
async fn what_is_not_sealed_anew_yet_is_said_and_not_shown() {
    let Exchanged { house, new_before, .. } = exchanged().await;
    let waiting = sealed_with((NEW_ID, new_before), noon(3).plus(DAY + HOUR), 0, volume(1, 2_000));
    store(&house.readings_file(), 2, &[waiting]).await;
    let answer = house.ask(&place()).await.unwrap();
    assert_eq!(answer.readings.len(), 4);
    assert!(answer.notes.len() == 1 && answer.notes[0].contains("being sealed anew"), "{:?}", answer.notes);
}

#[tokio::test]
async fn a_count_in_another_unit_is_not_continued_and_the_answer_says_why() {
    let house = house().await;
    house.add(&[(OLD, "place-1"), (NEW, ""), ("KAM-55555555-1B-16", "")]).await;
    let in_feet = exchange(NEW, "KAM-55555555-1B-16", noon(2));
    let feet = u32::from(base::Unit::CubicFoot.code());
    let told = vec![exchange(OLD, NEW, noon(4)), Exchange { unit: feet, ..in_feet }];
    assert_eq!(house.change(&exchanges(told)).await.unwrap().exchanged, 2);
    let tenancy = house.tenancy_of(3).await;
    let rows = [
        sealed_with((1, tenancy), noon(5), 0, volume(1, 2_840_000)),
        sealed_with((2, tenancy), noon(3), 0, volume(feet, 50)),
        sealed_with((3, tenancy), noon(1), 0, volume(feet, 60)),
    ];
    store(&house.readings_file(), 1, &rows).await;
    let answer = house.ask(&place()).await.unwrap();
    assert_eq!(
        counts(&answer),
        [(noon(1).0, None), (noon(3).0, None), (noon(5).0, Some(2_840_000))],
        "what was read is shown all the same"
    );
    let carried: Vec<bool> = answer.joined.iter().map(|one| one.carry.is_some()).collect();
    assert_eq!(carried, [true, true, false]);
    let why = &answer.joined[2].why;
    assert!(why.contains("ft3") && why.contains("m3"), "{why}");
    let [note] = answer.notes.as_slice() else { panic!("{:?}", answer.notes) };
    assert!(note.contains("1 readings have no register in the unit"), "{note}");
}

#[tokio::test]
async fn a_place_outside_the_scope_or_unknown_is_refused_by_name() {
    let Exchanged { house, .. } = exchanged().await;
    let unknown = ReadingsQuery { place: "place-9".to_owned(), ..daily() };
    let refused = house.ask(&unknown).await.unwrap_err();
    assert!(refused.code == "unknown-place" && refused.to_string().contains("`place-9`"), "{refused}");
    assert_eq!(house.last_event().reason, "unknown-place");
    let mut grant = house.grant(Purpose::Operations);
    grant.scope.areas = Areas::Only(["Nord".parse().unwrap()].into());
    let refused = house.ask_under(&grant, &place()).await.unwrap_err();
    assert_eq!(refused.code, "not-in-area");

    let add = vec![NewMeter { area: "Nord".to_owned(), ..new_meter(NEW, "place-1") }];
    house.change(&RegisterChange { add, ..Default::default() }).await.unwrap();
    let answer = house.ask_under(&grant, &place()).await.unwrap();
    // the old one lies in no area any more: its rows are not even looked at
    assert!(house.last_event().detail.starts_with("3 readings of 2 meters"), "{:?}", house.last_event());
    assert!(answer.notes.iter().any(|n| n.contains(OLD) && n.contains("not shown")), "{:?}", answer.notes);
}

#[tokio::test]
async fn how_the_meters_of_a_place_are_is_told_without_any_index() {
    let Exchanged { house, .. } = exchanged().await;
    let grant = house.grant(Purpose::FieldService);
    let query = ReadingsQuery { latest: true, ..place() };
    let asked = house.sign(&grant, Action::ReadHealth, &query);
    let answer: Readings = house.call(Method::ArchiveReadings, &asked).await.unwrap();
    let [newest] = answer.readings.as_slice() else { panic!("{answer:?}") };
    assert!(newest.continued.is_none() && newest.reading.as_ref().unwrap().records.is_empty());
    assert_eq!(newest.place, "place-1");
    let bare = |one: &JoinedMeter| {
        (one.opening, one.closing, one.carry, one.unit, one.why.as_str()) == (None, None, None, 0, "")
    };
    assert!(answer.joined.len() == 2 && answer.joined.iter().all(bare), "{:?}", answer.joined);
    // a meter that was taken down hangs nowhere, wherever it was heard last
    let (second, third) = ("KAM-22222222-1B-16", "KAM-66666666-1B-16");
    let tenancy = house.tenancy_of(2).await;
    store(&house.readings_file(), 2, &[sealed(2, tenancy, noon(2), 0)]).await;
    house.add(&[(third, "")]).await;
    assert_eq!(house.change(&exchanges(vec![exchange(second, third, noon(1))])).await.unwrap().exchanged, 1);
    let latest = ReadingsQuery { latest: true, ..daily() };
    let asked = house.sign(&grant, Action::ReadHealth, &latest);
    let all: Readings = house.call(Method::ArchiveReadings, &asked).await.unwrap();
    let place_of = |answer: &Readings| {
        answer.readings.iter().find(|r| r.address[2] == 0x22).map(|r| r.place.clone()).unwrap()
    };
    assert_eq!(place_of(&all), format!("unplaced {second}"));
    assert_eq!(place_of(&house.ask(&latest).await.unwrap()), "place-2");
}
