//! What `meterkeep status --format json` says.

use std::collections::BTreeMap;

use serde_json::Value;
use wire::Room;

/// How a house is.
#[derive(Debug, Clone)]
pub struct Status(pub Value);

impl Status {
    fn room(&self, room: Room) -> Option<&Value> {
        self.0
            .get("rooms")?
            .as_array()?
            .iter()
            .find(|r| r.get("room").and_then(Value::as_str) == Some(room.name()))
    }

    /// A room's state; empty when it does not answer.
    #[must_use]
    pub fn state(&self, room: Room) -> &str {
        self.room(room).and_then(|r| r.get("state")?.as_str()).unwrap_or_default()
    }

    /// A room's counters by name.
    #[must_use]
    pub fn counters(&self, room: Room) -> BTreeMap<String, u64> {
        let counters = self.room(room).and_then(|r| r.get("counters")?.as_object());
        counters.into_iter().flatten().filter_map(|(name, n)| Some((name.clone(), n.as_u64()?))).collect()
    }

    /// One of them; 0 when nothing was counted.
    #[must_use]
    pub fn counter(&self, room: Room, name: &str) -> u64 {
        self.counters(room).get(name).copied().unwrap_or(0)
    }

    /// What became of the telegrams that were acknowledged and committed.
    #[must_use]
    pub fn account(&self) -> Account {
        let all = self.0.get("telegrams").cloned().unwrap_or_default();
        let number = |name: &str| all.get(name).and_then(Value::as_u64).unwrap_or(0);
        let refused = all.get("refused").and_then(Value::as_object);
        Account {
            telegrams: number("telegrams"),
            stored: number("stored"),
            thinned: number("thinned"),
            late: number("late"),
            duplicate: number("duplicate"),
            refused: refused
                .into_iter()
                .flatten()
                .filter_map(|(n, v)| Some((n.clone(), v.as_u64()?)))
                .collect(),
            sums_agree: all.get("sums_agree").and_then(Value::as_bool).unwrap_or(false),
        }
    }

    /// What a room wants people to know.
    #[must_use]
    pub fn notes(&self, room: Room) -> Vec<String> {
        let notes = self.room(room).and_then(|r| r.get("notes")?.as_array());
        notes.into_iter().flatten().filter_map(|n| n.as_str().map(str::to_owned)).collect()
    }
}

/// What became of telegrams, by outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// All of them.
    pub telegrams: u64,
    /// Kept as readings.
    pub stored: u64,
    /// Good, but finer than the policy keeps.
    pub thinned: u64,
    /// Kept, after a newer one.
    pub late: u64,
    /// Heard before.
    pub duplicate: u64,
    /// Refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Whether the house itself finds that the outcomes add up.
    pub sums_agree: bool,
}

impl Account {
    /// Refused for a reason.
    #[must_use]
    pub fn refused(&self, reason: &str) -> u64 {
        self.refused.get(reason).copied().unwrap_or(0)
    }

    /// The outcomes, added up here.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.stored + self.thinned + self.late + self.duplicate + self.refused.values().sum::<u64>()
    }
}
