//! Somebody moves out and somebody in: from that minute on the readings are another's, and neither sees the other's (C04).

use std::path::Path;
use std::time::Instant;

use base::UtcMillis;
use house_tests::feed::traces;
use house_tests::house::{Collector, House, PATIENCE, Plan, Status, another_date};
use serde_json::Value;
use sim::{Kind, Town};
use sqlx::{ConnectOptions as _, Connection as _};
use wire::Room;

use crate::crowd::{Crowd, can_act_as_others};
use crate::scene::Scene;

const SERVICE: &str = "daemon";
const OPERATOR: &str = "bin";
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

impl Crowd {
    /// When the readings were heard that somebody is shown for a case.
    fn heard(&self, user: &str, case: &str, class: &str) -> Vec<UtcMillis> {
        let of_case = ["--purpose", "bill-question", "--case", case, "--class", class];
        let said = self.by(user, "readings --format json", &of_case).good();
        let line = |line: &str| {
            serde_json::from_str::<Value>(line).unwrap()["heard"].as_str().unwrap().parse().unwrap()
        };
        let mut heard: Vec<UtcMillis> = said.out.lines().map(line).collect();
        heard.sort_unstable();
        heard
    }

    /// Opens a case about a tenancy, and gets the right to its hours.
    fn hours_of(&self, number: &str, tenancy: &str) {
        let _ =
            self.by(SERVICE, "access case", &["--tenancy", tenancy, "--reason", "a bill is disputed"]).good();
        let _ = self.by(SERVICE, "access ask", &["--case", number, "--reason", "high use at night"]).good();
        let _ = self.by(OPERATOR, "access approve", &[number, "--yes"]).good();
    }
}

#[test]
fn who_moved_out_and_who_moved_in_see_nothing_of_each_other_to_the_minute() {
    if !can_act_as_others() {
        return;
    }
    let mut day = Crowd::of(Scene::since(2, &["water-mode5"], 1));
    let listed = day.owner("meters list --format json", &[]).good().json();
    let place = listed["place"].as_str().unwrap().to_owned();
    // the town sends every 16 seconds: some are heard in the minute before the move, and some in the minute after
    let first = day.scene.town.due();
    let moved = UtcMillis((first.0 + 20 * MINUTE_MS) / MINUTE_MS * MINUTE_MS);
    for at in [first.plus(-24 * 60 * MINUTE_MS), moved] {
        let _ = day.owner("meters move", &[&place, "--at", &at.to_string()]).good();
    }
    let telegrams = day.scene.next(150);
    day.scene.hear(&telegrams);
    let listed = day.owner("meters tenancies --format json", &[]).good().json();
    let tenancy = |n: usize| listed[n]["tenancy"].as_str().unwrap().to_owned();
    assert_eq!(listed.as_array().unwrap().len(), 3, "nobody, who moved out, who moved in: {listed}");

    day.name("bert", SERVICE, "customer-service");
    day.name("carl", OPERATOR, "operator");
    day.open_doors();
    day.hours_of("1", &tenancy(1));
    day.hours_of("2", &tenancy(2));
    let (out, inn) = (day.heard(SERVICE, "1", "fine"), day.heard(SERVICE, "2", "fine"));
    assert_eq!(out.len() + inn.len(), 150, "each is somebody's");
    let (last, next) = (*out.last().unwrap(), inn[0]);
    assert!(last < moved && moved <= next, "{last} {moved} {next}");
    assert!(moved.since(last) < MINUTE_MS && next.since(moved) < MINUTE_MS, "{last} {moved} {next}");
    // the day of the move has a reading of each, and each sees only their own
    let (out, inn) = (day.heard(SERVICE, "1", "daily"), day.heard(SERVICE, "2", "daily"));
    assert!(!out.is_empty() && !inn.is_empty());
    assert!(out.iter().all(|at| *at < moved) && inn.iter().all(|at| *at >= moved), "{out:?} {inn:?}");
}

/// A house that has heard one meter for a while, and what it is called.
fn heard_for(hours: i64, interval_ms: i64) -> (Scene, usize, UtcMillis, String) {
    let start = UtcMillis::now().plus(-hours * HOUR_MS);
    let (mut scene, place) = one_meter(House::new(Plan::default()), start, interval_ms);
    let telegrams = usize::try_from(hours * HOUR_MS / interval_ms - 1).unwrap();
    let sent = scene.next(telegrams);
    scene.hear(&sent);
    (scene, telegrams, start, place)
}

