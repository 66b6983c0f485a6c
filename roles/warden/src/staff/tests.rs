//! What ends by itself, and what survives.

use std::path::Path;
use std::sync::Arc;

use base::UtcMillis;
use journal::Disk;
use journal::faulty::FaultyDisk;

use super::*;

const NOW: UtcMillis = UtcMillis(1_795_000_000_000);
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn steps() -> Vec<(&'static str, Step)> {
    let person =
        |name: &str| Person { name: name.into(), title: String::new(), user: name.into(), service: false };
    let until = NOW.plus(ROLE_MS).0;
    let case = CaseOpened { number: 1, tenancies: vec![vec![1; 16]], reason: "bill 4711".into() };
    let purpose = "bill-question".to_owned();
    let ask = Asked { number: 1, purpose, class: 1, case: 1, reason: "at night".into(), for_ms: 4 * HOUR };
    vec![
        ("root", Step::Person(person("anna"))),
        ("root", Step::Person(Person { title: "Key officer".into(), ..person("bo") })),
        ("root", Step::Role(role_until(until))),
        ("anna", Step::Case(case)),
        ("anna", Step::Ask(ask)),
    ]
}

fn state() -> State {
    let mut state = State::default();
    for (by, step) in steps() {
        assert_eq!(state.judge(by, &step, NOW), Ok(()), "{step:?}");
        state.apply(&Record { at_ms: NOW.0, by: by.into(), step: Some(step) }).unwrap();
    }
    state
}

fn apply(state: &mut State, by: &str, step: Step, now: UtcMillis) {
    assert_eq!(state.judge(by, &step, now), Ok(()));
    state.apply(&Record { at_ms: now.0, by: by.into(), step: Some(step) }).unwrap();
}

fn approval(state: &State, now: UtcMillis) -> Step {
    let until_ms = State::access_until(state.waiting(1, now).unwrap(), now).0;
    Step::Approved(Approved { number: 1, until_ms })
}

fn role_until(until_ms: i64) -> Assigned {
    let (person, role) = ("anna".to_owned(), "customer-service".to_owned());
    Assigned { person, role, until_ms, ..Assigned::default() }
}

#[test]
fn people_keep_their_title_and_user() {
    let state = state();
    let (name, bo) = state.of_user("bo").unwrap();
    assert_eq!((name, bo.title.as_str(), bo.service), ("bo", "Key officer", false));
    assert_eq!((state.people["anna"].title.as_str(), state.people["anna"].user.as_str()), ("", "anna"));
}

#[test]
fn what_is_new_gets_a_number_of_its_own() {
    let mut state = state();
    assert_eq!(
        (state.next_case(), state.next_ask(), state.next_glass(), state.next_permission()),
        (2, 2, 1, 1)
    );
    let case = CaseOpened { number: 2, tenancies: vec![vec![1; 16]], reason: "bill 4712".into() };
    apply(&mut state, "anna", Step::Case(case), NOW);
    apply(&mut state, "anna", Step::CaseClosed(2), NOW);
    assert_eq!(state.next_case(), 3, "a number is never given twice");
}

#[test]
fn access_in_time_ends_by_itself_to_the_millisecond() {
    let mut state = state();
    let later = NOW.plus(HOUR);
    let step = approval(&state, later);
    assert_eq!(state.judge("anna", &step, later), Err(NotDone::OneSelf));
    apply(&mut state, "bo", step, later);
    let live = |at: UtcMillis| state.live_access("anna", at).count();
    assert_eq!((live(later), live(later.plus(4 * HOUR - 1)), live(later.plus(4 * HOUR))), (1, 1, 0));
    assert_eq!(state.live_access("bo", later).count(), 0);
}

#[test]
fn a_wish_that_nobody_answers_lapses_after_a_day() {
    let state = state();
    let step = approval(&state, NOW);
    assert_eq!(state.judge("bo", &step, NOW.plus(DAY - 1)), Ok(()));
    assert_eq!(state.judge("bo", &step, NOW.plus(DAY)), Err(NotDone::NotWaiting(1, "lapsed")));
}

