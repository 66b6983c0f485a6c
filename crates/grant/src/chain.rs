//! The log's hash chain, its receipts and its heads.

use base::UtcMillis;
use prost::Message;
use seal::sign::{Signer, Verifier};
use sha2::{Digest, Sha256};

use crate::message::{ReceiptBody, SignedReceipt};

/// The domain of the ledger's signature over a receipt.
pub const RECEIPT_DOMAIN: &str = "meterkeep/receipt/1";
/// The domain of the ledger's signature over a head.
pub const HEAD_DOMAIN: &str = "meterkeep/head/1";
const CHAIN_DOMAIN: &[u8] = b"meterkeep/chain/1";

/// The head of a chain: how many events it has, and the hash over all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of events.
    pub size: u64,
    /// `head_n = SHA-256("meterkeep/chain/1" | head_(n-1) | n | event_hash)`, n as 8 bytes big endian; of the
    /// empty chain: zeroes.
    pub hash: [u8; 32],
}

impl Head {
    /// The head of the empty chain.
    pub const EMPTY: Self = Self { size: 0, hash: [0; 32] };

    /// The head after one more event.
    #[must_use]
    pub fn after(&self, event_hash: &[u8; 32]) -> Self {
        let size = self.size.saturating_add(1);
        let hash = Sha256::new()
            .chain_update(CHAIN_DOMAIN)
            .chain_update(self.hash)
            .chain_update(size.to_be_bytes())
            .chain_update(event_hash)
            .finalize();
        Self { size, hash: hash.into() }
    }

    /// The ledger's signature over it.
    #[must_use]
    pub fn sign(&self, ledger: &Signer) -> [u8; 64] {
        ledger.sign(HEAD_DOMAIN, &self.signed_bytes())
    }

    /// Whether the ledger signed it.
    #[must_use]
    pub fn is_signed(&self, signature: &[u8], ledger: &Verifier) -> bool {
        ledger.verify(HEAD_DOMAIN, &self.signed_bytes(), signature).is_ok()
    }

    fn signed_bytes(&self) -> Vec<u8> {
        [self.size.to_be_bytes().as_slice(), &self.hash].concat()
    }
}

/// What a receipt says. The ledger signs it only after the event is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The event's number; the first is 1.
    pub seq: u64,
    /// SHA-256 of the encoded event.
    pub event_hash: [u8; 32],
    /// The chain's hash before it.
    pub previous: [u8; 32],
    /// The chain's hash after it.
    pub head: [u8; 32],
    /// When the ledger took it.
    pub at: UtcMillis,
}

impl Receipt {
    /// The encoded [`SignedReceipt`].
    #[must_use]
    pub fn sign(&self, ledger: &Signer) -> Vec<u8> {
        let body = ReceiptBody {
            seq: self.seq,
            event_hash: self.event_hash.to_vec(),
            previous: self.previous.to_vec(),
            head: self.head.to_vec(),
            at_ms: self.at.0,
        }
        .encode_to_vec();
        let signature = ledger.sign(RECEIPT_DOMAIN, &body).to_vec();
        SignedReceipt { body, signature }.encode_to_vec()
    }

    /// Whether its head follows from what came before and the event.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        let before = Head { size: self.seq.saturating_sub(1), hash: self.previous };
        before.after(&self.event_hash) == Head { size: self.seq, hash: self.head }
    }
}
