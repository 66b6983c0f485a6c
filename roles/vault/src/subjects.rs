//! Data subjects of the log: by which tags it knows them, and that no key of theirs goes out for an entry that does not name them.

use std::collections::HashSet;

use base::{TenancyId, UtcMillis};
use grant::{Action, Event, check_request};
use wire::Refused;
use wire::bytes16;
use wire::vault::{SubjectTags, SubjectTagsAnswer};

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
        Ok(SubjectTagsAnswer { tags: tenancies.iter().map(tag).collect() })
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
