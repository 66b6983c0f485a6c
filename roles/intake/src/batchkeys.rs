//! Batch keys: a new HPKE key pair each week, signed by intake, opened with for 14 days after its week.
//!
//! What is recorded on its way today does not open once its key is gone, and who captures intake later finds
//! no key for what passed before. The seeds lie in intake's own folder, readable for intake alone.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base::{Secret, UtcMillis};
use prost::Message;
use seal::hybrid::KeyPair;
use seal::sign::Signer;
use wire::batch::{BATCH_KEY_DOMAIN, SEAL_INFO};
use wire::gateway::{BatchKey, BatchKeyBody};
use zeroize::Zeroizing;

/// How long a key is sealed to: a week.
pub const WEEK_MS: i64 = 7 * 24 * 3_600_000;
/// How long after its week a key still opens: 14 days.
pub const GRACE_MS: i64 = 14 * 24 * 3_600_000;

/// A failure with the keys' folder.
#[derive(Debug, thiserror::Error)]
#[error("batch keys in `{}`: {why}", folder.display())]
pub struct KeyError {
    folder: PathBuf,
    why: String,
}

/// One week's key.
pub struct WeekKey {
    /// Its number.
    pub id: u32,
    /// From when.
    pub from: UtcMillis,
    /// Until when collectors may seal to it.
    pub until: UtcMillis,
    pair: KeyPair,
}

impl WeekKey {
    /// Opens a batch's body; the encoded header is what it is bound to.
    ///
    /// # Errors
    /// When it does not open.
    pub fn open(&self, header: &[u8], enc: &[u8], sealed: &[u8]) -> Result<Vec<u8>, seal::SealError> {
        self.pair.open(SEAL_INFO, header, enc, sealed)
    }
}

/// The keys, and the folder that they lie in.
pub struct BatchKeys {
    folder: PathBuf,
    keys: BTreeMap<u32, WeekKey>,
}

impl BatchKeys {
    /// Reads the keys of a folder, which is made when it is not there.
    ///
    /// # Errors
    /// When the folder or a key cannot be read.
    pub fn open(folder: &Path) -> Result<Self, KeyError> {
        let failed = |why: String| KeyError { folder: folder.to_owned(), why };
        make_folder(folder).map_err(|e| failed(e.to_string()))?;
        let mut keys = BTreeMap::new();
        for entry in std::fs::read_dir(folder).map_err(|e| failed(e.to_string()))? {
            let path = entry.map_err(|e| failed(e.to_string()))?.path();
            if path.extension().is_none_or(|e| e != "key") {
                continue; // a file left behind by a crash while a key was being written
            }
            let key = read(&path).map_err(|why| failed(format!("`{}`: {why}", path.display())))?;
            keys.insert(key.id, key);
        }
        Ok(Self { folder: folder.to_owned(), keys })
    }

    /// Makes the next key when the newest one's week is over, and destroys those whose time is up. True when
    /// something changed.
    ///
    /// # Errors
    /// When the new key cannot be written; the keys before stay.
    pub fn turn(&mut self, now: UtcMillis) -> Result<bool, KeyError> {
        let failed = |why: String| KeyError { folder: self.folder.clone(), why };
        let mut changed = false;
        let newest = self.keys.values().next_back();
        if newest.is_none_or(|key| now >= key.until) {
            let id = newest.map_or(1, |key| key.id.saturating_add(1));
            let pair = KeyPair::generate().map_err(|e| failed(e.to_string()))?;
            let key = WeekKey { id, from: now, until: now.plus(WEEK_MS), pair };
            write(&self.folder, &key).map_err(|e| failed(e.to_string()))?;
            self.keys.insert(id, key);
            changed = true;
        }
        let old: Vec<u32> =
            self.keys.values().filter(|k| now >= k.until.plus(GRACE_MS)).map(|k| k.id).collect();
        for id in old {
            std::fs::remove_file(file(&self.folder, id)).map_err(|e| failed(e.to_string()))?;
            self.keys.remove(&id);
            changed = true;
        }
        Ok(changed)
    }

    /// The key of a number.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<&WeekKey> {
        self.keys.get(&id)
    }

    /// The newest key, signed, for collectors.
    #[must_use]
    pub fn newest(&self, signer: &Signer) -> Option<BatchKey> {
        let key = self.keys.values().next_back()?;
        let body = BatchKeyBody {
            key_id: key.id,
            public: key.pair.public().as_bytes().to_vec(),
            from_ms: key.from.0,
            until_ms: key.until.0,
        }
        .encode_to_vec();
        let signature = signer.sign(BATCH_KEY_DOMAIN, &body).to_vec();
        Some(BatchKey { body, signature })
    }
}

