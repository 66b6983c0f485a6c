//! A list of keys in plain text is refused, unless somebody says why it has to be: then its keys work, and are marked as
//! exposed for ever.

use std::path::Path;

use house_tests::house::{House, Plan, Said};
use wire::Room;

use crate::scene::{Scene, town, town_since};

fn import(house: &House, file: &Path, arguments: &[&str]) -> Said {
    house.command("keys import").args([file]).args(["--format", "json"]).args(arguments).said()
}

#[test]
fn a_list_in_plain_text_needs_a_reason_and_its_keys_stay_exposed() {
    let reason = ["--plain-because", "the maker of these sends no other"];
    let mut house = House::new(Plan::default());
    house.start_all();
    let town = town(&["water-mode7"], 3);
    let known = town_since(base::UtcMillis::now(), &["water-mode5"], 2, 6);
    house.import(known.meters().iter());
    let mut list = "Meter no.;Maker;AES key\n".to_owned();
    for meter in town.meters().iter().chain(known.meters().iter().take(1)) {
        let (address, key) = (meter.address(), hex::encode(meter.key()));
        list.push_str(&format!("{};{};{key}\n", address.serial(), address.manufacturer()));
    }
    list.push_str("12345678;KAM;00000000000000000000000000000000\n");
    let file = house.outside("list.csv");
    std::fs::write(&file, &list).unwrap();

    let collector = house.enrol("mast");
    let mut scene = Scene::of(house, town, collector);
    let refused = import(&scene.house, &file, &[]);
    assert_eq!(
        (refused.code, &refused.json()["refused"]),
        (Some(1), &"keyfile-plain-text".into()),
        "{refused:?}"
    );
    scene.counted(Room::Archive, "refused.keyfile-plain-text", 1);
    assert_eq!(scene.house.status().counter(Room::Vault, "keys.exposed"), 0);

    let imported = import(&scene.house, &file, &reason);
    let answer = imported.json();
    let outcomes: Vec<&str> =
        answer["meters"].as_array().unwrap().iter().map(|m| m["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["imported", "imported", "imported", "unchanged"], "{answer}");
    assert_eq!(answer["refused"][0]["reason"], "keyfile-key-guessable", "{answer}");
    assert_eq!(imported.code, Some(1), "one meter was refused");
    // the one that the vault had from a better source as well
    assert_eq!(scene.house.status().counter(Room::Vault, "keys.exposed"), 4);
    let good = scene.good(6);
    scene.deliver(&good);
    scene.good_data_survived();
    let log = scene.house.layout.room(Room::Ledger).join("log");
    let said = std::fs::read_dir(log).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(reason[1].len()).any(|w| w == reason[1].as_bytes())
    });
    assert!(said, "the reason stands in the log");

    // The same list once more changes nothing, and nothing takes the mark away.
    let again = import(&scene.house, &file, &reason).json();
    assert!(again["meters"].as_array().unwrap().iter().all(|m| m["outcome"] == "unchanged"), "{again}");
    scene.house.stop_all();
    scene.house.start_all();
    scene.house.wait_until_ready();
    assert_eq!(scene.house.status().counter(Room::Vault, "keys.exposed"), 4);
}

