//! Where things lie in a house's folder.

use std::path::{Path, PathBuf};

use wire::Room;

/// The folder of one house.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The house in this folder.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root.join("house.toml")
    }

    /// A room's own folder: its secrets and its data; no other room has business there.
    #[must_use]
    pub fn room(&self, room: Room) -> PathBuf {
        self.root.join("rooms").join(room.name())
    }

    /// Public keys and authorities that all may read.
    #[must_use]
    pub fn public(&self, file: &str) -> PathBuf {
        self.root.join("public").join(file)
    }

    /// The authority that certifies rooms.
    #[must_use]
    pub fn house_authority(&self) -> PathBuf {
        self.public("house-ca.pem")
    }

    /// The authority that certifies collectors.
    #[must_use]
    pub fn collector_authority(&self) -> PathBuf {
        self.public("collector-ca.pem")
    }

    /// The folder of the sockets.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    /// A room's socket.
    #[must_use]
    pub fn socket(&self, room: Room) -> PathBuf {
        self.run().join(format!("{room}.sock"))
    }

    /// A room's log.
    #[must_use]
    pub fn log(&self, room: Room) -> PathBuf {
        self.root.join("logs").join(format!("{room}.jsonl"))
    }

    /// The folder of the sealed readings: intake writes there, the archive reads.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// All folders that `init` makes, each for the owner alone.
    #[must_use]
    pub fn folders(&self) -> Vec<PathBuf> {
        let fixed = ["", "public", "run", "logs", "store", "rooms", "offline"].map(|f| self.root.join(f));
        let rooms = Room::ALL.into_iter().filter(|r| *r != Room::Collector).map(|r| self.room(r));
        fixed.into_iter().chain(rooms).collect()
    }
}
