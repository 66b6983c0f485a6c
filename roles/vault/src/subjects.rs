//! Data subjects of the log: by which tags it knows them, and that no key of theirs goes out for an entry that does not name them.

use std::collections::{BTreeMap, HashSet};

use base::{TenancyId, UtcMillis};
use grant::{Action, Event, check_request};
use wire::vault::{BodyKeys, DataKeys, MAX_BODY_KEYS, SubjectTags, SubjectTagsAnswer};
use wire::{Refused, bytes16};

use crate::ceilings::{By, Taken};
use crate::proven::{ASK_FOR_LESS, TERM};
use crate::table::Content;
use crate::vault::{Failure, Vault, malformed};

/// Tenancies in one call, at most.
const MAX_TENANCIES: usize = 4096;
/// Why a key is withheld whose tenancy the event in the log does not name.
pub(crate) const NOT_IN_EVENT: &str = "not-in-event";

/// Whom an event in the log names.
pub(crate) struct Named {
    tags: HashSet<[u8; 16]>,
    /// The tenancy that was asked for last: series come in the order of their tenancies.
    last: Option<(TenancyId, bool)>,
}

impl Named {
    pub(crate) fn by(event: &Event) -> Self {
        Self { tags: event.subjects.iter().copied().collect(), last: None }
    }

    /// Empty when the event names the tenancy, else why its key is withheld. What was erased has no tag any more, and what is kept
    /// of it for a legal claim is nobody's in the log.
    pub(crate) fn misses(&mut self, content: &Content, tenancy: TenancyId) -> &'static str {
        let named = match self.last {
            Some((of, named)) if of == tenancy => named,
            _ => content.subject_tag(tenancy).is_none_or(|tag| self.tags.contains(&tag)),
        };
        self.last = Some((tenancy, named));
        if named { "" } else { NOT_IN_EVENT }
    }
}

impl Vault {
    /// The tags of tenancies. Those that it does not know yet get a root where a signed change is about to begin them.
    ///
    /// # Errors
    /// The check that the signed change fails, by its word; [`Failure::Broken`] when the disk fails.
    pub fn subject_tags(&self, question: &SubjectTags, now: UtcMillis) -> Result<SubjectTagsAnswer, Failure> {
        if question.tenancies.len() > MAX_TENANCIES {
            return Err(malformed(format!("tags of at most {MAX_TENANCIES} tenancies are told at once")));
        }
        let ids = question.tenancies.iter().map(|id| Ok(TenancyId(bytes16("tenancies", id)?)));
        let tenancies: Vec<TenancyId> = ids.collect::<Result<_, Failure>>()?;
        if !question.beginning.is_empty() {
            self.is_change(&question.beginning, now)?;
            self.table.begin(&tenancies)?;
        }
        let content = self.table.read();
        let tag = |tenancy: &TenancyId| content.subject_tag(*tenancy).map(Vec::from).unwrap_or_default();
        let mut answer =
            SubjectTagsAnswer { tags: tenancies.iter().map(tag).collect(), ..SubjectTagsAnswer::default() };
        if question.with_keys {
            // a number of its own for each call: the keys open nothing that was sealed before
            let id: [u8; 16] = base::random()
                .map_err(|error| Failure::Broken(format!("the machine gave no randomness: {error}")))?;
            answer.key_id = id.to_vec();
            answer.keys.reserve_exact(tenancies.len().saturating_mul(32));
            for tenancy in &tenancies {
                if let Ok(key) = content.body_key(*tenancy, &id) {
                    answer.keys.extend_from_slice(key.expose());
                }
            }
        }
        Ok(answer)
    }

    /// Keys of what the log says of single data subjects. Grant and receipt are checked, then whether the grant reaches each tenancy, and
    /// whether the event names it; then the ceilings, where a tenancy counts once. It is counted durably before a key goes out.
    ///
    /// # Errors
    /// The first check that fails, by its word; `ceiling`; [`Failure::Broken`] when the disk fails.
    pub fn body_keys(&self, question: &BodyKeys, now: UtcMillis) -> Result<DataKeys, Failure> {
        let BodyKeys { request, event, receipt, tenancies, ids } = question;
        if tenancies.len() > MAX_BODY_KEYS || tenancies.len() != ids.len() {
            return Err(malformed(format!(
                "at most {MAX_BODY_KEYS} keys are asked for at once, each with its number"
            )));
        }
        let asked = tenancies
            .iter()
            .zip(ids)
            .map(|(tenancy, id)| Ok((TenancyId(bytes16("tenancies", tenancy)?), bytes16("ids", id)?)));
        let asked: Vec<(TenancyId, [u8; 16])> = asked.collect::<Result<_, Failure>>()?;
        let recorded = self.recorded(request, &[Action::ReadHistory], event, receipt, now)?;
        let mut keys =
            DataKeys { keys: Vec::with_capacity(asked.len() * 32), refused: Vec::new(), term: TERM };
        let mut counts: BTreeMap<TenancyId, u64> = BTreeMap::new();
        {
            let (content, mut told) = (self.table.read(), Named::by(&recorded.event));
            for (tenancy, id) in &asked {
                let permitted = recorded.permits_contact(*tenancy).map_err(|error| error.code());
                let missing = told.misses(&content, *tenancy);
                let named = if missing.is_empty() { Ok(()) } else { Err(missing) };
                let given =
                    permitted.and(named).and_then(|()| content.body_key(*tenancy, id).map_err(|e| e.code()));
                let refused = match given {
                    Ok(key) => {
                        keys.keys.extend_from_slice(key.expose());
                        counts.insert(*tenancy, 1);
                        self.counters.add("body-keys", 1);
                        ""
                    }
                    Err(refused) => {
                        self.counters.add(format!("body-keys.refused.{refused}"), 1);
                        refused
                    }
                };
                keys.refused.push(refused.to_owned());
            }
        }
        let grant = &recorded.request.grant;
        let by = By::Reading { person: grant.person.clone(), grant: grant.id };
        let taken = Taken { at: now, by, keys: counts.len() as u64, meters: Vec::new() };
        self.let_out(keys, recorded.receipt.index, counts.into_iter().collect(), taken, ASK_FOR_LESS)
    }

    /// Whether a person signed, just now, for a change that may begin tenancies.
    fn is_change(&self, request: &[u8], now: UtcMillis) -> Result<(), Failure> {
        let change = check_request(request, Action::ChangeRegister, &self.pinned.warden, now);
        let checked =
            change.or_else(|_| check_request(request, Action::ImportKeys, &self.pinned.warden, now));
        checked.map(drop).map_err(|error| {
            self.counters.add(format!("refused.{}", error.code()), 1);
            Refused::new(error.code(), error.to_string()).into()
        })
    }
}
