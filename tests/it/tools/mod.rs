//! The tools themselves, held against what they claim.

mod sight;
