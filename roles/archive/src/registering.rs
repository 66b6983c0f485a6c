//! Changes to the register, and key imports, which register meters too. The vault hears of tenancies before the
//! change is made, so that no meter is ever listed whose readings nobody could seal.

use base::{Area, AreaError, Class, MeterId, Month, Resolution, TenancyId, UtcMillis};
use grant::is_word;
use prost::Message;
use recorder::Record;
use recorder::gate::{Gate, Passed};
use store::register::{Change, Moved, NewMeter, Register, RegisterAddress, Span, UNPLACED};
use store::{Ask, StoreError};
use wire::Refused;
use wire::archive::{ImportKeys, ListMeters, RegisterAnswer, RegisterChange, RegisteredMeter};
use wire::vault::{self, ImportReport, Tenancy};

use crate::contacts::Told;
use crate::exchanging;
use crate::service::ReadingsFile;
use crate::subjects::{Subjects, Tags};
use crate::vaults::{Vault, span};

/// Items of a change, at most.
pub(crate) const MAX_ITEMS: usize = 10_000;
/// Keys of an import, at most.
const MAX_KEYS: usize = 1000;
/// Characters of the reason for an import in plain text, at most.
const MAX_REASON: usize = 200;
/// Bytes of a sealed list of keys, at most.
const MAX_SEALED: usize = 256 * 1024;
/// Spans in one call to the vault.
const SPANS: usize = 10_000;
/// Meters in one list, at most.
pub(crate) const LISTED: u32 = 5000;
/// A move that is so little ahead is a job of the steward, too: what is on its way to the store may be sealed without it.
pub(crate) const AHEAD_MS: i64 = 3_600_000;
/// Of more moves in one change it is not counted how many readings they may concern.
const COUNTED_MOVES: usize = 100;
/// A move is called late when it was reported so long after, in milliseconds.
const LATE_MS: i64 = 60_000;

/// What both need.
pub(crate) struct Desk<'a, R, V> {
    pub(crate) gate: &'a Gate<R>,
    pub(crate) register: &'a Register,
    pub(crate) vault: &'a V,
    pub(crate) readings: &'a ReadingsFile,
    pub(crate) subjects: &'a Subjects,
    pub(crate) default_resolution: Resolution,
}

