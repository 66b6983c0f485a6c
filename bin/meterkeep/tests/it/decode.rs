//! `meterkeep decode` on telegrams made here: each status, both formats, bad lines, published corpus.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

pub(crate) const KEY: [u8; 16] = *b"0123456789abcdef";
/// The sender of all telegrams here: a cold water meter of Kamstrup's.
const LINK: &str = "44 2d2c 78563412 1b 16";
/// Present volume 2.859 m3, and 1.001 m3 on 2023-12-31.
const RECORDS: &str = "0413 2b0b0000 4413 e9030000 426c ff2c";

pub(crate) fn framed(parts: &[&str]) -> Vec<u8> {
    let mut frame = hex::decode(format!("00{LINK}{}", parts.concat()).replace(' ', "")).unwrap();
    frame[0] = u8::try_from(frame.len() - 1).unwrap();
    frame
}

pub(crate) fn protected(parts: &[&str]) -> Vec<u8> {
    let mut frame = framed(parts);
    seal::meter::protect(&mut frame, &KEY).unwrap();
    frame
}

fn clear() -> Vec<u8> {
    framed(&["7a 05 00 0000", RECORDS])
}

/// What fills the records to two blocks.
const FILLER: &str = "2f2f2f2f2f2f2f2f2f2f2f2f2f2f";

fn mode5_parts() -> [&'static str; 4] {
    ["7a 05 04 2005 2f2f", RECORDS, FILLER, ""]
}

pub(crate) fn mode7() -> Vec<u8> {
    let header = "90 0f 002c 25 c39a0200 0000000000000000 7a 63 00 2007 10 2f2f";
    protected(&[header, RECORDS, FILLER])
}

/// All of the data encrypted, a tag of eight bytes.
fn mode10() -> Vec<u8> {
    protected(&["7a 63 00 ff2a 1001 c39a0200", RECORDS, "0000000000000000"])
}

pub(crate) fn ell(inner: &str) -> Vec<u8> {
    protected(&["8d 20 17 57d2ed31 0000", inner])
}

pub(crate) fn run(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_meterkeep"))
        .arg("decode")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    output
}

fn answers(args: &[&str], input: &[u8]) -> Vec<Value> {
    let output = run(&[&["--format", "json"], args].concat(), input);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
        .stdout
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect()
}

pub(crate) fn one(args: &[&str], line: &Value) -> Value {
    let mut answers = answers(args, line.to_string().as_bytes());
    assert_eq!(answers.len(), 1, "{answers:?}");
    answers.remove(0)
}

pub(crate) fn line(id: &str, frame: &[u8], key: Option<&[u8]>) -> Value {
    json!({"id": id, "telegram": hex::encode(frame), "key": key.map(hex::encode), "dll_crc": null})
}

fn messages(answer: &Value) -> String {
    answer["messages"].as_array().map(|m| m.iter().map(|m| m.as_str().unwrap()).collect()).unwrap_or_default()
}

fn assert_values(answer: &Value, authenticated: bool) {
    assert_eq!(answer["status"], "decoded", "{answer}");
    assert_eq!(answer["security"]["authenticated"], authenticated);
    assert_eq!(
        answer["meter"],
        json!({"manufacturer": "KAM", "serial": "12345678", "version": 0x1b, "type": 0x16})
    );
    let records = answer["records"].as_array().unwrap();
    assert_eq!(records.len(), 3);
    let at = records[0]["at"].as_u64().unwrap();
    assert_eq!(
        records[1],
        json!({"quantity": "volume", "value": 1.001, "unit": "m3", "function": "instantaneous",
               "storage": 1, "tariff": 0, "subunit": 0, "obis": "8-0:1.2.0", "at": at + 6, "len": 6})
    );
    assert_eq!((&records[0]["value"], &records[2]["value"]), (&json!(2.859), &json!("2023-12-31")));
}

