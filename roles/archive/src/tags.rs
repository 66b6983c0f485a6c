//! By which tags the log knows data subjects. Who searches the log is told the tags of those they name, and nothing else that
//! the register knows.

use std::collections::BTreeSet;

use base::{TenancyId, UtcMillis};
use grant::{Action, Request, Verified};
use link::Caller;
use prost::Message;
use recorder::Record;
use wire::archive::Asked;
use wire::log::{TagsAnswer, TagsQuery};
use wire::{Refused, bytes16};

use crate::rows::{plain, stored};
use crate::service::Inner;
use crate::vaults::Vault;

/// Meters, customers and tenancies in one question, at most.
const MAX_NAMED: usize = 100;
/// Tags in one answer, at most: as many as one search takes.
const MAX_TAGS: usize = 256;

impl<R: Record, V: Vault> Inner<R, V> {
    /// Answers a question for tags.
    pub(crate) async fn tags(
        &self,
        caller: Caller,
        asked: Asked,
        now: UtcMillis,
    ) -> Result<TagsAnswer, Refused> {
        let request = self.gate.admit(&caller, &asked.request, &[Action::ReadLog], now).await?;
        match self.answer_tags(&request, now).await {
            Ok(answer) => {
                self.counters.add("tags.told", answer.tags.len() as u64);
                Ok(answer)
            }
            Err(refused) => Err(self.gate.refuse(&request, refused, now).await),
        }
    }

    async fn answer_tags(&self, request: &Verified<Request>, now: UtcMillis) -> Result<TagsAnswer, Refused> {
        let query = TagsQuery::decode(request.body.as_slice())
            .map_err(|_| Refused::new("malformed", "the question's content cannot be read"))?;
        let TagsQuery { meters, customers, tenancies } = query;
        let named = meters.len().saturating_add(customers.len()).saturating_add(tenancies.len());
        if !(1..=MAX_NAMED).contains(&named) {
            let message =
                format!("a question for tags names 1 to {MAX_NAMED} meters, customers and tenancies");
            return Err(Refused::new("malformed", message));
        }
        let mut whose: BTreeSet<TenancyId> = BTreeSet::new();
        for tenancy in &tenancies {
            whose.insert(TenancyId(bytes16("tenancies", tenancy)?));
        }
        for text in &meters {
            let found = self.register.find(text).await.map_err(stored)?;
            if found.is_empty() {
                let shown = plain(text);
                return Err(Refused::new(
                    "unknown-meter",
                    format!(
                        "the register has no meter `{shown}`; write it as `KAM-12345678-1B-16`, or its eight digits"
                    ),
                ));
            }
            whose.extend(found.iter().flat_map(|meter| meter.tenancies.iter().map(|span| span.tenancy)));
        }
        for reference in &customers {
            let found = self.register.tenancies_of(reference).await.map_err(stored)?;
            if found.is_empty() {
                let shown = plain(reference);
                return Err(Refused::new(
                    "unknown-customer",
                    format!("the register has no customer `{shown}`; write the utility's own number of them"),
                ));
            }
            whose.extend(found);
        }
        let tags = self.subjects.tags(&self.vault, whose, None).await?.all();
        if tags.len() > MAX_TAGS {
            let message = format!("these are more than {MAX_TAGS} tenancies; ask about fewer at once");
            return Err(Refused::new("too-much", message));
        }
        let (of_meters, of_customers) = (meters.len(), customers.len());
        let detail = format!(
            "tags of {of_meters} meters, {of_customers} customers and {} tenancies told",
            tenancies.len()
        );
        let passed = self.gate.pass(request, None, &tags, detail, now).await?;
        let tags = tags.iter().map(|tag| tag.to_vec()).collect();
        Ok(TagsAnswer { tags, receipt: passed.entry.number })
    }
}