impl<R: Record, V: Vault> Desk<'_, R, V> {
    /// Changes the register. Items that its rules forbid are named in the answer; the others go through.
    pub(crate) async fn change(
        &self,
        encoded: &[u8],
        beside: Vec<u8>,
        request: &grant::Verified<grant::Request>,
        now: UtcMillis,
    ) -> Result<RegisterAnswer, Refused> {
        let asked = RegisterChange::decode(request.body.as_slice())
            .map_err(|_| Refused::new("malformed", "the change's content cannot be read"))?;
        let told = Told::read(&asked, beside)?;
        let items = [asked.add.len(), asked.moves.len(), asked.policies.len(), asked.exchanges.len()];
        let items = items.into_iter().fold(asked.contacts.len(), usize::saturating_add);
        let lists = asked.list.is_some() || asked.list_exchanges.is_some();
        if items > MAX_ITEMS || (items == 0 && !lists && asked.rows.is_none()) {
            return Err(Refused::new(
                "malformed",
                format!("a change has 1 to {MAX_ITEMS} items, not {items}"),
            ));
        }
        if let Some(rows) = &asked.rows {
            if items > 0 || lists {
                return Err(Refused::new("malformed", "a change with rows of a list has nothing else in it"));
            }
            return self.rows(encoded, rows, &told, request, now).await;
        }
        if !asked.contacts.is_empty() {
            if items > asked.contacts.len() || lists {
                return Err(Refused::new("malformed", "a change with contacts has nothing else in it"));
            }
            return self.set_contacts(encoded, &asked, &told, request, now).await;
        }
        let mut change = self.begin(asked.add.len()).await?;
        let (mut answer, mut spans) = (RegisterAnswer::default(), Vec::new());
        for item in &asked.add {
            match add(&mut change, item, now).await {
                Ok((new, of_meter)) => {
                    spans.extend(of_meter.1);
                    let count = if new { &mut answer.added } else { &mut answer.unchanged };
                    *count = count.saturating_add(1);
                }
                Err(error) => answer.refused.push(item_refused(error)?),
            }
        }
        for item in &asked.moves {
            match change.move_at(&item.place, UtcMillis(item.at_ms), item.vacant).await {
                Ok(moved) => {
                    answer.tenancies = answer.tenancies.saturating_add(1);
                    if now.plus(AHEAD_MS) >= UtcMillis(item.at_ms) {
                        let person = &request.grant.person;
                        change.note_late(&moved, person, now).await.map_err(stored)?;
                    }
                    if now.since(UtcMillis(item.at_ms)) >= LATE_MS {
                        answer.late = answer.late.saturating_add(1);
                        // a long list is not worth the wait
                        let few = asked.moves.len() <= COUNTED_MOVES;
                        let concerned = if few { self.concerned(&moved, now).await } else { 0 };
                        answer.readings = answer.readings.saturating_add(concerned);
                    }
                    spans.extend(moved.spans);
                }
                Err(error) => answer.refused.push(item_refused(error)?),
            }
        }
        for item in &asked.exchanges {
            match exchanging::exchange(&mut change, item, now).await {
                Ok(halves) => {
                    answer.exchanged = answer.exchanged.saturating_add(1);
                    let is_late = now.since(UtcMillis(item.at_ms)) >= LATE_MS;
                    answer.late = answer.late.saturating_add(u32::from(is_late));
                    for half in halves {
                        change.note_late(&half, &request.grant.person, now).await.map_err(stored)?;
                        if is_late && asked.exchanges.len() <= COUNTED_MOVES {
                            let concerned = self.concerned(&half, now).await;
                            answer.readings = answer.readings.saturating_add(concerned);
                        }
                        spans.extend(half.spans);
                    }
                }
                Err(error) => answer.refused.push(item_refused(error)?),
            }
        }
        for item in &asked.policies {
            match policy(&mut change, &item.address, item.resolution).await {
                Ok(()) => {}
                Err(error) => answer.refused.push(item_refused(error)?),
            }
        }
        let detail = format!(
            "{} meters new, {} there, {} moves, {} exchanges ({} late), {} policies, {} refused, {}",
            answer.added,
            answer.unchanged,
            answer.tenancies,
            answer.exchanged,
            answer.late,
            asked.policies.len(),
            answer.refused.len(),
            if lists { "listed" } else { "not listed" }
        );
        let areas = change.areas().await.map_err(stored)?;
        let passed = self.pass(request, &spans, Some(encoded), detail, now).await?;
        self.tell(encoded, &passed, &spans, &areas).await?;
        change.commit().await.map_err(stored)?;
        if let Some(list) = &asked.list {
            (answer.meters, answer.more) = self.list(list).await?;
        }
        if let Some(list) = &asked.list_exchanges {
            let (exchanges, more) = exchanging::list(self.register, list).await?;
            answer.exchanges = exchanges;
            answer.more |= more;
        }
        Ok(answer)
    }

    /// How many stored readings of who moved out a late move may concern: those from its day on.
    async fn concerned(&self, moved: &Moved, now: UtcMillis) -> u64 {
        // a store that does not answer keeps nobody from moving
        let Ok(Some(view)) = self.readings.view().await else { return 0 };
        let mut concerned = 0u64;
        for span in &moved.spans {
            let Some(until) = span.until else { continue };
            for month in (until.month().number()..=now.month().number()).map(Month::from_number) {
                let first = if month == until.month() { until.day().of_month() } else { 1 };
                for class in Class::ALL {
                    let ask = Ask {
                        meter: span.meter,
                        class,
                        month,
                        days: first..=31,
                        tenancy: Some(span.tenancy),
                        superseded: false,
                        limit: u32::MAX,
                    };
                    concerned = concerned.saturating_add(view.count(&ask).await.unwrap_or(0));
                }
            }
        }
        concerned
    }

    async fn list(&self, asked: &ListMeters) -> Result<(Vec<RegisteredMeter>, bool), Refused> {
        // Where only the present tenancies are asked for: since the end of time, so to say.
        let since = UtcMillis(if asked.tenancies { i64::MIN } else { i64::MAX });
        let listed = self.register.meters(MeterId(asked.after_meter), LISTED, since).await;
        let (_, meters) = listed.map_err(stored)?;
        let more = meters.len() >= LISTED as usize;
        let shown = meters.into_iter().map(|m| {
            let present = m.tenancies.last();
            RegisteredMeter {
                id: m.id.0,
                address: m.address.to_vec(),
                resolution: u32::from(m.resolution.unwrap_or(self.default_resolution).code()),
                clear: m.clear,
                tenancy_since_ms: present.map_or(0, |t| t.from.0),
                vacant: present.is_some_and(|t| t.vacant),
                tenancies: if asked.tenancies { m.tenancies.iter().map(span).collect() } else { Vec::new() },
                place: m.place,
                area: m.area.map(|area| area.to_string()).unwrap_or_default(),
            }
        });
        Ok((shown.collect(), more))
    }

    /// Registers the meters of a key import and relays the sealed keys to the vault. The archive cannot open
    /// them: they are sealed to the vault.
    pub(crate) async fn import(
        &self,
        encoded: &[u8],
        request: &grant::Verified<grant::Request>,
        now: UtcMillis,
    ) -> Result<ImportReport, Refused> {
        let asked = ImportKeys::decode(request.body.as_slice())
            .map_err(|_| Refused::new("malformed", "the import's content cannot be read"))?;
        let malformed = |what: String| Refused::new("malformed", format!("the import {what}"));
        if !asked.refused.is_empty() {
            return Err(malformed("was refused by the client, and is only counted".to_owned()));
        }
        if asked.meters.is_empty() || asked.meters.len() > MAX_KEYS {
            return Err(malformed(format!(
                "has {} keys; import 1 to {MAX_KEYS} at once",
                asked.meters.len()
            )));
        }
        if asked.sealed.is_empty()
            || asked.sealed.len() > MAX_SEALED
            || asked.enc.len() != seal::hybrid::ENC_LEN
        {
            return Err(malformed("has no list of keys that is sealed to the vault".to_owned()));
        }
        if asked.plain_because.chars().count() > MAX_REASON {
            return Err(malformed(format!("has a reason of more than {MAX_REASON} characters")));
        }
        let mut change = self.begin(asked.meters.len()).await?;
        let (mut ids, mut spans, mut new) = (Vec::new(), Vec::new(), 0u32);
        for item in &asked.meters {
            // The sealed list has the same order: leaving one out would give a key to another meter.
            let (is_new, (id, of_meter)) = add(&mut change, item, now)
                .await
                .map_err(|e| item_refused(e).map_or_else(|e| e, |why| Refused::new("import-refused", why)))?;
            new = new.saturating_add(u32::from(is_new));
            ids.push(id);
            spans.extend(of_meter);
        }
        let source = short(&asked.source, 80);
        let mut detail = format!("{} keys, {new} meters new, from `{source}`", ids.len());
        if !asked.plain_because.is_empty() {
            detail.push_str(&format!(", in plain text because: {}", short(&asked.plain_because, MAX_REASON)));
        }
        if asked.try_only {
            detail.insert_str(0, "tried only: ");
        }
        let beginning = Some(encoded).filter(|_| !asked.try_only);
        let passed = self.pass(request, &spans, beginning, detail, now).await?;
        if asked.try_only {
            // Taken back before the vault is asked: it stores nothing either.
            drop(change);
            return self.import_sealed(encoded, passed, ids).await;
        }
        let areas = change.areas().await.map_err(stored)?;
        self.tell(encoded, &passed, &spans, &areas).await?;
        // The register first: a meter without a key is refused until the import is repeated, but a key must
        // never stand under an id that the register could give to another meter.
        change.commit().await.map_err(stored)?;
        self.import_sealed(encoded, passed, ids).await
    }

    async fn import_sealed(
        &self,
        encoded: &[u8],
        passed: Passed,
        meters: Vec<u32>,
    ) -> Result<ImportReport, Refused> {
        let Passed { entry, .. } = passed;
        let (request, event, receipt) = (encoded.to_vec(), entry.event, entry.receipt);
        self.vault.import(vault::ImportKeys { request, event, receipt, meters }).await
    }

    pub(crate) async fn begin(&self, new: usize) -> Result<Change<'_>, Refused> {
        self.register.begin(u32::try_from(new).unwrap_or(u32::MAX)).await.map_err(stored)
    }

    pub(crate) async fn pass(
        &self,
        request: &grant::Verified<grant::Request>,
        spans: &[Span],
        beginning: Option<&[u8]>,
        detail: String,
        now: UtcMillis,
    ) -> Result<Passed, Refused> {
        let tenancies = spans.iter().map(|s| s.tenancy).collect();
        Ok(self.pass_for(request, tenancies, beginning, detail, now).await?.0)
    }

    /// The same, of what is about these tenancies; `beginning` is the signed change where it begins some of them.
    pub(crate) async fn pass_for(
        &self,
        request: &grant::Verified<grant::Request>,
        tenancies: Vec<TenancyId>,
        beginning: Option<&[u8]>,
        detail: String,
        now: UtcMillis,
    ) -> Result<(Passed, Tags), Refused> {
        let tags = self.subjects.tags(self.vault, tenancies, beginning).await?;
        Ok((self.gate.pass(request, None, &tags.all(), detail, now).await?, tags))
    }

    /// Tells the vault of tenancies, and where meters lie.
    pub(crate) async fn tell(
        &self,
        encoded: &[u8],
        passed: &Passed,
        spans: &[Span],
        areas: &[(MeterId, Option<Area>)],
    ) -> Result<(), Refused> {
        let about = |spans, areas| Tenancy {
            request: encoded.to_vec(),
            event: passed.entry.event.clone(),
            receipt: passed.entry.receipt.clone(),
            spans,
            areas,
        };
        for chunk in spans.chunks(SPANS) {
            self.vault.tenancy(about(chunk.iter().map(span).collect(), Vec::new())).await?;
        }
        for chunk in areas.chunks(SPANS) {
            let areas = chunk.iter().map(|(meter, area)| vault::MeterArea {
                meter: meter.0,
                area: area.as_ref().map(ToString::to_string).unwrap_or_default(),
            });
            self.vault.tenancy(about(Vec::new(), areas.collect())).await?;
        }
        Ok(())
    }
}

