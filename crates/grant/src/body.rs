//! What an entry says of one data subject alone: sealed under their key, so that the log can keep it and nobody there reads it.

use crate::message::SealedBody;
use crate::shape::{ShapeError, array};

const WHAT: &str = "event";

/// An entry has at most so many bodies; one about more data subjects has none.
pub const MAX_BODIES: usize = 64;
/// A sealed body has at most so many bytes.
pub const MAX_BODY: usize = 512;

/// A body of an entry. Dropping the key of its data subject forgets it, and leaves every proof of the entry valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Whose it is: a place in the subjects of the entry.
    pub of: u32,
    /// By which key it is sealed: a number that the vault drew.
    pub key: [u8; 16],
    /// The envelope.
    pub sealed: Vec<u8>,
}

impl Body {
    pub(crate) fn message(&self) -> SealedBody {
        SealedBody { of: self.of, key: self.key.to_vec(), sealed: self.sealed.clone() }
    }

    /// Reads the bodies of an entry with so many subjects: each of another one, in their order.
    pub(crate) fn all(bodies: &[SealedBody], subjects: usize) -> Result<Vec<Self>, ShapeError> {
        let wrong = || ShapeError::Field { what: WHAT, field: "bodies" };
        if bodies.len() > MAX_BODIES {
            return Err(wrong());
        }
        let mut next = 0;
        let each = bodies.iter().map(|body| {
            let SealedBody { of, key, sealed } = body;
            if *of < next || *of as usize >= subjects || sealed.is_empty() || sealed.len() > MAX_BODY {
                return Err(wrong());
            }
            next = of.saturating_add(1);
            Ok(Self { of: *of, key: array(WHAT, "bodies", key)?, sealed: sealed.clone() })
        });
        each.collect()
    }
}
