//! Names and contacts. They are read under a grant of their own, never beside readings, and each question names whose; they are
//! set as a change to the register. Both are in the log before the vault gives a key, and the register holds them sealed.

use std::collections::{BTreeMap, BTreeSet};

use base::{Contact, ContactError, Secret, SecretBytes, TenancyId, UtcMillis};
use grant::{Action, Request, Tenancies, Verified};
use prost::Message;
use recorder::Record;
use recorder::gate::Passed;
use store::register::{Change, SealedContact};
use wire::archive::{Asked, RegisterAnswer, RegisterChange};
use wire::contact::{self, ContactOf, Contacts, ContactsAnswer, ContactsQuery};
use wire::log;
use wire::vault::ContactKeys;
use wire::{Refused, bytes16};
use zeroize::{Zeroize, Zeroizing};

use crate::registering::{Desk, MAX_ITEMS, item_refused, stored};
use crate::service::Inner;
use crate::subjects::Tags;
use crate::vaults::Vault;

/// Tenancies in one question, at most.
const MAX_ASKED: usize = 1000;
/// Tenancies in one call to the vault.
const KEYS: usize = 4096;
/// Random bytes beside a request.
const SALT: usize = 32;

/// Contacts that were told beside a signed request, each checked.
pub(crate) struct Told(Vec<Result<Contact, ContactError>>);

impl Told {
    /// Takes what is beside a change, if it is what was signed.
    pub(crate) fn read(change: &RegisterChange, beside: Vec<u8>) -> Result<Self, Refused> {
        let beside = Zeroizing::new(beside);
        if beside.is_empty() && change.contacts_digest.is_empty() {
            return Ok(Self(Vec::new()));
        }
        if seal::contact::digest_beside(&beside).as_slice() != change.contacts_digest {
            return Err(Refused::new(
                "contacts-mismatch",
                "the names beside the request are not those that were signed; tell them again",
            ));
        }
        let malformed =
            |what: &str| Refused::new("malformed", format!("the names beside the request {what}"));
        let contacts = Contacts::decode(beside.as_slice()).map_err(|_| malformed("cannot be read"))?;
        if contacts.salt.len() != SALT || contacts.items.len() > MAX_ITEMS {
            return Err(malformed("are more than a change takes, or without their random bytes"));
        }
        let checked = contacts.items.into_iter().map(|mut item| {
            let checked = item.checked();
            wipe(&mut item);
            checked
        });
        Ok(Self(checked.collect()))
    }

    /// The contact of a number from 1.
    pub(crate) fn get(&self, number: u32) -> Result<Result<&Contact, ContactError>, Refused> {
        let index = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
        let found = index.and_then(|index| self.0.get(index));
        let found =
            found.ok_or_else(|| Refused::new("malformed", "a contact is named that is not beside it"))?;
        Ok(found.as_ref().map_err(|error| *error))
    }
}

fn wipe(item: &mut contact::Contact) {
    [&mut item.name, &mut item.address, &mut item.mail, &mut item.phone]
        .into_iter()
        .for_each(Zeroize::zeroize);
}

fn encoded(contact: &Contact) -> SecretBytes {
    let mut item = contact::Contact::of(contact);
    let bytes = SecretBytes::new(item.encode_to_vec());
    wipe(&mut item);
    bytes
}

/// Keys that the vault gave, and why it gave others not.
type Given = BTreeMap<TenancyId, Result<Secret<32>, String>>;

/// Asks the vault for the keys of these tenancies' contacts. It wants to see that the question is in the log.
async fn keys<V: Vault>(
    vault: &V,
    request: &[u8],
    (passed, tags): (&Passed, &Tags),
    tenancies: &[TenancyId],
) -> Result<Given, Refused> {
    let garbled = || Refused::new("vault-garbled", "the vault's answer does not fit the question");
    let mut all = Given::new();
    for (entry, of_entry) in passed.by_entry(tenancies.iter().copied(), |tenancy| tags.of(*tenancy)) {
        for chunk in of_entry.chunks(KEYS) {
            let question = ContactKeys {
                request: request.to_vec(),
                event: entry.event.clone(),
                receipt: entry.receipt.clone(),
                tenancies: chunk.iter().map(|tenancy| tenancy.0.to_vec()).collect(),
            };
            let mut answer = vault.contact_keys(question).await?;
            let bytes = Zeroizing::new(std::mem::take(&mut answer.keys));
            if answer.refused.len() != chunk.len() {
                return Err(garbled());
            }
            let mut given = bytes.chunks_exact(32);
            for (tenancy, why) in chunk.iter().zip(answer.refused) {
                let key = if why.is_empty() {
                    Ok(given.next().and_then(Secret::from_slice).ok_or_else(garbled)?)
                } else {
                    Err(why)
                };
                all.insert(*tenancy, key);
            }
            if given.next().is_some() || !given.remainder().is_empty() {
                return Err(garbled());
            }
        }
    }
    Ok(all)
}

