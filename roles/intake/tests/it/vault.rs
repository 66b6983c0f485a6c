//! The vault: takes its verdict from the telegram, remembers verdicts by position, forgets in a restart what was
//! not committed, and recognises second copies.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;

use base::Secret;
use bytes::Bytes;
use link::{Caller, Service, answer};
use sha2::{Digest, Sha256};
use wire::gateway::Position;
use wire::vault::{
    Committed, CommittedAnswer, DataKeys, DecryptFrames, Decrypted, Positions, PositionsRequest, SealingKeys,
    Security, Series, Verdict,
};
use wire::{Method, Refused};

pub(crate) type Place = (u32, u64, u64);

/// What a test looks at afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Did {
    Presented(Place, Vec<u8>),
    Final(Place),
    Restarted,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) boot: u64,
    pub(crate) finals: BTreeMap<Place, Vec<(Vec<u8>, u8)>>,
    pub(crate) judged: BTreeMap<Place, Vec<(Vec<u8>, u8)>>,
    pub(crate) log: Vec<Did>,
    /// Meters that frames were presented for.
    pub(crate) meters: BTreeSet<u32>,
    /// Why no data keys are given, if they are not.
    pub(crate) no_keys: Option<&'static str>,
    pub(crate) keys_asked: u64,
    pub(crate) down: bool,
    pub(crate) reliable: Vec<bool>,
}

#[derive(Default)]
pub(crate) struct Vault(pub(crate) Mutex<State>);

impl Vault {
    pub(crate) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The process dies and comes back: what was judged and not committed is forgotten.
    pub(crate) fn restart(&self) {
        let mut state = self.state();
        state.boot += 1;
        state.judged.clear();
        state.log.push(Did::Restarted);
    }

    fn decrypt(&self, q: &DecryptFrames) -> Decrypted {
        let mut state = self.state();
        let place = (q.collector, q.epoch, q.seq);
        let (mut rest, mut verdicts, mut plain, mut security) =
            (q.frames.as_ref(), Vec::new(), Vec::new(), Vec::new());
        let mut entries =
            state.judged.get(&place).or_else(|| state.finals.get(&place)).cloned().unwrap_or_default();
        let mut known: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
        for (frame, verdict) in entries.iter().rev() {
            known.entry(frame.clone()).or_default().push(*verdict);
        }
        for length in &q.lengths {
            let (frame, after) = rest.split_at(*length as usize);
            rest = after;
            let verdict = known.get_mut(frame).and_then(Vec::pop).unwrap_or_else(|| {
                let said = frame[frame.len() - 5];
                let all = state.finals.values().chain(state.judged.values()).flatten().chain(&entries);
                let mut seen = all.filter(|(_, v)| Verdict::from_code(*v).unwrap().has_plaintext());
                let verdict = if Verdict::from_code(said).is_some_and(Verdict::has_plaintext)
                    && seen.any(|(f, _)| f == frame)
                {
                    Verdict::Duplicate.code()
                } else {
                    said
                };
                entries.push((frame.to_vec(), verdict));
                verdict
            });
            if Verdict::from_code(verdict).unwrap().has_plaintext() {
                plain.extend_from_slice(frame);
                security.push(facts(verdict, frame));
            }
            verdicts.push(verdict);
        }
        assert!(rest.is_empty());
        state.meters.extend(&q.meters);
        state.reliable.push(q.time_reliable);
        state.judged.insert(place, entries);
        state.log.push(Did::Presented(place, q.frames.to_vec()));
        Decrypted { boot: state.boot, verdicts: verdicts.into(), frames: plain.into(), security }
    }

    fn committed(&self, q: &Committed) -> CommittedAnswer {
        let mut state = self.state();
        let mut unknown = Vec::new();
        for p in &q.positions {
            let place = (p.collector, p.epoch, p.seq);
            if q.boot == state.boot
                && let Some(entries) = state.judged.remove(&place)
            {
                state.finals.insert(place, entries);
                state.log.push(Did::Final(place));
            } else if !state.finals.contains_key(&place) {
                unknown.push(p.clone());
            }
        }
        CommittedAnswer { boot: state.boot, unknown }
    }

    fn positions(&self) -> Positions {
        let state = self.state();
        let mut up_to: BTreeMap<(u32, u64), u64> = BTreeMap::new();
        let mut single = Vec::new();
        for (collector, epoch, seq) in state.finals.keys() {
            let top = up_to.entry((*collector, *epoch)).or_default();
            if *top + 1 == *seq {
                *top = *seq;
            } else {
                single.push(Position { collector: *collector, epoch: *epoch, seq: *seq });
            }
        }
        let all_up_to =
            up_to.into_iter().map(|((collector, epoch), seq)| Position { collector, epoch, seq }).collect();
        Positions { boot: state.boot, all_up_to, single }
    }
}

fn facts(verdict: u8, frame: &[u8]) -> Security {
    if let Ok(telegram::dlms::Apdu::Ciphered(unit)) = telegram::dlms::Apdu::read(frame) {
        let (from, to) = (unit.payload.start as u32, unit.payload.end as u32);
        return Security { mode: 515, check: 2, counter: Some(unit.counter), from, to };
    }
    let to = u32::try_from(frame.len()).unwrap();
    match Verdict::from_code(verdict).unwrap() {
        Verdict::HintOnly => Security { mode: 5, check: 1, counter: None, from: 15, to },
        Verdict::Clear => Security { mode: 0, check: 0, counter: None, from: 15, to: 15 },
        _ => Security { mode: 7, check: 2, counter: Some(9), from: 15, to },
    }
}

/// The data key of a series; tests open readings with it.
pub(crate) fn data_key(series: &Series) -> Secret<32> {
    let mut hash = Sha256::new();
    hash.update(series.meter.to_le_bytes());
    hash.update(&series.tenancy);
    hash.update(series.class.to_le_bytes());
    hash.update(series.month.to_le_bytes());
    Secret::new(hash.finalize().into())
}

impl Service for Vault {
    async fn call(&self, _: Caller, method: Method, body: Bytes) -> Result<Bytes, Refused> {
        if self.state().down {
            return Err(Refused::new("sealed", "the vault is sealed"));
        }
        match method {
            Method::VaultDecryptFrames => answer(body, async |q: DecryptFrames| Ok(self.decrypt(&q))).await,
            Method::VaultCommitted => answer(body, async |q: Committed| Ok(self.committed(&q))).await,
            Method::VaultPositions => answer(body, async |_: PositionsRequest| Ok(self.positions())).await,
            Method::VaultSealingKeys => {
                answer(body, async |q: SealingKeys| {
                    let mut state = self.state();
                    state.keys_asked += 1;
                    let mut keys = DataKeys { term: 5, ..DataKeys::default() };
                    for series in &q.series {
                        if state.no_keys.is_none() {
                            keys.keys.extend(data_key(series).expose());
                        }
                        keys.refused.push(state.no_keys.unwrap_or_default().to_owned());
                    }
                    Ok(keys)
                })
                .await
            }
            other => Err(Refused::new("not-here", other.to_string())),
        }
    }
}
