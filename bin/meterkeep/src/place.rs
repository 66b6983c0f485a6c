//! Which house a command is about.

use std::path::PathBuf;

use house::{Config, Layout};

use crate::problem::Problem;

/// The folder of the house.
#[derive(clap::Args)]
pub(crate) struct HouseArg {
    /// The folder of the house.
    #[arg(long, value_name = "DIR", env = "METERKEEP_HOUSE", default_value = "/var/lib/meterkeep")]
    pub house: PathBuf,
}

impl HouseArg {
    /// Opens a house that was made before.
    pub(crate) fn open(&self) -> Result<(Layout, Config), Problem> {
        open(&Layout::new(&self.house))
    }
}

/// Reads the settings of a house.
pub(crate) fn open(layout: &Layout) -> Result<(Layout, Config), Problem> {
    let config = Config::load(&layout.config()).map_err(|e| Problem::new(e.to_string()))?;
    Ok((layout.clone(), config))
}
