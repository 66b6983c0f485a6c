//! The collector's settings: a file, the environment, and what the command line adds.

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use serde::{Deserialize, Serialize};

use crate::CollectorError;
use crate::input::Input;
use crate::spool::WhenFull;

/// All settings, each with its default; a name that does not exist is refused. Each can also come from the
/// environment: `METERKEEP_COLLECTOR__SPOOL__MAX_BYTES`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Inputs; several at once.
    pub input: Vec<Input>,
    /// How telegrams become batches.
    pub batch: BatchConfig,
    /// What is kept.
    pub spool: SpoolConfig,
    /// What counts as a repeat.
    pub repeats: RepeatsConfig,
    /// The way to the house.
    pub gateway: GatewayConfig,
}

/// How telegrams become batches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    /// Telegrams in a batch, 256 to 1,024.
    pub telegrams: usize,
    /// A batch is closed so long after its first telegram, milliseconds; 10 to 60,000.
    pub millis: u64,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self { telegrams: 512, millis: 1000 }
    }
}

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpoolConfig {
    /// Bytes on disk, at most; 1 MiB or more.
    pub max_bytes: u64,
    /// Days that batches are kept after the core has confirmed them.
    pub keep_days: u32,
    /// What gives way when the spool is full of unconfirmed batches: `drop-oldest` or `drop-newest`.
    pub when_full: WhenFull,
}

impl Default for SpoolConfig {
    fn default() -> Self {
        Self { max_bytes: 2 << 30, keep_days: 14, when_full: WhenFull::DropOldest }
    }
}

/// What counts as a repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RepeatsConfig {
    /// The same bytes within so many seconds are one telegram; 0 keeps every one.
    pub window_s: u32,
    /// So many telegrams are remembered, twice over (about 68 bytes each); more in a window shorten it.
    pub remember: usize,
}

impl Default for RepeatsConfig {
    fn default() -> Self {
        Self { window_s: 60, remember: 131_072 }
    }
}

/// The way to the house.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    /// Where the gateway is, when it has moved since the enrolment: `host:port`.
    pub address: Option<String>,
}

impl Config {
    /// Reads the file if there is one, then the environment.
    ///
    /// # Errors
    /// When the file is malformed, names a setting that does not exist, or a value is out of range; the message
    /// says which, and where it came from.
    pub fn load(path: Option<&Path>) -> Result<Self, CollectorError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(path) = path {
            if !path.is_file() {
                return Err(CollectorError::Config(format!("there is no file `{}`", path.display())));
            }
            figment = figment.merge(Toml::file_exact(path));
        }
        let config: Self = figment
            .merge(Env::prefixed("METERKEEP_COLLECTOR__").split("__"))
            .extract()
            .map_err(|e| CollectorError::Config(e.to_string()))?;
        config.check()?;
        Ok(config)
    }

    /// Holds the values against their ranges.
    ///
    /// # Errors
    /// [`CollectorError::Config`] with the first setting that is out of range.
    pub fn check(&self) -> Result<(), CollectorError> {
        let range = |name: &str, value: u64, from: u64, to: u64| {
            if (from..=to).contains(&value) {
                return Ok(());
            }
            Err(CollectorError::Config(format!("`{name}` is {value}; it must be from {from} to {to}")))
        };
        range("the number of inputs", self.input.len() as u64, 0, wire::batch::MAX_RECEIVERS as u64)?;
        for input in &self.input {
            input.check().map_err(CollectorError::Config)?;
        }
        range("batch.telegrams", self.batch.telegrams as u64, 256, wire::batch::MAX_TELEGRAMS as u64)?;
        range("batch.millis", self.batch.millis, 10, 60_000)?;
        range("spool.max_bytes", self.spool.max_bytes, 1 << 20, u64::MAX)?;
        range("spool.keep_days", u64::from(self.spool.keep_days), 1, 3650)?;
        range("repeats.window_s", u64::from(self.repeats.window_s), 0, 86_400)?;
        range("repeats.remember", self.repeats.remember as u64, 1, 1 << 24)
    }
}

/// Where things lie in a collector's folder.
#[derive(Debug, Clone)]
pub struct Folder(pub PathBuf);

