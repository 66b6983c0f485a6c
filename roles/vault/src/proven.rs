//! What goes in and out under proof: data keys to intake and archive, meter keys and tenancies in.

use base::{Area, Class, MeterId, Month, TenancyId, UtcMillis};
use grant::{Action, Recorded, Verified, check_receipt, check_request};
use prost::Message;
use seal::hybrid::Sealed;
use sha2::{Digest, Sha256};
use wire::vault::{
    DataKeys, ImportKeys, ImportReport, KEY_LIST_INFO, KeyList, KeysReleased, LogSeen, ReleaseKeys,
    ReleasesAnswer, ReleasesRequest, SealingKeys, Series, Tenancy,
};
use wire::{Refused, Room, bytes16};
use zeroize::Zeroize;

use crate::MeterNumber;
use crate::ceilings::{By, Reached, Taken};
use crate::releases::Release;
use crate::subjects::Named;
use crate::table::{HeldSeries, NewKey, Span};
use crate::vault::{Failure, Vault, malformed};
use crate::witness::Forked;

/// Series in one call for keys, at most.
const MAX_SERIES: usize = 4096;
/// Tenancies in one answer about releases, about.
const MAX_TOLD: usize = 20_000;
/// Spans of tenancies in one call, at most.
const MAX_SPANS: usize = 20_000;
/// Keys in one import, at most.
const MAX_KEYS: usize = 1000;
/// The generation of the roots that data keys are derived from.
pub(crate) const TERM: u32 = 1;
/// What to do about a ceiling.
pub(crate) const ASK_FOR_LESS: &str = "wait for the next one, or ask for less";
/// Late telegrams are taken for 14 days; their month may have ended.
const LATE_MS: i64 = 15 * 24 * 3_600_000;
const DAY_MS: i64 = 24 * 3_600_000;

impl Vault {
    /// Data keys for sealing new readings: of this month, of the next one a day before it begins, and, a limited
    /// number of times, of the last one while late telegrams of it are still taken.
    ///
    /// # Errors
    /// When the message is malformed; [`Failure::Broken`] when the disk fails.
    pub fn sealing_keys(&self, question: &SealingKeys, now: UtcMillis) -> Result<DataKeys, Failure> {
        let series = all_series(&question.series)?;
        let (earliest, latest) = (now.plus(-LATE_MS).month(), now.plus(DAY_MS).month());
        let due = |s: &OneSeries| (earliest..=latest).contains(&s.month);
        let is_late = |s: &OneSeries| s.month < now.month();
        self.guard_series(series.iter().map(|s| s.meter), "intake", now)?;
        let wanted: Vec<_> =
            series.iter().filter(|s| due(s)).map(|s| (s.meter, s.month, is_late(s))).collect();
        let sealing = self.releases.seal(&wanted, now)?;
        if let Some(reached) = &sealing.reached {
            self.ceiling_reached(reached, now)?;
        }
        let mut granted = sealing.granted.into_iter();
        let mut refused = Vec::with_capacity(series.len());
        for s in &series {
            self.counters.add("late-keys.asked", u64::from(due(s) && is_late(s)));
            refused.push(if !due(s) {
                "past-period"
            } else if granted.next() != Some(true) {
                self.counters.add("late-keys.limited", u64::from(is_late(s)));
                "rate-limited"
            } else {
                self.table.open_period(s.class, s.month)?;
                ""
            });
        }
        let keys = self.derive(&series, refused, "sealing-keys", false);
        Ok(keys)
    }

    /// Tells of a ceiling that was reached, once an hour.
    fn ceiling_reached(&self, reached: &Reached, now: UtcMillis) -> Result<(), Failure> {
        self.counters.add("refused.ceiling", 1);
        if reached.first {
            self.alarms.raise("ceiling", &reached.whose, &reached.to_string(), now)?;
        }
        Ok(())
    }

