//! The opened vault: what each method does, without the transport.

use std::sync::{Arc, Mutex};

use base::{BatchPosition, BatchSeq, CollectorId, Epoch, MeterId, UtcMillis};
use house::{Counters, Layout};
use journal::Disk;
use seal::hybrid::KeyPair;
use seal::sign::Verifier;
use tlog::key::VerifierKey;
use wire::gateway::Position;
use wire::vault::{Committed, CommittedAnswer, DecryptFrames, Decrypted, Positions, Verdict};
use wire::{Refused, Room};

use crate::MeterNumber;
use crate::address::{self, Address};
use crate::alarms::Alarms;
use crate::ceilings::Decrypting;
use crate::containers::PERSONAL_CONTAINERS;
use crate::decrypt::{self, Hasher};
use crate::desk::{Desk, Furnishing};
use crate::fresh::{FreshError, Freshness, Limits, Presented, Secs};
use crate::keyring::Keyring;
use crate::limits::PerHour;
use crate::mark::Marks;
use crate::officers;
use crate::providers::Proof;
use crate::releases::Releases;
use crate::report::WrongKeys;
use crate::root::{self, Opened, RootError};
use crate::signing;
use crate::table::{Table, TableError};
use crate::term::Terms;

/// Frames in one batch, at most.
const MAX_FRAMES: usize = 4096;
/// Positions in one commit, at most.
const MAX_POSITIONS: usize = 65_536;

/// Why the vault does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The root key and what opens it.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The key table or the count of releases.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Freshness.
    #[error(transparent)]
    Fresh(#[from] FreshError),
    /// What was decided to be erased.
    #[error("what officers decided to erase was not erased: {0}")]
    Erasing(String),
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    NoRandomness,
}

/// The keys of the rooms whose word opens the vault.
pub struct Pinned {
    /// Signs grants.
    pub warden: Verifier,
    /// Signs the log's checkpoints.
    pub ledger: VerifierKey,
}

/// The opened vault.
pub struct Vault {
    boot: u64,
    pub(crate) fresh: Freshness,
    pub(crate) wrong: WrongKeys,
    hasher: Hasher,
    pub(crate) table: Table,
    pub(crate) desk: Desk,
    pub(crate) releases: Releases,
    pub(crate) import: KeyPair,
    pub(crate) address: Address,
    /// Containers that were opened for each person.
    pub(crate) containers: Mutex<PerHour<String>>,
    pub(crate) pinned: Pinned,
    decrypting: Decrypting,
    pub(crate) alarms: Alarms,
    pub(crate) counters: Arc<Counters>,
    pub(crate) marks: Marks,
    /// Of the small files: generation of the root key, providers that there ever were, changes of the officers' list.
    pub(crate) files: (u64, u64, u64),
    pub(crate) terms: Terms,
}

/// A refusal, or a failure that the room cannot go on after.
#[derive(Debug)]
pub enum Failure {
    /// The caller gets it.
    Refused(Refused),
    /// The disk: the room stops, and starts again from what is on it.
    Broken(String),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<wire::Malformed> for Failure {
    fn from(malformed: wire::Malformed) -> Self {
        Self::Refused(malformed.into())
    }
}

impl From<FreshError> for Failure {
    fn from(error: FreshError) -> Self {
        match error {
            FreshError::TooMuchWaits => Refused::new("too-much-waits", error.to_string()).into(),
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        Self::Broken(error.to_string())
    }
}

pub(crate) fn malformed(what: impl Into<String>) -> Failure {
    Refused::new("malformed", what).into()
}

impl Vault {
    /// Opens the vault of a house. With a passphrase it takes as long as one is meant to take to try.
    ///
    /// # Errors
    /// A wrong passphrase or share, or files that are damaged or of another vault.
    pub fn open(
        disk: Arc<dyn Disk>,
        layout: &Layout,
        proof: &Proof,
        pinned: Pinned,
        limits: Limits,
        counters: Arc<Counters>,
    ) -> Result<Self, OpenError> {
        let Opened { providers, root, ring } = root::unlock(disk.as_ref(), layout, proof)?;
        let import = root::import_pair(layout, &ring)?;
        let signer = signing::load(layout, &ring)?;
        let address = address::open(layout, &ring)?;
        let Keyring { lasting, term, due, .. } = ring;
        let officers = officers::load(disk.as_ref(), layout, &lasting)?;
        let folder = layout.room(Room::Vault);
        let hasher = Hasher::new(&lasting.hash_key());
        let fresh = Freshness::open(Arc::clone(&disk), &folder.join("fresh"), lasting.fresh_key(), limits)?;
        let alarms = Alarms::open(
            Arc::clone(&disk),
            &folder.join("alarms"),
            lasting.alarm_key(),
            Arc::clone(&counters),
        )?;
        let releases =
            Releases::open(Arc::clone(&disk), &folder.join("releases"), lasting.release_key(), limits.caps)?;
        let decrypting = Decrypting::restored(limits.caps, releases.decrypting());
        let with = Furnishing {
            key: lasting.desk_key(),
            code_key: lasting.code_key(),
            officers: officers.list,
            import_public: import.public().as_bytes().to_vec(),
            signer,
        };
        let desk = Desk::open(Arc::clone(&disk), &folder.join("desk"), with)?;
        let marks =
            Marks::new(Arc::clone(&disk), layout, &lasting, pinned.ledger.clone(), Arc::clone(&counters));
        let table = Table::open(Arc::clone(&disk), &folder, &lasting, term)?;
        let files = (u64::from(providers.generation), u64::from(providers.ever()), officers.changes);
        let terms = Terms::new(disk, layout.clone(), providers.generation, root, due);
        let boot = u64::from_le_bytes(base::random().map_err(|_| OpenError::NoRandomness)?);
        let vault = Self {
            boot,
            fresh,
            wrong: WrongKeys::default(),
            hasher,
            table,
            desk,
            releases,
            import,
            address,
            containers: Mutex::new(PerHour::new(PERSONAL_CONTAINERS)),
            pinned,
            decrypting,
            alarms,
            counters,
            marks,
            files,
            terms,
        };
        // what was decided, and a crash kept from being done
        match vault.carry_out(UtcMillis::now()) {
            Ok(_) => Ok(vault),
            Err(failure) => Err(OpenError::Erasing(format!("{failure:?}"))),
        }
    }

