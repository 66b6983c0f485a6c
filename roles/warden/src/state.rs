//! What the warden remembers: tokens and collectors, in one file that is replaced whole.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use base::{CollectorId, UtcMillis};
use journal::{Disk, JournalError, read_whole, write_atomically};
use prost::Message;
use sha2::{Digest, Sha256};

const MAGIC: &[u8; 8] = b"MKWARDN1";
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// A token, as far as the file may know it.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Token {
    /// Its public half (16 bytes).
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) id: Vec<u8>,
    /// The name that the collector shall have.
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    /// Until when, UTC milliseconds, exclusive; the secret half depends on it.
    #[prost(sint64, tag = "3")]
    pub(crate) expires_ms: i64,
    /// SHA-256 of the request that used it; empty while unused.
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) used_by: Vec<u8>,
    /// The encoded answer to that request, so that asking again after a crash gives the same.
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) answer: Vec<u8>,
}

/// A collector.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Collector {
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) signing_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) certificate_sha256: Vec<u8>,
    /// `admitted` or `revoked`.
    #[prost(string, tag = "5")]
    pub(crate) state: String,
    #[prost(sint64, tag = "6")]
    pub(crate) since_ms: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct File {
    #[prost(uint64, tag = "1")]
    version: u64,
    #[prost(uint32, tag = "2")]
    last_collector: u32,
    #[prost(message, repeated, tag = "3")]
    tokens: Vec<Token>,
    #[prost(message, repeated, tag = "4")]
    collectors: Vec<Collector>,
}

/// Tokens and collectors in memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct State {
    /// Grows with each change of the collectors.
    pub(crate) version: u64,
    /// The highest number given; numbers are never used twice.
    pub(crate) last_collector: u32,
    pub(crate) tokens: BTreeMap<[u8; 16], Token>,
    pub(crate) collectors: BTreeMap<CollectorId, Collector>,
}

/// Why the state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    /// The file layer.
    #[error(transparent)]
    Disk(#[from] JournalError),
    /// Roles and purposes that were in force and are not understood.
    #[error("the house's roles and purposes cannot be used: {0}")]
    Roles(String),
    /// The file is not as it was written.
    #[error("`{path}` is damaged: put back a good copy, or move it away and enrol the collectors again")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

/// The file.
pub(crate) struct StateFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

impl StateFile {
    pub(crate) fn new(disk: Arc<dyn Disk>, path: PathBuf) -> Self {
        Self { disk, path }
    }

    /// Reads it; an absent file is an empty state.
    pub(crate) fn load(&self) -> Result<State, StateError> {
        let Some(bytes) = read_whole(self.disk.as_ref(), &self.path, MAX_BYTES)? else {
            return Ok(State::default());
        };
        parse(&bytes).ok_or_else(|| StateError::Damaged { path: self.path.clone() })
    }

    /// Replaces it; blocks.
    pub(crate) fn save(&self, state: &State) -> Result<(), StateError> {
        let file = File {
            version: state.version,
            last_collector: state.last_collector,
            tokens: state.tokens.values().cloned().collect(),
            collectors: state.collectors.values().cloned().collect(),
        };
        let body = file.encode_to_vec();
        let bytes = [MAGIC.as_slice(), Sha256::digest(&body).as_slice(), &body].concat();
        Ok(write_atomically(self.disk.as_ref(), &self.path, &bytes)?)
    }
}

fn parse(bytes: &[u8]) -> Option<State> {
    let (digest, body) = bytes.strip_prefix(MAGIC)?.split_at_checked(32)?;
    if Sha256::digest(body).as_slice() != digest {
        return None;
    }
    let file = File::decode(body).ok()?;
    let token = |t: Token| Some((t.id.as_slice().try_into().ok()?, t));
    Some(State {
        version: file.version,
        last_collector: file.last_collector,
        tokens: file.tokens.into_iter().map(token).collect::<Option<_>>()?,
        collectors: file.collectors.into_iter().map(|c| (CollectorId(c.id), c)).collect(),
    })
}

impl State {
    /// Forgets tokens that ended a week ago: until then they say why they are refused.
    pub(crate) fn forget_old_tokens(&mut self, now: UtcMillis) {
        const WEEK_MS: i64 = 7 * 24 * 3600 * 1000;
        self.tokens.retain(|_, token| now.since(UtcMillis(token.expires_ms)) < WEEK_MS);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use journal::faulty::FaultyDisk;
    use proptest::prelude::*;

    use super::*;

    fn state() -> State {
        let token = Token { id: vec![3; 16], name: "mast".to_owned(), expires_ms: 5, ..Default::default() };
        let collector =
            Collector { id: 2, name: "mast".to_owned(), state: "admitted".to_owned(), ..Default::default() };
        State {
            version: 4,
            last_collector: 2,
            tokens: [([3; 16], token)].into(),
            collectors: [(CollectorId(2), collector)].into(),
        }
    }

    #[test]
    fn it_reads_back_and_damage_is_said() {
        let disk = FaultyDisk::new(0);
        disk.make_dir(Path::new("/w")).unwrap();
        let file = StateFile::new(Arc::new(disk.clone()), "/w/state".into());
        assert_eq!(file.load().unwrap(), State::default());
        file.save(&state()).unwrap();
        assert_eq!(file.load().unwrap(), state());
        disk.flip(Path::new("/w/state"), 50, 3).unwrap();
        assert!(matches!(file.load(), Err(StateError::Damaged { .. })));
    }

    #[test]
    fn old_tokens_are_forgotten_after_a_week() {
        let mut state = state();
        state.forget_old_tokens(UtcMillis(5 + 7 * 24 * 3600 * 1000 - 1));
        assert_eq!(state.tokens.len(), 1);
        state.forget_old_tokens(UtcMillis(5 + 7 * 24 * 3600 * 1000));
        assert!(state.tokens.is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, body: Vec<u8>) {
            prop_assert!(parse(&bytes).is_none());
            let framed = [MAGIC.as_slice(), Sha256::digest(&body).as_slice(), &body].concat();
            let _ = parse(&framed);
        }
    }
}