#[test]
fn a_role_that_nobody_gives_again_lapses_and_is_due_before() {
    assert_eq!((PRIVILEGED_ROLE_MS, ROLE_MS), (92 * DAY, 184 * DAY), "a quarter, and half a year");
    let mut state = state();
    let roles = |state: &State, at: UtcMillis| state.people["anna"].live_roles(at).count();
    let end = NOW.plus(ROLE_MS);
    assert_eq!((roles(&state, end.plus(-1)), roles(&state, end)), (1, 0));
    let held = &state.people["anna"].roles["customer-service"];
    assert!(!held.is_due(end.plus(-15 * DAY)) && held.is_due(end.plus(-13 * DAY)) && !held.is_due(end));
    assert!(state.has_staff(NOW) && !state.has_staff(end), "then the owner is alone again");
    apply(&mut state, "root", Step::Role(role_until(end.plus(DAY).0)), NOW.plus(DAY));
    assert_eq!(roles(&state, end), 1);
    assert_eq!(state.people["anna"].roles["customer-service"].since, NOW, "since when stays");
}

#[test]
fn an_emergency_lasts_an_hour_and_is_overdue_after_a_day() {
    let mut state = state();
    let broken = |number| {
        Step::Glass(Broken { number, reason: "burst pipe".into(), until_ms: State::glass_until(NOW).0 })
    };
    apply(&mut state, "anna", broken(1), NOW);
    assert!(state.live_glass("anna", NOW.plus(HOUR - 1)).is_some());
    assert!(state.live_glass("anna", NOW.plus(HOUR)).is_none() && state.live_glass("bo", NOW).is_none());
    assert_eq!(state.next_glass(), 2);
    // one at a time, each for themselves
    let unreviewed = state.judge("anna", &broken(2), NOW.plus(HOUR));
    assert_eq!((unreviewed, state.judge("bo", &broken(2), NOW)), (Err(NotDone::Unreviewed(1)), Ok(())));
    assert!(!state.glass[&1].is_overdue(NOW.plus(DAY - 1)) && state.glass[&1].is_overdue(NOW.plus(DAY)));
    let review = Reviewed { number: 1, justified: false, note: "there was no pipe".into() };
    assert_eq!(state.judge("anna", &Step::Reviewed(review.clone()), NOW), Err(NotDone::OneSelf));
    apply(&mut state, "bo", Step::Reviewed(review), NOW.plus(2 * DAY));
    assert!(!state.glass[&1].is_overdue(NOW.plus(3 * DAY)));
    assert_eq!(state.judge("anna", &broken(2), NOW.plus(3 * DAY)), Ok(()));
}

#[test]
fn nobody_puts_their_own_roles_and_purposes_in_force() {
    let mut state = state();
    let new = || NewCatalogue { text: "other".into() };
    apply(&mut state, "root", Step::CatalogueAsked(new()), NOW);
    assert_eq!(state.judge("root", &Step::Catalogue(new()), NOW), Err(NotDone::OneSelf));
    apply(&mut state, "anna", Step::Catalogue(new()), NOW);
    assert_eq!((state.catalogue.as_str(), state.catalogue_asked.as_ref()), ("other", None));
}

#[test]
fn who_leaves_loses_what_is_theirs_and_nobody_else_does() {
    let mut state = state();
    let (from_ms, until_ms, purpose) = (NOW.0, NOW.plus(8 * HOUR).0, "bill-question".to_owned());
    let ask = Asked { number: 2, purpose, class: 1, case: 1, reason: "at night".into(), for_ms: HOUR };
    apply(&mut state, "bo", Step::Ask(ask), NOW);
    for (number, person) in [(1, "anna"), (2, "bo")] {
        let shift = ShiftSet { number, person: person.into(), from_ms, until_ms };
        apply(&mut state, "root", Step::Shift(shift), NOW);
        let until_ms = State::glass_until(NOW).0;
        apply(&mut state, person, Step::Glass(Broken { number, reason: "burst pipe".into(), until_ms }), NOW);
    }
    let left = NOW.plus(60_000);
    apply(&mut state, "root", Step::Left("anna".into()), left);
    let waiting = |number| state.waiting(number, left).is_ok();
    assert_eq!((waiting(1), waiting(2)), (false, true));
    assert_eq!(state.shifts.keys().copied().collect::<Vec<_>>(), [2]);
    assert!(state.live_glass("anna", left).is_none() && state.live_glass("bo", left).is_some());
    let mut over = state.clone();
    apply(&mut over, "root", Step::Left("bo".into()), left);
    assert!(over.waiting(2, left).is_err() && over.shifts.is_empty());
    // what was ended before keeps who ended it
    assert_eq!(state.asks[&1].ended.as_ref().map(|(by, ..)| by.as_str()), Some("root"));
    let mut ended = super::tests::state();
    apply(&mut ended, "anna", Step::Ended(Ended { number: 1, reason: "not needed".into() }), NOW);
    apply(&mut ended, "root", Step::Left("anna".into()), left);
    assert_eq!(ended.asks[&1].ended.as_ref().map(|(by, ..)| by.as_str()), Some("anna"));
}

