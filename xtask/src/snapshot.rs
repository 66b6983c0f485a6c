//! What the vault is built with, package by package: the room that holds the keys grows only where somebody says so.

use std::collections::BTreeSet;
use std::path::Path;

use crate::graph;
use crate::steps::Outcome;

/// The list as it was agreed on.
const LIST: &str = include_str!("vault-dependencies.txt");

/// Holds the vault's packages against the list, in both directions.
pub(crate) fn check(root: &Path) -> Outcome {
    let wrong = differences(LIST, &graph::reach(root, "vault")?);
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the vault's packages are not those of xtask/src/vault-dependencies.txt:\n  {}",
        wrong.join("\n  ")
    ))
}

fn differences(list: &str, real: &BTreeSet<String>) -> Vec<String> {
    let lines = list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let agreed: BTreeSet<String> = lines.map(str::to_owned).collect();
    let new = real
        .difference(&agreed)
        .map(|name| format!("`{name}` is new; is it needed where the keys are? then add it to the list"));
    new.chain(agreed.difference(real).map(|name| format!("`{name}` is gone; drop it from the list")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vault_is_built_with_what_was_agreed_on() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert_eq!(check(root), Ok(()));
    }

    #[test]
    fn a_new_package_and_one_that_is_gone_are_told() {
        let real = ["base".to_owned(), "hyper".to_owned()].into();
        let wrong = differences("# the vault's\nbase\nseal\n", &real);
        assert_eq!(wrong.len(), 2);
        assert!(wrong[0].starts_with("`hyper` is new") && wrong[1].starts_with("`seal` is gone"));
    }

    #[test]
    fn no_parser_of_files_or_of_the_web_is_on_the_list() {
        let forbidden =
            ["http", "hyper", "axum", "reqwest", "h2", "quick-xml", "zip", "csv-core", "telegram", "keyfile"];
        assert!(LIST.lines().all(|line| !forbidden.contains(&line.trim())));
    }
}