    /// Decrypts the telegrams of a batch and judges their freshness.
    ///
    /// # Errors
    /// When the message does not hold together, or too much waits for its commit.
    pub fn decrypt_frames(&self, question: &DecryptFrames, now: UtcMillis) -> Result<Decrypted, Failure> {
        let count = question.lengths.len();
        if count > MAX_FRAMES || question.meters.len() != count || question.heard_ms.len() != count {
            return Err(malformed(format!(
                "a batch has up to {MAX_FRAMES} frames, each with its length, meter and time"
            )));
        }
        let mut rest: &[u8] = &question.frames;
        let mut heard = UtcMillis(0);
        let mut frames = Vec::with_capacity(count);
        for (length, step) in question.lengths.iter().zip(&question.heard_ms) {
            let cut = usize::try_from(*length).ok().and_then(|n| rest.split_at_checked(n));
            let (frame, after) =
                cut.ok_or_else(|| malformed("the frames are shorter than their lengths say"))?;
            heard = heard.plus(*step);
            frames.push((frame, heard));
            rest = after;
        }
        if !rest.is_empty() {
            return Err(malformed("the frames are longer than their lengths say"));
        }
        let keys = {
            let content = self.table.read();
            content.keys.len().saturating_add(content.units.meters())
        };
        self.may_decrypt(keys, now)?;
        let mut plain = {
            let content = self.table.read();
            let plain = decrypt::open(&content.keys, &content.units, &self.hasher, &frames);
            // keys go by address alone; an id that differs says that register and key table were mixed up
            let differs = |(p, id): &(&Presented, &u32)| {
                let number = p.number.plain();
                let known = content.keys.meter(number).or_else(|| content.units.meter(number));
                known.is_some_and(|known| known != MeterId(**id))
            };
            let differing = plain.presented.iter().zip(&question.meters).filter(differs).count();
            if differing > 0 {
                self.counters.add("meter-id-differs", differing as u64);
            }
            plain
        };
        let position = BatchPosition {
            collector: CollectorId(question.collector),
            epoch: Epoch(question.epoch),
            seq: BatchSeq(question.seq),
        };
        {
            let content = self.table.read();
            if !content.lives.none_retired() {
                let from = |number| content.lives.retired_from(number).map(Secs::of);
                plain.refuse_retired(|number, at| from(number).is_some_and(|from| at >= from));
            }
        }
        self.guard_telegrams(&mut plain, position.collector, now)?;
        let (mut verdicts, spent) =
            self.fresh.judge(position, &plain.presented, question.time_reliable, now)?;
        if let Some(up_to) = self.decrypting.add(spent, keys, now) {
            self.releases.reserve(up_to, now)?;
        }
        self.note_rekeyed(&plain, &verdicts, now)?;
        self.wrong.note(&plain.presented, &verdicts);
        if let Some((throttled, _)) =
            plain.presented.iter().zip(&verdicts).find(|(_, verdict)| **verdict == Verdict::Throttled)
        {
            self.tell_throttled(throttled.number, position, now)?;
        }
        let (frames, security) = plain.release(&mut verdicts);
        self.count(&verdicts);
        Ok(Decrypted {
            boot: self.boot,
            verdicts: verdicts.iter().map(|v| v.code()).collect::<Vec<u8>>().into(),
            frames: frames.into(),
            security,
        })
    }

