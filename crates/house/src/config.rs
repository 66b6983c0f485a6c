//! `house.toml`: one file, every setting with its default, unknown names refused.

use std::path::Path;

use base::WorkingHours;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

/// All settings. Each can also come from the environment: `METERKEEP__GATEWAY__LISTEN`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The house as a whole.
    pub house: HouseConfig,
    /// The gateway.
    pub gateway: GatewayConfig,
    /// Intake.
    pub intake: IntakeConfig,
    /// The ledger.
    pub ledger: LedgerConfig,
    /// The vault.
    pub vault: VaultConfig,
}

/// The house as a whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HouseConfig {
    /// Its name, for people.
    pub name: String,
    /// Where its pages are, `https://meters.example.org`: passkeys belong to that address. Empty: there are none.
    pub address: String,
    /// User number of the person who owns it; `init` writes it.
    pub owner_uid: u32,
    /// The operating system's group of those who may speak to warden, archive and ledger; `people open` writes it. Empty: the
    /// owner and root alone.
    pub staff_group: String,
    /// What a new meter's policy keeps: `daily` or `all`.
    pub default_resolution: String,
    /// Whether rooms enter their jails: `enforce`, or `off` for tests that inject faults below a room.
    pub jail: String,
}

impl Default for HouseConfig {
    fn default() -> Self {
        Self {
            name: "house".to_owned(),
            address: String::new(),
            owner_uid: 0,
            staff_group: String::new(),
            default_resolution: "daily".to_owned(),
            jail: "enforce".to_owned(),
        }
    }
}

/// The gateway's settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    /// Where collectors reach it.
    pub listen: String,
    /// Telegrams a second that one collector may deliver in the long run.
    pub telegrams_per_second: u32,
    /// Bytes of batches that wait for the core, at most; then collectors keep what they have.
    pub queue_bytes: u64,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self { listen: "127.0.0.1:7370".to_owned(), telegrams_per_second: 200_000, queue_bytes: 4 << 30 }
    }
}

/// Intake's settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IntakeConfig {
    /// Bytes of raw telegrams kept sealed for inspection, at most.
    pub raw_bytes: u64,
    /// Bytes of telegrams of unknown meters kept (at most 24 hours).
    pub unknown_bytes: u64,
}

impl Default for IntakeConfig {
    fn default() -> Self {
        Self { raw_bytes: 256 << 20, unknown_bytes: 16 << 20 }
    }
}

/// The ledger's settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerConfig {
    /// Bytes of one segment file.
    pub segment_bytes: u64,
    /// How often witnesses are asked, in seconds.
    pub witness_seconds: u64,
    /// How often the log is held against the vault's count of keys that went out, and against what data subjects are shown of it,
    /// in seconds.
    pub reconcile_seconds: u64,
    /// How long entries are kept, in months: the published policy of retention.
    pub keep_months: u32,
    /// Who is asked to cosign how far the log has come.
    pub witnesses: Vec<WitnessConfig>,
    /// What a month's review of the log is of.
    pub review: ReviewConfig,
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            witness_seconds: 60,
            reconcile_seconds: 86_400,
            keep_months: 60,
            witnesses: Vec::new(),
            review: ReviewConfig::default(),
        }
    }
}

/// What a month's review of the log is of.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReviewConfig {
    /// Entries that are drawn at random.
    pub sample: u32,
    /// So many refusals of one person, one after the other, are looked at.
    pub refusals: u32,
    /// So many looks of one person at one data subject in the month are looked at.
    pub looks: u32,
    /// When people work, Monday to Friday, as `07-17`: what is read outside of it is looked at.
    pub hours: String,
    /// Where they work, a time zone as POSIX writes it.
    pub zone: String,
}

impl Default for ReviewConfig {
    fn default() -> Self {
        Self {
            sample: 20,
            refusals: 5,
            looks: 20,
            hours: "07-17".to_owned(),
            zone: "CET-1CEST,M3.5.0,M10.5.0/3".to_owned(),
        }
    }
}

impl LedgerConfig {
    /// For how many months a log may be kept: a year and a month at least, so that the same month of the year before is there to be
    /// looked at; five years at most, which is what a need to prove access lasts.
    pub const KEEP_MONTHS: std::ops::RangeInclusive<u32> = 13..=60;

    /// Holds the settings that have bounds against them.
    ///
    /// # Errors
    /// The first that is out of them, with what it may be.
    pub fn check(&self) -> Result<WorkingHours, ConfigError> {
        let Self { keep_months, review, .. } = self;
        let bound = |name: &str, is: u32, may: std::ops::RangeInclusive<u32>| {
            if may.contains(&is) {
                return Ok(());
            }
            let (least, most) = may.into_inner();
            Err(ConfigError(format!("house.toml: ledger.{name} is {is}; it is {least} to {most}")))
        };
        bound("keep_months", *keep_months, Self::KEEP_MONTHS)?;
        bound("review.sample", review.sample, 5..=200)?;
        bound("review.refusals", review.refusals, 2..=1000)?;
        bound("review.looks", review.looks, 2..=100_000)?;
        let hours = WorkingHours::new(&review.hours, &review.zone);
        hours.map_err(|e| ConfigError(format!("house.toml: ledger.review: {e}")))
    }
}

