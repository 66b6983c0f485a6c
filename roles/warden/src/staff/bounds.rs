//! Where a role reaches: given for areas, or for the tenancies of its holder, or for the whole house.

use std::collections::BTreeSet;

use base::{Area, TenancyId};
use grant::{Areas, MAX_AREAS, Tenancies};

use super::record::Assigned;

/// Tenancies that a role is given for, at most: a customer's, or a group of meters.
pub(crate) const MAX_OF_ROLE: usize = 1000;

/// What a role that somebody holds is given for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) areas: Areas,
    pub(crate) tenancies: Tenancies,
}

/// Bounds that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BoundsError {
    /// An area that is no word.
    #[error(transparent)]
    Area(#[from] base::AreaError),
    /// A tenancy that has not 16 bytes.
    #[error("a tenancy has 16 bytes")]
    Tenancy,
    /// Too many.
    #[error(
        "a role is given for {MAX_AREAS} areas and {MAX_OF_ROLE} tenancies at most; give it for the whole house, or in parts"
    )]
    TooMany,
}

impl Bounds {
    /// The whole house.
    pub(crate) const EVERYWHERE: Self = Self { areas: Areas::All, tenancies: Tenancies::All };

    /// As a step says it: of what is not named, all.
    pub(crate) fn read(areas: &[String], tenancies: &[Vec<u8>]) -> Result<Self, BoundsError> {
        if areas.len() > MAX_AREAS || tenancies.len() > MAX_OF_ROLE {
            return Err(BoundsError::TooMany);
        }
        let areas = areas.iter().map(|area| area.parse::<Area>()).collect::<Result<BTreeSet<_>, _>>()?;
        let tenancies = ids(tenancies).ok_or(BoundsError::Tenancy)?;
        Ok(Self {
            areas: if areas.is_empty() { Areas::All } else { Areas::Only(areas) },
            tenancies: if tenancies.is_empty() { Tenancies::All } else { Tenancies::Only(tenancies) },
        })
    }

    pub(super) fn of(given: &Assigned) -> Option<Self> {
        Self::read(&given.areas, &given.tenancies).ok()
    }

    /// Whether it is less than the whole house.
    pub(crate) fn is_bounded(&self) -> bool {
        *self != Self::EVERYWHERE
    }

    /// The tenancies that it is given for, where it names them.
    pub(crate) const fn named(&self) -> Option<&BTreeSet<TenancyId>> {
        match &self.tenancies {
            Tenancies::Only(named) => Some(named),
            Tenancies::All => None,
        }
    }

    /// Whether all that is asked about by name lies in the tenancies that it is given for; what is asked about no name is
    /// narrowed to them.
    pub(crate) fn reach(&self, asked: &Tenancies) -> bool {
        match (asked, self.named()) {
            (_, None) | (Tenancies::All, _) => true,
            (Tenancies::Only(asked), Some(named)) => asked.is_subset(named),
        }
    }

    /// For people; empty for the whole house.
    pub(crate) fn told(&self) -> String {
        let mut parts = Vec::new();
        if let Areas::Only(areas) = &self.areas {
            parts.push(areas.iter().map(Area::as_str).collect::<Vec<_>>().join(", "));
        }
        if let Some(named) = self.named() {
            let word = if named.len() == 1 { "tenancy" } else { "tenancies" };
            parts.push(format!("{} {word}", named.len()));
        }
        parts.join("; ")
    }
}

/// Tenancies as they travel.
pub(crate) fn ids(tenancies: &[Vec<u8>]) -> Option<BTreeSet<TenancyId>> {
    tenancies.iter().map(|id| id.as_slice().try_into().ok().map(TenancyId)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_is_not_bounded_and_what_is_named_is() {
        let all = Bounds::read(&[], &[]).unwrap();
        assert!(all == Bounds::EVERYWHERE && !all.is_bounded() && all.told().is_empty());
        let north = Bounds::read(&["Nord".to_owned(), "Vest".to_owned()], &[]).unwrap();
        assert!(north.is_bounded() && north.reach(&Tenancies::All));
        assert_eq!(north.told(), "Nord, Vest");
        let own = Bounds::read(&[], &[vec![1; 16]]).unwrap();
        let only = |ids: &[u8]| Tenancies::Only(ids.iter().map(|id| TenancyId([*id; 16])).collect());
        assert!(own.reach(&Tenancies::All) && own.reach(&only(&[1])));
        assert!(!own.reach(&only(&[1, 2])) && !own.reach(&only(&[2])));
        assert_eq!(own.told(), "1 tenancy");
    }

    #[test]
    fn bounds_that_cannot_be_are_refused_and_never_read_as_none() {
        assert!(matches!(Bounds::read(&["N 1".to_owned()], &[]), Err(BoundsError::Area(_))));
        assert_eq!(Bounds::read(&[], &[vec![1; 15]]), Err(BoundsError::Tenancy));
        assert_eq!(Bounds::read(&vec!["N".to_owned(); MAX_AREAS + 1], &[]), Err(BoundsError::TooMany));
        assert_eq!(Bounds::read(&[], &vec![vec![1; 16]; MAX_OF_ROLE + 1]), Err(BoundsError::TooMany));
    }
}
