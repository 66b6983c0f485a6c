//! How far grants reach: each bound by itself, so that none can be left out.

use std::collections::BTreeSet;

use grant::{Action, Areas, Grant};
use policy::{Catalogue, Policies, Strength};
use seal::sign::Signer;
use wire::warden::GrantRequest;

use super::*;
use crate::minting::{GRANT_LIFE_MS, decide};
use crate::staff::{Ask, Assigned, Case, Permission, Person, Record, State, Step};

const NOW: UtcMillis = UtcMillis(1_795_000_000_000);
const HOUR: i64 = 3_600_000;
const A: TenancyId = TenancyId([1; 16]);
const B: TenancyId = TenancyId([2; 16]);
const C: TenancyId = TenancyId([3; 16]);

fn only(tenancies: &[TenancyId]) -> Tenancies {
    Tenancies::Only(tenancies.iter().copied().collect())
}

fn bounded(tenancies: &[TenancyId]) -> Bounds {
    Bounds { areas: Areas::All, tenancies: only(tenancies) }
}

fn holding(roles: &[(&str, Bounds)]) -> Standing {
    Standing { login: Strength::StepUp, ..Standing::holding(roles) }
}

fn asked(purpose: &str, class: Class, tenancies: &[TenancyId], case: u32) -> GrantRequest {
    GrantRequest {
        session_key: Signer::generate().unwrap().verifier().as_bytes().to_vec(),
        purpose: purpose.to_owned(),
        actions: vec![Action::ReadReadings.name().to_owned()],
        classes: vec![u32::from(class.code())],
        first_month: NOW.month().number(),
        last_month: NOW.month().number(),
        tenancies: tenancies.iter().map(|tenancy| tenancy.0.to_vec()).collect(),
        case,
    }
}

fn grant(standing: &Standing, staff: &State, asked: &GrantRequest) -> Result<Grant, Denied> {
    let policies = Policies::compile(Catalogue::built_in().unwrap()).unwrap();
    let grounds = Grounds { standing, owner: "anna", staff, policies: &policies };
    decide(grounds, asked, [1; 16], NOW, &mut Vec::new())
}

/// Whom a grant reaches, or the word of the denial.
fn whose(standing: &Standing, staff: &State, asked: &GrantRequest) -> Result<Tenancies, &'static str> {
    grant(standing, staff, asked).map(|grant| grant.scope.tenancies).map_err(|denied| denied.code())
}

/// A utility with two cases, and a customer whose tenancy is A.
fn staff() -> State {
    let mut state = State::default();
    let person = Person { name: "kunde".into(), title: String::new(), user: "kunde".into(), service: false };
    let role = Assigned {
        person: "kunde".into(),
        role: "customer".into(),
        until_ms: NOW.plus(24 * HOUR).0,
        tenancies: vec![A.0.to_vec()],
        ..Assigned::default()
    };
    for step in [Step::Person(person), Step::Role(role)] {
        state.apply(&Record { at_ms: NOW.0, by: "root".into(), step: Some(step) }).unwrap();
    }
    let case = |tenancies: &[TenancyId]| Case {
        by: "somebody".into(),
        at: NOW,
        tenancies: tenancies.iter().copied().collect(),
        reason: "bill 4711".into(),
        closed: None,
    };
    state.cases.insert(1, case(&[A, C]));
    state.cases.insert(2, case(&[B]));
    state
}

fn permission(tenancies: &[TenancyId], classes: &[Class], for_ms: i64) -> Permission {
    Permission {
        by: "kunde".into(),
        to: "somebody".into(),
        at: NOW,
        tenancies: tenancies.iter().copied().collect(),
        classes: classes.iter().copied().collect(),
        until: NOW.plus(for_ms),
        ended: None,
    }
}

