//! The log's side of receipts: its tree, its key, and the proofs about its newest entries.

use base::UtcMillis;
use prost::Message;
use tlog::key::{LogSigner, VerifierKey};
use tlog::{Checkpoint, CheckpointError, Hash, Outside, Tree, TreeError, Window, leaf_hash};

use crate::entry::entry_bytes;
use crate::message::ReceiptBody;
use crate::retention::Removal;

/// A log's tree with the key that signs its checkpoints. It keeps no entries; whoever keeps them makes them durable before
/// a checkpoint is signed.
pub struct Issuer {
    window: Window,
    signer: LogSigner,
    origin: String,
}

/// A signed checkpoint of a log as it was at a moment, for the receipts of a whole group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// The signed note.
    pub note: Vec<u8>,
}

impl Issuer {
    /// A log without entries; receipts are made for at least so many of its newest ones.
    #[must_use]
    pub fn new(signer: LogSigner, keep: u64) -> Self {
        Self::resume(signer, Tree::new(), keep)
    }

    /// Goes on with a log of whose first entries nothing but the right edge of their tree is there.
    #[must_use]
    pub fn resume(signer: LogSigner, tree: Tree, keep: u64) -> Self {
        let origin = signer.verifier().name().to_owned();
        Self { window: Window::resume(tree, keep), signer, origin }
    }

    /// The key that its checkpoints are checked with.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        self.signer.verifier()
    }

    /// Entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.window.tree().size()
    }

    /// The root over all entries.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.window.tree().root()
    }

    /// Appends an entry and gives its index.
    ///
    /// # Errors
    /// [`TreeError::Full`].
    pub fn append(&mut self, entry: &[u8]) -> Result<u64, TreeError> {
        self.window.append(leaf_hash(entry))
    }

    /// Signs how far the log has come. Every entry so far has to be durable.
    ///
    /// # Errors
    /// Never for a name that is a key's.
    pub fn sign(&self) -> Result<Signed, CheckpointError> {
        let (size, root) = (self.size(), self.root());
        let checkpoint = Checkpoint::new(&self.origin, size, root)?;
        Ok(Signed { size, root, note: self.note(&checkpoint) })
    }

    /// Signs that the entries before [`Removal::end`] are removed, whose root this is.
    ///
    /// # Errors
    /// For a removal of nothing, of which there is no root.
    pub fn sign_removal(&self, removal: &Removal, root: Hash) -> Result<Signed, CheckpointError> {
        let size = removal.end;
        let checkpoint = Checkpoint::new(&self.origin, size, root)?.with_extension(&removal.line())?;
        Ok(Signed { size, root, note: self.note(&checkpoint) })
    }

    fn note(&self, checkpoint: &Checkpoint) -> Vec<u8> {
        format!("{}\n{}", checkpoint.text(), self.signer.sign(checkpoint)).into_bytes()
    }

    /// The inclusion proof of an entry in the log as it is, one hash after the other.
    ///
    /// # Errors
    /// [`Outside`].
    pub fn inclusion(&mut self, index: u64) -> Result<Vec<u8>, Outside> {
        self.window.inclusion(index).map(|proof| tlog::proof::to_bytes(&proof))
    }

    /// The proof that the log as it is goes on from an older size, one hash after the other.
    ///
    /// # Errors
    /// [`Outside`].
    pub fn consistency(&mut self, since: u64) -> Result<Vec<u8>, Outside> {
        self.window.consistency(since).map(|proof| tlog::proof::to_bytes(&proof))
    }

    /// Appends an event and gives its whole receipt, proved to go on from an older size: for a log of one entry at a time.
    ///
    /// # Errors
    /// That the older size is none of the log.
    pub fn record(&mut self, event: &[u8], at: UtcMillis, since: u64) -> Result<Vec<u8>, Outside> {
        let beyond = || Outside::Beyond { asked: since, size: 0 };
        let index = self.append(&entry_bytes(at, event)).map_err(|_| beyond())?;
        let checkpoint = self.sign().map_err(|_| beyond())?.note;
        let (inclusion, consistency) = (self.inclusion(index)?, self.consistency(since)?);
        Ok(ReceiptBody { index, at_ms: at.0, inclusion, checkpoint, since, consistency }.encode_to_vec())
    }
}
