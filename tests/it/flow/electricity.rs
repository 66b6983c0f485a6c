//! Electricity meters' pushes at the customer port become readings: the bytes of the port through collector, gateway,
//! intake and vault, and back out to a person.

use std::ffi::OsStr;
use std::io::Write as _;
use std::net::TcpListener;

use base::UtcMillis;
use house_tests::house::{Account, House, Plan, secret_file};
use serde_json::Value;
use sim::electricity::{Cover, ElectricityMeter, hdlc};

/// A house that has the keys of some meters, by a key file.
fn house_with(meters: &[&ElectricityMeter]) -> House {
    let mut house = House::new(Plan::default());
    house.start_all();
    let (file, password) = (house.outside("order.zip.kem"), house.outside("order.password"));
    std::fs::write(&file, sim::kem::write_electricity(meters.iter().copied(), "kem password 16!").unwrap())
        .unwrap();
    secret_file(&password, "kem password 16!");
    let answer = house.import_file(&file, &password, &[]).good().json();
    let outcomes: Vec<&Value> = answer["meters"].as_array().unwrap().iter().map(|m| &m["outcome"]).collect();
    assert!(!outcomes.is_empty() && outcomes.iter().all(|o| *o == "imported"), "{answer}");
    house
}

/// Bytes of a port, over TCP as a serial server brings them; the collector's way to a whole telegram is the same. Waits
/// until the core has accounted for so many telegrams.
pub(super) fn push(house: &House, bytes: &[u8], telegrams: u64) -> Account {
    let mut collector = house.enrol(&format!("cellar-{}-{telegrams}", bytes.len()));
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap().to_string();
    collector.run(["--connect", &address, "--receiver", "han"].map(OsStr::new));
    let (mut line, _) = port.accept().unwrap();
    // in pieces that have nothing to do with frames
    for part in bytes.chunks(37) {
        line.write_all(part).unwrap();
    }
    let status = house.wait_for("all pushes are accounted for", |s| s.account().telegrams >= telegrams);
    collector.stop();
    status.account()
}

fn number(reading: &Value, code: &str) -> f64 {
    let records = reading["records"].as_array().unwrap();
    let record = records.iter().find(|r| r["obis"] == code);
    record.unwrap_or_else(|| panic!("{code}: {reading}"))["value"].as_f64().unwrap()
}

#[test]
fn pushes_with_and_without_a_tag_become_readings_and_say_which_they_are() {
    let start = UtcMillis::now().plus(-60_000);
    let mut tagged = ElectricityMeter::new(27_581_522, Cover::Authenticated, start).unwrap();
    let mut bare = ElectricityMeter::new(27_581_523, Cover::EncryptedOnly, start).unwrap();
    let house = house_with(&[&tagged, &bare]);
    let (mut bytes, mut truth) = (Vec::new(), Vec::new());
    for n in 0..3 {
        let at = start.plus(n * 10_000);
        for meter in [&mut tagged, &mut bare] {
            truth.push((meter.serial(), meter.shows(at)));
            bytes.extend(hdlc(&meter.unit(at).unwrap(), 90));
        }
    }
    let account = push(&house, &bytes, 6);
    assert_eq!((account.telegrams, account.stored, account.sums_agree), (6, 6, true), "{account:?}");
    let readings = house.readings("fine");
    assert_eq!(readings.len(), 6);
    for (serial, shows) in truth {
        #[expect(clippy::cast_precision_loss, reason = "registers have few digits")]
        let kilowatt_hours = shows as f64 / 100.0;
        let reading = readings.iter().find(|r| {
            r["meter"].as_str().unwrap().contains(&serial.to_string())
                && (number(r, "1-1:1.8.0") - kilowatt_hours).abs() < 1e-6
        });
        let reading = reading.unwrap_or_else(|| panic!("{serial} showed {kilowatt_hours}: {readings:?}"));
        let with_tag = serial == 27_581_522;
        assert!(
            reading["records"].as_array().unwrap().iter().all(|r| r["authenticated"] == with_tag),
            "{reading}"
        );
    }
    // What a person sees.
    let shown = house.command("readings").args(["--class", "fine"]).said().good().out;
    assert!(shown.contains("27581522") && shown.contains("kWh"), "{shown}");
}

/// What a house has of pushes in clear, with a collector whose settings name the meter at the port, or do not.
fn in_clear(house: &House, meter: &ElectricityMeter, named: bool, telegrams: u64) -> Account {
    let at = UtcMillis::now();
    let bytes: Vec<u8> =
        (0..2).flat_map(|n| hdlc(&meter.notification(at.plus(n * 10_000 - 30_000)), 90)).collect();
    let mut collector = house.enrol(&format!("port-{}-{named}", meter.serial()));
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    let name = if named { format!(", meter=\"KAM-{}-45-02\"", meter.serial()) } else { String::new() };
    let input = format!("[{{from={{connect=\"{address}\"}},receiver=\"han\"{name}}}]");
    collector.set("METERKEEP_COLLECTOR__INPUT", input);
    collector.run([] as [&OsStr; 0]);
    let (mut line, _) = port.accept().unwrap();
    line.write_all(&bytes).unwrap();
    let status = house.wait_for("all pushes are accounted for", |s| s.account().telegrams >= telegrams);
    collector.stop();
    status.account()
}

