//! Targets on what a collector is fed: receivers and bridges.

use receiver::{Bridge, Event, Frames, Framing, Kind, Messages, Mode, Options, Refused};
use sim::receivers as write;
use sim::receivers::Shown;

/// What came out, owned.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Heard(Vec<u8>, Framing, Option<i16>, Option<u32>),
    Refused(Refused),
    Answer(bool),
}

fn told(event: Event<'_>) -> Told {
    match event {
        Event::Heard(heard) => {
            let l = heard.frame.first().map_or(0, |l| usize::from(*l));
            let whole = match heard.framing {
                Framing::Wired => heard.frame.get(1).map_or(0, |l| usize::from(*l) + 6),
                Framing::Dlms => {
                    assert!(telegram::dlms::is_unit(heard.frame));
                    heard.frame.len()
                }
                _ => l + 1,
            };
            // What passes as a frame has to have the length that it says.
            assert_eq!(heard.frame.len(), whole);
            Told::Heard(heard.frame.to_vec(), heard.framing, heard.rssi_dbm, heard.ticks)
        }
        Event::Refused(why) => Told::Refused(why),
        Event::Answer { accepted } => Told::Answer(accepted),
    }
}

fn read<'a>(
    kind: Kind,
    options: &Options,
    step: Option<usize>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Told> {
    let mut reader = kind.receiver(options);
    let mut all = Vec::new();
    let mut give = |event: Event<'_>| all.push(told(event));
    if let Some(step) = step {
        reader.sent(step);
    }
    for piece in pieces {
        reader.feed(piece, &mut give);
    }
    reader.end(&mut give);
    all
}

/// How the bytes were cut on their way must make no difference; neither while an answer is awaited.
fn any(kind: Kind, frames: Frames, data: &[u8]) {
    let options = Options { frames, mode: Mode::default() };
    for step in [None, Some(0), Some(1)] {
        let whole = read(kind, &options, step, [data]);
        assert_eq!(
            whole,
            read(kind, &options, step, data.chunks(7)),
            "another cut of the stream gives other frames"
        );
    }
}

pub(crate) fn lines(data: &[u8]) {
    for kind in [Kind::Auto, Kind::Hex, Kind::RtlWmbus, Kind::Rtl433] {
        any(kind, Frames::Auto, data);
    }
}

pub(crate) fn imst871(data: &[u8]) {
    any(Kind::Imst871, Frames::Auto, data);
}

pub(crate) fn imst891(data: &[u8]) {
    any(Kind::Imst891, Frames::Auto, data);
}

pub(crate) fn amber(data: &[u8]) {
    any(Kind::Amber, Frames::Auto, data);
    any(Kind::AmberTransparent, Frames::Auto, data);
}

pub(crate) fn cul(data: &[u8]) {
    any(Kind::Cul, Frames::Auto, data);
}

pub(crate) fn rc1180(data: &[u8]) {
    any(Kind::Rc1180, Frames::Auto, data);
}

pub(crate) fn raw(data: &[u8]) {
    for frames in [Frames::Auto, Frames::A, Frames::B, Frames::Stripped] {
        any(Kind::Raw, frames, data);
        any(Kind::HexStream, frames, data);
    }
}

pub(crate) fn mbus(data: &[u8]) {
    any(Kind::Mbus, Frames::Auto, data);
}

pub(crate) fn han(data: &[u8]) {
    // bytes that belong to nothing are counted together or not, by how they come; what is heard is the same
    let heard = |mut all: Vec<Told>| {
        all.retain(|t| matches!(t, Told::Heard(..)));
        all
    };
    let options = Options::default();
    let whole = heard(read(Kind::Han, &options, None, [data]));
    assert_eq!(whole, heard(read(Kind::Han, &options, None, data.chunks(7))));
}

