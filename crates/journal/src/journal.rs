//! The writer's side.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::format::{self, HEADER, Header};
use crate::recover::{Found, MARK_EVERY, recover};
use crate::shared::{Segment, Shared, State};
use crate::{Disk, DiskFile, DiskLock, JournalError, Open, Position, Reader, Records};

/// Appended bytes are handed to the file when this many have come together, or at a sync.
const WRITE_BUFFER: usize = 256 * 1024;

/// What kind of journal, and how it is cut into files.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Names the kind, so that a folder is not opened by the wrong room.
    pub magic: [u8; 8],
    /// A new segment starts before this size is passed (a larger single record gets its own). Space is given
    /// back in whole segments.
    pub segment_bytes: u64,
    /// The largest payload in bytes. Must not be lowered for a folder that exists.
    pub max_record: u32,
    /// The position of the first record in a new folder.
    pub start: Position,
}

impl Options {
    /// Segments of 64 MiB, records up to 16 MiB, numbered from 0.
    #[must_use]
    pub const fn new(magic: [u8; 8]) -> Self {
        Self { magic, segment_bytes: 64 << 20, max_record: 16 << 20, start: Position(0) }
    }
}

/// What opening found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// The folder was empty or absent.
    pub created: bool,
    /// Bytes of unsynced writes that were cut off; 0 after a clean stop.
    pub torn_bytes: u64,
}

/// The owner of a journal's folder: appends, syncs, drops.
pub struct Journal {
    shared: Arc<Shared>,
    file: Box<dyn DiskFile>,
    path: PathBuf,
    /// The active segment's first position and salt.
    first: u64,
    salt: u64,
    /// Encoded records that the file has not got yet.
    pending: Vec<u8>,
    /// Length of the active file, unsynced writes included.
    written: u64,
    /// Length of all files before it.
    sealed: u64,
    next: u64,
    durable: u64,
    marked: u64,
    new_marks: Vec<(u64, u64)>,
    broken: bool,
    _lock: Box<dyn DiskLock>,
}

