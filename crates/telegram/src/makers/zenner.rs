//! Zenner (ZRI): error flags of its water meters (Minomess, EDC). Source: wmbusmeters (driver `minomess`).

use super::{Errors, Maker, Models};
use crate::records::Flag;

pub(super) const MAKER: Maker = Maker {
    errors: &[Errors {
        models: Models { versions: &[0x00, 0x01], devices: &[0x06, 0x07, 0x16] },
        flags: &[
            Flag::bit(0, "meter too large"),
            Flag::bit(1, "meter too small"),
            Flag::bit(2, "blocked earlier"),
            Flag::bit(3, "reverse flow"),
            Flag::bit(4, "reverse flow earlier"),
            Flag::bit(5, "leak"),
            Flag::bit(6, "removed"),
            Flag::bit(7, "burst"),
            Flag::bit(9, "abnormal condition"),
            Flag::bit(10, "low battery"),
            Flag::bit(11, "permanent error"),
            Flag::bit(12, "temporary error"),
            Flag::bit(13, "leak earlier"),
            Flag::bit(14, "tamper earlier"),
            Flag::bit(15, "removed earlier"),
        ],
    }],
    ..Maker::new(&[b"ZRI"])
};
