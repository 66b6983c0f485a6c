//! One input as the settings have it.

use std::path::PathBuf;

use base::{MeterAddress, SystemTitle};
use receiver::{Bridge, Frames, Kind, Mode, Options, Parity, Receiver, Serial};
use serde::{Deserialize, Serialize};

/// One input: where from, and what speaks there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Where from.
    pub from: From,
    /// What kind of receiver speaks.
    #[serde(default)]
    pub receiver: Kind,
    /// How its frames carry their checksums, where the receiver leaves that open.
    #[serde(default)]
    pub frames: Frames,
    /// What it is called in `status` and in what the core is told of who heard a telegram. Made from `from` when it
    /// is not given.
    #[serde(default)]
    pub name: Option<String>,
    /// What a stick's radio is to listen to.
    #[serde(default)]
    pub mode: Mode,
    /// The serial line's speed, when it is not the receiver's own.
    #[serde(default)]
    pub baud: Option<u32>,
    /// The serial line's parity, when it is not the receiver's own.
    #[serde(default)]
    pub parity: Option<Parity>,
    /// Seconds without a byte after which it counts as silent and is opened anew; 0: never. Without it: 900 for a
    /// serial port, a connection and a broker, never for the rest.
    #[serde(default)]
    pub silent_s: Option<u32>,
    /// Whether it is told its mode when it has been opened. Without it: a serial port is, all else is not.
    #[serde(default)]
    pub setup: Option<bool>,
    /// Meters of a wired bus that are asked.
    #[serde(default)]
    pub poll: Option<Poll>,
    /// The electricity meter at this customer port, as `KFM-10000023-10-02`: whose pushes in clear are, which name
    /// nobody. The register has to declare that it sends in clear.
    #[serde(default)]
    pub meter: Option<String>,
}

/// Where an input comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum From {
    /// A file (or a named pipe), once, to its end.
    File(PathBuf),
    /// A file that grows, from its beginning; one that was replaced or cut is read from its new beginning.
    Follow(PathBuf),
    /// Standard input.
    Stdin,
    /// Listens here (`host:port`); up to 16 senders at a time.
    Listen(String),
    /// Connects there (`host:port`), again and again.
    Connect(String),
    /// A serial port.
    Serial(PathBuf),
    /// An MQTT broker.
    Mqtt(Mqtt),
}

/// Meters of a wired bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// Their primary addresses, 0 to 250.
    pub addresses: Vec<u8>,
    /// Seconds from one round to the next.
    #[serde(default = "quarter_of_an_hour")]
    pub every_s: u32,
}

const fn quarter_of_an_hour() -> u32 {
    900
}

/// An MQTT broker and what is published there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mqtt {
    /// `mqtts://host[:8883]` for TLS, `mqtt://host[:1883]` without.
    pub url: String,
    /// Topic filters.
    pub topics: Vec<String>,
    /// What a message is.
    #[serde(default)]
    pub payload: Payload,
    /// The JSON field with the telegram (`a.b` for nested ones).
    #[serde(default = "telegram")]
    pub telegram: String,
    /// The JSON field with the signal strength in dBm.
    #[serde(default = "rssi")]
    pub rssi: String,
    /// A PEM file with the authorities that may have certified the broker. Needed for TLS.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// A file with the user's name on its first line and the password on its second.
    #[serde(default)]
    pub user: Option<PathBuf>,
    /// A PEM file with this client's certificate; `key` goes with it.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// A PEM file with the certificate's private key.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// How this client names itself; brokers let one client of a name in at a time.
    #[serde(default = "client")]
    pub client: String,
}

fn telegram() -> String {
    "telegram".to_owned()
}

fn rssi() -> String {
    "rssi".to_owned()
}

