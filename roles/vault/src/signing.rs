//! The key that the house signs hand-overs with, so that receivers know whose list they hold.

use base::SecretBytes;
use envelope::cms::Signer;
use house::Layout;
use journal::{Disk, write_atomically};
use link::pki;
use zeroize::Zeroizing;

use crate::codec::{Fields, put_bytes};
use crate::keyring::Keyring;
use crate::root::RootError;

/// The file, for all to read, with the certificate that receivers pin.
pub const HANDOVER_CERTIFICATE: &str = "handover.pem";
/// The key's name in the ring.
const HANDOVER: &str = "handover";

/// Makes the key and its certificate, under a house's name, unless they are there. Who calls saves the ring.
pub(crate) fn create(
    disk: &dyn Disk,
    layout: &Layout,
    ring: &mut Keyring,
    house: &str,
) -> Result<(), RootError> {
    if ring.secret(HANDOVER).is_some() {
        return Ok(());
    }
    let made = pki::make_list_signer(house).map_err(|_| RootError::NoRandomness)?;
    let parts: [&[u8]; 4] = [&made.key, &made.certificate, &made.issuer, &made.serial];
    let mut plain = Zeroizing::new(Vec::with_capacity(parts.iter().map(|p| p.len() + 10).sum()));
    parts.iter().for_each(|part| put_bytes(&mut plain, part));
    write_atomically(disk, &layout.public(HANDOVER_CERTIFICATE), made.pem.as_bytes())?;
    ring.keep(HANDOVER, SecretBytes::new(std::mem::take(&mut *plain)));
    Ok(())
}

/// The key, where there is one: houses of the first days have none until an officer is pinned.
pub(crate) fn load(layout: &Layout, ring: &Keyring) -> Result<Option<Signer>, RootError> {
    let Some(plain) = ring.secret(HANDOVER) else { return Ok(None) };
    let foreign = || RootError::Foreign(layout.public(HANDOVER_CERTIFICATE));
    let mut fields = Fields::of(plain.expose());
    let mut next = || fields.bytes().map_err(|_| foreign());
    let (key, certificate, issuer, serial) = (next()?, next()?, next()?, next()?);
    Signer::new(key, certificate, issuer, serial).map(Some).map_err(|_| foreign())
}
