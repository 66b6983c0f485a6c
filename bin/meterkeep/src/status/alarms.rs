//! What somebody has to look into now, in words, on top of everything else.

use std::collections::BTreeMap;

use base::UtcMillis;
use wire::Room;
use wire::ledger::LOG_AWAY;

use super::{ALARM, RoomStatus, SILENT};
use crate::launcher::Away;
use crate::output::{ago, count, shown};

/// The ledger's counter of months whose review is overdue.
const REVIEW_OVERDUE: &str = "alarm.review-overdue";

/// All alarms, the worst first: rooms that are away, the log, and what rooms count as `alarm.`.
pub(super) fn alarms(rooms: &[RoomStatus], away: &BTreeMap<String, Away>, now: UtcMillis) -> Vec<String> {
    let mut all: Vec<String> = rooms
        .iter()
        .filter(|room| room.state == SILENT)
        .map(|room| silent(room.room, away.get(room.room), now))
        .collect();
    let raised = |room: &RoomStatus, name: &str| room.counters.get(name).copied().unwrap_or(0);
    let cut_off: Vec<&str> =
        rooms.iter().filter(|room| raised(room, LOG_AWAY) > 0).map(|room| room.room).collect();
    if !cut_off.is_empty() {
        all.push(format!("the log is away for {}", cut_off.join(", ")));
    }
    for room in rooms {
        for (name, n) in room.counters.iter().filter(|(name, n)| name.starts_with(ALARM) && **n > 0) {
            match name.as_str() {
                LOG_AWAY => {}
                REVIEW_OVERDUE => all.push(format!(
                    "the log's review is overdue for {}; `meterkeep log review` lists them",
                    count(*n, "month")
                )),
                other => {
                    let word = shown(other.strip_prefix(ALARM).unwrap_or(other));
                    all.push(format!("{}: {word} ({})", room.room, count(*n, "time")));
                }
            }
        }
    }
    all
}

fn silent(room: &str, away: Option<&Away>, now: UtcMillis) -> String {
    let since = away.map_or_else(
        || "does not answer".to_owned(),
        |away| {
            let for_ms = u64::try_from(now.since(UtcMillis(away.since_ms))).unwrap_or(0);
            format!("has been away for {} ({})", ago(for_ms), shown(&away.why))
        },
    );
    let without =
        if room == Room::Ledger.name() { ": nothing is read, given or changed until it is back" } else { "" };
    format!("the {room} {since}{without}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

    fn room(room: Room, state: &str, counters: &[(&str, u64)]) -> RoomStatus {
        let counters = counters.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        RoomStatus {
            room: room.name(),
            state: state.to_owned(),
            up_ms: None,
            restarts: 0,
            counters,
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_ledger_that_is_away_is_told_first_with_since_when_and_what_that_means() {
        let rooms = [
            room(Room::Archive, "ready", &[(LOG_AWAY, 1), ("alarm.vault-put-back", 2)]),
            room(Room::Warden, "ready", &[(LOG_AWAY, 1), ("denied.no-case", 3)]),
            room(Room::Ledger, SILENT, &[]),
        ];
        let why = "the log cannot be opened".to_owned();
        let away = BTreeMap::from([("ledger".to_owned(), Away { since_ms: NOW.0 - 42_000, why })]);
        assert_eq!(
            alarms(&rooms, &away, NOW),
            [
                "the ledger has been away for 42 s (the log cannot be opened): nothing is read, given or changed until it is back",
                "the log is away for archive, warden",
                "archive: vault-put-back (2 times)",
            ]
        );
        let said = alarms(&rooms, &BTreeMap::new(), NOW);
        assert!(said[0].starts_with("the ledger does not answer: nothing is read"), "{said:?}");
    }

    #[test]
    fn reviews_that_are_overdue_are_told_and_what_is_well_is_not() {
        let told = |n| alarms(&[room(Room::Ledger, "ready", &[(REVIEW_OVERDUE, n)])], &BTreeMap::new(), NOW);
        assert_eq!(told(0), Vec::<String>::new());
        assert_eq!(told(1), ["the log's review is overdue for 1 month; `meterkeep log review` lists them"]);
        assert_eq!(told(2), ["the log's review is overdue for 2 months; `meterkeep log review` lists them"]);
    }
}
