//! Containers that suppliers seal to the house: read by a confined reader, their one key opened by the vault, their content
//! opened here.

use base::{Secret, SecretBytes};
use envelope::record::{Hybrid, Way, WrappedKey};
use envelope::{EnvelopeError, age, cms};
use seal::hybrid::{self, KeyPair};
use seal::parcel::{self, Parcel};
use sha2::{Digest as _, Sha256};
use wire::custody::{Carried, MAX_WRAPPED, UNWRAPPED_INFO, Unwrap};

use crate::operator::Operator;
use crate::problem::Problem;
use crate::reader::{self, ReaderError, Sealed};

/// Which format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// RFC 5083.
    Cms,
    /// age-encryption.org/v1.
    Age,
    /// As `meterkeep keys seal` makes them.
    Parcel,
}

impl Form {
    /// Of a file, by how it begins.
    pub(super) fn of(file: &[u8]) -> Option<Self> {
        if file.starts_with(parcel::MAGIC) {
            Some(Self::Parcel)
        } else if file.starts_with(b"age-encryption.org/") {
            Some(Self::Age)
        } else if is_der(file) || file.starts_with(b"-----BEGIN CMS") || file.starts_with(b"-----BEGIN PKCS7")
        {
            Some(Self::Cms)
        } else {
            None
        }
    }

    /// For people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Cms => "CMS",
            Self::Age => "age",
            Self::Parcel => "HPKE",
        }
    }
}

/// A sequence that is longer than a line of digits could begin: text has no such second byte.
fn is_der(file: &[u8]) -> bool {
    matches!(file, [0x30, length, ..] if *length >= 0x80)
}

/// Why a container gives no keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unopened {
    /// No container, or one that was cut short.
    #[error("it is no container with keys, was cut short, or something stands behind it")]
    Form,
    /// Another kind.
    #[error("{0}")]
    Unsupported(String),
    /// For somebody else.
    #[error("it is sealed to somebody else than this house")]
    Elsewhere,
    /// Changed.
    #[error("it was changed on its way")]
    Changed,
    /// Not by who was named.
    #[error("it is not signed by who was named with `--signer`")]
    Signature,
    /// Signed, and nobody was named.
    #[error("it is signed, and nobody was named to have signed it")]
    Signer,
    /// Not signed, and somebody was named.
    #[error("it is not signed, and only signed files are accepted")]
    Unsigned,
    /// The reader.
    #[error(transparent)]
    Reader(ReaderError),
}

impl Unopened {
    /// The name under which it is counted and logged.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Form => "keyfile-container-form",
            Self::Unsupported(_) => "keyfile-container-unsupported",
            Self::Elsewhere => "keyfile-container-elsewhere",
            Self::Changed => "keyfile-container-changed",
            Self::Signature => "keyfile-container-signature",
            Self::Signer => "keyfile-container-signer",
            Self::Unsigned => "keyfile-unsigned",
            Self::Reader(_) => "keyfile-container-reader",
        }
    }

    /// The way out.
    pub(super) const fn way_out(&self) -> Option<&'static str> {
        match self {
            Self::Elsewhere => Some("give its sender what `meterkeep keys address` prints"),
            Self::Signer => Some("name its sender's certificate with `--signer FILE`"),
            Self::Unsupported(_) => Some(
                "CMS is read as AuthEnvelopedData with AES-256-GCM; the manual shows the sender's command",
            ),
            _ => None,
        }
    }
}

impl From<EnvelopeError> for Unopened {
    fn from(error: EnvelopeError) -> Self {
        match error {
            EnvelopeError::Changed => Self::Changed,
            EnvelopeError::Unsupported(_) => Self::Unsupported(error.to_string()),
            _ => Self::Form,
        }
    }
}

impl From<ReaderError> for Unopened {
    fn from(error: ReaderError) -> Self {
        match error {
            ReaderError::Unread { word: "unsupported", message } => Self::Unsupported(message),
            ReaderError::Unread { .. } => Self::Form,
            other => Self::Reader(other),
        }
    }
}

/// An opened container.
pub(super) struct Opened {
    /// What was in it.
    pub(super) content: SecretBytes,
    /// Who signed it, where that was asked for.
    pub(super) signer: Option<String>,
}

/// Opens a container. The inner error refuses the file; the outer one is the house's, or a certificate's.
pub(super) fn open(
    operator: &Operator,
    runtime: &tokio::runtime::Runtime,
    (form, file): (Form, &[u8]),
    source: &str,
    signers: &[(String, Vec<u8>)],
) -> Result<Result<Opened, Unopened>, Problem> {
    let content = match opened(operator, runtime, (form, file), source)? {
        Ok(content) => content,
        Err(refused) => return Ok(Err(refused)),
    };
    Ok(believed(content, signers))
}

