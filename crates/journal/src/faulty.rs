//! A disk for tests that loses what was not synced.
//!
//! Writes go to a live image and reach the durable one at a sync. When the power is cut, each sector of an
//! unsynced write survives, is lost, or becomes garbage, at random; the length of the file is the old one, the
//! new one, or something between; each unsynced change of a folder happened or did not, one by one. Which, is
//! decided by the seed, so that a failing run can be repeated. Clones share the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Disk, DiskFile, DiskLock, Open};

const SECTOR: usize = 512;

/// A disk in memory whose power can be cut.
#[derive(Clone)]
pub struct FaultyDisk(Arc<Mutex<World>>);

#[derive(Clone)]
struct World {
    random: u64,
    on: bool,
    /// Counts restarts; files opened before one are dead after it.
    boot: u64,
    /// Changes left until the power goes.
    fuse: Option<u64>,
    capacity: Option<u64>,
    syncs: u64,
    files: BTreeMap<u64, Image>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    unsynced: Vec<NameChange>,
    locks: BTreeSet<PathBuf>,
}

#[derive(Default, Clone)]
struct Image {
    live: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Clone)]
enum NameChange {
    Add(PathBuf, u64),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf, u64),
}

impl NameChange {
    fn dir(&self) -> Option<&Path> {
        match self {
            Self::Add(p, _) | Self::Remove(p) | Self::Rename(p, _, _) => p.parent(),
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Add(path, file) => _ = names.insert(path.clone(), *file),
            Self::Remove(path) => _ = names.remove(path),
            Self::Rename(from, to, file) => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
        }
    }
}

