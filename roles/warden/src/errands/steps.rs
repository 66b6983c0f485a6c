//! What an errand changes, once it is allowed: the step that is written down, and what is said of it.

use base::{Class, UtcMillis};
use grant::Purpose;
use policy::{Policies, Role, separation};
use sha2::{Digest, Sha256};
use wire::Refused;
use wire::staff::{NewPermission, NewPerson, RoleOf, Wish};

use super::{catalogue, malformed, purpose};
use crate::shown;
use crate::staff::{
    Approved, Asked, Assigned, Bounds, Broken, CaseOpened, Ended, NewCatalogue, Permitted, Person, Pinned,
    Reviewed, ShiftSet, State, Step, Taken, ids,
};
use crate::standing::is_of_subjects;

/// A step, and what is said of it.
pub(super) struct Doing {
    pub(super) step: Step,
    pub(super) done: String,
    /// The number that something new got.
    pub(super) number: u32,
}

/// The step that a wish amounts to.
pub(super) fn step_of(
    wish: Wish,
    by: &str,
    state: &State,
    policies: &Policies,
    now: UtcMillis,
) -> Result<Doing, Refused> {
    let made = |step, done: String, number| Ok(Doing { step, done, number });
    match wish {
        Wish::AddPerson(new) => {
            let what = if new.service { "is a service account here now" } else { "works here now" };
            let done = format!("`{}` {what}, as the user `{}`", new.name, new.user);
            let NewPerson { name, title, user, service } = new;
            let step = Step::Person(Person { name, title, user, service });
            made(step, done, 0)
        }
        Wish::Leave(name) => {
            let done = format!("`{name}` does not work here any more; all of theirs has ended");
            made(Step::Left(name), done, 0)
        }
        Wish::GiveRole(of) => {
            let catalogue = policies.catalogue();
            let no_role = || {
                let names: Vec<&str> = catalogue.roles.keys().map(String::as_str).collect();
                Refused::new(
                    "no-such-role",
                    format!("`{}` is no role; there are: {}", of.role, names.join(", ")),
                )
            };
            let role =
                catalogue.roles.get(&of.role).filter(|role| !role.single_handed).ok_or_else(no_role)?;
            let member = state.member(&of.person)?;
            if member.service && !role.is_for_services() {
                let why = format!(
                    "`{}` is for people: a service account holds no privileged role, and none with shifts",
                    of.role
                );
                return Err(Refused::new("not-for-services", why));
            }
            let roles = member.live_roles(now).chain([of.role.as_str()]);
            separation::check_person(catalogue, &of.person, roles)
                .map_err(|hole| Refused::new("two-duties", hole.to_string()))?;
            let bounds = bounds_of(&of, role)?;
            let until = now.plus(shown::role_life_ms(role.privileged));
            let within = if bounds.is_bounded() { format!(" for {}", bounds.told()) } else { String::new() };
            let done = format!(
                "`{}` has the role `{}`{within} until {until}, unless it is given again",
                of.person, of.role
            );
            let RoleOf { person, role, areas, tenancies } = of;
            made(Step::Role(Assigned { person, role, until_ms: until.0, areas, tenancies }), done, 0)
        }
        Wish::TakeRole(of) => {
            let done = format!("`{}` has no longer the role `{}`", of.person, of.role);
            let step = Step::Taken(Taken { person: of.person, role: of.role });
            made(step, done, 0)
        }
        Wish::OpenCase(new) => {
            let number = state.next_case();
            // what was written about somebody stands with the case, and not in the log, which forgets nothing by itself
            let done = format!("case {number} on {} tenancies", new.tenancies.len());
            let step = Step::Case(CaseOpened { number, tenancies: new.tenancies, reason: new.reason });
            made(step, done, number)
        }
        Wish::CloseCase(number) => {
            let done = format!("case {number} is closed; access for it has ended");
            made(Step::CaseClosed(number), done, number)
        }
        Wish::Ask(ask) => {
            let (number, purpose) = (state.next_ask(), purpose(&ask.purpose)?);
            let in_time = policies.catalogue().purposes.get(&purpose).map(|with| with.in_time.clone());
            let class = u8::try_from(ask.class).ok().and_then(Class::from_code);
            let class = class.filter(|class| in_time.is_some_and(|classes| classes.contains(class)));
            let class = class.ok_or_else(|| {
                let why = format!("the purpose `{purpose}` has no such class that access in time would open");
                Refused::new("not-in-time", why)
            })?;
            let for_ms = if ask.for_ms == 0 { State::usual_ms() } else { ask.for_ms };
            let done = format!(
                "access {number} asked for: {purpose}, {} of case {}, {}",
                class.name(),
                ask.case,
                base::spell(for_ms)
            );
            let (case, reason) = (ask.case, ask.reason);
            let step = Step::Ask(Asked {
                number,
                purpose: purpose.name().to_owned(),
                class: u32::from(class.code()),
                case,
                reason,
                for_ms,
            });
            made(step, done, number)
        }
        Wish::Approve(approve) => {
            let ask = state.waiting(approve.number, now)?;
            if ask.line(approve.number) != approve.line {
                let why = "what was agreed to is not what was asked for; look at it again";
                return Err(Refused::new("other-request", why));
            }
            let until = State::access_until(ask, now);
            let done = format!("access {} of `{}` approved until {until}", approve.number, ask.by);
            let step = Step::Approved(Approved { number: approve.number, until_ms: until.0 });
            made(step, done, approve.number)
        }
        Wish::End(end) => {
            let done = format!("access {} ended", end.number);
            let (number, reason) = (end.number, end.reason);
            made(Step::Ended(Ended { number, reason }), done, number)
        }
        Wish::Permit(new) => permission(new, by, state, policies, now),
        Wish::EndPermission(number) => {
            made(Step::PermissionEnded(number), format!("permission {number} has ended"), number)
        }
        Wish::Emergency(reason) => {
            let (number, until) = (state.next_glass(), State::glass_until(now));
            let done = format!("emergency access {number} until {until}");
            let step = Step::Glass(Broken { number, reason, until_ms: until.0 });
            made(step, done, number)
        }
        Wish::Review(review) => {
            let word = if review.justified { "justified" } else { "NOT justified" };
            let done = format!("emergency access {} was {word}", review.number);
            let (number, justified, note) = (review.number, review.justified, review.note);
            let step = Step::Reviewed(Reviewed { number, justified, note });
            made(step, done, number)
        }
        Wish::Roles(new) => {
            let _ = catalogue(&new.text)?;
            let hash = hex::encode(Sha256::digest(&new.text));
            let done = format!("other roles and purposes proposed, SHA-256 {hash}");
            let step = Step::CatalogueAsked(NewCatalogue { text: new.text });
            made(step, done, 0)
        }
        Wish::ApproveRoles(seen) => {
            let none = || Refused::new("no-proposal", "no roles and purposes wait for agreement");
            let (by, _, text) = state.catalogue_asked.as_ref().ok_or_else(none)?;
            if Sha256::digest(text).as_slice() != seen {
                let why = "what was agreed to is not what was proposed; look at it again";
                return Err(Refused::new("other-request", why));
            }
            let done = format!(
                "the roles and purposes that `{by}` proposed are in force, SHA-256 {}",
                hex::encode(seen)
            );
            let step = Step::Catalogue(NewCatalogue { text: text.clone() });
            made(step, done, 0)
        }
        Wish::Shift(new) => {
            let number = state.next_shift();
            let (from, until) = (UtcMillis(new.from_ms), UtcMillis(new.until_ms));
            let done = format!("shift {number} of `{}` from {from} until {until}", shown::line(&new.person));
            let step = ShiftSet { number, person: new.person, from_ms: from.0, until_ms: until.0 };
            made(Step::Shift(step), done, number)
        }
        Wish::TakeShift(number) => made(Step::ShiftTaken(number), format!("shift {number} is over"), number),
        Wish::PinKey(of) => {
            let done = format!(
                "`{}` signs approvals with the key {} from now on",
                shown::line(&of.person),
                hex::encode(&of.key)
            );
            made(Step::Key(Pinned { person: of.person, key: of.key }), done, 0)
        }
        Wish::Look(_) | Wish::Why(_) | Wish::WhoCan(_) | Wish::Replay(_) | Wish::Signed(_) => {
            Err(malformed("wish is no errand"))
        }
    }
}

