//! Signed files: what fits, what was changed, who is trusted.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base::SecretBytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyfile::{KeyFile, KeyFileError, Signature, Trust};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::writer::*;

const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const INCLUSIVE: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

struct Party {
    key: KeyPair,
    params: CertificateParams,
    certificate: Vec<u8>,
}

fn party(name: &str, ca: bool, issuer: Option<&Party>) -> Party {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = if ca { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::ExplicitNoCa };
    let certificate = match issuer {
        None => params.self_signed(&key).unwrap(),
        Some(by) => params.signed_by(&key, &Issuer::from_params(&by.params, &by.key)).unwrap(),
    };
    Party { certificate: certificate.der().to_vec(), key, params }
}

/// A signed file. Every part is written in canonical form, so that no canonicaliser is needed to make it.
struct Draft {
    transforms: Vec<&'static str>,
    form: &'static str,
    uri: &'static str,
    value: String,
}

impl Draft {
    fn new(form: &'static str) -> Self {
        let document = "<Devices schemaVersion=\"1.0\"><Device><SerialNumber>90000101</SerialNumber><ManufacturerId>KAM\
                        </ManufacturerId><Keys><Key><Name>DEK</Name><Value>@</Value></Key></Keys></Device></Devices>";
        let value = STANDARD.encode(encrypt(document.replace('@', K1).as_bytes(), PASSWORD, 0));
        Self { transforms: vec![ENVELOPED, form], form, uri: "", value }
    }

    fn body(&self) -> (String, &'static str) {
        let start = format!(
            "<EncryptedData xmlns=\"{XENC}\" Type=\"{XENC}aes128-cbc\"><EncryptionMethod Algorithm=\"{XENC}aes128-cbc\">\
             </EncryptionMethod><CipherData><CipherValue>{}</CipherValue></CipherData>",
            self.value
        );
        (start, "</EncryptedData>")
    }

    fn sign(&self, by: &Party, certificates: &[&Party]) -> String {
        let (start, end) = self.body();
        let digest = STANDARD.encode(digest(&SHA256, format!("{start}{end}").as_bytes()));
        let transforms: String = self
            .transforms
            .iter()
            .map(|t| format!("<ds:Transform Algorithm=\"{t}\"></ds:Transform>"))
            .collect();
        let info = |scope: &str| {
            format!(
                "<ds:SignedInfo{scope}><ds:CanonicalizationMethod Algorithm=\"{}\"></ds:CanonicalizationMethod>\
                 <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256\">\
                 </ds:SignatureMethod><ds:Reference URI=\"{}\"><ds:Transforms>{transforms}</ds:Transforms>\
                 <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></ds:DigestMethod>\
                 <ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>",
                self.form, self.uri
            )
        };
        let dsig = " xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"";
        let scope = match self.form {
            INCLUSIVE => format!(" xmlns=\"{XENC}\"{dsig}"),
            _ => dsig.to_owned(),
        };
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &by.key.serialize_der()).unwrap();
        let value = STANDARD.encode(pair.sign(&SystemRandom::new(), info(&scope).as_bytes()).unwrap());
        let certificates: String = certificates
            .iter()
            .map(|c| format!("<ds:X509Certificate>{}</ds:X509Certificate>", STANDARD.encode(&c.certificate)))
            .collect();
        format!(
            "{start}<ds:Signature{dsig}>{}<ds:SignatureValue>{value}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>\
             {certificates}</ds:X509Data></ds:KeyInfo></ds:Signature>{end}",
            info("")
        )
    }
}

fn read_trusting(file: &str, trust: &Trust) -> Result<KeyFile, KeyFileError> {
    keyfile::read(file.as_bytes(), &SecretBytes::new(PASSWORD.into()), trust)
}

fn trusted(file: &str, trust: &Trust) -> bool {
    match read_trusting(file, trust) {
        Ok(KeyFile { signature: Signature::Valid(signer), .. }) => signer.trusted,
        Ok(_) => panic!("not signed"),
        Err(e) => panic!("{e}"),
    }
}

#[test]
fn both_canonical_forms_are_checked() {
    let signer = party("signer", false, None);
    for form in [EXCLUSIVE, INCLUSIVE] {
        let file = Draft::new(form).sign(&signer, &[&signer]);
        let read = read_trusting(&file, &Trust::nobody(now())).ok().unwrap();
        assert_eq!(listed(&read), [format!("KAM-90000101 DEK={K1}")]);
        let Signature::Valid(by) = read.signature else { panic!("signed") };
        assert!(by.subject.contains("signer") && !by.trusted);
        assert_eq!(
            by.fingerprint,
            *<&[u8; 32]>::try_from(digest(&SHA256, &signer.certificate).as_ref()).unwrap()
        );
    }
}

