//! How a room is: the same message for all, so that `status` can show any room.

/// Asks for a room's state; empty.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HealthRequest {}

/// A room's state.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Health {
    /// `ready`, or why not yet: `sealed`, `starting`, `waiting-for-vault` ...
    #[prost(string, tag = "1")]
    pub state: String,
    /// Milliseconds since the room started.
    #[prost(uint64, tag = "2")]
    pub up_ms: u64,
    /// Counters since the room's data began (durable ones) or since it started; names are kebab-case with
    /// dots, such as `refused.wrong-key`.
    #[prost(message, repeated, tag = "3")]
    pub counters: Vec<Counter>,
    /// Things people should know, newest last: alarms and warnings.
    #[prost(string, repeated, tag = "4")]
    pub notes: Vec<String>,
}

/// One counter.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Counter {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its value.
    #[prost(uint64, tag = "2")]
    pub value: u64,
}
