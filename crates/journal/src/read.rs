//! Reading records in order, from any position, while the writer goes on.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::format::{OVERHEAD, RecordHead};
use crate::shared::{Extent, Shared};
use crate::{DiskFile, JournalError, Open, Position};

/// How much is read at a time.
const CHUNK: usize = 128 * 1024;

/// A handle for reading from another thread than the writer's.
#[derive(Clone)]
pub struct Reader {
    pub(crate) shared: Arc<Shared>,
}

impl Reader {
    /// The records from a position on, as far as they are durable.
    #[must_use]
    pub fn read_from(&self, position: Position) -> Records {
        Records { shared: Arc::clone(&self.shared), next: position.0, open: None, failed: false }
    }

    /// The first record that was not dropped.
    #[must_use]
    pub fn first(&self) -> Position {
        Position(self.shared.state().segments.front().map_or(0, |s| s.first))
    }

    /// The first position of each segment, ascending: those that [`crate::Journal::drop_before`] can make the first one.
    #[must_use]
    pub fn starts(&self) -> Vec<Position> {
        self.shared.state().segments.iter().map(|s| Position(s.first)).collect()
    }

    /// The position after the last durable record.
    #[must_use]
    pub fn durable(&self) -> Position {
        Position(self.shared.state().durable)
    }
}

/// Records in order. After the last durable one it yields `None`; when more have become durable, it goes on.
/// After an error it yields nothing more. Memory: one record or 128 KiB, whichever is more.
pub struct Records {
    shared: Arc<Shared>,
    next: u64,
    open: Option<(Scanner, Extent)>,
    failed: bool,
}

impl Records {
    /// The position of the record that comes next.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position(self.next)
    }

    /// The next record without copying it.
    pub fn next_record(&mut self) -> Option<Result<(Position, &[u8]), JournalError>> {
        if self.failed {
            return None;
        }
        match self.advance() {
            Ok(None) => None,
            Err(e) => {
                self.failed = true;
                self.open = None;
                Some(Err(e))
            }
            Ok(Some(range)) => {
                let position = Position(self.next);
                self.next = self.next.saturating_add(1);
                let (scanner, _) = self.open.as_ref()?;
                Some(Ok((position, scanner.bytes(range))))
            }
        }
    }

    fn advance(&mut self) -> Result<Option<Range<usize>>, JournalError> {
        loop {
            let (mut scanner, mut extent) = match self.open.take() {
                Some(open) => open,
                None => match self.start()? {
                    Some(open) => open,
                    None => return Ok(None),
                },
            };
            if extent.end.is_none() && scanner.offset >= extent.bytes {
                match self.shared.extent(scanner.first) {
                    Some(now) => extent = now,
                    None => continue, // dropped meanwhile: start anew, which says so
                }
            }
            if extent.end == Some(scanner.position) {
                continue; // on to the next segment
            }
            match scanner.step(extent.bytes)? {
                Step::Record(range) => {
                    let wanted = scanner.position > self.next;
                    self.open = Some((scanner, extent));
                    if wanted {
                        return Ok(Some(range));
                    }
                }
                Step::End if extent.end.is_none() => {
                    self.open = Some((scanner, extent));
                    return Ok(None);
                }
                Step::End => return Err(scanner.damaged("it ends before its last record")),
                Step::Bad(what) => return Err(scanner.damaged(what)),
            }
        }
    }

    fn start(&self) -> Result<Option<(Scanner, Extent)>, JournalError> {
        let Some(start) = self.shared.find(self.next)? else { return Ok(None) };
        let path = self.shared.path(start.first);
        let file = self.shared.disk.open(&path, Open::Read).map_err(JournalError::io("open", &path))?;
        let Some(extent) = self.shared.extent(start.first) else { return Ok(None) };
        let scanner = Scanner {
            file,
            path,
            first: start.first,
            salt: start.salt,
            max_record: self.shared.options.max_record,
            position: start.position,
            offset: start.offset,
            buffer: Vec::new(),
            at: 0,
        };
        Ok(Some((scanner, extent)))
    }
}

impl Iterator for Records {
    type Item = Result<(Position, Vec<u8>), JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.next_record()?.map(|(position, bytes)| (position, bytes.to_vec())))
    }
}

/// What stands at the place a scanner has come to.
pub(crate) enum Step {
    /// A good record; its payload is at this range of the buffer until the next step.
    Record(Range<usize>),
    /// The limit.
    End,
    /// Bytes that are no record.
    Bad(&'static str),
}

/// Walks one segment file record by record.
pub(crate) struct Scanner {
    pub(crate) file: Box<dyn DiskFile>,
    pub(crate) path: PathBuf,
    pub(crate) first: u64,
    pub(crate) salt: u64,
    pub(crate) max_record: u32,
    /// The position that the next record must have.
    pub(crate) position: u64,
    /// The byte at which it must start.
    pub(crate) offset: u64,
    /// Bytes of the file, of which those from `at` on have not been used; `buffer[at]` is at `offset`.
    pub(crate) buffer: Vec<u8>,
    pub(crate) at: usize,
}

impl Scanner {
    /// Reads the next record, not beyond byte `limit`.
    pub(crate) fn step(&mut self, limit: u64) -> Result<Step, JournalError> {
        let left = limit.saturating_sub(self.offset);
        if left == 0 {
            return Ok(Step::End);
        }
        if left < OVERHEAD as u64 || !self.fill(OVERHEAD, left)? {
            return Ok(Step::Bad("a record is cut short"));
        }
        let rest = self.buffer.get(self.at..).unwrap_or_default();
        let Some(head) = RecordHead::decode(rest, self.salt) else {
            return Ok(Step::Bad("a record is cut short"));
        };
        if head.len == 0 || head.len > self.max_record || head.position != self.position {
            return Ok(Step::Bad("no record starts where one should"));
        }
        let whole = OVERHEAD.saturating_add(head.len as usize);
        if whole as u64 > left || !self.fill(whole, left)? {
            return Ok(Step::Bad("a record is cut short"));
        }
        let range = self.at.saturating_add(OVERHEAD)..self.at.saturating_add(whole);
        if !head.holds(self.bytes(range.clone()), self.salt) {
            return Ok(Step::Bad("the checksum of a record does not hold"));
        }
        self.at = range.end;
        self.offset = self.offset.saturating_add(whole as u64);
        self.position = self.position.saturating_add(1);
        Ok(Step::Record(range))
    }

    /// Sees to it that `need` unused bytes are in the buffer; `false` when the file ends before.
    fn fill(&mut self, need: usize, left: u64) -> Result<bool, JournalError> {
        let have = self.buffer.len().saturating_sub(self.at);
        if have >= need {
            return Ok(true);
        }
        self.buffer.drain(..self.at);
        self.at = 0;
        let target = need.max(CHUNK).min(usize::try_from(left).unwrap_or(usize::MAX));
        self.buffer.resize(target.max(have), 0);
        let mut filled = have;
        while let Some(room) = self.buffer.get_mut(filled..).filter(|r| !r.is_empty()) {
            let from = self.offset.saturating_add(filled as u64);
            let n = self.file.read_at(room, from).map_err(JournalError::io("read", &self.path))?;
            if n == 0 {
                break;
            }
            filled = filled.saturating_add(n);
        }
        self.buffer.truncate(filled);
        Ok(filled >= need)
    }

    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or_default()
    }

    pub(crate) fn damaged(&self, what: &'static str) -> JournalError {
        JournalError::Damaged { path: self.path.clone(), offset: self.offset, what }
    }
}
