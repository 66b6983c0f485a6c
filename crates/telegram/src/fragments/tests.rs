use super::*;
use proptest::prelude::*;

/// A table whose caller keeps the number of the call.
#[derive(Default)]
struct Table {
    table: Fragments<u32>,
    calls: u32,
}

impl Table {
    fn new() -> Self {
        Self::default()
    }

    fn waiting(&self) -> usize {
        self.table.waiting()
    }

    fn take(&mut self, frame: &[u8]) -> Taken<u32> {
        self.calls += 1;
        self.table.take(frame, 0, self.calls)
    }

    /// Which calls' frames the last one gave up.
    fn given_up(&mut self) -> Vec<u32> {
        self.table.given_up().into_iter().map(|part| part.heard).collect()
    }
}

const MESSAGE: &[u8] = b"\x7a\x05\x00\x00\x00\x04\x13\x2b\x0b\x00\x00\x44\x13\x01\x00\x00\x00";

/// A message of a sender, cut behind these places; the first fragment says what is said of the whole, the last one
/// carries the MAC.
fn fragments(sender: u8, message: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let places: Vec<usize> = [0].iter().chain(cuts).chain([&message.len()]).copied().collect();
    let last = places.len() - 2;
    let pieces = places.windows(2).enumerate().map(|(n, place)| {
        let mut layer = vec![n as u8 + 1, 0];
        if n == 0 {
            layer[1] |= 0x38;
            layer.extend([0x75, 9, 0, 0, 0]);
            layer.extend(u16::try_from(message.len()).unwrap().to_le_bytes());
        }
        if n == last {
            layer[1] |= 0x24;
            layer.extend_from_slice(if n == 0 { &[] } else { &[0x25] });
            layer.extend([0xaa; 8]);
        } else {
            layer[1] |= 0x40;
        }
        let mut frame =
            vec![0, 0x44, 0x2d, 0x2c, sender, 0x56, 0x34, 0x12, 0x1b, 0x16, 0x8c, 0x20, 0x2a, 0x90];
        frame.push(layer.len() as u8);
        frame.extend(layer);
        frame.extend(&message[place[0]..place[1]]);
        frame[0] = (frame.len() - 1) as u8;
        frame
    });
    pieces.collect()
}

#[test]
fn fragments_in_order_join_to_a_frame_that_reads() {
    let mut table = Table::new();
    let parts = fragments(1, MESSAGE, &[5, 11]);
    assert_eq!(table.take(&parts[0]), Taken::Waiting(1));
    assert_eq!(table.take(&parts[0]), Taken::Waiting(1), "heard twice");
    assert_eq!(table.take(&parts[1]), Taken::Waiting(2));
    let Taken::Joined(Joined { frame, parts: made_of }) = table.take(&parts[2]) else {
        panic!("it is whole")
    };
    assert_eq!(made_of.iter().map(|part| part.heard).collect::<Vec<_>>(), [1, 3, 4]);
    assert!(made_of.iter().map(|part| &part.frame).eq(&parts) && table.given_up().is_empty());
    assert_eq!(table.waiting(), 0);
    let layers = Layers::read(&frame).unwrap();
    let afl = layers.afl.unwrap();
    assert!(!afl.is_fragment());
    assert_eq!((afl.message_counter, afl.message_length), (Some(9), Some(17)));
    assert_eq!((afl.mac.len(), layers.ell.unwrap().access_number), (8, 0x2a));
    assert_eq!(&frame[layers.payload], &MESSAGE[5..]);
}

#[test]
fn what_does_not_fit_is_dropped_with_its_reason() {
    let mut table = Table::new();
    let parts = fragments(1, MESSAGE, &[5, 11]);
    let lost = |got, expected| Taken::Dropped(FragmentError::OutOfOrder { got, expected });
    assert_eq!(table.take(&parts[1]), lost(2, 1));
    assert_eq!(table.given_up(), [1]);
    assert_eq!(table.take(&parts[0]), Taken::Waiting(1));
    assert_eq!(table.take(&parts[2]), lost(3, 2));
    assert_eq!(table.given_up(), [2, 3], "its message is handed back as it was heard");
    assert_eq!(table.take(&parts[1]), lost(2, 1), "the message is gone");
    let mut other = fragments(1, &[MESSAGE, b"\x00"].concat(), &[5])[1].clone();
    other[15] = 2;
    table.take(&fragments(1, MESSAGE, &[5])[0]);
    assert_eq!(table.take(&other), Taken::Dropped(FragmentError::Length { declared: 17, actual: 18 }));
    let frame = b"\x0e\x44\x2d\x2c\x78\x56\x34\x12\x1b\x16\x7a\x05\x00\x00\x00";
    assert_eq!(table.take(frame), Taken::Whole);
}

#[test]
fn a_message_longer_than_a_frame_joins_and_an_endless_one_does_not() {
    let long = [&[0x7a, 5, 0, 0, 0][..], &[0x2f; 600]].concat();
    let mut table = Table::new();
    let mut last = Taken::Whole;
    for part in fragments(1, &long, &[150, 300, 450]) {
        last = table.take(&part);
    }
    let Taken::Joined(Joined { frame, .. }) = last else { panic!("{last:?}") };
    assert_eq!((frame[0], frame.len() > 600), (0, true));
    assert_eq!(Layers::read(&frame).unwrap().payload.len(), 600);
    let cuts: Vec<usize> = (1..42).map(|n| n * 100).collect();
    let endless = fragments(2, &[0; 4200], &cuts);
    let outcome: Vec<Taken<u32>> = endless.iter().map(|part| table.take(part)).collect();
    assert!(outcome.contains(&Taken::Dropped(FragmentError::TooLong)));
    assert_eq!(table.waiting(), 0);
}