/// A witness of the log, somebody else's machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// Its public key, as it gave it to you: `name+id+key`.
    pub key: String,
    /// Where it is asked: `https://witness.example.org` or `http://10.0.0.7:7390`.
    pub url: String,
}

impl WitnessConfig {
    /// The port that it is asked at; `None` when the address is none. The vault is built with this, so that no whole parser
    /// of addresses is: a port that was read wrong is one that the ledger's jail does not open.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        let (scheme, rest) = self.url.split_once("://")?;
        let usual = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let host = rest.split(['/', '?', '#']).next().filter(|host| !host.is_empty())?;
        match host.rsplit_once(':') {
            // the colons of an IPv6 address stand within brackets
            Some((_, port)) if !port.contains(']') => port.parse().ok(),
            _ => Some(usual),
        }
    }
}

/// The vault's settings: how much it lets out. A limit of 0 lets nothing out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VaultConfig {
    /// Data keys that one person's questions open in an hour.
    pub person_keys: u64,
    /// Different meters whose data keys one person's questions open in an hour.
    pub person_meters: u64,
    /// Data keys that one grant opens in an hour.
    pub grant_keys: u64,
    /// Different meters whose data keys one grant opens in an hour.
    pub grant_meters: u64,
    /// Data keys that the archive gets in an hour, for all people together.
    pub archive_keys: u64,
    /// Different meters whose data keys the archive gets in an hour.
    pub archive_meters: u64,
    /// Data keys that jobs of the steward open in an hour.
    pub steward_keys: u64,
    /// Different meters whose data keys jobs of the steward open in an hour.
    pub steward_meters: u64,
    /// Data keys that intake gets in an hour, to seal what is heard.
    pub intake_keys: u64,
    /// No meter of this house sends more often than so many seconds apart, in the long run. At least 1.
    pub fastest_interval_s: u32,
    /// How many times as fast as the house's meters send telegrams are decrypted at most, so that what waited through an
    /// outage comes in.
    pub catch_up: u32,
}

impl Default for VaultConfig {
    fn default() -> Self {
        Self {
            person_keys: 500_000,
            person_meters: 100_000,
            grant_keys: 250_000,
            grant_meters: 100_000,
            archive_keys: 2_000_000,
            archive_meters: 250_000,
            steward_keys: 50_000,
            steward_meters: 2_000,
            intake_keys: 4_000_000,
            fastest_interval_s: 1,
            catch_up: 30,
        }
    }
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl Config {
    /// Reads `house.toml`, then the environment.
    ///
    /// # Errors
    /// When the file is missing, malformed, or names a setting that does not exist; the message says which,
    /// and where it came from.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        if !path.is_file() {
            return Err(ConfigError(format!(
                "there is no house at `{}`; `meterkeep init` makes one",
                path.display()
            )));
        }
        Figment::from(Serialized::defaults(Self::default()))
            .merge(Toml::file_exact(path))
            .merge(Env::prefixed("METERKEEP__").split("__"))
            .extract()
            .map_err(|e| ConfigError(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_kept_for_a_year_and_a_month_at_least_and_for_five_years_at_most() {
        assert!(LedgerConfig::default().check().is_ok());
        for keep_months in [0, 12, 61] {
            let error = LedgerConfig { keep_months, ..LedgerConfig::default() }.check().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("house.toml: ledger.keep_months is {keep_months}; it is 13 to 60")
            );
        }
        type Change = fn(&mut ReviewConfig);
        let refused: [(Change, &str); 5] = [
            (|review| review.sample = 4, "review.sample"),
            (|review| review.refusals = 1, "review.refusals"),
            (|review| review.looks = 0, "review.looks"),
            (|review| review.hours = "17-07".to_owned(), "working hours"),
            (|review| review.zone = "Danish".to_owned(), "time zone"),
        ];
        for (change, name) in refused {
            let mut config = LedgerConfig::default();
            change(&mut config.review);
            let error = config.check().unwrap_err().to_string();
            assert!(error.starts_with("house.toml: ledger.") && error.contains(name), "{error}");
        }
    }

    #[test]
    fn a_misspelt_setting_is_refused_by_name_and_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("house.toml");
        std::fs::write(&file, "[gateway]\nlisten = \"127.0.0.1:1\"\n").unwrap();
        let config = Config::load(&file).unwrap();
        assert_eq!(config.gateway.listen, "127.0.0.1:1");
        assert_eq!(config.house.default_resolution, "daily");
        std::fs::write(&file, "[gateway]\nlissten = \"127.0.0.1:1\"\n").unwrap();
        let message = Config::load(&file).unwrap_err().to_string();
        assert!(message.contains("lissten") && message.contains("house.toml"), "{message}");
        assert!(
            Config::load(&folder.path().join("none.toml"))
                .unwrap_err()
                .to_string()
                .contains("meterkeep init")
        );
    }
}
