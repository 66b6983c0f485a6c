//! Errands of key custody: what a person carries to the vault, through the archive, and what comes back.

use crate::erasure::{Erasure, Hold, LookErasures};

/// Body of a request with the action `keep-keys`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Errand {
    /// What is carried.
    #[prost(oneof = "Carried", tags = "1, 2, 3, 4, 5, 6, 7, 8, 20, 21, 30, 31")]
    pub carried: Option<Carried>,
}

/// What a person carries.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Carried {
    /// An officer's act: an encoded `grant::act::SignedAct`.
    #[prost(bytes = "vec", tag = "1")]
    Act(Vec<u8>),
    /// Fetch the keys of an approved hand-over, once.
    #[prost(message, tag = "2")]
    Fetch(Fetch),
    /// The receiver's answer that it has them.
    #[prost(message, tag = "3")]
    Acknowledge(Acknowledge),
    /// See how receivers and hand-overs stand.
    #[prost(message, tag = "4")]
    Look(Look),
    /// See which keys can be relied on.
    #[prost(message, tag = "5")]
    Keys(KeysWish),
    /// See how erasures and holds stand.
    #[prost(message, tag = "20")]
    Erasures(LookErasures),
    /// Have the certificate of an erasure signed.
    #[prost(uint32, tag = "21")]
    Certificate(u32),
    /// See the life of a meter's keys.
    #[prost(message, tag = "6")]
    Life(LifeWish),
    /// Retire a meter's keys: it was exchanged.
    #[prost(message, tag = "7")]
    Retire(RetireWish),
    /// Make new keys for meters that can take them.
    #[prost(message, tag = "8")]
    Rekey(RekeyWish),
    /// Open the key of a container with keys that was sealed to the house.
    #[prost(message, tag = "30")]
    Unwrap(Unwrap),
    /// See what suppliers seal to.
    #[prost(message, tag = "31")]
    Address(AddressWish),
}

/// Asks for the life of a meter's keys.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LifeWish {
    /// `KAM-12345678`.
    #[prost(string, tag = "1")]
    pub meter: String,
}

/// Retires a meter's keys.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RetireWish {
    /// `KAM-12345678`.
    #[prost(string, tag = "1")]
    pub meter: String,
    /// Telegrams heard from then on are refused, UTC milliseconds.
    #[prost(sint64, tag = "2")]
    pub from_ms: i64,
    /// It was retired by mistake.
    #[prost(bool, tag = "3")]
    pub take_back: bool,
}

/// Meters of one request for new keys, at most.
pub const MAX_REKEYED: usize = 1000;

/// Asks for new keys.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RekeyWish {
    /// `KAM-12345678` each, at most [`MAX_REKEYED`].
    #[prost(string, repeated, tag = "1")]
    pub meters: Vec<String>,
}

/// What brings a new key into a meter.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyTransfer {
    /// `KAM-12345678`.
    #[prost(string, tag = "1")]
    pub meter: String,
    /// Parameters of `key_transfer` (security setup, class 64, method 2): the new key, wrapped under the meter's master key.
    #[prost(bytes = "vec", tag = "2")]
    pub parameters: Vec<u8>,
}

/// The life of one key.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyLife {
    /// `DEK` or `GUEK`.
    #[prost(string, tag = "1")]
    pub role: String,
    /// `unproven`, `proven`, `wrong` or `retired`.
    #[prost(string, tag = "2")]
    pub state: String,
    /// It can be changed: its master key is here.
    #[prost(bool, tag = "3")]
    pub changeable: bool,
    /// A new key waits for the meter.
    #[prost(bool, tag = "4")]
    pub pending: bool,
    /// Telegrams heard from then on are refused, UTC milliseconds; 0 while it is not retired.
    #[prost(sint64, tag = "5")]
    pub retired_from_ms: i64,
    /// What happened, oldest first.
    #[prost(message, repeated, tag = "6")]
    pub steps: Vec<Step>,
}

