//! Erasures and legal holds at the desk: what officers asked for, and which step may follow. One officer sets a hold; what
//! is erased, two decide.

use std::collections::BTreeMap;

use base::{Month, UtcMillis};
use grant::act::{Act, Deed};
use grant::erasure::{RequestErasure, SetHold};
use wire::Refused;
use wire::erasure::{Erasure as ShownErasure, ErasureActs, Hold as ShownHold};

use super::state::{Who, next, other_person, refused};
use crate::table::Hold;

/// Erasures that wait, and live holds, at most.
const MAX_OPEN: usize = 1000;
/// Acts that are given in one answer, at most.
const MAX_ACTS: usize = 100;

/// All of them.
#[derive(Default)]
pub(super) struct Erasures {
    list: BTreeMap<u32, Erasure>,
    holds: BTreeMap<u32, Held>,
}

struct Held {
    wish: SetHold,
    set: Who,
    /// As the officer signed it.
    act: Vec<u8>,
}

struct Erasure {
    request: RequestErasure,
    requested: Who,
    approved: Option<Who>,
    withdrawn: Option<Who>,
    /// As the officers signed them: the request, and the approval.
    acts: (Vec<u8>, Vec<u8>),
}

impl Erasure {
    fn state(&self) -> &'static str {
        match (&self.approved, &self.withdrawn) {
            (Some(_), _) => "approved",
            (None, Some(_)) => "withdrawn",
            (None, None) => "requested",
        }
    }
}

impl Erasures {
    /// Whether an act may follow, as far as the desk knows.
    pub(super) fn judge(&self, act: &Act) -> Result<(), Refused> {
        match &act.deed {
            Deed::Hold(_) if self.holds.len() >= MAX_OPEN => {
                refused("too-many", "there are 1000 holds; lift those that nobody needs")
            }
            Deed::Erase(_) if self.list.values().filter(|e| e.state() == "requested").count() >= MAX_OPEN => {
                refused("too-many", "1000 erasures wait; withdraw those that nobody needs")
            }
            Deed::ApproveErasure(wish) => {
                let digest = self.waiting(wish.erasure)?.digest();
                other_person(&self.erasure(wish.erasure)?.requested, act)?;
                if digest.as_slice() != wish.digest {
                    let message = "what was approved is not what was asked for; look at it again";
                    return refused("other-request", message);
                }
                Ok(())
            }
            Deed::WithdrawErasure(wish) => match self.erasure(wish.erasure)?.state() {
                "requested" => Ok(()),
                state => {
                    refused("not-open", format!("the erasure is {state}; there is nothing to take back"))
                }
            },
            _ => Ok(()),
        }
    }

    fn erasure(&self, number: u32) -> Result<&Erasure, Refused> {
        let found = self.list.get(&number);
        found.ok_or_else(|| Refused::new("no-erasure", format!("there is no erasure {number}")))
    }

    /// What an act changes. Gives the number of what it is about.
    pub(super) fn apply(&mut self, deed: Deed, who: Who, encoded: &[u8]) -> Option<u32> {
        match deed {
            Deed::Hold(hold) => {
                let number = next(&self.holds);
                self.holds.insert(number, Held { wish: hold, set: who, act: encoded.to_vec() });
                Some(number)
            }
            Deed::Erase(request) => {
                let number = next(&self.list);
                let acts = (encoded.to_vec(), Vec::new());
                let erasure = Erasure { request, requested: who, approved: None, withdrawn: None, acts };
                self.list.insert(number, erasure);
                Some(number)
            }
            Deed::ApproveErasure(wish) => {
                let erasure = self.list.get_mut(&wish.erasure)?;
                erasure.approved = Some(who);
                erasure.acts.1 = encoded.to_vec();
                Some(wish.erasure)
            }
            Deed::WithdrawErasure(wish) => {
                self.list.get_mut(&wish.erasure)?.withdrawn = Some(who);
                Some(wish.erasure)
            }
            _ => None,
        }
    }

    /// An erasure or a hold that was decided before these files were, under the number that it had.
    pub(super) fn apply_again(&mut self, acts: &ErasureActs) -> Option<u32> {
        if acts.is_of_hold() {
            let (act, _) = Act::read(&acts.hold).ok()?;
            let Deed::Hold(wish) = act.deed else { return None };
            let held = Held { wish, set: Who(act.officer, act.at), act: acts.hold.clone() };
            self.holds.insert(acts.number, held);
            return Some(acts.number);
        }
        let (request, _) = Act::read(&acts.request).ok()?;
        let (approval, _) = Act::read(&acts.approval).ok()?;
        let Deed::Erase(wish) = request.deed else { return None };
        let erasure = Erasure {
            request: wish,
            requested: Who(request.officer, request.at),
            approved: Some(Who(approval.officer, approval.at)),
            withdrawn: None,
            acts: (acts.request.clone(), acts.approval.clone()),
        };
        self.list.insert(acts.number, erasure);
        Some(acts.number)
    }

