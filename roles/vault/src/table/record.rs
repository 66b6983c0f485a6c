//! What the table's journal holds.

use base::{Area, Class, MeterId, Month, TenancyId, UtcMillis};
use seal::Place;

use super::erasing::{HeldSeries, Hold};
use super::life::NEXT;
use super::tenancies::Span;
use crate::MeterNumber;
use crate::codec::{Fields, Malformed, put_bytes, put_varint};

/// One change to the table. Keys and roots in it are sealed to their own place once more, so that a record says
/// whom it belongs to only to who holds the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// A meter's key. A decoy's differs in nothing but its code, so that the journal's lengths do not tell.
    Key { number: MeterNumber, meter: MeterId, role: String, sealed: Vec<u8>, decoy: bool },
    /// A tenancy's root.
    Tenancy { tenancy: TenancyId, sealed: Vec<u8> },
    /// A tenancy holds a meter from when to when; a later record of the same beginning ends it.
    Span { tenancy: TenancyId, meter: MeterId, span: Span },
    /// A meter lies in this area from now on; nothing for in none.
    Area { meter: MeterId, area: Option<Area> },
    /// The root of a class and month.
    Period { class: Class, month: Month, sealed: Vec<u8> },
    /// A meter's keys have been in plain text on their way; nothing takes that back.
    Exposed { number: MeterNumber },
    /// The keys that follow came with this file.
    Delivery { at: UtcMillis, source: String },
    /// Here was what is erased now.
    Gone,
    /// A tenancy's root counts no more.
    ErasedTenancy { tenancy: TenancyId },
    /// The root of a class and month counts no more.
    ErasedPeriod { class: Class, month: Month },
    /// A legal hold begins.
    Hold { hold: u32, scope: Hold },
    /// A data key that a hold keeps of what was erased.
    Held { hold: u32, series: HeldSeries, sealed: Vec<u8> },
    /// A legal hold ends, and what it kept counts no more.
    Lifted { hold: u32 },
    /// A decided erasure was carried out.
    Erasure { erasure: u32, at: UtcMillis },
    /// The keys that follow came with this file, by this person; it stands where [`Self::Delivery`] did.
    Brought { at: UtcMillis, person: String, source: String },
    /// Telegrams that are heard of the meter from then on are refused.
    Retired { number: MeterNumber, from: UtcMillis, at: UtcMillis, person: String },
    /// A new encryption key for a meter, until a telegram has opened under it.
    Rekey { number: MeterNumber, at: UtcMillis, person: String, sealed: Vec<u8> },
    /// The meter has taken it, as a telegram heard then shows.
    Rekeyed { number: MeterNumber, heard: UtcMillis, at: UtcMillis },
    /// A key has shown itself right; with the bit of DLMS where it is that of a port.
    Proven { number: MeterNumber, at: UtcMillis },
    /// When and by whom a key was marked exposed, beside [`Self::Exposed`].
    ExposedBy { number: MeterNumber, at: UtcMillis, person: String },
}

fn text(bytes: &[u8]) -> Result<String, Malformed> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Malformed)
}

impl Record {
    /// What in it is a key or a root, and the place that it is sealed to.
    pub(super) fn sealed(&mut self) -> Option<(Place, &mut Vec<u8>)> {
        match self {
            Self::Key { number, role, sealed, .. } => {
                Some((Place::meter_key(number.as_bytes(), role), sealed))
            }
            Self::Rekey { number, sealed, .. } => Some((Place::meter_key(number.as_bytes(), NEXT), sealed)),
            Self::Tenancy { tenancy, sealed } => Some((Place::tenancy_root(*tenancy), sealed)),
            Self::Period { class, month, sealed } => Some((Place::period_root(*class, *month), sealed)),
            Self::Held { hold, series, sealed } => Some((series.place(*hold), sealed)),
            _ => None,
        }
    }

