//! The signing keys of rooms, and the public halves that all may read: one line of hexadecimal a file.

use std::path::Path;

use base::Secret;
use seal::sign::{Signer, Verifier};
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
        std::fs::write(layout.public_key(Room::Ledger), "abc").unwrap();
        for error in [layout.verifier(Room::Ledger).err(), layout.signer(Room::Warden).err()] {
            let message = error.unwrap().to_string();
            assert!(message.contains("ledger.pub") || message.contains("signing.key"), "{message}");
        }
    }
}
