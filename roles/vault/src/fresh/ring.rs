//! The telegrams of one meter that were accepted last, by hash.

use super::meter::Seen;

/// Accepted telegrams remembered byte for byte (by hash).
pub(crate) const RING: usize = 8;

/// At most [`RING`] of them, oldest first. It takes one pointer of its meter: a million lie in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ring(Option<Box<Held>>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Held {
    seen: [Seen; RING],
    len: u8,
}

impl Ring {
    /// From stored ones; more than there can be are refused.
    pub(crate) fn restored(seen: &[Seen]) -> Option<Self> {
        let mut ring = Self::default();
        seen.iter().for_each(|seen| ring.push(*seen));
        (seen.len() <= RING).then_some(ring)
    }

    /// Takes one more in; the oldest goes when there are too many.
    pub(crate) fn push(&mut self, seen: Seen) {
        let held = self.0.get_or_insert_default();
        if let Some(place) = held.seen.get_mut(usize::from(held.len)) {
            *place = seen;
            held.len += 1;
            return;
        }
        held.seen.rotate_left(1);
        if let Some(last) = held.seen.last_mut() {
            *last = seen;
        }
    }

    fn held(&self) -> &[Seen] {
        let held = self.0.as_deref().and_then(|held| held.seen.get(..usize::from(held.len)));
        held.unwrap_or_default()
    }

    /// Reads both ends of what is held, so that it lies near.
    pub(crate) fn touch(&self) -> u64 {
        self.0.as_deref().map_or(0, |held| {
            let first = held.seen.first().map_or(0, |seen| seen.hash);
            let middle = held.seen.get(RING / 2).map_or(0, |seen| seen.hash);
            first ^ middle ^ u64::from(held.len)
        })
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Seen> {
        self.held().iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.held().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fresh::Secs;

    #[test]
    fn the_newest_eight_are_kept_in_their_order() {
        let seen = |n: u32| Seen { counter: n, at: Secs(n), hash: u64::from(n) };
        let mut ring = Ring::default();
        assert_eq!(ring.len(), 0);
        for n in 1..=11 {
            ring.push(seen(n));
            let first = n.saturating_sub(7).max(1);
            assert!(ring.iter().copied().eq((first..=n).map(seen)), "{n}");
        }
        let all: Vec<Seen> = ring.iter().copied().collect();
        assert_eq!(Ring::restored(&all), Some(ring));
        assert_eq!(Ring::restored(&[all.as_slice(), &all].concat()), None);
    }
}
