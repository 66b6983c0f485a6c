//! The targeted checks of a review: what is looked at first in a month, as far as entries show it.

use std::collections::HashMap;

use base::WorkingHours;
use grant::{Action, Event, Outcome, Purpose};
use wire::Room;

use crate::entries::Entry;
use crate::life::{CONFIGURED, STARTED, STOPPED};

/// Entries of a check that are named; the others are counted.
pub(super) const NAMED: usize = 25;
/// An entry with more subjects is no look at one of them.
const FEW: usize = 8;
/// People and pairs of person and subject that are counted apart, at most; what comes beyond is not, and is said.
const MAX_COUNTED: usize = 1_000_000;

/// What shows somebody's data to a person.
const READS: [Action; 4] = [Action::ReadReadings, Action::ReadHeld, Action::ReadHealth, Action::ReadContacts];
/// What changes who may do what.
const ROLES: [Action; 3] = [Action::ManagePeople, Action::ManageRoles, Action::ApproveRoles];
/// What gives data or keys to somebody outside.
const GIVEN_OUT: [Action; 2] = [Action::Permit, Action::KeepKeys];

/// A targeted check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    Emergency,
    RefusedInARow,
    OutsideHours,
    OneSubject,
    Unmasked,
    GivenOut,
    Roles,
    Logging,
    LogLooks,
}

impl Check {
    pub(super) const ALL: [Self; 9] = [
        Self::Emergency,
        Self::RefusedInARow,
        Self::OutsideHours,
        Self::OneSubject,
        Self::Unmasked,
        Self::GivenOut,
        Self::Roles,
        Self::Logging,
        Self::LogLooks,
    ];

    /// Its word.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Emergency => "emergency",
            Self::RefusedInARow => "refused-in-a-row",
            Self::OutsideHours => "outside-hours",
            Self::OneSubject => "one-subject",
            Self::Unmasked => "unmasked",
            Self::GivenOut => "given-out",
            Self::Roles => "roles",
            Self::Logging => "logging",
            Self::LogLooks => "log-looks",
        }
    }

    /// What it looks for, in words.
    pub(super) fn title(self, rules: &Rules) -> String {
        match self {
            Self::Emergency => "emergency access, and what was done under it".to_owned(),
            Self::RefusedInARow => {
                format!("a person who was refused {} times in a row or more", rules.refusals)
            }
            Self::OutsideHours => format!("data read outside of {} from Monday to Friday", rules.said),
            Self::OneSubject => {
                format!("a person who looked at one data subject {} times or more", rules.looks)
            }
            Self::Unmasked => "names and contacts looked at, and masks taken off".to_owned(),
            Self::GivenOut => "data or keys given to somebody outside".to_owned(),
            Self::Roles => "people and roles changed".to_owned(),
            Self::Logging => "the log started, stopped or set up otherwise, and its alarms".to_owned(),
            Self::LogLooks => "looks at the log itself, and reviews of it".to_owned(),
        }
    }

    /// Whether it looks at how often something was.
    pub(super) const fn counts(self) -> bool {
        matches!(self, Self::RefusedInARow | Self::OneSubject)
    }

    /// Whether an entry by itself is one that it looks for. Two checks look at how often.
    fn finds(self, event: &Event, entry: &Entry, rules: &Rules) -> bool {
        let is = |actions: &[Action]| actions.iter().any(|action| action.name() == event.action);
        let answered = event.outcome == Outcome::Allowed;
        match self {
            Self::Emergency => {
                event.action == Action::BreakGlass.name()
                    || (answered && event.purpose == Purpose::Emergency.name())
            }
            Self::OutsideHours => answered && is(&READS) && !is_machine(event) && !rules.hours.hold(entry.at),
            Self::Unmasked => answered && (is(&[Action::ReadContacts]) || event.action.starts_with("unmask")),
            Self::GivenOut => answered && is(&GIVEN_OUT),
            Self::Roles => is(&ROLES),
            Self::Logging => {
                let own = event.actor == Room::Ledger.name();
                own && ([STARTED, STOPPED, CONFIGURED].contains(&event.action.as_str())
                    || event.action == crate::witnesses::ALARM_ACTION)
            }
            Self::LogLooks => answered && is(&[Action::ReadLog, Action::ReviewLog]),
            Self::RefusedInARow | Self::OneSubject => false,
        }
    }
}

/// The steward acts for no person.
fn is_machine(event: &Event) -> bool {
    event.on_behalf.is_empty() || event.purpose == Purpose::Stewardship.name()
}

/// What the checks go by.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// Entries that are drawn.
    pub(super) sample: usize,
    refusals: u32,
    looks: u32,
    hours: WorkingHours,
    said: String,
}

