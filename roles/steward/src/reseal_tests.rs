//! The job on a real store, with a house that gives out keys as the vault does.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use base::{BatchPosition, BatchSeq, CollectorId, Day, Epoch, Secret};
use house::Counters;
use prost::Message;
use seal::{Place, aead};
use store::{Account, Commit, Kind, Outcomes, Quality, ReadingStore, ReadingView};
use wire::intake::Reading;
use wire::stewardship::{Ended, Job};
use wire::vault::DataKeys;

use super::*;
use crate::rounds::Rounds;

const A: TenancyId = TenancyId([1; 16]);
const B: TenancyId = TenancyId([2; 16]);
const METER: MeterId = MeterId(7);
const HOUR: i64 = 3_600_000;

/// Keys that a test can derive, too.
fn data_key((meter, tenancy, class, month): &Key) -> Secret<32> {
    let place = [meter.0, u32::from(tenancy.0[0]), u32::from(class.code()), month.number()];
    let mut bytes = [5; 32];
    bytes.iter_mut().zip(place.iter().flat_map(|n| n.to_le_bytes())).for_each(|(byte, n)| *byte = n);
    Secret::new(bytes)
}

#[derive(Default)]
struct FakeHouse {
    sessions: AtomicU32,
    asked: Mutex<Vec<Key>>,
    /// What the vault withholds, and why.
    withholds: Mutex<BTreeMap<(TenancyId, Class), &'static str>>,
    /// The house fails at so many calls for keys from now.
    fails_at: AtomicU32,
    noted: Mutex<Vec<Result<Sum, String>>>,
}

impl House for Arc<FakeHouse> {
    type Session = ();

    async fn jobs(&self, _: Option<Ended>) -> Result<Jobs, Failed> {
        Ok(Jobs::default())
    }

    async fn session(&self, _: &Jobs) -> Result<(), Failed> {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn keys(&self, (): &(), class: Class, series: &BTreeSet<Key>) -> Result<DataKeys, Failed> {
        let left = self.fails_at.load(Ordering::Relaxed);
        if left > 0 {
            self.fails_at.store(left - 1, Ordering::Relaxed);
            if left == 1 {
                return Err(Failed::Withheld("ceiling".to_owned()));
            }
        }
        let mut answer = DataKeys { term: 1, ..DataKeys::default() };
        for key in series {
            assert_eq!(key.2, class);
            self.asked.lock().unwrap().push(*key);
            let why = self.withholds.lock().unwrap().get(&(key.1, class)).copied().unwrap_or_default();
            if why.is_empty() {
                answer.keys.extend_from_slice(data_key(key).expose());
            }
            answer.refused.push(why.to_owned());
        }
        Ok(answer)
    }

    async fn note(&self, _: &Jobs, outcome: &Result<Sum, Failed>) -> Result<(), Failed> {
        let outcome = outcome.as_ref().map(|sum| *sum).map_err(Failed::word);
        self.noted.lock().unwrap().push(outcome);
        Ok(())
    }
}

struct Fixture {
    folder: tempfile::TempDir,
    store: ReadingStore,
    house: Arc<FakeHouse>,
    batches: u64,
    next: BTreeMap<Month, u32>,
    days: BTreeSet<(TenancyId, Day)>,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = ReadingStore::open(&folder.path().join("readings.db")).await.unwrap();
        let (next, days) = (BTreeMap::new(), BTreeSet::new());
        Self { folder, store, house: Arc::default(), batches: 0, next, days }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("readings.db")
    }

