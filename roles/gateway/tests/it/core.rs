//! The core as the tests play it: pulls, verifies, opens, keeps account, confirms.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use gateway::Gateway;
use link::{Caller, Service};
use seal::hybrid::KeyPair;
use seal::sign::Verifier;
use sha2::{Digest, Sha256};
use wire::batch::{Body, Gap, Header, SEAL_INFO, SIGNATURE_DOMAIN, Signed};
use wire::gateway::{Confirm, Done, Position, Pull, Pulled};
use wire::{Message, Method, Room};

/// A telegram as the core got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Telegram {
    pub(crate) frame: Vec<u8>,
    pub(crate) boot: Vec<u8>,
    pub(crate) monotonic_ms: i64,
    pub(crate) wall_ms: i64,
    pub(crate) synchronised: bool,
    /// Who heard it best, how strongly, and how often it was heard.
    pub(crate) heard_by: Option<String>,
    pub(crate) rssi_dbm: i32,
    pub(crate) times_heard: u32,
}

/// What stands at a number of an epoch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    Batch(Vec<Telegram>),
    Gap(Gap),
}

/// The core's account.
#[derive(Default)]
pub(crate) struct Core {
    cursor: u64,
    disk_id: Vec<u8>,
    /// By (collector, epoch) and number; a gap statement stands at its last number.
    pub(crate) entries: BTreeMap<(u32, u64), BTreeMap<u64, Entry>>,
    /// Numbers that arrived more than once.
    pub(crate) repeats: u64,
    /// Gateway disks seen.
    pub(crate) disks: HashSet<Vec<u8>>,
}

pub(crate) async fn ask<Q: Message, A: Message + Default>(
    gateway: &Gateway,
    method: Method,
    question: &Q,
) -> A {
    let body = question.encode_to_vec().into();
    let answer = gateway.call(Caller::Room(Room::Intake), method, body).await;
    A::decode(answer.unwrap_or_else(|e| panic!("{method}: {e}"))).unwrap()
}

impl Core {
    /// Pulls once and takes what is there. Every batch must be signed by its collector, open, and either be new
    /// or be what was there before.
    pub(crate) async fn pull(
        &mut self,
        gateway: &Gateway,
        key: &KeyPair,
        signers: &[Verifier],
        wait_ms: u32,
    ) -> usize {
        let question =
            Pull { cursor: self.cursor, max_bytes: 4 << 20, wait_ms, disk_id: self.disk_id.clone() };
        let answer =
            gateway.call(Caller::Room(Room::Intake), Method::GatewayPull, question.encode_to_vec().into());
        // A gateway whose disk fails gives nothing.
        let Ok(answer) = answer.await else { return 0 };
        let pulled = Pulled::decode(answer).unwrap();
        self.cursor = pulled.next;
        self.disks.insert(pulled.disk_id.clone());
        self.disk_id = pulled.disk_id;
        for batch in &pulled.batches {
            self.take(batch, key, signers);
        }
        pulled.batches.len()
    }

    fn take(&mut self, batch: &[u8], key: &KeyPair, signers: &[Verifier]) {
        let signed = Signed::decode(batch).unwrap();
        let message = [&signed.header, &signed.enc, &signed.sealed]
            .map(|p| <[u8; 32]>::from(Sha256::digest(p)))
            .concat();
        assert!(
            signers.iter().any(|s| s.verify(SIGNATURE_DOMAIN, &message, &signed.signature).is_ok()),
            "a batch that no collector signed"
        );
        let header = Header::decode(signed.header.clone()).unwrap();
        let epoch = self.entries.entry((header.collector, header.epoch)).or_default();
        let entry = match header.gap {
            Some(gap) => Entry::Gap(gap),
            None => {
                let body = key.open(SEAL_INFO, &signed.header, &signed.enc, &signed.sealed).unwrap();
                let telegrams = telegrams(&Body::decode(body.as_slice()).unwrap());
                assert_eq!(telegrams.len(), header.count as usize);
                Entry::Batch(telegrams)
            }
        };
        if let Some(before) = epoch.get(&header.seq) {
            self.repeats += 1;
            assert_eq!(before, &entry, "the same number, another content");
        }
        epoch.insert(header.seq, entry);
    }

