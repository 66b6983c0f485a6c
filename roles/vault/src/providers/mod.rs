//! Who can open the vault: providers of the root key, each by itself. A passphrase, or officers' shares, of which some
//! have to come together, or a hardware token.
//!
//! Each has a key pair whose private seed is under its own lock; the root key is sealed to the public half. So a new root
//! key reaches every provider without asking for its passphrase, and one that was removed opens only what was sealed
//! before.

mod lock;
mod record;

use base::{Secret, UtcMillis};
use seal::hybrid::{KeyPair, PublicKey, Sealed};
use seal::shares::Share;

pub(crate) use lock::Lock;
pub use lock::{Proof, TokenPlace};
pub(crate) use record::{MAX_FILE, Unproven};

/// Most providers of one vault.
const MAX_PROVIDERS: usize = 16;
/// Most bytes of a label.
const MAX_LABEL: usize = 80;

/// Most bytes of what a token has locked.
const MAX_LOCKED: usize = 1024;

const ROOT_INFO: &[u8] = b"meterkeep/root-key/1 vault->provider";

/// Why providers were not read, changed or used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProviderError {
    /// The file.
    #[error("the list of providers is damaged or of another edition; put back the file that was")]
    Form,
    /// The file does not belong to the root key that it holds.
    #[error(
        "the list of providers was changed by somebody who does not hold the root key; put back the file that was"
    )]
    Changed,
    /// No such provider.
    #[error("there is no provider {0}; `meterkeep vault providers` lists them")]
    Unknown(u32),
    /// Nobody opens the vault in this way.
    #[error("{0} opens no provider of this vault; `meterkeep vault providers` lists what does")]
    NoSuch(&'static str),
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

    /// How many there ever were.
    pub(crate) const fn ever(&self) -> u32 {
        self.next_id.saturating_sub(1)
    }

    /// The providers.
    pub(crate) fn list(&self) -> &[Provider] {
        &self.list
    }

    /// The root key, by whichever provider the proof belongs to.
    ///
    /// # Errors
    /// [`ProviderError::Wrong`] when it belongs to none, [`ProviderError::NoSuch`] when there is none of its kind.
    fn unlock(&self, proof: &Proof) -> Result<Secret<32>, ProviderError> {
        let mut result = Err(ProviderError::NoSuch(proof.name()));
        for provider in self.list.iter().filter(|p| p.lock.takes(proof)) {
            result = self.unlock_one(provider, proof);
            if !matches!(result, Err(ProviderError::Wrong(_))) {
                break;
            }
        }
        result
    }

    fn unlock_one(&self, provider: &Provider, proof: &Proof) -> Result<Secret<32>, ProviderError> {
        let seed = provider.lock.open(proof)?;
        let pair = KeyPair::from_seed(seed).map_err(|_| ProviderError::Form)?;
        if pair.public().as_bytes() != provider.public.as_bytes() {
            return Err(ProviderError::Changed);
        }
        let root = pair.open_secret(ROOT_INFO, &aad(self.generation, provider.id), &provider.sealed_root);
        root.ok().and_then(|r| Secret::from_slice(r.expose())).ok_or(ProviderError::Changed)
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

    /// Adds a hardware token that has locked `key` already.
    ///
    /// # Errors
    /// As [`Self::add_passphrase`].
    pub(crate) fn add_token(
        &mut self,
        root: &Secret<32>,
        label: &str,
        place: TokenPlace,
        (key, locked): (&Secret<32>, Vec<u8>),
        now: UtcMillis,
    ) -> Result<u32, ProviderError> {
        let fits =
            |text: &str| !text.is_empty() && text.len() <= MAX_LABEL && !text.chars().any(char::is_control);
        if !fits(&place.token) || !fits(&place.key) || locked.len() > MAX_LOCKED {
            return Err(ProviderError::Label);
        }
        let seed = Secret::random().map_err(|_| ProviderError::Machine)?;
        let lock = Lock::token(&seed, place, key, locked)?;
        let public = public_of(seed)?;
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
        if self.list.iter().all(|p| p.id != id) {
            return Err(ProviderError::Unknown(id));
        }
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

fn seal_root(
    public: &PublicKey,
    generation: u32,
    id: u32,
    root: &Secret<32>,
) -> Result<Sealed, ProviderError> {
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

    /// As the next start finds them.
    fn opened(providers: &Providers, root: &Secret<32>, proof: &Proof) -> Result<[u8; 32], ProviderError> {
        Providers::read(&providers.to_bytes(root))?.open(proof).map(|(_, root)| *root.expose())
    }

    #[test]
    fn each_provider_opens_the_root_by_itself_and_no_other_way() {
        let root = Secret::new([5; 32]);
        let mut providers = Providers::new();
        add(&mut providers, &root, "one");
        add(&mut providers, &root, "two");
        let (_, shares) = providers.add_shares(&root, "officers", (3, 5), NOW).unwrap();
        for text in ["one", "two"] {
            assert_eq!(opened(&providers, &root, &phrase(text)), Ok([5; 32]));
        }
        assert_eq!(opened(&providers, &root, &phrase("six")), Err(ProviderError::Wrong("the passphrase")));
        let mut shares = shares.into_iter();
        let mut brought: Vec<Share> = shares.by_ref().take(2).collect();
        let error = opened(&providers, &root, &Proof::Shares(std::mem::take(&mut brought))).unwrap_err();
        assert_eq!(error.to_string(), "2 of 3 shares are there");
        brought.extend(shares);
        assert_eq!(opened(&providers, &root, &Proof::Shares(brought)), Ok([5; 32]));
    }

    #[test]
    fn each_set_of_shares_is_its_own() {
        let root = Secret::new([5; 32]);
        let mut providers = Providers::new();
        let (_, first) = providers.add_shares(&root, "officers", (2, 3), NOW).unwrap();
        assert!(matches!(opened(&providers, &root, &phrase("one")), Err(ProviderError::NoSuch(_))));
        let mut other = Providers::new();
        let (_, strange) = other.add_shares(&root, "another house", (2, 3), NOW).unwrap();
        assert!(matches!(opened(&providers, &root, &Proof::Shares(strange)), Err(ProviderError::NoSuch(_))));
        let (_, second) = providers.add_shares(&root, "the night shift", (2, 3), NOW).unwrap();
        for shares in [first, second] {
            assert_eq!(opened(&providers, &root, &Proof::Shares(shares)), Ok([5; 32]));
        }
    }

    #[test]
    fn a_removed_provider_has_no_part_in_the_next_root() {
        let (root, next) = (Secret::new([5; 32]), Secret::new([6; 32]));
        let mut providers = Providers::new();
        let (a, b) = (add(&mut providers, &root, "one"), add(&mut providers, &root, "two"));
        assert_eq!(providers.remove(9), Err(ProviderError::Unknown(9)));
        providers.remove(a).unwrap();
        providers.renew(&next).unwrap();
        assert_eq!(providers.remove(b), Err(ProviderError::Last));
        assert_eq!(opened(&providers, &next, &phrase("one")), Err(ProviderError::Wrong("the passphrase")));
        assert_eq!(opened(&providers, &next, &phrase("two")), Ok([6; 32]));
        // numbers are not used twice
        assert_eq!(add(&mut providers, &next, "three"), 3);
    }

    #[test]
    fn a_token_opens_with_what_it_locked_and_nothing_else() {
        let root = Secret::new([5; 32]);
        let mut providers = Providers::new();
        let place = |token: &str| TokenPlace { token: token.to_owned(), key: "vault".to_owned() };
        let mut add = |token: &str, key: u8| {
            let key = (&Secret::new([key; 32]), vec![key; 60]);
            providers.add_token(&root, "hsm", place(token), key, NOW)
        };
        add("first", 1).unwrap();
        add("second", 2).unwrap();
        assert_eq!(add("", 3), Err(ProviderError::Label));
        for key in [1, 2] {
            assert_eq!(opened(&providers, &root, &Proof::Token(Secret::new([key; 32]))), Ok([5; 32]));
        }
        let error = opened(&providers, &root, &Proof::Token(Secret::new([3; 32]))).unwrap_err();
        assert_eq!(error, ProviderError::Wrong("what the token opened"));
    }

    #[test]
    fn a_list_that_somebody_else_changed_is_noticed() {
        let root = Secret::new([5; 32]);
        let mut providers = Providers::new();
        add(&mut providers, &root, "one");
        let bytes = providers.to_bytes(&root);
        let open = |bytes: &[u8]| Providers::read(bytes)?.open(&phrase("one")).map(|_| ());
        assert_eq!(open(&bytes), Ok(()));
        // the lock's own bytes cost a stretched passphrase each, so not every byte of them
        for at in (0..60).chain((60..bytes.len()).step_by(97)) {
            let mut changed = bytes.clone();
            changed[at] ^= 4;
            assert!(open(&changed).is_err(), "byte {at}");
        }
        for cut in (0..bytes.len()).step_by(31) {
            assert!(open(&bytes[..cut]).is_err());
        }
    }
}