#[test]
fn good_telegrams_of_each_mode_are_decoded() {
    let mode5 = protected(&mode5_parts());
    for (name, frame, key, mode, authenticated) in [
        ("clear", clear(), None, "none", false),
        ("mode 5", mode5, Some(&KEY[..]), "mode5", false),
        ("mode 7", mode7(), Some(&KEY[..]), "mode7", true),
        ("mode 10", mode10(), Some(&KEY[..]), "mode10", true),
        ("link", ell(&format!("78 {RECORDS}")), Some(&KEY[..]), "ell-ctr", false),
    ] {
        let answer = one(&[], &line(name, &frame, key));
        assert_values(&answer, authenticated);
        assert_eq!((&answer["id"], &answer["security"]["mode"]), (&json!(name), &json!(mode)));
    }
}

#[test]
fn encrypted_telegrams_without_their_key_are_told_apart() {
    for frame in [protected(&mode5_parts()), mode7(), mode10(), ell(&format!("78 {RECORDS}"))] {
        let answer = one(&["--accept-clear"], &line("a", &frame, None));
        assert_eq!(answer["status"], "no-key");
        assert!(messages(&answer).contains("no key was given"), "{answer}");
        assert_eq!(answer["meter"]["serial"], "12345678", "the headers are in clear");
        let answer = one(&["--accept-clear"], &line("a", &frame, Some(b"another key 1234")));
        assert_eq!(
            (answer["status"].as_str(), answer["records"].as_array().map(Vec::len)),
            (Some("wrong-key"), Some(0))
        );
    }
    let answer = one(&[], &line("a", &protected(&mode5_parts()), Some(b"8 bytes!")));
    assert_eq!(answer["status"], "wrong-key");
    assert!(messages(&answer).contains("16"), "{answer}");
}

/// A frame of the wired bus around what begins with the C field.
pub(crate) fn wired(parts: &[&str]) -> Vec<u8> {
    let inner = hex::decode(parts.concat().replace(' ', "")).unwrap();
    let l = u8::try_from(inner.len()).unwrap();
    let sum = inner.iter().fold(0u8, |acc, b| acc.wrapping_add(*b));
    [&[0x68, l, l, 0x68][..], &inner, &[sum, 0x16]].concat()
}

#[test]
fn wired_frames_are_read_and_say_when_there_is_more() {
    let clear = wired(&["08 05 72 78563412 2d2c 1b 16 05 00 0000", RECORDS, "1f 01"]);
    let answer = one(&[], &line("a", &clear, None));
    assert_values(&answer, false);
    assert_eq!(answer["records"][0]["at"], 19);
    assert!(messages(&answer).contains("more records"), "{answer}");
    let mut secret = wired(&["08 05 72 78563412 2d2c 1b 16 05 00 2005 2f2f", RECORDS, FILLER]);
    seal::meter::protect(&mut secret, &KEY).unwrap();
    assert_values(&one(&[], &line("a", &secret, Some(&KEY))), false);
    assert_eq!(one(&[], &line("a", &secret, None))["status"], "no-key");
    let mut damaged = clear;
    damaged[20] ^= 1;
    assert_eq!(one(&[], &line("a", &damaged, None))["status"], "damaged");
}

/// A message cut in two: the first fragment says what is said of the whole, the second carries the MAC.
fn fragments(whole: &[u8], cut: usize) -> [Vec<u8>; 2] {
    // link layer, then 90, length, FCL, MCL, MCR, MAC, ML, then the message
    let (link, message) = (&whole[..10], &whole[29..]);
    let (mcl_mcr, mac, ml) = (&whole[14..19], &whole[19..27], &whole[27..29]);
    let frame = |layer: &[&[u8]], part: &[u8]| {
        let layer = layer.concat();
        let mut frame = [link, &[0x90, u8::try_from(layer.len()).unwrap()], &layer, part].concat();
        frame[0] = u8::try_from(frame.len() - 1).unwrap();
        frame
    };
    // the second repeats the message control field, which tells how long the MAC is
    let second = [&[0x02, 0x24][..], &mcl_mcr[..1], mac];
    [frame(&[&[0x01, 0x78], mcl_mcr, ml], &message[..cut]), frame(&second, &message[cut..])]
}

