//! People and collectors: who they are, and which grants they get.
//!
//! A person is who the operating system says is at the socket. What they may do is decided by the house's policies, from
//! their roles, cases, access in time and emergencies; grants last ten minutes. As long as nobody has a role, the owner of the
//! house (and root) does everything alone; everybody else is denied with a reason. A collector is who proves, with a one-time
//! token's secret, that the owner wants it. Every grant, denial, enrolment and revocation is in the log before it
//! is answered: without the ledger's receipt nothing is given.

mod collectors;
mod enrolment;
mod errands;
mod in_force;
mod machine;
mod minting;
mod people;
mod reach;
mod service;
mod shown;
mod signing_in;
mod staff;
mod standing;
mod state;
mod tokens;

pub use enrolment::NotEnrolled;
pub use minting::{Denied, GRANT_LIFE_MS, MAX_MONTHS};
pub use people::{People, Person, Role};
pub use service::Warden;
pub use tokens::TokenKey;

use std::path::Path;
use std::sync::Arc;

use base::Secret;
use house::{Context, HouseConfig, StartError};
use journal::{Disk, RealDisk, read_whole, write_atomically};
use link::pki::Certified;
use recorder::LedgerRecorder;
use recorder::presence::Presence;
use wire::Room;
use zeroize::Zeroizing;

use crate::enrolment::Office;
use crate::signing_in::{Address, Desk, LoginFile};
use crate::staff::Staff;
use crate::state::StateFile;

/// Runs the room until it is told to stop.
///
/// # Errors
/// When keys or state cannot be read.
pub async fn run(context: Context) -> Result<(), StartError> {
    let layout = &context.layout;
    let folder = layout.room(Room::Warden);
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let office = Office {
        tokens: TokenKey::new(key_of_file(disk.as_ref(), &folder.join("token.key"), TOKENS_END)?),
        authority: Certified {
            certificate: text(&layout.collector_authority())?,
            key: text(&folder.join("collector-ca-key.pem"))?,
        },
        core_key: layout.verifier(Room::Intake)?,
    };
    let key = key_of_file(disk.as_ref(), &folder.join("login.key"), LOGINS_END)?;
    let file = LoginFile::new(Arc::clone(&disk), folder.join("sign-in"), key);
    let HouseConfig { name, address, .. } = &context.config.house;
    let desk = Desk::open(file, &Address { origin: address, title: name })
        .map_err(|e| StartError::during("cannot read who signs in")(&e))?;
    let ledger = layout.log_key()?;
    let recorder = LedgerRecorder::new(context.client(Room::Ledger)?, ledger.clone());
    let people = People::new(context.config.house.owner_uid);
    let staff = Staff::open(Arc::clone(&disk), &folder.join("staff"))
        .map_err(|e| StartError::during("cannot read who works here")(&e))?;
    let file = StateFile::new(disk, folder.join("state"));
    let log = (recorder.clone(), ledger);
    let warden = Warden::new(people, layout.signer(Room::Warden)?, log, office, (file, staff), desk)
        .map_err(|e| StartError::during("cannot read the warden's state")(&e))?;
    let door = context.door()?;
    let presence = Presence::begin(recorder, Room::Warden, warden.counters(), context.shutdown.clone());
    link::serve(door, Room::Warden, Arc::new(warden), context.shutdown).await;
    presence.end().await;
    Ok(())
}

fn text(path: &Path) -> Result<String, StartError> {
    std::fs::read_to_string(path)
        .map_err(|e| StartError(format!("cannot read `{}`: {e}; `meterkeep init` writes it", path.display())))
}

/// What becomes of it when the key is made anew that the secrets of tokens are derived from.
const TOKENS_END: &str = "open tokens end";
/// The same of the key under which ways to sign in are sealed.
const LOGINS_END: &str = "and the file `sign-in` beside it: everybody is invited anew";

/// A key of the warden's own: made at the first start, never shown.
fn key_of_file(disk: &dyn Disk, path: &Path, without: &str) -> Result<Secret<32>, StartError> {
    let failed = |e: &dyn std::fmt::Display| StartError(format!("`{}`: {e}", path.display()));
    if let Some(bytes) = read_whole(disk, path, 64).map_err(|e| failed(&e))? {
        let bytes = Zeroizing::new(bytes);
        return Secret::from_slice(&bytes).ok_or_else(|| {
            failed(&format!("it has not 32 bytes; put back a good copy, or move it away, {without}"))
        });
    }
    let key = Secret::random().map_err(|e| failed(&e))?;
    write_atomically(disk, path, key.expose()).map_err(|e| failed(&e))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use journal::faulty::FaultyDisk;

    use super::*;

    #[test]
    fn the_token_key_is_made_once_and_a_damaged_one_is_not_replaced() {
        let disk = FaultyDisk::new(0);
        disk.make_dir(Path::new("/w")).unwrap();
        let path = Path::new("/w/token.key");
        let first = key_of_file(&disk, path, TOKENS_END).ok().unwrap();
        assert_eq!(key_of_file(&disk, path, TOKENS_END).ok().unwrap().expose(), first.expose());
        write_atomically(&disk, path, &[1; 31]).unwrap();
        assert!(key_of_file(&disk, path, TOKENS_END).err().unwrap().to_string().contains("token.key"));
    }
}
