//! Which column of a list is which: by its header, by the caller's word, or by the order `maker;serial;key`.

use super::header::{Header, Named, Names, plain};
use crate::device::KeyRole;

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// Three letters.
    Manufacturer,
    /// Eight digits.
    Serial,
    /// A key.
    Key(KeyRole),
}

/// Headers in use, without spaces, dots and dashes: English, Danish, German.
const NAMES: &Names = &[
    (
        "manufacturer",
        &["manufacturer", "maker", "mfr", "mfct", "vendor", "producent", "fabrikat", "hersteller"],
    ),
    (
        "serial",
        &[
            "serial",
            "serialno",
            "serialnr",
            "serialnumber",
            "meterid",
            "meterno",
            "meternumber",
            "id",
            "idnumber",
            "deviceid",
            "målernr",
            "målernummer",
            "serienr",
            "serienummer",
            "zählernummer",
        ],
    ),
    (
        "key",
        &[
            "key",
            "aeskey",
            "aes128key",
            "encryptionkey",
            "decryptionkey",
            "meterkey",
            "dek",
            "krypteringsnøgle",
            "nøgle",
            "schlüssel",
        ],
    ),
    ("gpk60", &["gpk60", "guek", "hanencryptionkey"]),
    ("gpk61", &["gpk61", "gak", "hanauthenticationkey", "authenticationkey"]),
    ("kek", &["kek", "masterkey", "keyencryptionkey"]),
];

fn role(what: &str) -> Option<Role> {
    Some(match what {
        "manufacturer" => Role::Manufacturer,
        "serial" => Role::Serial,
        "key" => Role::Key(KeyRole::Dek),
        "gpk60" => Role::Key(KeyRole::Gpk60),
        "gpk61" => Role::Key(KeyRole::Gpk61),
        "kek" => Role::Key(KeyRole::Kek),
        _ => return None,
    })
}

/// What the caller knows about a list.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    columns: Named,
    /// The maker of all meters that the list names none for.
    pub(super) manufacturer: Option<String>,
    /// The sheet of a workbook.
    pub(super) sheet: Option<String>,
}

/// Why a list's columns are unclear.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// Not `what=header`.
    #[error("`{0}` maps no column; write one of {1}, then `=` and the column's header")]
    Form(String, String),
    /// A header that the list does not have.
    #[error("the list has no column `{0}`; it has: {1}")]
    NoHeader(String, String),
    /// A column that cannot be guessed.
    #[error("no column of the list is known to hold the {0}; name it with `--column {0}=HEADER`")]
    Missing(&'static str),
    /// Two columns for one thing.
    #[error("two columns of the list may hold the {0}; name the right one with `--column {0}=HEADER`")]
    Twice(&'static str),
}

impl Mapping {
    /// Knows nothing about the columns, and perhaps who made the meters for which the list does not say it.
    #[must_use]
    pub fn new(manufacturer: Option<&str>) -> Self {
        Self { columns: Named::default(), manufacturer: manufacturer.map(str::to_owned), sheet: None }
    }

    /// Of a workbook, reads this sheet.
    #[must_use]
    pub fn sheet(mut self, name: Option<&str>) -> Self {
        self.sheet = name.map(str::to_owned);
        self
    }

    /// Whether a name in a document means the serial number, here or as a rule.
    pub(super) fn means_serial(&self, name: &str) -> bool {
        let name = plain(name);
        match self.columns.of("serial") {
            Some(ours) => ours == name,
            None => NAMES.iter().any(|(what, names)| *what == "serial" && names.contains(&name.as_str())),
        }
    }

    /// Takes one column's name, as `key=AES Key`.
    ///
    /// # Errors
    /// [`MappingError::Form`].
    pub fn column(&mut self, text: &str) -> Result<(), MappingError> {
        self.columns.take(text, NAMES)
    }
}

/// Where a list's columns are.
pub(super) struct Columns(Vec<(Role, usize)>);

impl Columns {
    /// Finds them in the first line, and says whether that is a header.
    pub(super) fn find(first: &[&str], mapping: &Mapping) -> Result<(Self, bool), MappingError> {
        let header = Header::find(first, NAMES, &mapping.columns)?;
        let is_header = header.is_some();
        let columns = header.map_or_else(|| Self::by_order(first.len()), |header| Self::by_header(&header));
        let has = |wanted: fn(&Role) -> bool| columns.0.iter().any(|(role, _)| wanted(role));
        if !has(|r| *r == Role::Serial) {
            return Err(MappingError::Missing("serial"));
        }
        if !has(|r| matches!(r, Role::Key(_))) {
            return Err(MappingError::Missing("key"));
        }
        if !has(|r| *r == Role::Manufacturer) && mapping.manufacturer.is_none() {
            return Err(MappingError::Missing("manufacturer"));
        }
        Ok((columns, is_header))
    }

    fn by_order(cells: usize) -> Self {
        let key = Role::Key(KeyRole::Dek);
        Self(match cells {
            2 => vec![(Role::Serial, 0), (key, 1)],
            3 => vec![(Role::Manufacturer, 0), (Role::Serial, 1), (key, 2)],
            _ => Vec::new(),
        })
    }

    fn by_header(header: &Header) -> Self {
        let found = NAMES.iter().filter_map(|(what, _)| Some((role(what)?, header.at(what)?)));
        Self(found.collect())
    }

    pub(super) fn at(&self, role: &Role) -> Option<usize> {
        self.0.iter().find(|(r, _)| r == role).map(|(_, at)| *at)
    }

    /// The columns with keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&KeyRole, usize)> {
        self.0.iter().filter_map(|(role, at)| match role {
            Role::Key(key) => Some((key, *at)),
            _ => None,
        })
    }
}
