//! What the columns of a list may be called: English and Danish.

use keyfile::{Header, ListError, MappingError, Names};

/// Headers in use, without spaces, dots and dashes.
pub(crate) const NAMES: &Names = &[
    (
        "meter",
        &[
            "meter",
            "meterno",
            "meternumber",
            "meterid",
            "serial",
            "serialno",
            "serialnumber",
            "måler",
            "målernr",
            "målernummer",
            "målerid",
            "serienr",
            "serienummer",
            "fabriksnr",
            "fabriksnummer",
        ],
    ),
    ("manufacturer", &["manufacturer", "maker", "mfr", "vendor", "producent", "fabrikat", "målerfabrikat"]),
    (
        "place",
        &[
            "place",
            "placeno",
            "site",
            "premise",
            "installation",
            "installationno",
            "installationnumber",
            "installationnr",
            "installationsnr",
            "installationsnummer",
            "forbrugssted",
            "forbrugsstednr",
            "forbrugsstedsnr",
            "forbrugsstedsnummer",
            "aftagenr",
            "aftagenummer",
            "målested",
        ],
    ),
    ("area", &["area", "zone", "district", "område", "forsyningsområde", "distrikt"]),
    (
        "customer",
        &[
            "customer",
            "customerno",
            "customernumber",
            "customerid",
            "kunde",
            "kundenr",
            "kundenummer",
            "kundeid",
            "forbruger",
            "forbrugernr",
            "forbrugernummer",
            "debitornr",
        ],
    ),
    (
        "from",
        &[
            "from",
            "since",
            "start",
            "startdate",
            "tenancyfrom",
            "movein",
            "movedin",
            "moveindate",
            "fra",
            "fradato",
            "startdato",
            "tilflytning",
            "tilflyttet",
            "tilflytningsdato",
            "indflytning",
            "indflytningsdato",
            "kundeforholdfra",
        ],
    ),
    (
        "until",
        &[
            "until",
            "to",
            "end",
            "enddate",
            "tenancyuntil",
            "tenancyto",
            "moveout",
            "movedout",
            "moveoutdate",
            "til",
            "tildato",
            "slut",
            "slutdato",
            "fraflytning",
            "fraflyttet",
            "fraflytningsdato",
            "kundeforholdtil",
        ],
    ),
    ("name", &["name", "customername", "tenantname", "navn", "kundenavn", "lejernavn", "forbrugernavn"]),
    ("address", &["address", "postaladdress", "adresse", "postadresse", "kundeadresse"]),
    ("mail", &["mail", "email", "emailaddress", "mailadresse", "emailadresse", "epost"]),
    (
        "phone",
        &[
            "phone",
            "phoneno",
            "phonenumber",
            "telephone",
            "telefon",
            "telefonnr",
            "telefonnummer",
            "tlf",
            "tlfnr",
            "mobil",
            "mobilnr",
        ],
    ),
    ("resolution", &["resolution", "keeps", "opløsning", "gemmes"]),
    ("clear", &["clear", "cleartext", "unencrypted", "klartekst", "ukrypteret"]),
];

/// The columns that say who a customer is and how they are reached.
pub(crate) const CONTACT: [&str; 4] = ["name", "address", "mail", "phone"];

/// Whether the columns are there without which no row says anything.
pub(crate) fn complete(header: &Header) -> Result<(), ListError> {
    for word in ["meter", "place"] {
        if header.at(word).is_none() {
            return Err(MappingError::Missing(word).into());
        }
    }
    Ok(())
}
