//! Documents that name code and tests are held against the tree: a path that is gone, or a test that no longer has
//! its name, is an error. The documents are worth no more than that.

use std::path::Path;

use crate::steps::Outcome;

const DOCUMENTS: [&str; 3] = ["ARCHITECTURE.md", "docs/threat-model.md", "docs/book/src/compliance.md"];

/// Checks the tables of all documents.
pub(crate) fn check(root: &Path) -> Outcome {
    let mut wrong = Vec::new();
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(root.join(document)).map_err(|e| format!("{document}: {e}"))?;
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| line.starts_with('|')) {
            wrong.extend(
                complaints(root, line).into_iter().map(|what| format!("{document}:{number}: {what}")),
            );
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("\n  {}", wrong.join("\n  "))) }
}

/// What is wrong with a row. Words in backticks with a slash are paths (`*` stands for a folder's members), and
/// words like `a_test_that_is_named` after the path of a Rust file are functions in it.
fn complaints(root: &Path, row: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut source: Option<(&str, String)> = None;
    for word in row.split('`').skip(1).step_by(2) {
        if word.contains('/') {
            let path = root.join(word.trim_end_matches('*'));
            source = None;
            if !path.exists() {
                found.push(format!("`{word}` does not exist"));
            } else if word.ends_with(".rs") {
                source = std::fs::read_to_string(&path).ok().map(|text| (word, text));
            }
        } else if is_test_name(word)
            && let Some((file, text)) = &source
            && !text.contains(&format!("fn {word}("))
        {
            found.push(format!("`{file}` has no `{word}`"));
        }
    }
    found
}

fn is_test_name(word: &str) -> bool {
    word.matches('_').count() >= 2
        && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    #[test]
    fn the_documents_name_what_there_is() {
        assert_eq!(check(root()), Ok(()));
    }

    #[test]
    fn what_is_gone_is_told() {
        let row = "| x | `xtask/src/claims.rs`: `what_is_gone_is_told`, `what_never_was` | `crates/none` `crates/*` |";
        assert_eq!(
            complaints(root(), row),
            ["`xtask/src/claims.rs` has no `what_never_was`", "`crates/none` does not exist"]
        );
    }
}