    /// Whether an erasure that two officers signed may be done again: it is not known, or still waits.
    pub(super) fn may_again(&self, number: u32, request: &RequestErasure) -> Result<bool, Refused> {
        match self.list.get(&number) {
            None => Ok(true),
            Some(known) if known.request != *request || known.state() == "withdrawn" => {
                refused("other-request", format!("erasure {number} is another one here"))
            }
            Some(known) => Ok(known.state() == "requested"),
        }
    }

    /// Whether a hold that an officer signed may be set again: it is not known.
    pub(super) fn may_hold_again(&self, number: u32, hold: &SetHold) -> Result<bool, Refused> {
        match self.holds.get(&number) {
            None => Ok(true),
            Some(known) if known.wish == *hold => Ok(false),
            Some(_) => refused("other-request", format!("hold {number} is another one here")),
        }
    }

    /// How many holds were ever set.
    pub(super) fn hold_count(&self) -> usize {
        self.holds.len()
    }

    /// The erasures that two officers decided.
    pub(super) fn decided(&self) -> impl Iterator<Item = (u32, &RequestErasure)> {
        let decided = self.list.iter().filter(|(_, e)| e.approved.is_some());
        decided.map(|(number, erasure)| (*number, &erasure.request))
    }

    /// One that two officers decided: what, who asked for it and who agreed.
    pub(super) fn decision(&self, number: u32) -> Result<(&RequestErasure, &Who, &Who), Refused> {
        let erasure = self.erasure(number)?;
        match &erasure.approved {
            Some(by) => Ok((&erasure.request, &erasure.requested, by)),
            None => refused("not-erased", format!("the erasure is {}; nothing was erased", erasure.state())),
        }
    }

    /// One that waits for approval.
    pub(super) fn waiting(&self, number: u32) -> Result<&RequestErasure, Refused> {
        let erasure = self.erasure(number)?;
        match erasure.state() {
            "requested" => Ok(&erasure.request),
            state => refused("not-requested", format!("the erasure is {state}, not waiting for approval")),
        }
    }

    /// The holds, for the table.
    pub(super) fn holds(&self) -> impl Iterator<Item = (u32, Hold)> {
        self.holds.iter().map(|(number, held)| (*number, scope(&held.wish)))
    }

    /// The acts of holds and of decided erasures with higher numbers.
    pub(super) fn acts_after(&self, after: u32, after_hold: u32) -> Vec<ErasureActs> {
        let holds = self.holds.range(after_hold.saturating_add(1)..).map(|(number, held)| ErasureActs {
            number: *number,
            hold: held.act.clone(),
            ..ErasureActs::default()
        });
        let later = self.list.range(after.saturating_add(1)..).filter(|(_, e)| e.approved.is_some());
        let acts = later.map(|(number, e)| ErasureActs {
            number: *number,
            request: e.acts.0.clone(),
            approval: e.acts.1.clone(),
            ..ErasureActs::default()
        });
        holds.chain(acts).take(MAX_ACTS).collect()
    }

    /// Erasures, for people: all in short, or one with all that it names.
    pub(super) fn shown(
        &self,
        only: u32,
        carried_out: impl Fn(u32) -> Option<(UtcMillis, bool)>,
    ) -> Vec<ShownErasure> {
        let wanted = self.list.iter().filter(|(number, _)| only == 0 || **number == only);
        wanted.map(|(number, erasure)| erasure.shown(*number, only != 0, carried_out(*number))).collect()
    }

    /// Holds, for people.
    pub(super) fn shown_holds(&self, is_live: impl Fn(u32) -> bool) -> Vec<ShownHold> {
        let shown = |(number, Held { wish: hold, set: who, .. }): (&u32, &Held)| ShownHold {
            number: *number,
            state: if is_live(*number) { "live" } else { "lifted" }.to_owned(),
            tenancies: hold.tenancies.clone(),
            first: hold.first,
            last: hold.last,
            reason: hold.reason.clone(),
            set: Some(who.shown("hold-set")),
        };
        self.holds.iter().map(shown).collect()
    }
}

fn scope(hold: &SetHold) -> Hold {
    Hold {
        tenancies: hold.tenancy_ids(),
        first: Month::from_number(hold.first),
        last: Month::from_number(hold.last),
    }
}

impl Erasure {
    fn shown(&self, number: u32, whole: bool, carried_out: Option<(UtcMillis, bool)>) -> ShownErasure {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let mut steps = vec![self.requested.shown("erasure-request")];
        steps.extend(self.approved.iter().map(|who| who.shown("erasure-approve")));
        steps.extend(self.withdrawn.iter().map(|who| who.shown("erasure-withdraw")));
        let state = match carried_out {
            Some((_, true)) => "gone",
            Some((_, false)) => "erased",
            None => self.state(),
        };
        let request = if whole {
            self.request.clone()
        } else {
            RequestErasure { reason: self.request.reason.clone(), ..RequestErasure::default() }
        };
        ShownErasure {
            number,
            state: state.to_owned(),
            request: prost::Message::encode_to_vec(&request),
            tenancies: count(self.request.tenancies.len()),
            periods: count(self.request.periods.len()),
            holds: count(self.request.holds.len()),
            steps,
            erased_ms: carried_out.map_or(0, |(at, _)| at.0),
        }
    }
}
