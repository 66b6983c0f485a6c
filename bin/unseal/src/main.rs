//! The unseal helper: a process of its own, in a jail of its own, for the library of a hardware token. Such libraries are
//! native code of others; none is ever loaded where keys of meters are.
//!
//! Standard input has a line with the token's PIN and one with what is to be locked or opened, in hexadecimal; the answer is
//! one line on standard output. It reads the system's libraries and settings, writes nothing but where `--writable` says, and
//! connects nowhere but where `--connect` says.

mod input;
mod token;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use jail::{Network, Profile};
use zeroize::Zeroizing;

use token::Token;

/// Lock or open a vault's key with a hardware token. `meterkeep up` and `meterkeep vault` call it.
#[derive(Parser)]
#[command(name = "meterkeep-unseal", version)]
struct Args {
    /// The token's library (PKCS #11).
    #[arg(long)]
    module: PathBuf,
    /// The token's label.
    #[arg(long)]
    token: String,
    /// The label of the key in it; locking makes it when it is not there.
    #[arg(long)]
    key: String,
    /// A folder that the library writes to. Give it as often as needed.
    #[arg(long)]
    writable: Vec<PathBuf>,
    /// A TCP port that the library connects to. Give it as often as needed.
    #[arg(long)]
    connect: Vec<u16>,
    /// What to do.
    #[arg(value_enum)]
    what: What,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Lock a key of 32 bytes.
    Lock,
    /// Open what was locked.
    Open,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    let module =
        std::fs::canonicalize(&args.module).map_err(|e| format!("`{}`: {e}", args.module.display()))?;
    let (pin, given) = input::read()?;
    jail::enter(&profile(args, &module)).map_err(|e| e.to_string())?;
    let token = Token::open(&module, &args.token, &pin).map_err(|e| e.to_string())?;
    let answer = match args.what {
        What::Lock => token.lock(&args.key, given.expose()).map(Zeroizing::new),
        What::Open => token.open_locked(&args.key, given.expose()),
    };
    let answer = Zeroizing::new(hex::encode(answer.map_err(|e| e.to_string())?.as_slice()) + "\n");
    let mut out = std::io::stdout().lock();
    out.write_all(answer.as_bytes()).and_then(|()| out.flush()).map_err(|e| format!("cannot answer: {e}"))
}

fn profile(args: &Args, module: &Path) -> Profile {
    let system =
        ["/lib", "/lib64", "/usr", "/etc", "/proc/self", "/sys/bus/usb", "/sys/devices"].map(PathBuf::from);
    let network = if args.connect.is_empty() {
        Network::None
    } else {
        Network::Ports { listen: Vec::new(), connect: args.connect.clone() }
    };
    let settings = std::env::var_os("SOFTHSM2_CONF").map(PathBuf::from);
    Profile {
        read: system.into_iter().chain(module.parent().map(Path::to_owned)).chain(settings).collect(),
        write: args.writable.clone(),
        devices: ["/dev/bus/usb", "/dev/urandom", "/dev/random"].map(PathBuf::from).to_vec(),
        network,
        lock_memory: true,
    }
}