impl Folder {
    /// Keys and certificates.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.0.join("identity")
    }

    /// Sealed batches.
    #[must_use]
    pub fn spool(&self) -> PathBuf {
        self.0.join("spool")
    }

    /// The batch key accepted last.
    #[must_use]
    pub fn batch_key(&self) -> PathBuf {
        self.0.join("batch-key")
    }

    /// The settings, where the command line names no other file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.0.join("collector.toml")
    }

    /// The socket that answers `health`.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.0.join("collector.sock")
    }

    /// The certificate authority of that socket, for whoever asks; it certifies nothing else.
    #[must_use]
    pub fn local_authority(&self) -> PathBuf {
        self.local().join("ca.pem")
    }

    /// Certificate and key of the socket.
    #[must_use]
    pub fn local(&self) -> PathBuf {
        self.0.join("local")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Frames, From, Kind, Mode, Payload};

    fn load(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("collector.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(Some(&path)).map_err(|e| e.to_string())
    }

    #[test]
    fn several_inputs_and_every_setting_are_read() {
        let text = r#"
            [[input]]
            from = { listen = "127.0.0.1:4000" }
            receiver = "rtl-wmbus"
            [[input]]
            from = "stdin"
            receiver = "hex"
            frames = "b"
            [[input]]
            from = { follow = "/var/log/rtl.txt" }
            [[input]]
            name = "roof"
            from = { serial = "/dev/ttyUSB0" }
            receiver = "imst871"
            mode = "s1"
            silent_s = 120
            [[input]]
            from = { mqtt = { url = "mqtts://broker", topics = ["m/+"], payload = "chirpstack", ca = "ca.pem" } }
            [[input]]
            from = { connect = "192.0.2.9:10001" }
            receiver = "mbus"
            poll = { addresses = [1, 2] }
            [batch]
            telegrams = 1024
            [spool]
            when_full = "drop-newest"
            [repeats]
            window_s = 0
        "#;
        let config = load(text).unwrap();
        let [listen, stdin, follow, roof, lorawan, bus] = config.input.as_slice() else {
            panic!("{:?}", config.input)
        };
        assert_eq!(
            (&listen.from, listen.receiver),
            (&From::Listen("127.0.0.1:4000".to_owned()), Kind::RtlWmbus)
        );
        assert_eq!((&stdin.from, stdin.frames), (&From::Stdin, Frames::B));
        assert_eq!(follow.from, From::Follow("/var/log/rtl.txt".into()));
        assert_eq!((roof.receiver, roof.mode, roof.line().baud), (Kind::Imst871, Mode::S1, 57_600));
        assert_eq!((roof.label().as_str(), roof.silent_after(), roof.is_set_up()), ("roof", Some(120), true));
        let From::Mqtt(mqtt) = &lorawan.from else { panic!("{lorawan:?}") };
        assert_eq!((mqtt.payload, lorawan.silent_after()), (Payload::ChirpStack, Some(900)));
        assert_eq!(bus.poll.as_ref().map(|p| (p.addresses.clone(), p.every_s)), Some((vec![1, 2], 900)));
        assert_eq!((config.batch.telegrams, config.batch.millis), (1024, 1000));
        assert_eq!(config.spool.when_full, WhenFull::DropNewest);
    }

    #[test]
    fn what_does_not_exist_or_is_out_of_range_is_refused_by_name() {
        for (text, name) in [
            ("[batch]\ntelegramms = 512", "telegramms"),
            ("[batch]\ntelegrams = 5000", "batch.telegrams"),
            ("[batch]\ntelegrams = 1", "batch.telegrams"),
            ("[spool]\nmax_bytes = 10", "spool.max_bytes"),
            ("[spool]\nwhen_full = \"drop-all\"", "drop-all"),
            ("[[input]]\nfrom = { usb = \"x\" }", "usb"),
            ("[house]\n", "house"),
            ("[[input]]\nfrom = \"stdin\"\nreceiver = \"im871\"", "im871"),
            ("[[input]]\nfrom = { mqtt = { url = \"mqtts://b\", topics = [\"x\"] } }", "`ca`"),
        ] {
            let message = load(text).unwrap_err();
            assert!(message.contains(name), "{message}");
        }
        assert!(Config::load(Some(Path::new("/nowhere.toml"))).is_err());
        assert_eq!(Config::load(None).unwrap(), Config::default());
    }
}
