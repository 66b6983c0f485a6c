//! The house's side of a stream: signs in with a token, sees whether the log has grown, and looks.

use std::path::PathBuf;

use ::house::Layout;
use grant::Purpose;
use wire::Room;
use wire::log::{LogAnswer, LogQuery};

use super::super::ask::{Asking, PAGE};
use crate::login;
use crate::operator::Operator;
use crate::problem::Problem;
use crate::secret::first_line;

/// A look is two entries: that it was made, and how much it found.
const OWN: u64 = 2;

/// By this word the ledger refuses entries that it removed.
const REMOVED: &str = "removed";

/// Asks one house.
pub(super) struct House {
    layout: Layout,
    purpose: Purpose,
    token: Option<PathBuf>,
    /// Once it signed in.
    asking: Option<(Operator, Asking)>,
}

impl House {
    pub(super) const fn new(layout: Layout, purpose: Purpose, token: Option<PathBuf>) -> Self {
        Self { layout, purpose, token, asking: None }
    }

    async fn sign_in(&mut self) -> Result<&mut (Operator, Asking), Problem> {
        let operator = match &self.token {
            Some(file) => {
                let session = login::with_token(&self.layout, &first_line(file, "token")?).await?;
                Operator::in_session(&self.layout, session)?
            }
            None => Operator::new(&self.layout)?,
        };
        Ok(self.asking.insert((operator, Asking::new(self.purpose))))
    }

    /// How many entries the log has. That is told to everybody who may ask how the house is, and is no look.
    pub(super) async fn size(&mut self) -> Result<u64, Problem> {
        if self.asking.is_none() {
            self.sign_in().await?;
        }
        let not_ready = || Problem::new("the ledger is not ready yet").passing();
        let (operator, _) = self.asking.as_ref().ok_or_else(not_ready)?;
        let health = operator.health(Room::Ledger).await;
        let health = health.map_err(|e| Problem::call(self.layout.root(), &e))?;
        let events = health.counters.iter().find(|counter| counter.name == "events");
        events.map(|counter| counter.value).ok_or_else(not_ready)
    }

    /// The entries from `next` on, as many as are told at once.
    pub(super) async fn page(&mut self, next: u64) -> Result<LogAnswer, Problem> {
        let after = next.checked_sub(1);
        self.ask(&LogQuery { oldest_first: true, limit: PAGE, after, ..LogQuery::default() }).await
    }

    /// Whether the ledger says of an entry that it was removed when its time was over.
    pub(super) async fn has_removed(&mut self, number: u64) -> Result<bool, Problem> {
        match self.ask(&LogQuery { number: Some(number), ..LogQuery::default() }).await {
            Err(refused) if refused.code() == Some(REMOVED) => Ok(true),
            told => told.map(|_| false),
        }
    }

    async fn ask(&mut self, query: &LogQuery) -> Result<LogAnswer, Problem> {
        if let Some((operator, asking)) = &mut self.asking {
            match asking.page(operator, query).await {
                Err(refused) if refused.code() == Some(REMOVED) => return Err(refused),
                // a session ends and a warden is started again; what the token opens now is what counts
                Err(refused) if refused.code().is_some() && !refused.is_passing() => {}
                other => return other,
            }
        }
        let (operator, asking) = self.sign_in().await?;
        asking.page(operator, query).await
    }
}

/// Whether there is anything to look for. A stream that handed on the entries of its own looks as soon as they are there would
/// never come to an end, so it waits for an entry of somebody else's, and hands them on with that.
#[derive(Default)]
pub(super) struct Grown {
    /// The entries that its looks made behind what was told.
    own: u64,
}

impl Grown {
    /// Whether the log has something else than our own behind `next`.
    pub(super) const fn has_news(&self, next: u64, size: u64) -> bool {
        size > next.saturating_add(self.own)
    }

    /// A page was told. `more` where there is more behind it.
    pub(super) const fn told(&mut self, more: bool) {
        // before a page's own look stands what was there when it looked, and that was told
        self.own = if more { 0 } else { OWN };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_looks_are_no_news_and_anything_else_is() {
        let (mut grown, mut next, mut size) = (Grown::default(), 0, 5);
        assert!(grown.has_news(next, size), "at its start it looks");
        for _ in 0..3 {
            // it looks, is told all that was there, and its look is two entries more
            next = size;
            size += 2;
            grown.told(false);
            assert!(!grown.has_news(next, size), "no echo");
            size += 1;
            assert!(grown.has_news(next, size));
        }
        grown.told(true);
        assert!(grown.has_news(next + 1, size), "what is behind a full page is looked at at once");
        assert!(!Grown::default().has_news(7, 7));
    }
}
