//! People and the roles that they hold for a time.

use std::collections::BTreeMap;

use base::UtcMillis;

use super::bounds::Bounds;

/// A role that reaches keys, people or the log is looked at again every quarter: 92 days, in milliseconds.
pub(crate) const PRIVILEGED_ROLE_MS: i64 = 92 * DAY_MS;
/// Any other every half year.
pub(crate) const ROLE_MS: i64 = 184 * DAY_MS;
/// Who has to give a role again hears of it so long before.
pub(crate) const NOTICE_MS: i64 = 14 * DAY_MS;
const DAY_MS: i64 = 24 * 3_600_000;

/// A person of the utility.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Member {
    /// For people.
    pub(crate) title: String,
    /// The operating-system user that is this person, or empty.
    pub(crate) user: String,
    /// No person, but a program.
    pub(crate) service: bool,
    /// Since when they do not work here any more.
    pub(crate) left: Option<UtcMillis>,
    /// By name.
    pub(crate) roles: BTreeMap<String, Held>,
    /// The public key that they sign approvals with.
    pub(crate) key: Option<[u8; 32]>,
}

/// A role that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// Who gave it last.
    pub(crate) given_by: String,
    pub(crate) since: UtcMillis,
    /// Exclusive. Nobody has to take it: silence ends it.
    pub(crate) until: UtcMillis,
    /// When it was used last, to the day.
    pub(crate) used: Option<UtcMillis>,
    /// What it is given for.
    pub(crate) bounds: Bounds,
}

impl Held {
    /// Whether it is to be given again soon.
    pub(crate) fn is_due(&self, now: UtcMillis) -> bool {
        now < self.until && self.until.since(now) <= NOTICE_MS
    }
}

impl Member {
    /// The roles that count now.
    pub(crate) fn live_roles(&self, now: UtcMillis) -> impl Iterator<Item = &str> {
        self.held_now(now).map(|(name, _)| name)
    }

    /// The same, each with how it is held.
    pub(crate) fn held_now(&self, now: UtcMillis) -> impl Iterator<Item = (&str, &Held)> {
        let here = self.left.is_none();
        let live = self.roles.iter().filter(move |(_, held)| here && now < held.until);
        live.map(|(name, held)| (name.as_str(), held))
    }
}
