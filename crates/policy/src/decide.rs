//! A decision: what the policies say, and which of them said it.

use std::collections::BTreeSet;

use base::Class;
use cedar_policy::{
    Context, Decision as Said, Entities, Entity, EntityId, EntityUid, PolicySet, Request,
    RestrictedExpression,
};
use grant::Purpose;

use crate::compile::level;
use crate::{Policies, Question, Strength};

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may go on.
    pub allowed: bool,
    /// The policies that decided, by name; none where nothing permits.
    pub rules: Vec<String>,
}

/// Why not, and what would help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It is allowed.
    Allowed,
    /// They do not work here.
    Left,
    /// They hold no role.
    NoRole,
    /// The data is restricted (GDPR Art. 18).
    Restricted,
    /// The purpose does not cover that.
    NotCovered,
    /// None of their roles has the purpose; these do.
    OtherRoles(Vec<String>),
    /// The purpose opens no such class to them; it opens these.
    ClassClosed(Vec<Class>),
    /// It is for people.
    NotForServices,
    /// One or more of these are missing. Meanwhile the coarser class is open, where there is one.
    Needs {
        /// All of them are needed.
        needs: Vec<Need>,
        /// Open now.
        instead: Option<Class>,
    },
}

/// Something that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A better login.
    Login(Strength),
    /// A case that names whose data it is.
    Case,
    /// Access in time, approved by somebody else.
    Access,
    /// Emergency access.
    Emergency,
    /// A shift.
    Shift,
    /// That it is their own.
    Own,
    /// The customer's permission.
    Permission,
    /// A house with nobody else.
    Alone,
}

impl Policies {
    /// Decides. Whatever goes wrong on the way is a denial.
    #[must_use]
    pub fn decide(&self, question: &Question) -> Decision {
        let asker = &question.asker;
        // what a role may do that is not about data of some place, it does not do when it is given for some places
        let counts = |role: &&String| question.action.keeps_bounds() || !asker.bounded.contains(role);
        let roles = asker.roles.iter().filter(counts).filter_map(|role| self.by_role.get(role));
        self.held_against(question, roles)
    }

