//! A day at a utility: people of the machine with roles, each under a user of their own, through the real rooms.

use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use house_tests::house::PATIENCE;
use wire::Room;

use crate::crowd::{Crowd, can_act_as_others};
use crate::custody::{log_says, words};

const SERVICE: &str = "daemon";
const OPERATOR: &str = "bin";
const OFFICER: &str = "sys";
const STRANGER: &str = "games";
const TECHNICIAN: &str = "man";

#[test]
fn an_emergency_opens_with_the_network_down_and_everybody_who_must_know_hears_of_it() {
    if !can_act_as_others() {
        return;
    }
    let mut day = Crowd::new(&["water-mode5"], 2);
    let frames = day.scene.good(8);
    day.scene.deliver(&frames);
    day.name("carl", OPERATOR, "operator");
    day.name("dora", OFFICER, "data-protection-officer");
    day.open_doors();
    day.scene.house.cut_off();
    let urgent = ["--purpose", "emergency", "--class", "fine"];
    day.refused(OPERATOR, "readings", &urgent, "take emergency access");
    let _ = day.by(OPERATOR, "access emergency", &["--reason", "the town is without power"]).good();
    assert_eq!(day.meters(OPERATOR, &urgent).len(), 2);
    day.scene.house.wait_for("the alarm", |s| s.counter(Room::Warden, "alarm.emergency-access") == 1);
    assert!(day.by(OFFICER, "approve", &[]).good().out.contains("emergency 1: taken by `carl`"));
    assert!(log_says(&day.scene.house, "emergency access 1 until"));
}

