//! Continuing the count of a place: what is added to a reading's main register, and what is said of it.

use base::{Decimal, MeterId, Obis, Quantity, Unit, UtcMillis};
use store::register::Joined;
use wire::archive::{Continued, JoinedMeter};
use wire::intake::{Reading, Record, Value};

use crate::exchanging::index;
use crate::question::Question;

/// The meters of a place, and how many readings could not be continued.
pub(crate) struct Series<'a> {
    joined: &'a [Joined],
    /// Readings without a register in the unit in which the indices were told.
    without: u64,
}

/// A stay of a meter, and where it stands among the others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joint<'a>(usize, &'a Joined);

impl Joint<'_> {
    /// Its number, from 1.
    pub(crate) fn number(self) -> u32 {
        u32::try_from(self.0).map_or(u32::MAX, |at| at.saturating_add(1))
    }

    /// Its series.
    pub(crate) const fn series(self) -> u32 {
        self.1.series
    }
}

impl<'a> Series<'a> {
    pub(crate) const fn new(joined: &'a [Joined]) -> Self {
        Self { joined, without: 0 }
    }

    /// The stay in which a meter was heard.
    pub(crate) fn of(&self, meter: MeterId, heard: UtcMillis) -> Option<Joint<'a>> {
        let holds = |one: &Joined| one.from <= heard && one.until.is_none_or(|until| heard < until);
        let at = self.joined.iter().position(|one| one.meter == meter && holds(one))?;
        self.joined.get(at).map(|one| Joint(at, one))
    }

    /// The main register of a reading with what its stay adds to it; nothing where the count is broken, or there is no such
    /// register in the unit in which the indices were told.
    pub(crate) fn continued(
        &mut self,
        at: Joint<'_>,
        address: &[u8],
        reading: &Reading,
    ) -> Option<Continued> {
        let Joint(_, stay) = at;
        let carry = stay.carry.ok()?;
        let sum = main_register(address, stay.unit, &reading.records)
            .and_then(|(at, value)| Some((u32::try_from(at).ok()?, value.checked_add(carry)?)));
        if let Some((record, value)) = sum {
            return Some(Continued { record, value: Some(index(value)) });
        }
        self.without = self.without.saturating_add(u64::from(stay.unit.is_some()));
        None
    }

    /// What is to be said of readings that could not be continued.
    pub(crate) fn note(&self) -> Option<String> {
        (self.without > 0).then(|| {
            format!(
                "{} readings have no register in the unit in which their exchange was told, and are not continued",
                self.without
            )
        })
    }

    /// What was joined. An index is told to whom the time that was asked for reaches.
    pub(crate) fn told(&self, question: &Question) -> Vec<JoinedMeter> {
        let told = |one: &Joined| {
            let reached = |read: Option<(UtcMillis, Decimal)>| {
                read.filter(|(at, _)| question.reaches(*at)).map(|(_, shown)| index(shown))
            };
            JoinedMeter {
                series: one.series,
                address: one.address.to_vec(),
                from_ms: one.from.0,
                until_ms: one.until.map(|until| until.0),
                opening: reached(one.opening),
                closing: reached(one.closing),
                carry: one.carry.ok().map(index),
                unit: u32::from(one.unit.unwrap_or(Unit::None).code()),
                why: one.carry.err().map(|why| why.to_string()).unwrap_or_default(),
            }
        };
        self.joined.iter().map(told).collect()
    }
}

/// What a meter counts, by its device type; the first one that it sends.
const fn counted(device: Option<u8>) -> &'static [Quantity] {
    match device {
        Some(0x02) => &[Quantity::Energy, Quantity::ReactiveEnergy, Quantity::ApparentEnergy],
        Some(0x03) => &[Quantity::Volume, Quantity::Energy],
        Some(0x04 | 0x0a..=0x0d) => &[Quantity::Energy],
        Some(0x06 | 0x07 | 0x15..=0x17) => &[Quantity::Volume],
        Some(0x08) => &[Quantity::HeatCost],
        _ => &[Quantity::Energy, Quantity::Volume, Quantity::HeatCost],
    }
}

/// The register that people read off a meter: the present count over all tariffs. Where a unit is given it is in that one.
fn main_register(address: &[u8], unit: Option<Unit>, records: &[Record]) -> Option<(usize, Decimal)> {
    let device = address.get(7).copied();
    counted(device).iter().find_map(|quantity| {
        let fits = |record: &&(usize, &Record)| is_main(record.1, *quantity, unit);
        let all: Vec<(usize, &Record)> = records.iter().enumerate().collect();
        let (at, record) = all.iter().find(fits)?;
        number(record).map(|value| (*at, value))
    })
}

