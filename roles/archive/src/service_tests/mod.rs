//! The archive as its callers see it: a real register, a real store with sealed rows, the real checks of the
//! vault, and a ledger in memory.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use base::{BatchPosition, BatchSeq, Class, CollectorId, Epoch, Month, Secret, TenancyId};
use grant::{Areas, Event, Grant, Outcome, Purpose, Scope, Tenancies, check_receipt, check_request};
use prost::Message;
use recorder::memory::{Behaviour, MemoryLedger};
use recorder::{Entry, NotRecorded};
use seal::sign::{Signer, Verifier};
use seal::{Place, aead, mac};
use store::{Account, Commit, Facts, Kind, Outcomes, Quality, ReadingStore, Source};
use tlog::key::VerifierKey;
use wire::Room;
use wire::alarm::{Alarm, Alarms, AlarmsRequest};
use wire::archive::{
    Exchange, ImportKeys, Index, ListExchanges, ListMeters, Move, NewMeter, Policy, ReadingsQuery,
    RegisterChange,
};
use wire::custody::{Carried, Errand, ErrandAnswer, VaultErrand};
use wire::erasure::{ErasureActs, Erasures, ErasuresAnswer};
use wire::intake::Reading;
use wire::log::{FoundEntry, LogAnswer, OfSubjects};
use wire::mark::{MarkAnswer, PresentMark};
use wire::vault::{self, DataKeys, ReleaseKeys, Tenancy};

use super::*;

mod alarms;
mod contacts;
mod custody;
mod history;
mod jobs;
mod lists;
mod marks;
mod places;
mod questions;
mod registering;
mod tags;

const ANNA: Caller = Caller::Operator { uid: 1000 };
const DAY: i64 = 24 * 3600 * 1000;

#[derive(Clone)]
struct SharedLedger(Arc<MemoryLedger>);

impl Record for SharedLedger {
    async fn record(&self, events: Vec<Event>) -> Result<Vec<Entry>, NotRecorded> {
        self.0.record(events).await
    }
}

impl Histories for SharedLedger {
    /// Three at a time, so that it goes on.
    async fn of_subjects(&self, asked: OfSubjects) -> Result<LogAnswer, Refused> {
        let named = |event: &Event| event.subjects.iter().any(|tag| asked.subjects.contains(&tag.to_vec()));
        let all = (0u64..).zip(self.0.events()).filter(|(_, event)| named(event));
        let wanted = all.filter(|(number, _)| {
            asked.after.is_none_or(|after| *number > after) && asked.number.is_none_or(|only| only == *number)
        });
        let found = wanted.map(|(number, event)| FoundEntry {
            number,
            at_ms: event.at.0,
            event: event.encode().into(),
        });
        let entries: Vec<FoundEntry> = found.take(3).collect();
        let next = entries.last().filter(|_| entries.len() == 3).map(|last| last.number);
        Ok(LogAnswer { entries, next, receipt: 0, overdue: Vec::new() })
    }
}

/// A vault that checks what the real one checks, with data keys that a test can derive too.
#[derive(Clone)]
struct CheckingVault(Arc<VaultState>);

struct VaultState {
    warden: Verifier,
    ledger: VerifierKey,
    calls: AtomicUsize,
    spans: Mutex<Vec<vault::TenancySpan>>,
    imports: Mutex<Vec<(Vec<u32>, Vec<u8>)>>,
    withholds: Mutex<Option<u32>>,
    /// Tenancies that were erased.
    without_name: Mutex<Vec<TenancyId>>,
    shown: Mutex<Vec<PresentMark>>,
    mark: Mutex<MarkAnswer>,
    refuses_tenancies: Mutex<bool>,
    erased: Mutex<Vec<ErasureActs>>,
    alarms: Mutex<Vec<Alarm>>,
}

fn data_key(meter: u32, tenancy: &[u8], class: u32, month: u32) -> Secret<32> {
    let message = [&meter.to_le_bytes(), tenancy, &class.to_le_bytes(), &month.to_le_bytes()].concat();
    Secret::new(mac::code(&Secret::new([3; 32]), &message))
}

impl CheckingVault {
    fn recorded(
        &self,
        due: Action,
        request: &[u8],
        event: &[u8],
        receipt: &[u8],
    ) -> Result<grant::Verified<grant::Recorded>, Refused> {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        let now = UtcMillis::now();
        let request = check_request(request, due, &self.0.warden, now)
            .map_err(|e| Refused::new(e.code(), e.to_string()))?;
        check_receipt(&request, event, receipt, &self.0.ledger, now)
            .map_err(|e| Refused::new(e.code(), e.to_string()))
    }
}

