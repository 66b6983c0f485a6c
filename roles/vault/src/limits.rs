//! How often something may be done in an hour, for as long as the vault runs.

use std::collections::HashMap;
use std::hash::Hash;

use base::UtcMillis;

const HOUR: i64 = 3_600_000;

/// Counts a thing by key in hours that do not slide: at most `limit` in each.
pub(crate) struct PerHour<K> {
    limit: u64,
    hour: i64,
    counts: HashMap<K, u64>,
}

impl<K: Eq + Hash> PerHour<K> {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, hour: i64::MIN, counts: HashMap::new() }
    }

    /// Takes `n`, if that many are left for this key in this hour.
    pub(crate) fn take(&mut self, key: K, n: u64, now: UtcMillis) -> bool {
        let hour = now.0.div_euclid(HOUR);
        if hour != self.hour {
            self.hour = hour;
            self.counts.clear();
        }
        let count = self.counts.entry(key).or_default();
        let fits = count.saturating_add(n) <= self.limit;
        if fits {
            *count += n;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_given_and_no_more_until_the_next_hour() {
        let mut limit = PerHour::new(10);
        let now = UtcMillis(1_795_000_000_000);
        assert!(limit.take("anna", 7, now) && limit.take("bo", 10, now));
        assert!(!limit.take("anna", 4, now), "all or nothing");
        assert!(limit.take("anna", 3, now) && !limit.take("anna", 1, now));
        assert!(limit.take("anna", 10, now.plus(HOUR)));
    }
}