    /// Data keys for reading. Grant and receipt are checked, then what each reaches, then the ceilings of the person, the
    /// grant and the archive; the release is counted durably before a key goes out.
    ///
    /// # Errors
    /// The first check that fails, by its word; `ceiling`; [`Failure::Broken`] when the disk fails.
    pub fn release_keys(&self, question: &ReleaseKeys, now: UtcMillis) -> Result<DataKeys, Failure> {
        let series = all_series(&question.series)?;
        let recorded = self.recorded(
            &question.request,
            &[Action::ReadReadings, Action::ReadHeld, Action::ReadHealth],
            &question.event,
            &question.receipt,
            now,
        )?;
        let refused: Vec<&'static str> = {
            let (content, mut named) = (self.table.read(), Named::by(&recorded.event));
            let judged = series.iter().map(|s| {
                let area = content.area(s.meter);
                match recorded.permits(s.tenancy, s.class, s.month, area) {
                    Err(error) => error.code(),
                    Ok(()) => match beyond_health(&recorded, s, now) {
                        "" => named.misses(&content, s.tenancy),
                        beyond => beyond,
                    },
                }
            });
            judged.collect()
        };
        let who = format!("{} through the archive", recorded.request.grant.person);
        self.guard_series(series.iter().map(|s| s.meter), &who, now)?;
        let held = recorded.request.action == Action::ReadHeld;
        let keys = self.derive(&series, refused, "released-keys", held);
        let mut counts: Vec<(TenancyId, u64)> = Vec::new();
        let mut meters = Vec::new();
        for (s, _) in series.iter().zip(&keys.refused).filter(|(_, r)| r.is_empty()) {
            meters.push(s.meter.0);
            match counts.last_mut() {
                Some((tenancy, n)) if *tenancy == s.tenancy => *n += 1,
                _ => counts.push((s.tenancy, 1)),
            }
        }
        meters.sort_unstable();
        let opened = meters.len() as u64;
        meters.dedup();
        let grant = &recorded.request.grant;
        let by = By::Reading { person: grant.person.clone(), grant: grant.id };
        let taken = Taken { at: now, by, keys: opened, meters };
        self.let_out(keys, recorded.receipt.index, counts, taken, ASK_FOR_LESS)
    }

    /// Which keys went out for which entries of the log, since the ledger asked last.
    ///
    /// # Errors
    /// [`Failure::Broken`] when the disk fails.
    pub fn releases(&self, question: &ReleasesRequest) -> Result<ReleasesAnswer, Failure> {
        let unchecked = self.releases.unchecked(question.checked_up_to, MAX_TOLD)?;
        let content = self.table.read();
        let told = unchecked.into_iter().map(|Release { number, entry, counts }| {
            let (mut subjects, mut keys) =
                (Vec::with_capacity(counts.len()), Vec::with_capacity(counts.len()));
            for (tag, n) in counts.iter().filter_map(|(tenancy, n)| Some((content.subject_tag(*tenancy)?, n)))
            {
                subjects.push(tag.to_vec());
                keys.push(*n);
            }
            KeysReleased { number, entry, subjects, keys }
        });
        Ok(ReleasesAnswer { releases: told.collect() })
    }

    /// Lets keys out once their release is counted durably under all ceilings; else they are wiped.
    ///
    /// # Errors
    /// `ceiling`, with advice on what to do then; [`Failure::Broken`] when the disk fails.
    pub(crate) fn let_out(
        &self,
        mut keys: DataKeys,
        entry: u64,
        counts: Vec<(TenancyId, u64)>,
        taken: Taken,
        advice: &str,
    ) -> Result<DataKeys, Failure> {
        let now = taken.at;
        let counted = self.releases.count(entry, counts, taken);
        if !matches!(counted, Ok(Ok(()))) {
            keys.keys.zeroize();
        }
        if let Err(reached) = counted? {
            self.ceiling_reached(&reached, now)?;
            return Err(Refused::new("ceiling", format!("{reached}; {advice}")).into());
        }
        Ok(keys)
    }

    /// How far the log was seen.
    pub fn log_seen(&self) -> LogSeen {
        LogSeen { size: self.releases.log_size() }
    }

    fn derive(
        &self,
        series: &[OneSeries],
        reasons: Vec<&'static str>,
        counter: &'static str,
        held: bool,
    ) -> DataKeys {
        let content = self.table.read();
        let mut answer =
            DataKeys { keys: Vec::with_capacity(series.len() * 32), refused: Vec::new(), term: TERM };
        for (s, reason) in series.iter().zip(reasons) {
            let reason = if reason.is_empty() {
                let (meter, tenancy, class, month) = (s.meter, s.tenancy, s.class, s.month);
                // what is kept for a legal claim is for nothing else, and a legal claim reaches nothing else
                let key = if held {
                    content.held_key(HeldSeries { meter, tenancy, class, month })
                } else {
                    content.data_key(meter, tenancy, class, month)
                };
                match key {
                    Ok(key) => {
                        answer.keys.extend_from_slice(key.expose());
                        ""
                    }
                    Err(error) => error.code(),
                }
            } else {
                reason
            };
            if reason.is_empty() {
                self.counters.add(counter, 1);
            } else {
                self.counters.add(format!("{counter}.refused.{reason}"), 1);
            }
            answer.refused.push(reason.to_owned());
        }
        answer
    }

    /// Imports meter keys that a client sealed to this vault.
    ///
    /// # Errors
    /// Grant and receipt; `list-does-not-open`, `list-mismatch`; [`Failure::Broken`] when the disk fails.
    pub fn import_keys(&self, question: &ImportKeys, now: UtcMillis) -> Result<ImportReport, Failure> {
        let recorded =
            self.recorded(&question.request, &[Action::ImportKeys], &question.event, &question.receipt, now)?;
        let body = wire::archive::ImportKeys::decode(recorded.request.body.as_slice())
            .map_err(|_| malformed("the import's body cannot be read"))?;
        if body.meters.len() > MAX_KEYS || body.meters.len() != question.meters.len() {
            return Err(malformed(format!("an import has up to {MAX_KEYS} keys, each with its meter's id")));
        }
        let aad: Vec<u8> = body.meters.iter().flat_map(|m| Sha256::digest(m.address.as_bytes())).collect();
        let sealed = Sealed { enc: body.enc, ciphertext: body.sealed };
        let plain = self.import.open_secret(KEY_LIST_INFO, &aad, &sealed).map_err(|_| {
            let message =
                "the list of keys is not sealed to this vault for these meters; import the file again";
            Refused::new("list-does-not-open", message)
        })?;
        let mut list =
            KeyList::decode(plain.expose()).map_err(|_| malformed("the list of keys cannot be read"))?;
        let source: String = body.source.chars().filter(|c| !c.is_control()).take(80).collect();
        let how = How {
            exposed: !body.plain_because.is_empty(),
            try_only: body.try_only,
            source,
            person: recorded.request.grant.person.clone(),
            now,
        };
        let report = self.import_list(&list, &body.meters, &question.meters, &how);
        list.items.iter_mut().for_each(|item| item.key.zeroize());
        let outcomes = report?;
        let counter = if how.try_only { "import-tried" } else { "import" };
        for outcome in &outcomes {
            self.counters.add(format!("{counter}.{outcome}"), 1);
        }
        Ok(ImportReport { outcomes: outcomes.into_iter().map(str::to_owned).collect() })
    }

    fn import_list(
        &self,
        list: &KeyList,
        meters: &[wire::archive::NewMeter],
        ids: &[u32],
        how: &How,
    ) -> Result<Vec<&'static str>, Failure> {
        let mismatch = || {
            let message = "the sealed list names other meters than the request; import the file again";
            Failure::from(Refused::new("list-mismatch", message))
        };
        if list.items.len() != meters.len() {
            return Err(mismatch());
        }
        let mut keys = Vec::with_capacity(list.items.len());
        for ((item, meter), id) in list.items.iter().zip(meters).zip(ids) {
            // the archive says which id belongs to the address; the address must be the one that was sealed
            let name = format!("{}-{}", item.manufacturer, item.serial);
            let same = meter.address == name
                || meter.address.strip_prefix(&name).is_some_and(|r| r.starts_with('-'));
            let number = MeterNumber::from_parts(&item.manufacturer, &item.serial).filter(|_| same);
            let number = number.ok_or_else(mismatch)?;
            keys.push(NewKey {
                number,
                meter: MeterId(*id),
                role: &item.role,
                key: &item.key,
                exposed: how.exposed,
                decoy: item.decoy,
            });
        }
        if how.try_only {
            return Ok(self.table.try_import(&keys));
        }
        Ok(self.table.import(&keys, (&how.source, &how.person, how.now))?)
    }

    /// Hears of tenancies that begin or end, and where meters lie.
    ///
    /// # Errors
    /// Grant and receipt; `tenancy-conflict`; `malformed` for an area that is no word; [`Failure::Broken`] when the disk fails.
    pub fn tenancy(&self, question: &Tenancy, now: UtcMillis) -> Result<(), Failure> {
        if question.spans.len().saturating_add(question.areas.len()) > MAX_SPANS {
            return Err(malformed(format!("at most {MAX_SPANS} spans and areas are told at once")));
        }
        let due = [Action::ChangeRegister, Action::ImportKeys];
        self.recorded(&question.request, &due, &question.event, &question.receipt, now)?;
        let mut spans = Vec::with_capacity(question.spans.len());
        for span in &question.spans {
            let tenancy = TenancyId(bytes16("tenancy", &span.tenancy)?);
            let (from, until) = (UtcMillis(span.from_ms), span.until_ms.map(UtcMillis));
            spans.push((tenancy, MeterId(span.meter), Span { from, until, vacant: span.vacant }));
        }
        let mut areas = Vec::with_capacity(question.areas.len());
        for told in &question.areas {
            let area = Some(told.area.as_str()).filter(|area| !area.is_empty()).map(str::parse::<Area>);
            let area = area.transpose().map_err(|error| malformed(error.to_string()))?;
            areas.push((MeterId(told.meter), area));
        }
        let moved = self.table.take_areas(areas)?;
        self.counters.add("areas.changed", moved as u64);
        let changes = self
            .table
            .take_spans(&spans)?
            .map_err(|conflict| Refused::new("tenancy-conflict", conflict.to_string()))?;
        self.counters.add("tenancies.changed", changes as u64);
        Ok(())
    }

    /// Grant, request, receipt by the archive, and that the log has one face.
    pub(crate) fn recorded(
        &self,
        request: &[u8],
        due: &[Action],
        event: &[u8],
        receipt: &[u8],
        now: UtcMillis,
    ) -> Result<Verified<Recorded>, Failure> {
        self.recorded_by(Room::Archive, request, due, (event, receipt), now)
    }

    /// The same, of a room that may ask.
    pub(crate) fn recorded_by(
        &self,
        room: Room,
        request: &[u8],
        due: &[Action],
        (event, receipt): (&[u8], &[u8]),
        now: UtcMillis,
    ) -> Result<Verified<Recorded>, Failure> {
        let refuse = |code: &'static str, message: String| {
            self.counters.add(format!("refused.{code}"), 1);
            Failure::from(Refused::new(code, message))
        };
        let mut checked = Err(None);
        for action in due {
            checked = check_request(request, *action, &self.pinned.warden, now).map_err(Some);
            if !matches!(checked, Err(Some(grant::RequestError::OtherAction { .. }))) {
                break;
            }
        }
        let request = checked.map_err(|error: Option<grant::RequestError>| match error {
            Some(error) => refuse(error.code(), error.to_string()),
            None => malformed("no action is due"),
        })?;
        let recorded = check_receipt(&request, event, receipt, &self.pinned.ledger, now)
            .map_err(|error| refuse(error.code(), error.to_string()))?;
        if recorded.event.actor != room.name() {
            let message = format!("the event was recorded by `{}`, not by who asks", recorded.event.actor);
            return Err(refuse("event-of-another-actor", message));
        }
        self.releases.take(&recorded.receipt).map_err(|forked| {
            if !matches!(forked, Forked::Moved(_)) {
                self.counters.note(forked.to_string());
            }
            refuse(forked.code(), forked.to_string())
        })?;
        Ok(recorded)
    }
}