    /// Whether more telegrams may be decrypted in this hour. What is refused here was not judged: intake brings it again.
    fn may_decrypt(&self, meters: usize, now: UtcMillis) -> Result<(), Failure> {
        let Err(news) = self.decrypting.may(meters, now) else { return Ok(()) };
        self.counters.add("decrypt.throttled", 1);
        let message =
            "intake had more telegrams decrypted in this hour than the house's meters send in a day";
        if news {
            self.alarms.raise("throttled", "intake", message, now)?;
        }
        Err(Refused::new("throttled", format!("{message}; they wait for the next hour")).into())
    }

    fn tell_throttled(
        &self,
        number: MeterNumber,
        position: BatchPosition,
        now: UtcMillis,
    ) -> Result<(), Failure> {
        let number = number.plain();
        let text =
            format!("more telegrams of {number} came through {} than it can have sent", position.collector);
        Ok(self.alarms.raise("throttled", &number.to_string(), &text, now)?)
    }

    fn count(&self, verdicts: &[Verdict]) {
        let mut counts = [0u64; Verdict::ALL.len()];
        for verdict in verdicts {
            let at = Verdict::ALL.iter().zip(&mut counts).find(|(v, _)| *v == verdict);
            at.into_iter().for_each(|(_, n)| *n += 1);
        }
        for (verdict, n) in Verdict::ALL.iter().zip(counts).filter(|(_, n)| *n > 0) {
            self.counters.add(format!("verdict.{}", verdict.name()), n);
        }
    }

    /// Makes the verdicts of committed positions final and durable.
    ///
    /// # Errors
    /// When there are too many; [`Failure::Broken`] when the disk fails.
    pub fn committed(&self, question: &Committed, now: UtcMillis) -> Result<CommittedAnswer, Failure> {
        if question.positions.len() > MAX_POSITIONS {
            return Err(malformed(format!("at most {MAX_POSITIONS} positions are committed at once")));
        }
        let positions: Vec<BatchPosition> = question.positions.iter().map(position).collect();
        let unknown = if question.boot == self.boot {
            let outcome = self.fresh.commit(&positions, now)?;
            self.table.proven(outcome.proven, now)?;
            outcome.unknown
        } else {
            // judged by an earlier run, which took its judgement with it unless it was final
            self.fresh.not_final(&positions)
        };
        Ok(CommittedAnswer { boot: self.boot, unknown: unknown.iter().map(as_message).collect() })
    }

    /// Up to where positions are final.
    #[must_use]
    pub fn positions(&self) -> Positions {
        let (all_up_to, single) = self.fresh.positions();
        let messages = |positions: Vec<BatchPosition>| positions.iter().map(as_message).collect();
        Positions { boot: self.boot, all_up_to: messages(all_up_to), single: messages(single) }
    }

    /// Sets the gauges that `status` shows.
    pub fn gauge(&self) {
        let (officers, open, twice) = self.desk.counts(UtcMillis::now());
        self.counters.set("term", u64::from(self.table.term().0));
        let content = self.table.read();
        let (waiting, gaps, meters) = self.fresh.sizes();
        let unproven = self.fresh.count_unproven(content.keys.numbers().chain(content.units.numbers()));
        self.counters.set("keys", (content.keys.len() + content.units.len()) as u64);
        self.counters.set("keys.unproven", unproven as u64);
        self.counters.set("keys.exposed", content.exposed_count() as u64);
        self.counters.set("tenancies", content.tenancy_count() as u64);
        self.counters.set("officers", officers as u64);
        self.counters.set("handovers.open", open as u64);
        self.counters.set("handovers.intercepted", twice as u64);
        self.counters.set("fresh.meters", meters as u64);
        self.counters.set("fresh.gaps", gaps as u64);
        self.counters.set("fresh.uncommitted", waiting as u64);
        self.counters.set("keys.released", self.releases.total());
        let (unchecked, let_go) = self.releases.waiting();
        self.counters.set("releases.unchecked", unchecked);
        self.counters.set("releases.let-go", let_go);
        self.counters.set("keys.held", content.held_count() as u64);
    }

    /// Makes a snapshot of freshness, so that the next start is quick.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn close(&self, now: UtcMillis) -> Result<(), FreshError> {
        self.fresh.snapshot(now)
    }
}

fn position(message: &Position) -> BatchPosition {
    BatchPosition {
        collector: CollectorId(message.collector),
        epoch: Epoch(message.epoch),
        seq: BatchSeq(message.seq),
    }
}

fn as_message(position: &BatchPosition) -> Position {
    Position { collector: position.collector.0, epoch: position.epoch.0, seq: position.seq.0 }
}
