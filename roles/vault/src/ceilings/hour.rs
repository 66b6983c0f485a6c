//! What was let out in this hour, by person, grant and room.

use std::collections::{HashMap, HashSet};

use base::{MeterId, Month, UtcMillis};

use super::record::{By, Taken};
use super::{Cap, Caps, begins};

/// Keys of one meter and earlier month that intake gets in an hour: it caches them and starts rarely.
const LATE_KEYS: u64 = 12;

/// A ceiling that was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Whose: `person anna`, `grant 07..`, `the archive`, `intake`.
    pub(crate) whose: String,
    /// Of what: `data keys` or `meters`.
    pub(crate) what: &'static str,
    /// How many there may be in an hour.
    pub(crate) most: u64,
    /// Not noticed before in this hour.
    pub(crate) first: bool,
}

impl std::fmt::Display for Reached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { whose, what, most, .. } = self;
        write!(f, "{whose} has reached the ceiling of {most} {what} in an hour")
    }
}

/// What one person, grant or room has opened.
#[derive(Default)]
struct Opened {
    keys: u64,
    meters: HashSet<u32>,
}

impl Opened {
    fn over(&self, cap: Cap, keys: u64, meters: &[u32]) -> Option<(&'static str, u64)> {
        if self.keys.saturating_add(keys) > cap.keys {
            return Some(("data keys", cap.keys));
        }
        let new = meters.iter().filter(|meter| !self.meters.contains(meter)).count();
        let all = u64::try_from(self.meters.len().saturating_add(new)).unwrap_or(u64::MAX);
        (all > cap.meters).then_some(("meters", cap.meters))
    }

    fn add(&mut self, keys: u64, meters: &[u32]) {
        self.keys = self.keys.saturating_add(keys);
        self.meters.extend(meters);
    }
}

/// The present hour.
pub(crate) struct Hour {
    caps: Caps,
    hour: i64,
    persons: HashMap<String, Opened>,
    grants: HashMap<[u8; 16], Opened>,
    archive: Opened,
    steward: Opened,
    intake: u64,
    late: HashMap<(MeterId, Month), u64>,
    /// How far the decryption of this hour was reserved.
    decrypting: u64,
    reached: HashSet<String>,
}

/// What intake gets: for each series whether, and the ceiling that it has reached.
pub(crate) struct Sealing {
    pub(crate) granted: Vec<bool>,
    pub(crate) taken: Option<Taken>,
    pub(crate) reached: Option<Reached>,
}

impl Hour {
    pub(crate) fn new(caps: Caps) -> Self {
        Self {
            caps,
            hour: i64::MIN,
            persons: HashMap::new(),
            grants: HashMap::new(),
            archive: Opened::default(),
            steward: Opened::default(),
            intake: 0,
            late: HashMap::new(),
            decrypting: 0,
            reached: HashSet::new(),
        }
    }

    fn begin(&mut self, now: UtcMillis) {
        if begins(&mut self.hour, now) {
            *self = Self { hour: self.hour, ..Self::new(self.caps) };
        }
    }

    /// Counts what the journal says.
    pub(crate) fn restore(&mut self, taken: &Taken) {
        self.begin(taken.at);
        match &taken.by {
            By::Reading { person, grant } => {
                self.persons.entry(person.clone()).or_default().add(taken.keys, &taken.meters);
                self.grants.entry(*grant).or_default().add(taken.keys, &taken.meters);
                self.archive.add(taken.keys, &taken.meters);
            }
            By::Sealing { late } => {
                self.intake = self.intake.saturating_add(taken.keys);
                for (meter, month) in late {
                    *self.late.entry((*meter, *month)).or_default() += 1;
                }
            }
            By::Resealing => self.steward.add(taken.keys, &taken.meters),
            By::Decrypting => self.decrypting = self.decrypting.max(taken.keys),
        }
    }

