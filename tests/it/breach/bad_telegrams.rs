//! Bad telegrams: each is refused under its own name, and costs nothing that was good.

use house_tests::feed::rtl_line;
use house_tests::house::Said;
use sim::Sort;
use wire::Room;

use crate::scene::Scene;

const ALL: &[&str] = &["water-ell", "water-mode5", "water-mode7"];

/// Delivers good telegrams, then bad ones of each meter that has that sort, then good ones again.
fn between_good_ones(models: &[&str], sort: Sort) -> (Scene, u64) {
    let mut scene = Scene::new(models, u32::try_from(models.len()).unwrap());
    let before = scene.good(3 * models.len());
    scene.deliver(&before);
    let bad: Vec<Vec<u8>> = (0..models.len()).map(|meter| scene.bad(sort, meter).frame).collect();
    scene.deliver(&bad);
    let after = scene.good(2 * models.len());
    scene.deliver(&after);
    scene.good_data_survived();
    (scene, bad.len() as u64)
}

#[test]
fn a_wrong_key_is_refused_as_such() {
    let (scene, n) = between_good_ones(&["water-ell", "water-mode5"], Sort::WrongKey);
    scene.counted(Room::Intake, "refused.wrong-key", n);
}

#[test]
fn a_wrong_key_under_a_mac_is_refused_as_such() {
    let (scene, n) = between_good_ones(&["water-mode7", "power-mode7"], Sort::WrongKey);
    scene.counted(Room::Intake, "refused.mac-mismatch", n);
}

#[test]
fn a_telegram_changed_on_the_way_is_refused() {
    let (scene, n) = between_good_ones(ALL, Sort::BitFlip);
    let account = scene.account();
    assert_eq!(account.refused("wrong-key") + account.refused("mac-mismatch"), n, "{account:?}");
}

#[test]
fn clear_where_cipher_is_due_is_refused() {
    let (scene, n) = between_good_ones(ALL, Sort::Clear);
    scene.counted(Room::Intake, "refused.clear-refused", n);
}

#[test]
fn a_lower_mode_than_before_is_refused() {
    let (scene, n) = between_good_ones(&["water-ell", "water-mode7"], Sort::Downgrade);
    scene.counted(Room::Intake, "refused.downgrade", n);
}

#[test]
fn a_rollback_is_refused() {
    let (scene, n) = between_good_ones(&["water-ell", "water-mode7"], Sort::Rollback);
    scene.counted(Room::Intake, "refused.rollback", n);
}

#[test]
fn a_conflict_is_refused() {
    let (scene, n) = between_good_ones(&["water-ell", "water-mode7"], Sort::Conflict);
    scene.counted(Room::Intake, "refused.conflict", n);
}

#[test]
fn a_leap_without_a_mac_is_refused_and_moves_nothing() {
    let (scene, n) = between_good_ones(&["water-ell"], Sort::Leap);
    scene.counted(Room::Intake, "refused.leap", n);
}

#[test]
fn a_replay_is_not_stored_twice() {
    let mut scene = Scene::new(ALL, 3);
    let first = scene.good(6);
    scene.deliver(&first);
    let second = scene.good(60);
    scene.deliver(&second);
    // The newest once more, and the oldest, after twenty newer ones of each meter.
    scene.deliver(&second[57..]);
    scene.deliver(&first);
    let account = scene.account();
    assert_eq!(account.stored, 66, "{account:?}");
    assert_eq!(account.duplicate + account.refused("rollback"), 9, "{account:?}");
    assert!(account.duplicate >= 3, "{account:?}");
    scene.good_data_survived();
}

