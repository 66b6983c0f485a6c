//! The reader: a process of its own for each CMS, age or X.509 file that somebody else made. Its standard input is that
//! file, its answer a record on standard output; it can reach nothing else, and its memory and time are bounded. Who
//! started it holds keys, and never parses what this process did.

mod answer;

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use jail::Bounds;
use prost::Message as _;

/// Its memory: copies of the largest file that is read, and room to work in.
const MEMORY: u64 = 512 << 20;
/// Seconds of the processor's time.
const SECONDS: u64 = 10;

/// Read one file of somebody else's. `meterkeep` starts it; people have no use for it.
#[derive(Parser)]
#[command(name = "meterkeep-reader", version)]
struct Args {
    /// What standard input is.
    #[arg(value_enum)]
    what: What,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// An X.509 certificate, PEM or DER.
    Certificate,
    /// A container: CMS (DER or PEM) or age.
    Container,
    /// A CMS SignedData.
    Signed,
}

fn main() -> ExitCode {
    match run(Args::parse().what) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run(what: What) -> Result<(), String> {
    jail::confine(Bounds { memory: MEMORY, seconds: SECONDS }).map_err(|e| e.to_string())?;
    let mut file = Vec::new();
    let most = answer::MAX_FILE as u64 + 1;
    std::io::stdin().lock().take(most).read_to_end(&mut file).map_err(|e| format!("standard input: {e}"))?;
    let answer = answer::to(what, &file).encode_to_vec();
    let mut out = std::io::stdout().lock();
    out.write_all(&answer).and_then(|()| out.flush()).map_err(|e| format!("cannot answer: {e}"))
}
