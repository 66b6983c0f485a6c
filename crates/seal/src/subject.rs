//! Data subjects in the log: tags that stand for them, and what an entry says of one of them alone.
//!
//! A tag comes of the tenancy's root alone: whoever has no root cannot tell whose it
//! is, and when the root is dropped nobody can any more, however many copies of the log there are (decision record 0033).

use base::{Secret, TenancyId};

use crate::{Place, SealError, aead, derive};

const LABEL: &str = "meterkeep/subject-tag/1";
const BODY_KEY_LABEL: &str = "meterkeep/log-body-key/1";
const BODY_LABEL: &str = "meterkeep/log-body/1";
/// The generation of the roots that the keys are derived from.
const TERM: u32 = 1;

/// Bytes of a tag.
pub const TAG_LEN: usize = 16;

/// The tag of a tenancy.
#[must_use]
pub fn tag(tenancy_root: &Secret<32>, tenancy: TenancyId) -> [u8; TAG_LEN] {
    let derived = derive::labelled(tenancy_root, LABEL, &[&tenancy.0]);
    derived.expose().first_chunk().copied().unwrap_or_default()
}

/// The key of bodies of a tenancy that say this id: each id has another one, so that who may seal now opens nothing from before.
#[must_use]
pub fn body_key(tenancy_root: &Secret<32>, tenancy: TenancyId, id: &[u8; 16]) -> Secret<32> {
    derive::labelled(tenancy_root, BODY_KEY_LABEL, &[&tenancy.0, id])
}

fn body_place(tenancy: TenancyId, id: &[u8; 16], request: &[u8; 32]) -> Place {
    Place::new(BODY_LABEL).field(&tenancy.0).field(id).field(request)
}

/// Seals what an entry says of a tenancy's data subject alone, about one request (by its hash).
///
/// # Errors
/// [`SealError::NoRandomness`].
pub fn seal_body(
    key: &Secret<32>,
    tenancy: TenancyId,
    id: &[u8; 16],
    request: &[u8; 32],
    said: &[u8],
) -> Result<Vec<u8>, SealError> {
    aead::seal(key, TERM, &body_place(tenancy, id, request), said)
}

/// Opens what was sealed for this tenancy, about this request.
///
/// # Errors
/// [`SealError::Form`] or [`SealError::DoesNotOpen`].
pub fn open_body(
    key: &Secret<32>,
    tenancy: TenancyId,
    id: &[u8; 16],
    request: &[u8; 32],
    sealed: &[u8],
) -> Result<Vec<u8>, SealError> {
    aead::open(key, &body_place(tenancy, id, request), sealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_opens_for_its_tenancy_id_and_request_alone() {
        let (root, tenancy, id, request) = (Secret::new([7; 32]), TenancyId([1; 16]), [2; 16], [3; 32]);
        let key = body_key(&root, tenancy, &id);
        let sealed = seal_body(&key, tenancy, &id, &request, b"meter KAM-90000001").unwrap();
        assert_eq!(open_body(&key, tenancy, &id, &request, &sealed).unwrap(), b"meter KAM-90000001");
        assert!(!sealed.windows(3).any(|w| w == b"KAM"), "nothing is in clear");
        assert_ne!(
            sealed,
            seal_body(&key, tenancy, &id, &request, b"meter KAM-90000001").unwrap(),
            "it is salted"
        );
        let (other, another) = (TenancyId([9; 16]), [9; 16]);
        for (key, tenancy, id, request) in [
            (body_key(&root, tenancy, &another), tenancy, &id, [3; 32]),
            (body_key(&root, other, &id), tenancy, &id, [3; 32]),
            (body_key(&Secret::new([8; 32]), tenancy, &id), tenancy, &id, [3; 32]),
            (body_key(&root, tenancy, &id), other, &id, [3; 32]),
            (body_key(&root, tenancy, &id), tenancy, &another, [3; 32]),
            (body_key(&root, tenancy, &id), tenancy, &id, [4; 32]),
        ] {
            assert!(open_body(&key, tenancy, id, &request, &sealed).is_err());
        }
    }

    #[test]
    fn a_tag_is_of_one_tenancy_under_one_root_and_is_no_part_of_another_key() {
        let (root, tenancy) = (Secret::new([7; 32]), TenancyId([1; 16]));
        assert_eq!(tag(&root, tenancy), tag(&root, tenancy));
        assert_ne!(tag(&root, tenancy), tag(&root, TenancyId([2; 16])));
        assert_ne!(tag(&root, tenancy), tag(&Secret::new([8; 32]), tenancy));
        let contact = crate::contact::key(&root, tenancy);
        assert!(!contact.expose().windows(TAG_LEN).any(|part| part == tag(&root, tenancy)));
    }
}