#[test]
fn fragments_of_a_message_are_joined_and_its_mac_covers_all_of_it() {
    // ML counts the message: header of 6, two blocks
    let whole =
        protected(&["90 11 003c 65 c39a0200 0000000000000000 2600 7a 63 00 2007 10 2f2f", RECORDS, FILLER]);
    assert_values(&one(&[], &line("whole", &whole, Some(&KEY))), true);
    for cut in [3, 6, 20] {
        let [first, second] = fragments(&whole, cut);
        let lines = |frames: &[&Vec<u8>]| {
            let lines = frames.iter().map(|frame| line("a", frame, Some(&KEY)).to_string() + "\n");
            answers(&[], lines.collect::<String>().as_bytes())
        };
        let read = lines(&[&first, &second]);
        assert!(messages(&read[0]).contains("fragment 1"), "{read:?}");
        assert_values(&read[1], true);
        assert!(messages(&read[1]).contains("joined"), "{read:?}");
        let lost = lines(&[&second]);
        assert_eq!(lost[0]["status"], "damaged");
        assert!(messages(&lost[0]).contains("not heard"), "{lost:?}");
        let mut forged = second.clone();
        let last = forged.len() - 1;
        forged[last] ^= 1;
        assert_eq!(lines(&[&first, &forged])[1]["status"], "wrong-key", "the MAC covers all fragments");
    }
}

#[test]
fn a_clock_that_the_meter_does_not_trust_is_shown_with_a_mark() {
    let frame = framed(&["7a 05 00 0000 046d b2 90 62 28 04 6d 32 10 62 28"]);
    let answer = one(&[], &line("a", &frame, None));
    let record = &answer["records"][0];
    assert_eq!(
        (&record["value"], &record["clock_invalid"], &record["summer_time"]),
        (&json!("2019-08-02T16:50"), &json!(true), &json!(true))
    );
    assert!(answer["records"][1].get("clock_invalid").is_none());
}

#[test]
fn damaged_and_unsupported_telegrams_say_what_is_wrong() {
    let mut cut = clear();
    cut.pop();
    let mut tampered = mode7();
    let last = tampered.len() - 1;
    tampered[last] ^= 1;
    let with_crcs = hex::encode([&clear()[..], &[0, 0]].concat());
    for (line, status, word) in [
        (line("a", &cut, None), "damaged", "length field"),
        (line("a", &[1, 2, 3], None), "damaged", "too short"),
        (line("a", &tampered, Some(&KEY)), "wrong-key", "MAC"),
        (json!({"id": "a", "telegram": with_crcs, "dll_crc": "A"}), "damaged", "length field"),
        (
            json!({"id": "a", "telegram": "1844ae0c7856341201078c2027780b13436587aabbccddeeff", "dll_crc": "B"}),
            "damaged",
            "checksum",
        ),
        (line("a", &framed(&["a0 0102030405"]), None), "unsupported", "manufacturer's own"),
        (
            line("a", &framed(&["7c 78563412 2d2c 1b 16 01 00 0000 db08"]), None),
            "unsupported",
            "ciphered unit",
        ),
        (line("a", &framed(&["7a 05 00 0009 0000 00"]), Some(&KEY)), "unsupported", "mode 9"),
        (line("a", &framed(&["7a 05 00 0009 0000 00"]), None), "no-key", "mode 9"),
        (line("a", &framed(&["78 ff ff"]), None), "unsupported", "not made of data records"),
        (line("a", &framed(&["79 3b31 a642 1234"]), None), "unsupported", "KAM-1B-16/313B"),
        (line("a", &[0x68, 3, 3, 0x68, 8, 1, 0x78, 0x81, 0x16], None), "unsupported", "wired"),
        (line("a", &[0x68, 3, 3, 0x68, 8, 1, 0x78, 0x82, 0x16], None), "damaged", "checksum"),
        (line("a", &[0xe5], None), "unsupported", "wired"),
    ] {
        let answer = one(&[], &line);
        assert_eq!(answer["status"], status, "{answer}");
        assert!(messages(&answer).contains(word), "{word}: {answer}");
    }
}

