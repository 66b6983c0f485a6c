//! What is remembered of a meter across restarts: its history, sealed by intake, opaque to the store.

use base::{Decimal, MeterId, Secret};
use prost::Message;
use seal::{Place, SealError, aead};

use crate::judge::{Challenge, History, Register};

/// A history as it is sealed.
#[derive(Clone, PartialEq, prost::Message)]
struct Kept {
    #[prost(sint64, tag = "1")]
    newest: i64,
    #[prost(sint64, optional, tag = "2")]
    offset: Option<i64>,
    #[prost(message, repeated, tag = "3")]
    registers: Vec<KeptRegister>,
    #[prost(message, optional, tag = "4")]
    challenge: Option<KeptChallenge>,
    #[prost(uint32, tag = "5")]
    status: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct KeptRegister {
    #[prost(fixed32, tag = "1")]
    id: u32,
    #[prost(sint64, tag = "2")]
    mantissa: i64,
    #[prost(sint32, tag = "3")]
    exponent: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct KeptChallenge {
    #[prost(sint64, tag = "1")]
    since: i64,
    #[prost(uint32, tag = "2")]
    seen: u32,
    #[prost(sint64, optional, tag = "3")]
    offset: Option<i64>,
    #[prost(message, optional, tag = "4")]
    register: Option<KeptRegister>,
}

impl From<&Register> for KeptRegister {
    fn from(r: &Register) -> Self {
        Self { id: r.id, mantissa: r.value.mantissa, exponent: i32::from(r.value.exponent) }
    }
}

impl KeptRegister {
    fn out(&self) -> Option<Register> {
        let exponent = i8::try_from(self.exponent).ok()?;
        Some(Register { id: self.id, value: Decimal::new(self.mantissa, exponent) })
    }
}

fn place(meter: MeterId) -> Place {
    Place::new("meterkeep/meter-state/1").field(&meter.0.to_le_bytes())
}

/// Seals a meter's history under intake's own key.
///
/// # Errors
/// When the operating system gives no randomness.
pub(crate) fn seal(key: &Secret<32>, meter: MeterId, history: &History) -> Result<Vec<u8>, SealError> {
    let kept = Kept {
        newest: history.newest,
        offset: history.offset,
        registers: history.registers.iter().flatten().map(KeptRegister::from).collect(),
        challenge: history.challenge.as_ref().map(|c| KeptChallenge {
            since: c.since,
            seen: u32::from(c.seen),
            offset: c.offset,
            register: c.register.as_ref().map(KeptRegister::from),
        }),
        status: u32::from(history.status),
    };
    aead::seal(key, 1, &place(meter), &kept.encode_to_vec())
}

/// Opens a history; `None` when it does not open or is malformed.
pub(crate) fn open(key: &Secret<32>, meter: MeterId, sealed: &[u8]) -> Option<History> {
    let kept = Kept::decode(aead::open(key, &place(meter), sealed).ok()?.as_slice()).ok()?;
    let mut history = History {
        newest: kept.newest,
        offset: kept.offset,
        status: u8::try_from(kept.status).ok()?,
        ..History::default()
    };
    for (slot, register) in history.registers.iter_mut().zip(&kept.registers) {
        *slot = Some(register.out()?);
    }
    if let Some(c) = kept.challenge {
        history.challenge = Some(Challenge {
            since: c.since,
            seen: u8::try_from(c.seen).ok()?,
            offset: c.offset,
            register: match c.register {
                Some(register) => Some(register.out()?),
                None => None,
            },
        });
    }
    Some(history)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_comes_back_whole_and_only_as_its_own_meters() {
        let register = |id| Some(Register { id, value: Decimal::new(-5, -3) });
        let history = History {
            newest: 1_795_000_000_000,
            offset: Some(-3600),
            registers: [register(7), register(u32::MAX), None, None],
            challenge: Some(Challenge { since: -1, seen: 200, offset: None, register: register(9) }),
            status: 255,
        };
        let key = Secret::new([3; 32]);
        for history in [history, History::default()] {
            let sealed = seal(&key, MeterId(5), &history).unwrap();
            assert_eq!(open(&key, MeterId(5), &sealed), Some(history));
            assert_eq!(open(&key, MeterId(6), &sealed), None);
            assert_eq!(open(&Secret::new([4; 32]), MeterId(5), &sealed), None);
        }
    }
}
