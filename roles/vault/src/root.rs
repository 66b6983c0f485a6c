//! The keys at the root of everything: providers open the root key, the root key opens the standing key, and under keys
//! derived from the standing key lies all else that the vault keeps.
//!
//! The step between lets the root key change, when a provider is removed, without touching a million meter keys. The
//! standing key lies in a file of the root key's generation, written before the list of providers that names the
//! generation: a change that was cut short leaves the old pair whole.

use std::path::{Path, PathBuf};

use base::{Secret, SecretBytes, UtcMillis};
use house::Layout;
use journal::{Disk, JournalError, RealDisk, read_whole, write_atomically};
use seal::hybrid::KeyPair;
use seal::{Place, SealError, aead, derive};
use wire::Room;

use crate::officers::OfficerError;
use crate::providers::{MAX_FILE, Proof, ProviderError, Providers, Unproven};
use crate::signing;

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

/// The opened standing key and what is derived from it.
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

    /// Under which the officers' desk keeps its journal.
    pub(crate) fn desk_key(&self) -> Secret<32> {
        derive::labelled(&self.0, "meterkeep/vault-desk-key/1", &[])
    }

    /// With which the codes that fetch a hand-over are hashed.
    pub(crate) fn code_key(&self) -> Secret<32> {
        derive::labelled(&self.0, "meterkeep/vault-code-key/1", &[])
    }

    /// Under which alarms are sealed.
    pub(crate) fn alarm_key(&self) -> Secret<32> {
        derive::labelled(&self.0, "meterkeep/vault-alarm-key/1", &[])
    }

    /// With which telegrams and keys are hashed for comparison: nobody outside can aim at a hash.
    pub(crate) fn hash_key(&self) -> Secret<32> {
        derive::labelled(&self.0, "meterkeep/vault-hash-key/1", &[])
    }
}

pub(crate) fn providers_file(layout: &Layout) -> PathBuf {
    layout.room(Room::Vault).join("root.keys")
}

fn standing_file(layout: &Layout, generation: u32) -> PathBuf {
    layout.room(Room::Vault).join(format!("standing-{generation}.key"))
}

fn standing_place(generation: u32) -> Place {
    Place::new("meterkeep/vault-standing-key/1").field(&generation.to_le_bytes())
}

fn import_file(layout: &Layout) -> PathBuf {
    layout.room(Room::Vault).join("import.key")
}

fn import_place() -> Place {
    Place::new("meterkeep/vault-import-key/1")
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
    let standing = random()?;
    let pair = KeyPair::generate()?;
    let import = aead::seal(&standing, 1, &import_place(), pair.expose_seed())?;
    let public = hex::encode(pair.public().as_bytes()) + "\n";
    write_atomically(disk, &layout.public(IMPORT_PUBLIC), public.as_bytes())?;
    write_atomically(disk, &import_file(layout), &import)?;
    signing::create(disk, layout, &standing, house)?;
    let mut providers = Providers::new();
    providers.add_passphrase(&root, "first passphrase", passphrase, UtcMillis::now())?;
    // the list of providers last, so that a vault that was cut short does not count as one
    save_standing(disk, layout, &providers, &root, &standing)?;
    save_providers(disk, layout, &providers, &root)
}

pub(crate) fn random() -> Result<Secret<32>, RootError> {
    Secret::random().map_err(|_| RootError::NoRandomness)
}

