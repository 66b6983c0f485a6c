//! The archive as its callers see it: a real register, a real store with sealed rows, the real checks of the
//! vault, and a ledger in memory.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use base::{BatchPosition, BatchSeq, Class, CollectorId, Epoch, Month, Secret, TenancyId};
use grant::{Event, Grant, Outcome, Purpose, Scope, Tenancies, check_receipt, check_request};
use prost::Message;
use recorder::memory::{Behaviour, MemoryLedger};
use recorder::{Entry, NotRecorded};
use seal::sign::{Signer, Verifier};
use seal::{Place, aead, mac};
use store::{Account, Commit, Facts, Kind, Outcomes, Quality, ReadingStore, Source};
use wire::Room;
use wire::archive::{ImportKeys, ListMeters, Move, NewMeter, Policy, ReadingsQuery, RegisterChange};
use wire::custody::{Carried, Errand, ErrandAnswer, VaultErrand};
use wire::intake::Reading;
use wire::mark::{MarkAnswer, PresentMark};
use wire::vault::{self, DataKeys, ReleaseKeys, Tenancy};

use super::*;

mod custody;
mod marks;

const ANNA: Caller = Caller::Operator { uid: 1000 };
const DAY: i64 = 24 * 3600 * 1000;

#[derive(Clone)]
struct SharedLedger(Arc<MemoryLedger>);

impl Record for SharedLedger {
    async fn record(&self, events: Vec<Event>) -> Result<Vec<Entry>, NotRecorded> {
        self.0.record(events).await
    }
}

/// A vault that checks what the real one checks, with data keys that a test can derive too.
#[derive(Clone)]
struct CheckingVault(Arc<VaultState>);

