//! Judges a row against the register as it is after the rows before it. Nothing is written here.

use std::collections::HashMap;

use base::{Area, MeterId, UtcMillis};

use super::{BadRow, Did, Entry, UNPLACED};
use crate::register::{MAX_CUSTOMER, MAX_PLACE};

/// What the rows of a list are held against.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// By manufacturer and serial.
    pub(super) meters: HashMap<[u8; 6], Vec<Meter>>,
    /// By their references.
    pub(super) places: HashMap<String, PlaceState>,
}

/// A meter, as far as rows can speak of it.
#[derive(Debug)]
pub(super) struct Meter {
    /// Nothing for one that a row before this one adds.
    pub(super) id: Option<MeterId>,
    pub(super) kind: Option<[u8; 2]>,
    pub(super) place: String,
    pub(super) resolution: Option<i64>,
    pub(super) clear: bool,
    /// Places where it was taken down for another meter, and when.
    pub(super) left: Vec<(String, i64)>,
}

/// A place.
#[derive(Debug, Default)]
pub(super) struct PlaceState {
    pub(super) area: Option<Area>,
    pub(super) chain: Vec<Segment>,
    /// When a meter was exchanged there last: nothing of the chain changes before.
    pub(super) exchanged: Option<i64>,
}

impl PlaceState {
    /// One that nobody has heard of.
    fn fresh() -> Self {
        let chain = vec![Segment { from: 0, until: None, vacant: true, customer: None }];
        Self { chain, ..Self::default() }
    }
}

/// A tenancy of a place's chain.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) from: i64,
    pub(super) until: Option<i64>,
    pub(super) vacant: bool,
    pub(super) customer: Option<String>,
}

/// What is to be written, in this order. Rows are named by their index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Makes the row's place, vacant.
    Place(usize),
    /// Sets its area.
    Area(usize),
    /// Adds the row's meter at its place.
    Meter(usize),
    /// Gives a meter without a place the row's.
    Settle(usize, MeterId),
    /// Sets a meter's policy to the row's.
    Resolution(usize, MeterId),
    /// The row's tenancy begins.
    Begin(usize),
    /// The row's tenancy ends, with nobody after.
    End(usize),
    /// The row's customer is whose the tenancy is.
    Customer(usize),
}

/// What a row does to the tenancies of its place.
#[derive(Default)]
struct Steps {
    begins: bool,
    ends: bool,
    customer: bool,
}

fn bad<T>(column: &'static str, why: String) -> Result<T, BadRow> {
    Err(BadRow { column, why })
}

/// A text as a sentence may show it.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// A day where the moment is its beginning in UTC, else the moment.
fn moment(ms: i64) -> String {
    UtcMillis(ms).to_string()
}

impl Model {
    /// What a row does; then the model is as if it were done, and `acts` has what is to be written. A bad row leaves
    /// both as they are.
    pub(super) fn judge(&mut self, index: usize, entry: &Entry, acts: &mut Vec<Act>) -> Result<Did, BadRow> {
        well_formed(entry)?;
        let known = self.meter_of(entry)?;
        let fresh = PlaceState::fresh();
        let place = self.places.get(&entry.place);
        let is_new_place = place.is_none();
        let place = place.unwrap_or(&fresh);
        let (mut did, mut todo) = (Did::default(), Vec::new());
        let mut note = |bit: Did, act: Act| {
            did = did.and(bit);
            todo.push(act);
        };
        if is_new_place {
            note(Did::PLACE, Act::Place(index));
        }
        if entry.area.is_some() && entry.area != place.area {
            note(Did::AREA, Act::Area(index));
        }
        let resolution = entry.resolution.map(|r| i64::from(r.code()));
        match known {
            None => note(Did::METER, Act::Meter(index)),
            Some(meter) => {
                if meter.place != entry.place {
                    // a list that is older than the exchange must not hang the old meter up again
                    if let Some((_, at)) = meter.left.iter().rev().find(|(left, _)| *left == entry.place) {
                        return exchanged(entry, *at);
                    }
                    match meter.id {
                        Some(id) if is_unplaced(&meter.place) => note(Did::PLACED, Act::Settle(index, id)),
                        _ => return elsewhere(entry, &meter.place),
                    }
                }
                if entry.clear.is_some_and(|clear| clear != meter.clear) {
                    let (is, says) =
                        if meter.clear { ("in clear", "not") } else { ("encrypted", "in clear") };
                    return bad(
                        "clear",
                        format!(
                            "{} is registered as one that sends {is}, and the list says {says}; leave the \
                         cell empty",
                            entry.address
                        ),
                    );
                }
                if let Some(id) = meter.id
                    && resolution.is_some()
                    && resolution != meter.resolution
                {
                    note(Did::RESOLUTION, Act::Resolution(index, id));
                }
            }
        }
        let steps = tenancy(entry, &place.chain)?;
        if let Some(at) = place.exchanged {
            after_exchange(entry, &steps, at)?;
        }
        if steps.begins {
            note(Did::BEGAN, Act::Begin(index));
        } else if steps.customer {
            note(Did::CUSTOMER, Act::Customer(index));
        }
        if steps.ends {
            note(Did::ENDED, Act::End(index));
        }
        self.take(entry, &steps, resolution);
        acts.append(&mut todo);
        Ok(did)
    }

