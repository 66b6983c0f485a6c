//! What data subjects are shown of the log: every entry that names them, and of whom only that it was the same person again. Who it
//! was is told by a decision of its own, which is an entry of the same history.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::time::Duration;

use base::{TenancyId, UtcMillis};
use grant::{Action, Event, Outcome, Request, Tenancies, Verified};
use link::Caller;
use prost::Message;
use recorder::{LedgerRecorder, Record};
use wire::archive::Asked;
use wire::log::{
    FoundEntry, History, HistoryQuery, LogAnswer, Look, OfSubjects, Told, UNMASK_REASONS, Unmask, Unmasked,
};
use wire::{Method, Refused, bytes16};

use crate::bodies;
use crate::service::Inner;
use crate::subjects::Tag;
use crate::vaults::Vault;

/// Tenancies in one question, at most.
const MAX_TENANCIES: usize = 100;
/// Entries of one history, at most: a customer that everybody looks at every day for ten years has fewer.
const MAX_ENTRIES: usize = 50_000;
/// How long the ledger may take for a page.
const PATIENCE: Duration = Duration::from_secs(30);

/// A log that entries can be asked of by whom they name.
pub(crate) trait Histories: Send + Sync + 'static {
    /// A page of entries, the oldest first.
    fn of_subjects(&self, asked: OfSubjects) -> impl Future<Output = Result<LogAnswer, Refused>> + Send;
}

impl Histories for LedgerRecorder {
    async fn of_subjects(&self, asked: OfSubjects) -> Result<LogAnswer, Refused> {
        let found = self.ledger().call(Method::LedgerOfSubjects, &asked, PATIENCE).await;
        found.map_err(|error| {
            Refused::new("log-unreachable", format!("the log does not tell: {error}; ask again in a moment"))
        })
    }
}

/// An entry as it was found.
struct Named {
    number: u64,
    at_ms: i64,
    event: Event,
}

impl Named {
    fn read(found: FoundEntry) -> Result<Self, Refused> {
        let FoundEntry { number, at_ms, event } = found;
        let event = Event::decode(&event)
            .map_err(|e| Refused::new("log-garbled", format!("entry {number} of the log: {e}")))?;
        Ok(Self { number, at_ms, event })
    }
}

/// Whose history is asked for: those that are named, each within the grant; else those that the grant names.
fn whose(named: &[Vec<u8>], scope: &Tenancies) -> Result<BTreeSet<TenancyId>, Refused> {
    let ids = named.iter().map(|id| Ok(TenancyId(bytes16("tenancies", id)?)));
    let mut whose: BTreeSet<TenancyId> = ids.collect::<Result<_, Refused>>()?;
    if let (true, Tenancies::Only(granted)) = (whose.is_empty(), scope) {
        whose.clone_from(granted);
    }
    if let Some(outside) = whose.iter().find(|tenancy| !scope.hold(**tenancy)) {
        let message = format!("the grant does not reach tenancy `{outside}`; ask for a grant that names it");
        return Err(Refused::new("not-in-scope", message));
    }
    if whose.is_empty() || whose.len() > MAX_TENANCIES {
        let message = format!("a history is of 1 to {MAX_TENANCIES} tenancies; name whose");
        return Err(Refused::new("malformed", message));
    }
    Ok(whose)
}

impl<R: Record + Histories, V: Vault> Inner<R, V> {
    /// Shows who looked at somebody's data.
    pub(crate) async fn history(
        &self,
        caller: Caller,
        asked: Asked,
        now: UtcMillis,
    ) -> Result<History, Refused> {
        let request = self.gate.admit(&caller, &asked.request, &[Action::ReadHistory], now).await?;
        match self.answer_history(&request, &asked.request, now).await {
            Ok(history) => {
                self.counters.add("histories", 1);
                Ok(history)
            }
            Err(refused) => Err(self.gate.refuse(&request, refused, now).await),
        }
    }

    async fn answer_history(
        &self,
        request: &Verified<Request>,
        encoded: &[u8],
        now: UtcMillis,
    ) -> Result<History, Refused> {
        let query = HistoryQuery::decode(request.body.as_slice())
            .map_err(|_| Refused::new("malformed", "the question's content cannot be read"))?;
        let whose = whose(&query.tenancies, &request.grant.scope.tenancies)?;
        let known = self.subjects.tags(&self.vault, whose.iter().copied(), None).await?;
        let (tags, of) = (known.all(), whose.iter().filter_map(|of| Some((*known.of(*of)?, *of))));
        let of: BTreeMap<Tag, TenancyId> = of.collect();
        let detail = format!("history of {} tenancies", whose.len());
        let passed = self.gate.pass(request, None, &tags, detail, now).await?;
        let named = self.entries_of(&tags).await?;
        let own = request.grant.purpose.is_for_subjects().then_some(request.grant.person.as_str());
        let in_all = named.len() as u64;
        let from = query.from_ms;
        let until = if query.until_ms == 0 { i64::MAX } else { query.until_ms };
        let entries = named.iter().map(|named| (named.number, &named.event));
        let (told, unreadable) = bodies::open(&self.vault, encoded, &passed, &of, entries).await?;
        self.counters.add("histories.unreadable", unreadable);
        let looks = masked(&named, own, told).into_iter().filter(|look| (from..until).contains(&look.at_ms));
        Ok(History { looks: looks.collect(), receipt: passed.entry.number, in_all })
    }

