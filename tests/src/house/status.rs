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

    /// What a room wants people to know.
    #[must_use]
    pub fn notes(&self, room: Room) -> Vec<String> {
        let notes = self.room(room).and_then(|r| r.get("notes")?.as_array());
        notes.into_iter().flatten().filter_map(|n| n.as_str().map(str::to_owned)).collect()
    }
}