    /// Whether a question's keys fit under the ceilings of its person, its grant and the archive, or under the steward's: all
    /// or none.
    pub(crate) fn fits(&mut self, taken: &Taken) -> Result<(), Reached> {
        self.begin(taken.at);
        let (person, grant) = match &taken.by {
            By::Reading { person, grant } => (person, grant),
            By::Resealing => {
                let over = self.steward.over(self.caps.steward, taken.keys, &taken.meters);
                let Some((what, most)) = over else { return Ok(()) };
                let whose = "the steward".to_owned();
                let first = self.reached.insert(whose.clone());
                return Err(Reached { whose, what, most, first });
            }
            By::Sealing { .. } | By::Decrypting => return Ok(()),
        };
        let none = Opened::default();
        let of_person = self.persons.get(person).unwrap_or(&none);
        let of_grant = self.grants.get(grant).unwrap_or(&none);
        let over = |opened: &Opened, cap| opened.over(cap, taken.keys, &taken.meters);
        let (whose, (what, most)) = if let Some(over) = over(of_person, self.caps.person) {
            (format!("person {person}"), over)
        } else if let Some(over) = over(of_grant, self.caps.grant) {
            (format!("grant {} of {person}", hex::encode(grant)), over)
        } else if let Some(over) = over(&self.archive, self.caps.archive) {
            ("the archive".to_owned(), over)
        } else {
            return Ok(());
        };
        let first = self.reached.insert(whose.clone());
        Err(Reached { whose, what, most, first })
    }

    /// Which series intake gets keys of; those of past months are limited one by one.
    pub(crate) fn seal(&mut self, wanted: &[(MeterId, Month, bool)], now: UtcMillis) -> Sealing {
        self.begin(now);
        let (mut keys, mut late, mut full) = (0u64, Vec::new(), false);
        let mut given: HashMap<(MeterId, Month), u64> = HashMap::new();
        let mut granted = Vec::with_capacity(wanted.len());
        for (meter, month, is_late) in wanted {
            let series = (*meter, *month);
            let before = self.late.get(&series).copied().unwrap_or_default();
            let now_given = given.get(&series).copied().unwrap_or_default();
            let fits = self.intake.saturating_add(keys) < self.caps.intake_keys;
            full |= !fits;
            let may = fits && !(*is_late && before.saturating_add(now_given) >= LATE_KEYS);
            if may {
                keys += 1;
                if *is_late {
                    *given.entry(series).or_default() += 1;
                    late.push(series);
                }
            }
            granted.push(may);
        }
        let taken = (keys > 0).then(|| Taken { at: now, by: By::Sealing { late }, keys, meters: Vec::new() });
        let whose = "intake".to_owned();
        let reached = full.then(|| Reached {
            first: self.reached.insert(whose.clone()),
            whose,
            what: "data keys",
            most: self.caps.intake_keys,
        });
        Sealing { granted, taken, reached }
    }

    /// Which hour it is.
    pub(crate) const fn number(&self) -> i64 {
        self.hour
    }

    /// How far the decryption of the newest hour was reserved, and which that is.
    pub(crate) const fn decrypting(&self) -> (i64, u64) {
        (self.hour, self.decrypting)
    }
}

#[cfg(test)]
mod tests {
    use super::super::HOUR;
    use super::*;

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

    fn caps() -> Caps {
        let cap = |keys, meters| Cap { keys, meters };
        Caps {
            person: cap(10, 3),
            grant: cap(8, 3),
            archive: cap(15, 5),
            steward: cap(6, 2),
            intake_keys: 20,
            ..Caps::default()
        }
    }

    fn taken(person: &str, grant: u8, keys: u64, meters: &[u32], at: UtcMillis) -> Taken {
        let by = By::Reading { person: person.to_owned(), grant: [grant; 16] };
        Taken { at, by, keys, meters: meters.to_vec() }
    }

    /// Asks, and says which ceiling was reached.
    fn ask(hour: &mut Hour, taken: &Taken) -> String {
        match hour.fits(taken) {
            Ok(()) => {
                hour.restore(taken);
                String::new()
            }
            Err(reached) => format!("{} {}", reached.whose, reached.what),
        }
    }

