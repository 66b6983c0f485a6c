//! Series: the meters that followed each other at a place, and what is added to each one's index so that the count goes on.
//!
//! An index is somebody's data too. Who may not see the tenancy in which a meter was exchanged is told neither index, nor a
//! sum that has them in it: their count begins anew after it.

use std::fmt;

use base::{Decimal, MeterId, TenancyId, Unit, UtcMillis};

use super::exchange::{carried, medium};
use super::{Exchange, PlaceHistory, RegisterAddress, RegisteredMeter, Stay};

/// A meter in its series, while it hung at the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Which series of the place, from 1: what counts water is one, what counts heat another.
    pub series: u32,
    /// The meter.
    pub meter: MeterId,
    /// Its address.
    pub address: RegisterAddress,
    /// Since when, or since when somebody had it whose data may be seen.
    pub from: UtcMillis,
    /// Until when, likewise; `None` while it hangs there.
    pub until: Option<UtcMillis>,
    /// When it was hung in place of another one, and what it showed.
    pub opening: Option<(UtcMillis, Decimal)>,
    /// When it was taken down for another one, and what it showed.
    pub closing: Option<(UtcMillis, Decimal)>,
    /// What is added to its index, or why nothing can be.
    pub carry: Result<Decimal, Break>,
    /// The unit in which the series' indices were told; none where nothing was exchanged.
    pub unit: Option<Unit>,
}

/// Why a count does not go on over an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    /// When the meter was exchanged.
    pub at: UtcMillis,
    why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Media(&'static str, &'static str),
    Units(Unit, Unit),
    Unsaid,
    Digits,
    Hidden,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the count does not go on over the exchange on {}: ", self.at)?;
        match self.why {
            Why::Media(was, is) => write!(f, "the old meter measures {was} and the new one {is}"),
            Why::Units(was, is) => {
                write!(f, "its indices are in {}, and those before in {}", is.name(), was.name())
            }
            Why::Unsaid => f.write_str("nobody said in which unit its indices are, such as `--unit kWh`"),
            Why::Digits => f.write_str("the sum has more digits than can be kept"),
            Why::Hidden => f.write_str("it was in a tenancy that the grant does not reach"),
        }
    }
}

/// The unit that indices are in where none is said: the one that a medium is counted in everywhere. Heat has several.
fn usual(kind: Option<[u8; 2]>) -> Option<Unit> {
    match medium(kind)?.0 {
        "water" | "gas" => Some(Unit::CubicMetre),
        "electricity" => Some(Unit::KilowattHour),
        "heat cost" => Some(Unit::HeatCostUnit),
        _ => None,
    }
}

/// A count as far as it goes on.
#[derive(Clone, Copy)]
struct Count {
    carry: Result<Decimal, Break>,
    unit: Option<Unit>,
}

impl Count {
    const NEW: Self = Self { carry: Ok(Decimal::new(0, 0)), unit: None };

    /// The count after one more exchange. Once broken it stays so.
    fn over(self, exchange: &Exchange) -> Self {
        let Ok(before) = self.carry else { return self };
        let told = &exchange.told;
        let stop = |why| Self { carry: Err(Break { at: told.at, why }), unit: self.unit };
        let (old, new) = (told.old.kind(), told.new.kind());
        if let (Some((was, _)), Some((is, _))) = (medium(old), medium(new))
            && was != is
        {
            return stop(Why::Media(was, is));
        }
        let said = Some(told.unit).filter(|unit| *unit != Unit::None);
        let Some(unit) = said.or_else(|| usual(old)).or_else(|| usual(new)) else {
            return stop(Why::Unsaid);
        };
        if let Some(was) = self.unit.filter(|was| *was != unit) {
            return stop(Why::Units(was, unit));
        }
        match carried(before, told.closing, told.opening) {
            Some(carry) => Self { carry: Ok(carry), unit: Some(unit) },
            None => stop(Why::Digits),
        }
    }
}

/// The series of a place, each meter after the one that it took over from; only of tenancies that may be seen.
#[must_use]
pub fn joined(history: &PlaceHistory, seen: impl Fn(TenancyId) -> bool) -> Vec<Joined> {
    let stays: Vec<(&RegisteredMeter, &Stay)> = history.stays().collect();
    let mut first: Vec<_> = stays.iter().filter(|one| begun_by(history, one).is_none()).copied().collect();
    first.sort_by_key(|(meter, stay)| (stay.from, meter.id));
    let mut all = Vec::new();
    let mut series = 0u32;
    for start in first {
        let own = one_series(history, &stays, start, &seen);
        if !own.is_empty() {
            series = series.saturating_add(1);
            all.extend(own.into_iter().map(|one| Joined { series, ..one }));
        }
    }
    all
}

/// The exchange by which a meter was hung.
fn begun_by<'a>(
    history: &'a PlaceHistory,
    (meter, stay): &(&RegisteredMeter, &Stay),
) -> Option<&'a Exchange> {
    history.exchanges.iter().find(|e| e.hung == meter.id && e.told.at == stay.from)
}

/// The exchange by which it was taken down.
fn ended_by<'a>(
    history: &'a PlaceHistory,
    (meter, stay): &(&RegisteredMeter, &Stay),
) -> Option<&'a Exchange> {
    history.exchanges.iter().find(|e| e.removed == meter.id && Some(e.told.at) == stay.until)
}

/// One meter after the other, from the first one of a series on.
fn one_series(
    history: &PlaceHistory,
    stays: &[(&RegisteredMeter, &Stay)],
    start: (&RegisteredMeter, &Stay),
    seen: &impl Fn(TenancyId) -> bool,
) -> Vec<Joined> {
    let mut joined: Vec<Joined> = Vec::new();
    let mut count = Count::NEW;
    let mut opening = None;
    let mut next = Some(start);
    while let Some(here) = next {
        let (meter, stay) = here;
        let ended = ended_by(history, &here);
        next = ended.and_then(|e| {
            stays.iter().find(|(meter, stay)| meter.id == e.hung && stay.from == e.told.at).copied()
        });
        // the tenancy that has the new meter from then on had the old one until then
        let open = ended.filter(|_| {
            let of = next.and_then(|(meter, _)| meter.tenancies.iter().find(|s| Some(s.from) == stay.until));
            of.is_some_and(|span| seen(span.tenancy))
        });
        let spans: Vec<_> = meter.tenancies_in(stay).filter(|span| seen(span.tenancy)).collect();
        if let (Some(earliest), Some(latest)) = (spans.first(), spans.last()) {
            joined.push(Joined {
                series: 0,
                meter: meter.id,
                address: meter.address,
                from: earliest.from,
                until: latest.until,
                opening,
                closing: open.map(|e| (e.told.at, e.told.closing)),
                carry: count.carry,
                unit: None,
            });
        }
        opening = open.map(|e| (e.told.at, e.told.opening));
        count = match (ended, open) {
            (_, Some(exchange)) => count.over(exchange),
            (Some(_), None) if joined.is_empty() => Count::NEW,
            (Some(hidden), None) => {
                let carry = count.carry.and(Err(Break { at: hidden.told.at, why: Why::Hidden }));
                Count { carry, ..count }
            }
            (None, None) => count,
        };
    }
    joined.iter_mut().for_each(|one| one.unit = count.unit);
    joined
}

#[cfg(test)]
#[path = "series_tests.rs"]
mod tests;
