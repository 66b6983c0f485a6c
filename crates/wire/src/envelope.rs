//! What goes over a link: a request, a reply, a refusal.

/// A call.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Request {
    /// Number of the call on this connection; the reply repeats it.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// [`crate::Method::number`].
    #[prost(uint32, tag = "2")]
    pub method: u32,
    /// How long the caller waits, in milliseconds; what it asks of others must fit into that.
    #[prost(uint32, tag = "3")]
    pub deadline_ms: u32,
    /// The method's message.
    #[prost(bytes = "bytes", tag = "4")]
    pub body: prost::bytes::Bytes,
}

/// The answer to a call.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Reply {
    /// Number of the call.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// The method's answer, when it was not refused.
    #[prost(bytes = "bytes", tag = "2")]
    pub body: prost::bytes::Bytes,
    /// Why it was refused.
    #[prost(message, optional, tag = "3")]
    pub refusal: Option<Refusal>,
}

/// A refusal as it travels.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Refusal {
    /// A stable word that programs can act on, such as `not-permitted`.
    #[prost(string, tag = "1")]
    pub code: String,
    /// A sentence for people: what was refused, why, and the way out.
    #[prost(string, tag = "2")]
    pub message: String,
}

/// A refusal inside a room: a stable word and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Refused {
    /// A stable word that programs can act on.
    pub code: &'static str,
    /// A sentence for people.
    pub message: String,
}

impl Refused {
    /// A refusal from its word and its sentence.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self { code: refused.code.to_owned(), message: refused.message }
    }
}

impl From<crate::Malformed> for Refused {
    fn from(malformed: crate::Malformed) -> Self {
        Self::new("malformed", malformed.to_string())
    }
}