    /// The meter that a row names.
    fn meter_of(&self, entry: &Entry) -> Result<Option<&Meter>, BadRow> {
        let of_number = self.meters.get(entry.address.number()).map_or(&[][..], Vec::as_slice);
        let kind = entry.address.kind();
        let mut fitting = of_number.iter().filter(|m| kind.is_none() || m.kind.is_none() || m.kind == kind);
        match (fitting.next(), fitting.next()) {
            (found, None) => Ok(found),
            _ => bad(
                "meter",
                format!(
                    "several meters have the number {0}; give version and type, such as `{0}-1B-16`",
                    entry.address
                ),
            ),
        }
    }

    /// Makes the model as if the row were done.
    fn take(&mut self, entry: &Entry, steps: &Steps, resolution: Option<i64>) {
        let meters = self.meters.entry(*entry.address.number()).or_default();
        let kind = entry.address.kind();
        let fits = |m: &&mut Meter| kind.is_none() || m.kind.is_none() || m.kind == kind;
        match meters.iter_mut().find(fits) {
            Some(meter) => {
                meter.place.clone_from(&entry.place);
                meter.resolution = resolution.or(meter.resolution);
            }
            None => meters.push(Meter {
                id: None,
                kind,
                place: entry.place.clone(),
                resolution,
                clear: entry.clear.unwrap_or_default(),
                left: Vec::new(),
            }),
        }
        let place = self.places.entry(entry.place.clone()).or_insert_with(PlaceState::fresh);
        if entry.area.is_some() {
            place.area.clone_from(&entry.area);
        }
        let Some(from) = entry.from.map(|at| at.0) else { return };
        let mut next = |from: i64, vacant: bool, customer: Option<String>| {
            if let Some(last) = place.chain.last_mut() {
                last.until = Some(from);
            }
            place.chain.push(Segment { from, until: None, vacant, customer });
        };
        if steps.begins {
            next(from, false, entry.customer.clone());
        }
        if let Some(until) = entry.until.filter(|_| steps.ends) {
            next(until.0, true, None);
        }
        if let Some(segment) = place.chain.iter_mut().find(|s| s.from == from).filter(|_| steps.customer) {
            segment.customer.clone_from(&entry.customer);
        }
    }
}

/// Whether a place is one that the house named itself.
pub(in crate::register) fn is_unplaced(place: &str) -> bool {
    place == UNPLACED || place.strip_prefix(UNPLACED).is_some_and(|rest| rest.starts_with(' '))
}

fn exchanged(entry: &Entry, at: i64) -> Result<Did, BadRow> {
    bad(
        "meter",
        format!(
            "{} was taken down at `{}` on {} for another meter; write the meter that hangs there now, which `meterkeep meters \
             exchanges` shows",
            entry.address,
            shown(&entry.place),
            moment(at)
        ),
    )
}

/// What both meters counted in a tenancy could not be told apart any more if it began or ended before they were exchanged.
fn after_exchange(entry: &Entry, steps: &Steps, at: i64) -> Result<(), BadRow> {
    let changes = [(steps.begins, "from", entry.from), (steps.ends, "until", entry.until)];
    let early = changes.into_iter().filter(|(does, ..)| *does).find_map(|(_, column, day)| {
        let day = day.filter(|day| day.0 <= at)?;
        Some((column, day))
    });
    let Some((column, day)) = early else { return Ok(()) };
    bad(
        column,
        format!(
            "{day} is not after {}, when a meter was exchanged at `{}`; give a moment after that, or leave the row out",
            moment(at),
            shown(&entry.place)
        ),
    )
}

