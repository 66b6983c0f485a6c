//! The gate before every answer to a person: grant, request, log. Behind it, code holds a [`Recorded`] request.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use base::UtcMillis;
use grant::{
    Action, Body, DataSpan, Event, MAX_SUBJECTS, Nonces, Outcome, Recorded, Request, RequestError, Verified,
    check_receipt, check_request, request_hash,
};
use house::Counters;
use link::Caller;
use seal::sign::Verifier;
use tlog::key::VerifierKey;
use wire::{Refused, Room};

use crate::{Entry, Record};

/// Requests within five minutes; more are refused.
const MAX_NONCES: usize = 100_000;

/// Checks, records, and remembers what was asked before.
pub struct Gate<R> {
    /// The room that it stands in: it does what is recorded here.
    actor: &'static str,
    recorder: R,
    warden: Verifier,
    log: VerifierKey,
    nonces: Mutex<Nonces>,
    counters: Arc<Counters>,
}

/// A request that is in the log, with what shows it to the vault.
pub struct Passed {
    /// The request.
    pub recorded: Verified<Recorded>,
    /// The event and its receipt; the last of them, where there are several.
    pub entry: Entry,
    /// Of what has more subjects than one event holds: the events before it, and which of them names whom.
    before: Vec<Entry>,
    named_before: HashMap<[u8; 16], usize>,
}

impl Passed {
    /// The entry that names a subject: the one that shows that keys of theirs are asked for.
    #[must_use]
    pub fn entry_of(&self, subject: Option<&[u8; 16]>) -> &Entry {
        let place = subject.and_then(|subject| self.named_before.get(subject));
        place.and_then(|place| self.before.get(*place)).unwrap_or(&self.entry)
    }

    /// Items by the entry that names whose they are, as the vault wants to see just that one.
    pub fn by_entry<'a, T>(
        &'a self,
        items: impl IntoIterator<Item = T>,
        subject: impl Fn(&T) -> Option<&'a [u8; 16]>,
    ) -> Vec<(&'a Entry, Vec<T>)> {
        let mut by_entry = BTreeMap::<u64, (&Entry, Vec<T>)>::new();
        for item in items {
            let entry = self.entry_of(subject(&item));
            by_entry.entry(entry.number).or_insert_with(|| (entry, Vec::new())).1.push(item);
        }
        by_entry.into_values().collect()
    }
}

impl<R: Record> Gate<R> {
    /// The gate of a room: grants are the warden's, receipts the log's.
    #[must_use]
    pub fn new(
        room: Room,
        recorder: R,
        (warden, log): (Verifier, VerifierKey),
        counters: Arc<Counters>,
    ) -> Self {
        let nonces = Mutex::new(Nonces::new(MAX_NONCES));
        Self { actor: room.name(), recorder, warden, log, nonces, counters }
    }

    /// The log.
    #[must_use]
    pub const fn recorder(&self) -> &R {
        &self.recorder
    }

    /// Checks a request for what the called method does. A refusal is in the log before it is answered.
    ///
    /// # Errors
    /// The check that it fails, or that the refusal could not be recorded.
    pub async fn admit(
        &self,
        caller: &Caller,
        encoded: &[u8],
        due: &[Action],
        now: UtcMillis,
    ) -> Result<Verified<Request>, Refused> {
        let [first, others @ ..] = due else {
            return Err(Refused::new("not-here", "nothing is done here"));
        };
        let other_action = |checked: &Result<_, _>| matches!(checked, Err(RequestError::OtherAction { .. }));
        let mut checked = (*first, check_request(encoded, *first, &self.warden, now));
        if other_action(&checked.1) {
            let mut again = others.iter().map(|due| (*due, check_request(encoded, *due, &self.warden, now)));
            checked = again.find(|(_, again)| !other_action(again)).unwrap_or(checked);
        }
        let request = match checked {
            (_, Ok(request)) => request,
            (due, Err(error)) => {
                // Nothing in it can be believed; who called is what the socket proved.
                let on_behalf = match caller {
                    Caller::Operator { uid } => format!("uid-{uid}"),
                    _ => String::new(),
                };
                let event = Event {
                    on_behalf,
                    request_hash: Some(request_hash(encoded)),
                    reason: error.code().to_owned(),
                    ..Event::new(now, self.actor, due.name(), Outcome::Refused)
                };
                return Err(self
                    .recorded_refusal(event, Refused::new(error.code(), error.to_string()))
                    .await);
            }
        };
        let taken = self.nonces.lock().unwrap_or_else(PoisonError::into_inner).take(&request, now);
        match taken {
            Ok(()) => Ok(request),
            Err(replayed) => {
                Err(self.refuse(&request, Refused::new(replayed.code(), replayed.to_string()), now).await)
            }
        }
    }

