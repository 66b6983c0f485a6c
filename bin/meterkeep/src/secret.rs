//! Passphrases and passwords: from a file or the terminal, never from an argument that others could read.

use std::io::IsTerminal as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base::SecretBytes;
use house::Layout;
use seal::shares::Share;
use zeroize::Zeroizing;

use crate::problem::{Problem, USAGE};
use crate::token::TokenArg;

/// A passphrase with fewer characters is refused when a house is made.
pub(crate) const MIN_PASSPHRASE: usize = 12;
/// Files with more are no passphrase.
const MAX_FILE: u64 = 4096;
/// Words that stand in for a passphrase in manuals and examples.
const PLACEHOLDERS: [&str; 6] = [
    "changemechangeme",
    "passphrase123",
    "correct horse battery staple",
    "your passphrase here",
    "my-passphrase",
    "123456789012",
];

/// Where the passphrase of a house comes from.
#[derive(clap::Args)]
pub(crate) struct PassphraseArg {
    /// The passphrase is the first line of this file, which only its owner may read. Without it the terminal asks.
    #[arg(long, value_name = "FILE", env = "METERKEEP_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseArg {
    /// The passphrase of a house that exists.
    pub(crate) fn existing(&self) -> Result<SecretBytes, Problem> {
        match &self.passphrase_file {
            Some(file) => first_line(file, "passphrase"),
            None => ask("Passphrase of the house: ", "--passphrase-file"),
        }
    }

    /// The passphrase of a new house.
    pub(crate) fn new_one(&self) -> Result<SecretBytes, Problem> {
        new_passphrase(self.passphrase_file.as_deref(), "Passphrase for the new house: ", "--passphrase-file")
    }
}

/// A passphrase that is made now: long enough, and typed twice.
pub(crate) fn new_passphrase(
    file: Option<&Path>,
    prompt: &str,
    option: &str,
) -> Result<SecretBytes, Problem> {
    let passphrase = match file {
        Some(file) => first_line(file, "passphrase")?,
        None => {
            let first = ask(prompt, option)?;
            check_new(&first)?;
            let again = ask("Once more: ", option)?;
            if first.expose() != again.expose() {
                return Err(Problem::new("the two passphrases differ").help("nothing was made; start again"));
            }
            first
        }
    };
    check_new(&passphrase)?;
    Ok(passphrase)
}

/// What opens the vault of a house that exists: its passphrase, officers' shares, or a hardware token.
#[derive(clap::Args)]
pub(crate) struct OpeningArg {
    #[command(flatten)]
    passphrase: PassphraseArg,
    /// Open the vault with officers' shares; the terminal asks one officer after the other.
    #[arg(long)]
    shares: bool,
    /// A share is the first line of this file, which only its owner may read. Give as many as have to come together.
    #[arg(long, value_name = "FILE")]
    share_file: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) token: TokenArg,
}

impl OpeningArg {
    /// What the vault reads: a line with the passphrase, or a line a share.
    pub(crate) fn lines(&self, layout: &Layout) -> Result<SecretBytes, Problem> {
        if self.token.is_given() {
            return self.token.open(layout).map(|key| vault::token_line(&key));
        }
        if !self.wants_shares(layout)? {
            return self.passphrase.existing();
        }
        let texts: Vec<Zeroizing<String>> = self.gather(layout)?.iter().map(Share::to_text).collect();
        let mut lines = Zeroizing::new(Vec::with_capacity(texts.iter().map(|t| t.len() + 1).sum()));
        for text in &texts {
            lines.extend_from_slice(text.as_bytes());
            lines.push(b'\n');
        }
        Ok(SecretBytes::new(std::mem::take(&mut *lines)))
    }

    /// The same for the vault's files.
    pub(crate) fn proof(&self, layout: &Layout) -> Result<vault::Proof, Problem> {
        if self.token.is_given() {
            self.token.open(layout).map(vault::Proof::Token)
        } else {
            self.known(layout)
        }
    }

    /// The same without a token: a passphrase or shares.
    pub(crate) fn known(&self, layout: &Layout) -> Result<vault::Proof, Problem> {
        if self.wants_shares(layout)? {
            self.gather(layout).map(vault::Proof::Shares)
        } else {
            self.passphrase.existing().map(vault::Proof::Passphrase)
        }
    }

    /// Shares are asked for when they are wanted, and where nothing else opens the vault.
    fn wants_shares(&self, layout: &Layout) -> Result<bool, Problem> {
        if self.shares || !self.share_file.is_empty() {
            return Ok(true);
        }
        if self.passphrase.passphrase_file.is_some() {
            return Ok(false);
        }
        let providers = vault::providers(layout).map_err(Problem::during("cannot open the vault"))?;
        Ok(!providers.iter().any(|p| p.kind == vault::ProviderKind::Passphrase))
    }

