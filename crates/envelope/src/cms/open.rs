//! Opening with a private key what was sealed to its certificate.

use aws_lc_rs::aead::AES_256_GCM;
use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, UnparsedPublicKey};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use base::{Secret, SecretBytes};
use der::asn1::{Any, ObjectIdentifier, OctetString};
use der::{Decode as _, Encode as _};
use spki::AlgorithmIdentifierOwned;
use zeroize::Zeroizing;

use super::seal::{algorithm, wrapping_key};
use super::{MAX_CONTAINER, MAX_RECIPIENTS};
use crate::asn1::{
    AES256_GCM, AES256_WRAP, AUTH_ENVELOPED_DATA, AuthEnvelopedData, ContentInfo, DATA, EC_PUBLIC_KEY,
    GcmParameters, KeyAgreeRecipientInfo, KeyTransRecipientInfo, MGF1, Originator, P256, P384, RSAES_OAEP,
    RecipientInfo, RsaesOaepParams, SHA256, STD_DH_SHA256_KDF,
};
use crate::record::{Agreed, Container, Way, WrappedKey};
use crate::{EnvelopeError, bytes};

/// Bytes of a point on P-256 and on P-384, uncompressed.
const P256_POINT: usize = 65;
const P384_POINT: usize = 97;
/// Bytes of a wrapped key of 32 bytes.
const WRAPPED: usize = 40;
/// Bytes that a sender may add to a key agreement.
const MAX_UKM: usize = 64;

/// A receiver's private key.
pub struct PrivateKey(Kind);

enum Kind {
    Curve(agreement::PrivateKey),
    Rsa(Box<OaepPrivateDecryptingKey>),
}

impl PrivateKey {
    /// From PKCS #8 (DER), not encrypted.
    ///
    /// # Errors
    /// [`EnvelopeError::Key`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, EnvelopeError> {
        for curve in [&ECDH_P256, &ECDH_P384] {
            if let Ok(key) = agreement::PrivateKey::from_private_key_der(curve, der) {
                return Ok(Self(Kind::Curve(key)));
            }
        }
        let rsa = PrivateDecryptingKey::from_pkcs8(der).map_err(|_| EnvelopeError::Key)?;
        OaepPrivateDecryptingKey::new(rsa)
            .map(|k| Self(Kind::Rsa(Box::new(k))))
            .map_err(|_| EnvelopeError::Key)
    }

    /// Opens a container.
    ///
    /// # Errors
    /// As [`read`]; [`EnvelopeError::NotForThisKey`] when none of its receivers is this key;
    /// [`EnvelopeError::Changed`].
    pub fn open(&self, container: &[u8]) -> Result<SecretBytes, EnvelopeError> {
        let (read, unknown) = parse(container)?;
        for key in &read.keys {
            if let Some(key) = self.content_key(key)? {
                return open_content(&read, &key);
            }
        }
        Err(unknown.map_or(EnvelopeError::NotForThisKey, EnvelopeError::Unsupported))
    }

    /// A content's key, when it is wrapped for this key.
    ///
    /// # Errors
    /// [`EnvelopeError::Machine`].
    pub fn content_key(&self, wrapped: &WrappedKey) -> Result<Option<Secret<32>>, EnvelopeError> {
        match (&self.0, &wrapped.way) {
            (Kind::Curve(key), Some(Way::Agreed(with))) => agreed(key, with),
            (Kind::Rsa(key), Some(Way::Transported(encrypted))) => Ok(transported(key, encrypted)),
            _ => Ok(None),
        }
    }
}

/// Reads a container (AuthEnvelopedData, DER): its ciphertext, and how its key reaches each receiver.
///
/// # Errors
/// [`EnvelopeError::Form`], [`EnvelopeError::Unsupported`].
pub fn read(container: &[u8]) -> Result<Container, EnvelopeError> {
    let (read, unknown) = parse(container)?;
    Ok(Container { unknown: unknown.unwrap_or_default().to_owned(), ..read })
}

