//! The root key: everything else that the vault keeps is sealed under keys derived from it.

use std::path::PathBuf;

use base::{Secret, SecretBytes};
use house::Layout;
use journal::{Disk, JournalError, RealDisk, read_whole, write_atomically};
use seal::hybrid::KeyPair;
use seal::passphrase::{PassphraseError, SealedRoot};
use seal::{Place, SealError, aead, derive};
use wire::Room;

/// Largest of the small files here.
const SMALL: usize = 4096;

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
    /// The passphrase.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// The import key does not open under this root.
    #[error("`{0}` does not belong to this vault, or was changed; put back the file that did")]
    ImportKey(PathBuf),
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    NoRandomness,
}

impl From<SealError> for RootError {
    fn from(_: SealError) -> Self {
        Self::NoRandomness
    }
}

/// The opened root key and what is derived from it.
pub(crate) struct Root(Secret<32>);

impl Root {
    /// Under which meter keys and data-key roots are sealed, each bound to its place.
    pub(crate) const fn key(&self) -> &Secret<32> {
        &self.0
    }

    /// Under which the records of the key table are sealed.
    pub(crate) fn table_key(&self) -> Secret<32> {
        derive::labelled(&self.0, "meterkeep/vault-table-key/1", &[])
    }

    /// Under which freshness is sealed.
    pub(crate) fn fresh_key(&self) -> Secret<32> {
        derive::labelled(&self.0, "meterkeep/vault-fresh-key/1", &[])
    }

    /// Under which the count of key releases is sealed.
    pub(crate) fn release_key(&self) -> Secret<32> {
        derive::labelled(&self.0, "meterkeep/vault-release-key/1", &[])
    }

    /// With which telegrams and keys are hashed for comparison: nobody outside can aim at a hash.
    pub(crate) fn hash_key(&self) -> Secret<32> {
        derive::labelled(&self.0, "meterkeep/vault-hash-key/1", &[])
    }
}

fn root_file(layout: &Layout) -> PathBuf {
    layout.room(Room::Vault).join("root.key")
}

fn import_file(layout: &Layout) -> PathBuf {
    layout.room(Room::Vault).join("import.key")
}

fn import_place() -> Place {
    Place::new("meterkeep/vault-import-key/1")
}

/// The file, for all to read, with the public key to which key lists are sealed: hexadecimal.
pub const IMPORT_PUBLIC: &str = "vault-import.pub";

/// Makes a vault in a house: a random root key under a passphrase, and the key pair for key imports, whose public
/// half goes to [`IMPORT_PUBLIC`]. The folders must be there.
///
/// # Errors
/// [`RootError::Exists`] when there is one already, else what the disk or the operating system says.
pub fn create(layout: &Layout, passphrase: &SecretBytes) -> Result<(), RootError> {
    create_on(&RealDisk, layout, passphrase)
}

pub(crate) fn create_on(disk: &dyn Disk, layout: &Layout, passphrase: &SecretBytes) -> Result<(), RootError> {
    let file = root_file(layout);
    if read_whole(disk, &file, SMALL)?.is_some() {
        return Err(RootError::Exists(layout.room(Room::Vault)));
    }
    let root = Secret::random().map_err(|_| RootError::NoRandomness)?;
    let pair = KeyPair::generate()?;
    let import = aead::seal(&root, 1, &import_place(), pair.expose_seed())?;
    let public = hex::encode(pair.public().as_bytes()) + "\n";
    write_atomically(disk, &layout.public(IMPORT_PUBLIC), public.as_bytes())?;
    write_atomically(disk, &import_file(layout), &import)?;
    // last, so that a vault that was cut short does not count as one
    write_atomically(disk, &file, &SealedRoot::create(passphrase, &root)?.to_bytes())?;
    Ok(())
}

/// Opens the root key and the key pair for imports.
///
/// # Errors
/// [`PassphraseError::WrongPassphrase`] inside [`RootError::Passphrase`], or what is wrong with the files.
pub(crate) fn open(
    disk: &dyn Disk,
    layout: &Layout,
    passphrase: &SecretBytes,
) -> Result<(Root, KeyPair), RootError> {
    let sealed = read_whole(disk, &root_file(layout), SMALL)?
        .ok_or_else(|| RootError::Absent(layout.room(Room::Vault)))?;
    let root = Root(SealedRoot::from_bytes(&sealed)?.open(passphrase)?);
    let wrong = || RootError::ImportKey(import_file(layout));
    let import = read_whole(disk, &import_file(layout), SMALL)?.ok_or_else(wrong)?;
    let seed = aead::open_secret(root.key(), &import_place(), &import).map_err(|_| wrong())?;
    let pair = KeyPair::from_seed(seed)?;
    Ok((root, pair))
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
        assert!(matches!(open(&RealDisk, &layout, &phrase("a")), Err(RootError::Absent(_))));
        create(&layout, &phrase("a")).unwrap();
        assert!(matches!(create(&layout, &phrase("a")), Err(RootError::Exists(_))));
        let (root, pair) = open(&RealDisk, &layout, &phrase("a")).unwrap();
        let again = open(&RealDisk, &layout, &phrase("a")).unwrap().0;
        assert_eq!(again.key().expose(), root.key().expose());
        let public = std::fs::read_to_string(layout.public(IMPORT_PUBLIC)).unwrap();
        assert_eq!(hex::decode(public.trim_end()).unwrap(), pair.public().as_bytes());
        let error = open(&RealDisk, &layout, &phrase("b")).err().unwrap();
        assert_eq!(error.to_string(), "the passphrase does not fit");
        std::fs::write(import_file(&layout), [1; 65]).unwrap();
        assert!(matches!(open(&RealDisk, &layout, &phrase("a")), Err(RootError::ImportKey(_))));
        let derived = [root.table_key(), root.fresh_key(), root.release_key(), root.hash_key()];
        let distinct: std::collections::HashSet<_> = derived.iter().map(|k| *k.expose()).collect();
        assert_eq!(distinct.len(), 4);
    }
}