    /// What these sets of policies say together. A forbid is in each of them, so that one that matches is seen by all.
    pub(crate) fn held_against<'a>(
        &self,
        question: &Question,
        sets: impl Iterator<Item = &'a PolicySet>,
    ) -> Decision {
        self.ask(question, sets).unwrap_or(Decision { allowed: false, rules: Vec::new() })
    }

    fn ask<'a>(&self, question: &Question, sets: impl Iterator<Item = &'a PolicySet>) -> Option<Decision> {
        let (asker, facts) = (&question.asker, question.facts);
        let uid = |kind: &cedar_policy::EntityTypeName, id: &str| {
            EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
        };
        let (yes, text) =
            (RestrictedExpression::new_bool, |text: &str| RestrictedExpression::new_string(text.to_owned()));
        let person = uid(&self.names.person, &asker.name);
        let data = uid(&self.names.data, "asked");
        let action = self.names.actions.get(&question.action)?.clone();
        let of_person = [("here".to_owned(), yes(asker.here))].into();
        let class = question.class.map_or("none", Class::name);
        let of_data =
            [("class".to_owned(), text(class)), ("restricted".to_owned(), yes(facts.restricted))].into();
        // Only what this question touches: how many people and meters there are makes no difference. Policies are held against
        // the schema once, when they are compiled; an attribute that one misses here is an error, which is a denial.
        let sliced = [
            Entity::new(person.clone(), of_person, self.roles(&asker.roles)).ok()?,
            Entity::new(data.clone(), of_data, std::collections::HashSet::new()).ok()?,
        ];
        let entities = Entities::from_entities(sliced, None).ok()?;
        let context = Context::from_pairs([
            ("purpose".to_owned(), text(question.purpose.name())),
            ("login".to_owned(), RestrictedExpression::new_long(level(asker.login))),
            ("case_covers".to_owned(), yes(facts.case_covers)),
            ("access".to_owned(), yes(facts.access)),
            ("emergency".to_owned(), yes(facts.emergency)),
            ("on_shift".to_owned(), yes(facts.on_shift)),
            ("own".to_owned(), yes(facts.own)),
            ("permitted".to_owned(), yes(facts.permitted)),
            ("single_handed".to_owned(), yes(facts.single_handed)),
            ("service".to_owned(), yes(asker.service)),
        ]);
        let request = Request::new(person, action, data, context.ok()?, None).ok()?;
        let (mut permits, mut forbids, mut whole) = (BTreeSet::new(), BTreeSet::new(), true);
        for set in sets {
            let response = self.authorizer.is_authorized(&request, set, &entities);
            let found = response.diagnostics();
            // a policy that could not be evaluated must not be missed as a forbid
            whole = whole && found.errors().next().is_none();
            let of = if response.decision() == Said::Allow { &mut permits } else { &mut forbids };
            of.extend(found.reason().map(ToString::to_string));
        }
        let allowed = whole && forbids.is_empty() && !permits.is_empty();
        let rules = if allowed { permits } else { forbids };
        Some(Decision { allowed, rules: rules.into_iter().collect() })
    }

    fn allows(&self, question: &Question) -> bool {
        self.decide(question).allowed
    }

    /// Why a question is decided as it is: the same policies are asked again with one thing changed, so that what is said
    /// would help does help.
    #[must_use]
    pub fn why(&self, question: &Question) -> Reason {
        if self.allows(question) {
            return Reason::Allowed;
        }
        if !question.asker.here {
            return Reason::Left;
        }
        if question.asker.roles.is_empty() {
            return Reason::NoRole;
        }
        if !question.purpose.covers(question.action) {
            return Reason::NotCovered;
        }
        if question.asker.service {
            return self.why_no_service(question);
        }
        let mut best = question.clone();
        best.asker.login = Strength::StepUp;
        let facts = &mut best.facts;
        (facts.case_covers, facts.access, facts.emergency, facts.on_shift) = (true, true, true, true);
        (facts.own, facts.permitted) = (true, true);
        if !self.allows(&best) {
            return self.out_of_reach(&best);
        }
        let mut needs = Vec::new();
        // each is taken away again where it makes no difference
        for need in [Need::Emergency, Need::Access, Need::Case, Need::Shift, Need::Own, Need::Permission] {
            let mut without = best.clone();
            let (fact, had) = match need {
                Need::Emergency => (&mut without.facts.emergency, question.facts.emergency),
                Need::Access => (&mut without.facts.access, question.facts.access),
                Need::Shift => (&mut without.facts.on_shift, question.facts.on_shift),
                Need::Own => (&mut without.facts.own, question.facts.own),
                Need::Permission => (&mut without.facts.permitted, question.facts.permitted),
                _ => (&mut without.facts.case_covers, question.facts.case_covers),
            };
            *fact = had;
            if self.allows(&without) {
                best = without;
            } else {
                needs.push(need);
            }
        }
        for login in [Strength::Machine, Strength::MultiFactor, Strength::StepUp] {
            let mut with = best.clone();
            with.asker.login = login;
            if login >= question.asker.login && self.allows(&with) {
                if login > question.asker.login {
                    needs.push(Need::Login(login));
                }
                break;
            }
        }
        needs.sort();
        Reason::Needs { needs, instead: self.coarser(question) }
    }

    /// Why a program may not. It brings nothing along but its token, so that nothing is said to be missing.
    fn why_no_service(&self, question: &Question) -> Reason {
        let mut open = question.clone();
        open.facts.restricted = false;
        if self.allows(&open) {
            return Reason::Restricted;
        }
        let has = open.asker.roles.iter().filter_map(|name| self.catalogue.roles.get(name));
        if !has.into_iter().any(|role| role.purposes.contains(&open.purpose)) {
            return self.other_roles(open.purpose);
        }
        let other = |class: &Class| self.allows(&Question { class: Some(*class), ..open.clone() });
        let classes: Vec<Class> =
            question.class.map_or(Vec::new(), |_| Class::ALL.into_iter().filter(other).collect());
        if classes.is_empty() { Reason::NotForServices } else { Reason::ClassClosed(classes) }
    }

    fn other_roles(&self, purpose: Purpose) -> Reason {
        let with = self.catalogue.roles.iter().filter(|(_, role)| role.purposes.contains(&purpose));
        Reason::OtherRoles(
            with.filter(|(_, role)| !role.single_handed).map(|(name, _)| name.clone()).collect(),
        )
    }

    /// Nothing that they could bring along helps.
    fn out_of_reach(&self, best: &Question) -> Reason {
        let mut open = best.clone();
        open.facts.restricted = false;
        if self.allows(&open) {
            return Reason::Restricted;
        }
        let mut alone = best.clone();
        alone.facts.single_handed = true;
        if self.allows(&alone) {
            return Reason::Needs { needs: vec![Need::Alone], instead: None };
        }
        let has = best.asker.roles.iter().filter_map(|name| self.catalogue.roles.get(name));
        if has.into_iter().any(|role| role.purposes.contains(&best.purpose)) {
            let other = |class: &Class| self.allows(&Question { class: Some(*class), ..open.clone() });
            return Reason::ClassClosed(Class::ALL.into_iter().filter(other).collect());
        }
        self.other_roles(best.purpose)
    }

    /// The finest class that is coarser than what was asked for, and open now.
    fn coarser(&self, question: &Question) -> Option<Class> {
        let asked = question.class?;
        let mut coarser = Class::ALL.into_iter().filter(|class| *class > asked);
        coarser.find(|class| self.allows(&Question { class: Some(*class), ..question.clone() }))
    }
}