/// Opens a container's content with its key.
///
/// # Errors
/// [`EnvelopeError::Form`], [`EnvelopeError::Changed`].
pub fn open_content(container: &Container, key: &Secret<32>) -> Result<SecretBytes, EnvelopeError> {
    let nonce = container.nonce.as_slice().try_into().map_err(|_| EnvelopeError::Form)?;
    bytes::open(&AES_256_GCM, key.expose(), nonce, &container.body)
}

fn parse(container: &[u8]) -> Result<(Container, Option<&'static str>), EnvelopeError> {
    if container.len() > MAX_CONTAINER {
        return Err(EnvelopeError::Form);
    }
    let info = ContentInfo::from_der(container)?;
    if info.content_type != AUTH_ENVELOPED_DATA {
        return Err(EnvelopeError::Unsupported("another type than AuthEnvelopedData"));
    }
    let enveloped = info.content.decode_as::<AuthEnvelopedData>()?;
    let content = enveloped.auth_encrypted_content_info;
    if enveloped.version != 0 || content.content_type != DATA {
        return Err(EnvelopeError::Unsupported("another content than plain data"));
    }
    let with = content.content_encryption_algorithm;
    if with.oid != AES256_GCM {
        return Err(EnvelopeError::Unsupported("another cipher than AES-256-GCM"));
    }
    let gcm: GcmParameters = with.parameters.ok_or(EnvelopeError::Form)?.decode_as()?;
    let nonce: [u8; 12] = gcm.nonce.as_bytes().try_into().map_err(|_| EnvelopeError::Form)?;
    let mac = enveloped.mac.as_bytes();
    // a shorter tag would be easier to forge, and nobody has to send one
    if gcm.icv_len != 16 || mac.len() != 16 {
        return Err(EnvelopeError::Unsupported("a tag of less than 16 bytes"));
    }
    if enveloped.recipient_infos.len() > MAX_RECIPIENTS {
        return Err(EnvelopeError::Unsupported("more than 16 receivers"));
    }
    let (mut keys, mut unknown) = (Vec::new(), None);
    for info in enveloped.recipient_infos.iter() {
        match ways(info) {
            Ok(ways) => keys.extend(ways.into_iter().map(WrappedKey::by)),
            Err(EnvelopeError::Unsupported(what)) => unknown = Some(what),
            Err(error) => return Err(error),
        }
    }
    let body = [content.encrypted_content.as_bytes(), mac].concat();
    let read = Container { keys, nonce: nonce.to_vec(), body, ..Container::default() };
    Ok((read, unknown))
}

/// How the content's key reaches the receivers of one info.
fn ways(info: &RecipientInfo) -> Result<Vec<Way>, EnvelopeError> {
    match info {
        RecipientInfo::Agreement(info) => by_agreement(info),
        RecipientInfo::Transport(info) => by_transport(info).map(|way| vec![way]),
    }
}