fn file(folder: &Path, id: u32) -> PathBuf {
    folder.join(format!("{id:08}.key"))
}

/// Makes the folder so that a power cut leaves it there: a key in a folder that is lost opens nothing any more, and
/// collectors have sealed to it.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    folder.parent().map_or(Ok(()), |above| std::fs::File::open(above)?.sync_all())
}

/// One line: number, from, until, seed in hexadecimal. Written whole under another name first, so that no half
/// key is ever found.
fn write(folder: &Path, key: &WeekKey) -> std::io::Result<()> {
    let seed = Zeroizing::new(hex::encode(key.pair.expose_seed()));
    let line = Zeroizing::new(format!("{} {} {} {}\n", key.id, key.from.0, key.until.0, seed.as_str()));
    let fresh = folder.join(format!("{:08}.new", key.id));
    let mut out =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    out.write_all(line.as_bytes())?;
    out.sync_all()?;
    std::fs::rename(&fresh, file(folder, key.id))?;
    std::fs::File::open(folder)?.sync_all()
}

fn read(path: &Path) -> Result<WeekKey, String> {
    let line = Zeroizing::new(std::fs::read_to_string(path).map_err(|e| e.to_string())?);
    let mut parts = line.split_whitespace();
    let mut number = || parts.next().and_then(|p| p.parse::<i64>().ok());
    let (Some(id), Some(from), Some(until)) = (number(), number(), number()) else {
        return Err("number, from, until and seed are due".to_owned());
    };
    let mut seed = Zeroizing::new([0u8; 32]);
    parts
        .next()
        .and_then(|text| hex::decode_to_slice(text, seed.as_mut_slice()).ok())
        .ok_or("the seed is not 64 hexadecimal digits")?;
    let id = u32::try_from(id).map_err(|e| e.to_string())?;
    let seed = Secret::from_slice(seed.as_slice()).ok_or("the seed is not 32 bytes")?;
    let pair = KeyPair::from_seed(seed).map_err(|e| e.to_string())?;
    Ok(WeekKey { id, from: UtcMillis(from), until: UtcMillis(until), pair })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

    #[test]
    fn keys_turn_weekly_and_open_for_two_weeks_more() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::generate().unwrap();
        let mut keys = BatchKeys::open(folder.path()).unwrap();
        assert!(keys.newest(&signer).is_none());
        assert!(keys.turn(NOW).unwrap());
        assert!(!keys.turn(NOW.plus(WEEK_MS - 1)).unwrap());
        let offered = keys.newest(&signer).unwrap();
        signer.verifier().verify(BATCH_KEY_DOMAIN, &offered.body, &offered.signature).unwrap();
        let body = BatchKeyBody::decode(offered.body.as_slice()).unwrap();
        assert_eq!((body.key_id, body.from_ms, body.until_ms), (1, NOW.0, NOW.0 + WEEK_MS));
        let public = seal::hybrid::PublicKey::from_bytes(&body.public).unwrap();
        let sealed = public.seal_to(SEAL_INFO, b"header", b"body").unwrap();

        assert!(keys.turn(NOW.plus(WEEK_MS)).unwrap());
        drop(keys);
        let mut keys = BatchKeys::open(folder.path()).unwrap();
        let opened = keys.get(1).unwrap().open(b"header", &sealed.enc, &sealed.ciphertext).unwrap();
        assert_eq!(opened, b"body");
        assert!(keys.get(1).unwrap().open(b"another", &sealed.enc, &sealed.ciphertext).is_err());
        assert!(keys.get(2).unwrap().open(b"header", &sealed.enc, &sealed.ciphertext).is_err());

        assert!(keys.turn(NOW.plus(WEEK_MS + GRACE_MS)).unwrap());
        assert!(keys.get(1).is_none() && keys.get(2).is_some());
        assert!(!file(folder.path(), 1).exists());
    }

    #[test]
    fn seeds_are_for_intake_alone_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut keys = BatchKeys::open(folder.path()).unwrap();
        keys.turn(NOW).unwrap();
        let path = file(folder.path(), 1);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(folder.path().join("00000002.new"), "half a ke").unwrap();
        assert!(BatchKeys::open(folder.path()).is_ok());
        std::fs::write(&path, "1 2 3 zz\n").unwrap();
        let error = BatchKeys::open(folder.path()).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("00000001.key"), "{error}");
    }
}
