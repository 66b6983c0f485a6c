//! Who may open the vault, and changing it: adding a passphrase or officers' shares, and taking one away.
//!
//! It works on the closed vault's files, for who brings what opens it. One change at a time; each holds from the moment
//! that the list of providers is on disk, and one that was cut short leaves the list as it was.

use base::{Secret, SecretBytes, UtcMillis};
use house::Layout;
use journal::{DiskLock, RealDisk};
use seal::shares::Share;
use seal::sign::Verifier;

use crate::keyring;
use crate::mark;
use crate::officers::{self, Officer};
use crate::providers::{Lock, Proof, Provider, ProviderError, TokenPlace};
use crate::root::{self, Opened, RootError};
use crate::signing;

/// A provider, as people may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderInfo {
    /// Its number; never given twice.
    pub id: u32,
    /// What people call it.
    pub label: String,
    /// When it was added.
    pub made: UtcMillis,
    /// How it opens the vault.
    pub kind: ProviderKind,
}

/// How a provider opens the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// Somebody knows it.
    Passphrase,
    /// So many of so many shares come together.
    Shares {
        /// How many have to.
        threshold: u8,
        /// How many there are.
        shares: u8,
    },
    /// A hardware token.
    Token,
}

/// A hardware token that opens the vault: where its key is, and what it has locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenLock {
    /// Where.
    pub place: TokenPlace,
    /// What it has locked, for it to open.
    pub locked: Vec<u8>,
}

/// The hardware tokens among a house's providers, without opening the vault.
///
/// # Errors
/// As [`providers`].
pub fn tokens(layout: &Layout) -> Result<Vec<TokenLock>, RootError> {
    let list = root::read_providers(&RealDisk, layout)?;
    let token = |provider: &Provider| match &provider.lock {
        Lock::Token { place, locked, .. } => Some(TokenLock { place: place.clone(), locked: locked.clone() }),
        _ => None,
    };
    Ok(list.list().iter().filter_map(token).collect())
}

fn info(provider: &Provider) -> ProviderInfo {
    let kind = match &provider.lock {
        Lock::Passphrase(_) => ProviderKind::Passphrase,
        Lock::Token { .. } => ProviderKind::Token,
        Lock::Shares { threshold, commitments, .. } => ProviderKind::Shares {
            threshold: *threshold,
            shares: u8::try_from(commitments.len()).unwrap_or(u8::MAX),
        },
    };
    ProviderInfo { id: provider.id, label: provider.label.clone(), made: provider.made, kind }
}

/// The providers of a house's vault, without opening it.
///
/// # Errors
/// When there is no vault, or its list of providers cannot be read.
pub fn providers(layout: &Layout) -> Result<Vec<ProviderInfo>, RootError> {
    Ok(root::read_providers(&RealDisk, layout)?.list().iter().map(info).collect())
}

/// Whether a share is one of this vault's, before others are there. Gives how many have to come together.
///
/// # Errors
/// [`ProviderError`] inside [`RootError::Provider`]: it is of another vault, of a set that was removed, or changed.
pub fn check_share(layout: &Layout, share: &Share) -> Result<u8, RootError> {
    let list = root::read_providers(&RealDisk, layout)?;
    let mut result = Err(ProviderError::NoSuch("this share").into());
    for provider in list.list() {
        match provider.lock.accepts(share) {
            Ok(()) => return Ok(share.threshold().0),
            Err(ProviderError::Share(_)) => {}
            Err(error) => result = Err(error.into()),
        }
    }
    result
}

/// The vault's list of providers, opened by one of them for one change: what a change that failed has left in memory must
/// not reach the disk with the next.
pub struct Custody {
    layout: Layout,
    opened: Opened,
    _lock: Box<dyn DiskLock>,
}

impl Custody {
    /// Opens the list. Waits for nobody: while somebody else changes it, this is refused.
    ///
    /// # Errors
    /// When the proof opens nothing, the files are damaged, or somebody else is at it.
    pub fn open(layout: &Layout, proof: &Proof) -> Result<Self, RootError> {
        root::read_providers(&RealDisk, layout)?;
        let lock = root::lock(&RealDisk, layout)?;
        let opened = root::unlock(&RealDisk, layout, proof)?;
        Ok(Self { layout: layout.clone(), opened, _lock: lock })
    }

    /// Adds a passphrase. Gives the provider's number.
    ///
    /// # Errors
    /// A label or number of providers that cannot be; the disk; the machine.
    pub fn add_passphrase(mut self, label: &str, passphrase: &SecretBytes) -> Result<u32, RootError> {
        let Opened { providers, root, .. } = &mut self.opened;
        let id = providers.add_passphrase(root, label, passphrase, UtcMillis::now())?;
        self.save()?;
        Ok(id)
    }

