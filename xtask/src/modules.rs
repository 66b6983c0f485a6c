//! Every Rust file is compiled: one that nothing names as its module looks like code and like tests, and is neither.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::steps::{Outcome, tracked};

/// Folders whose files are programs of their own, named by Cargo.
const PROGRAMS: [&str; 4] = ["benches", "fuzz_targets", "bin", "examples"];
/// Files that Cargo names.
const ROOTS: [&str; 3] = ["main.rs", "lib.rs", "build.rs"];

/// Refuses files that are no module of any other.
pub(crate) fn check(root: &Path) -> Outcome {
    let mut texts = HashMap::new();
    for file in tracked(root)?.into_iter().filter(|file| file.ends_with(".rs")) {
        let text = std::fs::read_to_string(root.join(&file)).map_err(|e| format!("{file}: {e}"))?;
        texts.insert(PathBuf::from(file), text);
    }
    let mut lost: Vec<String> =
        texts.keys().filter(|file| !is_named(file, &texts)).map(|file| file.display().to_string()).collect();
    lost.sort();
    if lost.is_empty() { Ok(()) } else { Err(format!("no file says `mod` of these: {}", lost.join(", "))) }
}

fn is_named(file: &Path, texts: &HashMap<PathBuf, String>) -> bool {
    let name_of =
        |path: &Path| path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let (name, folder) = (name_of(file), file.parent().unwrap_or(Path::new("")));
    if ROOTS.contains(&name.as_str()) || PROGRAMS.contains(&name_of(folder).as_str()) {
        return true;
    }
    let (module, above) = if name == "mod.rs" {
        (name_of(folder), folder.parent().unwrap_or(Path::new("")))
    } else {
        (name.trim_end_matches(".rs").to_owned(), folder)
    };
    let of_above = ["mod.rs", "lib.rs", "main.rs"].map(|file| above.join(file));
    let mut namers = of_above.into_iter().chain([above.with_extension("rs")]);
    let says = |text: &String, line: &str| text.lines().any(|said| said.trim_start().ends_with(line));
    let named =
        namers.any(|namer| texts.get(&namer).is_some_and(|text| says(text, &format!("mod {module};"))));
    let path = |(namer, text): (&PathBuf, &String)| {
        let base = namer.parent().unwrap_or(Path::new(""));
        file.strip_prefix(base).is_ok_and(|rest| text.contains(&format!("#[path = \"{}\"]", rest.display())))
    };
    named || texts.iter().any(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_nothing_names_is_found() {
        let text = |lines: &[&str]| lines.join("\n");
        let texts: HashMap<PathBuf, String> = [
            ("a/src/lib.rs", text(&["mod one;", "#[path = \"odd_tests.rs\"]", "mod tests;"])),
            ("a/src/one.rs", text(&["pub(crate) mod two;", "// mod four is not there"])),
            ("a/src/one/two.rs", String::new()),
            ("a/src/odd_tests.rs", String::new()),
            ("a/src/three/mod.rs", String::new()),
            ("a/src/one/four.rs", String::new()),
            ("a/benches/fast.rs", String::new()),
            ("a/tests/it/main.rs", text(&["mod flow;"])),
            ("a/tests/it/flow/mod.rs", String::new()),
        ]
        .into_iter()
        .map(|(file, text)| (PathBuf::from(file), text))
        .collect();
        let mut lost: Vec<&Path> =
            texts.keys().filter(|file| !is_named(file, &texts)).map(PathBuf::as_path).collect();
        lost.sort_unstable();
        assert_eq!(lost, [Path::new("a/src/one/four.rs"), Path::new("a/src/three/mod.rs")]);
    }
}
