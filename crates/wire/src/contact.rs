//! Names and contacts of customers. They travel beside a signed request, which holds a digest of them: the vault, which sees the
//! request, sees no name. Nothing here prints what it holds.

use base::ContactError;

/// A name, and where letters, mail and calls reach them; all but the name may be empty.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct Contact {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The address for letters.
    #[prost(string, tag = "2")]
    pub address: String,
    /// The mail address.
    #[prost(string, tag = "3")]
    pub mail: String,
    /// The telephone number.
    #[prost(string, tag = "4")]
    pub phone: String,
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contact(not shown)")
    }
}

impl Contact {
    /// As it travels.
    #[must_use]
    pub fn of(contact: &base::Contact) -> Self {
        let [name, address, mail, phone] =
            [contact.name(), contact.address(), contact.mail(), contact.phone()].map(str::to_owned);
        Self { name, address, mail, phone }
    }

    /// With its bounds held.
    ///
    /// # Errors
    /// The part that is wrong.
    pub fn checked(&self) -> Result<base::Contact, ContactError> {
        base::Contact::new(&self.name, &self.address, &self.mail, &self.phone)
    }
}

/// What travels beside a signed request.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Contacts {
    /// 32 random bytes, so that the digest in the request says nothing of the contacts.
    #[prost(bytes = "vec", tag = "1")]
    pub salt: Vec<u8>,
    /// The contacts, which the request names by their number from 1.
    #[prost(message, repeated, tag = "2")]
    pub items: Vec<Contact>,
}

/// A change to the register, with the contacts that it tells: `crate::archive::Asked` with more in it.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct AskedBeside {
    /// An encoded `grant::SignedRequest`.
    #[prost(bytes = "vec", tag = "1")]
    pub request: Vec<u8>,
    /// Encoded [`Contacts`] whose digest (`seal::contact::digest_beside`) the request's body holds; empty for none.
    #[prost(bytes = "vec", tag = "2")]
    pub contacts: Vec<u8>,
}

impl std::fmt::Debug for AskedBeside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AskedBeside").finish_non_exhaustive()
    }
}

/// Sets the contact of a tenancy.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SetContact {
    /// Whose (16 bytes).
    #[prost(bytes = "vec", tag = "1")]
    pub tenancy: Vec<u8>,
    /// Which of the contacts beside the request, from 1.
    #[prost(uint32, tag = "2")]
    pub contact: u32,
}

/// Body of a question for contacts. It names whose, and never asks for readings.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ContactsQuery {
    /// The tenancies (16 bytes each), at most 1,000.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub tenancies: Vec<Vec<u8>>,
}

/// Contacts.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ContactsAnswer {
    /// Of the tenancies that have one, in their order.
    #[prost(message, repeated, tag = "1")]
    pub contacts: Vec<ContactOf>,
    /// The event's number in the log.
    #[prost(uint64, tag = "2")]
    pub receipt: u64,
    /// Sentences for people about tenancies without one, or whose contact does not open.
    #[prost(string, repeated, tag = "3")]
    pub notes: Vec<String>,
}

/// The contact of a tenancy.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ContactOf {
    /// Whose.
    #[prost(bytes = "vec", tag = "1")]
    pub tenancy: Vec<u8>,
    /// The contact.
    #[prost(message, optional, tag = "2")]
    pub contact: Option<Contact>,
    /// The how-manieth of this tenancy it is, from 1.
    #[prost(uint32, tag = "3")]
    pub version: u32,
    /// When it was told, UTC milliseconds.
    #[prost(sint64, tag = "4")]
    pub told_ms: i64,
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn no_message_prints_a_name() {
        let contact = Contact {
            name: "Åse Østergård".to_owned(),
            address: "Nygade 1".to_owned(),
            mail: "ase@example.dk".to_owned(),
            phone: "12345678".to_owned(),
        };
        assert_eq!(Contact::of(&contact.checked().unwrap()), contact);
        let beside = Contacts { salt: vec![1; 32], items: vec![contact.clone()] };
        let asked = AskedBeside { request: vec![2], contacts: beside.encode_to_vec() };
        let of = ContactOf { contact: Some(contact.clone()), ..ContactOf::default() };
        let answer = ContactsAnswer { contacts: vec![of], ..ContactsAnswer::default() };
        let said = format!("{contact:?} {beside:?} {asked:?} {answer:?}");
        let bytes = format!("{:?}", "Østergård".as_bytes());
        for word in ["Øster", "Nygade", "example", "12345678", bytes.trim_matches(['[', ']'])] {
            assert!(!said.contains(word), "{said}");
        }
    }
}
