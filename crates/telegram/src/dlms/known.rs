//! What OBIS codes and units of COSEM mean in our words (EN 13757-1; IEC 62056-6-1; IEC 62056-6-2 table 4).

use base::{Obis, Quantity, Unit};

use crate::records::{Function, Modifier};

/// The meaning of an OBIS code, as far as the code itself says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub(crate) quantity: Quantity,
    pub(crate) function: Function,
    pub(crate) tariff: u32,
    pub(crate) storage: u64,
    /// Delivered to the grid, as against taken from it.
    pub(crate) modifier: Option<Modifier>,
    /// Of one phase alone.
    pub(crate) phase: Option<Modifier>,
}

/// What a code means. Quantities that nothing names are told by their unit later.
pub(crate) fn meaning(obis: Obis) -> Meaning {
    let [a, _, c, d, e, f] = obis.0;
    let plain = |quantity| Meaning {
        quantity,
        function: Function::Instantaneous,
        tariff: 0,
        storage: if f == 255 { 0 } else { u64::from(f) + 1 },
        modifier: None,
        phase: None,
    };
    match (a, c) {
        (0, 0) | (1, 0) if d == 0 => plain(Quantity::FabricationNumber),
        (0, 1) => plain(Quantity::DateTime),
        (0, 42) => plain(Quantity::EnhancedIdentification),
        (_, 96) => plain(match (d, e) {
            (1, 1) if a == 1 => Quantity::ModelVersion,
            (1, 7) => Quantity::ModelVersion,
            (1, _) => Quantity::FabricationNumber,
            (2, _) => Quantity::ParameterSet,
            (7, _) => Quantity::SupplyEventCounter,
            (13, _) => Quantity::SupplierInformation,
            (14, _) => Quantity::ActiveTariff,
            (5, _) => Quantity::ErrorFlags,
            _ => Quantity::ManufacturerSpecific,
        }),
        (1, 99 | 98) => plain(Quantity::ManufacturerSpecific),
        (_, 97) => plain(Quantity::ErrorFlags),
        (1, c) => electricity(c, d, e, plain(Quantity::ManufacturerSpecific)),
        _ => plain(Quantity::ManufacturerSpecific),
    }
}

/// Quantity C by blocks of twenty a phase (0 all, 20 L1, 40 L2, 60 L3), processing D.
fn electricity(c: u8, d: u8, e: u8, plain: Meaning) -> Meaning {
    // integrals over time are energies: 8 since the beginning, 9 and 29 of a period
    let integral = matches!(d, 8 | 9 | 29 | 30 | 17 | 18 | 19 | 20);
    let either = |energy, power| if integral { energy } else { power };
    let (quantity, modifier) = match c {
        81 => (Quantity::PhaseVoltageCurrent, None),
        90 | 91 => (Quantity::Current, None),
        92 => (Quantity::Voltage, None),
        1..=80 => match c % 20 {
            1 | 15 | 16 => (either(Quantity::Energy, Quantity::Power), None),
            2 => (either(Quantity::Energy, Quantity::Power), Some(Modifier::BACKWARD)),
            3 | 5 | 6 => (either(Quantity::ReactiveEnergy, Quantity::ReactivePower), None),
            4 => (either(Quantity::ReactiveEnergy, Quantity::ReactivePower), Some(Modifier::BACKWARD)),
            7 | 8 => (either(Quantity::ReactiveEnergy, Quantity::ReactivePower), None),
            9 => (either(Quantity::ApparentEnergy, Quantity::ApparentPower), None),
            10 => (either(Quantity::ApparentEnergy, Quantity::ApparentPower), Some(Modifier::BACKWARD)),
            11 => (Quantity::Current, None),
            12 => (Quantity::Voltage, None),
            13 => (Quantity::PowerFactor, None),
            14 => (Quantity::Frequency, None),
            _ => (Quantity::ManufacturerSpecific, None),
        },
        _ => (Quantity::ManufacturerSpecific, None),
    };
    // thresholds and counts of voltage events stand under the voltage's code (D 31-39)
    let quantity = if matches!(d, 32 | 36) { Quantity::SupplyEventCounter } else { quantity };
    let function = match d {
        3 | 13 | 23 => Function::Minimum,
        6 | 16 | 26 => Function::Maximum,
        _ => Function::Instantaneous,
    };
    // E is a harmonic or a pair of phases elsewhere
    let tariff = if c <= 80 && e < 64 && (integral || function == Function::Maximum) { e.into() } else { 0 };
    let phase = match c {
        21..=40 => Some(Modifier::PHASE_1),
        41..=60 => Some(Modifier::PHASE_2),
        61..=80 => Some(Modifier::PHASE_3),
        _ => None,
    };
    Meaning { quantity, function, tariff, modifier, phase, ..plain }
}

