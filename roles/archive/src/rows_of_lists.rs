//! Rows of a utility's own list, taken into the register: checked, recorded, told to the vault, and only then done.

use std::collections::BTreeMap;

use base::{Contact, ContactError, UtcMillis};
use recorder::Record;
use store::StoreError;
use store::register::{BadRow, Did, Entry, Imported, Rows};
use wire::Refused;
use wire::archive::{
    self, ROWS_SKIP_BAD, ROWS_TRY, ROWS_WHOLE, RegisterAnswer, RegisterRows, RowsAnswer, did,
};

use crate::contacts::Told;
use crate::registering::{AHEAD_MS, Desk, MAX_ITEMS, address, area, resolution, short, stored};
use crate::vaults::Vault;

impl<R: Record, V: Vault> Desk<'_, R, V> {
    /// Takes rows, as their mode says. Which rows are bad is in the answer.
    pub(crate) async fn rows(
        &self,
        encoded: &[u8],
        asked: &RegisterRows,
        told: &Told,
        request: &grant::Verified<grant::Request>,
        now: UtcMillis,
    ) -> Result<RegisterAnswer, Refused> {
        let malformed = |what: String| Refused::new("malformed", what);
        if asked.rows.is_empty() || asked.rows.len() > MAX_ITEMS {
            return Err(malformed(format!(
                "1 to {MAX_ITEMS} rows are taken at once, not {}",
                asked.rows.len()
            )));
        }
        let mode = match asked.mode {
            ROWS_TRY => Rows::Try,
            ROWS_WHOLE => Rows::Whole,
            ROWS_SKIP_BAD => Rows::SkipBad,
            other => return Err(malformed(format!("`{other}` is no way to take rows"))),
        };
        let (mut entries, mut from, mut bad) =
            (Vec::with_capacity(asked.rows.len()), Vec::<From<'_>>::new(), Vec::new());
        for (index, row) in (0u32..).zip(&asked.rows) {
            // a trial tells no names, only that there are some
            let contact = match row.contact {
                0 => Ok(None),
                _ if mode == Rows::Try => Ok(None),
                number => told.get(number)?.map(Some),
            };
            let of_contact = |e: ContactError| BadRow { column: e.part(), why: e.to_string() };
            match contact.map_err(of_contact).and_then(|contact| Ok((entry(row)?, contact))) {
                Ok((entry, contact)) => {
                    entries.push(entry);
                    from.push(From { index, row, contact });
                }
                Err(why) => bad.push((index, why)),
            }
        }
        // a row that cannot be read holds the others back like one that is judged
        let mode = if mode == Rows::Whole && !bad.is_empty() { Rows::Try } else { mode };
        let new = if mode == Rows::Try { 0 } else { entries.len() };
        let mut change = self.begin(new).await?;
        let imported = change.import(&entries, mode, now).await.map_err(stored)?;
        let Imported { rows, spans, moves, tenancies } = imported;
        for moved in moves.iter().filter(|moved| now.plus(AHEAD_MS) >= moved.at) {
            change.note_late(moved, &request.grant.person, now).await.map_err(stored)?;
        }
        let done = match mode {
            Rows::Try => false,
            Rows::Whole => rows.iter().all(Result::is_ok),
            Rows::SkipBad => true,
        };
        let mut wanted = BTreeMap::new();
        for (of, tenancy) in from.iter().zip(&tenancies).filter(|_| done) {
            let (Some(contact), Some(tenancy)) = (of.contact, tenancy) else { continue };
            if of.row.tenancy != tenancy.0 {
                let why = "the register has changed since the list was tried; import it again";
                return Err(Refused::new("register-changed", why));
            }
            // several meters of one tenancy
            wanted.entry(*tenancy).or_insert(contact);
        }
        let (mut answer, mut of_contacts) = (RowsAnswer::default(), Vec::new());
        answer.did.resize(asked.rows.len(), 0);
        answer.tenancies.resize(asked.rows.len(), Vec::new());
        for (of, (judged, tenancy)) in from.iter().zip(rows.into_iter().zip(tenancies)) {
            match judged {
                Ok(Did(bits)) => {
                    let index = of.index as usize;
                    if let Some(place) = answer.did.get_mut(index) {
                        *place = if tenancy.is_some() && !done { bits | did::CONTACT } else { bits };
                    }
                    if let (Some(place), Some(tenancy)) = (answer.tenancies.get_mut(index), tenancy) {
                        *place = tenancy.0.to_vec();
                        of_contacts.push((index, tenancy));
                    }
                }
                Err(why) => bad.push((of.index, why)),
            }
        }
        bad.sort_by_key(|(index, _)| *index);
        let concerned = spans.iter().map(|span| span.tenancy).chain(wanted.keys().copied()).collect();
        let detail = detail(asked, &answer.did, (bad.len(), wanted.len()), done);
        let beginning = Some(encoded).filter(|_| done);
        let (passed, tags) = self.pass_for(request, concerned, beginning, detail, now).await?;
        if done {
            let areas = change.areas().await.map_err(stored)?;
            self.tell(encoded, &passed, &spans, &areas).await?;
            let mut sealed = self.seal(encoded, (&passed, &tags), &mut change, &wanted, now).await?;
            change.commit().await.map_err(stored)?;
            for (index, tenancy) in of_contacts {
                // the first row of a tenancy is the one that tells it
                if let Some(place) = answer.did.get_mut(index)
                    && sealed.set.remove(&tenancy)
                {
                    *place |= did::CONTACT;
                }
            }
        }
        let told_bad = bad.into_iter().map(|(row, BadRow { column, why })| archive::BadRow {
            row,
            column: column.to_owned(),
            why,
        });
        (answer.bad, answer.done) = (told_bad.collect(), done);
        Ok(RegisterAnswer { rows: Some(answer), ..RegisterAnswer::default() })
    }
}

/// Where an entry comes from, and who its customer is.
struct From<'a> {
    index: u32,
    row: &'a archive::RegisterRow,
    contact: Option<&'a Contact>,
}

fn entry(row: &archive::RegisterRow) -> Result<Entry, BadRow> {
    let bad = |column: &'static str| move |error: StoreError| BadRow { column, why: error.to_string() };
    let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Ok(Entry {
        address: address(&row.address).map_err(bad("meter"))?,
        place: row.place.clone(),
        area: area(&row.area).map_err(|error| BadRow { column: "area", why: error.to_string() })?,
        customer: said(&row.customer),
        from: row.from_ms.map(UtcMillis),
        until: row.until_ms.map(UtcMillis),
        resolution: resolution(row.resolution).map_err(bad("resolution"))?,
        clear: row.clear,
        contact: row.contact != 0,
    })
}

/// What the log holds of it: how many, never who.
fn detail(asked: &RegisterRows, did: &[u32], (bad, contacts): (usize, usize), done: bool) -> String {
    let count = |bit: Did| did.iter().filter(|did| Did(**did).has(bit)).count();
    format!(
        "{}{} rows from `{}`: {} meters new, {} placed, {} tenancies begun, {} ended, {bad} rows refused{}",
        if done { "" } else { "nothing done: " },
        asked.rows.len(),
        short(&asked.source, 80),
        count(Did::METER),
        count(Did::PLACED),
        count(Did::BEGAN),
        count(Did::ENDED),
        if contacts > 0 { format!(", contacts of {contacts} tenancies told") } else { String::new() },
    )
}
