//! Keys from keys: HKDF-SHA256 with a label and fields whose lengths are part of the input.

use base::{Class, MeterId, Month, Secret, TenancyId};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Place;

/// A 32-byte key from a root. The label names project, use and version, as in `meterkeep/link/1`.
#[must_use]
pub fn labelled(root: &Secret<32>, label: &'static str, fields: &[&[u8]]) -> Secret<32> {
    let info = fields.iter().fold(Place::new(label), |info, field| info.field(field));
    expand(root.expose(), &info)
}

/// The data key of one series: needs the tenancy's root and the period's, so that dropping either one
/// makes the readings unreadable (erasure of a person, end of retention).
#[must_use]
pub fn data_key(
    tenancy_root: &Secret<32>,
    period_root: &Secret<32>,
    meter: MeterId,
    tenancy: TenancyId,
    class: Class,
    month: Month,
) -> Secret<32> {
    let mut roots = Zeroizing::new([0; 64]);
    let (first, second) = roots.split_at_mut(32);
    first.copy_from_slice(tenancy_root.expose());
    second.copy_from_slice(period_root.expose());
    let info = Place::new("meterkeep/data-key/1")
        .field(&meter.0.to_le_bytes())
        .field(&tenancy.0)
        .field(&[class.code()])
        .field(&month.number().to_le_bytes());
    expand(roots.as_slice(), &info)
}

fn expand(input: &[u8], info: &Place) -> Secret<32> {
    let mut key = Zeroizing::new([0; 32]);
    let expanded =
        Hkdf::<Sha256>::new(Some(b"meterkeep/hkdf/1"), input).expand(info.as_bytes(), key.as_mut_slice());
    debug_assert!(expanded.is_ok(), "32 bytes are far below the limit of 255 hashes");
    Secret::new(*key)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_part_of_a_series_changes_the_key() {
        let key = |t: u8, p: u8, m: u32, id: u8, class, month| {
            let roots = (Secret::new([t; 32]), Secret::new([p; 32]));
            let month = Month::from_number(month);
            *data_key(&roots.0, &roots.1, MeterId(m), TenancyId([id; 16]), class, month).expose()
        };
        let all = [
            key(1, 2, 3, 4, Class::Daily, 5),
            key(2, 1, 3, 4, Class::Daily, 5),
            key(9, 2, 3, 4, Class::Daily, 5),
            key(1, 9, 3, 4, Class::Daily, 5),
            key(1, 2, 9, 4, Class::Daily, 5),
            key(1, 2, 3, 9, Class::Daily, 5),
            key(1, 2, 3, 4, Class::Fine, 5),
            key(1, 2, 3, 4, Class::Daily, 6),
        ];
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert_eq!(all[0], key(1, 2, 3, 4, Class::Daily, 5), "derivation is stable");
    }

    /// HKDF by hand from HMAC, so that a change of a library or of the layout is seen: stored readings
    /// depend on these very bytes.
    #[test]
    fn the_derivation_is_hkdf_over_the_documented_bytes() {
        use hkdf::hmac::{Hmac, KeyInit as _, Mac as _};
        let hmac = |key: &[u8], parts: &[&[u8]]| -> Vec<u8> {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
            parts.iter().for_each(|p| mac.update(p));
            mac.finalize().into_bytes().to_vec()
        };
        let field = |bytes: &[u8]| [&(bytes.len() as u64).to_le_bytes()[..], bytes].concat();
        let info = [b"P".to_vec(), field(b"meterkeep/test/1"), field(b"one"), field(b"")].concat();
        let pseudo_random_key = hmac(b"meterkeep/hkdf/1", &[&[8; 32]]);
        let by_hand = hmac(&pseudo_random_key, &[&info, &[1]]);
        let derived = labelled(&Secret::new([8; 32]), "meterkeep/test/1", &[b"one", b""]);
        assert_eq!(derived.expose().as_slice(), by_hand);
    }
}
