//! Engelmann (EFE): error flags of the FAW and WaterStar water meters and of the SensoStar heat meters.
//!
//! Sources: wmbusmeters (drivers `engelmann_faw`, `waterstarm`); the maker's manual of the SensoStar E (1080621004,
//! 2022-10, chapter on error codes).

use super::{Errors, Maker, Models};
use crate::records::Flag;

pub(super) const MAKER: Maker = Maker {
    errors: &[
        Errors {
            models: Models { versions: &[0x00], devices: &[0x06, 0x07, 0x16] },
            flags: &[
                Flag::bit(0, "measuring coils defective"),
                Flag::bit(1, "reset"),
                Flag::bit(2, "memory error"),
                Flag::bit(3, "removed"),
                Flag::bit(4, "magnetic tamper"),
                Flag::bit(5, "leak"),
                Flag::bit(6, "blocked"),
                Flag::bit(7, "reverse flow"),
            ],
        },
        Errors {
            models: Models { versions: &[0x03, 0x70], devices: &[0x07] },
            flags: super::lorenz::WATER_STAR,
        },
        Errors {
            models: Models { versions: &[0x00], devices: &[0x04, 0x0c, 0x0d] },
            flags: &[
                Flag::bit(0, "temperature sensor T1 broken"),
                Flag::bit(1, "temperature sensor T1 shorted"),
                Flag::bit(2, "temperature sensor T2 broken"),
                Flag::bit(3, "temperature sensor T2 shorted"),
                Flag::bit(4, "flow sensor error"),
                Flag::bit(5, "electronics defective"),
                Flag::bit(6, "reset"),
                Flag::bit(7, "low battery"),
            ],
        },
    ],
    ..Maker::new(&[b"EFE"])
};
