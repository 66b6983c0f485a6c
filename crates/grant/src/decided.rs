//! What a decision rested on, so that it can be made again later and held against what was decided.

use base::Class;

use crate::Action;
use crate::message::{DecidedBody, PutBody};
use crate::shape::{ShapeError, array, class, is_word};

const WHAT: &str = "event";

/// A decision has at most so many parts.
pub const MAX_PUT: usize = 256;

/// What a decision on a grant rested on, beside the event that it is part of. It names nobody's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The policies: the first eight bytes of SHA-256 of their text.
    pub policies: [u8; 8],
    /// So many records of the journal of staff counted.
    pub staff: u64,
    /// How well the asker had shown who they are: 0 as a user of the machine, 1 with two factors, 2 with two factors minutes before.
    pub login: u8,
    /// What was put to the policies, in its order; the last of it decided.
    pub put: Vec<Put>,
}

/// A question that was put to the policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// What.
    pub action: Action,
    /// Which class of readings, where the action reaches any.
    pub class: Option<Class>,
    /// What else counted, a bit a fact (`policy::Facts::bits`).
    pub facts: u32,
    /// The role that opened it; empty where none did.
    pub role: String,
}

impl Decided {
    pub(crate) fn body(&self) -> DecidedBody {
        let put = |put: &Put| PutBody {
            action: put.action.name().to_owned(),
            class: put.class.map_or(0, |class| u32::from(class.code())),
            facts: put.facts,
            role: put.role.clone(),
        };
        DecidedBody {
            policies: self.policies.to_vec(),
            staff: self.staff,
            login: u32::from(self.login),
            put: self.put.iter().map(put).collect(),
        }
    }

    pub(crate) fn from_body(body: &DecidedBody) -> Result<Self, ShapeError> {
        let field = |field| ShapeError::Field { what: WHAT, field };
        if body.put.len() > MAX_PUT {
            return Err(field("put"));
        }
        let put = |put: &PutBody| {
            if !put.role.is_empty() && !is_word(&put.role) {
                return Err(field("put"));
            }
            Ok(Put {
                action: Action::from_name(&put.action).ok_or(field("put"))?,
                class: if put.class == 0 { None } else { Some(class(WHAT, put.class)?) },
                facts: put.facts,
                role: put.role.clone(),
            })
        };
        Ok(Self {
            policies: array(WHAT, "policies", &body.policies)?,
            staff: body.staff,
            login: u8::try_from(body.login).map_err(|_| field("login"))?,
            put: body.put.iter().map(put).collect::<Result<_, _>>()?,
        })
    }
}
