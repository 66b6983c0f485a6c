//! How far what somebody holds reaches: which of their roles covers all that is asked about, what is their own, and what
//! customers let them read.

use std::collections::BTreeSet;

use base::{Class, TenancyId, UtcMillis};
use grant::{Purpose, Tenancies};

use crate::minting::{Denied, Grounds};
use crate::staff::Bounds;
use crate::standing::{Standing, is_of_subjects};

/// What customers permit somebody to read of each of these classes.
pub(crate) fn permitted_in_all(
    grounds: Grounds<'_>,
    classes: &BTreeSet<Class>,
    now: UtcMillis,
) -> BTreeSet<TenancyId> {
    let of = |class: &Class| permission(grounds, *class, now).0;
    let in_both = |a: BTreeSet<TenancyId>, b: BTreeSet<TenancyId>| a.intersection(&b).copied().collect();
    classes.iter().map(of).reduce(in_both).unwrap_or_default()
}

/// What customers permit somebody to read of one class, and when the first of it ends.
pub(crate) fn permission(
    grounds: Grounds<'_>,
    class: Class,
    now: UtcMillis,
) -> (BTreeSet<TenancyId>, Option<UtcMillis>) {
    let catalogue = grounds.policies.catalogue();
    grounds.staff.permitted_to(&grounds.standing.name, class, now, |role| is_of_subjects(catalogue, role))
}

/// The role among those that permit which reaches all that is asked about: one for the whole house first.
pub(crate) fn role_that_reaches<'a>(
    standing: &'a Standing,
    rules: &[String],
    purpose: Purpose,
    asked: &Tenancies,
) -> Result<(String, &'a Bounds), Denied> {
    let mut best: Option<(String, &Bounds)> = None;
    let mut short = None;
    for rule in rules {
        let held = rule.split('/').next().unwrap_or_default();
        let (role, bounds) = (standing.role_of(rule), standing.reach(held));
        // what is one's own is never everything, whatever else a role was given for
        let fits = bounds.reach(asked) && (!purpose.is_for_subjects() || bounds.named().is_some());
        if !fits {
            short.get_or_insert((role, bounds));
        } else if best.as_ref().is_none_or(|(_, best)| best.is_bounded() && !bounds.is_bounded()) {
            best = Some((role, bounds));
        }
    }
    best.ok_or_else(|| {
        let (role, reach) = short.map_or_else(Default::default, |(role, bounds)| (role, bounds.told()));
        Denied::OutOfReach { role, reach }
    })
}

/// Whether all that is asked about is the asker's own; what is asked about no name is narrowed to that.
pub(crate) fn is_own(grounds: Grounds<'_>, asked: &Tenancies) -> bool {
    let catalogue = grounds.policies.catalogue();
    let mut own = grounds.standing.bounds.iter().filter(|(role, _)| is_of_subjects(catalogue, role));
    own.any(|(_, bounds)| bounds.named().is_some() && bounds.reach(asked))
}

#[cfg(test)]
#[path = "reach_tests.rs"]
mod tests;
