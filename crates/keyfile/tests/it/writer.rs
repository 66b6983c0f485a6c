//! Makes key files, so that the tests need no sample of anybody's.

use std::io::{Cursor, Write};

use aes::cipher::{BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};
use base::{SecretBytes, UtcMillis};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyfile::{KeyFile, KeyFileError, Trust};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

pub(crate) const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
pub(crate) const PASSWORD: &str = "a-password";
pub(crate) const K1: &str = "6D1B0C44A7F35E20918C3FDD0A57E6B2";
pub(crate) const K2: &str = "F3A9D51E7C20884B6E5510C9A2B7043D";

pub(crate) fn encrypt(document: &[u8], password: &str, fill: u8) -> Vec<u8> {
    let mut key = [0; 16];
    for (to, from) in key.iter_mut().zip(password.bytes()) {
        *to = from;
    }
    let mut bytes = document.to_vec();
    bytes.resize(document.len().next_multiple_of(16), fill);
    let length = bytes.len();
    cbc::Encryptor::<aes::Aes128>::new(&key.into(), &key.into())
        .encrypt_padded::<NoPadding>(&mut bytes, length)
        .unwrap();
    bytes
}

pub(crate) fn encrypted_data(cipher_text: &[u8]) -> String {
    let value = STANDARD.encode(cipher_text);
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><EncryptedData Type=\"{XENC}aes128-cbc\" xmlns=\"{XENC}\">\
         <EncryptionMethod Algorithm=\"{XENC}aes128-cbc\" /><CipherData><CipherValue>{value}</CipherValue>\
         </CipherData></EncryptedData>"
    )
}

pub(crate) fn bare(document: &str) -> Vec<u8> {
    encrypted_data(&encrypt(document.as_bytes(), PASSWORD, 0)).into_bytes()
}

pub(crate) fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, data) in members {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        writer.start_file(*name, options).unwrap();
        writer.write_all(data).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

pub(crate) fn meter(serial: &str, keys: &str) -> String {
    format!(
        "<Meter><MeterNo>C-{serial}</MeterNo><SerialNo>{serial}</SerialNo><EncKeys>{keys}</EncKeys>\
         <MeterName>MC21</MeterName><ConsumptionType>VolumeCold</ConsumptionType><ConfigNo /><TypeNo>T1</TypeNo>\
         <VendorId>KAM</VendorId></Meter>"
    )
}

pub(crate) fn kem(meters: &str) -> String {
    format!("<MetersInOrder orderid=\"O-7\" schemaVersion=\"2.0\">{meters}</MetersInOrder>")
}

pub(crate) fn read(file: &[u8]) -> Result<KeyFile, KeyFileError> {
    read_with(file, PASSWORD)
}

pub(crate) fn read_with(file: &[u8], password: &str) -> Result<KeyFile, KeyFileError> {
    keyfile::read(file, &SecretBytes::new(password.into()), &Trust::nobody(now()))
}

pub(crate) fn now() -> UtcMillis {
    UtcMillis(1_785_000_000_000) // July 2026
}

/// The refusal, where a test expects one.
pub(crate) fn refused(file: &[u8]) -> KeyFileError {
    read(file).err().expect("a refusal")
}

/// `KAM-90000001 DEK=6D1B..`, one line a key: what a test compares.
pub(crate) fn listed(file: &KeyFile) -> Vec<String> {
    let line = |d: &keyfile::Device, k: &keyfile::Key| {
        format!("{} {}={}", d.name(), k.role, hex::encode_upper(k.bytes.expose()))
    };
    file.devices.iter().flat_map(|d| d.keys.iter().map(move |k| line(d, k))).collect()
}
