//! A contact under a key of its tenancy alone: no class, no month and no period's root is in it, so that no grant for readings
//! ever leads to a name, and dropping the tenancy's root makes the name unreadable with the readings (decision record 0023).

use base::{Secret, SecretBytes, TenancyId};
use sha2::{Digest as _, Sha256};

use crate::{Place, SealError, aead, derive};

const KEY_LABEL: &str = "meterkeep/contact-key/1";
const PLACE_LABEL: &str = "meterkeep/contact/1";
const BESIDE_LABEL: &[u8] = b"meterkeep/contacts-beside/1";
/// The generation of the roots that the keys are derived from.
const TERM: u32 = 1;

/// The key of a tenancy's contact.
#[must_use]
pub fn key(tenancy_root: &Secret<32>, tenancy: TenancyId) -> Secret<32> {
    derive::labelled(tenancy_root, KEY_LABEL, &[&tenancy.0])
}

fn place(tenancy: TenancyId, version: u32) -> Place {
    Place::new(PLACE_LABEL).field(&tenancy.0).field(&version.to_le_bytes())
}

/// Seals a contact for one tenancy, as the version that it is of it.
///
/// # Errors
/// [`SealError::NoRandomness`].
pub fn seal(
    key: &Secret<32>,
    tenancy: TenancyId,
    version: u32,
    contact: &SecretBytes,
) -> Result<Vec<u8>, SealError> {
    aead::seal(key, TERM, &place(tenancy, version), contact.expose())
}

/// Opens what was sealed for this tenancy as this version.
///
/// # Errors
/// [`SealError::Form`] or [`SealError::DoesNotOpen`].
pub fn open(
    key: &Secret<32>,
    tenancy: TenancyId,
    version: u32,
    sealed: &[u8],
) -> Result<SecretBytes, SealError> {
    aead::open(key, &place(tenancy, version), sealed).map(SecretBytes::new)
}

/// What a signed request says of contacts that travel beside it. They hold 32 random bytes, so that it says nothing of them.
#[must_use]
pub fn digest_beside(contacts: &[u8]) -> [u8; 32] {
    Sha256::new_with_prefix(BESIDE_LABEL).chain_update(contacts).finalize().into()
}

#[cfg(test)]
mod tests {
    use base::{Class, MeterId, Month};

    use super::*;

    const A: TenancyId = TenancyId([1; 16]);
    const B: TenancyId = TenancyId([2; 16]);

    #[test]
    fn a_contact_opens_for_its_tenancy_and_version_alone() {
        let root = Secret::new([7; 32]);
        let name = SecretBytes::new("Åse Østergård".as_bytes().to_vec());
        let sealed = seal(&key(&root, A), A, 3, &name).unwrap();
        assert_eq!(open(&key(&root, A), A, 3, &sealed).unwrap().expose(), name.expose());
        assert!(!sealed.windows(4).any(|w| name.expose().windows(4).any(|n| n == w)), "nothing is in clear");
        for (with, tenancy, version) in [
            (key(&root, A), A, 2),
            (key(&root, A), B, 3),
            (key(&root, B), A, 3),
            (key(&root, B), B, 3),
            (key(&Secret::new([8; 32]), A), A, 3),
        ] {
            assert!(open(&with, tenancy, version, &sealed).is_err(), "{tenancy} {version}");
        }
        let mut changed = sealed.clone();
        if let Some(last) = changed.last_mut() {
            *last ^= 1;
        }
        assert!(open(&key(&root, A), A, 3, &changed).is_err());
        assert!(open(&key(&root, A), A, 3, &sealed[..20]).is_err());
    }

    #[test]
    fn no_data_key_is_the_key_of_a_contact() {
        let root = Secret::new([7; 32]);
        for class in Class::ALL {
            let month = Month::from_number(24_000);
            let data = derive::data_key(&root, &Secret::new([7; 32]), MeterId(1), A, class, month);
            assert_ne!(data.expose(), key(&root, A).expose());
        }
    }

    #[test]
    fn what_is_beside_a_request_is_bound_to_it() {
        assert_eq!(digest_beside(b"ab"), digest_beside(b"ab"));
        assert_ne!(digest_beside(b"ab"), digest_beside(b"ac"));
    }
}