/// What became of contacts that were told.
#[derive(Default)]
pub(crate) struct Sealed {
    /// Sealed anew.
    pub(crate) set: BTreeSet<TenancyId>,
    /// Of tenancies that were erased: nothing is told of them any more.
    pub(crate) erased: BTreeSet<TenancyId>,
}

impl<R: Record, V: Vault> Desk<'_, R, V> {
    /// Seals contacts and puts them into the change. One that is as before stays as it lies.
    pub(crate) async fn seal(
        &self,
        encoded_request: &[u8],
        passed: (&Passed, &Tags),
        change: &mut Change<'_>,
        wanted: &BTreeMap<TenancyId, &Contact>,
        now: UtcMillis,
    ) -> Result<Sealed, Refused> {
        let tenancies: Vec<TenancyId> = wanted.keys().copied().collect();
        let mut sealed = Sealed::default();
        if tenancies.is_empty() {
            return Ok(sealed);
        }
        let given = keys(self.vault, encoded_request, passed, &tenancies).await?;
        let known = change.contacts(&tenancies).await.map_err(stored)?;
        let known: BTreeMap<TenancyId, SealedContact> = known.into_iter().map(|c| (c.tenancy, c)).collect();
        for (tenancy, contact) in wanted {
            let key = match given.get(tenancy) {
                Some(Ok(key)) => key,
                Some(Err(why)) if why == "erased" => {
                    sealed.erased.insert(*tenancy);
                    continue;
                }
                other => {
                    let why = other.and_then(|o| o.as_ref().err()).map_or("no-key", String::as_str);
                    return Err(Refused::new(
                        "vault-refused",
                        format!("the vault gives no key for the contact of `{tenancy}`: {why}"),
                    ));
                }
            };
            let plain = encoded(contact);
            let before = known.get(tenancy);
            let same = before.is_some_and(|old| {
                let opened = seal::contact::open(key, *tenancy, old.version, &old.sealed);
                opened.is_ok_and(|opened| opened.expose() == plain.expose())
            });
            if same {
                continue;
            }
            let version = before.map_or(1, |old| old.version.saturating_add(1));
            let bytes = seal::contact::seal(key, *tenancy, version, &plain)
                .map_err(|e| Refused::new("internal", format!("a contact cannot be sealed: {e}")))?;
            let (tenancy, told) = (*tenancy, now);
            change
                .set_contact(&SealedContact { tenancy, version, sealed: bytes, told })
                .await
                .map_err(stored)?;
            sealed.set.insert(tenancy);
        }
        Ok(sealed)
    }

    /// Sets the contacts that a change names. Items that cannot be set are named in the answer; the others go through.
    pub(crate) async fn set_contacts(
        &self,
        encoded_request: &[u8],
        asked: &RegisterChange,
        told: &Told,
        request: &Verified<Request>,
        now: UtcMillis,
    ) -> Result<RegisterAnswer, Refused> {
        let mut change = self.begin(0).await?;
        let (mut answer, mut wanted) = (RegisterAnswer::default(), BTreeMap::new());
        for item in &asked.contacts {
            let tenancy = TenancyId(bytes16("tenancy", &item.tenancy)?);
            let contact = match told.get(item.contact)? {
                Ok(contact) => contact,
                Err(error) => {
                    answer.refused.push(format!("the contact of `{tenancy}`: {error}"));
                    continue;
                }
            };
            if let Err(error) = change.somebodys(tenancy).await {
                answer.refused.push(item_refused(error)?);
            } else if wanted.insert(tenancy, contact).is_some() {
                return Err(Refused::new("malformed", "a tenancy is named twice; tell one contact for each"));
            }
        }
        let detail = format!("contacts of {} tenancies told, {} refused", wanted.len(), answer.refused.len());
        let whose: Vec<TenancyId> = wanted.keys().copied().collect();
        let (passed, tags) = self.pass_for(request, whose, None, detail, now).await?;
        let sealed = self.seal(encoded_request, (&passed, &tags), &mut change, &wanted, now).await?;
        for tenancy in &sealed.erased {
            answer.refused.push(format!("`{tenancy}` was erased; nothing is told of it any more"));
        }
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        answer.contacts = count(sealed.set.len());
        let same = wanted.len().saturating_sub(sealed.set.len()).saturating_sub(sealed.erased.len());
        answer.unchanged = count(same);
        change.commit().await.map_err(stored)?;
        Ok(answer)
    }
}

/// The tenancies that a question names.
fn asked_for(body: &[u8], scope: &Tenancies) -> Result<Vec<TenancyId>, Refused> {
    let malformed = |what: String| Refused::new("malformed", what);
    let query = ContactsQuery::decode(body)
        .map_err(|_| malformed("the question's content cannot be read".to_owned()))?;
    let ids = query.tenancies.iter().map(|id| Ok(TenancyId(bytes16("tenancy", id)?)));
    let tenancies: BTreeSet<TenancyId> = ids.collect::<Result<_, Refused>>()?;
    if tenancies.is_empty() || tenancies.len() > MAX_ASKED {
        return Err(malformed(format!(
            "a question for contacts names 1 to {MAX_ASKED} tenancies, not {}",
            tenancies.len()
        )));
    }
    if let Tenancies::Only(list) = scope
        && let Some(tenancy) = tenancies.iter().find(|tenancy| !list.contains(tenancy))
    {
        let message = format!("the grant does not reach tenancy `{tenancy}`; ask for a grant that names it");
        return Err(Refused::new("not-in-scope", message));
    }
    Ok(tenancies.into_iter().collect())
}

