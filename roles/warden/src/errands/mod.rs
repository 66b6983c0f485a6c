//! Errands of people: roles, cases, access in time, emergencies, and questions about all of that.
//!
//! Each is decided by the policies, held against what stands already, recorded in the log, written down, and only then
//! answered.

mod due;
mod questions;
mod replay;
mod signed;
mod steps;

use base::UtcMillis;
use grant::{Action, Event, Outcome, Purpose, session_of};
use policy::{Catalogue, Decision, Facts, Question};
use recorder::Record;
use wire::Refused;
use wire::staff::{StaffAnswer, StaffErrand, Wish};

use self::due::due;
use self::steps::step_of;
use crate::service::{ACTOR, Inner, policies_of};
use crate::shown;
use crate::signing_in::Strengthened;
use crate::staff::{NotDone, Staff, Step, Used};
use crate::standing::Standing;

const DAY_MS: i64 = 24 * 3_600_000;

impl From<NotDone> for Refused {
    fn from(error: NotDone) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

pub(crate) fn malformed(what: &str) -> Refused {
    Refused::new("malformed", format!("the errand's {what}; this is a fault of the program that asks"))
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
        let (single_handed, on_shift) = (standing.single_handed, standing.shift.is_some());
        let facts = Facts { single_handed, on_shift, ..Facts::default() };
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
        login: Option<Strengthened>,
        now: UtcMillis,
    ) -> Result<StaffAnswer, Refused> {
        let wish = errand.wish.ok_or_else(|| malformed("wish is missing"))?;
        let mut staff = self.staff.lock().await;
        let standing = self.standing(staff.state(), uid, login.as_ref(), now);
        let (wish, signed) = match wish {
            Wish::Signed(encoded) => match self.signed_wish(&encoded, staff.state(), &standing, now) {
                Ok(wish) => (wish, true),
                Err(refused) => {
                    let event = Event::new(now, ACTOR, "approval", Outcome::Refused);
                    return Err(self.deny(&standing.name, event, refused).await);
                }
            },
            wish => (wish, false),
        };
        match &wish {
            Wish::Look(look) => return self.look(staff.state(), &standing, look.roles, now).await,
            Wish::Why(asked) => return self.why(staff.state(), &standing, asked, now).await,
            Wish::WhoCan(what) => return self.who_can(staff.state(), &standing, what, now).await,
            Wish::Replay(asked) => {
                let journal = staff.reader();
                drop(staff);
                return self.replay(journal, &standing, asked, now).await;
            }
            Wish::Roles(new) if !new.propose => {
                return self.would_change(staff.state(), &standing, new, now).await;
            }
            _ => {}
        }
        let unknown = Event::new(now, ACTOR, "staff", Outcome::Allowed);
        let due = match due(&wish, staff.state(), &standing) {
            Ok(due) => due,
            Err(refused) => return Err(self.deny(&standing.name, unknown, refused).await),
        };
        let session = login.as_ref().map(|login| session_of(login.key.as_bytes()));
        let event = Event { session, ..Event::new(now, ACTOR, due.action.name(), Outcome::Allowed) };
        let own = due.purposes.is_empty();
        let judged = if own { Ok(String::new()) } else { self.may(&standing, &due.purposes, due.action) };
        let judged = judged.and_then(|rule| {
            signed::is_enough(&wish, signed, staff.state(), &standing)?;
            self.no_owners_user(&wish)?;
            let doing = step_of(wish, &standing.name, staff.state(), &self.policies(), now)?;
            staff.state().judge(&standing.name, &doing.step, now)?;
            Ok((rule, doing))
        });
        let (rule, doing) = match judged {
            Ok(allowed) => allowed,
            Err(refused) => return Err(self.deny(&standing.name, event, refused).await),
        };
        let detail = if signed { format!("{}, signed", doing.done) } else { doing.done.clone() };
        let case = steps::case_of(&doing.step, staff.state());
        self.record(Event { on_behalf: standing.name.clone(), detail, case, ..event }).await?;
        let new_catalogue = match &doing.step {
            Step::Catalogue(new) => Some(policies_of(&new.text).map_err(|e| Refused::new("roles", e))?),
            _ => None,
        };
        let emergency = matches!(doing.step, Step::Glass(_));
        let left = if let Step::Left(name) = &doing.step { Some(name.clone()) } else { None };
        write(&mut staff, &standing.name, doing.step, now)?;
        if let Some(name) = left {
            self.desk.forget(&name).await?;
        }
        if emergency {
            self.counters.add("alarm.emergency-access", 1);
            self.counters.note(format!("`{}` took it: {}", standing.name, doing.done));
        }
        if let Some(policies) = new_catalogue {
            self.put_in_force(policies);
        }
        self.counters.add(format!("staff.{}", due.action), 1);
        drop(staff);
        self.note_use(&standing.name, &standing.role_of(&rule), now).await;
        Ok(StaffAnswer { number: doing.number, done: doing.done, ..StaffAnswer::default() })
    }

    /// Whoever owns the house, or administers the machine, is no program: they would stop being who they are.
    fn no_owners_user(&self, wish: &Wish) -> Result<(), Refused> {
        match wish {
            Wish::AddPerson(new) if new.service && self.people.is_owner(&new.user) => {
                let why = "a service account has a user of the machine of its own, which is not the house's owner and not root \
                           (`--user`)";
                Err(Refused::new("bad-name", why))
            }
            _ => Ok(()),
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
}

fn write(staff: &mut Staff, by: &str, step: Step, now: UtcMillis) -> Result<(), Refused> {
    staff
        .write(by, step, now)
        .map_err(|e| Refused::new("not-stored", format!("the warden cannot write it down: {e}")))
}

pub(super) fn catalogue(text: &str) -> Result<Catalogue, Refused> {
    Catalogue::parse(text).map_err(|e| Refused::new("roles", e.to_string()))
}

fn purpose(name: &str) -> Result<Purpose, Refused> {
    Purpose::from_name(name).ok_or_else(|| {
        let known = Purpose::ALL.map(Purpose::name).join(", ");
        Refused::new("no-such-purpose", format!("`{}` is no purpose; there are: {known}", shown::line(name)))
    })
}