/// The content with its signature checked: by one of the named, or by nobody.
fn believed(content: SecretBytes, signers: &[(String, Vec<u8>)]) -> Result<Opened, Unopened> {
    if !is_der(content.expose()) {
        // a list or a key file; whether the latter is signed is judged by its own reader
        return Ok(Opened { content, signer: None });
    }
    if signers.is_empty() {
        return Err(Unopened::Signer);
    }
    let signed = reader::signed(content.expose())?;
    let signer = signers.iter().find(|(_, point)| cms::is_signed_by(&signed, point));
    let content = SecretBytes::new(signed.content);
    let (name, _) = signer.ok_or(Unopened::Signature)?;
    Ok(Opened { content, signer: Some(name.clone()) })
}

fn opened(
    operator: &Operator,
    runtime: &tokio::runtime::Runtime,
    (form, file): (Form, &[u8]),
    source: &str,
) -> Result<Result<SecretBytes, Unopened>, Problem> {
    let unwrap = |keys: &[WrappedKey]| unwrap(operator, runtime, file, source, keys);
    if form == Form::Parcel {
        let Some(parcel) = Parcel::read(file) else { return Ok(Err(Unopened::Form)) };
        let hybrid = Hybrid { enc: parcel.enc.to_vec(), wrapped: parcel.wrapped.to_vec() };
        let key = unwrap(&[WrappedKey::by(Way::Hybrid(hybrid))])?;
        return Ok(key.and_then(|key| parcel.open(&sized(&key)?).map_err(|_| Unopened::Changed)));
    }
    let read = match reader::container(file) {
        Ok(read) => read,
        Err(error) => return Ok(Err(error.into())),
    };
    let (Sealed::Cms(container) | Sealed::Age(container)) = &read;
    if container.keys.is_empty() && !container.unknown.is_empty() {
        return Ok(Err(unknown(&container.unknown)));
    }
    let key = unwrap(&container.keys)?;
    Ok(key.and_then(|key| match &read {
        Sealed::Cms(container) => Ok(cms::open_content(container, &sized(&key)?)?),
        Sealed::Age(container) => Ok(age::open_content(container, &sized(&key)?)?),
    }))
}

/// What a container uses for its receivers, in the reader's words.
fn unknown(what: &str) -> Unopened {
    let what: String = what.chars().filter(|c| !c.is_control()).take(100).collect();
    Unopened::Unsupported(format!("it uses {what}, which is not read here"))
}

fn sized<const N: usize>(key: &SecretBytes) -> Result<Secret<N>, Unopened> {
    Secret::from_slice(key.expose()).ok_or(Unopened::Changed)
}

/// Has the vault open the container's key, sealed to a key that lives for this call.
fn unwrap(
    operator: &Operator,
    runtime: &tokio::runtime::Runtime,
    file: &[u8],
    source: &str,
    keys: &[WrappedKey],
) -> Result<Result<SecretBytes, Unopened>, Problem> {
    let session = KeyPair::generate().map_err(Problem::during("cannot make a session key"))?;
    let digest: [u8; 32] = Sha256::digest(file).into();
    let wish = Unwrap {
        digest: digest.to_vec(),
        source: source.to_owned(),
        keys: keys.iter().take(MAX_WRAPPED).map(wire::Message::encode_to_vec).collect(),
        answer_to: session.public().as_bytes().to_vec(),
    };
    let answer = match runtime.block_on(operator.carry(Carried::Unwrap(wish))) {
        Ok(answer) => answer,
        Err(refused) if refused.code() == Some("container-elsewhere") => return Ok(Err(Unopened::Elsewhere)),
        Err(other) => return Err(other),
    };
    let sealed = hybrid::Sealed::from_slice(&answer.container).map_err(|e| Problem::new(e.to_string()))?;
    let key = session.open_secret(UNWRAPPED_INFO, &digest, &sealed);
    key.map(Ok).map_err(Problem::during("the vault's answer does not open"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_told_from_lists_and_key_files_by_how_they_begin() {
        for (file, form) in [
            (&b"age-encryption.org/v1\n-> X25519"[..], Some(Form::Age)),
            (b"meterkeep-keys/1\n\x00", Some(Form::Parcel)),
            (b"\x30\x82\x01\x00", Some(Form::Cms)),
            (b"\x30\x80", Some(Form::Cms)),
            (b"-----BEGIN CMS-----", Some(Form::Cms)),
            (b"01234567;KAM;00", None),
            (b"0", None),
            (b"PK\x03\x04", None),
            (b"<x/>", None),
            (b"", None),
        ] {
            assert_eq!(Form::of(file), form, "{}", String::from_utf8_lossy(file));
        }
    }
}
