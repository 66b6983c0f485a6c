//! What an errand needs before anything else is looked at: for which purpose it may be done, and as what.

use grant::{Action, Purpose};
use wire::Refused;
use wire::staff::Wish;

use super::{malformed, purpose};
use crate::staff::{Permission, State};
use crate::standing::Standing;

/// What somebody has to be allowed.
pub(super) struct Due {
    /// For one of these; none where it is about something of their own.
    pub(super) purposes: Vec<Purpose>,
    /// As what.
    pub(super) action: Action,
}

/// What a wish needs. Says nothing of what is there and what is not: that is for those who may.
pub(super) fn due(wish: &Wish, state: &State, standing: &Standing) -> Result<Due, Refused> {
    let of = |purpose, action| Ok(Due { purposes: vec![purpose], action });
    // one's own is closed and taken back without leave
    let own_or = |own: bool, action| {
        if own {
            Ok(Due { purposes: Vec::new(), action })
        } else {
            let purposes = vec![Purpose::Supervision, Purpose::Incident, Purpose::DataProtection];
            Ok(Due { purposes, action: Action::EndAccess })
        }
    };
    match wish {
        Wish::AddPerson(_)
        | Wish::Leave(_)
        | Wish::GiveRole(_)
        | Wish::TakeRole(_)
        | Wish::PinKey(_)
        | Wish::Shift(_)
        | Wish::TakeShift(_) => of(Purpose::Administration, Action::ManagePeople),
        Wish::OpenCase(new) => of(purpose(&new.purpose)?, Action::OpenCase),
        Wish::CloseCase(number) => {
            let own = state.cases.get(number).is_some_and(|case| case.by == standing.name);
            own_or(own, Action::OpenCase)
        }
        Wish::Ask(ask) => of(purpose(&ask.purpose)?, Action::AskAccess),
        Wish::Approve(_) => of(Purpose::Supervision, Action::ApproveAccess),
        Wish::End(end) => {
            let own = state.asks.get(&end.number).is_some_and(|ask| ask.by == standing.name);
            own_or(own, Action::AskAccess)
        }
        Wish::Permit(_) => of(Purpose::OwnData, Action::Permit),
        Wish::EndPermission(number) => {
            // who was permitted something gives it back without leave, too
            let party = |p: &Permission| p.by == standing.name || p.to == standing.name;
            own_or(state.permissions.get(number).is_some_and(party), Action::Permit)
        }
        Wish::Emergency(_) => of(Purpose::Operations, Action::BreakGlass),
        Wish::Review(_) => of(Purpose::DataProtection, Action::ReviewBreakGlass),
        Wish::Roles(_) => of(Purpose::Administration, Action::ManageRoles),
        Wish::ApproveRoles(_) => of(Purpose::DataProtection, Action::ApproveRoles),
        Wish::Look(_) | Wish::Why(_) | Wish::WhoCan(_) | Wish::Replay(_) | Wish::Signed(_) => {
            Err(malformed("wish is no errand"))
        }
    }
}
