//! Exchanges of meters, between the messages and the register.

use base::{Decimal, Unit, UtcMillis};
use store::StoreError;
use store::register::{Change, Exchange, Moved, NewExchange, Register};
use wire::Refused;
use wire::archive::{self, Index, ListExchanges, NotedExchange};

use crate::registering::{LISTED, address, stored};

/// One meter takes another one's place.
pub(crate) async fn exchange(
    change: &mut Change<'_>,
    item: &archive::Exchange,
    now: UtcMillis,
) -> Result<[Moved; 2], StoreError> {
    let unit = u16::try_from(item.unit).ok().and_then(Unit::from_code);
    let asked = NewExchange {
        old: address(&item.old)?,
        new: address(&item.new)?,
        at: UtcMillis(item.at_ms),
        closing: decimal(item.closing, "closing")?,
        opening: decimal(item.opening, "opening")?,
        unit: unit.ok_or_else(|| StoreError::Rule(format!("`{}` is no unit's number", item.unit)))?,
    };
    change.exchange(&asked, now).await
}

/// Exchanges that were noted, and whether there are more.
pub(crate) async fn list(
    register: &Register,
    asked: &ListExchanges,
) -> Result<(Vec<NotedExchange>, bool), Refused> {
    let exchanges = register.exchanges(asked.after, LISTED).await.map_err(stored)?;
    let more = exchanges.len() >= LISTED as usize;
    let noted = exchanges.into_iter().map(|Exchange { id, place, told, carry, .. }| NotedExchange {
        id,
        place,
        old: told.old.to_vec(),
        new: told.new.to_vec(),
        at_ms: told.at.0,
        closing: Some(index(told.closing)),
        opening: Some(index(told.opening)),
        unit: u32::from(told.unit.code()),
        carry: carry.map(index),
    });
    Ok((noted.collect(), more))
}

fn decimal(index: Option<Index>, what: &str) -> Result<Decimal, StoreError> {
    let missing = || StoreError::Rule(format!("the {what} index is missing; write what the meter showed"));
    let Index { mantissa, exponent } = index.ok_or_else(missing)?;
    let exponent = i8::try_from(exponent)
        .map_err(|_| StoreError::Rule(format!("the {what} index has the power of ten {exponent}")))?;
    Ok(Decimal::new(mantissa, exponent))
}

pub(crate) fn index(decimal: Decimal) -> Index {
    Index { mantissa: decimal.mantissa, exponent: i32::from(decimal.exponent) }
}
