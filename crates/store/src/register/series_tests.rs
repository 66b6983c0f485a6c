use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::{NewExchange, NewMeter, Register};
use super::*;

const NOW: UtcMillis = UtcMillis(1_795_000_000_000);
const HOUR: i64 = 3_600_000;
/// How many meters there are: the first hangs at the place, the others in the store room.
const METERS: u32 = 5;

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn water(n: u32) -> String {
    format!("KAM-0000000{n}-1B-16")
}

/// A place `p` with meter 1, and the others without a place.
async fn furnished(others: &[&str]) -> (tempfile::TempDir, Register) {
    let folder = tempfile::tempdir().unwrap();
    let register = Register::open(&folder.path().join("register.db")).await.unwrap();
    let mut change = register.begin(1 + METERS + u32::try_from(others.len()).unwrap()).await.unwrap();
    let waters: Vec<String> = (1..=METERS).map(water).collect();
    for address in waters.iter().map(String::as_str).chain(others.iter().copied()) {
        let place = if address == waters[0] { "p".to_owned() } else { format!("unplaced {address}") };
        let address = address.parse().unwrap();
        let meter = NewMeter { address, place, area: None, resolution: None, clear: false };
        change.add_meter(&meter, NOW).await.unwrap();
    }
    change.commit().await.unwrap();
    (folder, register)
}

fn told(old: &str, new: &str, hours: i64, unit: Unit) -> NewExchange {
    let (old, new, at) = (old.parse().unwrap(), new.parse().unwrap(), NOW.plus(hours * HOUR));
    NewExchange { old, new, at, closing: d("2850.427"), opening: d("0.012"), unit }
}

async fn exchange(register: &Register, told: &NewExchange) {
    let mut change = register.begin(0).await.unwrap();
    change.exchange(told, NOW).await.unwrap();
    change.commit().await.unwrap();
}

async fn moved(register: &Register, hours: i64) {
    let mut change = register.begin(0).await.unwrap();
    change.move_at("p", NOW.plus(hours * HOUR), false).await.unwrap();
    change.commit().await.unwrap();
}

async fn history(register: &Register) -> PlaceHistory {
    register.place("p").await.unwrap().unwrap()
}

#[tokio::test]
async fn the_meters_of_a_place_are_joined_in_their_order_and_an_exchanged_one_knows_where_it_hung() {
    let (_folder, register) = furnished(&[]).await;
    exchange(&register, &told(&water(1), &water(2), -6, Unit::CubicMetre)).await;
    exchange(&register, &told(&water(2), &water(3), -3, Unit::None)).await;
    let history = history(&register).await;
    let joined = joined(&history, |_| true);
    let carries: Vec<String> = joined.iter().map(|one| one.carry.unwrap().to_string()).collect();
    assert_eq!(carries, ["0", "2850.415", "5700.830"], "what nobody said of water is cubic metres");
    let at = |hours: i64| NOW.plus(hours * HOUR);
    let times: Vec<_> = joined.iter().map(|one| (one.series, one.meter.0, one.from, one.until)).collect();
    let all = [(1, 1, UtcMillis(0), Some(at(-6))), (1, 2, at(-6), Some(at(-3))), (1, 3, at(-3), None)];
    assert_eq!(times, all);
    assert_eq!(joined[1].opening, Some((at(-6), d("0.012"))));
    assert_eq!((joined[1].closing, joined[2].closing), (Some((at(-3), d("2850.427"))), None));
    assert!(joined.iter().all(|one| one.unit == Some(Unit::CubicMetre)));

    let second = register.find(&water(2)).await.unwrap().pop().unwrap();
    let store_room = format!("unplaced {}", water(2));
    for (hours, place) in
        [(-7, store_room.as_str()), (-6, "p"), (-4, "p"), (-3, &store_room), (0, &store_room)]
    {
        assert_eq!(second.place_at(at(hours)), place, "{hours}");
    }
    assert_eq!(register.place("elsewhere").await.unwrap(), None);
    assert_eq!(history.tenancies().collect::<BTreeSet<_>>().len(), 1, "not the store room's");
}

