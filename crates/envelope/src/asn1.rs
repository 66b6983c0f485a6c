//! The structures of CMS that are written and read here, named as in their standards: RFC 5652 (SignedData), RFC 5083
//! (AuthEnvelopedData), RFC 5084 (AES-GCM), RFC 5753 (agreement on curves), RFC 4055 (RSAES-OAEP).

use der::asn1::{Any, BitString, Int, ObjectIdentifier, OctetString, SetOfVec};
use der::{Choice, Encode as _, Sequence, ValueOrd};
use spki::AlgorithmIdentifierOwned;

pub(crate) const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
pub(crate) const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
pub(crate) const AUTH_ENVELOPED_DATA: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.23");
pub(crate) const AES256_GCM: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.46");
pub(crate) const AES256_WRAP: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.45");
pub(crate) const STD_DH_SHA256_KDF: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.1.11.1");
pub(crate) const RSAES_OAEP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.7");
pub(crate) const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
pub(crate) const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
pub(crate) const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
pub(crate) const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(crate) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(crate) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
pub(crate) const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
pub(crate) const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
pub(crate) const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");

/// What every file begins with.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(crate) struct ContentInfo {
    pub(crate) content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) content: Any,
}

/// Whose certificate, by the name of its issuer (as it stands there) and its number.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(crate) struct IssuerAndSerialNumber {
    pub(crate) issuer: Any,
    pub(crate) serial_number: Int,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(crate) struct AuthEnvelopedData {
    pub(crate) version: u8,
    pub(crate) recipient_infos: SetOfVec<RecipientInfo>,
    pub(crate) auth_encrypted_content_info: EncryptedContentInfo,
    pub(crate) mac: OctetString,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(crate) struct EncryptedContentInfo {
    pub(crate) content_type: ObjectIdentifier,
    pub(crate) content_encryption_algorithm: AlgorithmIdentifierOwned,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    pub(crate) encrypted_content: OctetString,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(crate) struct GcmParameters {
    pub(crate) nonce: OctetString,
    pub(crate) icv_len: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Choice)]
pub(crate) enum RecipientInfo {
    Transport(KeyTransRecipientInfo),
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true")]
    Agreement(KeyAgreeRecipientInfo),
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(crate) struct KeyTransRecipientInfo {
    pub(crate) version: u8,
    pub(crate) rid: RecipientIdentifier,
    pub(crate) key_encryption_algorithm: AlgorithmIdentifierOwned,
    pub(crate) encrypted_key: OctetString,
}

/// Read in both forms, written in the first.
#[derive(Clone, Debug, PartialEq, Eq, Choice)]
pub(crate) enum RecipientIdentifier {
    IssuerAndSerialNumber(IssuerAndSerialNumber),
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    SubjectKeyIdentifier(OctetString),
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(crate) struct KeyAgreeRecipientInfo {
    pub(crate) version: u8,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) originator: Originator,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) ukm: Option<OctetString>,
    pub(crate) key_encryption_algorithm: AlgorithmIdentifierOwned,
    pub(crate) recipient_encrypted_keys: Vec<RecipientEncryptedKey>,
}

/// Only the form that agreement with a fresh key uses.
#[derive(Clone, Debug, PartialEq, Eq, Choice)]
pub(crate) enum Originator {
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true")]
    Key(OriginatorPublicKey),
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(crate) struct OriginatorPublicKey {
    pub(crate) algorithm: AlgorithmIdentifierOwned,
    pub(crate) public_key: BitString,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(crate) struct RecipientEncryptedKey {
    /// An IssuerAndSerialNumber or a RecipientKeyIdentifier; who has the key tries it, so that the name is not needed.
    pub(crate) rid: Any,
    pub(crate) encrypted_key: OctetString,
}

/// What the derived wrapping key is bound to (RFC 5753 section 7.2).
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(crate) struct EccCmsSharedInfo {
    pub(crate) key_info: AlgorithmIdentifierOwned,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) entity_u_info: Option<OctetString>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT")]
    pub(crate) supp_pub_info: OctetString,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(crate) struct RsaesOaepParams {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) hash: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) mask_gen: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) p_source: Option<AlgorithmIdentifierOwned>,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(crate) struct SignedData {
    pub(crate) version: u8,
    pub(crate) digest_algorithms: SetOfVec<AlgorithmIdentifierOwned>,
    pub(crate) encap_content_info: EncapsulatedContentInfo,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    pub(crate) certificates: Option<SetOfVec<Any>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    pub(crate) crls: Option<SetOfVec<Any>>,
    pub(crate) signer_infos: SetOfVec<SignerInfo>,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(crate) struct EncapsulatedContentInfo {
    pub(crate) content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) content: OctetString,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(crate) struct SignerInfo {
    pub(crate) version: u8,
    pub(crate) sid: RecipientIdentifier,
    pub(crate) digest_algorithm: AlgorithmIdentifierOwned,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", constructed = "true")]
    pub(crate) signed_attrs: SetOfVec<Attribute>,
    pub(crate) signature_algorithm: AlgorithmIdentifierOwned,
    pub(crate) signature: OctetString,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(crate) struct Attribute {
    pub(crate) kind: ObjectIdentifier,
    pub(crate) values: SetOfVec<Any>,
}

/// The order of a set: that of its members' encodings (X.690 section 11.6).
macro_rules! ordered {
    ($($kind:ty),*) => {$(
        impl ValueOrd for $kind {
            fn value_cmp(&self, other: &Self) -> der::Result<std::cmp::Ordering> {
                Ok(self.to_der()?.cmp(&other.to_der()?))
            }
        }
    )*};
}

ordered!(RecipientInfo, SignerInfo, Attribute);
