//! Rows of a utility's own list, taken into the register: checked, recorded, told to the vault, and only then done.

use base::UtcMillis;
use recorder::Record;
use store::StoreError;
use store::register::{BadRow, Did, Entry, Imported, Rows};
use wire::Refused;
use wire::archive::{self, ROWS_SKIP_BAD, ROWS_TRY, ROWS_WHOLE, RegisterAnswer, RegisterRows, RowsAnswer};

use crate::registering::{AHEAD_MS, Desk, MAX_ITEMS, address, area, resolution, short, stored};
use crate::vaults::Vault;

impl<R: Record, V: Vault> Desk<'_, R, V> {
    /// Takes rows, as their mode says. Which rows are bad is in the answer.
    pub(crate) async fn rows(
        &self,
        encoded: &[u8],
        asked: &RegisterRows,
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
        let (mut entries, mut indices, mut bad) =
            (Vec::with_capacity(asked.rows.len()), Vec::new(), Vec::new());
        for (index, row) in (0u32..).zip(&asked.rows) {
            match entry(row) {
                Ok(entry) => {
                    entries.push(entry);
                    indices.push(index);
                }
                Err(why) => bad.push((index, why)),
            }
        }
        // a row that cannot be read holds the others back like one that is judged
        let mode = if mode == Rows::Whole && !bad.is_empty() { Rows::Try } else { mode };
        let new = if mode == Rows::Try { 0 } else { entries.len() };
        let mut change = self.begin(new).await?;
        let Imported { rows, spans, moves } = change.import(&entries, mode, now).await.map_err(stored)?;
        for moved in moves.iter().filter(|moved| now.plus(AHEAD_MS) >= moved.at) {
            change.note_late(moved, &request.grant.person, now).await.map_err(stored)?;
        }
        let mut did = vec![0; asked.rows.len()];
        for (index, judged) in indices.into_iter().zip(rows) {
            match judged {
                Ok(of_row) => {
                    if let Some(place) = did.get_mut(index as usize) {
                        *place = of_row.0;
                    }
                }
                Err(why) => bad.push((index, why)),
            }
        }
        bad.sort_by_key(|(index, _)| *index);
        let done = match mode {
            Rows::Try => false,
            Rows::Whole => bad.is_empty(),
            Rows::SkipBad => true,
        };
        let passed = self.pass(request, &spans, detail(asked, &did, bad.len(), done), now).await?;
        if done {
            let areas = change.areas().await.map_err(stored)?;
            self.tell(encoded, &passed, &spans, &areas).await?;
            change.commit().await.map_err(stored)?;
        }
        let bad = bad.into_iter().map(|(row, BadRow { column, why })| archive::BadRow {
            row,
            column: column.to_owned(),
            why,
        });
        let rows = Some(RowsAnswer { did, bad: bad.collect(), done });
        Ok(RegisterAnswer { rows, ..RegisterAnswer::default() })
    }
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
    })
}

/// What the log holds of it: how many, never who.
fn detail(asked: &RegisterRows, did: &[u32], bad: usize, done: bool) -> String {
    let count = |bit: Did| did.iter().filter(|did| Did(**did).has(bit)).count();
    format!(
        "{}{} rows from `{}`: {} meters new, {} placed, {} tenancies begun, {} ended, {bad} rows refused",
        if done { "" } else { "nothing done: " },
        asked.rows.len(),
        short(&asked.source, 80),
        count(Did::METER),
        count(Did::PLACED),
        count(Did::BEGAN),
        count(Did::ENDED),
    )
}
