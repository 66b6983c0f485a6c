//! The list of keys that a receiver gets, and the container around it.

use base::{Secret, UtcMillis};
use envelope::{age, cms};
use seal::derive;
use seal::sign::Signer;
use sha2::{Digest, Sha256};
use wire::Refused;
use wire::custody::{ACKNOWLEDGEMENT_KEY, HANDOVER_INFO};
use zeroize::{Zeroize as _, Zeroizing};

use super::state::ReceivingKey;
use crate::MeterNumber;
use crate::table::Content;

/// The header, which `meterkeep keys import` understands, too.
const HEADER: &str = "manufacturer;serial;key;guek;gak;handover\r\n";
/// Room for a line: keys of 32 bytes and a reference.
const LINE: usize = 320;

/// A key in hexadecimal, within the room that is there.
fn push_hex(into: &mut Vec<u8>, bytes: &[u8]) {
    let from = into.len();
    into.resize(from + 2 * bytes.len(), 0);
    // the room was just made
    let _ = hex::encode_to_slice(bytes, into.get_mut(from..).unwrap_or_default());
}

/// Reads a meter's name, as `KAM-12345678`.
pub(super) fn meter(name: &str) -> Result<MeterNumber, Refused> {
    let parts = name.split_once('-').and_then(|(maker, serial)| MeterNumber::from_parts(maker, serial));
    parts
        .ok_or_else(|| Refused::new("no-meter", format!("`{name}` names no meter; write it as KAM-12345678")))
}

/// Every meter must have a key: the refusal names those that have none.
pub(super) fn all_have_keys(content: &Content, meters: &[String]) -> Result<(), Refused> {
    let mut without = Vec::new();
    for name in meters {
        let number = meter(name)?;
        if content.keys.get(number).is_none() && content.units.get(number).is_none() {
            without.push(name.as_str());
        }
    }
    if without.is_empty() {
        return Ok(());
    }
    let named = without.iter().take(10).copied().collect::<Vec<_>>().join(", ");
    let more = without.len().saturating_sub(10);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(Refused::new("no-key", format!("the vault has no key of {named}{more}; ask without them")))
}

/// A line a meter: maker, serial, its keys, and a reference that is new with each hand-over, so that no list can be
/// guessed from its keys alone. Decoys are left out.
pub(super) fn write(
    content: &Content,
    meters: &[String],
    reference: &str,
) -> Result<Zeroizing<Vec<u8>>, Refused> {
    all_have_keys(content, meters)?;
    // as long as it will get, so that growing leaves no copy behind
    let mut list = Zeroizing::new(Vec::with_capacity(HEADER.len() + meters.len() * LINE));
    list.extend_from_slice(HEADER.as_bytes());
    for name in meters {
        let number = meter(name)?;
        // a decoy's key never goes out, not even to whom officers named
        if content.decoys.has(number) {
            continue;
        }
        let (maker, serial) = name.split_once('-').unwrap_or((name, ""));
        [maker, ";", serial, ";"].iter().for_each(|part| list.extend_from_slice(part.as_bytes()));
        push_hex(&mut list, content.keys.get(number).map_or(&[], |key| key.as_slice()));
        list.push(b';');
        let units = content.units.get(number);
        push_hex(&mut list, units.as_ref().map_or(&[], |keys| keys.encryption));
        list.push(b';');
        push_hex(&mut list, units.and_then(|keys| keys.authentication).unwrap_or_default());
        list.push(b';');
        list.extend_from_slice(reference.as_bytes());
        list.extend_from_slice(b"\r\n");
    }
    Ok(list)
}

/// SHA-256 of a list.
pub(super) fn hash(list: &[u8]) -> [u8; 32] {
    Sha256::digest(list).into()
}

/// What the receiver signs its acknowledgement with: whoever has the list can make it, and nobody else.
pub(super) fn receivers_signer(list_hash: [u8; 32]) -> Signer {
    Signer::from_seed(&derive::labelled(&Secret::new(list_hash), ACKNOWLEDGEMENT_KEY, &[]))
}

/// Seals a list to its receiver. For a certificate or a machine the house signs it first; age knows no sender.
pub(super) fn enclose(
    list: &[u8],
    to: &ReceivingKey,
    house: &cms::Signer,
    now: UtcMillis,
) -> Result<Vec<u8>, Refused> {
    let failed = |error: &dyn std::fmt::Display| {
        Refused::new("not-sealed", format!("the list cannot be sealed to its receiver: {error}"))
    };
    let signed = || house.sign(list, now).map(Zeroizing::new).map_err(|e| failed(&e));
    match to {
        ReceivingKey::Certificate { recipient, .. } => {
            cms::seal(&signed()?, std::slice::from_ref(recipient.as_ref())).map_err(|e| failed(&e))
        }
        ReceivingKey::Age(key) => age::seal(list, key).map_err(|e| failed(&e)),
        ReceivingKey::Machine(key) => {
            let mut plain = signed()?;
            let sealed = key.seal_to(HANDOVER_INFO, &[], &plain).map_err(|e| failed(&e))?;
            plain.zeroize();
            Ok(sealed.to_vec())
        }
    }
}
