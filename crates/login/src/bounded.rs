//! A map that never grows beyond a limit: what has recovered goes first, then what will recover soonest.

use std::collections::HashMap;
use std::hash::Hash;

use base::UtcMillis;

/// A counter that forgets.
pub(crate) trait Recovers {
    /// From then on it says nothing more, in milliseconds since 1970.
    fn recovered_at(&self) -> i64;
}

#[derive(Debug)]
pub(crate) struct Bounded<K, V> {
    most: usize,
    map: HashMap<K, V>,
}

impl<K: Eq + Hash, V: Recovers> Bounded<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self { most: most.max(1), map: HashMap::new() }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.map.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.map.get_mut(key)
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.map.remove(key);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.map.iter()
    }

    pub(crate) fn put(&mut self, key: K, value: V, now: UtcMillis) {
        if self.map.len() >= self.most && !self.map.contains_key(&key) {
            self.make_room(now);
        }
        self.map.insert(key, value);
    }

    /// A quarter at a time, so that a flood pays for it once in many inserts.
    fn make_room(&mut self, now: UtcMillis) {
        self.map.retain(|_, value| value.recovered_at() > now.0);
        if self.map.len() < self.most {
            return;
        }
        let mut times: Vec<i64> = self.map.values().map(Recovers::recovered_at).collect();
        let quarter = (times.len() / 4).min(times.len().saturating_sub(1));
        let (_, soonest, _) = times.select_nth_unstable(quarter);
        let soonest = *soonest;
        self.map.retain(|_, value| value.recovered_at() > soonest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Until(i64);

    impl Recovers for Until {
        fn recovered_at(&self) -> i64 {
            self.0
        }
    }

    #[test]
    fn it_never_grows_and_keeps_what_recovers_last() {
        let mut map = Bounded::new(100);
        map.put(-1, Until(i64::MAX), UtcMillis(0));
        for n in 0..10_000 {
            map.put(n, Until(i64::from(n) % 1000 + 10), UtcMillis(5));
            assert!(map.iter().count() <= 100);
        }
        assert!(map.get(&-1).is_some());
    }
}
