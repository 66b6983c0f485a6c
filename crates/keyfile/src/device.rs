//! What a key file says about one meter.

use base::{MeterAddress, Secret};
use zeroize::Zeroizing;

/// What a key is for, under the name that the file gives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyRole {
    /// Data encryption key: decrypts the telegrams of the meter.
    Dek,
    /// Key encryption key: wraps new keys on their way into the meter.
    Kek,
    /// Electricity meters: encryption key of the customer interface (HAN).
    Gpk60,
    /// Electricity meters: authentication key of the customer interface.
    Gpk61,
    /// Any other name, as given: letters, digits, `-`, `_` and `.`, at most 32.
    Other(String),
}

impl KeyRole {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > 32 || !name.chars().all(plain) {
            return None;
        }
        Some(match name.to_ascii_uppercase().as_str() {
            "DEK" => Self::Dek,
            "KEK" => Self::Kek,
            "GPK60" => Self::Gpk60,
            "GPK61" => Self::Gpk61,
            _ => Self::Other(name.to_owned()),
        })
    }

    /// Telegram keys are AES-128 always; DLMS suite 2 has 256-bit keys for the others.
    const fn may_have_32_bytes(&self) -> bool {
        !matches!(self, Self::Dek)
    }
}

impl std::fmt::Display for KeyRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Dek => "DEK",
            Self::Kek => "KEK",
            Self::Gpk60 => "GPK60",
            Self::Gpk61 => "GPK61",
            Self::Other(name) => name,
        })
    }
}

/// The key itself.
pub enum KeyBytes {
    /// AES-128.
    Aes128(Secret<16>),
    /// AES-256 (DLMS suite 2).
    Aes256(Secret<32>),
}

impl KeyBytes {
    /// The bytes, for a cipher or a wrapping that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        match self {
            Self::Aes128(key) => key.expose(),
            Self::Aes256(key) => key.expose(),
        }
    }

    /// Reads hexadecimal digits, of the length that the role allows.
    pub(crate) fn from_hex(role: &KeyRole, text: &str) -> Result<Self, DeviceError> {
        let bytes = || Zeroizing::new([0u8; 32]);
        let mut buffer = bytes();
        let not_hex = |_| DeviceError::NotHex { role: role.clone() };
        let key = match text.len() {
            32 => {
                let (key, _) = buffer.split_at_mut(16);
                hex::decode_to_slice(text, key).map_err(not_hex)?;
                Secret::from_slice(key).map(Self::Aes128)
            }
            64 if role.may_have_32_bytes() => {
                hex::decode_to_slice(text, buffer.as_mut_slice()).map_err(not_hex)?;
                Secret::from_slice(buffer.as_slice()).map(Self::Aes256)
            }
            _ => None,
        };
        let digits = text.len();
        let key = key.ok_or_else(|| DeviceError::KeyLength { role: role.clone(), digits })?;
        if guessable(key.expose()) {
            return Err(DeviceError::Guessable { role: role.clone() });
        }
        Ok(key)
    }
}

/// Keys that protect nothing: one byte repeated, bytes that count, a default key that is public.
fn guessable(key: &[u8]) -> bool {
    const PUBLIC: [u8; 16] = *b"\x51\x72\x89\x10\xe6\x6d\x83\xf8\x51\x72\x89\x10\xe6\x6d\x83\xf8";
    let mut steps = key.iter().zip(key.iter().skip(1)).map(|(a, b)| b.wrapping_sub(*a));
    let first = steps.next();
    key == PUBLIC || steps.all(|step| Some(step) == first)
}

/// One key of a meter.
pub struct Key {
    /// What it is for.
    pub role: KeyRole,
    /// The key.
    pub bytes: KeyBytes,
}

