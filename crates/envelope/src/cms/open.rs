//! Opening with a private key what was sealed to its certificate.

use aws_lc_rs::aead::AES_256_GCM;
use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, UnparsedPublicKey};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use base::{Secret, SecretBytes};
use der::asn1::{Any, ObjectIdentifier};
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
use crate::{EnvelopeError, bytes};

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
    /// [`EnvelopeError::Form`], [`EnvelopeError::Unsupported`]; [`EnvelopeError::NotForThisKey`] when none of its
    /// receivers is this key; [`EnvelopeError::Changed`].
    pub fn open(&self, container: &[u8]) -> Result<SecretBytes, EnvelopeError> {
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
        let nonce = gcm.nonce.as_bytes().try_into().map_err(|_| EnvelopeError::Form)?;
        let mac = enveloped.mac.as_bytes();
        // a shorter tag would be easier to forge, and nobody has to send one
        if gcm.icv_len != 16 || mac.len() != 16 {
            return Err(EnvelopeError::Unsupported("a tag of less than 16 bytes"));
        }
        if enveloped.recipient_infos.len() > MAX_RECIPIENTS {
            return Err(EnvelopeError::Unsupported("more than 16 receivers"));
        }
        let mut unsupported = None;
        for info in enveloped.recipient_infos.iter() {
            match self.content_key(info) {
                Ok(Some(key)) => {
                    let body = [content.encrypted_content.as_bytes(), mac].concat();
                    return bytes::open(&AES_256_GCM, key.expose(), nonce, &body);
                }
                Ok(None) => {}
                Err(error) => unsupported = Some(error),
            }
        }
        Err(unsupported.unwrap_or(EnvelopeError::NotForThisKey))
    }

    /// The content's key, when this receiver is this key.
    fn content_key(&self, info: &RecipientInfo) -> Result<Option<Secret<32>>, EnvelopeError> {
        match (&self.0, info) {
            (Kind::Curve(key), RecipientInfo::Agreement(info)) => agreed(key, info),
            (Kind::Rsa(key), RecipientInfo::Transport(info)) => transported(key, info),
            _ => Ok(None),
        }
    }
}

fn agreed(
    key: &agreement::PrivateKey,
    info: &KeyAgreeRecipientInfo,
) -> Result<Option<Secret<32>>, EnvelopeError> {
    let wrap = algorithm(AES256_WRAP, None).to_der()?;
    let with = &info.key_encryption_algorithm;
    let wraps = with.parameters.as_ref().map(der::Encode::to_der).transpose()?;
    if with.oid != STD_DH_SHA256_KDF || wraps.as_ref() != Some(&wrap) {
        return Err(EnvelopeError::Unsupported(
            "another key agreement than ECDH with SHA-256 and AES-256 wrap",
        ));
    }
    let Originator::Key(originator) = &info.originator;
    let curve = if *key.algorithm() == ECDH_P256 { P256 } else { P384 };
    let named = originator.algorithm.parameters.as_ref().map(Any::decode_as::<ObjectIdentifier>);
    if info.version != 3 || originator.algorithm.oid != EC_PUBLIC_KEY {
        return Err(EnvelopeError::Unsupported("an originator that is no key on a curve"));
    }
    // OpenSSL leaves the curve out: it is that of the receiver's certificate
    if named.is_some_and(|named| named != Ok(curve)) {
        return Ok(None);
    }
    let point = originator.public_key.as_bytes().ok_or(EnvelopeError::Form)?;
    let theirs = UnparsedPublicKey::new(key.algorithm(), point);
    let wrapping = agreement::agree(key, theirs, EnvelopeError::NotForThisKey, |shared| {
        wrapping_key(shared, info.ukm.clone())
    });
    // a point of another curve is that of another receiver
    let Ok(wrapping) = wrapping else { return Ok(None) };
    for one in info.recipient_encrypted_keys.iter().take(MAX_RECIPIENTS) {
        let mut opened = Zeroizing::new([0; 40]);
        let kek = AesKek::new(&AES_256, wrapping.expose())?;
        if let Ok(plain) = kek.unwrap(one.encrypted_key.as_bytes(), opened.as_mut_slice())
            && let Some(key) = Secret::from_slice(plain)
        {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

fn transported(
    key: &OaepPrivateDecryptingKey,
    info: &KeyTransRecipientInfo,
) -> Result<Option<Secret<32>>, EnvelopeError> {
    if !matches!(info.version, 0 | 2) || !is_oaep_sha256(&info.key_encryption_algorithm) {
        return Err(EnvelopeError::Unsupported("another key transport than RSAES-OAEP with SHA-256"));
    }
    let mut opened = Zeroizing::new(vec![0; key.min_output_size()]);
    let plain = key.decrypt(&OAEP_SHA256_MGF1SHA256, info.encrypted_key.as_bytes(), &mut opened, None);
    Ok(plain.ok().and_then(|plain| Secret::from_slice(plain)))
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
