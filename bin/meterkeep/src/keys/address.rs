//! What suppliers seal keys to, and sealing at the supplier's.

use std::path::PathBuf;

use envelope::{PublicKey, age};
use seal::{hybrid, parcel};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use wire::custody::{AddressWish, Carried};

use super::vault_key;
use crate::handover::fingerprint;
use crate::operator::Operator;
use crate::output::{Format, FormatArg, print, print_json, say};
use crate::place::HouseArg;
use crate::private_file;
use crate::problem::Problem;
use crate::reader;

/// Bytes of a file that is sealed, at most.
const MAX_FILE: usize = 12 << 20;

/// Print what suppliers seal keys to: a certificate (CMS), an age key, and the house's public key.
///
/// Read the fingerprints to the supplier over another channel: who puts a key of their own in between gets the keys.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep keys address --into for-suppliers.pem\n  \
                        meterkeep keys address --house ./house --format json")]
pub(super) struct Address {
    #[command(flatten)]
    house: HouseArg,
    /// A new file for the certificate. Without it the certificate is printed.
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArg,
}

/// Seal a file of keys to a house, at the supplier's. Needs no house.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep keys seal list.csv --to vault-import.pub --into list.mkeys\n  \
                        meterkeep keys seal order.xlsx --to vault-import.pub --into order.mkeys"
)]
pub(super) struct Seal {
    /// The list or key file. It stays as it is: wipe it when its receiver has it.
    file: PathBuf,
    /// The house's public key, as it gave it to you: `public/vault-import.pub` of its folder.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// The new file, for the house alone.
    #[arg(long, value_name = "FILE")]
    into: PathBuf,
}

pub(super) fn show(args: &Address) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    let operator = Operator::new(&layout)?;
    let answer = Operator::runtime()?.block_on(operator.carry(Carried::Address(AddressWish {})))?;
    let address = answer.address.ok_or_else(|| Problem::new("the vault gave no address"))?;
    let wrong = |what: &str| Problem::new(format!("the vault's {what} cannot be read"));
    let read = reader::certificate(address.certificate.as_bytes()).map_err(|_| wrong("certificate"))?;
    let key = PublicKey::from_spki(&read.spki).map_err(|_| wrong("certificate"))?;
    let of_certificate = fingerprint::text(&key.fingerprint());
    let age = address.age.as_slice().try_into().ok().and_then(|key| age::Recipient::from_bytes(key).ok());
    let age = age.ok_or_else(|| wrong("age key"))?.to_string();
    let own = fingerprint::text(&Sha256::digest(vault_key(&layout)?.as_bytes()));
    let own_file = layout.public(vault::IMPORT_PUBLIC);
    if let Some(path) = &args.into {
        private_file::write(path, &[address.certificate.as_bytes()])?;
    }
    if args.format.format == Format::Json {
        return print_json(&json!({
            "certificate": address.certificate, "fingerprint": of_certificate, "age": age,
            "public_key": own_file, "public_key_fingerprint": own,
        }));
    }
    let certificate = match &args.into {
        Some(path) => format!("in `{}`\n", path.display()),
        None => format!("\n{}", address.certificate),
    };
    print(&format!(
        "CMS       certificate {certificate}          fingerprint {of_certificate}\nage       {age}\nmeterkeep `{}`\n          fingerprint {own}\n",
        own_file.display()
    ))
}

pub(super) fn seal(args: &Seal) -> Result<(), Problem> {
    let to = std::fs::read_to_string(&args.to).map_err(Problem::at(&args.to))?;
    let to = hex::decode(to.trim()).ok().and_then(|bytes| hybrid::PublicKey::from_bytes(&bytes).ok());
    let to = to.ok_or_else(|| Problem::new(format!("`{}` is no house's public key", args.to.display())))?;
    let content = crate::handover::read_file(&args.file, MAX_FILE)?;
    let sealed = parcel::seal(&content, &to).map_err(Problem::during("cannot seal the file"))?;
    private_file::write(&args.into, &[&sealed])?;
    say(&format!("{}: only the house with this public key opens it:", args.into.display()));
    say(&format!("  {}", fingerprint::text(&Sha256::digest(to.as_bytes()))));
    say("have the house read its fingerprint to you, and compare");
    Ok(())
}
