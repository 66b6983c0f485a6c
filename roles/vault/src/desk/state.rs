//! How receivers and hand-overs stand, and which step may follow.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use base::UtcMillis;
use envelope::{PublicKey, age, cms};
use grant::act::{Act, Deed, RecipientKey, RequestHandover};
use seal::hybrid;
use seal::sign::Verifier;
use sha2::{Digest, Sha256};
use wire::Refused;
use wire::custody::{Handover as ShownHandover, Recipient as ShownRecipient, Step as ShownStep};

use super::erasures::Erasures;
use super::list;
use super::record::{Approved, Fetched, FetchedAgain, Record, Step};
use crate::MeterNumber;

/// Receivers, and hand-overs that are not done, at most.
const MAX_OPEN: usize = 1000;

/// All of it, as the journal says.
#[derive(Default)]
pub(super) struct State {
    recipients: BTreeMap<u32, Recipient>,
    handovers: BTreeMap<u32, Handover>,
    pub(super) erasures: Erasures,
    /// Every act counts once, for ever.
    nonces: HashSet<[u8; 16]>,
}

/// Somebody who may receive keys, or is proposed to.
pub(super) struct Recipient {
    name: String,
    pub(super) key: ReceivingKey,
    registered: Who,
    admitted: Option<Who>,
    removed: Option<Who>,
}

/// A key that was tried and found fit to receive.
pub(super) enum ReceivingKey {
    Certificate { recipient: Box<cms::Recipient>, not_after: UtcMillis },
    Age(age::Recipient),
    Machine(Box<hybrid::PublicKey>),
}

/// A hand-over.
pub(super) struct Handover {
    pub(super) request: RequestHandover,
    requested: Who,
    approved: Option<(Who, Vec<u8>, UtcMillis)>,
    withdrawn: Option<Who>,
    fetched: Option<(Who, [u8; 32], Verifier)>,
    fetched_again: Vec<Who>,
    acknowledged: Option<UtcMillis>,
}

/// Who did it, and when.
#[derive(Clone)]
pub(crate) struct Who(pub(crate) String, pub(crate) UtcMillis);

/// What an act may lead to, after all that speaks against it was looked for.
pub(super) enum Allowed {
    /// It is written down as it is.
    Act,
    /// It opens a hand-over: a code has to be made.
    Approval,
}

pub(super) fn refused<T>(code: &'static str, message: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::new(code, message))
}

impl ReceivingKey {
    /// Reads and tries a key.
    pub(super) fn of(key: Option<&RecipientKey>) -> Result<Self, Refused> {
        let unfit = |error: &dyn std::fmt::Display| Refused::new("unfit-key", error.to_string());
        match key {
            Some(RecipientKey::Certificate(c)) => {
                let key = PublicKey::from_spki(&c.spki).map_err(|e| unfit(&e))?;
                let recipient = cms::Recipient::new(key, &c.issuer, &c.serial).map_err(|e| unfit(&e))?;
                let not_after = UtcMillis(c.not_after_ms);
                Ok(Self::Certificate { recipient: Box::new(recipient), not_after })
            }
            Some(RecipientKey::Age(key)) => {
                let key = <[u8; 32]>::try_from(key.as_slice()).map_err(|e| unfit(&e))?;
                age::Recipient::from_bytes(key).map(Self::Age).map_err(|e| unfit(&e))
            }
            Some(RecipientKey::Machine(key)) => {
                hybrid::PublicKey::from_bytes(key).map(|k| Self::Machine(Box::new(k))).map_err(|e| unfit(&e))
            }
            None => refused("unfit-key", "no key to receive with is given"),
        }
    }

    fn kind(&self) -> String {
        match self {
            Self::Certificate { recipient, .. } => recipient.key().kind().to_string(),
            Self::Age(_) => "age".to_owned(),
            Self::Machine(_) => "machine".to_owned(),
        }
    }

    /// What a second officer compares with the receiver. The vault makes it from the key itself, so that no client can
    /// state one of another key.
    fn fingerprint(&self) -> [u8; 32] {
        match self {
            Self::Certificate { recipient, .. } => recipient.key().fingerprint(),
            Self::Age(key) => *key.as_bytes(),
            Self::Machine(key) => Sha256::digest(key.as_bytes()).into(),
        }
    }
}

