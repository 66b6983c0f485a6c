//! What a receipt shows: an event is in the log, and the log goes on from what it was.

use base::UtcMillis;
use tlog::Hash;
use tlog::key::VerifierKey;
use tlog::proof::{check_consistency, check_inclusion, from_bytes};

use crate::check::ReceiptError;
use crate::entry::leaf;
use crate::message::ReceiptBody;
use crate::shape::decode;

/// Two proofs of 63 hashes and a checkpoint fit well.
const MAX_RECEIPT_BYTES: usize = 16 * 1024;

/// A receipt whose event was found in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The entry's index; the first is 0.
    pub index: u64,
    /// When the ledger took it.
    pub at: UtcMillis,
    /// Entries of the checkpoint that it is proved in.
    pub size: u64,
    /// The checkpoint's root.
    pub root: Hash,
    /// The older size that the checkpoint is said to go on from.
    pub since: u64,
    /// The proof of that.
    pub consistency: Vec<Hash>,
}

impl Receipt {
    /// Reads a receipt: the log signed its checkpoint, and the event is in it.
    pub(crate) fn open(event: &[u8], encoded: &[u8], log: &VerifierKey) -> Result<Self, ReceiptError> {
        if encoded.is_empty() {
            return Err(ReceiptError::Missing);
        }
        let body: ReceiptBody = decode("receipt", encoded, MAX_RECEIPT_BYTES)?;
        let opened = tlog::open(&body.checkpoint, log.name(), std::slice::from_ref(log), &[])
            .map_err(|_| ReceiptError::Forged)?;
        let (size, root) = (opened.checkpoint.size(), opened.checkpoint.root());
        let hashes = |bytes: &[u8]| from_bytes(bytes).map_err(|_| ReceiptError::OtherEvent);
        let at = UtcMillis(body.at_ms);
        check_inclusion(leaf(at, event), body.index, size, &hashes(&body.inclusion)?, root)
            .map_err(|_| ReceiptError::OtherEvent)?;
        let consistency = hashes(&body.consistency)?;
        Ok(Self { index: body.index, at, size, root, since: body.since, consistency })
    }

    /// How many entries the checkpoint of an encoded receipt says that the log has. Nothing of it is checked.
    #[must_use]
    pub fn unchecked_size(encoded: &[u8]) -> Option<u64> {
        let body = <ReceiptBody as prost::Message>::decode(encoded).ok()?;
        let note = tlog::Note::parse(&body.checkpoint).ok()?;
        tlog::Checkpoint::parse(note.unchecked_text()).ok().map(|checkpoint| checkpoint.size())
    }

    /// Whether its checkpoint is proved to go on from an older one.
    #[must_use]
    pub fn goes_on_from(&self, size: u64, root: Hash) -> bool {
        self.since == size && check_consistency(size, root, self.size, self.root, &self.consistency).is_ok()
    }
}
