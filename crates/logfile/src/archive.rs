//! A bundle: a tar file, read once for where its files lie, and then at those places. What its headers say beside name, size
//! and kind is not looked at: the log proves itself.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use tlog::{BundleId, TileId};

use crate::error::Error;
use crate::log::{CHECKPOINT, KEY, PRUNED, is_kept};

/// Tiles and entry bundles that are looked at: those of 500 million entries, for which the index takes 100 MB.
const MOST_TILES: usize = 4_000_000;
/// Other files that are looked at.
const MOST_OTHERS: usize = 1000;

/// Which tile or bundle, in the order of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u64);

/// Where a file's bytes lie.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: u64,
    size: u64,
}

/// An open bundle.
#[derive(Debug)]
pub(crate) struct Archive {
    path: PathBuf,
    file: File,
    /// Sorted by key.
    tiles: Vec<(Key, Place)>,
    others: Vec<(String, Place)>,
}

impl Key {
    /// Of the path of a tile or a bundle; of any other name, none.
    fn of(name: &str) -> Option<Self> {
        if let Ok(id) = TileId::parse(name) {
            return Some(Self::new(u64::from(id.level()), id.index(), id.width()));
        }
        let id = BundleId::parse(name).ok()?;
        Some(Self::new(8, id.index(), id.width()))
    }

    /// Kind (the level, or 8 for entries), index and width fit side by side: an index has 55 bits only on level 0 of a log
    /// that no file holds.
    fn new(kind: u64, index: u64, width: u16) -> Self {
        Self(kind << 60 | (index & ((1 << 50) - 1)) << 10 | u64::from(width))
    }
}

impl Archive {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io(path))?;
        let end = file.metadata().map_err(Error::io(path))?.len();
        let mut archive = tar::Archive::new(file);
        let bad = |error| Error::Archive { path: path.to_owned(), error };
        let (mut tiles, mut others) = (Vec::new(), Vec::new());
        // raw: what would be read into memory for the next file, such as a longer name, is passed over
        for entry in archive.entries_with_seek().map_err(bad)?.raw(true) {
            let entry = entry.map_err(bad)?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let name = entry.path_bytes();
            let Ok(name) = str::from_utf8(&name) else { continue };
            let name = name.strip_prefix("./").unwrap_or(name);
            let place = Place { at: entry.raw_file_position(), size: entry.size() };
            if place.at.checked_add(place.size).is_none_or(|to| to > end) {
                return Err(bad(io::Error::new(
                    ErrorKind::UnexpectedEof,
                    format!("it ends within `{name}`"),
                )));
            }
            if let Some(key) = Key::of(name) {
                tiles.push((key, place));
            } else if [CHECKPOINT, KEY, PRUNED].contains(&name) || is_kept(name) {
                others.push((name.to_owned(), place));
            }
            for (found, most) in [(tiles.len(), MOST_TILES), (others.len(), MOST_OTHERS)] {
                if found > most {
                    return Err(Error::TooMany { path: path.to_owned(), most });
                }
            }
        }
        tiles.sort_unstable_by_key(|(key, _)| *key);
        others.sort_by(|(one, _), (other, _)| one.cmp(other));
        let twice = |name: &str| Error::Twice { path: path.to_owned(), name: name.to_owned() };
        if tiles.array_windows().any(|[(one, _), (other, _)]| one == other) {
            return Err(twice("a tile"));
        }
        if let Some([(name, _), _]) = others.array_windows().find(|[(one, _), (other, _)]| one == other) {
            return Err(twice(name));
        }
        Ok(Self { path: path.to_owned(), file: archive.into_inner(), tiles, others })
    }

    /// The bytes of a file, of which there may be so many.
    pub(crate) fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, Error> {
        let within = || self.path.join(name);
        let place = self.place(name).ok_or_else(|| Error::Missing(within()))?;
        if place.size > most {
            return Err(Error::TooLong { path: within(), most });
        }
        let mut bytes = vec![0; usize::try_from(place.size).unwrap_or_default()];
        self.file.read_exact_at(&mut bytes, place.at).map_err(Error::io(&self.path))?;
        Ok(bytes)
    }

    fn place(&self, name: &str) -> Option<Place> {
        let Some(key) = Key::of(name) else {
            return self.others.iter().find(|(other, _)| other == name).map(|(_, place)| *place);
        };
        let at = self.tiles.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        self.tiles.get(at).map(|(_, place)| *place)
    }

    /// The widths of the partial tiles that are left beside each other.
    pub(crate) fn widths(&self, full: &str) -> Vec<u16> {
        let Some(Key(full)) = Key::of(full) else { return Vec::new() };
        let first = full & !1023;
        let from = self.tiles.partition_point(|(Key(key), _)| *key < first);
        let beside = self.tiles.iter().skip(from).map(|(Key(key), _)| *key);
        beside.take_while(|key| *key < full).filter_map(|key| u16::try_from(key & 1023).ok()).collect()
    }

    /// The checkpoints in `kept`, by name.
    pub(crate) fn kept(&self) -> Vec<String> {
        self.others.iter().map(|(name, _)| name.clone()).filter(|name| is_kept(name)).collect()
    }
}
