//! Why a container is not made or does not open.

/// What is wrong with a container, or with the key for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The bytes are no such container.
    #[error("this is no container with keys, or it was cut short; fetch it again")]
    Form,
    /// It is one, of a kind that is not read here.
    #[error("the container uses {0}, which is not read here")]
    Unsupported(&'static str),
    /// None of its recipients is this key.
    #[error("the container is not sealed to this key; open it with the key of the one that it was made for")]
    NotForThisKey,
    /// The content was changed on its way.
    #[error("the container was changed on its way; do not use it, and ask its sender for another")]
    Changed,
    /// The signature is not by the named house.
    #[error("the list is not signed by the house that was named; do not use it, and ask its sender")]
    Signature,
    /// The key cannot receive, or cannot sign.
    #[error("the key is of no kind that works here: P-256, P-384, or RSA of 3072 bits or more")]
    Key,
    /// Randomness or memory.
    #[error("the machine gave no randomness")]
    Machine,
}

impl EnvelopeError {
    /// One word for it, as logs and other programs have it.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Unsupported(_) => "unsupported",
            Self::NotForThisKey => "elsewhere",
            Self::Changed => "changed",
            Self::Signature => "signature",
            Self::Key => "key",
            Self::Machine => "machine",
        }
    }
}

impl From<der::Error> for EnvelopeError {
    fn from(_: der::Error) -> Self {
        Self::Form
    }
}

impl From<aws_lc_rs::error::Unspecified> for EnvelopeError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Machine
    }
}