    /// Adds a set of officers' shares, `threshold` of which open the vault, and hands each to `keep` before the set
    /// holds: a set whose shares are not all kept is never in force. The vault keeps no share.
    ///
    /// # Errors
    /// As [`Self::add_passphrase`]; numbers that cannot be; what `keep` says.
    pub fn add_shares<E: From<RootError>>(
        mut self,
        label: &str,
        (threshold, shares): (u8, u8),
        keep: impl FnOnce(&[Share]) -> Result<(), E>,
    ) -> Result<u32, E> {
        let Opened { providers, root, .. } = &mut self.opened;
        let added = providers.add_shares(root, label, (threshold, shares), UtcMillis::now());
        let (id, shares) = added.map_err(RootError::from)?;
        keep(&shares)?;
        self.save()?;
        Ok(id)
    }

    /// Adds a hardware token, which has locked a key that was made for it: `key` and what the token made of it.
    ///
    /// # Errors
    /// As [`Self::add_passphrase`].
    pub fn add_token(mut self, label: &str, token: TokenLock, key: &Secret<32>) -> Result<u32, RootError> {
        let Opened { providers, root, .. } = &mut self.opened;
        let id = providers.add_token(root, label, token.place, (key, token.locked), UtcMillis::now())?;
        self.save()?;
        Ok(id)
    }

    /// Takes a provider's power away: the others get a new root key, under which the ring lies from now on, and with the
    /// vault's next start a new term begins, so that no key that the removed one could have reached opens what follows.
    ///
    /// Who has kept a copy of the vault's files from before, and what opened them, still opens that copy.
    ///
    /// # Errors
    /// [`ProviderError::Last`], [`ProviderError::Unknown`]; the disk; the machine.
    pub fn remove(mut self, id: u32) -> Result<(), RootError> {
        let next: Secret<32> = root::random()?;
        let Opened { providers, root, ring } = &mut self.opened;
        providers.remove(id)?;
        providers.renew(&next)?;
        ring.due = true;
        ring.save(&RealDisk, &self.layout, providers.generation, &next)?;
        *root = next;
        self.save()?;
        keyring::drop_others(&RealDisk, &self.layout, self.opened.providers.generation)
    }

    /// Asks for a new term: a running vault begins it within a minute, a stopped one at its next start.
    ///
    /// # Errors
    /// The disk; the machine.
    pub fn renew_term(mut self) -> Result<(), RootError> {
        self.opened.ring.due = true;
        self.save_ring()
    }

    /// Which term it is, and since when.
    #[must_use]
    pub const fn term(&self) -> (u32, UtcMillis) {
        (self.opened.ring.term.number, self.opened.ring.term.since)
    }

    /// Pins officers' public keys, all or none. The vault believes them from its next start.
    ///
    /// # Errors
    /// [`crate::OfficerError`] inside [`RootError::Officer`]; the disk; the machine.
    pub fn pin_officers(mut self, house: &str, new: &[(&str, Verifier)]) -> Result<(), RootError> {
        let mut officers = officers::load(&RealDisk, &self.layout, &self.opened.ring.lasting)?;
        for (name, key) in new {
            officers::pin(&mut officers, name, *key, UtcMillis::now())?;
        }
        // houses that were made before there were hand-overs have no key to sign them with
        signing::create(&RealDisk, &self.layout, &mut self.opened.ring, house)?;
        self.save_ring()?;
        officers::save(&RealDisk, &self.layout, &self.opened.ring.lasting, &officers)
    }

    /// Takes an officer's power away, from the vault's next start.
    ///
    /// # Errors
    /// As [`Self::pin_officers`].
    pub fn unpin_officer(self, name: &str) -> Result<(), RootError> {
        let lasting = &self.opened.ring.lasting;
        let mut officers = officers::load(&RealDisk, &self.layout, lasting)?;
        officers::unpin(&mut officers, name)?;
        officers::save(&RealDisk, &self.layout, lasting, &officers)
    }

    /// The pinned officers.
    ///
    /// # Errors
    /// When the list is damaged or of another vault.
    pub fn officers(&self) -> Result<Vec<Officer>, RootError> {
        Ok(officers::load(&RealDisk, &self.layout, &self.opened.ring.lasting)?.list)
    }

    /// Lets the vault's next start, within a day, accept its files although the log says that there were newer ones: after
    /// a restore from a backup, say. What was removed, imported or fetched since is then not known to it. What was erased
    /// has to be erased again first, which the archive sees to, unless it is accepted `without_erasures`.
    ///
    /// # Errors
    /// The disk; the machine.
    pub fn accept_older(self, without_erasures: bool) -> Result<(), RootError> {
        let what = if without_erasures { mark::Accepted::WithoutErasures } else { mark::Accepted::Older };
        mark::accept(&RealDisk, &self.layout, &self.opened.ring.lasting, what, UtcMillis::now())
    }

    fn save_ring(&self) -> Result<(), RootError> {
        let Opened { providers, root, ring } = &self.opened;
        ring.save(&RealDisk, &self.layout, providers.generation, root)
    }

    fn save(&self) -> Result<(), RootError> {
        root::save_providers(&RealDisk, &self.layout, &self.opened.providers, &self.opened.root)
    }
}
