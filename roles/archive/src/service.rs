//! The archive's answers.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{MeterId, Resolution, TenancyId, UtcMillis};
use bytes::Bytes;
use grant::{Action, Body, Request, Verified};
use house::Counters;
use link::{Caller, Service, answer};
use recorder::Record;
use recorder::gate::Gate;
use store::ReadingView;
use store::register::Register;
use tokio::sync::{RwLock, Semaphore};
use wire::archive::{Asked, Meter, Meters, MetersRequest, Readings, RegisterAnswer};
use wire::contact::AskedBeside;
use wire::custody::ErrandAnswer;
use wire::health::{Health, HealthRequest};
use wire::log::Told;
use wire::vault::ImportReport;
use wire::{Method, Refused};

use crate::alarms;
use crate::custody;
use crate::erasures::Kept;
use crate::history::Histories;
use crate::marks::{self, Marks};
use crate::masking;
use crate::opening;
use crate::question::Question;
use crate::registering::{self, Desk};
use crate::rows;
use crate::subjects::{Subjects, Tag};
use crate::vaults::{Vault, span};

/// Questions answered at a time: each holds its rows and keys in memory.
const MAX_QUESTIONS: usize = 4;
/// Meters in one answer to intake.
const MAX_METERS: u32 = 20_000;
/// Intake is told of tenancies that ended within the last 40 days: late telegrams are at most 14 days old.
const TENANCIES_MS: i64 = 40 * 24 * 3600 * 1000;
/// How often the vault is shown its newest mark: one that was started again with older files is noticed as soon.
const SHOW_EVERY: Duration = Duration::from_secs(5);
/// How often a mark is recorded for releases of keys alone.
const RELEASES_EVERY: Duration = Duration::from_secs(300);
/// The longest wait of a long poll.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// The room: answers questions, keeps the register.
pub(crate) struct Archive<R, V>(Arc<Inner<R, V>>);

/// What the archive works with.
pub(crate) struct Inner<R, V> {
    pub(crate) gate: Gate<R>,
    pub(crate) marks: Arc<Marks>,
    pub(crate) erasures: Kept,
    pub(crate) vault: V,
    pub(crate) register: Register,
    pub(crate) readings: ReadingsFile,
    pub(crate) subjects: Subjects,
    pub(crate) default_resolution: Resolution,
    pub(crate) counters: Arc<Counters>,
    pub(crate) questions: Semaphore,
}

/// The readings database, which intake makes and which may be replaced by an older copy.
pub(crate) struct ReadingsFile {
    path: PathBuf,
    open: RwLock<Option<(FileId, Arc<ReadingView>)>>,
}

type FileId = (u64, u64);

impl ReadingsFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, open: RwLock::new(None) }
    }

    /// The view of the file that is there now; `None` before intake has made one.
    pub(crate) async fn view(&self) -> Result<Option<Arc<ReadingView>>, Refused> {
        let Ok(meta) = std::fs::metadata(&self.path) else { return Ok(None) };
        let id = (meta.dev(), meta.ino());
        if let Some((_, view)) = self.open.read().await.as_ref().filter(|(of, _)| *of == id) {
            return Ok(Some(Arc::clone(view)));
        }
        let mut open = self.open.write().await;
        match ReadingView::open(&self.path).await {
            Ok(view) => Ok(Some(Arc::clone(&open.insert((id, Arc::new(view))).1))),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(Refused::new("store", format!("the readings cannot be opened: {error}"))),
        }
    }
}

impl<R: Record, V: Vault> Archive<R, V> {
    pub(crate) fn new(inner: Inner<R, V>) -> Self {
        Self(Arc::new(inner))
    }

    pub(crate) fn questions() -> Semaphore {
        Semaphore::new(MAX_QUESTIONS)
    }

    /// Shows the vault's newest mark until it has taken it, and looks after it from then on.
    pub(crate) async fn keep_marks(&self) {
        let mut recorded: Option<Instant> = None;
        loop {
            let with_releases = recorded.is_none_or(|at| at.elapsed() >= RELEASES_EVERY);
            if self.0.settle(with_releases).await && with_releases {
                recorded = Some(Instant::now());
            }
            self.0.record_alarms().await;
            tokio::time::sleep(SHOW_EVERY).await;
        }
    }

    /// Does a change in a task of its own, so that a caller who gives up does not stop it between vault and
    /// register.
    async fn whole<A, F, Fut>(&self, work: F) -> Result<A, Refused>
    where
        A: Send + 'static,
        F: FnOnce(Arc<Inner<R, V>>) -> Fut,
        Fut: Future<Output = Result<A, Refused>> + Send + 'static,
    {
        let done = tokio::spawn(work(Arc::clone(&self.0))).await;
        done.unwrap_or_else(|_| Err(Refused::new("internal", "the archive failed; see its log")))
    }
}

