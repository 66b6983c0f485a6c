//! Reviews of the log: a sample that nobody chooses and targeted checks, month by month, and who signed what it came to.
//!
//! All of it is in the log: that a review was shown, and that it was signed, are entries. The sample is drawn from the root of the first
//! tree with an entry from after the month, so that anybody with the log draws it again.

mod checks;
#[cfg(test)]
mod tests;

use base::{Month, UtcMillis};
use grant::review::{Finding, MAX_REVIEW_NOTE, Review, Signature, Span, draw, overdue_at};
use grant::{Action, Request, Verified};
use link::Caller;
use prost::Message as _;
use recorder::gate::Gate;
use tlog::key::VerifierKey;
use tlog::{Hash, TrustedTree, proof};
use tokio::sync::Semaphore;
use wire::Refused;
use wire::archive::Asked;
use wire::log::FoundEntry;
use wire::review::{
    Checked, Drawn, ReviewAnswer, ReviewErrand, ReviewSignature, ReviewWish, ReviewedMonth, SignReview,
};

use crate::entries::{Entries, Entry, EntryError};
use crate::history::{History, Reviewed};
use crate::own::OwnLog;
use crate::tiles::Tiles;

use checks::Checking;
pub(crate) use checks::Rules;

/// Entries read in one step.
const STEP: usize = 4096;
/// Bytes of events in one answer, about: it stays far below a frame of the link. What comes beyond is named by its number alone.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// What reviews are read from.
#[derive(Clone)]
pub(crate) struct Read {
    pub(crate) entries: Entries,
    pub(crate) tiles: Tiles,
    pub(crate) key: VerifierKey,
}

/// The desk for reviews.
pub(crate) struct Reviews {
    gate: Gate<OwnLog>,
    history: History,
    read: Read,
    rules: Rules,
    /// One at a time: each reads a month.
    turn: Semaphore,
}

/// What a review is of, found out.
struct Looked {
    size: u64,
    root: Hash,
    sample: Vec<u64>,
    found: Vec<checks::Found>,
    overflow: bool,
    own: u64,
}

impl Looked {
    fn found(&self) -> u64 {
        self.found.iter().map(|found| found.total).sum()
    }
}

/// What is wished, read.
enum Wish {
    List,
    Show(Month),
    Sign(Month, Finding, String),
}

impl Reviews {
    pub(crate) const fn new(gate: Gate<OwnLog>, history: History, read: Read, rules: Rules) -> Self {
        Self { gate, history, read, rules, turn: Semaphore::const_new(1) }
    }

    pub(crate) async fn answer(
        &self,
        caller: Caller,
        asked: Asked,
        now: UtcMillis,
    ) -> Result<ReviewAnswer, Refused> {
        let request = self.gate.admit(&caller, &asked.request, &[Action::ReviewLog], now).await?;
        match self.work(&request, now).await {
            Ok(answer) => Ok(answer),
            Err(refused) => Err(self.gate.refuse(&request, refused, now).await),
        }
    }

    async fn work(&self, request: &Verified<Request>, now: UtcMillis) -> Result<ReviewAnswer, Refused> {
        match read(&request.body)? {
            Wish::List => {
                let passed = self.gate.pass(request, None, &[], "how reviews stand".to_owned(), now).await?;
                let months = self.history.reviews(now).iter().map(told).collect();
                Ok(ReviewAnswer { months, drawn: None, receipt: passed.entry.number })
            }
            Wish::Show(month) => {
                let span = self.ended(month, now)?.span;
                let _turn = self.turn().await?;
                let looked = self.look(month, span, &request.grant.person).await?;
                // before anything of it is told; whoever was shown it may sign it
                let detail = Review::Shown { month, span }.to_string();
                let passed = self.gate.pass(request, None, &[], detail, now).await?;
                let drawn = self.told(looked).await?;
                let months = self.history.review(month, now).iter().map(told).collect();
                Ok(ReviewAnswer { months, drawn: Some(drawn), receipt: passed.entry.number })
            }
            Wish::Sign(month, finding, note) => {
                let span = self.ended(month, now)?.span;
                let person = &request.grant.person;
                if !self.history.was_shown(month, person) {
                    return Err(Refused::new(
                        "not-looked",
                        format!(
                            "who signs a review has looked at it: `meterkeep log review show {month}` first"
                        ),
                    ));
                }
                let _turn = self.turn().await?;
                let looked = self.look(month, span, person).await?;
                let (drawn, found, own) = (looked.sample.len() as u64, looked.found(), looked.own);
                let signature = Signature { month, span, finding, drawn, found, own, note };
                let detail = Review::Signed(signature).to_string();
                let passed = self.gate.pass(request, None, &[], detail, now).await?;
                let months = self.history.review(month, now).iter().map(told).collect();
                Ok(ReviewAnswer { months, drawn: None, receipt: passed.entry.number })
            }
        }
    }

