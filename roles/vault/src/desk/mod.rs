//! The officers' desk: who may receive keys, and handing them over.
//!
//! Each act is signed by an officer whose key is pinned here; a second officer agrees to what the first asked for. What
//! is decided is in a sealed journal before anybody is told. Keys leave only sealed to a receiver that two officers have
//! named, once, for who has the code; who comes after finds them gone and raises an alarm.

mod erasures;
mod list;
mod record;
mod state;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{Secret, UtcMillis};
use envelope::cms;
use grant::act::{Act, Deed, house_of};
use grant::check_act;
use grant::erasure::{RequestErasure, SetHold};
use journal::{Disk, Journal, Options, Position};
use prost::Message;
use seal::{Place, aead, mac};
use wire::custody::{
    ACKNOWLEDGEMENT_DOMAIN, Acknowledge, Carried, Errand, ErrandAnswer, Fetch, VaultErrand, acknowledged,
};
use wire::erasure::ErasureActs;
use wire::{Refused, bytes16};

use crate::MeterNumber;
use crate::officers::Officer;
use crate::table::{Hold, TableError};
use crate::vault::{Failure, Vault, malformed};
use record::{Approved, Fetched, FetchedAgain, Record, Step};
pub(crate) use state::Who;
use state::{Allowed, State};

/// How long an approved hand-over may be fetched: a day.
const FETCH_MS: i64 = 24 * 3_600_000;

/// The desk.
pub(crate) struct Desk {
    inner: Mutex<Inner>,
    key: Secret<32>,
    code_key: Secret<32>,
    officers: Vec<Officer>,
    house: [u8; 32],
    signer: Option<cms::Signer>,
}

struct Inner {
    journal: Journal,
    state: State,
}

/// What the desk works with beside its journal.
pub(crate) struct Furnishing {
    /// Seals its records.
    pub(crate) key: Secret<32>,
    /// Hashes the codes that fetch.
    pub(crate) code_key: Secret<32>,
    /// The pinned officers.
    pub(crate) officers: Vec<Officer>,
    /// The public key for imports, by which acts name their house.
    pub(crate) import_public: Vec<u8>,
    /// Signs what goes out.
    pub(crate) signer: Option<cms::Signer>,
}

fn place(position: u64) -> Place {
    Place::new("meterkeep/vault-desk/1").field(&position.to_le_bytes())
}

