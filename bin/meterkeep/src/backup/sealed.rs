//! A backup file: who can open it, then the files, sealed piece by piece.
//!
//! `MKBACKUP1 length(4, LE) head pieces`. The head names the house, the moment and the officers; the key of the pieces lies in
//! it once for each officer, sealed to the key that they receive with.

use std::io::{self, Read, Write};

use base::{Secret, UtcMillis, random};
use seal::SealError;
use seal::hybrid::{KeyPair, PublicKey, Sealed};
use seal::stream::{StreamReader, StreamWriter};
use sha2::{Digest, Sha256};
use wire::Message as _;
use wire::backup::{BackupHead as Head, BackupOpener as Opener};

const MAGIC: &[u8; 9] = b"MKBACKUP1";
/// Longest head: 64 officers, and room.
const MAX_HEAD: usize = 256 * 1024;
const INFO: &[u8] = b"meterkeep/backup/1 house->officer";

/// What the key is bound to besides its officer: house and moment.
fn aad(head: &Head) -> Vec<u8> {
    [&head.house[..], &head.made_ms.to_le_bytes(), &head.nonce].concat()
}

/// Begins a backup for officers, by name and key.
pub(crate) fn write<W: Write>(
    mut into: W,
    (house, name): ([u8; 32], &str),
    made: UtcMillis,
    officers: &[(String, PublicKey)],
) -> io::Result<StreamWriter<W>> {
    let sealing = |e: SealError| io::Error::other(e);
    let key = Secret::<32>::random().map_err(io::Error::other)?;
    let nonce = random::<16>().map_err(io::Error::other)?.to_vec();
    let mut head =
        Head { house: house.to_vec(), name: name.to_owned(), made_ms: made.0, officers: Vec::new(), nonce };
    let bound = aad(&head);
    for (name, public) in officers {
        let sealed = public.seal_to(INFO, &bound, key.expose()).map_err(sealing)?.to_vec();
        head.officers.push(Opener { name: name.clone(), sealed });
    }
    let head = head.encode_to_vec();
    into.write_all(MAGIC)?;
    into.write_all(&u32::try_from(head.len()).map_err(io::Error::other)?.to_le_bytes())?;
    into.write_all(&head)?;
    // the pieces are bound to the whole head: no officer can be added to a backup, nor another moment written over
    Ok(StreamWriter::new(into, key, Sha256::digest(&head).into()))
}

/// Reads the head.
pub(crate) fn read_head(mut from: impl Read) -> io::Result<(Head, [u8; 32])> {
    let no_backup = || io::Error::new(io::ErrorKind::InvalidData, "it is no backup of a vault");
    let mut start = [0; 13];
    from.read_exact(&mut start).map_err(|_| no_backup())?;
    let [magic @ .., a, b, c, d] = start;
    let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if magic != *MAGIC || length > MAX_HEAD {
        return Err(no_backup());
    }
    let mut head = vec![0; length];
    from.read_exact(&mut head).map_err(|_| no_backup())?;
    let hash = Sha256::digest(&head).into();
    Ok((Head::decode(head.as_slice()).map_err(|_| no_backup())?, hash))
}

/// Opens what follows the head, as one of its officers.
pub(crate) fn open<R: Read>(
    from: R,
    (head, hash): (&Head, [u8; 32]),
    officer: &KeyPair,
) -> io::Result<StreamReader<R>> {
    let bound = aad(head);
    let open = |opener: &Opener| {
        let sealed = Sealed::from_slice(&opener.sealed).ok()?;
        let key = officer.open_secret(INFO, &bound, &sealed).ok()?;
        Secret::from_slice(key.expose())
    };
    let key = head.officers.iter().find_map(open).ok_or_else(|| {
        let names: Vec<&str> = head.officers.iter().map(|o| o.name.as_str()).collect();
        io::Error::other(format!("it is not sealed to this officer, but to {}", names.join(", ")))
    })?;
    Ok(StreamReader::new(from, key, hash))
}
