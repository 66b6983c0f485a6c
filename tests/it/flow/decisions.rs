//! A decision that is in the log is made again long after, and a case and a session are followed through it.

use serde_json::Value;

use crate::crowd::{Crowd, can_act_as_others};

const SERVICE: &str = "daemon";
const AUDITOR: &str = "games";

#[test]
fn an_auditor_makes_decisions_again_and_follows_a_case_and_a_session() {
    if !can_act_as_others() {
        return;
    }
    let mut crowd = Crowd::new(&["water-mode5"], 2);
    let frames = crowd.scene.good(4);
    crowd.scene.deliver(&frames);
    let tenancies = crowd.owner("meters tenancies --format json", &[]).good().json();
    let tenancy = tenancies[0]["tenancy"].as_str().unwrap().to_owned();
    crowd.name("bert", SERVICE, "customer-service");
    crowd.name("vera", AUDITOR, "auditor");
    crowd.open_doors();
    let case = ["--tenancy", &tenancy, "--reason", "bill 4711 is disputed"];
    let _ = crowd.by(SERVICE, "access case", &case).good();
    let of_case = ["--purpose", "bill-question", "--case", "1"];
    assert_eq!(crowd.meters(SERVICE, &of_case).len(), 1);
    let fine = [&of_case[..], &["--class", "fine"]].concat();
    crowd.refused(SERVICE, "readings", &fine, "ask for access in time");
    crowd.refused(SERVICE, "access replay", &["1"], "no role of theirs has the purpose `audit`");
    // the case is closed and who asked is gone, and what was decided is decided alike
    let _ = crowd.by(SERVICE, "access close-case", &["1"]).good();
    let _ = crowd.owner("people leave", &["bert"]).good();

    let entries = |command: &str, arguments: &[&str]| -> Vec<Value> {
        let all = [arguments, &["--format", "json"]].concat();
        let said = crowd.by(AUDITOR, command, &all).good().out;
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let followed = entries("log follow", &["--case", "1"]);
    let did: Vec<&str> = followed.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!((did.first(), did.last()), (Some(&"open-case"), Some(&"open-case")), "{did:?}");
    assert!(
        did.contains(&"read-readings") && did.iter().filter(|did| **did == "grant").count() >= 2,
        "{did:?}"
    );
    let running = followed.iter().map(|entry| entry["running_ms"].as_u64().unwrap());
    assert!(running.min() > Some(0), "how long a room has been running");
    let grants: Vec<&Value> = followed.iter().filter(|entry| entry["action"] == "grant").collect();
    for (outcome, said) in [("allowed", "allowed as `customer-service`"), ("refused", "refused, ")] {
        let entry = grants.iter().find(|entry| entry["outcome"] == outcome).unwrap();
        assert_eq!(entry["policies"].as_str().unwrap().len(), 16);
        let number = entry["number"].to_string();
        let replayed = crowd.by(AUDITOR, "access replay", &[&number, "--format", "json"]).good().json();
        assert_eq!(replayed["code"], "same", "{replayed}");
        assert!(replayed["lines"][0].as_str().unwrap().contains(said), "{replayed}");
    }
    let opened = followed[0]["number"].to_string();
    let none = crowd.by(AUDITOR, "access replay", &[&opened]);
    assert!(none.code == Some(1) && none.err.contains("no decision"), "{none:?}");

    // all that bert did, in the one session that he had
    let session = grants[0]["session"].as_str().unwrap();
    let in_session = entries("log follow", &["--session", session]);
    assert!(in_session.iter().all(|entry| entry["person"] == "bert"), "{in_session:?}");
    let did: Vec<&str> = in_session.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(did.first(), Some(&"sign-in"));
    assert!(did.contains(&"open-case") && did.contains(&"read-readings"), "{did:?}");
}
