//! Device types in words.

use base::MeterAddress;

use crate::makers;

/// The device type of a meter as the standard numbers them (EN 13757-7 table 13), also where its maker numbers them
/// otherwise, as Techem does.
#[must_use]
pub fn standard_device(meter: &MeterAddress) -> u8 {
    makers::of(meter).map_or_else(|| meter.device_type(), |maker| maker.device(meter))
}

/// The words for a device type byte (EN 13757-7 table 13).
#[must_use]
pub const fn device_name(device: u8) -> &'static str {
    match device {
        0x00 => "other",
        0x01 => "oil meter",
        0x02 => "electricity meter",
        0x03 => "gas meter",
        0x04 => "heat meter (return)",
        0x05 => "steam meter",
        0x06 => "warm water meter",
        0x07 => "water meter",
        0x08 => "heat cost allocator",
        0x09 => "compressed air meter",
        0x0a => "cooling meter (return)",
        0x0b => "cooling meter (flow)",
        0x0c => "heat meter (flow)",
        0x0d => "heat and cooling meter",
        0x0e => "bus or system component",
        0x0f => "unknown device type",
        0x14 => "calorific value meter",
        0x15 => "hot water meter",
        0x16 => "cold water meter",
        0x17 => "dual register water meter",
        0x18 => "pressure meter",
        0x19 => "A/D converter",
        0x1a => "smoke detector",
        0x1b => "room sensor",
        0x1c => "gas detector",
        0x1d => "carbon monoxide alarm",
        0x1e => "heat detector",
        0x1f => "sensor",
        0x20 => "breaker",
        0x21 => "valve",
        0x22 | 0x23 => "switching device",
        0x24 => "customer unit",
        0x25 => "display",
        0x26 | 0x27 => "customer unit",
        0x28 => "waste water meter",
        0x29 => "garbage meter",
        0x2a => "carbon dioxide sensor",
        0x31 => "communication controller",
        0x32 => "unidirectional repeater",
        0x33 => "bidirectional repeater",
        0x36 => "radio converter (system side)",
        0x37 => "radio converter (meter side)",
        0x38 => "wired adapter",
        _ => "reserved device type",
    }
}
