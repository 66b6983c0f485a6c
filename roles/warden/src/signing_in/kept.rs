//! The file of ways to sign in and sessions: sealed, because the secrets of generators of codes lie in it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use base::{Secret, SecretBytes};
use journal::{Disk, JournalError, read_whole, write_atomically};
use login::{Account, Invitations, ServiceAccount, Sessions, Throttle};
use prost::Message as _;
use seal::Place;
use zeroize::{Zeroize as _, Zeroizing};

use super::{Held, MAX_ACCOUNTS};

const MAGIC: &[u8; 8] = b"MKLOGIN1";
const TERM: u32 = 1;
const MAX_BYTES: usize = 256 * 1024 * 1024;

/// Why the file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeptError {
    /// The file layer.
    #[error(transparent)]
    Disk(#[from] JournalError),
    /// Not as it was written, or under another key.
    #[error(
        "`{path}` does not open with the key beside it: put back a good copy of both, or move both away, and everybody is \
         invited anew"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// No randomness.
    #[error("the machine has no randomness")]
    Machine,
    /// The house's address in its settings.
    #[error("house.address: {0}")]
    Address(String),
}

/// The file.
pub(crate) struct LoginFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    key: Secret<32>,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct File {
    #[prost(bytes = "vec", repeated, tag = "1")]
    accounts: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "2")]
    sessions: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    throttle: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    invitations: Vec<u8>,
    #[prost(message, optional, tag = "5")]
    provider: Option<KeptProvider>,
    #[prost(bytes = "vec", repeated, tag = "6")]
    services: Vec<Vec<u8>>,
}

/// The utility's own provider, as it was when somebody set it.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct KeptProvider {
    #[prost(string, tag = "1")]
    pub(crate) issuer: String,
    #[prost(string, tag = "2")]
    pub(crate) client: String,
    #[prost(string, tag = "3")]
    pub(crate) description: String,
    #[prost(string, tag = "4")]
    pub(crate) keys: String,
    /// Who set it.
    #[prost(string, tag = "5")]
    pub(crate) by: String,
    #[prost(sint64, tag = "6")]
    pub(crate) at_ms: i64,
}

impl Drop for File {
    fn drop(&mut self) {
        self.accounts.iter_mut().for_each(|account| account.zeroize());
    }
}

fn place() -> Place {
    Place::new("meterkeep/sign-in/1")
}

/// As bytes, which are secret.
pub(super) fn encode(held: &Held) -> SecretBytes {
    let file = File {
        accounts: held.accounts.values().map(|account| account.encode().expose().to_vec()).collect(),
        sessions: held.sessions.encode(),
        throttle: held.throttle.encode(),
        invitations: held.invitations.encode(),
        provider: held.provider.clone(),
        services: held.services.values().map(ServiceAccount::encode).collect(),
    };
    SecretBytes::new(file.encode_to_vec())
}

fn decode(bytes: &[u8]) -> Option<Held> {
    let file = File::decode(bytes).ok()?;
    let mut accounts = BTreeMap::new();
    for bytes in &file.accounts {
        let account = Account::decode(bytes).ok()?;
        accounts.insert(account.name().clone(), account);
    }
    let sessions = Sessions::decode(&file.sessions).ok()?;
    let throttle = Throttle::decode(MAX_ACCOUNTS, &file.throttle).ok()?;
    let invitations = Invitations::decode(&file.invitations).ok()?;
    let mut held = Held::new(accounts, sessions, throttle, invitations);
    for bytes in &file.services {
        let service = ServiceAccount::decode(bytes).ok()?;
        held.services.insert(service.name().clone(), service);
    }
    held.provider.clone_from(&file.provider);
    Some(held)
}

impl LoginFile {
    pub(crate) const fn new(disk: Arc<dyn Disk>, path: PathBuf, key: Secret<32>) -> Self {
        Self { disk, path, key }
    }

    /// Reads it; an absent file is a house in which nobody signs in yet.
    pub(super) fn load(&self) -> Result<Held, KeptError> {
        let Some(bytes) = read_whole(self.disk.as_ref(), &self.path, MAX_BYTES)? else {
            let throttle = Throttle::new(MAX_ACCOUNTS).map_err(|_| KeptError::Machine)?;
            return Ok(Held::new(BTreeMap::new(), Sessions::default(), throttle, Invitations::default()));
        };
        let read = || {
            let plain = seal::aead::open(&self.key, &place(), bytes.strip_prefix(MAGIC)?).ok()?;
            decode(&Zeroizing::new(plain))
        };
        read().ok_or_else(|| KeptError::Damaged { path: self.path.clone() })
    }

    /// Replaces it; blocks.
    pub(super) fn save(&self, plain: &SecretBytes) -> Result<(), KeptError> {
        let sealed = seal::aead::seal(&self.key, TERM, &place(), plain.expose());
        let sealed = sealed.map_err(|_| KeptError::Machine)?;
        Ok(write_atomically(self.disk.as_ref(), &self.path, &[MAGIC, sealed.as_slice()].concat())?)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use base::UtcMillis;
    use journal::faulty::FaultyDisk;
    use login::CodeGenerator;
    use login::service::Scope;

    use super::*;

    #[test]
    fn it_reads_back_with_its_key_alone_and_nothing_in_it_is_in_clear() {
        let disk = FaultyDisk::new(0);
        disk.make_dir(Path::new("/w")).unwrap();
        let path = Path::new("/w/sign-in");
        let file = |key| LoginFile::new(Arc::new(disk.clone()), path.to_owned(), Secret::new([key; 32]));
        let mut held = file(1).load().ok().unwrap();
        let mut anna = Account::new("anna".parse().unwrap(), "Anna Ø").unwrap();
        let generator = CodeGenerator::generate().unwrap();
        let secret = *generator.expose_secret();
        anna.codes = Some(generator);
        held.accounts.insert(anna.name().clone(), anna);
        held.invitations.first_owner("anna".parse().unwrap(), UtcMillis(5)).unwrap();
        let mut export = ServiceAccount::new("export".parse().unwrap());
        let scope = Scope {
            actions: vec!["read-readings".to_owned()],
            purposes: vec!["billing".to_owned()],
            sources: Vec::new(),
            until: UtcMillis(1000),
        };
        let (_, token) = export.add_token("to the ERP", scope, UtcMillis(5)).unwrap();
        held.services.insert(export.name().clone(), export);
        held.provider =
            Some(KeptProvider { issuer: "https://id.example.org".to_owned(), ..Default::default() });
        file(1).save(&encode(&held)).unwrap();
        let again = file(1).load().ok().unwrap();
        assert_eq!(encode(&again).expose(), encode(&held).expose());
        let stored = read_whole(&disk, path, MAX_BYTES).unwrap().unwrap();
        assert!(stored.windows(20).all(|window| window != secret));
        assert_eq!((again.services.len(), &again.provider), (1, &held.provider));
        // of a token the file has a hash only, under the seal
        let token = token.expose();
        assert!(encode(&held).expose().windows(token.len()).all(|window| window != token.as_bytes()));
        assert!(matches!(file(2).load(), Err(KeptError::Damaged { .. })));
        disk.flip(path, 60, 3).unwrap();
        assert!(file(1).load().err().unwrap().to_string().contains("/w/sign-in"));
    }
}
