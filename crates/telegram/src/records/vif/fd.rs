//! The second extension table, after FD, and the one behind it, after FD FD (EN 13757-3 tables 12 and 13).

use base::{Quantity as Q, Unit as U};

use super::primary::{duration, long_duration};
use super::{Kind, Vib};

/// The meaning of a VIFE after FD, without its extension bit.
pub(super) const fn lookup(code: u8) -> Vib {
    let n2 = (code & 3).cast_signed();
    let n4 = (code & 0x0f).cast_signed();
    match code {
        0x00..=0x03 => Vib::number(Q::Credit, U::Currency, n2 - 3, 0),
        0x04..=0x07 => Vib::number(Q::Debit, U::Currency, n2 - 3, 0),
        0x08 => Vib::flags(Q::MessageIdentification),
        0x09 => Vib::unsigned(Q::DeviceType),
        0x0a => Vib::identity(Q::Manufacturer),
        0x0b => Vib::identity(Q::ParameterSet),
        0x0c => Vib::identity(Q::ModelVersion),
        0x0d => Vib::identity(Q::HardwareVersion),
        0x0e => Vib::identity(Q::FirmwareVersion),
        0x0f => Vib::identity(Q::SoftwareVersion),
        0x10 => Vib::identity(Q::CustomerLocation),
        0x11 => Vib::identity(Q::Customer),
        0x12..=0x15 => Vib::identity(Q::AccessCode),
        0x16 => Vib::identity(Q::Password),
        0x17 => Vib::flags(Q::ErrorFlags),
        0x18 => Vib::flags(Q::ErrorMask),
        0x19 => Vib::bytes(Q::SecurityKey),
        0x1a => Vib::flags(Q::DigitalOutput),
        0x1b => Vib::flags(Q::DigitalInput),
        0x1c => unsigned_in(Q::BaudRate, U::Baud),
        0x1d => unsigned_in(Q::ResponseDelay, U::BitTime),
        0x1e => Vib::unsigned(Q::Retry),
        0x1f => Vib::flags(Q::RemoteControl),
        0x20 => Vib::unsigned(Q::FirstStorageNumber),
        0x21 => Vib::unsigned(Q::LastStorageNumber),
        0x22 => Vib::unsigned(Q::StorageBlockSize),
        0x23 => Vib::unsigned(Q::TariffDescriptor),
        0x24..=0x27 => Vib::number(Q::StorageInterval, duration(code), 0, 0),
        0x28 => Vib::number(Q::StorageInterval, U::Month, 0, 0),
        0x29 => Vib::number(Q::StorageInterval, U::Year, 0, 0),
        0x2a => Vib::bytes(Q::OperatorData),
        0x2b => unsigned_in(Q::TimePointSecond, U::Second),
        0x2c..=0x2f => unsigned_in(Q::SinceLastReadout, duration(code)),
        0x30 => Vib::point(Q::TariffStart),
        0x31..=0x33 => Vib::number(Q::TariffDuration, duration(code), 0, 0),
        0x34..=0x37 => Vib::number(Q::TariffPeriod, duration(code), 0, 0),
        0x38 => Vib::number(Q::TariffPeriod, U::Month, 0, 0),
        0x39 => Vib::number(Q::TariffPeriod, U::Year, 0, 0),
        0x3a => Vib::number(Q::Dimensionless, U::None, 0, 0),
        0x3b | 0x76 => Vib::bytes(Q::Container),
        0x3c..=0x3f => unsigned_in(Q::TransmissionPeriod, duration(code)),
        0x40..=0x4f => Vib::number(Q::Voltage, U::Volt, n4 - 9, 0),
        0x50..=0x5f => Vib::number(Q::Current, U::Ampere, n4 - 12, 0),
        0x60 => Vib::number(Q::ResetCounter, U::None, 0, 0),
        0x61 => Vib::number(Q::CumulationCounter, U::None, 0, 0),
        0x62 => Vib::number(Q::ControlSignal, U::None, 0, 0),
        0x63 => Vib::number(Q::DayOfWeek, U::None, 0, 0),
        0x64 => Vib::number(Q::WeekNumber, U::None, 0, 0),
        0x65 => Vib::point(Q::DayChange),
        0x66 => Vib::flags(Q::ParameterActivation),
        0x67 => Vib::identity(Q::SupplierInformation),
        0x68..=0x6b => Vib::number(Q::SinceLastCumulation, long_duration(code), 0, 0),
        0x6c..=0x6f => Vib::number(Q::BatteryOperatingTime, long_duration(code), 0, 0),
        0x70 => Vib::point(Q::BatteryChange),
        0x71 => Vib::number(Q::RfLevel, U::DecibelMilliwatt, 0, 0),
        0x72 => Vib::bytes(Q::SummerTime),
        0x73 => Vib::bytes(Q::ListeningWindow),
        0x74 => unsigned_in(Q::BatteryRemaining, U::Day),
        0x75 => Vib::unsigned(Q::StopCounter),
        _ => Vib::reserved(),
    }
}

/// The meaning of a VIFE after FD FD, without its extension bit.
pub(super) const fn lookup_second(code: u8) -> Vib {
    match code {
        0x00 => Vib::unsigned(Q::SelectedApplication),
        0x02 => unsigned_in(Q::BatteryRemaining, U::Month),
        0x03 => unsigned_in(Q::BatteryRemaining, U::Year),
        _ => Vib::reserved(),
    }
}

const fn unsigned_in(quantity: Q, unit: U) -> Vib {
    Vib::new(quantity, unit, 0, Kind::Unsigned)
}