fn by_agreement(info: &KeyAgreeRecipientInfo) -> Result<Vec<Way>, EnvelopeError> {
    let wrap = algorithm(AES256_WRAP, None).to_der()?;
    let with = &info.key_encryption_algorithm;
    let wraps = with.parameters.as_ref().map(der::Encode::to_der).transpose()?;
    if with.oid != STD_DH_SHA256_KDF || wraps.as_ref() != Some(&wrap) {
        return Err(EnvelopeError::Unsupported(
            "another key agreement than ECDH with SHA-256 and AES-256 wrap",
        ));
    }
    let Originator::Key(originator) = &info.originator;
    if info.version != 3 || originator.algorithm.oid != EC_PUBLIC_KEY {
        return Err(EnvelopeError::Unsupported("an originator that is no key on a curve"));
    }
    let point = originator.public_key.as_bytes().ok_or(EnvelopeError::Form)?;
    let curve = match point.len() {
        P256_POINT => P256,
        P384_POINT => P384,
        _ => return Err(EnvelopeError::Unsupported("a curve other than P-256 and P-384")),
    };
    // OpenSSL leaves the curve out: it is that of the receiver's certificate
    let named = originator.algorithm.parameters.as_ref().map(Any::decode_as::<ObjectIdentifier>);
    if named.is_some_and(|named| named != Ok(curve)) {
        return Err(EnvelopeError::Unsupported("a curve other than P-256 and P-384"));
    }
    let ukm = info.ukm.as_ref().map(|ukm| ukm.as_bytes().to_vec());
    if ukm.as_ref().is_some_and(|ukm| ukm.len() > MAX_UKM) {
        return Err(EnvelopeError::Unsupported("a long addition to the key agreement"));
    }
    let way = |wrapped: &[u8]| {
        Way::Agreed(Agreed { point: point.to_vec(), ukm: ukm.clone(), wrapped: wrapped.to_vec() })
    };
    Ok(info
        .recipient_encrypted_keys
        .iter()
        .take(MAX_RECIPIENTS)
        .map(|one| one.encrypted_key.as_bytes())
        .filter(|wrapped| wrapped.len() == WRAPPED)
        .map(way)
        .collect())
}

fn by_transport(info: &KeyTransRecipientInfo) -> Result<Way, EnvelopeError> {
    if !matches!(info.version, 0 | 2) || !is_oaep_sha256(&info.key_encryption_algorithm) {
        return Err(EnvelopeError::Unsupported("another key transport than RSAES-OAEP with SHA-256"));
    }
    Ok(Way::Transported(info.encrypted_key.as_bytes().to_vec()))
}

fn agreed(key: &agreement::PrivateKey, with: &Agreed) -> Result<Option<Secret<32>>, EnvelopeError> {
    let length = if *key.algorithm() == ECDH_P256 { P256_POINT } else { P384_POINT };
    let ukm = with.ukm.as_deref();
    if with.point.len() != length || with.wrapped.len() != WRAPPED || ukm.is_some_and(|u| u.len() > MAX_UKM) {
        return Ok(None);
    }
    let ukm = ukm.map(OctetString::new).transpose()?;
    let theirs = UnparsedPublicKey::new(key.algorithm(), &with.point);
    let wrapping = agreement::agree(key, theirs, EnvelopeError::NotForThisKey, |shared| {
        wrapping_key(shared, ukm.clone())
    });
    // a point beside the curve agrees with nobody
    let Ok(wrapping) = wrapping else { return Ok(None) };
    let mut opened = Zeroizing::new([0; WRAPPED]);
    let kek = AesKek::new(&AES_256, wrapping.expose())?;
    let plain = kek.unwrap(&with.wrapped, opened.as_mut_slice());
    Ok(plain.ok().and_then(|plain| Secret::from_slice(plain)))
}

fn transported(key: &OaepPrivateDecryptingKey, encrypted: &[u8]) -> Option<Secret<32>> {
    let mut opened = Zeroizing::new(vec![0; key.min_output_size()]);
    let plain = key.decrypt(&OAEP_SHA256_MGF1SHA256, encrypted, &mut opened, None);
    plain.ok().and_then(|plain| Secret::from_slice(plain))
}

/// Whether hash and mask are SHA-256 and no label is given.
fn is_oaep_sha256(with: &AlgorithmIdentifierOwned) -> bool {
    let parse = || {
        let parameters: RsaesOaepParams = with.parameters.as_ref()?.decode_as().ok()?;
        let (hash, mask) = (parameters.hash?, parameters.mask_gen?);
        let inner: AlgorithmIdentifierOwned = mask.parameters?.decode_as().ok()?;
        Some(
            with.oid == RSAES_OAEP
                && hash.oid == SHA256
                && mask.oid == MGF1
                && inner.oid == SHA256
                && parameters.p_source.is_none(),
        )
    };
    parse().unwrap_or(false)
}
