//! Signing in: a session key is made, the warden asks, and what is shown goes there.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base::{SecretBytes, UtcMillis};
use house::Layout;
use seal::sign::Signer;
use wire::login::{By, LoginWish, Proof, Prove};

use super::{SignIn, SignedIn, ask, keep, provider, signed_in};
use crate::operator::Operator;
use crate::output::{say, shown};
use crate::problem::{Problem, USAGE};
use crate::secret::{ask as ask_for, first_line};

/// The purpose in each signature; see `login::key`.
const PURPOSE: &str = "sign-in@meterkeep";

pub(super) fn run(args: &SignIn) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    let before = if args.again { signed_in(&layout, UtcMillis::now())? } else { None };
    let signer = match (args.again, before) {
        (true, Some(session)) => session.signer,
        (true, None) => {
            return Err(Problem::new("nobody is signed in here").help("`meterkeep login` signs in"));
        }
        (false, _) => Signer::generate().map_err(Problem::during("cannot make a session key"))?,
    };
    let device = keep::device(&layout)?;
    let runtime = Operator::runtime()?;
    // who signs in has no session yet, and who does it again shows more than a session
    let outside = Operator::without_session(&layout)?;
    let begun = runtime.block_on(ask(&outside, LoginWish::Begin(signer.verifier().as_bytes().to_vec())))?;
    let proofs = match (&args.token_file, args.provider) {
        (Some(file), _) => vec![Proof { by: Some(By::Token(line(&first_line(file, "token")?)?)) }],
        // the person types a code there first: one of a generator would be over by then
        (None, true) => {
            let stated = provider::prove(&args.ca, &outside, &runtime, &begun)?;
            vec![stated, held(args, &begun.to_sign)?]
        }
        (None, false) => proofs(args, &begun.to_sign)?,
    };
    let prove = Prove { nonce: begun.nonce, proofs, device };
    let answer = runtime.block_on(ask(&outside, LoginWish::Prove(prove)))?;
    let until = UtcMillis(answer.until_ms);
    let person = named(&begun.to_sign)?;
    let session = SignedIn { person, signer, house: keep::house_of(&layout)?, id: answer.session };
    keep::keep(&layout, &session, until, &answer.device)?;
    say(&format!("{}, {}, until {until} at most", shown(&answer.done), shown(&answer.strength)));
    Ok(())
}

/// Whom the warden's question names.
fn named(to_sign: &str) -> Result<String, Problem> {
    let name = to_sign.lines().find_map(|line| line.strip_prefix("name "));
    name.map(ToOwned::to_owned).ok_or_else(|| Problem::new("the warden's question names nobody"))
}

/// A program that runs for long signs in with its token by itself. The session is in its memory alone.
pub(crate) async fn with_token(layout: &Layout, token: &SecretBytes) -> Result<SignedIn, Problem> {
    let signer = Signer::generate().map_err(Problem::during("cannot make a session key"))?;
    let outside = Operator::without_session(layout)?;
    let begun = ask(&outside, LoginWish::Begin(signer.verifier().as_bytes().to_vec())).await?;
    let proofs = vec![Proof { by: Some(By::Token(line(token)?)) }];
    let prove = Prove { nonce: begun.nonce, proofs, device: Vec::new() };
    let answer = ask(&outside, LoginWish::Prove(prove)).await?;
    let person = named(&begun.to_sign)?;
    Ok(SignedIn { person, signer, house: keep::house_of(layout)?, id: answer.session })
}

fn proofs(args: &SignIn, to_sign: &str) -> Result<Vec<Proof>, Problem> {
    let proof = |by| Proof { by: Some(by) };
    if let Some(key) = &args.key {
        let signed = proof(By::Key(sign(key, to_sign)?));
        if args.key_only {
            return Ok(vec![signed]);
        }
        return Ok(vec![signed, proof(By::Password(password(args)?))]);
    }
    Ok(vec![proof(By::Password(password(args)?)), held(args, to_sign)?])
}

/// What somebody holds, beside what they know: a key, a generator of codes, codes on paper.
fn held(args: &SignIn, to_sign: &str) -> Result<Proof, Problem> {
    if let Some(key) = &args.key {
        return Ok(Proof { by: Some(By::Key(sign(key, to_sign)?)) });
    }
    let second = match (&args.code_file, &args.recovery_file) {
        (Some(file), _) => By::Code(line(&first_line(file, "code")?)?),
        (None, Some(file)) if file.as_os_str().is_empty() => {
            By::Recovery(line(&ask_for("Code from paper: ", "--recovery-file")?)?)
        }
        (None, Some(file)) => By::Recovery(line(&first_line(file, "code from paper")?)?),
        (None, None) => By::Code(line(&ask_for("Code of the generator: ", "--code-file")?)?),
    };
    Ok(Proof { by: Some(second) })
}

fn password(args: &SignIn) -> Result<Vec<u8>, Problem> {
    let password = match &args.password_file {
        Some(file) => first_line(file, "password")?,
        None => ask_for("Password: ", "--password-file")?,
    };
    Ok(password.expose().to_vec())
}

pub(super) fn line(typed: &SecretBytes) -> Result<String, Problem> {
    String::from_utf8(typed.expose().to_vec()).map_err(|_| Problem::new("the code is no text").exit(USAGE))
}

/// Has OpenSSH sign, which knows agents, passphrases and hardware keys.
fn sign(key: &Path, text: &str) -> Result<String, Problem> {
    let mut child = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", PURPOSE, "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| {
            Problem::new(format!("cannot start `ssh-keygen`: {e}")).help("install OpenSSH's client")
        })?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(text.as_bytes()).map_err(Problem::during("cannot hand the text to `ssh-keygen`"))?;
    }
    let done = child.wait_with_output().map_err(Problem::during("cannot wait for `ssh-keygen`"))?;
    if !done.status.success() {
        return Err(Problem::new(format!("`ssh-keygen` did not sign with `{}`", key.display()))
            .help("give the private key, or the public half of one that the agent holds"));
    }
    String::from_utf8(done.stdout).map_err(|_| Problem::new("`ssh-keygen` gave no signature"))
}