    /// Shares until there are enough, each checked as it comes.
    fn gather(&self, layout: &Layout) -> Result<Vec<Share>, Problem> {
        let mut gathered: Vec<Share> = Vec::new();
        loop {
            let next = gathered.len();
            let (from, text) = match self.share_file.get(next) {
                Some(file) => (format!("`{}`", file.display()), first_line(file, "share")?),
                None if self.share_file.is_empty() => {
                    let prompt = format!("Officer's share {}: ", next + 1);
                    (format!("share {}", next + 1), ask(&prompt, "--share-file")?)
                }
                None => {
                    let need = gathered.first().map_or(2, |share| share.threshold().0);
                    return Err(Problem::new(format!("{} of {need} shares are there", gathered.len()))
                        .help("give one more `--share-file FILE` for each that is missing"));
                }
            };
            let share = Share::from_text(text.expose()).map_err(|e| Problem::new(format!("{from}: {e}")))?;
            let need =
                vault::check_share(layout, &share).map_err(|e| Problem::new(format!("{from}: {e}")))?;
            if let Some(same) = gathered.iter().find(|g| g.number() == share.number()) {
                return Err(Problem::new(format!("{from}: share {} is there already", same.number())));
            }
            if gathered.first().is_some_and(|first| first.set() != share.set()) {
                return Err(Problem::new(format!("{from}: it is of another set than the shares before it")));
            }
            gathered.push(share);
            if gathered.len() >= usize::from(need) {
                return Ok(gathered);
            }
        }
    }
}

/// Whether a passphrase may protect a house.
pub(crate) fn check_new(passphrase: &SecretBytes) -> Result<(), Problem> {
    let text = std::str::from_utf8(passphrase.expose())
        .map_err(|_| Problem::new("the passphrase is not UTF-8 text").exit(USAGE))?;
    let characters = text.chars().count();
    if characters < MIN_PASSPHRASE {
        return Err(Problem::new(format!(
            "the passphrase has {characters} characters; it needs {MIN_PASSPHRASE}"
        ))
        .help("it protects every key of the house; five random words are a good one")
        .exit(USAGE));
    }
    if seal::shares::is_share(passphrase.expose()) {
        return Err(Problem::new("the passphrase looks like an officer's share").exit(USAGE));
    }
    let plain = text.to_lowercase();
    let repeated = text.chars().next().is_some_and(|first| text.chars().all(|c| c == first));
    if repeated || PLACEHOLDERS.contains(&plain.as_str()) {
        return Err(Problem::new("the passphrase is one that everybody tries first")
            .help("it protects every key of the house; five random words are a good one")
            .exit(USAGE));
    }
    Ok(())
}

/// A file with a secret must be its owner's alone.
pub(crate) fn refuse_open_to_others(file: &Path, what: &str) -> Result<std::fs::Metadata, Problem> {
    let facts = std::fs::metadata(file).map_err(Problem::at(file))?;
    if facts.permissions().mode() & 0o077 != 0 {
        return Err(Problem::new(format!("others may read `{}`", file.display()))
            .help(format!("it holds a {what}: `chmod 600 {}`", file.display())));
    }
    Ok(facts)
}

/// The first line of a file that only its owner may read.
pub(crate) fn first_line(file: &Path, what: &str) -> Result<SecretBytes, Problem> {
    let facts = refuse_open_to_others(file, what)?;
    if facts.len() > MAX_FILE {
        return Err(Problem::new(format!("`{}` is too long to hold a {what}", file.display())));
    }
    let text = Zeroizing::new(std::fs::read_to_string(file).map_err(Problem::at(file))?);
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(Problem::new(format!("the first line of `{}` is empty", file.display()))
            .help(format!("write the {what} there")));
    }
    Ok(SecretBytes::new(line.as_bytes().to_vec()))
}

/// Asks at the terminal, without showing what is typed.
pub(crate) fn ask(prompt: &str, option: &str) -> Result<SecretBytes, Problem> {
    if !std::io::stdin().is_terminal() {
        return Err(Problem::new("there is no terminal to ask at")
            .help(format!("give a file with `{option} FILE`"))
            .exit(USAGE));
    }
    let typed = rpassword::prompt_password(prompt).map_err(Problem::during("cannot ask at the terminal"))?;
    Ok(SecretBytes::new(typed.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> bool {
        check_new(&SecretBytes::new(text.as_bytes().to_vec())).is_err()
    }

    #[test]
    fn short_repeated_and_placeholder_passphrases_are_refused() {
        for text in ["", "short", "elevenchars", "aaaaaaaaaaaaaaaaaaaa", "Correct Horse Battery Staple"] {
            assert!(refused(text), "{text}");
        }
        for text in ["twelve chars", "et længere løsen med blåbær"] {
            assert!(!refused(text), "{text}");
        }
    }

    #[test]
    fn a_passphrase_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("passphrase");
        std::fs::write(&file, "five random words are good\nand more\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(first_line(&file, "passphrase").err().unwrap().to_string().contains("others may read"));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(first_line(&file, "passphrase").unwrap().expose(), b"five random words are good");
        std::fs::write(&file, "\n").unwrap();
        assert!(first_line(&file, "passphrase").is_err());
    }
}
