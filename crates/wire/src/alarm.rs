//! Alarms of the vault, on their way into the log: it speaks to no ledger, so the archive fetches and records them.

/// Asks for the alarms that are not in the log yet.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AlarmsRequest {
    /// All up to this [`Alarm::number`] are recorded; 0 for none.
    #[prost(uint64, tag = "1")]
    pub recorded_up_to: u64,
}

/// Alarms, oldest first, at most [`MAX_ALARMS`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Alarms {
    /// The alarms.
    #[prost(message, repeated, tag = "1")]
    pub alarms: Vec<Alarm>,
}

/// Alarms in one answer, at most.
pub const MAX_ALARMS: usize = 100;

/// What somebody should look into.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Alarm {
    /// Its number, ascending, from 1.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// When, UTC milliseconds.
    #[prost(sint64, tag = "2")]
    pub at_ms: i64,
    /// A stable word: `ceiling`, `throttled`, `decoy`.
    #[prost(string, tag = "3")]
    pub code: String,
    /// A sentence that says who, without secrets and without naming a decoy.
    #[prost(string, tag = "4")]
    pub text: String,
}

/// The action of the event that holds an alarm.
pub const ALARM_ACTION: &str = "vault-alarm";
