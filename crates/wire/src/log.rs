//! Messages about the log: searching it, the tags by which it knows data subjects, and what those are shown of it.
//!
//! What people ask is an encoded `grant::SignedRequest` (as [`crate::archive::Asked`]), whose `body` is the message named here:
//! for `read-log` searches and tags, for `read-history` and `unmask-staff` what is shown to data subjects.

/// Body of a search. Criteria that are left out say nothing; an entry is found when it meets all the others.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LogQuery {
    /// For whom: a person, a collector.
    #[prost(string, tag = "1")]
    pub person: String,
    /// The room that did it.
    #[prost(string, tag = "2")]
    pub actor: String,
    /// What was done: any of these, at most 16.
    #[prost(string, repeated, tag = "3")]
    pub actions: Vec<String>,
    /// `allowed`, `refused` or `done`.
    #[prost(string, tag = "4")]
    pub outcome: String,
    /// Why refused.
    #[prost(string, tag = "5")]
    pub reason: String,
    /// What for.
    #[prost(string, tag = "6")]
    pub purpose: String,
    /// Under which grant (16 bytes).
    #[prost(bytes = "vec", tag = "7")]
    pub grant_id: Vec<u8>,
    /// Which request (32 bytes).
    #[prost(bytes = "vec", tag = "8")]
    pub request_hash: Vec<u8>,
    /// Whose data: any of these tags (16 bytes each), at most 256.
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub subjects: Vec<Vec<u8>>,
    /// Taken by the ledger at this moment or later, UTC milliseconds; 0 for since ever.
    #[prost(sint64, tag = "10")]
    pub from_ms: i64,
    /// Taken before this moment; 0 for until now.
    #[prost(sint64, tag = "11")]
    pub until_ms: i64,
    /// The oldest first, not the newest.
    #[prost(bool, tag = "12")]
    pub oldest_first: bool,
    /// At most so many entries; 0 for the ledger's own limit (500), which is also the most.
    #[prost(uint32, tag = "13")]
    pub limit: u32,
    /// Go on behind this entry: the numbers above it where the oldest come first, else those below it.
    #[prost(uint64, optional, tag = "14")]
    pub after: Option<u64>,
    /// Just this entry.
    #[prost(uint64, optional, tag = "15")]
    pub number: Option<u64>,
    /// For which case; 0 for any and none.
    #[prost(uint32, tag = "16")]
    pub case: u32,
    /// In which session (16 bytes).
    #[prost(bytes = "vec", tag = "17")]
    pub session: Vec<u8>,
}

/// A page of entries.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LogAnswer {
    /// In the order that was asked for.
    #[prost(message, repeated, tag = "1")]
    pub entries: Vec<FoundEntry>,
    /// There may be more: ask again with this as [`LogQuery::after`]. A page can be empty and go on.
    #[prost(uint64, optional, tag = "2")]
    pub next: Option<u64>,
    /// The number of the entry that says that this was looked for.
    #[prost(uint64, tag = "3")]
    pub receipt: u64,
    /// Months whose review is overdue (`base::Month::number`), the oldest first.
    #[prost(uint32, repeated, tag = "4")]
    pub overdue: Vec<u32>,
}

/// An entry of the log.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FoundEntry {
    /// Its number in the log.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// When the ledger took it, UTC milliseconds.
    #[prost(sint64, tag = "2")]
    pub at_ms: i64,
    /// The encoded `grant::Event`, byte for byte as the log has it.
    #[prost(bytes = "bytes", tag = "3")]
    pub event: prost::bytes::Bytes,
}

/// Body of a question for tags: of those who hold or held these meters, of these customers, of these tenancies. At least one
/// of the three is named, and at most 100 in all.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TagsQuery {
    /// Meters by text, as in [`crate::archive::ReadingsQuery::meters`].
    #[prost(string, repeated, tag = "1")]
    pub meters: Vec<String>,
    /// The utility's references of customers.
    #[prost(string, repeated, tag = "2")]
    pub customers: Vec<String>,
    /// Tenancies (16 bytes each).
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub tenancies: Vec<Vec<u8>>,
}

/// Tags, and nothing else that the register knows.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TagsAnswer {
    /// 16 bytes each, ascending, each once.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub tags: Vec<Vec<u8>>,
    /// The number of the entry of the log that says that these were asked for.
    #[prost(uint64, tag = "2")]
    pub receipt: u64,
}

