//! The register: meters, places and tenancies. A file of its own that only the archive opens.
//!
//! A place is a reference of the utility's own (an installation number), never a name or a street. Each place
//! has a chain of tenancies from the beginning of time, without overlaps and holes; who has none is covered by
//! a vacant tenancy of the utility. A meter's id is never used twice, not even after a change that was undone.

mod address;
mod change;
mod contact;
mod exchange;
mod import;
mod late;
mod place;
mod query;
mod series;

use std::path::Path;

use base::{Area, MeterId, Resolution, TenancyId, UtcMillis};
use sqlx::sqlite::SqlitePool;
use tokio::sync::watch;

pub use address::RegisterAddress;
pub use change::{Added, Change, Moved};
pub use contact::SealedContact;
pub use exchange::{Exchange, NewExchange};
pub use import::{BadRow, Did, Entry, Imported, Rows, UNPLACED};
pub use late::{Attempt, LateMove, OpenMoves};
pub use place::{PlaceHistory, Stay};
pub use series::{Break, Joined, joined};

use crate::StoreError;
use crate::sqlite::{self, Layout, Writer};

const LAYOUT: Layout = Layout {
    kind: "register",
    scripts: &[
        include_str!("../sql/register-1.sql"),
        include_str!("../sql/register-2.sql"),
        include_str!("../sql/register-3.sql"),
        include_str!("../sql/register-4.sql"),
        include_str!("../sql/register-5.sql"),
        include_str!("../sql/register-6.sql"),
    ],
    relaxed: false,
};

/// Characters of a place's reference, at most.
pub const MAX_PLACE: usize = 200;
/// Characters of a customer's reference, at most.
pub const MAX_CUSTOMER: usize = 100;
/// A meter to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMeter {
    /// Its address.
    pub address: RegisterAddress,
    /// The place's reference; made when it is not there yet, with a vacant tenancy from the beginning of time.
    pub place: String,
    /// The area of its place, where it is to be set; a place that has another one gets this one.
    pub area: Option<Area>,
    /// `None` for the house's default.
    pub resolution: Option<Resolution>,
    /// It is known to send in clear and has no key.
    pub clear: bool,
}

/// A meter in the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredMeter {
    /// Its id.
    pub id: MeterId,
    /// Its address.
    pub address: RegisterAddress,
    /// The place's reference.
    pub place: String,
    /// The area of its place, where it has one.
    pub area: Option<Area>,
    /// `None` for the house's default.
    pub resolution: Option<Resolution>,
    /// It sends in clear and has no key.
    pub clear: bool,
    /// Tenancies that hold it, ascending: those of its places, while it was there.
    pub tenancies: Vec<Span>,
    /// Where it hung, ascending; the last one is where it hangs.
    pub stays: Vec<Stay>,
}

impl RegisteredMeter {
    /// The place where it hung at that moment.
    #[must_use]
    pub fn place_at(&self, at: UtcMillis) -> &str {
        self.stays.iter().find(|stay| stay.holds(at)).map_or(&self.place, |stay| &stay.place)
    }

    /// The tenancies that held it while it hung at one place.
    pub fn tenancies_in<'a>(&'a self, stay: &'a Stay) -> impl Iterator<Item = &'a Span> {
        self.tenancies.iter().filter(|span| stay.spans(span.from, span.until))
    }
}

/// From when to when a tenancy holds a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The tenancy.
    pub tenancy: TenancyId,
    /// The meter.
    pub meter: MeterId,
    /// From when, inclusive.
    pub from: UtcMillis,
    /// Until when, exclusive; `None` while it lasts.
    pub until: Option<UtcMillis>,
    /// The utility's own tenancy of an empty place.
    pub vacant: bool,
}

/// How much the register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisterSize {
    /// Meters.
    pub meters: u64,
    /// Places.
    pub places: u64,
    /// Tenancies, past and present.
    pub tenancies: u64,
    /// Customers.
    pub customers: u64,
    /// Tenancies whose tenant has a name here.
    pub contacts: u64,
}

/// The register.
pub struct Register {
    backend: Backend,
    version: watch::Sender<u64>,
}

/// The databases that can serve; PostgreSQL comes beside SQLite.
enum Backend {
    Sqlite { writer: Writer, readers: SqlitePool },
}

impl Register {
    /// Opens the register, makes it when it is not there, and brings its layout up to date.
    ///
    /// # Errors
    /// When the file cannot be opened, is another database, or comes from a newer program.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let writer = sqlite::open_writer(path, &LAYOUT).await?;
        let readers = sqlite::open_readers(path, &LAYOUT, 4).await?;
        let backend = Backend::Sqlite { writer, readers };
        let version = query::version(&backend).await?;
        Ok(Self { backend, version: watch::Sender::new(version) })
    }

    /// Begins a change. Nothing of it is seen before [`Change::commit`]; dropping it undoes it.
    ///
    /// `new_meters` ids are set aside first, durably: an id that was told to the vault for a change that was
    /// then undone is burnt and never names another meter.
    ///
    /// # Errors
    /// When the database fails or there are no ids left.
    pub async fn begin(&self, new_meters: u32) -> Result<Change<'_>, StoreError> {
        Change::begin(self, new_meters).await
    }

    /// The number of the newest change, from 1.
    #[must_use]
    pub fn version(&self) -> u64 {
        *self.version.borrow()
    }

    /// Tells of each new version, for those who wait for news.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// The version, and meters ascending by id after `after`, at most `limit`, with the tenancies of their
    /// places that ended after `since` or last.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn meters(
        &self,
        after: MeterId,
        limit: u32,
        since: UtcMillis,
    ) -> Result<(u64, Vec<RegisteredMeter>), StoreError> {
        query::meters(&self.backend, after, limit, since).await
    }

    /// One meter with all its tenancies.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn meter(&self, id: MeterId) -> Result<Option<RegisteredMeter>, StoreError> {
        let before = MeterId(id.0.saturating_sub(1));
        let (_, meters) = query::meters(&self.backend, before, 1, UtcMillis(0)).await?;
        Ok(meters.into_iter().find(|m| m.id == id))
    }

    /// The meters that a text names: an address with or without version and type, or a serial of eight digits.
    /// A serial can name several meters, of different makers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find(&self, text: &str) -> Result<Vec<RegisteredMeter>, StoreError> {
        let ids = query::find(&self.backend, text).await?;
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            found.extend(self.meter(id).await?);
        }
        Ok(found)
    }

    /// The tenancies of a customer, by the utility's reference; none where it is not known.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tenancies_of(&self, customer: &str) -> Result<Vec<TenancyId>, StoreError> {
        query::tenancies_of(&self.backend, customer).await
    }

    /// How much there is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn size(&self) -> Result<RegisterSize, StoreError> {
        query::size(&self.backend).await
    }
}

#[cfg(test)]
mod tests;