    /// Whether it tells of the life of a key.
    pub(super) const fn is_of_life(&self) -> bool {
        matches!(
            self,
            Self::Retired { .. }
                | Self::Rekey { .. }
                | Self::Rekeyed { .. }
                | Self::Proven { .. }
                | Self::ExposedBy { .. }
        )
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut into = Vec::with_capacity(128);
        match self {
            Self::Key { number, meter, role, sealed, decoy } => {
                into.push(if *decoy { 10 } else { 1 });
                into.extend_from_slice(number.as_bytes());
                into.extend_from_slice(&meter.0.to_le_bytes());
                put_bytes(&mut into, role.as_bytes());
                put_bytes(&mut into, sealed);
            }
            Self::Tenancy { tenancy, sealed } => {
                into.push(2);
                into.extend_from_slice(&tenancy.0);
                put_bytes(&mut into, sealed);
            }
            Self::Span { tenancy, meter, span } => {
                into.push(3);
                into.extend_from_slice(&tenancy.0);
                into.extend_from_slice(&meter.0.to_le_bytes());
                into.extend_from_slice(&span.from.0.to_le_bytes());
                into.push(u8::from(span.until.is_some()) | u8::from(span.vacant) << 1);
                span.until.into_iter().for_each(|until| into.extend_from_slice(&until.0.to_le_bytes()));
            }
            Self::Area { meter, area } => {
                into.push(24);
                into.extend_from_slice(&meter.0.to_le_bytes());
                put_bytes(&mut into, area.as_ref().map_or("", Area::as_str).as_bytes());
            }
            Self::Period { class, month, sealed } => {
                into.push(4);
                into.push(class.code());
                into.extend_from_slice(&month.number().to_le_bytes());
                put_bytes(&mut into, sealed);
            }
            Self::Delivery { at, source } => {
                into.push(6);
                into.extend_from_slice(&at.0.to_le_bytes());
                put_bytes(&mut into, source.as_bytes());
            }
            Self::Brought { at, person, source } => {
                into.push(11);
                into.extend_from_slice(&at.0.to_le_bytes());
                put_bytes(&mut into, person.as_bytes());
                put_bytes(&mut into, source.as_bytes());
            }
            Self::Retired { number, from, at, person } => {
                into.push(12);
                into.extend_from_slice(number.as_bytes());
                into.extend_from_slice(&from.0.to_le_bytes());
                into.extend_from_slice(&at.0.to_le_bytes());
                put_bytes(&mut into, person.as_bytes());
            }
            Self::Rekey { number, at, person, sealed } => {
                into.push(13);
                into.extend_from_slice(number.as_bytes());
                into.extend_from_slice(&at.0.to_le_bytes());
                put_bytes(&mut into, person.as_bytes());
                put_bytes(&mut into, sealed);
            }
            Self::Rekeyed { number, heard, at } => {
                into.push(14);
                into.extend_from_slice(number.as_bytes());
                into.extend_from_slice(&heard.0.to_le_bytes());
                into.extend_from_slice(&at.0.to_le_bytes());
            }
            Self::Proven { number, at } => {
                into.push(15);
                into.extend_from_slice(number.as_bytes());
                into.extend_from_slice(&at.0.to_le_bytes());
            }
            Self::ExposedBy { number, at, person } => {
                into.push(16);
                into.extend_from_slice(number.as_bytes());
                into.extend_from_slice(&at.0.to_le_bytes());
                put_bytes(&mut into, person.as_bytes());
            }
            Self::Exposed { number } => {
                into.push(5);
                into.extend_from_slice(number.as_bytes());
            }
            Self::Gone => into.push(7),
            Self::ErasedTenancy { tenancy } => {
                into.push(8);
                into.extend_from_slice(&tenancy.0);
            }
            Self::ErasedPeriod { class, month } => {
                into.push(9);
                into.push(class.code());
                into.extend_from_slice(&month.number().to_le_bytes());
            }
            Self::Hold { hold, scope } => {
                into.push(20);
                into.extend_from_slice(&hold.to_le_bytes());
                into.extend_from_slice(&scope.first.number().to_le_bytes());
                into.extend_from_slice(&scope.last.number().to_le_bytes());
                put_varint(&mut into, scope.tenancies.len() as u64);
                scope.tenancies.iter().for_each(|tenancy| into.extend_from_slice(&tenancy.0));
            }
            Self::Held { hold, series, sealed } => {
                into.push(21);
                into.extend_from_slice(&hold.to_le_bytes());
                into.extend_from_slice(&series.meter.0.to_le_bytes());
                into.extend_from_slice(&series.tenancy.0);
                into.push(series.class.code());
                into.extend_from_slice(&series.month.number().to_le_bytes());
                put_bytes(&mut into, sealed);
            }
            Self::Lifted { hold } => {
                into.push(22);
                into.extend_from_slice(&hold.to_le_bytes());
            }
            Self::Erasure { erasure, at } => {
                into.push(23);
                into.extend_from_slice(&erasure.to_le_bytes());
                into.extend_from_slice(&at.0.to_le_bytes());
            }
        }
        into
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::of(bytes);
        let record = match fields.byte()? {
            code @ (1 | 10) => Self::Key {
                decoy: code == 10,
                number: MeterNumber(fields.array()?),
                meter: MeterId(fields.u32()?),
                role: String::from_utf8(fields.bytes()?.to_vec()).map_err(|_| Malformed)?,
                sealed: fields.bytes()?.to_vec(),
            },
            2 => Self::Tenancy { tenancy: TenancyId(fields.array()?), sealed: fields.bytes()?.to_vec() },
            3 => {
                let (tenancy, meter) = (TenancyId(fields.array()?), MeterId(fields.u32()?));
                let from = UtcMillis(fields.i64()?);
                let flags = fields.byte()?;
                let until = if flags & 1 == 0 { None } else { Some(UtcMillis(fields.i64()?)) };
                Self::Span { tenancy, meter, span: Span { from, until, vacant: flags & 2 != 0 } }
            }
            4 => {
                let (class, month) = period(&mut fields)?;
                Self::Period { class, month, sealed: fields.bytes()?.to_vec() }
            }
            5 => Self::Exposed { number: MeterNumber(fields.array()?) },
            6 => Self::Delivery {
                at: UtcMillis(fields.i64()?),
                source: String::from_utf8(fields.bytes()?.to_vec()).map_err(|_| Malformed)?,
            },
            7 => Self::Gone,
            8 => Self::ErasedTenancy { tenancy: TenancyId(fields.array()?) },
            9 => {
                let (class, month) = period(&mut fields)?;
                Self::ErasedPeriod { class, month }
            }
            20 => {
                let (hold, first, last) = (fields.u32()?, month(&mut fields)?, month(&mut fields)?);
                let count = fields.count(16)?;
                let tenancies =
                    (0..count).map(|_| fields.array().map(TenancyId)).collect::<Result<_, _>>()?;
                Self::Hold { hold, scope: Hold { tenancies, first, last } }
            }
            21 => {
                let (hold, meter) = (fields.u32()?, MeterId(fields.u32()?));
                let tenancy = TenancyId(fields.array()?);
                let (class, month) = period(&mut fields)?;
                let series = HeldSeries { meter, tenancy, class, month };
                Self::Held { hold, series, sealed: fields.bytes()?.to_vec() }
            }
            22 => Self::Lifted { hold: fields.u32()? },
            23 => Self::Erasure { erasure: fields.u32()?, at: UtcMillis(fields.i64()?) },
            24 => {
                let (meter, area) = (MeterId(fields.u32()?), text(fields.bytes()?)?);
                let area = Some(area).filter(|area| !area.is_empty()).map(|area| area.parse());
                Self::Area { meter, area: area.transpose().map_err(|_| Malformed)? }
            }
            11 => Self::Brought {
                at: UtcMillis(fields.i64()?),
                person: text(fields.bytes()?)?,
                source: text(fields.bytes()?)?,
            },
            12 => Self::Retired {
                number: MeterNumber(fields.array()?),
                from: UtcMillis(fields.i64()?),
                at: UtcMillis(fields.i64()?),
                person: text(fields.bytes()?)?,
            },
            13 => Self::Rekey {
                number: MeterNumber(fields.array()?),
                at: UtcMillis(fields.i64()?),
                person: text(fields.bytes()?)?,
                sealed: fields.bytes()?.to_vec(),
            },
            14 => Self::Rekeyed {
                number: MeterNumber(fields.array()?),
                heard: UtcMillis(fields.i64()?),
                at: UtcMillis(fields.i64()?),
            },
            15 => Self::Proven { number: MeterNumber(fields.array()?), at: UtcMillis(fields.i64()?) },
            16 => Self::ExposedBy {
                number: MeterNumber(fields.array()?),
                at: UtcMillis(fields.i64()?),
                person: text(fields.bytes()?)?,
            },
            _ => return Err(Malformed),
        };
        fields.end()?;
        Ok(record)
    }
}

fn month(fields: &mut Fields<'_>) -> Result<Month, Malformed> {
    Ok(Month::from_number(fields.u32()?))
}

fn period(fields: &mut Fields<'_>) -> Result<(Class, Month), Malformed> {
    Ok((Class::from_code(fields.byte()?).ok_or(Malformed)?, month(fields)?))
}