/// The tag of a tenancy, as this vault makes it.
fn tag_of(tenancy: TenancyId) -> [u8; 16] {
    seal::subject::tag(&Secret::new([8; 32]), tenancy)
}

/// The key of what the log says of a tenancy alone.
fn body_key(tenancy: &[u8], id: &[u8; 16]) -> Secret<32> {
    seal::subject::body_key(&Secret::new([8; 32]), TenancyId(tenancy.try_into().unwrap()), id)
}

impl Vault for CheckingVault {
    async fn release(&self, q: ReleaseKeys) -> Result<DataKeys, Refused> {
        let as_readings = self.recorded(Action::ReadReadings, &q.request, &q.event, &q.receipt);
        let recorded =
            as_readings.or_else(|_| self.recorded(Action::ReadHealth, &q.request, &q.event, &q.receipt))?;
        let withheld = *self.0.withholds.lock().unwrap();
        let mut answer = DataKeys { term: 1, ..Default::default() };
        for s in &q.series {
            let tenancy = TenancyId(s.tenancy.as_slice().try_into().unwrap());
            let class = Class::from_code(u8::try_from(s.class).unwrap()).unwrap();
            let permitted = recorded.permits(tenancy, class, Month::from_number(s.month), None);
            if permitted.is_ok() && !recorded.event.subjects.contains(&tag_of(tenancy)) {
                answer.refused.push("not-in-event".to_owned());
            } else if permitted.is_err() || withheld == Some(s.meter) {
                answer.refused.push("rate-limited".to_owned());
            } else {
                answer.refused.push(String::new());
                answer.keys.extend_from_slice(data_key(s.meter, &s.tenancy, s.class, s.month).expose());
            }
        }
        Ok(answer)
    }

    async fn contact_keys(&self, q: vault::ContactKeys) -> Result<DataKeys, Refused> {
        let as_read = self.recorded(Action::ReadContacts, &q.request, &q.event, &q.receipt);
        as_read.or_else(|_| self.recorded(Action::ChangeRegister, &q.request, &q.event, &q.receipt))?;
        let mut answer = DataKeys { term: 1, ..Default::default() };
        for id in &q.tenancies {
            let tenancy = TenancyId(id.as_slice().try_into().unwrap());
            if self.0.without_name.lock().unwrap().contains(&tenancy) {
                answer.refused.push("erased".to_owned());
            } else {
                answer.refused.push(String::new());
                let key = seal::contact::key(&Secret::new([4; 32]), tenancy);
                answer.keys.extend_from_slice(key.expose());
            }
        }
        Ok(answer)
    }

    /// Knows all tenancies that it was told of, or is told of now.
    async fn subject_tags(&self, q: vault::SubjectTags) -> Result<vault::SubjectTagsAnswer, Refused> {
        let now = UtcMillis::now();
        let signed = |due| check_request(&q.beginning, due, &self.0.warden, now).is_ok();
        let begins = signed(Action::ChangeRegister) || signed(Action::ImportKeys);
        assert!(begins || q.beginning.is_empty());
        let (spans, erased) = (self.0.spans.lock().unwrap(), self.0.without_name.lock().unwrap());
        let tag = |id: &Vec<u8>| {
            let tenancy = TenancyId(id.as_slice().try_into().unwrap());
            let known = begins || spans.iter().any(|span| span.tenancy == *id);
            if known && !erased.contains(&tenancy) { tag_of(tenancy).to_vec() } else { Vec::new() }
        };
        let tags: Vec<Vec<u8>> = q.tenancies.iter().map(tag).collect();
        let mut answer = vault::SubjectTagsAnswer { tags, ..Default::default() };
        if q.with_keys {
            let id = base::random::<16>().unwrap();
            let there = q.tenancies.iter().zip(&answer.tags).filter(|(_, tag)| !tag.is_empty());
            answer.keys = there.flat_map(|(of, _)| *body_key(of, &id).expose()).collect();
            answer.key_id = id.to_vec();
        }
        Ok(answer)
    }

    async fn body_keys(&self, q: vault::BodyKeys) -> Result<DataKeys, Refused> {
        let recorded = self.recorded(Action::ReadHistory, &q.request, &q.event, &q.receipt)?;
        let erased = self.0.without_name.lock().unwrap();
        let mut answer = DataKeys { term: 1, ..Default::default() };
        for (of, id) in q.tenancies.iter().zip(&q.ids) {
            let tenancy = TenancyId(of.as_slice().try_into().unwrap());
            let named = recorded.event.subjects.contains(&tag_of(tenancy));
            if recorded.permits_contact(tenancy).is_err() || !named || erased.contains(&tenancy) {
                answer.refused.push("not-in-scope".to_owned());
            } else {
                answer.refused.push(String::new());
                let id = id.as_slice().try_into().unwrap();
                answer.keys.extend_from_slice(body_key(of, id).expose());
            }
        }
        Ok(answer)
    }

