use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use grant::{Action, Event, Outcome};
use wire::log::FoundEntry;

use super::*;

fn entry(action: &str, outcome: Outcome) -> Entry {
    let event = Event {
        on_behalf: "anna".to_owned(),
        purpose: "operations".to_owned(),
        detail: "log-gap: the witness has seen more".to_owned(),
        reason: if outcome == Outcome::Refused { "no-role".to_owned() } else { String::new() },
        grant_id: Some([7; 16]),
        subjects: vec![[9; 16]],
        ..Event::new(UtcMillis(1_764_000_000_000), "warden", action, outcome)
    };
    let found = FoundEntry { number: 4711, at_ms: 1_764_000_000_250, event: event.encode().into() };
    Entry::read(&found).unwrap()
}

/// What the schema requires of each class, beside what it requires of all, as OCSF 1.3 has it.
fn required(class: u64) -> (&'static [&'static str], &'static [&'static str]) {
    match class {
        2004 => (&["finding_info"], &["finding_info.uid", "finding_info.title"]),
        3001 => (&["user"], &["user.name"]),
        3002 => (&["user", "service"], &["user.name", "service.name"]),
        3004 => (&["entity"], &["entity.name", "entity.type"]),
        3005 => (&["user", "privileges"], &["user.name", "privileges.0"]),
        6002 => (&["app"], &["app.name", "app.vendor_name"]),
        6003 => (&["actor", "api", "src_endpoint"], &["api.operation", "src_endpoint.svc_name"]),
        6005 => (
            &["actor", "database", "src_endpoint"],
            &["database.name", "database.type_id", "src_endpoint.svc_name"],
        ),
        other => panic!("the schema's class {other} is none of ours"),
    }
}

/// The highest activity of a class but 99.
fn activities(class: u64) -> u64 {
    match class {
        2004 => 3,
        3001 => 11,
        3002 => 5,
        3005 => 2,
        6002 => 8,
        6005 => 10,
        _ => 4,
    }
}

fn at<'a>(event: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(event, |value, name| match name.parse::<usize>() {
        Ok(n) => &value[n],
        Err(_) => &value[name],
    })
}

#[test]
fn every_row_has_the_fields_that_the_schema_requires() {
    for row in &ROWS {
        for outcome in Outcome::ALL {
            let event = event(&entry(row.action, outcome));
            let number = |path| at(&event, path).as_u64().unwrap_or_else(|| panic!("{path} of {event:#}"));
            let (class, activity) = (number("class_uid"), number("activity_id"));
            assert_eq!(number("type_uid"), class * 100 + activity);
            assert_eq!(number("category_uid"), class / 1000);
            assert!((1..=activities(class)).contains(&activity) || activity == OTHER, "{event:#}");
            assert_eq!(event["activity_name"] == "Other", activity == OTHER, "{event:#}");
            assert_eq!(
                (number("time"), number("metadata.logged_time")),
                (1_764_000_000_000, 1_764_000_000_250)
            );
            assert_eq!(number("status_id"), if outcome == Outcome::Refused { 2 } else { 1 });
            assert!((1..=6).contains(&number("severity_id")));
            let (fields, words) = required(class);
            assert!(fields.iter().all(|field| !event[*field].is_null()), "{event:#}");
            let all =
                ["metadata.version", "metadata.product.name", "metadata.product.vendor_name", "message"];
            for path in words.iter().chain(&all) {
                let value = at(&event, path);
                let there = value.as_str().map_or(value.is_u64(), |text| !text.is_empty());
                assert!(there, "{path} of {event:#}");
            }
            assert!(event["actor"]["app_name"] == "warden" && event["actor"]["user"]["name"] == "anna");
            assert_eq!(event["unmapped"]["number"], 4711);
            assert_eq!(event["status_detail"].is_null(), outcome != Outcome::Refused);
        }
    }
}

#[test]
fn an_alarm_is_a_finding_and_a_refusal_a_failure_with_its_reason() {
    let alarm = event(&entry("log-alarm", Outcome::Done));
    assert_eq!((&alarm["class_uid"], &alarm["severity_id"]), (&2004.into(), &4.into()));
    assert_eq!(alarm["finding_info"]["title"], "log-gap");
    let refused = event(&entry("read-readings", Outcome::Refused));
    assert_eq!((&refused["type_uid"], &refused["status"]), (&600_501.into(), &"Failure".into()));
    assert_eq!(refused["status_detail"], "no-role");
    // a newer house's word is told all the same
    let unknown = event(&entry("fly-to-the-moon", Outcome::Done));
    assert_eq!((&unknown["class_uid"], &unknown["activity_id"]), (&6003.into(), &99.into()));
    assert_eq!(unknown["api"]["operation"], "fly-to-the-moon");
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs")
            && !path.display().to_string().contains("tests")
        {
            found.push(path);
        }
    }
}

/// The text of string literals and constants that name an action: the third argument of `Event::new(..)`, and what rooms keep
/// in constants for it or hand to a function of theirs that records.
fn words_of_events(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let mut words = BTreeSet::new();
    let quoted =
        |text: &str| text.strip_prefix('"').and_then(|rest| rest.split('"').next()).map(str::to_owned);
    for call in code.split("Event::new(").skip(1) {
        words.extend(call.split(',').nth(2).and_then(|word| quoted(word.trim())));
    }
    for call in code.split("self.tell(now, ").skip(1) {
        words.extend(quoted(call));
    }
    for constant in code.split("const ").skip(1) {
        let Some((name, value)) = constant.split_once(": &str = ") else { continue };
        if name.ends_with("_ACTION") || code.contains(&format!("Event::new(now, ACTOR, {name},")) {
            words.extend(quoted(value));
        }
    }
    words
}

#[test]
fn every_action_of_the_house_has_a_row_and_only_one() {
    let mut words: BTreeSet<String> = Action::ALL.map(|action| action.name().to_owned()).into();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for folder in ["crates", "roles"] {
        sources(&root.join(folder), &mut files);
    }
    for file in &files {
        words.extend(words_of_events(&std::fs::read_to_string(file).unwrap()));
    }
    // found where rooms write them, so that the search itself is seen to work
    for word in
        ["sign-in", "set-provider", "service-token", "vault-start", "log-alarm", "vault-mark", "job-open"]
    {
        assert!(words.contains(word), "`{word}` is not found in the sources: {words:?}");
    }
    let without: Vec<&String> = words.iter().filter(|word| row_of(word).action.is_empty()).collect();
    assert!(without.is_empty(), "actions without a row in ocsf.rs: {without:?}");
    let distinct: BTreeSet<&str> = ROWS.iter().map(|row| row.action).collect();
    assert_eq!(distinct.len(), ROWS.len());
}
