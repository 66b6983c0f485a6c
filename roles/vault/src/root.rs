//! The key at the root of everything: providers open the root key, the root key opens the ring of keys, and under those
//! lies all else that the vault keeps.
//!
//! The step between lets the root key change, when a provider is removed, without touching a million meter keys at once.
//! The ring lies in a file of the root key's generation, written before the list of providers that names the generation:
//! a change that was cut short leaves the old pair whole.

use std::io;
use std::path::PathBuf;

use base::{Secret, SecretBytes, UtcMillis};
use house::Layout;
use journal::{Disk, DiskLock, JournalError, RealDisk, read_whole, write_atomically};
use seal::SealError;
use seal::hybrid::KeyPair;
use wire::Room;

use crate::address;
use crate::keyring::Keyring;
use crate::officers::OfficerError;
use crate::providers::{MAX_FILE, Proof, ProviderError, Providers, Unproven};
use crate::signing;

/// The name of the private key for imports in the ring.
const IMPORT: &str = "import";

/// Why the vault does not open.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// A file.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There is none.
    #[error("there is no vault in `{0}`; `meterkeep init` makes one")]
    Absent(PathBuf),
    /// There is one already.
    #[error("there is a vault in `{0}` already; its keys would be lost")]
    Exists(PathBuf),
    /// Who opens it.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// A key does not open under the one above it.
    #[error("`{0}` does not belong to this vault, or was changed; put back the file that did")]
    Foreign(PathBuf),
    /// A folder or a lock.
    #[error("`{0}`: {1}")]
    Io(PathBuf, std::io::Error),
    /// An officer.
    #[error(transparent)]
    Officer(#[from] OfficerError),
    /// Somebody else is at it.
    #[error("somebody else is changing who opens this vault; try again when they are done")]
    Busy,
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    NoRandomness,
}

impl From<SealError> for RootError {
    fn from(_: SealError) -> Self {
        Self::NoRandomness
    }
}

pub(crate) fn providers_file(layout: &Layout) -> PathBuf {
    layout.room(Room::Vault).join("root.keys")
}

/// The file, for all to read, with the public key to which key lists are sealed: hexadecimal.
pub const IMPORT_PUBLIC: &str = "vault-import.pub";

/// Makes a vault in a house, with one provider: a passphrase. And the key pair for key imports, whose public half goes
/// to [`IMPORT_PUBLIC`], and the key that hand-overs are signed with, whose certificate names the house. The folders
/// must be there.
///
/// # Errors
/// [`RootError::Exists`] when there is one already, else what the disk or the operating system says.
pub fn create(layout: &Layout, house: &str, passphrase: &SecretBytes) -> Result<(), RootError> {
    create_on(&RealDisk, layout, house, passphrase)
}

pub(crate) fn create_on(
    disk: &dyn Disk,
    layout: &Layout,
    house: &str,
    passphrase: &SecretBytes,
) -> Result<(), RootError> {
    if read_whole(disk, &providers_file(layout), MAX_FILE)?.is_some() {
        return Err(RootError::Exists(layout.room(Room::Vault)));
    }
    let root = random()?;
    let now = UtcMillis::now();
    let mut ring = Keyring::make(now)?;
    let pair = KeyPair::generate()?;
    ring.keep(IMPORT, SecretBytes::new(pair.expose_seed().to_vec()));
    let public = hex::encode(pair.public().as_bytes()) + "\n";
    write_atomically(disk, &layout.public(IMPORT_PUBLIC), public.as_bytes())?;
    address::create(&mut ring, &grant::act::house_of(pair.public().as_bytes()))?;
    signing::create(disk, layout, &mut ring, house)?;
    let mut providers = Providers::new();
    providers.add_passphrase(&root, "first passphrase", passphrase, now)?;
    // the list of providers last, so that a vault that was cut short does not count as one
    ring.save(disk, layout, providers.generation, &root)?;
    save_providers(disk, layout, &providers, &root)
}

