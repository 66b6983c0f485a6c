//! Names of customers come with the utility's list, are seen for a case or to tell those concerned, and go with their tenancy.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use house_tests::house::{House, Said};
use serde_json::Value;
use sim::Meter;
use wire::Room;

use crate::crowd::{Crowd, can_act_as_others};
use crate::custody::{Custody, contains, log_says, words};

const SERVICE: &str = "daemon";
const OPERATOR: &str = "bin";
const OFFICER: &str = "sys";
const ANALYST: &str = "games";
const TECHNICIAN: &str = "man";
const REGISTRAR: &str = "lp";

const ASE: &str = "Aase Oestergaard";
const BO: &str = "Bo Nygaard Holm";
const ROAD: &str = "Nygade 12, 8000 Aarhus C";

/// A list of meters, each at a place of its own, with the name of who lives there.
fn list<'a>(meters: impl Iterator<Item = &'a Meter>, names: &[&str]) -> String {
    let mut list =
        "Målernr;Fabrikat;Forbrugssted;Kundenr;Tilflytning;Navn;Adresse;E-mail;Telefon\n".to_owned();
    for (n, (meter, name)) in meters.zip(names).enumerate() {
        let (serial, maker) = (meter.address().serial(), meter.address().manufacturer());
        let (mail, phone) = (name.replace(' ', "."), 88_100_200 + n);
        writeln!(list, "{serial};{maker};4711-{n};K-{n};01-03-2024;{name};{ROAD};{mail}@example.dk;{phone}")
            .unwrap();
    }
    list
}

/// Loads a list; what is said of it repeats no name.
fn import(house: &House, list: &str, arguments: &[&str]) -> Value {
    let file = house.outside("register.csv");
    std::fs::write(&file, list).unwrap();
    let said =
        house.command("register import").args([&file]).args(["--format", "json"]).args(arguments).said();
    no_name(&said);
    said.good().json()
}

fn no_name(said: &Said) {
    for word in [ASE, BO, ROAD, "example.dk", "881002"] {
        assert!(!said.out.contains(word) && !said.err.contains(word), "`{word}`: {said:?}");
    }
}

/// The tenancies of the customers, in the order of their places.
fn tenancies(house: &House) -> Vec<String> {
    let said = house.command("meters tenancies --format json").said().good().json();
    let lived = said.as_array().unwrap().iter().filter(|t| t["vacant"] == false);
    lived.map(|t| t["tenancy"].as_str().unwrap().to_owned()).collect()
}

/// The register's files as they lie on the disk.
fn register(house: &House) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = house.layout.room(Room::Archive);
    let paths = ["register.db", "register.db-wal", "register.db-shm"].map(|name| folder.join(name));
    paths.into_iter().filter_map(|path| std::fs::read(&path).ok().map(|bytes| (path, bytes))).collect()
}

fn names(said: &Said) -> Vec<String> {
    let lines = said.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| line["name"].as_str().map(ToOwned::to_owned)).collect()
}

