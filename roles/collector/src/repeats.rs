//! The same telegram heard twice: by two receivers, or sent again by a repeater.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hasher, RandomState};

/// Remembers the telegrams of a window of time.
///
/// It keeps a 64-bit keyed hash of each (a random key, so that nobody can make two telegrams collide) and its row among
/// all batches, in two generations: a telegram is remembered for the window, and at most for twice as long. Memory: at
/// most `2 * most` of them, about 34 bytes each (so 9 MB for the default of 131,072); when more telegrams than that
/// come in a window, the window is shorter.
pub struct Repeats {
    key: RandomState,
    window_ms: i64,
    most: usize,
    young: Generation,
    old: Generation,
}

#[derive(Default)]
struct Generation {
    since_ms: Option<i64>,
    hashes: HashMap<u64, u32, Passing>,
}

impl Repeats {
    /// Drops what came within `window_ms`; a window of 0 drops nothing.
    #[must_use]
    pub fn new(window_ms: i64, most: usize) -> Self {
        Self {
            key: RandomState::new(),
            window_ms,
            most,
            young: Generation::default(),
            old: Generation::default(),
        }
    }

    /// The row under which these bytes were there within the window; else remembers them under `row`. `now_ms` is
    /// monotonic.
    pub fn seen(&mut self, bytes: &[u8], now_ms: i64, row: u32) -> Option<u32> {
        if self.window_ms <= 0 {
            return None;
        }
        self.turn(now_ms);
        let hash = self.key.hash_one(bytes);
        // A repeat does not renew the memory: a meter that sends the same bytes for ever is heard now and then.
        if let Some(earlier) = self.old.hashes.get(&hash) {
            return Some(*earlier);
        }
        match self.young.hashes.entry(hash) {
            Entry::Occupied(earlier) => Some(*earlier.get()),
            Entry::Vacant(place) => {
                place.insert(row);
                None
            }
        }
    }

    /// Whether these bytes were there within the window; what is new is not remembered.
    pub fn knows(&mut self, bytes: &[u8], now_ms: i64) -> bool {
        self.turn(now_ms);
        let hash = self.key.hash_one(bytes);
        self.old.hashes.contains_key(&hash) || self.young.hashes.contains_key(&hash)
    }

    /// Begins another generation when it is time.
    fn turn(&mut self, now_ms: i64) {
        let since = *self.young.since_ms.get_or_insert(now_ms);
        if now_ms.saturating_sub(since) >= self.window_ms || self.young.hashes.len() >= self.most {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.hashes.clear();
            self.young.since_ms = Some(now_ms);
            // After a silence the generation that just ended is itself out of date.
            if self.old.since_ms.is_some_and(|s| now_ms.saturating_sub(s) >= self.window_ms.saturating_mul(2))
            {
                self.old.hashes.clear();
            }
        }
    }
}

/// The keys are hashes already.
#[derive(Default, Clone, Copy)]
struct Passing;

impl BuildHasher for Passing {
    type Hasher = Pass;

    fn build_hasher(&self) -> Pass {
        Pass(0)
    }
}

struct Pass(u64);

impl Hasher for Pass {
    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Repeats {
        fn again(&mut self, bytes: &[u8], now_ms: i64) -> bool {
            self.seen(bytes, now_ms, 0).is_some()
        }
    }

    #[test]
    fn a_repeat_within_the_window_is_seen_and_later_it_is_news_again() {
        let mut repeats = Repeats::new(60_000, 1000);
        assert!(!repeats.again(b"a", 0));
        assert!(repeats.again(b"a", 1));
        assert!(!repeats.again(b"b", 30_000));
        assert!(repeats.again(b"b", 89_000), "59 s after");
        assert!(!repeats.again(b"c", 1_000_000));
        assert!(!repeats.again(b"b", 1_000_001));
        assert!(!repeats.again(b"d", 1_000_002));
        assert!(repeats.again(b"d", 1_060_000));
    }

    #[test]
    fn everything_is_remembered_for_the_whole_window_and_memory_is_bounded() {
        let mut repeats = Repeats::new(1000, 500);
        for n in 0u32..10_000 {
            let t = i64::from(n) * 4; // 250 in a window
            assert!(!repeats.again(&n.to_le_bytes(), t));
            if let Some(before) = n.checked_sub(240) {
                assert!(repeats.again(&before.to_le_bytes(), t), "{n}");
            }
            assert!(repeats.young.hashes.len() <= 500 && repeats.old.hashes.len() <= 500);
        }
    }

    #[test]
    fn a_meter_that_never_changes_its_telegram_is_still_heard() {
        let mut repeats = Repeats::new(60_000, 1000);
        let heard = (0..100).filter(|n| !repeats.again(b"same", n * 16_000)).count();
        assert!((12..=27).contains(&heard), "{heard}");
    }

    #[test]
    fn a_repeat_names_the_row_of_the_first() {
        let mut repeats = Repeats::new(1000, 10);
        assert_eq!(repeats.seen(b"a", 0, 7), None);
        assert_eq!(repeats.seen(b"a", 1, 8), Some(7));
        assert_eq!(repeats.seen(b"b", 1500, 9), None, "another generation begins");
        assert_eq!(repeats.seen(b"a", 1501, 10), Some(7));
    }

    #[test]
    fn a_look_remembers_nothing_and_forgets_in_time() {
        let mut repeats = Repeats::new(1000, 10);
        assert!(!repeats.knows(b"a", 0) && !repeats.again(b"a", 0));
        assert!(repeats.knows(b"a", 999));
        assert!(!repeats.knows(b"a", 5000), "also where nothing else is heard");
    }

    #[test]
    fn a_window_of_zero_drops_nothing() {
        let mut repeats = Repeats::new(0, 10);
        assert!(!repeats.again(b"a", 0) && !repeats.again(b"a", 0));
    }
}
