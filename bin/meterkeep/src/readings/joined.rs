//! The meters of a place, as an answer joined them, and the count that goes on over them.

use base::{Unit, UtcMillis};
use serde::Serialize;
use wire::archive::{Index, JoinedMeter, MeterReading, Readings};
use wire::intake::Reading;

use super::show::{JsonValue, decimal, json_number, local, unit};
use crate::output::{meter_name, shown, table};

/// The stay that a reading belongs to.
pub(super) fn of<'a>(answer: &'a Readings, item: &MeterReading) -> Option<&'a JoinedMeter> {
    answer.joined.get((item.joined as usize).checked_sub(1)?)
}

/// A reading's main register, continued: `2862.772 m3`.
pub(super) fn continued(item: &MeterReading, reading: &Reading) -> String {
    let sum = item.continued.and_then(|continued| {
        let record = reading.records.get(continued.record as usize)?;
        Some(format!("{} {}", text(continued.value?), unit(record)).trim_end().to_owned())
    });
    sum.unwrap_or_default()
}

/// Which meters hung at a place, before its readings.
pub(super) fn listed(place: &str, joined: &[JoinedMeter]) -> String {
    if joined.is_empty() {
        return format!("no meter hung at {} in this time\n", shown(place));
    }
    let mut rows = table(["series", "meter", "from", "until", "opening", "closing", "unit", "adds"]);
    for one in joined {
        rows.add_row([
            one.series.to_string(),
            meter_name(&one.address),
            from(one).map(local).unwrap_or_default(),
            one.until_ms.map(UtcMillis).map(local).unwrap_or_default(),
            one.opening.map(text).unwrap_or_default(),
            one.closing.map(text).unwrap_or_default(),
            unit_of(one).unwrap_or_default().to_owned(),
            one.carry.map_or_else(|| "unknown".to_owned(), text),
        ]);
    }
    let mut said = format!("{rows}\n");
    let broken = joined.iter().filter(|one| !one.why.is_empty());
    for one in broken {
        said.push_str(&format!("note: {}: {}\n", meter_name(&one.address), shown(&one.why)));
    }
    said
}

fn text(index: Index) -> String {
    decimal(index.mantissa, index.exponent)
}

/// Since when; nothing for always.
fn from(one: &JoinedMeter) -> Option<UtcMillis> {
    Some(UtcMillis(one.from_ms)).filter(|at| at.0 > 0)
}

fn unit_of(one: &JoinedMeter) -> Option<&'static str> {
    let unit = u16::try_from(one.unit).ok().and_then(Unit::from_code);
    unit.filter(|unit| *unit != Unit::None).map(Unit::name)
}

/// The stay of a reading's meter, for programs.
#[derive(Serialize)]
pub(super) struct JsonJoined {
    series: u32,
    /// Since when it hung there; absent for always, as the next where it still does.
    from: Option<String>,
    until: Option<String>,
    opening: Option<JsonValue<'static>>,
    closing: Option<JsonValue<'static>>,
    unit: Option<&'static str>,
    /// What is added to its index.
    carry: Option<JsonValue<'static>>,
    /// Why nothing is.
    why: Option<String>,
}

impl JsonJoined {
    pub(super) fn of(one: &JoinedMeter) -> Self {
        let number = |index: Option<Index>| index.map(|index| json_number(index.mantissa, index.exponent));
        Self {
            series: one.series,
            from: from(one).map(|at| at.to_string()),
            until: one.until_ms.map(|at| UtcMillis(at).to_string()),
            opening: number(one.opening),
            closing: number(one.closing),
            unit: unit_of(one),
            carry: number(one.carry),
            why: Some(one.why.clone()).filter(|why| !why.is_empty()),
        }
    }
}
