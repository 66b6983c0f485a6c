//! The receiver's side: opening what was sealed to them, on their own machine, without a house.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use base::{Secret, SecretBytes};
use envelope::{EnvelopeError, age, cms};
use keyfile::pem_part;
use seal::hybrid::{self, KeyPair};
use seal::sign::Signer;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wire::custody::{ACKNOWLEDGEMENT_DOMAIN, ACKNOWLEDGEMENT_KEY, HANDOVER_INFO, acknowledged};
use zeroize::Zeroizing;

use crate::output::{count, say};
use crate::private_file;
use crate::problem::{Problem, USAGE};
use crate::reader::{self, Sealed};
use crate::secret;

const MAX_KEY: usize = 64 * 1024;

/// Open keys that were sealed to you, and make the acknowledgement that closes the hand-over. Needs no house.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep handover open acme.p7m --key acme.key --signed-by handover.pem --into keys.csv\n  \
                        meterkeep handover open bo.age --key key.txt --into keys.csv"
)]
pub(super) struct Open {
    /// The file with the sealed keys.
    file: PathBuf,
    /// Your private key: PKCS #8 (PEM) of your certificate, an age key file, or a machine's key. Only you may be able to
    /// read it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The certificate that the house signs with, as it gave it to you: `public/handover.pem` of its folder. A list that is
    /// sealed to an age key carries no signature.
    #[arg(long, value_name = "FILE")]
    signed_by: Option<PathBuf>,
    /// The file that the keys go into, in plain text: keep it short, and wipe it.
    #[arg(long, value_name = "FILE")]
    into: PathBuf,
    /// The file that the acknowledgement goes into; the house takes it. Left out: beside the keys, with `.ack`.
    #[arg(long, value_name = "FILE")]
    acknowledgement: Option<PathBuf>,
}

/// Make a key for a machine that receives keys: the private file stays there, the public one goes to the officers.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep handover machine-key --into reader\n  \
                        meterkeep handover machine-key --into /etc/reader/handover")]
pub(super) struct MachineKey {
    /// Both files' name: `NAME.key` and `NAME.machine`.
    #[arg(long, value_name = "NAME")]
    into: PathBuf,
}

/// What a receiver sends back. It tells nobody anything about the keys.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AcknowledgementFile {
    handover: u32,
    signature: String,
}

/// The number and the signature of an acknowledgement.
pub(super) fn acknowledgement(path: &Path) -> Result<(u32, Vec<u8>), Problem> {
    let bytes = read(path, MAX_KEY)?;
    let file: Option<AcknowledgementFile> =
        std::str::from_utf8(&bytes).ok().and_then(|text| toml::from_str(text).ok());
    let parsed = file.and_then(|file| Some((file.handover, hex::decode(file.signature).ok()?)));
    parsed.ok_or_else(|| Problem::new(format!("`{}` is no acknowledgement", path.display())))
}

/// Reads a file of so many bytes at most, wiped afterwards.
pub(crate) fn read(path: &Path, most: usize) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let file = std::fs::File::open(path).map_err(Problem::at(path))?;
    // as large as it may get, so that growing leaves no copy behind
    let mut bytes = Zeroizing::new(Vec::with_capacity(most.saturating_add(1).min(1 << 20)));
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(Problem::at(path))?;
    if bytes.len() > most {
        return Err(Problem::new(format!("`{}` has more than {most} bytes", path.display())));
    }
    Ok(bytes)
}

pub(super) fn machine_key(args: &MachineKey) -> Result<(), Problem> {
    let pair = KeyPair::generate().map_err(|e| Problem::new(e.to_string()))?;
    let with = |end: &str| {
        let mut name = args.into.clone().into_os_string();
        name.push(end);
        PathBuf::from(name)
    };
    let (private, public) = (with(".key"), with(".machine"));
    let seed = Zeroizing::new(format!("{}\n", hex::encode(pair.expose_seed())));
    private_file::write(&private, &[seed.as_bytes()])?;
    private_file::write(&public, &[format!("{}\n", hex::encode(pair.public().as_bytes())).as_bytes()])?;
    say(&format!("{}: stays on this machine", private.display()));
    say(&format!("{}: for the officers, who compare this fingerprint:", public.display()));
    say(&format!(
        "  {}",
        super::fingerprint::text(&super::fingerprint::of_machine(pair.public().as_bytes()))
    ));
    Ok(())
}