    /// What intake keeps of telegrams that it hears at these times: each fine one where all are kept, the first of each day.
    async fn hear(&mut self, tenancy: TenancyId, times: impl IntoIterator<Item = UtcMillis>, fine: bool) {
        let mut commit = Commit { register: 4, ..Commit::default() };
        let (mut telegrams, mut stored) = (0, 0);
        for at in times {
            let mut rows = Vec::new();
            let (month, day) = (at.month(), at.day().of_month());
            let facts = |class, sequence| Facts {
                meter: METER,
                tenancy,
                class,
                month,
                sequence,
                version: 1,
                day,
                source: Source::Radio,
                quality: Quality::Suspect,
                superseded_by: None,
                term: 1,
            };
            if self.days.insert((tenancy, at.day())) {
                rows.push(facts(Class::Daily, u32::from(day)));
            }
            if fine {
                let next = self.next.entry(month).or_default();
                rows.push(facts(Class::Fine, *next));
                *next += 1;
            }
            let is_thinned = rows.is_empty();
            for facts in rows {
                commit.readings.push(facts, &sealed(&facts, at));
            }
            telegrams += 1;
            stored += u64::from(!is_thinned);
        }
        self.batches += 1;
        let readings = commit.readings.len() as u64;
        commit.accounts.push(Account {
            position: BatchPosition {
                collector: CollectorId(1),
                epoch: Epoch(1),
                seq: BatchSeq(self.batches),
            },
            kind: Kind::Batch,
            telegrams,
            outcomes: Outcomes { stored, thinned: telegrams - stored, ..Outcomes::default() },
            readings,
            committed: UtcMillis(1),
            is_final: true,
        });
        self.store.commit(commit).await.unwrap();
    }

    async fn work(&self, at: UtcMillis) -> Ended {
        let rounds = Rounds::new(Arc::clone(&self.house), self.path(), Arc::new(Counters::new()));
        rounds.round(&jobs(at)).await.unwrap()
    }

    /// The live readings of a class of a tenancy, opened: when each was heard, oldest first.
    async fn shown(&self, class: Class, tenancy: TenancyId) -> Vec<UtcMillis> {
        let mut heard = opened(&self.path(), class, tenancy).await;
        heard.sort_unstable();
        heard
    }
}

fn sealed(facts: &Facts, at: UtcMillis) -> Vec<u8> {
    let reading =
        Reading { heard_ms: at.0, collector: 1, status: 4, telegram_hash: vec![9; 16], ..Reading::default() };
    let key = data_key(&(facts.meter, facts.tenancy, facts.class, facts.month));
    aead::seal(&key, 1, &place(facts), &reading.encode_to_vec()).unwrap()
}

fn place(facts: &Facts) -> Place {
    let sequence = u64::from(facts.sequence);
    Place::reading(facts.meter, facts.tenancy, facts.class, facts.month, sequence, facts.version)
}

async fn opened(path: &Path, class: Class, tenancy: TenancyId) -> Vec<UtcMillis> {
    let view = ReadingView::open(path).await.unwrap();
    let mut heard = Vec::new();
    let now = UtcMillis::now().month().number();
    for month in (now - 4..=now + 1).map(Month::from_number) {
        let ask = Ask {
            meter: METER,
            class,
            month,
            days: 1..=31,
            tenancy: Some(tenancy),
            superseded: false,
            limit: 100_000,
        };
        for row in view.readings(&ask).await.unwrap() {
            let key = data_key(&(METER, tenancy, class, month));
            let plain = aead::open(&key, &place(&row.facts), &row.envelope).expect("it opens at its place");
            let reading = Reading::decode(plain.as_slice()).unwrap();
            assert_eq!((reading.status, row.facts.quality), (4, Quality::Suspect), "unchanged");
            let at = UtcMillis(reading.heard_ms);
            assert_eq!((row.facts.month, row.facts.day), (at.month(), at.day().of_month()));
            heard.push(at);
        }
    }
    heard
}

fn jobs(at: UtcMillis) -> Jobs {
    let job = Job { id: 5, meters: vec![METER.0], ended: A.0.to_vec(), begun: B.0.to_vec(), at_ms: at.0 };
    Jobs { version: 4, job: Some(job), person: "anna".to_owned(), ..Jobs::default() }
}

/// Noon of the day three weeks before today.
fn three_weeks_ago() -> UtcMillis {
    let day = 24 * HOUR;
    UtcMillis((UtcMillis::now().0 / day - 21) * day + 12 * HOUR)
}

