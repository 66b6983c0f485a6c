//! How much one collector may deliver: a bucket of telegrams that fills at a steady rate.

use std::collections::HashMap;
use std::time::Instant;

use base::CollectorId;

/// Seconds' worth of telegrams that a collector may deliver at once, after it was away for a while.
const BURST_SECONDS: f64 = 30.0;

/// Buckets by collector.
pub(crate) struct Limits {
    per_second: f64,
    buckets: HashMap<CollectorId, (Instant, f64)>,
}

impl Limits {
    pub(crate) fn new(telegrams_per_second: u32) -> Self {
        Self { per_second: f64::from(telegrams_per_second), buckets: HashMap::new() }
    }

    /// Takes `telegrams` from a collector's bucket; `false` when it has not so many left. One message is
    /// always let through a full bucket, however large it is, so that no limit can stop a collector for good.
    /// How many telegrams there are is only the collector's word, so 256 bytes count as one at least.
    pub(crate) fn take(&mut self, collector: CollectorId, telegrams: u64, bytes: u64, now: Instant) -> bool {
        let full = self.per_second * BURST_SECONDS;
        let (at, level) = self.buckets.entry(collector).or_insert((now, full));
        let filled = *level + now.saturating_duration_since(*at).as_secs_f64() * self.per_second;
        (*at, *level) = (now, filled.min(full));
        #[expect(clippy::cast_precision_loss, reason = "counts of telegrams in a message are small")]
        let wanted = telegrams.max(bytes / 256).max(1) as f64;
        if *level < wanted && *level < full {
            return false;
        }
        *level -= wanted;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_collector_is_slowed_down_alone_and_recovers() {
        let mut limits = Limits::new(10);
        let start = Instant::now();
        assert!(limits.take(CollectorId(1), 300, 0, start));
        assert!(!limits.take(CollectorId(1), 1, 0, start));
        assert!(limits.take(CollectorId(2), 300, 0, start), "another collector has its own bucket");
        assert!(limits.take(CollectorId(1), 10, 0, start + Duration::from_secs(1)));
        assert!(!limits.take(CollectorId(1), 1, 0, start + Duration::from_secs(1)));
        assert!(
            limits.take(CollectorId(1), 1000, 0, start + Duration::from_secs(60)),
            "one message always passes"
        );
        assert!(limits.take(CollectorId(3), 1, 256 * 290, start));
        assert!(!limits.take(CollectorId(3), 1, 256 * 20, start), "bytes count too");
    }
}
