//! `meterkeep officer`: a key officer's own key, which signs each act on meter keys and never lies in the house.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base::{Secret, UtcMillis};
use grant::act::Deed;
use seal::derive;
use seal::hybrid::{KeyPair, PublicKey};
use seal::passphrase::SealedRoot;
use seal::sign::{Signer, Verifier};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::output::{print, say, shown};
use crate::private_file;
use crate::problem::{Problem, USAGE};
use crate::secret;

/// The domain of a public key's signature over itself: who brings it has the private half.
const OWN_DOMAIN: &str = "meterkeep/officer-key/1";
/// The domain of its signature over the key that its officer receives with.
const RECEIVES_DOMAIN: &str = "meterkeep/officer-receives/1";
const PUBLIC_HEAD: &str = "# A key officer's public key, for the house.\n";
const MAX_FILE: u64 = 16 * 1024;

/// Make and show key officers' keys. Each officer keeps their own, on their own machine.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    New(New),
    Show(Show),
    Publish(Publish),
}

/// Make an officer's key: a private file for the officer, under a passphrase, and a public one for the house.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep officer new anna\n  \
                        meterkeep officer new anna --into /media/anna --passphrase-file passphrase")]
struct New {
    /// The officer's name, as the log will show it: letters, digits and signs, no space.
    name: String,
    /// The folder that the two files go into.
    #[arg(long, value_name = "DIR", default_value = ".")]
    into: PathBuf,
    /// The passphrase is the first line of this file. Without it the terminal asks.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// Show whose key a file holds, and its public half. Needs no passphrase.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep officer show anna.officer\n  meterkeep officer show anna.key")]
struct Show {
    /// The private or the public file.
    file: PathBuf,
}

/// Write an officer's public file again, out of the private one.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep officer publish --officer-key anna.key --into anna.officer\n  \
                        meterkeep officer publish --officer-key anna.key --officer-passphrase-file p --into anna.officer"
)]
struct Publish {
    #[command(flatten)]
    officer: OfficerArg,
    /// The public file; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    into: PathBuf,
}

/// Both files: the private one has `sealed`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfficerFile {
    officer: String,
    public: String,
    proof: String,
    /// The key that the officer receives with, and the signing key's signature over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receives: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receives_proof: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

/// An officer's public key, proved to be its bringer's.
pub(crate) struct PublicOfficer {
    pub name: String,
    pub key: Verifier,
    /// What they receive with; files of earlier editions have none.
    pub receives: Option<PublicKey>,
}

/// Who signs an act or an approval: a private key file, and its passphrase.
#[derive(clap::Args)]
pub(crate) struct OfficerArg {
    /// The officer's private file. The act is signed on this machine; the file may lie on a medium that is taken out again.
    #[arg(long, value_name = "FILE", env = "METERKEEP_OFFICER_KEY")]
    officer_key: PathBuf,
    /// The officer's passphrase is the first line of this file. Without it the terminal asks.
    #[arg(long, value_name = "FILE")]
    officer_passphrase_file: Option<PathBuf>,
}

/// Who signs what they agree to, where they have a key.
#[derive(clap::Args)]
pub(crate) struct ApproverArg {
    /// Your own private key file: what you agree to is signed with it on this machine.
    #[arg(long, value_name = "FILE", env = "METERKEEP_OFFICER_KEY")]
    officer_key: Option<PathBuf>,
    /// The key's passphrase is the first line of this file. Without it the terminal asks.
    #[arg(long, value_name = "FILE", requires = "officer_key")]
    officer_passphrase_file: Option<PathBuf>,
}

impl ApproverArg {
    /// Signs an errand for a house; nothing where no key is given.
    pub(crate) fn approve(&self, house: [u8; 32], errand: Vec<u8>) -> Result<Option<Vec<u8>>, Problem> {
        let Some(officer_key) = self.officer_key.clone() else { return Ok(None) };
        let officer_passphrase_file = self.officer_passphrase_file.clone();
        let (public, seed) = OfficerArg { officer_key, officer_passphrase_file }.open()?;
        grant::approval::sign_approval(
            house,
            &public.name,
            errand,
            UtcMillis::now(),
            &Signer::from_seed(&seed),
        )
        .map(Some)
        .map_err(Problem::during("cannot sign the approval"))
    }
}

impl OfficerArg {
    /// Signs an act for a house.
    pub(crate) fn sign(&self, house: [u8; 32], deed: Deed) -> Result<Vec<u8>, Problem> {
        let (public, seed) = self.open()?;
        let signer = Signer::from_seed(&seed);
        grant::act::sign_act(house, &public.name, deed, UtcMillis::now(), &signer)
            .map_err(Problem::during("cannot sign the act"))
    }

    /// The pair that the officer receives with.
    pub(crate) fn receiving(&self) -> Result<KeyPair, Problem> {
        receiving(&self.open()?.1)
    }

    fn open(&self) -> Result<(PublicOfficer, Secret<32>), Problem> {
        let file = read(&self.officer_key)?;
        let (public, sealed) = (prove(&self.officer_key, &file)?, file.sealed.as_ref());
        let sealed = sealed.ok_or_else(|| {
            Problem::new(format!("`{}` is the public file", self.officer_key.display()))
                .help("give the private one, `NAME.key`")
        })?;
        let sealed = hex::decode(sealed).ok().and_then(|bytes| SealedRoot::from_bytes(&bytes).ok());
        let sealed = sealed.ok_or_else(|| not_one(&self.officer_key))?;
        let passphrase = match &self.officer_passphrase_file {
            Some(file) => secret::first_line(file, "passphrase")?,
            None => {
                let prompt = format!("Passphrase of officer {}: ", shown(&public.name));
                secret::ask(&prompt, "--officer-passphrase-file")?
            }
        };
        let seed = sealed.open(&passphrase).map_err(|e| Problem::new(e.to_string()))?;
        if Signer::from_seed(&seed).verifier() != public.key {
            return Err(not_one(&self.officer_key));
        }
        Ok((public, seed))
    }
}

