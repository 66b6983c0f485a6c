//! OBIS codes of registers: which of them a record is.
//!
//! The codes are those that the OMS specification lists for M-Bus data points (volume 2, annex A, after EN 13757-1
//! for heat, gas and water and IEC 62056-6-1 for electricity). A register that is in no list has none: a code that
//! is nearly right is worse. Value group D tells the present (0) from the value of the billing day (2), E the tariff.

use base::{MeterAddress, Obis, Quantity};

use crate::device::standard_device;
use crate::records::{Function, Modifier, Record};

/// What says which register of a meter a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register<'m> {
    /// What is measured.
    pub quantity: Quantity,
    /// Present value, maximum and so on.
    pub function: Function,
    /// 0 is the present, 1 the billing day.
    pub storage: u64,
    /// 0 is the total.
    pub tariff: u32,
    /// The part of the meter.
    pub subunit: u16,
    /// What the combinable VIFEs say.
    pub modifiers: &'m [Modifier],
}

impl Record {
    /// The OBIS code of the record in a telegram of this meter: the one that was sent with it, else that of the lists;
    /// none where no list has one.
    #[must_use]
    pub fn code(&self, meter: &MeterAddress) -> Option<Obis> {
        if self.obis.is_some() {
            return self.obis;
        }
        // at most one modifier goes into a code
        let mut all = self.modifiers.iter();
        let first = all.next();
        if all.next().is_some() {
            return None;
        }
        let &Self { quantity, function, storage, tariff, subunit, .. } = self;
        let register = Register { quantity, function, storage, tariff, subunit, modifiers: first.as_slice() };
        obis(meter, &register)
    }
}

/// The OBIS code of a register of a meter; none where no list has one.
#[must_use]
pub fn obis(meter: &MeterAddress, register: &Register<'_>) -> Option<Obis> {
    let device = standard_device(meter);
    // Volume of a heat meter's pulse input and the like belong to another meter.
    if register.subunit != 0 && device != 0x02 {
        return None;
    }
    match device {
        0x02 => electricity(register),
        0x03 => gas(register),
        0x04 | 0x0c | 0x0d => thermal(6, register),
        0x0a | 0x0b => thermal(5, register),
        0x06 | 0x15 => water(9, register),
        0x07 | 0x16 => water(8, register),
        0x08 => plain(4, register, Quantity::HeatCost, 1),
        _ => None,
    }
}

/// A code of the present.
const fn code(a: u8, c: u8, d: u8, e: u8) -> Obis {
    Obis([a, 0, c, d, e, 255])
}

/// A counter that has codes for now and for the billing day.
fn plain(medium: u8, register: &Register<'_>, quantity: Quantity, c: u8) -> Option<Obis> {
    let simple = register.tariff == 0
        && register.function == Function::Instantaneous
        && register.modifiers.is_empty()
        && register.quantity == quantity;
    match (simple, register.storage) {
        (true, 0) => Some(code(medium, c, 0, 0)),
        (true, 1) => Some(code(medium, c, 2, 0)),
        _ => None,
    }
}

/// A value of the moment.
fn present(medium: u8, register: &Register<'_>, c: u8) -> Option<Obis> {
    plain(medium, register, register.quantity, c).filter(|_| register.storage == 0)
}

fn water(medium: u8, register: &Register<'_>) -> Option<Obis> {
    match register.quantity {
        Quantity::Volume => plain(medium, register, Quantity::Volume, 1),
        Quantity::VolumeFlow => present(medium, register, 2),
        _ => None,
    }
}

fn thermal(medium: u8, register: &Register<'_>) -> Option<Obis> {
    match register.quantity {
        Quantity::Energy => plain(medium, register, Quantity::Energy, 1),
        Quantity::Volume => plain(medium, register, Quantity::Volume, 2),
        Quantity::Power => present(medium, register, 8),
        Quantity::VolumeFlow => present(medium, register, 9),
        Quantity::FlowTemperature => present(medium, register, 10),
        Quantity::ReturnTemperature => present(medium, register, 11),
        Quantity::TemperatureDifference => present(medium, register, 12),
        _ => None,
    }
}

/// Volume at metering conditions and at base conditions; a meter that says neither means the first.
fn gas(register: &Register<'_>) -> Option<Obis> {
    let d = match register.modifiers {
        [] | [Modifier(0x3a)] => 0,
        [Modifier(0x3e)] => 2,
        _ => return None,
    };
    let now = register.storage == 0 && register.tariff == 0 && register.function == Function::Instantaneous;
    (now && register.quantity == Quantity::Volume).then(|| code(7, 3, d, 0))
}