impl<R: Record, V: Vault> Inner<R, V> {
    /// Has the vault's mark recorded. Whether that went well: if not, it is tried again.
    async fn settle(&self, with_releases: bool) -> bool {
        let (marks, recorder) = (self.marks.as_ref(), self.gate.recorder());
        let (vault, counters) = (&self.vault, &self.counters);
        let with = marks::Settling { marks, erasures: &self.erasures, recorder, vault, counters };
        let settled = with.settle(with_releases, UtcMillis::now()).await;
        self.forget_contacts(UtcMillis::now()).await;
        settled.inspect_err(|why| tracing::warn!(%why, "the vault's mark")).is_ok()
    }

    /// Has the vault's alarms recorded; those that are not are asked for again.
    async fn record_alarms(&self) {
        let recorded = alarms::record(self.gate.recorder(), &self.vault, UtcMillis::now()).await;
        if let Err(why) = recorded {
            tracing::debug!(%why, "the vault's alarms");
        }
    }

    fn desk(&self) -> Desk<'_, R, V> {
        Desk {
            gate: &self.gate,
            register: &self.register,
            vault: &self.vault,
            readings: &self.readings,
            subjects: &self.subjects,
            default_resolution: self.default_resolution,
        }
    }

    async fn readings(&self, caller: Caller, asked: Asked, now: UtcMillis) -> Result<Readings, Refused> {
        let due = [Action::ReadReadings, Action::ReadHeld, Action::ReadHealth];
        let request = self.gate.admit(&caller, &asked.request, &due, now).await?;
        let answered = self.answer_readings(&request, &asked.request, now).await;
        match answered {
            Ok(readings) => {
                self.counters.add("questions", 1);
                self.counters.add("readings", readings.readings.len() as u64);
                Ok(readings)
            }
            Err(refused) => Err(self.gate.refuse(&request, refused, now).await),
        }
    }

    async fn answer_readings(
        &self,
        request: &grant::Verified<grant::Request>,
        encoded: &[u8],
        now: UtcMillis,
    ) -> Result<Readings, Refused> {
        let question = Question::parse(&request.body, &request.grant.scope, now)?;
        masking::fits(request, &question)?;
        let _turn = self
            .questions
            .acquire()
            .await
            .map_err(|_| Refused::new("stopping", "the archive stops; ask again in a moment"))?;
        let view = self.readings.view().await?;
        let mut found = rows::find(&self.register, view.as_deref(), &question, &request.grant.scope).await?;
        masking::show_where_it_hangs(request.action, &mut found);
        let tags = self.subjects.tags(&self.vault, found.subjects.iter().copied(), None).await?;
        let what = if question.latest { "newest readings" } else { "readings" };
        let of = if question.place.is_some() { " of a place" } else { "" };
        let detail = format!("{} {what} of {} meters{of} looked at", found.rows.len(), found.looked_at);
        let (named, told) = (tags.all(), || found.told(&question));
        let bodies = self.subjects.sealing.seal(&self.vault, (&tags, &named), &request.hash, told).await?;
        let data = Some(question.data());
        let passed = self.gate.pass_telling(request, data, (&named, bodies), detail, now).await?;
        let (more, silent) = (found.more, std::mem::take(&mut found.silent));
        let mut opened = opening::open(&self.vault, encoded, (&passed, &tags), &question, found).await?;
        masking::mask(request.action, &mut opened, silent);
        self.counters.add("withheld", opened.withheld);
        if opened.unreadable > 0 {
            self.counters.add("unreadable", opened.unreadable);
            self.counters.note("readings in the store do not open: they were changed or moved");
        }
        let opening::Opened { readings, notes, joined, .. } = opened;
        Ok(Readings { readings, more, receipt: passed.entry.number, notes, joined })
    }

    async fn change(
        &self,
        caller: Caller,
        asked: AskedBeside,
        now: UtcMillis,
    ) -> Result<RegisterAnswer, Refused> {
        let AskedBeside { request: encoded, contacts } = asked;
        let request = self.gate.admit(&caller, &encoded, &[Action::ChangeRegister], now).await?;
        match self.desk().change(&encoded, contacts, &request, now).await {
            Ok(answer) => {
                self.counters.add("register.changes", 1);
                self.settle(false).await;
                Ok(answer)
            }
            Err(refused) => Err(self.gate.refuse(&request, refused, now).await),
        }
    }

    async fn import(&self, caller: Caller, asked: Asked, now: UtcMillis) -> Result<ImportReport, Refused> {
        let request = self.gate.admit(&caller, &asked.request, &[Action::ImportKeys], now).await?;
        if let Some(word) = registering::refused_file(&request.body) {
            // The client refused the file; that it was tried belongs into log and counters all the same.
            self.gate.note_refusal(&request, word, now).await?;
            return Ok(ImportReport::default());
        }
        match self.desk().import(&asked.request, &request, now).await {
            Ok(report) => {
                for outcome in &report.outcomes {
                    self.counters.add(format!("keys.{outcome}"), 1);
                }
                self.settle(false).await;
                Ok(report)
            }
            Err(refused) => Err(self.gate.refuse(&request, refused, now).await),
        }
    }

    async fn custody(&self, caller: Caller, asked: Asked, now: UtcMillis) -> Result<ErrandAnswer, Refused> {
        let request = self.gate.admit(&caller, &asked.request, &[Action::KeepKeys], now).await?;
        match self.carry(&request, &asked.request, now).await {
            Ok(answer) => {
                self.counters.add("custody", 1);
                self.settle(false).await;
                Ok(answer)
            }
            Err(refused) => Err(self.gate.refuse(&request, refused, now).await),
        }
    }

    async fn carry(
        &self,
        request: &Verified<Request>,
        encoded: &[u8],
        now: UtcMillis,
    ) -> Result<ErrandAnswer, Refused> {
        let about = match custody::meter_of(&request.body) {
            Some(meter) => Some(self.of_meter(&meter, &request.hash).await?),
            None => None,
        };
        custody::errand(&self.gate, &self.vault, encoded, request, about, now).await
    }

    /// Those who hold or held a meter, and what the log says of each of them: which meter it is.
    async fn of_meter(&self, meter: &str, request: &[u8; 32]) -> Result<(Vec<Tag>, Vec<Body>), Refused> {
        let found = self.register.find(meter).await.map_err(rows::stored)?;
        let mut told: BTreeMap<TenancyId, Told> = BTreeMap::new();
        for meter in &found {
            for span in &meter.tenancies {
                let said = told.entry(span.tenancy).or_default();
                said.by = "meter".to_owned();
                said.meters.push(meter.address.to_string());
            }
        }
        let tags = self.subjects.tags(&self.vault, told.keys().copied(), None).await?;
        let subjects = tags.all();
        let bodies = self.subjects.sealing.seal(&self.vault, (&tags, &subjects), request, || told).await?;
        Ok((subjects, bodies))
    }

    async fn meters(&self, asked: MetersRequest, now: UtcMillis) -> Result<Meters, Refused> {
        if asked.after_meter == 0 {
            let mut version = self.register.subscribe();
            let wait = Duration::from_millis(u64::from(asked.wait_ms)).min(MAX_WAIT);
            // "Other than", not "newer than": an older copy of the register is news too.
            let news = version.wait_for(|now| *now != asked.seen_version);
            let _ = tokio::time::timeout(wait, news).await;
        }
        let since = now.plus(-TENANCIES_MS);
        let listed = self.register.meters(MeterId(asked.after_meter), MAX_METERS, since).await;
        let (version, meters) = listed.map_err(|e| Refused::new("register", e.to_string()))?;
        let more = meters.len() >= MAX_METERS as usize;
        let meter = |m: store::register::RegisteredMeter| Meter {
            id: m.id.0,
            address: m.address.to_vec(),
            resolution: u32::from(m.resolution.unwrap_or(self.default_resolution).code()),
            clear: m.clear,
            tenancies: m.tenancies.iter().map(span).collect(),
        };
        Ok(Meters { version, meters: meters.into_iter().map(meter).collect(), more })
    }

    async fn health(&self) -> Health {
        if let Ok(size) = self.register.size().await {
            self.counters.set("register.meters", size.meters);
            self.counters.set("register.places", size.places);
            self.counters.set("register.tenancies", size.tenancies);
            self.counters.set("register.customers", size.customers);
            self.counters.set("register.contacts", size.contacts);
        }
        self.gauge_jobs().await;
        self.counters.health("ready")
    }
}