/// The pair that an officer receives with follows from the seed of the one that signs: there is one thing to keep.
fn receiving(seed: &Secret<32>) -> Result<KeyPair, Problem> {
    let seed = derive::labelled(seed, "meterkeep/officer-receiving-key/1", &[]);
    KeyPair::from_seed(seed).map_err(|e| Problem::new(e.to_string()))
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::New(args) => new(args),
        Command::Show(args) => show(args),
        Command::Publish(args) => publish(args),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Reads an officer's public key, from either file.
pub(crate) fn public(path: &Path) -> Result<PublicOfficer, Problem> {
    prove(path, &read(path)?)
}

fn new(args: &New) -> Result<(), Problem> {
    if !grant::is_name(&args.name) || args.name.contains('/') {
        return Err(Problem::new(format!("`{}` is no officer's name", shown(&args.name)))
            .help("give up to 64 letters, digits or signs, without a space")
            .exit(USAGE));
    }
    let file = args.passphrase_file.as_deref();
    let passphrase = secret::new_passphrase(file, "Passphrase for the officer's key: ", "--passphrase-file")?;
    let machine = || Problem::new("the machine gave no randomness");
    let seed = Secret::random().map_err(|_| machine())?;
    let sealed = SealedRoot::create(&passphrase, &seed).map_err(|e| Problem::new(e.to_string()))?;
    let mut contents = contents(&args.name, &seed)?;
    contents.sealed = Some(hex::encode(sealed.to_bytes()));
    std::fs::create_dir_all(&args.into).map_err(Problem::at(&args.into))?;
    let private_file = args.into.join(format!("{}.key", args.name));
    write(&private_file, "# A key officer's private key. Keep it apart from its passphrase.\n", &contents)?;
    contents.sealed = None;
    let public_file = args.into.join(format!("{}.officer", args.name));
    write(&public_file, PUBLIC_HEAD, &contents)?;
    say(&format!("{}: keep it; it signs as {}", private_file.display(), args.name));
    say(&format!("{}: give it to the house, whose vault pins it:", public_file.display()));
    say(&format!("  meterkeep vault add-officer {}", public_file.display()));
    Ok(())
}

/// What the public file holds.
fn contents(name: &str, seed: &Secret<32>) -> Result<OfficerFile, Problem> {
    let (signer, pair) = (Signer::from_seed(seed), receiving(seed)?);
    let receives = pair.public().as_bytes();
    Ok(OfficerFile {
        officer: name.to_owned(),
        public: hex::encode(signer.verifier().as_bytes()),
        proof: hex::encode(signer.sign(OWN_DOMAIN, name.as_bytes())),
        receives: Some(hex::encode(receives)),
        receives_proof: Some(hex::encode(signer.sign(RECEIVES_DOMAIN, receives))),
        sealed: None,
    })
}

fn publish(args: &Publish) -> Result<(), Problem> {
    let (public, seed) = args.officer.open()?;
    let contents = contents(&public.name, &seed)?;
    write(&args.into, PUBLIC_HEAD, &contents)?;
    say(&format!("{}: the public file of {}", args.into.display(), shown(&public.name)));
    Ok(())
}

fn show(args: &Show) -> Result<(), Problem> {
    let officer = public(&args.file)?;
    print(&format!("officer  {}\npublic   {}\n", shown(&officer.name), hex::encode(officer.key.as_bytes())))
}

fn write(path: &Path, head: &str, contents: &OfficerFile) -> Result<(), Problem> {
    let text = toml::to_string(contents).map_err(Problem::at(path))?;
    private_file::write(path, &[head.as_bytes(), text.as_bytes()])
}

fn read(path: &Path) -> Result<OfficerFile, Problem> {
    if std::fs::metadata(path).map_err(Problem::at(path))?.len() > MAX_FILE {
        return Err(not_one(path));
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(Problem::at(path))?);
    toml::from_str(&text).map_err(|_| not_one(path))
}

fn prove(path: &Path, file: &OfficerFile) -> Result<PublicOfficer, Problem> {
    let key = hex::decode(&file.public).ok().and_then(|bytes| Verifier::from_bytes(&bytes).ok());
    let key = key.ok_or_else(|| not_one(path))?;
    let proof = hex::decode(&file.proof).map_err(|_| not_one(path))?;
    key.verify(OWN_DOMAIN, file.officer.as_bytes(), &proof).map_err(|_| not_one(path))?;
    let receives = match (&file.receives, &file.receives_proof) {
        (None, None) => None,
        (Some(receives), Some(proof)) => {
            let decode = |text: &String| hex::decode(text).map_err(|_| not_one(path));
            let (bytes, proof) = (decode(receives)?, decode(proof)?);
            key.verify(RECEIVES_DOMAIN, &bytes, &proof).map_err(|_| not_one(path))?;
            Some(PublicKey::from_bytes(&bytes).map_err(|_| not_one(path))?)
        }
        _ => return Err(not_one(path)),
    };
    Ok(PublicOfficer { name: file.officer.clone(), key, receives })
}

fn not_one(path: &Path) -> Problem {
    Problem::new(format!("`{}` is no officer's file, or was changed", path.display()))
        .help("`meterkeep officer new` makes one")
}
