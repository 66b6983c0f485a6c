//! What was let out, as the journal of releases holds it.

use base::{MeterId, Month, UtcMillis};

use crate::codec::{Fields, Malformed, put_bytes, put_varint};

/// For whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum By {
    /// A person's question under a grant, through the archive.
    Reading { person: String, grant: [u8; 16] },
    /// Intake's sealing; the series of past months one by one.
    Sealing { late: Vec<(MeterId, Month)> },
    /// A job of the steward.
    Resealing,
    /// Decryption, reserved ahead: `keys` is how far, in tenths of a second of what meters send.
    Decrypting,
}

/// What was let out at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) at: UtcMillis,
    pub(crate) by: By,
    pub(crate) keys: u64,
    /// Different meters, ascending.
    pub(crate) meters: Vec<u32>,
}

impl Taken {
    pub(crate) fn encode(&self, into: &mut Vec<u8>) {
        into.push(match self.by {
            By::Reading { .. } => 1,
            By::Sealing { .. } => 2,
            By::Decrypting => 3,
            By::Resealing => 4,
        });
        into.extend_from_slice(&self.at.0.to_le_bytes());
        put_varint(into, self.keys);
        match &self.by {
            By::Reading { person, grant } => {
                put_bytes(into, person.as_bytes());
                into.extend_from_slice(grant);
            }
            By::Sealing { late } => {
                put_varint(into, late.len() as u64);
                for (meter, month) in late {
                    put_varint(into, u64::from(meter.0));
                    put_varint(into, u64::from(month.number()));
                }
            }
            By::Decrypting | By::Resealing => {}
        }
        put_varint(into, self.meters.len() as u64);
        let mut before = 0;
        for meter in &self.meters {
            put_varint(into, u64::from(meter.wrapping_sub(before)));
            before = *meter;
        }
    }

    pub(crate) fn decode(fields: &mut Fields<'_>) -> Result<Self, Malformed> {
        let small = |n: u64| u32::try_from(n).map_err(|_| Malformed);
        let kind = fields.byte()?;
        let at = UtcMillis(fields.i64()?);
        let keys = fields.varint()?;
        let by = match kind {
            1 => By::Reading {
                person: String::from_utf8(fields.bytes()?.to_vec()).map_err(|_| Malformed)?,
                grant: fields.array()?,
            },
            2 => {
                let count = fields.count(2)?;
                let one =
                    |_| Ok((MeterId(small(fields.varint()?)?), Month::from_number(small(fields.varint()?)?)));
                By::Sealing { late: (0..count).map(one).collect::<Result<_, _>>()? }
            }
            3 => By::Decrypting,
            4 => By::Resealing,
            _ => return Err(Malformed),
        };
        let count = fields.count(1)?;
        let mut before = 0u32;
        let mut next = || {
            before = before.wrapping_add(small(fields.varint()?)?);
            Ok(before)
        };
        let meters = (0..count).map(|_| next()).collect::<Result<_, _>>()?;
        Ok(Self { at, by, keys, meters })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_taken_comes_back(
            at: i64, keys: u64, kind in 0u8..4, person: String, grant: [u8; 16],
            late: Vec<(u32, u16)>, meters: Vec<u32>,
        ) {
            let by = match kind {
                0 => By::Reading { person, grant },
                1 => By::Sealing {
                    late: late.into_iter().map(|(m, n)| (MeterId(m), Month::from_number(n.into()))).collect(),
                },
                2 => By::Resealing,
                _ => By::Decrypting,
            };
            let taken = Taken { at: UtcMillis(at), by, keys, meters };
            let mut bytes = Vec::new();
            taken.encode(&mut bytes);
            let mut fields = Fields::of(&bytes);
            prop_assert_eq!(Taken::decode(&mut fields), Ok(taken));
            prop_assert_eq!(fields.end(), Ok(()));
        }

        #[test]
        fn garbage_is_refused(bytes: Vec<u8>) {
            let _ = Taken::decode(&mut Fields::of(&bytes));
        }
    }
}
