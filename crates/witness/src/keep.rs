//! The folder of a witness.
//!
//! ```text
//! witness.key           the seed of its key, 64 hex digits, for its owner alone
//! witness.vkey          the public half, as it is handed on
//! logs/ID.vkey          the keys of a log, a line each; ID is a hash of its origin
//! logs/ID.checkpoint    the last checkpoint of it that was cosigned, with the cosignature
//! forks/ID-SIZE/        what proves, or may prove, that the log showed another history
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::Secret;
use journal::{Disk, DiskLock, JournalError, read_whole, write_atomically};
use sha2::{Digest as _, Sha256};
use tlog::key::{KeyError, Kind, VerifierKey, WitnessSigner};
use tlog::witness::State;
use tlog::{CheckpointError, MAX_NOTE};
use zeroize::Zeroizing;

/// Keys of one log at most: it had one at a time.
const MAX_KEYS: usize = 16;
/// The longest file of keys, in bytes.
const MAX_KEY_FILE: usize = MAX_KEYS * 512;

/// Why a witness' folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The disk, or the folder is in use.
    #[error("{0}")]
    Disk(#[from] JournalError),
    /// There is a witness already.
    #[error("`{}` holds a witness already; nothing was changed", .0.display())]
    Occupied(PathBuf),
    /// There is none.
    #[error("`{}` holds no witness; make one with `meterkeep witness init`", .0.display())]
    NoWitness(PathBuf),
    /// A file is not what it was written as.
    #[error("`{}` is damaged: {what}; put back a good copy, and never delete it: it is what keeps this witness from signing two histories", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A name or key that is none.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// A witness' key, where a log's was asked for.
    #[error("{0} is the key of a witness, not of a log")]
    NotALog(String),
    /// More keys than one log can have.
    #[error("{0} has {MAX_KEYS} keys already")]
    TooManyKeys(String),
    /// The operating system gives no randomness.
    #[error("no randomness for a key")]
    Randomness,
}

/// A log that is watched.
#[derive(Debug, Clone)]
pub struct Watched {
    /// Its origin.
    pub origin: String,
    /// Its keys.
    pub keys: Vec<VerifierKey>,
}

/// What was cosigned last of a log.
pub(crate) struct Last {
    pub(crate) state: State,
    /// The note, with the cosignature.
    pub(crate) note: Vec<u8>,
}

/// A witness' folder.
#[derive(Clone)]
pub struct Keep {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
}