impl FaultyDisk {
    /// An empty disk; the seed decides what each power cut destroys.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(World {
            random: seed ^ 0x5851_f42d_4c95_7f2d,
            on: true,
            boot: 0,
            fuse: None,
            capacity: None,
            syncs: 0,
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            unsynced: Vec::new(),
            locks: BTreeSet::new(),
        })))
    }

    /// Cuts the power in the middle of the change after the next `changes` ones (writes, syncs, renames ...).
    pub fn cut_after(&self, changes: u64) {
        self.world().fuse = Some(changes);
    }

    /// Cuts the power now. Every call fails until [`Self::restart`].
    pub fn cut_power(&self) {
        self.world().cut();
    }

    /// Puts the power back; what is left is what was durable, and part of the rest.
    pub fn restart(&self) {
        let mut world = self.world();
        world.cut();
        world.on = true;
    }

    /// Whether the power is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.world().on
    }

    /// Ends the locks and kills the open files of the process that had them; unsynced writes stay (SIGKILL).
    pub fn kill_process(&self) {
        let mut world = self.world();
        world.boot = world.boot.wrapping_add(1);
        world.locks.clear();
    }

    /// Lets writes fail with `StorageFull` (after part of them) when all files together would exceed this.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.world().capacity = bytes;
    }

    /// How many file syncs there were: the cost that grouping saves.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.world().syncs
    }

    /// Another disk with the files as they are now, as a backup takes them.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self(Arc::new(Mutex::new(self.world().clone())));
        copy.world().locks.clear();
        copy
    }

    /// Destroys every file: a new disk in the same machine.
    pub fn wipe(&self) {
        let mut world = self.world();
        world.boot = world.boot.wrapping_add(1);
        world.files.clear();
        world.names.clear();
        world.durable_names.clear();
        world.unsynced.clear();
        world.locks.clear();
    }

    /// Flips one bit of a file, in the live and the durable image: damage that no power cut explains.
    ///
    /// # Errors
    /// `NotFound` when there is no such file or byte.
    pub fn flip(&self, path: &Path, offset: usize, bit: u8) -> io::Result<()> {
        let mut world = self.world();
        let image = world.image_of(path)?;
        for bytes in [&mut image.live, &mut image.durable] {
            let byte = bytes.get_mut(offset).ok_or(io::ErrorKind::NotFound)?;
            *byte ^= 1 << (bit & 7);
        }
        Ok(())
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// xorshift64*: repeatable, which is all a test needs.
    fn draw(&mut self, below: usize) -> usize {
        self.random = self.random.max(1);
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let value = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(value).unwrap_or(0).checked_rem(below).unwrap_or(0)
    }

    /// Counts a change; `Err` when the power is off or goes now.
    fn change(&mut self) -> io::Result<()> {
        self.power()?;
        match self.fuse {
            Some(0) => {
                self.cut();
                Err(off())
            }
            Some(n) => {
                self.fuse = Some(n - 1);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn power(&self) -> io::Result<()> {
        if self.on { Ok(()) } else { Err(off()) }
    }

    fn cut(&mut self) {
        if !self.on {
            return;
        }
        self.on = false;
        self.fuse = None;
        self.boot = self.boot.wrapping_add(1);
        self.locks.clear();
        for change in std::mem::take(&mut self.unsynced) {
            if self.draw(2) == 0 {
                change.apply(&mut self.durable_names);
            }
        }
        self.names = self.durable_names.clone();
        let mut files = std::mem::take(&mut self.files);
        files.retain(|file, _| self.names.values().any(|named| named == file));
        for image in files.values_mut() {
            self.destroy(image);
        }
        self.files = files;
    }

    fn destroy(&mut self, image: &mut Image) {
        let (old, new) = (image.durable.len(), image.live.len());
        let size = match self.draw(4) {
            0 => old,
            1 => new,
            _ => old.min(new).saturating_add(self.draw(old.abs_diff(new).saturating_add(1))),
        };
        let mut left = image.durable.clone();
        left.resize(size, 0);
        for (n, sector) in left.chunks_mut(SECTOR).enumerate() {
            let written = image.live.get(n.saturating_mul(SECTOR)..).unwrap_or_default();
            let fate = self.draw(8);
            let torn_at = self.draw(SECTOR);
            for (i, (byte, new)) in sector.iter_mut().zip(written).enumerate() {
                // Bytes that the write did not change stay in any case.
                let unsynced = *byte != *new || n.saturating_mul(SECTOR).saturating_add(i) >= old;
                match fate {
                    0..=3 => *byte = *new,
                    4 if i < torn_at => *byte = *new,
                    5 if unsynced => *byte = u8::try_from(self.draw(256)).unwrap_or(0),
                    _ => {}
                }
            }
        }
        image.durable.clone_from(&left);
        image.live = left;
    }

    fn image_of(&mut self, path: &Path) -> io::Result<&mut Image> {
        let file = self.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        self.files.get_mut(file).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn rename_now(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.unsynced.push(change);
    }

    fn used(&self) -> u64 {
        self.names.values().filter_map(|f| self.files.get(f)).map(|i| i.live.len() as u64).sum()
    }
}

fn off() -> io::Error {
    io::Error::other("the power is off")
}

impl Disk for FaultyDisk {
    fn make_dir(&self, _dir: &Path) -> io::Result<()> {
        self.world().power()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        let world = self.world();
        world.power()?;
        let inside = world.names.keys().filter(|p| p.parent() == Some(dir));
        Ok(inside.filter_map(|p| p.file_name()).map(OsString::from).collect())
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.world();
        world.power()?;
        let id = match (world.names.get(path).copied(), how) {
            (Some(id), Open::Read | Open::Append) => id,
            (Some(id), Open::Create) => {
                world.change()?;
                if let Some(image) = world.files.get_mut(&id) {
                    image.live.clear();
                }
                id
            }
            (None, Open::Create) => {
                world.change()?;
                let id = world.files.keys().next_back().map_or(1, |last| last.wrapping_add(1));
                world.files.insert(id, Image::default());
                world.rename_now(NameChange::Add(path.to_owned(), id));
                id
            }
            (None, _) => return Err(io::ErrorKind::NotFound.into()),
        };
        let boot = world.boot;
        Ok(Box::new(FaultyFile { disk: self.clone(), id, boot, writable: how != Open::Read }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.change()?;
        let id = *world.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        world.rename_now(NameChange::Rename(from.to_owned(), to.to_owned(), id));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.change()?;
        if !world.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        world.rename_now(NameChange::Remove(path.to_owned()));
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.list(dir)?.iter().try_for_each(|file| self.remove(&dir.join(file)))?;
        self.sync_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.change()?;
        let (here, elsewhere) =
            std::mem::take(&mut world.unsynced).into_iter().partition::<Vec<_>, _>(|c| c.dir() == Some(dir));
        for change in here {
            change.apply(&mut world.durable_names);
        }
        world.unsynced = elsewhere;
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let mut world = self.world();
        world.power()?;
        if !world.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let boot = world.boot;
        Ok(Box::new(FaultyLock { disk: self.clone(), path: path.to_owned(), boot }))
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    id: u64,
    boot: u64,
    writable: bool,
}

impl FaultyFile {
    fn with<T>(&self, changes: bool, act: impl FnOnce(&mut World) -> io::Result<T>) -> io::Result<T> {
        let mut world = self.disk.world();
        if changes && !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        if world.boot != self.boot {
            return Err(off());
        }
        act(&mut world)
    }
}

impl DiskFile for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.with(true, |world| {
            world.power()?;
            let write = |world: &mut World, bytes: &[u8]| {
                if let Some(image) = world.files.get_mut(&self.id) {
                    image.live.extend_from_slice(bytes);
                }
            };
            if world.fuse == Some(0) {
                let part = world.draw(bytes.len().saturating_add(1));
                write(world, bytes.get(..part).unwrap_or_default());
            }
            world.change()?;
            let room = world.capacity.map_or(u64::MAX, |c| c.saturating_sub(world.used()));
            let fits = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
            write(world, bytes.get(..fits).unwrap_or_default());
            if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        })
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(false, |world| {
            let image = world.files.get(&self.id).ok_or(io::ErrorKind::NotFound)?;
            let from = usize::try_from(offset).unwrap_or(usize::MAX);
            let bytes = image.live.get(from..).unwrap_or_default();
            let n = bytes.len().min(into.len());
            for (to, from) in into.iter_mut().zip(bytes) {
                *to = *from;
            }
            Ok(n)
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.with(true, |world| {
            world.change()?;
            world.syncs = world.syncs.wrapping_add(1);
            if let Some(image) = world.files.get_mut(&self.id) {
                image.durable.clone_from(&image.live);
            }
            Ok(())
        })
    }

    fn size(&self) -> io::Result<u64> {
        self.with(false, |world| world.files.get(&self.id).map_or(Ok(0), |i| Ok(i.live.len() as u64)))
    }

    fn truncate(&mut self, size: u64) -> io::Result<()> {
        self.with(true, |world| {
            world.change()?;
            if let Some(image) = world.files.get_mut(&self.id) {
                image.live.resize(usize::try_from(size).unwrap_or(usize::MAX), 0);
            }
            Ok(())
        })
    }
}

struct FaultyLock {
    disk: FaultyDisk,
    path: PathBuf,
    boot: u64,
}

impl DiskLock for FaultyLock {}

impl Drop for FaultyLock {
    fn drop(&mut self) {
        let mut world = self.disk.world();
        if world.boot == self.boot {
            world.locks.remove(&self.path);
        }
    }
}
