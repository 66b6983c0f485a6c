//! The file in which a session lies between two commands: its owner's alone, one a house.

use std::path::{Path, PathBuf};

use base::{Secret, UtcMillis};
use house::Layout;
use seal::sign::Signer;
use serde::{Deserialize, Serialize};
use wire::Room;
use zeroize::{Zeroize as _, Zeroizing};

use crate::problem::Problem;
use crate::secret::refuse_open_to_others;

/// Files with more are none of these.
const MAX_FILE: u64 = 16 * 1024;
const HEAD: &str = "# Who has this file is signed in to the house as you, until the session ends.\n";

/// Somebody who is signed in.
pub(crate) struct SignedIn {
    /// As the house names them.
    pub person: String,
    /// Signs each call.
    pub signer: Signer,
    /// Which house calls are for.
    pub house: [u8; 32],
    /// The session's id.
    pub id: Vec<u8>,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Contents {
    /// By which this device is known the next time, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Stored>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    person: String,
    id: String,
    until: String,
    key: String,
}

/// Which house it is, as grants and approvals name it.
pub(crate) fn house_of(layout: &Layout) -> Result<[u8; 32], Problem> {
    let warden = layout.verifier(Room::Warden).map_err(|e| Problem::new(e.to_string()))?;
    Ok(grant::act::house_of(warden.as_bytes()))
}

/// Where the session of this house lies.
fn path(layout: &Layout) -> Result<PathBuf, Problem> {
    if let Some(path) = std::env::var_os("METERKEEP_SESSION") {
        return Ok(path.into());
    }
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let folder = state.or_else(home).ok_or_else(|| {
        Problem::new("there is no home folder to keep the session in").help("set METERKEEP_SESSION to a file")
    })?;
    let house = hex::encode(house_of(layout)?.get(..8).unwrap_or_default());
    Ok(folder.join("meterkeep").join(format!("{house}.session")))
}

fn read(path: &Path) -> Result<Contents, Problem> {
    if !path.exists() {
        return Ok(Contents::default());
    }
    let not_one = || {
        Problem::new(format!("`{}` is no file of a session", path.display()))
            .help("remove it and sign in again with `meterkeep login`")
    };
    if refuse_open_to_others(path, "session")?.len() > MAX_FILE {
        return Err(not_one());
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(Problem::at(path))?);
    toml::from_str(&text).map_err(|_| not_one())
}

fn write(path: &Path, contents: &Contents) -> Result<(), Problem> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Problem::at(folder))?;
    }
    let text = Zeroizing::new(toml::to_string(contents).map_err(Problem::at(path))?);
    let text = Zeroizing::new(format!("{HEAD}{}", *text));
    journal::write_atomically(&journal::RealDisk, path, text.as_bytes()).map_err(Problem::at(path))
}

/// Who is signed in to this house, if its file says so and the session is not over yet.
pub(crate) fn signed_in(layout: &Layout, now: UtcMillis) -> Result<Option<SignedIn>, Problem> {
    // who may not see which house it is has no session in it either
    let Ok(path) = path(layout) else { return Ok(None) };
    let Some(mut stored) = read(&path)?.session else { return Ok(None) };
    let until: Option<UtcMillis> = stored.until.parse().ok();
    let bytes = hex::decode(&stored.key).ok().map(Zeroizing::new);
    stored.key.zeroize();
    let seed = bytes.and_then(|bytes| Secret::from_slice(&bytes));
    let (Some(until), Some(seed), Ok(id)) = (until, seed, hex::decode(&stored.id)) else {
        return Err(Problem::new(format!("`{}` is no file of a session", path.display()))
            .help("remove it and sign in again with `meterkeep login`"));
    };
    if until <= now {
        return Ok(None);
    }
    let signer = Signer::from_seed(&seed);
    Ok(Some(SignedIn { person: stored.person, signer, house: house_of(layout)?, id }))
}

/// The token by which this device is known, or nothing.
pub(super) fn device(layout: &Layout) -> Result<Vec<u8>, Problem> {
    let device = read(&path(layout)?)?.device;
    Ok(device.and_then(|text| hex::decode(text).ok()).unwrap_or_default())
}

/// Keeps a session, and the token of this device where a new one was given.
pub(super) fn keep(
    layout: &Layout,
    session: &SignedIn,
    until: UtcMillis,
    device: &[u8],
) -> Result<(), Problem> {
    let path = path(layout)?;
    let before = read(&path).unwrap_or_default();
    let stored = Stored {
        person: session.person.clone(),
        id: hex::encode(&session.id),
        until: until.to_string(),
        key: hex::encode(session.signer.expose_seed()),
    };
    let device = if device.is_empty() { before.device } else { Some(hex::encode(device)) };
    let mut contents = Contents { device, session: Some(stored) };
    let written = write(&path, &contents);
    contents.session.iter_mut().for_each(|stored| stored.key.zeroize());
    written
}

/// Forgets the session; the device stays known.
pub(super) fn forget_session(layout: &Layout) -> Result<(), Problem> {
    let path = path(layout)?;
    let device = read(&path).unwrap_or_default().device;
    write(&path, &Contents { device, session: None })
}
