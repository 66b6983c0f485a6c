//! Lines that several of the text formats share.

use crate::hash::Hash;
use crate::proof::MAX_PROOF;
use crate::tile::decimal;
use crate::tree::MAX_SIZE;

/// The first line of a text, without its end, and the rest; `None` where no line ends.
pub(crate) fn line(text: &str) -> Option<(&str, &str)> {
    text.split_once('\n')
}

/// A number of leaves or an index as these formats write it.
pub(crate) fn number(text: &str) -> Option<u64> {
    decimal(text, 19).filter(|n| *n <= MAX_SIZE)
}

/// The hashes of a proof, one a line, up to an empty line; and what follows it.
pub(crate) fn hashes(mut text: &str) -> Option<(Vec<Hash>, &str)> {
    let mut hashes = Vec::new();
    loop {
        let (first, rest) = line(text)?;
        text = rest;
        if first.is_empty() {
            return Some((hashes, text));
        }
        if hashes.len() == MAX_PROOF {
            return None;
        }
        hashes.push(Hash::from_base64(first)?);
    }
}

/// The hashes of a proof as lines, with the empty one.
pub(crate) fn write_hashes(text: &mut String, hashes: &[Hash]) {
    for hash in hashes {
        text.push_str(&hash.to_base64());
        text.push('\n');
    }
    text.push('\n');
}
