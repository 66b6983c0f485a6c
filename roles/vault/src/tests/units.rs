//! Units of DLMS in, verdicts and plaintext out.

use seal::meter::dlms::{Keys, protect};

use super::*;

pub(super) const TITLE: &[u8; 8] = b"KAM\x45\x01\xa4\xdc\x52";
pub(super) const SERIAL: &str = "27581522";

pub(super) fn plain(watt_hours: u32) -> Vec<u8> {
    let mut plain = b"\x0f\0\0\0\x01\0\x02\x02\x09\x06\x01\0\x01\x08\0\xff\x06".to_vec();
    plain.extend(watt_hours.to_be_bytes());
    plain
}

pub(super) fn unit_of(
    title: &[u8; 8],
    control: u8,
    counter: u32,
    watt_hours: u32,
    encryption: u8,
    authentication: u8,
) -> Vec<u8> {
    let plain = plain(watt_hours);
    let tag = if control & 0x10 == 0 { 0 } else { 12 };
    let mut unit = vec![0xdb, 8];
    unit.extend(title);
    unit.push((5 + plain.len() + tag) as u8);
    unit.push(control);
    unit.extend(counter.to_be_bytes());
    unit.extend(plain);
    unit.resize(unit.len() + tag, 0);
    let (encryption, authentication) = (key(encryption), key(authentication));
    let authentication = (tag > 0).then_some(authentication.as_slice());
    protect(&mut unit, &Keys { encryption: &encryption, authentication }).unwrap();
    unit
}

fn unit(control: u8, counter: u32) -> Vec<u8> {
    unit_of(TITLE, control, counter, 1000 + counter, 1, 2)
}

fn with_keys() -> House {
    let house = House::new();
    let keys = [
        ("KAM", SERIAL, "GUEK", key(1)),
        ("KAM", SERIAL, "GAK", key(2)),
        ("KFM", "10000023", "GUEK", key(3)),
    ];
    assert_eq!(house.import(&keys), ["imported"; 3]);
    assert_eq!(house.import(&keys), ["unchanged"; 3]);
    house
}

#[test]
fn units_open_with_the_keys_of_their_title_and_say_what_protects_them() {
    let house = with_keys();
    let enc_only = unit_of(b"KFM\x10\x10\0\0\x23", 0x21, 5, 77, 3, 0);
    let frames = [unit(0x30, 7), enc_only.clone()];
    let (verdicts, answer) = house.decrypt(at(1), &frames);
    assert_eq!(verdicts, [Verdict::Fresh, Verdict::Fresh]);
    assert_eq!(answer.frames.len(), frames.iter().map(Vec::len).sum::<usize>());
    let facts = |n: usize| {
        let s = &answer.security[n];
        (s.mode, s.check, s.counter, s.from, s.to)
    };
    assert_eq!(facts(0), (512 + 3, 2, Some(7), 16, 37));
    assert_eq!(facts(1), (512 + 6, 0, Some(5), 16, 37), "without a tag nothing is called authentic");
    assert_eq!(&answer.frames[16..37], plain(1007));
    assert_eq!(&answer.frames[frames[0].len() + 16..][..21], plain(77));
}

#[test]
fn bad_units_are_refused_each_under_its_name() {
    let mut house = with_keys();
    let changed = |mut frame: Vec<u8>, at: usize, byte: u8| {
        frame[at] ^= byte;
        frame
    };
    let enc_only = |counter, key| unit_of(b"KFM\x10\x10\0\0\x23", 0x21, counter, 5, key, 0);
    let cases = [
        (Verdict::Fresh, unit(0x30, 100)),
        (Verdict::Fresh, unit(0x30, 102)),
        (Verdict::Duplicate, unit(0x30, 100)),
        (Verdict::Late, unit(0x30, 101)),
        (Verdict::Conflict, unit_of(TITLE, 0x30, 102, 9, 1, 2)),
        (Verdict::MacMismatch, changed(unit(0x30, 103), 20, 1)),
        (Verdict::MacMismatch, unit_of(TITLE, 0x30, 104, 9, 4, 2)),
        // the control byte changed from 30 to 20: the tag is taken for data
        (Verdict::Downgrade, changed(unit(0x30, 105), 11, 0x10)),
        (Verdict::Downgrade, unit(0x20, 106)),
        (Verdict::Downgrade, unit(0x10, 107)),
        (Verdict::Downgrade, unit(0x31, 108)),
        (Verdict::UnsupportedMode, changed(unit(0x30, 109), 11, 0x40)),
        (Verdict::NoKey, unit_of(b"KAM\x45\x01\xa4\xdc\x53", 0x30, 1, 1, 1, 2)),
        (Verdict::NoKey, unit_of(b"\0\0\0\0\0\0\0\x01", 0x30, 1, 1, 1, 2)),
        (Verdict::Fresh, enc_only(50, 3)),
        (Verdict::WrongKey, enc_only(51, 4)),
        // nobody vouches for a counter without a tag: it may not outrun the time
        (Verdict::Leap, enc_only(1_000_000, 3)),
        (Verdict::Fresh, unit(0x30, 1_000_000)),
    ];
    let frames: Vec<_> = cases.iter().map(|(_, f)| f.clone()).collect();
    let (verdicts, answer) = house.decrypt(at(1), &frames);
    assert_eq!(verdicts, cases.iter().map(|(v, _)| *v).collect::<Vec<_>>());
    // the same after a commit and a crash, and nothing that was refused moved a counter
    assert_eq!(house.commit(&[at(1)]), []);
    house.restart();
    let (again, plain) = house.decrypt(at(1), &frames);
    assert_eq!((again, plain.frames), (verdicts, answer.frames));
    let later = NOW.plus(20 * 60_000);
    let replay = [(unit(0x30, 90), later), (unit(0x30, 1_000_001), later)];
    let (verdicts, _) = house.decrypt_heard(at(2), &replay);
    assert_eq!(verdicts, [Verdict::Rollback, Verdict::Fresh], "an old counter heard after a newer one");
}