    async fn tenancy(&self, q: Tenancy) -> Result<(), Refused> {
        let as_change = self.recorded(Action::ChangeRegister, &q.request, &q.event, &q.receipt);
        as_change.or_else(|_| self.recorded(Action::ImportKeys, &q.request, &q.event, &q.receipt))?;
        if *self.0.refuses_tenancies.lock().unwrap() {
            return Err(Refused::new("vault-refused", "the vault is sealed"));
        }
        self.0.spans.lock().unwrap().extend(q.spans);
        Ok(())
    }

    async fn import(&self, q: vault::ImportKeys) -> Result<ImportReport, Refused> {
        let recorded = self.recorded(Action::ImportKeys, &q.request, &q.event, &q.receipt)?;
        let body = ImportKeys::decode(recorded.request.body.as_slice()).unwrap();
        let outcomes = q.meters.iter().map(|_| "imported".to_owned()).collect();
        self.0.imports.lock().unwrap().push((q.meters, body.sealed));
        Ok(ImportReport { outcomes })
    }

    async fn mark(&self, shown: PresentMark) -> Result<MarkAnswer, Refused> {
        self.0.shown.lock().unwrap().push(shown);
        Ok(self.0.mark.lock().unwrap().clone())
    }

    async fn erasures(&self, q: Erasures) -> Result<ErasuresAnswer, Refused> {
        let mut known = self.0.erased.lock().unwrap();
        let before = known.len();
        for acts in q.replay {
            if !known.contains(&acts) {
                known.push(acts);
            }
        }
        let replayed = u32::try_from(known.len() - before).unwrap();
        if replayed > 0 {
            self.0.mark.lock().unwrap().older.clear();
        }
        let acts = known.iter().filter(|a| a.number > q.after).cloned().collect();
        Ok(ErasuresAnswer { acts, replayed, ..ErasuresAnswer::default() })
    }

    async fn alarms(&self, q: AlarmsRequest) -> Result<Alarms, Refused> {
        let mut alarms = self.0.alarms.lock().unwrap();
        alarms.retain(|alarm| alarm.number > q.recorded_up_to);
        Ok(Alarms { alarms: alarms.iter().take(2).cloned().collect() })
    }

    /// Takes every act, and knows hand-over 9 as fetched.
    async fn custody(&self, q: VaultErrand) -> Result<ErrandAnswer, Refused> {
        let recorded = self.recorded(Action::KeepKeys, &q.request, &q.event, &q.receipt)?;
        let errand = Errand::decode(recorded.request.body.as_slice()).unwrap();
        match errand.carried.unwrap() {
            Carried::Fetch(fetch) if fetch.handover == 9 => {
                Err(Refused::new("fetched-already", "the keys were fetched before"))
            }
            Carried::Look(_) => Ok(ErrandAnswer::default()),
            _ => Ok(ErrandAnswer {
                number: 3,
                done: "hand-over 3 requested".to_owned(),
                ..ErrandAnswer::default()
            }),
        }
    }
}

struct House {
    folder: tempfile::TempDir,
    warden: Signer,
    session: Signer,
    ledger: SharedLedger,
    vault: CheckingVault,
    archive: Archive<SharedLedger, CheckingVault>,
}

async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let (warden, session) = (Signer::generate().unwrap(), Signer::generate().unwrap());
    let ledger = SharedLedger(Arc::new(MemoryLedger::new().unwrap()));
    let vault = CheckingVault(Arc::new(VaultState {
        warden: warden.verifier(),
        ledger: ledger.0.verifier(),
        calls: AtomicUsize::new(0),
        spans: Mutex::default(),
        imports: Mutex::default(),
        withholds: Mutex::default(),
        without_name: Mutex::default(),
        shown: Mutex::default(),
        mark: Mutex::default(),
        refuses_tenancies: Mutex::default(),
        erased: Mutex::default(),
        alarms: Mutex::default(),
    }));
    let counters = Arc::new(Counters::new());
    let archive = Archive::new(Inner {
        erasures: Kept::load(Arc::new(journal::RealDisk), &folder.path().join("erasures")).unwrap(),
        marks: Arc::new(Marks::load(&journal::RealDisk, folder.path().join("vault.mark")).unwrap()),
        gate: Gate::new(
            Room::Archive,
            ledger.clone(),
            (warden.verifier(), ledger.0.verifier()),
            Arc::clone(&counters),
        ),
        vault: vault.clone(),
        register: Register::open(&folder.path().join("register.db")).await.unwrap(),
        readings: ReadingsFile::new(folder.path().join("readings.db")),
        subjects: Subjects::default(),
        default_resolution: Resolution::Daily,
        counters,
        questions: Archive::<SharedLedger, CheckingVault>::questions(),
    });
    House { folder, warden, session, ledger, vault, archive }
}

