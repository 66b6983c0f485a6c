//! Which data a grant reaches.

use std::collections::BTreeSet;

use base::{Area, Class, Month, TenancyId};

/// A scope lists at most so many tenancies; more are asked for in several grants.
pub const MAX_TENANCIES: usize = 10_000;

/// A scope lists at most so many areas.
pub const MAX_AREAS: usize = 100;

/// Areas by name, or the whole of the house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Areas {
    /// Everywhere, meters without an area too.
    All,
    /// Only in these. A meter of which nobody said where it lies is in none of them.
    Only(BTreeSet<Area>),
}

impl Areas {
    /// Whether a meter lies in them.
    #[must_use]
    pub fn hold(&self, area: Option<&Area>) -> bool {
        match self {
            Self::All => true,
            Self::Only(list) => area.is_some_and(|area| list.contains(area)),
        }
    }

    /// What lies in both.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, other) => other.clone(),
            (own, Self::All) => own,
            (Self::Only(own), Self::Only(other)) => Self::Only(own.intersection(other).cloned().collect()),
        }
    }
}

/// Tenancies by name, or all of the house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tenancies {
    /// All there are, those that begin later too.
    All,
    /// These.
    Only(BTreeSet<TenancyId>),
}

impl Tenancies {
    /// Whether one is among them.
    #[must_use]
    pub fn hold(&self, tenancy: TenancyId) -> bool {
        match self {
            Self::All => true,
            Self::Only(list) => list.contains(&tenancy),
        }
    }
}

/// The data that a grant reaches: what lies in all of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Which classes; a coarse class opens nothing finer, and a fine one nothing coarser.
    pub classes: BTreeSet<Class>,
    /// First month, inclusive.
    pub first_month: Month,
    /// Last month, inclusive.
    pub last_month: Month,
    /// Whose.
    pub tenancies: Tenancies,
    /// Where the meter lies.
    pub areas: Areas,
}

impl Scope {
    /// No data at all: what a grant for an errand without readings has.
    #[must_use]
    pub const fn nothing() -> Self {
        Self {
            classes: BTreeSet::new(),
            first_month: Month::from_number(0),
            last_month: Month::from_number(0),
            tenancies: Tenancies::Only(BTreeSet::new()),
            areas: Areas::Only(BTreeSet::new()),
        }
    }

    /// Whether it reaches one series of a meter that lies in `area`.
    ///
    /// # Errors
    /// What does not reach so far.
    pub fn covers(
        &self,
        tenancy: TenancyId,
        class: Class,
        month: Month,
        area: Option<&Area>,
    ) -> Result<(), ScopeError> {
        if !self.classes.contains(&class) {
            return Err(ScopeError::Class { asked: class });
        }
        if month < self.first_month || month > self.last_month {
            return Err(ScopeError::Month { asked: month, first: self.first_month, last: self.last_month });
        }
        if !self.tenancies.hold(tenancy) {
            return Err(ScopeError::Tenancy { asked: tenancy });
        }
        if self.areas.hold(area) { Ok(()) } else { Err(ScopeError::Area { asked: area.cloned() }) }
    }
}

/// What a scope does not reach.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Another class.
    #[error("the grant does not reach `{}` readings; ask for a grant of that class", .asked.name())]
    Class {
        /// The class asked for.
        asked: Class,
    },
    /// Another month.
    #[error("the grant reaches from {first} to {last}, not {asked}; ask for a grant of that month")]
    Month {
        /// The month asked for.
        asked: Month,
        /// The first in scope.
        first: Month,
        /// The last in scope.
        last: Month,
    },
    /// Another tenancy.
    #[error("the grant does not reach tenancy `{asked}`; ask for a grant that names it")]
    Tenancy {
        /// The tenancy asked for.
        asked: TenancyId,
    },
    /// Another area.
    #[error(
        "the grant does not reach {}; ask somebody whose role is given for that area",
        .asked.as_ref().map_or_else(|| "a meter that lies in no area".to_owned(), |area| format!("the area `{area}`"))
    )]
    Area {
        /// Where the meter lies.
        asked: Option<Area>,
    },
    /// In scope, but not what the log says was asked.
    #[error("the log says that {recorded} was asked for, not {asked}; ask again, so that the log shows it")]
    NotRecorded {
        /// What the log says.
        recorded: String,
        /// What was asked for.
        asked: String,
    },
}

impl ScopeError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "not-in-scope"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_of_a_scope_stops_what_lies_outside() {
        let month = |m: &str| m.parse::<Month>().unwrap();
        let (mine, other) = (TenancyId([1; 16]), TenancyId([2; 16]));
        let (nord, vest) = ("Nord".parse::<Area>().unwrap(), "Vest".parse::<Area>().unwrap());
        let (october, november) = (month("2026-10"), month("2026-11"));
        let mut scope = Scope {
            classes: [Class::Daily].into(),
            first_month: october,
            last_month: november,
            tenancies: Tenancies::Only([mine].into()),
            areas: Areas::Only([nord.clone()].into()),
        };
        let here = Some(&nord);
        assert_eq!(scope.covers(mine, Class::Daily, october, here), Ok(()));
        assert_eq!(scope.covers(mine, Class::Daily, november, here), Ok(()));
        assert!(matches!(scope.covers(mine, Class::Fine, october, here), Err(ScopeError::Class { .. })));
        for outside in ["2026-09", "2026-12"] {
            let refused = scope.covers(mine, Class::Daily, month(outside), here);
            assert!(matches!(refused, Err(ScopeError::Month { .. })));
        }
        assert!(matches!(scope.covers(other, Class::Daily, november, here), Err(ScopeError::Tenancy { .. })));
        for elsewhere in [None, Some(&vest)] {
            let refused = scope.covers(mine, Class::Daily, november, elsewhere);
            assert!(matches!(refused, Err(ScopeError::Area { .. })));
        }
        scope.areas = Areas::All;
        assert_eq!(scope.covers(mine, Class::Daily, november, None), Ok(()));
        scope.tenancies = Tenancies::All;
        assert_eq!(scope.covers(other, Class::Daily, november, Some(&vest)), Ok(()));
        assert!(Scope::nothing().covers(mine, Class::Daily, Month::from_number(0), None).is_err());
    }

    #[test]
    fn areas_narrow_each_other_and_never_widen() {
        let only = |names: &[&str]| Areas::Only(names.iter().map(|name| name.parse().unwrap()).collect());
        assert_eq!(Areas::All.and(&Areas::All), Areas::All);
        assert_eq!(Areas::All.and(&only(&["N"])), only(&["N"]));
        assert_eq!(only(&["N", "S"]).and(&Areas::All), only(&["N", "S"]));
        assert_eq!(only(&["N", "S"]).and(&only(&["S", "W"])), only(&["S"]));
        assert!(!only(&["N"]).and(&only(&["S"])).hold(Some(&"N".parse().unwrap())));
    }
}