#[test]
fn the_table_is_bounded_and_the_oldest_gives_way() {
    let mut table = Table::new();
    for sender in 0..=255u8 {
        table.take(&fragments(sender, MESSAGE, &[5])[0]);
        assert!(table.waiting() <= MAX_OPEN);
    }
    assert!(matches!(table.take(&fragments(0, MESSAGE, &[5])[1]), Taken::Dropped(_)));
    assert!(matches!(table.take(&fragments(255, MESSAGE, &[5])[1]), Taken::Joined(_)));
}

#[test]
fn a_message_sent_again_fills_what_was_not_heard_of_it() {
    let mut table = Table::new();
    let parts = fragments(1, MESSAGE, &[5, 11]);
    for again in [0, 1, 0, 1] {
        assert_eq!(table.take(&parts[again]), Taken::Waiting(again as u8 + 1));
    }
    assert!(matches!(table.take(&parts[2]), Taken::Joined(_)), "the last one was lost the first time");
    // another message of the same meter ends the one that waits
    let other = fragments(1, b"\x7a\x06\x00\x00\x00\x04\x13\x2c\x0b\x00\x00", &[5]);
    table.take(&parts[0]);
    assert_eq!(table.take(&other[0]), Taken::Waiting(1));
    assert_eq!(table.given_up(), [6]);
    assert!(matches!(table.take(&other[1]), Taken::Joined(_)));
}

#[test]
fn what_waits_too_long_or_to_the_end_is_handed_back() {
    let mut table = Fragments::new();
    table.take(&fragments(1, MESSAGE, &[5])[0], 1_000, "old");
    table.take(&fragments(2, MESSAGE, &[5])[0], 2_000, "young");
    table.expire(1_000 + MAX_WAIT_MS);
    assert_eq!(table.given_up().iter().map(|part| part.heard).collect::<Vec<_>>(), ["old"]);
    table.end();
    assert_eq!(table.given_up().iter().map(|part| part.heard).collect::<Vec<_>>(), ["young"]);
    assert_eq!(table.waiting(), 0);
}

#[test]
fn the_mac_stands_in_the_last_fragment_also_without_its_control_field() {
    let mut table = Table::new();
    let [first, mut last] = <[Vec<u8>; 2]>::try_from(fragments(1, MESSAGE, &[5])).unwrap();
    last[16] &= !0x20;
    last.remove(17);
    last[14] -= 1;
    last[0] -= 1;
    table.take(&first);
    let Taken::Joined(Joined { frame, .. }) = table.take(&last) else { panic!("it is whole") };
    let layers = Layers::read(&frame).unwrap();
    assert_eq!(&frame[layers.afl.unwrap().mac], [0xaa; 8]);
}

proptest! {
    #[test]
    fn every_frame_is_in_a_message_or_handed_back_once(
        order in proptest::collection::vec((0u8..3, 0usize..4), 0..60),
        late in any::<bool>(),
    ) {
        let sent: Vec<Vec<Vec<u8>>> = (0..3).map(|sender| fragments(sender, MESSAGE, &[5, 9, 13])).collect();
        let mut table = Fragments::new();
        let (mut waiting, mut done) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
        for (n, (sender, part)) in order.into_iter().enumerate() {
            let known = table.waiting();
            let outcome = table.take(&sent[usize::from(sender)][part], 0, n);
            let given_up = table.given_up();
            match outcome {
                Taken::Whole => prop_assert!(false),
                // one that is known already is nobody's
                Taken::Waiting(_) => { if table.waiting() >= known { waiting.insert(n); } }
                Taken::Joined(joined) => { done.extend(joined.parts.iter().map(|part| part.heard)); }
                Taken::Dropped(_) => prop_assert!(!given_up.is_empty()),
            }
            for part in given_up { prop_assert!(done.insert(part.heard), "handed back twice"); }
        }
        if late { table.expire(MAX_WAIT_MS); } else { table.end(); }
        for part in table.given_up() {
            prop_assert!(done.insert(part.heard) && waiting.contains(&part.heard));
        }
        prop_assert_eq!(table.waiting(), 0);
    }

    #[test]
    fn any_cuts_join_to_the_message(
        parts in proptest::collection::vec(12usize..160, 2..6),
        filling in proptest::collection::vec(any::<u8>(), 1..60),
    ) {
        let cuts: Vec<usize> = parts.iter().scan(0, |at, part| { *at += part; Some(*at) }).collect();
        let (length, cuts) = cuts.split_last().unwrap();
        let message: Vec<u8> = MESSAGE.iter().chain(filling.iter().cycle()).copied().take(*length).collect();
        let mut table = Table::new();
        let mut last = Taken::Whole;
        for part in fragments(1, &message, cuts) {
            last = table.take(&part);
        }
        let Taken::Joined(Joined { frame, .. }) = last else { panic!("{last:?}") };
        prop_assert!(frame.ends_with(&message));
    }

    #[test]
    fn nothing_panics(frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)) {
        let mut table = Table::new();
        for mut frame in frames {
            let len = frame.len();
            if len > 14 {
                frame[0] = (len - 1) as u8;
                frame[2..10].fill(1);
                frame[10] = 0x90;
                frame[11] = 2;
                frame[13] &= 0x40;
            }
            let _ = table.take(&frame);
            prop_assert!(table.waiting() <= MAX_OPEN);
        }
    }
}
