//! What every receiver has to stand.

use base::UtcMillis;
use proptest::prelude::*;
use receiver::{Framing, Refused};
use sim::receivers as write;
use sim::receivers::Shown;
use sim::{Plan, Sort, Town};

use crate::speakers::{Speaker, Told, heard};

/// Telegrams of a small town, of every kind and length that it has.
fn frames() -> Vec<Vec<u8>> {
    let mut town = Town::new(&Plan { meters: 12, ..Plan::default() }, UtcMillis(1_795_449_600_000));
    let mut frames = Vec::new();
    while frames.len() < 24 {
        let sent = town.transmit().unwrap();
        if sent.sort == Sort::Good && !frames.contains(&sent.frame) {
            frames.push(sent.frame);
        }
    }
    frames
}

fn shown(frames: &[Vec<u8>]) -> Vec<Shown<'_>> {
    let strength = |n: usize| Some(-60 - (n as i16 % 30));
    frames
        .iter()
        .enumerate()
        .map(|(n, frame)| Shown { frame, rssi_dbm: strength(n), ticks: Some(n as u32 * 0x0102_0304) })
        .collect()
}

#[test]
fn what_is_written_is_heard_and_writes_the_same_again() {
    let frames = frames();
    for speaker in Speaker::all() {
        let shown = shown(&frames);
        let stream: Vec<u8> = shown.iter().flat_map(|s| (speaker.write)(s)).collect();
        let told = speaker.read([stream.as_slice()]);
        let telegrams = heard(&told);
        let expected: Vec<Told> = shown.iter().map(|s| speaker.expected(s)).collect();
        assert_eq!(telegrams.len(), expected.len(), "{}: {told:?}", speaker.name);
        for (expected, telegram) in expected.iter().zip(&telegrams) {
            assert_eq!(expected, &Told::Heard((*telegram).clone()), "{}", speaker.name);
        }
        // a dump has headings, which are garbage
        let others = told.iter().filter(|t| !matches!(t, Told::Heard(_)));
        let odd: Vec<_> = others.filter(|t| !matches!(t, Told::Refused(Refused::Garbage(_)))).collect();
        assert!(odd.is_empty(), "{}: {odd:?}", speaker.name);
        let again: Vec<u8> = telegrams
            .iter()
            .zip(&shown)
            .flat_map(|(t, s)| {
                let whole = matches!(speaker.framing, Framing::Wired | Framing::Dlms);
                let frame = if whole { s.frame } else { &t.frame };
                let rssi_dbm = t.rssi_dbm.or(s.rssi_dbm);
                (speaker.write)(&Shown { frame, rssi_dbm, ticks: t.ticks })
            })
            .collect();
        assert_eq!(again, stream, "{}", speaker.name);
    }
}

#[test]
fn where_a_stream_is_cut_into_reads_makes_no_difference() {
    let frames = frames();
    for speaker in Speaker::all() {
        let shown = shown(&frames);
        let mut stream: Vec<u8> = shown.iter().take(2).flat_map(|s| (speaker.write)(s)).collect();
        // a damaged message among the good ones
        let mut bad = (speaker.write)(&shown[2]);
        let middle = bad.len() / 2;
        bad[middle] ^= 0x04;
        stream.extend(bad);
        stream.extend((speaker.write)(&shown[3]));
        let whole = speaker.read([stream.as_slice()]);
        assert!(heard(&whole).len() >= 2, "{}: {whole:?}", speaker.name);
        assert_eq!(speaker.read(stream.chunks(1)), whole, "{}, byte by byte", speaker.name);
        for at in 0..=stream.len() {
            let (before, after) = stream.split_at(at);
            assert_eq!(speaker.read([before, after]), whole, "{} cut at {at}", speaker.name);
        }
    }
}

