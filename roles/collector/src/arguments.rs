//! The inputs that `run` takes from the command line.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, ValueEnum};
use receiver::{Frames, Kind, Mode, Parity};

use crate::CollectorError;
use crate::input::{From, Input, Mqtt, Payload};

/// Where telegrams come from.
#[derive(Args)]
pub(crate) struct InputArguments {
    /// Read this file or pipe to its end (besides the inputs of the settings; may be repeated, as all inputs).
    #[arg(long)]
    file: Vec<PathBuf>,
    /// Read this file as it grows.
    #[arg(long)]
    follow: Vec<PathBuf>,
    /// Read standard input.
    #[arg(long)]
    stdin: bool,
    /// Wait for receivers here, `host:port`.
    #[arg(long)]
    listen: Vec<String>,
    /// Connect to a receiver there, `host:port`.
    #[arg(long, visible_alias = "tcp")]
    connect: Vec<String>,
    /// Talk with a receiver on this serial port, such as `/dev/serial/by-id/...`.
    #[arg(long)]
    serial: Vec<PathBuf>,
    /// What receiver speaks on the inputs of the command line: auto, hex, rtl-wmbus, rtl-433, imst871, imst891, amber,
    /// amber-transparent, cul, rc1180, raw, hex-stream, mbus or han. Given once, it is for all of them; else once for each, in
    /// their order.
    #[arg(long, visible_alias = "format", value_name = "KIND")]
    receiver: Vec<Kind>,
    /// How frames carry their link checksums, where the receiver leaves that open.
    #[arg(long, value_enum, default_value = "auto")]
    frames: FramesWord,
    /// What a stick's radio is to listen to: c1t1, c1, t1, s1, n1a to n1f.
    #[arg(long, value_enum, default_value = "c1t1")]
    mode: ModeWord,
    /// The serial line's speed, when it is not the receiver's own.
    #[arg(long)]
    baud: Option<u32>,
    /// The serial line's parity, when it is not the receiver's own.
    #[arg(long, value_enum)]
    parity: Option<ParityWord>,
    /// Seconds without a byte after which an input counts as silent and is opened anew; 0 is never.
    #[arg(long, value_name = "SECONDS")]
    silent: Option<u32>,
    /// Subscribe to a broker: `mqtts://host[:port]`.
    #[arg(long, value_name = "URL", requires = "topic")]
    mqtt: Option<String>,
    /// What to subscribe to, such as `meters/+`; may be repeated.
    #[arg(long, requires = "mqtt")]
    topic: Vec<String>,
    /// What a message of the broker is.
    #[arg(long, value_enum, default_value = "hex")]
    payload: PayloadWord,
    /// The JSON field with the telegram.
    #[arg(long, value_name = "FIELD", default_value = "telegram")]
    json_telegram: String,
    /// The JSON field with the signal strength in dBm.
    #[arg(long, value_name = "FIELD", default_value = "rssi")]
    json_rssi: String,
    /// A PEM file with the authorities that may have certified the broker.
    #[arg(long, value_name = "FILE", requires = "mqtt")]
    mqtt_ca: Option<PathBuf>,
    /// A file with the user's name on its first line and the password on its second.
    #[arg(long, value_name = "FILE", requires = "mqtt")]
    mqtt_user: Option<PathBuf>,
    /// A PEM file with this client's certificate.
    #[arg(long, value_name = "FILE", requires = "mqtt_key")]
    mqtt_certificate: Option<PathBuf>,
    /// A PEM file with the certificate's private key.
    #[arg(long, value_name = "FILE", requires = "mqtt_certificate")]
    mqtt_key: Option<PathBuf>,
    /// How this client names itself to the broker.
    #[arg(long, value_name = "NAME", default_value = "meterkeep-collector")]
    mqtt_client: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum FramesWord {
    Auto,
    Stripped,
    A,
    B,
}

#[derive(Clone, Copy, ValueEnum)]
enum ModeWord {
    C1t1,
    C1,
    T1,
    S1,
    N1a,
    N1b,
    N1c,
    N1d,
    N1e,
    N1f,
}

#[derive(Clone, Copy, ValueEnum)]
enum ParityWord {
    None,
    Even,
    Odd,
}

#[derive(Clone, Copy, ValueEnum)]
enum PayloadWord {
    Hex,
    Json,
    Chirpstack,
}

impl InputArguments {
    /// The inputs in the order of the command line; `matches` are those of the same arguments.
    pub(crate) fn inputs(&self, matches: &ArgMatches) -> Result<Vec<Input>, CollectorError> {
        let mut found: Vec<(usize, From)> = Vec::new();
        let mut add = |id: &str, all: Vec<From>| {
            found.extend(matches.indices_of(id).into_iter().flatten().zip(all));
        };
        add("file", self.file.iter().cloned().map(From::File).collect());
        add("follow", self.follow.iter().cloned().map(From::Follow).collect());
        add("listen", self.listen.iter().cloned().map(From::Listen).collect());
        add("connect", self.connect.iter().cloned().map(From::Connect).collect());
        add("serial", self.serial.iter().cloned().map(From::Serial).collect());
        if self.stdin && matches.value_source("stdin") == Some(ValueSource::CommandLine) {
            add("stdin", vec![From::Stdin]);
        }
        found.sort_by_key(|(place, _)| *place);
        let (given, wanted) = (self.receiver.len(), found.len());
        if given > 1 && given != wanted {
            return Err(CollectorError::Config(format!(
                "`--receiver` is given {given} times for {wanted} inputs; give it once for all, or once for each in their order"
            )));
        }
        let kinds = self.receiver.iter().cycle().map(Some).chain(std::iter::repeat(None));
        let mut inputs: Vec<Input> = found
            .into_iter()
            .zip(kinds)
            .map(|((_, from), kind)| self.input(from, kind.copied().unwrap_or_default()))
            .collect();
        inputs.extend(self.broker().map(|from| self.input(from, Kind::default())));
        Ok(inputs)
    }

