//! Messages about reviews of the log. The call carries an encoded `grant::SignedRequest` (as [`crate::archive::Asked`]) for
//! `review-log`, whose `body` is the [`ReviewErrand`].

use crate::log::FoundEntry;

/// Body of a call about reviews.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReviewErrand {
    /// What is wished.
    #[prost(oneof = "ReviewWish", tags = "1, 2, 3")]
    pub wish: Option<ReviewWish>,
}

/// What is wished.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum ReviewWish {
    /// How the reviews of all months stand.
    #[prost(message, tag = "1")]
    List(ListReviews),
    /// What the review of a month is of: its sample, and what the checks find. `base::Month::number`.
    #[prost(uint32, tag = "2")]
    Show(u32),
    /// Sign the review of a month.
    #[prost(message, tag = "3")]
    Sign(SignReview),
}

/// How the reviews of all months stand.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListReviews {}

/// Signs the review of a month. Who signs was shown it before.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SignReview {
    /// `base::Month::number`.
    #[prost(uint32, tag = "1")]
    pub month: u32,
    /// `ok` or `follow-up`.
    #[prost(string, tag = "2")]
    pub finding: String,
    /// What the signer says to it, one line without personal data: it is in the log for good.
    #[prost(string, tag = "3")]
    pub note: String,
}

/// The answer to any of them.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReviewAnswer {
    /// The months that were asked about, the oldest first.
    #[prost(message, repeated, tag = "1")]
    pub months: Vec<ReviewedMonth>,
    /// What the review is of, where that was asked.
    #[prost(message, optional, tag = "2")]
    pub drawn: Option<Drawn>,
    /// The number of the entry that says that this was asked; the signature's, where one was given.
    #[prost(uint64, tag = "3")]
    pub receipt: u64,
}

/// How the review of a month stands.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReviewedMonth {
    /// `base::Month::number`.
    #[prost(uint32, tag = "1")]
    pub month: u32,
    /// The month's first entry.
    #[prost(uint64, tag = "2")]
    pub first: u64,
    /// The first entry after it.
    #[prost(uint64, tag = "3")]
    pub end: u64,
    /// `due`, `second-due`, `overdue` or `done`.
    #[prost(string, tag = "4")]
    pub state: String,
    /// When it is overdue, UTC milliseconds.
    #[prost(sint64, tag = "5")]
    pub overdue_ms: i64,
    /// Who signed it, in their order.
    #[prost(message, repeated, tag = "6")]
    pub signatures: Vec<ReviewSignature>,
}

/// A signature under a review.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReviewSignature {
    /// The entry of the log that it is.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// When the ledger took it, UTC milliseconds.
    #[prost(sint64, tag = "2")]
    pub at_ms: i64,
    /// Whose.
    #[prost(string, tag = "3")]
    pub person: String,
    /// `ok` or `follow-up`.
    #[prost(string, tag = "4")]
    pub finding: String,
    /// Entries of the review that are about the signer, which another person has to vouch for.
    #[prost(uint64, tag = "5")]
    pub own: u64,
    /// What they said to it.
    #[prost(string, tag = "6")]
    pub note: String,
}

/// What a review is of.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Drawn {
    /// The size of the tree whose root says what is drawn.
    #[prost(uint64, tag = "1")]
    pub size: u64,
    /// That root (32 bytes).
    #[prost(bytes = "vec", tag = "2")]
    pub root: Vec<u8>,
    /// The sample.
    #[prost(message, repeated, tag = "3")]
    pub sample: Vec<FoundEntry>,
    /// What the targeted checks find.
    #[prost(message, repeated, tag = "4")]
    pub checks: Vec<Checked>,
    /// How many entries of all this are about who asks.
    #[prost(uint64, tag = "5")]
    pub own: u64,
}

/// What a targeted check finds.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Checked {
    /// Its word.
    #[prost(string, tag = "1")]
    pub check: String,
    /// What it looks for, in words.
    #[prost(string, tag = "2")]
    pub title: String,
    /// How many entries it finds.
    #[prost(uint64, tag = "3")]
    pub found: u64,
    /// The first of them.
    #[prost(message, repeated, tag = "4")]
    pub entries: Vec<FoundEntry>,
}
