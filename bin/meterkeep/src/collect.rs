//! `meterkeep collect`: makes this computer a collector of a house, once, and runs its collector.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::str::FromStr;
use std::time::Duration;

use ::collector::{Folder, Token, enrol};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use wire::Room;
use zeroize::Zeroizing;

use crate::launcher::{self, Process};
use crate::operator::Operator;
use crate::output::print;
use crate::place::open;
use crate::problem::{Problem, USAGE};

/// How long the house may take to answer an enrolment.
const PATIENCE: Duration = Duration::from_secs(60);

/// Collect telegrams on this computer and forward them, sealed, to the house.
///
/// The first start needs a one-time token (`meterkeep collector token NAME`), or `--house` where the house is on
/// this computer and yours. What is heard is kept on disk until the house has it, however long that takes.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rtl_wmbus | meterkeep collect --dir ./roof --token roof.token --input rtl_wmbus:-\n  \
                        meterkeep collect --dir ./roof --input rtl_wmbus:heard.txt --until confirmed\n\n\
                        Inputs: FILE, `-`, serial:///dev/ttyUSB0, tcp://HOST:PORT (connects), listen://HOST:PORT (waits for \
                        receivers), each with the receiver before it where it is not known by its lines: rtl_wmbus:, \
                        rtl_433:, hex:, imst871:, imst891:, amber:, amber-transparent:, cul:, rc1180:, raw:, hex-stream:, mbus: \
                        or han:. Brokers (MQTT) and all else is set in `collector.toml` in the folder; then no input is needed here."
)]
pub(crate) struct Args {
    /// The collector's folder: identity, spool, settings.
    #[arg(long, value_name = "DIR", default_value = "collector")]
    dir: PathBuf,
    /// A file with the one-time token; `-` reads standard input. It is needed once.
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// The folder of a house on this computer: it gives the token.
    #[arg(long, value_name = "DIR", conflicts_with = "token")]
    house: Option<PathBuf>,
    /// A name for people.
    #[arg(long, default_value = "collector")]
    name: String,
    /// Where telegrams come from; several times.
    #[arg(long, value_name = "INPUT")]
    input: Vec<Source>,
    /// When to stop by itself: never, when the house's gateway has everything, or when the core has stored it.
    #[arg(long, value_parser = ["stopped", "delivered", "confirmed"], default_value = "stopped")]
    until: String,
}

/// Each line is read by what it looks like.
const AUTO: &str = "auto";
/// The receivers that may be named before an input; rtl_wmbus and rtl_433 also as they write themselves.
const KINDS: [(&str, &str); 15] = [
    ("rtl_wmbus", "rtl-wmbus"),
    ("rtl-wmbus", "rtl-wmbus"),
    ("rtl_433", "rtl-433"),
    ("rtl-433", "rtl-433"),
    ("hex", "hex"),
    ("imst871", "imst871"),
    ("imst891", "imst891"),
    ("amber", "amber"),
    ("amber-transparent", "amber-transparent"),
    ("cul", "cul"),
    ("rc1180", "rc1180"),
    ("raw", "raw"),
    ("hex-stream", "hex-stream"),
    ("mbus", "mbus"),
    ("han", "han"),
];

/// Where telegrams come from, and what speaks there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    receiver: &'static str,
    option: &'static str,
    value: Option<OsString>,
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = text.split_once(':').and_then(|(word, rest)| {
            let (_, receiver) = KINDS.iter().find(|(name, _)| *name == word)?;
            Some((*receiver, rest))
        });
        let (receiver, rest) = named.unwrap_or((AUTO, text));
        let value = |v: &str| Some(OsString::from(v));
        let (option, value) = match rest.split_once("://") {
            Some(("tcp", address)) if address.contains(':') => ("--connect", value(address)),
            Some(("listen", address)) if address.contains(':') => ("--listen", value(address)),
            Some(("serial", path)) if !path.is_empty() => ("--serial", value(path)),
            None if rest == "-" => ("--stdin", None),
            None if !rest.is_empty() => ("--file", value(rest)),
            _ => {
                return Err(format!(
                    "`{text}` is no input; write `rtl_wmbus:FILE`, `rtl_wmbus:-`, `imst871:serial:///dev/ttyUSB0`, `tcp://HOST:PORT` or `listen://HOST:PORT`"
                ));
            }
        };
        Ok(Self { receiver, option, value })
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    let folder = Folder(args.dir.clone());
    let program = launcher::program(Room::Collector)?;
    let arguments = arguments(args);
    Operator::runtime()?.block_on(async {
        if !is_enrolled(&folder) {
            let token = token(args).await?;
            let number = enrol_in(&folder, &token, &args.name).await?;
            print(&format!("enrolled as collector c{number}\n"))?;
        }
        run_program(&folder, &program, &arguments).await
    })
}

