//! The receivers with who writes for them.

use receiver::{Event, Frames, Framing, Kind, Options, Receiver, Refused};
use sim::receivers as write;
use sim::receivers::Shown;

/// A telegram that was heard, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Telegram {
    pub(crate) frame: Vec<u8>,
    pub(crate) framing: Framing,
    pub(crate) rssi_dbm: Option<i16>,
    pub(crate) ticks: Option<u32>,
}

/// What came out, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Heard(Telegram),
    Refused(Refused),
    Answer(bool),
}

/// A protocol: who reads it, and who writes it.
pub(crate) struct Speaker {
    pub(crate) name: &'static str,
    make: fn() -> Box<dyn Receiver>,
    pub(crate) write: fn(&Shown<'_>) -> Vec<u8>,
    /// Whether every changed bit is noticed.
    pub(crate) checked: bool,
    /// Whether messages are lines.
    pub(crate) lines: bool,
    /// What it tells of the signal strength and the ticks.
    strength: bool,
    ticks: bool,
    pub(crate) framing: Framing,
}

fn kind(kind: Kind, frames: Frames) -> Box<dyn Receiver> {
    kind.receiver(&Options { frames, ..Options::default() })
}

/// An RC1180 whose memory says that strengths follow.
fn rc1180() -> Box<dyn Receiver> {
    let mut module = kind(Kind::Rc1180, Frames::Auto);
    let mut memory = vec![0u8; 128];
    memory[5] = 1;
    memory.extend([0xff; 128]);
    module.sent(1);
    module.feed(&memory, &mut |event| panic!("{event:?}"));
    module.feed(b">", &mut |event| assert_eq!(event, Event::Answer { accepted: true }));
    module.sent(2);
    module
}

/// A unit of an electricity meter, encrypted for all that the reader knows.
fn unit(frame: &[u8]) -> Vec<u8> {
    let title = base::SystemTitle(*b"KAM\x45\x01\xa4\xdc\x52");
    telegram::dlms::write_global(title, telegram::dlms::SecurityControl(0x30), 7, frame)
}

fn segments(frame: &[u8]) -> Vec<u8> {
    let unit = unit(frame);
    let parts: Vec<&[u8]> = unit.chunks(40).collect();
    let segment = |(number, part): (u8, &&[u8])| {
        let last = usize::from(number) + 1 == parts.len();
        telegram::dlms::mbus::Segment { number, last, part }.write().unwrap()
    };
    (0u8..).zip(&parts).flat_map(segment).collect()
}

impl Speaker {
    pub(crate) fn all() -> Vec<Self> {
        let speaker = Speaker {
            name: "",
            make: || kind(Kind::Auto, Frames::Auto),
            write: write::rtl_wmbus,
            checked: false,
            lines: true,
            strength: false,
            ticks: false,
            framing: Framing::Stripped,
        };
        let binary = Speaker { lines: false, ..speaker };
        vec![
            Speaker {
                name: "rtl-wmbus",
                make: || kind(Kind::RtlWmbus, Frames::Auto),
                strength: true,
                ..speaker
            },
            Speaker { name: "auto", strength: true, ..speaker },
            Speaker {
                name: "rtl-433",
                make: || kind(Kind::Rtl433, Frames::Auto),
                write: write::rtl_433,
                ..speaker
            },
            Speaker {
                name: "hex of format A",
                make: || kind(Kind::Hex, Frames::A),
                write: |s| (write::digits(&write::format_a(s.frame)) + "\n").into_bytes(),
                checked: true,
                framing: Framing::A,
                ..speaker
            },
            Speaker {
                name: "imst871",
                make: || kind(Kind::Imst871, Frames::Auto),
                write: write::imst871,
                checked: true,
                strength: true,
                ticks: true,
                ..binary
            },
            Speaker {
                name: "imst891",
                make: || kind(Kind::Imst891, Frames::Auto),
                write: write::imst891,
                checked: true,
                strength: true,
                ticks: true,
                ..binary
            },
            Speaker {
                name: "amber",
                make: || kind(Kind::Amber, Frames::Auto),
                write: write::amber,
                checked: true,
                strength: true,
                ..binary
            },
            Speaker {
                name: "amber-transparent",
                make: || kind(Kind::AmberTransparent, Frames::Auto),
                write: write::amber_transparent,
                strength: true,
                ..binary
            },
            Speaker {
                name: "cul, format A",
                make: || kind(Kind::Cul, Frames::Auto),
                write: |s| write::cul(s, false),
                checked: true,
                strength: true,
                framing: Framing::A,
                ..speaker
            },
            Speaker {
                name: "cul, format B",
                make: || kind(Kind::Cul, Frames::Auto),
                write: |s| write::cul(s, true),
                checked: true,
                strength: true,
                framing: Framing::B,
                ..speaker
            },
            Speaker { name: "rc1180", make: rc1180, write: write::rc1180, strength: true, ..binary },
            Speaker {
                name: "raw",
                make: || kind(Kind::Raw, Frames::Stripped),
                write: |s| s.frame.to_vec(),
                ..binary
            },
            Speaker {
                name: "raw of format A",
                make: || kind(Kind::Raw, Frames::A),
                write: |s| write::format_a(s.frame),
                checked: true,
                framing: Framing::A,
                ..binary
            },
            Speaker {
                name: "raw of format B",
                make: || kind(Kind::Raw, Frames::B),
                write: |s| write::format_b(s.frame),
                checked: true,
                framing: Framing::B,
                ..binary
            },
            Speaker {
                name: "hex stream",
                make: || kind(Kind::HexStream, Frames::A),
                write: |s| write::dump(&write::format_a(s.frame)),
                checked: true,
                framing: Framing::A,
                ..binary
            },
            Speaker {
                name: "mbus",
                make: || kind(Kind::Mbus, Frames::Auto),
                write: |s| write::mbus(s.frame, 7),
                checked: true,
                framing: Framing::Wired,
                ..binary
            },
            Speaker {
                name: "han",
                make: || kind(Kind::Han, Frames::Auto),
                write: |s| sim::electricity::hdlc(&unit(s.frame), 45),
                checked: true,
                framing: Framing::Dlms,
                ..binary
            },
            Speaker {
                name: "han over mbus",
                make: || kind(Kind::Mbus, Frames::Auto),
                write: |s| segments(s.frame),
                checked: true,
                framing: Framing::Dlms,
                ..binary
            },
        ]
    }