/// Asks for the key of one container. The vault sees how the key is wrapped, and nothing of the content.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Unwrap {
    /// SHA-256 of the container's file, for the log.
    #[prost(bytes = "vec", tag = "1")]
    pub digest: Vec<u8>,
    /// The file's name, for the log.
    #[prost(string, tag = "2")]
    pub source: String,
    /// Encoded `envelope::record::WrappedKey`s, one of which is the house's; at most [`MAX_WRAPPED`].
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub keys: Vec<Vec<u8>>,
    /// The X-Wing public key that the answer is sealed to; the private half lives for this errand.
    #[prost(bytes = "vec", tag = "4")]
    pub answer_to: Vec<u8>,
}

/// Receivers of one container that the vault looks at.
pub const MAX_WRAPPED: usize = 32;

/// HPKE `info` of a container's key that the vault has opened; the container's SHA-256 stands beside it.
pub const UNWRAPPED_INFO: &[u8] = b"meterkeep/unwrapped/1 vault->client";

/// Asks what suppliers seal to.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AddressWish {}

/// What suppliers seal keys to.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Address {
    /// A certificate (P-256, PEM), for CMS.
    #[prost(string, tag = "1")]
    pub certificate: String,
    /// An X25519 key (32 bytes), for age.
    #[prost(bytes = "vec", tag = "2")]
    pub age: Vec<u8>,
}

/// Asks how keys do.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeysWish {
    /// Also list the keys in this state: `proven`, `unproven`, `wrong`, `exposed`, `handed-over`, `retired`,
    /// `rekey-pending`, `fixed` (for life: nothing can change them), `unused` or `all`; empty for none.
    #[prost(string, tag = "1")]
    pub state: String,
    /// Continue a long answer after this [`KeyRow::number`].
    #[prost(bytes = "vec", tag = "2")]
    pub after: Vec<u8>,
}

/// A file that keys came with, and how they do.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Delivery {
    /// Its number; 0 for keys that came before deliveries were kept.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// When, UTC milliseconds.
    #[prost(sint64, tag = "2")]
    pub at_ms: i64,
    /// The file's name.
    #[prost(string, tag = "3")]
    pub source: String,
    /// Keys under which telegrams have opened.
    #[prost(uint64, tag = "4")]
    pub proven: u64,
    /// Keys under which none has opened, nor failed to.
    #[prost(uint64, tag = "5")]
    pub unproven: u64,
    /// Keys under which telegrams failed to open, since the vault started, and none ever opened.
    #[prost(uint64, tag = "6")]
    pub wrong: u64,
    /// Keys that have been in plain text on their way.
    #[prost(uint64, tag = "7")]
    pub exposed: u64,
    /// Keys under which nothing has opened for 40 days, though they are in force.
    #[prost(uint64, tag = "8")]
    pub unused: u64,
}

/// One key, for people.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyRow {
    /// `KAM-12345678`.
    #[prost(string, tag = "1")]
    pub meter: String,
    /// The vault's own number of it (6 bytes), to continue after.
    #[prost(bytes = "vec", tag = "2")]
    pub number: Vec<u8>,
    /// `DEK` or `GUEK`.
    #[prost(string, tag = "3")]
    pub role: String,
    /// `proven`, `unproven` or `wrong`.
    #[prost(string, tag = "4")]
    pub state: String,
    /// It has been in plain text on its way.
    #[prost(bool, tag = "5")]
    pub exposed: bool,
    /// The delivery that it came with.
    #[prost(uint32, tag = "6")]
    pub delivery: u32,
    /// Telegrams that did not open under it, since the vault started.
    #[prost(uint32, tag = "7")]
    pub refused_telegrams: u32,
    /// The receivers whom it was handed over to.
    #[prost(uint32, repeated, tag = "8")]
    pub receivers: Vec<u32>,
}