/// A house that has stood for some weeks and heard one meter every hour since.
fn heard_for_weeks(weeks: u16, library: &Path) -> (Scene, usize, UtcMillis, String) {
    let days = 7 * weeks;
    let start = UtcMillis::now().plus(-i64::from(days) * 24 * HOUR_MS);
    let (mut scene, place) = one_meter(House::days_ago(days, library), start, HOUR_MS);
    let mut telegrams = 0;
    for day in (0..days).rev().step_by(6).chain([0]) {
        scene.house.goes_on(day);
        let now = scene.house.now();
        let mut sent = Vec::new();
        while scene.town.due() < now {
            sent.extend(scene.next(1));
        }
        scene.hear(&sent);
        telegrams += sent.len();
    }
    (scene, telegrams, start, place)
}

/// A house with one meter, and who lived there when it began to send.
fn one_meter(mut house: House, start: UtcMillis, interval_ms: i64) -> (Scene, String) {
    house.start_all();
    let kinds = vec![Kind::named("water-mode5").unwrap()];
    let town =
        Town::new(&sim::Plan { meters: 1, seed: 5, interval_ms, kinds, ..sim::Plan::default() }, start);
    house.import(town.meters().iter());
    let collector: Collector = house.enrol("mast");
    let scene = Scene::of(house, town, collector);
    let place = scene.house.command("meters list --format json").said().good().json();
    let place = place["place"].as_str().unwrap().to_owned();
    let first = start.plus(-48 * HOUR_MS).to_string();
    let _ = scene.house.command("meters move").args([&place, "--at", &first]).said().good();
    (scene, place)
}

/// The steward has nothing to do any more, and what it did was in the log first.
fn all_done(status: &Status, moves: u64) -> bool {
    status.counter(Room::Archive, "late-moves.open") == 0
        && status.counter(Room::Archive, "late-moves.done") == moves
}

#[test]
fn a_move_that_was_reported_late_is_sealed_anew_and_neither_sees_the_others_days() {
    if can_act_as_others() {
        neither_sees_the_others_days(heard_for(6 * 24, HOUR_MS), 3);
    }
}

#[test]
fn a_move_that_was_reported_three_weeks_late_is_sealed_anew_and_neither_sees_the_others_days() {
    if let Some(library) = another_date().filter(|_| can_act_as_others()) {
        neither_sees_the_others_days(heard_for_weeks(4, &library), 21);
    }
}

/// Somebody else moved in two days after a house began to hear a meter, which was more than some days ago, and it is told now.
fn neither_sees_the_others_days(heard: (Scene, usize, UtcMillis, String), days: usize) {
    let (scene, telegrams, start, place) = heard;
    let mut day = Crowd::of(scene);
    Crowd::tell(
        "Some time ago somebody else moved in, and the utility is told only now: the readings since are sealed anew, for them.",
    );
    // at noon of the third day somebody else moved in; it is told now
    let moved = UtcMillis((start.0 / (24 * HOUR_MS) + 2) * 24 * HOUR_MS + 12 * HOUR_MS);
    let said = day.owner("meters move", &[&place, "--at", &moved.to_string()]).good();
    assert!(said.out.contains("1 move reported late: the steward seals up to"), "{}", said.out);
    let status = day.scene.house.wait_for("the jobs", |status| all_done(status, 2));
    let resealed = status.counter(Room::Steward, "readings.resealed");
    assert!(resealed > 25 * days as u64, "more than {days} days, hour by hour and day by day: {resealed}");
    assert_eq!(status.counter(Room::Archive, "late-moves.readings"), resealed);
    assert_eq!(status.counter(Room::Archive, "late-moves.failing"), 0);
    assert!(status.account().sums_agree);
    // nothing is lost and nothing doubled, as its owner sees it
    let all = day.scene.good_data_survived();
    assert_eq!(all.len(), telegrams);
    // a move before the tenancy that holds the place now is refused as ever
    let back = moved.plus(-HOUR_MS).to_string();
    let said = day.owner("meters move", &[&place, "--at", &back]);
    assert!(said.code == Some(1) && said.err.contains("present tenancy began"), "{said:?}");

    Crowd::tell("A question on a bill of each of the two: neither is shown a day of the other's.");
    let listed = day.owner("meters tenancies --format json", &[]).good().json();
    let tenancy = |n: usize| listed[n]["tenancy"].as_str().unwrap().to_owned();
    day.name("bert", SERVICE, "customer-service");
    day.name("carl", OPERATOR, "operator");
    day.open_doors();
    day.hours_of("1", &tenancy(1));
    day.hours_of("2", &tenancy(2));
    let (out, inn) = (day.heard(SERVICE, "1", "fine"), day.heard(SERVICE, "2", "fine"));
    assert_eq!(out.len() + inn.len(), telegrams, "each is somebody's, and nobody's twice");
    assert!(out.iter().all(|at| *at < moved) && inn.iter().all(|at| *at >= moved));
    assert!(out.len() > 30 && inn.len() > days * 24, "{} {}", out.len(), inn.len());
    // each day is one of theirs, the day that was cut in two one of each, and all are telegrams that were heard
    let (days_out, days_inn) = (day.heard(SERVICE, "1", "daily"), day.heard(SERVICE, "2", "daily"));
    let first_of = |times: &[UtcMillis]| {
        let mut first: Vec<UtcMillis> = Vec::new();
        for at in times {
            if first.last().is_none_or(|last| last.day() != at.day()) {
                first.push(*at);
            }
        }
        first
    };
    assert_eq!(days_out, first_of(&out));
    assert_eq!(days_inn, first_of(&inn));
    assert_eq!(days_out.last().unwrap().day(), days_inn[0].day(), "the day of the move");
    let log = std::fs::read(day.scene.house.layout.log(Room::Steward)).unwrap();
    assert!(String::from_utf8_lossy(&log).contains("the job is done"));
}

