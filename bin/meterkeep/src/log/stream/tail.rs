//! What a receiver has read for sure.
//!
//! Neither syslog nor a pipe answers. But what is on its way lies in buffers of a known size: ours, the kernel's at both ends. What
//! was written before the last so many bytes has been read by the receiver's process, whatever became of the connection.

use std::collections::VecDeque;

/// What was written to one receiver since it was reached.
pub(super) struct Tail {
    /// Bytes that may be on their way, at most.
    unread: u64,
    written: u64,
    /// Entries that may be on their way, each with where it ends among the bytes written.
    ends: VecDeque<(u64, u64)>,
    sure: Option<u64>,
}

impl Tail {
    pub(super) const fn new(unread: u64) -> Self {
        Self { unread, written: 0, ends: VecDeque::new(), sure: None }
    }

    /// An entry was written with so many bytes.
    pub(super) fn wrote(&mut self, number: u64, bytes: usize) {
        self.written = self.written.saturating_add(bytes as u64);
        self.ends.push_back((number, self.written));
        let read = self.written.saturating_sub(self.unread);
        while let Some((number, _)) = self.ends.pop_front_if(|(_, end)| *end <= read) {
            self.sure = Some(number);
        }
    }

    /// All that was written lies where it stays.
    pub(super) fn all_stays(&mut self) {
        self.sure = self.ends.back().map(|(number, _)| *number).or(self.sure);
        self.ends.clear();
    }

    /// The highest entry that was read for sure, with all before it.
    pub(super) const fn sure(&self) -> Option<u64> {
        self.sure
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_entry_is_sure_when_all_that_may_be_on_its_way_was_written_after_it() {
        let mut tail = Tail::new(100);
        for number in 0..4 {
            tail.wrote(number, 30);
            assert_eq!(tail.sure(), None, "{number}");
        }
        tail.wrote(4, 9);
        assert_eq!(tail.sure(), None, "129 bytes: the first entry ends 99 before");
        tail.wrote(5, 1);
        assert_eq!(tail.sure(), Some(0));
        tail.wrote(6, 1000);
        assert_eq!(tail.sure(), Some(5), "the last may be on its way whole");
        tail.all_stays();
        assert_eq!(tail.sure(), Some(6));
        tail.all_stays();
        assert_eq!(tail.sure(), Some(6));
    }

    proptest! {
        #[test]
        fn what_a_receiver_did_not_read_is_never_sure(
            sizes in prop::collection::vec(1usize..500, 1..200),
            unread in 1u64..5000,
        ) {
            let mut tail = Tail::new(unread);
            for (number, size) in sizes.iter().enumerate() {
                tail.wrote(number as u64, *size);
                // a receiver that read as little as it can have
                let written: u64 = sizes[..=number].iter().map(|size| *size as u64).sum();
                let (mut read, mut whole) = (written.saturating_sub(unread), None);
                for (n, size) in sizes[..=number].iter().enumerate() {
                    if read < *size as u64 {
                        break;
                    }
                    read -= *size as u64;
                    whole = Some(n as u64);
                }
                prop_assert_eq!(tail.sure(), whole);
            }
        }
    }
}
