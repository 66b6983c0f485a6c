mod corpus;
mod laid_out;
mod properties;
mod refusals;
mod vectors;

use std::path::PathBuf;

/// The folder of shared reference data, where this machine has it.
fn shared(part: &str) -> Option<PathBuf> {
    let root = std::env::var_os("METERKEEP_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = root.join(part);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there", path.display());
    None
}
