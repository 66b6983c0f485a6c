//! The times of a history that a meter declares by a storage interval (EN 13757-3 table 12, FD 24 to FD 29).
//!
//! Such a meter sends the date of one storage number and the interval to the next ones, and no further
//! dates. Which way time goes, telegrams do not say; the meter's clock does: no stored value is of the future,
//! and a history that goes forward ends at the present.

use base::{Quantity, Unit};

use super::flags::Flags;
use super::spacing::{Spacing, moment_of, shift};
use super::{Function, MAX_RECORDS, Modifiers, Record, Value};

/// Adds a date record, of no bytes, for each storage number that follows the one with interval and date and
/// has none of its own. Adds nothing where the way of time stays open.
pub(crate) fn add_times(out: &mut Vec<Record>) {
    let Some(interval) = out.iter().find(|r| r.quantity == Quantity::StorageInterval) else { return };
    let base = interval.storage;
    let Value::Number(n) = interval.value else { return };
    let Some(spacing) = Spacing::from_interval(n.mantissa, interval.unit).filter(|_| n.exponent == 0) else {
        return;
    };
    let Some(from) = out.iter().filter(|r| r.storage == base).find_map(moment_of) else { return };
    let Some(now) = out
        .iter()
        .filter(|r| r.storage == 0 && r.function == Function::Instantaneous && r.modifiers.is_empty())
        .find_map(moment_of)
    else {
        return;
    };
    // the storage numbers that follow without a gap, and where each first stands
    let mut places = Vec::new();
    for number in base.saturating_add(1).. {
        let Some(record) = out.iter().find(|r| r.storage == number) else { break };
        if out.iter().any(|r| r.storage == number && moment_of(r).is_some()) {
            return; // it has dates of its own
        }
        places.push((number, record.at));
    }
    let later = |steps: i64| shift(&from, spacing, steps).is_some_and(|moment| is_after(&moment, &now));
    let count = i64::try_from(places.len()).unwrap_or(i64::MAX);
    let direction = match (later(1), later(count), later(count.saturating_add(1))) {
        (true, ..) => -1,
        (_, false, true) => 1,
        _ => return,
    };
    for ((storage, at), step) in places.into_iter().zip(1i64..) {
        let Some(value) = shift(&from, spacing, direction * step) else { return };
        if out.len() >= MAX_RECORDS {
            return;
        }
        out.push(Record {
            quantity: if matches!(value, Value::Date(_)) { Quantity::Date } else { Quantity::DateTime },
            unit: Unit::None,
            value,
            function: Function::Instantaneous,
            storage,
            tariff: 0,
            subunit: 0,
            modifiers: Modifiers::EMPTY,
            own: None,
            flags: Flags::UNKNOWN,
            letters: None,
            obis: None,
            at,
            len: 0,
        });
    }
}

/// Whether a moment is of a later day than another, or of the same day and later where both say a time.
fn is_after(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::DateTime(a), Value::DateTime(b)) => (a.date, a.time) > (b.date, b.time),
        _ => day(a) > day(b),
    }
}

fn day(moment: &Value) -> Option<super::Date> {
    match moment {
        Value::Date(date) => Some(*date),
        Value::DateTime(moment) => Some(moment.date),
        _ => None,
    }
}
