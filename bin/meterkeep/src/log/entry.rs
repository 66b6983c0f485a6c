//! An entry of the log, as it is shown.

use base::UtcMillis;
use grant::{Event, Outcome};
use serde::Serialize;
use wire::log::FoundEntry;

use crate::problem::Problem;

/// An entry with the field names of its exports. They do not change.
#[derive(Serialize)]
pub(super) struct Entry {
    /// Its number.
    pub(super) number: u64,
    /// When the ledger took it.
    pub(super) taken: String,
    /// When it happened, by the room that recorded it.
    pub(super) at: String,
    pub(super) actor: String,
    pub(super) person: String,
    pub(super) role: String,
    pub(super) action: String,
    pub(super) purpose: String,
    pub(super) outcome: &'static str,
    pub(super) reason: String,
    pub(super) class: &'static str,
    pub(super) first_month: String,
    pub(super) last_month: String,
    pub(super) grant: String,
    pub(super) request: String,
    pub(super) detail: String,
    pub(super) subjects: Vec<String>,
    /// The entry that it is about.
    pub(super) about: Option<u64>,
    pub(super) case: Option<u32>,
    pub(super) session: String,
    /// Milliseconds that the room had been running, by a clock that is never set.
    pub(super) running_ms: u64,
    /// The policies that a decision rested on.
    pub(super) policies: String,
    /// How many data subjects it says something of that is sealed for each of them.
    pub(super) sealed: usize,
    #[serde(skip)]
    pub(super) taken_at: UtcMillis,
}

impl Entry {
    /// Reads what the ledger answered.
    pub(super) fn read(found: &FoundEntry) -> Result<Self, Problem> {
        let event = Event::decode(&found.event)
            .map_err(Problem::during(format!("entry {} cannot be read", found.number)))?;
        let taken_at = UtcMillis(found.at_ms);
        Ok(Self {
            number: found.number,
            taken: taken_at.to_string(),
            at: event.at.to_string(),
            actor: event.actor,
            person: event.on_behalf,
            role: event.role,
            action: event.action,
            purpose: event.purpose,
            outcome: event.outcome.name(),
            reason: event.reason,
            class: event.data.map_or("", |data| data.class.name()),
            first_month: event.data.map_or_else(String::new, |data| data.first.to_string()),
            last_month: event.data.map_or_else(String::new, |data| data.last.to_string()),
            grant: event.grant_id.map(hex::encode).unwrap_or_default(),
            request: event.request_hash.map(hex::encode).unwrap_or_default(),
            detail: event.detail,
            subjects: event.subjects.iter().map(hex::encode).collect(),
            about: event.entry,
            case: (event.case > 0).then_some(event.case),
            session: event.session.map(hex::encode).unwrap_or_default(),
            running_ms: event.running_ms,
            policies: event.decided.map(|decided| hex::encode(decided.policies)).unwrap_or_default(),
            sealed: event.bodies.len(),
            taken_at,
        })
    }

    /// Names of the columns of [`Self::columns`].
    pub(super) const COLUMNS: [&str; 23] = [
        "number",
        "taken",
        "at",
        "actor",
        "person",
        "action",
        "purpose",
        "outcome",
        "reason",
        "class",
        "first_month",
        "last_month",
        "grant",
        "request",
        "detail",
        "subjects",
        "role",
        "about",
        "case",
        "session",
        "running_ms",
        "policies",
        "sealed",
    ];

    /// Its fields as text, in the order of [`Self::COLUMNS`].
    pub(super) fn columns(&self) -> [String; 23] {
        [
            self.number.to_string(),
            self.taken.clone(),
            self.at.clone(),
            self.actor.clone(),
            self.person.clone(),
            self.action.clone(),
            self.purpose.clone(),
            self.outcome.to_owned(),
            self.reason.clone(),
            self.class.to_owned(),
            self.first_month.clone(),
            self.last_month.clone(),
            self.grant.clone(),
            self.request.clone(),
            self.detail.clone(),
            self.subjects.join(" "),
            self.role.clone(),
            self.about.map(|entry| entry.to_string()).unwrap_or_default(),
            self.case.map(|case| case.to_string()).unwrap_or_default(),
            self.session.clone(),
            self.running_ms.to_string(),
            self.policies.clone(),
            self.sealed.to_string(),
        ]
    }

    /// What happened, in a line.
    pub(super) fn sentence(&self) -> String {
        let who = if self.person.is_empty() { &self.actor } else { &self.person };
        let purpose = if self.purpose.is_empty() { String::new() } else { format!(" for {}", self.purpose) };
        let detail = if self.detail.is_empty() { String::new() } else { format!(": {}", self.detail) };
        format!("{who} {}{purpose} {}{detail}", self.action, self.came_out())
    }

    /// How it came out, and why it was refused.
    pub(super) fn came_out(&self) -> String {
        if self.outcome == Outcome::Refused.name() {
            format!("{} ({})", self.outcome, self.reason)
        } else {
            self.outcome.to_owned()
        }
    }
}
