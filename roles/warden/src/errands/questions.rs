//! Questions about people, roles and access: how things stand, why, who can, and what if.

use base::{Class, UtcMillis};
use grant::{Action, Event, Outcome, Purpose, Tenancies};
use policy::{Catalogue, Question, separation};
use recorder::Record;
use wire::Refused;
use wire::staff::{NewRoles, StaffAnswer, WhatAsked, WhyAsked};

use super::{catalogue, malformed, purpose};
use crate::minting::{Grounds, facts};
use crate::service::{ACTOR, Inner, policies_of};
use crate::shown;
use crate::staff::State;
use crate::standing::Standing;

/// Lines of what would change, at most.
const MAX_LINES: usize = 2000;

impl<R: Record> Inner<R> {
    const LOOKERS: [Purpose; 5] = [
        Purpose::Administration,
        Purpose::Supervision,
        Purpose::DataProtection,
        Purpose::Audit,
        Purpose::Incident,
    ];

    pub(super) async fn look(
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
    pub(super) async fn may_look(
        &self,
        standing: &Standing,
        detail: String,
        now: UtcMillis,
    ) -> Result<(), Refused> {
        let event = Event::new(now, ACTOR, Action::ReadAccess.name(), Outcome::Allowed);
        match self.may(standing, &Self::LOOKERS, Action::ReadAccess) {
            Ok(_) => self.record(Event { on_behalf: standing.name.clone(), detail, ..event }).await.map(drop),
            Err(refused) => Err(self.deny(&standing.name, event, refused).await),
        }
    }

    pub(super) async fn why(
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
            Standing::seen(&asked.person, member, state.on_shift(&asked.person, now), now)
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

    pub(super) async fn who_can(
        &self,
        staff: &State,
        standing: &Standing,
        asked: &WhatAsked,
        now: UtcMillis,
    ) -> Result<StaffAnswer, Refused> {
        let (action, class) = what(Some(asked))?;
        self.may_look(standing, format!("who can {action}"), now).await?;
        let policies = self.policies();
        let mut who = policies.who_can(&shown::holders(staff, false, now), action, class);
        who.extend(policies.services_that_can(&shown::holders(staff, true, now), action, class));
        let lines =
            who.iter().map(|who| format!("{} for {}: {}", who.name, who.purpose, who.reach.name())).collect();
        Ok(StaffAnswer { done: format!("{} ways to {action}", who.len()), lines, ..StaffAnswer::default() })
    }

    pub(super) async fn would_change(
        &self,
        staff: &State,
        standing: &Standing,
        new: &NewRoles,
        now: UtcMillis,
    ) -> Result<StaffAnswer, Refused> {
        self.may_look(standing, "what other roles would change".to_owned(), now).await?;
        let _ = catalogue(&new.text)?;
        let other = policies_of(&new.text).map_err(|e| Refused::new("roles", e))?;
        let (holders, services) = (shown::holders(staff, false, now), shown::holders(staff, true, now));
        for (name, roles) in &holders {
            separation::check_person(other.catalogue(), name, roles.iter().map(String::as_str))
                .map_err(|hole| Refused::new("two-duties", hole.to_string()))?;
        }
        let mut changes = self.policies().what_if(&other, &holders);
        changes.extend(self.policies().what_if_for_services(&other, &services));
        let line = |change: &policy::Change| {
            let class = change.class.map_or(String::new(), |class| format!(" {}", class.name()));
            let (before, after) = (change.before.name(), change.after.name());
            format!("{} for {}: {}{class}: {before} -> {after}", change.name, change.purpose, change.action)
        };
        let lines = changes.iter().take(MAX_LINES).map(line).collect();
        Ok(StaffAnswer { done: format!("{} changes", changes.len()), lines, ..StaffAnswer::default() })
    }
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
