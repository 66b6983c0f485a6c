//! What officers do: each command signs one act.

use std::path::{Path, PathBuf};

use base::UtcMillis;
use envelope::age;
use envelope::record::Certificate;
use grant::act::{
    AdmitRecipient, ApproveHandover, CertificateKey, Deed, RecipientKey, RegisterRecipient, RemoveRecipient,
    RequestHandover, WithdrawHandover,
};
use keyfile::MAX_CERTIFICATE;
use wire::custody::{Carried, ErrandAnswer, Look};

use super::{carry, fingerprint, house, show};
use crate::officer::OfficerArg;
use crate::output::{Format, FormatArg, print, print_json, say, shown};
use crate::place::HouseArg;
use crate::problem::{Problem, USAGE};
use crate::reader;

/// Propose a receiver. A second officer admits it.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep handover register --name \"Acme Heat\" --certificate acme.pem --officer-key anna.key\n  \
                        meterkeep handover register --name Bo --age age1... --officer-key anna.key"
)]
pub(super) struct Register {
    #[command(flatten)]
    house: HouseArg,
    /// What people call the receiver.
    #[arg(long)]
    name: String,
    #[command(flatten)]
    with: Receiving,
    #[command(flatten)]
    officer: OfficerArg,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Receiving {
    /// Its certificate, PEM or DER: P-256, P-384, or RSA of 3072 bits or more.
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Its age key.
    #[arg(long, value_name = "age1...")]
    age: Option<String>,
    /// A machine's public key, as `handover machine-key` makes it.
    #[arg(long, value_name = "FILE")]
    machine: Option<PathBuf>,
}

/// Admit a receiver that another officer proposed, after its fingerprint was compared over a second channel.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep handover admit 1 --fingerprint 7C:1F:... --officer-key bo.key\n  \
                        meterkeep handover admit 2 --fingerprint age1... --officer-key bo.key"
)]
pub(super) struct Admit {
    #[command(flatten)]
    house: HouseArg,
    /// The receiver's number.
    receiver: u32,
    /// The fingerprint as the receiver itself read it out, by telephone say; of an age key: the key. Take it from the
    /// receiver, not from this machine.
    #[arg(long)]
    fingerprint: String,
    #[command(flatten)]
    officer: OfficerArg,
}

/// Take a receiver's right away. What was handed over stays handed over.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep handover remove-receiver 1 --officer-key bo.key\n  \
                        meterkeep handover remove-receiver 2 --house ./house --officer-key anna.key")]
pub(super) struct RemoveReceiver {
    #[command(flatten)]
    house: HouseArg,
    /// The receiver's number.
    receiver: u32,
    #[command(flatten)]
    officer: OfficerArg,
}

/// Ask that the keys of some meters are handed over. A second officer approves.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep handover request --to 1 --meter KAM-10000001 --reason \"sold with the house\" --officer-key anna.key\n  \
                        meterkeep handover request --to 1 --meters-file list.txt --reason \"new reader, case 17\" --officer-key anna.key"
)]
pub(super) struct Request {
    #[command(flatten)]
    house: HouseArg,
    /// The receiver's number.
    #[arg(long, value_name = "RECEIVER")]
    to: u32,
    /// A meter, as KAM-12345678. Give it as often as needed.
    #[arg(long = "meter", value_name = "METER")]
    meters: Vec<String>,
    /// A file with a meter a line.
    #[arg(long, value_name = "FILE")]
    meters_file: Option<PathBuf>,
    /// Why; it stands in the log. No names of customers.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    officer: OfficerArg,
}

/// Approve a hand-over that another officer asked for. Shows it first, and gives the code that fetches the keys once.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep handover approve 3 --officer-key bo.key\n  \
                        meterkeep handover approve 3 --officer-key bo.key --format json")]
pub(super) struct Approve {
    #[command(flatten)]
    house: HouseArg,
    /// The hand-over's number.
    handover: u32,
    #[command(flatten)]
    officer: OfficerArg,
    #[command(flatten)]
    format: FormatArg,
}

/// Take a hand-over back that was not fetched.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep handover withdraw 3 --officer-key bo.key\n  \
                        meterkeep handover withdraw 3 --house ./house --officer-key anna.key")]
pub(super) struct Withdraw {
    #[command(flatten)]
    house: HouseArg,
    /// The hand-over's number.
    handover: u32,
    #[command(flatten)]
    officer: OfficerArg,
}

fn act(at: &HouseArg, officer: &OfficerArg, deed: Deed) -> Result<ErrandAnswer, Problem> {
    let (layout, id) = house(at)?;
    carry(&layout, Carried::Act(officer.sign(id, deed)?))
}

fn done(answer: &ErrandAnswer) {
    say(&shown(&answer.done));
}

