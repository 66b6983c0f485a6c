//! People, cases, access and emergencies, as people see them.

use base::UtcMillis;
use wire::staff::{
    ShownAccess, ShownCase, ShownEmergency, ShownPermission, ShownPerson, ShownRole, ShownShift, StaffAnswer,
};

use crate::staff::{Ask, Case, Glass, Member, PRIVILEGED_ROLE_MS, Permission, ROLE_MS, Shift, State};

/// One line of what somebody wrote.
pub(crate) fn line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// For how long a role is given, milliseconds.
pub(crate) const fn role_life_ms(privileged: bool) -> i64 {
    if privileged { PRIVILEGED_ROLE_MS } else { ROLE_MS }
}

/// Everybody who holds a role now, with all of theirs: people, or service accounts.
pub(crate) fn holders(state: &State, services: bool, now: UtcMillis) -> Vec<(String, Vec<String>)> {
    let roles = |member: &Member| member.live_roles(now).map(ToOwned::to_owned).collect::<Vec<_>>();
    let all = state
        .people
        .iter()
        .filter(|(_, member)| member.service == services)
        .map(|(name, member)| (name.clone(), roles(member)));
    all.filter(|(_, roles)| !roles.is_empty()).collect()
}

/// How things stand: for everybody, or for one.
pub(crate) fn all(state: &State, only: Option<&str>, now: UtcMillis) -> StaffAnswer {
    let of = |name: &str| only.is_none_or(|only| only == name);
    StaffAnswer {
        people: state.people.iter().filter(|(name, _)| of(name)).map(|(n, m)| person(n, m, now)).collect(),
        cases: state.cases.iter().filter(|(_, c)| of(&c.by)).map(|(n, c)| case(*n, c)).collect(),
        access: state.asks.iter().filter(|(_, a)| of(&a.by)).map(|(n, a)| access(*n, a, now)).collect(),
        emergencies: state
            .glass
            .iter()
            .filter(|(_, g)| of(&g.by))
            .map(|(n, g)| emergency(*n, g, now))
            .collect(),
        permissions: state
            .permissions
            .iter()
            .filter(|(_, p)| of(&p.by) || of(&p.to))
            .map(|(n, p)| permission(*n, p, now))
            .collect(),
        shifts: state.shifts.iter().filter(|(_, s)| of(&s.person)).map(|(n, s)| shift(*n, s)).collect(),
        ..StaffAnswer::default()
    }
}

fn shift(number: u32, shift: &Shift) -> ShownShift {
    let (person, by) = (shift.person.clone(), shift.by.clone());
    ShownShift { number, person, from_ms: shift.from.0, until_ms: shift.until.0, by }
}

fn permission(number: u32, permission: &Permission, now: UtcMillis) -> ShownPermission {
    ShownPermission {
        number,
        by: permission.by.clone(),
        to: permission.to.clone(),
        tenancies: u32::try_from(permission.tenancies.len()).unwrap_or(u32::MAX),
        classes: permission.classes.iter().map(|class| u32::from(class.code())).collect(),
        until_ms: permission.until.0,
        state: permission.state(now).to_owned(),
    }
}

fn person(name: &str, member: &Member, now: UtcMillis) -> ShownPerson {
    let role = |(name, held): (&String, &crate::staff::Held)| ShownRole {
        name: name.clone(),
        until_ms: held.until.0,
        given_by: held.given_by.clone(),
        used_ms: held.used.map_or(0, |at| at.0),
        state: match (now < held.until, held.is_due(now)) {
            (false, _) => "lapsed",
            (true, true) => "due",
            (true, false) => "live",
        }
        .to_owned(),
        bounds: held.bounds.told(),
    };
    ShownPerson {
        name: name.to_owned(),
        title: member.title.clone(),
        user: member.user.clone(),
        left_ms: member.left.map_or(0, |at| at.0),
        roles: member.roles.iter().map(role).collect(),
        key: member.key.map(Vec::from).unwrap_or_default(),
        service: member.service,
    }
}

fn case(number: u32, case: &Case) -> ShownCase {
    ShownCase {
        number,
        by: case.by.clone(),
        at_ms: case.at.0,
        reason: case.reason.clone(),
        tenancies: u32::try_from(case.tenancies.len()).unwrap_or(u32::MAX),
        closed_ms: case.closed.as_ref().map_or(0, |(_, at)| at.0),
    }
}

fn access(number: u32, ask: &Ask, now: UtcMillis) -> ShownAccess {
    let approved = ask.approved.as_ref();
    ShownAccess {
        number,
        line: ask.line(number),
        state: ask.state(now).name().to_owned(),
        by: ask.by.clone(),
        approved_by: approved.map(|(by, ..)| by.clone()).unwrap_or_default(),
        until_ms: approved.map_or(0, |(.., until)| until.0),
    }
}

fn emergency(number: u32, glass: &Glass, now: UtcMillis) -> ShownEmergency {
    let state = match &glass.reviewed {
        Some((_, _, true, _)) => "justified",
        Some((_, _, false, _)) => "not-justified",
        None if glass.is_overdue(now) => "overdue",
        None => "open",
    };
    ShownEmergency {
        number,
        by: glass.by.clone(),
        at_ms: glass.at.0,
        until_ms: glass.until.0,
        reason: glass.reason.clone(),
        state: state.to_owned(),
        reviewed_by: glass.reviewed.as_ref().map(|(by, ..)| by.clone()).unwrap_or_default(),
    }
}
