//! Names of things, one type each, so that one cannot stand for another.

use std::fmt;
use std::str::FromStr;

/// A meter's row in the register: small, local to one house, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MeterId(pub u32);

/// A tenancy: who lives at a place from when to when. Random, so that it says nothing about the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenancyId(pub [u8; 16]);

/// A collector, numbered by the warden when it enrols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CollectorId(pub u32);

/// A spool's life: a collector draws a new one when it starts with an empty spool folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub u64);

/// The number of a batch within its spool epoch; the first is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchSeq(pub u64);

/// Where a batch stands among all batches: what makes a second presentation recognisable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchPosition {
    /// Who sent it.
    pub collector: CollectorId,
    /// From which spool.
    pub epoch: Epoch,
    /// Under which number.
    pub seq: BatchSeq,
}

impl fmt::Display for MeterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.0)
    }
}

impl fmt::Display for CollectorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.0)
    }
}

impl fmt::Display for TenancyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Display for BatchPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:016x}/{}", self.collector, self.epoch.0, self.seq.0)
    }
}

/// A text that is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {what}")]
pub struct IdError {
    what: &'static str,
    text: String,
}

impl FromStr for CollectorId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.strip_prefix('c')
            .and_then(|n| n.parse().ok())
            .map(Self)
            .ok_or_else(|| IdError { what: "collector (write it as `c1`)", text: text.to_owned() })
    }
}

impl FromStr for TenancyId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id)
            .map(|()| Self(id))
            .map_err(|_| IdError { what: "tenancy (32 hexadecimal digits)", text: text.to_owned() })
    }
}
