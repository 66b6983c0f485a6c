//! Fetching what was approved, and bringing the receiver's answer back.

use std::path::PathBuf;

use wire::custody::{Acknowledge as Answer, Carried, Fetch as Wish};

use super::carry;
use super::open::acknowledgement;
use crate::output::{say, shown};
use crate::place::HouseArg;
use crate::private_file;
use crate::problem::{Problem, USAGE};

/// Fetch the keys of an approved hand-over, sealed to their receiver. It works once.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep handover fetch 3 --code 5d0c... --into acme.p7m\n  \
                        meterkeep handover fetch 4 --code 91fe... --into bo.age --house ./house")]
pub(super) struct Fetch {
    #[command(flatten)]
    house: HouseArg,
    /// The hand-over's number.
    handover: u32,
    /// The code that its approval gave. It opens nothing: it only says who may fetch.
    #[arg(long)]
    code: String,
    /// The file that the sealed keys go into; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    into: PathBuf,
}

/// Record that the receiver has the keys, by the file that `handover open` made.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep handover acknowledge keys.csv.ack\n  \
                        meterkeep handover acknowledge keys.csv.ack --house ./house")]
pub(super) struct Acknowledge {
    #[command(flatten)]
    house: HouseArg,
    /// The receiver's acknowledgement.
    file: PathBuf,
}

pub(super) fn fetch(args: &Fetch) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    let code = hex::decode(args.code.trim())
        .map_err(|_| Problem::new("the code has 32 digits, as the approval printed it").exit(USAGE))?;
    // made before the one fetch is spent: a file that cannot be written must not cost it
    let mut out = private_file::create(&args.into)?;
    let answer = carry(&layout, Carried::Fetch(Wish { handover: args.handover, code }));
    let answer = answer.inspect_err(|_| _ = std::fs::remove_file(&args.into))?;
    private_file::fill(&mut out, &args.into, &[&answer.container])?;
    say(&shown(&answer.done));
    say(&format!(
        "{}: only its receiver opens it, with `meterkeep handover open`, OpenSSL or age",
        args.into.display()
    ));
    Ok(())
}

pub(super) fn acknowledge(args: &Acknowledge) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    let (handover, signature) = acknowledgement(&args.file)?;
    let answer = carry(&layout, Carried::Acknowledge(Answer { handover, signature }))?;
    say(&shown(&answer.done));
    Ok(())
}