#[test]
fn what_lies_in_clear_where_cipher_is_due_is_refused_unless_asked_for() {
    let payload = hex::decode(format!("78{RECORDS}").replace(' ', "")).unwrap();
    let crc = hex::encode(telegram::crc16(&payload).to_le_bytes());
    let in_link = framed(&["8d 20 17 57d2ed31", &crc, "78", RECORDS]);
    for frame in [framed(&mode5_parts()), in_link] {
        for (key, status) in [(None, "no-key"), (Some(&KEY[..]), "wrong-key")] {
            let refused = one(&[], &line("a", &frame, key));
            assert_eq!((refused["status"].as_str(), &refused["records"]), (Some(status), &json!([])));
            assert!(messages(&refused).contains("--accept-clear"), "{refused}");
            assert_values(&one(&["--accept-clear"], &line("a", &frame, key)), false);
        }
    }
    // a telegram that declares nothing, from a meter that has a key
    let refused = one(&[], &line("a", &clear(), Some(&KEY)));
    assert_eq!(refused["status"], "wrong-key");
    assert_values(&one(&["--accept-clear"], &line("a", &clear(), Some(&KEY))), false);
}

#[test]
fn records_behind_the_encrypted_part_are_marked() {
    let [header, records, filler, _] = mode5_parts();
    let answer = one(&[], &line("a", &protected(&[header, records, filler, "0213 0500"]), Some(&KEY)));
    let marks: Vec<_> = answer["records"].as_array().unwrap().iter().map(|r| r["clear"] == true).collect();
    assert_eq!(marks, [false, false, false, true]);
}

