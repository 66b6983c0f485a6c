//! The hashes of RFC 6962 2.1: a leaf and an inner node can never be taken for each other.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// A SHA-256 hash of a leaf, a subtree or a whole tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// From exactly 32 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// From standard base64, which has to be the one spelling of 32 bytes.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        // 44 characters are 32 bytes; no longer text is worth decoding
        if text.len() != 44 {
            return None;
        }
        Self::from_slice(&STANDARD.decode(text).ok()?)
    }

    /// Standard base64, as checkpoints and proofs write it.
    #[must_use]
    pub fn to_base64(self) -> String {
        STANDARD.encode(self.0)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// The hash of a leaf: `SHA-256(0x00 || entry)`.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0]).chain_update(entry).finalize().into())
}

/// The hash of two subtrees: `SHA-256(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut input = [1; 65];
    let (_, both) = input.split_at_mut(1);
    let (l, r) = both.split_at_mut(32);
    l.copy_from_slice(&left.0);
    r.copy_from_slice(&right.0);
    Hash(Sha256::digest(input).into())
}

/// The root of a tree without leaves: the hash of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// What stands in the log for a body that is salted and sealed elsewhere. It is the entry, or a part of it: the body's
/// key, or the sealed body itself, can be dropped, and the entry, its leaf and every proof stay as they were. The
/// caller salts before sealing, so that nobody finds a forgotten body by trying what it may have said.
#[must_use]
pub fn commitment(sealed_body: &[u8]) -> [u8; 32] {
    let head = b"meterkeep/log-body/1\0";
    Sha256::new().chain_update(head).chain_update(sealed_body).finalize().into()
}