impl Rules {
    pub(crate) fn new(config: &house::ReviewConfig, hours: WorkingHours) -> Self {
        Self {
            sample: usize::try_from(config.sample).unwrap_or(usize::MAX),
            refusals: config.refusals,
            looks: config.looks,
            hours,
            said: config.hours.clone(),
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) check: Check,
    pub(super) total: u64,
    /// How many of them are about who asks.
    pub(super) own: u64,
    /// The first of them.
    pub(super) named: Vec<u64>,
}

/// Goes through the entries of a month, in their order, twice.
pub(super) struct Checking<'a> {
    rules: &'a Rules,
    /// Who asks.
    person: &'a str,
    found: Vec<Found>,
    /// Each person's refusals since something was answered: how many, and the first of them.
    refused: HashMap<String, (u32, Vec<u64>)>,
    people: HashMap<String, u32>,
    looks: HashMap<(u32, [u8; 16]), u32>,
    overflow: bool,
}

impl<'a> Checking<'a> {
    pub(super) fn new(rules: &'a Rules, person: &'a str) -> Self {
        let found = |check| Found { check, total: 0, own: 0, named: Vec::new() };
        Self {
            rules,
            person,
            found: Check::ALL.into_iter().map(found).collect(),
            refused: HashMap::new(),
            people: HashMap::new(),
            looks: HashMap::new(),
            overflow: false,
        }
    }

    /// The first time: every check but the one that has to know how often it will be.
    pub(super) fn first(&mut self, entry: &Entry) {
        let event = &entry.event;
        for check in Check::ALL {
            if check.finds(event, entry, self.rules) {
                self.add(check, entry.position, &event.on_behalf);
            }
        }
        self.count_refusals(entry);
        let looked = looked_at(event);
        if !looked.is_empty()
            && let Some(person) = self.number(&event.on_behalf)
        {
            for subject in looked {
                if self.looks.len() < MAX_COUNTED || self.looks.contains_key(&(person, *subject)) {
                    let n = self.looks.entry((person, *subject)).or_default();
                    *n = n.saturating_add(1);
                } else {
                    self.overflow = true;
                }
            }
        }
    }

    /// Whether a second time finds anything.
    pub(super) fn again(&self) -> bool {
        self.looks.values().any(|n| *n >= self.rules.looks)
    }

    /// The second time: looks at somebody who was looked at often.
    pub(super) fn second(&mut self, entry: &Entry) {
        let Some(person) = self.people.get(&entry.event.on_behalf) else { return };
        let often =
            |subject: &[u8; 16]| self.looks.get(&(*person, *subject)).is_some_and(|n| *n >= self.rules.looks);
        if looked_at(&entry.event).iter().any(often) {
            self.add(Check::OneSubject, entry.position, &entry.event.on_behalf);
        }
    }

    /// What was found, and whether so many people or subjects were there that not all were counted.
    pub(super) fn end(self) -> (Vec<Found>, bool) {
        (self.found, self.overflow)
    }

    fn count_refusals(&mut self, entry: &Entry) {
        let person = &entry.event.on_behalf;
        if person.is_empty() {
            return;
        }
        if entry.event.outcome != Outcome::Refused {
            self.refused.remove(person);
            return;
        }
        if !self.refused.contains_key(person) && self.refused.len() >= MAX_COUNTED {
            self.overflow = true;
            return;
        }
        let (n, first) = self.refused.entry(person.clone()).or_default();
        *n = n.saturating_add(1);
        let (n, threshold) = (*n, self.rules.refusals);
        if n < threshold {
            first.push(entry.position);
            return;
        }
        // the whole row, once it is one
        for position in std::mem::take(first).into_iter().chain([entry.position]) {
            self.add(Check::RefusedInARow, position, person);
        }
    }

    fn number(&mut self, person: &str) -> Option<u32> {
        if let Some(number) = self.people.get(person) {
            return Some(*number);
        }
        if self.people.len() >= MAX_COUNTED {
            self.overflow = true;
            return None;
        }
        let number = u32::try_from(self.people.len()).ok()?;
        self.people.insert(person.to_owned(), number);
        Some(number)
    }

    fn add(&mut self, check: Check, position: u64, person: &str) {
        let own = !person.is_empty() && person == self.person;
        if let Some(found) = self.found.iter_mut().find(|found| found.check == check) {
            found.total = found.total.saturating_add(1);
            found.own = found.own.saturating_add(u64::from(own));
            if found.named.len() < NAMED {
                found.named.push(position);
            }
        }
    }
}

/// At whom a person looked, where it was one or few.
fn looked_at(event: &Event) -> &[[u8; 16]] {
    let is_read = READS.iter().any(|action| action.name() == event.action);
    let few =
        event.outcome == Outcome::Allowed && is_read && event.subjects.len() <= FEW && !is_machine(event);
    if few { &event.subjects } else { &[] }
}
