//! Fingerprints: what two people read to each other.

use std::path::{Path, PathBuf};

use envelope::age;
use seal::hybrid::PublicKey;
use sha2::{Digest, Sha256};

use crate::output::{print, shown};
use crate::problem::{Problem, USAGE};

/// Show the fingerprint of a certificate or of a machine's public key, to be read out over the telephone.
///
/// Of a certificate it is the SHA-256 of its public key, as `openssl x509 -pubkey -noout | openssl pkey -pubin -outform DER
/// | openssl dgst -sha256` prints it. An age key needs none: it is read out itself.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep handover fingerprint acme.pem\n  \
                        meterkeep handover fingerprint reader.machine")]
pub(super) struct Args {
    /// The certificate (PEM or DER), or a machine's public key.
    file: PathBuf,
}

pub(super) fn show(args: &Args) -> Result<(), Problem> {
    if let Ok(key) = machine(&args.file) {
        return print(&format!("{}\n", text(&of_machine(&key))));
    }
    let read = super::acts::certificate(&args.file)?;
    let key = envelope::PublicKey::from_spki(&read.spki).map_err(Problem::at(&args.file))?;
    let (subject, kind) = (shown(&read.subject), key.kind());
    print(&format!(
        "{}\n{subject}, {kind}, valid until {}\n",
        text(&key.fingerprint()),
        base::UtcMillis(read.not_after_ms)
    ))
}

/// `7C:1F:...`.
pub(crate) fn text(fingerprint: &[u8]) -> String {
    fingerprint.iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(":")
}

/// A fingerprint as people write it, or an age key.
pub(super) fn parse(text: &str) -> Result<[u8; 32], Problem> {
    if let Ok(key) = age::Recipient::from_text(text.trim()) {
        return Ok(*key.as_bytes());
    }
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | ' ' | '-')).collect();
    hex::decode(&digits).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
        Problem::new(format!("`{}` is no fingerprint", shown(text)))
            .help("it has 64 digits, with or without colons; of an age key give the key, `age1...`")
            .exit(USAGE)
    })
}

/// A machine's public key, from the file that `machine-key` made.
pub(super) fn machine(path: &Path) -> Result<Vec<u8>, Problem> {
    let bytes = super::open::read(path, 16 * 1024)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let key = hex::decode(text.trim()).ok().filter(|key| PublicKey::from_bytes(key).is_ok());
    key.ok_or_else(|| Problem::new(format!("`{}` is no machine's public key", path.display())))
}

/// SHA-256 of a machine's public key.
pub(super) fn of_machine(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}