    /// A raw stream whose framing is left to be found.
    pub(crate) fn raw_by_looks(write: fn(&Shown<'_>) -> Vec<u8>, framing: Framing) -> Self {
        Self {
            name: "raw by looks",
            make: || kind(Kind::Raw, Frames::Auto),
            write,
            checked: framing != Framing::Stripped,
            lines: false,
            strength: false,
            ticks: false,
            framing,
        }
    }

    /// What the reader is to say of a telegram.
    pub(crate) fn expected(&self, shown: &Shown<'_>) -> Told {
        Told::Heard(Telegram {
            frame: match self.framing {
                Framing::Wired => (self.write)(shown),
                Framing::Dlms => unit(shown.frame),
                _ => shown.frame.to_vec(),
            },
            framing: self.framing,
            rssi_dbm: shown.rssi_dbm.filter(|_| self.strength),
            ticks: shown.ticks.filter(|_| self.ticks),
        })
    }

    /// What it says of a stream that comes in these pieces and then ends.
    pub(crate) fn read<'a>(&self, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Told> {
        let mut reader = (self.make)();
        let mut told = Vec::new();
        let mut give = |event: Event<'_>| {
            told.push(match event {
                Event::Heard(heard) => Told::Heard(Telegram {
                    frame: heard.frame.to_vec(),
                    framing: heard.framing,
                    rssi_dbm: heard.rssi_dbm,
                    ticks: heard.ticks,
                }),
                Event::Refused(why) => Told::Refused(why),
                Event::Answer { accepted } => Told::Answer(accepted),
            });
        };
        for piece in pieces {
            reader.feed(piece, &mut give);
        }
        reader.end(&mut give);
        told
    }
}

/// The telegrams among what was told.
pub(crate) fn heard(told: &[Told]) -> Vec<&Telegram> {
    told.iter().filter_map(|t| if let Told::Heard(telegram) = t { Some(telegram) } else { None }).collect()
}
