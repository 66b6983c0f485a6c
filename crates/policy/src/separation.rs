//! Duties that must be two people's. Held against every role when a catalogue is read, and against all roles of a person when
//! one is given.

use std::collections::BTreeSet;

use grant::{Action, Purpose};

use crate::Catalogue;

/// Two duties that nobody holds together, and the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duties {
    /// A word for the pair.
    pub name: &'static str,
    /// One duty.
    pub one: &'static [Action],
    /// The other.
    pub other: &'static [Action],
    /// Why not both.
    pub because: &'static str,
}

/// What is known of people: readings, and whose they are.
const DATA: &[Action] = &[Action::ReadReadings, Action::ReadHeld, Action::ReadHealth, Action::ReadContacts];
/// Readings alone: who tells those concerned of a breach sees names, and finds in the log whose.
const READINGS: &[Action] = &[Action::ReadReadings, Action::ReadHeld, Action::ReadHealth];
const KEYS: &[Action] = &[Action::ImportKeys, Action::KeepKeys];
/// Looking at the log, and vouching for what was looked at.
const LOG: &[Action] = &[Action::ReadLog, Action::ReviewLog];
const PEOPLE: &[Action] = &[Action::ManagePeople, Action::ManageRoles];

/// All of them (C13).
pub const DUTIES: [Duties; 8] = [
    Duties {
        name: "keys-and-readings",
        one: KEYS,
        other: DATA,
        because: "who has the meters' keys could read without leaving a trace",
    },
    Duties {
        name: "ask-and-approve",
        one: &[Action::AskAccess],
        other: &[Action::ApproveAccess],
        because: "who approves looks at what another wants",
    },
    Duties {
        name: "people-and-readings",
        one: PEOPLE,
        other: DATA,
        because: "who gives roles would give them to themselves",
    },
    Duties {
        name: "people-and-keys",
        one: PEOPLE,
        other: KEYS,
        because: "who gives roles would give themselves keys",
    },
    Duties {
        name: "log-and-readings",
        one: LOG,
        other: READINGS,
        because: "who looks at who read what reads nothing themselves",
    },
    Duties {
        name: "people-and-log",
        one: PEOPLE,
        other: LOG,
        because: "who gives roles is whom the log watches first",
    },
    Duties {
        name: "roles-twice",
        one: &[Action::ManageRoles],
        other: &[Action::ApproveRoles],
        because: "what a role may do is decided by two",
    },
    Duties {
        name: "emergency-and-review",
        one: &[Action::BreakGlass],
        other: &[Action::ReviewBreakGlass],
        because: "nobody reviews what they could have taken",
    },
];

/// Two duties in one hand, with the way to each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{holder} would hold two duties ({name}): {one_path}, and {other_path}; {because}. Give them to two people"
)]
pub struct Hole {
    /// Which pair.
    pub name: &'static str,
    /// A role or a person, as text.
    pub holder: String,
    /// `role x -> purpose y -> action z`.
    pub one_path: String,
    /// Likewise.
    pub other_path: String,
    /// Why not both.
    pub because: &'static str,
}

type Found<'a> = (&'a str, Purpose, Action);

fn path((role, purpose, action): &Found<'_>) -> String {
    format!("role `{role}` -> purpose `{purpose}` -> `{action}`")
}

fn hole(holder: String, held: &[Found<'_>]) -> Result<(), Hole> {
    for duties in DUTIES {
        let find = |duty: &[Action]| held.iter().find(|(.., action)| duty.contains(action));
        if let (Some(one), Some(other)) = (find(duties.one), find(duties.other)) {
            let (one_path, other_path) = (path(one), path(other));
            return Err(Hole { name: duties.name, holder, one_path, other_path, because: duties.because });
        }
    }
    Ok(())
}

/// Holds each role of a catalogue against all duties. The owner's single-handed role is the one exception, and is open only
/// while nobody else has a role.
///
/// # Errors
/// The first hole, with the path that shows it.
pub fn check(catalogue: &Catalogue) -> Result<(), Hole> {
    for (name, _) in catalogue.roles.iter().filter(|(_, role)| !role.single_handed) {
        let held: Vec<Found<'_>> =
            catalogue.actions_of(name).map(|(purpose, action)| (name.as_str(), purpose, action)).collect();
        hole(format!("the role `{name}`"), &held)?;
    }
    Ok(())
}

/// Holds all roles of one person together.
///
/// # Errors
/// The first hole, with the path that shows it.
pub fn check_person<'a>(
    catalogue: &'a Catalogue,
    person: &str,
    roles: impl IntoIterator<Item = &'a str>,
) -> Result<(), Hole> {
    let roles: BTreeSet<&str> = roles.into_iter().collect();
    let shared =
        roles.iter().filter(|name| catalogue.roles.get(**name).is_some_and(|role| !role.single_handed));
    let held: Vec<Found<'_>> = shared
        .flat_map(|name| catalogue.actions_of(name).map(move |(purpose, action)| (*name, purpose, action)))
        .collect();
    hole(format!("`{person}`"), &held)
}
