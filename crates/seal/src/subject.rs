//! Tags that stand for data subjects in the log. A tag comes of the tenancy's root alone: whoever has no root cannot tell whose it
//! is, and when the root is dropped nobody can any more, however many copies of the log there are (decision record 0033).

use base::{Secret, TenancyId};

use crate::derive;

const LABEL: &str = "meterkeep/subject-tag/1";

/// Bytes of a tag.
pub const TAG_LEN: usize = 16;

/// The tag of a tenancy.
#[must_use]
pub fn tag(tenancy_root: &Secret<32>, tenancy: TenancyId) -> [u8; TAG_LEN] {
    let derived = derive::labelled(tenancy_root, LABEL, &[&tenancy.0]);
    derived.expose().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

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
