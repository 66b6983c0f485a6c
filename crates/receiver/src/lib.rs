//! What receivers say: pure state machines from bytes to checked frames. Nothing here reads, waits or knows the
//! time; a collector feeds it, and sends what [`Receiver::setup`] asks for.
//!
//! One file a receiver. Each finds its way back after noise, names what it refuses, and holds a bounded number of
//! bytes: 4,096 for a line, 1,024 for a binary protocol, and one message or unit of at most 16 KiB for a bridge or an
//! electricity meter. How a stream was cut into reads makes no difference to what is heard.
//!
//! ```
//! use receiver::{Event, Kind, Options, Refused};
//!
//! let mut stick = Kind::RtlWmbus.receiver(&Options::default());
//! let mut heard = Vec::new();
//! let mut refused = Vec::new();
//! stick.feed(b"T1;1;1;2026-11-23 16:00:00.000;61;78;63452869;0x0b442d2c692845631b168d20\n", &mut |event| match event {
//!     Event::Heard(telegram) => heard.push(telegram.frame.to_vec()),
//!     Event::Refused(why) => refused.push(why),
//!     Event::Answer { .. } => {}
//! });
//! assert_eq!(heard.len(), 1);
//! stick.feed(b"T1;0;1;2026-11-23 16:00:00.000;61;78;63452869;0x0b442d2c692845631b168d20\n", &mut |event| {
//!     assert_eq!(event, Event::Refused(Refused::CrcFailed));
//! });
//! ```

mod amber;
mod bare;
mod cul;
mod digits;
mod event;
mod frame;
mod han;
mod hex_stream;
mod imst871;
mod imst891;
mod kind;
mod lines;
mod message;
mod rc1180;
mod rtl_433;
mod rtl_wmbus;
mod text;
mod window;
pub mod wired;
mod x25;

pub use event::{Command, Event, Framing, Heard, Receiver, Refused};
pub use frame::Frames;
pub use kind::{Kind, Mode, Options, Parity, Serial, UnknownKind};
pub use message::{Bridge, MAX_MESSAGE, Messages};