#[tokio::test]
async fn what_counts_something_else_is_a_series_of_its_own() {
    let heat = "KAM-00000009-1B-04";
    let (_folder, register) = furnished(&[heat]).await;
    let mut change = register.begin(1).await.unwrap();
    let address = "KAM-00000008-1B-04".parse().unwrap();
    let hung = NewMeter { address, place: "p".into(), area: None, resolution: None, clear: false };
    change.add_meter(&hung, NOW).await.unwrap();
    change.commit().await.unwrap();
    exchange(&register, &told(&water(1), &water(2), -6, Unit::CubicMetre)).await;
    exchange(&register, &told("KAM-00000008-1B-04", heat, -4, Unit::None)).await;
    let joined = joined(&history(&register).await, |_| true);
    let found: Vec<_> = joined.iter().map(|one| (one.series, one.carry.is_ok())).collect();
    assert_eq!(found, [(1, true), (1, true), (2, true), (2, false)]);
    let why = joined[3].carry.unwrap_err().to_string();
    assert!(why.contains("in which unit") && why.contains(&NOW.plus(-4 * HOUR).to_string()), "{why}");
}

#[tokio::test]
async fn units_that_differ_are_not_joined_and_what_comes_after_is_not_either() {
    let (_folder, register) = furnished(&[]).await;
    exchange(&register, &told(&water(1), &water(2), -6, Unit::CubicMetre)).await;
    exchange(&register, &told(&water(2), &water(3), -4, Unit::CubicFoot)).await;
    exchange(&register, &told(&water(3), &water(4), -2, Unit::CubicFoot)).await;
    let joined = joined(&history(&register).await, |_| true);
    let ok: Vec<bool> = joined.iter().map(|one| one.carry.is_ok()).collect();
    assert_eq!(ok, [true, true, false, false]);
    assert_eq!(joined[2].carry, joined[3].carry, "one reason");
    let why = joined[3].carry.unwrap_err().to_string();
    assert!(why.contains("ft3") && why.contains("m3"), "{why}");
}

#[tokio::test]
async fn media_that_were_found_to_differ_later_are_not_joined() {
    let (_folder, register) = furnished(&["KAM-00000007"]).await;
    exchange(&register, &told(&water(1), "KAM-00000007", -6, Unit::CubicMetre)).await;
    let id = register.find("KAM-00000007").await.unwrap()[0].id;
    let mut change = register.begin(0).await.unwrap();
    change.complete(id, [0x1b, 0x04]).await.unwrap();
    change.commit().await.unwrap();
    let joined = joined(&history(&register).await, |_| true);
    let why = joined[1].carry.unwrap_err().to_string();
    assert!(why.contains("water") && why.contains("heat"), "{why}");
}

#[tokio::test]
async fn who_may_not_see_a_tenancy_is_told_no_index_of_it() {
    let (_folder, register) = furnished(&[]).await;
    moved(&register, -20).await;
    exchange(&register, &told(&water(1), &water(2), -18, Unit::CubicMetre)).await;
    moved(&register, -15).await;
    exchange(&register, &told(&water(2), &water(3), -12, Unit::CubicMetre)).await;
    moved(&register, -10).await;
    exchange(&register, &told(&water(3), &water(4), -8, Unit::CubicMetre)).await;
    let history = history(&register).await;
    let fourth = register.find(&water(4)).await.unwrap().pop().unwrap();
    let third = register.find(&water(3)).await.unwrap().pop().unwrap();
    let newest = fourth.tenancies.last().unwrap().tenancy;
    let middle = third.tenancies[1].tenancy;
    let oldest = register.find(&water(1)).await.unwrap()[0].tenancies[1].tenancy;

    let own = joined(&history, |tenancy| tenancy == newest);
    let found: Vec<_> = own.iter().map(|one| (one.meter.0, one.from)).collect();
    assert_eq!(found, [(3, NOW.plus(-10 * HOUR)), (4, NOW.plus(-8 * HOUR))], "since they moved in");
    assert_eq!(own[0].opening, None, "it was hung before their time");
    assert_eq!((own[0].carry, own[1].carry), (Ok(d("0")), Ok(d("2850.415"))), "what was theirs");
    assert!(own[0].closing.is_some() && own[1].opening.is_some());

    let with_a_hole = joined(&history, |tenancy| tenancy == oldest || tenancy == newest);
    let meters: Vec<_> = with_a_hole.iter().map(|one| (one.meter.0, one.carry.is_ok())).collect();
    assert_eq!(meters, [(1, true), (2, true), (3, false), (4, false)]);
    assert_eq!((with_a_hole[1].closing, with_a_hole[2].opening), (None, None));
    let why = with_a_hole[2].carry.unwrap_err().to_string();
    assert!(why.contains("does not reach"), "{why}");
    assert_eq!(joined(&history, |tenancy| tenancy == middle).len(), 2);
    assert!(joined(&history, |_| false).is_empty());
}

