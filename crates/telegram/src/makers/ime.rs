//! IME: electricity meters Conto and Nemo, whose codes are all the maker's own.
//!
//! Source: the maker's M-Bus protocol descriptions (Conto D4, Nemo D4), by wmbusmeters (drivers ime and nemo). The codes of
//! the Conto give unit and scale by themselves; behind a current transformer the values are to be multiplied by its
//! ratio, which the meter sends (FF 12).

use base::{Quantity, Unit};

use super::Meaning::{self, Also, Is};
use super::{Code, Maker};
use crate::records::{Modifier, Vib};

pub(super) const MAKER: Maker = Maker {
    codes: &[
        Code::long(0x7f, 0x00, &[0x04, 0x3b], energy(ACTIVE, Modifier::FORWARD)),
        Code::long(0x7f, 0x00, &[0x04, 0x3c], energy(ACTIVE, Modifier::BACKWARD)),
        Code::long(0x7f, 0x01, &[0x04, 0x3b], energy(REACTIVE, Modifier::FORWARD)),
        Code::long(0x7f, 0x01, &[0x04, 0x3c], energy(REACTIVE, Modifier::BACKWARD)),
        Code::long(0x7f, 0x04, &[0x2b], Is(number(Quantity::Power, Unit::Kilowatt, -3))),
        Code::long(0x7f, 0x05, &[0x2b], Is(number(Quantity::ReactivePower, Unit::Kilovar, -3))),
        Code::long(0x7f, 0x06, &[0x2b], Is(number(Quantity::ApparentPower, Unit::KilovoltAmpere, -3))),
        Code::long(0x7f, 0x07, &[0x48], Is(number(Quantity::Voltage, Unit::Volt, -1))),
        Code::long(0x7f, 0x08, &[0x48], Is(number(Quantity::Voltage, Unit::Volt, -1))),
        Code::long(0x7f, 0x09, &[0x59], Is(number(Quantity::Current, Unit::Ampere, -3))),
        Code::long(0x7f, 0x0a, &[0x48], Is(number(Quantity::Frequency, Unit::Hertz, -1))),
        Code::long(0x7f, 0x0b, &[0x28], Is(number(Quantity::Dimensionless, Unit::None, -3))),
        Code::long(0x7f, 0x0d, &[0x2b], Is(number(Quantity::Power, Unit::Kilowatt, -3))),
        Code::long(0x7f, 0x0e, &[0x2b], Is(number(Quantity::Power, Unit::Kilowatt, -3))),
        Code::long(0x7f, 0x0f, &[0x21], Is(number(Quantity::OperatingTime, Unit::Minute, 0))),
        Code::new(0x7f, 0x5a, Is(number(Quantity::Frequency, Unit::Hertz, -1))),
        // Nemo: phases behind the standard's codes
        Code::new(0x2b, 1, Also(Modifier::PHASE_1)),
        Code::new(0x2b, 2, Also(Modifier::PHASE_2)),
        Code::new(0x2b, 3, Also(Modifier::PHASE_3)),
        Code::new(0x7d, 1, Also(Modifier::PHASE_1)),
        Code::new(0x7d, 2, Also(Modifier::PHASE_2)),
        Code::new(0x7d, 3, Also(Modifier::PHASE_3)),
    ],
    ..Maker::new(&[b"IME"])
};

const ACTIVE: Vib = number(Quantity::Energy, Unit::KilowattHour, -2);
const REACTIVE: Vib = number(Quantity::ReactiveEnergy, Unit::KilovarHour, -2);

const fn number(quantity: Quantity, unit: Unit, exponent: i8) -> Vib {
    Vib::number(quantity, unit, exponent, 0)
}

const fn energy(vib: Vib, direction: Modifier) -> Meaning {
    Is(vib.with(direction))
}