impl Journal {
    /// Opens the journal in a folder, making it when there is none, and repairs what a crash left behind.
    ///
    /// # Errors
    /// [`JournalError::InUse`], [`JournalError::Foreign`], [`JournalError::Gap`], [`JournalError::Damaged`] (see
    /// the crate's page for what counts as damage), or what the file layer says.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: Options,
    ) -> Result<(Self, Recovered), JournalError> {
        disk.make_dir(dir).map_err(JournalError::io("make", dir))?;
        let lock_path = dir.join("lock");
        let lock = disk.lock(&lock_path).map_err(|e| match e.kind() {
            std::io::ErrorKind::WouldBlock => JournalError::InUse { path: lock_path.clone() },
            _ => JournalError::io("lock", &lock_path)(e),
        })?;
        let loaded = load(disk.as_ref(), dir, &options)?;
        let Loaded { segments, file, next, report } = loaded;
        let state = State { segments: segments.into(), durable: next };
        let shared = Arc::new(Shared { disk, dir: dir.to_owned(), options, state: Mutex::new(state) });
        let path = dir.join("lock");
        let mut journal = Self {
            shared,
            file,
            path,
            first: 0,
            salt: 0,
            pending: Vec::new(),
            written: 0,
            sealed: 0,
            next,
            durable: next,
            marked: 0,
            new_marks: Vec::new(),
            broken: false,
            _lock: lock,
        };
        journal.take_stock();
        Ok((journal, report))
    }

    /// Repairs a journal whose write or sync failed, as opening it again would. Readers go on. Records that were
    /// appended but not synced may be gone: [`Self::next`] says where to go on. Does nothing to a whole journal.
    ///
    /// # Errors
    /// As [`Self::open`]; it is then still broken.
    pub fn reopen(&mut self) -> Result<Recovered, JournalError> {
        if !self.broken {
            return Ok(Recovered::default());
        }
        let shared = Arc::clone(&self.shared);
        let Loaded { segments, file, next, report } =
            load(shared.disk.as_ref(), &shared.dir, &shared.options)?;
        *shared.state() = State { segments: segments.into(), durable: next };
        self.file = file;
        self.pending.clear();
        self.new_marks.clear();
        (self.next, self.durable) = (next, next);
        self.take_stock();
        self.broken = false;
        Ok(report)
    }

    /// Sets what follows from the segments.
    fn take_stock(&mut self) {
        let state = self.shared.state();
        let total: u64 = state.segments.iter().map(|s| s.bytes).sum();
        let Some(active) = state.segments.back() else { return };
        self.path = self.shared.path(active.first);
        (self.first, self.salt, self.written) = (active.first, active.salt, active.bytes);
        self.sealed = total.saturating_sub(active.bytes);
        self.marked = active.marks.last().map_or(HEADER, |(_, offset)| *offset);
    }

    /// Numbers a record and takes it over. It is durable, and readable, after the next [`Self::sync`].
    ///
    /// # Errors
    /// [`JournalError::TooLarge`], [`JournalError::Empty`]: the journal is as before. Any other: it is broken.
    pub fn append(&mut self, payload: &[u8]) -> Result<Position, JournalError> {
        self.append_parts(&[payload])
    }

    /// [`Self::append`] of a payload in several parts, which saves putting them together first.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn append_parts(&mut self, parts: &[&[u8]]) -> Result<Position, JournalError> {
        self.whole()?;
        let max = self.shared.options.max_record;
        let bytes = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
        let len = u32::try_from(bytes).unwrap_or(u32::MAX);
        if len > max || len == u32::MAX {
            return Err(JournalError::TooLarge { len: bytes, max });
        }
        if len == 0 {
            return Err(JournalError::Empty);
        }
        let offset = self.written.saturating_add(self.pending.len() as u64);
        let end = offset.saturating_add(format::RECORD_OVERHEAD).saturating_add(u64::from(len));
        if end > self.shared.options.segment_bytes && self.next > self.first {
            self.roll()?;
        } else if offset.saturating_sub(self.marked) >= MARK_EVERY {
            self.marked = offset;
            self.new_marks.push((self.next, offset));
        }
        let position = Position(self.next);
        format::encode_record(&mut self.pending, self.next, self.durable, self.salt, parts, len);
        self.next = self.next.saturating_add(1);
        if self.pending.len() >= WRITE_BUFFER {
            self.guarded(Self::write)?;
        }
        Ok(position)
    }

    /// Makes all records so far durable; costs nothing when they are.
    ///
    /// # Errors
    /// [`JournalError::Io`], after which the journal is broken and must be opened again.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.whole()?;
        if self.durable == self.next {
            return Ok(());
        }
        self.guarded(|journal| {
            journal.write()?;
            journal.file.sync().map_err(JournalError::io("sync", &journal.path))?;
            journal.durable = journal.next;
            let mut state = journal.shared.state();
            state.durable = journal.next;
            if let Some(active) = state.segments.back_mut() {
                active.bytes = journal.written;
                active.marks.append(&mut journal.new_marks);
            }
            Ok(())
        })
    }

    /// Syncs and starts a new segment, so that [`Self::drop_before`] can give back the space of all records so
    /// far. Does nothing when the active segment is empty.
    ///
    /// # Errors
    /// [`JournalError::Io`], after which the journal is broken and must be opened again.
    pub fn roll(&mut self) -> Result<(), JournalError> {
        if self.next == self.first {
            return self.whole();
        }
        self.sync()?;
        self.guarded(|journal| {
            let shared = Arc::clone(&journal.shared);
            let magic = shared.options.magic;
            let (file, segment) =
                new_segment(shared.disk.as_ref(), &shared.dir, magic, journal.next, journal.first)?;
            journal.sealed = journal.sealed.saturating_add(journal.written);
            journal.file = file;
            journal.path = shared.path(segment.first);
            (journal.first, journal.salt) = (segment.first, segment.salt);
            (journal.written, journal.marked) = (segment.bytes, HEADER);
            shared.state().segments.push_back(segment);
            Ok(())
        })
    }

    /// Removes the oldest segments of which every record is before `position`, and gives the bytes freed. Never
    /// removes the active segment. Works on a broken journal too, so that a full disk can be relieved.
    ///
    /// # Errors
    /// [`JournalError::Io`]; the rest is then still there.
    pub fn drop_before(&mut self, position: Position) -> Result<u64, JournalError> {
        let mut freed = 0u64;
        loop {
            let segment = {
                let mut state = self.shared.state();
                let droppable = state.segments.get(1).is_some_and(|second| second.first <= position.0);
                let Some(segment) = droppable.then(|| state.segments.pop_front()).flatten() else { break };
                segment
            };
            let path = self.shared.path(segment.first);
            // One after the other, so that no crash can leave a hole between two segments.
            let removed = self.shared.disk.remove(&path).map_err(JournalError::io("remove", &path));
            if let Err(e) = removed {
                self.shared.state().segments.push_front(segment);
                return Err(e);
            }
            freed = freed.saturating_add(segment.bytes);
            self.sealed = self.sealed.saturating_sub(segment.bytes);
            let dir = &self.shared.dir;
            self.shared.disk.sync_dir(dir).map_err(JournalError::io("sync", dir))?;
        }
        Ok(freed)
    }

    /// The durable records from a position on. See [`Reader::read_from`].
    #[must_use]
    pub fn read_from(&self, position: Position) -> Records {
        self.reader().read_from(position)
    }

    /// A handle to read with from other threads.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader { shared: Arc::clone(&self.shared) }
    }

    /// The first record that was not dropped; equals [`Self::next`] when there is none.
    #[must_use]
    pub fn first(&self) -> Position {
        self.reader().first()
    }

    /// The position that the next record will get.
    #[must_use]
    pub const fn next(&self) -> Position {
        Position(self.next)
    }

    /// The position after the last durable record.
    #[must_use]
    pub const fn durable(&self) -> Position {
        Position(self.durable)
    }

    /// The size of all segments in bytes, with what is not synced yet.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.sealed.saturating_add(self.written).saturating_add(self.pending.len() as u64)
    }

    /// The segments as (first position, bytes), oldest first; the last one is the active one.
    #[must_use]
    pub fn segments(&self) -> Vec<(Position, u64)> {
        self.shared.state().segments.iter().map(|s| (Position(s.first), s.bytes)).collect()
    }

    /// Whether a failed write stopped it.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        self.broken
    }

    fn write(&mut self) -> Result<(), JournalError> {
        self.file.append(&self.pending).map_err(JournalError::io("write", &self.path))?;
        self.written = self.written.saturating_add(self.pending.len() as u64);
        self.pending.clear();
        Ok(())
    }

    fn whole(&self) -> Result<(), JournalError> {
        if self.broken { Err(JournalError::Broken { path: self.shared.dir.clone() }) } else { Ok(()) }
    }

    fn guarded(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let done = step(self);
        self.broken |= done.is_err();
        done
    }
}