/// What happens at a place.
#[derive(Debug, Clone)]
enum Event {
    /// So many thousandths pass through.
    Used(i64),
    /// The meter is read.
    Read,
    /// One of those in the store room takes over, with an index of so many hundredths.
    Exchanged(usize, i64),
    /// Somebody else moves in.
    Moved,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0i64..2_000_000).prop_map(Event::Used),
        4 => Just(Event::Read),
        2 => (0usize..16, 0i64..90_000_000).prop_map(|(which, opening)| Event::Exchanged(which, opening)),
        1 => Just(Event::Moved),
    ]
}

/// A reading as it was, and what had passed through by then.
struct Read {
    at: UtcMillis,
    meter: MeterId,
    raw: Decimal,
    truth: i64,
}

/// Plays events, an hour each. Gives the readings, and what the first meter showed in the beginning.
async fn play(register: &Register, events: &[Event]) -> Vec<Read> {
    let mut change = register.begin(0).await.unwrap();
    let (mut hanging, mut spare) = (1, (2..=METERS).collect::<Vec<_>>());
    // thousandths that the meter shows
    let (mut truth, mut shows, mut reads) = (0i64, 0i64, Vec::new());
    for (hour, event) in events.iter().enumerate() {
        let hours = i64::try_from(hour).unwrap() - 500;
        match event {
            Event::Used(amount) => (truth, shows) = (truth + amount, shows + amount),
            Event::Read => reads.push(Read {
                at: NOW.plus(hours * HOUR),
                meter: MeterId(hanging),
                raw: Decimal::new(shows, -3),
                truth,
            }),
            Event::Exchanged(which, opening) => {
                let new = spare.remove(which % spare.len());
                let indices = (Decimal::new(shows, -3), Decimal::new(*opening, -2));
                let (old, unit) = (std::mem::replace(&mut hanging, new), Unit::CubicMetre);
                spare.push(old);
                let told = told(&water(old), &water(new), hours, unit);
                let told = NewExchange { closing: indices.0, opening: indices.1, ..told };
                change.exchange(&told, NOW).await.unwrap();
                shows = opening * 10;
            }
            Event::Moved => {
                change.move_at("p", NOW.plus(hours * HOUR), false).await.unwrap();
            }
        }
    }
    change.commit().await.unwrap();
    reads
}

/// The thousandths that a reading is continued to.
fn continued(joined: &[Joined], read: &Read) -> Option<i64> {
    let holds = |one: &&Joined| {
        one.meter == read.meter && one.from <= read.at && one.until.is_none_or(|until| read.at < until)
    };
    let sum = read.raw.checked_add(joined.iter().find(holds)?.carry.unwrap()).unwrap();
    assert_eq!(sum.exponent, -3);
    Some(sum.mantissa)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_happens_at_a_place_the_continued_count_is_what_was_used(
        events in prop::collection::vec(event(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_folder, register) = furnished(&[]).await;
            let reads = play(&register, &events).await;
            let history = history(&register).await;
            let all = joined(&history, |_| true);
            // the first meter showed nothing in the beginning, so that the count is all that passed through
            for read in &reads {
                prop_assert_eq!(continued(&all, read), Some(read.truth), "at {}", read.at);
            }
            let counts: Vec<i64> = reads.iter().filter_map(|read| continued(&all, read)).collect();
            prop_assert!(counts.is_sorted(), "{:?}", counts);
            // each tenancy for itself sees what was used in it
            for tenancy in history.tenancies().collect::<BTreeSet<_>>() {
                let own = joined(&history, |one| one == tenancy);
                let seen: Vec<_> = reads.iter().filter_map(|r| Some((continued(&own, r)?, r.truth))).collect();
                for pair in seen.windows(2) {
                    prop_assert_eq!(pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
                }
            }
            Ok(())
        })?;
    }
}
