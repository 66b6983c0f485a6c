//! Messages of the archive: questions, the register, and the relay of key imports.
//!
//! Each of the three calls of a person carries an encoded `grant::SignedRequest` whose `body` is the message
//! named here, so that what was asked is exactly what the grant's session key signed.

/// A signed request under a grant.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Asked {
    /// An encoded `grant::SignedRequest`.
    #[prost(bytes = "vec", tag = "1")]
    pub request: Vec<u8>,
}

/// Body of a question for readings.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadingsQuery {
    /// Meters by text: `KAM-12345678-1B-16` or a serial; empty for all in scope.
    #[prost(string, repeated, tag = "1")]
    pub meters: Vec<String>,
    /// `base::Class::code`.
    #[prost(uint32, tag = "2")]
    pub class: u32,
    /// From when, UTC milliseconds, inclusive; 0 for as far back as the grant reaches.
    #[prost(sint64, tag = "3")]
    pub from_ms: i64,
    /// Until when, exclusive; 0 for now.
    #[prost(sint64, tag = "4")]
    pub until_ms: i64,
    /// At most so many readings, newest first a meter; 0 means the archive's own limit (10,000).
    #[prost(uint32, tag = "5")]
    pub limit: u32,
    /// Only the newest reading of each meter.
    #[prost(bool, tag = "6")]
    pub latest: bool,
    /// A place's reference: the readings of all meters that hung there, while they did. Then no meter is named.
    #[prost(string, tag = "7")]
    pub place: String,
}

/// Readings.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Readings {
    /// By meter, or by series where a place was asked for; then newest first.
    #[prost(message, repeated, tag = "1")]
    pub readings: Vec<MeterReading>,
    /// There were more than the limit.
    #[prost(bool, tag = "2")]
    pub more: bool,
    /// The event's number in the log.
    #[prost(uint64, tag = "3")]
    pub receipt: u64,
    /// Sentences for people about readings that are there but not answered: withheld by the vault, or not
    /// opening because somebody changed or moved them in the store.
    #[prost(string, repeated, tag = "4")]
    pub notes: Vec<String>,
    /// Where a place was asked for: the meters that hung there in that time, series by series, in their order.
    #[prost(message, repeated, tag = "5")]
    pub joined: Vec<JoinedMeter>,
}

/// A meter that hung at a place that was asked for.
#[derive(Clone, PartialEq, prost::Message)]
pub struct JoinedMeter {
    /// Which series of the place, from 1.
    #[prost(uint32, tag = "1")]
    pub series: u32,
    /// As in [`Meter::address`].
    #[prost(bytes = "vec", tag = "2")]
    pub address: Vec<u8>,
    /// Since when, UTC milliseconds; 0 for always.
    #[prost(sint64, tag = "3")]
    pub from_ms: i64,
    /// Until when, exclusive; absent while it hangs there.
    #[prost(sint64, optional, tag = "4")]
    pub until_ms: Option<i64>,
    /// What it showed when it was hung in place of another one, where that lies in the time asked for.
    #[prost(message, optional, tag = "5")]
    pub opening: Option<Index>,
    /// What it showed when it was taken down for another one, likewise.
    #[prost(message, optional, tag = "6")]
    pub closing: Option<Index>,
    /// What is added to its index.
    #[prost(message, optional, tag = "7")]
    pub carry: Option<Index>,
    /// `base::Unit::code` of these; 0 where nothing was exchanged.
    #[prost(uint32, tag = "8")]
    pub unit: u32,
    /// Why its count is not continued; empty where it is.
    #[prost(string, tag = "9")]
    pub why: String,
}

/// The count of a place, as a reading continues it over exchanges.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Continued {
    /// Which of the reading's records it continues, from 0.
    #[prost(uint32, tag = "1")]
    pub record: u32,
    /// Its value and what is added to it.
    #[prost(message, optional, tag = "2")]
    pub value: Option<Index>,
}

