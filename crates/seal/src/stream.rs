//! Sealing of long contents piece by piece, in order: what is read was written there, whole, and ends where it ended.
//!
//! Each piece is `length(4, LE) envelope`, its place the stream's context, its number, and whether it is the last (the STREAM
//! construction of Hoang, Reyhanitabar, Rogaway and Vizár). Memory is bounded by a piece.

use std::io::{self, Read, Write};

use base::Secret;
use zeroize::{Zeroize as _, Zeroizing};

use crate::aead::OVERHEAD;
use crate::{Place, aead};

/// Bytes of a piece's content; only the last one may be shorter.
const PIECE: usize = 1 << 18;

fn place(context: &[u8; 32], number: u64, last: bool) -> Place {
    Place::new("meterkeep/stream/1").field(context).field(&number.to_le_bytes()).field(&[u8::from(last)])
}

/// Writes a sealed stream. It is whole only after [`StreamWriter::finish`].
pub struct StreamWriter<W> {
    into: W,
    key: Secret<32>,
    context: [u8; 32],
    number: u64,
    piece: Zeroizing<Vec<u8>>,
}

impl<W: Write> StreamWriter<W> {
    /// A stream under a key of its own, bound to a context that only this stream has.
    pub fn new(into: W, key: Secret<32>, context: [u8; 32]) -> Self {
        Self { into, key, context, number: 0, piece: Zeroizing::new(Vec::with_capacity(PIECE)) }
    }

    fn put(&mut self, last: bool) -> io::Result<()> {
        let place = place(&self.context, self.number, last);
        let sealed = aead::seal(&self.key, 0, &place, &self.piece).map_err(io::Error::other)?;
        let length = u32::try_from(sealed.len()).map_err(io::Error::other)?;
        self.into.write_all(&length.to_le_bytes())?;
        self.into.write_all(&sealed)?;
        self.number = self.number.wrapping_add(1);
        self.piece.zeroize();
        Ok(())
    }

    /// Ends the stream, and gives back what it was written into.
    ///
    /// # Errors
    /// What the writer says.
    pub fn finish(mut self) -> io::Result<W> {
        self.put(true)?;
        self.into.flush()?;
        Ok(self.into)
    }
}

impl<W: Write> Write for StreamWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() == PIECE {
            self.put(false)?;
        }
        let take = bytes.len().min(PIECE.saturating_sub(self.piece.len()));
        self.piece.extend_from_slice(bytes.get(..take).unwrap_or_default());
        Ok(take)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}

/// Reads a sealed stream. What it gives is authentic; that it is whole is known at its end.
pub struct StreamReader<R> {
    from: R,
    key: Secret<32>,
    context: [u8; 32],
    number: u64,
    piece: Zeroizing<Vec<u8>>,
    taken: usize,
    ended: bool,
}

impl<R: Read> StreamReader<R> {
    /// A stream as [`StreamWriter::new`] began it.
    pub fn new(from: R, key: Secret<32>, context: [u8; 32]) -> Self {
        let piece = Zeroizing::new(Vec::new());
        Self { from, key, context, number: 0, piece, taken: 0, ended: false }
    }

    fn next_piece(&mut self) -> io::Result<()> {
        let broken = |what: &'static str| io::Error::new(io::ErrorKind::InvalidData, what);
        let mut length = [0; 4];
        self.from.read_exact(&mut length).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => broken("it ends too early"),
            _ => e,
        })?;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if !(OVERHEAD..=PIECE + OVERHEAD).contains(&length) {
            return Err(broken("it was changed"));
        }
        let mut sealed = vec![0; length];
        self.from.read_exact(&mut sealed).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => broken("it ends too early"),
            _ => e,
        })?;
        let open = |last| aead::open(&self.key, &place(&self.context, self.number, last), &sealed);
        let (piece, last) = match open(false) {
            Ok(piece) => (piece, false),
            Err(_) => (open(true).map_err(|_| broken("it was changed"))?, true),
        };
        self.piece = Zeroizing::new(piece);
        (self.taken, self.ended) = (0, last);
        self.number = self.number.wrapping_add(1);
        if last && self.from.read(&mut [0])? != 0 {
            return Err(broken("something follows its end"));
        }
        Ok(())
    }
}

impl<R: Read> Read for StreamReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.taken >= self.piece.len() {
            if self.ended {
                return Ok(0);
            }
            self.next_piece()?;
        }
        let rest = self.piece.get(self.taken..).unwrap_or_default();
        let take = rest.len().min(into.len());
        for (to, from) in into.iter_mut().zip(rest) {
            *to = *from;
        }
        self.taken = self.taken.saturating_add(take);
        Ok(take)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealed(content: &[u8]) -> Vec<u8> {
        let mut writer = StreamWriter::new(Vec::new(), Secret::new([3; 32]), [4; 32]);
        writer.write_all(content).unwrap();
        writer.finish().unwrap()
    }

    fn opened(sealed: &[u8], context: [u8; 32]) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        StreamReader::new(sealed, Secret::new([3; 32]), context).read_to_end(&mut content)?;
        Ok(content)
    }

    #[test]
    fn contents_of_all_lengths_come_back_whole_or_not_at_all() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 7] {
            let content: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let stream = sealed(&content);
            assert!(opened(&stream, [4; 32]).unwrap() == content, "{length}");
            assert!(opened(&stream, [5; 32]).is_err());
            // cut anywhere, also between two pieces
            for cut in [0, 3, stream.len() - 1, PIECE + OVERHEAD + 4] {
                assert!(
                    opened(&stream[..cut.min(stream.len() - 1)], [4; 32]).is_err(),
                    "{length} cut at {cut}"
                );
            }
            assert!(opened(&[&stream[..], &[0]].concat(), [4; 32]).is_err());
        }
        let long = sealed(&vec![7; 3 * PIECE]);
        let (first, rest) = long.split_at(PIECE + OVERHEAD + 4);
        let (second, third) = rest.split_at(PIECE + OVERHEAD + 4);
        assert!(opened(&[second, first, third].concat(), [4; 32]).is_err(), "pieces keep their order");
    }

    proptest! {
        #[test]
        fn no_changed_byte_opens(content in prop::collection::vec(any::<u8>(), 0..600), at: prop::sample::Index, bit in 0u8..8) {
            let mut stream = sealed(&content);
            let at = at.index(stream.len());
            stream[at] ^= 1 << bit;
            prop_assert!(opened(&stream, [4; 32]).is_err());
        }
    }
}