    /// Records that a good request is refused all the same, and why.
    pub async fn refuse(&self, request: &Verified<Request>, refused: Refused, now: UtcMillis) -> Refused {
        let event = Event::of_request(now, self.actor, request, Outcome::Refused);
        self.recorded_refusal(Event { reason: refused.code.to_owned(), ..event }, refused).await
    }

    /// Records and counts, under its own word, what the client refused before it asked.
    ///
    /// # Errors
    /// When it could not be recorded.
    pub async fn note_refusal(
        &self,
        request: &Verified<Request>,
        word: String,
        now: UtcMillis,
    ) -> Result<(), Refused> {
        self.counters.add(format!("refused.{word}"), 1);
        tracing::info!(reason = %word, "refused by the client");
        let event = Event::of_request(now, self.actor, request, Outcome::Refused);
        self.recorder.record_one(Event { reason: word, ..event }).await?;
        Ok(())
    }

    /// Records that a request was done. The answer is given all the same when the log does not take it now.
    pub async fn note_done(&self, event: Event) {
        if let Err(error) = self.recorder.record_one(event).await {
            self.counters.add("done-not-recorded", 1);
            self.counters.note(format!("an errand was done, and the log did not take that it was: {error}"));
        }
    }

    async fn recorded_refusal(&self, event: Event, refused: Refused) -> Refused {
        self.counters.add(format!("refused.{}", refused.code), 1);
        tracing::info!(action = %event.action, reason = refused.code, "refused");
        match self.recorder.record_one(event).await {
            Ok(_) => refused,
            Err(error) => {
                self.counters.add("refused.no-receipt", 1);
                error.into()
            }
        }
    }

    /// Records that a request will be answered, and to whose data; only then may it be.
    ///
    /// # Errors
    /// When there is no receipt that holds.
    pub async fn pass(
        &self,
        request: &Verified<Request>,
        data: Option<DataSpan>,
        subjects: &[[u8; 16]],
        detail: String,
        now: UtcMillis,
    ) -> Result<Passed, Refused> {
        self.pass_telling(request, data, (subjects, Vec::new()), detail, now).await
    }

    /// The same, with what the entry says of each of the subjects alone, sealed.
    ///
    /// # Errors
    /// When there is no receipt that holds.
    pub async fn pass_telling(
        &self,
        request: &Verified<Request>,
        data: Option<DataSpan>,
        (subjects, bodies): (&[[u8; 16]], Vec<Body>),
        detail: String,
        now: UtcMillis,
    ) -> Result<Passed, Refused> {
        let event = Event::of_request(now, self.actor, request, Outcome::Allowed);
        self.pass_as(request, Event { data, detail, bodies, ..event }, subjects).await
    }

    /// The same, of what is done with one entry of the log.
    ///
    /// # Errors
    /// When there is no receipt that holds.
    pub async fn pass_about(
        &self,
        request: &Verified<Request>,
        entry: u64,
        subjects: &[[u8; 16]],
        detail: String,
        now: UtcMillis,
    ) -> Result<Passed, Refused> {
        let event = Event::of_request(now, self.actor, request, Outcome::Allowed);
        self.pass_as(request, Event { entry: Some(entry), detail, ..event }, subjects).await
    }

    async fn pass_as(
        &self,
        request: &Verified<Request>,
        event: Event,
        subjects: &[[u8; 16]],
    ) -> Result<Passed, Refused> {
        // An event holds so many subjects; the vault is shown the one that names them, and all are there or none.
        let mut chunks: Vec<Vec<[u8; 16]>> = subjects.chunks(MAX_SUBJECTS).map(<[_]>::to_vec).collect();
        if chunks.is_empty() {
            chunks.push(Vec::new());
        }
        let events =
            chunks.iter().map(|subjects| Event { subjects: subjects.clone(), ..event.clone() }).collect();
        let no_receipt = |refused: Refused| {
            self.counters.add("refused.no-receipt", 1);
            tracing::warn!(error = %refused, "nothing is answered that is not in the log");
            refused
        };
        let mut entries = self.recorder.record(events).await.map_err(|e| no_receipt(e.into()))?;
        let Some(entry) = entries.pop() else {
            return Err(no_receipt(Refused::new("no-receipt", "the ledger gave no receipt")));
        };
        let recorded = check_receipt(request, &entry.event, &entry.receipt, &self.log, UtcMillis::now())
            .map_err(|e| no_receipt(Refused::new(e.code(), e.to_string())))?;
        let before = chunks.iter().take(entries.len()).enumerate();
        let named_before =
            before.flat_map(|(place, chunk)| chunk.iter().map(move |subject| (*subject, place))).collect();
        Ok(Passed { recorded, entry, before: entries, named_before })
    }
}
