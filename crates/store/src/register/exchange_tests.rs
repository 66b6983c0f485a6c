use super::super::{Entry, NewMeter, Rows};
use super::*;

const NOW: UtcMillis = UtcMillis(1_795_000_000_000);
const HOUR: i64 = 3_600_000;
const OLD: &str = "KAM-00000001-1B-16";
const NEW: &str = "KAM-00000002-1B-16";

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn asked(old: &str, new: &str, at: UtcMillis) -> NewExchange {
    let (old, new) = (old.parse().unwrap(), new.parse().unwrap());
    NewExchange { old, new, at, closing: d("2850.427"), opening: d("0.012"), unit: Unit::CubicMetre }
}

/// A let place with a water and a heat meter, meters that hang nowhere, and one elsewhere.
async fn furnished() -> (tempfile::TempDir, Register) {
    let folder = tempfile::tempdir().unwrap();
    let register = Register::open(&folder.path().join("register.db")).await.unwrap();
    let mut change = register.begin(9).await.unwrap();
    for (address, place) in [
        (OLD, "p"),
        (NEW, "unplaced KAM-00000002-1B-16"),
        ("KAM-00000003-1B-16", "unplaced KAM-00000003-1B-16"),
        ("KAM-00000004-1B-04", "p"),
        ("KAM-00000005-1B-04", "unplaced KAM-00000005-1B-04"),
        ("KAM-00000006-1B-16", "q"),
    ] {
        let (address, place) = (address.parse().unwrap(), place.to_owned());
        let meter = NewMeter { address, place, area: None, resolution: None, clear: false };
        change.add_meter(&meter, NOW).await.unwrap();
    }
    change.move_at("p", NOW.plus(-10 * HOUR), false).await.unwrap();
    change.commit().await.unwrap();
    (folder, register)
}

fn row(address: &str, place: &str) -> Entry {
    Entry {
        address: address.parse().unwrap(),
        place: place.to_owned(),
        area: None,
        customer: None,
        from: None,
        until: None,
        resolution: None,
        clear: None,
        contact: false,
    }
}

async fn exchange(register: &Register, asked: &NewExchange) -> Result<[Moved; 2], StoreError> {
    let mut change = register.begin(0).await.unwrap();
    let halves = change.exchange(asked, NOW).await?;
    for half in &halves {
        change.note_late(half, "anna", NOW).await.unwrap();
    }
    change.commit().await.unwrap();
    Ok(halves)
}

async fn chain(register: &Register, address: &str) -> Vec<(TenancyId, i64, Option<i64>, bool)> {
    let meter = register.find(address).await.unwrap().pop().unwrap();
    meter.tenancies.iter().map(|s| (s.tenancy, s.from.0, s.until.map(|u| u.0), s.vacant)).collect()
}

#[tokio::test]
async fn the_places_tenancy_holds_the_old_meter_until_then_and_the_new_one_from_then_on() {
    let (_folder, register) = furnished().await;
    let (heat, at) = (chain(&register, "KAM-00000004").await, NOW.plus(-HOUR));
    let [taken, hung] = exchange(&register, &asked(OLD, NEW, at)).await.unwrap();
    let (old, new) = (chain(&register, OLD).await, chain(&register, NEW).await);
    let tenancy = old[1].0;
    assert_eq!((old.len(), old[1].2, old[2].1, old[2].2, old[2].3), (3, Some(at.0), at.0, None, true));
    assert_eq!((new.len(), new[0].2, new[0].3), (2, Some(at.0), true));
    assert_eq!(new[1], (tenancy, at.0, None, false));
    assert_eq!(chain(&register, "KAM-00000004").await, heat, "another meter of the place stays");
    assert_eq!((taken.ended, taken.begun, hung.ended, hung.begun), (tenancy, old[2].0, new[0].0, tenancy));
    assert!(taken.spans.len() == 2 && hung.spans.len() == 2);
    let places = async |address| register.find(address).await.unwrap().pop().unwrap().place;
    assert_eq!((places(OLD).await.as_str(), places(NEW).await.as_str()), (&*format!("unplaced {OLD}"), "p"));
    let noted = register.exchanges(0, 10).await.unwrap();
    let [one] = noted.as_slice() else { panic!("{noted:?}") };
    assert_eq!((one.place.as_str(), &one.told), ("p", &asked(OLD, NEW, at)));
    assert_eq!(one.carry, Some(d("2850.415")));
    assert!(register.exchanges(one.id, 10).await.unwrap().is_empty());

    // each half is a job for its own meter alone, and the next move goes on with the new one
    let (_, first) = register.next_late_move(NOW).await.unwrap();
    let first = first.unwrap();
    assert_eq!((first.meters.as_slice(), first.ended, first.begun), (&[MeterId(1)][..], tenancy, old[2].0));
    register.note_attempt(first.id, super::super::Attempt::Done, 0, NOW).await.unwrap();
    let (_, second) = register.next_late_move(NOW).await.unwrap();
    assert_eq!(second.unwrap().meters, [MeterId(2)]);
    let mut change = register.begin(0).await.unwrap();
    for before in [at, at.plus(-1)] {
        let refused = change.move_at("p", before, true).await.unwrap_err().to_string();
        assert!(refused.contains("`p`") && refused.contains(&at.to_string()), "{refused}");
    }
    let moved = change.move_at("p", at.plus(1), true).await.unwrap();
    assert!(moved.spans.iter().all(|s| s.meter != MeterId(1)), "{moved:?}");
}

