//! Gran-System-S (GSS): error flags of the CC101 and CC301. Source: wmbusmeters (driver `gransystems`).

use super::{Errors, Maker, Models};
use crate::records::Flag;

pub(super) const MAKER: Maker = Maker {
    errors: &[Errors {
        models: Models { versions: &[0x01], devices: &[0x02] },
        flags: &[
            Flag::bit(0, "hardware error"),
            Flag::bit(1, "clock error"),
            Flag::bit(3, "not configured"),
            Flag::bit(4, "internal error"),
            Flag::bit(5, "low battery"),
            Flag::bit(6, "magnetic tamper"),
            Flag::bit(7, "magnetic tamper earlier"),
            Flag::bit(8, "signal processor does not answer"),
            Flag::bit(9, "signal processor error"),
            Flag::bit(11, "calibration memory error"),
            Flag::bit(12, "memory error"),
            Flag::bit(14, "RAM error"),
            Flag::bit(15, "ROM error"),
        ],
    }],
    ..Maker::new(&[b"GSS"])
};
