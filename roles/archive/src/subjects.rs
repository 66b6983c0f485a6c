//! By which tags the log knows data subjects. The vault makes them of the tenancies' roots; they are kept here in memory alone, so
//! that a copy of this room's files tells nobody whose they are, and what was erased is nobody's.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::TenancyId;
use wire::Refused;
use wire::vault::SubjectTags;

use crate::bodies::SealingKeys;
use crate::vaults::Vault;

/// Tenancies in one call to the vault.
const ASKED: usize = 4096;
/// Tags that are remembered, at most.
const MAX_KEPT: usize = 2_000_000;

/// A tag.
pub(crate) type Tag = [u8; 16];

/// Tags of tenancies; those that have none are not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tags(BTreeMap<TenancyId, Tag>);

impl Tags {
    /// The tag of a tenancy.
    pub(crate) fn of(&self, tenancy: TenancyId) -> Option<&Tag> {
        self.0.get(&tenancy)
    }

    /// All of them, ascending, each once.
    pub(crate) fn all(&self) -> Vec<Tag> {
        let mut all: Vec<Tag> = self.0.values().copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// The tags that the vault told, and keys to seal with what the log says of single subjects.
#[derive(Default)]
pub(crate) struct Subjects {
    tags: Mutex<HashMap<TenancyId, Tag>>,
    pub(crate) sealing: SealingKeys,
}

impl Subjects {
    /// The tags of tenancies. `beginning` is the signed change that those begin with which the vault does not know yet.
    ///
    /// # Errors
    /// When the vault does not tell.
    pub(crate) async fn tags<V: Vault>(
        &self,
        vault: &V,
        tenancies: impl IntoIterator<Item = TenancyId>,
        beginning: Option<&[u8]>,
    ) -> Result<Tags, Refused> {
        let (mut tags, mut unknown) = (Tags::default(), Vec::new());
        {
            let kept = self.kept();
            for tenancy in tenancies {
                match kept.get(&tenancy) {
                    Some(tag) => _ = tags.0.insert(tenancy, *tag),
                    None => unknown.push(tenancy),
                }
            }
        }
        unknown.sort_unstable();
        unknown.dedup();
        for some in unknown.chunks(ASKED) {
            let question = SubjectTags {
                tenancies: some.iter().map(|tenancy| tenancy.0.to_vec()).collect(),
                beginning: beginning.unwrap_or_default().to_vec(),
                with_keys: false,
            };
            let told = vault.subject_tags(question).await?;
            if told.tags.len() != some.len() {
                return Err(Refused::new("vault-garbled", "the vault's answer does not fit the question"));
            }
            let mut kept = self.kept();
            if kept.len().saturating_add(some.len()) > MAX_KEPT {
                kept.clear();
            }
            for (tenancy, tag) in some.iter().zip(told.tags) {
                if let Ok(tag) = Tag::try_from(tag.as_slice()) {
                    kept.insert(*tenancy, tag);
                    tags.0.insert(*tenancy, tag);
                }
            }
        }
        Ok(tags)
    }

    /// Forgets all: some of them were erased.
    pub(crate) fn forget(&self) {
        self.kept().clear();
        self.sealing.forget();
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<TenancyId, Tag>> {
        self.tags.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