/// The case that a step is about; 0 for none.
pub(super) fn case_of(step: &Step, state: &State) -> u32 {
    let of_ask = |number: &u32| state.asks.get(number).map_or(0, |ask| ask.case);
    match step {
        Step::Case(case) => case.number,
        Step::CaseClosed(number) => *number,
        Step::Ask(ask) => ask.case,
        Step::Approved(approved) => of_ask(&approved.number),
        Step::Ended(ended) => of_ask(&ended.number),
        _ => 0,
    }
}

/// What a role is given for, where it can be given for that.
fn bounds_of(of: &RoleOf, role: &Role) -> Result<Bounds, Refused> {
    let bounds = Bounds::read(&of.areas, &of.tenancies).map_err(|e| Refused::new("bounds", e.to_string()))?;
    let mut actions = role.purposes.iter().flat_map(|purpose| purpose.actions());
    if let Some(action) = actions.find(|action| bounds.is_bounded() && !action.keeps_bounds()) {
        let why = format!(
            "the role `{}` may {action}, which is about no area and no tenancy; give it for the whole house, or another role",
            of.role
        );
        return Err(Refused::new("bounds", why));
    }
    let of_subjects = role.purposes.iter().any(|purpose| purpose.is_for_subjects());
    if of_subjects && bounds.named().is_none() {
        let why = format!(
            "the role `{}` opens what is its holder's own: say which tenancies are theirs (`--tenancy`)",
            of.role
        );
        return Err(Refused::new("bounds", why));
    }
    Ok(bounds)
}

