//! What all rooms share at start: where things lie in the house's folder, the settings, the room's identity,
//! logs, counters, and a clean stop. A room's `main` is one call of [`run_room`].

mod config;
mod counters;
mod keys;
mod layout;
mod start;

pub use config::{
    Config, ConfigError, GatewayConfig, HouseConfig, IntakeConfig, LedgerConfig, ReviewConfig, VaultConfig,
    WitnessConfig,
};
pub use counters::Counters;
pub use layout::Layout;
pub use start::{Context, LAUNCHER_VARIABLE, StartError, leave_with_launcher, run_room};
