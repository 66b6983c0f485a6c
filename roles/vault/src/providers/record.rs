//! The list of providers as it lies on disk: `MKROOTS1 generation(4) next-id(4) count providers.. code(32)`. The code is
//! of all that stands before it, under a key of the root: who holds no root key cannot add himself unnoticed.

use base::{Secret, UtcMillis};
use seal::hybrid::{PUBLIC_LEN, PublicKey, Sealed};
use seal::passphrase::SealedRoot;
use seal::{derive, mac};

use super::{Lock, MAX_LABEL, MAX_PROVIDERS, Proof, Provider, ProviderError, Providers, TokenPlace};
use crate::codec::{Fields, Malformed, put_bytes, put_varint};

const MAGIC: [u8; 8] = *b"MKROOTS1";
const CODE: usize = 32;

/// Largest file: sixteen providers of some kilobytes.
pub(crate) const MAX_FILE: usize = 128 << 10;

fn code_key(root: &Secret<32>) -> Secret<32> {
    derive::labelled(root, "meterkeep/vault-providers-key/1", &[])
}

impl From<Malformed> for ProviderError {
    fn from(_: Malformed) -> Self {
        Self::Form
    }
}

impl Providers {
    /// The file.
    pub(crate) fn to_bytes(&self, root: &Secret<32>) -> Vec<u8> {
        let mut into = self.body();
        let code = mac::code(&code_key(root), &into);
        into.extend_from_slice(&code);
        into
    }

    fn body(&self) -> Vec<u8> {
        let mut into = MAGIC.to_vec();
        into.extend_from_slice(&self.generation.to_le_bytes());
        into.extend_from_slice(&self.next_id.to_le_bytes());
        put_varint(&mut into, self.list.len() as u64);
        for provider in &self.list {
            into.extend_from_slice(&provider.id.to_le_bytes());
            into.extend_from_slice(&provider.made.0.to_le_bytes());
            put_bytes(&mut into, provider.label.as_bytes());
            put_lock(&mut into, &provider.lock);
            into.extend_from_slice(provider.public.as_bytes());
            put_bytes(&mut into, &provider.sealed_root.to_vec());
        }
        into
    }

    /// Reads the file. That nobody changed it is known only once it has given the root key: [`Unproven::open`].
    ///
    /// # Errors
    /// [`ProviderError::Form`].
    pub(crate) fn read(bytes: &[u8]) -> Result<Unproven, ProviderError> {
        let (body, code) = bytes.split_last_chunk::<CODE>().ok_or(ProviderError::Form)?;
        let mut fields = Fields::of(body);
        if fields.array()? != MAGIC {
            return Err(ProviderError::Form);
        }
        let (generation, next_id) = (fields.u32()?, fields.u32()?);
        let count = fields.count(PUBLIC_LEN)?;
        if count > MAX_PROVIDERS {
            return Err(ProviderError::Form);
        }
        let list = (0..count).map(|_| provider(&mut fields)).collect::<Result<_, _>>()?;
        fields.end()?;
        Ok(Unproven { providers: Self { generation, next_id, list }, body: body.to_vec(), code: *code })
    }
}

/// A list as it was read; that it is whole is not known yet.
pub(crate) struct Unproven {
    providers: Providers,
    body: Vec<u8>,
    code: [u8; CODE],
}

impl Unproven {
    /// What it says, for showing.
    pub(crate) fn list(&self) -> &[Provider] {
        self.providers.list()
    }

    /// Which generation of the root key it says that it holds.
    pub(crate) const fn generation(&self) -> u32 {
        self.providers.generation
    }

    /// Gives the root key to who brings what opens it, and the list, which is then known to be whole.
    ///
    /// # Errors
    /// [`ProviderError::Wrong`] when it opens nothing; [`ProviderError::Changed`].
    pub(crate) fn open(self, proof: &Proof) -> Result<(Providers, Secret<32>), ProviderError> {
        let root = self.providers.unlock(proof)?;
        let whole = mac::fits(&code_key(&root), &self.body, &self.code);
        if whole { Ok((self.providers, root)) } else { Err(ProviderError::Changed) }
    }
}

fn provider(fields: &mut Fields<'_>) -> Result<Provider, ProviderError> {
    let (id, made) = (fields.u32()?, UtcMillis(fields.i64()?));
    let label = text(fields, MAX_LABEL)?;
    let lock = lock(fields)?;
    let public = PublicKey::from_bytes(&fields.array::<PUBLIC_LEN>()?).map_err(|_| ProviderError::Form)?;
    let sealed_root = Sealed::from_slice(fields.bytes()?).map_err(|_| ProviderError::Form)?;
    Ok(Provider { id, label, made, lock, public, sealed_root })
}

fn text(fields: &mut Fields<'_>, most: usize) -> Result<String, ProviderError> {
    let bytes = fields.bytes()?;
    let text = std::str::from_utf8(bytes).ok().filter(|t| t.len() <= most);
    text.map(str::to_owned).ok_or(ProviderError::Form)
}

fn put_lock(into: &mut Vec<u8>, lock: &Lock) {
    match lock {
        Lock::Passphrase(sealed) => {
            into.push(1);
            put_bytes(into, &sealed.to_bytes());
        }
        Lock::Shares { set, threshold, commitments, envelope } => {
            into.push(2);
            into.extend_from_slice(set);
            into.push(*threshold);
            put_varint(into, commitments.len() as u64);
            commitments.iter().for_each(|c| into.extend_from_slice(c));
            put_bytes(into, envelope);
        }
        Lock::Token { place, locked, envelope } => {
            into.push(3);
            put_bytes(into, place.token.as_bytes());
            put_bytes(into, place.key.as_bytes());
            put_bytes(into, locked);
            put_bytes(into, envelope);
        }
    }
}

fn lock(fields: &mut Fields<'_>) -> Result<Lock, ProviderError> {
    match fields.byte()? {
        1 => SealedRoot::from_bytes(fields.bytes()?).map(Lock::Passphrase).map_err(|_| ProviderError::Form),
        2 => {
            let (set, threshold) = (fields.array()?, fields.byte()?);
            let count = fields.count(32)?;
            let commitments = (0..count).map(|_| fields.array()).collect::<Result<_, _>>()?;
            Ok(Lock::Shares { set, threshold, commitments, envelope: fields.bytes()?.to_vec() })
        }
        3 => {
            let place = TokenPlace { token: text(fields, MAX_LABEL)?, key: text(fields, MAX_LABEL)? };
            let (locked, envelope) = (fields.bytes()?.to_vec(), fields.bytes()?.to_vec());
            Ok(Lock::Token { place, locked, envelope })
        }
        _ => Err(ProviderError::Form),
    }
}
