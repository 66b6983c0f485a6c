//! Roles for areas and for tenancies, through the real rooms: a technician of a district, a customer, and whom they let read.

use crate::crowd::{Crowd, can_act_as_others};
use crate::custody::log_says;

const REGISTRAR: &str = "daemon";
const TECHNICIAN: &str = "bin";
const ANALYST: &str = "sys";
const CUSTOMER: &str = "games";
const SOLAR: &str = "man";
const LEAD: &str = "lp";

/// Maker and number, as the register names meters whose keys came without version and type.
fn numbered(meter: &str) -> String {
    meter.splitn(3, '-').take(2).collect::<Vec<_>>().join("-")
}

#[test]
fn a_technician_sees_the_meters_of_their_area_and_an_analyst_the_readings_there() {
    if !can_act_as_others() {
        return;
    }
    let mut crowd = Crowd::new(&["water-mode5"], 3);
    let frames = crowd.scene.good(8);
    crowd.scene.deliver(&frames);
    let listed = crowd.owner("meters tenancies --format json", &[]).good().json();
    let meters: Vec<String> =
        listed.as_array().unwrap().iter().map(|one| one["meter"].as_str().unwrap().to_owned()).collect();
    let [north, west, nowhere] = &meters[..] else { panic!("{meters:?}") };
    let _ = crowd.owner("meters add", &[north, "--area", "Nord"]).good();
    let _ = crowd.owner("meters add", &[west, "--area", "Vest"]).good();
    assert_eq!(crowd.meters("root", &[]).len(), 3);
    crowd.name("rita", REGISTRAR, "registrar");
    crowd.name_for("tom", TECHNICIAN, "technician", &["--area", "Nord"]);
    crowd.name_for("nina", ANALYST, "leak-analyst", &["--area", "Nord", "--area", "Vest"]);
    crowd.open_doors();

    let health = |user| {
        let said = crowd.by(user, "meters health --format json", &[]).good();
        let line = |line: &str| -> serde_json::Value { serde_json::from_str(line).unwrap() };
        said.out.lines().map(|l| numbered(line(l)["meter"].as_str().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(health(TECHNICIAN), std::slice::from_ref(north));
    crowd.refused(TECHNICIAN, "meters health", &[west], "lies in the area `Vest`");
    crowd.refused(TECHNICIAN, "meters health", &[nowhere], "lies in no area");
    // a case is about whom it is about; what of it lies elsewhere is not for this analyst
    let all: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|one| ["--tenancy", one["tenancy"].as_str().unwrap()])
        .collect();
    let case = ["--purpose", "leak-analysis", "--reason", "much water at night"];
    let _ = crowd.by(ANALYST, "access case", &[&case[..], &all].concat()).good();
    let of_case = ["--purpose", "leak-analysis", "--case", "1"];
    let read = |user, arguments: &[&str]| {
        crowd.meters(user, arguments).iter().map(|meter| numbered(meter)).collect::<Vec<_>>()
    };
    assert_eq!(read(ANALYST, &of_case), [north.clone(), west.clone()]);

    // the district is cut anew, and a role that is about no place is given for none
    let _ = crowd.by(REGISTRAR, "meters add", &[west, "--area", "Nord"]).good();
    assert_eq!(health(TECHNICIAN), [north.clone(), west.clone()]);
    let refused = crowd.owner("people give", &["rita", "registrar", "--area", "Nord"]);
    assert!(refused.code == Some(1) && refused.err.contains("change-register"), "{refused:?}");
    let shown = crowd.owner("people list --format json", &[]).good().json();
    let tom = shown.as_array().unwrap().iter().find(|one| one["person"] == "tom").unwrap();
    assert_eq!(tom["roles"][0]["for"], "Nord");
    assert!(log_says(&crowd.scene.house, "of all tenancies in Nord"));
    assert!(log_says(&crowd.scene.house, "`tom` has the role `technician` for Nord until"));
}

#[test]
fn a_customer_sees_their_own_lets_a_third_party_read_it_and_ends_that() {
    if !can_act_as_others() {
        return;
    }
    let mut crowd = Crowd::new(&["water-mode5"], 2);
    let frames = crowd.scene.good(8);
    crowd.scene.deliver(&frames);
    let listed = crowd.owner("meters tenancies --format json", &[]).good().json();
    let of = |n: usize, field: &str| listed[n][field].as_str().unwrap().to_owned();
    let (own, other, meter) = (of(0, "tenancy"), of(1, "tenancy"), of(0, "meter"));
    crowd.name_for("kari", CUSTOMER, "customer", &["--tenancy", &own]);
    crowd.name("solar", SOLAR, "third-party");
    crowd.name("inga", LEAD, "incident-lead");
    crowd.open_doors();
    let whole = crowd.owner("people give", &["solar", "customer"]);
    assert!(whole.code == Some(1) && whole.err.contains("--tenancy"), "{whole:?}");

    let read = |user, arguments: &[&str]| {
        crowd.meters(user, arguments).iter().map(|meter| numbered(meter)).collect::<Vec<_>>()
    };
    for class in ["fine", "daily"] {
        let mine = ["--purpose", "own-data", "--class", class];
        assert_eq!(read(CUSTOMER, &mine), std::slice::from_ref(&meter), "{class}");
    }
    crowd.refused(CUSTOMER, "readings", &["--latest"], "no role of theirs has the purpose `operations`");
    let permitted = ["--purpose", "by-permission"];
    crowd.refused(SOLAR, "readings", &permitted, "ask the customer for permission");
    let until = ["--class", "daily", "--until", "2099-01-01"];
    crowd.refused(CUSTOMER, "permission give", &[&["solar"], &until[..]].concat(), "ends within a year");
    let day = base::UtcMillis::now().plus(30 * 86_400_000).to_string();
    let until = ["--class", "daily", "--until", &day[..10]];
    let others = [&["solar"], &until[..], &["--tenancy", &other]].concat();
    crowd.refused(CUSTOMER, "permission give", &others, "not all of that is yours");
    crowd.refused(LEAD, "permission give", &[&["solar"], &until[..]].concat(), "no role of theirs");
    let _ = crowd.by(CUSTOMER, "permission give", &[&["solar"], &until[..]].concat()).good();
    assert_eq!(read(SOLAR, &permitted), std::slice::from_ref(&meter));
    crowd.refused(SOLAR, "readings", &[&permitted[..], &["--class", "fine"]].concat(), "ask the customer");
    let shown = crowd.by(SOLAR, "permission list --format json", &[]).good().json();
    assert_eq!((&shown[0]["by"], &shown[0]["state"]), (&"kari".into(), &"live".into()));
    let _ = crowd.by(CUSTOMER, "permission end", &["1"]).good();
    crowd.refused(SOLAR, "readings", &permitted, "ask the customer for permission");

    // who leads an incident ends a permission that was got by a trick, and reads nothing
    let _ = crowd.by(CUSTOMER, "permission give", &[&["solar"], &until[..]].concat()).good();
    let _ = crowd.by(LEAD, "permission end", &["2"]).good();
    crowd.refused(SOLAR, "readings", &permitted, "ask the customer for permission");
    crowd.refused(LEAD, "readings", &["--latest"], "no role of theirs has the purpose");
    assert!(log_says(&crowd.scene.house, "permission 1: `solar` reads daily of 1 tenancies until"));
    assert!(log_says(&crowd.scene.house, "permission 2 has ended"));
}