#[test]
fn no_changed_bit_is_heard_where_there_is_a_check() {
    let frames = frames();
    for speaker in Speaker::all().into_iter().filter(|s| s.checked) {
        let shown = shown(&frames);
        let before = (speaker.write)(&shown[0]);
        let message = (speaker.write)(&shown[1]);
        let after: Vec<u8> = shown.iter().skip(2).take(3).flat_map(|s| (speaker.write)(s)).collect();
        let frame = |s: &Shown<'_>| match speaker.expected(s) {
            Told::Heard(telegram) => telegram.frame,
            other => panic!("{other:?}"),
        };
        let good = frame(&shown[1]);
        let mut expected = vec![frame(&shown[0])];
        expected.extend(shown.iter().skip(2).take(3).map(frame));
        for bit in 0..message.len() * 8 {
            let mut bad = message.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let told = speaker.read([before.as_slice(), &bad, &after]);
            // what lies outside of every check (a letter's case, a CUL's signal strength) changes no frame
            let telegrams: Vec<&Vec<u8>> =
                heard(&told).iter().map(|t| &t.frame).filter(|f| **f != good).collect();
            if let Some(frame) = telegrams.iter().find(|f| !expected.contains(f)) {
                panic!("{} bit {bit}: {frame:02x?} was never sent", speaker.name);
            }
            // a changed line end or END byte takes a neighbour along, no more
            assert!(telegrams.len() + 1 >= expected.len(), "{} bit {bit}: {told:?}", speaker.name);
        }
    }
}

#[test]
fn a_message_that_ends_early_takes_at_most_the_next_along() {
    let frames = frames();
    for speaker in Speaker::all() {
        let shown = shown(&frames);
        // the cut one too: all of its telegram may have come already
        let expected: Vec<Told> = shown.iter().take(5).map(|s| speaker.expected(s)).collect();
        let message = (speaker.write)(&shown[0]);
        let rest: Vec<u8> = shown.iter().skip(1).take(4).flat_map(|s| (speaker.write)(s)).collect();
        for cut in 0..message.len() {
            let told = speaker.read([&message[..cut], rest.as_slice()]);
            let telegrams = heard(&told);
            let good = telegrams.iter().filter(|t| expected.contains(&Told::Heard((**t).clone()))).count();
            assert!(good >= 3, "{} cut at {cut}: {told:?}", speaker.name);
            // without a check, the rest of one and the beginning of another may by chance have a frame's length
            if speaker.checked || speaker.lines {
                assert_eq!(good, telegrams.len(), "{} cut at {cut}: that was not sent", speaker.name);
            }
        }
    }
}

#[test]
fn after_a_pause_a_cut_message_takes_nothing_along() {
    let frames = frames();
    for speaker in Speaker::all().into_iter().filter(|s| !s.lines) {
        let shown = shown(&frames);
        let message = (speaker.write)(&shown[0]);
        let cut = &message[..message.len() - 3];
        let first = speaker.read([cut]);
        assert!(heard(&first).is_empty(), "{}: {first:?}", speaker.name);
        assert!(
            first.iter().any(|t| matches!(t, Told::Refused(Refused::Cut | Refused::Garbage(_)))),
            "{}: {first:?}",
            speaker.name
        );
    }
}

#[test]
fn without_a_check_a_telegram_is_believed_when_the_next_follows_or_nothing_comes() {
    let frames = frames();
    for speaker in Speaker::all().into_iter().filter(|s| !s.checked && !s.lines) {
        let shown = shown(&frames);
        let mut stream = Vec::new();
        for (n, shown) in shown.iter().take(4).enumerate() {
            if n % 2 == 0 {
                stream.extend([9, 3, 0, 7]);
            }
            stream.extend((speaker.write)(shown));
        }
        let told = speaker.read([stream.as_slice()]);
        // the second has noise behind it: a byte may have been lost in it
        let expected: Vec<Told> = [0, 2, 3].iter().map(|n| speaker.expected(&shown[*n])).collect();
        let telegrams: Vec<Told> = heard(&told).into_iter().map(|t| Told::Heard(t.clone())).collect();
        assert_eq!(telegrams, expected, "{}", speaker.name);
        assert!(told.contains(&Told::Refused(Refused::Damaged)), "{}: {told:?}", speaker.name);
    }
}

