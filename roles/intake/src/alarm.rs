//! Events for the ledger: what was committed, and what people should look at.

use base::UtcMillis;
use grant::{Event, Outcome};
use sha2::{Digest, Sha256};
use store::{Account, Commit};

/// The room in whose name events stand.
const ACTOR: &str = "intake";

/// An alarm: something that a person should look at.
#[must_use]
pub(crate) fn event(now: UtcMillis, code: &str, text: &str) -> Vec<u8> {
    let mut event = Event::new(now, ACTOR, "alarm", Outcome::Done);
    event.detail = line(&format!("{code}: {text}"));
    event.encode()
}

/// That the room started or stopped.
#[must_use]
pub(crate) fn presence_event(now: UtcMillis, action: &str) -> Vec<u8> {
    let event = Event::new(now, ACTOR, action, Outcome::Done);
    Event { detail: format!("version {}", env!("CARGO_PKG_VERSION")), ..event }.encode()
}

/// The digest of a commit: what was written can be held against the log later.
#[must_use]
pub(crate) fn commit_event(now: UtcMillis, commit: &Commit) -> Vec<u8> {
    let mut event = Event::new(now, ACTOR, "commit-batches", Outcome::Done);
    if let [first, rest @ ..] = commit.accounts.as_slice()
        && rest.iter().all(|a| a.position.collector == first.position.collector)
    {
        event.on_behalf = first.position.collector.to_string();
    }
    let sum = |count: fn(&Account) -> u64| commit.accounts.iter().map(count).sum::<u64>();
    let mut detail = format!(
        "batches={} telegrams={} stored={} late={} thinned={} duplicate={} refused={} readings={} digest={}",
        commit.accounts.len(),
        sum(|a| a.telegrams),
        sum(|a| a.outcomes.stored),
        sum(|a| a.outcomes.late),
        sum(|a| a.outcomes.thinned),
        sum(|a| a.outcomes.duplicate),
        sum(|a| a.outcomes.refused_sum()),
        commit.readings.len(),
        hex::encode(digest(commit)),
    );
    let mut reasons = std::collections::BTreeMap::<&str, u64>::new();
    for (reason, n) in commit.accounts.iter().flat_map(|a| &a.outcomes.refused) {
        *reasons.entry(reason).or_default() += n;
    }
    for (reason, n) in reasons {
        detail.push_str(&format!(" refused.{reason}={n}"));
    }
    event.detail = line(&detail);
    event.encode()
}

/// SHA-256 over the positions and sealed readings of a commit, in its order.
fn digest(commit: &Commit) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(b"meterkeep/commit/1");
    for account in &commit.accounts {
        let p = account.position;
        hash.update(p.collector.0.to_le_bytes());
        hash.update(p.epoch.0.to_le_bytes());
        hash.update(p.seq.0.to_le_bytes());
        hash.update(account.telegrams.to_le_bytes());
    }
    for (facts, envelope) in commit.readings.iter() {
        hash.update(facts.meter.0.to_le_bytes());
        hash.update(facts.tenancy.0);
        hash.update([facts.class.code()]);
        hash.update(facts.month.number().to_le_bytes());
        hash.update(facts.sequence.to_le_bytes());
        hash.update(facts.version.to_le_bytes());
        hash.update((envelope.len() as u64).to_le_bytes());
        hash.update(envelope);
    }
    hash.finalize().into()
}

/// One line that fits into an event.
fn line(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().filter(|c| !c.is_control()) {
        if out.len() + c.len_utf8() > grant::MAX_DETAIL {
            break;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_the_shape_that_the_ledger_takes() {
        let now = UtcMillis(1_795_000_000_000);
        let long = "x\n".repeat(3000);
        let started = presence_event(now, wire::ledger::ROOM_STARTED);
        for bytes in [event(now, "forged", &long), commit_event(now, &Commit::default()), started] {
            let event = Event::decode(&bytes).unwrap();
            assert_eq!(event.actor, "intake");
        }
    }
}