/// The archive asks for entries that name data subjects: the oldest first, a page at a time.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OfSubjects {
    /// Any of these tags (16 bytes each), 1 to 256.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub subjects: Vec<Vec<u8>>,
    /// Go on behind this entry.
    #[prost(uint64, optional, tag = "2")]
    pub after: Option<u64>,
    /// Just this entry, if it names one of them.
    #[prost(uint64, optional, tag = "3")]
    pub number: Option<u64>,
}

/// Body of a question for a history.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HistoryQuery {
    /// Whose (16 bytes each), at most 100; none for all that the grant names.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub tenancies: Vec<Vec<u8>>,
    /// From when, UTC milliseconds, inclusive; 0 for since ever.
    #[prost(sint64, tag = "2")]
    pub from_ms: i64,
    /// Until when, exclusive; 0 for until now.
    #[prost(sint64, tag = "3")]
    pub until_ms: i64,
}

/// A history: each entry of the log that names one of them, the oldest first.
#[derive(Clone, PartialEq, prost::Message)]
pub struct History {
    /// Them.
    #[prost(message, repeated, tag = "1")]
    pub looks: Vec<Look>,
    /// The number of the entry that says that this was asked.
    #[prost(uint64, tag = "2")]
    pub receipt: u64,
    /// How many entries of the log name one of them in all, whenever that was.
    #[prost(uint64, tag = "3")]
    pub in_all: u64,
}

/// Somebody did something with the data of a data subject, or was refused it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Look {
    /// The entry's number in the log.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// When the ledger took it, UTC milliseconds.
    #[prost(sint64, tag = "2")]
    pub at_ms: i64,
    /// Who, without a name: the same number is the same person within this history, in the order in which they came; 0 for a room
    /// of the house by itself.
    #[prost(uint32, tag = "3")]
    pub who: u32,
    /// The name, where it was told to the data subject.
    #[prost(string, tag = "4")]
    pub name: String,
    /// The role in which, or empty.
    #[prost(string, tag = "5")]
    pub role: String,
    /// What for, or empty.
    #[prost(string, tag = "6")]
    pub purpose: String,
    /// What was done.
    #[prost(string, tag = "7")]
    pub action: String,
    /// `allowed`, `refused` or `done`.
    #[prost(string, tag = "8")]
    pub outcome: String,
    /// `base::Class::code` of the data, 0 where there is none.
    #[prost(uint32, tag = "9")]
    pub class: u32,
    /// First month of the data, `base::Month::number`; 0 where there is none.
    #[prost(uint32, tag = "10")]
    pub first_month: u32,
    /// Last month, inclusive.
    #[prost(uint32, tag = "11")]
    pub last_month: u32,
    /// The entry that it is about, where it is about one.
    #[prost(uint64, optional, tag = "12")]
    pub about: Option<u64>,
    /// It was who asks for the history.
    #[prost(bool, tag = "13")]
    pub own: bool,
    /// What the entry says of this data subject alone; of each tenancy that the history is of, one.
    #[prost(message, repeated, tag = "14")]
    pub told: Vec<Told>,
}

/// What an entry says of one data subject alone; in the log it is sealed under their key.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Told {
    /// How they were looked for: `meter`, `place`, `tenancy`, or `all` where nobody was named.
    #[prost(string, tag = "1")]
    pub by: String,
    /// What was written there, where it was written of them alone.
    #[prost(string, tag = "2")]
    pub criterion: String,
    /// Meters of theirs of which something was given, by address.
    #[prost(string, repeated, tag = "3")]
    pub meters: Vec<String>,
    /// How many readings or contacts of theirs were given.
    #[prost(uint32, tag = "4")]
    pub number: u32,
}

/// Body of a decision to tell a data subject who it was.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Unmask {
    /// Whose history it is (16 bytes).
    #[prost(bytes = "vec", tag = "1")]
    pub tenancy: Vec<u8>,
    /// The entry of that history.
    #[prost(uint64, tag = "2")]
    pub entry: u64,
    /// Why: one of [`UNMASK_REASONS`].
    #[prost(string, tag = "3")]
    pub because: String,
}

/// Reasons to tell a data subject who looked at their data.
pub const UNMASK_REASONS: [&str; 4] = ["access-request", "complaint", "suspected-misuse", "authority"];

/// Who it was.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Unmasked {
    /// The user's name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The number of the entry that says that it was told.
    #[prost(uint64, tag = "2")]
    pub receipt: u64,
}