/// A reading with what the store knows of it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MeterReading {
    /// Address in link-layer order (8 bytes; 6 while the register does not know version and type).
    #[prost(bytes = "vec", tag = "1")]
    pub address: Vec<u8>,
    /// The place's reference.
    #[prost(string, tag = "2")]
    pub place: String,
    /// Version; 1 is the original.
    #[prost(uint32, tag = "3")]
    pub version: u32,
    /// `base::Class::code`.
    #[prost(uint32, tag = "4")]
    pub class: u32,
    /// Quality: `validated`, `estimated`, `edited`, `suspect`, `unauthenticated`.
    #[prost(string, tag = "5")]
    pub quality: String,
    /// The reading.
    #[prost(message, optional, tag = "6")]
    pub reading: Option<crate::intake::Reading>,
    /// Which of [`Readings::joined`] it belongs to, from 1; 0 where no place was asked for.
    #[prost(uint32, tag = "7")]
    pub joined: u32,
    /// Where a place was asked for: its main register, continued.
    #[prost(message, optional, tag = "8")]
    pub continued: Option<Continued>,
}

/// Body of a change to the register.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RegisterChange {
    /// Meters to add (an address already there is left as it is), each with its place.
    #[prost(message, repeated, tag = "1")]
    pub add: Vec<NewMeter>,
    /// Moves: a new tenancy at a place.
    #[prost(message, repeated, tag = "2")]
    pub moves: Vec<Move>,
    /// Policies to set.
    #[prost(message, repeated, tag = "3")]
    pub policies: Vec<Policy>,
    /// Also list the register's meters as they are after the change (a change with nothing in it only lists).
    #[prost(message, optional, tag = "4")]
    pub list: Option<ListMeters>,
    /// Rows of a utility's own list. A change with rows has nothing else in it.
    #[prost(message, optional, tag = "5")]
    pub rows: Option<RegisterRows>,
    /// Exchanges: one meter takes another one's place.
    #[prost(message, repeated, tag = "6")]
    pub exchanges: Vec<Exchange>,
    /// Also list exchanges as they are after the change.
    #[prost(message, optional, tag = "7")]
    pub list_exchanges: Option<ListExchanges>,
    /// Contacts to set, each of a tenancy that is named here. A change with these has nothing else in it.
    #[prost(message, repeated, tag = "8")]
    pub contacts: Vec<crate::contact::SetContact>,
    /// The digest of the contacts that travel beside the request; empty where none do.
    #[prost(bytes = "vec", tag = "9")]
    pub contacts_digest: Vec<u8>,
}

/// What becomes of the good rows of a list: only told, taken if none is bad, or taken.
pub const ROWS_TRY: u32 = 0;
/// See [`ROWS_TRY`].
pub const ROWS_WHOLE: u32 = 1;
/// See [`ROWS_TRY`].
pub const ROWS_SKIP_BAD: u32 = 2;

/// Rows of a utility's own list of meters, places and customers; at most 10,000.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RegisterRows {
    /// The rows; each is judged after those before it.
    #[prost(message, repeated, tag = "1")]
    pub rows: Vec<RegisterRow>,
    /// [`ROWS_TRY`], [`ROWS_WHOLE`] or [`ROWS_SKIP_BAD`].
    #[prost(uint32, tag = "2")]
    pub mode: u32,
    /// Where they come from, for the log: the file's name, without folders.
    #[prost(string, tag = "3")]
    pub source: String,
}

/// One row. What it leaves out stays as it is.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RegisterRow {
    /// As in [`NewMeter::address`].
    #[prost(string, tag = "1")]
    pub address: String,
    /// The place's reference.
    #[prost(string, tag = "2")]
    pub place: String,
    /// The place's area; empty for none said.
    #[prost(string, tag = "3")]
    pub area: String,
    /// The utility's number of who lives there; empty for none said. Never a name.
    #[prost(string, tag = "4")]
    pub customer: String,
    /// Since when they do, UTC milliseconds.
    #[prost(sint64, optional, tag = "5")]
    pub from_ms: Option<i64>,
    /// Until when they did, exclusive.
    #[prost(sint64, optional, tag = "6")]
    pub until_ms: Option<i64>,
    /// Resolution code; 0 for none said.
    #[prost(uint32, tag = "7")]
    pub resolution: u32,
    /// Whether the meter is known to send in clear and has no key.
    #[prost(bool, optional, tag = "8")]
    pub clear: Option<bool>,
    /// Which of the contacts beside the request is that of the row's tenancy, from 1; 0 for none. In a trial, where nothing is
    /// beside it, any other number says that there is one.
    #[prost(uint32, tag = "9")]
    pub contact: u32,
    /// The row's tenancy (16 bytes), as a trial has told it: where there is a contact the vault gives its key for what is
    /// named here alone.
    #[prost(bytes = "vec", tag = "10")]
    pub tenancy: Vec<u8>,
}

