//! Opening a folder that a crash may have left behind.

use std::path::Path;

use crate::format::{self, BadHeader, HEADER, Header, OVERHEAD, RecordHead};
use crate::read::{Scanner, Step};
use crate::shared::Segment;
use crate::{Disk, DiskFile, JournalError, Open, Options, Recovered};

/// What recovery found.
pub(crate) struct Found {
    pub(crate) segments: Vec<Segment>,
    /// The segment to go on appending to; `None` when a new one must be made.
    pub(crate) active: Option<Box<dyn DiskFile>>,
    pub(crate) next: u64,
    pub(crate) report: Recovered,
}

/// Distance between two marks in a segment's index, in bytes.
pub(crate) const MARK_EVERY: u64 = 128 * 1024;

pub(crate) fn recover(disk: &dyn Disk, dir: &Path, options: &Options) -> Result<Found, JournalError> {
    let names = disk.list(dir).map_err(JournalError::io("list", dir))?;
    let mut firsts = Vec::new();
    for name in names.iter().filter_map(|n| n.to_str()).filter(|n| n.ends_with(".seg")) {
        let foreign = || JournalError::Foreign { path: dir.join(name) };
        firsts.push(format::first_of_name(name).ok_or_else(foreign)?);
    }
    firsts.sort_unstable();

    let mut report = Recovered { created: firsts.is_empty(), torn_bytes: 0 };
    let mut segments: Vec<Segment> = Vec::new();
    let mut files = Vec::new();
    let last = firsts.last().copied();
    // A segment that was being born when the power went: its records cannot exist yet.
    let mut stillborn = None;
    for first in firsts {
        let path = dir.join(format::file_name(first));
        let file = disk.open(&path, Open::Append).map_err(JournalError::io("open", &path))?;
        let bytes = file.size().map_err(JournalError::io("measure", &path))?;
        match read_header(file.as_ref(), &path, bytes, options)? {
            Some(header) => {
                if header.first != first {
                    return Err(JournalError::Damaged {
                        path,
                        offset: 0,
                        what: "its name and its header differ",
                    });
                }
                if let Some(before) = segments.last().filter(|b| b.first != header.previous) {
                    return Err(JournalError::Gap { path, expected: before.first.max(header.previous) });
                }
                segments.push(Segment { first, salt: header.salt, bytes, marks: Vec::new() });
                files.push(file);
            }
            None if Some(first) == last && bytes <= HEADER => {
                report.torn_bytes = bytes;
                stillborn = Some(first);
                disk.remove(&path).map_err(JournalError::io("remove", &path))?;
                disk.sync_dir(dir).map_err(JournalError::io("sync", dir))?;
            }
            None => return Err(JournalError::Damaged { path, offset: 0, what: "its header does not hold" }),
        }
    }

    let (Some(segment), Some(file)) = (segments.last_mut(), files.pop()) else {
        let next = stillborn.unwrap_or(options.start.0);
        return Ok(Found { segments, active: None, next, report });
    };
    let path = dir.join(format::file_name(segment.first));
    // With a segment born after it, this one was synced whole.
    let (file, next, torn) = recover_last(file, path, segment, options, stillborn)?;
    report.torn_bytes = report.torn_bytes.saturating_add(torn);
    Ok(Found { segments, active: Some(file), next, report })
}

/// `None` when the bytes are no header of any version: torn or damaged, which the caller can tell.
fn read_header(
    file: &dyn DiskFile,
    path: &Path,
    bytes: u64,
    options: &Options,
) -> Result<Option<Header>, JournalError> {
    let mut head = [0; HEADER as usize];
    if bytes < HEADER || read_full(file, path, &mut head, 0)? < head.len() {
        return Ok(None);
    }
    match Header::decode(&head, options.magic) {
        Ok(header) => Ok(Some(header)),
        Err(BadHeader::Damaged) => Ok(None),
        Err(BadHeader::Foreign) => Err(JournalError::Foreign { path: path.to_owned() }),
    }
}

/// Checks every record of the last segment, cuts a torn tail, and makes what is left durable: after a SIGKILL
/// it may only be in the cache of the operating system.
fn recover_last(
    file: Box<dyn DiskFile>,
    path: std::path::PathBuf,
    segment: &mut Segment,
    options: &Options,
    must_end_at: Option<u64>,
) -> Result<(Box<dyn DiskFile>, u64, u64), JournalError> {
    let mut scanner = Scanner {
        file,
        path,
        first: segment.first,
        salt: segment.salt,
        max_record: options.max_record,
        position: segment.first,
        offset: HEADER,
        buffer: Vec::new(),
        at: 0,
    };
    let mut marked = HEADER;
    let bad = loop {
        if scanner.offset.saturating_sub(marked) >= MARK_EVERY {
            marked = scanner.offset;
            segment.marks.push((scanner.position, scanner.offset));
        }
        match scanner.step(segment.bytes)? {
            Step::Record(_) => {}
            Step::End => break None,
            Step::Bad(what) => break Some(what),
        }
    };
    match (bad, must_end_at) {
        (Some(what), Some(_)) => return Err(scanner.damaged(what)),
        (None, Some(end)) if end != scanner.position => {
            return Err(scanner.damaged("it ends before its last record"));
        }
        (Some(what), None) if was_durable(&scanner, segment.bytes)? => return Err(scanner.damaged(what)),
        _ => {}
    }
    let torn = segment.bytes.saturating_sub(scanner.offset);
    segment.bytes = scanner.offset;
    let Scanner { mut file, path, position, offset, .. } = scanner;
    if torn > 0 {
        file.truncate(offset).map_err(JournalError::io("cut", &path))?;
    }
    file.sync().map_err(JournalError::io("sync", &path))?;
    Ok((file, position, torn))
}

/// Whether the record missing at the scanner's place had been durable: a later good record says so.
fn was_durable(scanner: &Scanner, size: u64) -> Result<bool, JournalError> {
    let (file, path) = (scanner.file.as_ref(), scanner.path.as_path());
    let mut window = vec![0; 64 * 1024];
    let mut payload = Vec::new();
    let mut at = scanner.offset.saturating_add(1);
    loop {
        let n = read_full(file, path, &mut window, at)?;
        let read = window.get(..n).unwrap_or_default();
        for (i, bytes) in read.windows(OVERHEAD).enumerate() {
            let Some(head) = RecordHead::decode(bytes, scanner.salt) else { continue };
            let body = at.saturating_add(i as u64).saturating_add(OVERHEAD as u64);
            let plausible = head.position > scanner.position
                && head.position - scanner.position <= size
                && head.durable() > scanner.position
                && (1..=scanner.max_record).contains(&head.len)
                && body.saturating_add(u64::from(head.len)) <= size;
            if plausible {
                payload.resize(head.len as usize, 0);
                if read_full(file, path, &mut payload, body)? == payload.len()
                    && head.holds(&payload, scanner.salt)
                {
                    return Ok(true);
                }
            }
        }
        if n < window.len() {
            return Ok(false);
        }
        at = at.saturating_add((n - OVERHEAD + 1) as u64);
    }
}

fn read_full(file: &dyn DiskFile, path: &Path, into: &mut [u8], offset: u64) -> Result<usize, JournalError> {
    let mut filled = 0;
    while let Some(room) = into.get_mut(filled..).filter(|r| !r.is_empty()) {
        let from = offset.saturating_add(filled as u64);
        match file.read_at(room, from).map_err(JournalError::io("read", path))? {
            0 => break,
            n => filled = filled.saturating_add(n),
        }
    }
    Ok(filled)
}
