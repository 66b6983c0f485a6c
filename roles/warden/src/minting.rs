//! Which grants people get: decided from what was asked, by whom and when, and nothing else.

use std::collections::BTreeSet;

use base::{Class, Month, TenancyId, UtcMillis};
use grant::{Action, Areas, Grant, MAX_TENANCIES, Purpose, Put, Scope, Tenancies};
use policy::{Facts, Policies, Question, Reason};
use seal::sign::Verifier;
use wire::warden::GrantRequest;

use crate::reach::{is_own, permission, permitted_in_all, role_that_reaches};
use crate::staff::{Ask, State};
use crate::standing::Standing;

/// How long a grant lasts: ten minutes, in milliseconds.
pub const GRANT_LIFE_MS: i64 = 10 * 60 * 1000;
/// A grant reaches at most so many months.
pub const MAX_MONTHS: u32 = 120;

/// Why somebody gets no grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Not one of the house's people.
    #[error(
        "`{person}` has no role in this house; its owner `{owner}` runs the command, or makes you a user of it"
    )]
    NoRole {
        /// Who asked.
        person: String,
        /// Whom to ask.
        owner: String,
    },
    /// No such purpose.
    #[error("`{asked}` is no purpose; say what it is for: {}", known_purposes())]
    NoSuchPurpose {
        /// What was asked.
        asked: String,
    },
    /// No such action, or one that the purpose does not cover.
    #[error("the purpose `{purpose}` does not cover `{action}`; it covers {covered}")]
    NotForPurpose {
        /// The purpose.
        purpose: Purpose,
        /// The action asked for.
        action: String,
        /// What it does cover.
        covered: String,
    },
    /// Nothing asked for.
    #[error("the request names no action; name what is to be done")]
    Nothing,
    /// The policies do not allow it.
    #[error("{}", .reason.sentence(*.purpose))]
    Policy {
        /// Why.
        reason: Reason,
        /// What it was for.
        purpose: Purpose,
    },
    /// The role is given for other tenancies.
    #[error("the role `{role}` is given for {reach}, and what was asked for is not among them")]
    OutOfReach {
        /// The role that would open it.
        role: String,
        /// What it is given for.
        reach: String,
    },
    /// No such case.
    #[error("there is no open case {0}; `meterkeep access list` shows them")]
    NoCase(u32),
    /// A request whose fields make no sense.
    #[error("the request's {0}; this is a fault of the program that asks")]
    Malformed(&'static str),
    /// A grant is for the session that asks.
    #[error(
        "the request names another session's key than the one that asks; this is a fault of the program that asks"
    )]
    OtherSession,
    /// A program without its token.
    #[error("`{0}` is a service account: it signs in with its token (`meterkeep login --token-file FILE`)")]
    NoToken(String),
    /// More than its token says.
    #[error(
        "the token that it signed in with does not allow `{action}` for `{purpose}`; it allows {allowed}"
    )]
    NotForToken {
        /// The purpose asked for.
        purpose: Purpose,
        /// The action asked for.
        action: Action,
        /// What it does allow.
        allowed: String,
    },
    /// Too much at once.
    #[error("{0}; ask for less at once")]
    TooMuch(&'static str),
}

fn known_purposes() -> String {
    Purpose::ALL.map(Purpose::name).join(", ")
}

impl Denied {
    /// A stable word, for programs and for the log.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoRole { .. } => "no-role",
            Self::NoSuchPurpose { .. } => "no-such-purpose",
            Self::NotForPurpose { .. } => "not-for-purpose",
            Self::Policy { reason, .. } => reason.code(),
            Self::OutOfReach { .. } => "out-of-reach",
            Self::NoCase(_) => "no-case",
            Self::Nothing => "no-action",
            Self::Malformed(_) => "malformed",
            Self::OtherSession => "other-session",
            Self::NoToken(_) => "no-token",
            Self::NotForToken { .. } => "not-for-token",
            Self::TooMuch(_) => "too-much",
        }
    }
}

