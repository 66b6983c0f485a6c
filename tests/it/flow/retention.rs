//! Entries whose time is over are removed as the published policy says, the log says so by itself, and everybody verifies it as before.

use base::UtcMillis;
use grant::{Event, Outcome};
use house_tests::house::{House, another_date, tool};
use serde_json::Value;
use wire::Room;

use crate::custody::words;
use crate::recording::archive_records;

/// A month, about.
const DAYS: u16 = 31;
/// So many months ago the log was begun.
const MONTHS: u16 = 17;

/// Sets the ledger of a house up: the shortest time that a log is kept for, and a check every second.
fn keep_short(house: &House) {
    let settings = house.layout.config();
    let text = std::fs::read_to_string(&settings).unwrap();
    let with = text
        .replace("keep_months = 60", "keep_months = 13")
        .replace("reconcile_seconds = 86400", "reconcile_seconds = 1");
    assert!(with.contains("keep_months = 13") && with.contains("reconcile_seconds = 1\n"), "{text}");
    std::fs::write(&settings, with).unwrap();
}

/// Somebody's looks at data, as the archive records them.
fn looks(house: &House, person: &str, number: usize) {
    let event = Event::new(UtcMillis::now(), "archive", "read-health", Outcome::Done);
    archive_records(house, &vec![Event { on_behalf: person.to_owned(), ..event }; number]);
}

fn file(house: &House, name: &str) -> String {
    house.outside(name).to_str().unwrap().to_owned()
}

#[test]
fn what_is_older_than_the_policy_says_is_removed_by_itself_and_nothing_else_is() {
    let Some(library) = another_date() else { return };
    let mut house = House::days_ago(MONTHS * DAYS, &library);
    keep_short(&house);
    let key = house.root().join("public/log.vkey").to_str().unwrap().to_owned();
    let tiles = house.layout.room(Room::Ledger).join("tiles").to_str().unwrap().to_owned();
    for months in (1..=MONTHS).rev() {
        house.it_was(months * DAYS);
        house.start(Room::Ledger);
        house.wait_for("the ledger", |status| status.state(Room::Ledger) == "ready");
        looks(&house, &format!("staff-{months}"), 300);
        house.stop(Room::Ledger);
        if months == 1 {
            std::fs::copy(format!("{tiles}/checkpoint"), file(&house, "kept")).unwrap();
        }
    }
    let verify =
        |more: &[&str]| tool("ledger verify").args([tiles.as_str(), "--key", &key]).args(more).said();
    let before = verify(&[]).good();
    assert!(!before.out.contains("removed"), "{before:?}");

    // today, all of the house is there; the vault and the log are of one mind, and then what is too old goes
    house.it_was(0);
    house.start_all();
    house.wait_for("the removal", |status| status.counter(Room::Ledger, "removed") > 0);
    let policy = house.command("log retention --format json").said().good().json();
    let first = policy["removed"]["before"].as_u64().unwrap();
    assert!(policy["keep_months"] == 13 && first > 0 && first.is_multiple_of(256), "{policy}");
    let entry = policy["removed"]["entry"].as_u64().unwrap();
    house.wait_for("the public copy", |status| status.counter(Room::Ledger, "published") > entry);

    // the log says so, and whoever asks for what is gone is told so
    let said = house.command(&format!("log show {entry} --format json")).said().good().json();
    let words_of = |said: &Value| (said["action"].as_str().unwrap().to_owned(), said["detail"].to_string());
    let (action, detail) = words_of(&said);
    assert!(
        action == "log-pruned" && detail.contains(&format!("entries before {first} are removed")),
        "{said}"
    );
    let gone = house.command("log show 0").said();
    assert!(
        gone.code == Some(1) && words(&gone.err).contains("was removed when its time was over"),
        "{gone:?}"
    );
    let behind = house.command("log search --after 0 --limit 0 --format json").said();
    assert!(
        behind.code == Some(1) && words(&behind.err).contains("was removed"),
        "an export with a hole: {behind:?}"
    );
    let stream = |cursor: &str, more: &[&str]| {
        let cursor = file(&house, cursor);
        let how = ["--to", "-", "--once", "--purpose", "audit", "--cursor", &cursor];
        house.command("log stream").args(how).args(more).said()
    };
    let streamed = stream("fresh.cursor", &[]).good();
    let number = |line: &str| serde_json::from_str::<Value>(line).unwrap()["number"].as_u64().unwrap();
    assert_eq!(streamed.out.lines().next().map(number), Some(first), "a stream that begins, begins there");
    assert!(words(&streamed.err).contains("the stream begins there"), "{}", streamed.err);
    let late = stream("late.cursor", &["--after", "0"]);
    assert!(late.code == Some(1) && words(&late.err).contains("was removed"), "{}", late.err);

    let of = |house: &House, person: String| {
        let found = house.command(&format!("log what-did {person} --limit 0 --format json")).said().good();
        found.out.lines().count()
    };
    assert_eq!(of(&house, format!("staff-{MONTHS}")), 0, "older than thirteen months");
    assert_eq!(of(&house, "staff-13".to_owned()), 300, "not older");

    // whoever verifies it is told what is not there, and that the log says so; what was kept elsewhere still holds
    let kept = file(&house, "kept");
    let valid = verify(&["--kept", &kept]).good();
    assert!(valid.out.starts_with("valid\n"), "{valid:?}");
    let told = format!("removed    entries before {first}: from before ");
    assert!(
        valid.out.contains(&told) && valid.out.contains(&format!("as entry {entry} says")),
        "{}",
        valid.out
    );
    assert!(valid.out.contains("kept       1 checkpoint from before"), "{}", valid.out);
    let bundle = file(&house, "log.tar");
    let _ = tool("ledger bundle").args([&tiles, &bundle]).said().good();
    let bundled =
        tool("ledger verify").args([&bundle, "--key", &key, "--kept", &kept, "--format", "json"]).said();
    assert_eq!(bundled.good().json()["removed"]["entry"].as_u64(), Some(entry));
    let proof = file(&house, "0.proof");
    let gone = tool("ledger prove").args([&tiles, "0", "--out", &proof]).said();
    assert!(gone.code == Some(2) && words(&gone.err).contains("were removed"), "{gone:?}");

    // somebody else who removes entries, with the log's own word for others, is told by the files
    let copy = house.outside("copy");
    crate::files::copy(std::path::Path::new(&tiles), &copy);
    let next = copy.join(tlog::BundleId::new(first / 256, 256).unwrap().path());
    std::fs::remove_file(next).unwrap();
    let copied = || tool("ledger verify").args([copy.to_str().unwrap(), "--key", &key]).said();
    let fault = copied();
    assert!(fault.code == Some(3) && fault.out.contains(&format!("from entry {first} on")), "{fault:?}");
    std::fs::remove_file(copy.join("pruned.checkpoint")).unwrap();
    let fault = copied();
    assert!(
        fault.code == Some(3) && fault.out.contains("from entry 0 on the log cannot be read"),
        "{fault:?}"
    );
    std::fs::write(copy.join("pruned.checkpoint"), std::fs::read(copy.join("checkpoint")).unwrap()).unwrap();
    let fault = copied();
    assert!(fault.code == Some(3) && fault.out.contains("it does not say what was removed"), "{fault:?}");

    // and the house goes on from there
    house.stop_all();
    house.start_all();
    assert_eq!(house.status().counter(Room::Ledger, "index.made-anew"), 0);
    assert_eq!(of(&house, "staff-1".to_owned()), 300);
    let _ = verify(&["--kept", &kept]).good();
}
