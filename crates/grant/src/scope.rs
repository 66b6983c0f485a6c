//! Which data a grant reaches.

use std::collections::BTreeSet;

use base::{Class, Month, TenancyId};

/// A scope lists at most so many tenancies; more are asked for in several grants.
pub const MAX_TENANCIES: usize = 10_000;

/// Tenancies by name, or all of the house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tenancies {
    /// All there are, those that begin later too.
    All,
    /// These.
    Only(BTreeSet<TenancyId>),
}

/// The data that a grant reaches: what lies in all three.
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
        }
    }

    /// Whether it reaches one series.
    ///
    /// # Errors
    /// Which of the three does not reach so far.
    pub fn covers(&self, tenancy: TenancyId, class: Class, month: Month) -> Result<(), ScopeError> {
        if !self.classes.contains(&class) {
            return Err(ScopeError::Class { asked: class });
        }
        if month < self.first_month || month > self.last_month {
            return Err(ScopeError::Month { asked: month, first: self.first_month, last: self.last_month });
        }
        match &self.tenancies {
            Tenancies::Only(list) if !list.contains(&tenancy) => Err(ScopeError::Tenancy { asked: tenancy }),
            Tenancies::All | Tenancies::Only(_) => Ok(()),
        }
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
        let mut scope = Scope {
            classes: [Class::Daily].into(),
            first_month: month("2026-10"),
            last_month: month("2026-11"),
            tenancies: Tenancies::Only([mine].into()),
        };
        assert_eq!(scope.covers(mine, Class::Daily, month("2026-10")), Ok(()));
        assert_eq!(scope.covers(mine, Class::Daily, month("2026-11")), Ok(()));
        assert!(matches!(scope.covers(mine, Class::Fine, month("2026-10")), Err(ScopeError::Class { .. })));
        assert!(matches!(scope.covers(mine, Class::Daily, month("2026-09")), Err(ScopeError::Month { .. })));
        assert!(matches!(scope.covers(mine, Class::Daily, month("2026-12")), Err(ScopeError::Month { .. })));
        assert!(matches!(
            scope.covers(other, Class::Daily, month("2026-11")),
            Err(ScopeError::Tenancy { .. })
        ));
        scope.tenancies = Tenancies::All;
        assert_eq!(scope.covers(other, Class::Daily, month("2026-11")), Ok(()));
        assert!(Scope::nothing().covers(mine, Class::Daily, Month::from_number(0)).is_err());
    }
}
