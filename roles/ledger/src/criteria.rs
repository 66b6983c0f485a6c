//! What is looked for in the log.

use std::fmt::Write as _;

use base::UtcMillis;
use grant::{Event, Outcome, is_name, is_word};
use prost::Message;
use wire::log::LogQuery;
use wire::{Refused, bytes16, bytes32};

use crate::entries::Entry;

/// Actions that one search names, at most.
const MAX_ACTIONS: usize = 16;
/// Tags that one search names, at most.
pub(crate) const MAX_TAGS: usize = 256;
/// Entries in one answer, at most.
pub(crate) const MAX_PAGE: u32 = 500;

/// A search that makes sense. What is `None` or empty says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Criteria {
    pub(crate) person: Option<String>,
    pub(crate) actor: Option<String>,
    pub(crate) actions: Vec<String>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) reason: Option<String>,
    pub(crate) purpose: Option<String>,
    pub(crate) grant_id: Option<[u8; 16]>,
    pub(crate) request: Option<[u8; 32]>,
    pub(crate) case: Option<u32>,
    pub(crate) session: Option<[u8; 16]>,
    pub(crate) subjects: Vec<[u8; 16]>,
    /// From when, inclusive.
    pub(crate) from: Option<UtcMillis>,
    /// Until when, exclusive.
    pub(crate) until: Option<UtcMillis>,
    /// The position that is shown alone.
    pub(crate) only: Option<u64>,
    pub(crate) oldest_first: bool,
    /// Behind which position it goes on.
    pub(crate) after: Option<u64>,
    pub(crate) limit: u32,
}

fn malformed(what: impl Into<String>) -> Refused {
    Refused::new("malformed", what)
}

fn given(text: String, field: &str, fits: fn(&str) -> bool) -> Result<Option<String>, Refused> {
    match text.as_str() {
        "" => Ok(None),
        fitting if fits(fitting) => Ok(Some(text)),
        _ => Err(malformed(format!("no entry of the log can have such a `{field}`"))),
    }
}

fn moment(ms: i64) -> Result<Option<UtcMillis>, Refused> {
    match ms {
        0 => Ok(None),
        1.. => Ok(Some(UtcMillis(ms))),
        _ => Err(malformed("a time before 1970 is no time of the log")),
    }
}

fn optional<const N: usize>(
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Result<[u8; N], wire::Malformed>,
) -> Result<Option<[u8; N]>, Refused> {
    if bytes.is_empty() { Ok(None) } else { Ok(Some(read(bytes)?)) }
}