#[tokio::test]
async fn a_count_goes_on_over_several_exchanges_without_losing_a_digit() {
    let (_folder, register) = furnished().await;
    exchange(&register, &asked(OLD, NEW, NOW.plus(-3 * HOUR))).await.unwrap();
    let next = NewExchange { closing: d("100.5"), opening: d("7"), ..asked(NEW, OLD, NOW.plus(-2 * HOUR)) };
    // the old one waits until what it left is sealed anew
    let refused = exchange(&register, &next).await.unwrap_err().to_string();
    assert!(refused.contains(OLD) && refused.contains("meterkeep status"), "{refused}");
    let next = NewExchange { new: "KAM-00000003".parse().unwrap(), ..next };
    exchange(&register, &next).await.unwrap();
    let noted = register.exchanges(0, 10).await.unwrap();
    let carry: Vec<_> = noted.iter().map(|x| x.carry.unwrap().to_string()).collect();
    assert_eq!(carry, ["2850.415", "2943.915"], "2850.427 - 0.012, and 100.5 - 7 more");

    assert_eq!(carried(d("0"), d("0.1"), d("0.30")), Some(d("-0.20")), "a used meter may show more");
    assert_eq!(carried(Decimal::new(i64::MAX, 0), d("1"), d("0")), None);
    let (_folder, register) = furnished().await;
    exchange(&register, &asked(OLD, NEW, NOW.plus(-3 * HOUR))).await.unwrap();
    let other = NewExchange { unit: Unit::CubicFoot, ..asked(NEW, "KAM-00000003", NOW.plus(-HOUR)) };
    exchange(&register, &other).await.unwrap();
    assert_eq!(register.exchanges(1, 10).await.unwrap()[0].carry, None, "cubic feet add nothing to metres");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_name_and_changes_nothing() {
    let (_folder, register) = furnished().await;
    let (at, version) = (NOW.plus(-HOUR), register.version());
    let good = asked(OLD, NEW, at);
    let with = |unit| NewExchange { unit, ..good.clone() };
    for (wrong, words) in [
        (NewExchange { closing: d("-5"), ..good.clone() }, ["closing index -5", OLD]),
        (NewExchange { opening: d("-0.1"), ..good.clone() }, ["opening index -0.1", NEW]),
        (asked("KAM-00000009", NEW, at), ["KAM-00000009 is not in the register", "meters list"]),
        (asked(OLD, "KAM-00000009", at), ["KAM-00000009 is not in the register", "meters add KAM-00000009"]),
        (asked(OLD, "KAM-00000006", at), ["hangs at `q` already", "hangs nowhere"]),
        (asked(OLD, OLD, at), [OLD, "for itself"]),
        (asked(NEW, "KAM-00000003", at), ["hangs nowhere", "register import"]),
        (asked(OLD, "KAM-00000005", at), ["measures water", "measures heat"]),
        (with(Unit::KilowattHour), ["`kWh` is no unit of water", "`m3`"]),
        (asked(OLD, NEW, NOW.plus(2 * HOUR)), ["still to come", OLD]),
        (asked(OLD, NEW, NOW.plus(-10 * HOUR)), ["an exchange at `p`", "present tenancy began"]),
        (asked(OLD, NEW, UtcMillis(0)), ["is not after", OLD]),
    ] {
        let refused = exchange(&register, &wrong).await.unwrap_err();
        assert!(
            matches!(&refused, StoreError::Rule(why) if words.iter().all(|w| why.contains(w))),
            "{refused}"
        );
    }
    let mut change = register.begin(0).await.unwrap();
    let own = format!("unplaced {NEW}");
    change.move_at(&own, NOW.plus(-2 * HOUR), false).await.unwrap();
    let refused = change.exchange(&good, NOW).await.unwrap_err().to_string();
    assert!(refused.contains(&own) && refused.contains("not vacant"), "{refused}");
    drop(change);
    assert_eq!((register.version(), register.exchanges(0, 10).await.unwrap()), (version, vec![]));
    assert_eq!(chain(&register, OLD).await.len(), 2);

    exchange(&register, &good).await.unwrap();
    let again = exchange(&register, &good).await.unwrap_err().to_string();
    assert!(again.contains(OLD) && again.contains("hangs nowhere"), "{again}");
    let earlier = asked(NEW, "KAM-00000003", at);
    let refused = exchange(&register, &earlier).await.unwrap_err().to_string();
    assert!(refused.contains(NEW) && refused.contains("is not after"), "{refused}");
}

#[tokio::test]
async fn a_list_that_is_older_than_the_exchange_does_not_hang_the_old_meter_up_again() {
    let (_folder, register) = furnished().await;
    exchange(&register, &asked(OLD, NEW, NOW.plus(-HOUR))).await.unwrap();
    let mut change = register.begin(2).await.unwrap();
    let imported = change.import(&[row(OLD, "p"), row(NEW, "p")], Rows::SkipBad, NOW).await.unwrap();
    let why = &imported.rows[0].as_ref().unwrap_err().why;
    assert!(why.contains(OLD) && why.contains("meters exchanges"), "{why}");
    assert_eq!(imported.rows[1].as_ref().unwrap().0, 0, "the new one hangs there");
    change.commit().await.unwrap();
    assert_eq!(register.find(OLD).await.unwrap()[0].place, format!("unplaced {OLD}"));
}

#[tokio::test]
async fn a_list_whose_tenancy_begins_before_the_exchange_has_a_bad_row_and_its_others_are_taken() {
    let (_folder, register) = furnished().await;
    exchange(&register, &asked(OLD, NEW, NOW.plus(-HOUR))).await.unwrap();
    let lives = |from: i64, until: Option<i64>| {
        let (from, until) = (Some(NOW.plus(from)), until.map(|at| NOW.plus(at)));
        Entry { customer: Some("4711".to_owned()), from, until, ..row(NEW, "p") }
    };
    let other = row("KAM-00000007-1B-16", "s");
    for (from, until, column) in
        [(-2 * HOUR, None, "from"), (-HOUR, None, "from"), (-10 * HOUR, Some(-2 * HOUR), "until")]
    {
        let mut change = register.begin(2).await.unwrap();
        let imported = change.import(&[lives(from, until), other.clone()], Rows::SkipBad, NOW).await.unwrap();
        let bad = imported.rows[0].as_ref().unwrap_err();
        assert_eq!(bad.column, column);
        assert!(bad.why.contains("`p`") && bad.why.contains("a meter was exchanged"), "{}", bad.why);
        assert!(imported.rows[1].is_ok(), "{:?}", imported.rows[1]);
    }
    let mut change = register.begin(2).await.unwrap();
    let imported = change.import(&[lives(1 - HOUR, Some(-1)), other], Rows::SkipBad, NOW).await.unwrap();
    assert!(imported.rows.iter().all(Result::is_ok), "{:?}", imported.rows);
    change.commit().await.unwrap();
    let last = chain(&register, NEW).await.pop().unwrap();
    assert_eq!((last.1, last.3), (NOW.0 - 1, true), "they moved out again");
}