/// The word for which the client refused a key file, when the request only says that it did.
pub(crate) fn refused_file(body: &[u8]) -> Option<String> {
    let asked = ImportKeys::decode(body).ok()?;
    let only_refused = asked.meters.is_empty() && asked.enc.is_empty() && asked.sealed.is_empty();
    (only_refused && asked.refused.starts_with("keyfile-") && is_word(&asked.refused))
        .then_some(asked.refused)
}

pub(crate) fn stored(error: StoreError) -> Refused {
    tracing::error!(%error, "the register");
    Refused::new("register", format!("the register does not take the change: {error}"))
}

/// A rule that forbids one item is a sentence; anything else ends the whole change.
pub(crate) fn item_refused(error: StoreError) -> Result<String, Refused> {
    match error {
        StoreError::Rule(why) => Ok(why),
        other => Err(stored(other)),
    }
}

/// A text of a caller's as the log holds it.
pub(crate) fn short(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect()
}

type OfMeter = (u32, Vec<Span>);

async fn add(
    change: &mut Change<'_>,
    item: &wire::archive::NewMeter,
    now: UtcMillis,
) -> Result<(bool, OfMeter), StoreError> {
    let address: RegisterAddress = address(&item.address)?;
    // one place a meter, so that a later move of one is no move of all
    let place = match item.place.trim() {
        "" | UNPLACED => format!("{UNPLACED} {address}"),
        place if place.chars().any(char::is_control) => {
            return Err(StoreError::Rule(format!("the place of {address} has a control character")));
        }
        place => place.to_owned(),
    };
    let area = area(item.area.trim()).map_err(|error| StoreError::Rule(format!("{error}: {address}")))?;
    let resolution = resolution(item.resolution)?;
    let meter = NewMeter { address, place, area, resolution, clear: item.clear };
    let added = change.add_meter(&meter, now).await?;
    Ok((added.new, (added.id.0, added.spans)))
}

/// What is said of an area; nothing leaves it as it is.
pub(crate) fn area(text: &str) -> Result<Option<Area>, AreaError> {
    Some(text).filter(|text| !text.is_empty()).map(str::parse).transpose()
}

async fn policy(change: &mut Change<'_>, text: &str, code: u32) -> Result<(), StoreError> {
    change.set_resolution(&address(text)?, resolution(code)?).await.map(drop)
}

pub(crate) fn address(text: &str) -> Result<RegisterAddress, StoreError> {
    if text.len() > 64 {
        return Err(StoreError::Rule("an address is longer than 64 letters".to_owned()));
    }
    text.parse().map_err(|e: base::AddressError| StoreError::Rule(e.to_string()))
}

pub(crate) fn resolution(code: u32) -> Result<Option<Resolution>, StoreError> {
    if code == 0 {
        return Ok(None);
    }
    u8::try_from(code)
        .ok()
        .and_then(Resolution::from_code)
        .map(Some)
        .ok_or_else(|| StoreError::Rule(format!("`{code}` is no resolution; it is daily (1) or all (2)")))
}