#[test]
fn a_raw_stream_shows_its_checksums_and_then_has_none_without() {
    let frames = frames();
    for speaker in [
        Speaker::raw_by_looks(|s| s.frame.to_vec(), Framing::Stripped),
        Speaker::raw_by_looks(|s| write::format_a(s.frame), Framing::A),
        Speaker::raw_by_looks(|s| write::format_b(s.frame), Framing::B),
    ] {
        let shown = shown(&frames);
        let stream: Vec<u8> = shown.iter().flat_map(|s| (speaker.write)(s)).collect();
        let expected: Vec<Told> = shown.iter().map(|s| speaker.expected(s)).collect();
        assert_eq!(speaker.read([stream.as_slice()]), expected, "{:?}", speaker.framing);
        if !speaker.checked {
            continue;
        }
        let first = (speaker.write)(&shown[0]);
        for bit in 0..first.len() * 8 {
            let mut bad = stream.clone();
            // of the second frame's bits, as many as the first has
            bad[first.len() + bit / 8] ^= 1 << (bit % 8);
            let told = speaker.read([bad.as_slice()]);
            let telegrams = heard(&told);
            assert!(telegrams.len() >= expected.len() - 2, "{:?} bit {bit}", speaker.framing);
            for telegram in telegrams {
                assert!(expected.contains(&Told::Heard(telegram.clone())), "{:?} bit {bit}", speaker.framing);
            }
        }
    }
}

fn speaker(n: usize) -> Speaker {
    let mut all = Speaker::all();
    let n = n % all.len();
    all.swap_remove(n)
}

proptest! {
    #[test]
    fn noise_between_messages_hides_none_of_them(
        which in 0usize..64,
        noise in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 4),
    ) {
        let mut speakers = Speaker::all();
        speakers.retain(|s| s.checked || s.lines);
        let speaker = speakers.swap_remove(which % speakers.len());
        let frames = frames();
        let shown = shown(&frames);
        let mut stream = Vec::new();
        for (noise, shown) in noise.iter().zip(&shown) {
            // a line's noise ends with it; the check of a message says where noise ends otherwise
            stream.extend(noise.iter().filter(|b| !speaker.lines || **b != b'#'));
            if speaker.lines {
                stream.push(b'\n');
            }
            stream.extend((speaker.write)(shown));
        }
        let told = speaker.read(stream.chunks(50));
        let telegrams = heard(&told);
        let expected: Vec<Told> = shown.iter().take(4).map(|s| speaker.expected(s)).collect();
        let good = telegrams.iter().filter(|t| expected.contains(&Told::Heard((**t).clone()))).count();
        prop_assert_eq!(good, 4, "{}: {:?}", speaker.name, told);
    }

    #[test]
    fn a_lost_or_doubled_byte_costs_its_own_message_and_at_most_a_neighbour(
        which in 0usize..64, at in 0usize..10_000, double in any::<bool>(),
    ) {
        let speaker = speaker(which);
        let frames = frames();
        let shown = shown(&frames);
        let mut stream: Vec<u8> = shown.iter().take(8).flat_map(|s| (speaker.write)(s)).collect();
        let at = at % stream.len();
        if double {
            stream.insert(at, stream[at]);
        } else {
            stream.remove(at);
        }
        let told = speaker.read([stream.as_slice()]);
        let expected: Vec<Told> = shown.iter().take(8).map(|s| speaker.expected(s)).collect();
        let telegrams = heard(&told);
        let good = telegrams.iter().filter(|t| expected.contains(&Told::Heard((**t).clone()))).count();
        // where nothing is checked, ciphertext looks like the beginning of a frame now and then
        let least = if speaker.checked || speaker.lines { 6 } else { 4 };
        prop_assert!(good >= least, "{}: {:?}", speaker.name, told);
    }

    #[test]
    fn any_bytes_are_read_without_panic_and_however_they_are_cut(
        which in 0usize..64,
        bytes in prop::collection::vec(any::<u8>(), 0..3000),
        cut in 1usize..600,
    ) {
        let speaker = speaker(which);
        let whole = speaker.read([bytes.as_slice()]);
        prop_assert_eq!(&speaker.read(bytes.chunks(cut)), &whole);
        for telegram in heard(&whole) {
            prop_assert!(telegram.frame.len() >= 11);
            if telegram.framing != Framing::Wired {
                prop_assert_eq!(telegram.frame.len(), usize::from(telegram.frame[0]) + 1);
            }
        }
    }
}
