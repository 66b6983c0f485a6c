//! Bad telegrams: each is refused under its own name, and costs nothing that was good.

use house_tests::feed::rtl_line;
use house_tests::house::Said;
use sim::{Sort, Transmission};
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
    let mut scene = Scene::since(2, &["water-ell", "water-mode7"], 2);
    let mut heard = scene.next(20);
    // An hour later somebody who has the key sends older counters, and nothing good was heard meanwhile.
    for meter in 0..2 {
        let mut forged = scene.bad(Sort::Rollback, meter);
        forged.at = heard[19].at.plus(3_600_000);
        heard.push(forged);
    }
    scene.hear(&heard);
    scene.counted(Room::Intake, "refused.rollback", 2);
    let more = scene.good(4);
    scene.deliver(&more);
    scene.good_data_survived();
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

/// Recorded telegrams are played again: at once they count as duplicates (a second receiver would do the same), after
/// hours as rollbacks. Mode 5 has no counter; there the registers and the meter's own time tell.
#[test]
fn a_replay_is_refused() {
    let mut scene = Scene::since(6, ALL, 3);
    let mut heard = scene.next(90);
    let last = heard[89].at;
    let at = |minutes: i64, from: &[Transmission]| -> Vec<Transmission> {
        let later = |(n, t): (usize, &Transmission)| Transmission {
            at: last.plus(minutes * 60_000 + n as i64),
            ..t.clone()
        };
        from.iter().enumerate().map(later).collect()
    };
    let (oldest, newest) = (at(240, &heard[..6]), at(2, &heard[87..]));
    heard.extend(newest);
    heard.extend(oldest);
    scene.hear(&heard);
    let account = scene.account();
    assert_eq!((account.telegrams, account.stored), (99, 90), "{account:?}");
    assert_eq!(account.duplicate, 3, "{account:?}");
    scene.counted(Room::Intake, "refused.rollback", 6);
    scene.good_data_survived();
}

#[test]
fn a_meter_without_a_key_is_refused_by_name() {
    let mut scene = Scene::new(ALL, 3);
    let good = scene.good(6);
    scene.deliver(&good);
    // Meters that were registered, but whose keys have not come.
    let models = ["water-ell", "water-mode5", "water-mode7"];
    let mut others = crate::scene::town_since(base::UtcMillis::now(), &models, 3, 6);
    let names: Vec<String> = others.meters().iter().map(|m| m.address().to_string()).collect();
    let _ = scene.house.command("meters add").args(&names).said().good();
    let frames: Vec<Vec<u8>> = (0..6).map(|_| others.transmit().unwrap().frame).collect();
    // Until intake has heard of them they are unknown.
    scene.house.wait_for("the register's news", |status| status.counter(Room::Intake, "meters") == 6);
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
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("the passphrase does not fit"), "{said:?}");
    scene.house.start_all();
    let more = scene.good(3);
    scene.deliver(&more);
    scene.good_data_survived();
}
