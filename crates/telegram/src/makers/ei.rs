//! Ei Electronics (EIE): the state of the smoke alarm's head, under FF 2C. Source: wmbusmeters (driver `ei6500`, from the
//! maker's description). Smoke itself is told by a counter and a date of the last alarm, not here.

use base::Quantity;

use super::{Code, Maker, Meaning};
use crate::records::{Flag, Flags, Vib};

pub(super) const MAKER: Maker =
    Maker { codes: &[Code::new(0x7f, 0x2c, Meaning::Is(HEAD))], ..Maker::new(&[b"EIE"]) };

/// Bits 0 to 4 count dust, 8 to 11 steps of battery voltage, 20 to 22 name the distance of an obstacle.
const HEAD: Vib = {
    let mut vib = Vib::flags(Quantity::ErrorFlags);
    vib.flags = Flags(&[
        Flag::bit(5, "sounder defect"),
        Flag::bit(6, "tamper while removed"),
        Flag::bit(7, "end of life"),
        Flag::bit(12, "low battery"),
        Flag::bit(13, "sensor error"),
        Flag::bit(14, "obstacle detector defect"),
        Flag::bit(15, "end of life within twelve months"),
        Flag::bit(17, "surroundings changed since installation"),
        Flag::bit(18, "head does not answer"),
        Flag::bit(19, "obstacle detection disturbed"),
        Flag::bit(24, "obstacle"),
        Flag::bit(25, "covered"),
    ]);
    vib
};
