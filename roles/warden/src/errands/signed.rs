//! What counts only with the asker's own signature, made outside every browser and every room.

use std::sync::PoisonError;

use base::UtcMillis;
use grant::check_approval;
use recorder::Record;
use seal::sign::Verifier;
use wire::staff::{StaffErrand, Wish};
use wire::{Message as _, Refused};

use super::malformed;
use crate::service::Inner;
use crate::staff::State;
use crate::standing::Standing;

/// Access to so many tenancies or more is agreed to like a change of roles: the smallest building, say.
const MANY_TENANCIES: usize = 10;

impl<R: Record> Inner<R> {
    /// The errand inside an approval, when it is the asker's own, for this house, now, and new.
    pub(super) fn signed_wish(
        &self,
        encoded: &[u8],
        state: &State,
        standing: &Standing,
        now: UtcMillis,
    ) -> Result<Wish, Refused> {
        let key = state.member(&standing.name).ok().and_then(|member| member.key);
        let key = key.and_then(|key| Verifier::from_bytes(&key).ok()).ok_or_else(no_key)?;
        let approval = check_approval(encoded, &standing.name, &key, &self.house, now)
            .map_err(|e| Refused::new(e.code(), e.to_string()))?;
        if approval.at < self.since {
            let why = "the approval was signed before the warden started; sign it again";
            return Err(Refused::new("approval-not-now", why));
        }
        let taken =
            self.approvals.lock().unwrap_or_else(PoisonError::into_inner).take_approval(&approval, now);
        taken.map_err(|replayed| Refused::new(replayed.code(), replayed.to_string()))?;
        let errand = StaffErrand::decode(approval.errand.as_slice())
            .map_err(|_| malformed("approval has no errand"))?;
        errand.wish.ok_or_else(|| malformed("wish is missing"))
    }
}

fn no_key() -> Refused {
    let why = "no key of yours is known here; make one with `meterkeep officer new`, and have an administrator pin it with \
               `meterkeep people key`";
    Refused::new("no-key", why)
}

/// Whether an errand was signed as it has to be. Roles and purposes, emergencies and access to many are agreed to with a
/// signature in any case; whoever has a key signs all that they agree to.
pub(super) fn is_enough(
    wish: &Wish,
    signed: bool,
    state: &State,
    standing: &Standing,
) -> Result<(), Refused> {
    let due = match wish {
        Wish::ApproveRoles(_) | Wish::Review(_) => true,
        Wish::Approve(approve) => {
            let case = state.asks.get(&approve.number).and_then(|ask| state.cases.get(&ask.case));
            let has_key = state.member(&standing.name).is_ok_and(|member| member.key.is_some());
            has_key || case.is_some_and(|case| case.tenancies.len() >= MANY_TENANCIES)
        }
        _ => false,
    };
    if signed || !due {
        return Ok(());
    }
    let why = "that is agreed to with a signature of your own key alone (`--officer-key FILE`)";
    Err(Refused::new("needs-signature", why))
}