#[test]
fn permissions_have_limits_and_nobody_permits_themselves() {
    let mut state = state();
    let permit = |number: u32, tenancies: usize, classes: &[u32], for_ms: i64| {
        let (to, until_ms) = ("bo".to_owned(), NOW.plus(for_ms).0);
        let (tenancies, classes) = (vec![vec![1; 16]; tenancies], classes.to_vec());
        Step::Permitted(Permitted { number, to, tenancies, classes, until_ms })
    };
    let year = super::permission::LONGEST_PERMISSION_MS;
    for good in [permit(1, 1, &[2], 1), permit(1, 1000, &[1, 2], DAY), permit(1, 1, &[2], year)] {
        assert_eq!(state.judge("anna", &good, NOW), Ok(()), "{good:?}");
        assert_eq!(state.judge("bo", &good, NOW), Err(NotDone::OneSelf));
    }
    for bad in [
        permit(1, 0, &[2], DAY),
        permit(1, 1001, &[2], DAY),
        permit(1, 1, &[], DAY),
        permit(1, 1, &[2], 0),
        permit(1, 1, &[2], year + 1),
    ] {
        assert_eq!(state.judge("anna", &bad, NOW), Err(NotDone::BadPermission), "{bad:?}");
    }
    for number in 1..=20 {
        apply(&mut state, "anna", permit(number, 1, &[2], DAY), NOW);
    }
    assert_eq!(state.next_permission(), 21);
    let next = permit(21, 1, &[2], 2 * DAY);
    assert_eq!(state.judge("anna", &next, NOW), Err(NotDone::BadPermission), "20 are enough");
    assert_eq!(state.judge("root", &next, NOW), Ok(()), "of one giver");
    assert_eq!(state.judge("anna", &next, NOW.plus(DAY)), Ok(()), "those that are over do not count");
    apply(&mut state, "anna", Step::PermissionEnded(3), NOW);
    assert_eq!(state.judge("anna", &next, NOW), Ok(()), "nor those that were ended");
}

#[test]
fn a_shift_lasts_until_its_end_and_is_forgotten_after_a_month() {
    let mut state = state();
    let set = |number, from: UtcMillis| {
        let (from_ms, until_ms) = (from.0, from.plus(8 * HOUR).0);
        Step::Shift(ShiftSet { number, person: "bo".into(), from_ms, until_ms })
    };
    apply(&mut state, "anna", set(1, NOW), NOW);
    let end = NOW.plus(8 * HOUR);
    let on_shift = |at: UtcMillis| state.on_shift("bo", at);
    assert_eq!((on_shift(NOW.plus(-1)), on_shift(NOW)), (None, Some(end)));
    assert_eq!((on_shift(end.plus(-1)), on_shift(end)), (Some(end), None));
    assert_eq!(state.on_shift("anna", NOW), None);
    let month = end.plus(31 * DAY);
    apply(&mut state, "anna", set(2, month.plus(-1)), month.plus(-1));
    assert_eq!(state.shifts.len(), 2);
    apply(&mut state, "anna", set(3, month), month);
    assert_eq!(state.shifts.keys().copied().collect::<Vec<_>>(), [2, 3]);
    assert_eq!(state.next_shift(), 4);
}

