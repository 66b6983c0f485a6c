//! The key that the house signs hand-overs with, so that receivers know whose list they hold.

use base::Secret;
use envelope::cms::Signer;
use house::Layout;
use journal::{Disk, read_whole, write_atomically};
use link::pki;
use seal::{Place, aead};
use wire::Room;
use zeroize::Zeroizing;

use crate::codec::{Fields, put_bytes};
use crate::root::RootError;

/// The file, for all to read, with the certificate that receivers pin.
pub const HANDOVER_CERTIFICATE: &str = "handover.pem";
const MAX_FILE: usize = 16 * 1024;

fn file(layout: &Layout) -> std::path::PathBuf {
    layout.room(Room::Vault).join("handover.key")
}

fn place() -> Place {
    Place::new("meterkeep/vault-handover-key/1")
}

/// Makes the key and its certificate, under a house's name, unless they are there.
pub(crate) fn create(
    disk: &dyn Disk,
    layout: &Layout,
    standing: &Secret<32>,
    house: &str,
) -> Result<(), RootError> {
    if read_whole(disk, &file(layout), MAX_FILE)?.is_some() {
        return Ok(());
    }
    let made = pki::make_list_signer(house).map_err(|_| RootError::NoRandomness)?;
    let parts: [&[u8]; 4] = [&made.key, &made.certificate, &made.issuer, &made.serial];
    let mut plain = Zeroizing::new(Vec::with_capacity(parts.iter().map(|p| p.len() + 10).sum()));
    parts.iter().for_each(|part| put_bytes(&mut plain, part));
    let sealed = aead::seal(standing, 1, &place(), &plain)?;
    write_atomically(disk, &layout.public(HANDOVER_CERTIFICATE), made.pem.as_bytes())?;
    Ok(write_atomically(disk, &file(layout), &sealed)?)
}

/// The key, where there is one: houses of the first days have none until an officer is pinned.
pub(crate) fn load(
    disk: &dyn Disk,
    layout: &Layout,
    standing: &Secret<32>,
) -> Result<Option<Signer>, RootError> {
    let Some(sealed) = read_whole(disk, &file(layout), MAX_FILE)? else { return Ok(None) };
    let foreign = || RootError::Foreign(file(layout));
    let plain = Zeroizing::new(aead::open(standing, &place(), &sealed).map_err(|_| foreign())?);
    let mut fields = Fields::of(&plain);
    let mut next = || fields.bytes().map_err(|_| foreign());
    let (key, certificate, issuer, serial) = (next()?, next()?, next()?, next()?);
    Signer::new(key, certificate, issuer, serial).map(Some).map_err(|_| foreign())
}