#[test]
fn names_are_seen_for_a_case_or_to_tell_those_concerned_and_every_look_is_in_the_log() {
    if !can_act_as_others() {
        return;
    }
    let mut day = Crowd::new(&["water-mode5"], 2);
    let of_town = list(day.scene.town.meters().iter(), &[ASE, BO]);
    let tried = import(&day.scene.house, &of_town, &["--dry-run"]);
    assert_eq!((&tried["counts"]["contact"], &tried["unread_columns"]), (&2.into(), &Value::Array(vec![])));
    assert_eq!(day.scene.house.status().counter(Room::Archive, "register.contacts"), 0);
    let taken = import(&day.scene.house, &of_town, &[]);
    assert_eq!((&taken["counts"]["contact"], &taken["done"]), (&2.into(), &true.into()), "{taken}");
    let again = import(&day.scene.house, &of_town, &[]);
    assert_eq!(again["changes"].as_array().unwrap().len(), 0, "{again}");
    assert_eq!(day.scene.house.status().counter(Room::Archive, "register.contacts"), 2);
    let whose = tenancies(&day.scene.house);
    let (ase, bo) = (whose[0].as_str(), whose[1].as_str());

    for (name, user, role) in [
        ("bert", SERVICE, "customer-service"),
        ("carl", OPERATOR, "operator"),
        ("dora", OFFICER, "data-protection-officer"),
        ("lena", ANALYST, "leak-analyst"),
        ("tom", TECHNICIAN, "technician"),
        ("rita", REGISTRAR, "registrar"),
    ] {
        day.name(name, user, role);
    }
    day.open_doors();
    let show = |user: &str, arguments: &[&str]| day.by(user, "contacts show --format json", arguments);
    let bill = ["--tenancy", ase, "--purpose", "bill-question"];
    let notify = ["--tenancy", ase, "--tenancy", bo, "--purpose", "notification"];

    // customer service, with a case and for whom it is about
    day.refused(SERVICE, "contacts show", &bill, "name an open case that is about these tenancies");
    let _ = day.by(SERVICE, "access case", &["--tenancy", ase, "--reason", "bill 4711 is disputed"]).good();
    let of_case = [&bill[..], &["--case", "1"]].concat();
    let seen = show(SERVICE, &of_case).good();
    assert_eq!(names(&seen), [ASE]);
    assert!(seen.out.contains(ROAD) && seen.out.contains("Aase.Oestergaard@example.dk"), "{seen:?}");
    assert!(!seen.out.contains(BO) && !seen.out.contains("KAM") && !seen.out.contains("4711-"), "{seen:?}");
    let other = ["--tenancy", bo, "--purpose", "bill-question", "--case", "1"];
    day.refused(SERVICE, "contacts show", &other, "name an open case that is about these tenancies");
    let both = ["--tenancy", ase, "--tenancy", bo, "--purpose", "bill-question", "--case", "1"];
    day.refused(SERVICE, "contacts show", &both, "name an open case that is about these tenancies");
    day.refused(SERVICE, "contacts show", &notify, "no role of theirs has the purpose `notification`");
    // and what they see of the meter's readings names nobody
    let readings = day.by(SERVICE, "readings --purpose bill-question --case 1 --format json", &[]).good();
    no_name(&readings);

    // those who look after meters, leaks, operations or people see none, with whatever case
    for user in [TECHNICIAN, ANALYST, OPERATOR, REGISTRAR] {
        day.refused(user, "contacts show", &of_case, "no role of theirs has the purpose `bill-question`");
        day.refused(user, "contacts show", &notify, "no role of theirs has the purpose `notification`");
    }
    let leak = ["--tenancy", ase, "--purpose", "leak-analysis", "--case", "1"];
    day.refused(ANALYST, "contacts show", &leak, "does not cover `read-contacts`");
    let owner = day.owner("contacts show", &notify);
    assert!(owner.code == Some(1) && words(&owner.err).contains("no role of theirs"), "{owner:?}");

    // the data protection officer tells those concerned
    let mut told = names(&show(OFFICER, &notify).good());
    told.sort();
    assert_eq!(told, [ASE, BO]);

    // who keeps the register corrects a name without seeing one
    let file = day.scene.house.outside("contact.toml");
    std::fs::write(&file, "name = \"Aase Lindholm\"\nphone = \"+45 88 10 02 99\"\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let from = file.display().to_string();
    let set = day.by(REGISTRAR, "contacts set", &[ase, "--from", &from]).good();
    assert!(set.out.contains("the contact is set") && !set.out.contains("Lindholm"), "{set:?}");
    day.refused(
        SERVICE,
        "contacts set",
        &[ase, "--from", &from],
        "no role of theirs has the purpose `register`",
    );
    let seen = show(SERVICE, &of_case).good();
    assert_eq!(names(&seen), ["Aase Lindholm"]);
    assert!(seen.out.contains("\"version\":2") && !seen.out.contains(ROAD), "{seen:?}");

    for line in [
        "contacts of 2 tenancies told",
        "contacts of 1 tenancies told, 0 refused",
        "1 contacts of 1 tenancies",
        "2 contacts of 2 tenancies",
        "read-contacts as customer-service, contacts of 1 tenancies",
        "read-contacts as data-protection-officer, contacts of 2 tenancies",
    ] {
        assert!(log_says(&day.scene.house, line), "`{line}` is not in the log");
    }
    for word in [ASE, BO, ROAD, "Lindholm", "example.dk"] {
        assert!(!log_says(&day.scene.house, word), "`{word}` is in the log");
    }
}

#[test]
fn who_is_erased_has_no_name_any_more_and_the_sealed_one_is_deleted() {
    let mut custody = Custody::new("water-mode5", 2);
    let house = &custody.scene.house;
    import(house, &list(custody.scene.town.meters().iter(), &[ASE, BO]), &[]);
    let whose = tenancies(house);
    let (ase, bo) = (whose[0].as_str(), whose[1].as_str());
    let show = |house: &House, tenancy: &str| {
        let arguments = ["--tenancy", tenancy, "--purpose", "notification", "--format", "json"];
        house.command("contacts show").args(arguments).said().good()
    };
    assert_eq!(names(&show(house, ase)), [ASE], "who is alone in a house tells those concerned");
    custody.scene.house.stop(Room::Archive);
    let before = register(&custody.scene.house);
    custody.scene.house.start(Room::Archive);
    custody.scene.house.wait_until_ready();
    let house = &custody.scene.house;
    assert!(before.iter().any(|(_, bytes)| contains(bytes, "4711-0")), "what was copied is the register");
    for word in [ASE, BO, ROAD] {
        assert!(!before.iter().any(|(_, bytes)| contains(bytes, word)), "`{word}` lies in clear");
    }
    let _ = house.command("meters move").args(["4711-0"]).said().good();

    let what = ["--tenancy", ase, "--reason", "asked for, case 12"];
    let said = custody.by("anna", "erasure request", &what).good();
    let number = said.out.split_whitespace().nth(1).unwrap().to_owned();
    assert_eq!(names(&show(house, ase)), [ASE], "one officer alone erases nothing");
    let _ = custody.by("bo", "erasure approve", &[&number]).good();
    let gone = show(house, ase);
    no_name(&gone);
    assert!(words(&gone.err).contains("the register has no contact of"), "{gone:?}");
    assert_eq!(names(&show(house, bo)), [BO], "nobody else is touched");
    let status = house.status();
    assert_eq!(status.counter(Room::Archive, "contacts.erased"), 1);
    assert_eq!(status.counter(Room::Archive, "register.contacts"), 1);
    assert!(contains(&custody.log(), "the sealed contacts of 1 erased tenancies were deleted"));

    // the list still has the name, and the house does not take it again; nor does an older register bring it back
    let again = import(house, &list(custody.scene.town.meters().iter().take(1), &[ASE]), &[]);
    assert_eq!(again["counts"]["contact"], 0, "{again}");
    custody.scene.house.stop(Room::Archive);
    for (path, _) in register(&custody.scene.house) {
        std::fs::remove_file(path).unwrap();
    }
    before.iter().for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
    custody.scene.house.start(Room::Archive);
    custody.scene.house.wait_until_ready();
    let house = &custody.scene.house;
    no_name(&show(house, ase));
    house.wait_for("the contact to be deleted again", |s| s.counter(Room::Archive, "contacts.erased") == 1);
    assert_eq!(names(&show(house, bo)), [BO]);
}
