//! File sizes: a Rust file is one idea. Past 400 lines it is named, past 800 refused.

use std::path::Path;

use crate::steps::{Outcome, tracked};

const LONG: usize = 400;
const TOO_LONG: usize = 800;

/// Lists the long files and refuses those that are too long.
pub(crate) fn check(root: &Path) -> Outcome {
    let mut sizes = Vec::new();
    for file in tracked(root)?.into_iter().filter(|file| file.ends_with(".rs")) {
        let text = std::fs::read(root.join(&file)).map_err(|e| format!("{file}: {e}"))?;
        sizes.push((text.iter().filter(|b| **b == b'\n').count(), file));
    }
    sizes.sort_by(|a, b| b.cmp(a));
    for (lines, file) in sizes.iter().filter(|(lines, _)| *lines > LONG) {
        println!("{lines:5} lines  {file}");
    }
    let too_long: Vec<&str> =
        sizes.iter().filter(|(lines, _)| *lines > TOO_LONG).map(|(_, file)| file.as_str()).collect();
    if too_long.is_empty() {
        Ok(())
    } else {
        Err(format!("over {TOO_LONG} lines, split by idea: {}", too_long.join(", ")))
    }
}
