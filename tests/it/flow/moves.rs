//! Somebody moves out and somebody in: from that minute on the readings are another's, and neither sees the other's (C04).

use base::UtcMillis;
use serde_json::Value;

use crate::crowd::{Crowd, can_act_as_others};
use crate::scene::Scene;

const SERVICE: &str = "daemon";
const OPERATOR: &str = "bin";
const MINUTE_MS: i64 = 60_000;

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
