//! Plain checks on the text of every file: no path of somebody's machine, no reminder that nobody can find again.

use std::path::Path;

use crate::steps::{Outcome, tracked};

/// Split, so that this file does not find itself.
const MACHINE_PATHS: [&str; 3] = [concat!("/ro", "ot/."), concat!("/Us", "ers/"), concat!("/wo", "rk/")];
const REMINDER: &str = concat!("TO", "DO");

/// Checks every text file.
pub(crate) fn check(root: &Path) -> Outcome {
    let mut found = Vec::new();
    for file in tracked(root)? {
        let Ok(text) = std::fs::read_to_string(root.join(&file)) else { continue };
        found.extend(complaints(&text).into_iter().map(|(line, what)| format!("{file}:{line}: {what}")));
    }
    if found.is_empty() { Ok(()) } else { Err(format!("\n  {}", found.join("\n  "))) }
}

/// Line numbers (from 1) and what is wrong there.
fn complaints(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for path in MACHINE_PATHS {
            if line.contains(path) {
                found.push((number, format!("a path of one machine (`{path}`)")));
            }
        }
        let mut rest = line;
        while let Some((before, after)) = rest.split_once(REMINDER) {
            let word = !before.ends_with(|c: char| c.is_alphanumeric())
                && !after.starts_with(|c: char| c.is_alphanumeric());
            let numbered = after
                .strip_prefix("(#")
                .and_then(|number| number.split_once(')'))
                .is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
            if word && !numbered {
                found.push((number, format!("a `{REMINDER}` without its issue; write `{REMINDER}(#12)`")));
            }
            rest = after;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reminders_without_a_number_are_found() {
        let text =
            format!("a {REMINDER}(#12) b\n// {REMINDER}: c\nX{REMINDER}X\n{REMINDER}(#) {REMINDER}(#3)\n");
        assert_eq!(complaints(&text).iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4]);
    }

    #[test]
    fn machine_paths_are_found() {
        let text = format!("fine\n{}cargo\n", MACHINE_PATHS[0]);
        assert_eq!(complaints(&text).len(), 1);
        assert_eq!(complaints("/etc/meterkeep and ../shared").len(), 0);
    }
}
