//! Who can open the vault: providers of the root key, each by itself. A passphrase, officers' shares of whom some have
//! to come together, or a token (HSM).
//!
//! Each has a key pair whose private seed is under its own lock; the root key is sealed to the public half. So a new root
//! key reaches every provider without asking for its passphrase, and one that was removed opens only what was sealed
//! before.

mod lock;
mod record;

use base::{Secret, UtcMillis};
use seal::hybrid::{KeyPair, PublicKey, Sealed};
use seal::shares::Share;

pub(crate) use lock::{Lock, Proof};

/// Most providers of one vault.
const MAX_PROVIDERS: usize = 16;
/// Most bytes of a label.
const MAX_LABEL: usize = 80;

const ROOT_INFO: &[u8] = b"meterkeep/root-key/1 vault->provider";

/// Why providers were not read, changed or used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProviderError {
    /// The file.
    #[error("the list of providers is damaged or of another edition; put back the file that was")]
    Form,
    /// The file does not belong to the root key that it holds.
    #[error("the list of providers was changed by somebody who does not hold the root key; put back the file that was")]
    Changed,
    /// No such provider.
    #[error("there is no provider {0}; `meterkeep vault providers` lists them")]
    Unknown(u32),
    /// The proof is of another kind.
    #[error("provider {0} is not opened in this way; `meterkeep vault providers` says how")]
    OtherKind(u32),
    /// The proof is wrong.
    #[error("{0} does not fit")]
    Wrong(&'static str),
    /// Shares.
    #[error(transparent)]
    Share(#[from] seal::shares::ShareError),
    /// Nobody could open the vault any more.
    #[error("this is the last provider; add another one first, or nobody opens the vault any more")]
    Last,
    /// Too many.
    #[error("a vault has at most {MAX_PROVIDERS} providers; remove one first")]
    TooMany,
    /// A label.
    #[error("a provider's label is a line of 1 to {MAX_LABEL} bytes")]
    Label,
    /// Memory for stretching a passphrase, or randomness.
    #[error("the machine lacks 64 MiB of memory or randomness now")]
    Machine,
}

/// One of them.
pub(crate) struct Provider {
    pub(crate) id: u32,
    pub(crate) label: String,
    pub(crate) made: UtcMillis,
    pub(crate) lock: Lock,
    public: PublicKey,
    sealed_root: Sealed,
}

/// All of them, and which generation of the root key they hold.
pub(crate) struct Providers {
    pub(crate) generation: u32,
    next_id: u32,
    list: Vec<Provider>,
}

fn aad(generation: u32, id: u32) -> [u8; 8] {
    let ([a, b, c, d], [e, f, g, h]) = (generation.to_le_bytes(), id.to_le_bytes());
    [a, b, c, d, e, f, g, h]
}

impl Providers {
    /// None yet.
    pub(crate) const fn new() -> Self {
        Self { generation: 1, next_id: 1, list: Vec::new() }
    }

    /// The providers.
    pub(crate) fn list(&self) -> &[Provider] {
        &self.list
    }

    /// One of them.
    ///
    /// # Errors
    /// [`ProviderError::Unknown`].
    pub(crate) fn get(&self, id: u32) -> Result<&Provider, ProviderError> {
        self.list.iter().find(|p| p.id == id).ok_or(ProviderError::Unknown(id))
    }

    /// The root key, by one provider.
    ///
    /// # Errors
    /// [`ProviderError::Wrong`] when the proof does not open it.
    pub(crate) fn unlock(&self, id: u32, proof: &Proof) -> Result<Secret<32>, ProviderError> {
        let provider = self.get(id)?;
        let seed = provider.lock.open(id, proof)?;
        let pair = KeyPair::from_seed(seed).map_err(|_| ProviderError::Form)?;
        if pair.public() != &provider.public {
            return Err(ProviderError::Wrong(proof.name()));
        }
        let root = pair.open_secret(ROOT_INFO, &aad(self.generation, id), &provider.sealed_root);
        root.ok().and_then(|r| Secret::from_slice(r.expose())).ok_or(ProviderError::Changed)
    }

    /// The root key by a passphrase, whichever provider it belongs to.
    ///
    /// # Errors
    /// [`ProviderError::Wrong`] when it belongs to none.
    pub(crate) fn unlock_any(&self, proof: &Proof) -> Result<Secret<32>, ProviderError> {
        let mut result = Err(ProviderError::Wrong(proof.name()));
        for provider in self.list.iter().filter(|p| p.lock.takes(proof)) {
            result = self.unlock(provider.id, proof);
            if !matches!(result, Err(ProviderError::Wrong(_))) {
                break;
            }
        }
        result
    }

    /// Adds a passphrase.
    ///
    /// # Errors
    /// [`ProviderError::TooMany`], [`ProviderError::Label`], [`ProviderError::Machine`].
    pub(crate) fn add_passphrase(
        &mut self,
        root: &Secret<32>,
        label: &str,
        passphrase: &base::SecretBytes,
        now: UtcMillis,
    ) -> Result<u32, ProviderError> {
        let seed = Secret::random().map_err(|_| ProviderError::Machine)?;
        let lock = Lock::passphrase(passphrase, &seed)?;
        let public = public_of(seed)?;
        self.add(root, label, lock, public, now)
    }

    /// Adds a set of shares, and gives them out: the vault keeps none.
    ///
    /// # Errors
    /// As [`Self::add_passphrase`], and numbers that cannot be.
    pub(crate) fn add_shares(
        &mut self,
        root: &Secret<32>,
        label: &str,
        (threshold, shares): (u8, u8),
        now: UtcMillis,
    ) -> Result<(u32, Vec<Share>), ProviderError> {
        let seed = Secret::random().map_err(|_| ProviderError::Machine)?;
        let (lock, shares) = Lock::shares(&seed, threshold, shares)?;
        let public = public_of(seed)?;
        Ok((self.add(root, label, lock, public, now)?, shares))
    }

    /// Adds a token, which made the pair and wrapped its seed.
    ///
    /// # Errors
    /// As [`Self::add_passphrase`].
    pub(crate) fn add_token(
        &mut self,
        root: &Secret<32>,
        label: &str,
        lock: Lock,
        public: &[u8],
        now: UtcMillis,
    ) -> Result<u32, ProviderError> {
        let public = PublicKey::from_bytes(public).map_err(|_| ProviderError::Form)?;
        self.add(root, label, lock, public, now)
    }

    fn add(
        &mut self,
        root: &Secret<32>,
        label: &str,
        lock: Lock,
        public: PublicKey,
        made: UtcMillis,
    ) -> Result<u32, ProviderError> {
        if self.list.len() >= MAX_PROVIDERS {
            return Err(ProviderError::TooMany);
        }
        if label.is_empty() || label.len() > MAX_LABEL || label.chars().any(char::is_control) {
            return Err(ProviderError::Label);
        }
        let id = self.next_id;
        let sealed_root = seal_root(&public, self.generation, id, root)?;
        self.next_id = self.next_id.saturating_add(1);
        self.list.push(Provider { id, label: label.to_owned(), made, lock, public, sealed_root });
        Ok(id)
    }

    /// Removes a provider. Its power ends with the next root key: [`Self::renew`].
    ///
    /// # Errors
    /// [`ProviderError::Last`], [`ProviderError::Unknown`].
    pub(crate) fn remove(&mut self, id: u32) -> Result<(), ProviderError> {
        self.get(id)?;
        if self.list.len() == 1 {
            return Err(ProviderError::Last);
        }
        self.list.retain(|p| p.id != id);
        Ok(())
    }

    /// Gives all providers a new root key.
    ///
    /// # Errors
    /// [`ProviderError::Form`] when one's public key does not take it.
    pub(crate) fn renew(&mut self, root: &Secret<32>) -> Result<(), ProviderError> {
        let generation = self.generation.saturating_add(1);
        let sealed: Vec<Sealed> = self
            .list
            .iter()
            .map(|p| seal_root(&p.public, generation, p.id, root))
            .collect::<Result<_, _>>()?;
        self.list.iter_mut().zip(sealed).for_each(|(p, sealed)| p.sealed_root = sealed);
        self.generation = generation;
        Ok(())
    }
}

fn public_of(seed: Secret<32>) -> Result<PublicKey, ProviderError> {
    KeyPair::from_seed(seed).map(|pair| pair.public().clone()).map_err(|_| ProviderError::Form)
}

fn seal_root(public: &PublicKey, generation: u32, id: u32, root: &Secret<32>) -> Result<Sealed, ProviderError> {
    public.seal_to(ROOT_INFO, &aad(generation, id), root.expose()).map_err(|_| ProviderError::Form)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::SecretBytes;

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

    fn phrase(text: &str) -> Proof {
        Proof::Passphrase(SecretBytes::new(text.as_bytes().to_vec()))
    }

    fn add(providers: &mut Providers, root: &Secret<32>, text: &str) -> u32 {
        let passphrase = SecretBytes::new(text.as_bytes().to_vec());
        providers.add_passphrase(root, text, &passphrase, NOW).unwrap()
    }

    fn again(providers: &Providers, root: &Secret<32>) -> Providers {
        let read = Providers::read(&providers.to_bytes(root)).unwrap();
        read.check(root).unwrap();
        read
    }

    #[test]
    fn each_provider_opens_the_root_by_itself_and_no_other_way() {
        let root = Secret::new([5; 32]);
        let mut providers = Providers::new();
        let (a, b) = (add(&mut providers, &root, "one"), add(&mut providers, &root, "two"));
        let (c, shares) = providers.add_shares(&root, "officers", (3, 5), NOW).unwrap();
        let providers = again(&providers, &root);
        for (id, proof) in [(a, phrase("one")), (b, phrase("two"))] {
            assert_eq!(providers.unlock(id, &proof).ok().unwrap().expose(), root.expose());
            assert_eq!(providers.unlock_any(&proof).ok().unwrap().expose(), root.expose());
        }
        assert_eq!(providers.unlock(a, &phrase("two")).err(), Some(ProviderError::Wrong("the passphrase")));
        assert_eq!(providers.unlock(c, &phrase("one")).err(), Some(ProviderError::OtherKind(c)));
        assert_eq!(providers.unlock(9, &phrase("one")).err(), Some(ProviderError::Unknown(9)));
        let mut shares = shares.into_iter();
        let two = Proof::Shares(shares.by_ref().take(2).collect());
        let error = providers.unlock(c, &two).err();
        assert_eq!(error.unwrap().to_string(), "2 of 3 shares are there");
        let Proof::Shares(mut three) = two else { panic!() };
        three.extend(shares.next());
        assert_eq!(providers.unlock(c, &Proof::Shares(three)).ok().unwrap().expose(), root.expose());
    }

    #[test]
    fn shares_of_another_set_are_named() {
        let root = Secret::new([5; 32]);
        let mut providers = Providers::new();
        let (a, first) = providers.add_shares(&root, "officers", (2, 3), NOW).unwrap();
        let (b, second) = providers.add_shares(&root, "the night shift", (2, 3), NOW).unwrap();
        let proof = Proof::Shares(second);
        assert!(matches!(providers.unlock(a, &proof).err(), Some(ProviderError::Share(_))));
        assert!(providers.unlock(b, &proof).is_ok() && providers.unlock(a, &Proof::Shares(first)).is_ok());
    }

    #[test]
    fn a_removed_provider_has_no_part_in_the_next_root() {
        let (root, next) = (Secret::new([5; 32]), Secret::new([6; 32]));
        let mut providers = Providers::new();
        let (a, b) = (add(&mut providers, &root, "one"), add(&mut providers, &root, "two"));
        providers.remove(a).unwrap();
        providers.renew(&next).unwrap();
        assert_eq!(providers.remove(b), Err(ProviderError::Last));
        let providers = again(&providers, &next);
        assert_eq!(providers.unlock_any(&phrase("one")).err(), Some(ProviderError::Wrong("the passphrase")));
        assert_eq!(providers.unlock(b, &phrase("two")).ok().unwrap().expose(), next.expose());
        // numbers are not used twice
        let mut providers = providers;
        assert_eq!(add(&mut providers, &next, "three"), 3);
    }

    #[test]
    fn a_list_that_somebody_else_changed_is_noticed() {
        let root = Secret::new([5; 32]);
        let mut providers = Providers::new();
        add(&mut providers, &root, "one");
        let bytes = providers.to_bytes(&root);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 4;
            let noticed = Providers::read(&changed).and_then(|p| p.check(&root));
            assert!(noticed.is_err(), "byte {at}");
        }
        for cut in 0..bytes.len() {
            assert!(Providers::read(&bytes[..cut]).and_then(|p| p.check(&root)).is_err());
        }
        assert!(Providers::read(&bytes).unwrap().check(&Secret::new([6; 32])).is_err());
    }
}
