//! Asking the log, page by page, under as few grants as it takes.

use std::time::{Duration, Instant};

use grant::{Action, Purpose};
use wire::Method;
use wire::log::{FoundEntry, LogAnswer, LogQuery, TagsAnswer, TagsQuery};

use crate::operator::{Leave, Operator, Reach};
use crate::problem::Problem;

/// Entries asked for at once; the ledger gives no more.
pub(super) const PAGE: u32 = 500;
/// A grant lasts ten minutes; after so long another one is asked for.
const NEW_GRANT_AFTER: Duration = Duration::from_secs(300);

/// Whose data a question is about. Nothing for anybody's.
#[derive(Default)]
pub(super) struct Subjects {
    pub(super) meters: Vec<String>,
    pub(super) customers: Vec<String>,
    pub(super) tenancies: Vec<Vec<u8>>,
}

/// What is asked.
pub(super) struct Wanted {
    pub(super) purpose: Purpose,
    pub(super) query: LogQuery,
    /// At most so many entries; 0 for all.
    pub(super) limit: u64,
}

/// What came of it.
pub(super) struct Found {
    /// How many entries there were.
    pub(super) entries: u64,
    /// There are more.
    pub(super) more: bool,
    /// The entry that says that this was asked, of the first page.
    pub(super) receipt: u64,
    /// Months whose review is overdue.
    pub(super) overdue: Vec<u32>,
}

/// Whoever asks the log again and again, under as few grants as it takes.
pub(super) struct Asking {
    errand: (Purpose, Action),
    leave: Option<(Leave, Instant)>,
}

impl Asking {
    pub(super) const fn new(purpose: Purpose) -> Self {
        Self { errand: (purpose, Action::ReadLog), leave: None }
    }

    /// The grant that counts now.
    async fn leave(&mut self, operator: &Operator) -> Result<&Leave, Problem> {
        let held = self.leave.take().filter(|(_, since)| since.elapsed() <= NEW_GRANT_AFTER);
        let held = match held {
            Some(held) => held,
            None => (operator.leave(self.errand, &Reach::default()).await?, Instant::now()),
        };
        Ok(&self.leave.insert(held).0)
    }

    /// One page, which is one look.
    pub(super) async fn page(&mut self, operator: &Operator, query: &LogQuery) -> Result<LogAnswer, Problem> {
        let leave = self.leave(operator).await?;
        operator.ask_under(leave, Method::LedgerSearch, query, Vec::new()).await
    }
}

/// Asks until there are no more entries, or as many as wanted. Each page is handed over as it comes; the last one may go to a
/// reader that went away.
pub(super) async fn pages(
    operator: &Operator,
    wanted: Wanted,
    subjects: &Subjects,
    mut page: impl FnMut(&[FoundEntry]) -> Result<(), Problem>,
) -> Result<Found, Problem> {
    let Wanted { purpose, mut query, limit } = wanted;
    let mut asking = Asking::new(purpose);
    if let Some(tags) = tags(operator, asking.leave(operator).await?, subjects).await? {
        query.subjects = tags;
    }
    let mut found = Found { entries: 0, more: false, receipt: 0, overdue: Vec::new() };
    loop {
        let most = u64::from(PAGE);
        let left = if limit == 0 { most } else { limit.saturating_sub(found.entries).min(most) };
        query.limit = u32::try_from(left).unwrap_or(PAGE);
        let answer = asking.page(operator, &query).await?;
        if found.receipt == 0 {
            found.receipt = answer.receipt;
            found.overdue.clone_from(&answer.overdue);
        }
        found.entries = found.entries.saturating_add(answer.entries.len() as u64);
        page(&answer.entries)?;
        let full = limit != 0 && found.entries >= limit;
        found.more = answer.next.is_some();
        if full || answer.next.is_none() {
            return Ok(found);
        }
        query.after = answer.next;
    }
}

/// The tags by which the log knows whom the question is about; `None` where it is about anybody.
async fn tags(
    operator: &Operator,
    leave: &Leave,
    subjects: &Subjects,
) -> Result<Option<Vec<Vec<u8>>>, Problem> {
    let Subjects { meters, customers, tenancies } = subjects;
    if meters.is_empty() && customers.is_empty() && tenancies.is_empty() {
        return Ok(None);
    }
    let asked =
        TagsQuery { meters: meters.clone(), customers: customers.clone(), tenancies: tenancies.clone() };
    let told: TagsAnswer = operator.ask_under(leave, Method::ArchiveSubjectTags, &asked, Vec::new()).await?;
    if told.tags.is_empty() {
        // a search without tags would be one for everything
        return Err(Problem::new("the archive told no tags of whom the question is about"));
    }
    Ok(Some(told.tags))
}
