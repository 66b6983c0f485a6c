//! A place over time: which meters hung there from when to when, and how one took over from another.

use base::{Area, MeterId, TenancyId, UtcMillis};

use super::change::place_id;
use super::exchange::exchanges_at;
use super::query::area_of;
use super::{Backend, Exchange, Register, RegisteredMeter};
use crate::StoreError;
use crate::convert::unsigned;

/// A time in which a meter hung at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    /// The place's reference.
    pub place: String,
    /// From when, inclusive.
    pub from: UtcMillis,
    /// Until when, exclusive; `None` while it hangs there.
    pub until: Option<UtcMillis>,
}

impl Stay {
    /// Whether the meter hung there at that moment.
    #[must_use]
    pub fn holds(&self, at: UtcMillis) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }

    /// Whether a time lies in it as a whole.
    pub(super) fn spans(&self, from: UtcMillis, until: Option<UtcMillis>) -> bool {
        self.from <= from && self.until.is_none_or(|own| until.is_some_and(|until| until <= own))
    }
}

/// A place with all that ever hung there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceHistory {
    /// Its reference.
    pub reference: String,
    /// Its area, where it has one.
    pub area: Option<Area>,
    /// The meters that hang there or hung there, by id, with all their stays.
    pub meters: Vec<RegisteredMeter>,
    /// The exchanges there, by number.
    pub exchanges: Vec<Exchange>,
}

impl PlaceHistory {
    /// The stays at this place, with their meters.
    pub(super) fn stays(&self) -> impl Iterator<Item = (&RegisteredMeter, &Stay)> {
        self.meters
            .iter()
            .flat_map(|meter| meter.stays.iter().map(move |stay| (meter, stay)))
            .filter(|(_, stay)| stay.place == self.reference)
    }

    /// The tenancies that held a meter here.
    pub fn tenancies(&self) -> impl Iterator<Item = TenancyId> {
        self.stays().flat_map(|(meter, stay)| meter.tenancies_in(stay).map(|span| span.tenancy))
    }
}

impl Register {
    /// What hung at a place, from the beginning; nothing where there is no such place.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn place(&self, reference: &str) -> Result<Option<PlaceHistory>, StoreError> {
        let Backend::Sqlite { readers, .. } = &self.backend;
        let mut connection = readers.acquire().await?;
        let Some(place) = place_id(&mut connection, reference).await? else { return Ok(None) };
        let area: Option<String> = sqlx::query_scalar("SELECT area FROM place WHERE id = ?")
            .bind(place)
            .fetch_one(&mut *connection)
            .await?;
        let ids: Vec<i64> = sqlx::query_scalar(
            "SELECT id FROM meter WHERE place = ?1 UNION SELECT meter FROM stay WHERE place = ?1 ORDER BY 1",
        )
        .bind(place)
        .fetch_all(&mut *connection)
        .await?;
        drop(connection);
        let mut meters = Vec::with_capacity(ids.len());
        for id in ids {
            meters.extend(self.meter(MeterId(unsigned(id, "meter id")?)).await?);
        }
        // after the stays: an exchange that is noted meanwhile is then one too many, never one that is missing
        let exchanges = exchanges_at(&self.backend, place).await?;
        Ok(Some(PlaceHistory { reference: reference.to_owned(), area: area_of(area)?, meters, exchanges }))
    }
}