    /// Pulls until `done`, at most 20 seconds.
    pub(crate) async fn pull_until(
        &mut self,
        gateway: &Gateway,
        key: &KeyPair,
        signers: &[Verifier],
        mut done: impl FnMut(&Self) -> bool,
    ) {
        let until = Instant::now() + Duration::from_secs(20);
        while !done(self) {
            assert!(Instant::now() < until, "it did not arrive: {}", self.summary());
            self.pull(gateway, key, signers, 50).await;
        }
    }

    /// The position up to which nothing is missing, for each epoch.
    pub(crate) fn positions(&self) -> Vec<Position> {
        let up_to = |entries: &BTreeMap<u64, Entry>| {
            let mut seq = 0;
            for (at, entry) in entries {
                let first = if let Entry::Gap(gap) = entry { gap.first_seq } else { *at };
                if first > seq + 1 {
                    break;
                }
                seq = *at;
            }
            seq
        };
        let positions = self.entries.iter();
        positions
            .map(|((c, e), entries)| Position { collector: *c, epoch: *e, seq: up_to(entries) })
            .collect()
    }

    pub(crate) async fn confirm(&self, gateway: &Gateway) {
        let _: Done = ask(gateway, Method::GatewayConfirm, &Confirm { positions: self.positions() }).await;
    }

    /// Every telegram, in the order of epochs and numbers.
    pub(crate) fn telegrams(&self) -> Vec<Telegram> {
        let entries = self.entries.values().flat_map(BTreeMap::values);
        entries
            .filter_map(|e| if let Entry::Batch(t) = e { Some(t.clone()) } else { None })
            .flatten()
            .collect()
    }

    pub(crate) fn frames(&self) -> Vec<Vec<u8>> {
        self.telegrams().into_iter().map(|t| t.frame).collect()
    }

    /// Telegrams that gap statements give up and that did not arrive otherwise.
    pub(crate) fn stated_lost(&self) -> u64 {
        let mut lost = 0;
        for entries in self.entries.values() {
            for (last, gap) in
                entries.iter().filter_map(|(n, e)| if let Entry::Gap(g) = e { Some((n, g)) } else { None })
            {
                assert_eq!(gap.counts.len() as u64, last - gap.first_seq + 1, "short gaps name their parts");
                assert_eq!(gap.telegrams, gap.counts.iter().map(|c| u64::from(*c)).sum::<u64>());
                let parts = (gap.first_seq..=*last).zip(&gap.counts);
                lost += parts
                    .filter(|(n, _)| !matches!(entries.get(n), Some(Entry::Batch(_))))
                    .map(|(_, c)| u64::from(*c))
                    .sum::<u64>();
            }
        }
        lost
    }

    pub(crate) fn gaps(&self) -> Vec<Gap> {
        let entries = self.entries.values().flat_map(BTreeMap::values);
        entries.filter_map(|e| if let Entry::Gap(gap) = e { Some(gap.clone()) } else { None }).collect()
    }

    fn summary(&self) -> String {
        let epochs = self.entries.iter().map(|(k, e)| format!("{k:?}: {:?}", e.keys().collect::<Vec<_>>()));
        format!("{} telegrams; {}", self.telegrams().len(), epochs.collect::<Vec<_>>().join("; "))
    }
}

fn telegrams(body: &Body) -> Vec<Telegram> {
    let (mut monotonic_ms, mut wall_ms, mut at, mut synchronised) = (0, 0, 0, false);
    (0..body.lengths.len())
        .map(|i| {
            monotonic_ms += body.monotonic_ms[i];
            wall_ms += body.wall_ms[i];
            synchronised ^= body.synchronised_flips.contains(&u32::try_from(i).unwrap());
            let frame = body.frames[at..at + body.lengths[i] as usize].to_vec();
            at += frame.len();
            let by = body.heard_by.get(i).map(|by| body.receivers[*by as usize].clone());
            Telegram {
                frame,
                boot: body.boot_id.clone(),
                monotonic_ms,
                wall_ms,
                synchronised,
                heard_by: by,
                rssi_dbm: body.rssi_dbm.get(i).copied().unwrap_or(0),
                times_heard: body.times_heard.get(i).copied().unwrap_or(1),
            }
        })
        .collect()
}
