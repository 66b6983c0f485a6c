//! What an entry of the log says of one data subject alone: sealed under their key when the entry is made, opened when they, or who
//! answers them, see their history (decision record 0037).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{Secret, TenancyId};
use grant::{Body, Event, MAX_BODIES, MAX_BODY};
use prost::Message;
use recorder::gate::Passed;
use wire::log::Told;
use wire::vault::{BodyKeys, MAX_BODY_KEYS, SubjectTags};
use wire::{Refused, bytes16};
use zeroize::Zeroizing;

use crate::subjects::{Tag, Tags};
use crate::vaults::Vault;

/// Keys that are remembered, at most.
const MAX_KEPT: usize = 100_000;
/// What was looked for is told in at most so many characters.
const MAX_CRITERION: usize = 100;
/// Meters that are named, at most.
const MAX_METERS: usize = 4;

/// A key to seal with from now on. It opens nothing that was sealed before the vault drew its number.
struct SealingKey {
    id: [u8; 16],
    key: Secret<32>,
}

/// Keys of tenancies that something was said of since this room was started.
#[derive(Default)]
pub(crate) struct SealingKeys(Mutex<HashMap<TenancyId, Arc<SealingKey>>>);

fn garbled() -> Refused {
    Refused::new("vault-garbled", "the vault's answer does not fit the question")
}

impl SealingKeys {
    /// Seals what is said of each tenancy, about a request (by its hash), for an entry with these subjects: all that the tags are of.
    /// Of more of them than an entry says something of single ones, nothing is said, and nothing worked out.
    ///
    /// # Errors
    /// When the vault gives no keys.
    pub(crate) async fn seal<V: Vault>(
        &self,
        vault: &V,
        (tags, subjects): (&Tags, &[Tag]),
        request: &[u8; 32],
        said: impl FnOnce() -> BTreeMap<TenancyId, Told>,
    ) -> Result<Vec<Body>, Refused> {
        if subjects.is_empty() || subjects.len() > MAX_BODIES {
            return Ok(Vec::new());
        }
        let said = said();
        let whose: Vec<TenancyId> = said.keys().copied().filter(|of| tags.of(*of).is_some()).collect();
        self.fetch(vault, &whose).await?;
        let mut bodies = BTreeMap::new();
        for (tenancy, told) in said {
            let place = tags.of(tenancy).and_then(|tag| subjects.binary_search(tag).ok());
            let (Some(place), Some(key)) = (place, self.kept().get(&tenancy).cloned()) else { continue };
            let plain = bounded(told).encode_to_vec();
            let sealed = seal::subject::seal_body(&key.key, tenancy, &key.id, request, &plain)
                .map_err(|e| Refused::new("internal", format!("what the log says cannot be sealed: {e}")))?;
            let of = u32::try_from(place).unwrap_or(u32::MAX);
            if sealed.len() <= MAX_BODY {
                bodies.insert(of, Body { of, key: key.id, sealed });
            }
        }
        Ok(bodies.into_values().collect())
    }

    /// Asks the vault for those keys that are not here.
    async fn fetch<V: Vault>(&self, vault: &V, whose: &[TenancyId]) -> Result<(), Refused> {
        let missing: Vec<TenancyId> = {
            let kept = self.kept();
            whose.iter().copied().filter(|tenancy| !kept.contains_key(tenancy)).collect()
        };
        if missing.is_empty() {
            return Ok(());
        }
        let tenancies = missing.iter().map(|tenancy| tenancy.0.to_vec()).collect();
        let question = SubjectTags { tenancies, beginning: Vec::new(), with_keys: true };
        let mut told = vault.subject_tags(question).await?;
        let bytes = Zeroizing::new(std::mem::take(&mut told.keys));
        let id = bytes16("key_id", &told.key_id)?;
        // who was erased meanwhile has neither a tag nor a key
        let there = missing.iter().zip(&told.tags).filter(|(_, tag)| !tag.is_empty()).map(|(of, _)| *of);
        let (there, (keys, rest)) = (there.collect::<Vec<_>>(), bytes.as_chunks::<32>());
        if told.tags.len() != missing.len() || keys.len() != there.len() || !rest.is_empty() {
            return Err(garbled());
        }
        let mut kept = self.kept();
        if kept.len().saturating_add(there.len()) > MAX_KEPT {
            kept.clear();
        }
        for (tenancy, key) in there.into_iter().zip(keys) {
            kept.insert(tenancy, Arc::new(SealingKey { id, key: Secret::new(*key) }));
        }
        Ok(())
    }