/// A bridge's message is one telegram or one refusal.
pub(crate) fn bridge(data: &[u8]) {
    let json = Bridge::Json { telegram: "telegram".to_owned(), rssi: "rssi".to_owned() };
    for bridge in [Bridge::Hex, json, Bridge::ChirpStack] {
        let mut n = 0;
        Messages::new(bridge, Frames::Auto).take(data, &mut |event| {
            told(event);
            n += 1;
        });
        assert_eq!(n, 1);
    }
}

/// Three telegrams as a receiver writes them, together and each by itself.
fn streams(write: impl Fn(&Shown<'_>) -> Vec<u8>) -> Vec<Vec<u8>> {
    let frames = crate::telegrams::encrypted();
    let show = |frame| write(&Shown { frame, rssi_dbm: Some(-71), ticks: Some(0x0102_0304) });
    let mut all: Vec<Vec<u8>> = frames.iter().take(6).map(|frame| show(frame)).collect();
    all.push(frames.iter().take(3).flat_map(|frame| show(frame)).collect());
    all
}

pub(crate) fn some_lines() -> Vec<Vec<u8>> {
    let mut all = streams(write::rtl_wmbus);
    all.extend(streams(write::rtl_433));
    all.extend(streams(|s| {
        format!("# a frame\r\n{}\r\n", write::digits(&write::format_a(s.frame))).into_bytes()
    }));
    all.push(b"C1;0;1;;;;;0x00\nnonsense".to_vec());
    all
}

pub(crate) fn some_imst871() -> Vec<Vec<u8>> {
    let mut all = streams(write::imst871);
    all.push(vec![0xa5, 0x01, 0x04, 0x01, 0x01]);
    all
}

pub(crate) fn some_imst891() -> Vec<Vec<u8>> {
    streams(write::imst891)
}

pub(crate) fn some_amber() -> Vec<Vec<u8>> {
    let mut all = streams(write::amber);
    all.extend(streams(write::amber_transparent));
    all.push(vec![0xff, 0x84, 0x01, 0x00, 0x7a]);
    all
}

pub(crate) fn some_cul() -> Vec<Vec<u8>> {
    let mut all = streams(|s| write::cul(s, false));
    all.extend(streams(|s| write::cul(s, true)));
    all.push(b"CMODE\r\nV 1.67 CUL868\r\n".to_vec());
    all
}

pub(crate) fn some_rc1180() -> Vec<Vec<u8>> {
    let mut all = streams(write::rc1180);
    let mut memory = vec![0; 128];
    memory.extend([0xff; 128]);
    memory.push(b'>');
    all.push(memory);
    all
}

pub(crate) fn some_raw() -> Vec<Vec<u8>> {
    let mut all = streams(|s| s.frame.to_vec());
    all.extend(streams(|s| write::format_a(s.frame)));
    all.extend(streams(|s| write::format_b(s.frame)));
    all.extend(streams(|s| write::dump(s.frame)));
    all
}

pub(crate) fn some_mbus() -> Vec<Vec<u8>> {
    let mut all = streams(|s| write::mbus(s.frame, 7));
    all.push(vec![0xe5, 0x10, 0x5b, 0x01, 0x5c, 0x16]);
    all
}

pub(crate) fn some_han() -> Vec<Vec<u8>> {
    crate::dlms::streams()
}

pub(crate) fn some_messages() -> Vec<Vec<u8>> {
    let mut all = streams(write::json);
    all.extend(streams(write::chirpstack));
    all.extend(streams(|s| write::digits(s.frame).into_bytes()));
    // an application layer with a long header
    let frame = [
        &[28, 0x44, 0x2d, 0x2c, 1, 2, 3, 4, 0x1b, 0x16][..],
        &[0x72, 1, 2, 3, 4, 0x2d, 0x2c, 0x1b, 0x16, 5, 0, 0, 0, 4, 0x13, 0, 0, 0, 0],
    ]
    .concat();
    all.push(write::chirpstack(&Shown {
        frame: frame.get(10..).unwrap_or_default(),
        rssi_dbm: None,
        ticks: None,
    }));
    all
}
