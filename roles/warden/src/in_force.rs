//! The policies that decide now, under the name that the log knows them by.

use std::ops::Deref;

use policy::Policies;
use sha2::{Digest, Sha256};

/// Policies with their version. A decision that is in the log names it, so that it can be made again later with the same ones.
pub(crate) struct InForce {
    policies: Policies,
    hash: [u8; 8],
    version: String,
}

impl InForce {
    pub(crate) fn new(policies: Policies) -> Self {
        let hash: [u8; 32] = Sha256::digest(policies.text()).into();
        let hash = *hash.first_chunk().unwrap_or(&[0; 8]);
        Self { policies, hash, version: hex::encode(hash) }
    }

    /// The first eight bytes of SHA-256 of their text.
    pub(crate) const fn hash(&self) -> [u8; 8] {
        self.hash
    }

    /// The same, as people see it.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }
}

impl Deref for InForce {
    type Target = Policies;

    fn deref(&self) -> &Policies {
        &self.policies
    }
}

#[cfg(test)]
mod tests {
    use policy::Catalogue;

    use super::*;

    #[test]
    fn the_same_policies_have_the_same_version_and_others_another() {
        let of = |text: &str| InForce::new(Policies::compile(Catalogue::parse(text).unwrap()).unwrap());
        let text = Catalogue::built_in_text();
        assert_eq!(of(text).version(), of(text).version());
        assert_eq!(of(text).version().len(), 16);
        // a title decides nothing
        assert_eq!(of(&text.replace("en = \"Billing\"", "en = \"Bills\"")).version(), of(text).version());
        let wider = text.replacen("[roles.auditor]", "[roles.auditor-2]", 1);
        assert_ne!(of(&wider).version(), of(text).version());
    }
}
