//! What a provider's seed is locked with, and what opens it.

use base::{Secret, SecretBytes};
use seal::passphrase::{PassphraseError, SealedRoot};
use seal::shares::{self, Share};
use seal::{Place, aead};

use super::ProviderError;

/// A lock as it lies on disk.
pub(crate) enum Lock {
    /// Argon2id.
    Passphrase(SealedRoot),
    /// Shamir shares, of which as many as the threshold says come together.
    Shares { set: [u8; 8], threshold: u8, commitments: Vec<[u8; 32]>, envelope: Vec<u8> },
    /// A key that a hardware token has locked and opens again.
    Token { place: TokenPlace, locked: Vec<u8>, envelope: Vec<u8> },
}

/// Where in a hardware token the key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPlace {
    /// The token's label.
    pub token: String,
    /// The label of the key in it.
    pub key: String,
}

/// What somebody brings to open the vault.
pub enum Proof {
    /// A passphrase.
    Passphrase(SecretBytes),
    /// Officers' shares.
    Shares(Vec<Share>),
    /// What a hardware token opened.
    Token(Secret<32>),
}

impl Proof {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Passphrase(_) => "the passphrase",
            Self::Shares(_) => "what the shares make",
            Self::Token(_) => "what the token opened",
        }
    }
}

fn share_place(set: [u8; 8]) -> Place {
    Place::new("meterkeep/provider-seed/1").field(&set)
}

fn token_place(at: &TokenPlace, locked: &[u8]) -> Place {
    let place = Place::new("meterkeep/provider-token-seed/1").field(at.token.as_bytes());
    place.field(at.key.as_bytes()).field(locked)
}

impl Lock {
    pub(super) fn passphrase(passphrase: &SecretBytes, seed: &Secret<32>) -> Result<Self, ProviderError> {
        SealedRoot::create(passphrase, seed).map(Self::Passphrase).map_err(|_| ProviderError::Machine)
    }

    pub(super) fn shares(
        seed: &Secret<32>,
        threshold: u8,
        count: u8,
    ) -> Result<(Self, Vec<Share>), ProviderError> {
        let key = Secret::<32>::random().map_err(|_| ProviderError::Machine)?;
        let all = shares::split(&key, threshold, count)?;
        let set = all.first().map(Share::set).ok_or(ProviderError::Machine)?;
        let envelope =
            aead::seal(&key, 1, &share_place(set), seed.expose()).map_err(|_| ProviderError::Machine)?;
        let commitments = all.iter().map(Share::commitment).collect();
        Ok((Self::Shares { set, threshold, commitments, envelope }, all))
    }

    /// A lock whose key a token has locked; the key is not kept.
    pub(super) fn token(
        seed: &Secret<32>,
        place: TokenPlace,
        key: &Secret<32>,
        locked: Vec<u8>,
    ) -> Result<Self, ProviderError> {
        let envelope = aead::seal(key, 1, &token_place(&place, &locked), seed.expose());
        Ok(Self::Token { place, locked, envelope: envelope.map_err(|_| ProviderError::Machine)? })
    }

    /// Whether a proof is meant for it.
    pub(super) fn takes(&self, proof: &Proof) -> bool {
        match (self, proof) {
            (Self::Passphrase(_), Proof::Passphrase(_)) | (Self::Token { .. }, Proof::Token(_)) => true,
            (Self::Shares { set, .. }, Proof::Shares(shares)) => shares.iter().any(|s| s.set() == *set),
            _ => false,
        }
    }

    pub(super) fn open(&self, proof: &Proof) -> Result<Secret<32>, ProviderError> {
        match (self, proof) {
            (Self::Passphrase(sealed), Proof::Passphrase(passphrase)) => {
                sealed.open(passphrase).map_err(|error| match error {
                    PassphraseError::WrongPassphrase => ProviderError::Wrong(proof.name()),
                    PassphraseError::Form => ProviderError::Form,
                    PassphraseError::Machine => ProviderError::Machine,
                })
            }
            (Self::Shares { set, commitments, envelope, .. }, Proof::Shares(brought)) => {
                for share in brought {
                    check_share(*set, commitments, share)?;
                }
                let key = shares::join(brought)?;
                aead::open_secret(&key, &share_place(*set), envelope)
                    .map_err(|_| ProviderError::Wrong(proof.name()))
            }
            (Self::Token { place, locked, envelope }, Proof::Token(key)) => {
                aead::open_secret(key, &token_place(place, locked), envelope)
                    .map_err(|_| ProviderError::Wrong(proof.name()))
            }
            _ => Err(ProviderError::NoSuch(proof.name())),
        }
    }

    /// Whether a single share belongs to this lock, before others are there.
    pub(crate) fn accepts(&self, share: &Share) -> Result<(), ProviderError> {
        match self {
            Self::Shares { set, commitments, .. } => check_share(*set, commitments, share),
            _ => Err(ProviderError::Share(shares::ShareError::OtherSet)),
        }
    }
}

fn check_share(set: [u8; 8], commitments: &[[u8; 32]], share: &Share) -> Result<(), ProviderError> {
    if share.set() != set {
        return Err(shares::ShareError::OtherSet.into());
    }
    let place = usize::from(share.number()).checked_sub(1);
    match place.and_then(|at| commitments.get(at)) {
        Some(commitment) if share.is_of(commitment) => Ok(()),
        _ => Err(ProviderError::Wrong("the share")),
    }
}
