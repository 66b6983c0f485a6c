//! What long fuzzing has found worth keeping, a file a target in `fuzz/corpus`: an input a line, in hexadecimal, the
//! shortest first. Small, so that it lies in the repository and every test run goes over it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

/// Most bytes of inputs that a target keeps.
pub const MOST_BYTES: usize = 24 << 10;

fn file(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("corpus").join(format!("{target}.hex"))
}

/// The inputs that a target keeps; none where it has no file.
///
/// # Errors
/// When the file cannot be read, or a line of it is not hexadecimal: somebody has edited it.
pub fn kept(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let text = match std::fs::read_to_string(file(target)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let wrong = |line| io::Error::new(io::ErrorKind::InvalidData, format!("{target}: `{line}` is no input"));
    text.lines().map(|line| unhex(line).ok_or_else(|| wrong(line))).collect()
}

/// Keeps the inputs of a folder, the shortest first, as far as [`MOST_BYTES`] go. Gives how many.
///
/// # Errors
/// When the folder or the file cannot be read or written.
pub fn keep(target: &str, folder: &Path) -> io::Result<usize> {
    let mut inputs = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let input = std::fs::read(entry?.path())?;
        inputs.insert((input.len(), input));
    }
    let (mut text, mut room, mut number) = (String::new(), MOST_BYTES, 0);
    for (length, input) in inputs {
        let Some(left) = room.checked_sub(length.max(1)) else { break };
        (room, number) = (left, number + 1);
        for byte in input {
            _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
    }
    let file = file(target);
    file.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    std::fs::write(file, text).map(|()| number)
}

fn unhex(line: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let (pairs, []) = line.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}
