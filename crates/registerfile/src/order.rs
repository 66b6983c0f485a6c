//! What lines say against each other, and the order in which they are taken.

use std::collections::HashMap;

use base::{Contact, UtcMillis};

use crate::row::{BadRow, Row, shown};

/// Puts rows of one place together, by the days on which their tenancies begin; and takes those out that say something
/// else than a line before them.
pub(crate) fn agree(rows: &mut Vec<Row>, bad: &mut Vec<BadRow>) {
    rows.sort_by(|a, b| (&a.place, a.from, a.line).cmp(&(&b.place, b.from, b.line)));
    let mut places: HashMap<String, (usize, String)> = HashMap::new();
    let mut good: Vec<Row> = Vec::with_capacity(rows.len());
    let mut seen = Seen::default();
    for row in rows.drain(..) {
        if good.last().is_none_or(|before| before.place != row.place) {
            seen = Seen::default();
        }
        let elsewhere = places.get(&row.address).filter(|(_, place)| *place != row.place);
        let judged = match elsewhere {
            Some((line, place)) => Err((
                "place",
                format!(
                    "line {line} says that {} is at `{}`, and this one `{}`; a meter hangs \
                 at one place",
                    row.address,
                    shown(place),
                    shown(&row.place)
                ),
            )),
            None => seen.take(&row),
        };
        match judged {
            Ok(()) => {
                places.entry(row.address.clone()).or_insert_with(|| (row.line, row.place.clone()));
                good.push(row);
            }
            Err((column, why)) => bad.push(BadRow { line: row.line, column, why }),
        }
    }
    end_with_the_next(&mut good);
    *rows = good;
}

/// What the lines of a place have said so far.
#[derive(Default)]
struct Seen {
    area: Option<(usize, String)>,
    /// The newest tenancy: its line, beginning, end and customer. Those before it end before it begins.
    tenancy: Option<(usize, UtcMillis, Option<UtcMillis>, Option<String>)>,
    /// Who its customer is, and the line that says so.
    contact: Option<(usize, Contact)>,
}

impl Seen {
    /// Takes a row, if it fits.
    fn take(&mut self, row: &Row) -> Result<(), (&'static str, String)> {
        let place = shown(&row.place);
        if let (Some((line, theirs)), Some(ours)) = (&self.area, &row.area)
            && theirs != ours
        {
            let (theirs, ours) = (shown(theirs), shown(ours));
            let why = format!(
                "line {line} says that `{place}` is in `{theirs}`, and this one `{ours}`; a place is in one area"
            );
            return Err(("area", why));
        }
        if let (Some((line, theirs, until, customer)), Some(ours)) = (&mut self.tenancy, row.from) {
            if *theirs == ours {
                if *customer != row.customer {
                    let why = format!(
                        "line {line} says that another customer has `{place}` since {ours}; one of both is wrong"
                    );
                    return Err(("customer", why));
                }
                if let (Some((line, theirs)), Some(ours)) = (&self.contact, &row.contact)
                    && theirs != ours
                {
                    let why = format!(
                        "line {line} gives another name or another way to reach the customer of `{place}` since {}; one \
                         of both is wrong",
                        row.from.unwrap_or(UtcMillis(0))
                    );
                    return Err(("name", why));
                }
                match (*until, row.until) {
                    (Some(theirs), Some(ours)) if theirs != ours => {
                        let why = format!(
                            "line {line} says that this tenancy ends on {theirs}, and this one says {ours}"
                        );
                        return Err(("until", why));
                    }
                    (None, Some(_)) => *until = row.until,
                    _ => {}
                }
            } else if let Some(until) = until.filter(|until| *until > ours) {
                let why = format!(
                    "line {line} says that another tenancy holds `{place}` until {until}, and this one begins on {ours}, \
                     before that"
                );
                return Err(("from", why));
            }
        }
        if let Some(area) = &row.area {
            self.area.get_or_insert_with(|| (row.line, area.clone()));
        }
        if let Some(from) = row.from
            && self.tenancy.as_ref().is_none_or(|(_, theirs, ..)| *theirs != from)
        {
            self.tenancy = Some((row.line, from, row.until, row.customer.clone()));
            self.contact = None;
        }
        if let Some(contact) = &row.contact {
            self.contact.get_or_insert_with(|| (row.line, contact.clone()));
        }
        Ok(())
    }
}

/// A tenancy that ends when the next one begins needs no end of its own: between both the place is not vacant.
fn end_with_the_next(rows: &mut [Row]) {
    let mut next: Option<(String, UtcMillis)> = None;
    let mut after: Option<(String, UtcMillis)> = None;
    for row in rows.iter_mut().rev() {
        let Some(from) = row.from else { continue };
        match &next {
            // several meters of one tenancy
            Some((place, at)) if *place == row.place && *at == from => {}
            _ => after = next.replace((row.place.clone(), from)),
        }
        let follows = after.as_ref().filter(|(place, _)| *place == row.place).map(|(_, at)| *at);
        if follows.is_some() && row.until == follows {
            row.until = None;
        }
    }
}
