//! Keys of contacts: to read them, and to set them. Whose it is the person has signed, so that an archive that was captured gets
//! keys of those alone whom somebody asks about just now.

use std::collections::BTreeSet;

use base::{TenancyId, UtcMillis};
use grant::{Action, Recorded, Verified};
use prost::Message;
use wire::archive::RegisterChange;
use wire::bytes16;
use wire::contact::ContactsQuery;
use wire::vault::{ContactKeys, DataKeys};

use crate::ceilings::{By, Taken};
use crate::proven::{ASK_FOR_LESS, TERM};
use crate::subjects::{NOT_IN_EVENT, Named};
use crate::vault::{Failure, Vault, malformed};

/// Tenancies in one call, at most.
const MAX_CONTACTS: usize = 4096;

/// The tenancies that a signed request names.
fn named(recorded: &Verified<Recorded>) -> Result<BTreeSet<TenancyId>, Failure> {
    let body = recorded.request.body.as_slice();
    let unreadable = || malformed("what was signed cannot be read");
    let ids: Vec<Vec<u8>> = if recorded.request.action == Action::ReadContacts {
        ContactsQuery::decode(body).map_err(|_| unreadable())?.tenancies
    } else {
        let change = RegisterChange::decode(body).map_err(|_| unreadable())?;
        let rows = change.rows.into_iter().flat_map(|rows| rows.rows);
        let of_rows = rows.filter(|row| row.contact != 0).map(|row| row.tenancy);
        change.contacts.into_iter().map(|set| set.tenancy).chain(of_rows).collect()
    };
    ids.iter().map(|id| Ok(TenancyId(bytes16("tenancy", id)?))).collect()
}

impl Vault {
    /// Keys of contacts. Grant and receipt are checked, then whether the signed request names each tenancy and, where contacts are
    /// read, whether the grant reaches it; then the ceilings, as for readings. The release is counted durably before a key goes
    /// out.
    ///
    /// # Errors
    /// The first check that fails, by its word; `ceiling`; [`Failure::Broken`] when the disk fails.
    pub fn contact_keys(&self, question: &ContactKeys, now: UtcMillis) -> Result<DataKeys, Failure> {
        if question.tenancies.len() > MAX_CONTACTS {
            return Err(malformed(format!("at most {MAX_CONTACTS} contacts are asked for at once")));
        }
        let asked: Vec<TenancyId> = question
            .tenancies
            .iter()
            .map(|id| Ok(TenancyId(bytes16("tenancy", id)?)))
            .collect::<Result<_, Failure>>()?;
        let due = [Action::ReadContacts, Action::ChangeRegister];
        let recorded = self.recorded(&question.request, &due, &question.event, &question.receipt, now)?;
        let named = named(&recorded)?;
        let is_read = recorded.request.action == Action::ReadContacts;
        let mut keys =
            DataKeys { keys: Vec::with_capacity(asked.len() * 32), refused: Vec::new(), term: TERM };
        let mut counts: Vec<(TenancyId, u64)> = Vec::new();
        {
            let (content, mut told) = (self.table.read(), Named::by(&recorded.event));
            for tenancy in asked {
                let permitted = if is_read { recorded.permits_contact(tenancy) } else { Ok(()) };
                let refused = match (named.contains(&tenancy), permitted, told.misses(&content, tenancy)) {
                    (false, ..) => "not-named",
                    (true, Err(error), _) => error.code(),
                    (true, Ok(()), missing @ NOT_IN_EVENT) => missing,
                    (true, Ok(()), _) => match content.contact_key(tenancy) {
                        Ok(key) => {
                            keys.keys.extend_from_slice(key.expose());
                            counts.push((tenancy, 1));
                            ""
                        }
                        Err(error) => error.code(),
                    },
                };
                if refused.is_empty() {
                    self.counters.add("contact-keys", 1);
                } else {
                    self.counters.add(format!("contact-keys.refused.{refused}"), 1);
                }
                keys.refused.push(refused.to_owned());
            }
        }
        let grant = &recorded.request.grant;
        let by = By::Reading { person: grant.person.clone(), grant: grant.id };
        let taken = Taken { at: now, by, keys: counts.len() as u64, meters: Vec::new() };
        self.let_out(keys, recorded.receipt.index, counts, taken, ASK_FOR_LESS)
    }
}