#[test]
fn what_is_ones_own_is_what_the_role_was_given_for_and_never_more() {
    let (state, customer) = (staff(), holding(&[("customer", bounded(&[A]))]));
    let own = |standing: &Standing, tenancies: &[TenancyId]| {
        whose(standing, &state, &asked("own-data", Class::Daily, tenancies, 0))
    };
    assert_eq!(own(&customer, &[]), Ok(only(&[A])));
    assert_eq!(own(&customer, &[A]), Ok(only(&[A])));
    assert_eq!(own(&customer, &[B]), Err("needs"));
    assert_eq!(own(&customer, &[A, B]), Err("needs"));
    // a role for what is theirs that names nobody opens nothing, and another role does not make it wider
    assert_eq!(own(&holding(&[("customer", Bounds::EVERYWHERE)]), &[A]), Err("needs"));
    let both = holding(&[("customer", bounded(&[A])), ("operator", bounded(&[B]))]);
    assert_eq!(own(&both, &[B]), Err("needs"));
    assert_eq!(own(&both, &[]), Ok(only(&[A])));
}

#[test]
fn who_looked_is_shown_of_what_is_ones_own_under_a_grant_of_its_own() {
    let (state, customer) = (staff(), holding(&[("customer", bounded(&[A]))]));
    let history = |tenancies: &[TenancyId]| {
        let actions = vec![Action::ReadHistory.name().to_owned()];
        GrantRequest { actions, ..asked("own-data", Class::Daily, tenancies, 0) }
    };
    let given = grant(&customer, &state, &history(&[])).unwrap();
    assert_eq!((given.scope.tenancies, given.scope.areas), (only(&[A]), Areas::All));
    assert!(given.scope.classes.is_empty(), "and no class");
    assert_eq!(whose(&customer, &state, &history(&[B])), Err("needs"));
    let mut both = history(&[]);
    both.actions.push(Action::ReadReadings.name().to_owned());
    assert_eq!(whose(&customer, &state, &both), Err("too-much"));
    let in_area = Bounds { areas: Areas::Only(["north".parse().unwrap()].into()), tenancies: Tenancies::All };
    let officer = holding(&[("data-protection-officer", in_area)]);
    let of_officer = GrantRequest { purpose: "data-protection".to_owned(), ..history(&[A]) };
    assert_eq!(whose(&officer, &state, &of_officer), Err("out-of-reach"), "nobody's history has a place");
}

#[test]
fn the_role_that_reaches_all_that_is_asked_counts_and_one_for_the_whole_house_first() {
    let state = staff();
    let operator = holding(&[("operator", bounded(&[A]))]);
    let operations = |tenancies: &[TenancyId]| asked("operations", Class::Daily, tenancies, 0);
    assert_eq!(whose(&operator, &state, &operations(&[A])), Ok(only(&[A])));
    assert_eq!(whose(&operator, &state, &operations(&[B])), Err("out-of-reach"));
    assert_eq!(
        whose(&operator, &state, &operations(&[])),
        Ok(only(&[A])),
        "narrowed to what it was given for"
    );
    let two = holding(&[("one", bounded(&[A])), ("all", Bounds::EVERYWHERE), ("other", bounded(&[A]))]);
    let reaches = |rules: &[&str], purpose| {
        let rules: Vec<String> = rules.iter().map(|rule| format!("{rule}/operations/standing")).collect();
        role_that_reaches(&two, &rules, purpose, &only(&[A])).map(|(role, _)| role).map_err(|d| d.code())
    };
    for rules in [["one", "all"], ["all", "one"]] {
        assert_eq!(reaches(&rules, Purpose::Operations).as_deref(), Ok("all"));
    }
    assert_eq!(reaches(&["one", "other"], Purpose::Operations).as_deref(), Ok("one"));
    assert_eq!(reaches(&["all"], Purpose::OwnData), Err("out-of-reach"), "everything is nobody's own");
    assert_eq!(reaches(&["all", "one"], Purpose::OwnData).as_deref(), Ok("one"));
}