/// What a row did, or would do, as bits.
pub mod did {
    /// The meter is new.
    pub const METER: u32 = 1;
    /// A meter that had no place has it now.
    pub const PLACED: u32 = 1 << 1;
    /// The place is new.
    pub const PLACE: u32 = 1 << 2;
    /// The place's area is set.
    pub const AREA: u32 = 1 << 3;
    /// The meter's policy is set.
    pub const RESOLUTION: u32 = 1 << 4;
    /// A tenancy begins.
    pub const BEGAN: u32 = 1 << 5;
    /// A tenancy ends, with nobody after.
    pub const ENDED: u32 = 1 << 6;
    /// A tenancy that was there gets its customer.
    pub const CUSTOMER: u32 = 1 << 7;
    /// The tenancy's contact is sealed: a new one, or another one than before. A trial opens nothing, so there it is every one
    /// that is told.
    pub const CONTACT: u32 = 1 << 8;
}

/// What became of rows.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RowsAnswer {
    /// Row by row, the bits of [`did`]: what it did, or would do; 0 for nothing, or for a bad row.
    #[prost(uint32, repeated, tag = "1")]
    pub did: Vec<u32>,
    /// The bad rows, by their index.
    #[prost(message, repeated, tag = "2")]
    pub bad: Vec<BadRow>,
    /// The rows were taken: what was said is done. False after a trial, and when a bad row held all back.
    #[prost(bool, tag = "3")]
    pub done: bool,
    /// Row by row, the tenancy of those with a contact (16 bytes); empty for the others.
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub tenancies: Vec<Vec<u8>>,
}

/// A row that is not taken.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BadRow {
    /// Which, from 0.
    #[prost(uint32, tag = "1")]
    pub row: u32,
    /// The column that is wrong.
    #[prost(string, tag = "2")]
    pub column: String,
    /// What is wrong with it, and the way out.
    #[prost(string, tag = "3")]
    pub why: String,
}

/// Asks for meters of the register, for people.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListMeters {
    /// Continue a long answer after this meter id.
    #[prost(uint32, tag = "1")]
    pub after_meter: u32,
    /// With all tenancies, also those that ended.
    #[prost(bool, tag = "2")]
    pub tenancies: bool,
}

/// A meter of the register, for people.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RegisteredMeter {
    /// Its id in the register.
    #[prost(uint32, tag = "1")]
    pub id: u32,
    /// As in [`Meter::address`]: 6 bytes, or 8 where version and type are known.
    #[prost(bytes = "vec", tag = "2")]
    pub address: Vec<u8>,
    /// The place's reference.
    #[prost(string, tag = "3")]
    pub place: String,
    /// Resolution code.
    #[prost(uint32, tag = "4")]
    pub resolution: u32,
    /// It sends in clear and has no key.
    #[prost(bool, tag = "5")]
    pub clear: bool,
    /// Since when the present tenancy lasts, UTC milliseconds.
    #[prost(sint64, tag = "6")]
    pub tenancy_since_ms: i64,
    /// The present tenancy is the utility's own of an empty place.
    #[prost(bool, tag = "7")]
    pub vacant: bool,
    /// All its tenancies, oldest first, where they were asked for.
    #[prost(message, repeated, tag = "8")]
    pub tenancies: Vec<crate::vault::TenancySpan>,
    /// The area of its place; empty where it has none.
    #[prost(string, tag = "9")]
    pub area: String,
}

