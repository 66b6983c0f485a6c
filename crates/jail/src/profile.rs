//! What a room may touch.

use std::path::PathBuf;

/// Files and network of one room; everything else is out of reach.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    /// Files and folders that it may read. One that does not exist is left out.
    pub read: Vec<PathBuf>,
    /// Folders that it may read and write below. One that does not exist is left out.
    pub write: Vec<PathBuf>,
    /// Devices, or folders of devices, that it may read, write and configure, but neither make nor remove. One that
    /// does not exist is left out.
    pub devices: Vec<PathBuf>,
    /// Its network.
    pub network: Network,
    /// Whether its memory must never be written to a swap disk.
    pub lock_memory: bool,
}

/// What a room may do over the network; Unix sockets are always allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Network {
    /// Not even a socket.
    #[default]
    None,
    /// Listen on these TCP ports; no connection out.
    Listen(Vec<u16>),
    /// Listen on some TCP ports and connect to others, on whatever host.
    Ports {
        /// Where it listens.
        listen: Vec<u16>,
        /// Where it connects to.
        connect: Vec<u16>,
    },
}