    #[test]
    fn person_grant_and_archive_each_have_a_ceiling_of_keys_and_of_meters() {
        let mut hour = Hour::new(caps());
        assert_eq!(ask(&mut hour, &taken("anna", 1, 8, &[1, 2], NOW)), "");
        assert_eq!(
            ask(&mut hour, &taken("anna", 1, 1, &[1], NOW)),
            "grant 01010101010101010101010101010101 of anna data keys"
        );
        assert_eq!(ask(&mut hour, &taken("anna", 2, 3, &[1], NOW)), "person anna data keys");
        assert_eq!(ask(&mut hour, &taken("anna", 2, 1, &[1, 3, 4], NOW)), "person anna meters");
        assert_eq!(ask(&mut hour, &taken("anna", 2, 2, &[2, 3], NOW)), "", "meters opened before count once");
        assert_eq!(ask(&mut hour, &taken("bo", 3, 6, &[5], NOW)), "the archive data keys");
        assert_eq!(ask(&mut hour, &taken("bo", 3, 2, &[5, 6, 7], NOW)), "the archive meters");
        assert_eq!(ask(&mut hour, &taken("bo", 3, 5, &[5, 6], NOW)), "");
        assert_eq!(ask(&mut hour, &taken("carl", 4, 1, &[1], NOW)), "the archive data keys");
        assert_eq!(ask(&mut hour, &taken("carl", 4, 1, &[1], NOW.plus(HOUR))), "");
    }

    #[test]
    fn the_steward_has_a_ceiling_of_its_own_and_takes_nothing_from_people() {
        let mut hour = Hour::new(caps());
        let job = |keys, meters: &[u32], at| Taken { at, by: By::Resealing, keys, meters: meters.to_vec() };
        assert_eq!(ask(&mut hour, &job(6, &[1], NOW)), "");
        assert_eq!(ask(&mut hour, &job(1, &[1], NOW)), "the steward data keys");
        assert_eq!(ask(&mut hour, &taken("anna", 1, 8, &[1, 2], NOW)), "");
        assert_eq!(ask(&mut hour, &job(3, &[2, 3, 4], NOW.plus(HOUR))), "the steward meters");
        assert_eq!(ask(&mut hour, &job(3, &[2, 3], NOW.plus(HOUR))), "");
    }

    #[test]
    fn a_ceiling_is_told_once_an_hour_and_a_clock_set_back_refills_nothing() {
        let mut hour = Hour::new(caps());
        assert_eq!(ask(&mut hour, &taken("anna", 1, 8, &[1], NOW)), "");
        let again = taken("anna", 1, 1, &[1], NOW);
        assert!(hour.fits(&again).unwrap_err().first);
        assert!(!hour.fits(&again).unwrap_err().first);
        let earlier = taken("anna", 1, 1, &[1], NOW.plus(-5 * HOUR));
        assert!(!hour.fits(&earlier).unwrap_err().first, "the clock was set back");
        assert!(!hour.fits(&again).unwrap_err().first, "and forward again");
        assert!(hour.fits(&taken("anna", 1, 1, &[1], NOW.plus(HOUR))).is_ok());
        // far ahead for a moment, and right again
        hour.restore(&taken("anna", 1, 8, &[1], NOW.plus(9000 * HOUR)));
        assert!(hour.fits(&taken("anna", 1, 1, &[1], NOW.plus(2 * HOUR))).is_err());
        assert!(hour.fits(&taken("anna", 1, 1, &[1], NOW.plus(3 * HOUR))).is_ok());
    }

    #[test]
    fn intake_gets_few_keys_of_past_months_and_no_more_than_its_ceiling() {
        let mut hour = Hour::new(caps());
        let month = Month::from_number(24_000);
        let mut ask = |n: usize, late: bool, now| {
            let sealing = hour.seal(&vec![(MeterId(1), month, late); n], now);
            sealing.taken.iter().for_each(|taken| hour.restore(taken));
            (sealing.granted.iter().filter(|may| **may).count(), sealing.reached.is_some())
        };
        assert_eq!(ask(14, true, NOW), (12, false));
        assert_eq!(ask(1, true, NOW), (0, false));
        assert_eq!(ask(10, false, NOW), (8, true));
        assert_eq!(ask(1, true, NOW.plus(HOUR)), (1, false));
    }
}
