//! The customer (HAN, P1, NVE) port of an electricity meter: HDLC frames between 7E flags, of which one or several make a
//! pushed unit of DLMS/COSEM. Serial, 2,400 or 115,200 baud, 8N1 or 8E1; nothing is sent. Frames and joining are
//! `telegram::dlms`'s.

use telegram::dlms::hdlc::{Dropped, Hdlc, Reason};
use telegram::dlms::{Assembler, is_unit};

use crate::{Event, Framing, Heard, Receiver, Refused};

/// The port. Memory: one read of 4,096 bytes, one frame of 2,049 and one unit of 16 KiB.
#[derive(Debug, Default)]
pub(crate) struct Han {
    hdlc: Hdlc,
    units: Assembler,
    garbage: u32,
}

impl Han {
    fn drain(&mut self, give: &mut dyn FnMut(Event<'_>)) {
        while let Some(next) = self.hdlc.next_frame() {
            let joined = match next {
                Ok(frame) => self.units.hdlc(&frame),
                Err(dropped) => {
                    self.lose(dropped, give);
                    continue;
                }
            };
            match joined {
                Ok(None) => {}
                Ok(Some(unit)) => {
                    self.tell_garbage(give);
                    tell(&unit, give);
                }
                // a part that does not go on what came before
                Err(_) => {
                    self.tell_garbage(give);
                    give(Event::Refused(Refused::Cut));
                }
            }
        }
    }

    fn lose(&mut self, dropped: Dropped, give: &mut dyn FnMut(Event<'_>)) {
        if !dropped.reason.is_damage() {
            // told together, however the reads were cut
            self.garbage = self.garbage.saturating_add(u32::try_from(dropped.bytes).unwrap_or(u32::MAX));
            return;
        }
        self.tell_garbage(give);
        give(Event::Refused(match dropped.reason {
            Reason::Checksum => Refused::ChecksumFailed,
            Reason::Overrun => Refused::TooLong,
            _ => Refused::Cut,
        }));
    }

    fn tell_garbage(&mut self, give: &mut dyn FnMut(Event<'_>)) {
        let bytes = std::mem::take(&mut self.garbage);
        if bytes > 0 {
            give(Event::Refused(Refused::Garbage(bytes)));
        }
    }
}

/// Gives a joined unit, if it is one that meters push.
pub(crate) fn tell(unit: &[u8], give: &mut dyn FnMut(Event<'_>)) {
    if is_unit(unit) {
        give(Event::Heard(Heard { frame: unit, framing: Framing::Dlms, rssi_dbm: None, ticks: None }));
    } else {
        give(Event::Refused(Refused::NoFrame));
    }
}

impl Receiver for Han {
    fn feed(&mut self, bytes: &[u8], give: &mut dyn FnMut(Event<'_>)) {
        for part in bytes.chunks(4096) {
            self.hdlc.feed(part);
            self.drain(give);
        }
    }

    fn pause(&mut self, give: &mut dyn FnMut(Event<'_>)) {
        let cut = self.hdlc.silence();
        self.drain(give);
        if let Some(dropped) = cut {
            self.lose(dropped, give);
        }
        self.tell_garbage(give);
        if self.units.reset() {
            give(Event::Refused(Refused::Cut));
        }
    }
}