#[test]
fn a_push_in_clear_is_read_where_settings_and_register_say_whose_it_is_and_else_refused_by_name() {
    let start = UtcMillis::now().plus(-60_000);
    let new = |serial| ElectricityMeter::new(serial, Cover::Authenticated, start).unwrap();
    let (declared, undeclared, keyed) = (new(27_581_525), new(27_581_526), new(27_581_527));
    let house = house_with(&[&keyed]);
    let add = |name: &str, more: &[&str]| {
        let _ = house.command("meters add").args([name, "--resolution", "all"]).args(more).said().good();
    };
    add("KAM-27581525-45-02", &["--clear"]);
    add("KAM-27581526-45-02", &[]);
    house.wait_for("the register's news", |status| status.counter(wire::Room::Intake, "meters") == 3);
    let account = in_clear(&house, &declared, false, 2);
    assert_eq!(account.refused("nameless-push"), 2, "{account:?}");
    let account = in_clear(&house, &undeclared, true, 4);
    assert_eq!(account.refused("clear-undeclared"), 2, "{account:?}");
    let account = in_clear(&house, &keyed, true, 6);
    assert_eq!(
        account.refused("clear-refused"),
        2,
        "a meter with keys is not believed in clear: {account:?}"
    );
    let account = in_clear(&house, &declared, true, 8);
    assert_eq!((account.stored, account.telegrams, account.sums_agree), (2, 8, true), "{account:?}");
    let readings = house.readings("fine");
    assert_eq!(readings.len(), 2);
    for reading in &readings {
        assert_eq!(reading["assurance"], 0);
        assert!(number(reading, "1-1:1.8.0") > 1.0);
        assert!(reading["records"].as_array().unwrap().iter().all(|r| r["authenticated"] == false));
    }
}

#[test]
fn a_ciphered_unit_in_a_frame_of_the_m_bus_is_read_as_one_from_a_port() {
    let start = UtcMillis::now().plus(-60_000);
    let mut meter = ElectricityMeter::new(27_581_528, Cover::Authenticated, start).unwrap();
    let house = house_with(&[&meter]);
    let mut lines = String::new();
    for (n, header) in ["7d010000 00", "7c 28855827 2d2c 45 02 02 00 0000"].into_iter().enumerate() {
        let unit = meter.unit(start.plus(n as i64 * 10_000)).unwrap();
        let head = hex::decode(format!("00 44 2d2c 28855827 45 02 {header}").replace(' ', "")).unwrap();
        let mut frame = [&head[..], &unit].concat();
        frame[0] = u8::try_from(frame.len() - 1).unwrap();
        lines.push_str(&house_tests::feed::hex_line(&frame));
    }
    let file = house.outside("heard");
    std::fs::write(&file, lines).unwrap();
    house.enrol("mast").deliver(&file);
    let account = house.status().account();
    assert_eq!((account.stored, account.telegrams), (2, 2), "{account:?}");
    let readings = house.readings("fine");
    assert!(readings.iter().all(|r| r["assurance"] == 3 && number(r, "1-1:1.8.0") > 1.0), "{readings:?}");
}

#[test]
fn a_replayed_a_changed_and_a_stripped_push_are_refused_by_name_and_good_ones_survive() {
    let start = UtcMillis::now().plus(-60_000);
    let mut meter = ElectricityMeter::new(27_581_524, Cover::Authenticated, start).unwrap();
    let house = house_with(&[&meter]);
    let first = meter.unit(start).unwrap();
    let second = meter.unit(start.plus(10_000)).unwrap();
    let third = meter.unit(start.plus(20_000)).unwrap();
    let mut changed = third.clone();
    *changed.get_mut(40).unwrap() ^= 1;
    // the tag taken off and the control byte changed to go with it
    let mut stripped = third[..third.len() - 12].to_vec();
    stripped[13] = 0x20;
    let length = u16::try_from(stripped.len() - 13).unwrap().to_be_bytes();
    stripped[11..13].copy_from_slice(&length);
    let bytes: Vec<u8> =
        [&first, &second, &changed, &stripped, &third].iter().flat_map(|u| hdlc(u, 120)).collect();
    let account = push(&house, &bytes, 5);
    assert_eq!(account.stored, 3, "{account:?}");
    // heard again later, by another collector that an attacker has built
    let account = push(&house, &hdlc(&first, 120), 6);
    assert_eq!((account.stored, account.telegrams, account.sums_agree), (3, 6, true), "{account:?}");
    assert_eq!(account.refused.values().sum::<u64>(), 2, "{account:?}");
    assert_eq!(house.readings("fine").len(), 3);
}
