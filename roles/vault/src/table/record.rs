//! What the table's journal holds.

use base::{Class, MeterId, Month, TenancyId, UtcMillis};

use super::tenancies::Span;
use crate::MeterNumber;
use crate::codec::{Fields, Malformed, put_bytes};

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
    /// The root of a class and month.
    Period { class: Class, month: Month, sealed: Vec<u8> },
    /// A meter's keys have been in plain text on their way; nothing takes that back.
    Exposed { number: MeterNumber },
    /// The keys that follow came with this file.
    Delivery { at: UtcMillis, source: String },
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
            4 => Self::Period {
                class: Class::from_code(fields.byte()?).ok_or(Malformed)?,
                month: Month::from_number(fields.u32()?),
                sealed: fields.bytes()?.to_vec(),
            },
            5 => Self::Exposed { number: MeterNumber(fields.array()?) },
            6 => Self::Delivery {
                at: UtcMillis(fields.i64()?),
                source: String::from_utf8(fields.bytes()?.to_vec()).map_err(|_| Malformed)?,
            },
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
