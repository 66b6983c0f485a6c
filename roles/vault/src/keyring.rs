//! The ring of keys that the root key opens: the key of the current term, the key that lasts, and the few private keys of
//! the house.
//!
//! Meter keys and the roots of data keys lie under the key of a term. A new term begins after a time, after so many uses,
//! when something was erased and when a provider was removed; everything is sealed anew under it, and writing the ring
//! without the old key is what makes the old term's ciphertext worthless. What holds no key (freshness, the count of
//! releases, the officers' desk) lies under keys derived from the one that lasts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base::{Secret, SecretBytes, UtcMillis};
use house::Layout;
use journal::{Disk, read_whole, write_atomically};
use seal::{Place, aead, derive};
use wire::Room;
use zeroize::Zeroizing;

use crate::codec::{Fields, Malformed, put_bytes, put_varint};
use crate::root::RootError;

/// Largest file of a ring.
const MAX_FILE: usize = 128 * 1024;
/// Private keys of the house in one ring, at most.
const MAX_SECRETS: usize = 64;

/// The key that lasts as long as the vault, and what is derived from it.
pub(crate) struct Lasting(Secret<32>);

impl Lasting {
    fn labelled(&self, label: &'static str) -> Secret<32> {
        derive::labelled(&self.0, label, &[])
    }

    /// Under which freshness is sealed.
    pub(crate) fn fresh_key(&self) -> Secret<32> {
        self.labelled("meterkeep/vault-fresh-key/1")
    }

    /// Under which the count of key releases is sealed.
    pub(crate) fn release_key(&self) -> Secret<32> {
        self.labelled("meterkeep/vault-release-key/1")
    }

    /// Under which the officers' desk keeps its journal.
    pub(crate) fn desk_key(&self) -> Secret<32> {
        self.labelled("meterkeep/vault-desk-key/1")
    }

    /// Under which the list of officers is sealed.
    pub(crate) fn officers_key(&self) -> Secret<32> {
        self.labelled("meterkeep/vault-officers-key/1")
    }

    /// Under which the small files about marks are sealed.
    pub(crate) fn mark_key(&self) -> Secret<32> {
        self.labelled("meterkeep/vault-mark-key/1")
    }

    /// Under which alarms are sealed.
    pub(crate) fn alarm_key(&self) -> Secret<32> {
        self.labelled("meterkeep/vault-alarm-key/1")
    }

    /// With which the codes that fetch a hand-over are hashed.
    pub(crate) fn code_key(&self) -> Secret<32> {
        self.labelled("meterkeep/vault-code-key/1")
    }

    /// With which telegrams and keys are hashed for comparison: nobody outside can aim at a hash.
    pub(crate) fn hash_key(&self) -> Secret<32> {
        self.labelled("meterkeep/vault-hash-key/1")
    }
}

/// A term: the time of one key.
pub(crate) struct Term {
    /// Its number, in the head of everything that is sealed in it; the first is 1.
    pub(crate) number: u32,
    key: Secret<32>,
    /// When it began.
    pub(crate) since: UtcMillis,
    /// How many records the table had then.
    pub(crate) from: u64,
}

impl Term {
    /// Begins a term.
    ///
    /// # Errors
    /// [`RootError::NoRandomness`].
    pub(crate) fn begin(number: u32, since: UtcMillis, from: u64) -> Result<Self, RootError> {
        let key = Secret::random().map_err(|_| RootError::NoRandomness)?;
        Ok(Self { number, key, since, from })
    }

    /// The same term once more, for the ring.
    pub(crate) fn again(&self) -> Self {
        Self { number: self.number, key: Secret::new(*self.key.expose()), since: self.since, from: self.from }
    }

    /// Under which meter keys and data-key roots are sealed, each bound to its place.
    pub(crate) const fn key(&self) -> &Secret<32> {
        &self.key
    }

    /// Under which the records of the key table are sealed.
    pub(crate) fn table_key(&self) -> Secret<32> {
        derive::labelled(&self.key, "meterkeep/vault-table-key/1", &[])
    }
}

/// The ring.
pub(crate) struct Keyring {
    pub(crate) lasting: Lasting,
    pub(crate) term: Term,
    /// A new term is due, because somebody asked for it or was removed.
    pub(crate) due: bool,
    secrets: BTreeMap<String, SecretBytes>,
}

fn file(layout: &Layout, generation: u32) -> PathBuf {
    layout.room(Room::Vault).join(format!("keyring-{generation}.key"))
}

fn place(generation: u32) -> Place {
    Place::new("meterkeep/vault-keyring/1").field(&generation.to_le_bytes())
}

impl Keyring {
    /// Makes one, in its first term.
    ///
    /// # Errors
    /// [`RootError::NoRandomness`].
    pub(crate) fn make(now: UtcMillis) -> Result<Self, RootError> {
        let lasting = Lasting(Secret::random().map_err(|_| RootError::NoRandomness)?);
        let term = Term::begin(1, now, 0)?;
        Ok(Self { lasting, term, due: false, secrets: BTreeMap::new() })
    }

    /// A private key of the house, by name.
    pub(crate) fn secret(&self, name: &str) -> Option<&SecretBytes> {
        self.secrets.get(name)
    }