/// What a decision rests on, beside the request.
#[derive(Clone, Copy)]
pub(crate) struct Grounds<'a> {
    pub(crate) standing: &'a Standing,
    pub(crate) owner: &'a str,
    pub(crate) staff: &'a State,
    pub(crate) policies: &'a Policies,
}

/// Decides on a request; `id` is the grant's random name. What is put to the policies on the way is added to `put`.
///
/// # Errors
/// Why not.
pub(crate) fn decide(
    grounds: Grounds<'_>,
    asked: &GrantRequest,
    id: [u8; 16],
    now: UtcMillis,
    put: &mut Vec<Put>,
) -> Result<Grant, Denied> {
    let standing = grounds.standing;
    if standing.roles.is_empty() {
        let (person, owner) = (standing.name.clone(), grounds.owner.to_owned());
        return Err(Denied::NoRole { person, owner });
    }
    let purpose = Purpose::from_name(&asked.purpose)
        .ok_or_else(|| Denied::NoSuchPurpose { asked: asked.purpose.chars().take(40).collect() })?;
    let actions = asked
        .actions
        .iter()
        .map(|name| {
            let granted = |action: &Action| action.is_granted() && purpose.covers(*action);
            Action::from_name(name).filter(granted).ok_or_else(|| {
                let granted = purpose.actions().iter().filter(|action| action.is_granted());
                let covered: Vec<&str> = granted.map(|a| a.name()).collect();
                let action = name.chars().take(40).collect();
                Denied::NotForPurpose { purpose, action, covered: covered.join(", ") }
            })
        })
        .collect::<Result<BTreeSet<_>, _>>()?;
    if actions.is_empty() {
        return Err(Denied::Nothing);
    }
    let ends = within_token(standing, purpose, &actions)?;
    let by_tenancy = actions.iter().any(|a| a.is_by_tenancy());
    if by_tenancy && actions.len() > 1 {
        return Err(Denied::TooMuch(
            "names, and who looked at somebody's data, are seen under a grant of their own",
        ));
    }
    let mut scope = if by_tenancy {
        Scope { tenancies: tenancies(asked)?, areas: Areas::All, ..Scope::nothing() }
    } else if actions.iter().any(|a| a.reaches_readings()) {
        scope(asked)?
    } else {
        Scope::nothing()
    };
    if asked.case != 0 && scope.tenancies == Tenancies::All {
        let case = grounds.staff.open_case(asked.case).map_err(|_| Denied::NoCase(asked.case))?;
        scope.tenancies = Tenancies::Only(case.tenancies.clone());
    }
    if purpose == Purpose::ByPermission && scope.tenancies == Tenancies::All {
        scope.tenancies = Tenancies::Only(permitted_in_all(grounds, &scope.classes, now));
    }
    let (role, until) = permitted(grounds, purpose, &actions, &mut scope, (asked.case, now), put)?;
    let until = until.min(ends.unwrap_or(until));
    let session_key = Verifier::from_bytes(&asked.session_key)
        .map_err(|_| Denied::Malformed("session key is no public key"))?;
    Ok(Grant {
        id,
        person: standing.name.clone(),
        role,
        purpose,
        actions,
        scope,
        not_before: now,
        until,
        session_key: *session_key.as_bytes(),
        case: asked.case,
    })
}

/// Holds what a program asks for against its token. Gives when that ends.
fn within_token(
    standing: &Standing,
    purpose: Purpose,
    actions: &BTreeSet<Action>,
) -> Result<Option<UtcMillis>, Denied> {
    if !standing.service {
        return Ok(None);
    }
    let token = standing.token.as_ref().ok_or_else(|| Denied::NoToken(standing.name.clone()))?;
    let outside = actions.iter().find(|action| token.allows(action.name(), purpose.name()).is_err());
    outside.map_or(Ok(Some(token.until)), |action| {
        let allowed = format!("{} for {}", token.actions.join(", "), token.purposes.join(", "));
        Err(Denied::NotForToken { purpose, action: *action, allowed })
    })
}

