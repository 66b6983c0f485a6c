//! What the table's journal holds.

use base::{Class, MeterId, Month, TenancyId, UtcMillis};

use super::tenancies::Span;
use crate::MeterNumber;
use crate::codec::{Fields, Malformed, put_bytes};

/// One change to the table. Keys and roots in it are sealed to their own place once more, so that a record says
/// whom it belongs to only to who holds the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// A meter's key.
    Key { number: MeterNumber, meter: MeterId, role: String, sealed: Vec<u8> },
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
    /// The key that follows is a decoy's. As long as [`Self::Exposed`], so that the journal's lengths do not tell.
    Decoy { number: MeterNumber },
}

impl Record {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut into = Vec::with_capacity(128);
        match self {
            Self::Key { number, meter, role, sealed } => {
                into.push(1);
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
            Self::Decoy { number } => {
                into.push(10);
                into.extend_from_slice(number.as_bytes());
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
            1 => Self::Key {
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
            10 => Self::Decoy { number: MeterNumber(fields.array()?) },
            _ => return Err(Malformed),
        };
        fields.end()?;
        Ok(record)
    }
}
