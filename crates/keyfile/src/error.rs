//! Why a key file is refused. Each reason has a short name under which it is counted.

/// Which of the two XML documents of a key file is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The `EncryptedData` document that lies in the file.
    Outer,
    /// The document with the keys, after decryption.
    Inner,
    /// A list of keys in plain text.
    List,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Outer => "key file",
            Self::Inner => "decrypted document",
            Self::List => "list",
        })
    }
}

/// A key file that is refused as a whole. No message repeats anything of the decrypted document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file as delivered is larger than a key file may be.
    #[error("the file has {bytes} bytes, a key file at most {limit}; split the order into several files")]
    TooLarge {
        /// What was given.
        bytes: usize,
        /// What is allowed.
        limit: usize,
    },
    /// Neither a zip archive nor XML.
    #[error("the file is neither a zip archive nor XML; give the file as it was downloaded (.kem, .kem2)")]
    NotAKeyFile,
    /// The archive cannot be read.
    #[error("the zip archive is damaged or of an unusual kind ({0}); download it again")]
    Archive(String),
    /// A member's name points outside the archive.
    #[error("the zip archive has a member named `{0}`, which points into a folder; key files never do")]
    MemberName(String),
    /// More members than a key file has.
    #[error("the zip archive has {found} members, a key file at most {limit}")]
    TooManyMembers {
        /// How many there are.
        found: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// No member ends in `.kem` or `.kem2`.
    #[error("the zip archive has no member ending in .kem or .kem2")]
    NoData,
    /// Several members end in `.kem` or `.kem2`; which one counts would be a guess.
    #[error("the zip archive has {0} members ending in .kem or .kem2; which one counts is unclear")]
    SeveralData(usize),
    /// A member unpacks to more than a key file may have.
    #[error("a member of the zip archive unpacks to more than {limit} bytes; it was not read further")]
    MemberTooLarge {
        /// What is allowed.
        limit: usize,
    },
    /// A document type declaration, which key files never have and which XML attacks need.
    #[error("the {0} has a DOCTYPE; key files never do, so it was not read further")]
    Doctype(Part),
    /// The XML is not well-formed.
    #[error("the {part} is no well-formed XML: {reason}")]
    Xml {
        /// Which document.
        part: Part,
        /// What is wrong, without quoting content.
        reason: &'static str,
    },
    /// Deeper, longer or with more elements than a key file has.
    #[error("the {part} has more than {limit} {what}")]
    TooMuch {
        /// Which document.
        part: Part,
        /// Of what there is too much.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// The outer document is something else.
    #[error("the XML starts with `{0}`, not with `EncryptedData`; it is no Kamstrup key file")]
    NotEncryptedData(String),
    /// Encrypted in a way that Kamstrup does not use.
    #[error("the file says that it is encrypted with `{0}`; only aes128-cbc is known for key files")]
    Encryption(String),
    /// Not exactly one `CipherValue`.
    #[error("the key file has {0} cipher values instead of one")]
    CipherValues(usize),
    /// The cipher value is no base64.
    #[error("the cipher value is no base64; the file is damaged, download it again")]
    Base64,
    /// The cipher text is cut short.
    #[error("the cipher text has {0} bytes, no multiple of 16; the file was cut short, download it again")]
    CipherLength(usize),
    /// The decrypted bytes are no key document.
    #[error("the password is wrong (the file does not decrypt to a list of meters)")]
    WrongPassword,
    /// A signature that does not fit the file.
    #[error("the signature does not fit the file ({0}); it was changed on the way, ask for it again")]
    SignatureInvalid(&'static str),
    /// A signature of a kind that this program cannot check, so that nobody believes it was checked.
    #[error("the file is signed in a way that cannot be checked here ({0})")]
    SignatureUnsupported(String),
    /// Signed, but by nobody whom the caller trusts, though the caller asked for that.
    #[error("the file is signed by `{0}`, who is not among the trusted signers")]
    SignerUnknown(String),
    /// Not signed, though the caller asked for a signature.
    #[error("the file is not signed, and only signed files are accepted")]
    Unsigned,
}

impl KeyFileError {
    /// The name under which this refusal is counted and logged.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "keyfile-too-large",
            Self::NotAKeyFile => "keyfile-unknown-format",
            Self::Archive(_) => "keyfile-zip-damaged",
            Self::MemberName(_) => "keyfile-zip-path",
            Self::TooManyMembers { .. } => "keyfile-zip-members",
            Self::NoData => "keyfile-zip-empty",
            Self::SeveralData(_) => "keyfile-zip-ambiguous",
            Self::MemberTooLarge { .. } => "keyfile-zip-bomb",
            Self::Doctype(_) => "keyfile-doctype",
            Self::Xml { .. } => "keyfile-xml-damaged",
            Self::TooMuch { .. } => "keyfile-xml-limit",
            Self::NotEncryptedData(_) => "keyfile-not-encrypted-data",
            Self::Encryption(_) => "keyfile-encryption-unknown",
            Self::CipherValues(_) => "keyfile-cipher-ambiguous",
            Self::Base64 => "keyfile-base64",
            Self::CipherLength(_) => "keyfile-truncated",
            Self::WrongPassword => "keyfile-wrong-password",
            Self::SignatureInvalid(_) => "keyfile-signature-invalid",
            Self::SignatureUnsupported(_) => "keyfile-signature-unsupported",
            Self::SignerUnknown(_) => "keyfile-signer-unknown",
            Self::Unsigned => "keyfile-unsigned",
        }
    }
}

/// A text from the file as a message may show it: short, and without control characters.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}
