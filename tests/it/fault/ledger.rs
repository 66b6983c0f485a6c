//! The ledger is away: nothing is read, everything is collected, and when it is back all goes on.

use std::time::{Duration, Instant};

use wire::Room;

use crate::custody::words;
use crate::scene::Scene;

/// A read is refused within so long, the start of the command and all.
const SOON: Duration = Duration::from_secs(2);

#[test]
fn with_the_ledger_away_every_kind_of_read_is_refused_and_telegrams_are_taken() {
    let mut scene = Scene::new(&["water-mode5"], 2);
    let frames = scene.good(4);
    scene.deliver(&frames);
    let before = scene.good_data_survived().len();
    let meter = scene.town.meters()[0].address().to_string();
    scene.house.stop(Room::Ledger);

    let reads: [(&str, &[&str]); 9] = [
        ("readings", &[]),
        ("readings", &["--class", "daily"]),
        ("meters tenancies", &[&meter]),
        ("meters list", &[]),
        ("meters health", &[]),
        ("contacts show", &["--tenancy", "00000000000000000000000000000001", "--purpose", "notification"]),
        ("keys show", &[&meter]),
        ("handover list", &[]),
        ("access list", &[]),
    ];
    for (command, arguments) in reads {
        let began = Instant::now();
        let said = scene.house.command(command).args(arguments).said();
        let took = began.elapsed();
        assert_ne!(said.code, Some(0), "{command} {arguments:?}: {said:?}");
        assert!(said.out.is_empty(), "nothing is shown: {said:?}");
        let why = words(&said.err);
        assert!(why.contains("ledger"), "{command} {arguments:?} does not say why: {why}");
        assert!(took < SOON, "{command} took {took:?} to say no");
    }

    let waiting = scene.good(4);
    scene.deliver(&waiting);
    let status = scene.house.wait_for("events that wait", |s| s.counter(Room::Intake, "events.waiting") > 0);
    assert!(status.account().sums_agree);

    scene.house.start(Room::Ledger);
    scene.house.wait_until_ready();
    scene.house.wait_for("no event to wait", |s| s.counter(Room::Intake, "events.waiting") == 0);
    assert_eq!(scene.good_data_survived().len(), before + waiting.len());
}