/// A unit by its number (IEC 62056-6-2 table 4): ours, and the power of ten from theirs to it.
pub(crate) const fn unit(number: u8) -> Option<(Unit, i8)> {
    Some(match number {
        1 => (Unit::Year, 0),
        2 => (Unit::Month, 0),
        4 => (Unit::Day, 0),
        5 => (Unit::Hour, 0),
        6 => (Unit::Minute, 0),
        7 => (Unit::Second, 0),
        8 => (Unit::Degree, 0),
        9 => (Unit::Celsius, 0),
        13 | 14 => (Unit::CubicMetre, 0),
        15 | 16 => (Unit::CubicMetrePerHour, 0),
        20 => (Unit::Kilogram, 0),
        24 => (Unit::Bar, 0),
        25 => (Unit::Megajoule, -6),
        26 => (Unit::MegajoulePerHour, -6),
        27 => (Unit::Kilowatt, -3),
        28 => (Unit::KilovoltAmpere, -3),
        29 => (Unit::Kilovar, -3),
        30 => (Unit::KilowattHour, -3),
        31 => (Unit::KilovoltAmpereHour, -3),
        32 => (Unit::KilovarHour, -3),
        33 => (Unit::Ampere, 0),
        35 => (Unit::Volt, 0),
        44 => (Unit::Hertz, 0),
        52 => (Unit::Kelvin, 0),
        70 => (Unit::DecibelMilliwatt, 0),
        255 => (Unit::None, 0),
        _ => return None,
    })
}

/// What a unit measures, for registers that their code does not tell.
pub(crate) const fn of_unit(unit: Unit) -> Quantity {
    match unit {
        Unit::CubicMetre => Quantity::Volume,
        Unit::KilowattHour | Unit::Megajoule => Quantity::Energy,
        Unit::Kilowatt | Unit::MegajoulePerHour => Quantity::Power,
        Unit::KilovarHour => Quantity::ReactiveEnergy,
        Unit::Kilovar => Quantity::ReactivePower,
        Unit::KilovoltAmpereHour => Quantity::ApparentEnergy,
        Unit::KilovoltAmpere => Quantity::ApparentPower,
        Unit::CubicMetrePerHour => Quantity::VolumeFlow,
        Unit::Kilogram => Quantity::Mass,
        Unit::Bar => Quantity::Pressure,
        Unit::Volt => Quantity::Voltage,
        Unit::Ampere => Quantity::Current,
        Unit::Hertz => Quantity::Frequency,
        Unit::Celsius => Quantity::ExternalTemperature,
        Unit::DecibelMilliwatt => Quantity::RfLevel,
        _ => Quantity::ManufacturerSpecific,
    }
}

/// Makers whose lists leave scale and unit out, so that they have to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    /// OMNIPOWER, list `Kamstrup_V0001` (Kamstrup, "HAN-NVE" interface description).
    Kamstrup,
    /// MA105 and MA304, list `KFM_001` (Kaifa, "HAN OBIS codes").
    Kaifa,
    /// E450 (as the open collector of EKZ and Supercomputing Systems reads it).
    LandisGyr,
    /// AM550 (the same; voltages of its lists of 2026 are tenths).
    Iskra,
    /// Scales of others are not known; energies and powers are Wh and W by the IDIS packages.
    Other,
}