/// Asks the policies about each action and class. Gives the role that it is done in, and until when; and narrows the scope to
/// what that role is given for.
fn permitted(
    grounds: Grounds<'_>,
    purpose: Purpose,
    actions: &BTreeSet<Action>,
    scope: &mut Scope,
    (case, now): (u32, UtcMillis),
    put: &mut Vec<Put>,
) -> Result<(String, UtcMillis), Denied> {
    let (mut role, mut until) = (String::new(), now.plus(GRANT_LIFE_MS));
    for action in actions {
        let classes: Vec<Option<Class>> = if action.reaches_readings() {
            scope.classes.iter().copied().map(Some).collect()
        } else {
            vec![None]
        };
        let bound = action.reaches_readings() || action.is_by_tenancy();
        for class in classes {
            let (facts, ends) = facts(grounds, purpose, class, &scope.tenancies, case, now);
            let asker = grounds.standing.asker();
            let question = Question { asker, purpose, action: *action, class, facts };
            let place = put.len();
            put.push(Put { action: *action, class, facts: facts.bits(), role: String::new() });
            let decision = grounds.policies.decide(&question);
            if !decision.allowed {
                return Err(Denied::Policy { reason: grounds.policies.why(&question), purpose });
            }
            let (done_in, bounds) =
                role_that_reaches(grounds.standing, &decision.rules, purpose, &scope.tenancies)?;
            if action.is_by_tenancy() && bounds.areas != Areas::All {
                // a name has no place, nor has who looked at it, and nobody says which an area has
                return Err(Denied::OutOfReach { role: done_in, reach: bounds.told() });
            }
            role = done_in;
            if let Some(put) = put.get_mut(place) {
                put.role.clone_from(&role);
            }
            if bound {
                scope.areas = scope.areas.clone().and(&bounds.areas);
                if scope.tenancies == Tenancies::All {
                    scope.tenancies = bounds.tenancies.clone();
                }
            }
            if grounds.policies.catalogue().roles.get(&role).is_some_and(|role| role.on_shift) {
                until = until.min(grounds.standing.shift.unwrap_or(now));
            }
            until = until.min(ends.unwrap_or(until));
        }
    }
    Ok((role, until))
}

/// What else counts for a question, and when the access or emergency ends that it may rest on.
pub(crate) fn facts(
    grounds: Grounds<'_>,
    purpose: Purpose,
    class: Option<Class>,
    asked: &Tenancies,
    case: u32,
    now: UtcMillis,
) -> (Facts, Option<UtcMillis>) {
    let Grounds { standing, staff, .. } = grounds;
    let open = staff.open_case(case).ok();
    let case_covers = match (open, asked) {
        (Some(case), Tenancies::Only(asked)) => !asked.is_empty() && asked.is_subset(&case.tenancies),
        _ => false,
    };
    let fits = |ask: &Ask| ask.case == case && ask.purpose == purpose.name() && Some(ask.class) == class;
    let access = staff.live_access(&standing.name, now).find(|(_, ask, ..)| fits(ask));
    let glass = staff.live_glass(&standing.name, now).filter(|_| purpose == Purpose::Emergency);
    let (permits, lasts) = match class {
        Some(class) if purpose == Purpose::ByPermission => permission(grounds, class, now),
        _ => (BTreeSet::new(), None),
    };
    let permitted = matches!(asked, Tenancies::Only(asked) if !asked.is_empty() && asked.is_subset(&permits));
    let lasts = lasts.filter(|_| permitted);
    let ends = [access.as_ref().map(|(.., until)| *until), glass.map(|(_, glass)| glass.until), lasts];
    let facts = Facts {
        case_covers,
        access: access.is_some(),
        emergency: glass.is_some(),
        on_shift: standing.shift.is_some(),
        own: is_own(grounds, asked),
        permitted,
        single_handed: standing.single_handed,
        restricted: false,
    };
    (facts, ends.into_iter().flatten().min())
}