impl State {
    /// Whether an act may follow, now.
    pub(super) fn judge(&self, act: &Act, now: UtcMillis) -> Result<Allowed, Refused> {
        if self.nonces.contains(&act.nonce) {
            return refused("act-again", "this act was taken before; sign a new one");
        }
        match &act.deed {
            Deed::Register(wish) => {
                let key = ReceivingKey::of(wish.key.as_ref())?;
                let there = self.recipients.iter().filter(|(_, r)| r.removed.is_none());
                let mut same = there.filter(|(_, r)| r.key.fingerprint() == key.fingerprint());
                if let Some((number, _)) = same.next() {
                    return refused("recipient-known", format!("receiver {number} has this key already"));
                }
                let full = self.recipients.len() >= MAX_OPEN;
                if full {
                    refused("too-many", "there are 1000 receivers; none more is taken")
                } else {
                    Ok(Allowed::Act)
                }
            }
            Deed::Admit(wish) => {
                let recipient = self.recipient(wish.recipient)?;
                if recipient.admitted.is_some() {
                    return refused("recipient-known", "the receiver is admitted already");
                }
                other_person(&recipient.registered, act)?;
                if recipient.key.fingerprint().as_slice() != wish.fingerprint {
                    return refused(
                        "other-fingerprint",
                        "the receiver's key has another fingerprint: what was registered is not the key of the one who \
                         confirmed it; remove this receiver and find out who registered it with what",
                    );
                }
                Ok(Allowed::Act)
            }
            Deed::Remove(wish) => self.recipient(wish.recipient).map(|_| Allowed::Act),
            Deed::Request(wish) => {
                self.receives(wish.recipient, now)?;
                let open = self.handovers.values().filter(|h| h.is_open(now)).count();
                if open >= MAX_OPEN {
                    return refused("too-many", "1000 hand-overs wait; withdraw those that nobody needs");
                }
                Ok(Allowed::Act)
            }
            Deed::Approve(wish) => {
                let handover = self.handover(wish.handover)?;
                let state = handover.state(now);
                if state != "requested" {
                    return refused(
                        "not-requested",
                        format!("the hand-over is {state}, not waiting for approval"),
                    );
                }
                other_person(&handover.requested, act)?;
                if handover.request.digest().as_slice() != wish.digest {
                    return refused(
                        "other-request",
                        "what was approved is not what was asked for; look at it again",
                    );
                }
                self.receives(handover.request.recipient, now)?;
                Ok(Allowed::Approval)
            }
            // answered before it comes here, and written nowhere
            Deed::Decoys(_) => refused("no-act", "a look is no step of a hand-over"),
            Deed::Withdraw(wish) => {
                let state = self.handover(wish.handover)?.state(now);
                if matches!(state, "requested" | "approved") {
                    Ok(Allowed::Act)
                } else {
                    refused("not-open", format!("the hand-over is {state}; there is nothing to take back"))
                }
            }
            Deed::Hold(_) | Deed::Erase(_) | Deed::ApproveErasure(_) | Deed::WithdrawErasure(_) => {
                self.erasures.judge(act).map(|()| Allowed::Act)
            }
        }
    }

    /// A receiver that was not removed.
    fn recipient(&self, number: u32) -> Result<&Recipient, Refused> {
        match self.recipients.get(&number) {
            Some(recipient) if recipient.removed.is_none() => Ok(recipient),
            Some(_) => refused("recipient-removed", format!("receiver {number} was removed")),
            None => refused("no-recipient", format!("there is no receiver {number}")),
        }
    }

    /// A receiver to whom keys may go, now.
    pub(super) fn receives(&self, number: u32, now: UtcMillis) -> Result<&Recipient, Refused> {
        let recipient = self.recipient(number)?;
        if recipient.admitted.is_none() {
            let message =
                format!("receiver {number} is proposed, and a second officer has not admitted it yet");
            return refused("recipient-not-admitted", message);
        }
        match recipient.key {
            ReceivingKey::Certificate { not_after, .. } if now >= not_after => refused(
                "certificate-expired",
                format!("the certificate of receiver {number} has expired; register the new one"),
            ),
            _ => Ok(recipient),
        }
    }

    /// A hand-over.
    pub(super) fn handover(&self, number: u32) -> Result<&Handover, Refused> {
        let found = self.handovers.get(&number);
        found.ok_or_else(|| Refused::new("no-handover", format!("there is no hand-over {number}")))
    }