/// Whether a record is the present count of a quantity, over all tariffs and forwards.
fn is_main(record: &Record, quantity: Quantity, unit: Option<Unit>) -> bool {
    let plain = (record.function, record.storage, record.tariff, record.subunit) == (0, 0, 0, 0);
    let own = u16::try_from(record.unit).ok().and_then(Unit::from_code);
    // allocators send their units as none
    let same = |unit| own == Some(unit) || (unit == Unit::HeatCostUnit && own == Some(Unit::None));
    record.quantity == u32::from(quantity.code())
        && plain
        && record.modifiers.is_empty()
        && unit.is_none_or(same)
        && Obis::from_slice(&record.obis).is_none_or(|code| is_total(code, quantity))
        && number(record).is_some()
}

/// Whether a code that the meter sent is that of the total, now; of electricity, of what was drawn.
fn is_total(Obis([medium, _, c, d, e, period]): Obis, quantity: Quantity) -> bool {
    let drawn = match quantity {
        Quantity::ReactiveEnergy => 3,
        Quantity::ApparentEnergy => 9,
        _ => 1,
    };
    e == 0 && period == 255 && (medium != 1 || (c, d) == (drawn, 8))
}

fn number(record: &Record) -> Option<Decimal> {
    let Some(Value::Number(n)) = &record.value else { return None };
    i8::try_from(n.exponent).ok().map(|exponent| Decimal::new(n.mantissa, exponent))
}

#[cfg(test)]
mod tests {
    use wire::intake::Number;

    use super::*;

    const WATER: [u8; 8] = [1, 2, 3, 4, 5, 6, 0x1b, 0x16];
    const ELECTRICITY: [u8; 8] = [1, 2, 3, 4, 5, 6, 0x1b, 0x02];
    const ALLOCATOR: [u8; 8] = [1, 2, 3, 4, 5, 6, 0x1b, 0x08];

    fn record(quantity: Quantity, unit: Unit, mantissa: i64) -> Record {
        let value = Some(Value::Number(Number { mantissa, exponent: -3 }));
        let (quantity, unit) = (u32::from(quantity.code()), u32::from(unit.code()));
        Record { quantity, unit, value, ..Record::default() }
    }

    fn volume(mantissa: i64) -> Record {
        record(Quantity::Volume, Unit::CubicMetre, mantissa)
    }

    #[test]
    fn the_main_register_is_the_present_total_and_nothing_beside_it() {
        let beside = [
            Record { storage: 1, ..volume(1) },
            Record { function: 1, ..volume(2) },
            Record { tariff: 1, ..volume(3) },
            Record { subunit: 1, ..volume(4) },
            Record { modifiers: vec![7], ..volume(5) },
            Record { value: Some(Value::Real(6.0)), ..volume(6) },
            record(Quantity::VolumeFlow, Unit::CubicMetrePerHour, 7),
            record(Quantity::Energy, Unit::KilowattHour, 8),
            Record { obis: vec![8, 0, 1, 0, 0, 1], ..volume(9) },
        ];
        for unit in [None, Some(Unit::CubicMetre)] {
            assert_eq!(main_register(&WATER, unit, &beside), None);
            let with = [&beside[..], &[volume(10)]].concat();
            assert_eq!(main_register(&WATER, unit, &with), Some((9, Decimal::new(10, -3))));
            assert_eq!(main_register(&WATER, Some(Unit::CubicFoot), &with), None, "another unit");
        }
    }

    #[test]
    fn of_electricity_it_is_what_was_drawn_and_of_an_allocator_a_count_without_unit() {
        let energy = |obis: [u8; 6], mantissa| Record {
            obis: obis.to_vec(),
            ..record(Quantity::Energy, Unit::KilowattHour, mantissa)
        };
        let sent = [
            energy([1, 0, 2, 8, 0, 255], 1),
            energy([1, 0, 1, 8, 1, 255], 2),
            energy([1, 0, 1, 8, 0, 255], 3),
        ];
        assert_eq!(main_register(&ELECTRICITY, None, &sent), Some((2, Decimal::new(3, -3))));
        let reactive = Record {
            obis: vec![1, 0, 3, 8, 0, 255],
            ..record(Quantity::ReactiveEnergy, Unit::KilovarHour, 4)
        };
        let both = [sent[2].clone(), reactive];
        assert_eq!(main_register(&ELECTRICITY, Some(Unit::KilovarHour), &both).unwrap().0, 1);
        let allocated = [record(Quantity::HeatCost, Unit::None, 5)];
        assert!(main_register(&ALLOCATOR, Some(Unit::HeatCostUnit), &allocated).is_some());
    }
}