impl Desk {
    /// Opens the desk, or furnishes one.
    ///
    /// # Errors
    /// When the journal is damaged or of another vault.
    pub(crate) fn open(disk: Arc<dyn Disk>, folder: &Path, with: Furnishing) -> Result<Self, TableError> {
        let options = Options { max_record: 1 << 20, segment_bytes: 8 << 20, ..Options::new(*b"MKDESK01") };
        let (journal, _) = Journal::open(disk, folder, options)?;
        let mut state = State::default();
        let mut records = journal.read_from(Position(0));
        while let Some(record) = records.next_record() {
            let (position, sealed) = record?;
            let foreign = || TableError::Foreign(position.0);
            let bytes = aead::open(&with.key, &place(position.0), sealed).map_err(|_| foreign())?;
            let record = Record::decode(bytes.as_slice()).map_err(|_| foreign())?;
            state.apply(&record).ok_or_else(foreign)?;
        }
        Ok(Self {
            inner: Mutex::new(Inner { journal, state }),
            house: house_of(&with.import_public),
            key: with.key,
            code_key: with.code_key,
            officers: with.officers,
            signer: with.signer,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a step down, then makes it count.
    fn write(&self, inner: &mut Inner, now: UtcMillis, step: Step) -> Result<u32, TableError> {
        let record = Record { at_ms: now.0, step: Some(step) };
        let position = inner.journal.next().0;
        let sealed = aead::seal(&self.key, 1, &place(position), &record.encode_to_vec())?;
        inner.journal.append(&sealed)?;
        inner.journal.sync()?;
        inner.state.apply(&record).ok_or(TableError::Foreign(position))
    }

    /// How many officers there are, hand-overs that wait, and hand-overs that were fetched twice.
    pub(crate) fn counts(&self, now: UtcMillis) -> (usize, usize, usize) {
        let (open, twice) = self.lock().state.counts(now);
        (self.officers.len(), open, twice)
    }

    /// What acts name the house by.
    pub(crate) const fn house(&self) -> &[u8; 32] {
        &self.house
    }

    /// What lists and certificates are signed with.
    pub(crate) const fn signer(&self) -> Option<&cms::Signer> {
        self.signer.as_ref()
    }

    /// What an erasure that waits for approval asks for.
    pub(crate) fn requested_erasure(&self, number: u32) -> Result<RequestErasure, Refused> {
        self.lock().state.erasures.waiting(number).cloned()
    }

    /// The holds, which the table has to have.
    pub(crate) fn holds(&self) -> Vec<(u32, Hold)> {
        self.lock().state.erasures.holds().collect()
    }

    /// The decided erasures, likewise.
    pub(crate) fn decided(&self) -> Vec<(u32, RequestErasure)> {
        self.lock().state.erasures.decided().map(|(n, wish)| (n, wish.clone())).collect()
    }

    /// A decided erasure: what, who asked for it and who agreed.
    pub(crate) fn decision(&self, number: u32) -> Result<(RequestErasure, Who, Who), Refused> {
        let inner = self.lock();
        let (request, requested, approved) = inner.state.erasures.decision(number)?;
        Ok((request.clone(), requested.clone(), approved.clone()))
    }

    /// How many holds were ever set.
    pub(crate) fn hold_count(&self) -> usize {
        self.lock().state.erasures.hold_count()
    }

    /// The acts of holds and of decided erasures with higher numbers.
    pub(crate) fn erasure_acts(&self, after: u32, after_hold: u32) -> Vec<ErasureActs> {
        self.lock().state.erasures.acts_after(after, after_hold)
    }

    /// Writes down an erasure again that these files do not know. Says whether it was news.
    pub(crate) fn take_again(
        &self,
        acts: &ErasureActs,
        wish: &RequestErasure,
        now: UtcMillis,
    ) -> Result<bool, Failure> {
        let mut inner = self.lock();
        let news = inner.state.erasures.may_again(acts.number, wish)?;
        if news {
            self.write(&mut inner, now, Step::Again(acts.clone()))?;
        }
        Ok(news)
    }

    /// Writes down a hold again that these files do not know. Says whether it was news.
    pub(crate) fn take_hold_again(
        &self,
        acts: &ErasureActs,
        hold: &SetHold,
        now: UtcMillis,
    ) -> Result<bool, Failure> {
        let mut inner = self.lock();
        let news = inner.state.erasures.may_hold_again(acts.number, hold)?;
        if news {
            self.write(&mut inner, now, Step::Again(acts.clone()))?;
        }
        Ok(news)
    }

    /// How many steps were ever written down.
    pub(crate) fn position(&self) -> u64 {
        self.lock().journal.next().0
    }

    /// The hand-overs of a meter's keys: when they were fetched, who asked, and the receiver.
    pub(crate) fn handovers_of(&self, meter: &str) -> Vec<(UtcMillis, String, u32)> {
        self.lock().state.handovers_of(meter)
    }

    /// Whom the keys of which meters were handed over to.
    pub(crate) fn handed_over(&self) -> HashMap<MeterNumber, BTreeSet<u32>> {
        self.lock().state.handed_over()
    }

    pub(crate) fn key_of(&self, name: &str) -> Option<&seal::sign::Verifier> {
        self.officers.iter().find(|o| o.name == name).map(|o| &o.key)
    }
}

impl Vault {
    /// Does an errand of key custody.
    ///
    /// # Errors
    /// Grant and receipt; what speaks against the act, by its word; [`Failure::Broken`] when the disk fails.
    pub fn custody(&self, question: &VaultErrand, now: UtcMillis) -> Result<ErrandAnswer, Failure> {
        let due = [grant::Action::KeepKeys];
        let recorded = self.recorded(&question.request, &due, &question.event, &question.receipt, now)?;
        let errand = Errand::decode(recorded.request.body.as_slice())
            .map_err(|_| malformed("the errand cannot be read"))?;
        let person = recorded.request.grant.person.as_str();
        let done = match errand.carried.ok_or_else(|| malformed("the errand carries nothing"))? {
            Carried::Act(act) => self.act(act, now),
            Carried::Fetch(fetch) => self.fetch(&fetch, person, now),
            Carried::Acknowledge(answer) => self.acknowledge(&answer, now),
            Carried::Look(look) => Ok(self.look(look.handover, now)),
            Carried::Keys(wish) => Ok(self.report(&wish, now)),
            Carried::Erasures(look) => Ok(self.look_at_erasures(look.erasure)),
            Carried::Certificate(erasure) => self.certificate(erasure, now),
            Carried::Life(wish) => self.life(&wish.meter, now),
            Carried::Retire(wish) => self.retire(&wish, person, now),
            Carried::Rekey(wish) => self.rekey(&wish, person, now),
            Carried::Unwrap(wish) => self.unwrap_key(&wish, person, now),
            Carried::Address(_) => {
                Ok(ErrandAnswer { address: Some(self.address.shown()), ..ErrandAnswer::default() })
            }
        };
        if let Err(Failure::Refused(refused)) = &done {
            self.counters.add(format!("custody.refused.{}", refused.code), 1);
        }
        done
    }

    fn act(&self, encoded: Vec<u8>, now: UtcMillis) -> Result<ErrandAnswer, Failure> {
        let desk = &self.desk;
        let act = check_act(&encoded, |name| desk.key_of(name), &desk.house, now)
            .map_err(|e| Refused::new(e.code(), e.to_string()))?;
        if let Deed::Decoys(wish) = &act.deed {
            // it changes nothing, and whoever repeats it gets what only the officer can open
            return self.list_decoys(wish);
        }
        if let Deed::Request(request) = &act.deed {
            list::all_have_keys(&self.table.read(), &request.meters)?;
        }
        self.may_decide(&act, now)?;
        // judged and written under one lock, so that two approvals cannot cross
        let mut inner = desk.lock();
        let allowed = inner.state.judge(&act, now)?;
        let mut answer = ErrandAnswer::default();
        let step = match allowed {
            Allowed::Act => Step::Act(encoded),
            Allowed::Approval => {
                let code: [u8; 16] = base::random().map_err(|_| no_randomness())?;
                let code_hash = mac::code(&desk.code_key, &code).to_vec();
                (answer.code, answer.until_ms) = (code.to_vec(), now.plus(FETCH_MS).0);
                Step::Approved(Approved { act: encoded, code_hash, until_ms: answer.until_ms })
            }
        };
        answer.number = desk.write(&mut inner, now, step)?;
        drop(inner);
        answer.done = said(&act, answer.number);
        if matches!(act.deed, Deed::Hold(_) | Deed::ApproveErasure(_)) {
            let held = self.carry_out(now)?;
            if held > 0 {
                answer.done.push_str(&format!(", {held} data keys kept for legal holds"));
            }
        }
        if let Deed::Request(request) = &act.deed {
            let numbers = request.meters.iter().filter_map(|name| list::meter(name).ok());
            self.guard_handover(numbers, &act.officer, now)?;
        }
        self.counters.add(format!("custody.{}", act.deed.word()), 1);
        Ok(answer)
    }

    fn fetch(&self, wish: &Fetch, person: &str, now: UtcMillis) -> Result<ErrandAnswer, Failure> {
        let code = bytes16("code", &wish.code)?;
        let desk = &self.desk;
        let mut inner = desk.lock();
        let handover = inner.state.handover(wish.handover)?;
        let fits = handover.code_hash().is_some_and(|hash| mac::fits(&desk.code_key, &code, hash));
        if !fits {
            // the same answer whether it is approved or not: a guess must not learn how it stands
            let message = "the code does not fit this hand-over, or the hand-over is not approved";
            return Err(Refused::new("wrong-code", message).into());
        }
        match handover.state(now) {
            "approved" => {}
            "fetched" | "acknowledged" | "intercepted" => {
                let step = FetchedAgain { handover: wish.handover, person: person.to_owned() };
                desk.write(&mut inner, now, Step::FetchedAgain(step))?;
                self.counters.add("alarm.handover-fetched-again", 1);
                self.counters.note(format!(
                    "hand-over {} was fetched a second time: somebody else may have its code; find out who fetched first",
                    wish.handover
                ));
                let message = "the keys were fetched before. If that was not you, somebody else has the code and the \
                               container: tell the sender at once. Without the receiver's private key it opens to nobody";
                return Err(Refused::new("fetched-already", message).into());
            }
            state => {
                let message = format!("the hand-over is {state}; ask the officers for another");
                return Err(Refused::new("not-open", message).into());
            }
        }
        let signer = desk.signer.as_ref().ok_or_else(|| {
            Refused::new(
                "no-signer",
                "this house has no key to sign hand-overs with; pin an officer, which makes one",
            )
        })?;
        let recipient = inner.state.receives(handover.request.recipient, now)?;
        let nonce: [u8; 16] = base::random().map_err(|_| no_randomness())?;
        let reference = format!("H{}-{}", wish.handover, hex::encode(nonce));
        let (list_hash, container) = {
            let list = list::write(&self.table.read(), &handover.request.meters, &reference)?;
            (list::hash(&list), list::enclose(&list, &recipient.key, signer, now)?)
        };
        let (count, to) = (handover.request.meters.len(), handover.request.recipient);
        let receiver = list::receivers_signer(list_hash).verifier().as_bytes().to_vec();
        let step = Fetched {
            handover: wish.handover,
            person: person.to_owned(),
            list_hash: list_hash.to_vec(),
            receiver,
        };
        // durable before the container goes out: after a crash in between it counts as fetched
        let number = desk.write(&mut inner, now, Step::Fetched(step))?;
        self.counters.add("custody.fetch", 1);
        self.counters.add("keys.handed-over", count as u64);
        let done = format!("hand-over {number} fetched: keys of {count} meters, sealed to receiver {to}");
        Ok(ErrandAnswer { number, done, container, ..ErrandAnswer::default() })
    }

    fn acknowledge(&self, answer: &Acknowledge, now: UtcMillis) -> Result<ErrandAnswer, Failure> {
        let mut inner = self.desk.lock();
        let handover = inner.state.handover(answer.handover)?;
        let Some((list_hash, receiver)) = handover.fetched() else {
            return Err(Refused::new("not-fetched", "nobody has fetched this hand-over yet").into());
        };
        let signed = acknowledged(answer.handover, list_hash);
        receiver.verify(ACKNOWLEDGEMENT_DOMAIN, &signed, &answer.signature).map_err(|_| {
            let message = "the acknowledgement is not by who opened the keys of this hand-over";
            Refused::new("other-receiver", message)
        })?;
        if !handover.is_acknowledged() {
            self.desk.write(&mut inner, now, Step::Acknowledged(answer.handover))?;
            self.counters.add("custody.acknowledge", 1);
        }
        let done = format!("hand-over {} acknowledged by its receiver", answer.handover);
        Ok(ErrandAnswer { number: answer.handover, done, ..ErrandAnswer::default() })
    }

    fn look_at_erasures(&self, only: u32) -> ErrandAnswer {
        let inner = self.desk.lock();
        let content = self.table.read();
        let gone = !content.holds_erased();
        ErrandAnswer {
            erasures: inner.state.erasures.shown(only, |n| content.erased_at(n).map(|at| (at, gone))),
            holds: inner.state.erasures.shown_holds(|n| content.holds().contains_key(&n)),
            ..ErrandAnswer::default()
        }
    }

    fn look(&self, only: u32, now: UtcMillis) -> ErrandAnswer {
        let inner = self.desk.lock();
        ErrandAnswer {
            recipients: inner.state.shown_recipients(),
            handovers: inner.state.shown_handovers(only, now),
            ..ErrandAnswer::default()
        }
    }
}

fn no_randomness() -> Failure {
    Failure::Broken("the operating system gave no randomness".to_owned())
}

/// One sentence for the log.
fn said(act: &Act, number: u32) -> String {
    let officer = &act.officer;
    match &act.deed {
        Deed::Register(wish) => format!("receiver {number}, `{}`, proposed by `{officer}`", wish.name),
        Deed::Admit(_) => format!("receiver {number} admitted by `{officer}`"),
        Deed::Remove(_) => format!("receiver {number} removed by `{officer}`"),
        Deed::Request(wish) => format!(
            "hand-over {number} to receiver {} requested by `{officer}`: keys of {} meters",
            wish.recipient,
            wish.meters.len()
        ),
        Deed::Approve(_) => format!("hand-over {number} approved by `{officer}`"),
        Deed::Withdraw(_) => format!("hand-over {number} withdrawn by `{officer}`"),
        Deed::Hold(wish) => format!("hold {number} on {} tenancies set by `{officer}`", wish.tenancies.len()),
        Deed::Erase(wish) => format!(
            "erasure {number} requested by `{officer}`: {} tenancies, {} periods, {} holds lifted",
            wish.tenancies.len(),
            wish.periods.len(),
            wish.holds.len()
        ),
        Deed::ApproveErasure(_) => format!("erasure {number} approved by `{officer}` and carried out"),
        Deed::WithdrawErasure(_) => format!("erasure {number} withdrawn by `{officer}`"),
        Deed::Decoys(_) => String::new(),
    }
}