#[test]
fn who_leaves_takes_nothing_along_and_a_closed_case_ends_its_access() {
    let mut left = state();
    let step = approval(&left, NOW);
    apply(&mut left, "bo", step.clone(), NOW);
    apply(&mut left, "root", Step::Left("anna".into()), NOW);
    assert_eq!(left.live_access("anna", NOW).count(), 0);
    assert!(left.of_user("anna").is_none() && left.member("anna").is_err());

    let mut closed = state();
    apply(&mut closed, "bo", step, NOW);
    apply(&mut closed, "anna", Step::CaseClosed(1), NOW);
    assert_eq!(closed.live_access("anna", NOW).count(), 0);
}

#[test]
fn reasons_cases_and_times_have_limits() {
    let state = state();
    let judge = |step| state.judge("anna", &step, NOW).unwrap_err().code();
    let case = |tenancies: usize, reason: &str| {
        Step::Case(CaseOpened { number: 2, tenancies: vec![vec![1; 16]; tenancies], reason: reason.into() })
    };
    assert_eq!((judge(case(0, "bill")), judge(case(1001, "bill"))), ("case-size", "case-size"));
    assert_eq!((judge(case(1, " x ")), judge(case(1, "two\nlines"))), ("no-reason", "no-reason"));
    let ask = |case, for_ms| {
        let (purpose, reason) = ("bill-question".to_owned(), "at night".to_owned());
        Step::Ask(Asked { number: 2, purpose, class: 1, case, reason, for_ms })
    };
    assert_eq!(
        (judge(ask(9, HOUR)), judge(ask(1, 0)), judge(ask(1, 14 * DAY + 1))),
        ("no-case", "too-long", "too-long")
    );
    assert_eq!(state.judge("anna", &ask(1, 14 * DAY), NOW), Ok(()));
    assert_eq!(state.judge("anna", &case(1000, "bill"), NOW), Ok(()));
    let shift = |for_ms: i64| {
        let (from_ms, until_ms) = (NOW.0, NOW.plus(for_ms).0);
        Step::Shift(ShiftSet { number: 1, person: "bo".into(), from_ms, until_ms })
    };
    assert_eq!(state.judge("anna", &shift(14 * DAY), NOW), Ok(()));
    assert_eq!(state.judge("anna", &shift(14 * DAY + 1), NOW), Err(NotDone::BadShift));
    assert_eq!(state.judge("anna", &shift(0), NOW), Err(NotDone::BadShift));
    assert_eq!(state.judge("bo", &shift(DAY), NOW), Err(NotDone::OneSelf));
    let person = |name: &str, user: &str| {
        Step::Person(Person { name: name.into(), title: String::new(), user: user.into(), service: false })
    };
    assert_eq!(
        (judge(person("a b", "")), judge(person("anna", "")), judge(person("carl", "bo"))),
        ("bad-name", "bad-name", "bad-name")
    );
}

#[test]
fn what_was_answered_survives_a_power_cut_and_damage_is_said() {
    for cut in 0..40 {
        let disk = FaultyDisk::new(cut);
        disk.make_dir(Path::new("/w")).unwrap();
        let folder = Path::new("/w/staff");
        let mut staff = Staff::open(Arc::new(disk.clone()), folder).unwrap();
        let mut written = Vec::new();
        disk.cut_after(cut);
        for (by, step) in steps() {
            if staff.write(by, step.clone(), NOW).is_err() {
                break;
            }
            written.push((by, step));
        }
        drop(staff);
        disk.restart();
        let again = Staff::open(Arc::new(disk), folder).unwrap();
        let mut expected = State::default();
        for (by, step) in &written {
            expected.apply(&Record { at_ms: NOW.0, by: (*by).into(), step: Some(step.clone()) }).unwrap();
        }
        // one more may have become durable without an answer
        if *again.state() != expected {
            let (by, step) = steps().swap_remove(written.len());
            expected.apply(&Record { at_ms: NOW.0, by: by.into(), step: Some(step) }).unwrap();
        }
        assert_eq!(*again.state(), expected, "cut {cut}");
    }
}