struct VaultState {
    warden: Verifier,
    ledger: Verifier,
    calls: AtomicUsize,
    spans: Mutex<Vec<vault::TenancySpan>>,
    imports: Mutex<Vec<(Vec<u32>, Vec<u8>)>>,
    withholds: Mutex<Option<u32>>,
    shown: Mutex<Vec<PresentMark>>,
    mark: Mutex<MarkAnswer>,
    refuses_tenancies: Mutex<bool>,
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

impl Vault for CheckingVault {
    async fn release(&self, q: ReleaseKeys) -> Result<DataKeys, Refused> {
        let recorded = self.recorded(Action::ReadReadings, &q.request, &q.event, &q.receipt)?;
        let withheld = *self.0.withholds.lock().unwrap();
        let mut answer = DataKeys { term: 1, ..Default::default() };
        for s in &q.series {
            let tenancy = TenancyId(s.tenancy.as_slice().try_into().unwrap());
            let class = Class::from_code(u8::try_from(s.class).unwrap()).unwrap();
            let permitted = recorded.permits(tenancy, class, Month::from_number(s.month));
            if permitted.is_err() || withheld == Some(s.meter) {
                answer.refused.push("rate-limited".to_owned());
            } else {
                answer.refused.push(String::new());
                answer.keys.extend_from_slice(data_key(s.meter, &s.tenancy, s.class, s.month).expose());
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
        shown: Mutex::default(),
        mark: Mutex::default(),
        refuses_tenancies: Mutex::default(),
    }));
    let counters = Arc::new(Counters::new());
    let archive = Archive::new(Inner {
        marks: Arc::new(Marks::load(&journal::RealDisk, folder.path().join("vault.mark")).unwrap()),
        gate: Gate::new(ledger.clone(), warden.verifier(), ledger.0.verifier(), Arc::clone(&counters)),
        vault: vault.clone(),
        register: Register::open(&folder.path().join("register.db")).await.unwrap(),
        readings: ReadingsFile::new(folder.path().join("readings.db")),
        subjects: SubjectKey::new(Secret::new([8; 32])),
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
            actions: purpose.actions().iter().copied().collect(),
            scope: Scope {
                classes: [Class::Daily].into(),
                first_month: Month::from_number(month - 3),
                last_month: Month::from_number(month),
                tenancies: Tenancies::All,
            },
            not_before: now(),
            until: now().plus(600_000),
            session_key: *self.session.verifier().as_bytes(),
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
    NewMeter { address: address.to_owned(), place: place.to_owned(), resolution: 0, clear: false }
}

fn daily() -> ReadingsQuery {
    ReadingsQuery { class: 2, ..Default::default() }
}

/// What intake would store: a sealed reading of a meter at a moment. `moved` seals it to another number.
fn sealed(meter: u32, tenancy: TenancyId, heard: UtcMillis, moved: u64) -> (Facts, Vec<u8>) {
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
    let reading = Reading { heard_ms: heard.0, collector: 1, ..Default::default() };
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
async fn a_question_is_in_the_log_before_it_is_answered_with_what_was_stored() {
    let (house, tenancies) = furnished().await;
    let answer = house.ask(&daily()).await.unwrap();
    let expected: Vec<(String, i64)> = ["place-1", "place-2"]
        .iter()
        .flat_map(|p| (1..=3).map(|days| ((*p).to_owned(), noon(days).0)))
        .collect();
    assert_eq!(heard(&answer), expected);
    assert_eq!((answer.more, answer.notes.len()), (false, 0));
    let first = &answer.readings[0];
    assert_eq!((first.quality.as_str(), first.class, first.version), ("validated", 2, 1));
    assert_eq!(first.address, [0x2d, 0x2c, 0x11, 0x11, 0x11, 0x11, 0x1b, 0x16]);
    let event = house.last_event();
    assert_eq!(answer.receipt, house.ledger.0.events().len() as u64);
    assert_eq!((event.outcome, event.on_behalf.as_str()), (Outcome::Allowed, "anna"));
    assert_eq!(event.data.unwrap().class, Class::Daily);
    let tags: Vec<[u8; 16]> = tenancies.iter().map(|t| house.archive.0.subjects.tag(*t)).collect();
    assert!(tags.iter().all(|t| event.subjects.contains(t)));
    assert!(tenancies.iter().all(|t| !event.subjects.contains(&t.0)), "the log holds tags, not tenancies");
}

#[tokio::test]
async fn a_meter_is_asked_for_by_address_or_serial_and_only_its_series_are_opened() {
    let (house, tenancies) = furnished().await;
    for text in ["KAM-22222222-1B-16", "KAM-22222222", "22222222"] {
        let answer = house.ask(&ReadingsQuery { meters: vec![text.to_owned()], ..daily() }).await.unwrap();
        assert!(answer.readings.len() == 3 && answer.readings.iter().all(|r| r.place == "place-2"), "{text}");
        assert_eq!(house.last_event().subjects, [house.archive.0.subjects.tag(tenancies[1])]);
    }
    let unknown = ReadingsQuery { meters: vec!["KAM-33333333".to_owned()], ..daily() };
    assert_eq!(house.ask(&unknown).await.unwrap_err().code, "unknown-meter");
    assert_eq!(house.last_event().reason, "unknown-meter");
}

#[tokio::test]
async fn the_newest_reading_of_each_meter_now_and_at_an_earlier_time() {
    let (house, _) = furnished().await;
    let latest = ReadingsQuery { latest: true, ..daily() };
    let of = |days: i64| vec![("place-1".to_owned(), noon(days).0), ("place-2".to_owned(), noon(days).0)];
    assert_eq!(heard(&house.ask(&latest).await.unwrap()), of(1));
    // As the command line asks: an end that is now.
    let until_now = ReadingsQuery { until_ms: now().plus(1).0, ..latest.clone() };
    assert_eq!(heard(&house.ask(&until_now).await.unwrap()), of(1));
    let midnight = ReadingsQuery { until_ms: noon(2).0 + DAY / 2, ..latest.clone() };
    assert_eq!(heard(&house.ask(&midnight).await.unwrap()), of(2));
    let just_before = ReadingsQuery { until_ms: noon(2).0, ..latest.clone() };
    assert_eq!(heard(&house.ask(&just_before).await.unwrap()), of(3), "the day's reading came after the end");
    let just_after = ReadingsQuery { until_ms: noon(2).0 + 1, ..latest.clone() };
    assert_eq!(heard(&house.ask(&just_after).await.unwrap()), of(2));
    let one = ReadingsQuery { meters: vec!["11111111".to_owned()], ..latest };
    assert_eq!(heard(&house.ask(&one).await.unwrap()), of(1)[..1]);
}

#[tokio::test]
async fn a_span_of_time_and_a_limit_are_kept() {
    let (house, _) = furnished().await;
    let span = ReadingsQuery { from_ms: noon(3).0 + 1, until_ms: noon(1).0, ..daily() };
    let answer = house.ask(&span).await.unwrap();
    assert_eq!(heard(&answer), [("place-1".to_owned(), noon(2).0), ("place-2".to_owned(), noon(2).0)]);
    let answer = house.ask(&ReadingsQuery { limit: 4, ..daily() }).await.unwrap();
    assert_eq!((answer.readings.len(), answer.more), (4, true));
    let answer = house.ask(&ReadingsQuery { limit: 6, ..daily() }).await.unwrap();
    assert_eq!((answer.readings.len(), answer.more), (6, false));
}

#[tokio::test]
async fn the_archive_refuses_without_a_receipt() {
    let (house, _) = furnished().await;
    let before = house.vault_calls();
    for behaviour in [Behaviour::Down, Behaviour::Forges, Behaviour::Confuses, Behaviour::Forgets] {
        house.ledger.0.behave(behaviour);
        let refused = house.ask(&daily()).await.unwrap_err();
        assert_eq!(refused.code, "no-receipt", "{behaviour:?}");
        let add = vec![new_meter("KAM-33333333", "")];
        let refused = house.change(&RegisterChange { add, ..Default::default() }).await.unwrap_err();
        assert_eq!(refused.code, "no-receipt", "{behaviour:?}");
        assert_eq!(house.import(&import(&["KAM-33333333"])).await.unwrap_err().code, "no-receipt");
    }
    assert_eq!(house.vault_calls(), before, "the vault was not even asked");
    assert_eq!(house.archive.0.register.size().await.unwrap().meters, 2);
    house.ledger.0.behave(Behaviour::Good);
    assert_eq!(house.ask(&daily()).await.unwrap().readings.len(), 6);
}

#[tokio::test]
async fn a_request_without_a_good_grant_is_refused_and_recorded() {
    let (house, _) = furnished().await;
    let good = house.grant(Purpose::Operations);
    let cases: Vec<(&str, Asked)> = vec![
        ("no-grant", {
            let grant = Signer::generate().unwrap();
            let request = grant::sign_request(&[], Action::ReadReadings, vec![], now(), &grant);
            Asked { request: request.unwrap() }
        }),
        ("grant-forged", {
            let request = grant::sign_request(
                &good.sign(&house.session),
                Action::ReadReadings,
                daily().encode_to_vec(),
                now(),
                &house.session,
            );
            Asked { request: request.unwrap() }
        }),
        ("grant-expired", {
            let old = Grant { not_before: now().plus(-1000), until: now().plus(-1), ..good.clone() };
            house.sign(&old, Action::ReadReadings, &daily())
        }),
        ("other-session-key", {
            let other = Grant { session_key: *house.warden.verifier().as_bytes(), ..good.clone() };
            house.sign(&other, Action::ReadReadings, &daily())
        }),
        ("action-not-in-grant", house.sign(&house.grant(Purpose::KeyImport), Action::ReadReadings, &daily())),
        ("other-action", house.sign(&house.grant(Purpose::KeyImport), Action::ImportKeys, &daily())),
    ];
    let before = house.vault_calls();
    for (code, asked) in cases {
        let refused = house.call::<Readings>(Method::ArchiveReadings, &asked).await.unwrap_err();
        assert_eq!(refused.code, code);
        let event = house.last_event();
        assert_eq!((event.outcome, event.reason.as_str()), (Outcome::Refused, code));
        assert_eq!((event.on_behalf.as_str(), event.action.as_str()), ("uid-1000", "read-readings"));
    }
    assert_eq!(house.vault_calls(), before);
}

#[tokio::test]
async fn a_request_presented_again_is_not_answered_again() {
    let (house, _) = furnished().await;
    let asked = house.sign(&house.grant(Purpose::Operations), Action::ReadReadings, &daily());
    assert!(house.call::<Readings>(Method::ArchiveReadings, &asked).await.is_ok());
    let refused = house.call::<Readings>(Method::ArchiveReadings, &asked).await.unwrap_err();
    assert_eq!(refused.code, "request-replayed");
    assert_eq!(
        (house.last_event().reason.as_str(), house.last_event().on_behalf.as_str()),
        ("request-replayed", "anna")
    );
}

#[tokio::test]
async fn what_lies_outside_the_scope_is_not_answered() {
    let (house, tenancies) = furnished().await;
    let mut grant = house.grant(Purpose::Operations);
    grant.scope.tenancies = Tenancies::Only([tenancies[0]].into());
    let answer = house.ask_under(&grant, &daily()).await.unwrap();
    assert!(answer.readings.len() == 3 && answer.readings.iter().all(|r| r.place == "place-1"));
    assert_eq!(house.last_event().subjects, [house.archive.0.subjects.tag(tenancies[0])]);
    let latest = house.ask_under(&grant, &ReadingsQuery { latest: true, ..daily() }).await.unwrap();
    assert_eq!(heard(&latest), [("place-1".to_owned(), noon(1).0)]);
    let other = ReadingsQuery { meters: vec!["22222222".to_owned()], ..daily() };
    assert!(house.ask_under(&grant, &other).await.unwrap().readings.is_empty());
    assert!(house.last_event().subjects.is_empty());

    let fine = ReadingsQuery { class: 1, ..daily() };
    assert_eq!(house.ask(&fine).await.unwrap_err().code, "not-in-scope");
    assert_eq!(house.last_event().reason, "not-in-scope");
    let long_ago = ReadingsQuery { from_ms: now().plus(-200 * DAY).0, ..daily() };
    assert_eq!(house.ask(&long_ago).await.unwrap_err().code, "not-in-scope");
}

#[tokio::test]
async fn rows_that_were_moved_and_series_that_are_withheld_are_said() {
    let (house, tenancies) = furnished().await;
    store(&house.readings_file(), 2, &[sealed(1, tenancies[0], noon(4), 1)]).await;
    let answer = house.ask(&daily()).await.unwrap();
    assert_eq!(answer.readings.len(), 6);
    assert!(
        answer.notes.len() == 1 && answer.notes[0].contains("1 readings do not open"),
        "{:?}",
        answer.notes
    );
    let health: Health = house.call(Method::Health, &HealthRequest {}).await.unwrap();
    assert!(health.counters.iter().any(|c| c.name == "unreadable" && c.value == 1));

    *house.vault.0.withholds.lock().unwrap() = Some(2);
    let answer = house.ask(&daily()).await.unwrap();
    assert!(answer.readings.iter().all(|r| r.place == "place-1"));
    assert!(
        answer.notes.iter().any(|n| n.contains("withheld by the vault: rate-limited")),
        "{:?}",
        answer.notes
    );
}

#[tokio::test]
async fn before_the_first_reading_the_answer_is_empty_and_a_restored_store_is_read() {
    let house = house().await;
    house.add(&[("KAM-11111111-1B-16", "place-1")]).await;
    assert!(house.ask(&daily()).await.unwrap().readings.is_empty());
    let tenancy = house.tenancy_of(1).await;
    store(&house.readings_file(), 1, &[sealed(1, tenancy, noon(2), 0)]).await;
    let copy = house.folder.path().join("copy.db");
    ReadingStore::open(&house.readings_file()).await.unwrap().copy_to(&copy).await.unwrap();
    store(&house.readings_file(), 2, &[sealed(1, tenancy, noon(1), 0)]).await;
    assert_eq!(house.ask(&daily()).await.unwrap().readings.len(), 2);
    for rest in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{rest}", house.readings_file().display()));
    }
    std::fs::rename(&copy, house.readings_file()).unwrap();
    assert_eq!(house.ask(&daily()).await.unwrap().readings.len(), 1, "yesterday's copy");
}

#[tokio::test]
async fn the_register_takes_meters_moves_and_policies_and_the_vault_hears_of_tenancies() {
    let house = house().await;
    let first: Meters = house.call(Method::ArchiveMeters, &MetersRequest::default()).await.unwrap();
    assert!(first.meters.is_empty());
    let add = vec![
        new_meter("KAM-11111111-1B-16", "place-1"),
        new_meter("nonsense", "place-1"),
        new_meter("KAM-22222222", ""),
        NewMeter { resolution: 2, clear: true, ..new_meter("ELS-33333333-01-07", "place-3") },
        NewMeter { resolution: 9, ..new_meter("ELS-44444444-01-07", "place-3") },
    ];
    let answer = house.change(&RegisterChange { add: add.clone(), ..Default::default() }).await.unwrap();
    assert_eq!((answer.added, answer.unchanged, answer.refused.len()), (3, 0, 2));
    assert!(answer.refused[0].contains("nonsense") && answer.refused[1].contains('9'));
    let again = house.change(&RegisterChange { add: add[..1].to_vec(), ..Default::default() }).await.unwrap();
    assert_eq!((again.added, again.unchanged), (0, 1));
    assert_eq!(house.vault.0.spans.lock().unwrap().len(), 4, "a repeated command tells the vault again");

    let at = now().plus(-DAY).0;
    let moves = vec![
        Move { place: "place-1".to_owned(), at_ms: at, vacant: false },
        Move { place: "nowhere".to_owned(), at_ms: at, vacant: false },
    ];
    let policies = vec![Policy { address: "KAM-11111111-1B-16".to_owned(), resolution: 2 }];
    let answer = house.change(&RegisterChange { moves, policies, ..Default::default() }).await.unwrap();
    assert_eq!((answer.tenancies, answer.refused.len()), (1, 1));
    let told = house.vault.0.spans.lock().unwrap().clone();
    let (closed, opened) = (&told[4], &told[5]);
    assert_eq!((closed.until_ms, closed.vacant), (Some(at), true));
    assert_eq!((opened.from_ms, opened.until_ms, opened.vacant), (at, None, false));
    assert_ne!(closed.tenancy, opened.tenancy);

    let question = MetersRequest { seen_version: first.version, wait_ms: 60_000, after_meter: 0 };
    let meters: Meters = house.call(Method::ArchiveMeters, &question).await.unwrap();
    assert_eq!(meters.meters.iter().map(|m| m.resolution).collect::<Vec<_>>(), [2, 1, 2]);
    assert_eq!(meters.meters.iter().map(|m| m.address.len()).collect::<Vec<_>>(), [8, 6, 8]);
    assert_eq!(meters.meters.iter().map(|m| m.tenancies.len()).collect::<Vec<_>>(), [2, 1, 1]);
    assert!(meters.version > first.version);
    let rest: Meters = house
        .call(
            Method::ArchiveMeters,
            &MetersRequest { after_meter: meters.meters[0].id, ..Default::default() },
        )
        .await
        .unwrap();
    assert_eq!(rest.meters.len(), 2);

    let list = RegisterChange { list: Some(ListMeters { after_meter: 0 }), ..Default::default() };
    let listed = house.change(&list).await.unwrap();
    assert_eq!(
        listed.meters.iter().map(|m| m.place.as_str()).collect::<Vec<_>>(),
        ["place-1", "unplaced KAM-22222222", "place-3"]
    );
    assert_eq!((listed.meters[0].tenancy_since_ms, listed.meters[0].vacant), (at, false));
    assert_eq!(house.change(&RegisterChange::default()).await.unwrap_err().code, "malformed");
}

#[tokio::test]
async fn who_waits_for_news_of_the_register_gets_them_at_once() {
    let house = Arc::new(house().await);
    let seen: Meters = house.call(Method::ArchiveMeters, &MetersRequest::default()).await.unwrap();
    let waiter = {
        let house = Arc::clone(&house);
        let question = MetersRequest { seen_version: seen.version, wait_ms: 60_000, after_meter: 0 };
        tokio::spawn(async move { house.call::<Meters>(Method::ArchiveMeters, &question).await.unwrap() })
    };
    house.add(&[("KAM-11111111-1B-16", "place-1")]).await;
    let news = tokio::time::timeout(Duration::from_secs(10), waiter).await.unwrap().unwrap();
    assert_eq!(news.meters.len(), 1);
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

#[tokio::test]
async fn a_key_import_registers_the_meters_and_relays_the_sealed_keys_as_they_are() {
    let house = house().await;
    house.add(&[("KAM-22222222-1B-16", "place-2")]).await;
    let sealed = import(&["KAM-33333333", "KAM-22222222", "KAM-44444444"]);
    let report = house.import(&sealed).await.unwrap();
    assert_eq!(report.outcomes.len(), 3);
    let (ids, relayed) = house.vault.0.imports.lock().unwrap()[0].clone();
    assert_eq!(relayed, sealed.sealed);
    let register = &house.archive.0.register;
    for (id, serial) in ids.iter().zip(["33333333", "22222222", "44444444"]) {
        assert_eq!(register.meter(MeterId(*id)).await.unwrap().unwrap().address.serial(), serial);
    }
    assert_eq!(register.meter(MeterId(ids[1])).await.unwrap().unwrap().place, "place-2");
    let event = house.last_event();
    assert_eq!((event.action.as_str(), event.outcome), ("import-keys", Outcome::Allowed));
    assert_eq!(event.detail, "3 keys, 2 meters new, from `delivery.kem`");
    assert_eq!(event.subjects.len(), 3);
    let told: Vec<u32> = house.vault.0.spans.lock().unwrap().iter().skip(1).map(|s| s.meter).collect();
    assert_eq!(told, ids, "the vault knows the tenancies before the keys");
}

#[tokio::test]
async fn an_import_that_cannot_be_whole_changes_nothing_and_a_refused_file_is_recorded() {
    let house = house().await;
    for bad in [
        import(&["KAM-33333333", "nonsense"]),
        ImportKeys { enc: vec![1; 3], ..import(&["KAM-33333333"]) },
        ImportKeys { sealed: vec![], ..import(&["KAM-33333333"]) },
        import(&[]),
        import(&["KAM-33333333"; 1001]),
    ] {
        let refused = house.import(&bad).await.unwrap_err();
        assert!(["import-refused", "malformed"].contains(&refused.code), "{refused}");
        assert_eq!(house.last_event().outcome, Outcome::Refused);
    }
    *house.vault.0.refuses_tenancies.lock().unwrap() = true;
    let refused = house.import(&import(&["KAM-33333333"])).await.unwrap_err();
    assert_eq!(refused.code, "vault-refused");
    assert_eq!(house.archive.0.register.size().await.unwrap().meters, 0);
    assert!(house.vault.0.imports.lock().unwrap().is_empty());

    let word = "keyfile-wrong-password";
    let told = ImportKeys { refused: word.to_owned(), ..Default::default() };
    assert!(house.import(&told).await.unwrap().outcomes.is_empty());
    let event = house.last_event();
    assert_eq!((event.outcome, event.reason.as_str()), (Outcome::Refused, word));
    let health: Health = house.call(Method::Health, &HealthRequest {}).await.unwrap();
    assert!(health.counters.iter().any(|c| c.name == format!("refused.{word}") && c.value == 1));
    let odd = ImportKeys { refused: "Anna's file".to_owned(), ..Default::default() };
    assert_eq!(house.import(&odd).await.unwrap_err().code, "malformed");
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
    assert_eq!(passed.entry.number, 3, "the vault is shown the one that is there only with all before");
}

#[tokio::test]
async fn a_method_of_another_room_is_not_answered() {
    let house = house().await;
    let refused =
        house.archive.call(Caller::Room(Room::Intake), Method::VaultReleaseKeys, Bytes::new()).await;
    assert_eq!(refused.unwrap_err().code, "not-here");
}