/// A meter of a key file. The file does not say which version and device type the meter's telegrams carry, so
/// that the register has to match by manufacturer and serial.
pub struct Device {
    /// Three letters, as `KAM`.
    pub manufacturer: String,
    /// Eight digits: the identification number of EN 13757.
    pub serial: String,
    /// The buyer's own number for it.
    pub customer_no: Option<String>,
    /// The maker's short name of the model, as `MC403`.
    pub model: Option<String>,
    /// What it measures in the maker's words, as `Heat` or `VolumeCold`.
    pub consumption: Option<String>,
    /// The maker's configuration number.
    pub config_no: Option<String>,
    /// The maker's type number.
    pub type_no: Option<String>,
    /// The order that it came with.
    pub order_no: Option<String>,
    /// Its keys, each role once, in the order of the roles.
    pub keys: Vec<Key>,
}

impl Device {
    /// The meter as messages name it: `KAM-90000001`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}-{}", self.manufacturer, self.serial)
    }

    /// Whether a full address may be this meter: same manufacturer, same serial.
    #[must_use]
    pub fn matches(&self, address: &MeterAddress) -> bool {
        address.manufacturer() == self.manufacturer && address.serial() == self.serial
    }

    /// The key of a role.
    #[must_use]
    pub fn key(&self, role: &KeyRole) -> Option<&KeyBytes> {
        self.keys.iter().find(|key| key.role == *role).map(|key| &key.bytes)
    }

    /// Whether both entries give the same keys, so that one of them can go.
    pub(crate) fn same_keys(&self, other: &Self) -> bool {
        self.keys.len() == other.keys.len()
            && self
                .keys
                .iter()
                .zip(&other.keys)
                .all(|(a, b)| a.role == b.role && a.bytes.expose() == b.bytes.expose())
    }
}

/// Why one meter of an otherwise good file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// No serial, several, or one that is not eight digits.
    #[error("its serial number is missing or not eight digits")]
    Serial,
    /// No maker, several, or one that is not three letters.
    #[error("its manufacturer is missing or not three letters")]
    Manufacturer,
    /// Nothing to import.
    #[error("it has no key")]
    NoKey,
    /// A key whose name is missing or unusual.
    #[error("it has a key without a usable name")]
    KeyName,
    /// A key of the wrong length.
    #[error("its key {role} has {digits} hexadecimal digits, not 32 (or 64 for DLMS suite 2)")]
    KeyLength {
        /// Of which key.
        role: KeyRole,
        /// How many digits it has.
        digits: usize,
    },
    /// A key with other characters than hexadecimal digits.
    #[error("its key {role} is not hexadecimal")]
    NotHex {
        /// Of which key.
        role: KeyRole,
    },
    /// A key that anybody would try first.
    #[error(
        "its key {role} is a known default or a pattern, which protects nothing; ask the supplier for a real one"
    )]
    Guessable {
        /// Of which key.
        role: KeyRole,
    },
    /// Two keys of one role in one entry.
    #[error("it has two keys {role}; which one counts is unclear")]
    RoleTwice {
        /// Of which role.
        role: KeyRole,
    },
    /// The meter stands in the file twice with different keys.
    #[error("it stands in the file more than once with different keys; which ones count is unclear")]
    Conflict,
}

impl DeviceError {
    /// The name under which this refusal is counted and logged.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Serial | Self::Manufacturer => "keyfile-meter-unnamed",
            Self::NoKey => "keyfile-meter-without-key",
            Self::KeyName => "keyfile-key-unnamed",
            Self::KeyLength { .. } => "keyfile-key-length",
            Self::NotHex { .. } => "keyfile-key-not-hex",
            Self::Guessable { .. } => "keyfile-key-guessable",
            Self::RoleTwice { .. } => "keyfile-key-twice",
            Self::Conflict => "keyfile-meter-conflict",
        }
    }
}

/// A meter that is refused, while the others of the file are good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("meter `{meter}`: {error}")]
pub struct RefusedDevice {
    /// As the file names it, as far as it does.
    pub meter: String,
    /// Why.
    pub error: DeviceError,
}