impl Reason {
    /// The stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Left => "left",
            Self::NoRole => "no-role",
            Self::Restricted => "restricted",
            Self::NotCovered => "not-for-purpose",
            Self::OtherRoles(_) => "other-role",
            Self::ClassClosed(_) => "class-closed",
            Self::NotForServices => "not-for-services",
            Self::Needs { .. } => "needs",
        }
    }

    /// In a sentence, with the way out. `purpose` is what was asked for.
    #[must_use]
    pub fn sentence(&self, purpose: Purpose) -> String {
        match self {
            Self::Allowed => "it is allowed".to_owned(),
            Self::Left => "they do not work here any more".to_owned(),
            Self::NoRole => "they hold no role; an administrator gives one".to_owned(),
            Self::Restricted => {
                "the data is restricted (GDPR Art. 18); only a legal claim reaches what a hold keeps"
                    .to_owned()
            }
            Self::NotCovered => format!("the purpose `{purpose}` does not cover that; name what it is for"),
            Self::OtherRoles(roles) if roles.is_empty() => {
                format!("no role of this house has the purpose `{purpose}`")
            }
            Self::OtherRoles(roles) => {
                format!(
                    "no role of theirs has the purpose `{purpose}`; `{}` has: ask a colleague, or an administrator",
                    roles.join("`, `")
                )
            }
            Self::ClassClosed(open) => {
                let names: Vec<&str> = open.iter().map(|class| class.name()).collect();
                format!("the purpose `{purpose}` does not open that class; it opens: {}", names.join(", "))
            }
            Self::NotForServices => format!(
                "that is for people: a service does what its roles open for purposes that are marked `services = true`, and for \
                 `{purpose}` this is not among it"
            ),
            Self::Needs { needs, instead } => {
                let needs: Vec<String> = needs.iter().map(|need| need.sentence(purpose)).collect();
                let mut text = needs.join("; then ");
                if let Some(class) = instead {
                    text.push_str(&format!(". Open now: class `{}`", class.name()));
                }
                text
            }
        }
    }
}

impl Need {
    fn sentence(self, purpose: Purpose) -> String {
        match self {
            Self::Login(Strength::StepUp) => "sign in again with two factors (`meterkeep login --again`)".to_owned(),
            Self::Login(_) => "sign in with two factors (`meterkeep login`)".to_owned(),
            Self::Case => {
                "name an open case that is about these tenancies (`meterkeep access case --tenancy ... --reason ...`)".to_owned()
            }
            Self::Access => format!(
                "ask for access in time, which somebody else approves (`meterkeep access ask --purpose {purpose} --case ... --reason ...`)"
            ),
            Self::Emergency => {
                "take emergency access for an hour, which everybody hears of (`meterkeep access emergency --reason ...`)".to_owned()
            }
            Self::Shift => "wait for your shift; an administrator sets shifts (`meterkeep people shift`)".to_owned(),
            Self::Own => "ask for your own data alone; an administrator says which tenancies are yours".to_owned(),
            Self::Permission => {
                "ask the customer for permission, which they give and end themselves (`meterkeep permission give`)".to_owned()
            }
            Self::Alone => {
                "other people have roles in this house now, so that its owner does not do everything any more; ask who has the role".to_owned()
            }
        }
    }
}
