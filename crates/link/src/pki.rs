//! The house's two authorities: one certifies rooms, the other collectors.
//!
//! They are two so that the room that certifies collectors (the warden) cannot make itself any other room.

use base::CollectorId;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls_pki_types::CertificateSigningRequestDer;
use wire::Room;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroizing;

use crate::caller::{COLLECTOR_DOMAIN, ROOM_DOMAIN};

/// What can go wrong while certifying.
#[derive(Debug, thiserror::Error)]
#[error("cannot certify: {0}")]
pub struct PkiError(String);

impl From<rcgen::Error> for PkiError {
    fn from(error: rcgen::Error) -> Self {
        Self(error.to_string())
    }
}

/// A certificate and its private key, PEM. No `Debug`: the key must not reach a log.
pub struct Certified {
    /// The certificate.
    pub certificate: String,
    /// The private key (PKCS#8).
    pub key: String,
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// Makes an authority; `name` is for people.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn make_authority(name: &str) -> Result<Certified, PkiError> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?;
    Ok(Certified { certificate: certificate.pem(), key: key.serialize_pem() })
}

fn leaf_params(name: &str, uses: Vec<ExtendedKeyUsagePurpose>) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.distinguished_name = named(name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = uses;
    Ok(params)
}

/// Makes a room's key and certifies it. A gateway that collectors reach over the network keeps the same name:
/// they check for `gateway.room.meterkeep`, whatever its address.
///
/// # Errors
/// When the authority's key or certificate is malformed.
pub fn certify_room(authority: &Certified, room: Room) -> Result<Certified, PkiError> {
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, KeyPair::from_pem(&authority.key)?)?;
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let uses = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = leaf_params(&format!("{room}.{ROOM_DOMAIN}"), uses)?.signed_by(&key, &issuer)?;
    Ok(Certified { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// A collector's own TLS key, PEM, and its request for a certificate, DER.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn request_certificate() -> Result<(String, Vec<u8>), PkiError> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let request = CertificateParams::default().serialize_request(&key)?;
    Ok((key.serialize_pem(), request.der().to_vec()))
}

/// Certifies a collector's key. Of the request only the key counts; the name comes from the number.
///
/// # Errors
/// When the request is malformed or not signed by its own key.
pub fn certify_collector(
    authority: &Certified,
    request_der: &[u8],
    id: CollectorId,
) -> Result<(String, Vec<u8>), PkiError> {
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, KeyPair::from_pem(&authority.key)?)?;
    let request = CertificateSigningRequestDer::from(request_der.to_vec());
    let mut request = CertificateSigningRequestParams::from_der(&request)?;
    let name = format!("{id}.{COLLECTOR_DOMAIN}");
    request.params = leaf_params(&name, vec![ExtendedKeyUsagePurpose::ClientAuth])?;
    request.params.subject_alt_names = vec![SanType::DnsName(
        name.try_into().map_err(|_| PkiError("the collector's name is no DNS name".to_owned()))?,
    )];
    let certificate: Certificate = request.signed_by(&issuer)?;
    Ok((certificate.pem(), certificate.der().to_vec()))
}

/// A key for people outside, to check signatures by or to seal to, with its certificate, and what names that. No
/// `Debug`: the key must not reach a log.
pub struct ListSigner {
    /// The certificate, signed with its own key: receivers pin it.
    pub certificate: Vec<u8>,
    /// The same, PEM.
    pub pem: String,
    /// The private key (PKCS #8, DER).
    pub key: Zeroizing<Vec<u8>>,
    /// The issuer's name as it stands in the certificate (DER).
    pub issuer: Vec<u8>,
    /// The certificate's serial number.
    pub serial: Vec<u8>,
}

/// Makes a key (P-256) that signs lists for receivers outside; `name` is the house's, for people.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn make_list_signer(name: &str) -> Result<ListSigner, PkiError> {
    make_for_others(name, KeyUsagePurpose::DigitalSignature)
}

/// Makes a key (P-256) that suppliers seal keys to.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn make_key_receiver(name: &str) -> Result<ListSigner, PkiError> {
    make_for_others(name, KeyUsagePurpose::KeyAgreement)
}

fn make_for_others(name: &str, usage: KeyUsagePurpose) -> Result<ListSigner, PkiError> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.key_usages = vec![usage];
    let certificate = params.self_signed(&key)?;
    let der = certificate.der().to_vec();
    let (issuer, serial) = {
        let (_, read) = X509Certificate::from_der(&der).map_err(|e| PkiError(e.to_string()))?;
        (read.issuer().as_raw().to_vec(), read.raw_serial().to_vec())
    };
    let key = Zeroizing::new(key.serialize_der());
    Ok(ListSigner { certificate: der, pem: certificate.pem(), key, issuer, serial })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_request_cannot_choose_its_name() {
        let authority = make_authority("test collectors").unwrap();
        let key = KeyPair::generate().unwrap();
        let wish = CertificateParams::new(vec!["vault.room.meterkeep".to_owned()]).unwrap();
        let request = wish.serialize_request(&key).unwrap();
        let (_, der) = certify_collector(&authority, request.der(), CollectorId(7)).unwrap();
        assert_eq!(crate::caller::room_of(&der), None);
        assert_eq!(crate::caller::collector_of(&der), Some(CollectorId(7)));
    }

    #[test]
    fn a_damaged_request_is_refused() {
        let authority = make_authority("test collectors").unwrap();
        let (_, mut request) = request_certificate().unwrap();
        *request.last_mut().unwrap() ^= 1;
        assert!(certify_collector(&authority, &request, CollectorId(7)).is_err());
    }
}