/// A folder's segments after recovery; the last one is there to append to.
struct Loaded {
    segments: Vec<Segment>,
    file: Box<dyn DiskFile>,
    next: u64,
    report: Recovered,
}

fn load(disk: &dyn Disk, dir: &Path, options: &Options) -> Result<Loaded, JournalError> {
    let Found { mut segments, active, next, report } = recover(disk, dir, options)?;
    let file = match active {
        Some(file) => file,
        None => {
            let previous = segments.last().map_or(next, |s| s.first);
            let (file, segment) = new_segment(disk, dir, options.magic, next, previous)?;
            segments.push(segment);
            file
        }
    };
    disk.sync_dir(dir).map_err(JournalError::io("sync", dir))?;
    Ok(Loaded { segments, file, next, report })
}

/// Makes a segment durable, name and header, before any record can go into it.
fn new_segment(
    disk: &dyn Disk,
    dir: &Path,
    magic: [u8; 8],
    first: u64,
    previous: u64,
) -> Result<(Box<dyn DiskFile>, Segment), JournalError> {
    let path = dir.join(format::file_name(first));
    let header = Header::new(first, previous)?;
    let mut file = disk.open(&path, Open::Create).map_err(JournalError::io("create", &path))?;
    file.append(&header.encode(magic)).map_err(JournalError::io("write", &path))?;
    file.sync().map_err(JournalError::io("sync", &path))?;
    disk.sync_dir(dir).map_err(JournalError::io("sync", dir))?;
    Ok((file, Segment { first, salt: header.salt, bytes: HEADER, marks: Vec::new() }))
}
