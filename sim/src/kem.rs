//! Writes key files as a supplier would, so that a simulated town's keys go into a house by the real import.

use std::io::{Cursor, Write as _};

use aes::cipher::{BlockModeEncrypt as _, KeyIvInit as _, block_padding::NoPadding};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize as _, Zeroizing};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::electricity::ElectricityMeter;
use crate::meter::Meter;

const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";

/// Meters that fit into one file: readers limit its size.
pub const MAX_METERS: usize = 20_000;

/// Why a key file was not written.
#[derive(Debug, thiserror::Error)]
pub enum KemError {
    /// The format has room for sixteen bytes of password and none for none.
    #[error("a key file's password has 1 to 16 bytes; this one has {0}")]
    Password(usize),
    /// More meters than a file holds.
    #[error("a key file holds at most {MAX_METERS} meters; these are {0}: write several")]
    Meters(usize),
    /// The zip archive could not be made.
    #[error("cannot pack the key file: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// The zip archive could not be filled.
    #[error("cannot pack the key file: {0}")]
    Io(#[from] std::io::Error),
}

/// A meter of a key file.
struct Entry<'a> {
    serial: String,
    maker: String,
    model: &'a str,
    consumption: &'a str,
    /// The names that the format has for keys, and the keys.
    keys: Vec<(&'static str, &'a [u8; 16])>,
}

/// A `.zip.kem` file with the keys of these meters.
///
/// # Errors
/// See [`KemError`].
pub fn write<'a>(meters: impl Iterator<Item = &'a Meter>, password: &str) -> Result<Vec<u8>, KemError> {
    let entry = |meter: &'a Meter| Entry {
        serial: meter.address().serial().to_string(),
        maker: meter.address().manufacturer().to_string(),
        model: meter.kind().model,
        consumption: meter.kind().consumption,
        keys: vec![("DEK", meter.key())],
    };
    pack(meters.map(entry), password)
}

/// The same for electricity meters: the key that encrypts, and the one of the tag where there is one.
///
/// # Errors
/// See [`KemError`].
pub fn write_electricity<'a>(
    meters: impl Iterator<Item = &'a ElectricityMeter>,
    password: &str,
) -> Result<Vec<u8>, KemError> {
    let entry = |meter: &'a ElectricityMeter| Entry {
        serial: format!("{:08}", meter.serial()),
        maker: "KAM".to_owned(),
        model: "OMNIPOWER",
        consumption: "Electricity",
        keys: [("GPK60", Some(meter.encryption_key())), ("GPK61", meter.authentication_key())]
            .into_iter()
            .filter_map(|(name, key)| Some((name, key?)))
            .collect(),
    };
    pack(meters.map(entry), password)
}

fn pack<'a>(entries: impl Iterator<Item = Entry<'a>>, password: &str) -> Result<Vec<u8>, KemError> {
    if password.is_empty() || password.len() > 16 {
        return Err(KemError::Password(password.len()));
    }
    let mut document = Zeroizing::new(String::from("<MetersInOrder orderid=\"SIM\" schemaVersion=\"2.0\">"));
    let mut count = 0;
    for Entry { serial, maker, model, consumption, keys } in entries {
        count += 1;
        document
            .push_str(&format!("<Meter><MeterNo>{serial}</MeterNo><SerialNo>{serial}</SerialNo><EncKeys>"));
        for (name, key) in keys {
            let key = Zeroizing::new(hex::encode_upper(key));
            for part in ["<", name, ">", key.as_str(), "</", name, ">"] {
                document.push_str(part);
            }
        }
        document.push_str(&format!(
            "</EncKeys><MeterName>{model}</MeterName><ConsumptionType>{consumption}</ConsumptionType><ConfigNo />\
             <TypeNo /><VendorId>{maker}</VendorId></Meter>"
        ));
    }
    if count > MAX_METERS {
        return Err(KemError::Meters(count));
    }
    document.push_str("</MetersInOrder>");
    let outer = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><EncryptedData Type=\"{XENC}aes128-cbc\" xmlns=\"{XENC}\">\
         <EncryptionMethod Algorithm=\"{XENC}aes128-cbc\" /><CipherData><CipherValue>{}</CipherValue></CipherData>\
         </EncryptedData>",
        STANDARD.encode(encrypt(document.as_bytes(), password))
    );
    store(&[("00000000000000000000000051494D00.kem", outer.as_bytes())])
}

/// A zip archive of members that lie in it as they are.
///
/// # Errors
/// [`KemError::Zip`] and [`KemError::Io`].
pub fn store(members: &[(&str, &[u8])]) -> Result<Vec<u8>, KemError> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in members {
        zip.start_file(*name, stored)?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// AES-128-CBC with the password as key and vector, filled with zeros, as the format has it.
fn encrypt(document: &[u8], password: &str) -> Vec<u8> {
    let mut key = [0; 16];
    key.iter_mut().zip(password.bytes()).for_each(|(to, from)| *to = from);
    let mut bytes = document.to_vec();
    bytes.resize(document.len().next_multiple_of(16), 0);
    let length = bytes.len();
    let cipher = cbc::Encryptor::<aes::Aes128Enc>::new(&key.into(), &key.into());
    // whole blocks always fit; were they not to, nothing would be written
    let written = cipher.encrypt_padded::<NoPadding>(&mut bytes, length).map_or(0, <[u8]>::len);
    key.zeroize();
    bytes.truncate(written);
    bytes
}
