//! What intake seals into the store: the content of one reading. Intake answers no method but `health`.

/// One reading: a real telegram's records with its own time.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Reading {
    /// Time of hearing, UTC milliseconds, after the core bounded or re-anchored it.
    #[prost(sint64, tag = "1")]
    pub heard_ms: i64,
    /// How sure that time is: 0 synchronised clock, 1 re-anchored by the core, 2 uncertain.
    #[prost(uint32, tag = "2")]
    pub time_quality: u32,
    /// The meter's own time where the telegram has one: `YYYY-MM-DDTHH:MM[:SS]`, as sent, no zone.
    #[prost(string, tag = "3")]
    pub meter_time: String,
    /// The telegram's counter where it has one (ELL session number, AFL message counter).
    #[prost(uint32, optional, tag = "4")]
    pub counter: Option<u32>,
    /// Status byte of the transport header.
    #[prost(uint32, tag = "5")]
    pub status: u32,
    /// Assurance, 0 to 3: clear; encrypted without freshness; encrypted, fresh and plausible; authenticated.
    #[prost(uint32, tag = "6")]
    pub assurance: u32,
    /// First 16 bytes of SHA-256 of the telegram as heard, so that a stored reading can be traced.
    #[prost(bytes = "vec", tag = "7")]
    pub telegram_hash: Vec<u8>,
    /// The collector that heard it.
    #[prost(uint32, tag = "8")]
    pub collector: u32,
    /// The records.
    #[prost(message, repeated, tag = "9")]
    pub records: Vec<Record>,
    /// Set when the reading arrived late, that is after a newer one of the same meter.
    #[prost(bool, tag = "10")]
    pub late: bool,
    /// The address that the telegram itself named (8 bytes, link-layer order): the register may know the meter
    /// by manufacturer and serial alone, as key files name it.
    #[prost(bytes = "vec", tag = "11")]
    pub address: Vec<u8>,
    /// How strongly it was heard, in dBm; 0 where unknown, as in readings of before this was kept.
    #[prost(sint32, tag = "12")]
    pub rssi_dbm: i32,
    /// The collector's receiver that heard it best; empty where unknown.
    #[prost(string, tag = "13")]
    pub receiver: String,
}

/// One data record.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Record {
    /// `base::Quantity::code`.
    #[prost(uint32, tag = "1")]
    pub quantity: u32,
    /// `base::Unit::code`.
    #[prost(uint32, tag = "2")]
    pub unit: u32,
    /// Function: 0 instantaneous, 1 maximum, 2 minimum, 3 during error.
    #[prost(uint32, tag = "3")]
    pub function: u32,
    /// Storage number; 0 is the present value.
    #[prost(uint64, tag = "4")]
    pub storage: u64,
    /// Tariff.
    #[prost(uint32, tag = "5")]
    pub tariff: u32,
    /// Subunit.
    #[prost(uint32, tag = "6")]
    pub subunit: u32,
    /// The value.
    #[prost(oneof = "Value", tags = "7, 8, 9, 10")]
    pub value: Option<Value>,
    /// Set when a 16-bit check or nothing at all covers this record (a clear tail, say).
    #[prost(bool, tag = "11")]
    pub unauthenticated: bool,
    /// What combinable VIFEs say of it, `telegram::Modifier` codes: a backward volume differs from a volume by
    /// this alone.
    #[prost(uint32, repeated, tag = "12")]
    pub modifiers: Vec<u32>,
    /// The register's OBIS code, six bytes; empty where the meter says none.
    #[prost(bytes = "vec", tag = "13")]
    pub obis: Vec<u8>,
}

/// A record's value.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Value {
    /// An exact decimal.
    #[prost(message, tag = "7")]
    Number(Number),
    /// A 32-bit real, as sent.
    #[prost(double, tag = "8")]
    Real(f64),
    /// A text or a date or time as text.
    #[prost(string, tag = "9")]
    Text(String),
    /// Bytes that have no further meaning here.
    #[prost(bytes, tag = "10")]
    Bytes(Vec<u8>),
}

/// `mantissa * 10^exponent`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Number {
    /// The digits.
    #[prost(sint64, tag = "1")]
    pub mantissa: i64,
    /// The power of ten.
    #[prost(sint32, tag = "2")]
    pub exponent: i32,
}
