//! Errands of people: roles, cases, access in time, emergencies, and questions about all of that.
//!
//! Each is decided by the policies, held against what stands already, recorded in the log, written down, and only then
//! answered.

use base::{Class, UtcMillis};
use grant::{Action, Event, Outcome, Purpose, Tenancies};
use policy::{Catalogue, Decision, Facts, Question, separation};
use recorder::Record;
use sha2::{Digest, Sha256};
use wire::Refused;
use wire::staff::{NewRoles, StaffAnswer, StaffErrand, WhatAsked, WhyAsked, Wish};

use crate::minting::{Grounds, facts};
use crate::service::{ACTOR, Inner, policies_of};
use crate::shown;
use crate::staff::{
    Approved, Asked, Assigned, Broken, CaseOpened, Ended, NewCatalogue, NotDone, Person, Reviewed, Staff,
    State, Step, Taken, Used,
};
use crate::standing::Standing;

const DAY_MS: i64 = 24 * 3_600_000;
/// Lines of what would change, at most.
const MAX_LINES: usize = 2000;

impl From<NotDone> for Refused {
    fn from(error: NotDone) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

fn malformed(what: &str) -> Refused {
    Refused::new("malformed", format!("the errand's {what}; this is a fault of the program that asks"))
}

/// What is to be done: which step, under which purposes it may be, as which action, and what is said of it.
struct Doing {
    step: Step,
    purposes: Vec<Purpose>,
    action: Action,
    done: String,
    number: u32,
}

impl<R: Record> Inner<R> {
    /// Whether somebody may do something for one of these purposes. Gives the policy that says so.
    pub(crate) fn may(
        &self,
        standing: &Standing,
        purposes: &[Purpose],
        action: Action,
    ) -> Result<String, Refused> {
        let policies = self.policies();
        let facts = Facts { single_handed: standing.single_handed, ..Facts::default() };
        let question = |purpose| Question { asker: standing.asker(), purpose, action, class: None, facts };
        let allowed = purposes.iter().find_map(|purpose| match policies.decide(&question(*purpose)) {
            Decision { allowed: true, rules } => rules.into_iter().next(),
            _ => None,
        });
        if let Some(rule) = allowed {
            return Ok(rule);
        }
        if standing.roles.is_empty() {
            let (person, owner) = (standing.name.clone(), self.people.owner());
            let denied = crate::Denied::NoRole { person, owner };
            return Err(Refused::new(denied.code(), denied.to_string()));
        }
        let Some(purpose) = purposes.first() else { return Err(malformed("purpose is missing")) };
        let reason = policies.why(&question(*purpose));
        Err(Refused::new(reason.code(), reason.sentence(*purpose)))
    }

    /// Does an errand.
    pub(crate) async fn errand(
        &self,
        uid: u32,
        errand: StaffErrand,
        now: UtcMillis,
    ) -> Result<StaffAnswer, Refused> {
        let wish = errand.wish.ok_or_else(|| malformed("wish is missing"))?;
        let mut staff = self.staff.lock().await;
        let standing = Standing::of(&self.people, staff.state(), uid, now);
        match &wish {
            Wish::Look(look) => return self.look(staff.state(), &standing, look.roles, now).await,
            Wish::Why(asked) => return self.why(staff.state(), &standing, asked, now).await,
            Wish::WhoCan(what) => return self.who_can(staff.state(), &standing, what, now).await,
            Wish::Roles(new) if !new.propose => {
                return self.would_change(staff.state(), &standing, new, now).await;
            }
            _ => {}
        }
        let unknown = Event::new(now, ACTOR, "staff", Outcome::Allowed);
        let doing = match self.doing(staff.state(), &standing, wish, now) {
            Ok(doing) => doing,
            Err(refused) => return Err(self.deny(&standing.name, unknown, refused).await),
        };
        let event = Event::new(now, ACTOR, doing.action.name(), Outcome::Allowed);
        let own = doing.purposes.is_empty();
        let judged = if own { Ok(String::new()) } else { self.may(&standing, &doing.purposes, doing.action) };
        let judged = judged.and_then(|rule| {
            staff.state().judge(&standing.name, &doing.step, now)?;
            Ok(rule)
        });
        let rule = match judged {
            Ok(rule) => rule,
            Err(refused) => return Err(self.deny(&standing.name, event, refused).await),
        };
        let detail = doing.done.clone();
        self.record(Event { on_behalf: standing.name.clone(), detail, ..event }).await?;
        let new_catalogue = match &doing.step {
            Step::Catalogue(new) => Some(policies_of(&new.text).map_err(|e| Refused::new("roles", e))?),
            _ => None,
        };
        let emergency = matches!(doing.step, Step::Glass(_));
        write(&mut staff, &standing.name, doing.step, now)?;
        if emergency {
            self.counters.add("alarm.emergency-access", 1);
            self.counters.note(format!("`{}` took it: {}", standing.name, doing.done));
        }
        if let Some(policies) = new_catalogue {
            self.put_in_force(policies);
        }
        self.counters.add(format!("staff.{}", doing.action), 1);
        drop(staff);
        self.note_use(&standing.name, &standing.role_of(&rule), now).await;
        Ok(StaffAnswer { number: doing.number, done: doing.done, ..StaffAnswer::default() })
    }

