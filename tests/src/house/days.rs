//! Houses that have stood for weeks: their rooms and commands believe that it is some days ago.
//!
//! The clock of their processes is moved by `libfaketime` (a package of Debian's), from outside: no room has a switch that
//! would move it. What lasts a moment stays as it is, only the date is another.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use base::UtcMillis;

use super::House;

const DAY_MS: i64 = 24 * 3_600_000;
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// The library that moves the clock; `None`, and a word about it, where it is not installed.
#[must_use]
pub fn another_date() -> Option<PathBuf> {
    let machine = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let folders = [machine.as_str(), "/usr/lib64", "/usr/lib"];
    let found = folders.iter().map(|folder| Path::new(folder).join(LIBRARY)).find(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: `libfaketime`, which lets a house stand for weeks, is not installed");
    }
    found
}

/// How many days ago it is in a house, and by which library.
#[derive(Clone)]
pub(super) struct Ago {
    days: u16,
    library: PathBuf,
}

impl Ago {
    pub(super) fn environment(&self) -> [(String, OsString); 3] {
        [
            ("LD_PRELOAD".to_owned(), self.library.clone().into()),
            ("FAKETIME".to_owned(), format!("-{}d", self.days).into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC".to_owned(), "1".into()),
        ]
    }

    pub(super) fn now(&self) -> UtcMillis {
        UtcMillis::now().plus(-i64::from(self.days) * DAY_MS)
    }
}

impl House {
    /// Makes a house in which it is so many days ago.
    ///
    /// # Panics
    /// When that fails.
    #[must_use]
    pub fn days_ago(days: u16, library: &Path) -> Self {
        Self::made(super::Plan::default(), Some(Ago { days, library: library.to_owned() }))
    }

    /// Stops its rooms, and starts them when it is so many days ago; 0 is today.
    ///
    /// # Panics
    /// When a room does not stop or start.
    pub fn goes_on(&mut self, days: u16) {
        self.stop_all();
        self.it_was(days);
        self.start_all();
    }

    /// Whatever is started from now on believes that it is so many days ago; 0 is today.
    pub fn it_was(&mut self, days: u16) {
        self.ago = self.ago.take().filter(|_| days > 0).map(|ago| Ago { days, ..ago });
    }

    /// What its rooms take for the present.
    #[must_use]
    pub fn now(&self) -> UtcMillis {
        self.ago.as_ref().map_or_else(UtcMillis::now, Ago::now)
    }
}