fn now() -> UtcMillis {
    UtcMillis::now()
}

/// Noon of a day some days ago: away from midnight, where a slow test could cross into the next day.
fn noon(days_ago: i64) -> UtcMillis {
    UtcMillis((now().0 / DAY - days_ago) * DAY + DAY / 2)
}

impl House {
    fn grant(&self, purpose: Purpose) -> Grant {
        let month = now().month().number();
        Grant {
            id: [7; 16],
            person: "anna".to_owned(),
            role: "owner".to_owned(),
            purpose,
            actions: purpose.actions().iter().copied().filter(|action| action.is_granted()).collect(),
            scope: Scope {
                classes: [Class::Daily].into(),
                first_month: Month::from_number(month - 3),
                last_month: Month::from_number(month),
                tenancies: Tenancies::All,
                areas: Areas::All,
            },
            not_before: now(),
            until: now().plus(600_000),
            session_key: *self.session.verifier().as_bytes(),
            case: 0,
        }
    }

    fn sign(&self, grant: &Grant, action: Action, body: &impl Message) -> Asked {
        let grant = grant.sign(&self.warden);
        let request = grant::sign_request(&grant, action, body.encode_to_vec(), now(), &self.session);
        Asked { request: request.unwrap() }
    }

    async fn call<A: Message + Default>(&self, method: Method, body: &impl Message) -> Result<A, Refused> {
        let answer = self.archive.call(ANNA, method, body.encode_to_vec().into()).await?;
        Ok(A::decode(answer).unwrap())
    }

    async fn ask_under(&self, grant: &Grant, query: &ReadingsQuery) -> Result<Readings, Refused> {
        self.call(Method::ArchiveReadings, &self.sign(grant, Action::ReadReadings, query)).await
    }

    async fn ask(&self, query: &ReadingsQuery) -> Result<Readings, Refused> {
        self.ask_under(&self.grant(Purpose::Operations), query).await
    }

    async fn change(&self, change: &RegisterChange) -> Result<RegisterAnswer, Refused> {
        let asked = self.sign(&self.grant(Purpose::Register), Action::ChangeRegister, change);
        self.call(Method::ArchiveRegister, &asked).await
    }

    async fn import(&self, import: &ImportKeys) -> Result<ImportReport, Refused> {
        let asked = self.sign(&self.grant(Purpose::KeyImport), Action::ImportKeys, import);
        self.call(Method::ArchiveImportKeys, &asked).await
    }

    async fn add(&self, meters: &[(&str, &str)]) {
        let add = meters.iter().map(|(address, place)| new_meter(address, place)).collect();
        let answer = self.change(&RegisterChange { add, ..Default::default() }).await.unwrap();
        assert_eq!(answer.refused, Vec::<String>::new());
    }

    async fn tenancy_of(&self, meter: u32) -> TenancyId {
        let meter = self.archive.0.register.meter(MeterId(meter)).await.unwrap().unwrap();
        meter.tenancies.last().unwrap().tenancy
    }

    fn last_event(&self) -> Event {
        self.ledger.0.events().pop().unwrap()
    }

    fn vault_calls(&self) -> usize {
        self.vault.0.calls.load(Ordering::Relaxed)
    }

    fn readings_file(&self) -> std::path::PathBuf {
        self.folder.path().join("readings.db")
    }
}

fn new_meter(address: &str, place: &str) -> NewMeter {
    NewMeter { address: address.to_owned(), place: place.to_owned(), ..NewMeter::default() }
}

fn import(addresses: &[&str]) -> ImportKeys {
    ImportKeys {
        meters: addresses.iter().map(|a| new_meter(a, "")).collect(),
        enc: vec![5; seal::hybrid::ENC_LEN],
        sealed: vec![6; 64],
        source: "delivery.kem\n".to_owned(),
        refused: String::new(),
        plain_because: String::new(),
        try_only: false,
    }
}

fn daily() -> ReadingsQuery {
    ReadingsQuery { class: 2, ..Default::default() }
}

