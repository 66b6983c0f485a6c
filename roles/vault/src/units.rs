//! Opening application units of DLMS: whose the title says it is, the keys of that meter, and what freshness needs.

use base::UtcMillis;
use seal::meter::Mode;
use seal::meter::dlms::{self, Header, OpenError};
use wire::vault::{Security, Verdict};

use crate::MeterNumber;
use crate::decrypt::Hasher;
use crate::fresh::{Order, Outcome, Pin, Presented, Secs};
use crate::keys::{KeyRing, UnitKeys};

/// Opens a unit at the end of `bytes`, which stay as they were where it does not open. Says, too, whether it shows that the
/// meter has taken its new key.
pub(crate) fn open(
    (radio_keys, keys): (&KeyRing, &UnitKeys),
    hasher: &Hasher,
    unit: &[u8],
    heard: UtcMillis,
    bytes: &mut Vec<u8>,
) -> (Presented, Option<Security>, bool) {
    let at = Secs::of(heard);
    let begin = bytes.len();
    let refused = |number, verdict| {
        let presented =
            Presented { hash: hasher.of(&[unit]), number, at, outcome: Outcome::Refused(verdict) };
        (presented, None, false)
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
        open_one(keys, number, copy, &header, heard)
    };
    match opened {
        Ok(Opened { outcome, security, generation, proves_new }) => {
            // all of it came from the meter: no repeater changes bits of a unit
            let hash = hasher.of(&[number.as_bytes(), unit]);
            let number = number.of_generation(generation);
            (Presented { hash, number, at, outcome }, Some(security), proves_new)
        }
        Err(verdict) => {
            bytes.truncate(begin);
            refused(number.of_generation(keys.generation(number)), verdict)
        }
    }
}

struct Opened {
    outcome: Outcome,
    security: Security,
    /// Of the key that it opened under.
    generation: u8,
    /// The meter has taken its new key.
    proves_new: bool,
}

/// A unit whose head names its meter and no protection: as a telegram in clear, believed of no meter that has a key of
/// any kind, and of others at most as its register says.
fn clear(
    (radio_keys, keys): (&KeyRing, &UnitKeys),
    number: MeterNumber,
    unit: &[u8],
    header: &Header,
) -> Result<Opened, Verdict> {
    if keys.get(number).is_some() || radio_keys.get(number).is_some() {
        return Err(Verdict::ClearRefused);
    }
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let (from, to) = (offset(header.payload.start), offset(unit.len()));
    // its counter proves nothing and is no access number that meters count with
    let [.., hint] = header.counter.to_be_bytes();
    let security = Security { mode: 0, check: 0, counter: None, from, to };
    let outcome = Outcome::Verified(Order::Hint(hint), None);
    Ok(Opened { outcome, security, generation: keys.generation(number), proves_new: false })
}

fn open_one(
    keys: &UnitKeys,
    number: MeterNumber,
    unit: &mut [u8],
    header: &Header,
    heard: UtcMillis,
) -> Result<Opened, Verdict> {
    header.protection().map_err(|_| Verdict::UnsupportedMode)?;
    let current = keys.get(number).ok_or(Verdict::NoKey)?;
    let mut generation = keys.generation(number);
    let mut proves_new = false;
    let mut opened = dlms::open(unit, &current, header);
    if matches!(opened, Err(OpenError::TagMismatch | OpenError::WrongKey)) {
        for (other, of, new) in keys.others(number, heard) {
            if let Ok(protection) = dlms::open(unit, &other, header) {
                // without a tag it may have opened by chance
                proves_new = new && protection.authenticated();
                (opened, generation) = (Ok(protection), of);
                break;
            }
        }
    }
    let protection = opened.map_err(|error| match error {
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
    Ok(Opened { outcome: Outcome::Verified(order, Some(pin)), security, generation, proves_new })
}