    /// All entries that name one of these, the oldest first.
    async fn entries_of(&self, tags: &[Tag]) -> Result<Vec<Named>, Refused> {
        let (mut named, mut after) = (Vec::new(), None);
        // those who were erased are named by nobody any more
        while !tags.is_empty() {
            let subjects = tags.iter().map(|tag| tag.to_vec()).collect();
            let asked = OfSubjects { subjects, after, number: None };
            let page = self.gate.recorder().of_subjects(asked).await?;
            for found in page.entries {
                named.push(Named::read(found)?);
            }
            if named.len() > MAX_ENTRIES {
                let message = format!("the log names them more than {MAX_ENTRIES} times; ask about fewer");
                return Err(Refused::new("too-much", message));
            }
            let Some(next) = page.next else { break };
            if after.is_some_and(|after| next <= after) {
                return Err(Refused::new("log-garbled", "the log's pages do not go on"));
            }
            after = Some(next);
        }
        Ok(named)
    }

    /// Tells who it was, for one entry of a history; from then on the history says so, too.
    pub(crate) async fn unmask(
        &self,
        caller: Caller,
        asked: Asked,
        now: UtcMillis,
    ) -> Result<Unmasked, Refused> {
        let request = self.gate.admit(&caller, &asked.request, &[Action::UnmaskStaff], now).await?;
        match self.answer_unmask(&request, now).await {
            Ok(told) => {
                self.counters.add("unmasked", 1);
                Ok(told)
            }
            Err(refused) => Err(self.gate.refuse(&request, refused, now).await),
        }
    }

    async fn answer_unmask(&self, request: &Verified<Request>, now: UtcMillis) -> Result<Unmasked, Refused> {
        let Unmask { tenancy, entry, because } = Unmask::decode(request.body.as_slice())
            .map_err(|_| Refused::new("malformed", "the decision's content cannot be read"))?;
        if !UNMASK_REASONS.contains(&because.as_str()) {
            let message = format!("who it was is told because of {}", UNMASK_REASONS.join(", "));
            return Err(Refused::new("no-such-reason", message));
        }
        let whose = whose(&[tenancy], &request.grant.scope.tenancies)?;
        let tags = self.subjects.tags(&self.vault, whose, None).await?.all();
        let asked = OfSubjects {
            subjects: tags.iter().map(|tag| tag.to_vec()).collect(),
            number: Some(entry),
            after: None,
        };
        let found = if tags.is_empty() {
            LogAnswer::default()
        } else {
            self.gate.recorder().of_subjects(asked).await?
        };
        let of_history = found.entries.into_iter().next().map(Named::read).transpose()?;
        let Some(look) = of_history.filter(|look| !look.event.on_behalf.is_empty()) else {
            let message = format!("entry {entry} is none of a person in the history of that tenancy");
            return Err(Refused::new("no-entry", message));
        };
        let passed = self.gate.pass_about(request, entry, &tags, because, now).await?;
        Ok(Unmasked { name: look.event.on_behalf, receipt: passed.entry.number })
    }
}

/// Entries as data subjects see them.
fn masked(named: &[Named], own: Option<&str>, mut said: HashMap<u64, Vec<Told>>) -> Vec<Look> {
    let is_told = |named: &&Named| {
        named.event.action == Action::UnmaskStaff.name() && named.event.outcome == Outcome::Allowed
    };
    let told: BTreeSet<u64> = named.iter().filter(is_told).filter_map(|named| named.event.entry).collect();
    let mut people: BTreeMap<&str, u32> = BTreeMap::new();
    let look = |Named { number, at_ms, event }: &'_ Named, who: u32| Look {
        number: *number,
        at_ms: *at_ms,
        who,
        name: if told.contains(number) { event.on_behalf.clone() } else { String::new() },
        role: event.role.clone(),
        purpose: event.purpose.clone(),
        action: event.action.clone(),
        outcome: event.outcome.name().to_owned(),
        class: event.data.map_or(0, |data| u32::from(data.class.code())),
        first_month: event.data.map_or(0, |data| data.first.number()),
        last_month: event.data.map_or(0, |data| data.last.number()),
        about: event.entry,
        own: own.is_some_and(|own| own == event.on_behalf),
        told: Vec::new(),
    };
    let mut looks = Vec::with_capacity(named.len());
    for entry in named {
        let name = entry.event.on_behalf.as_str();
        let next = u32::try_from(people.len()).unwrap_or(u32::MAX).saturating_add(1);
        let who = if name.is_empty() { 0 } else { *people.entry(name).or_insert(next) };
        looks.push(Look { told: said.remove(&entry.number).unwrap_or_default(), ..look(entry, who) });
    }
    looks
}
