use proptest::prelude::*;

use super::*;

/// What a stream gives: the information of frames, the reasons of losses.
fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Vec<(usize, Reason)>) {
    let mut hdlc = Hdlc::new();
    let (mut frames, mut dropped) = (Vec::new(), Vec::new());
    let mut take = |next: Result<Frame<'_>, Dropped>| match next {
        Ok(frame) => frames.push(frame.information.to_vec()),
        Err(d) => dropped.push((d.bytes, d.reason)),
    };
    for chunk in chunks {
        hdlc.feed(chunk);
        while let Some(next) = hdlc.next_frame() {
            take(next);
        }
    }
    if let Some(d) = hdlc.silence() {
        take(Err(d));
    }
    (frames, dropped)
}

fn framed(information: &[u8]) -> Vec<u8> {
    write(Address::short(0x20), Address::short(1), 0x13, false, information).unwrap()
}

/// Addresses and format of the published sample of Kamstrup's port.
#[test]
fn the_header_of_a_published_frame_fits() {
    let frame = framed(&[0; 480]);
    assert_eq!(hex::encode(&frame[..8]), "7ea1e9410313c637");
}

#[test]
fn frames_come_out_however_the_stream_is_cut() {
    let information: Vec<Vec<u8>> = vec![b"one".to_vec(), vec![0x7e; 40], Vec::new(), vec![0xa0; 300]];
    // the second and third share a flag
    let mut stream = framed(&information[0]);
    stream.extend(framed(&information[1]));
    stream.extend(&framed(&information[2])[1..]);
    stream.extend([FLAG, FLAG]);
    stream.extend(framed(&information[3]));
    for size in [1, 2, 3, 7, 1000] {
        assert_eq!(read(stream.chunks(size)), (information.clone(), vec![]), "in pieces of {size}");
    }
}

#[test]
fn noise_before_and_between_frames_is_named_and_costs_nothing_good() {
    let good = framed(b"good");
    let stream = [b"\x00\xa0noise".as_slice(), &good, b"\x7e\xa0\x0a\x41", &good].concat();
    let (frames, dropped) = read([stream.as_slice()]);
    assert_eq!(frames, [b"good", b"good"]);
    assert_eq!(dropped, [(7, Reason::Noise), (4, Reason::HeaderChecksum)]);
}

#[test]
fn a_damaged_frame_is_named_and_the_next_one_is_read() {
    let good = framed(b"good");
    let mut damaged = framed(&[0x11; 100]);
    damaged[50] ^= 0x04;
    let stream = [&damaged[..], &damaged, &good].concat();
    // the closing flags could have opened something, so that they are not counted
    let lost = vec![(damaged.len() - 1, Reason::Checksum); 2];
    assert_eq!(read([stream.as_slice()]), (vec![b"good".to_vec()], lost));
}

#[test]
fn a_frame_that_lost_bytes_swallows_no_other() {
    let good = framed(b"good");
    for cut in 1..framed(&[0x11; 100]).len() - 1 {
        let mut short = framed(&[0x11; 100]);
        short.drain(cut..);
        let stream = [&short[..], &good, &good, &good].concat();
        // the length of the cut one may point past the end: silence ends the waiting
        let stream = [&stream[..], &[0; 200]].concat();
        let (frames, dropped) = read(stream.chunks(5));
        assert_eq!(frames, vec![b"good".to_vec(); 3], "cut at {cut}");
        assert!(!dropped.is_empty() || cut == 1, "cut at {cut}");
    }
}

#[test]
fn silence_gives_up_on_a_cut_frame() {
    let frame = framed(&[3; 50]);
    let mut hdlc = Hdlc::new();
    hdlc.feed(&frame[..30]);
    assert_eq!(hdlc.next_frame(), None);
    assert_eq!(hdlc.silence(), Some(Dropped { bytes: 30, reason: Reason::Cut }));
    hdlc.feed(&frame);
    assert!(hdlc.next_frame().unwrap().is_ok());
    assert_eq!(hdlc.silence(), None, "a closing flag alone is no loss");
}

#[test]
fn no_flipped_bit_gets_through() {
    let frame = framed(&(0..60).collect::<Vec<u8>>());
    for bit in 0..frame.len() * 8 {
        let mut bad = frame.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(read([bad.as_slice()]).0.is_empty(), "bit {bit}");
    }
}

#[test]
fn memory_is_bounded_and_what_is_lost_is_counted() {
    let mut hdlc = Hdlc::new();
    for _ in 0..50 {
        hdlc.feed(&[0x7e; 3000]);
    }
    assert!(hdlc.pending() <= MAX_PENDING);
    hdlc.feed(&[0; MAX_PENDING + 10]);
    assert_eq!(hdlc.pending(), MAX_PENDING);
    let Some(Err(dropped)) = hdlc.next_frame() else { panic!("nothing was told") };
    assert_eq!((dropped.bytes, dropped.reason), (50 * 3000 + MAX_PENDING + 10, Reason::Overrun));
}

#[test]
fn long_addresses_are_read() {
    let far = Address::read(&[0x02, 0x04, 0x06, 0x09]).unwrap();
    let frame = write(far, Address::read(&[0x02, 0x23]).unwrap(), 0x13, true, b"x").unwrap();
    let mut hdlc = Hdlc::new();
    hdlc.feed(&frame);
    let read = hdlc.next_frame().unwrap().unwrap();
    assert_eq!((read.destination, read.source.as_bytes(), read.segmented), (far, &[0x02, 0x23][..], true));
    assert_eq!((read.control, read.information, read.raw), (0x13, &b"x"[..], &frame[..]));
    assert_eq!(Address::read(&[0x02, 0x04, 0x06, 0x08, 0x09]), None);
    assert_eq!(write(far, far, 0x13, false, &[0; 2047]), None, "too long for one frame");
}

proptest! {
    #[test]
    fn nothing_panics_and_cuts_do_not_matter(
        stream in proptest::collection::vec(prop_oneof![Just(0x7e_u8), Just(0xa0), any::<u8>()], 0..600),
        size in 1usize..50,
    ) {
        let whole = read([stream.as_slice()]);
        let parts = read(stream.chunks(size));
        prop_assert_eq!(&whole.0, &parts.0);
        let lost = |d: &[(usize, Reason)]| d.iter().map(|(n, _)| n).sum::<usize>();
        prop_assert!(lost(&whole.1) <= stream.len() && lost(&parts.1) <= stream.len());
    }

    #[test]
    fn what_was_written_is_read_again(
        information in proptest::collection::vec(any::<u8>(), 0..1000),
        source in 0u8..128,
        control in any::<u8>(),
        segmented in any::<bool>(),
        noise in proptest::collection::vec(any::<u8>().prop_filter("no flag", |b| *b != 0x7e), 0..40),
    ) {
        let written = write(Address::short(3), Address::short(source), control, segmented, &information).unwrap();
        let mut hdlc = Hdlc::new();
        hdlc.feed(&noise);
        hdlc.feed(&written);
        if !noise.is_empty() {
            prop_assert_eq!(hdlc.next_frame(), Some(Err(Dropped { bytes: noise.len(), reason: Reason::Noise })));
        }
        let frame = hdlc.next_frame().unwrap().unwrap();
        prop_assert_eq!((frame.source, frame.control, frame.segmented), (Address::short(source), control, segmented));
        prop_assert_eq!(frame.information, &information[..]);
        let again = write(frame.destination, frame.source, frame.control, frame.segmented, frame.information);
        prop_assert_eq!(again.as_deref(), Some(frame.raw));
    }
}