/// What intake would store: a sealed reading of a meter at a moment. `moved` seals it to another number.
fn sealed(meter: u32, tenancy: TenancyId, heard: UtcMillis, moved: u64) -> (Facts, Vec<u8>) {
    sealed_with((meter, tenancy), heard, moved, wire::intake::Record { quantity: 2, ..Default::default() })
}

/// The same with a record of choice.
fn sealed_with(
    (meter, tenancy): (u32, TenancyId),
    heard: UtcMillis,
    moved: u64,
    record: wire::intake::Record,
) -> (Facts, Vec<u8>) {
    let (month, day) = (heard.month(), heard.day().of_month());
    let facts = Facts {
        meter: MeterId(meter),
        tenancy,
        class: Class::Daily,
        month,
        sequence: u32::from(day),
        version: 1,
        day,
        source: Source::Radio,
        quality: Quality::Validated,
        superseded_by: None,
        term: 1,
    };
    let key = data_key(meter, &tenancy.0, 2, month.number());
    let place = Place::reading(
        facts.meter,
        tenancy,
        facts.class,
        month,
        u64::from(facts.sequence) + moved,
        facts.version,
    );
    let (records, telegram_hash) = (vec![record], vec![1; 16]);
    let reading = Reading { heard_ms: heard.0, collector: 1, records, telegram_hash, ..Default::default() };
    (facts, aead::seal(&key, 1, &place, &reading.encode_to_vec()).unwrap())
}

async fn store(file: &Path, seq: u64, rows: &[(Facts, Vec<u8>)]) {
    let store = ReadingStore::open(file).await.unwrap();
    let mut commit = Commit::default();
    for (facts, envelope) in rows {
        commit.readings.push(*facts, envelope);
    }
    let telegrams = rows.len() as u64;
    commit.accounts.push(Account {
        position: BatchPosition { collector: CollectorId(1), epoch: Epoch(1), seq: BatchSeq(seq) },
        kind: Kind::Batch,
        telegrams,
        outcomes: Outcomes { stored: telegrams, ..Default::default() },
        readings: telegrams,
        committed: now(),
        is_final: true,
    });
    store.commit(commit).await.unwrap();
}

/// A house with two meters, three readings each.
async fn furnished() -> (House, [TenancyId; 2]) {
    let house = house().await;
    house.add(&[("KAM-11111111-1B-16", "place-1"), ("KAM-22222222-1B-16", "place-2")]).await;
    let tenancies = [house.tenancy_of(1).await, house.tenancy_of(2).await];
    let mut rows = Vec::new();
    for (meter, tenancy) in [(1, tenancies[0]), (2, tenancies[1])] {
        rows.extend((1..=3).map(|days_ago| sealed(meter, tenancy, noon(days_ago), 0)));
    }
    store(&house.readings_file(), 1, &rows).await;
    (house, tenancies)
}

fn heard(readings: &Readings) -> Vec<(String, i64)> {
    let of = |r: &wire::archive::MeterReading| (r.place.clone(), r.reading.as_ref().unwrap().heard_ms);
    readings.readings.iter().map(of).collect()
}

#[tokio::test]
async fn a_question_about_more_people_than_one_event_holds_is_recorded_in_several() {
    let house = house().await;
    let asked = house.sign(&house.grant(Purpose::Operations), Action::ReadReadings, &daily());
    let request =
        check_request(&asked.request, Action::ReadReadings, &house.warden.verifier(), now()).unwrap();
    let tags: Vec<[u8; 16]> = (0..5000u128).map(u128::to_be_bytes).collect();
    let passed = house.archive.0.gate.pass(&request, None, &tags, "all".to_owned(), now()).await.unwrap();
    let events = house.ledger.0.events();
    assert_eq!(events.iter().map(|e| e.subjects.len()).collect::<Vec<_>>(), [2048, 2048, 904]);
    assert_eq!(events.iter().flat_map(|e| e.subjects.clone()).collect::<Vec<_>>(), tags);
    let shown = |n: usize| passed.entry_of(tags.get(n)).number;
    assert_eq!(
        [0, 2047, 2048, 4095, 4096, 4999].map(shown),
        [0, 0, 1, 1, 2, 2],
        "the one that names whose keys"
    );
    assert_eq!(passed.entry_of(None).number, 2);
}

#[tokio::test]
async fn a_method_of_another_room_is_not_answered() {
    let house = house().await;
    let refused =
        house.archive.call(Caller::Room(Room::Intake), Method::VaultReleaseKeys, Bytes::new()).await;
    assert_eq!(refused.unwrap_err().code, "not-here");
}
