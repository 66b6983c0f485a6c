//! Meter key files as suppliers send them: Kamstrup KEM and KEM2, and lists in plain text; and the reader of tables that
//! lists and registers have in common.
//!
//! A key file is a zip archive (or its one data member) with an XML document, encrypted under a password that is
//! the key itself. File and password together are as good as clear text: read them where the keys are kept, wrap
//! the keys at once, delete the file. [`read`] takes bytes and gives meters; it opens no file and keeps nothing.
//!
//! Nothing in a KEM file proves that its keys are right: there is no integrity check, so that changed bits pass
//! unnoticed. Trust a key only when a telegram of the meter has opened with it.
//!
//! ```
//! use base::{SecretBytes, UtcMillis};
//!
//! let password = SecretBytes::new(b"12345".to_vec());
//! let refused = keyfile::read(b"not a key file", &password, &keyfile::Trust::nobody(UtcMillis(0)));
//! assert_eq!(refused.err().map(|e| e.name()), Some("keyfile-unknown-format"));
//! ```

mod archive;
mod c14n;
mod certificate;
mod cipher;
mod device;
mod document;
mod error;
mod list;
mod merge;
mod signature;
mod signer;
mod xml;

use base::SecretBytes;

pub use certificate::{Certificate, CertificateError, MAX_CERTIFICATE, pem_part};
pub use device::{Device, DeviceError, Key, KeyBytes, KeyRole, RefusedDevice};
pub use error::{KeyFileError, Part};
pub use list::{
    Header, ListError, MAX_LINES, Mapping, MappingError, Named, Names, Row, is_list, is_workbook, read_list,
    read_rows,
};
pub use merge::SharedKey;
pub use signature::Signature;
pub use signer::{Signer, Trust};

use document::Edition;
use error::shown;
use xml::Limits;

/// Bytes of a key file as delivered.
pub const MAX_FILE: usize = 12 << 20;
/// Bytes of the XML document, unpacked: room for some thirty thousand meters.
pub const MAX_DOCUMENT: usize = 16 << 20;
/// Members of the zip archive; the portal makes two.
pub const MAX_MEMBERS: usize = 16;
/// Bytes that a workbook unpacks to, all members together.
pub const MAX_UNPACKED: usize = 2 * MAX_DOCUMENT;

const OUTER: Limits = Limits { elements: 64, depth: 8, attributes: 8, name: 64 };
const INNER: Limits = Limits { elements: 600_000, depth: 12, attributes: 8, name: 64 };
const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
const AES128_CBC: &str = "http://www.w3.org/2001/04/xmlenc#aes128-cbc";

/// Which format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `MetersInOrder`, the older one; never signed.
    Kem,
    /// `Devices`, the newer one.
    Kem2,
    /// A list in plain text; never signed.
    List,
}

/// A key file that was read.
pub struct KeyFile {
    /// Which format.
    pub kind: Kind,
    /// Who made it, as far as that can be told.
    pub signature: Signature,
    /// The meters, in the order of the file.
    pub devices: Vec<Device>,
    /// The meters that are refused, with the reason for each.
    pub refused: Vec<RefusedDevice>,
    /// Keys that several meters have in common: allowed, but each opens the others.
    pub shared: Vec<SharedKey>,
}

/// Reads a KEM or KEM2 file, zipped or not. Time and memory are bounded by [`MAX_FILE`] and [`MAX_DOCUMENT`].
///
/// # Errors
/// [`KeyFileError`] when the file as a whole is refused. A single bad meter does not refuse the file; it is listed
/// in [`KeyFile::refused`].
pub fn read(file: &[u8], password: &SecretBytes, trust: &Trust) -> Result<KeyFile, KeyFileError> {
    let zipped = archive::is_zip(file);
    let limit = if zipped { MAX_FILE } else { MAX_DOCUMENT };
    if file.len() > limit {
        return Err(KeyFileError::TooLarge { bytes: file.len(), limit });
    }
    let unpacked = if zipped { Some(archive::data_member(file)?) } else { None };
    let outer =
        std::str::from_utf8(unpacked.as_deref().unwrap_or(file)).map_err(|_| KeyFileError::NotAKeyFile)?;
    if !outer.trim_start_matches('\u{feff}').trim_start().starts_with('<') {
        return Err(KeyFileError::NotAKeyFile);
    }
    let outer = xml::parse(outer, Part::Outer, OUTER)?;
    let cipher_value = cipher_value(&outer)?;
    let outer_signature = signature::check(&outer, trust)?;

    let plain = cipher::open(cipher_value, password)?;
    let inner = xml::parse(&plain, Part::Inner, INNER)?;
    let (kind, edition) = match &*inner.local {
        "MetersInOrder" => (Kind::Kem, Edition::Kem),
        "Devices" => (Kind::Kem2, Edition::Kem2),
        _ => return Err(KeyFileError::WrongPassword),
    };
    // A signature that covers the plain document is as good as one around the cipher text.
    let signature = match (outer_signature, signature::check(&inner, trust)?) {
        (Signature::Absent, inner) => inner,
        (outer, _) => outer,
    };
    match &signature {
        Signature::Absent if trust.required() => return Err(KeyFileError::Unsigned),
        Signature::Valid(signer) if trust.required() && !signer.trusted => {
            return Err(KeyFileError::SignerUnknown(signer.subject.clone()));
        }
        _ => {}
    }
    let (devices, mut refused) = document::devices(&inner, edition);
    let devices = merge::merge(devices, &mut refused);
    let shared = merge::shared_keys(&devices);
    Ok(KeyFile { kind, signature, devices, refused, shared })
}

/// Reads a decrypted document and forgets it: for fuzzers, which cannot see through the encryption.
#[doc(hidden)]
pub fn read_document(text: &str) {
    let Ok(root) = xml::parse(text, Part::Inner, INNER) else { return };
    let _ = signature::check(&root, &Trust::nobody(base::UtcMillis(0)));
    for edition in [Edition::Kem, Edition::Kem2] {
        let (devices, mut refused) = document::devices(&root, edition);
        merge::shared_keys(&merge::merge(devices, &mut refused));
    }
}

/// The one cipher value of an `EncryptedData` document.
fn cipher_value(outer: &xml::Element) -> Result<&str, KeyFileError> {
    if &*outer.local != "EncryptedData" || &*outer.namespace != XENC {
        return Err(KeyFileError::NotEncryptedData(shown(&outer.local)));
    }
    for method in outer.all("EncryptionMethod") {
        let algorithm = method.attribute("Algorithm").unwrap_or_default();
        if algorithm != AES128_CBC {
            return Err(KeyFileError::Encryption(shown(algorithm)));
        }
    }
    let mut values = outer.all("CipherValue");
    match (values.next(), values.next()) {
        (Some(value), None) => value.text().ok_or(KeyFileError::Base64),
        _ => Err(KeyFileError::CipherValues(outer.all("CipherValue").count())),
    }
}
