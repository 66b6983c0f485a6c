//! No input takes long: what is worst for each protocol, and how long a kilobyte of it takes.

use std::time::{Duration, Instant};

use crate::speakers::Speaker;

/// The aim of the design for any parser.
const A_KILOBYTE: Duration = Duration::from_millis(1);

#[test]
fn no_stream_takes_a_millisecond_a_kilobyte() {
    // beginnings of long messages, as many as fit, so that each has to be given up
    let beginnings: [&[u8]; 10] = [
        &[0xa5, 0x82, 0x03, 0xff],
        &[0xc0, 0xdb],
        &[0xff, 0x03, 0xf0],
        &[0x68, 0xff, 0xff, 0x68],
        &[0xfa, 0x44, 0x2d, 0x2c],
        &[0x10, 0x16],
        b"b",
        b"T1;1;1;",
        b"0x",
        b"Wireless-MBus,",
    ];
    for speaker in Speaker::all() {
        for beginning in beginnings {
            let mut stream = beginning.repeat(256 * 1024 / beginning.len());
            stream.push(b'\n');
            // the quickest of three, since other work runs on the machine
            let took = (0..3)
                .map(|_| {
                    let begun = Instant::now();
                    speaker.read(stream.chunks(700));
                    begun.elapsed()
                })
                .min();
            let limit = A_KILOBYTE * 256;
            assert!(took.is_some_and(|took| took < limit), "{} on {beginning:02x?}: {took:?}", speaker.name);
        }
    }
}
