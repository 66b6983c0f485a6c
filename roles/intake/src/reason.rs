//! Why a telegram is refused: stable words, as `status`, the account and the log show them.
//!
//! What the vault refuses goes by the vault's own words ([`wire::vault::Verdict::name`]).

/// The meter is not in the register.
pub const UNKNOWN_METER: &str = "unknown-meter";
/// The collector was revoked before it closed the batch.
pub const REVOKED_COLLECTOR: &str = "revoked-collector";
/// The batch is sealed to a key that intake does not have any more, or never had.
pub const NO_BATCH_KEY: &str = "no-batch-key";
/// The batch is signed but does not open: sealed wrongly, or changed before it was signed.
pub const BATCH_DOES_NOT_OPEN: &str = "batch-does-not-open";
/// The batch opens, but its content is not what its header says.
pub const MALFORMED_BATCH: &str = "malformed-batch";
/// The batch has more telegrams than allowed.
pub const OVERSIZED_BATCH: &str = "oversized-batch";
/// Mode 5 or clear: the meter's time or registers went back, as in a replay.
pub const ROLLBACK: &str = "rollback";
/// In clear, from a meter that the register does not declare to send in clear.
pub const CLEAR_UNDECLARED: &str = "clear-undeclared";
/// The records cannot be read.
pub const UNDECODABLE: &str = "undecodable";
/// The content is of a kind that is not built.
pub const UNSUPPORTED_CONTENT: &str = "unsupported-content";
/// A compact frame whose layout has not been heard yet.
pub const UNKNOWN_LAYOUT: &str = "unknown-layout";
/// A compact frame that does not fit its layout.
pub const LAYOUT_MISFIT: &str = "layout-misfit";
/// A part of a longer message whose other parts were not heard.
pub const INCOMPLETE_MESSAGE: &str = "incomplete-message";
/// A push in clear: it names no meter, and the collector's settings name none for it.
pub const NAMELESS_PUSH: &str = "nameless-push";
/// No tenancy covers the meter at the time of hearing.
pub const NO_TENANCY: &str = "no-tenancy";
/// The vault gave no data key to seal the reading with.
pub const NO_DATA_KEY: &str = "no-data-key";