#[test]
fn a_meter_without_a_key_is_refused_by_name() {
    let mut scene = Scene::new(ALL, 3);
    let good = scene.good(6);
    scene.deliver(&good);
    // A meter of a neighbouring town that was registered, but whose key has not come.
    let mut stranger = crate::scene::town(&["water-ell", "water-mode5", "water-mode7"], 9);
    let names: Vec<String> = stranger.meters().iter().skip(3).map(|m| m.address().to_string()).collect();
    let _ = scene.house.command("meters add").args(&names).said().good();
    let ours: Vec<_> = scene.town.meters().iter().map(|m| m.address()).collect();
    let mut frames = Vec::new();
    while frames.len() < 6 {
        let telegram = stranger.transmit().unwrap();
        let address = stranger.meters()[telegram.meter.unwrap()].address();
        if !ours.contains(&address) {
            frames.push(telegram.frame);
        }
    }
    // Intake hears of new meters within a moment; until then they are unknown.
    scene.house.wait_for("the register's news", |_| true);
    std::thread::sleep(std::time::Duration::from_secs(2));
    scene.deliver(&frames);
    scene.counted(Room::Intake, "refused.no-key", 6);
    scene.good_data_survived();
}

#[test]
fn a_damaged_frame_is_refused_where_it_is_seen() {
    let mut scene = Scene::new(ALL, 3);
    let good = scene.good(6);
    scene.deliver(&good);
    // The receiver says that the CRC failed; the line ends within the frame; the line is none.
    let frame = scene.good(1).remove(0);
    let line = rtl_line(&frame);
    let bad = [
        line.replacen(";1;1;", ";0;1;", 1),
        format!("{}\n", &line[..line.len() / 2]),
        "neither this\n".to_owned(),
    ];
    let log = |scene: &Scene| std::fs::read_to_string(scene.collector.log()).unwrap_or_default();
    scene.house.outside("").exists().then_some(()).unwrap();
    let file = scene.house.outside("bad-lines");
    std::fs::write(&file, bad.concat()).unwrap();
    scene.run_collector(&["--listen", "127.0.0.1:0", "--file", file.to_str().unwrap()]);
    scene.collector.wait_for("three refused lines", |counters| {
        counters.iter().filter(|(name, _)| name.starts_with("refused.")).map(|(_, n)| n).sum::<u64>() == 3
    });
    let counters = scene.collector.status().unwrap().1;
    assert_eq!(counters.get("refused.crc-failed"), Some(&1), "{counters:?}");
    scene.collector.stop();
    assert!(!log(&scene).contains("panicked"));
    // And one that the collector cannot tell from a good one: its security header points beyond its end.
    let mut short = frame.clone();
    short.truncate(15);
    short[0] = 14;
    scene.deliver(&[short, frame]);
    scene.counted(Room::Intake, "refused.damaged", 1);
    scene.good_data_survived();
}

#[test]
fn unknown_meters_are_counted_by_manufacturer_and_never_reach_the_vault() {
    let mut scene = Scene::new(ALL, 3);
    let good = scene.good(6);
    scene.deliver(&good);
    let neighbours: Vec<Vec<u8>> = (0..12).map(|_| scene.bad(Sort::Neighbour, 0).frame).collect();
    scene.deliver(&neighbours);
    scene.counted(Room::Intake, "refused.unknown-meter", 12);
    let status = scene.house.status();
    let by_manufacturer: Vec<(String, u64)> =
        status.counters(Room::Intake).into_iter().filter(|(name, _)| name.starts_with("unknown.")).collect();
    assert_eq!(by_manufacturer.iter().map(|(_, n)| n).sum::<u64>(), 12, "{by_manufacturer:?}");
    assert!(by_manufacturer.iter().any(|(name, _)| name.ends_with("KAM")), "{by_manufacturer:?}");
    let judged: u64 = status
        .counters(Room::Vault)
        .iter()
        .filter(|(name, _)| name.starts_with("verdict."))
        .map(|(_, n)| n)
        .sum();
    assert_eq!(judged, 6, "{:?}", status.counters(Room::Vault));
    scene.good_data_survived();
}

#[test]
fn a_wrong_passphrase_opens_no_vault_and_spoils_nothing() {
    let mut scene = Scene::new(ALL, 3);
    let good = scene.good(6);
    scene.deliver(&good);
    scene.house.stop_all();
    let wrong = scene.house.outside("wrong");
    house_tests::house::secret_file(&wrong, "not the passphrase of this house");
    let said: Said = scene.house.command("up").args(["--passphrase-file".as_ref(), wrong.as_os_str()]).said();
    assert_ne!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("passphrase"), "{said:?}");
    scene.house.start_all();
    let more = scene.good(3);
    scene.deliver(&more);
    scene.good_data_survived();
}