fn scope(asked: &GrantRequest) -> Result<Scope, Denied> {
    let class = |code: &u32| u8::try_from(*code).ok().and_then(Class::from_code);
    let classes: Option<BTreeSet<Class>> = asked.classes.iter().map(class).collect();
    let classes = classes.ok_or(Denied::Malformed("data class is unknown"))?;
    if classes.is_empty() {
        return Err(Denied::Malformed("list of data classes is empty"));
    }
    if asked.first_month > asked.last_month {
        return Err(Denied::Malformed("first month is after its last"));
    }
    if asked.last_month - asked.first_month >= MAX_MONTHS {
        return Err(Denied::TooMuch("a grant reaches at most 120 months"));
    }
    let (first_month, last_month) =
        (Month::from_number(asked.first_month), Month::from_number(asked.last_month));
    let (tenancies, areas) = (tenancies(asked)?, Areas::All);
    Ok(Scope { classes, first_month, last_month, tenancies, areas })
}

fn tenancies(asked: &GrantRequest) -> Result<Tenancies, Denied> {
    if asked.tenancies.len() > MAX_TENANCIES {
        return Err(Denied::TooMuch("a grant names at most 10,000 tenancies"));
    }
    if asked.tenancies.is_empty() {
        return Ok(Tenancies::All);
    }
    let ids: Option<BTreeSet<TenancyId>> =
        asked.tenancies.iter().map(|t| t.as_slice().try_into().ok().map(TenancyId)).collect();
    ids.map(Tenancies::Only).ok_or(Denied::Malformed("tenancy has not 16 bytes"))
}

/// What the log says of a grant, without naming anybody.
#[must_use]
pub(crate) fn summary(grant: &Grant) -> String {
    let scope = &grant.scope;
    let classes: Vec<&str> = scope.classes.iter().map(|c| c.name()).collect();
    let whose = match &scope.tenancies {
        Tenancies::All => "all tenancies".to_owned(),
        Tenancies::Only(list) => format!("{} tenancies", list.len()),
    };
    let whose = match &scope.areas {
        Areas::All => whose,
        Areas::Only(list) => {
            let names: Vec<&str> = list.iter().map(base::Area::as_str).collect();
            format!("{whose} in {}", names.join("+"))
        }
    };
    let data = if grant.actions.iter().any(|action| action.reaches_contacts()) {
        format!("contacts of {whose}")
    } else if grant.actions.iter().any(|action| action.reaches_histories()) {
        format!("who looked at data of {whose}")
    } else if classes.is_empty() {
        "no readings".to_owned()
    } else {
        format!("{} {} to {} of {whose}", classes.join("+"), scope.first_month, scope.last_month)
    };
    format!("{} as {}, {data}, until {}", grant.action_names(), grant.role, grant.until)
}

#[cfg(test)]
mod tests {
    use policy::Catalogue;
    use seal::sign::Signer;

    use super::*;
    use crate::people::People;

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

    fn asked() -> GrantRequest {
        GrantRequest {
            session_key: Signer::generate().unwrap().verifier().as_bytes().to_vec(),
            purpose: "operations".to_owned(),
            actions: vec!["read-readings".to_owned()],
            classes: vec![2],
            first_month: NOW.month().number() - 1,
            last_month: NOW.month().number(),
            tenancies: vec![],
            case: 0,
        }
    }

    fn ask_as(uid: u32, owner: &str, asked: &GrantRequest) -> Result<Grant, Denied> {
        let people = People::named(1000, |uid| Some(if uid == 1000 { "anna" } else { "carl" }.to_owned()));
        let (staff, policies) =
            (State::default(), Policies::compile(Catalogue::built_in().unwrap()).unwrap());
        let standing = &Standing::of(&people, &staff, uid, NOW);
        let grounds = Grounds { standing, owner, staff: &staff, policies: &policies };
        decide(grounds, asked, [1; 16], NOW, &mut Vec::new())
    }

    fn ask(asked: &GrantRequest) -> Result<Grant, Denied> {
        ask_as(1000, "anna", asked)
    }