/// Writes the standing key for the providers' generation of the root key.
pub(crate) fn save_standing(
    disk: &dyn Disk,
    layout: &Layout,
    providers: &Providers,
    root: &Secret<32>,
    standing: &Secret<32>,
) -> Result<(), RootError> {
    let generation = providers.generation;
    let sealed = aead::seal(root, generation, &standing_place(generation), standing.expose())?;
    Ok(write_atomically(disk, &standing_file(layout, generation), &sealed)?)
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

/// Removes the standing keys of other generations than the providers'.
pub(crate) fn drop_others(disk: &dyn Disk, layout: &Layout, providers: &Providers) -> Result<(), RootError> {
    let (folder, keep) = (layout.room(Room::Vault), standing_file(layout, providers.generation));
    let at = |path: &Path, error| RootError::Io(path.to_owned(), error);
    for name in disk.list(&folder).map_err(|e| at(&folder, e))? {
        let path = folder.join(&name);
        let standing = name.to_str().is_some_and(|n| n.starts_with("standing-"));
        if standing && path != keep {
            disk.remove(&path).map_err(|e| at(&path, e))?;
        }
    }
    disk.sync_dir(&folder).map_err(|e| at(&folder, e))
}

/// The list of providers as it lies on disk.
pub(crate) fn read_providers(disk: &dyn Disk, layout: &Layout) -> Result<Unproven, RootError> {
    let bytes = read_whole(disk, &providers_file(layout), MAX_FILE)?
        .ok_or_else(|| RootError::Absent(layout.room(Room::Vault)))?;
    Ok(Providers::read(&bytes)?)
}

/// What a proof opens: the list, the root key, and the standing key.
pub(crate) struct Opened {
    pub(crate) providers: Providers,
    pub(crate) root: Secret<32>,
    pub(crate) standing: Secret<32>,
}

/// Opens the root key and the standing key.
pub(crate) fn unlock(disk: &dyn Disk, layout: &Layout, proof: &Proof) -> Result<Opened, RootError> {
    let (providers, root) = read_providers(disk, layout)?.open(proof)?;
    let file = standing_file(layout, providers.generation);
    let sealed = read_whole(disk, &file, SMALL)?.ok_or_else(|| RootError::Foreign(file.clone()))?;
    let standing = aead::open_secret(&root, &standing_place(providers.generation), &sealed);
    let standing = standing.map_err(|_| RootError::Foreign(file))?;
    Ok(Opened { providers, root, standing })
}

/// Opens what the vault works with: the standing key and the key pair for imports. Says, too, which generation of the root
/// key it is and how many providers there ever were.
///
/// # Errors
/// [`ProviderError::Wrong`] inside [`RootError::Provider`], or what is wrong with the files.
pub(crate) fn open(
    disk: &dyn Disk,
    layout: &Layout,
    proof: &Proof,
) -> Result<(Root, KeyPair, (u64, u64)), RootError> {
    let Opened { providers, standing, .. } = unlock(disk, layout, proof)?;
    let root = Root(standing);
    let wrong = || RootError::Foreign(import_file(layout));
    let import = read_whole(disk, &import_file(layout), SMALL)?.ok_or_else(wrong)?;
    let seed = aead::open_secret(root.key(), &import_place(), &import).map_err(|_| wrong())?;
    let pair = KeyPair::from_seed(seed)?;
    Ok((root, pair, (u64::from(providers.generation), u64::from(providers.ever()))))
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
        let proof = |text: &str| Proof::Passphrase(phrase(text));
        assert!(matches!(open(&RealDisk, &layout, &proof("a")), Err(RootError::Absent(_))));
        create(&layout, "Test", &phrase("a")).unwrap();
        assert!(matches!(create(&layout, "Test", &phrase("a")), Err(RootError::Exists(_))));
        let (root, pair, came) = open(&RealDisk, &layout, &proof("a")).unwrap();
        assert_eq!(came, (1, 1));
        let again = open(&RealDisk, &layout, &proof("a")).unwrap().0;
        assert_eq!(again.key().expose(), root.key().expose());
        let public = std::fs::read_to_string(layout.public(IMPORT_PUBLIC)).unwrap();
        assert_eq!(hex::decode(public.trim_end()).unwrap(), pair.public().as_bytes());
        let error = open(&RealDisk, &layout, &proof("b")).err().unwrap();
        assert_eq!(error.to_string(), "the passphrase does not fit");
        for file in [import_file(&layout), standing_file(&layout, 1)] {
            let good = std::fs::read(&file).unwrap();
            std::fs::write(&file, [1; 65]).unwrap();
            assert!(matches!(open(&RealDisk, &layout, &proof("a")), Err(RootError::Foreign(f)) if f == file));
            std::fs::write(&file, good).unwrap();
        }
        let derived = [
            root.table_key(),
            root.fresh_key(),
            root.release_key(),
            root.hash_key(),
            root.desk_key(),
            root.code_key(),
            root.alarm_key(),
        ];
        let distinct: std::collections::HashSet<_> = derived.iter().map(|k| *k.expose()).collect();
        assert_eq!(distinct.len(), 7);
    }
}
