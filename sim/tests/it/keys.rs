//! Key files written here go through the reader that the house imports with.

use base::{SecretBytes, UtcMillis};
use keyfile::Trust;
use sim::{Plan, Town};

const NOW: UtcMillis = UtcMillis(1_795_449_600_000);

fn town(meters: u32, seed: u64) -> Town {
    Town::new(&Plan { meters, seed, ..Plan::default() }, NOW)
}

#[test]
fn a_town_s_key_file_reads_back_with_every_key() {
    let town = town(500, 3);
    let file = sim::kem::write(town.meters().iter(), "sixteen letters!").unwrap();
    let password = SecretBytes::new(b"sixteen letters!".to_vec());
    let read = keyfile::read(&file, &password, &Trust::nobody(NOW)).unwrap();
    assert_eq!(read.devices.len(), 500);
    assert!(read.refused.is_empty() && read.shared.is_empty());
    for (meter, device) in town.meters().iter().zip(&read.devices) {
        assert_eq!(device.serial, meter.address().serial());
        assert_eq!(device.manufacturer, meter.address().manufacturer());
        assert_eq!(device.keys[0].bytes.expose(), meter.key());
    }
    let wrong = SecretBytes::new(b"another".to_vec());
    assert!(keyfile::read(&file, &wrong, &Trust::nobody(NOW)).is_err());
    // the file's meters can be played again with the same keys
    let played = sim::from_key_file(&read, 3, 16_000);
    assert!(played.iter().zip(town.meters()).all(|(a, b)| a.key() == b.key()));
}

#[test]
fn a_password_that_the_format_cannot_hold_is_refused() {
    let town = town(1, 1);
    for password in ["", "seventeen letters"] {
        assert!(sim::kem::write(town.meters().iter(), password).is_err());
    }
}

#[test]
fn a_roster_reads_back_and_names_what_is_wrong_without_showing_keys() {
    let town = town(20, 5);
    let text = sim::to_roster(town.meters());
    let back = sim::from_roster(&text, 5, 16_000).unwrap();
    for (a, b) in back.iter().zip(town.meters()) {
        assert_eq!((a.address(), a.key()), (b.address(), b.key()));
    }
    let key = hex::encode_upper(town.meters()[0].key());
    for (broken, word) in [
        (text.replacen("water-ell", "toaster", 1), "toaster"),
        (text.replacen(&key, &format!("{key}00"), 1), "32 hexadecimal digits"),
        (text.replacen("\"KAM\"", "\"kam\"", 1), "kam"),
        (text.replacen("\"serial\"", "\"cereal\"", 1), "line"),
    ] {
        let Err(refused) = sim::from_roster(&broken, 5, 16_000) else { panic!("{word} passed") };
        let message = refused.to_string();
        assert!(message.contains(word), "{message}");
        assert!(!message.contains(&key), "{message}");
    }
}

#[test]
fn the_same_seed_makes_the_same_town_and_another_seed_another() {
    let frames = |seed| {
        let mut town = town(40, seed);
        (0..200).map(|_| town.transmit().unwrap().frame).collect::<Vec<_>>()
    };
    assert_eq!(frames(7), frames(7));
    assert!(frames(7).iter().zip(frames(8)).all(|(a, b)| *a != b));
}