/// Whether the folder holds the identity of a collector.
pub(crate) fn is_enrolled(folder: &Folder) -> bool {
    folder.identity().join("collector.json").is_file()
}

async fn token(args: &Args) -> Result<Token, Problem> {
    if let Some(house) = &args.house {
        let (layout, config) = open(&house::Layout::new(house))?;
        let operator = Operator::new(&layout)?;
        return crate::collectors::request(&operator, &args.name, 600, &config.gateway.listen).await;
    }
    let Some(file) = &args.token else {
        return Err(Problem::new(format!("`{}` is not a collector of any house yet", args.dir.display()))
            .help("get a one-time token at the house with `meterkeep collector token NAME` and give it with `--token FILE`")
            .exit(USAGE));
    };
    let mut text = Zeroizing::new(String::new());
    let read = if file.as_os_str() == "-" {
        std::io::stdin().lock().take(64 * 1024).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|f| f.take(64 * 1024).read_to_string(&mut text))
    };
    read.map_err(Problem::at(file))?;
    Token::parse(&text).map_err(|e| Problem::new(e.to_string()))
}

/// Makes the folder a collector of the token's house, and gives its number.
pub(crate) async fn enrol_in(folder: &Folder, token: &Token, name: &str) -> Result<u32, Problem> {
    let about = enrol(&folder.identity(), token, name, PATIENCE).await.map_err(|e| {
        Problem::new(e.to_string()).help("a token works once and not for long: ask for a new one")
    })?;
    Ok(about.collector)
}

fn arguments(args: &Args) -> Vec<OsString> {
    let mut all: Vec<OsString> = vec!["--folder".into(), (&args.dir).into(), "run".into()];
    all.extend(["--until".into(), (&args.until).into()]);
    for source in &args.input {
        all.push(source.option.into());
        all.extend(source.value.clone());
        all.extend(["--receiver".into(), source.receiver.into()]);
    }
    all
}

/// Runs the collector's program until it ends or somebody stops it, and says what it did.
async fn run_program(folder: &Folder, program: &Path, arguments: &[OsString]) -> Result<ExitCode, Problem> {
    let failed = |e: std::io::Error| Problem::during("cannot listen for signals")(e);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::inherit());
    let log = folder.0.join("collector.jsonl");
    let mut process = Process::start(command, &log, None).await.map_err(Problem::at(program))?;
    let ended = tokio::select! {
        ended = process.exit() => Some(ended.map_err(Problem::at(program))?),
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
    };
    if ended.is_none() {
        let hurry = async {
            interrupt.recv().await;
        };
        process.stop(hurry).await;
    } else if ended.is_some_and(|status| !status.success()) {
        let why = process.last_words().unwrap_or_else(|| "it ended without a reason".to_owned());
        return Err(Problem::new(format!("the collector stopped: {why}"))
            .help(format!("its log is `{}`", log.display())));
    }
    if let Some(summary) = process.last_event("stopped") {
        let n = |field: &str| summary.get(field).and_then(serde_json::Value::as_u64).unwrap_or_default();
        print(&format!(
            "heard {}, repeats {}, spooled {}, batches forwarded {}\n",
            n("heard"),
            n("repeats"),
            n("spooled"),
            n("forwarded_batches")
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_read_and_refused_by_text() {
        for (text, receiver, option, value) in [
            ("rtl_wmbus:heard.txt", "rtl-wmbus", "--file", Some("heard.txt")),
            ("rtl_wmbus:-", "rtl-wmbus", "--stdin", None),
            ("imst871:serial:///dev/ttyUSB0", "imst871", "--serial", Some("/dev/ttyUSB0")),
            ("rtl_433:-", "rtl-433", "--stdin", None),
            ("hex:tcp://127.0.0.1:1", "hex", "--connect", Some("127.0.0.1:1")),
            ("listen://0.0.0.0:7371", "auto", "--listen", Some("0.0.0.0:7371")),
            ("heard.txt", "auto", "--file", Some("heard.txt")),
        ] {
            let source: Source = text.parse().unwrap();
            assert_eq!((source.receiver, source.option), (receiver, option), "{text}");
            assert_eq!(source.value, value.map(OsString::from), "{text}");
        }
        for text in ["", "rtl_wmbus:", "udp://x:1", "tcp://x", "serial://"] {
            assert!(text.parse::<Source>().unwrap_err().contains("rtl_wmbus:FILE"), "{text}");
        }
    }
}
