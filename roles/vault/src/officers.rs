//! The key officers: people whose signatures the vault believes, by public keys that are pinned in its own sealed file.

use base::UtcMillis;
use house::Layout;
use journal::{Disk, read_whole, write_atomically};
use seal::sign::Verifier;
use seal::{Place, aead};
use wire::Room;

use crate::codec::{Fields, Malformed, put_bytes, put_varint};
use crate::keyring::Lasting;
use crate::root::RootError;

/// Officers of one house, at most.
pub(crate) const MAX_OFFICERS: usize = 64;
const MAX_FILE: usize = 16 * 1024;

/// The officers, and how often the list was changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Officers {
    pub(crate) changes: u64,
    pub(crate) list: Vec<Officer>,
}

/// A key officer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Officer {
    /// Their name, as acts state it.
    pub name: String,
    /// Their public key.
    pub key: Verifier,
    /// Since when.
    pub since: UtcMillis,
}

/// Why an officer is not pinned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfficerError {
    /// The name cannot be.
    #[error("`{0}` is no officer's name; give 1 to 64 letters, digits or signs without a space")]
    Name(String),
    /// The name is taken.
    #[error("there is an officer `{0}` already; remove that one first if the key is to change")]
    Taken(String),
    /// One person would be two.
    #[error("this key is `{0}`'s already; two officers with one key would be one person who approves alone")]
    SameKey(String),
    /// Nobody of that name.
    #[error("there is no officer `{0}`")]
    Unknown(String),
    /// Too many.
    #[error("a house has at most {MAX_OFFICERS} officers")]
    TooMany,
}

fn file(layout: &Layout) -> std::path::PathBuf {
    layout.room(Room::Vault).join("officers.list")
}

fn place() -> Place {
    Place::new("meterkeep/vault-officers/1")
}

/// The pinned officers; none where none was ever pinned.
pub(crate) fn load(disk: &dyn Disk, layout: &Layout, lasting: &Lasting) -> Result<Officers, RootError> {
    let Some(sealed) = read_whole(disk, &file(layout), MAX_FILE)? else { return Ok(Officers::default()) };
    let opened = aead::open(&lasting.officers_key(), &place(), &sealed).ok();
    let officers = opened.and_then(|bytes| decode(&bytes).ok());
    officers.ok_or_else(|| RootError::Foreign(file(layout)))
}

/// Writes the list; it holds from the vault's next start.
pub(crate) fn save(
    disk: &dyn Disk,
    layout: &Layout,
    lasting: &Lasting,
    officers: &Officers,
) -> Result<(), RootError> {
    let sealed = aead::seal(&lasting.officers_key(), 1, &place(), &encode(officers))?;
    Ok(write_atomically(disk, &file(layout), &sealed)?)
}

/// Adds an officer to a list.
pub(crate) fn pin(
    officers: &mut Officers,
    name: &str,
    key: Verifier,
    since: UtcMillis,
) -> Result<(), OfficerError> {
    if !grant::is_name(name) {
        return Err(OfficerError::Name(name.chars().take(70).collect()));
    }
    if officers.list.iter().any(|o| o.name == name) {
        return Err(OfficerError::Taken(name.to_owned()));
    }
    if let Some(same) = officers.list.iter().find(|o| o.key == key) {
        return Err(OfficerError::SameKey(same.name.clone()));
    }
    if officers.list.len() >= MAX_OFFICERS {
        return Err(OfficerError::TooMany);
    }
    officers.list.push(Officer { name: name.to_owned(), key, since });
    officers.changes = officers.changes.saturating_add(1);
    Ok(())
}

/// Takes an officer off a list.
pub(crate) fn unpin(officers: &mut Officers, name: &str) -> Result<(), OfficerError> {
    let before = officers.list.len();
    officers.list.retain(|o| o.name != name);
    if officers.list.len() == before {
        return Err(OfficerError::Unknown(name.to_owned()));
    }
    officers.changes = officers.changes.saturating_add(1);
    Ok(())
}

fn encode(officers: &Officers) -> Vec<u8> {
    let mut into = officers.changes.to_le_bytes().to_vec();
    put_varint(&mut into, officers.list.len() as u64);
    for officer in &officers.list {
        put_bytes(&mut into, officer.name.as_bytes());
        into.extend_from_slice(officer.key.as_bytes());
        into.extend_from_slice(&officer.since.0.to_le_bytes());
    }
    into
}

fn decode(bytes: &[u8]) -> Result<Officers, Malformed> {
    let mut fields = Fields::of(bytes);
    let mut officers = Officers { changes: fields.u64()?, list: Vec::new() };
    for _ in 0..fields.count(41)? {
        let name = String::from_utf8(fields.bytes()?.to_vec()).map_err(|_| Malformed)?;
        let key = Verifier::from_bytes(&fields.array::<32>()?).map_err(|_| Malformed)?;
        officers.list.push(Officer { name, key, since: UtcMillis(fields.i64()?) });
    }
    fields.end()?;
    Ok(officers)
}

#[cfg(test)]
mod tests {
    use seal::sign::Signer;

    use super::*;

    #[test]
    fn a_person_is_one_officer_and_the_list_comes_back() {
        let key = || Signer::generate().unwrap().verifier();
        let (anna, bo) = (key(), key());
        let mut officers = Officers::default();
        pin(&mut officers, "anna", anna, UtcMillis(1)).unwrap();
        pin(&mut officers, "bo", bo, UtcMillis(2)).unwrap();
        assert_eq!(decode(&encode(&officers)), Ok(officers.clone()));
        let mut pin = |name: &str, key| pin(&mut officers, name, key, UtcMillis(3)).unwrap_err();
        assert_eq!(pin("anna", key()), OfficerError::Taken("anna".into()));
        assert_eq!(pin("bo-2", bo), OfficerError::SameKey("bo".into()));
        assert_eq!(pin("an na", key()), OfficerError::Name("an na".into()));
        assert_eq!(unpin(&mut officers, "carl"), Err(OfficerError::Unknown("carl".into())));
        unpin(&mut officers, "anna").unwrap();
        assert_eq!((officers.list.len(), officers.changes), (1, 3));
        assert_eq!(decode(&[1, 2, 3]), Err(Malformed));
    }
}