    /// Keeps a private key of the house.
    pub(crate) fn keep(&mut self, name: &str, secret: SecretBytes) {
        self.secrets.insert(name.to_owned(), secret);
    }

    /// Reads the ring of a generation of the root key.
    ///
    /// # Errors
    /// [`RootError::Foreign`] when it is missing, changed or of another vault.
    pub(crate) fn load(
        disk: &dyn Disk,
        layout: &Layout,
        generation: u32,
        root: &Secret<32>,
    ) -> Result<Self, RootError> {
        let file = file(layout, generation);
        let foreign = || RootError::Foreign(file.clone());
        let sealed = read_whole(disk, &file, MAX_FILE)?.ok_or_else(foreign)?;
        let plain = Zeroizing::new(aead::open(root, &place(generation), &sealed).map_err(|_| foreign())?);
        decode(&plain).map_err(|_| foreign())
    }

    /// Writes the ring; from then on it holds.
    ///
    /// # Errors
    /// The disk; [`RootError::NoRandomness`].
    pub(crate) fn save(
        &self,
        disk: &dyn Disk,
        layout: &Layout,
        generation: u32,
        root: &Secret<32>,
    ) -> Result<(), RootError> {
        let sealed = aead::seal(root, generation, &place(generation), &encode(self))?;
        Ok(write_atomically(disk, &file(layout, generation), &sealed)?)
    }
}

/// Removes the rings of other generations.
pub(crate) fn drop_others(disk: &dyn Disk, layout: &Layout, generation: u32) -> Result<(), RootError> {
    let (folder, keep) = (layout.room(Room::Vault), file(layout, generation));
    let at = |path: &Path, error| RootError::Io(path.to_owned(), error);
    for name in disk.list(&folder).map_err(|e| at(&folder, e))? {
        let path = folder.join(&name);
        let ring = name.to_str().is_some_and(|n| n.starts_with("keyring-"));
        if ring && path != keep {
            disk.remove(&path).map_err(|e| at(&path, e))?;
        }
    }
    disk.sync_dir(&folder).map_err(|e| at(&folder, e))
}

fn encode(ring: &Keyring) -> Zeroizing<Vec<u8>> {
    let size =
        ring.secrets.iter().map(|(name, secret)| name.len() + secret.expose().len() + 20).sum::<usize>();
    // room for all of it at once: a buffer that grew would leave a copy behind
    let mut into = Zeroizing::new(Vec::with_capacity(128 + size));
    into.extend_from_slice(ring.lasting.0.expose());
    into.extend_from_slice(&ring.term.number.to_le_bytes());
    into.extend_from_slice(ring.term.key.expose());
    into.extend_from_slice(&ring.term.since.0.to_le_bytes());
    into.extend_from_slice(&ring.term.from.to_le_bytes());
    into.push(u8::from(ring.due));
    put_varint(&mut into, ring.secrets.len() as u64);
    for (name, secret) in &ring.secrets {
        put_bytes(&mut into, name.as_bytes());
        put_bytes(&mut into, secret.expose());
    }
    into
}

fn decode(plain: &[u8]) -> Result<Keyring, Malformed> {
    let mut fields = Fields::of(plain);
    let lasting = Lasting(Secret::new(fields.array()?));
    let number = fields.u32()?;
    let key = Secret::new(fields.array()?);
    let (since, from) = (UtcMillis(fields.i64()?), fields.u64()?);
    let due = fields.byte()? != 0;
    let count = fields.count(2)?;
    if count > MAX_SECRETS {
        return Err(Malformed);
    }
    let mut secrets = BTreeMap::new();
    for _ in 0..count {
        let name = String::from_utf8(fields.bytes()?.to_vec()).map_err(|_| Malformed)?;
        secrets.insert(name, SecretBytes::new(fields.bytes()?.to_vec()));
    }
    fields.end()?;
    Ok(Keyring { lasting, term: Term { number, key, since, from }, due, secrets })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_ring_comes_back_whole_and_its_keys_are_all_different() {
        let mut ring = Keyring::make(UtcMillis(7)).unwrap();
        ring.keep("import", SecretBytes::new(vec![1; 32]));
        ring.keep("handover", SecretBytes::new(vec![2; 900]));
        ring.due = true;
        let again = decode(&encode(&ring)).unwrap();
        assert_eq!(*encode(&again), *encode(&ring));
        assert!(again.due && again.secret("handover").is_some() && again.secret("other").is_none());
        assert_eq!((again.term.number, again.term.since, again.term.from), (1, UtcMillis(7), 0));
        let derived = [
            again.lasting.fresh_key(),
            again.lasting.release_key(),
            again.lasting.desk_key(),
            again.lasting.officers_key(),
            again.lasting.mark_key(),
            again.lasting.alarm_key(),
            again.lasting.code_key(),
            again.lasting.hash_key(),
            again.term.table_key(),
        ];
        assert_eq!(derived.iter().map(|k| *k.expose()).collect::<HashSet<_>>().len(), derived.len());
        assert!(decode(&encode(&ring)[1..]).is_err());
    }
}