pub(super) fn open(args: &Open) -> Result<(), Problem> {
    if args.into.exists() {
        return Err(Problem::new(format!("`{}` is there already", args.into.display())));
    }
    let container = read(&args.file, cms::MAX_CONTAINER)?;
    let list = opened(args, &container)?;
    let text =
        std::str::from_utf8(list.expose()).map_err(|_| Problem::new("what was sealed is no list of keys"))?;
    let (number, keys) = reference(text)?;
    private_file::write(&args.into, &[list.expose()])?;
    let list_hash: [u8; 32] = Sha256::digest(list.expose()).into();
    let seed = seal::derive::labelled(&Secret::new(list_hash), ACKNOWLEDGEMENT_KEY, &[]);
    let signature = Signer::from_seed(&seed).sign(ACKNOWLEDGEMENT_DOMAIN, &acknowledged(number, &list_hash));
    let file = AcknowledgementFile { handover: number, signature: hex::encode(signature) };
    let text = toml::to_string(&file).map_err(Problem::during("cannot write the acknowledgement"))?;
    let beside = args.acknowledgement.clone().unwrap_or_else(|| {
        let mut name = args.into.clone().into_os_string();
        name.push(".ack");
        PathBuf::from(name)
    });
    private_file::write(&beside, &[text.as_bytes()])?;
    say(&format!(
        "{}: keys of {}, in plain text; import them and wipe the file",
        args.into.display(),
        count(keys, "meter")
    ));
    say(&format!("{}: send this back; it closes hand-over {number}", beside.display()));
    Ok(())
}

/// The list, opened and, where it carries a signature, believed.
fn opened(args: &Open, container: &[u8]) -> Result<SecretBytes, Problem> {
    let key = private_text(&args.key)?;
    let failed = |error: EnvelopeError| Problem::new(format!("`{}`: {error}", args.file.display()));
    let text = std::str::from_utf8(&key).unwrap_or_default();
    if text.contains("AGE-SECRET-KEY-1") {
        let identity = age::Identity::from_file(text).map_err(failed)?;
        let Sealed::Age(read) = read_container(args, container)? else {
            return Err(failed(EnvelopeError::Form));
        };
        let key = read.keys.iter().find_map(|key| identity.content_key(key));
        let key = key.ok_or_else(|| failed(EnvelopeError::NotForThisKey))?;
        return age::open_content(&read, &key).map_err(failed);
    }
    let signed = if let Some(pair) = machine_pair(text) {
        let sealed = hybrid::Sealed::from_slice(container).map_err(|_| failed(EnvelopeError::Form))?;
        pair.open_secret(HANDOVER_INFO, &[], &sealed).map_err(|_| failed(EnvelopeError::NotForThisKey))?
    } else {
        let private = private_key(&args.key, &key)?;
        let Sealed::Cms(read) = read_container(args, container)? else {
            return Err(failed(EnvelopeError::Form));
        };
        let mut keys = read.keys.iter().filter_map(|key| private.content_key(key).transpose());
        let key = keys.next().unwrap_or(Err(EnvelopeError::NotForThisKey)).map_err(failed)?;
        cms::open_content(&read, &key).map_err(failed)?
    };
    let house = args.signed_by.as_deref().ok_or_else(|| {
        Problem::new("from whom is the list? nobody is named")
            .help("give the house's certificate with `--signed-by handover.pem`")
            .exit(USAGE)
    })?;
    let house = super::acts::certificate(house)?;
    let read = reader::signed(signed.expose()).map_err(Problem::at(&args.file))?;
    let good = cms::is_signed_by(&read, &house.key);
    let list = SecretBytes::new(read.content);
    if good { Ok(list) } else { Err(failed(EnvelopeError::Signature)) }
}

fn read_container(args: &Open, container: &[u8]) -> Result<Sealed, Problem> {
    reader::container(container).map_err(Problem::at(&args.file))
}

fn private_text(path: &Path) -> Result<Zeroizing<Vec<u8>>, Problem> {
    secret::refuse_open_to_others(path, "private key")?;
    read(path, MAX_KEY)
}

fn machine_pair(text: &str) -> Option<KeyPair> {
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), seed.as_mut_slice()).ok()?;
    KeyPair::from_seed(Secret::from_slice(seed.as_slice())?).ok()
}

fn private_key(path: &Path, text: &[u8]) -> Result<cms::PrivateKey, Problem> {
    if let Some(der) = pem_part(text, |label| label == "PRIVATE KEY").map(Zeroizing::new) {
        return cms::PrivateKey::from_pkcs8(&der).map_err(Problem::at(path));
    }
    let other = pem_part(text, |label| label.ends_with("PRIVATE KEY")).map(Zeroizing::new).is_some();
    let what = if other { "holds a private key in another form" } else { "holds no private key" };
    Err(Problem::new(format!("`{}` {what}", path.display()))
        .help("make a PKCS #8 file of it: `openssl pkcs8 -topk8 -nocrypt -in KEY -out NEW`"))
}

/// The hand-over's number and how many meters there are, from the list's last column.
fn reference(list: &str) -> Result<(u32, u64), Problem> {
    let mut lines = list.lines();
    let header = lines.next().unwrap_or_default();
    let first = lines.next().and_then(|line| line.rsplit(';').next()).and_then(|last| last.strip_prefix('H'));
    let number = first.and_then(|reference| reference.split('-').next()?.parse().ok());
    match number {
        Some(number) if header.ends_with(";handover") => Ok((number, 1 + lines.count() as u64)),
        _ => Err(Problem::new("what was sealed is no list of a hand-over")),
    }
}
