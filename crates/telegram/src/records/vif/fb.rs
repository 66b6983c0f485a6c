//! The first extension table, after FB (EN 13757-3 table 14).

use base::{Quantity as Q, Unit as U};

use super::{Kind, Vib};

/// The meaning of a VIFE after FB, without its extension bit.
pub(super) const fn lookup(code: u8) -> Vib {
    let n1 = (code & 1).cast_signed();
    let n2 = (code & 3).cast_signed();
    let n3 = (code & 7).cast_signed();
    match code {
        0x00 | 0x01 => Vib::number(Q::Energy, U::KilowattHour, n1 - 1, 3),
        0x02 | 0x03 => Vib::number(Q::ReactiveEnergy, U::KilovarHour, n1, 0),
        0x04 | 0x05 => Vib::number(Q::ApparentEnergy, U::KilovoltAmpereHour, n1, 0),
        0x08 | 0x09 => Vib::number(Q::Energy, U::Megajoule, n1 - 1, 3),
        0x0c..=0x0f => Vib::number(Q::Energy, U::Megacalorie, n2 - 1, 0),
        0x10 | 0x11 => Vib::number(Q::Volume, U::CubicMetre, n1 + 2, 0),
        0x14..=0x17 => Vib::number(Q::ReactivePower, U::Kilovar, n2 - 3, 0),
        0x18 | 0x19 => Vib::number(Q::Mass, U::Kilogram, n1 + 2, 3),
        0x1a | 0x1b => {
            let mut vib = Vib::number(Q::RelativeHumidity, U::RelativeHumidity, n1 - 1, 0);
            vib.kind = Kind::Unsigned;
            vib
        }
        0x20 | 0x21 => Vib::number(Q::Volume, U::CubicFoot, -n1, 0),
        0x28 | 0x29 => Vib::number(Q::Power, U::Kilowatt, n1 - 1, 3),
        0x2a => Vib::number(Q::PhaseVoltageVoltage, U::Degree, -1, 0),
        0x2b => Vib::number(Q::PhaseVoltageCurrent, U::Degree, -1, 0),
        0x2c..=0x2f => Vib::number(Q::Frequency, U::Hertz, n2 - 3, 0),
        0x30 | 0x31 => Vib::number(Q::Power, U::MegajoulePerHour, n1 - 1, 3),
        0x34..=0x37 => Vib::number(Q::ApparentPower, U::KilovoltAmpere, n2 - 3, 0),
        0x68 | 0x6a..=0x6e => Vib::new(Q::RatingFactor, U::None, 0, Kind::Fraction12),
        0x69 => {
            let mut vib = Vib::number(Q::RatingFactor, U::Kilowatt, 0, -3);
            vib.kind = Kind::Unsigned;
            vib
        }
        0x74..=0x77 => Vib::number(Q::TemperatureLimit, U::Celsius, n2 - 3, 0),
        0x78..=0x7f => Vib::number(Q::CumulatedMaximumPower, U::Kilowatt, n3 - 3, -3),
        _ => Vib::reserved(),
    }
}
