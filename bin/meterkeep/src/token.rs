//! A hardware token that opens the vault: its library is loaded by `meterkeep-unseal`, a program in a jail of its own.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base::{Secret, SecretBytes};
use house::Layout;
use vault::{TokenLock, TokenPlace};
use zeroize::Zeroizing;

use crate::output::shown;
use crate::problem::{Problem, USAGE};
use crate::secret;

/// How a hardware token is reached.
#[derive(clap::Args)]
pub(crate) struct TokenArg {
    /// Use a hardware token with this library (PKCS #11).
    #[arg(long, value_name = "LIBRARY", env = "METERKEEP_TOKEN_MODULE")]
    token_module: Option<PathBuf>,
    /// The token's PIN is the first line of this file, which only its owner may read. Without it the terminal asks.
    #[arg(long, value_name = "FILE")]
    token_pin_file: Option<PathBuf>,
    /// A folder that the token's library has to write to; it reads the system's libraries and settings only.
    #[arg(long, value_name = "DIR")]
    token_writable: Vec<PathBuf>,
    /// A TCP port that the token's library connects to.
    #[arg(long, value_name = "PORT")]
    token_connect: Vec<u16>,
}

impl TokenArg {
    /// Whether a token is wanted.
    pub(crate) const fn is_given(&self) -> bool {
        self.token_module.is_some()
    }

    /// What one of the house's tokens opens.
    pub(crate) fn open(&self, layout: &Layout) -> Result<Secret<32>, Problem> {
        let tokens = vault::tokens(layout).map_err(Problem::during("cannot open the vault"))?;
        if tokens.is_empty() {
            return Err(Problem::new("no hardware token opens this vault")
                .help("`meterkeep vault providers` lists what does; `vault add-token` adds one"));
        }
        let pin = self.pin()?;
        let mut said = Vec::new();
        for token in &tokens {
            match self.helper("open", &token.place, &pin, &token.locked) {
                Ok(key) => {
                    return Secret::from_slice(key.expose())
                        .ok_or_else(|| Problem::new("the token gave no key"));
                }
                Err(why) => said.push(why),
            }
        }
        Err(Problem::new(said.join("; ")))
    }

    /// Has a token lock a new key.
    pub(crate) fn lock(&self, place: TokenPlace) -> Result<(TokenLock, Secret<32>), Problem> {
        let key = Secret::random().map_err(|_| Problem::new("the machine gave no randomness"))?;
        let locked = self.helper("lock", &place, &self.pin()?, key.expose()).map_err(Problem::new)?;
        Ok((TokenLock { place, locked: locked.expose().to_vec() }, key))
    }

    fn pin(&self) -> Result<SecretBytes, Problem> {
        match &self.token_pin_file {
            Some(file) => secret::first_line(file, "PIN"),
            None => secret::ask("PIN of the token: ", "--token-pin-file"),
        }
    }

    /// Runs the helper; its answer, or what it says went wrong.
    fn helper(
        &self,
        what: &str,
        at: &TokenPlace,
        pin: &SecretBytes,
        given: &[u8],
    ) -> Result<SecretBytes, String> {
        let module = self.token_module.as_ref().ok_or("no library of a token is named")?;
        let here = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut command = Command::new(here.with_file_name("meterkeep-unseal"));
        command.arg("--module").arg(module).args(["--token", &at.token, "--key", &at.key]);
        for folder in &self.token_writable {
            command.arg("--writable").arg(folder);
        }
        for port in &self.token_connect {
            command.arg("--connect").arg(port.to_string());
        }
        command.arg(what).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("`meterkeep-unseal` does not start: {e}"))?;
        let digits = Zeroizing::new(hex::encode(given));
        if let Some(mut input) = child.stdin.take() {
            let parts: [&[u8]; 4] = [pin.expose(), b"\n", digits.as_bytes(), b"\n"];
            // a helper that ended early says why on its own; that it did not read on is no news then
            let _ = parts.iter().try_for_each(|part| input.write_all(part));
        }
        let done = child.wait_with_output().map_err(|e| e.to_string())?;
        let out = Zeroizing::new(done.stdout);
        if !done.status.success() {
            let why = String::from_utf8_lossy(&done.stderr);
            let last =
                why.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("the token's helper ended");
            return Err(shown(last.trim()));
        }
        let digits = out.trim_ascii_end();
        let mut answer = Zeroizing::new(vec![0; digits.len() / 2]);
        hex::decode_to_slice(digits, &mut answer)
            .map_err(|_| "the token's helper gave no answer".to_owned())?;
        Ok(SecretBytes::new(std::mem::take(&mut *answer)))
    }
}

/// A token's and its key's label, as people give them.
pub(crate) fn place(token: &str, key: &str) -> Result<TokenPlace, Problem> {
    let fits = |text: &str| !text.is_empty() && text.len() <= 32 && !text.starts_with('-');
    if !fits(token) || !fits(key) {
        return Err(Problem::new("a token's and a key's label have 1 to 32 letters").exit(USAGE));
    }
    Ok(TokenPlace { token: token.to_owned(), key: key.to_owned() })
}