impl Maker {
    /// By the three letters of its titles and logical device names.
    pub(crate) const fn of_letters(letters: &[u8]) -> Self {
        match letters {
            b"KAM" => Self::Kamstrup,
            b"KFM" => Self::Kaifa,
            b"LGZ" => Self::LandisGyr,
            b"ISK" => Self::Iskra,
            _ => Self::Other,
        }
    }

    /// The power of ten and the number of the unit of a register that comes without. `None` where it is not known: then
    /// the number stands as sent, without a unit.
    pub(crate) const fn scale(self, quantity: Quantity) -> Option<(i8, u8)> {
        let tens = matches!(self, Self::Kamstrup) as i8;
        Some(match quantity {
            Quantity::Energy => (tens, 30),
            Quantity::ReactiveEnergy => (tens, 32),
            Quantity::ApparentEnergy => (tens, 31),
            Quantity::Power => (0, 27),
            Quantity::ReactivePower => (0, 29),
            Quantity::ApparentPower => (0, 28),
            Quantity::Voltage => match self {
                Self::Kamstrup | Self::LandisGyr => (0, 35),
                Self::Kaifa | Self::Iskra => (-1, 35),
                Self::Other => return None,
            },
            Quantity::Current => match self {
                Self::Kamstrup | Self::LandisGyr | Self::Iskra => (-2, 33),
                Self::Kaifa => (-3, 33),
                Self::Other => return None,
            },
            Quantity::PowerFactor => match self {
                Self::Kamstrup => (-2, 255),
                Self::LandisGyr | Self::Iskra => (-3, 255),
                Self::Kaifa | Self::Other => return None,
            },
            Quantity::PhaseVoltageCurrent if matches!(self, Self::LandisGyr) => (0, 8),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_electricity_say_what_is_measured() {
        for (code, quantity, tariff, back, function) in [
            ("1-0:1.8.0", Quantity::Energy, 0, false, Function::Instantaneous),
            ("1-0:2.8.2", Quantity::Energy, 2, true, Function::Instantaneous),
            ("1-1:3.8.0", Quantity::ReactiveEnergy, 0, false, Function::Instantaneous),
            ("1-0:1.7.0", Quantity::Power, 0, false, Function::Instantaneous),
            ("1-0:1.6.1", Quantity::Power, 1, false, Function::Maximum),
            ("1-0:42.7.0", Quantity::Power, 0, true, Function::Instantaneous),
            ("1-0:31.7.0", Quantity::Current, 0, false, Function::Instantaneous),
            ("1-0:72.7.0", Quantity::Voltage, 0, false, Function::Instantaneous),
            ("1-0:33.7.0", Quantity::PowerFactor, 0, false, Function::Instantaneous),
            ("1-0:14.7.0", Quantity::Frequency, 0, false, Function::Instantaneous),
            ("1-0:81.7.40", Quantity::PhaseVoltageCurrent, 0, false, Function::Instantaneous),
            ("1-0:32.32.0", Quantity::SupplyEventCounter, 0, false, Function::Instantaneous),
            ("0-0:96.1.0", Quantity::FabricationNumber, 0, false, Function::Instantaneous),
            ("0-0:1.0.0", Quantity::DateTime, 0, false, Function::Instantaneous),
        ] {
            let m = meaning(code.parse().unwrap());
            assert_eq!(
                (m.quantity, m.tariff, m.modifier.is_some(), m.function),
                (quantity, tariff, back, function),
                "{code}"
            );
            assert_eq!(m.storage, 0);
        }
        assert_eq!(meaning("1-0:1.8.0*3".parse().unwrap()).storage, 4, "0 is the present");
    }
}
