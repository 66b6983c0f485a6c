//! Every sample of the shared folder gives exactly what its table says. The folder is read in place.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base::SecretBytes;
use keyfile::{Kind, Signature, Trust};
use serde_json::Value;

use crate::writer::now;

fn shared() -> Option<PathBuf> {
    let root = std::env::var_os("METERKEEP_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let folder = root.join("keyfiles");
    folder.join("expected.json").exists().then_some(folder)
}

/// What the table leaves to words: the name of each refusal, of a file or of a meter.
const REFUSALS: [(&str, &str); 10] = [
    ("bad-kem2-tampered.zip.kem2", "keyfile-signature-invalid"),
    ("bad-kem1-truncated.kem", "keyfile-truncated"),
    ("bad-outer-doctype.kem", "keyfile-doctype"),
    ("bad-inner-doctype.kem", "keyfile-doctype"),
    ("bad-zip-path.zip.kem", "keyfile-zip-path"),
    ("bad-zip-two-members.zip.kem", "keyfile-zip-ambiguous"),
    ("bad-zip-bomb.zip.kem", "keyfile-zip-bomb"),
    ("bad-key-length.kem", "keyfile-key-length"),
    ("bad-duplicate-meter.kem", "keyfile-meter-conflict"),
    ("semicolon-list.txt", "keyfile-unknown-format"),
];

#[test]
fn every_sample_gives_what_its_table_says() {
    let Some(folder) = shared() else {
        eprintln!("skipped: no ../shared/keyfiles");
        return;
    };
    let table = std::fs::read(folder.join("expected.json")).unwrap();
    let table: BTreeMap<String, Value> = serde_json::from_slice(&table).unwrap();
    assert!(table.len() >= 19, "{} samples", table.len());
    for (name, expected) in &table {
        let file = std::fs::read(folder.join(name)).unwrap();
        let password = SecretBytes::new(expected["password"].as_str().unwrap_or_default().into());
        let refusal = REFUSALS.iter().find(|(sample, _)| sample == name).map(|(_, refusal)| *refusal);
        match keyfile::read(&file, &password, &Trust::nobody(now())) {
            Err(e) => {
                assert_eq!(Some(e.name()), refusal, "{name}: {e}");
                assert!(expected["root"].is_null(), "{name}: refused as a whole: {e}");
            }
            Ok(read) => {
                let root = if read.kind == Kind::Kem { "MetersInOrder" } else { "Devices" };
                assert_eq!(expected["root"], root, "{name}");
                assert_eq!(read.refused.iter().map(|r| r.error.name()).next(), refusal, "{name}");
                let signed = matches!(read.signature, Signature::Valid(_));
                assert_eq!(expected["signature"] == "valid", signed, "{name}: signature");
                let got: Vec<Value> = read.devices.iter().map(as_expected).collect();
                assert_eq!(Value::Array(got), expected["devices"], "{name}");
            }
        }
        // And no sample opens under another password.
        if refusal.is_none() {
            let wrong = keyfile::read(&file, &SecretBytes::new(b"wrong".to_vec()), &Trust::nobody(now()));
            assert_eq!(wrong.err().map(|e| e.name()), Some("keyfile-wrong-password"), "{name}");
        }
    }
}

#[test]
fn the_sample_list_gives_what_its_table_says() {
    let Some(folder) = shared() else {
        eprintln!("skipped: no ../shared/keyfiles");
        return;
    };
    let table: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let expected = table["semicolon-list.txt"]["devices"].as_array().unwrap();
    let file = std::fs::read(folder.join("semicolon-list.txt")).unwrap();
    assert!(keyfile::is_list(&file));
    let read = keyfile::read_list(&file, &keyfile::Mapping::default()).unwrap();
    assert_eq!((read.devices.len(), read.refused.len()), (expected.len(), 0));
    for (device, expected) in read.devices.iter().map(as_expected).zip(expected) {
        for field in ["id", "manufacturer", "keys"] {
            assert_eq!(device[field], expected[field]);
        }
    }
}

fn as_expected(device: &keyfile::Device) -> Value {
    let keys: serde_json::Map<String, Value> = device
        .keys
        .iter()
        .map(|k| (k.role.to_string(), hex::encode_upper(k.bytes.expose()).into()))
        .collect();
    serde_json::json!({
        "id": device.serial,
        "customer_no": device.customer_no,
        "manufacturer": device.manufacturer,
        "model": device.model,
        "medium": device.consumption,
        "keys": keys,
    })
}

#[test]
fn the_samples_signer_is_trusted_when_named_and_through_its_root() {
    let Some(folder) = shared() else {
        eprintln!("skipped: no ../shared/keyfiles");
        return;
    };
    let file = std::fs::read(folder.join("kem2-signed-assumed.zip.kem2")).unwrap();
    let certificate = |name: &str| {
        let pem = std::fs::read(folder.join(name)).unwrap();
        x509_parser::pem::parse_x509_pem(&pem).unwrap().1.contents
    };
    let password = SecretBytes::new(b"kem2-password".to_vec());
    for (name, trusted) in
        [("kem2-sample-signer.cert.pem", true), ("kem2-sample-root.cert.pem", true), ("", false)]
    {
        let trust = Trust::nobody(now());
        let trust = if name.is_empty() { trust } else { trust.and(certificate(name)) };
        let read = keyfile::read(&file, &password, &trust).expect("a good file");
        let Signature::Valid(signer) = read.signature else { panic!("signed") };
        assert_eq!(signer.trusted, trusted, "{name}");
        assert!(signer.subject.contains("KEM2 sample signer"));
    }
}
