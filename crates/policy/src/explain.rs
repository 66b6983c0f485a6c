//! Who can, and what would change.

use std::collections::BTreeMap;

use base::Class;
use grant::{Action, Purpose};

use crate::{Asker, Facts, Policies, Question, Strength};

/// How far somebody gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Not at all.
    Closed,
    /// In an emergency that they take, and that is reviewed.
    Emergency,
    /// For a case, when somebody else approved it, for a time.
    InTime,
    /// For a case.
    Case,
    /// What a customer permits, as long as they do.
    Permitted,
    /// Their own.
    Own,
    /// As long as nobody else has a role.
    SingleHanded,
    /// At any time.
    Open,
}

impl Reach {
    /// A word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "-",
            Self::Emergency => "emergency",
            Self::InTime => "in time",
            Self::Case => "case",
            Self::Permitted => "permitted",
            Self::Own => "own",
            Self::SingleHanded => "alone",
            Self::Open => "open",
        }
    }
}

/// Somebody who can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// Who.
    pub name: String,
    /// What for.
    pub purpose: Purpose,
    /// How far.
    pub reach: Reach,
}

/// What another catalogue would change for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// For whom.
    pub name: String,
    /// What for.
    pub purpose: Purpose,
    /// What.
    pub action: Action,
    /// Which class, where the action reaches readings.
    pub class: Option<Class>,
    /// How far they get now.
    pub before: Reach,
    /// How far they would get.
    pub after: Reach,
}

/// Every action with each class that it is decided for.
pub(crate) fn rows() -> impl Iterator<Item = (Action, Option<Class>)> {
    Action::ALL.into_iter().flat_map(|action| {
        let classes: Vec<Option<Class>> =
            if action.reaches_readings() { Class::ALL.into_iter().map(Some).collect() } else { vec![None] };
        classes.into_iter().map(move |class| (action, class))
    })
}

impl Policies {
    /// How far somebody with these roles gets, with the best login and in their shift.
    #[must_use]
    pub fn reach(&self, roles: &[String], purpose: Purpose, action: Action, class: Option<Class>) -> Reach {
        self.reach_of(false, roles, purpose, action, class)
    }

    /// The same of a person, or of a service account.
    fn reach_of(
        &self,
        service: bool,
        roles: &[String],
        purpose: Purpose,
        action: Action,
        class: Option<Class>,
    ) -> Reach {
        let (name, roles, login) = ("somebody".to_owned(), roles.to_vec(), Strength::StepUp);
        let asker = Asker { name, roles, here: true, login, bounded: Vec::new(), service };
        let allows =
            |facts| self.decide(&Question { asker: asker.clone(), purpose, action, class, facts }).allowed;
        let shift = Facts { on_shift: true, ..Facts::default() };
        let case = Facts { case_covers: true, ..shift };
        let tries = [
            (Reach::Open, shift),
            (Reach::SingleHanded, Facts { single_handed: true, ..shift }),
            (Reach::Case, case),
            (Reach::InTime, Facts { access: true, ..case }),
            (Reach::Emergency, Facts { emergency: true, ..shift }),
            (Reach::Own, Facts { own: true, ..shift }),
            (Reach::Permitted, Facts { permitted: true, ..shift }),
        ];
        tries.into_iter().find(|(_, facts)| allows(*facts)).map_or(Reach::Closed, |(reach, _)| reach)
    }

    /// Everybody who could do something, for which purpose and how far, in the order given.
    ///
    /// Permits speak of one role and forbids of none, so several roles reach as far as the one that reaches furthest: each role
    /// is asked about once, however many people hold it.
    #[must_use]
    pub fn who_can(
        &self,
        people: &[(String, Vec<String>)],
        action: Action,
        class: Option<Class>,
    ) -> Vec<Who> {
        self.able(false, people, action, class)
    }

    /// The same of service accounts.
    #[must_use]
    pub fn services_that_can(
        &self,
        services: &[(String, Vec<String>)],
        action: Action,
        class: Option<Class>,
    ) -> Vec<Who> {
        self.able(true, services, action, class)
    }

    fn able(
        &self,
        service: bool,
        people: &[(String, Vec<String>)],
        action: Action,
        class: Option<Class>,
    ) -> Vec<Who> {
        let purposes = || Purpose::ALL.into_iter().filter(|purpose| purpose.covers(action));
        let mut reached: BTreeMap<(&str, Purpose), Reach> = BTreeMap::new();
        let mut whos = Vec::new();
        for (name, roles) in people {
            for purpose in purposes() {
                let mut reach = Reach::Closed;
                for role in roles {
                    let ask = || self.reach_of(service, std::slice::from_ref(role), purpose, action, class);
                    reach = reach.max(*reached.entry((role, purpose)).or_insert_with(ask));
                }
                if reach != Reach::Closed {
                    whos.push(Who { name: name.clone(), purpose, reach });
                }
            }
        }
        whos
    }

    /// What would change for whom if these policies took the place of `self`.
    #[must_use]
    pub fn what_if(&self, other: &Self, people: &[(String, Vec<String>)]) -> Vec<Change> {
        self.changed(false, other, people)
    }

    /// The same for service accounts.
    #[must_use]
    pub fn what_if_for_services(&self, other: &Self, services: &[(String, Vec<String>)]) -> Vec<Change> {
        self.changed(true, other, services)
    }

    fn changed(&self, service: bool, other: &Self, people: &[(String, Vec<String>)]) -> Vec<Change> {
        let mut changes = Vec::new();
        for (name, roles) in people {
            for (action, class) in rows() {
                for purpose in Purpose::ALL.into_iter().filter(|purpose| purpose.covers(action)) {
                    let before = self.reach_of(service, roles, purpose, action, class);
                    let after = other.reach_of(service, roles, purpose, action, class);
                    if before != after {
                        changes.push(Change { name: name.clone(), purpose, action, class, before, after });
                    }
                }
            }
        }
        changes
    }
}