pub(crate) fn random() -> Result<Secret<32>, RootError> {
    Secret::random().map_err(|_| RootError::NoRandomness)
}

/// Writes the list of providers; from then on it holds.
pub(crate) fn save_providers(
    disk: &dyn Disk,
    layout: &Layout,
    providers: &Providers,
    root: &Secret<32>,
) -> Result<(), RootError> {
    Ok(write_atomically(disk, &providers_file(layout), &providers.to_bytes(root))?)
}

/// The list of providers as it lies on disk.
pub(crate) fn read_providers(disk: &dyn Disk, layout: &Layout) -> Result<Unproven, RootError> {
    let bytes = read_whole(disk, &providers_file(layout), MAX_FILE)?
        .ok_or_else(|| RootError::Absent(layout.room(Room::Vault)))?;
    Ok(Providers::read(&bytes)?)
}

/// What a proof opens: the list, the root key, and the ring.
pub(crate) struct Opened {
    pub(crate) providers: Providers,
    pub(crate) root: Secret<32>,
    pub(crate) ring: Keyring,
}

/// Opens the root key and the ring.
///
/// # Errors
/// [`ProviderError::Wrong`] inside [`RootError::Provider`], or what is wrong with the files.
pub(crate) fn unlock(disk: &dyn Disk, layout: &Layout, proof: &Proof) -> Result<Opened, RootError> {
    let (providers, root) = read_providers(disk, layout)?.open(proof)?;
    let ring = Keyring::load(disk, layout, providers.generation, &root)?;
    Ok(Opened { providers, root, ring })
}

/// The key pair for imports.
///
/// # Errors
/// [`RootError::Foreign`] when the ring holds none.
pub(crate) fn import_pair(layout: &Layout, ring: &Keyring) -> Result<KeyPair, RootError> {
    let seed = ring.secret(IMPORT).and_then(|seed| Secret::from_slice(seed.expose()));
    let seed = seed.ok_or_else(|| RootError::Foreign(layout.room(Room::Vault)))?;
    Ok(KeyPair::from_seed(seed)?)
}

/// Keeps others from changing who opens the vault, and the ring, for as long as it is held. Waits for nobody.
///
/// # Errors
/// [`RootError::Busy`] while somebody else holds it.
pub(crate) fn lock(disk: &dyn Disk, layout: &Layout) -> Result<Box<dyn DiskLock>, RootError> {
    let path = layout.room(Room::Vault).join("custody.lock");
    disk.lock(&path).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => RootError::Busy,
        _ => RootError::Io(path, error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_opens_with_its_passphrase_and_is_never_made_twice() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        layout.folders().iter().for_each(|f| std::fs::create_dir_all(f).unwrap());
        let phrase = |text: &str| SecretBytes::new(text.as_bytes().to_vec());
        let open = |text: &str| unlock(&RealDisk, &layout, &Proof::Passphrase(phrase(text)));
        assert!(matches!(open("a"), Err(RootError::Absent(_))));
        create(&layout, "Test", &phrase("a")).unwrap();
        assert!(matches!(create(&layout, "Test", &phrase("a")), Err(RootError::Exists(_))));
        let opened = open("a").unwrap();
        assert_eq!(
            (opened.providers.generation, opened.providers.ever(), opened.ring.term.number),
            (1, 1, 1)
        );
        let pair = import_pair(&layout, &opened.ring).unwrap();
        let again = open("a").unwrap().ring;
        assert_eq!(again.term.key().expose(), opened.ring.term.key().expose());
        let public = std::fs::read_to_string(layout.public(IMPORT_PUBLIC)).unwrap();
        assert_eq!(hex::decode(public.trim_end()).unwrap(), pair.public().as_bytes());
        assert_eq!(open("b").err().unwrap().to_string(), "the passphrase does not fit");
        let file = layout.room(Room::Vault).join("keyring-1.key");
        std::fs::write(&file, [1; 65]).unwrap();
        assert!(matches!(open("a"), Err(RootError::Foreign(f)) if f == file));
    }
}
