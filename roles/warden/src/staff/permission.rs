//! Permissions: a customer lets a third party read what is theirs, until a day, and ends it when they like.

use std::collections::BTreeSet;

use base::{Class, TenancyId, UtcMillis};

use super::state::{NotDone, State};

/// A permission lasts a year at most: 366 days, in milliseconds.
pub(crate) const LONGEST_PERMISSION_MS: i64 = 366 * 24 * 3_600_000;
/// Permissions that last, at most: of one customer.
pub(super) const MAX_OF_GIVER: usize = 20;

/// What a customer permits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Permission {
    /// The customer.
    pub(crate) by: String,
    /// The third party.
    pub(crate) to: String,
    pub(crate) at: UtcMillis,
    pub(crate) tenancies: BTreeSet<TenancyId>,
    pub(crate) classes: BTreeSet<Class>,
    /// Exclusive.
    pub(crate) until: UtcMillis,
    /// Who ended it before its time, and when.
    pub(crate) ended: Option<(String, UtcMillis)>,
}

impl Permission {
    /// Whether it lasts.
    pub(crate) fn lasts(&self, now: UtcMillis) -> bool {
        self.ended.is_none() && now < self.until
    }

    /// A word for where it stands.
    pub(crate) fn state(&self, now: UtcMillis) -> &'static str {
        match (&self.ended, self.lasts(now)) {
            (Some(_), _) => "ended",
            (None, true) => "live",
            (None, false) => "over",
        }
    }
}

impl State {
    /// What somebody may read of a class because customers permit it, and until when the first of those permissions lasts. A
    /// permission counts as long as who gave it holds what it is about: `is_own` says by which roles.
    pub(crate) fn permitted_to(
        &self,
        person: &str,
        class: Class,
        now: UtcMillis,
        is_own: impl Fn(&str) -> bool,
    ) -> (BTreeSet<TenancyId>, Option<UtcMillis>) {
        let fits = |p: &&Permission| p.to == person && p.lasts(now) && p.classes.contains(&class);
        let (mut all, mut until) = (BTreeSet::new(), None::<UtcMillis>);
        for permission in self.permissions.values().filter(fits) {
            let held = self.own_of(&permission.by, now, &is_own);
            let mut count = 0usize;
            for tenancy in permission.tenancies.intersection(&held) {
                all.insert(*tenancy);
                count = count.saturating_add(1);
            }
            if count > 0 {
                until = Some(until.map_or(permission.until, |until| until.min(permission.until)));
            }
        }
        (all, until)
    }

    /// The tenancies that are somebody's own now: those that they hold such a role for.
    pub(crate) fn own_of(
        &self,
        person: &str,
        now: UtcMillis,
        is_own: impl Fn(&str) -> bool,
    ) -> BTreeSet<TenancyId> {
        let Ok(member) = self.member(person) else { return BTreeSet::new() };
        let held = member.held_now(now).filter(|(name, _)| is_own(name));
        held.filter_map(|(_, held)| held.bounds.named()).flatten().copied().collect()
    }

    /// A permission that lasts.
    pub(crate) fn lasting_permission(&self, number: u32, now: UtcMillis) -> Result<&Permission, NotDone> {
        let found = self.permissions.get(&number).filter(|permission| permission.lasts(now));
        found.ok_or(NotDone::NoPermission(number))
    }
}