/// A workbook of one sheet, as a spreadsheet program would save it.
fn workbook(rows: &[[String; 3]]) -> Vec<u8> {
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let types = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let cell = |text: &String| format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>");
    let row = |cells: &[String; 3]| format!("<row>{}</row>", cells.iter().map(cell).collect::<String>());
    let rows: String = rows.iter().map(row).collect();
    let book = format!(
        "<workbook xmlns=\"{main}\" xmlns:r=\"{types}\"><sheets><sheet name=\"Keys\" sheetId=\"1\" r:id=\"a\"/></sheets></workbook>"
    );
    let parts = format!(
        "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"a\" \
         Type=\"{types}/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>"
    );
    let sheet = format!("<worksheet xmlns=\"{main}\"><sheetData>{rows}</sheetData></worksheet>");
    let members = [
        ("xl/workbook.xml", book.as_bytes()),
        ("xl/_rels/workbook.xml.rels", parts.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ];
    sim::kem::store(&members).unwrap()
}

#[test]
fn a_list_as_a_workbook_and_as_xml_is_judged_as_one_in_text() {
    let mut house = House::new(Plan::default());
    house.start_all();
    let town = town(&["water-mode7"], 2);
    let row = |m: &sim::Meter| {
        let address = m.address();
        [address.serial().to_string(), address.manufacturer().to_string(), hex::encode(m.key())]
    };
    let rows: Vec<[String; 3]> = town.meters().iter().map(row).collect();
    let head = ["Serial", "Maker", "Key"].map(str::to_owned);
    let xml = |[serial, maker, key]: &[String; 3]| {
        format!("<meter serial=\"{serial}\"><maker>{maker}</maker><key>{key}</key></meter>")
    };
    let files = [
        ("list.xlsx", workbook(&[&[head][..], &rows[..1]].concat())),
        (
            "list.xml",
            format!("<meters>{}</meters>", rows.iter().skip(1).map(xml).collect::<String>()).into_bytes(),
        ),
    ];
    for (name, bytes) in &files {
        let file = house.outside(name);
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(import(&house, &file, &[]).json()["refused"], "keyfile-plain-text", "{name}");
        let answer = import(&house, &file, &["--plain-because", "no other is sent"]).good().json();
        assert_eq!(answer["meters"][0]["outcome"], "imported", "{name}: {answer}");
    }
    let status = house.status();
    assert_eq!(status.counter(Room::Vault, "keys.exposed"), 2);
    assert_eq!(status.counter(Room::Archive, "refused.keyfile-plain-text"), 2);
    let collector = house.enrol("mast");
    let mut scene = Scene::of(house, town, collector);
    let good = scene.good(4);
    scene.deliver(&good);
    scene.good_data_survived();
}

#[test]
fn all_or_nothing_imports_nothing_of_a_file_with_one_bad_key_and_wipes_a_good_one() {
    let mut house = House::new(Plan::default());
    house.start_all();
    let town = town(&["water-mode7"], 2);
    let line = |meter: &sim::Meter, key: &[u8]| {
        let address = meter.address();
        format!("{};{};{}\n", address.serial(), address.manufacturer(), hex::encode(key))
    };
    let head = "Meter no.;Maker;AES key\n".to_owned();
    let (a, b) = (&town.meters()[0], &town.meters()[1]);
    // the second meter has the first one's key
    let bad = head.clone() + &line(a, a.key()) + &line(b, a.key());
    let file = house.outside("list.csv");
    std::fs::write(&file, &bad).unwrap();
    let all = ["--plain-because", "no other is sent", "--all-or-nothing", "--wipe"];
    let said = import(&house, &file, &all);
    let answer = said.json();
    let outcomes: Vec<&str> =
        answer["meters"].as_array().unwrap().iter().map(|m| m["outcome"].as_str().unwrap()).collect();
    assert_eq!((said.code, outcomes), (Some(1), vec!["held-back", "duplicate"]), "{answer}");
    let status = house.status();
    assert_eq!(status.counter(Room::Vault, "keys"), 0);
    assert_eq!(status.counter(Room::Archive, "register.meters"), 0, "nothing is registered");
    assert!(file.exists(), "a file whose keys are not in stays");

    std::fs::write(&file, head + &line(a, a.key()) + &line(b, b.key())).unwrap();
    let said = import(&house, &file, &all).good();
    assert!(said.json()["meters"].as_array().unwrap().iter().all(|m| m["outcome"] == "imported"));
    assert_eq!(house.status().counter(Room::Vault, "keys"), 2);
    assert!(!file.exists(), "it is wiped");
}

#[test]
fn a_report_tells_proven_unproven_wrong_exposed_and_missing_keys_apart() {
    let mut house = House::new(Plan::default());
    house.start_all();
    let town = town(&["water-mode7"], 3);
    let names: Vec<String> = town
        .meters()
        .iter()
        .map(|m| format!("{}-{}", m.address().manufacturer(), m.address().serial()))
        .collect();
    // the first meter's key is right, the second's is another one, the third's is missing
    house.import(town.meters().iter().take(1));
    let second = town.meters()[1].address();
    let list = format!("{};{};0B26C0ED84A1C529D913BCC2ABEC8D73\n", second.manufacturer(), second.serial());
    let file = house.outside("list.csv");
    std::fs::write(&file, list).unwrap();
    let _ = import(&house, &file, &["--plain-because", "no other is sent"]).good();
    let add = house.command("meters add").args([town.meters()[2].address().to_string()]);
    let _ = add.args(["--place", "P-3"]).said().good();
    let report = |house: &House, state: &str| {
        let command = house.command("keys report").args(["--list", state, "--format", "json"]);
        let answer = command.said().good().json();
        let meters = answer["meters"].as_array().unwrap().clone();
        let meters: Vec<String> = meters.iter().map(|m| m["meter"].as_str().unwrap().to_owned()).collect();
        (answer, meters)
    };
    assert_eq!(report(&house, "unproven").1.len(), 2);
    let collector = house.enrol("mast");
    let mut scene = Scene::of(house, town, collector);
    let frames = scene.good(6);
    scene.deliver(&frames);
    let (answer, proven) = report(&scene.house, "proven");
    assert_eq!(proven, [names[0].clone()]);
    let of = |n: usize, what: &str| answer["deliveries"][n][what].clone();
    assert_eq!((of(0, "source"), of(0, "proven")), ("order.zip.kem".into(), 1.into()), "{answer}");
    assert_eq!(
        (of(1, "source"), of(1, "wrong"), of(1, "exposed")),
        ("list.csv".into(), 1.into(), 1.into()),
        "{answer}"
    );
    let (answer, wrong) = report(&scene.house, "wrong");
    assert_eq!(wrong, [names[1].clone()]);
    assert!(answer["meters"][0]["refused_telegrams"].as_u64().unwrap() > 0, "{answer}");
    assert_eq!(report(&scene.house, "exposed").1, [names[1].clone()]);
    assert_eq!(report(&scene.house, "missing").1, [names[2].clone()]);
    assert!(report(&scene.house, "unproven").1.is_empty());
}