/// A meter to register.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NewMeter {
    /// `KAM-12345678-1B-16`, or `KAM-12345678` while version and type are not known yet: the first good
    /// telegram of that manufacturer and serial completes it.
    #[prost(string, tag = "1")]
    pub address: String,
    /// The place's reference, such as an installation number; never a name or a street.
    #[prost(string, tag = "2")]
    pub place: String,
    /// Resolution code; 0 for the house's default.
    #[prost(uint32, tag = "3")]
    pub resolution: u32,
    /// True for a meter that is known to send in clear and has no key.
    #[prost(bool, tag = "4")]
    pub clear: bool,
    /// The area of its place, one word; empty leaves it as it is. Also for a meter that is there already.
    #[prost(string, tag = "5")]
    pub area: String,
}

/// Someone moves in (a new tenancy begins) or out (the vacant tenancy begins).
#[derive(Clone, PartialEq, prost::Message)]
pub struct Move {
    /// The place's reference.
    #[prost(string, tag = "1")]
    pub place: String,
    /// When, UTC milliseconds.
    #[prost(sint64, tag = "2")]
    pub at_ms: i64,
    /// True when nobody moves in after.
    #[prost(bool, tag = "3")]
    pub vacant: bool,
}

/// What a meter showed, exactly: `mantissa * 10^exponent`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Index {
    /// The digits.
    #[prost(sint64, tag = "1")]
    pub mantissa: i64,
    /// The power of ten.
    #[prost(sint32, tag = "2")]
    pub exponent: i32,
}

/// A meter is taken down, and another one hung in its place.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Exchange {
    /// The address of the meter that is taken down.
    #[prost(string, tag = "1")]
    pub old: String,
    /// The address of the one that is hung; the register has it, and it hangs nowhere.
    #[prost(string, tag = "2")]
    pub new: String,
    /// When, UTC milliseconds.
    #[prost(sint64, tag = "3")]
    pub at_ms: i64,
    /// What the old one showed.
    #[prost(message, optional, tag = "4")]
    pub closing: Option<Index>,
    /// What the new one showed.
    #[prost(message, optional, tag = "5")]
    pub opening: Option<Index>,
    /// `base::Unit::code` of both; 0 where none is said.
    #[prost(uint32, tag = "6")]
    pub unit: u32,
}

/// Asks for exchanges, for people.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListExchanges {
    /// Continue a long answer after this number.
    #[prost(uint64, tag = "1")]
    pub after: u64,
}

/// An exchange that was noted, for people.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NotedExchange {
    /// Its number, from 1.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// The place's reference.
    #[prost(string, tag = "2")]
    pub place: String,
    /// As in [`Meter::address`]: of the meter that was taken down.
    #[prost(bytes = "vec", tag = "3")]
    pub old: Vec<u8>,
    /// Of the one that was hung.
    #[prost(bytes = "vec", tag = "4")]
    pub new: Vec<u8>,
    /// When, UTC milliseconds.
    #[prost(sint64, tag = "5")]
    pub at_ms: i64,
    /// What the old one showed.
    #[prost(message, optional, tag = "6")]
    pub closing: Option<Index>,
    /// What the new one showed.
    #[prost(message, optional, tag = "7")]
    pub opening: Option<Index>,
    /// `base::Unit::code` of both; 0 where none was said.
    #[prost(uint32, tag = "8")]
    pub unit: u32,
    /// What is added to the new one's index so that the place's count goes on; absent where that cannot be said.
    #[prost(message, optional, tag = "9")]
    pub carry: Option<Index>,
}

/// A meter's policy.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Policy {
    /// The meter's address.
    #[prost(string, tag = "1")]
    pub address: String,
    /// Resolution code.
    #[prost(uint32, tag = "2")]
    pub resolution: u32,
}

