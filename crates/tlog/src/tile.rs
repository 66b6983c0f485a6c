//! Names of tiles and entry bundles, as C2SP `tlog-tiles` spells them, and which of them an append changes.

use std::fmt::Write as _;

use crate::tree::MAX_SIZE;

/// Hashes in a full tile.
pub const TILE_WIDTH: u16 = 256;

/// Levels that a tree of [`MAX_SIZE`] leaves has tiles on: 0 to 7.
pub(crate) const LEVELS: u8 = 8;

/// Why something is no name of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// Level, index or width are beyond what a log can have.
    #[error("no log has a tile of this level, index and width")]
    Range,
    /// The path is not spelled as the format wants it.
    #[error("not the path of a tile, as in tile/0/x001/234.p/56")]
    Path,
}

/// A tile of hashes: its level (0 holds leaves), its index on the level, how many hashes it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId {
    level: u8,
    index: u64,
    width: u16,
}

/// A bundle of entries; its index and width are those of the tile of their leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BundleId {
    index: u64,
    width: u16,
}

impl TileId {
    /// A tile.
    ///
    /// # Errors
    /// [`TileError::Range`].
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self, TileError> {
        let fits = level < LEVELS
            && (1..=TILE_WIDTH).contains(&width)
            && index < 1 << 55
            && (u128::from(index) * 256 + u128::from(width)) << (8 * u32::from(level))
                <= u128::from(MAX_SIZE);
        fits.then_some(Self { level, index, width }).ok_or(TileError::Range)
    }

    /// The tile at a place as it is in a tree of a size, which decides its width; `None` when the tree ends before it.
    #[must_use]
    pub fn in_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        if level >= LEVELS || size > MAX_SIZE {
            return None;
        }
        let hashes = size >> (8 * level);
        let width = hashes.checked_sub(index.checked_mul(256)?)?.min(u64::from(TILE_WIDTH));
        Self::new(level, index, u16::try_from(width).ok()?).ok()
    }

    /// The level; 0 holds leaves.
    #[must_use]
    pub fn level(&self) -> u8 {
        self.level
    }

    /// The index on its level.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Hashes in it, 1 to 256.
    #[must_use]
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Bytes of it.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.width) * 32
    }

    /// Never: no empty tile has a name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.width == 0
    }

    /// The first leaf under it.
    #[must_use]
    pub fn first_leaf(&self) -> u64 {
        (self.index * 256) << (8 * self.level)
    }

    /// Its path, as in `tile/0/x001/x234/067.p/8`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, index_path(self.index, self.width))
    }

    /// From its path.
    ///
    /// # Errors
    /// [`TileError`]; each tile has one path.
    pub fn parse(path: &str) -> Result<Self, TileError> {
        let (level, rest) =
            path.strip_prefix("tile/").and_then(|p| p.split_once('/')).ok_or(TileError::Path)?;
        let level = decimal(level, 2).and_then(|l| u8::try_from(l).ok()).ok_or(TileError::Path)?;
        let (index, width) = parse_index(rest).ok_or(TileError::Path)?;
        Self::new(level, index, width)
    }
}

impl BundleId {
    /// A bundle.
    ///
    /// # Errors
    /// [`TileError::Range`].
    pub fn new(index: u64, width: u16) -> Result<Self, TileError> {
        TileId::new(0, index, width).map(|_| Self { index, width })
    }

    /// The bundle at an index as it is in a tree of a size; `None` when the tree ends before it.
    #[must_use]
    pub fn in_tree(index: u64, size: u64) -> Option<Self> {
        TileId::in_tree(0, index, size).map(|t| Self { index, width: t.width })
    }

    /// The index.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Entries in it, 1 to 256.
    #[must_use]
    pub fn width(&self) -> u16 {
        self.width
    }

    /// The first entry in it.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.index * 256
    }

    /// Its path, as in `tile/entries/x001/234`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("tile/entries/{}", index_path(self.index, self.width))
    }

    /// From its path.
    ///
    /// # Errors
    /// [`TileError`]; each bundle has one path.
    pub fn parse(path: &str) -> Result<Self, TileError> {
        let (index, width) =
            path.strip_prefix("tile/entries/").and_then(parse_index).ok_or(TileError::Path)?;
        Self::new(index, width)
    }
}

/// The tiles that growing from one size to another fills or makes, level by level: what to write before a checkpoint of
/// the new size is signed. Nothing when the log did not grow.
pub fn changed_tiles(old: u64, new: u64) -> impl Iterator<Item = TileId> {
    (0..LEVELS).flat_map(move |level| {
        let (before, after) = (old >> (8 * level), new >> (8 * level));
        let range = if before < after { before / 256..after.div_ceil(256) } else { 0..0 };
        range.filter_map(move |index| TileId::in_tree(level, index, new))
    })
}

/// The bundles that growing from one size to another fills or makes.
pub fn changed_bundles(old: u64, new: u64) -> impl Iterator<Item = BundleId> {
    let range = if old < new { old / 256..new.div_ceil(256) } else { 0..0 };
    range.filter_map(move |index| BundleId::in_tree(index, new))
}

fn index_path(index: u64, width: u16) -> String {
    let mut groups = vec![index % 1000];
    let mut rest = index / 1000;
    while rest > 0 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    let mut path = String::new();
    for (left, group) in groups.iter().enumerate().rev() {
        // writing to a string cannot fail
        let _ = if left > 0 { write!(path, "x{group:03}/") } else { write!(path, "{group:03}") };
    }
    if width < TILE_WIDTH {
        let _ = write!(path, ".p/{width}");
    }
    path
}

fn parse_index(path: &str) -> Option<(u64, u16)> {
    // the longest that can be: seven groups and a width
    if path.len() > 48 {
        return None;
    }
    let (path, width) = match path.split_once(".p/") {
        None => (path, TILE_WIDTH),
        Some((path, width)) => {
            let width = decimal(width, 3).and_then(|w| u16::try_from(w).ok())?;
            (path, (1..TILE_WIDTH).contains(&width).then_some(width)?)
        }
    };
    let (mut index, mut groups) = (0u64, path.split('/').peekable());
    let mut first = true;
    while let Some(group) = groups.next() {
        let digits = if groups.peek().is_some() { group.strip_prefix('x')? } else { group };
        if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let value: u64 = digits.parse().ok()?;
        // a leading group of zeros would be a second path of the same tile
        if first && value == 0 && groups.peek().is_some() {
            return None;
        }
        first = false;
        index = index.checked_mul(1000)?.checked_add(value)?;
    }
    Some((index, width))
}

/// A decimal number without leading zeros, of at most so many digits.
pub(crate) fn decimal(text: &str, max: usize) -> Option<u64> {
    let plain = !text.is_empty() && text.len() <= max && text.bytes().all(|b| b.is_ascii_digit());
    (plain && (text == "0" || !text.starts_with('0'))).then(|| text.parse().ok()).flatten()
}
