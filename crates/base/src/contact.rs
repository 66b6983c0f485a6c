//! Who somebody is to the utility and where they are reached: held only while it is sealed, opened or shown.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Characters of a name, at most.
const MAX_NAME: usize = 200;
/// Characters of an address for letters, at most.
const MAX_ADDRESS: usize = 400;
/// Characters of a mail address, at most (RFC 5321, 4.5.3.1.3, without the brackets).
const MAX_MAIL: usize = 254;
/// Characters of a telephone number, at most.
const MAX_PHONE: usize = 40;

/// A name, and where letters, mail and calls reach them. It is zeroed when it is dropped, and its `Debug` shows nothing of it,
/// so that no log and no failed test ever does.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Contact {
    name: String,
    address: String,
    mail: String,
    phone: String,
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contact(not shown)")
    }
}

/// Why something is no contact. It names the part, never what was in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContactError {
    /// Ways to reach nobody.
    #[error("there is a way to reach somebody and no name; give the name, too")]
    NoName,
    /// Too long.
    #[error("the {part} is longer than {most} characters; shorten it")]
    TooLong {
        /// `name`, `address`, `mail` or `phone`.
        part: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// More than a line, or characters that nobody sees.
    #[error("the {part} has a line break or characters that are not seen; write it in one plain line")]
    NotPlain {
        /// `name`, `address`, `mail` or `phone`.
        part: &'static str,
    },
    /// No mail address.
    #[error("the mail address has no `@` between two words; correct it, or leave it out")]
    NoMail,
}

impl ContactError {
    /// The part that is wrong: `name`, `address`, `mail` or `phone`.
    #[must_use]
    pub const fn part(&self) -> &'static str {
        match self {
            Self::NoName => "name",
            Self::TooLong { part, .. } | Self::NotPlain { part } => part,
            Self::NoMail => "mail",
        }
    }
}

/// Line breaks of other alphabets, and marks that turn or hide what follows them on paper and screens.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn plain(part: &'static str, text: &str, most: usize) -> Result<String, ContactError> {
    let text = text.trim();
    if text.chars().count() > most {
        return Err(ContactError::TooLong { part, most });
    }
    if text.chars().any(is_unseen) {
        return Err(ContactError::NotPlain { part });
    }
    Ok(text.to_owned())
}

impl Contact {
    /// Takes the parts; all but the name may be empty.
    ///
    /// # Errors
    /// [`ContactError`], by the part that is wrong.
    pub fn new(name: &str, address: &str, mail: &str, phone: &str) -> Result<Self, ContactError> {
        let contact = Self {
            name: plain("name", name, MAX_NAME)?,
            address: plain("address", address, MAX_ADDRESS)?,
            mail: plain("mail", mail, MAX_MAIL)?,
            phone: plain("phone", phone, MAX_PHONE)?,
        };
        if contact.name.is_empty() {
            return Err(ContactError::NoName);
        }
        let is_mail = |mail: &str| {
            let parts = mail.rsplit_once('@');
            let words = parts.is_some_and(|(who, at)| !who.is_empty() && !at.is_empty());
            words && !mail.chars().any(char::is_whitespace)
        };
        if !contact.mail.is_empty() && !is_mail(&contact.mail) {
            return Err(ContactError::NoMail);
        }
        Ok(contact)
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address for letters; empty for none.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The mail address; empty for none.
    #[must_use]
    pub fn mail(&self) -> &str {
        &self.mail
    }

    /// The telephone number; empty for none.
    #[must_use]
    pub fn phone(&self) -> &str {
        &self.phone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_a_name_with_ways_to_reach_it_each_in_one_plain_line() {
        let whole =
            Contact::new(" Åse Østergård ", "Nygade 1, 8000 Aarhus C", "ase@example.dk", "+45 12 34 56 78");
        let whole = whole.unwrap();
        assert_eq!((whole.name(), whole.address()), ("Åse Østergård", "Nygade 1, 8000 Aarhus C"));
        assert_eq!((whole.mail(), whole.phone()), ("ase@example.dk", "+45 12 34 56 78"));
        assert!(Contact::new("Åse", "", "", "").is_ok());
        let part = |name: &str, address: &str, mail: &str, phone: &str| {
            Contact::new(name, address, mail, phone).unwrap_err().part()
        };
        assert_eq!(part("", "Nygade 1", "", ""), "name");
        assert_eq!(part(&"å".repeat(MAX_NAME + 1), "", "", ""), "name");
        assert_eq!(part("Åse", "Nygade 1\n8000 Aarhus", "", ""), "address");
        assert_eq!(part("Åse\u{202e}esÅ", "", "", ""), "name");
        assert_eq!(part("Åse", "", "", "\u{1b}[2J"), "phone");
        assert_eq!(part("Åse", "", "", &"1".repeat(MAX_PHONE + 1)), "phone");
        for mail in ["ase", "@example.dk", "ase@", "a se@example.dk"] {
            assert_eq!(part("Åse", "", mail, ""), "mail", "{mail}");
        }
        assert!(Contact::new(&"å".repeat(MAX_NAME), "", "", "").is_ok());
    }

    #[test]
    fn nothing_of_it_is_printed_by_accident() {
        let contact = Contact::new("Åse Østergård", "Nygade 1", "ase@example.dk", "12345678").unwrap();
        let wrong = Contact::new("Åse Østergård", "", "ase.example.dk", "").unwrap_err();
        let said = format!("{contact:?} {wrong:?} {wrong}");
        for word in ["Åse", "Nygade", "example", "1234"] {
            assert!(!said.contains(word), "{said}");
        }
    }
}
