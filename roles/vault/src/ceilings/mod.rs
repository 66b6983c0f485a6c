//! How much goes out in an hour: data keys to people, grants and rooms, and plaintext of telegrams.
//!
//! The hours do not slide, and the count is in the journal of releases before anything goes out: a restart refills nothing.
//! A clock that is set back refills nothing either, because only a later hour begins anew.

mod decrypting;
mod hour;
mod record;

use base::UtcMillis;

pub(crate) use decrypting::Decrypting;
pub(crate) use hour::{Hour, Reached, Sealing};
pub(crate) use record::{By, Taken};

const HOUR: i64 = 3_600_000;

/// The hour of a time.
const fn hour_of(now: UtcMillis) -> i64 {
    now.0.div_euclid(HOUR)
}

/// A clock that is further back than so many hours was wrong before, or is wrong for long.
const FAR_BACK: i64 = 24;

/// Whether an hour is a new one, after the newest. A clock that was set back stays in the newest hour for up to a day, so that
/// back and forth refills nothing; one that was far ahead for a moment does not keep everything shut for years.
const fn begins(newest: &mut i64, now: UtcMillis) -> bool {
    let hour = hour_of(now);
    if hour > *newest {
        *newest = hour;
        return true;
    }
    if hour < newest.saturating_sub(FAR_BACK) {
        *newest = hour;
    }
    false
}

/// So much of it in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// Data keys.
    pub keys: u64,
    /// Different meters.
    pub meters: u64,
}

/// All ceilings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Of one person's questions.
    pub person: Cap,
    /// Of one grant.
    pub grant: Cap,
    /// Of the archive, for all people together.
    pub archive: Cap,
    /// Of the steward's jobs.
    pub steward: Cap,
    /// Data keys that intake gets to seal with.
    pub intake_keys: u64,
    /// No meter sends more often than so many seconds apart.
    pub fastest_interval_s: u32,
    /// How many times as fast as meters send telegrams are decrypted.
    pub catch_up: u32,
}

impl From<&house::VaultConfig> for Caps {
    fn from(settings: &house::VaultConfig) -> Self {
        Self {
            person: Cap { keys: settings.person_keys, meters: settings.person_meters },
            grant: Cap { keys: settings.grant_keys, meters: settings.grant_meters },
            archive: Cap { keys: settings.archive_keys, meters: settings.archive_meters },
            steward: Cap { keys: settings.steward_keys, meters: settings.steward_meters },
            intake_keys: settings.intake_keys,
            fastest_interval_s: settings.fastest_interval_s.max(1),
            catch_up: settings.catch_up,
        }
    }
}

impl Default for Caps {
    fn default() -> Self {
        Self::from(&house::VaultConfig::default())
    }
}
