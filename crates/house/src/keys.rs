//! The signing keys of rooms, and the public halves that all may read: one line a file, hexadecimal or, for the log's
//! key, as C2SP writes keys.

use std::path::Path;

use base::Secret;
use seal::sign::{Signer, Verifier};
use tlog::key::{LogSigner, VerifierKey};
use wire::Room;
use zeroize::Zeroizing;

use crate::{Layout, StartError};

impl Layout {
    /// The file with a room's Ed25519 seed.
    #[must_use]
    pub fn signing_key(&self, room: Room) -> std::path::PathBuf {
        self.room(room).join("signing.key")
    }

    /// The file with the public half of a room's signing key.
    #[must_use]
    pub fn public_key(&self, room: Room) -> std::path::PathBuf {
        self.public(&format!("{room}.pub"))
    }

    /// A room's signing key.
    ///
    /// # Errors
    /// When the file is missing or does not hold 64 hexadecimal digits.
    pub fn signer(&self, room: Room) -> Result<Signer, StartError> {
        let path = self.signing_key(room);
        let seed = Zeroizing::new(read_hex::<32>(&path)?);
        let seed = Secret::from_slice(seed.as_slice()).ok_or_else(|| wrong(&path))?;
        Ok(Signer::from_seed(&seed))
    }

    /// The public half of a room's signing key.
    ///
    /// # Errors
    /// When the file is missing or holds no public key.
    pub fn verifier(&self, room: Room) -> Result<Verifier, StartError> {
        let path = self.public_key(room);
        Verifier::from_bytes(&read_hex::<32>(&path)?).map_err(|_| wrong(&path))
    }

    /// The file with the seed of the key that signs the log's checkpoints.
    #[must_use]
    pub fn log_seed(&self) -> std::path::PathBuf {
        self.room(Room::Ledger).join("log.key")
    }

    /// The file with that key's public half, as C2SP writes keys: `name+id+key`. The name is the log's origin.
    #[must_use]
    pub fn log_public(&self) -> std::path::PathBuf {
        self.public("log.vkey")
    }

    /// The key that signs the log's checkpoints, under the name of its public half.
    ///
    /// # Errors
    /// When a file is missing, or the two do not belong together.
    pub fn log_signer(&self) -> Result<LogSigner, StartError> {
        let (path, public) = (self.log_seed(), self.log_key()?);
        let seed = Zeroizing::new(read_hex::<32>(&path)?);
        let seed = Secret::from_slice(seed.as_slice()).ok_or_else(|| wrong(&path))?;
        let signer = LogSigner::from_seed(public.name(), &seed).map_err(|_| wrong(&path))?;
        if signer.verifier() == public {
            Ok(signer)
        } else {
            let (seed, public) = (path.display(), self.log_public());
            Err(StartError(format!("`{seed}` and `{}` are not of one key", public.display())))
        }
    }

    /// The key that the log's checkpoints are checked with.
    ///
    /// # Errors
    /// When the file is missing or holds no such key.
    pub fn log_key(&self) -> Result<VerifierKey, StartError> {
        let path = self.log_public();
        let missing = |error: &dyn std::fmt::Display| {
            StartError(format!("cannot read `{}`: {error}; `meterkeep init` writes it", path.display()))
        };
        let text = std::fs::read_to_string(&path).map_err(|e| missing(&e))?;
        VerifierKey::parse(text.trim_end()).map_err(|e| missing(&e))
    }
}

fn wrong(path: &Path) -> StartError {
    StartError(format!(
        "`{}` does not hold a key of 64 hexadecimal digits; `meterkeep init` writes it",
        path.display()
    ))
}

/// A file that holds `N` bytes as one line of hexadecimal.
fn read_hex<const N: usize>(path: &Path) -> Result<[u8; N], StartError> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|e| {
        StartError(format!("cannot read `{}`: {e}; `meterkeep init` writes it", path.display()))
    })?;
    let mut bytes = [0; N];
    hex::decode_to_slice(text.trim_end(), &mut bytes).map_err(|_| wrong(path))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_its_public_half_read_back_and_a_wrong_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        std::fs::create_dir_all(layout.room(Room::Ledger)).unwrap();
        std::fs::create_dir_all(layout.root().join("public")).unwrap();
        let signer = Signer::generate().unwrap();
        std::fs::write(layout.signing_key(Room::Ledger), format!("{}\n", hex::encode(signer.expose_seed())))
            .unwrap();
        std::fs::write(layout.public_key(Room::Ledger), hex::encode(signer.verifier().as_bytes())).unwrap();
        assert_eq!(layout.signer(Room::Ledger).unwrap().verifier(), signer.verifier());
        assert_eq!(layout.verifier(Room::Ledger).unwrap(), signer.verifier());
        let log = LogSigner::from_seed("house/log", &Secret::new([7; 32])).unwrap();
        std::fs::write(layout.log_seed(), hex::encode([7; 32])).unwrap();
        std::fs::write(layout.log_public(), format!("{}\n", log.verifier())).unwrap();
        assert_eq!(layout.log_signer().unwrap().verifier(), log.verifier());
        std::fs::write(layout.log_seed(), hex::encode([8; 32])).unwrap();
        assert!(layout.log_signer().err().unwrap().to_string().contains("not of one key"));
        std::fs::write(layout.public_key(Room::Ledger), "abc").unwrap();
        for error in [layout.verifier(Room::Ledger).err(), layout.signer(Room::Warden).err()] {
            let message = error.unwrap().to_string();
            assert!(message.contains("ledger.pub") || message.contains("signing.key"), "{message}");
        }
    }
}
