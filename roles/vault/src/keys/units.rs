//! Keys of meters that push DLMS: one to encrypt, one that goes into what the tag covers.

use std::collections::HashMap;

use base::{MeterId, Secret, SecretBytes};
use seal::mac;
use seal::meter::dlms::Keys;

use super::is_weak;
use crate::MeterNumber;

/// What a key of DLMS is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnitRole {
    /// The global unicast encryption key.
    Encryption,
    /// The authentication key. It is no secret of one meter alone: whole countries share one.
    Authentication,
}

impl UnitRole {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "GUEK" => Some(Self::Encryption),
            "GAK" => Some(Self::Authentication),
            _ => None,
        }
    }
}

/// All keys of DLMS, by meter. Each has an allocation of its own, which is never grown and is zeroed at the end.
pub(crate) struct UnitKeys {
    pairs: HashMap<MeterNumber, Pair>,
    /// Keyed hashes of encryption keys, to notice one that is there twice.
    owners: HashMap<[u8; 32], MeterNumber>,
    hash_key: Secret<32>,
}

#[derive(Default)]
struct Pair {
    meter: Option<MeterId>,
    encryption: Option<SecretBytes>,
    authentication: Option<SecretBytes>,
    /// With which delivery the encryption key came.
    delivery: u32,
}

impl Pair {
    fn of(&self, role: UnitRole) -> Option<&SecretBytes> {
        match role {
            UnitRole::Encryption => self.encryption.as_ref(),
            UnitRole::Authentication => self.authentication.as_ref(),
        }
    }
}

impl UnitKeys {
    pub(crate) fn new(hash_key: Secret<32>) -> Self {
        Self { pairs: HashMap::new(), owners: HashMap::new(), hash_key }
    }

    /// The keys of a meter; none without an encryption key.
    pub(crate) fn get(&self, number: MeterNumber) -> Option<Keys<'_>> {
        let pair = self.pairs.get(&number)?;
        let authentication = pair.authentication.as_ref().map(SecretBytes::expose);
        Some(Keys { encryption: pair.encryption.as_ref()?.expose(), authentication })
    }

    /// The register's id of a meter whose key is here.
    pub(crate) fn meter(&self, number: MeterNumber) -> Option<MeterId> {
        self.pairs.get(&number)?.meter
    }

    /// What would become of a key; `imported` where it is to be taken in.
    pub(crate) fn judge(&self, number: MeterNumber, role: UnitRole, key: &[u8]) -> &'static str {
        if !matches!(key.len(), 16 | 32) {
            return "wrong-length";
        }
        if let Some(stored) = self.pairs.get(&number).and_then(|pair| pair.of(role)) {
            return if stored.expose() == key { "unchanged" } else { "conflict" };
        }
        if role == UnitRole::Authentication {
            return "imported";
        }
        let (half, _) = key.as_chunks::<16>();
        let owner = self.owners.get(&mac::code(&self.hash_key, key));
        if half.iter().all(is_weak) {
            "weak"
        } else if owner.is_some_and(|owner| *owner != number) {
            "duplicate"
        } else {
            "imported"
        }
    }

    /// Takes a key in.
    pub(crate) fn insert(
        &mut self,
        number: MeterNumber,
        meter: MeterId,
        (role, key): (UnitRole, SecretBytes),
        delivery: u32,
    ) {
        if role == UnitRole::Encryption {
            self.owners.insert(mac::code(&self.hash_key, key.expose()), number);
        }
        let pair = self.pairs.entry(number).or_default();
        pair.meter = Some(meter);
        match role {
            UnitRole::Encryption => (pair.encryption, pair.delivery) = (Some(key), delivery),
            UnitRole::Authentication => pair.authentication = Some(key),
        }
    }

    /// How many meters there are, also those that lack a key; cheaper than [`Self::len`].
    pub(crate) fn meters(&self) -> usize {
        self.pairs.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.pairs.values().filter(|pair| pair.encryption.is_some()).count()
    }

    /// The meters as freshness knows them, each with the delivery that its key came with.
    pub(crate) fn deliveries(&self) -> impl Iterator<Item = (MeterNumber, u32)> {
        let keyed = self.pairs.iter().filter(|(_, pair)| pair.encryption.is_some());
        keyed.map(|(number, pair)| (number.of_units(), pair.delivery))
    }

    /// The meters as freshness knows them.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = MeterNumber> {
        self.pairs.iter().filter(|(_, pair)| pair.encryption.is_some()).map(|(number, _)| number.of_units())
    }
}
