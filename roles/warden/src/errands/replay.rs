//! A decision that is in the log is made again: with the policies, people, cases and access of then, which the journal of staff
//! keeps, and held against what was decided.
//!
//! The log names nobody's tenancies. Whether a case covered all that was asked about is therefore taken from the entry; what the
//! journal can say of it (that there was such a case) is held against it.

use base::UtcMillis;
use grant::{Decided, Event, Outcome, Purpose, Put};
use journal::Reader;
use policy::{Facts, Question, Strength};
use recorder::Record;
use wire::Refused;
use wire::staff::{Decision, StaffAnswer};

use crate::in_force::InForce;
use crate::minting::{Grounds, facts};
use crate::reach::permission;
use crate::service::{ACTOR, Inner, policies_of};
use crate::shown;
use crate::staff::{State, state_at};
use crate::standing::Standing;

/// What the decision is held against.
struct Then {
    state: State,
    policies: InForce,
    standing: Standing,
    purpose: Purpose,
}

impl<R: Record> Inner<R> {
    /// Makes a decision again.
    pub(super) async fn replay(
        &self,
        journal: Reader,
        standing: &Standing,
        asked: &Decision,
        now: UtcMillis,
    ) -> Result<StaffAnswer, Refused> {
        self.may_look(standing, format!("the decision of entry {} once more", asked.entry), now).await?;
        let none = || {
            let why =
                "that entry is no decision of the policies; `meterkeep log search --action grant` finds them";
            Refused::new("no-decision", why)
        };
        let event = Event::decode(&asked.event).map_err(|_| none())?;
        let by_policies = |decided: &Decided| event.actor == ACTOR && !decided.put.is_empty();
        let decided = event.decided.clone().filter(by_policies).ok_or_else(none)?;
        let records = decided.staff;
        let state = tokio::task::spawn_blocking(move || state_at(&journal, records)).await;
        let state = state.map_err(|_| Refused::new("internal", "the warden failed; see its log"))?;
        let state = state.map_err(|e| Refused::new("staff-journal", e.to_string()))?;
        let answer = |same: bool, code: &str, lines: Vec<String>| {
            let word = if same { "the same" } else { "NOT the same" };
            let (by, at) = (shown::line(&event.on_behalf), event.at);
            let done =
                format!("entry {}, asked by `{by}` at {at}: {word} when it is decided again", asked.entry);
            StaffAnswer { done, code: code.to_owned(), lines, ..StaffAnswer::default() }
        };
        let then = match self.then(state, &event, &decided) {
            Ok(then) => then,
            Err((code, why)) => return Ok(answer(false, code, vec![why])),
        };
        let judged: Vec<_> = decided.put.iter().map(|put| then.judge(put, &event)).collect();
        let same = judged.iter().all(Result::is_ok) && came_out(&decided, &event);
        let lines = judged.into_iter().map(|line| line.unwrap_or_else(|line| line)).collect();
        Ok(answer(same, if same { "same" } else { "differs" }, lines))
    }

    /// How things stood, or what of it cannot be had again.
    fn then(&self, state: State, event: &Event, decided: &Decided) -> Result<Then, (&'static str, String)> {
        let made = policies_of(&state.catalogue).map_err(|why| ("other-policies", why))?;
        let policies = InForce::new(made);
        if policies.hash() != decided.policies {
            let why = format!(
                "it rested on the policies {}, and what the journal has from then makes {} in this edition of the program",
                hex::encode(decided.policies),
                policies.version()
            );
            return Err(("other-policies", why));
        }
        let nobody = || ("nobody", format!("`{}` was nobody here then", shown::line(&event.on_behalf)));
        let (name, at) = (event.on_behalf.as_str(), event.at);
        let seen = match state.people.get(name) {
            Some(member) => Standing::seen(name, member, state.on_shift(name, at), at),
            None if self.people.is_owner(name) => {
                Standing::of_owner(name, name != self.people.owner(), &state, at)
            }
            None => return Err(nobody()),
        };
        let login = Strength::from_code(decided.login).ok_or_else(nobody)?;
        let standing = Standing { login, single_handed: !state.has_staff(at), ..seen };
        let purpose = Purpose::from_name(&event.purpose).ok_or_else(nobody)?;
        Ok(Then { state, policies, standing, purpose })
    }
}

/// Whether the entry says of itself what its last question came to; what was allowed and malformed is refused all the same.
fn came_out(decided: &Decided, event: &Event) -> bool {
    let opened = decided.put.last().is_some_and(|put| !put.role.is_empty());
    opened != (event.outcome == Outcome::Refused) || (opened && event.reason == "malformed")
}

impl Then {
    /// A line on one question: as it came out then, or what is not as it was.
    fn judge(&self, put: &Put, event: &Event) -> Result<String, String> {
        let class = put.class.map_or(String::new(), |class| format!(" `{}`", class.name()));
        let what = format!("{}{class} for {}", put.action, self.purpose);
        let said = Facts::from_bits(put.facts)
            .ok_or_else(|| format!("{what}: it rested on facts that this edition does not know"))?;
        if let Some(untrue) = self.untrue(said, put, event) {
            return Err(format!("{what}: {untrue}"));
        }
        let (asker, purpose) = (self.standing.asker(), self.purpose);
        let question = Question { asker, purpose, action: put.action, class: put.class, facts: said };
        let decision = self.policies.decide(&question);
        let opened = decision.rules.iter().filter(|_| decision.allowed);
        let roles: Vec<String> = opened.map(|rule| self.standing.role_of(rule)).collect();
        let reason = self.policies.why(&question);
        let again = if decision.allowed { roles.join(", ") } else { reason.code().to_owned() };
        if !put.role.is_empty() {
            return if roles.contains(&put.role) {
                Ok(format!("{what}: allowed as `{}`", put.role))
            } else {
                Err(format!("{what}: was allowed as `{}`, and comes out as {again}", put.role))
            };
        }
        let refused = event.outcome == Outcome::Refused;
        match (decision.allowed, event.reason.as_str()) {
            (true, "out-of-reach") if refused => {
                Ok(format!("{what}: open as {again}, and outside of what that role was given for"))
            }
            (false, said) if refused && said == reason.code() => {
                Ok(format!("{what}: refused, {}", reason.sentence(purpose)))
            }
            (_, said) => {
                Err(format!("{what}: was refused ({}), and comes out as {again}", shown::line(said)))
            }
        }
    }

    /// What the entry says that counted, and the journal says did not.
    fn untrue(&self, said: Facts, put: &Put, event: &Event) -> Option<&'static str> {
        let (state, at, case) = (&self.state, event.at, event.case);
        let grounds = Grounds { standing: &self.standing, owner: "", staff: state, policies: &self.policies };
        let (found, _) = facts(grounds, self.purpose, put.class, &grant::Tenancies::All, case, at);
        let permitted = || put.class.is_some_and(|class| !permission(grounds, class, at).0.is_empty());
        let all = [
            (said.access == found.access, "access in time was not as the entry says"),
            (said.emergency == found.emergency, "emergency access was not as the entry says"),
            (said.on_shift == found.on_shift, "the shift was not as the entry says"),
            (
                said.single_handed == found.single_handed,
                "the house was not as much one person's as the entry says",
            ),
            (said.restricted == found.restricted, "the data was not restricted as the entry says"),
            (!said.case_covers || state.open_case(case).is_ok(), "no such case was open"),
            (!said.own || !self.standing.bounds.is_empty(), "they held no role for what is theirs"),
            (!said.permitted || permitted(), "no customer permitted it"),
        ];
        all.into_iter().find_map(|(true_then, why)| (!true_then).then_some(why))
    }
}
