//! What rtl_433 prints with `-F csv`: one line an event of any sensor. A wireless M-Bus telegram's line contains the
//! model `Wireless-MBus`; the frame is the first field of twenty or more hexadecimal digits whose third and fourth
//! are the C field 44. rtl_433 has checked the link checksums of what it prints and taken them out.

use crate::Event;
use crate::text::Frames;

const MODEL: &[u8] = b"Wireless-MBus";
/// Digits that a frame has at least: L to CI take 22, of which some lines show fewer in other fields.
const SHORTEST: usize = 20;

/// Whether a line tells of a wireless M-Bus telegram.
pub(crate) fn is_about_a_meter(text: &[u8]) -> bool {
    text.windows(MODEL.len()).any(|part| part == MODEL)
}

/// Reads a line. Those of other sensors, and the heading, are passed over.
pub(crate) fn line(text: &[u8], frames: &mut Frames, give: &mut dyn FnMut(Event<'_>)) {
    if !is_about_a_meter(text) {
        return;
    }
    let frame = text.split(|b| *b == b',').map(|field| field.trim_ascii()).find(|field| {
        field.len() >= SHORTEST && field.get(2..4) == Some(b"44") && field.iter().all(u8::is_ascii_hexdigit)
    });
    match frame {
        Some(frame) => frames.hex(frame, None, give),
        None => give(Event::Refused(crate::Refused::Damaged)),
    }
}