    async fn turn(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Refused> {
        let stopping = |_| Refused::new("stopping", "the ledger stops; ask again in a moment");
        self.turn.acquire().await.map_err(stopping)
    }

    /// A month whose review can be done.
    fn ended(&self, month: Month, now: UtcMillis) -> Result<Reviewed, Refused> {
        self.history.review(month, now).ok_or_else(|| {
            let why = format!(
                "{month} is no month of the log that has ended, with an entry after it; `meterkeep log review` lists those"
            );
            Refused::new("no-review", why)
        })
    }

    /// Finds out what the review of a month is of, for somebody.
    async fn look(&self, month: Month, span: Span, person: &str) -> Result<Looked, Refused> {
        let (read, rules, person) = (self.read.clone(), self.rules.clone(), person.to_owned());
        let work = move || {
            let root = read.root_at(span.drawn_at())?;
            let sample = draw(&root, month, span, rules.sample);
            let mut own = 0u64;
            let mut checking = Checking::new(&rules, &person);
            read.each(span, |entry| {
                let drawn = sample.binary_search(&entry.position).is_ok();
                own = own.saturating_add(u64::from(drawn && entry.event.on_behalf == person));
                checking.first(entry);
            })?;
            if checking.again() {
                read.each(span, |entry| checking.second(entry))?;
            }
            let (found, overflow) = checking.end();
            own = found.iter().fold(own, |own, found| own.saturating_add(found.own));
            Ok(Looked { size: span.drawn_at(), root, sample, found, overflow, own })
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| unread(&"reading it failed"))?
    }

    /// A review as it is told, with its entries.
    async fn told(&self, looked: Looked) -> Result<Drawn, Refused> {
        let (read, rules) = (self.read.clone(), self.rules.clone());
        let work = move || {
            let mut bytes = 0usize;
            let mut tell = |numbers: &[u64]| {
                let entries = numbers.iter().map(|number| {
                    let Entry { position, at, bytes: event, .. } = read.entries.at(*number)?;
                    bytes = bytes.saturating_add(event.len());
                    let event = if bytes > MAX_BYTES { prost::bytes::Bytes::new() } else { event };
                    Ok(FoundEntry { number: position, at_ms: at.0, event })
                });
                entries.collect::<Result<Vec<_>, EntryError>>().map_err(|e| unread(&e))
            };
            let sample = tell(&looked.sample)?;
            let mut checks = Vec::new();
            for found in &looked.found {
                let (entries, check) = (tell(&found.named)?, found.check);
                let mut title = check.title(&rules);
                if looked.overflow && check.counts() {
                    title.push_str("; THERE WERE TOO MANY TO COUNT ALL");
                }
                checks.push(Checked { check: check.name().to_owned(), title, found: found.total, entries });
            }
            let Looked { size, root, own, .. } = looked;
            Ok(Drawn { size, root: root.0.to_vec(), sample, checks, own })
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| unread(&"reading it failed"))?
    }
}

impl Read {
    /// Looks at each entry of a month.
    fn each(&self, span: Span, mut look: impl FnMut(&Entry)) -> Result<(), Refused> {
        let mut at = span.first;
        while at < span.end {
            let some = self.entries.some(at, STEP).map_err(|e| unread(&e))?;
            if some.is_empty() {
                return Err(unread(&EntryError::Unreadable(at)));
            }
            some.iter().take_while(|entry| entry.position < span.end).for_each(&mut look);
            at = at.saturating_add(some.len() as u64);
        }
        Ok(())
    }

    /// The root of the log as it was at a size, out of what is published.
    fn root_at(&self, size: u64) -> Result<Hash, Refused> {
        let published = self.tiles.published(&self.key).map_err(|e| unread(&e))?;
        let reaches = published.filter(|published| published.checkpoint.size() >= size);
        let Some(published) = reaches else {
            return Err(Refused::new(
                "not-published",
                "the end of the month is published in a moment; ask again",
            ));
        };
        let (newest, root) = (published.checkpoint.size(), published.checkpoint.root());
        let mut tree = TrustedTree::open(self.tiles.clone(), newest, root).map_err(|e| unread(&e))?;
        proof::root_at(&mut tree, size).map_err(|e| unread(&e))
    }
}

fn unread(why: &dyn std::fmt::Display) -> Refused {
    Refused::new("log-unreadable", format!("the log cannot be read: {why}"))
}

/// Reads a request's body, with its bounds held.
fn read(body: &[u8]) -> Result<Wish, Refused> {
    let malformed = |what: &str| Refused::new("malformed", what);
    let errand = ReviewErrand::decode(body).map_err(|_| malformed("the errand's content cannot be read"))?;
    match errand.wish.ok_or_else(|| malformed("nothing is wished"))? {
        ReviewWish::List(_) => Ok(Wish::List),
        ReviewWish::Show(month) => Ok(Wish::Show(Month::from_number(month))),
        ReviewWish::Sign(SignReview { month, finding, note }) => {
            let finding = Finding::from_name(&finding)
                .ok_or_else(|| malformed("a review comes to `ok` or to `follow-up`"))?;
            if note.len() > MAX_REVIEW_NOTE || note.chars().any(char::is_control) {
                return Err(malformed(&format!("the note is one line of at most {MAX_REVIEW_NOTE} bytes")));
            }
            if finding == Finding::FollowUp && note.trim().is_empty() {
                return Err(malformed("what is followed up stands in the note"));
            }
            Ok(Wish::Sign(Month::from_number(month), finding, note))
        }
    }
}

/// How the review of a month stands, as it is told.
fn told(review: &Reviewed) -> ReviewedMonth {
    let Reviewed { month, span, state, signed } = review;
    let signatures = signed.iter().map(|signed| ReviewSignature {
        number: signed.number,
        at_ms: signed.at.0,
        person: signed.person.clone(),
        finding: signed.signature.finding.name().to_owned(),
        own: signed.signature.own,
        note: signed.signature.note.clone(),
    });
    ReviewedMonth {
        month: month.number(),
        first: span.first,
        end: span.end,
        state: state.name().to_owned(),
        overdue_ms: overdue_at(*month).0,
        signatures: signatures.collect(),
    }
}
