//! What the preloaded library writes down and the power cut reads: the same source is compiled into both.
//!
//! A record is its length (4 bytes), a CRC-32 of its content (4 bytes), and its content. A torn last record is no
//! error: the write that it stands for was not made.

/// A change of a file's content that may not have reached the disk yet: what was there before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// Length of the file before.
    pub(crate) old_size: u64,
    /// First byte that changes.
    pub(crate) offset: u64,
    /// How many bytes change. For a cut this is up to the old end of the file.
    pub(crate) length: u64,
    /// What stood there; what is missing at its end lay behind the end of the file.
    pub(crate) before: Vec<u8>,
    /// The file was cut (or lengthened) to `offset` bytes, which a file system does at once or not at all.
    pub(crate) resized: bool,
}

/// A change of a folder's entries that may not have reached the disk yet. Paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Monotonic time in nanoseconds.
    pub(crate) at: u64,
    /// What happened.
    pub(crate) event: Event,
}

/// What happened to an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A file or folder came to be.
    Made(String),
    /// A file went; another link to it is kept under this name in the side folder.
    Removed(String, String),
    /// An empty folder went.
    FolderRemoved(String),
    /// A file got another name; a file that had that name before is kept like a removed one, otherwise the last
    /// text is empty.
    Renamed(String, String, String),
}

impl Change {
    /// As a record.
    #[must_use]
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut content = Vec::with_capacity(25 + self.before.len());
        for number in [self.old_size, self.offset, self.length] {
            content.extend_from_slice(&number.to_le_bytes());
        }
        content.push(u8::from(self.resized));
        content.extend_from_slice(&self.before);
        framed(&content)
    }

    fn decode(content: &[u8]) -> Option<Self> {
        let (old_size, rest) = number(content)?;
        let (offset, rest) = number(rest)?;
        let (length, rest) = number(rest)?;
        let (resized, before) = rest.split_first()?;
        Some(Self { old_size, offset, length, before: before.to_vec(), resized: *resized == 1 })
    }

    /// All complete records of a log.
    #[must_use]
    pub(crate) fn all(log: &[u8]) -> Vec<Self> {
        contents(log).filter_map(Self::decode).collect()
    }
}

impl Entry {
    /// As a record.
    #[must_use]
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (kind, texts): (u8, [&str; 3]) = match &self.event {
            Event::Made(path) => (1, [path, "", ""]),
            Event::Removed(path, kept) => (2, [path, kept, ""]),
            Event::FolderRemoved(path) => (3, [path, "", ""]),
            Event::Renamed(from, to, kept) => (4, [from, to, kept]),
        };
        let mut content = self.at.to_le_bytes().to_vec();
        content.push(kind);
        content.extend_from_slice(texts.join("\0").as_bytes());
        framed(&content)
    }

    fn decode(content: &[u8]) -> Option<Self> {
        let (at, rest) = number(content)?;
        let (kind, texts) = rest.split_first()?;
        let mut texts = std::str::from_utf8(texts).ok()?.split('\0').map(str::to_owned);
        let mut text = || texts.next().unwrap_or_default();
        let event = match kind {
            1 => Event::Made(text()),
            2 => Event::Removed(text(), text()),
            3 => Event::FolderRemoved(text()),
            4 => Event::Renamed(text(), text(), text()),
            _ => return None,
        };
        Some(Self { at, event })
    }

    /// All complete records of a log.
    #[must_use]
    pub(crate) fn all(log: &[u8]) -> Vec<Self> {
        contents(log).filter_map(Self::decode).collect()
    }
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_le_bytes(*number), rest))
}

fn framed(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes(), &crc32fast::hash(content).to_le_bytes(), content].concat()
}

fn contents(mut log: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = log.split_first_chunk()?;
        let (crc, rest) = rest.split_first_chunk()?;
        let (content, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        log = rest;
        (crc32fast::hash(content) == u32::from_le_bytes(*crc)).then_some(content)
    })
}
