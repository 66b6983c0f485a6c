//! `meterkeep decode --explain`: a reader who has never seen the source learns which meter sent a telegram, how it is
//! protected and whether that held, the main register with its unit and date, every alarm, and what was not understood.

use serde_json::{Value, json};

use crate::decode::{KEY, ell, line, mode7, protected, run, wired};
use crate::decode_dlms;

/// The explanation of a telegram, its table's rows taken apart.
struct Explained {
    text: String,
    rows: Vec<[String; 4]>,
}

fn explain(telegram: &Value) -> Explained {
    let output = run(&["--explain"], telegram.to_string().as_bytes());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut rows: Vec<[String; 4]> = Vec::new();
    let heads = ["at", "bytes", "field", "meaning"];
    let head = text.lines().find(|row| row.split_whitespace().eq(heads)).unwrap_or_else(|| panic!("{text}"));
    let columns = heads.map(|word| head.find(word).unwrap());
    for row in text.lines().skip_while(|row| *row != head).skip(1) {
        let row: Vec<char> = row.chars().collect();
        let cell = |n: usize| {
            let end = columns.get(n + 1).map_or(row.len(), |end| *end).min(row.len());
            let cell: String = row[columns[n].min(end)..end].iter().collect();
            cell.trim().to_owned()
        };
        let [at, bytes, field, meaning] = std::array::from_fn(cell);
        if bytes.starts_with(['─', '═']) {
            continue;
        }
        match rows.last_mut() {
            // a long row goes on in the next line
            Some(last) if at.is_empty() => {
                for (cell, more) in last.iter_mut().zip([&at, &bytes, &field, &meaning]) {
                    cell.extend((!more.is_empty()).then(|| format!(" {more}")));
                }
            }
            _ => rows.push([at, bytes, field, meaning]),
        }
    }
    rows.retain(|row| row[0].parse::<usize>().is_ok());
    Explained { text, rows }
}

impl Explained {
    fn says(&self, words: &[&str]) {
        for words in words {
            assert!(self.text.contains(words), "`{words}` is not in:\n{}", self.text);
        }
    }

    /// The bytes of the rows, one after the other, are the frame: nothing is left out and nothing is shown twice.
    fn shows_every_byte(&self, len: usize) {
        let mut at = 0;
        for row in &self.rows {
            assert_eq!(row[0], at.to_string(), "{}", self.text);
            at += row[1].replace(' ', "").len() / 2;
        }
        assert_eq!(at, len, "{}", self.text);
    }

    fn row(&self, field: &str, meaning: &str) {
        let found = self.rows.iter().any(|row| row[2] == field && row[3].contains(meaning));
        assert!(found, "no row `{field}` with `{meaning}` in:\n{}", self.text);
    }

    fn not_understood(&self) -> Vec<&str> {
        let unread = |row: &&[String; 4]| row[2] == "not understood" || row[2] == "maker's own";
        self.rows.iter().filter(unread).map(|row| row[1].as_str()).collect()
    }
}

#[test]
fn a_water_meter_of_mode_5_with_a_low_battery_and_bytes_of_its_makers() {
    // status: power low and permanent error; then volume, the meter's time, a date, and the maker's own two bytes
    let records = "0413 2b0b0000 046d 1e10 783b 426c ff2c 0f 0102 2f2f 2f2f2f2f 2f2f2f2f 2f";
    let frame = protected(&["7a 05 0c 2005 2f2f", records]);
    let seen = explain(&line("kitchen", &frame, Some(&KEY)));
    seen.says(&[
        "kitchen: decoded, KAM 12345678, cold water meter, version 1B",
        "security: mode5 (encrypted; the key fits, but no MAC proves the sender)",
        "main register: volume 2.859 m3",
        "the meter's time: 2027-11-24T16:30",
        "alarms: power low, permanent error",
        "not understood:",
    ]);
    seen.shows_every_byte(frame.len());
    seen.row("M", "KAM");
    seen.row("A: number", "12345678");
    seen.row("volume", "2.859 m3");
    assert!(seen.not_understood()[0].starts_with("0F0102"), "{:?}", seen.not_understood());
}

