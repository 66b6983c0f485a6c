//! Keys of meters that push DLMS: one to encrypt, one that goes into what the tag covers.

use std::collections::HashMap;

use base::{MeterId, Secret, SecretBytes, UtcMillis};
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
    /// The master key, which wraps new ones on their way into the meter. It opens no telegram.
    Master,
}

impl UnitRole {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "GUEK" => Some(Self::Encryption),
            "GAK" => Some(Self::Authentication),
            "KEK" => Some(Self::Master),
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
    master: Option<SecretBytes>,
    /// A new encryption key that the meter may have taken by now.
    pending: Option<SecretBytes>,
    /// The encryption key before this one, for what was heard before that time.
    previous: Option<(SecretBytes, UtcMillis)>,
    /// How often the encryption key was changed.
    generation: u8,
    /// With which delivery the encryption key came.
    delivery: u32,
}

impl Pair {
    fn of(&self, role: UnitRole) -> Option<&SecretBytes> {
        match role {
            UnitRole::Encryption => self.encryption.as_ref(),
            UnitRole::Authentication => self.authentication.as_ref(),
            UnitRole::Master => self.master.as_ref(),
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

    /// The other encryption keys that a telegram heard at this time may open under: the one that the meter may have taken by
    /// now, and the one before. Each with the generation of freshness that it belongs to, and whether it is the new one.
    pub(crate) fn others(
        &self,
        number: MeterNumber,
        heard: UtcMillis,
    ) -> impl Iterator<Item = (Keys<'_>, u8, bool)> {
        let pair = self.pairs.get(&number);
        let pending = pair.and_then(|pair| {
            Some((pair.pending.as_ref()?.expose(), pair.generation.wrapping_add(1), true, pair))
        });
        let previous = pair.and_then(|pair| {
            let (key, _) = pair.previous.as_ref().filter(|(_, until)| heard < *until)?;
            Some((key.expose(), pair.generation.wrapping_sub(1), false, pair))
        });
        pending.into_iter().chain(previous).map(|(encryption, generation, new, pair)| {
            let authentication = pair.authentication.as_ref().map(SecretBytes::expose);
            (Keys { encryption, authentication }, generation, new)
        })
    }

    /// How often a meter's encryption key was changed.
    pub(crate) fn generation(&self, number: MeterNumber) -> u8 {
        self.pairs.get(&number).map_or(0, |pair| pair.generation)
    }

    /// A meter's master key, and how long its encryption key is.
    pub(crate) fn master(&self, number: MeterNumber) -> Option<(&[u8], usize)> {
        let pair = self.pairs.get(&number)?;
        Some((pair.master.as_ref()?.expose(), pair.encryption.as_ref()?.expose().len()))
    }

    /// The new encryption key that waits for its meter.
    pub(crate) fn pending(&self, number: MeterNumber) -> Option<&[u8]> {
        self.pairs.get(&number)?.pending.as_ref().map(SecretBytes::expose)
    }

    /// A new encryption key, until a telegram has opened under it.
    pub(crate) fn set_pending(&mut self, number: MeterNumber, key: SecretBytes) {
        if let Some(pair) = self.pairs.get_mut(&number) {
            self.owners.insert(mac::code(&self.hash_key, key.expose()), number);
            pair.pending = Some(key);
        }
    }

    /// The meter has taken its new key: the one before is for what was heard earlier.
    pub(crate) fn promote(&mut self, number: MeterNumber, heard: UtcMillis) {
        let Some(pair) = self.pairs.get_mut(&number) else { return };
        if let Some(key) = pair.pending.take() {
            pair.previous = pair.encryption.replace(key).map(|key| (key, heard));
            pair.generation = pair.generation.wrapping_add(1);
        }
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
        if role != UnitRole::Authentication {
            self.owners.insert(mac::code(&self.hash_key, key.expose()), number);
        }
        let pair = self.pairs.entry(number).or_default();
        pair.meter = Some(meter);
        match role {
            UnitRole::Encryption => (pair.encryption, pair.delivery) = (Some(key), delivery),
            UnitRole::Authentication => pair.authentication = Some(key),
            UnitRole::Master => pair.master = Some(key),
        }
    }

    /// How many meters there are, also those that lack a key; cheaper than [`Self::len`].
    pub(crate) fn meters(&self) -> usize {
        self.pairs.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.pairs.values().filter(|pair| pair.encryption.is_some()).count()
    }

    /// A meter as freshness knows it, and the delivery that its encryption key came with.
    pub(crate) fn delivery_of(&self, number: MeterNumber) -> Option<(MeterNumber, u32)> {
        let pair = self.pairs.get(&number).filter(|pair| pair.encryption.is_some())?;
        Some((number.of_generation(pair.generation), pair.delivery))
    }

    /// The meters as freshness knows them, each with the delivery that its key came with.
    pub(crate) fn deliveries(&self) -> impl Iterator<Item = (MeterNumber, u32)> {
        let keyed = self.pairs.iter().filter(|(_, pair)| pair.encryption.is_some());
        keyed.map(|(number, pair)| (number.of_generation(pair.generation), pair.delivery))
    }

    /// The meters as freshness knows them.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = MeterNumber> {
        let keyed = self.pairs.iter().filter(|(_, pair)| pair.encryption.is_some());
        keyed.map(|(number, pair)| number.of_generation(pair.generation))
    }
}