fn client() -> String {
    "meterkeep-collector".to_owned()
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Payload {
    /// Hexadecimal digits.
    #[default]
    Hex,
    /// A JSON document with the digits in a field.
    Json,
    /// An uplink event of ChirpStack.
    ChirpStack,
}

/// A name in `status` is no longer.
const MAX_NAME: usize = 48;
const SILENT_S: u32 = 900;

impl Input {
    /// An input of lines that are read as what they look like.
    #[must_use]
    pub fn new(from: From) -> Self {
        Self {
            from,
            receiver: Kind::default(),
            frames: Frames::default(),
            name: None,
            mode: Mode::default(),
            baud: None,
            parity: None,
            silent_s: None,
            setup: None,
            poll: None,
            meter: None,
        }
    }

    /// Its name: the given one, or one made from where it comes from.
    #[must_use]
    pub fn label(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let last =
            |path: &PathBuf| path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let text = match &self.from {
            From::File(path) | From::Follow(path) => format!("file-{}", last(path)),
            From::Stdin => "stdin".to_owned(),
            From::Listen(at) => format!("listen-{at}"),
            From::Connect(to) => format!("tcp-{to}"),
            From::Serial(path) => last(path),
            From::Mqtt(mqtt) => format!("mqtt-{}", mqtt.url.split("://").last().unwrap_or_default()),
        };
        let plain =
            |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '_' | '-') { c } else { '-' };
        text.chars().map(plain).take(MAX_NAME).collect()
    }

    /// The state machine that reads it.
    #[must_use]
    pub fn machine(&self) -> Box<dyn Receiver> {
        self.receiver.receiver(&Options { frames: self.frames, mode: self.mode })
    }

    /// The title under which its pushes in clear go on.
    #[must_use]
    pub fn title(&self) -> Option<SystemTitle> {
        SystemTitle::naming(&self.meter.as_ref()?.parse::<MeterAddress>().ok()?)
    }

    /// How its serial line is set.
    #[must_use]
    pub fn line(&self) -> Serial {
        let own = self.receiver.serial();
        Serial { baud: self.baud.unwrap_or(own.baud), parity: self.parity.unwrap_or(own.parity) }
    }

    /// Seconds without a byte after which it is silent.
    #[must_use]
    pub fn silent_after(&self) -> Option<u32> {
        let lives = matches!(self.from, From::Serial(_) | From::Connect(_) | From::Mqtt(_));
        let seconds = self.silent_s.unwrap_or(if lives { SILENT_S } else { 0 });
        (seconds > 0).then_some(seconds)
    }

    /// Whether it is told its mode.
    #[must_use]
    pub fn is_set_up(&self) -> bool {
        self.setup.unwrap_or(matches!(self.from, From::Serial(_)))
    }

    /// What is wrong with it, if anything.
    ///
    /// # Errors
    /// A sentence with the way out.
    pub fn check(&self) -> Result<(), String> {
        if let Some(name) = &self.name {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '_' | '-');
            if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) {
                return Err(format!(
                    "`{name}` cannot be an input's name; take up to {MAX_NAME} letters, digits, `.`, `:`, `_` and `-`"
                ));
            }
        }
        if self.baud.is_some_and(|baud| !(300..=4_000_000).contains(&baud)) {
            return Err("`baud` must be from 300 to 4000000".to_owned());
        }
        if let Some(poll) = &self.poll {
            let two_way = matches!(self.from, From::Serial(_) | From::Connect(_));
            if self.receiver != Kind::Mbus || !two_way {
                return Err("only meters of a wired bus (`receiver = \"mbus\"`) on a serial port or a connection can be polled".to_owned());
            }
            if poll.addresses.iter().any(|address| *address > 250) || !(10..=86_400).contains(&poll.every_s) {
                return Err("`poll` takes addresses from 0 to 250 and `every_s` from 10 to 86400".to_owned());
            }
        }
        if let Some(meter) = &self.meter {
            if !matches!(self.receiver, Kind::Han | Kind::Mbus) {
                return Err(
                    "`meter` names the meter at a customer port (`receiver = \"han\"` or `\"mbus\"`)"
                        .to_owned(),
                );
            }
            if self.title().is_none() {
                return Err(format!(
                    "`{meter}` cannot be an electricity meter's name; write it as `KFM-10000023-10-02`"
                ));
            }
        }
        match &self.from {
            From::Mqtt(mqtt) => mqtt.check(),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Display for From {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Follow(path) => write!(f, "follow {}", path.display()),
            Self::Stdin => f.write_str("standard input"),
            Self::Listen(at) => write!(f, "listen {at}"),
            Self::Connect(to) => write!(f, "connect {to}"),
            Self::Serial(path) => write!(f, "serial {}", path.display()),
            Self::Mqtt(mqtt) => write!(f, "broker {}", mqtt.url),
        }
    }
}

/// Where a broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broker {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
}

impl Mqtt {
    /// Host, port and whether TLS protects the way.
    pub(crate) fn broker(&self) -> Result<Broker, String> {
        let bad = || {
            format!(
                "`{}` is no broker; write `mqtts://HOST`, `mqtts://HOST:PORT`, or `mqtt://` without TLS",
                self.url
            )
        };
        let (scheme, rest) = self.url.split_once("://").ok_or_else(bad)?;
        let (tls, usual) = match scheme {
            "mqtts" => (true, 8883),
            "mqtt" => (false, 1883),
            _ => return Err(bad()),
        };
        let rest = rest.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') && (!host.contains(':') || host.ends_with(']')) => {
                (host, port.parse().map_err(|_| bad())?)
            }
            _ => (rest, usual),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains(['/', '@', ' ']) {
            return Err(bad());
        }
        Ok(Broker { host: host.to_owned(), port, tls })
    }

    fn check(&self) -> Result<(), String> {
        let broker = self.broker()?;
        if self.topics.is_empty() || self.topics.iter().any(String::is_empty) {
            return Err(format!("`{}` needs `topics`, such as [\"meters/+\"]", self.url));
        }
        if broker.tls && self.ca.is_none() {
            return Err(format!(
                "`{}` needs `ca`, a PEM file with the authority that certified the broker (for a public one the system's, such as /etc/ssl/certs/ca-certificates.crt)",
                self.url
            ));
        }
        if self.certificate.is_some() != self.key.is_some() {
            return Err("`certificate` and `key` go together".to_owned());
        }
        let here = matches!(broker.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        if !broker.tls && !here && (self.user.is_some() || self.key.is_some()) {
            return Err(format!("`{}` would send the password in clear; use `mqtts://`", self.url));
        }
        Ok(())
    }

    /// What its messages are.
    pub(crate) fn bridge(&self) -> Bridge {
        match self.payload {
            Payload::Hex => Bridge::Hex,
            Payload::Json => Bridge::Json { telegram: self.telegram.clone(), rssi: self.rssi.clone() },
            Payload::ChirpStack => Bridge::ChirpStack,
        }
    }

    /// The files that it reads.
    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.ca, &self.user, &self.certificate, &self.key].into_iter().flatten()
    }
}

