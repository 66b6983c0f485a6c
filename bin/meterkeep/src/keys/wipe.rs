//! Wiping a file of keys once they are in the vault.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use crate::output::Format;
use crate::problem::Problem;

const ZEROS: [u8; 8192] = [0; 8192];

/// Whether the file is to be wiped: as the command says, or as the person at the terminal does.
pub(super) fn is_wanted(told: bool, format: Format, source: &str) -> Result<bool, Problem> {
    if told || format == Format::Json || !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Ok(told);
    }
    let failed = Problem::during::<std::io::Error>("cannot ask at the terminal");
    let mut out = std::io::stdout().lock();
    let asked = write!(out, "wipe {source} now? [y/N] ").and_then(|()| out.flush());
    let mut answer = String::new();
    asked.and_then(|()| std::io::stdin().read_line(&mut answer)).map_err(failed)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "j" | "ja"))
}

/// Writes zeros over the file's bytes and removes it.
pub(super) fn wipe(file: &Path) -> Result<(), Problem> {
    let over = || {
        let mut out = std::fs::OpenOptions::new().write(true).open(file)?;
        let mut left = out.metadata()?.len();
        while left > 0 {
            let part = ZEROS.get(..usize::try_from(left).unwrap_or(ZEROS.len()).min(ZEROS.len()));
            let part = part.unwrap_or(&ZEROS);
            out.write_all(part)?;
            left = left.saturating_sub(part.len() as u64);
        }
        out.sync_all()?;
        std::fs::remove_file(file)
    };
    over().map_err(Problem::at(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wiped_file_is_zeros_before_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("keys"), folder.path().join("same"));
        std::fs::write(&file, [7; 20_000]).unwrap();
        std::fs::hard_link(&file, &link).unwrap();
        wipe(&file).unwrap();
        assert!(!file.exists());
        assert_eq!(std::fs::read(&link).unwrap(), [0; 20_000]);
        assert!(wipe(&file).is_err());
    }
}
