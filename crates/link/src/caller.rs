//! Who is at the other end, as TLS and the socket proved it.

use base::CollectorId;
use wire::{CallerKind, Room};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A proved caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A room of this house.
    Room(Room),
    /// An enrolled collector, with the SHA-256 of its certificate (DER).
    Collector(CollectorId, [u8; 32]),
    /// A person at this machine.
    Operator {
        /// The user's number, from the socket's peer credentials.
        uid: u32,
    },
    /// Nobody known.
    Stranger,
}

impl Caller {
    /// The row of the authority table that it falls under.
    #[must_use]
    pub const fn kind(&self) -> CallerKind {
        match self {
            Self::Room(room) => CallerKind::Room(*room),
            Self::Collector(..) => CallerKind::Collector,
            Self::Operator { .. } => CallerKind::Operator,
            Self::Stranger => CallerKind::Stranger,
        }
    }
}

/// Domain under which rooms' names stand in certificates: `intake.room.meterkeep`.
pub(crate) const ROOM_DOMAIN: &str = "room.meterkeep";
/// Domain under which collectors' names stand: `c7.collector.meterkeep`.
pub(crate) const COLLECTOR_DOMAIN: &str = "collector.meterkeep";

/// The one DNS name of a certificate. A certificate with none or several names nobody.
fn dns_name(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    match names.value.general_names.as_slice() {
        [GeneralName::DNSName(name)] => Some((*name).to_owned()),
        _ => None,
    }
}

/// The room that a verified certificate of the house's authority names.
pub(crate) fn room_of(der: &[u8]) -> Option<Room> {
    let name = dns_name(der)?;
    Room::from_name(name.strip_suffix(ROOM_DOMAIN)?.strip_suffix('.')?)
}

/// The collector that a verified certificate of the collector authority names.
pub(crate) fn collector_of(der: &[u8]) -> Option<CollectorId> {
    let name = dns_name(der)?;
    name.strip_suffix(COLLECTOR_DOMAIN)?.strip_suffix('.')?.parse().ok()
}