#[cfg(test)]
mod checks {
    use super::*;

    fn mqtt(url: &str) -> Mqtt {
        Mqtt {
            url: url.to_owned(),
            topics: vec!["meters/+".to_owned()],
            payload: Payload::Hex,
            telegram: telegram(),
            rssi: rssi(),
            ca: Some("ca.pem".into()),
            user: None,
            certificate: None,
            key: None,
            client: client(),
        }
    }

    #[test]
    fn brokers_are_found_in_their_urls() {
        for (url, host, port, tls) in [
            ("mqtts://broker.example.org", "broker.example.org", 8883, true),
            ("mqtts://broker.example.org:8884/", "broker.example.org", 8884, true),
            ("mqtt://127.0.0.1", "127.0.0.1", 1883, false),
            ("mqtts://[2001:db8::7]:8883", "2001:db8::7", 8883, true),
        ] {
            assert_eq!(mqtt(url).broker(), Ok(Broker { host: host.to_owned(), port, tls }), "{url}");
        }
        for url in ["", "broker", "http://x", "mqtts://", "mqtts://user@host", "mqtts://host:port"] {
            assert!(mqtt(url).broker().unwrap_err().contains("mqtts://HOST"), "{url}");
        }
    }

    #[test]
    fn a_password_is_not_sent_in_clear_and_certificates_come_with_their_key() {
        let refused = |mqtt: Mqtt| Input::new(From::Mqtt(mqtt)).check().unwrap_err();
        let user = Some("user".into());
        assert!(refused(Mqtt { user: user.clone(), ..mqtt("mqtt://192.0.2.7") }).contains("in clear"));
        assert!(refused(Mqtt { ca: None, ..mqtt("mqtts://x") }).contains("`ca`"));
        assert!(refused(Mqtt { key: Some("k".into()), ..mqtt("mqtts://x") }).contains("go together"));
        assert!(refused(Mqtt { topics: vec![], ..mqtt("mqtts://x") }).contains("topics"));
        assert_eq!(Input::new(From::Mqtt(Mqtt { user, ..mqtt("mqtt://localhost") })).check(), Ok(()));
    }

    #[test]
    fn a_meter_is_named_at_a_customer_port_only() {
        let at = |receiver, meter: &str| Input {
            receiver,
            meter: Some(meter.to_owned()),
            ..Input::new(From::Connect("192.0.2.7:4000".to_owned()))
        };
        let named = at(Kind::Han, "KFM-10000023-10-02");
        assert_eq!((named.check(), named.title()), (Ok(()), Some(SystemTitle(*b"KFM\x10\x10\0\0\x23"))));
        assert!(at(Kind::Hex, "KFM-10000023-10-02").check().unwrap_err().contains("customer port"));
        for bad in ["KFM-10000023", "KFM-ABCDEF01-10-16", ""] {
            assert!(at(Kind::Mbus, bad).check().unwrap_err().contains("write it as"), "{bad}");
        }
    }

    #[test]
    fn names_are_made_from_where_an_input_is() {
        for (from, name) in [
            (From::Serial("/dev/serial/by-id/usb-IMST_iM871A-if00".into()), "usb-IMST_iM871A-if00"),
            (From::Connect("192.0.2.7:4000".to_owned()), "tcp-192.0.2.7:4000"),
            (From::Follow("/var/log/rtl heard.txt".into()), "file-rtl-heard.txt"),
            (From::Mqtt(mqtt("mqtts://broker:8883")), "mqtt-broker:8883"),
        ] {
            let input = Input::new(from);
            assert_eq!((input.label().as_str(), input.check()), (name, Ok(())));
        }
        let named = |name: &str| Input { name: Some(name.to_owned()), ..Input::new(From::Stdin) };
        assert_eq!(named("roof-1").label(), "roof-1");
        assert!(named("über").check().is_err() && named("").check().is_err());
    }

    #[test]
    fn only_a_wired_bus_is_polled() {
        let poll = Some(Poll { addresses: vec![1, 2], every_s: 900 });
        let input = Input { poll, ..Input::new(From::Serial("/dev/ttyUSB0".into())) };
        assert!(input.check().unwrap_err().contains("mbus"));
        let input = Input { receiver: Kind::Mbus, ..input };
        assert_eq!((input.check(), input.line()), (Ok(()), Serial { baud: 2400, parity: Parity::Even }));
        let poll = Some(Poll { addresses: vec![253], every_s: 900 });
        assert!(Input { poll, ..input }.check().is_err());
    }
}
