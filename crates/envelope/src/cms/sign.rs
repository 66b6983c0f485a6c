//! Signing, so that a receiver knows from whom the list is: SignedData with one signer.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, UnparsedPublicKey,
};
use base::UtcMillis;
use der::asn1::{Any, OctetString, SetOfVec, UtcTime};
use der::{Decode as _, Encode as _};

use super::seal::{algorithm, sha256};
use super::{MAX_CONTAINER, MAX_RECIPIENTS, name};
use crate::EnvelopeError;
use crate::asn1::{
    Attribute, CONTENT_TYPE, ContentInfo, DATA, ECDSA_SHA256, EncapsulatedContentInfo, MESSAGE_DIGEST,
    RecipientIdentifier, SHA256, SIGNED_DATA, SIGNING_TIME, SignedData, SignerInfo,
};
use crate::record::{Signed, SignerRecord};

/// Who signs: a P-256 key and its certificate.
pub struct Signer {
    pair: EcdsaKeyPair,
    certificate: Any,
    issuer: Vec<u8>,
    serial: Vec<u8>,
}

impl Signer {
    /// From a private key (PKCS #8, DER) and its certificate (DER) with the certificate's issuer and serial number.
    ///
    /// # Errors
    /// [`EnvelopeError::Key`], or [`EnvelopeError::Form`] of the certificate.
    pub fn new(
        pkcs8: &[u8],
        certificate: &[u8],
        issuer: &[u8],
        serial: &[u8],
    ) -> Result<Self, EnvelopeError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8)
            .map_err(|_| EnvelopeError::Key)?;
        name(issuer, serial)?;
        let certificate = Any::from_der(certificate)?;
        Ok(Self { pair, certificate, issuer: issuer.to_vec(), serial: serial.to_vec() })
    }

    /// Signs content. Gives a SignedData that holds it, DER.
    ///
    /// # Errors
    /// [`EnvelopeError::Machine`].
    pub fn sign(&self, content: &[u8], now: UtcMillis) -> Result<Vec<u8>, EnvelopeError> {
        let seconds = u64::try_from(now.0.div_euclid(1000)).map_err(|_| EnvelopeError::Machine)?;
        let time = UtcTime::from_unix_duration(std::time::Duration::from_secs(seconds))?;
        let attribute = |kind, value: Any| -> Result<Attribute, EnvelopeError> {
            Ok(Attribute { kind, values: SetOfVec::try_from(vec![value])? })
        };
        let signed_attrs = SetOfVec::try_from(vec![
            attribute(CONTENT_TYPE, Any::encode_from(&DATA)?)?,
            attribute(SIGNING_TIME, Any::encode_from(&time)?)?,
            attribute(MESSAGE_DIGEST, Any::encode_from(&OctetString::new(sha256(content))?)?)?,
        ])?;
        let signature = self.pair.sign(&SystemRandom::new(), &signed_attrs.to_der()?)?;
        let signed = SignedData {
            version: 1,
            digest_algorithms: SetOfVec::try_from(vec![algorithm(SHA256, None)])?,
            encap_content_info: EncapsulatedContentInfo {
                content_type: DATA,
                content: OctetString::new(content)?,
            },
            certificates: Some(SetOfVec::try_from(vec![self.certificate.clone()])?),
            crls: None,
            signer_infos: SetOfVec::try_from(vec![SignerInfo {
                version: 1,
                sid: RecipientIdentifier::IssuerAndSerialNumber(name(&self.issuer, &self.serial)?),
                digest_algorithm: algorithm(SHA256, None),
                signed_attrs,
                signature_algorithm: algorithm(ECDSA_SHA256, None),
                signature: OctetString::new(signature.as_ref())?,
            }])?,
        };
        Ok(ContentInfo { content_type: SIGNED_DATA, content: Any::encode_from(&signed)? }.to_der()?)
    }
}

/// Reads a SignedData: its content, and what each signer has signed. Nothing is checked yet.
///
/// # Errors
/// [`EnvelopeError::Form`], [`EnvelopeError::Unsupported`].
pub fn read_signed(signed: &[u8]) -> Result<Signed, EnvelopeError> {
    if signed.len() > MAX_CONTAINER {
        return Err(EnvelopeError::Form);
    }
    let info = ContentInfo::from_der(signed)?;
    if info.content_type != SIGNED_DATA {
        return Err(EnvelopeError::Unsupported("another type than SignedData"));
    }
    let data = info.content.decode_as::<SignedData>()?;
    if data.encap_content_info.content_type != DATA {
        return Err(EnvelopeError::Unsupported("another content than plain data"));
    }
    let known =
        |s: &&SignerInfo| s.digest_algorithm.oid == SHA256 && s.signature_algorithm.oid == ECDSA_SHA256;
    let record = |s: &SignerInfo| -> Result<SignerRecord, EnvelopeError> {
        let signature = s.signature.as_bytes().to_vec();
        Ok(SignerRecord { attributes: s.signed_attrs.to_der()?, signature })
    };
    let signers = data.signer_infos.iter().take(MAX_RECIPIENTS).filter(known).map(record);
    let signers = signers.collect::<Result<_, _>>()?;
    Ok(Signed { content: data.encap_content_info.content.as_bytes().to_vec(), signers })
}

/// Whether one of the signers is the P-256 key of this point, uncompressed. It is checked on the records alone: the
/// signature fits the attributes, and those hold the content's hash and its type, each by its exact bytes.
#[must_use]
pub fn is_signed_by(signed: &Signed, point: &[u8]) -> bool {
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
    let digest = [DIGEST_ATTRIBUTE, sha256(&signed.content).as_slice()].concat();
    let has =
        |signer: &SignerRecord, wanted: &[u8]| signer.attributes.windows(wanted.len()).any(|w| w == wanted);
    signed.signers.iter().any(|signer| {
        has(signer, &digest)
            && has(signer, TYPE_ATTRIBUTE)
            && key.verify(&signer.attributes, &signer.signature).is_ok()
    })
}

/// The attribute `messageDigest` (RFC 5652 section 11.2) up to a hash of 32 bytes.
const DIGEST_ATTRIBUTE: &[u8] =
    &[0x30, 0x2f, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04, 0x31, 0x22, 0x04, 0x20];
/// The attribute `contentType` (section 11.1) of plain data.
const TYPE_ATTRIBUTE: &[u8] = &[
    0x30, 0x18, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03, 0x31, 0x0b, 0x06, 0x09,
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01,
];

/// Checks that a SignedData was signed with the P-256 key of this point, uncompressed, and gives its content.
///
/// # Errors
/// As [`read_signed`]; [`EnvelopeError::Signature`] when no signer is that key.
pub fn verify(signed: &[u8], point: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let signed = read_signed(signed)?;
    if is_signed_by(&signed, point) { Ok(signed.content) } else { Err(EnvelopeError::Signature) }
}