    /// What the journal's next record changes. Gives the number of what it is about.
    pub(super) fn apply(&mut self, record: &Record) -> Option<u32> {
        let at = UtcMillis(record.at_ms);
        match record.step.as_ref()? {
            Step::Act(encoded) => self.apply_act(encoded, at),
            Step::Approved(Approved { act, code_hash, until_ms }) => {
                let (act, _) = Act::read(act).ok()?;
                self.nonces.insert(act.nonce);
                let Deed::Approve(wish) = act.deed else { return None };
                let handover = self.handovers.get_mut(&wish.handover)?;
                handover.approved = Some((Who(act.officer, at), code_hash.clone(), UtcMillis(*until_ms)));
                Some(wish.handover)
            }
            Step::Fetched(Fetched { handover, person, list_hash, receiver }) => {
                let found = self.handovers.get_mut(handover)?;
                let list_hash = list_hash.as_slice().try_into().ok()?;
                let receiver = Verifier::from_bytes(receiver).ok()?;
                found.fetched = Some((Who(person.clone(), at), list_hash, receiver));
                Some(*handover)
            }
            Step::FetchedAgain(FetchedAgain { handover, person }) => {
                self.handovers.get_mut(handover)?.fetched_again.push(Who(person.clone(), at));
                Some(*handover)
            }
            Step::Acknowledged(handover) => {
                self.handovers.get_mut(handover)?.acknowledged = Some(at);
                Some(*handover)
            }
            Step::Again(acts) => self.erasures.apply_again(acts),
        }
    }

    fn apply_act(&mut self, encoded: &[u8], at: UtcMillis) -> Option<u32> {
        let (act, _) = Act::read(encoded).ok()?;
        self.nonces.insert(act.nonce);
        let who = Who(act.officer, at);
        match act.deed {
            Deed::Register(wish) => {
                let key = ReceivingKey::of(wish.key.as_ref()).ok()?;
                let number = next(&self.recipients);
                let recipient =
                    Recipient { name: wish.name, key, registered: who, admitted: None, removed: None };
                self.recipients.insert(number, recipient);
                Some(number)
            }
            Deed::Admit(wish) => {
                self.recipients.get_mut(&wish.recipient)?.admitted = Some(who);
                Some(wish.recipient)
            }
            Deed::Remove(wish) => {
                self.recipients.get_mut(&wish.recipient)?.removed = Some(who);
                Some(wish.recipient)
            }
            Deed::Request(request) => {
                let number = next(&self.handovers);
                self.handovers.insert(number, Handover::new(request, who));
                Some(number)
            }
            Deed::Withdraw(wish) => {
                self.handovers.get_mut(&wish.handover)?.withdrawn = Some(who);
                Some(wish.handover)
            }
            // an approval stands in a record of its own, and a look in none
            Deed::Approve(_) | Deed::Decoys(_) => None,
            deed @ (Deed::Hold(_) | Deed::Erase(_) | Deed::ApproveErasure(_) | Deed::WithdrawErasure(_)) => {
                self.erasures.apply(deed, who, encoded)
            }
        }
    }

    /// Receivers, for people.
    pub(super) fn shown_recipients(&self) -> Vec<ShownRecipient> {
        self.recipients.iter().map(|(number, recipient)| recipient.shown(*number)).collect()
    }

    /// Hand-overs, for people: all without their meters, or one with them.
    pub(super) fn shown_handovers(&self, only: u32, now: UtcMillis) -> Vec<ShownHandover> {
        let wanted = self.handovers.iter().filter(|(number, _)| only == 0 || **number == only);
        wanted.map(|(number, handover)| handover.shown(*number, only != 0, now)).collect()
    }

    /// Whom the keys of which meters were handed over to.
    pub(super) fn handed_over(&self) -> HashMap<MeterNumber, BTreeSet<u32>> {
        let mut all: HashMap<MeterNumber, BTreeSet<u32>> = HashMap::new();
        for handover in self.handovers.values().filter(|h| h.fetched.is_some()) {
            for number in handover.request.meters.iter().filter_map(|name| list::meter(name).ok()) {
                all.entry(number).or_default().insert(handover.request.recipient);
            }
        }
        all
    }

    /// The hand-overs of a meter's keys: when they were fetched, who asked, and the receiver.
    pub(super) fn handovers_of(&self, meter: &str) -> Vec<(UtcMillis, String, u32)> {
        let of_it = self.handovers.values().filter(|h| h.request.meters.iter().any(|m| m == meter));
        let fetched = of_it.filter_map(|h| {
            let (fetched, ..) = h.fetched.as_ref()?;
            Some((fetched.1, h.requested.0.clone(), h.request.recipient))
        });
        fetched.collect()
    }

