//! The primary VIF table (EN 13757-3 table 10).

use base::{Quantity as Q, Unit as U};

use super::{Kind, Vib};

/// The meaning of a VIF without its extension bit.
pub(super) const fn lookup(vif: u8) -> Vib {
    let n3 = (vif & 7).cast_signed();
    let n2 = (vif & 3).cast_signed();
    match vif {
        0x00..=0x07 => Vib::number(Q::Energy, U::KilowattHour, n3 - 3, -3),
        0x08..=0x0f => Vib::number(Q::Energy, U::Megajoule, n3, -6),
        0x10..=0x17 => Vib::number(Q::Volume, U::CubicMetre, n3 - 6, 0),
        0x18..=0x1f => Vib::number(Q::Mass, U::Kilogram, n3 - 3, 0),
        0x20..=0x23 => Vib::number(Q::OnTime, duration(vif), 0, 0),
        0x24..=0x27 => Vib::number(Q::OperatingTime, duration(vif), 0, 0),
        0x28..=0x2f => Vib::number(Q::Power, U::Kilowatt, n3 - 3, -3),
        0x30..=0x37 => Vib::number(Q::Power, U::MegajoulePerHour, n3, -6),
        0x38..=0x3f => Vib::number(Q::VolumeFlow, U::CubicMetrePerHour, n3 - 6, 0),
        0x40..=0x47 => Vib::number(Q::VolumeFlow, U::CubicMetrePerMinute, n3 - 7, 0),
        0x48..=0x4f => Vib::number(Q::VolumeFlow, U::CubicMetrePerSecond, n3 - 9, 0),
        0x50..=0x57 => Vib::number(Q::MassFlow, U::KilogramPerHour, n3 - 3, 0),
        0x58..=0x5b => Vib::number(Q::FlowTemperature, U::Celsius, n2 - 3, 0),
        0x5c..=0x5f => Vib::number(Q::ReturnTemperature, U::Celsius, n2 - 3, 0),
        0x60..=0x63 => Vib::number(Q::TemperatureDifference, U::Kelvin, n2 - 3, 0),
        0x64..=0x67 => Vib::number(Q::ExternalTemperature, U::Celsius, n2 - 3, 0),
        0x68..=0x6b => Vib::number(Q::Pressure, U::Bar, n2 - 3, 0),
        0x6c => Vib::point(Q::Date),
        0x6d => Vib::point(Q::DateTime),
        0x6e => Vib::number(Q::HeatCost, U::HeatCostUnit, 0, 0),
        0x70..=0x73 => Vib::number(Q::AveragingDuration, duration(vif), 0, 0),
        0x74..=0x77 => Vib::number(Q::ActualityDuration, duration(vif), 0, 0),
        0x78 => Vib::identity(Q::FabricationNumber),
        0x79 => Vib::identity(Q::EnhancedIdentification),
        0x7a => Vib::unsigned(Q::BusAddress),
        0x7e => Vib::new(Q::Any, U::None, 0, Kind::Number),
        0x7f => Vib::new(Q::ManufacturerSpecific, U::None, 0, Kind::Number),
        _ => Vib::reserved(), // 6F, and 7B, 7C, 7D, which name further tables and were read before
    }
}

/// The unit of a duration, by the two lowest bits.
pub(super) const fn duration(code: u8) -> U {
    match code & 3 {
        0 => U::Second,
        1 => U::Minute,
        2 => U::Hour,
        _ => U::Day,
    }
}

/// The unit of a long duration, by the two lowest bits.
pub(super) const fn long_duration(code: u8) -> U {
    match code & 3 {
        0 => U::Hour,
        1 => U::Day,
        2 => U::Month,
        _ => U::Year,
    }
}