impl Keep {
    /// A folder, whatever is in it.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, folder: &Path) -> Self {
        Self { disk, folder: folder.to_owned() }
    }

    /// Makes a witness with a new key, and gives the public half.
    ///
    /// # Errors
    /// [`KeepError`].
    pub fn init(&self, name: &str) -> Result<VerifierKey, KeepError> {
        let seed = Secret::random().map_err(|_| KeepError::Randomness)?;
        let key = WitnessSigner::from_seed(name, &seed)?.verifier();
        self.disk.make_dir(&self.logs()).map_err(io("make", &self.logs()))?;
        let _lock = self.lock()?;
        if read_whole(&*self.disk, &self.key_file(), MAX_KEY_FILE)?.is_some() {
            return Err(KeepError::Occupied(self.folder.clone()));
        }
        write_atomically(&*self.disk, &self.public_file(), format!("{key}\n").as_bytes())?;
        let hex = Zeroizing::new(format!("{}\n", *Zeroizing::new(hex::encode(seed.expose()))));
        write_atomically(&*self.disk, &self.key_file(), hex.as_bytes())?;
        Ok(key)
    }

    /// Watches a log from now on, or a further key of one that is watched.
    ///
    /// # Errors
    /// [`KeepError`].
    pub fn add_log(&self, key: &VerifierKey) -> Result<(), KeepError> {
        let _ = self.public()?;
        if key.kind() != Kind::Log {
            return Err(KeepError::NotALog(key.name().to_owned()));
        }
        let mut keys = self.keys(key.name())?;
        if keys.contains(key) {
            return Ok(());
        }
        if keys.len() == MAX_KEYS {
            return Err(KeepError::TooManyKeys(key.name().to_owned()));
        }
        keys.push(key.clone());
        let lines: String = keys.iter().map(|key| format!("{key}\n")).collect();
        Ok(write_atomically(&*self.disk, &self.log_file(key.name(), "vkey"), lines.as_bytes())?)
    }

    /// The public half of the key.
    ///
    /// # Errors
    /// [`KeepError`].
    pub fn public(&self) -> Result<VerifierKey, KeepError> {
        let path = self.public_file();
        let text = read_whole(&*self.disk, &path, MAX_KEY_FILE)?;
        let text = text.ok_or_else(|| KeepError::NoWitness(self.folder.clone()))?;
        let text = String::from_utf8_lossy(&text);
        VerifierKey::parse(text.trim_end()).map_err(damaged(&path))
    }

    /// The logs that are watched, by origin.
    ///
    /// # Errors
    /// [`KeepError`].
    pub fn watched(&self) -> Result<Vec<Watched>, KeepError> {
        let folder = self.logs();
        let names = self.disk.list(&folder).map_err(io("list", &folder))?;
        let mut found = Vec::new();
        for name in names {
            let path = folder.join(name);
            if path.extension().is_some_and(|e| e == "vkey") {
                let keys = self.read_keys(&path)?;
                let origin = keys.first().map(|key| key.name().to_owned());
                found.extend(origin.map(|origin| Watched { origin, keys }));
            }
        }
        found.sort_by(|one, other| one.origin.cmp(&other.origin));
        Ok(found)
    }

    /// What was cosigned last of a log; `None` when nothing was.
    ///
    /// # Errors
    /// [`KeepError`]; a file that this witness did not sign is damaged.
    pub fn state(&self, log: &Watched) -> Result<Option<State>, KeepError> {
        Ok(self.last(&log.origin, &log.keys, &self.public()?)?.map(|last| last.state))
    }

    /// The file of the last checkpoint of a log that was cosigned.
    #[must_use]
    pub fn checkpoint_file(&self, origin: &str) -> PathBuf {
        self.log_file(origin, "checkpoint")
    }

    pub(crate) fn signer(&self) -> Result<WitnessSigner, KeepError> {
        let (public, path) = (self.public()?, self.key_file());
        let text = read_whole(&*self.disk, &path, MAX_KEY_FILE)?.map(Zeroizing::new);
        let text = text.ok_or_else(|| KeepError::NoWitness(self.folder.clone()))?;
        let mut seed = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim_ascii_end(), seed.as_mut_slice()).map_err(damaged(&path))?;
        let seed = Secret::from_slice(seed.as_slice()).ok_or_else(|| damaged(&path)("no seed"))?;
        let signer = WitnessSigner::from_seed(public.name(), &seed)?;
        if signer.verifier() != public {
            return Err(damaged(&path)("it is not the key in `witness.vkey`"));
        }
        Ok(signer)
    }

    /// The keys of a log; none for one that is not watched.
    pub(crate) fn keys(&self, origin: &str) -> Result<Vec<VerifierKey>, KeepError> {
        let path = self.log_file(origin, "vkey");
        let keys = self.read_keys(&path)?;
        if keys.iter().any(|key| key.name() != origin) {
            return Err(damaged(&path)("it holds the keys of another log"));
        }
        Ok(keys)
    }

    pub(crate) fn last(
        &self,
        origin: &str,
        keys: &[VerifierKey],
        own: &VerifierKey,
    ) -> Result<Option<Last>, KeepError> {
        let path = self.log_file(origin, "checkpoint");
        let Some(note) = read_whole(&*self.disk, &path, MAX_NOTE)? else { return Ok(None) };
        let opened = tlog::open(&note, origin, keys, std::slice::from_ref(own));
        let opened = opened.map_err(|error: CheckpointError| damaged(&path)(error))?;
        let time = opened.cosigned.first().map(|cosigned| cosigned.time);
        let time = time.ok_or_else(|| damaged(&path)("this witness did not sign it"))?;
        let (size, root) = (opened.checkpoint.size(), opened.checkpoint.root());
        Ok(Some(Last { state: State { size, root, time }, note }))
    }

    /// Makes what is now cosigned of a log the last, durably.
    pub(crate) fn put_last(&self, origin: &str, note: &[u8]) -> Result<(), KeepError> {
        Ok(write_atomically(&*self.disk, &self.log_file(origin, "checkpoint"), note)?)
    }

    pub(crate) fn lock(&self) -> Result<Box<dyn DiskLock>, KeepError> {
        let path = self.folder.join("lock");
        self.disk.lock(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => KeepError::Disk(JournalError::InUse { path }),
            _ => io("lock", &path)(error),
        })
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    pub(crate) fn forks(&self) -> PathBuf {
        self.folder.join("forks")
    }

    fn read_keys(&self, path: &Path) -> Result<Vec<VerifierKey>, KeepError> {
        let text = read_whole(&*self.disk, path, MAX_KEY_FILE)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.lines().map(|line| VerifierKey::parse(line).map_err(damaged(path))).collect()
    }

    fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    fn key_file(&self) -> PathBuf {
        self.folder.join("witness.key")
    }

    fn public_file(&self) -> PathBuf {
        self.folder.join("witness.vkey")
    }

    fn log_file(&self, origin: &str, kind: &str) -> PathBuf {
        self.logs().join(format!("{}.{kind}", id(origin)))
    }
}

/// What a log's files are called: an origin may hold anything, a name of a file may not.
pub(crate) fn id(origin: &str) -> String {
    let hash = Sha256::digest(origin);
    hex::encode(hash.first_chunk::<16>().copied().unwrap_or_default())
}

pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> KeepError {
    let path = path.to_owned();
    move |source| KeepError::Disk(JournalError::Io { action, path, source })
}

fn damaged<E: ToString>(path: &Path) -> impl Fn(E) -> KeepError + '_ {
    move |what| KeepError::Damaged { path: path.to_owned(), what: what.to_string() }
}