#[test]
fn what_a_customer_permits_is_read_as_long_as_it_lasts_and_is_theirs() {
    let mut state = staff();
    let third = holding(&[("third-party", Bounds::EVERYWHERE), ("operator", Bounds::EVERYWHERE)]);
    let permitted = |state: &State, class, tenancies: &[TenancyId]| {
        whose(&third, state, &asked("by-permission", class, tenancies, 0))
    };
    assert_eq!(permitted(&state, Class::Daily, &[A]), Err("needs"));
    // B was permitted, too, and is not the customer's
    state.permissions.insert(1, permission(&[A, B], &[Class::Daily], 60_000));
    assert_eq!(permitted(&state, Class::Daily, &[]), Ok(only(&[A])));
    assert_eq!(permitted(&state, Class::Daily, &[A]), Ok(only(&[A])));
    assert_eq!(permitted(&state, Class::Daily, &[B]), Err("needs"));
    assert_eq!(permitted(&state, Class::Fine, &[A]), Err("needs"));
    let both = GrantRequest { classes: vec![1, 2], ..asked("by-permission", Class::Daily, &[], 0) };
    assert!(whose(&third, &state, &both).is_err(), "what is permitted of one class is not of the other");
    let until =
        |purpose| grant(&third, &state, &asked(purpose, Class::Daily, &[A], 0)).unwrap().until.since(NOW);
    assert_eq!(
        (until("by-permission"), until("operations")),
        (60_000, 600_000),
        "it ends its own grants alone"
    );
    assert_eq!(GRANT_LIFE_MS, 600_000);
}

#[test]
fn a_case_covers_its_own_tenancies_and_access_in_time_its_own_case_purpose_and_class() {
    let mut state = staff();
    let service = holding(&[("customer-service", Bounds::EVERYWHERE), ("leak-analyst", Bounds::EVERYWHERE)]);
    let of = |state: &State, purpose: &str, class, tenancies: &[TenancyId], case| {
        whose(&service, state, &asked(purpose, class, tenancies, case))
    };
    let bill = "bill-question";
    assert_eq!(of(&state, bill, Class::Daily, &[], 1), Ok(only(&[A, C])));
    assert_eq!(of(&state, bill, Class::Daily, &[A], 1), Ok(only(&[A])), "no more than was asked for");
    assert_eq!(of(&state, bill, Class::Daily, &[B], 1), Err("needs"));
    assert_eq!(of(&state, bill, Class::Daily, &[], 9), Err("no-case"));
    assert_eq!(of(&state, bill, Class::Daily, &[A], 0), Err("needs"));
    assert_eq!(of(&state, bill, Class::Fine, &[A], 1), Err("needs"));
    let ask = Ask {
        by: "somebody".into(),
        at: NOW,
        purpose: bill.into(),
        class: Class::Fine,
        case: 1,
        reason: "at night".into(),
        for_ms: HOUR,
        approved: Some(("bo".into(), NOW, NOW.plus(HOUR))),
        ended: None,
    };
    state.asks.insert(1, ask);
    assert_eq!(of(&state, bill, Class::Fine, &[A], 1), Ok(only(&[A])));
    assert_eq!(of(&state, bill, Class::Fine, &[B], 2), Err("needs"), "of another case");
    assert_eq!(of(&state, "leak-analysis", Class::Fine, &[A], 1), Err("needs"), "for another purpose");
}

#[test]
fn a_grant_names_as_many_tenancies_as_it_may_and_no_more() {
    let (state, operator) = (staff(), holding(&[("operator", Bounds::EVERYWHERE)]));
    let many = |n: u32| {
        let ids = (0..n).map(|n| [&n.to_be_bytes()[..], &[7; 12]].concat()).collect();
        GrantRequest { tenancies: ids, ..asked("operations", Class::Daily, &[], 0) }
    };
    let given: BTreeSet<TenancyId> = match whose(&operator, &state, &many(10_000)).unwrap() {
        Tenancies::Only(list) => list,
        Tenancies::All => BTreeSet::new(),
    };
    assert_eq!(given.len(), 10_000);
    assert_eq!(whose(&operator, &state, &many(10_001)), Err("too-much"));
}