#[test]
fn compact_frames_wait_for_the_layout_that_a_verified_frame_teaches() {
    // layout 02 13 02 5a; values 1.234 m3 and 21.5 degrees
    let full = ell("78 0213 d204 025a d700");
    let layout = [0x02, 0x13, 0x02, 0x5a];
    let whole = hex::decode("0213d204025ad700").unwrap();
    let [signature, crc] = [&layout[..], &whole].map(|b| hex::encode(telegram::crc16(b).to_le_bytes()));
    let compact = ell(&format!("79 {signature} {crc} d204 d700"));
    let lines = [
        line("before", &compact, Some(&KEY)),
        line("full", &full, Some(&KEY)),
        line("after", &compact, Some(&KEY)),
    ];
    let input: String = lines.iter().map(|l| format!("{l}\n")).collect();
    let answers = answers(&[], input.as_bytes());
    let ids: Vec<_> = answers.iter().map(|a| a["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["full", "before", "after"]);
    for answer in &answers {
        let values: Vec<_> =
            answer["records"].as_array().unwrap().iter().map(|r| r["value"].clone()).collect();
        assert_eq!(values, [json!(1.234), json!(21.5)], "{answer}");
    }
    assert_eq!(answers[1]["records"][0]["len"], 2, "data bytes only");
    // a full frame under a wrong key teaches nothing
    let lines = [line("full", &full, Some(b"another key 1234")), line("after", &compact, Some(&KEY))];
    let input: String = lines.iter().map(|l| format!("{l}\n")).collect();
    let statuses: Vec<_> = self::answers(&[], input.as_bytes()).iter().map(|a| a["status"].clone()).collect();
    assert_eq!(statuses, ["wrong-key", "unsupported"]);
}

#[test]
fn a_public_layout_reads_a_compact_frame_and_alarms_have_names() {
    // info code, volume, volume of last month: a layout of Kamstrup's that is public
    let full = hex::decode("02ff20 0c00 0413 d2040000 4413 01000000".replace(' ', "")).unwrap();
    let crc = hex::encode(telegram::crc16(&full).to_le_bytes());
    let compact = ell(&format!("79 34dd {crc} 0c00 d2040000 01000000"));
    let answer = one(&[], &line("a", &compact, Some(&KEY)));
    assert_eq!(answer["status"], "decoded", "{answer}");
    let records = answer["records"].as_array().unwrap();
    assert_eq!(records[0]["flags"], json!(["leak", "burst"]));
    assert_eq!((&records[1]["value"], &records[1]["flags"]), (&json!(1.234), &Value::Null));
    let output = run(&[], line("a", &compact, Some(&KEY)).to_string().as_bytes());
    assert!(String::from_utf8(output.stdout).unwrap().contains("leak, burst"));
}

#[test]
fn bad_lines_are_answered_by_number_and_lose_nothing_good() {
    let mut input = Vec::new();
    input.extend(b"hello\n\n");
    input.extend([0xff, 0xfe, b'\n']);
    input.extend(vec![b'a'; 200_000]);
    input.extend(b"\n{\"id\": 1}\nT1;0;1;2026-11-23 16:00:00.000;97;148;12345678;0x16\n");
    input.extend(
        format!("T1;1;1;2026-11-23 16:00:00.000;97;148;12345678;0x{}\n", hex::encode(clear())).bytes(),
    );
    input.extend(format!("0x{}", hex::encode_upper(clear())).bytes());
    let answers = answers(&[], &input);
    let seen: Vec<_> = answers
        .iter()
        .map(|a| (a["line"].as_u64().unwrap(), a["status"].as_str().unwrap().to_owned()))
        .collect();
    let expected = [
        (1, "damaged"),
        (3, "damaged"),
        (4, "damaged"),
        (5, "damaged"),
        (6, "damaged"),
        (7, "decoded"),
        (8, "decoded"),
    ];
    assert_eq!(seen, expected.map(|(n, s)| (n, s.to_owned())));
    assert!(messages(&answers[0]).contains("line 1:"));
    assert!(messages(&answers[2]).contains("64 KiB"));
    assert!(messages(&answers[4]).contains("CRC_OK"));
}

#[test]
fn people_read_a_table_and_no_key() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("telegrams");
    let [header, records, filler, _] = mode5_parts();
    let frame = protected(&[header, records, filler, "0f 0102"]);
    std::fs::write(&file, line("kitchen", &frame, Some(&KEY)).to_string()).unwrap();
    let output = run(&[file.to_str().unwrap()], b"");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for words in [
        "kitchen: decoded, KAM 12345678, cold water meter, version 1B, type 16",
        "security: mode5 (encrypted; the key fits, but no MAC proves the sender)",
        "the meter reports: power low",
        "storage 1",
        "2023-12-31",
        "then 2 bytes of the maker's own data",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    assert!(text.lines().any(|l| l.contains("volume") && l.contains("2.859") && l.contains("m3")), "{text}");
    assert!(!text.contains(&hex::encode(KEY)));
    // letters from a meter cannot steer the terminal
    let output = run(&[], line("\u{1b}[2J", &clear(), None).to_string().as_bytes());
    assert!(!output.stdout.contains(&0x1b));
}

#[test]
fn an_input_that_cannot_be_read_is_the_one_error() {
    let output = run(&["/nowhere/at/all"], b"");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/at/all"));
}

/// The published corpus, where it is there: statuses that may not be otherwise, and records that may not overlap.
#[test]
fn the_corpus_gives_no_odd_answer() {
    let shared = std::env::var_os("METERKEEP_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = shared.join("corpus/wmbus-telegrams.jsonl");
    let Ok(corpus) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not there", path.display());
        return;
    };
    let telegrams: Vec<Value> = corpus.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let strict = answers(&[], corpus.as_bytes());
    let lenient = answers(&["--accept-clear"], corpus.as_bytes());
    let mut decoded = 0;
    for telegram in &telegrams {
        let find =
            |answers: &'_ [Value]| answers.iter().find(|a| a["id"] == telegram["id"]).cloned().unwrap();
        let (strict, lenient) = (find(&strict), find(&lenient));
        if telegram["state"] == "decrypted" {
            assert_ne!(strict["status"], "decoded", "clear where cipher is due: {}", telegram["id"]);
        }
        // a compact frame may need a layout that only a telegram in clear teaches
        if telegram["key_ok"] == true && telegram["frame_kind"] != "compact" {
            assert_eq!(strict["status"] == "decoded", lenient["status"] == "decoded", "{}", telegram["id"]);
        }
        decoded += usize::from(lenient["status"] == "decoded");
        let mut places: Vec<_> = lenient["records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| (r["at"].as_u64().unwrap(), r["len"].as_u64().unwrap()))
            .collect();
        places.sort_unstable();
        assert!(places.windows(2).all(|w| w[0].0 + w[0].1 <= w[1].0), "{} overlaps", telegram["id"]);
    }
    assert!(decoded * 10 > telegrams.len() * 7, "{decoded} of {}", telegrams.len());
}
