//! Receipts as the vault wants them: proved to go on from what it has seen of the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base::UtcMillis;
use bytes::Bytes;
use grant::message::ReceiptBody;
use grant::{Receipt, check_entry, check_past_entry};
use link::{CallError, Client};
use prost::Message;
use tlog::key::VerifierKey;
use wire::Method;
use wire::ledger::{Prove, Receipts};
use wire::proven::Proven;
use wire::vault::{LOG_MOVED, LogRequest, LogSeen};

use crate::{Entry, NotRecorded, PATIENCE};

/// A receipt is proved anew so often when others move the vault on meanwhile.
const TRIES: usize = 8;

/// How far the vault has seen the log, as far as is known here. What is wrong costs a call, and opens nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen(Arc<AtomicU64>);

impl Seen {
    pub(crate) fn size(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn is(&self, size: u64) {
        self.0.store(size, Ordering::Relaxed);
    }

    fn at_least(&self, size: u64) {
        self.0.fetch_max(size, Ordering::Relaxed);
    }
}

/// Shows the vault what is in the log.
#[derive(Clone)]
pub struct Prover {
    pub(crate) ledger: Client,
    pub(crate) log: VerifierKey,
    pub(crate) seen: Seen,
}

impl Prover {
    /// Calls the vault. A receipt that is not proved to go on from what it has seen is proved anew.
    ///
    /// # Errors
    /// What the vault says, or the ledger where it cannot prove that its log goes on.
    pub async fn call(
        &self,
        vault: &Client,
        method: Method,
        question: &mut impl Proven,
        patience: Duration,
    ) -> Result<Bytes, CallError> {
        for _ in 0..TRIES {
            match vault.call_raw(method, question.encode_to_vec().into(), patience).await {
                Err(CallError::Refused { code, .. }) if code == LOG_MOVED => {
                    self.prove_again(vault, question).await?;
                }
                Ok(answer) => {
                    self.seen.at_least(Receipt::unchecked_size(question.receipt()).unwrap_or(0));
                    return Ok(answer);
                }
                refused => return refused,
            }
        }
        vault.call_raw(method, question.encode_to_vec().into(), patience).await
    }

    async fn prove_again(&self, vault: &Client, question: &mut impl Proven) -> Result<(), CallError> {
        let seen: LogSeen = vault.call(Method::VaultLog, &LogRequest {}, PATIENCE).await?;
        self.seen.is(seen.size);
        let shown = ReceiptBody::decode(question.receipt()).map_err(|_| no_proof("cannot be read"))?;
        let wish = Prove { index: shown.index, since: seen.size };
        let receipts: Receipts = self.ledger.call(Method::LedgerProve, &wish, PATIENCE).await?;
        let receipt = assemble(&receipts).pop().ok_or_else(|| no_proof("did not come"))?;
        let event = question.event();
        check_past_entry(event, &receipt, &self.log).map_err(|_| no_proof("does not hold"))?;
        question.show(receipt);
        Ok(())
    }
}

fn no_proof(what: &str) -> CallError {
    CallError::Refused { code: "no-receipt".to_owned(), message: format!("the receipt {what}; ask again") }
}

/// Whole receipts, encoded, from what they share and what each has for itself. Nothing of them is checked.
#[must_use]
pub fn assemble(shared: &Receipts) -> Vec<Vec<u8>> {
    let whole = |receipt: &wire::ledger::Receipt| ReceiptBody {
        index: receipt.index,
        at_ms: receipt.at_ms,
        inclusion: receipt.inclusion.to_vec(),
        checkpoint: shared.checkpoint.to_vec(),
        since: shared.since,
        consistency: shared.consistency.to_vec(),
    };
    shared.receipts.iter().map(|receipt| whole(receipt).encode_to_vec()).collect()
}

/// Pairs events with their receipts and checks each.
pub(crate) fn entries(
    events: Vec<Vec<u8>>,
    receipts: Vec<Vec<u8>>,
    log: &VerifierKey,
    now: UtcMillis,
) -> Result<Vec<Entry>, NotRecorded> {
    if events.len() != receipts.len() {
        return Err(NotRecorded::Number { wanted: events.len(), found: receipts.len() });
    }
    let pairs = events.into_iter().zip(receipts);
    pairs
        .map(|(event, receipt)| {
            let number = check_entry(&event, &receipt, log, now)?.index;
            Ok(Entry { number, event, receipt })
        })
        .collect()
}

/// The checked entries of an answer of the ledger.
///
/// # Errors
/// When there is not one receipt an event, or one does not hold.
pub fn recorded(
    events: Vec<Vec<u8>>,
    answer: &Receipts,
    log: &VerifierKey,
) -> Result<Vec<Entry>, NotRecorded> {
    entries(events, assemble(answer), log, UtcMillis::now())
}