/// Fetches a hand-over's keys.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Fetch {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub handover: u32,
    /// The code that its approval gave (16 bytes).
    #[prost(bytes = "vec", tag = "2")]
    pub code: Vec<u8>,
}

/// A receiver's acknowledgement.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Acknowledge {
    /// The hand-over's number.
    #[prost(uint32, tag = "1")]
    pub handover: u32,
    /// Ed25519 (64 bytes) in the domain [`ACKNOWLEDGEMENT_DOMAIN`] over [`acknowledged`].
    #[prost(bytes = "vec", tag = "2")]
    pub signature: Vec<u8>,
}

/// The domain of a receiver's signature. Its key follows from the list of keys, so that only who opened it can sign.
pub const ACKNOWLEDGEMENT_DOMAIN: &str = "meterkeep/handover-acknowledgement/1";

/// What the seed of the receiver's signing key is derived from the list by.
pub const ACKNOWLEDGEMENT_KEY: &str = "meterkeep/handover-acknowledgement-key/1";

/// What a receiver signs: the number, then the list's SHA-256.
#[must_use]
pub fn acknowledged(handover: u32, list_hash: &[u8; 32]) -> Vec<u8> {
    [handover.to_le_bytes().as_slice(), list_hash].concat()
}

/// For what an errand is refused by the vault, each word with a sentence beside it. The log names them.
pub const REFUSALS: &[&str] = &[
    "no-officer",
    "officer-signature",
    "other-house",
    "act-not-now",
    "act-again",
    "same-officer",
    "unfit-key",
    "recipient-known",
    "no-recipient",
    "recipient-removed",
    "recipient-not-admitted",
    "certificate-expired",
    "other-fingerprint",
    "no-meter",
    "no-key",
    "no-handover",
    "not-requested",
    "other-request",
    "not-open",
    "wrong-code",
    "fetched-already",
    "not-fetched",
    "other-receiver",
    "no-signer",
    "no-erasure",
    "tenancy-lasts",
    "no-tenancy",
    "period-lasts",
    "no-period",
    "erased-already",
    "no-hold",
    "hold-too-large",
    "not-erased",
    "not-sealed",
    "too-many",
    "no-master-key",
    "not-retired",
    "container-elsewhere",
    "rate-limited",
];

/// HPKE `info` of the list of decoys that is sealed to an officer.
pub const DECOYS_INFO: &[u8] = b"meterkeep/decoys/1 vault->officer";

/// The decoys, as the vault seals them to the officer who asked.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DecoyList {
    /// Ascending by name.
    #[prost(message, repeated, tag = "1")]
    pub decoys: Vec<Decoy>,
}

/// A decoy, and what was done to it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Decoy {
    /// `KAM-12345678`.
    #[prost(string, tag = "1")]
    pub meter: String,
    /// Who touched it and how, oldest first; `by` is empty where the sentence says it.
    #[prost(message, repeated, tag = "2")]
    pub touches: Vec<Step>,
}

/// HPKE `info` of a list that is sealed to a machine.
pub const HANDOVER_INFO: &[u8] = b"meterkeep/handover/1 vault->receiver";

/// Asks how receivers and hand-overs stand.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Look {
    /// Only this hand-over, with its meters; 0 for all, without.
    #[prost(uint32, tag = "1")]
    pub handover: u32,
}

/// The vault's errand: against grant and receipt.
#[derive(Clone, PartialEq, prost::Message)]
pub struct VaultErrand {
    /// An encoded `grant::SignedRequest` whose body is an encoded [`Errand`].
    #[prost(bytes = "vec", tag = "1")]
    pub request: Vec<u8>,
    /// The event that the archive recorded.
    #[prost(bytes = "vec", tag = "2")]
    pub event: Vec<u8>,
    /// The ledger's receipt for it.
    #[prost(bytes = "vec", tag = "3")]
    pub receipt: Vec<u8>,
}

