//! Radiocrafts RC1180-MBUS: serial, 19,200 baud, 8N1.
//!
//! Frames come bare, from the L field on, without link checksums, and with the signal strength as a last byte that L
//! counts where the module's memory says so. `00` makes it wait for commands, which it says with `>`; `0` shows its
//! memory, 256 bytes and `>`; `X` lets it go on. The memory's upper half is unused (FF). Nothing in it is changed: how it
//! hears is set with the maker's own program. Facts: RC1180-MBUS data sheet.

use crate::bare::{Bare, Trailer};
use crate::{Command, Event, Frames, Receiver, Refused};

const PROMPT: u8 = b'>';
const MEMORY: usize = 256;
/// Addresses: whether the signal strength follows, and whether the link header is there (0) or only the application's data.
const RSSI_MODE: usize = 0x05;
const DATA_INTERFACE: usize = 0x36;

/// The module. Memory: 1,024 bytes of the stream, 257 of an answer.
#[derive(Debug)]
pub(crate) struct Rc1180 {
    frames: Bare,
    state: State,
    memory: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Frames,
    /// `>` is to come.
    Prompt,
    /// The memory is to come.
    Memory,
    /// Between commands nothing is heard.
    Waiting,
}

impl Rc1180 {
    pub(crate) fn new() -> Self {
        Self {
            frames: Bare::new(Frames::Stripped, Trailer::None),
            state: State::Frames,
            memory: Vec::with_capacity(MEMORY + 1),
        }
    }

    fn answer(&mut self, byte: u8) -> Option<bool> {
        match self.state {
            State::Prompt if byte == PROMPT => {
                self.state = State::Waiting;
                Some(true)
            }
            State::Memory => {
                self.memory.push(byte);
                if self.memory.len() <= MEMORY {
                    return None;
                }
                self.state = State::Waiting;
                Some(self.learn())
            }
            _ => None,
        }
    }

    /// Whether what came is a memory, and telegrams come with their link header.
    fn learn(&mut self) -> bool {
        let unused = self.memory.get(MEMORY / 2..MEMORY).is_some_and(|half| half.iter().all(|b| *b == 0xff));
        let (Some(rssi), Some(interface), Some(&PROMPT), true) =
            (self.memory.get(RSSI_MODE), self.memory.get(DATA_INTERFACE), self.memory.last(), unused)
        else {
            return false;
        };
        self.frames.set_trailer(if *rssi == 1 { Trailer::Radiocrafts } else { Trailer::None });
        *interface == 0
    }
}

impl Receiver for Rc1180 {
    fn feed(&mut self, bytes: &[u8], give: &mut dyn FnMut(Event<'_>)) {
        if self.state == State::Frames {
            return self.frames.feed(bytes, give);
        }
        for byte in bytes {
            if let Some(accepted) = self.answer(*byte) {
                give(Event::Answer { accepted });
            }
        }
    }

    fn pause(&mut self, give: &mut dyn FnMut(Event<'_>)) {
        self.frames.pause(give);
        if self.state == State::Memory && !self.memory.is_empty() {
            self.memory.clear();
            give(Event::Refused(Refused::Cut));
        }
    }

    fn setup(&self) -> Vec<Command> {
        vec![
            Command { bytes: vec![0x00], answered: true },
            Command { bytes: b"0".to_vec(), answered: true },
            Command { bytes: b"X".to_vec(), answered: false },
        ]
    }

    fn sent(&mut self, step: usize) {
        self.memory.clear();
        self.state = match step {
            0 => State::Prompt,
            1 => State::Memory,
            _ => State::Frames,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Vec<u8> {
        let mut frame = vec![0x0b, 0x44, 0x2d, 0x2c, 0x69, 0x28, 0x45, 0x63, 0x1b, 0x16, 0x8d, 0x20];
        frame[0] = 11;
        frame
    }

    fn told(module: &mut Rc1180, bytes: &[u8]) -> Vec<String> {
        let mut all = Vec::new();
        module.feed(bytes, &mut |event| all.push(format!("{event:?}")));
        module.pause(&mut |event| all.push(format!("{event:?}")));
        all
    }

    #[test]
    fn the_memory_says_whether_strengths_follow() {
        for (mode, rssi) in [(0u8, None), (1, Some(-60i16))] {
            let mut module = Rc1180::new();
            module.sent(0);
            assert_eq!(told(&mut module, b"\x44\x2d>"), ["Answer { accepted: true }"]);
            module.sent(1);
            let mut memory = vec![0u8; 128];
            memory[RSSI_MODE] = mode;
            memory.extend([0xff; 128]);
            memory.push(PROMPT);
            assert_eq!(told(&mut module, &memory), ["Answer { accepted: true }"]);
            module.sent(2);
            let mut sent = frame();
            if rssi.is_some() {
                sent[0] += 1;
                sent.push(120);
            }
            let mut heard = Vec::new();
            module.feed(&sent, &mut |_| panic!("nothing follows yet that would prove it"));
            module.pause(&mut |event| match event {
                Event::Heard(telegram) => heard.push((telegram.frame.to_vec(), telegram.rssi_dbm)),
                other => panic!("{other:?}"),
            });
            assert_eq!(heard, [(frame(), rssi)]);
        }
    }

    #[test]
    fn what_is_no_memory_is_not_accepted() {
        for bad in [vec![0u8; 257], vec![0xff; 257]] {
            let mut module = Rc1180::new();
            module.sent(1);
            assert_eq!(told(&mut module, &bad), ["Answer { accepted: false }"]);
        }
        let mut module = Rc1180::new();
        module.sent(1);
        assert_eq!(told(&mut module, &[0xff; 9]), ["Refused(Cut)"]);
    }
}