#[test]
fn a_steward_that_is_killed_goes_on_where_it_stopped_and_doubles_nothing() {
    let (mut scene, telegrams, start, place) = heard_for(36, MINUTE_MS);
    let moved = start.plus(3 * HOUR_MS).to_string();
    scene.house.wait_for("the first move", |status| all_done(status, 1));
    scene.house.kill(Room::Steward);
    let _ = scene.house.command("meters move").args([&place, "--at", &moved]).said().good();
    let shown = scene.house.command("status").said().out;
    assert!(shown.contains("1 move reported late: readings are being sealed anew"), "{shown}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let file = scene.house.layout.store().join("readings.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).read_only(true);
    let mut store = runtime.block_on(options.connect()).unwrap();
    let mut number = |sql: &'static str| -> i64 {
        runtime.block_on(sqlx::query_scalar(sql).fetch_one(&mut store)).unwrap()
    };
    const ANEW: &str = "SELECT count(*) FROM reading WHERE source = 5";
    const ORIGINALS: &str = "SELECT count(*) FROM reading WHERE source <> 5";
    let originals = number(ORIGINALS);
    let (mut cut_off, begun) = (Vec::new(), Instant::now());
    // killed again and again, each time when it has written something
    while cut_off.len() < 3 {
        let before = number(ANEW);
        scene.house.start(Room::Steward);
        while number(ANEW) == before {
            assert!(begun.elapsed() < PATIENCE, "it never wrote anything");
        }
        scene.house.kill(Room::Steward);
        cut_off.push(number(ANEW));
    }
    let concerned = i64::try_from(telegrams).unwrap() - 3 * 60;
    assert!(cut_off.iter().all(|n| *n > 0) && cut_off[0] < concerned, "it was cut off: {cut_off:?}");
    scene.house.start(Room::Steward);
    let status = scene.house.wait_for("the rest", |status| all_done(status, 2));
    assert_eq!(status.counter(Room::Archive, "late-moves.failing"), 0);
    assert_eq!(number(ORIGINALS), originals, "originals are kept");
    let doubled = "SELECT count(*) FROM (SELECT 1 FROM reading WHERE superseded_by IS NULL AND class = 1
                   GROUP BY month, sequence, meter HAVING count(*) <> 1)";
    assert_eq!(number(doubled), 0);
    let lost = "SELECT count(*) FROM (SELECT month, sequence, meter FROM reading WHERE class = 1
                EXCEPT SELECT month, sequence, meter FROM reading WHERE class = 1 AND superseded_by IS NULL)";
    assert_eq!(number(lost), 0);
    runtime.block_on(store.close()).unwrap();
    let shown = scene.house.readings("fine");
    assert_eq!(shown.len(), telegrams);
    assert!(traces(&shown).values().all(|n| *n == 1), "each once");
    assert!(scene.house.status().account().sums_agree);
}