/// Hourly, from so many hours before to so many after.
fn hourly(around: UtcMillis, hours: std::ops::Range<i64>) -> Vec<UtcMillis> {
    hours.map(|hour| around.plus(hour * HOUR + 60_000)).collect()
}

fn first_of_days(times: &[UtcMillis]) -> Vec<UtcMillis> {
    let mut first: BTreeMap<Day, UtcMillis> = BTreeMap::new();
    times.iter().for_each(|at| _ = first.entry(at.day()).or_insert(*at));
    first.into_values().collect()
}

#[tokio::test]
async fn three_weeks_are_sealed_anew_and_each_has_the_first_of_their_days() {
    let mut f = Fixture::new().await;
    let at = three_weeks_ago();
    let all = hourly(at, -50..21 * 24);
    f.hear(A, all.clone(), true).await;
    let ended = f.work(at).await;
    let (before, after): (Vec<UtcMillis>, Vec<UtcMillis>) = all.into_iter().partition(|heard| *heard < at);
    assert_eq!(f.shown(Class::Fine, A).await, before);
    assert_eq!(f.shown(Class::Fine, B).await, after);
    assert_eq!(f.shown(Class::Daily, A).await, first_of_days(&before));
    assert_eq!(f.shown(Class::Daily, B).await, first_of_days(&after));
    let made = after.len() + first_of_days(&after).len();
    assert_eq!((ended.readings, ended.unreadable, ended.problem.as_str()), (made as u64, 0, ""));
    assert_eq!(*f.house.noted.lock().unwrap(), [Ok(Sum { readings: made as u64, unreadable: 0 })]);
    // keys of the two tenancies and the months since alone
    let asked = f.house.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|(m, t, _, month)| *m == METER && [A, B].contains(t) && *month >= at.month()));
    // once more it does nothing
    assert_eq!(f.work(at).await.readings, 0);
    assert_eq!(f.shown(Class::Fine, B).await, after);
    assert_eq!(f.store.recount().await.unwrap()["telegrams"], (before.len() + after.len()) as u64);
    // from now on intake adds nothing that it sealed without knowing of the move
    assert_eq!(Resealing::open(&f.path()).await.unwrap().required_register().await.unwrap(), 4);
}

#[tokio::test]
async fn where_one_reading_a_day_is_kept_none_is_made_up_for_the_day_of_the_move() {
    let mut f = Fixture::new().await;
    // the first of the day was heard before the move at noon: who moved in has none of that day
    let noon = three_weeks_ago();
    let all = hourly(noon, -30..60);
    f.hear(A, all.clone(), false).await;
    f.work(noon).await;
    let days = first_of_days(&all);
    let of_b: Vec<UtcMillis> = days.iter().copied().filter(|at| *at >= noon).collect();
    assert_eq!(f.shown(Class::Daily, B).await, of_b);
    assert!(of_b.iter().all(|at| at.day() != noon.day()));
    assert_eq!(f.shown(Class::Daily, A).await.len() + of_b.len(), days.len(), "all are somebody's");
}

#[tokio::test]
async fn what_intake_kept_for_who_moved_in_stays_where_it_is_the_first_of_its_day() {
    let mut f = Fixture::new().await;
    let at = three_weeks_ago();
    let day = |n: i64, hour: i64| UtcMillis((at.0 / (24 * HOUR) + n) * 24 * HOUR + hour * HOUR);
    f.hear(A, [day(3, 9), day(4, 5)], false).await;
    // late telegrams that intake sealed for B by the register as it is now
    f.hear(B, [day(3, 6), day(4, 8), day(5, 1)], false).await;
    let ended = f.work(at).await;
    assert_eq!(f.shown(Class::Daily, B).await, [day(3, 6), day(4, 5), day(5, 1)]);
    assert!(f.shown(Class::Daily, A).await.is_empty());
    assert_eq!(ended.readings, 2);
}