    fn doing(
        &self,
        state: &State,
        standing: &Standing,
        wish: Wish,
        now: UtcMillis,
    ) -> Result<Doing, Refused> {
        let admin = || vec![Purpose::Administration];
        let doing =
            |step, purposes, action, done: String, number| Ok(Doing { step, purposes, action, done, number });
        match wish {
            Wish::AddPerson(new) => {
                let done = format!("`{}` works here now, as the user `{}`", new.name, new.user);
                let step = Step::Person(Person { name: new.name, title: new.title, user: new.user });
                doing(step, admin(), Action::ManagePeople, done, 0)
            }
            Wish::Leave(name) => {
                let done = format!("`{name}` does not work here any more; all of theirs has ended");
                doing(Step::Left(name), admin(), Action::ManagePeople, done, 0)
            }
            Wish::GiveRole(of) => {
                let policies = self.policies();
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
                let roles = member.live_roles(now).chain([of.role.as_str()]);
                separation::check_person(catalogue, &of.person, roles)
                    .map_err(|hole| Refused::new("two-duties", hole.to_string()))?;
                let until = now.plus(shown::role_life_ms(role.privileged));
                let done = format!(
                    "`{}` has the role `{}` until {until}, unless it is given again",
                    of.person, of.role
                );
                let step = Step::Role(Assigned { person: of.person, role: of.role, until_ms: until.0 });
                doing(step, admin(), Action::ManagePeople, done, 0)
            }
            Wish::TakeRole(of) => {
                let done = format!("`{}` has no longer the role `{}`", of.person, of.role);
                let step = Step::Taken(Taken { person: of.person, role: of.role });
                doing(step, admin(), Action::ManagePeople, done, 0)
            }
            Wish::OpenCase(new) => {
                let number = state.next_case();
                let purpose = purpose(&new.purpose)?;
                let done = format!(
                    "case {number} on {} tenancies: {}",
                    new.tenancies.len(),
                    shown::line(&new.reason)
                );
                let step = Step::Case(CaseOpened { number, tenancies: new.tenancies, reason: new.reason });
                doing(step, vec![purpose], Action::OpenCase, done, number)
            }
            Wish::CloseCase(number) => {
                let own = state.cases.get(&number).is_some_and(|case| case.by == standing.name);
                let purposes = if own { Vec::new() } else { vec![Purpose::Supervision] };
                let action = if own { Action::OpenCase } else { Action::ApproveAccess };
                let done = format!("case {number} is closed; access for it has ended");
                doing(Step::CaseClosed(number), purposes, action, done, number)
            }
            Wish::Ask(ask) => {
                let (number, purpose) = (state.next_ask(), purpose(&ask.purpose)?);
                let in_time =
                    self.policies().catalogue().purposes.get(&purpose).map(|with| with.in_time.clone());
                let class = u8::try_from(ask.class).ok().and_then(Class::from_code);
                let class = class.filter(|class| in_time.is_some_and(|classes| classes.contains(class)));
                let class = class.ok_or_else(|| {
                    let why =
                        format!("the purpose `{purpose}` has no such class that access in time would open");
                    Refused::new("not-in-time", why)
                })?;
                let for_ms = if ask.for_ms == 0 { State::usual_ms() } else { ask.for_ms };
                let done = format!(
                    "access {number} asked for: {purpose}, {} of case {}, {} h: {}",
                    class.name(),
                    ask.case,
                    for_ms / 3_600_000,
                    shown::line(&ask.reason)
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
                doing(step, vec![purpose], Action::AskAccess, done, number)
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
                doing(step, vec![Purpose::Supervision], Action::ApproveAccess, done, approve.number)
            }
            Wish::End(end) => {
                let own = state.asks.get(&end.number).is_some_and(|ask| ask.by == standing.name);
                let purposes = if own { Vec::new() } else { vec![Purpose::Supervision] };
                let action = if own { Action::AskAccess } else { Action::ApproveAccess };
                let done = format!("access {} ended: {}", end.number, shown::line(&end.reason));
                let (number, reason) = (end.number, end.reason);
                doing(Step::Ended(Ended { number, reason }), purposes, action, done, number)
            }
            Wish::Emergency(reason) => {
                let (number, until) = (state.next_glass(), State::glass_until(now));
                let done = format!("emergency access {number} until {until}: {}", shown::line(&reason));
                let step = Step::Glass(Broken { number, reason, until_ms: until.0 });
                doing(step, vec![Purpose::Operations], Action::BreakGlass, done, number)
            }
            Wish::Review(review) => {
                let word = if review.justified { "justified" } else { "NOT justified" };
                let done =
                    format!("emergency access {} was {word}: {}", review.number, shown::line(&review.note));
                let (number, justified, note) = (review.number, review.justified, review.note);
                let step = Step::Reviewed(Reviewed { number, justified, note });
                doing(step, vec![Purpose::DataProtection], Action::ReviewBreakGlass, done, number)
            }
            Wish::Roles(new) => {
                let _ = catalogue(&new.text)?;
                let hash = hex::encode(Sha256::digest(&new.text));
                let done = format!("other roles and purposes proposed, SHA-256 {hash}");
                let step = Step::CatalogueAsked(NewCatalogue { text: new.text });
                doing(step, admin(), Action::ManageRoles, done, 0)
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
                doing(step, vec![Purpose::DataProtection], Action::ApproveRoles, done, 0)
            }
            Wish::Look(_) | Wish::Why(_) | Wish::WhoCan(_) => Err(malformed("wish is a question")),
        }
    }

    /// A role's use, to the day, so that who gives it again sees when it was needed last.
    pub(crate) async fn note_use(&self, person: &str, role: &str, now: UtcMillis) {
        let mut staff = self.staff.lock().await;
        let held = staff.state().member(person).ok().and_then(|member| member.roles.get(role));
        if held.is_none_or(|held| held.used.is_some_and(|used| now.since(used) < DAY_MS)) {
            return;
        }
        let step = Step::Used(Used { person: person.to_owned(), role: role.to_owned() });
        if let Err(error) = write(&mut staff, person, step, now) {
            tracing::warn!(%error, "the use of a role is not written down");
        }
    }

    const LOOKERS: [Purpose; 4] =
        [Purpose::Administration, Purpose::Supervision, Purpose::DataProtection, Purpose::Audit];

    async fn look(
        &self,
        staff: &State,
        standing: &Standing,
        roles: bool,
        now: UtcMillis,
    ) -> Result<StaffAnswer, Refused> {
        let all = self.may(standing, &Self::LOOKERS, Action::ReadAccess).is_ok();
        let event = Event::new(now, ACTOR, Action::ReadAccess.name(), Outcome::Allowed);
        let detail = if all { "looked at everybody's" } else { "looked at their own" }.to_owned();
        self.record(Event { on_behalf: standing.name.clone(), detail, ..event }).await?;
        let mut answer = shown::all(staff, (!all).then_some(standing.name.as_str()), now);
        if roles {
            let own = &staff.catalogue;
            answer.roles = if own.is_empty() { Catalogue::built_in_text().to_owned() } else { own.clone() };
            answer.proposed =
                staff.catalogue_asked.as_ref().map(|(.., text)| text.clone()).unwrap_or_default();
        }
        Ok(answer)
    }

    /// A question about others is for who may see everybody's; in the log it is in any case.
    async fn may_look(&self, standing: &Standing, detail: String, now: UtcMillis) -> Result<(), Refused> {
        let event = Event::new(now, ACTOR, Action::ReadAccess.name(), Outcome::Allowed);
        match self.may(standing, &Self::LOOKERS, Action::ReadAccess) {
            Ok(_) => self.record(Event { on_behalf: standing.name.clone(), detail, ..event }).await.map(drop),
            Err(refused) => Err(self.deny(&standing.name, event, refused).await),
        }
    }

    async fn why(
        &self,
        staff: &State,
        standing: &Standing,
        asked: &WhyAsked,
        now: UtcMillis,
    ) -> Result<StaffAnswer, Refused> {
        let (state, policies) = (staff, self.policies());
        let (action, class) = what(asked.what.as_ref())?;
        let purpose = purpose(&asked.purpose)?;
        let other = !asked.person.is_empty() && asked.person != standing.name;
        let of = if other {
            self.may_look(
                standing,
                format!("why `{}` may or may not {action}", shown::line(&asked.person)),
                now,
            )
            .await?;
            let member = state.member(&asked.person)?;
            let roles = member.live_roles(now).map(ToOwned::to_owned).collect();
            Standing::seen(&asked.person, roles)
        } else {
            standing.clone()
        };
        let grounds = Grounds { standing: &of, owner: "", staff: state, policies: &policies };
        let reach = state
            .open_case(asked.case)
            .map_or(Tenancies::All, |case| Tenancies::Only(case.tenancies.clone()));
        let (facts, _) = facts(grounds, purpose, class, &reach, asked.case, now);
        let question = Question { asker: of.asker(), purpose, action, class, facts };
        let (decision, reason) = (policies.decide(&question), policies.why(&question));
        let lines = if decision.allowed { decision.rules } else { Vec::new() };
        let done = format!("`{}`: {}", of.name, reason.sentence(purpose));
        let code = reason.code().to_owned();
        Ok(StaffAnswer { done, code, lines, ..StaffAnswer::default() })
    }

    async fn who_can(
        &self,
        staff: &State,
        standing: &Standing,
        asked: &WhatAsked,
        now: UtcMillis,
    ) -> Result<StaffAnswer, Refused> {
        let (action, class) = what(Some(asked))?;
        self.may_look(standing, format!("who can {action}"), now).await?;
        let who = self.policies().who_can(&shown::holders(staff, now), action, class);
        let lines =
            who.iter().map(|who| format!("{} for {}: {}", who.name, who.purpose, who.reach.name())).collect();
        Ok(StaffAnswer { done: format!("{} ways to {action}", who.len()), lines, ..StaffAnswer::default() })
    }

    async fn would_change(
        &self,
        staff: &State,
        standing: &Standing,
        new: &NewRoles,
        now: UtcMillis,
    ) -> Result<StaffAnswer, Refused> {
        self.may_look(standing, "what other roles would change".to_owned(), now).await?;
        let _ = catalogue(&new.text)?;
        let other = policies_of(&new.text).map_err(|e| Refused::new("roles", e))?;
        let holders = shown::holders(staff, now);
        for (name, roles) in &holders {
            separation::check_person(other.catalogue(), name, roles.iter().map(String::as_str))
                .map_err(|hole| Refused::new("two-duties", hole.to_string()))?;
        }
        let changes = self.policies().what_if(&other, &holders);
        let line = |change: &policy::Change| {
            let class = change.class.map_or(String::new(), |class| format!(" {}", class.name()));
            let (before, after) = (change.before.name(), change.after.name());
            format!("{} for {}: {}{class}: {before} -> {after}", change.name, change.purpose, change.action)
        };
        let lines = changes.iter().take(MAX_LINES).map(line).collect();
        Ok(StaffAnswer { done: format!("{} changes", changes.len()), lines, ..StaffAnswer::default() })
    }
}

fn write(staff: &mut Staff, by: &str, step: Step, now: UtcMillis) -> Result<(), Refused> {
    staff
        .write(by, step, now)
        .map_err(|e| Refused::new("not-stored", format!("the warden cannot write it down: {e}")))
}

fn catalogue(text: &str) -> Result<Catalogue, Refused> {
    Catalogue::parse(text).map_err(|e| Refused::new("roles", e.to_string()))
}

fn purpose(name: &str) -> Result<Purpose, Refused> {
    Purpose::from_name(name).ok_or_else(|| {
        let known = Purpose::ALL.map(Purpose::name).join(", ");
        Refused::new("no-such-purpose", format!("`{}` is no purpose; there are: {known}", shown::line(name)))
    })
}

fn what(asked: Option<&WhatAsked>) -> Result<(Action, Option<Class>), Refused> {
    let asked = asked.ok_or_else(|| malformed("action is missing"))?;
    let action = Action::from_name(&asked.action).ok_or_else(|| {
        let known = Action::ALL.map(Action::name).join(", ");
        Refused::new(
            "no-such-action",
            format!("`{}` is no action; there are: {known}", shown::line(&asked.action)),
        )
    })?;
    let class = u8::try_from(asked.class).ok().and_then(Class::from_code);
    match (action.reaches_readings(), class) {
        (true, Some(class)) => Ok((action, Some(class))),
        (true, None) => Err(malformed("class is missing")),
        (false, _) => Ok((action, None)),
    }
}
