//! An event of the log: who did what, when, what for, to whose data.

use base::{Class, Month, UtcMillis};
use prost::Message;
use sha2::{Digest, Sha256};

use crate::message::EventBody;
use crate::shape::{
    MAX_EVENT_BYTES, ShapeError, array, class, decode, is_line, is_name, is_word, months, optional,
};
use crate::{Body, Decided, Request, Verified};

const WHAT: &str = "event";

/// An event names at most so many subjects; a question that touches more is recorded in several events.
pub const MAX_SUBJECTS: usize = 2048;
/// The detail of an event has at most so many bytes.
pub const MAX_DETAIL: usize = 1024;

/// How it came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It may go on: recorded before it is done.
    Allowed,
    /// It was refused, for this event's reason.
    Refused,
    /// It is done.
    Done,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 3] = [Self::Allowed, Self::Refused, Self::Done];

    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Done => "done",
        }
    }
}

/// Which data: one class, some months.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataSpan {
    /// The class.
    pub class: Class,
    /// First month.
    pub first: Month,
    /// Last month, inclusive.
    pub last: Month,
}

impl std::fmt::Display for DataSpan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` from {} to {}", self.class.name(), self.first, self.last)
    }
}

/// An event. It holds no personal data: people of the utility by user name, data subjects by keyed tags only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, by the room that records.
    pub at: UtcMillis,
    /// The room that did it and records it; the ledger takes no event in another room's name.
    pub actor: String,
    /// The person or collector for whom, or empty.
    pub on_behalf: String,
    /// The role in which, or empty.
    pub role: String,
    /// What: an action's name or a room's own word.
    pub action: String,
    /// What for, or empty.
    pub purpose: String,
    /// The grant.
    pub grant_id: Option<[u8; 16]>,
    /// The request, by its hash.
    pub request_hash: Option<[u8; 32]>,
    /// The data.
    pub data: Option<DataSpan>,
    /// How it came out.
    pub outcome: Outcome,
    /// Why refused: a stable word, or empty.
    pub reason: String,
    /// Facts without personal data.
    pub detail: String,
    /// Whose data, as tags under a key of the house.
    pub subjects: Vec<[u8; 16]>,
    /// The entry of the log that it is about.
    pub entry: Option<u64>,
    /// The case that it was done for; 0 for none.
    pub case: u32,
    /// The session that it was asked in, by its key ([`session_of`]).
    pub session: Option<[u8; 16]>,
    /// Milliseconds that the room had been running, by a clock that is never set; 0 before it is recorded.
    pub running_ms: u64,
    /// Of a decision, what it rested on.
    pub decided: Option<Decided>,
    /// What it says of single data subjects, sealed for each of them.
    pub bodies: Vec<Body>,
}

impl Event {
    /// An event about something that a room did by itself.
    #[must_use]
    pub fn new(at: UtcMillis, actor: &str, action: &str, outcome: Outcome) -> Self {
        Self {
            at,
            actor: actor.to_owned(),
            on_behalf: String::new(),
            role: String::new(),
            action: action.to_owned(),
            purpose: String::new(),
            grant_id: None,
            request_hash: None,
            data: None,
            outcome,
            reason: String::new(),
            detail: String::new(),
            subjects: Vec::new(),
            entry: None,
            case: 0,
            session: None,
            running_ms: 0,
            decided: None,
            bodies: Vec::new(),
        }
    }

    /// The event that must be in the log before `request` may be answered.
    #[must_use]
    pub fn of_request(at: UtcMillis, actor: &str, request: &Verified<Request>, outcome: Outcome) -> Self {
        Self {
            on_behalf: request.grant.person.clone(),
            role: request.grant.role.clone(),
            purpose: request.grant.purpose.name().to_owned(),
            grant_id: Some(request.grant.id),
            request_hash: Some(request.hash),
            case: request.grant.case,
            session: Some(session_of(&request.grant.session_key)),
            ..Self::new(at, actor, request.action.name(), outcome)
        }
    }

    /// Its bytes, as the log keeps them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        EventBody {
            at_ms: self.at.0,
            actor: self.actor.clone(),
            on_behalf: self.on_behalf.clone(),
            action: self.action.clone(),
            purpose: self.purpose.clone(),
            grant_id: self.grant_id.map(Vec::from).unwrap_or_default(),
            request_hash: self.request_hash.map(Vec::from).unwrap_or_default(),
            class: self.data.map_or(0, |d| u32::from(d.class.code())),
            first_month: self.data.map_or(0, |d| d.first.number()),
            last_month: self.data.map_or(0, |d| d.last.number()),
            result: self.outcome.name().to_owned(),
            reason: self.reason.clone(),
            detail: self.detail.clone(),
            subjects: self.subjects.iter().map(|s| s.to_vec()).collect(),
            role: self.role.clone(),
            entry: self.entry,
            case: self.case,
            session: self.session.map(Vec::from).unwrap_or_default(),
            running_ms: self.running_ms,
            decided: self.decided.as_ref().map(Decided::body),
            bodies: self.bodies.iter().map(Body::message).collect(),
        }
        .encode_to_vec()
    }

    /// Reads and checks the shape of an event: bounded, with actor and action, a reason where it was refused.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, ShapeError> {
        let body: EventBody = decode(WHAT, bytes, MAX_EVENT_BYTES)?;
        let field = |field| ShapeError::Field { what: WHAT, field };
        let must = |ok: bool, name| if ok { Ok(()) } else { Err(field(name)) };
        must(body.at_ms > 0, "at_ms")?;
        must(is_word(&body.actor), "actor")?;
        must(body.on_behalf.is_empty() || is_name(&body.on_behalf), "on_behalf")?;
        must(body.role.is_empty() || is_word(&body.role), "role")?;
        must(is_word(&body.action), "action")?;
        must(body.purpose.is_empty() || is_word(&body.purpose), "purpose")?;
        let outcome = Outcome::ALL.into_iter().find(|o| o.name() == body.result).ok_or(field("result"))?;
        must(
            if outcome == Outcome::Refused { is_word(&body.reason) } else { body.reason.is_empty() },
            "reason",
        )?;
        must(is_line(&body.detail, MAX_DETAIL), "detail")?;
        must(body.subjects.len() <= MAX_SUBJECTS, "subjects")?;
        let data = if (body.class, body.first_month, body.last_month) == (0, 0, 0) {
            None
        } else {
            let (first, last) = months(WHAT, body.first_month, body.last_month)?;
            Some(DataSpan { class: class(WHAT, body.class)?, first, last })
        };
        Ok(Self {
            at: UtcMillis(body.at_ms),
            data,
            outcome,
            grant_id: optional(WHAT, "grant_id", &body.grant_id)?,
            request_hash: optional(WHAT, "request_hash", &body.request_hash)?,
            subjects: body.subjects.iter().map(|s| array(WHAT, "subjects", s)).collect::<Result<_, _>>()?,
            actor: body.actor,
            on_behalf: body.on_behalf,
            role: body.role,
            entry: body.entry,
            case: body.case,
            session: optional(WHAT, "session", &body.session)?,
            running_ms: body.running_ms,
            decided: body.decided.as_ref().map(Decided::from_body).transpose()?,
            bodies: Body::all(&body.bodies, body.subjects.len())?,
            action: body.action,
            purpose: body.purpose,
            reason: body.reason,
            detail: body.detail,
        })
    }
}

/// How the log names the session of a key: the first 16 bytes of SHA-256 of its public half.
#[must_use]
pub fn session_of(session_key: &[u8; 32]) -> [u8; 16] {
    let hash: [u8; 32] = Sha256::digest(session_key).into();
    *hash.first_chunk().unwrap_or(&[0; 16])
}

/// SHA-256 of an encoded event: what a receipt names.
#[must_use]
pub fn event_hash(encoded: &[u8]) -> [u8; 32] {
    Sha256::digest(encoded).into()
}
