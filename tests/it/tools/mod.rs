//! The tools themselves, held against what they claim.

mod outage;
mod outage_database;
mod sight;
