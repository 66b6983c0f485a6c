//! Sealing to certificates: AuthEnvelopedData.

use aws_lc_rs::aead::AES_256_GCM;
use aws_lc_rs::digest::{self, digest};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use aws_lc_rs::rsa::OAEP_SHA256_MGF1SHA256;
use base::Secret;
use der::Encode as _;
use der::asn1::{Any, BitString, Null, ObjectIdentifier, OctetString, SetOfVec};
use spki::AlgorithmIdentifierOwned;

use super::{MAX_RECIPIENTS, Recipient};
use crate::asn1::{
    AES256_GCM, AES256_WRAP, AUTH_ENVELOPED_DATA, AuthEnvelopedData, ContentInfo, DATA, EC_PUBLIC_KEY,
    EccCmsSharedInfo, EncryptedContentInfo, GcmParameters, KeyAgreeRecipientInfo, KeyTransRecipientInfo,
    MGF1, Originator, OriginatorPublicKey, P256, P384, RSAES_OAEP, RecipientEncryptedKey,
    RecipientIdentifier, RecipientInfo, RsaesOaepParams, SHA256, STD_DH_SHA256_KDF,
};
use crate::public::{KeyKind, agree, rsa};
use crate::{EnvelopeError, bytes};

/// Seals content to one or more receivers, each of whom opens it alone. Gives the container, DER.
///
/// # Errors
/// [`EnvelopeError::Key`] without a receiver, with too many, or with a key that cannot receive;
/// [`EnvelopeError::Machine`].
pub fn seal(content: &[u8], recipients: &[Recipient]) -> Result<Vec<u8>, EnvelopeError> {
    if recipients.is_empty() || recipients.len() > MAX_RECIPIENTS {
        return Err(EnvelopeError::Key);
    }
    let key: Secret<32> = bytes::fresh()?;
    let nonce: [u8; 12] = bytes::random()?;
    let (body, mac) = bytes::seal(&AES_256_GCM, key.expose(), nonce, content)?;
    let infos: Vec<RecipientInfo> = recipients.iter().map(|r| info(r, &key)).collect::<Result<_, _>>()?;
    let parameters = GcmParameters { nonce: OctetString::new(nonce.as_slice())?, icv_len: 16 };
    let enveloped = AuthEnvelopedData {
        version: 0,
        recipient_infos: SetOfVec::try_from(infos)?,
        auth_encrypted_content_info: EncryptedContentInfo {
            content_type: DATA,
            content_encryption_algorithm: algorithm(AES256_GCM, Some(Any::encode_from(&parameters)?)),
            encrypted_content: OctetString::new(body)?,
        },
        mac: OctetString::new(mac.as_slice())?,
    };
    Ok(ContentInfo { content_type: AUTH_ENVELOPED_DATA, content: Any::encode_from(&enveloped)? }.to_der()?)
}

pub(super) const fn algorithm(oid: ObjectIdentifier, parameters: Option<Any>) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid, parameters }
}

fn info(recipient: &Recipient, key: &Secret<32>) -> Result<RecipientInfo, EnvelopeError> {
    match recipient.key().kind() {
        KeyKind::P256 => agreement(recipient, key, P256).map(RecipientInfo::Agreement),
        KeyKind::P384 => agreement(recipient, key, P384).map(RecipientInfo::Agreement),
        KeyKind::Rsa { .. } => transport(recipient, key).map(RecipientInfo::Transport),
    }
}

fn transport(recipient: &Recipient, key: &Secret<32>) -> Result<KeyTransRecipientInfo, EnvelopeError> {
    let rsa = rsa(recipient.key().as_spki())?;
    let mut encrypted = vec![0; rsa.ciphertext_size()];
    let length = rsa.encrypt(&OAEP_SHA256_MGF1SHA256, key.expose(), &mut encrypted, None)?.len();
    encrypted.truncate(length);
    let sha256 = algorithm(SHA256, Some(Any::encode_from(&Null)?));
    let parameters = RsaesOaepParams {
        hash: Some(sha256.clone()),
        mask_gen: Some(algorithm(MGF1, Some(Any::encode_from(&sha256)?))),
        p_source: None,
    };
    Ok(KeyTransRecipientInfo {
        version: 0,
        rid: RecipientIdentifier::IssuerAndSerialNumber(recipient.name()?),
        key_encryption_algorithm: algorithm(RSAES_OAEP, Some(Any::encode_from(&parameters)?)),
        encrypted_key: OctetString::new(encrypted)?,
    })
}

fn agreement(
    recipient: &Recipient,
    key: &Secret<32>,
    curve: ObjectIdentifier,
) -> Result<KeyAgreeRecipientInfo, EnvelopeError> {
    let ecdh = recipient.key().curve().ok_or(EnvelopeError::Key)?;
    let (point, encrypted) = agree(ecdh, recipient.key().point(), |shared| {
        let mut encrypted = [0; 40];
        let kek = AesKek::new(&AES_256, wrapping_key(shared, None)?.expose())?;
        kek.wrap(key.expose(), &mut encrypted)?;
        Ok(encrypted)
    })?;
    Ok(KeyAgreeRecipientInfo {
        version: 3,
        originator: Originator::Key(OriginatorPublicKey {
            algorithm: algorithm(EC_PUBLIC_KEY, Some(Any::encode_from(&curve)?)),
            public_key: BitString::from_bytes(&point)?,
        }),
        ukm: None,
        key_encryption_algorithm: algorithm(
            STD_DH_SHA256_KDF,
            Some(Any::encode_from(&algorithm(AES256_WRAP, None))?),
        ),
        recipient_encrypted_keys: vec![RecipientEncryptedKey {
            rid: Any::encode_from(&recipient.name()?)?,
            encrypted_key: OctetString::new(encrypted.as_slice())?,
        }],
    })
}

/// The key that wraps the content's key: the X9.63 derivation with SHA-256 (SEC 1 section 3.6.1), of which one block is
/// all that is needed.
pub(super) fn wrapping_key(shared: &[u8], ukm: Option<OctetString>) -> Result<Secret<32>, EnvelopeError> {
    let info = EccCmsSharedInfo {
        key_info: algorithm(AES256_WRAP, None),
        entity_u_info: ukm,
        supp_pub_info: OctetString::new(256u32.to_be_bytes().as_slice())?,
    }
    .to_der()?;
    let mut context = digest::Context::new(&digest::SHA256);
    [shared, &1u32.to_be_bytes(), &info].into_iter().for_each(|part| context.update(part));
    Secret::from_slice(context.finish().as_ref()).ok_or(EnvelopeError::Machine)
}

/// SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&digest::SHA256, bytes).as_ref().to_vec()
}