impl<R: Record, V: Vault> Inner<R, V> {
    /// Answers a question for contacts.
    pub(crate) async fn contacts(
        &self,
        caller: link::Caller,
        asked: Asked,
        now: UtcMillis,
    ) -> Result<ContactsAnswer, Refused> {
        let request = self.gate.admit(&caller, &asked.request, &[Action::ReadContacts], now).await?;
        match self.answer_contacts(&request, &asked.request, now).await {
            Ok(answer) => {
                self.counters.add("contacts.shown", answer.contacts.len() as u64);
                Ok(answer)
            }
            Err(refused) => Err(self.gate.refuse(&request, refused, now).await),
        }
    }

    async fn answer_contacts(
        &self,
        request: &Verified<Request>,
        encoded_request: &[u8],
        now: UtcMillis,
    ) -> Result<ContactsAnswer, Refused> {
        let tenancies = asked_for(&request.body, &request.grant.scope.tenancies)?;
        let lie = self.register.contacts(&tenancies).await.map_err(stored)?;
        let tags = self.subjects.tags(&self.vault, tenancies.iter().copied(), None).await?;
        let detail = format!("{} contacts of {} tenancies", lie.len(), tenancies.len());
        let given = |of: &TenancyId| u32::from(lie.iter().any(|contact| contact.tenancy == *of));
        let told = |of: &TenancyId| log::Told {
            by: "tenancy".to_owned(),
            number: given(of),
            ..log::Told::default()
        };
        let (named, all) = (tags.all(), || tenancies.iter().map(|of| (*of, told(of))).collect());
        let bodies = self.subjects.sealing.seal(&self.vault, (&tags, &named), &request.hash, all).await?;
        let passed = self.gate.pass_telling(request, None, (&named, bodies), detail, now).await?;
        let with: Vec<TenancyId> = lie.iter().map(|contact| contact.tenancy).collect();
        let given = keys(&self.vault, encoded_request, (&passed, &tags), &with).await?;
        let mut answer = ContactsAnswer { receipt: passed.entry.number, ..ContactsAnswer::default() };
        for tenancy in tenancies.iter().filter(|tenancy| !with.contains(tenancy)) {
            answer.notes.push(format!("the register has no contact of `{tenancy}`"));
        }
        for SealedContact { tenancy, version, sealed, told } in lie {
            let key = match given.get(&tenancy) {
                Some(Ok(key)) => key,
                other => {
                    let why = other.and_then(|o| o.as_ref().err()).map_or("no-key", String::as_str);
                    self.counters.add("contacts.withheld", 1);
                    answer.notes.push(format!("the contact of `{tenancy}` is withheld by the vault: {why}"));
                    continue;
                }
            };
            let opened = seal::contact::open(key, tenancy, version, &sealed).ok();
            let contact = opened.and_then(|opened| contact::Contact::decode(opened.expose()).ok());
            if contact.is_none() {
                self.counters.add("contacts.unreadable", 1);
                self.counters.note("a contact in the register does not open: it was changed or moved");
                let note =
                    format!("the contact of `{tenancy}` does not open: it was changed or moved in the store");
                answer.notes.push(note);
                continue;
            }
            let tenancy = tenancy.0.to_vec();
            answer.contacts.push(ContactOf { tenancy, contact, version, told_ms: told.0 });
        }
        Ok(answer)
    }

    /// Deletes the contacts of tenancies that were erased: their keys are gone, and what is left of them goes, too.
    pub(crate) async fn forget_contacts(&self, now: UtcMillis) {
        let (count, tenancies) = self.erasures.erased_tenancies();
        if self.erasures.is_swept(count) {
            return;
        }
        self.subjects.forget();
        match self.delete_contacts(&tenancies).await {
            Ok(0) => self.erasures.swept(count),
            Ok(n) => {
                self.erasures.swept(count);
                self.counters.add("contacts.erased", n);
                let event = grant::Event::new(now, "archive", "erase-contacts", grant::Outcome::Done);
                let detail = format!("the sealed contacts of {n} erased tenancies were deleted");
                self.gate.note_done(grant::Event { detail, ..event }).await;
            }
            Err(why) => tracing::warn!(%why, "contacts of erased tenancies; tried again soon"),
        }
    }

    async fn delete_contacts(&self, tenancies: &[TenancyId]) -> Result<u64, Refused> {
        if tenancies.is_empty() {
            return Ok(0);
        }
        let mut change = self.register.begin(0).await.map_err(stored)?;
        let deleted = change.erase_contacts(tenancies).await.map_err(stored)?;
        change.commit().await.map_err(stored)?;
        Ok(deleted)
    }
}