/// What came of it. The fields that the errand does not give stay empty.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ErrandAnswer {
    /// The receiver's or hand-over's number.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// One sentence for the log, without secrets.
    #[prost(string, tag = "2")]
    pub done: String,
    /// Of an approval: the code that fetches the keys once (16 bytes). It is given only here.
    #[prost(bytes = "vec", tag = "3")]
    pub code: Vec<u8>,
    /// Of an approval: until when it may be fetched, UTC milliseconds.
    #[prost(sint64, tag = "4")]
    pub until_ms: i64,
    /// Of a fetch: the container, sealed to its receiver. Of an unwrapping: the container's key, sealed to who asked.
    #[prost(bytes = "vec", tag = "5")]
    pub container: Vec<u8>,
    /// Of a look.
    #[prost(message, repeated, tag = "6")]
    pub recipients: Vec<Recipient>,
    /// Of a look.
    #[prost(message, repeated, tag = "7")]
    pub handovers: Vec<Handover>,
    /// Of a report: oldest first.
    #[prost(message, repeated, tag = "8")]
    pub deliveries: Vec<Delivery>,
    /// Of a report: the keys in the state asked for, at most 5,000.
    #[prost(message, repeated, tag = "9")]
    pub keys: Vec<KeyRow>,
    /// Of a report: there are more after the last one.
    #[prost(bool, tag = "10")]
    pub more: bool,
    /// Of a look at erasures.
    #[prost(message, repeated, tag = "20")]
    pub erasures: Vec<Erasure>,
    /// Of a look at erasures.
    #[prost(message, repeated, tag = "21")]
    pub holds: Vec<Hold>,
    /// Of a look at a meter's keys.
    #[prost(message, repeated, tag = "11")]
    pub lives: Vec<KeyLife>,
    /// Of a request for new keys.
    #[prost(message, repeated, tag = "12")]
    pub transfers: Vec<KeyTransfer>,
    /// Of a question for the address.
    #[prost(message, optional, tag = "30")]
    pub address: Option<Address>,
}

/// A receiver, for people.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Recipient {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// What people call it.
    #[prost(string, tag = "2")]
    pub name: String,
    /// How it receives: `P-256`, `RSA 4096`, `age`, `machine` ...
    #[prost(string, tag = "3")]
    pub kind: String,
    /// Its fingerprint, as `AdmitRecipient` takes it (32 bytes).
    #[prost(bytes = "vec", tag = "4")]
    pub fingerprint: Vec<u8>,
    /// `proposed`, `admitted` or `removed`.
    #[prost(string, tag = "5")]
    pub state: String,
    /// Who did what, oldest first.
    #[prost(message, repeated, tag = "6")]
    pub steps: Vec<Step>,
}

/// A hand-over, for people.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Handover {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// To whom.
    #[prost(uint32, tag = "2")]
    pub recipient: u32,
    /// How many meters.
    #[prost(uint32, tag = "3")]
    pub count: u32,
    /// Which, where one hand-over was asked for.
    #[prost(string, repeated, tag = "4")]
    pub meters: Vec<String>,
    /// Why.
    #[prost(string, tag = "5")]
    pub reason: String,
    /// `requested`, `approved`, `fetched`, `intercepted`, `acknowledged`, `withdrawn` or `expired`.
    #[prost(string, tag = "6")]
    pub state: String,
    /// Until when it may be fetched, UTC milliseconds; 0 before it is approved.
    #[prost(sint64, tag = "7")]
    pub until_ms: i64,
    /// Who did what, oldest first.
    #[prost(message, repeated, tag = "8")]
    pub steps: Vec<Step>,
}

/// A step of a receiver's or a hand-over's life.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Step {
    /// What: the act's word, or `fetch`, `fetch-again`, `acknowledge`.
    #[prost(string, tag = "1")]
    pub what: String,
    /// The officer, or the person at the machine; empty for a receiver's acknowledgement.
    #[prost(string, tag = "2")]
    pub by: String,
    /// When, UTC milliseconds.
    #[prost(sint64, tag = "3")]
    pub at_ms: i64,
}