fn electricity(register: &Register<'_>) -> Option<Obis> {
    if register.storage != 0 || register.subunit != 0 {
        return None; // which billing period a storage number is differs from meter to meter
    }
    // of all phases import; export and single phases are so many further
    let (step, phase) = match register.modifiers {
        [] | [Modifier::FORWARD] => (0, 0),
        [Modifier::BACKWARD] => (1, 0),
        [Modifier::PHASE_1] => (0, 20),
        [Modifier::PHASE_2] => (0, 40),
        [Modifier::PHASE_3] => (0, 60),
        _ => return None,
    };
    let (c, counts) = match register.quantity {
        Quantity::Energy => (1, true),
        Quantity::ReactiveEnergy => (3, true),
        Quantity::ApparentEnergy => (9, true),
        Quantity::Power => (1, false),
        Quantity::ReactivePower => (3, false),
        Quantity::ApparentPower => (9, false),
        Quantity::Current => (11, false),
        Quantity::Voltage => (12, false),
        Quantity::Frequency if phase == 0 && step == 0 => (14, false),
        _ => return None,
    };
    if step == 1 && c > 9 {
        return None;
    }
    let d = match (counts, register.function) {
        (true, Function::Instantaneous) => 8,
        (false, Function::Instantaneous) => 7,
        (false, Function::Maximum) if c < 11 => 6,
        _ => return None,
    };
    let e = u8::try_from(register.tariff).ok().filter(|e| counts && *e < 64 || *e == 0)?;
    Some(code(1, c + step + phase, d, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(
        meter: &str,
        quantity: Quantity,
        storage: u64,
        tariff: u32,
        modifiers: &[Modifier],
    ) -> Option<String> {
        let function = Function::Instantaneous;
        let register = Register { quantity, function, storage, tariff, subunit: 0, modifiers };
        obis(&meter.parse().unwrap(), &register).map(|code| code.to_string())
    }

    #[test]
    fn registers_that_are_listed_have_their_codes() {
        use Quantity::{
            Current, Energy, FlowTemperature, Frequency, HeatCost, Power, ReactiveEnergy, Voltage, Volume,
            VolumeFlow,
        };
        for (device, quantity, storage, tariff, modifiers, expected) in [
            ("16", Volume, 0, 0, &[][..], "8-0:1.0.0"),
            ("07", Volume, 1, 0, &[], "8-0:1.2.0"),
            ("07", VolumeFlow, 0, 0, &[], "8-0:2.0.0"),
            ("06", Volume, 0, 0, &[], "9-0:1.0.0"),
            ("04", Energy, 0, 0, &[], "6-0:1.0.0"),
            ("0C", Energy, 1, 0, &[], "6-0:1.2.0"),
            ("0A", Energy, 0, 0, &[], "5-0:1.0.0"),
            ("04", Volume, 1, 0, &[], "6-0:2.2.0"),
            ("04", Power, 0, 0, &[], "6-0:8.0.0"),
            ("04", FlowTemperature, 0, 0, &[], "6-0:10.0.0"),
            ("08", HeatCost, 0, 0, &[], "4-0:1.0.0"),
            ("08", HeatCost, 1, 0, &[], "4-0:1.2.0"),
            ("03", Volume, 0, 0, &[], "7-0:3.0.0"),
            ("03", Volume, 0, 0, &[Modifier(0x3e)], "7-0:3.2.0"),
            ("02", Energy, 0, 0, &[], "1-0:1.8.0"),
            ("02", Energy, 0, 2, &[Modifier::FORWARD], "1-0:1.8.2"),
            ("02", Energy, 0, 0, &[Modifier::BACKWARD], "1-0:2.8.0"),
            ("02", ReactiveEnergy, 0, 0, &[Modifier::BACKWARD], "1-0:4.8.0"),
            ("02", Power, 0, 0, &[Modifier::PHASE_2], "1-0:41.7.0"),
            ("02", Voltage, 0, 0, &[Modifier::PHASE_1], "1-0:32.7.0"),
            ("02", Current, 0, 0, &[Modifier::PHASE_3], "1-0:71.7.0"),
            ("02", Frequency, 0, 0, &[], "1-0:14.7.0"),
        ] {
            let meter = format!("KAM-12345678-01-{device}");
            assert_eq!(
                of(&meter, quantity, storage, tariff, modifiers).as_deref(),
                Some(expected),
                "{device} {quantity:?}"
            );
        }
        // the maker's own device type for cold water
        assert_eq!(of("TCH-12345678-74-72", Volume, 0, 0, &[]).as_deref(), Some("8-0:1.0.0"));
    }

    #[test]
    fn what_is_not_listed_has_no_code() {
        use Quantity::{Energy, Power, Volume};
        for (device, quantity, storage, tariff, modifiers) in [
            ("16", Volume, 2, 0, &[][..]),
            ("16", Volume, 0, 1, &[]),
            ("16", Volume, 0, 0, &[Modifier::BACKWARD]),
            ("16", Energy, 0, 0, &[]),
            ("04", Power, 1, 0, &[]),
            ("02", Energy, 1, 0, &[]),
            ("02", Power, 0, 1, &[]),
            ("1A", Volume, 0, 0, &[]),
        ] {
            assert_eq!(of(&format!("KAM-12345678-01-{device}"), quantity, storage, tariff, modifiers), None);
        }
    }
}