    fn code(change: impl Fn(&mut GrantRequest)) -> &'static str {
        let mut asked = asked();
        change(&mut asked);
        ask(&asked).unwrap_err().code()
    }

    #[test]
    fn the_owner_gets_what_was_asked_for_ten_minutes() {
        let grant = ask(&asked()).unwrap();
        assert_eq!(grant.until.since(NOW), GRANT_LIFE_MS);
        assert_eq!((grant.person.as_str(), grant.role.as_str()), ("anna", "owner"));
        assert_eq!(grant.scope.covers(TenancyId([9; 16]), Class::Daily, NOW.month(), None), Ok(()));
        assert!(grant.scope.covers(TenancyId([9; 16]), Class::Fine, NOW.month(), None).is_err());
        assert!(
            summary(&grant).contains("read-readings as owner, daily 2026-10 to 2026-11 of all tenancies")
        );
        let named = GrantRequest { tenancies: vec![vec![4; 16]], ..asked() };
        let grant = ask(&named).unwrap();
        assert!(grant.scope.covers(TenancyId([9; 16]), Class::Daily, NOW.month(), None).is_err());
    }

    #[test]
    fn an_errand_without_readings_reaches_no_readings() {
        let request = GrantRequest {
            purpose: "key-import".to_owned(),
            actions: vec!["import-keys".to_owned()],
            ..asked()
        };
        assert_eq!(ask(&request).unwrap().scope, Scope::nothing());
    }

    #[test]
    fn a_grant_for_names_reaches_no_readings_and_stands_alone() {
        let notify = GrantRequest {
            purpose: "notification".to_owned(),
            actions: vec!["read-contacts".to_owned()],
            tenancies: vec![vec![4; 16]],
            ..asked()
        };
        let grant = ask(&notify).unwrap();
        assert!(grant.scope.classes.is_empty(), "no class was granted though one was asked for");
        assert_eq!(grant.scope.tenancies, Tenancies::Only([TenancyId([4; 16])].into()));
        assert!(summary(&grant).contains("contacts of 1 tenancies"), "{}", summary(&grant));
        let both = vec!["read-contacts".to_owned(), "read-readings".to_owned()];
        let both = GrantRequest { purpose: "bill-question".to_owned(), actions: both, ..asked() };
        assert_eq!(ask(&both).unwrap_err().code(), "too-much");
        let of_bill = GrantRequest { actions: vec!["read-contacts".to_owned()], ..both };
        assert!(matches!(ask(&of_bill).unwrap_err(), Denied::Policy { .. }), "the owner has no bills");
    }

    #[test]
    fn each_denial_has_its_word() {
        let nobody = ask_as(1001, "bert", &asked()).unwrap_err();
        assert_eq!(nobody.code(), "no-role");
        assert!(nobody.to_string().contains("its owner `bert`"));
        assert_eq!(code(|a| a.purpose = "curiosity".to_owned()), "no-such-purpose");
        let curious = ask(&GrantRequest { purpose: "curiosity".to_owned(), ..asked() }).unwrap_err();
        assert!(curious.to_string().contains("billing, "), "{curious}");
        assert_eq!(code(|a| a.actions = vec!["import-keys".to_owned()]), "not-for-purpose");
        assert_eq!(code(|a| a.actions = vec!["enrol-collector".to_owned()]), "not-for-purpose");
        let of = |purpose: &str, action: &str| {
            code(|a| (a.purpose, a.actions) = (purpose.to_owned(), vec![action.to_owned()]))
        };
        assert_eq!(of("operations", "read-contacts"), "not-for-purpose", "granted, and for other purposes");
        assert_eq!(of("administration", "manage-people"), "not-for-purpose", "covered, and never by a grant");
        assert_eq!(code(|a| a.actions = vec![]), "no-action");
        assert_eq!(code(|a| a.classes = vec![]), "malformed");
        assert_eq!(code(|a| a.classes = vec![9]), "malformed");
        assert_eq!(code(|a| a.classes = vec![258]), "malformed");
        assert_eq!(code(|a| a.session_key = vec![0; 31]), "malformed");
        assert_eq!(code(|a| a.session_key = vec![0; 32]), "malformed");
        assert_eq!(code(|a| a.tenancies = vec![vec![0; 15]]), "malformed");
        assert_eq!(code(|a| a.first_month = a.last_month + 1), "malformed");
        assert_eq!(code(|a| a.first_month = a.last_month - 120), "too-much");
        assert_eq!(code(|a| a.tenancies = vec![vec![0; 16]; 10_001]), "too-much");
    }
}