impl Criteria {
    /// Reads a request's body, with its bounds held.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refused> {
        let query = LogQuery::decode(body).map_err(|_| malformed("the search's content cannot be read"))?;
        if query.actions.len() > MAX_ACTIONS || query.subjects.len() > MAX_TAGS {
            return Err(malformed(format!(
                "a search names at most {MAX_ACTIONS} actions and {MAX_TAGS} tags; ask in several"
            )));
        }
        let (mut actions, mut subjects) = (query.actions, Vec::new());
        if !actions.iter().all(|action| is_word(action)) {
            return Err(malformed("no entry of the log can have such an `action`"));
        }
        for tag in &query.subjects {
            subjects.push(bytes16("subjects", tag)?);
        }
        actions.sort_unstable();
        actions.dedup();
        subjects.sort_unstable();
        subjects.dedup();
        let outcome = match query.outcome.as_str() {
            "" => None,
            word => Some(
                Outcome::ALL
                    .into_iter()
                    .find(|outcome| outcome.name() == word)
                    .ok_or_else(|| malformed("an outcome is `allowed`, `refused` or `done`"))?,
            ),
        };
        let (from, until) = (moment(query.from_ms)?, moment(query.until_ms)?);
        if from.zip(until).is_some_and(|(from, until)| from >= until) {
            return Err(malformed("the time asked for is empty"));
        }
        Ok(Self {
            person: given(query.person, "person", is_name)?,
            actor: given(query.actor, "actor", is_word)?,
            actions,
            outcome,
            reason: given(query.reason, "reason", is_word)?,
            purpose: given(query.purpose, "purpose", is_word)?,
            grant_id: optional(&query.grant_id, |bytes| bytes16("grant_id", bytes))?,
            request: optional(&query.request_hash, |bytes| bytes32("request_hash", bytes))?,
            case: (query.case > 0).then_some(query.case),
            session: optional(&query.session, |bytes| bytes16("session", bytes))?,
            subjects,
            from,
            until,
            only: query.number,
            oldest_first: query.oldest_first,
            after: query.after,
            limit: if query.limit == 0 { MAX_PAGE } else { query.limit.min(MAX_PAGE) },
        })
    }

    /// Whether an entry meets those that the index knows in full. One that it names and that does not is a fault of the index.
    pub(crate) fn meet_plainly(&self, entry: &Entry) -> bool {
        let Event { actor, on_behalf, action, purpose, reason, outcome, .. } = &entry.event;
        let says = |asked: &Option<String>, found: &String| asked.as_ref().is_none_or(|asked| asked == found);
        says(&self.person, on_behalf)
            && says(&self.actor, actor)
            && says(&self.purpose, purpose)
            && says(&self.reason, reason)
            && (self.actions.is_empty() || self.actions.contains(action))
            && self.case.is_none_or(|case| entry.event.case == case)
            && self.outcome.is_none_or(|asked| asked == *outcome)
            && self.from.is_none_or(|from| entry.at >= from)
            && self.until.is_none_or(|until| entry.at < until)
    }

    /// Whether an entry meets those that the index knows the first bytes of.
    pub(crate) fn meet_exactly(&self, entry: &Entry) -> bool {
        let Event { grant_id, request_hash, session, subjects, .. } = &entry.event;
        self.grant_id.is_none_or(|id| *grant_id == Some(id))
            && self.request.is_none_or(|hash| *request_hash == Some(hash))
            && self.session.is_none_or(|asked| *session == Some(asked))
            && (self.subjects.is_empty()
                || subjects.iter().any(|tag| self.subjects.binary_search(tag).is_ok()))
    }

    /// In words, for the log. Tags are counted here; the entry names them as its subjects.
    pub(crate) fn told(&self) -> String {
        let mut said = Vec::new();
        let mut say = |what: &str, text: &str| said.push(format!("{what} {text}"));
        let texts = [
            ("person", &self.person),
            ("actor", &self.actor),
            ("purpose", &self.purpose),
            ("reason", &self.reason),
        ];
        texts.iter().for_each(|(what, text)| text.iter().for_each(|text| say(what, text)));
        if !self.actions.is_empty() {
            say("action", &self.actions.join("+"));
        }
        self.outcome.iter().for_each(|outcome| say("outcome", outcome.name()));
        self.grant_id.iter().for_each(|id| say("grant", &hex::encode(id)));
        self.request.iter().for_each(|hash| say("request", &hex::encode(hash)));
        self.case.iter().for_each(|case| say("case", &case.to_string()));
        self.session.iter().for_each(|session| say("session", &hex::encode(session)));
        if !self.subjects.is_empty() {
            say("subjects", &self.subjects.len().to_string());
        }
        self.from.iter().for_each(|from| say("from", &from.to_string()));
        self.until.iter().for_each(|until| say("until", &until.to_string()));
        self.only.iter().for_each(|position| say("entry", &position.to_string()));
        let mut text = if said.is_empty() { "everything".to_owned() } else { said.join(", ") };
        let order = if self.oldest_first { "oldest" } else { "newest" };
        let _ = write!(text, "; the {} {order}", self.limit);
        if let Some(after) = self.after {
            let _ = write!(text, " behind {after}");
        }
        text.chars().take(grant::MAX_DETAIL).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(change: impl Fn(&mut LogQuery)) -> Option<&'static str> {
        let mut query = LogQuery { person: "anna".to_owned(), ..LogQuery::default() };
        change(&mut query);
        Criteria::parse(&query.encode_to_vec()).err().map(|refused| refused.code)
    }

    #[test]
    fn a_search_is_bounded_and_what_no_entry_can_have_is_refused() {
        assert_eq!(code(|_| ()), None);
        let refused: [fn(&mut LogQuery); 10] = [
            |q| q.person = "an na".to_owned(),
            |q| q.actor = "Archive".to_owned(),
            |q| q.actions = vec![String::new()],
            |q| q.actions = vec!["grant".to_owned(); 17],
            |q| q.outcome = "well".to_owned(),
            |q| q.grant_id = vec![1; 15],
            |q| q.request_hash = vec![1; 33],
            |q| q.session = vec![1; 17],
            |q| q.subjects = vec![vec![1; 16]; 257],
            |q| (q.from_ms, q.until_ms) = (5, 5),
        ];
        for (n, change) in refused.into_iter().enumerate() {
            assert_eq!(code(change), Some("malformed"), "{n}");
        }
        let many = LogQuery { limit: 9999, ..LogQuery::default() };
        assert_eq!(Criteria::parse(&many.encode_to_vec()).unwrap().limit, MAX_PAGE);
    }

    #[test]
    fn what_is_looked_for_is_told_in_words_that_the_log_can_hold() {
        let query = LogQuery {
            person: "anna".to_owned(),
            actions: vec!["read-readings".to_owned(), "grant".to_owned()],
            outcome: "refused".to_owned(),
            subjects: vec![vec![7; 16]],
            from_ms: 1_795_000_000_000,
            limit: 20,
            ..LogQuery::default()
        };
        let told = Criteria::parse(&query.encode_to_vec()).unwrap().told();
        assert_eq!(
            told,
            "person anna, action grant+read-readings, outcome refused, subjects 1, from 2026-11-18T11:06:40.000Z; the 20 newest"
        );
        let longest = LogQuery {
            person: "x".repeat(64),
            actor: "y".repeat(64),
            actions: (0..16).map(|n| format!("{n:064}")).collect(),
            reason: "z".repeat(64),
            ..LogQuery::default()
        };
        let told = Criteria::parse(&longest.encode_to_vec()).unwrap().told();
        let event = Event::new(UtcMillis(1), "ledger", "read-log", Outcome::Allowed);
        assert!(Event::decode(&Event { detail: told, ..event }.encode()).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Criteria::parse(&bytes);
        }
    }
}
