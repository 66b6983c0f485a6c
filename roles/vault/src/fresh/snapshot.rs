//! The snapshot of final freshness: what the journal up to a record amounts to, in sealed chunks.

use base::Secret;
use seal::{Place, aead};

use super::book::Book;
use super::credit::Credit;
use super::finals::Finals;
use super::record::{decode_meter, encode_meter};
use crate::MeterNumber;
use crate::codec::{Fields, Malformed, put_bytes, put_varint};

const MAGIC: &[u8; 8] = b"MKFRSNP1";
const METERS_A_CHUNK: usize = 4096;

/// Why a snapshot is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    /// Not sealed under this vault's root, or changed.
    #[error(
        "the snapshot of freshness was not made by this vault, or was changed; put back the file that was"
    )]
    Foreign,
    /// The machine gave no randomness.
    #[error("the operating system gave no randomness")]
    NoRandomness,
}

impl From<Malformed> for SnapshotError {
    fn from(_: Malformed) -> Self {
        Self::Foreign
    }
}

fn place(id: &[u8; 16], chunk: u64, chunks: u64) -> Place {
    Place::new("meterkeep/vault-snapshot/1")
        .field(id)
        .field(&chunk.to_le_bytes())
        .field(&chunks.to_le_bytes())
}

/// The head of a snapshot: up to which record (not included) the journal is in it, which positions are final, and what may
/// still be opened.
pub(crate) fn head(book: &Book, record: u64) -> Vec<u8> {
    let mut head = Vec::with_capacity(book.credits.len() * 28 + 1024);
    put_varint(&mut head, record);
    book.finals.encode(&mut head);
    put_varint(&mut head, book.credits.len() as u64);
    for (number, credit) in book.credits.iter() {
        head.extend_from_slice(number.as_bytes());
        credit.encode(&mut head);
    }
    head
}

/// How many chunks a book's meters make.
pub(crate) fn chunks(book: &Book) -> usize {
    book.meters.len().div_ceil(METERS_A_CHUNK)
}

/// One of them.
pub(crate) fn chunk(book: &Book, n: usize) -> Vec<u8> {
    let mut chunk = Vec::new();
    let meters = book.meters.range(n.saturating_mul(METERS_A_CHUNK), METERS_A_CHUNK);
    meters.for_each(|(number, meter)| encode_meter(&mut chunk, *number, meter));
    chunk
}

/// Seals a snapshot part by part: each chunk is made, sealed and given up before the next.
pub(crate) fn seal(
    key: &Secret<32>,
    head: Vec<u8>,
    chunks: usize,
    chunk: impl Fn(usize) -> Vec<u8>,
) -> Result<impl Iterator<Item = Result<Vec<u8>, SnapshotError>>, SnapshotError> {
    let id: [u8; 16] = base::random().map_err(|_| SnapshotError::NoRandomness)?;
    let count = chunks.saturating_add(1) as u64;
    let mut begin = MAGIC.to_vec();
    begin.extend_from_slice(&id);
    put_varint(&mut begin, count);
    let plain = std::iter::once_with(move || head).chain((0..chunks).map(chunk));
    let sealed = plain.enumerate().map(move |(n, chunk)| {
        let sealed = aead::seal(key, 1, &place(&id, n as u64, count), &chunk);
        let mut part = Vec::new();
        put_bytes(&mut part, &sealed.map_err(|_| SnapshotError::NoRandomness)?);
        Ok(part)
    });
    Ok(std::iter::once(Ok(begin)).chain(sealed))
}

/// Opens a snapshot: the book, and the record from which the journal goes on.
pub(crate) fn open(key: &Secret<32>, file: &[u8]) -> Result<(Book, u64), SnapshotError> {
    let mut fields = Fields::of(file.strip_prefix(MAGIC).ok_or(SnapshotError::Foreign)?);
    let id = fields.array()?;
    let count = fields.varint()?;
    let mut book = Book::default();
    let mut record = 0;
    for n in 0..count {
        let chunk =
            aead::open(key, &place(&id, n, count), fields.bytes()?).map_err(|_| SnapshotError::Foreign)?;
        let mut inside = Fields::of(&chunk);
        if n == 0 {
            record = inside.varint()?;
            book.finals = Finals::decode(&mut inside)?;
            // snapshots of earlier editions end here: their meters begin with full credit
            let credits = if inside.end().is_ok() { 0 } else { inside.count(21)? };
            for _ in 0..credits {
                let (number, credit) = (MeterNumber(inside.array()?), Credit::decode(&mut inside)?);
                let _ = book.credits.entry(number, || credit);
            }
        } else {
            while inside.end().is_err() {
                let (number, meter) = decode_meter(&mut inside)?;
                book.restore(number, meter);
            }
        }
        inside.end()?;
    }
    fields.end()?;
    Ok((book, record))
}