    fn input(&self, from: From, receiver: Kind) -> Input {
        let serial = matches!(from, From::Serial(_));
        Input {
            receiver,
            frames: match self.frames {
                FramesWord::Auto => Frames::Auto,
                FramesWord::Stripped => Frames::Stripped,
                FramesWord::A => Frames::A,
                FramesWord::B => Frames::B,
            },
            mode: self.mode(),
            baud: self.baud.filter(|_| serial),
            parity: self.parity.filter(|_| serial).map(|parity| match parity {
                ParityWord::None => Parity::None,
                ParityWord::Even => Parity::Even,
                ParityWord::Odd => Parity::Odd,
            }),
            silent_s: self.silent,
            ..Input::new(from)
        }
    }

    const fn mode(&self) -> Mode {
        match self.mode {
            ModeWord::C1t1 => Mode::C1T1,
            ModeWord::C1 => Mode::C1,
            ModeWord::T1 => Mode::T1,
            ModeWord::S1 => Mode::S1,
            ModeWord::N1a => Mode::N1A,
            ModeWord::N1b => Mode::N1B,
            ModeWord::N1c => Mode::N1C,
            ModeWord::N1d => Mode::N1D,
            ModeWord::N1e => Mode::N1E,
            ModeWord::N1f => Mode::N1F,
        }
    }

    fn broker(&self) -> Option<From> {
        Some(From::Mqtt(Mqtt {
            url: self.mqtt.clone()?,
            topics: self.topic.clone(),
            payload: match self.payload {
                PayloadWord::Hex => Payload::Hex,
                PayloadWord::Json => Payload::Json,
                PayloadWord::Chirpstack => Payload::ChirpStack,
            },
            telegram: self.json_telegram.clone(),
            rssi: self.json_rssi.clone(),
            ca: self.mqtt_ca.clone(),
            user: self.mqtt_user.clone(),
            certificate: self.mqtt_certificate.clone(),
            key: self.mqtt_key.clone(),
            client: self.mqtt_client.clone(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Command, FromArgMatches as _};

    fn inputs(line: &str) -> Result<Vec<Input>, String> {
        let command = InputArguments::augment_args(Command::new("run").no_binary_name(true));
        let matches = command.try_get_matches_from(line.split_whitespace()).map_err(|e| e.to_string())?;
        let arguments = InputArguments::from_arg_matches(&matches).unwrap();
        arguments.inputs(&matches).map_err(|e| e.to_string())
    }

    #[test]
    fn receivers_go_with_inputs_in_the_order_of_the_command_line() {
        let all = inputs("--serial /dev/ttyUSB0 --receiver imst871 --tcp 192.0.2.1:4000 --receiver raw --stdin --receiver hex")
            .unwrap();
        let told: Vec<_> = all.iter().map(|i| (i.from.to_string(), i.receiver)).collect();
        assert_eq!(
            told,
            [
                ("serial /dev/ttyUSB0".to_owned(), Kind::Imst871),
                ("connect 192.0.2.1:4000".to_owned(), Kind::Raw),
                ("standard input".to_owned(), Kind::Hex),
            ]
        );
        let all = inputs("--receiver rtl-wmbus --file a --file b").unwrap();
        assert!(all.iter().all(|i| i.receiver == Kind::RtlWmbus) && all.len() == 2);
        assert_eq!(inputs("--stdin").unwrap(), [Input::new(From::Stdin)]);
        assert!(
            inputs("--file a --file b --stdin --receiver hex --receiver raw")
                .unwrap_err()
                .contains("2 times for 3")
        );
        assert!(inputs("--stdin --receiver im871").unwrap_err().contains("imst871"));
    }

    #[test]
    fn a_line_is_set_and_a_broker_described() {
        let all =
            inputs("--serial /dev/ttyS1 --receiver mbus --baud 300 --parity none --mode s1 --silent 60")
                .unwrap();
        let [bus] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(
            (bus.line().baud, bus.line().parity, bus.mode, bus.silent_after()),
            (300, Parity::None, Mode::S1, Some(60))
        );
        let all = inputs(
            "--mqtt mqtts://b --topic m/+ --topic n --payload json --json-telegram raw --mqtt-ca ca.pem",
        )
        .unwrap();
        let [Input { from: From::Mqtt(mqtt), .. }] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((mqtt.topics.len(), mqtt.payload, mqtt.telegram.as_str()), (2, Payload::Json, "raw"));
        assert!(inputs("--mqtt mqtts://b").is_err() && inputs("--topic x").is_err());
    }
}