/// What a change to the register did.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RegisterAnswer {
    /// A line a refused item, naming it.
    #[prost(string, repeated, tag = "1")]
    pub refused: Vec<String>,
    /// Meters added.
    #[prost(uint32, tag = "2")]
    pub added: u32,
    /// Meters that were there already.
    #[prost(uint32, tag = "3")]
    pub unchanged: u32,
    /// Tenancies opened or closed.
    #[prost(uint32, tag = "4")]
    pub tenancies: u32,
    /// The meters, where they were asked for: ascending by id, at most 5,000.
    #[prost(message, repeated, tag = "5")]
    pub meters: Vec<RegisteredMeter>,
    /// There are more after the last one.
    #[prost(bool, tag = "6")]
    pub more: bool,
    /// Moves and exchanges that came late, so that readings are sealed anew.
    #[prost(uint32, tag = "7")]
    pub late: u32,
    /// Stored readings that such a move may concern: those from its day on.
    #[prost(uint64, tag = "8")]
    pub readings: u64,
    /// What became of rows, where there were any.
    #[prost(message, optional, tag = "9")]
    pub rows: Option<RowsAnswer>,
    /// Meters exchanged.
    #[prost(uint32, tag = "10")]
    pub exchanged: u32,
    /// The exchanges, where they were asked for: ascending by number, at most 5,000.
    #[prost(message, repeated, tag = "11")]
    pub exchanges: Vec<NotedExchange>,
    /// Contacts that were set.
    #[prost(uint32, tag = "12")]
    pub contacts: u32,
}

/// Body of a key import.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ImportKeys {
    /// The meters whose keys the sealed list holds, in its order.
    #[prost(message, repeated, tag = "1")]
    pub meters: Vec<NewMeter>,
    /// HPKE encapsulated key.
    #[prost(bytes = "vec", tag = "2")]
    pub enc: Vec<u8>,
    /// The sealed, encoded `crate::vault::KeyList`; associated data: SHA-256 of each meter's address text,
    /// one after the other.
    #[prost(bytes = "vec", tag = "3")]
    pub sealed: Vec<u8>,
    /// Where the keys came from, for the log: the file's name, without folders.
    #[prost(string, tag = "4")]
    pub source: String,
    /// Set when the client refused the file, to its reason's word, such as `keyfile-wrong-password`: then there
    /// are no meters and no keys, and the archive counts `refused.<word>` and records the refusal.
    #[prost(string, tag = "5")]
    pub refused: String,
    /// Set when the keys came in plain text: why they are imported all the same. The vault marks them exposed for ever.
    #[prost(string, tag = "6")]
    pub plain_because: String,
    /// Only say what would become of each key: nothing is registered, and no key is stored.
    #[prost(bool, tag = "7")]
    pub try_only: bool,
}

/// Asks for the register as intake needs it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MetersRequest {
    /// The version seen last; the answer comes at once when there is a newer one, otherwise after `wait_ms`.
    #[prost(uint64, tag = "1")]
    pub seen_version: u64,
    /// How long to wait for news.
    #[prost(uint32, tag = "2")]
    pub wait_ms: u32,
    /// Continue a long answer after this meter id.
    #[prost(uint32, tag = "3")]
    pub after_meter: u32,
}

/// The register's meters, all of them, at most 20,000 an answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Meters {
    /// Grows with each change.
    #[prost(uint64, tag = "1")]
    pub version: u64,
    /// Ascending by id.
    #[prost(message, repeated, tag = "2")]
    pub meters: Vec<Meter>,
    /// There are more after the last one.
    #[prost(bool, tag = "3")]
    pub more: bool,
}

/// A meter as intake needs it: no names, no places.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Meter {
    /// Its id in the register.
    #[prost(uint32, tag = "1")]
    pub id: u32,
    /// Manufacturer code, two bytes little endian as on the wire, then the serial (4 bytes): 6 bytes. With
    /// version and type where the register knows them: 8 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub address: Vec<u8>,
    /// Resolution code.
    #[prost(uint32, tag = "3")]
    pub resolution: u32,
    /// It sends in clear and has no key.
    #[prost(bool, tag = "4")]
    pub clear: bool,
    /// Its tenancies of the last 40 days, ascending, without holes.
    #[prost(message, repeated, tag = "5")]
    pub tenancies: Vec<crate::vault::TenancySpan>,
}