/// How a list is imported.
struct How {
    exposed: bool,
    try_only: bool,
    source: String,
    person: String,
    now: UtcMillis,
}

/// A series that is asked for.
pub(crate) struct OneSeries {
    pub(crate) meter: MeterId,
    pub(crate) tenancy: TenancyId,
    pub(crate) class: Class,
    pub(crate) month: Month,
}

/// How a meter is, the newest daily reading tells: whoever asks for that gets no key of another class or of a month
/// before the last one, whatever the grant says.
fn beyond_health(recorded: &Recorded, series: &OneSeries, now: UtcMillis) -> &'static str {
    let oldest = now.month().number().saturating_sub(1);
    let fits = series.class == Class::Daily && series.month.number() >= oldest;
    if recorded.request.action == Action::ReadHealth && !fits { "not-health" } else { "" }
}

pub(crate) fn all_series(series: &[Series]) -> Result<Vec<OneSeries>, Failure> {
    if series.len() > MAX_SERIES {
        return Err(malformed(format!("at most {MAX_SERIES} series are asked for at once")));
    }
    series
        .iter()
        .map(|s| {
            let class = u8::try_from(s.class).ok().and_then(Class::from_code);
            Ok(OneSeries {
                meter: MeterId(s.meter),
                tenancy: TenancyId(bytes16("tenancy", &s.tenancy)?),
                class: class.ok_or_else(|| malformed(format!("`{}` is no data class", s.class)))?,
                month: Month::from_number(s.month),
            })
        })
        .collect()
}
