//! Opening application units of DLMS: whose the title says it is, the keys of that meter, and what freshness needs.

use base::UtcMillis;
use seal::meter::Mode;
use seal::meter::dlms::{self, Header, OpenError};
use wire::vault::{Security, Verdict};

use crate::MeterNumber;
use crate::decrypt::Hasher;
use crate::fresh::{Order, Outcome, Pin, Presented, Secs};
use crate::keys::{KeyRing, UnitKeys};

/// Opens a unit at the end of `bytes`, which stay as they were where it does not open.
pub(crate) fn open(
    (radio_keys, keys): (&KeyRing, &UnitKeys),
    hasher: &Hasher,
    unit: &[u8],
    heard: UtcMillis,
    bytes: &mut Vec<u8>,
) -> (Presented, Option<Security>) {
    let at = Secs::of(heard);
    let begin = bytes.len();
    let refused = |number, verdict| {
        let presented =
            Presented { hash: hasher.of(&[unit]), number, at, outcome: Outcome::Refused(verdict) };
        (presented, None)
    };
    let Ok(header) = Header::read(unit) else { return refused(MeterNumber([0; 6]), Verdict::Damaged) };
    // a title that no register can hold has no key either
    let Some(address) = header.title.address() else { return refused(MeterNumber([0; 6]), Verdict::NoKey) };
    let number = MeterNumber::of(&address);
    bytes.extend_from_slice(unit);
    let copy = bytes.get_mut(begin..).unwrap_or_default();
    let opened = if header.is_clear() {
        clear((radio_keys, keys), number, copy, &header)
    } else {
        open_one(keys, number, copy, &header)
    };
    match opened {
        Ok((outcome, security)) => {
            // all of it came from the meter: no repeater changes bits of a unit
            let hash = hasher.of(&[number.as_bytes(), unit]);
            (Presented { hash, number: number.of_units(), at, outcome }, Some(security))
        }
        Err(verdict) => {
            bytes.truncate(begin);
            refused(number.of_units(), verdict)
        }
    }
}

/// A unit whose head names its meter and no protection: as a telegram in clear, believed of no meter that has a key of
/// any kind, and of others at most as its register says.
fn clear(
    (radio_keys, keys): (&KeyRing, &UnitKeys),
    number: MeterNumber,
    unit: &[u8],
    header: &Header,
) -> Result<(Outcome, Security), Verdict> {
    if keys.get(number).is_some() || radio_keys.get(number).is_some() {
        return Err(Verdict::ClearRefused);
    }
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let (from, to) = (offset(header.payload.start), offset(unit.len()));
    // its counter proves nothing and is no access number that meters count with
    let [.., hint] = header.counter.to_be_bytes();
    let security = Security { mode: 0, check: 0, counter: None, from, to };
    Ok((Outcome::Verified(Order::Hint(hint), None), security))
}

fn open_one(
    keys: &UnitKeys,
    number: MeterNumber,
    unit: &mut [u8],
    header: &Header,
) -> Result<(Outcome, Security), Verdict> {
    header.protection().map_err(|_| Verdict::UnsupportedMode)?;
    let keys = keys.get(number).ok_or(Verdict::NoKey)?;
    let protection = dlms::open(unit, &keys, header).map_err(|error| match error {
        OpenError::TagMismatch => Verdict::MacMismatch,
        OpenError::WrongKey | OpenError::KeyLength { .. } => Verdict::WrongKey,
        OpenError::NoAuthenticationKey => Verdict::NoKey,
        OpenError::TagMissing => Verdict::Downgrade,
        OpenError::Damaged(_) => Verdict::Damaged,
        OpenError::Unsupported(_) => Verdict::UnsupportedMode,
    })?;
    let authentic = protection.authenticated();
    // without a tag anybody could move the counter far ahead, so it may not outrun the time
    let order = if authentic { Order::Counter(header.counter) } else { Order::WeakCounter(header.counter) };
    let pin = Pin { mode: Mode::Dlms(protection), clear_tail: false };
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let security = Security {
        mode: 512 + u32::from(protection.code()),
        check: if authentic { 2 } else { 0 },
        counter: Some(header.counter),
        from: offset(header.payload.start),
        to: offset(header.payload.end),
    };
    Ok((Outcome::Verified(order, Some(pin)), security))
}