    /// Forgets all: some of them were erased.
    pub(crate) fn forget(&self) {
        self.kept().clear();
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<TenancyId, Arc<SealingKey>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As much of it as a body holds.
fn bounded(told: Told) -> Told {
    let Told { by, criterion, mut meters, number } = told;
    meters.truncate(MAX_METERS);
    Told { by, criterion: criterion.chars().take(MAX_CRITERION).collect(), meters, number }
}

/// Opens what entries say of these data subjects, by the number of each entry. What does not open is left out, and counted.
///
/// # Errors
/// When the vault gives no keys.
pub(crate) async fn open<'a, V: Vault>(
    vault: &V,
    request: &[u8],
    passed: &Passed,
    whose: &BTreeMap<Tag, TenancyId>,
    entries: impl DoubleEndedIterator<Item = (u64, &'a Event)> + Clone,
) -> Result<(HashMap<u64, Vec<Told>>, u64), Refused> {
    let of = |event: &Event, body: &Body| {
        let tag = event.subjects.get(body.of as usize)?;
        whose.get(tag).map(|tenancy| (*tenancy, body.key))
    };
    let mut wanted: BTreeSet<(TenancyId, [u8; 16])> = BTreeSet::new();
    // of a history with more keys than are given at once, the newest entries say more
    for (_, event) in entries.clone().rev() {
        let of_entry: Vec<_> = event.bodies.iter().filter_map(|body| of(event, body)).collect();
        if wanted.len().saturating_add(of_entry.len()) > MAX_BODY_KEYS {
            break;
        }
        wanted.extend(of_entry);
    }
    let (mut told, mut unreadable) = (HashMap::<u64, Vec<Told>>::new(), 0u64);
    if wanted.is_empty() {
        return Ok((told, unreadable));
    }
    let keys = keys(vault, request, passed, &wanted).await?;
    for (number, event) in entries {
        for body in &event.bodies {
            let Some(of) = of(event, body) else { continue };
            let Some(key) = keys.get(&of) else { continue };
            let about = event.request_hash.unwrap_or_default();
            let opened = seal::subject::open_body(key, of.0, &of.1, &about, &body.sealed).ok();
            match opened.and_then(|plain| Told::decode(plain.as_slice()).ok()) {
                Some(said) => told.entry(number).or_default().push(said),
                None => unreadable = unreadable.saturating_add(1),
            }
        }
    }
    Ok((told, unreadable))
}

/// The keys that the vault gives of those that are wanted.
async fn keys<V: Vault>(
    vault: &V,
    request: &[u8],
    passed: &Passed,
    wanted: &BTreeSet<(TenancyId, [u8; 16])>,
) -> Result<HashMap<(TenancyId, [u8; 16]), Secret<32>>, Refused> {
    let question = BodyKeys {
        request: request.to_vec(),
        event: passed.entry.event.clone(),
        receipt: passed.entry.receipt.clone(),
        tenancies: wanted.iter().map(|(tenancy, _)| tenancy.0.to_vec()).collect(),
        ids: wanted.iter().map(|(_, id)| id.to_vec()).collect(),
    };
    let mut answer = vault.body_keys(question).await?;
    let bytes = Zeroizing::new(std::mem::take(&mut answer.keys));
    let (mut given, rest) = (bytes.as_chunks::<32>().0.iter(), bytes.as_chunks::<32>().1);
    if answer.refused.len() != wanted.len() || !rest.is_empty() {
        return Err(garbled());
    }
    let mut keys = HashMap::new();
    for (of, refused) in wanted.iter().zip(&answer.refused) {
        if refused.is_empty() {
            keys.insert(*of, Secret::new(*given.next().ok_or_else(garbled)?));
        }
    }
    if given.next().is_some() { Err(garbled()) } else { Ok(keys) }
}
