//! The snapshot of final freshness: what the journal up to a record amounts to, in sealed chunks.

use base::Secret;
use seal::{Place, aead};

use super::book::{Book, Kept};
use super::credit::Credit;
use super::finals::Finals;
use super::record::{decode_meter, encode_meter};
use crate::MeterNumber;
use crate::codec::{Fields, Malformed, put_bytes, put_varint};

const MAGIC: &[u8; 8] = b"MKFRSNP2";
/// Earlier editions wrote what may still be opened into the head.
const MAGIC_OF_OLD: &[u8; 8] = b"MKFRSNP1";
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

/// The head of a snapshot: up to which record (not included) the journal is in it, and which positions are final.
pub(crate) fn head(book: &Book, record: u64) -> Vec<u8> {
    let mut head = Vec::with_capacity(1024);
    put_varint(&mut head, record);
    book.finals.encode(&mut head);
    head
}

/// How many chunks a book's meters make.
pub(crate) fn chunks(book: &Book) -> usize {
    book.meters.len().div_ceil(METERS_A_CHUNK)
}

/// One of them: each meter's state, and how much of it may still be opened. What was opened since the head was made is in
/// it, and is paid for again when the journal is read: the credit is then smaller by that, never larger.
pub(crate) fn chunk(book: &Book, n: usize) -> Vec<u8> {
    let mut chunk = Vec::new();
    let meters = book.meters.range(n.saturating_mul(METERS_A_CHUNK), METERS_A_CHUNK);
    for (number, kept) in meters {
        encode_meter(&mut chunk, *number, &kept.meter);
        chunk.push(u8::from(kept.credit.is_some()));
        kept.credit.iter().for_each(|credit| credit.encode(&mut chunk));
    }
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
    let of_old = file.strip_prefix(MAGIC_OF_OLD);
    let mut fields = Fields::of(of_old.or(file.strip_prefix(MAGIC)).ok_or(SnapshotError::Foreign)?);
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
            let credits = if of_old.is_none() || inside.end().is_ok() { 0 } else { inside.count(21)? };
            for _ in 0..credits {
                let (number, credit) = (MeterNumber(inside.array()?), Credit::decode(&mut inside)?);
                book.restore_credit(number, credit);
            }
        } else {
            while inside.end().is_err() {
                let (number, meter) = decode_meter(&mut inside)?;
                let credited = of_old.is_none() && inside.byte()? != 0;
                let credit = credited.then(|| Credit::decode(&mut inside)).transpose()?;
                book.restore(number, Kept { meter, credit });
            }
        }
        inside.end()?;
    }
    fields.end()?;
    Ok((book, record))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fresh::Secs;

    fn number(n: u8) -> MeterNumber {
        MeterNumber([0x2d, 0x2c, n, 0, 0, 0])
    }

    /// Three meters, of which one has a credit that was drawn on.
    fn book() -> Book {
        let mut book = Book::default();
        let mut credit = Credit::full(Secs(1_795_000_000));
        credit.pay(Secs(1_795_000_000), 60, Secs(1_795_000_000));
        (1..=3).for_each(|n| {
            book.restore(number(n), Kept { credit: (n == 2).then_some(credit), ..Kept::default() });
        });
        book
    }

    fn credits(book: &Book) -> Vec<Option<Credit>> {
        (1..=3).map(|n| book.meters.get(number(n)).and_then(|kept| kept.credit)).collect()
    }

    fn sealed(key: &Secret<32>, head: Vec<u8>, chunk: Vec<u8>) -> Vec<u8> {
        let parts = seal(key, head, 1, |_| chunk.clone()).unwrap();
        parts.flat_map(Result::unwrap).collect()
    }

    #[test]
    fn credits_come_back_with_their_meters_and_from_the_head_of_an_older_snapshot() {
        let (key, book) = (Secret::new([7; 32]), book());
        let now = sealed(&key, head(&book, 5), chunk(&book, 0));
        let (again, record) = open(&key, &now).unwrap();
        assert_eq!((credits(&again), record), (credits(&book), 5));
        assert!(credits(&again)[1].is_some());

        let mut old_head = head(&book, 6);
        put_varint(&mut old_head, 1);
        old_head.extend_from_slice(number(2).as_bytes());
        book.meters.get(number(2)).unwrap().credit.unwrap().encode(&mut old_head);
        let mut old_chunk = Vec::new();
        (1..=3).for_each(|n| {
            encode_meter(&mut old_chunk, number(n), &book.meters.get(number(n)).unwrap().meter);
        });
        let mut old = sealed(&key, old_head, old_chunk);
        assert!(open(&key, &old).is_err(), "what the head holds tells them apart");
        old.splice(..8, *MAGIC_OF_OLD);
        let (again, record) = open(&key, &old).unwrap();
        assert_eq!((credits(&again), record), (credits(&book), 6));
    }
}
