//! Finding the sealed rows of a question. Nothing is opened here, and no key is needed.

use std::collections::{BTreeMap, BTreeSet};

use base::{Area, MeterId, Month, TenancyId, UtcMillis};
use grant::{Scope, Tenancies};
use store::register::{Joined, Register, RegisteredMeter, Span, Stay};
use store::{Ask, ReadingView, SealedReading, StoreError};
use wire::Refused;
use wire::log::Told;

use crate::place;
use crate::question::Question;

/// Meters looked at in one step.
const PAGE: u32 = 2000;
/// Bytes of sealed rows in one answer: with their addresses they stay below a frame of the link.
const MAX_BYTES: usize = 6 * 1024 * 1024;
/// What an answer adds to each row, about.
const ROW_BYTES: usize = 128;

/// Rows of one meter on the day that a question's end cuts in two: a telegram every three minutes.
const CUT_DAY_ROWS: u32 = 512;

/// What an answer says of a meter.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) address: Vec<u8>,
    /// The address as people write it.
    pub(crate) name: String,
    pub(crate) place: String,
    pub(crate) area: Option<Area>,
    /// Who holds the meter when.
    pub(crate) spans: Vec<Span>,
    /// Where it hung when.
    pub(crate) stays: Vec<Stay>,
}

impl Shown {
    pub(crate) fn of(meter: &RegisteredMeter) -> Self {
        let (address, place) = (meter.address.to_vec(), meter.place.clone());
        let (spans, stays) = (meter.tenancies.clone(), meter.stays.clone());
        Self { address, name: meter.address.to_string(), place, area: meter.area.clone(), spans, stays }
    }

    /// The place where it hung at that moment.
    pub(crate) fn place_at(&self, at: UtcMillis) -> &str {
        self.stays.iter().find(|stay| stay.holds(at)).map_or(&self.place, |stay| &stay.place)
    }

    /// Whether a tenancy held the meter at that moment.
    pub(crate) fn held(&self, tenancy: TenancyId, at: UtcMillis) -> bool {
        let held = |span: &Span| span.from <= at && span.until.is_none_or(|until| at < until);
        self.spans.iter().any(|span| span.tenancy == tenancy && held(span))
    }
}

/// The rows of an answer, still sealed.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) rows: Vec<SealedReading>,
    /// Those whose rows are here.
    pub(crate) meters: BTreeMap<MeterId, Shown>,
    /// Those that were looked at in vain for their newest row.
    pub(crate) silent: Vec<Shown>,
    /// Whose data is asked for by name, whether there is any or not; and whose rows are here.
    pub(crate) subjects: BTreeSet<TenancyId>,
    /// How many meters were looked at.
    pub(crate) looked_at: usize,
    /// There were more rows than the answer may hold.
    pub(crate) more: bool,
    /// Where a place was asked for: its meters, series by series.
    pub(crate) joined: Option<Vec<Joined>>,
    /// Sentences for people about what was not looked for.
    pub(crate) notes: Vec<String>,
    bytes: usize,
}

impl Found {
    /// What the log says of each whose data it is, and nothing in it is about anybody else.
    pub(crate) fn told(&self, question: &Question) -> BTreeMap<TenancyId, Told> {
        let (by, criterion) = match (question.meters.as_slice(), &question.place) {
            (_, Some(place)) => ("place", plain(place)),
            ([only], None) => ("meter", plain(only)),
            ([], None) => ("all", String::new()),
            // which others were asked for is not theirs to know
            (_, None) => ("meter", String::new()),
        };
        let said = || Told { by: by.to_owned(), criterion: criterion.clone(), ..Told::default() };
        let mut told: BTreeMap<TenancyId, Told> = self.subjects.iter().map(|of| (*of, said())).collect();
        for row in &self.rows {
            let Some(told) = told.get_mut(&row.facts.tenancy) else { continue };
            told.number = told.number.saturating_add(1);
            let name = self.meters.get(&row.facts.meter).map(|shown| shown.name.as_str()).unwrap_or_default();
            if !name.is_empty() && !told.meters.iter().any(|known| known == name) {
                told.meters.push(name.to_owned());
            }
        }
        told
    }