#[test]
fn a_change_anywhere_in_the_file_is_noticed() {
    let signer = party("signer", false, None);
    let file = Draft::new(EXCLUSIVE).sign(&signer, &[&signer]);
    let other = Draft {
        value: Draft::new(EXCLUSIVE).value.replacen(|c: char| c.is_ascii_uppercase(), "Z", 9),
        ..Draft::new(EXCLUSIVE)
    };
    let changes = [
        file.replace(&Draft::new(EXCLUSIVE).value, &other.value),
        file.replacen("<CipherData>", "<CipherData><Extra/>", 1),
        file.replacen("</CipherData>", "</CipherData> ", 1),
        file.replacen("aes128-cbc\">", "aes128-cbc\" Id=\"x\">", 1),
    ];
    for changed in changes {
        assert_ne!(changed, file);
        assert_eq!(
            read_trusting(&changed, &Trust::nobody(now())).err().map(|e| e.name()),
            Some("keyfile-signature-invalid")
        );
    }
}

#[test]
fn a_signature_that_covers_less_than_the_file_is_refused() {
    let signer = party("signer", false, None);
    let drafts = [
        Draft { uri: "#part", ..Draft::new(EXCLUSIVE) },
        Draft { transforms: vec![EXCLUSIVE], ..Draft::new(EXCLUSIVE) },
        Draft { transforms: vec![ENVELOPED, EXCLUSIVE, EXCLUSIVE], ..Draft::new(EXCLUSIVE) },
        Draft {
            transforms: vec![ENVELOPED, "http://www.w3.org/TR/1999/REC-xslt-19991116"],
            ..Draft::new(EXCLUSIVE)
        },
    ];
    let mut files: Vec<String> = drafts.iter().map(|d| d.sign(&signer, &[&signer])).collect();
    let good = Draft::new(EXCLUSIVE).sign(&signer, &[&signer]);
    let signature = &good[good.find("<ds:Signature ").unwrap()..good.find("</EncryptedData>").unwrap()];
    files.push(good.replace("</EncryptedData>", &format!("{signature}</EncryptedData>"))); // two of them
    files.push(good.replace(signature, &format!("<Wrapped>{signature}</Wrapped>"))); // not at the top
    files.push(good.replace("#ecdsa-sha256", "#ecdsa-sha1"));
    files.push(good.replace("ds:X509Certificate", "ds:KeyName")); // nothing to check it with
    for file in files {
        let error = read_trusting(&file, &Trust::nobody(now())).err().map(|e| e.name());
        assert_eq!(error, Some("keyfile-signature-unsupported"), "{file}");
    }
}

#[test]
fn only_named_certificates_and_what_they_issued_are_trusted() {
    let root = party("root", true, None);
    let signer = party("signer", false, Some(&root));
    let impostor_root = party("root", true, None);
    let not_an_authority = party("root", false, None);
    let below = party("below", false, Some(&not_an_authority));
    let file = Draft::new(EXCLUSIVE).sign(&signer, &[&root, &signer]); // the chain is enclosed too
    let trust = |party: &Party| Trust::nobody(now()).and(party.certificate.clone());
    assert!(trusted(&file, &trust(&signer)));
    assert!(trusted(&file, &trust(&root)));
    assert!(!trusted(&file, &Trust::nobody(now())));
    assert!(!trusted(&file, &trust(&impostor_root)));
    assert!(!trusted(&Draft::new(EXCLUSIVE).sign(&below, &[&below]), &trust(&not_an_authority)));
    // Expired: rcgen's certificates end in the year 4096.
    let late = base::UtcMillis(100_000_000_000_000);
    assert!(!trusted(&file, &Trust::nobody(late).and(signer.certificate.clone())));
}

#[test]
fn another_key_under_a_trusted_name_does_not_fit() {
    let signer = party("signer", false, None);
    let thief = party("signer", false, None);
    let file = Draft::new(EXCLUSIVE).sign(&thief, &[&signer]);
    let error = read_trusting(&file, &Trust::nobody(now())).err();
    assert_eq!(error.map(|e| e.name()), Some("keyfile-signature-invalid"));
}

#[test]
fn a_caller_may_insist_on_a_trusted_signature() {
    let signer = party("signer", false, None);
    let strict = || Trust::nobody(now()).only_signed();
    let file = Draft::new(EXCLUSIVE).sign(&signer, &[&signer]);
    assert!(read_trusting(&file, &strict().and(signer.certificate.clone())).is_ok());
    assert_eq!(read_trusting(&file, &strict()).err().map(|e| e.name()), Some("keyfile-signer-unknown"));
    let unsigned = bare(&kem(&meter("90000001", &format!("<DEK>{K1}</DEK>"))));
    let error = keyfile::read(&unsigned, &SecretBytes::new(PASSWORD.into()), &strict()).err();
    assert_eq!(error, Some(KeyFileError::Unsigned));
    // Without an enclosed certificate the trusted one is tried.
    let bare = Draft::new(EXCLUSIVE).sign(&signer, &[]);
    assert!(read_trusting(&bare, &strict().and(signer.certificate.clone())).is_ok());
}