    /// Hand-overs that wait for somebody, and those that were fetched twice.
    pub(super) fn counts(&self, now: UtcMillis) -> (usize, usize) {
        let open = self.handovers.values().filter(|h| h.is_open(now)).count();
        (open, self.handovers.values().filter(|h| !h.fetched_again.is_empty()).count())
    }
}

pub(super) fn next<T>(map: &BTreeMap<u32, T>) -> u32 {
    map.last_key_value().map_or(1, |(last, _)| last.saturating_add(1))
}

pub(super) fn other_person(first: &Who, act: &Act) -> Result<(), Refused> {
    if first.0 == act.officer {
        return refused(
            "same-officer",
            format!("`{}` cannot approve what `{}` asked for", act.officer, first.0),
        );
    }
    Ok(())
}

impl Recipient {
    fn shown(&self, number: u32) -> ShownRecipient {
        let state = match (&self.admitted, &self.removed) {
            (_, Some(_)) => "removed",
            (Some(_), None) => "admitted",
            (None, None) => "proposed",
        };
        let steps = [
            Some(self.registered.shown("recipient-register")),
            self.admitted.as_ref().map(|w| w.shown("recipient-admit")),
            self.removed.as_ref().map(|w| w.shown("recipient-remove")),
        ];
        ShownRecipient {
            number,
            name: self.name.clone(),
            kind: self.key.kind(),
            fingerprint: self.key.fingerprint().to_vec(),
            state: state.to_owned(),
            steps: steps.into_iter().flatten().collect(),
        }
    }
}

impl Who {
    pub(super) fn shown(&self, what: &str) -> ShownStep {
        ShownStep { what: what.to_owned(), by: self.0.clone(), at_ms: self.1.0 }
    }
}

impl Handover {
    const fn new(request: RequestHandover, requested: Who) -> Self {
        Self {
            request,
            requested,
            approved: None,
            withdrawn: None,
            fetched: None,
            fetched_again: Vec::new(),
            acknowledged: None,
        }
    }

    /// One word for how it stands.
    pub(super) fn state(&self, now: UtcMillis) -> &'static str {
        if !self.fetched_again.is_empty() {
            "intercepted"
        } else if self.acknowledged.is_some() {
            "acknowledged"
        } else if self.fetched.is_some() {
            "fetched"
        } else if self.withdrawn.is_some() {
            "withdrawn"
        } else {
            match &self.approved {
                Some((_, _, until)) if now >= *until => "expired",
                Some(_) => "approved",
                None => "requested",
            }
        }
    }

    fn is_open(&self, now: UtcMillis) -> bool {
        matches!(self.state(now), "requested" | "approved" | "fetched")
    }

    /// The keyed hash of the code that fetches, once it is approved.
    pub(super) fn code_hash(&self) -> Option<&[u8]> {
        self.approved.as_ref().map(|(_, hash, _)| hash.as_slice())
    }

    /// The list's hash and the key that its receiver signs with, once it was fetched.
    pub(super) fn fetched(&self) -> Option<(&[u8; 32], &Verifier)> {
        self.fetched.as_ref().map(|(_, hash, key)| (hash, key))
    }

    /// Whether the receiver has said that it has them.
    pub(super) const fn is_acknowledged(&self) -> bool {
        self.acknowledged.is_some()
    }

    fn shown(&self, number: u32, with_meters: bool, now: UtcMillis) -> ShownHandover {
        let mut steps = vec![self.requested.shown("handover-request")];
        steps.extend(self.approved.iter().map(|(who, ..)| who.shown("handover-approve")));
        steps.extend(self.withdrawn.iter().map(|who| who.shown("handover-withdraw")));
        steps.extend(self.fetched.iter().map(|(who, ..)| who.shown("fetch")));
        steps.extend(self.fetched_again.iter().map(|who| who.shown("fetch-again")));
        steps.extend(self.acknowledged.iter().map(|at| Who(String::new(), *at).shown("acknowledge")));
        steps.sort_by_key(|step| step.at_ms);
        ShownHandover {
            number,
            recipient: self.request.recipient,
            count: u32::try_from(self.request.meters.len()).unwrap_or(u32::MAX),
            meters: if with_meters { self.request.meters.clone() } else { Vec::new() },
            reason: self.request.reason.clone(),
            state: self.state(now).to_owned(),
            until_ms: self.approved.as_ref().map_or(0, |(_, _, until)| until.0),
            steps,
        }
    }
}