pub(super) fn register(args: &Register) -> Result<(), Problem> {
    let (key, text) = receiving(&args.with)?;
    let wish = RegisterRecipient { name: args.name.clone(), key: Some(key) };
    let answer = act(&args.house, &args.officer, Deed::Register(wish))?;
    done(&answer);
    say(
        "ask the receiver, over another channel than the one that the key came by, to read out its fingerprint:",
    );
    say(&format!("  {text}"));
    say("then another officer admits it with what the receiver read out:");
    say(&format!("  meterkeep handover admit {} --fingerprint ... --officer-key ...", answer.number));
    Ok(())
}

fn receiving(with: &Receiving) -> Result<(RecipientKey, String), Problem> {
    if let Some(path) = &with.certificate {
        let read = certificate(path)?;
        let now = UtcMillis::now();
        if !read.may_receive || now < UtcMillis(read.not_before_ms) || now >= UtcMillis(read.not_after_ms) {
            let why = if read.may_receive { "is not valid now" } else { "may not be used to receive keys" };
            return Err(Problem::new(format!("the certificate of {} {why}", read.subject)).help(
                "ask for one that is valid, with key agreement (P-256, P-384) or key encipherment (RSA)",
            ));
        }
        let key = envelope::PublicKey::from_spki(&read.spki).map_err(Problem::at(path))?;
        let text = fingerprint::text(&key.fingerprint());
        let (spki, issuer, serial, not_after_ms) = (read.spki, read.issuer, read.serial, read.not_after_ms);
        return Ok((RecipientKey::Certificate(CertificateKey { spki, issuer, serial, not_after_ms }), text));
    }
    if let Some(text) = &with.age {
        let key = age::Recipient::from_text(text)
            .map_err(|_| Problem::new(format!("`{}` is no age key", shown(text))).exit(USAGE))?;
        return Ok((RecipientKey::Age(key.as_bytes().to_vec()), key.to_string()));
    }
    let path = with.machine.as_deref().unwrap_or_else(|| Path::new(""));
    let key = fingerprint::machine(path)?;
    let text = fingerprint::text(&fingerprint::of_machine(&key));
    Ok((RecipientKey::Machine(key), text))
}

pub(super) fn certificate(path: &Path) -> Result<Certificate, Problem> {
    let bytes = super::open::read(path, MAX_CERTIFICATE)?;
    reader::certificate(&bytes).map_err(Problem::at(path))
}

pub(super) fn admit(args: &Admit) -> Result<(), Problem> {
    let fingerprint = fingerprint::parse(&args.fingerprint)?.to_vec();
    let wish = AdmitRecipient { recipient: args.receiver, fingerprint };
    done(&act(&args.house, &args.officer, Deed::Admit(wish))?);
    Ok(())
}

pub(super) fn remove_receiver(args: &RemoveReceiver) -> Result<(), Problem> {
    let wish = RemoveRecipient { recipient: args.receiver };
    done(&act(&args.house, &args.officer, Deed::Remove(wish))?);
    Ok(())
}

pub(super) fn request(args: &Request) -> Result<(), Problem> {
    let mut meters = args.meters.clone();
    if let Some(path) = &args.meters_file {
        let text = std::fs::read_to_string(path).map_err(Problem::at(path))?;
        meters.extend(text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned));
    }
    meters.sort_unstable();
    meters.dedup();
    let wish = RequestHandover { recipient: args.to, meters, reason: args.reason.clone() };
    let answer = act(&args.house, &args.officer, Deed::Request(wish))?;
    done(&answer);
    say("another officer looks at it and approves:");
    say(&format!("  meterkeep handover approve {} --officer-key ...", answer.number));
    Ok(())
}

pub(super) fn approve(args: &Approve) -> Result<(), Problem> {
    let (layout, id) = house(&args.house)?;
    let look = carry(&layout, Carried::Look(Look { handover: args.handover }))?;
    let handover = look.handovers.first();
    let handover =
        handover.ok_or_else(|| Problem::new(format!("there is no hand-over {}", args.handover)))?;
    // what was shown is what is approved: the act names it by its hash
    let seen = RequestHandover {
        recipient: handover.recipient,
        meters: handover.meters.clone(),
        reason: handover.reason.clone(),
    };
    if args.format.format == Format::Human {
        print(&show::whole(handover, &look.recipients))?;
    }
    let digest = seen.digest().to_vec();
    let deed = Deed::Approve(ApproveHandover { handover: args.handover, digest });
    let answer = carry(&layout, Carried::Act(args.officer.sign(id, deed)?))?;
    let (code, until) = (hex::encode(&answer.code), UtcMillis(answer.until_ms));
    if args.format.format == Format::Json {
        return print_json(&serde_json::json!({
            "handover": answer.number, "code": code, "until": until.to_string(), "done": answer.done,
        }));
    }
    done(&answer);
    say(&format!("the keys can be fetched once, until {until}, by who has this code:"));
    say(&format!("  meterkeep handover fetch {} --code {code} --into FILE", answer.number));
    Ok(())
}

pub(super) fn withdraw(args: &Withdraw) -> Result<(), Problem> {
    let wish = WithdrawHandover { handover: args.handover };
    done(&act(&args.house, &args.officer, Deed::Withdraw(wish))?);
    Ok(())
}
