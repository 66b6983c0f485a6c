//! What somebody sees of a meter who may know how it is, and not what it measured.

use base::Quantity;
use grant::{Action, Verified};
use wire::Refused;
use wire::archive::MeterReading;
use wire::intake::{Reading, Record};

use crate::opening::Opened;
use crate::question::Question;
use crate::rows::{Found, Shown};

/// What tells how a meter is and nothing of what passed through it. Flags may say that a pipe leaks or that nothing flows:
/// that is what somebody is sent out for.
const OF_THE_METER: [Quantity; 13] = [
    Quantity::OnTime,
    Quantity::OperatingTime,
    Quantity::ModelVersion,
    Quantity::HardwareVersion,
    Quantity::FirmwareVersion,
    Quantity::SoftwareVersion,
    Quantity::ErrorFlags,
    Quantity::ErrorMask,
    Quantity::TransmissionPeriod,
    Quantity::ResetCounter,
    Quantity::BatteryOperatingTime,
    Quantity::BatteryRemaining,
    Quantity::RfLevel,
];

/// Whether a question fits what it is asked for: how meters are is told by the newest reading of a day alone.
pub(crate) fn fits(request: &Verified<grant::Request>, question: &Question) -> Result<(), Refused> {
    let fits = question.latest && question.class == base::Class::Daily && question.until_now;
    if request.action != Action::ReadHealth || fits {
        return Ok(());
    }
    let why = "how meters are is told by the newest daily reading of each, up to now; ask for that";
    Err(Refused::new("not-health", why))
}

/// Who looks after a meter is told where it hangs now, wherever it was heard last.
pub(crate) fn show_where_it_hangs(action: Action, found: &mut Found) {
    if action == Action::ReadHealth {
        found.meters.values_mut().for_each(|shown| shown.stays.clear());
    }
}

/// Takes out of an answer what its action does not show: values, and what both meters of an exchange showed. Who asks how
/// meters are hears of the silent ones, too.
pub(crate) fn mask(action: Action, opened: &mut Opened, silent: Vec<Shown>) {
    if action != Action::ReadHealth {
        return;
    }
    let Opened { readings, joined, .. } = opened;
    for one in joined {
        (one.opening, one.closing, one.carry, one.unit) = (None, None, None, 0);
        one.why.clear();
    }
    for item in &mut *readings {
        item.continued = None;
        item.reading.iter_mut().for_each(mask_one);
    }
    let unheard = |Shown { address, place, .. }| MeterReading { address, place, ..MeterReading::default() };
    readings.extend(silent.into_iter().map(unheard));
}

fn mask_one(reading: &mut Reading) {
    reading.records.retain(tells_of_the_meter);
    // by counter and hash a telegram could be found again, with whatever else is known of it
    reading.counter = None;
    reading.telegram_hash.clear();
}

fn tells_of_the_meter(record: &Record) -> bool {
    let quantity = u16::try_from(record.quantity).ok().and_then(Quantity::from_code);
    record.storage == 0 && record.function == 0 && quantity.is_some_and(|q| OF_THE_METER.contains(&q))
}

#[cfg(test)]
mod tests {
    use wire::archive::{Continued, Index, JoinedMeter};
    use wire::intake::{Number, Value};

    use super::*;

    fn record(quantity: Quantity, storage: u64) -> Record {
        let value = Some(Value::Number(Number { mantissa: 7, exponent: 0 }));
        Record { quantity: u32::from(quantity.code()), storage, value, ..Record::default() }
    }

    #[test]
    fn no_measured_value_is_left_and_status_and_battery_are() {
        let records = Quantity::ALL.iter().map(|quantity| record(*quantity, 0)).collect();
        let reading = Reading {
            status: 4,
            counter: Some(9),
            telegram_hash: vec![1; 16],
            records,
            ..Default::default()
        };
        let index = Some(Index { mantissa: 7, exponent: 0 });
        let continued = Some(Continued { record: 0, value: index });
        let items = vec![MeterReading { reading: Some(reading), continued, joined: 1, ..Default::default() }];
        let (opening, closing, carry, why) = (index, index, index, "7 m3".to_owned());
        let joined = JoinedMeter { series: 1, opening, closing, carry, unit: 1, why, ..Default::default() };
        let mut opened = Opened { readings: items, joined: vec![joined], ..Default::default() };
        let silent = || {
            vec![Shown {
                name: String::new(),
                address: vec![1; 8],
                place: "4711-1".to_owned(),
                area: None,
                spans: Vec::new(),
                stays: Vec::new(),
            }]
        };
        mask(Action::ReadReadings, &mut opened, silent());
        let items = &opened.readings;
        assert!(items.len() == 1 && items[0].continued == continued && opened.joined[0].carry == index);
        let all = items[0].reading.as_ref().unwrap().records.len();
        assert_eq!(all, Quantity::ALL.len(), "who may see readings sees all of them");
        mask(Action::ReadHealth, &mut opened, silent());
        assert_eq!(opened.joined, [JoinedMeter { series: 1, ..Default::default() }]);
        let items = &opened.readings;
        assert_eq!(items[0].continued, None);
        assert!(items.len() == 2 && items[1].place == "4711-1" && items[1].reading.is_none());
        assert_eq!(items[1].address, [1; 8], "which one is silent");
        let left = items[0].reading.as_ref().unwrap();
        let codes: Vec<u32> = left.records.iter().map(|r| r.quantity).collect();
        assert_eq!(codes.len(), OF_THE_METER.len());
        for gone in [
            Quantity::Volume,
            Quantity::Energy,
            Quantity::VolumeFlow,
            Quantity::FlowTemperature,
            Quantity::Customer,
        ] {
            assert!(!codes.contains(&u32::from(gone.code())), "{}", gone.name());
        }
        assert_eq!((left.status, left.counter, left.telegram_hash.len()), (4, None, 0));
    }

    #[test]
    fn what_was_stored_earlier_or_at_an_extreme_is_gone() {
        let earlier = record(Quantity::ErrorFlags, 1);
        let during_error = Record { function: 3, ..record(Quantity::ErrorFlags, 0) };
        let unknown = Record { quantity: 70_000, ..record(Quantity::ErrorFlags, 0) };
        let mut reading = Reading { records: vec![earlier, during_error, unknown], ..Default::default() };
        mask_one(&mut reading);
        assert!(reading.records.is_empty());
    }
}