/// A permission by somebody of what is theirs.
fn permission(
    new: NewPermission,
    by: &str,
    state: &State,
    policies: &Policies,
    now: UtcMillis,
) -> Result<Doing, Refused> {
    let own = state.own_of(by, now, |role| is_of_subjects(policies.catalogue(), role));
    let named = ids(&new.tenancies).ok_or_else(|| malformed("tenancy has not 16 bytes"))?;
    if !named.is_subset(&own) {
        let why = "only what is one's own is permitted to others, and not all of that is yours";
        return Err(Refused::new("out-of-reach", why));
    }
    let whose = if named.is_empty() { own } else { named };
    let class = |code: &u32| u8::try_from(*code).ok().and_then(Class::from_code);
    let classes: Vec<Class> =
        new.classes.iter().map(class).collect::<Option<_>>().ok_or_else(|| malformed("class is unknown"))?;
    let reads = |name: &str| {
        let role = policies.catalogue().roles.get(name);
        role.is_some_and(|role| role.purposes.contains(&Purpose::ByPermission))
    };
    if !state.member(&new.to)?.live_roles(now).any(reads) {
        let why = format!("`{}` is nobody who reads with customers' permission", shown::line(&new.to));
        return Err(Refused::new("no-third-party", why));
    }
    let (number, until) = (state.next_permission(), UtcMillis(new.until_ms));
    let names: Vec<&str> = classes.iter().map(|class| class.name()).collect();
    let done = format!(
        "permission {number}: `{}` reads {} of {} tenancies until {until}",
        shown::line(&new.to),
        names.join("+"),
        whose.len()
    );
    let tenancies = whose.into_iter().map(|tenancy| tenancy.0.to_vec()).collect();
    let (to, classes, until_ms) = (new.to, new.classes, new.until_ms);
    let step = Step::Permitted(Permitted { number, to, tenancies, classes, until_ms });
    Ok(Doing { step, done, number })
}
