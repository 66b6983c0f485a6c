//! Carrying out what officers decided to erase, the certificate of it, and doing it again in a vault that was restored.

use std::fmt::Write as _;

use base::UtcMillis;
use grant::act::{Act, Deed};
use grant::check_act_of_old;
use grant::erasure::RequestErasure;
use wire::Refused;
use wire::custody::ErrandAnswer;
use wire::erasure::{ErasureActs, Erasures, ErasuresAnswer};

use crate::table::NotErased;
use crate::vault::{Failure, Vault, malformed};

/// Late telegrams are taken for 14 days, so a month is open for 15 days after its end.
const LATE_MS: i64 = 15 * 24 * 3_600_000;
/// A backup of the vault is kept so long at most.
pub const BACKUP_DAYS: i64 = 35;
const DAY_MS: i64 = 24 * 3_600_000;
/// Erasures in one call, at most.
const MAX_REPLAY: usize = 100;

impl From<NotErased> for Refused {
    fn from(error: NotErased) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl Vault {
    /// What speaks against an act on erasure or holds in the table, which the desk does not know.
    pub(crate) fn may_decide(&self, act: &Act, now: UtcMillis) -> Result<(), Failure> {
        let last_open = now.plus(-LATE_MS).month();
        let may = |wish: &RequestErasure| {
            Ok(self.table.read().may_erase(&wish.into(), last_open).map_err(Refused::from)?)
        };
        match &act.deed {
            Deed::Erase(wish) => may(wish),
            Deed::ApproveErasure(wish) => may(&self.desk.requested_erasure(wish.erasure)?),
            Deed::Hold(hold) => {
                let content = self.table.read();
                let unknown = hold.tenancy_ids().into_iter().find(|id| !content.knows(*id));
                match unknown {
                    Some(id) => Err(Refused::from(NotErased::NoTenancy(id)).into()),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Carries out what the desk says and the table does not have yet: holds first, because they keep what is erased next.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn carry_out(&self, now: UtcMillis) -> Result<usize, Failure> {
        for (number, scope) in self.desk.holds() {
            self.table.hold(number, scope)?;
        }
        let mut held = 0;
        for (number, request) in self.desk.decided() {
            if self.table.read().erased_at(number).is_none() {
                match self.table.erase(number, &(&request).into(), now)? {
                    Ok(kept) => held += kept,
                    Err(error) => {
                        self.counters.add("alarm.erasure-not-done", 1);
                        self.counters
                            .note(format!("erasure {number} is decided and not carried out: {error}"));
                        continue;
                    }
                }
                self.counters.add("erasures", 1);
                self.counters.add("erased.tenancies", request.tenancies.len() as u64);
                self.counters.add("erased.periods", request.periods.len() as u64);
            }
        }
        Ok(held)
    }

    /// Sets holds and does erasures again that a restored vault does not know, and gives those that the caller does not have.
    ///
    /// # Errors
    /// When it is too much at once; [`Failure::Broken`] when the disk fails.
    pub fn erasures(&self, question: &Erasures, now: UtcMillis) -> Result<ErasuresAnswer, Failure> {
        if question.replay.len() > MAX_REPLAY {
            return Err(malformed(format!("at most {MAX_REPLAY} erasures are done again at once")));
        }
        let mut answer = ErasuresAnswer::default();
        let mut failed = Vec::new();
        for acts in &question.replay {
            match self.again(acts, now) {
                Ok(true) => answer.replayed += 1,
                Ok(false) => {}
                Err(Failure::Refused(refused)) => {
                    failed.push(format!("{}: {}", acts.number, refused.message))
                }
                Err(broken) => return Err(broken),
            }
        }
        answer.failed = failed.join("; ");
        if answer.replayed > 0 {
            self.carry_out(now)?;
            self.counters.add("erasures.done-again", u64::from(answer.replayed));
        }
        answer.acts = self.desk.erasure_acts(question.after, question.after_hold);
        Ok(answer)
    }

    /// Takes a hold that an officer signed, or an erasure that two did. Says whether it was news.
    fn again(&self, acts: &ErasureActs, now: UtcMillis) -> Result<bool, Failure> {
        let check = |encoded: &[u8]| {
            check_act_of_old(encoded, |name| self.desk.key_of(name), self.desk.house())
                .map_err(|e| Refused::new(e.code(), e.to_string()))
        };
        if acts.is_of_hold() {
            let act = check(&acts.hold)?;
            let Deed::Hold(hold) = &act.deed else {
                return Err(malformed("this is not the act of a hold"));
            };
            return self.desk.take_hold_again(acts, hold, now);
        }
        let (request, approval) = (check(&acts.request)?, check(&acts.approval)?);
        let (Deed::Erase(wish), Deed::ApproveErasure(agreed)) = (&request.deed, &approval.deed) else {
            return Err(malformed("these are not the acts of an erasure"));
        };
        let fits = agreed.erasure == acts.number
            && agreed.digest == wish.digest()
            && request.officer != approval.officer;
        if !fits {
            return Err(Refused::new("other-request", "the approval is not of this request").into());
        }
        self.desk.take_again(acts, wish, now)
    }

    /// The certificate of an erasure, signed with the house's key for lists: text in CMS `SignedData`.
    pub(crate) fn certificate(&self, number: u32, now: UtcMillis) -> Result<ErrandAnswer, Failure> {
        let (request, requested, approved) = self.desk.decision(number)?;
        let (_, term, _) = self.table.term();
        let (erased, gone) = {
            let content = self.table.read();
            let erased = content.erased_at(number);
            let erased =
                erased.ok_or_else(|| Refused::new("not-erased", "the erasure is not carried out yet"))?;
            (erased, !content.holds_erased())
        };
        let house = hex::encode(self.desk.house());
        let mut text = format!("Certificate of erasure {number}\nhouse: {house}\n");
        let mut line = |what: &str, is: &dyn std::fmt::Display| _ = writeln!(text, "{what}: {is}");
        request.tenancies.iter().for_each(|tenancy| line("tenancy", &hex::encode(tenancy)));
        for (class, month) in request.class_months() {
            line("readings of", &format_args!("{} {month}", class.name()));
        }
        request.holds.iter().for_each(|hold| line("kept no more for hold", hold));
        line("because", &request.reason);
        line("requested", &format_args!("{} by {}", requested.1, requested.0));
        line("approved", &format_args!("{} by {}", approved.1, approved.0));
        line("unreadable in the store and all its backups since", &erased);
        match gone {
            true => line("roots gone from the files of the vault since", &term),
            false => line(
                "roots gone from the files of the vault",
                &"not yet: they lie sealed, and go with the term",
            ),
        }
        let last = erased.plus(BACKUP_DAYS * DAY_MS);
        line(
            "unreadable in backups of the vault from",
            &format_args!("{last}, when the last older one expires"),
        );
        line("issued", &now);
        let signer = self.desk.signer().ok_or_else(|| {
            Refused::new("no-signer", "this house has no key to sign with; pin an officer, which makes one")
        })?;
        let signed =
            signer.sign(text.as_bytes(), now).map_err(|e| Refused::new("not-sealed", e.to_string()))?;
        let done = format!("certificate of erasure {number} issued");
        Ok(ErrandAnswer { number, done, container: signed, ..ErrandAnswer::default() })
    }
}

impl From<&RequestErasure> for crate::table::Erasing {
    fn from(request: &RequestErasure) -> Self {
        Self {
            tenancies: request.tenancy_ids(),
            periods: request.class_months(),
            holds: request.holds.clone(),
        }
    }
}
