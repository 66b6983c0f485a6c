//! Deterministic chance: the same seed makes the same town, so that a failing run can be played again.

use base::Secret;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroize as _;

/// SplitMix64: small, fast and good enough for habits and mischief. Keys never come from it.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    /// Chance number `stream` of a seed; two streams have nothing in common.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self(mix(seed ^ mix(stream.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `n`; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        u64::try_from((u128::from(self.next()) * u128::from(n)) >> 64).unwrap_or_default()
    }

    /// A number from 0 to just below 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number between two.
    pub(crate) fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }
}

/// One step of SplitMix64, also a hash of a number.
pub(crate) const fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The individual key of meter number `index` of a seed's town.
pub(crate) fn key(purpose: &str, seed: u64, index: u64) -> Secret<16> {
    let hash = Sha256::new()
        .chain_update(b"meterkeep-sim/1/")
        .chain_update(purpose)
        .chain_update(seed.to_le_bytes())
        .chain_update(index.to_le_bytes());
    let mut hash: [u8; 32] = hash.finalize().into();
    let mut key = [0; 16];
    key.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    hash.zeroize();
    let secret = Secret::new(key);
    key.zeroize();
    secret
}
