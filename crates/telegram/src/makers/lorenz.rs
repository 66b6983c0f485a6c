//! Lorenz (DWZ): error flags of the WaterStar M. Source: wmbusmeters (driver `waterstarm`).

use super::{Errors, Maker, Models};
use crate::records::Flag;

pub(super) const MAKER: Maker = Maker {
    errors: &[Errors {
        models: Models { versions: &[0x00, 0x02], devices: &[0x06, 0x07] },
        flags: WATER_STAR,
    }],
    ..Maker::new(&[b"DWZ"])
};

/// Engelmann sells the meter, too.
pub(super) const WATER_STAR: &[Flag] = &[
    Flag::bit(0, "software error"),
    Flag::bit(1, "memory error"),
    Flag::bit(2, "sensor error"),
    Flag::bit(3, "measuring error"),
    Flag::bit(4, "low battery"),
    Flag::bit(5, "tamper"),
    Flag::bit(6, "leak or no consumption"),
    Flag::bit(7, "reverse flow"),
    Flag::bit(8, "flow above maximum"),
];