fn elsewhere(entry: &Entry, place: &str) -> Result<Did, BadRow> {
    let (file, stored) = (shown(&entry.place), shown(place));
    bad(
        "place",
        format!(
            "{} is at `{stored}`, and the list says `{file}`; correct the list, or leave the row out: a meter that \
         has a place does not move by a list",
            entry.address
        ),
    )
}

/// Whether each cell can be what it has to be.
fn well_formed(entry: &Entry) -> Result<(), BadRow> {
    let text = |text: &str, most: usize| {
        (1..=most).contains(&text.chars().count())
            && text.trim() == text
            && !text.chars().any(char::is_control)
    };
    let shown_place = shown(&entry.place);
    if !text(&entry.place, MAX_PLACE) {
        return bad("place", format!("the place `{shown_place}` must have 1 to {MAX_PLACE} characters"));
    }
    if is_unplaced(&entry.place) {
        return bad(
            "place",
            format!("`{shown_place}` is the house's own word for meters without a place; name the real one"),
        );
    }
    if let Some(customer) = entry.customer.as_deref().filter(|c| !text(c, MAX_CUSTOMER)) {
        return bad(
            "customer",
            format!("the customer `{}` must have 1 to {MAX_CUSTOMER} characters", shown(customer)),
        );
    }
    if entry.contact && (entry.customer.is_none() || entry.from.is_none()) {
        return bad(
            "name",
            "there is a name, and no customer with a day since when; give both, because a name belongs to a tenancy"
                .to_owned(),
        );
    }
    match (&entry.customer, entry.from, entry.until) {
        (Some(_), Some(from), until) => {
            if from.0 <= 0 {
                return bad("from", format!("a tenancy since {} is older than the house can note; write 1970-01-02", moment(from.0)));
            }
            match until {
                Some(until) if until <= from => bad("until", format!("the tenancy ends on {} and begins on {}; it has to end after that", moment(until.0), moment(from.0))),
                _ => Ok(()),
            }
        }
        (Some(_), None, _) => bad("from", "there is a customer, and no day since when; give it".to_owned()),
        (None, Some(_), _) => bad("customer", "there is a day since when, and no customer; give the utility's number of theirs, or leave the day out for a vacant place".to_owned()),
        (None, None, Some(_)) => bad("until", "there is a day until when, and neither a customer nor a day since when; give them, or leave it out".to_owned()),
        (None, None, None) => Ok(()),
    }
}

/// What a row does to its place's tenancies, which are one chain without overlaps and holes.
fn tenancy(entry: &Entry, chain: &[Segment]) -> Result<Steps, BadRow> {
    let (Some(customer), Some(UtcMillis(from))) = (&entry.customer, entry.from) else {
        return Ok(Steps::default());
    };
    let until = entry.until.map(|at| at.0);
    let place = shown(&entry.place);
    let (day, who) = (moment(from), shown(customer));
    if let Some(there) = chain.iter().find(|s| s.from == from) {
        if there.vacant {
            return bad(
                "from",
                format!(
                    "`{place}` is vacant since {day}, by the register; a tenancy there has to begin later, and the \
                 list says {day}"
                ),
            );
        }
        if let Some(other) = there.customer.as_ref().filter(|other| *other != customer) {
            return bad(
                "customer",
                format!(
                    "the tenancy at `{place}` since {day} is that of `{}`, and the list says `{who}`; correct the \
                 list, or its day",
                    shown(other)
                ),
            );
        }
        return match (until, there.until) {
            (Some(says), Some(is)) if says != is => bad(
                "until",
                format!(
                    "the tenancy at `{place}` since {day} ended on {}, and the list says {}; \
                 correct the list",
                    moment(is),
                    moment(says)
                ),
            ),
            (says, is) => Ok(Steps {
                begins: false,
                ends: says.is_some() && is.is_none(),
                customer: there.customer.is_none(),
            }),
        };
    }
    let last = chain.last();
    if let Some(theirs) =
        chain.iter().rev().find(|s| s.customer.as_ref() == Some(customer) && s.until.is_none())
    {
        return bad(
            "from",
            format!(
                "`{who}` has `{place}` since {}, and the list says since {day}; correct the list",
                moment(theirs.from)
            ),
        );
    }
    if let Some(last) = last.filter(|last| from <= last.from) {
        return bad(
            "from",
            format!(
                "the tenancy that holds `{place}` now began on {}, and the list says that another one began on {day}, \
             before it; tenancies are added at the end only",
                moment(last.from)
            ),
        );
    }
    Ok(Steps { begins: true, ends: until.is_some(), customer: false })
}
