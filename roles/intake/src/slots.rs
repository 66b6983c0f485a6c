//! Flat lists by slot: what is remembered of each meter lies side by side, and is found without hashing.

/// One element a meter; the list grows to the highest slot asked for. `spare` is never used: it stands where the
/// compiler cannot see that the slot is there.
#[derive(Debug, Default)]
pub(crate) struct Slots<T> {
    rows: Vec<T>,
    spare: T,
}

impl<T: Default + Clone> Slots<T> {
    /// The element of a slot.
    pub(crate) fn at(&mut self, slot: usize) -> &mut T {
        if slot >= self.rows.len() {
            self.rows.resize(slot.saturating_add(1), T::default());
        }
        self.rows.get_mut(slot).unwrap_or(&mut self.spare)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_grows_to_what_is_asked_for() {
        let mut slots = Slots::<u8>::default();
        *slots.at(5) = 7;
        *slots.at(0) = 1;
        assert_eq!((slots.rows.as_slice(), slots.spare), ([1, 0, 0, 0, 0, 7].as_slice(), 0));
    }
}