    /// Takes rows until the answer is full.
    fn take(&mut self, meter: &RegisteredMeter, rows: Vec<SealedReading>, limit: usize) {
        for row in rows {
            self.bytes = self.bytes.saturating_add(row.envelope.len()).saturating_add(ROW_BYTES);
            if self.rows.len() >= limit || self.bytes > MAX_BYTES {
                self.more = true;
                return;
            }
            self.subjects.insert(row.facts.tenancy);
            self.meters.entry(row.facts.meter).or_insert_with(|| Shown::of(meter));
            self.rows.push(row);
        }
    }
}

impl Found {
    /// Meters of which there is no row, as long as the answer has room for them.
    pub(crate) fn note_silent(&mut self, meters: &[RegisteredMeter], limit: usize) {
        for meter in meters.iter().filter(|m| !self.meters.contains_key(&m.id)) {
            if self.more || self.rows.len().saturating_add(self.silent.len()) >= limit {
                self.more = true;
                return;
            }
            self.silent.push(Shown::of(meter));
        }
    }
}

/// Finds the rows of a question within a scope. `view` is absent before the first reading was ever stored.
pub(crate) async fn find(
    register: &Register,
    view: Option<&ReadingView>,
    question: &Question,
    scope: &Scope,
) -> Result<Found, Refused> {
    let mut found = Found::default();
    if let Some(place) = &question.place {
        return place::find(register, view, (question, place), scope).await;
    }
    if question.meters.is_empty() {
        let mut after = MeterId(0);
        while !found.more {
            let (_, mut page) = register.meters(after, PAGE, question.from).await.map_err(stored)?;
            let Some(last) = page.last().map(|m| m.id) else { break };
            page.retain(|meter| scope.areas.hold(meter.area.as_ref()));
            gather(view, question, scope, &page, &mut found).await.map_err(stored)?;
            after = last;
        }
        return Ok(found);
    }
    let mut named = BTreeMap::new();
    for text in &question.meters {
        let meters = register.find(text).await.map_err(stored)?;
        if meters.is_empty() {
            let shown = plain(text);
            return Err(Refused::new(
                "unknown-meter",
                format!(
                    "the register has no meter `{shown}`; write it as `KAM-12345678-1B-16`, or its eight digits"
                ),
            ));
        }
        if let Some(elsewhere) = meters.iter().find(|meter| !scope.areas.hold(meter.area.as_ref())) {
            let area =
                elsewhere.area.as_ref().map_or("no area".to_owned(), |area| format!("the area `{area}`"));
            return Err(Refused::new(
                "not-in-area",
                format!(
                    "`{}` lies in {area}, and the grant does not reach there; ask a colleague",
                    elsewhere.address
                ),
            ));
        }
        named.extend(meters.into_iter().map(|m| (m.id, m)));
    }
    let named: Vec<RegisteredMeter> = named.into_values().collect();
    let reached = |t: &TenancyId| scope.tenancies.hold(*t);
    found.subjects.extend(named.iter().flat_map(|m| m.tenancies.iter().map(|s| s.tenancy)).filter(reached));
    gather(view, question, scope, &named, &mut found).await.map_err(stored)?;
    Ok(found)
}

/// What somebody wrote, without what would move a screen.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

pub(crate) fn stored(error: StoreError) -> Refused {
    tracing::error!(%error, "the store");
    Refused::new("store", format!("the store does not answer: {error}"))
}

async fn gather(
    view: Option<&ReadingView>,
    question: &Question,
    scope: &Scope,
    meters: &[RegisteredMeter],
    found: &mut Found,
) -> Result<(), StoreError> {
    found.looked_at = found.looked_at.saturating_add(meters.len());
    let Some(view) = view else {
        found.note_silent(meters, question.limit);
        return Ok(());
    };
    if question.latest
        && question.until_now
        && question.meters.is_empty()
        && scope.tenancies == Tenancies::All
    {
        newest_of_page(view, question, meters, found).await?;
        found.note_silent(meters, question.limit);
        return Ok(());
    }
    let busy = if question.meters.is_empty() { Some(busy(view, question, meters).await?) } else { None };
    for meter in meters {
        let months = question.months().filter(|m| busy.as_ref().is_none_or(|b| b.contains(&(meter.id, *m))));
        one_meter(view, question, scope, meter, months, found).await?;
        if found.more {
            break;
        }
    }
    if question.latest && scope.tenancies == Tenancies::All {
        found.note_silent(meters, question.limit);
    }
    Ok(())
}

