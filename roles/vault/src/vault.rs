//! The opened vault: what each method does, without the transport.

use std::sync::Arc;

use base::{BatchPosition, BatchSeq, CollectorId, Epoch, MeterId, UtcMillis};
use house::{Counters, Layout};
use journal::Disk;
use seal::hybrid::KeyPair;
use seal::sign::Verifier;
use wire::gateway::Position;
use wire::vault::{Committed, CommittedAnswer, DecryptFrames, Decrypted, Positions, Verdict};
use wire::{Refused, Room};

use crate::address::{self, Address};
use crate::decrypt::{self, Hasher};
use crate::desk::{Desk, Furnishing};
use crate::fresh::{FreshError, Freshness, Limits, Presented};
use crate::mark::Marks;
use crate::officers;
use crate::proven::Ceilings;
use crate::providers::Proof;
use crate::releases::Releases;
use crate::report::WrongKeys;
use crate::root::{self, RootError};
use crate::signing;
use crate::table::{Table, TableError};

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
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    NoRandomness,
}

/// The keys of the rooms whose word opens the vault.
pub struct Pinned {
    /// Signs grants.
    pub warden: Verifier,
    /// Signs receipts.
    pub ledger: Verifier,
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
    pub(crate) pinned: Pinned,
    pub(crate) ceilings: Ceilings,
    pub(crate) counters: Arc<Counters>,
    pub(crate) marks: Marks,
    /// Of the small files: generation of the root key, providers that there ever were, changes of the officers' list.
    pub(crate) files: (u64, u64, u64),
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
        let (root, import, (generation, providers)) = root::open(disk.as_ref(), layout, proof)?;
        let officers = officers::load(disk.as_ref(), layout, root.key())?;
        let folder = layout.room(Room::Vault);
        let house = grant::act::house_of(import.public().as_bytes());
        let address = address::open(disk.as_ref(), layout, root.key(), &house)?;
        let hasher = Hasher::new(&root.hash_key());
        let fresh = Freshness::open(Arc::clone(&disk), &folder.join("fresh"), root.fresh_key(), limits)?;
        let releases = Releases::open(Arc::clone(&disk), &folder.join("releases"), root.release_key())?;
        let with = Furnishing {
            key: root.desk_key(),
            code_key: root.code_key(),
            officers: officers.list,
            import_public: import.public().as_bytes().to_vec(),
            signer: signing::load(disk.as_ref(), layout, root.key())?,
        };
        let desk = Desk::open(Arc::clone(&disk), &folder.join("desk"), with)?;
        let marks = Marks::new(Arc::clone(&disk), layout, root.key(), pinned.ledger, Arc::clone(&counters));
        let table = Table::open(disk, &folder.join("table"), root)?;
        let files = (generation, providers, officers.changes);
        let boot = u64::from_le_bytes(base::random().map_err(|_| OpenError::NoRandomness)?);
        let ceilings = Ceilings::default();
        Ok(Self {
            boot,
            fresh,
            wrong: WrongKeys::default(),
            hasher,
            table,
            desk,
            releases,
            import,
            address,
            pinned,
            ceilings,
            counters,
            marks,
            files,
        })
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
        let plain = {
            let content = self.table.read();
            let plain = decrypt::open(&content.keys, &content.units, &self.hasher, frames.into_iter());
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
        let mut verdicts = self.fresh.judge(position, &plain.presented, question.time_reliable, now)?;
        self.wrong.note(&plain.presented, &verdicts);
        let (frames, security) = plain.release(&mut verdicts);
        self.count(&verdicts);
        Ok(Decrypted {
            boot: self.boot,
            verdicts: verdicts.iter().map(|v| v.code()).collect::<Vec<u8>>().into(),
            frames: frames.into(),
            security,
        })
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
            self.fresh.commit(&positions, now)?.unknown
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
        let content = self.table.read();
        let (waiting, gaps, meters) = self.fresh.sizes();
        let unproven = self.fresh.count_unproven(content.keys.numbers().chain(content.units.numbers()));
        self.counters.set("keys", (content.keys.len() + content.units.len()) as u64);
        self.counters.set("keys.unproven", unproven as u64);
        self.counters.set("keys.exposed", content.exposed_count() as u64);
        self.counters.set("tenancies", content.tenancy_count() as u64);
        let (officers, open, twice) = self.desk.counts(UtcMillis::now());
        self.counters.set("officers", officers as u64);
        self.counters.set("handovers.open", open as u64);
        self.counters.set("handovers.intercepted", twice as u64);
        self.counters.set("fresh.meters", meters as u64);
        self.counters.set("fresh.gaps", gaps as u64);
        self.counters.set("fresh.uncommitted", waiting as u64);
        self.counters.set("keys.released", self.releases.total());
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