#[test]
fn an_authenticated_telegram_of_mode_7_without_an_alarm() {
    let frame = mode7();
    let seen = explain(&line("m7", &frame, Some(&KEY)));
    seen.says(&[
        "KAM 12345678",
        "security: mode7 (encrypted; the key fits and the MAC proves the sender)",
        "main register: volume 2.859 m3",
        "the meter's time: not in this telegram",
        "alarms: none is set",
    ]);
    seen.shows_every_byte(frame.len());
    assert_eq!(seen.not_understood(), [""; 0]);
}

#[test]
fn a_leak_and_a_burst_in_the_extended_link_layer() {
    let frame = ell("78 02ff20 0c00 0413 d2040000 4413 01000000");
    let seen = explain(&line("ell", &frame, Some(&KEY)));
    seen.says(&[
        "KAM 12345678",
        "security: ell-ctr",
        "main register: volume 1.234 m3",
        "alarms: leak, burst",
    ]);
    seen.shows_every_byte(frame.len());
}

#[test]
fn a_wired_heat_meter_in_clear_with_a_record_that_is_unknown() {
    // energy, then a record of the maker's alone
    let frame = wired(&["08 05 72 78563412 2d2c 1b 04 05 00 0000", "0406 e8030000 02ff7f 0100"]);
    let seen = explain(&line("wired", &frame, None));
    seen.says(&[
        "KAM 12345678, heat meter",
        "not encrypted: anybody may have sent or changed it",
        "main register: energy 1000 kWh",
        "alarms: none is set",
    ]);
    seen.shows_every_byte(frame.len());
    seen.row("A", "address 5 on the bus");
    seen.row("end", "checksum and stop");
}

#[test]
fn a_push_of_an_electricity_meter() {
    let authentication = Some(&decode_dlms::AUTHENTICATION[..]);
    let unit = decode_dlms::unit(0x30, &decode_dlms::KEY, authentication);
    let seen = explain(&decode_dlms::line(&unit, Some(&decode_dlms::KEY), authentication));
    seen.says(&[
        "e: decoded, KAM 27581522, electricity meter",
        "security: dlms-suite0-30 (encrypted; the key fits and the MAC proves the sender)",
        "main register: energy 8666.36 kWh",
        "the meter's time: 2026-11-24T16:30:05",
        "alarms: none is set",
    ]);
    seen.shows_every_byte(unit.len());
    seen.row("system title", "KAM 27581522");
    seen.row("invocation counter", "7");
    seen.row("OBIS code", "1-1:1.8.0");
    seen.row("energy", "8666.36 kWh 1-1:1.8.0");
    assert_eq!(seen.not_understood(), [""; 0]);
}

#[test]
fn what_the_key_does_not_open_is_shown_as_encrypted_and_what_to_do_is_said() {
    let frame = mode7();
    let seen = explain(
        &json!({"id": "w", "telegram": hex::encode(&frame), "key": "00112233445566778899aabbccddeeff"}),
    );
    seen.says(&["w: wrong-key, KAM 12345678", "check that the key is this meter's"]);
    seen.row("encrypted", "cannot be read without the key");
    seen.shows_every_byte(frame.len());
    assert!(!seen.text.contains("main register"), "{}", seen.text);
    let unit = decode_dlms::unit(0x30, &decode_dlms::KEY, Some(&decode_dlms::AUTHENTICATION));
    let seen = explain(&decode_dlms::line(&unit, None, None));
    seen.says(&["e: no-key, KAM 27581522", "GPK60"]);
    seen.row("encrypted", "cannot be read without the key");
    seen.shows_every_byte(unit.len());
}