/// The months in which each meter of a page has readings at all: one question a month instead of one a meter
/// and month, most of which would find nothing in a large register.
async fn busy(
    view: &ReadingView,
    question: &Question,
    meters: &[RegisteredMeter],
) -> Result<BTreeSet<(MeterId, Month)>, StoreError> {
    let (Some(first), Some(last)) = (meters.first(), meters.last()) else { return Ok(BTreeSet::new()) };
    let mut busy = BTreeSet::new();
    for month in question.months() {
        let rows = view.latest(question.class, month, first.id..=last.id).await?;
        busy.extend(rows.iter().map(|r| (r.facts.meter, month)));
    }
    Ok(busy)
}

/// One meter's rows, newest first.
pub(crate) async fn one_meter(
    view: &ReadingView,
    question: &Question,
    scope: &Scope,
    meter: &RegisteredMeter,
    months: impl Iterator<Item = Month>,
    found: &mut Found,
) -> Result<(), StoreError> {
    // Under a list of tenancies each is asked for by name, so that rows of others are not even looked at.
    let tenancies: Vec<Option<TenancyId>> = match &scope.tenancies {
        Tenancies::All => vec![None],
        Tenancies::Only(list) => {
            meter.tenancies.iter().rev().map(|s| s.tenancy).filter(|t| list.contains(t)).map(Some).collect()
        }
    };
    for month in months {
        let ask = Ask {
            meter: meter.id,
            class: question.class,
            month,
            days: question.days(month),
            tenancy: None,
            superseded: false,
            limit: 1,
        };
        if question.latest {
            let (rows, sure) = newest_of_month(view, question, &tenancies, &ask).await?;
            found.take(meter, rows, question.limit);
            if sure || found.more {
                return Ok(());
            }
            continue;
        }
        for tenancy in &tenancies {
            // One row more than may be answered shows that there are more.
            let room = question.limit.saturating_sub(found.rows.len()).saturating_add(1);
            let limit = u32::try_from(room).unwrap_or(u32::MAX);
            let rows = view.readings(&Ask { tenancy: *tenancy, limit, ..ask.clone() }).await?;
            found.take(meter, rows, question.limit);
            if found.more {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The newest row of a month, and whether it surely is the one asked for. On a day that the end cuts in two
/// only the opened rows say which of them were heard before it, so that all of that day come, and the newest
/// one before.
async fn newest_of_month(
    view: &ReadingView,
    question: &Question,
    tenancies: &[Option<TenancyId>],
    ask: &Ask,
) -> Result<(Vec<SealedReading>, bool), StoreError> {
    let (mut rows, mut newest) = (Vec::new(), None::<SealedReading>);
    let cut = question.cut_day().filter(|(month, _)| *month == ask.month).map(|(_, day)| day);
    for tenancy in tenancies {
        let ask = Ask { tenancy: *tenancy, ..ask.clone() };
        let (first, last) = (*ask.days.start(), *ask.days.end());
        let before = match cut {
            Some(day) => {
                rows.extend(
                    view.readings(&Ask { days: day..=day, limit: CUT_DAY_ROWS, ..ask.clone() }).await?,
                );
                first..=day.saturating_sub(1)
            }
            None => first..=last,
        };
        let one = view.readings(&Ask { days: before, ..ask }).await?;
        newest = one.into_iter().chain(newest).max_by_key(|r| (r.facts.sequence, r.facts.version));
    }
    let sure = newest.is_some();
    rows.extend(newest);
    Ok((rows, sure))
}

/// The newest row of each meter of a page, a month at a time.
async fn newest_of_page(
    view: &ReadingView,
    question: &Question,
    meters: &[RegisteredMeter],
    found: &mut Found,
) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (meters.first(), meters.last()) else { return Ok(()) };
    let mut newest: BTreeMap<MeterId, Vec<SealedReading>> = BTreeMap::new();
    for month in question.months() {
        if newest.len() >= meters.len() {
            break;
        }
        let earlier: BTreeSet<MeterId> = newest.keys().copied().collect();
        for row in view.latest(question.class, month, first.id..=last.id).await? {
            if !earlier.contains(&row.facts.meter) {
                newest.entry(row.facts.meter).or_default().push(row);
            }
        }
    }
    for meter in meters {
        if let Some(rows) = newest.remove(&meter.id) {
            found.take(meter, rows, question.limit);
        }
        if found.more {
            break;
        }
    }
    Ok(())
}