#[test]
fn each_sees_what_their_role_opens_and_no_more_and_all_of_it_is_in_the_log() {
    if !can_act_as_others() {
        return;
    }
    let mut day = Crowd::new(&["water-mode5"], 2);
    let frames = day.scene.good(8);
    day.scene.deliver(&frames);
    let tenancies = day.owner("meters tenancies --format json", &[]).good().json();
    let tenancy = tenancies[0]["tenancy"].as_str().unwrap().to_owned();
    assert!(day.owner("readings --class fine --format json", &[]).good().out.lines().count() >= 8);

    Crowd::tell(
        "The owner, who did everything alone until now, signs in and names staff, each with one role.",
    );
    for (name, user, role) in [
        ("bert", SERVICE, "customer-service"),
        ("carl", OPERATOR, "operator"),
        ("dora", OFFICER, "data-protection-officer"),
        ("tom", TECHNICIAN, "technician"),
    ] {
        day.name(name, user, role);
    }
    let two = day.owner("people give", &["bert", "operator"]);
    assert!(
        words(&two.err).contains("-> `ask-access`") && words(&two.err).contains("-> `approve-access`"),
        "{two:?}"
    );
    // who set the house up is an administrator now
    let alone = day.owner("readings --latest", &[]);
    assert!(alone.code == Some(1) && words(&alone.err).contains("no role of theirs"), "{alone:?}");

    Crowd::tell(
        "The house's doors are opened to a group; everybody uses their invitation for a passkey and signs in.",
    );
    assert_ne!(day.by(SERVICE, "people list", &[]).code, Some(0), "the socket is not for others yet");
    day.open_doors();
    let mode = |room| std::fs::metadata(day.scene.house.layout.socket(room)).unwrap().mode() & 0o777;
    assert_eq!((mode(Room::Warden), mode(Room::Archive), mode(Room::Vault)), (0o660, 0o660, 0o600));
    day.refused(STRANGER, "readings", &["--latest"], "has no role in this house");

    Crowd::tell("Tom, a technician, sees how meters are; not what they measured and not whose they are.");
    // a technician sees how meters are, not what they measured and not whose they are
    let health = day.by(TECHNICIAN, "meters health --format json", &[]).good();
    assert!(health.out.lines().count() == 2 && health.out.contains("\"heard\":\"20"), "{health:?}");
    assert!(!health.out.contains("volume"), "{health:?}");
    assert!(day.by(TECHNICIAN, "meters health", &["--silent", "3"]).good().out.contains("0 meters"));
    day.refused(TECHNICIAN, "readings", &["--latest"], "no role of theirs has the purpose `operations`");
    day.refused(TECHNICIAN, "meters list", &[], "no role of theirs has the purpose `register`");

    Crowd::tell(
        "Bert, customer service, answers a question on a bill: with a case, the days of that customer alone.",
    );
    let question = ["--purpose", "bill-question"];
    day.refused(SERVICE, "readings", &question, "name an open case");
    day.refused(SERVICE, "readings", &[], "no role of theirs has the purpose `operations`");
    let case = ["--tenancy", &tenancy, "--reason", "bill 4711 is disputed"];
    let _ = day.by(SERVICE, "access case", &case).good();
    let of_case = ["--purpose", "bill-question", "--case", "1"];
    let seen = day.meters(SERVICE, &of_case);
    assert_eq!(seen.len(), 1, "the days of this customer alone: {seen:?}");
    assert_eq!(day.meters(OPERATOR, &[]).len(), 2);

    Crowd::tell(
        "Hours are refused with the way to ask; Carl, a colleague, sees just what is asked for and agrees for four hours.",
    );
    let fine = [&of_case[..], &["--class", "fine"]].concat();
    day.refused(SERVICE, "readings", &fine, "ask for access in time");
    let _ = day.by(SERVICE, "access ask", &["--case", "1", "--reason", "high use at night"]).good();
    day.refused(
        SERVICE,
        "access approve",
        &["1", "--yes"],
        "no role of theirs has the purpose `supervision`",
    );
    assert!(day.by(OPERATOR, "access approve", &["1"]).good().out.contains("fine of case 1, 4h"));
    day.refused(SERVICE, "readings", &fine, "ask for access in time");
    let _ = day.by(OPERATOR, "access approve", &["1", "--yes"]).good();
    assert_eq!(day.meters(SERVICE, &fine), seen);
    let why = ["--purpose", "bill-question", "--class", "fine", "--case", "1", "--format", "json"];
    assert_eq!(day.by(SERVICE, "access why", &why).good().json()["code"], "allowed");
    let _ = day.by(OPERATOR, "access end", &["1", "--reason", "the question is answered"]).good();
    day.refused(SERVICE, "readings", &fine, "ask for access in time");

    Crowd::tell("There is one more question, for half a minute; what is agreed to ends by itself.");
    let again = ["--case", "1", "--reason", "the night before, too", "--for", "30s"];
    let _ = day.by(SERVICE, "access ask", &again).good();
    assert!(day.by(OPERATOR, "access approve", &["2"]).good().out.contains("fine of case 1, 30s"));
    let _ = day.by(OPERATOR, "access approve", &["2", "--yes"]).good();
    assert_eq!(day.meters(SERVICE, &fine), seen);
    let begun = Instant::now();
    while day.by(SERVICE, "readings", &fine).code == Some(0) {
        assert!(begun.elapsed() < PATIENCE, "access in time did not end");
        std::thread::sleep(Duration::from_secs(2));
    }
    day.refused(SERVICE, "readings", &fine, "ask for access in time");

    Crowd::tell(
        "A pipe bursts: Carl takes emergency access, which raises an alarm, and Dora, data protection, signs what she makes of it.",
    );
    let urgent = ["--purpose", "emergency", "--class", "fine"];
    day.refused(OPERATOR, "readings", &urgent, "take emergency access");
    let _ = day.by(OPERATOR, "access emergency", &["--reason", "burst pipe"]).good();
    assert_eq!(day.meters(OPERATOR, &urgent).len(), 2);
    day.scene.house.wait_for("the alarm", |s| s.counter(Room::Warden, "alarm.emergency-access") == 1);
    let review = ["1", "--justified", "--note", "seen on site"];
    day.refused(OPERATOR, "access review", &review, "no role of theirs");
    // an emergency is looked at by who signs for it, with a key that is nowhere in the house
    day.refused(OFFICER, "access review", &review, "with a signature of your own key");
    let signing = day.key_of("dora", OFFICER);
    let signing: Vec<&str> = signing.iter().map(String::as_str).collect();
    day.refused(OFFICER, "access review", &[&review[..], &signing].concat(), "no key of yours is known here");
    let _ = day
        .owner("people key", &["dora", &day.scene.house.outside("dora.officer").display().to_string()])
        .good();
    assert!(day.by(OFFICER, "approve", &[]).good().out.contains("emergency 1: taken by `carl`"));
    let approve = ["emergency", "1", "--note", "seen on site"];
    assert!(
        day.by(OFFICER, "approve", &[&approve[..], &signing].concat())
            .good()
            .out
            .contains("nothing is agreed to yet")
    );
    let _ = day.by(OFFICER, "approve", &[&approve[..], &["--yes"], &signing].concat()).good();
    day.refused(OPERATOR, "readings", &urgent, "take emergency access");

    Crowd::tell("Who is not signed in is a user of the machine and no more; who leaves is out at once.");
    // who is not signed in is a user of the machine, and no more
    day.signs_out(OPERATOR);
    day.refused(OPERATOR, "readings", &["--latest"], "sign in with two factors (`meterkeep login`)");
    let _ = day.owner("people leave", &["bert"]).good();
    day.refused(SERVICE, "readings", &of_case, "your session is over");
    day.signs_out(SERVICE);
    day.refused(SERVICE, "readings", &of_case, "has no role in this house");
    for line in [
        "`bert` has the role `customer-service`",
        "case 1 on 1 tenancies",
        "access 1 of `bert` approved until",
        "access 1 ended",
        "emergency access 1 was justified",
        "`bert` does not work here any more",
        "by passkey, user",
        "a passkey, invited by",
    ] {
        assert!(log_says(&day.scene.house, line), "`{line}` is not in the log");
    }
    for text in ["burst pipe", "seen on site", "bill 4711", "high use", "question is answered"] {
        assert!(
            !log_says(&day.scene.house, text),
            "what somebody wrote stands with what it is about: {text}"
        );
    }
}