#[tokio::test]
async fn a_job_that_is_cut_off_goes_on_where_it_stopped() {
    let mut f = Fixture::new().await;
    let at = three_weeks_ago();
    let all = hourly(at, -3..48);
    f.hear(A, all.clone(), true).await;
    // fine readings are done, those of days not, as after a kill between the two
    f.house.withholds.lock().unwrap().insert((B, Class::Daily), "rate-limited");
    let ended = f.work(at).await;
    assert_eq!(ended.problem, "rate-limited");
    assert_eq!(
        f.house.noted.lock().unwrap().as_slice(),
        [Err("rate-limited".to_owned())],
        "it is in the log"
    );
    assert_eq!(f.shown(Class::Fine, B).await.len(), 48);
    assert!(f.shown(Class::Daily, B).await.is_empty());
    f.house.withholds.lock().unwrap().clear();
    assert_eq!(f.work(at).await.problem, "");
    assert_eq!(f.shown(Class::Fine, B).await, all[3..]);
    assert_eq!(f.shown(Class::Daily, B).await, first_of_days(&all[3..]));
    assert_eq!(f.shown(Class::Daily, A).await, first_of_days(&all[..3]));
    // a call that fails before anything is done changes nothing
    f.house.fails_at.store(1, Ordering::Relaxed);
    assert_eq!(f.work(at).await.problem, "ceiling");
    assert_eq!(f.shown(Class::Fine, B).await, all[3..]);
}

#[tokio::test]
async fn a_place_without_readings_since_needs_no_grant() {
    let mut f = Fixture::new().await;
    let at = three_weeks_ago();
    assert_eq!(f.work(at).await.problem, "");
    f.hear(A, hourly(at, -90..-48), true).await;
    assert_eq!(f.work(at).await.readings, 0);
    assert_eq!(f.house.sessions.load(Ordering::Relaxed), 0);
    let nowhere =
        Rounds::new(Arc::clone(&f.house), f.folder.path().join("none.db"), Arc::new(Counters::new()));
    assert_eq!(nowhere.round(&jobs(at)).await.unwrap().problem, "");
    assert!(!f.folder.path().join("none.db").exists());
    assert!(nowhere.round(&Jobs::default()).await.is_none());
}

#[tokio::test]
async fn what_does_not_open_stays_and_costs_no_other() {
    let mut f = Fixture::new().await;
    let at = three_weeks_ago();
    f.hear(A, hourly(at, 0..3), true).await;
    // somebody put one in another's place
    let (heard, mut commit) = (at.plus(5 * HOUR), Commit { register: 4, ..Commit::default() });
    let facts = Facts {
        meter: METER,
        tenancy: A,
        class: Class::Fine,
        month: heard.month(),
        sequence: 90,
        version: 1,
        day: heard.day().of_month(),
        source: Source::Radio,
        quality: Quality::Validated,
        superseded_by: None,
        term: 1,
    };
    commit.readings.push(facts, &sealed(&Facts { sequence: 91, ..facts }, heard));
    commit.accounts.push(Account {
        position: BatchPosition { collector: CollectorId(1), epoch: Epoch(1), seq: BatchSeq(99) },
        kind: Kind::Batch,
        telegrams: 1,
        outcomes: Outcomes { stored: 1, ..Outcomes::default() },
        readings: 1,
        committed: UtcMillis(1),
        is_final: true,
    });
    f.store.commit(commit).await.unwrap();
    let ended = f.work(at).await;
    assert_eq!((ended.unreadable, ended.problem.as_str()), (1, ""));
    assert_eq!(f.shown(Class::Fine, B).await, hourly(at, 0..3));
    // what was erased is nobody's to open, and the job comes to its end all the same
    let mut f = Fixture::new().await;
    f.hear(A, hourly(at, 0..3), true).await;
    for class in Class::ALL {
        f.house.withholds.lock().unwrap().insert((A, class), "erased");
    }
    let ended = f.work(at).await;
    assert_eq!((ended.readings, ended.problem.as_str()), (0, ""));
    assert!(ended.unreadable > 0);
}
