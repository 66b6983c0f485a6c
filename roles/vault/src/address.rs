//! What suppliers seal keys to: a P-256 key with its certificate, for CMS, and an X25519 key, for age. The private halves
//! lie in the ring of keys and never leave this room; of a container they open its key, and nothing else is shown to them.

use base::{Secret, SecretBytes};
use envelope::record::{Way, WrappedKey};
use envelope::{age, cms};
use house::Layout;
use link::pki;
use seal::hybrid::{KeyPair, Sealed};
use seal::parcel;
use wire::Room;
use zeroize::Zeroizing;

use crate::codec::{Fields, put_bytes};
use crate::keyring::Keyring;
use crate::root::{self, RootError};

/// The name of the keys in the ring.
const ADDRESS: &str = "address";

/// The keys, opened.
pub(crate) struct Address {
    cms: cms::PrivateKey,
    age: age::Identity,
    certificate: String,
}

/// Makes the keys. The certificate names the house by what acts name it by. Who calls saves the ring.
pub(crate) fn create(ring: &mut Keyring, house: &[u8; 32]) -> Result<(), RootError> {
    let (short, _) = house.split_at(8);
    let name = format!("Meterkeep vault {}", hex::encode(short));
    let made = pki::make_key_receiver(&name).map_err(|_| RootError::NoRandomness)?;
    let seed = root::random()?;
    let parts: [&[u8]; 3] = [&made.key, made.pem.as_bytes(), seed.expose()];
    let mut plain = Zeroizing::new(Vec::with_capacity(parts.iter().map(|p| p.len() + 10).sum()));
    parts.iter().for_each(|part| put_bytes(&mut plain, part));
    ring.keep(ADDRESS, SecretBytes::new(std::mem::take(&mut *plain)));
    Ok(())
}

/// Opens the keys.
pub(crate) fn open(layout: &Layout, ring: &Keyring) -> Result<Address, RootError> {
    let foreign = || RootError::Foreign(layout.room(Room::Vault));
    let mut fields = Fields::of(ring.secret(ADDRESS).ok_or_else(foreign)?.expose());
    let mut next = || fields.bytes().map_err(|_| foreign());
    let (key, certificate, seed) = (next()?, next()?, next()?);
    let seed = Secret::from_slice(seed).ok_or_else(foreign)?;
    Ok(Address {
        cms: cms::PrivateKey::from_pkcs8(key).map_err(|_| foreign())?,
        age: age::Identity::from_seed(&seed).map_err(|_| foreign())?,
        certificate: String::from_utf8(certificate.to_vec()).map_err(|_| foreign())?,
    })
}

impl Address {
    /// What suppliers get.
    pub(crate) fn shown(&self) -> wire::custody::Address {
        let age = self.age.recipient().as_bytes().to_vec();
        wire::custody::Address { certificate: self.certificate.clone(), age }
    }

    /// The key of a container, when it is wrapped for this house. `import` is the house's key pair for imports, which
    /// containers of its own format are sealed to.
    pub(crate) fn content_key(&self, import: &KeyPair, wrapped: &WrappedKey) -> Option<SecretBytes> {
        match wrapped.way.as_ref()? {
            Way::Agreed(_) | Way::Transported(_) => {
                let key = self.cms.content_key(wrapped).ok().flatten()?;
                Some(SecretBytes::new(key.expose().to_vec()))
            }
            Way::Age(_) => Some(SecretBytes::new(self.age.content_key(wrapped)?.expose().to_vec())),
            Way::Hybrid(hybrid) if hybrid.wrapped.len() == parcel::WRAPPED => {
                let sealed = Sealed { enc: hybrid.enc.clone(), ciphertext: hybrid.wrapped.clone() };
                import.open_secret(parcel::INFO, parcel::MAGIC, &sealed).ok()
            }
            Way::Hybrid(_) => None,
        }
    }
}
