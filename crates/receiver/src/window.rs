//! A bounded window over a byte stream, in which binary protocols look for their messages.

use crate::{Event, Refused};

/// Bytes that a window holds at most.
pub(crate) const CAPACITY: usize = 1024;

/// What stands at the beginning of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// What may become a message when more bytes come; never for more than half of [`CAPACITY`].
    Partial,
    /// Not the beginning of a message.
    Not,
    /// A message of so many bytes that is not to be believed. The search goes on at its second byte: its length
    /// may be what was damaged.
    Refused(usize, Refused),
    /// A message of so many bytes.
    Message(usize),
}

/// How messages are told apart.
pub(crate) trait Protocol {
    /// Looks at the beginning of the window, which is not empty. After `quiet` no more bytes of this message come.
    fn look(&mut self, bytes: &[u8], quiet: bool) -> Look;

    /// Takes a message that [`Self::look`] found.
    fn take(&mut self, message: &[u8], give: &mut dyn FnMut(Event<'_>));
}

/// The window.
#[derive(Debug, Default)]
pub(crate) struct Window {
    bytes: Vec<u8>,
    garbage: u32,
    /// Bytes ahead that belong to a message that was refused by name: they are no garbage.
    condoned: usize,
}

impl Window {
    pub(crate) fn feed(
        &mut self,
        protocol: &mut impl Protocol,
        bytes: &[u8],
        give: &mut dyn FnMut(Event<'_>),
    ) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = CAPACITY.saturating_sub(self.bytes.len());
            let (now, later) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            self.bytes.extend_from_slice(now);
            rest = later;
            self.work(protocol, false, give);
        }
    }

    /// No more bytes of what stands here will come.
    pub(crate) fn pause(&mut self, protocol: &mut impl Protocol, give: &mut dyn FnMut(Event<'_>)) {
        self.work(protocol, true, give);
        self.tell_garbage(give);
        self.condoned = 0;
    }

    fn work(&mut self, protocol: &mut impl Protocol, quiet: bool, give: &mut dyn FnMut(Event<'_>)) {
        // The buffer is lent to this function, so that the counts can change while a part of it is looked at.
        let bytes = std::mem::take(&mut self.bytes);
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let passed = match protocol.look(rest, quiet) {
                Look::Message(length) => {
                    self.tell_garbage(give);
                    let (message, _) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                    protocol.take(message, give);
                    self.condoned = self.condoned.saturating_sub(length);
                    length.max(1)
                }
                Look::Refused(length, why) => self.refuse(length, why, give),
                Look::Partial if quiet => self.refuse(rest.len(), Refused::Cut, give),
                Look::Partial if rest.len() < CAPACITY / 2 => break,
                Look::Partial | Look::Not => {
                    if self.condoned == 0 {
                        self.garbage = self.garbage.saturating_add(1);
                    }
                    self.condoned = self.condoned.saturating_sub(1);
                    1
                }
            };
            rest = rest.get(passed..).unwrap_or_default();
        }
        let gone = bytes.len().saturating_sub(rest.len());
        self.bytes = bytes;
        self.bytes.drain(..gone);
    }

    fn refuse(&mut self, length: usize, why: Refused, give: &mut dyn FnMut(Event<'_>)) -> usize {
        // Within a message that was refused already, what looks like another one is mostly its own bytes.
        if self.condoned == 0 {
            self.tell_garbage(give);
            give(Event::Refused(why));
        }
        self.condoned = self.condoned.max(length).saturating_sub(1);
        1
    }

    fn tell_garbage(&mut self, give: &mut dyn FnMut(Event<'_>)) {
        let bytes = std::mem::take(&mut self.garbage);
        if bytes > 0 {
            give(Event::Refused(Refused::Garbage(bytes)));
        }
    }
}