#[test]
fn radio_and_port_of_one_meter_have_counters_of_their_own_and_clear_is_refused() {
    let house = with_keys();
    house.import(&[("KAM", "12345678", "DEK", key(frames::KAM_KEY)), ("KAM", "12345678", "GUEK", key(7))]);
    let port = unit_of(b"KAM\x45\x00\xbc\x61\x4e", 0x20, 3, 1, 7, 0);
    let air = frames::ell(1000, 0, 1);
    assert_eq!(house.decrypt(at(1), &[port, air]).0, [Verdict::Fresh, Verdict::Fresh]);
    // a telegram in clear in the name of a meter that ciphers at its port, with and without the top bit
    for top in [0, 0x80] {
        let mut clear = vec![14, 0x44, 0x2d, 0x2c | top, 0x22, 0x15, 0x58, 0x27, 1, 2, 0x7a, 1, 0, 0, 0];
        clear[0] = (clear.len() - 1) as u8;
        assert_eq!(house.decrypt(at(2), &[clear]).0, [Verdict::ClearRefused]);
    }
}

#[test]
fn each_key_is_reported_by_itself() {
    let mut house = House::new();
    let long = |n: u8| [key(n), key(n + 100)].concat();
    let list = [
        ("KAM", "10000001", "GUEK", key(1)),
        ("KAM", "10000001", "GAK", vec![0x11; 16]), // a whole country's
        ("KAM", "10000001", "GUEK", key(2)),
        ("KAM", "10000002", "GUEK", key(1)),
        ("KAM", "10000003", "GUEK", vec![0; 32]),
        ("KAM", "10000004", "GUEK", key(4)[..15].to_vec()),
        ("KAM", "10000005", "GUEK", long(5)),
        ("KAM", "10000006", "GAK", vec![0x11; 16]),
    ];
    let outcomes =
        ["imported", "imported", "conflict", "duplicate", "weak", "wrong-length", "imported", "imported"];
    assert_eq!(house.import(&list), outcomes);
    house.restart();
    let again: Vec<_> = outcomes.iter().map(|o| if *o == "imported" { "unchanged" } else { o }).collect();
    assert_eq!(house.import(&list), again);
    assert!(
        !has(&house.disk, &key(1)[..8]) && !has(&house.disk, &long(5)[16..24]),
        "a key lies in clear on the disk"
    );
}

#[test]
fn a_unit_without_protection_is_clear_and_believed_of_no_meter_that_has_a_key_of_any_kind() {
    let house = with_keys();
    assert_eq!(house.import(&[("KAM", "27581530", "DEK", key(5))]), ["imported"]);
    let bare = |serial: u32, watt_hours| {
        let content = plain(watt_hours);
        let mut unit = b"\xdb\x08KAM\x45".to_vec();
        unit.extend(serial.to_be_bytes());
        unit.push((5 + content.len()) as u8);
        unit.extend([0; 5]);
        unit.extend(content);
        unit
    };
    let (port, radio, none) = (bare(27_581_522, 1), bare(27_581_530, 1), bare(27_581_531, 1));
    let other = bare(27_581_531, 2);
    let (verdicts, answer) = house.decrypt(at(1), &[port, radio, none.clone(), none.clone(), other]);
    use Verdict::{Clear, ClearRefused, Duplicate};
    assert_eq!(verdicts, [ClearRefused, ClearRefused, Clear, Duplicate, Clear]);
    let facts = &answer.security[0];
    assert_eq!((facts.mode, facts.check, facts.counter, facts.from, facts.to), (0, 0, None, 16, 37));
    assert_eq!(&answer.frames[..none.len()], none);
    // with any other control byte it is what it says: here encrypted, and there is no key
    let mut encrypted = none;
    encrypted[11] = 0x20;
    assert_eq!(house.decrypt(at(2), &[encrypted]).0, [Verdict::NoKey]);
}