impl<R: Record + Histories, V: Vault> Service for Archive<R, V> {
    async fn call(&self, caller: Caller, method: Method, body: Bytes) -> Result<Bytes, Refused> {
        let now = UtcMillis::now();
        match method {
            Method::ArchiveReadings => answer(body, |q| self.0.readings(caller, q, now)).await,
            Method::ArchiveSubjectTags => answer(body, |q| self.0.tags(caller, q, now)).await,
            Method::ArchiveHistory => answer(body, |q| self.0.history(caller, q, now)).await,
            Method::ArchiveUnmask => answer(body, |q| self.0.unmask(caller, q, now)).await,
            Method::ArchiveContacts => answer(body, |q| self.0.contacts(caller, q, now)).await,
            Method::ArchiveRegister => {
                answer(body, |q| self.whole(move |a| async move { a.change(caller, q, now).await })).await
            }
            Method::ArchiveImportKeys => {
                answer(body, |q| self.whole(move |a| async move { a.import(caller, q, now).await })).await
            }
            Method::ArchiveCustody => {
                answer(body, |q| self.whole(move |a| async move { a.custody(caller, q, now).await })).await
            }
            Method::ArchiveJobs => answer(body, |q| self.0.jobs(q, now)).await,
            Method::ArchiveMeters => answer(body, |q| self.0.meters(q, now)).await,
            Method::Health => answer(body, |_: HealthRequest| async { Ok(self.0.health().await) }).await,
            method => Err(Refused::new("not-here", format!("the archive does not answer `{method}`"))),
        }
    }
}

#[cfg(test)]
#[path = "service_tests/mod.rs"]
mod tests;
