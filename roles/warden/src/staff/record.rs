//! What the journal of staff holds: who works here, and what was asked, approved and ended. Numbers never change.

/// One step. It is written before anybody is told of it.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Record {
    /// When, UTC milliseconds.
    #[prost(sint64, tag = "1")]
    pub(crate) at_ms: i64,
    /// The person who did it; empty where the house did.
    #[prost(string, tag = "2")]
    pub(crate) by: String,
    /// What.
    #[prost(oneof = "Step", tags = "3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 30, 31")]
    pub(crate) step: Option<Step>,
}

/// What was done.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Step {
    /// A person was named.
    #[prost(message, tag = "3")]
    Person(Person),
    /// A person does not work here any more: everything of theirs ends.
    #[prost(string, tag = "4")]
    Left(String),
    /// A role was given, or given again before it lapsed.
    #[prost(message, tag = "5")]
    Role(Assigned),
    /// A role was taken.
    #[prost(message, tag = "6")]
    Taken(Taken),
    /// A case was opened.
    #[prost(message, tag = "7")]
    Case(CaseOpened),
    /// A case was closed: grants for it end.
    #[prost(uint32, tag = "8")]
    CaseClosed(u32),
    /// Somebody asked for access.
    #[prost(message, tag = "9")]
    Ask(Asked),
    /// Somebody else agreed.
    #[prost(message, tag = "10")]
    Approved(Approved),
    /// Somebody else did not agree, or the asker took it back.
    #[prost(message, tag = "11")]
    Ended(Ended),
    /// Emergency access was taken.
    #[prost(message, tag = "12")]
    Glass(Broken),
    /// It was looked at afterwards.
    #[prost(message, tag = "13")]
    Reviewed(Reviewed),
    /// A role was used, at most once a day.
    #[prost(message, tag = "14")]
    Used(Used),
    /// The house's roles and purposes were replaced.
    #[prost(message, tag = "15")]
    Catalogue(NewCatalogue),
    /// Somebody asked that they be replaced.
    #[prost(message, tag = "16")]
    CatalogueAsked(NewCatalogue),
    /// A person's key was pinned, in place of the one before.
    #[prost(message, tag = "17")]
    Key(Pinned),
    /// A shift was set.
    #[prost(message, tag = "18")]
    Shift(ShiftSet),
    /// A shift was taken back or ended before its time.
    #[prost(uint32, tag = "19")]
    ShiftTaken(u32),
    /// A customer permits a third party to read.
    #[prost(message, tag = "30")]
    Permitted(Permitted),
    /// A permission was ended before its time.
    #[prost(uint32, tag = "31")]
    PermissionEnded(u32),
}

/// When somebody works or is on call.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ShiftSet {
    #[prost(uint32, tag = "1")]
    pub(crate) number: u32,
    #[prost(string, tag = "2")]
    pub(crate) person: String,
    /// Inclusive.
    #[prost(sint64, tag = "3")]
    pub(crate) from_ms: i64,
    /// Exclusive.
    #[prost(sint64, tag = "4")]
    pub(crate) until_ms: i64,
}

/// The key that a person signs approvals with.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Pinned {
    #[prost(string, tag = "1")]
    pub(crate) person: String,
    /// Ed25519 public key (32 bytes).
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) key: Vec<u8>,
}

/// A person.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Person {
    /// As the log and grants name them.
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    /// For people.
    #[prost(string, tag = "2")]
    pub(crate) title: String,
    /// The operating-system user at this machine that is this person; empty for none.
    #[prost(string, tag = "3")]
    pub(crate) user: String,
    /// A service account: a program.
    #[prost(bool, tag = "10")]
    pub(crate) service: bool,
}

/// A role of a person.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Assigned {
    #[prost(string, tag = "1")]
    pub(crate) person: String,
    #[prost(string, tag = "2")]
    pub(crate) role: String,
    /// Until when it counts, unless it is given again.
    #[prost(sint64, tag = "3")]
    pub(crate) until_ms: i64,
    /// In these areas only; none for everywhere.
    #[prost(string, repeated, tag = "4")]
    pub(crate) areas: Vec<String>,
    /// For these tenancies only (16 bytes each); none for all.
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub(crate) tenancies: Vec<Vec<u8>>,
}

/// What a customer permits.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Permitted {
    #[prost(uint32, tag = "1")]
    pub(crate) number: u32,
    /// The third party.
    #[prost(string, tag = "2")]
    pub(crate) to: String,
    /// Whose data (16 bytes each).
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub(crate) tenancies: Vec<Vec<u8>>,
    /// `base::Class::code`.
    #[prost(uint32, repeated, tag = "4")]
    pub(crate) classes: Vec<u32>,
    /// Until when, exclusive.
    #[prost(sint64, tag = "5")]
    pub(crate) until_ms: i64,
}

/// The end of a role.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Taken {
    #[prost(string, tag = "1")]
    pub(crate) person: String,
    #[prost(string, tag = "2")]
    pub(crate) role: String,
}

/// A case: why somebody looks at whose data.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CaseOpened {
    #[prost(uint32, tag = "1")]
    pub(crate) number: u32,
    /// Whose (16 bytes each).
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(crate) tenancies: Vec<Vec<u8>>,
    /// Why; no names of customers.
    #[prost(string, tag = "3")]
    pub(crate) reason: String,
}

/// A wish for access in time.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Asked {
    #[prost(uint32, tag = "1")]
    pub(crate) number: u32,
    #[prost(string, tag = "2")]
    pub(crate) purpose: String,
    /// `base::Class::code`.
    #[prost(uint32, tag = "3")]
    pub(crate) class: u32,
    /// The case that it is for.
    #[prost(uint32, tag = "4")]
    pub(crate) case: u32,
    /// Why; no names of customers.
    #[prost(string, tag = "5")]
    pub(crate) reason: String,
    /// For how long, milliseconds from the approval on.
    #[prost(sint64, tag = "6")]
    pub(crate) for_ms: i64,
}

/// Agreement.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Approved {
    #[prost(uint32, tag = "1")]
    pub(crate) number: u32,
    /// Until when the access lasts.
    #[prost(sint64, tag = "2")]
    pub(crate) until_ms: i64,
}

/// An end before its time.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Ended {
    #[prost(uint32, tag = "1")]
    pub(crate) number: u32,
    #[prost(string, tag = "2")]
    pub(crate) reason: String,
}

/// Emergency access.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Broken {
    #[prost(uint32, tag = "1")]
    pub(crate) number: u32,
    #[prost(string, tag = "2")]
    pub(crate) reason: String,
    #[prost(sint64, tag = "3")]
    pub(crate) until_ms: i64,
}

/// A look at emergency access afterwards.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Reviewed {
    #[prost(uint32, tag = "1")]
    pub(crate) number: u32,
    #[prost(bool, tag = "2")]
    pub(crate) justified: bool,
    #[prost(string, tag = "3")]
    pub(crate) note: String,
}

/// A role was used.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Used {
    #[prost(string, tag = "1")]
    pub(crate) person: String,
    #[prost(string, tag = "2")]
    pub(crate) role: String,
}

/// Roles and purposes of the house.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct NewCatalogue {
    /// As it was given, in TOML; empty for the built-in one.
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}
