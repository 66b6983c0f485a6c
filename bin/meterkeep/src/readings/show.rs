//! Readings for people and for programs.

use base::{Class, Decimal, MeterAddress, Obis, Quantity, Unit, UtcMillis};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::value::RawValue;
use wire::archive::{MeterReading, Readings};
use wire::intake::{Reading, Record, Value};

use super::joined;
use crate::output::{Format, count, meter_name, print, print_json, shown, table};
use crate::problem::Problem;

pub(super) fn show(
    answer: &Readings,
    place: Option<&str>,
    format: Format,
    all_records: bool,
) -> Result<(), Problem> {
    match format {
        Format::Human => print(&human(answer, place, all_records)),
        Format::Json => json(answer),
    }
}

fn human(answer: &Readings, place: Option<&str>, all_records: bool) -> String {
    let joined = place.map(|place| joined::listed(place, &answer.joined)).unwrap_or_default();
    if answer.readings.is_empty() {
        return format!(
            "{joined}no readings in this time and class (log entry {})\n{}",
            answer.receipt,
            notes(answer)
        );
    }
    let heads = ["meter", "place", "heard", "signal", "quality", "reading", "continued"];
    let mut table =
        table(heads.into_iter().take(if place.is_some() { heads.len() } else { heads.len() - 1 }));
    for item in &answer.readings {
        let Some(reading) = &item.reading else { continue };
        let values = reading
            .records
            .iter()
            .filter(|r| all_records || is_present(r))
            .map(|r| described(r, &item.address));
        let mut row = vec![
            meter_name(&item.address),
            shown(&item.place),
            local(UtcMillis(reading.heard_ms)),
            signal(reading),
            quality(item, reading),
            values.collect::<Vec<_>>().join("\n"),
        ];
        row.extend(place.map(|_| joined::continued(item, reading)));
        table.add_row(row);
    }
    let more =
        if answer.more { "; there are more, ask for a shorter time or a higher `--limit`" } else { "" };
    let count = count(answer.readings.len() as u64, "reading");
    format!("{joined}{table}\n{count} (log entry {}){more}\n{}", answer.receipt, notes(answer))
}

/// What the archive says of readings that it did not answer.
fn notes(answer: &Readings) -> String {
    answer.notes.iter().map(|n| format!("note: {}\n", shown(n))).collect()
}

/// What the meter shows now, without dates, maxima and history.
fn is_present(record: &Record) -> bool {
    let dull = [Quantity::Date, Quantity::DateTime].map(|q| u32::from(q.code()));
    record.storage == 0 && record.function == 0 && !dull.contains(&record.quantity)
}

/// A reading in one line: meter, time, present values.
pub(crate) fn summary(item: &MeterReading) -> Option<String> {
    let reading = item.reading.as_ref()?;
    let numeric =
        |r: &&Record| is_present(r) && matches!(r.value, Some(Value::Number(_))) && !unit(r).is_empty();
    let values: Vec<String> =
        reading.records.iter().filter(numeric).take(3).map(|r| described(r, &item.address)).collect();
    Some(format!(
        "{}  {}  {}",
        meter_name(&item.address),
        local(UtcMillis(reading.heard_ms)),
        values.join(", ")
    ))
}

/// A record in one line.
pub(crate) fn described(record: &Record, address: &[u8]) -> String {
    let mut words = vec![quantity(record).to_owned(), text(record)];
    let unit = unit(record);
    if !unit.is_empty() {
        words.push(unit.to_owned());
    }
    let which = which(record, address);
    if !which.is_empty() {
        words.push(format!("({which})"));
    }
    words.join(" ")
}

fn which(record: &Record, address: &[u8]) -> String {
    let mut words: Vec<String> = obis(record, address).iter().map(ToString::to_string).collect();
    if record.function != 0 {
        words.push(function(record.function).to_owned());
    }
    words.extend(modifiers(record).map(str::to_owned));
    for (n, word) in [
        (record.storage, "storage"),
        (u64::from(record.tariff), "tariff"),
        (u64::from(record.subunit), "subunit"),
    ] {
        if n != 0 {
            words.push(format!("{word} {n}"));
        }
    }
    words.join(", ")
}

fn modifiers(record: &Record) -> impl Iterator<Item = &'static str> {
    record
        .modifiers
        .iter()
        .map(|code| u16::try_from(*code).map_or("unknown", |c| telegram::Modifier(c).name()))
}

fn quality(item: &MeterReading, reading: &Reading) -> String {
    let mut words = vec![shown(&item.quality)];
    if reading.late {
        words.push("late".to_owned());
    }
    if reading.time_quality == 2 {
        words.push("time uncertain".to_owned());
    }
    if item.version > 1 {
        words.push(format!("version {}", item.version));
    }
    words.join(", ")
}

/// `-71 dBm roof`: how strongly the collector's best receiver heard it.
pub(crate) fn signal(reading: &Reading) -> String {
    let dbm = (reading.rssi_dbm != 0).then(|| format!("{} dBm", reading.rssi_dbm));
    let by = (!reading.receiver.is_empty()).then(|| shown(&reading.receiver));
    dbm.into_iter().chain(by).collect::<Vec<_>>().join(" ")
}

fn quantity(record: &Record) -> &'static str {
    u16::try_from(record.quantity).ok().and_then(Quantity::from_code).map_or("unknown", Quantity::name)
}

pub(super) fn unit(record: &Record) -> &'static str {
    u16::try_from(record.unit).ok().and_then(Unit::from_code).map_or("", Unit::name)
}

const fn function(code: u32) -> &'static str {
    match code {
        0 => "instantaneous",
        1 => "maximum",
        2 => "minimum",
        _ => "during an error",
    }
}

fn text(record: &Record) -> String {
    match &record.value {
        Some(Value::Number(n)) => decimal(n.mantissa, n.exponent),
        Some(Value::Real(n)) => n.to_string(),
        Some(Value::Text(t)) => shown(t),
        Some(Value::Bytes(b)) => hex::encode_upper(b),
        None => "no value".to_owned(),
    }
}

pub(super) fn decimal(mantissa: i64, exponent: i32) -> String {
    match i8::try_from(exponent) {
        Ok(exponent) => Decimal::new(mantissa, exponent).to_string(),
        Err(_) => format!("{mantissa}e{exponent}"),
    }
}

/// Local time, with its offset, to the second.
pub(crate) fn local(t: UtcMillis) -> String {
    Timestamp::from_millisecond(t.0)
        .map(|t| t.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%:z").to_string())
        .unwrap_or_else(|_| t.to_string())
}

#[derive(Serialize)]
struct JsonReading<'a> {
    meter: String,
    place: &'a str,
    class: &'static str,
    version: u32,
    quality: &'a str,
    heard: String,
    time_quality: &'static str,
    meter_time: Option<&'a str>,
    counter: Option<u32>,
    status: u32,
    assurance: u32,
    late: bool,
    collector: String,
    /// Which of the collector's receivers heard it best; absent where unknown, as is the next.
    receiver: Option<&'a str>,
    rssi_dbm: Option<i32>,
    telegram: String,
    records: Vec<JsonRecord<'a>>,
    /// The meter at the place that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    joined: Option<joined::JsonJoined>,
    receipt: u64,
}

#[derive(Serialize)]
struct JsonRecord<'a> {
    quantity: &'static str,
    value: JsonValue<'a>,
    unit: Option<&'static str>,
    function: &'static str,
    storage: u64,
    tariff: u32,
    subunit: u32,
    /// Which register of its meter it is, where a list of EN 13757-1 or OMS has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    obis: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    modifiers: Vec<&'static str>,
    authenticated: bool,
    /// Of the main register of a place: the count over all meters that hung there.
    #[serde(skip_serializing_if = "Option::is_none")]
    continued: Option<JsonValue<'a>>,
}

/// Numbers keep every digit that the meter sent.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum JsonValue<'a> {
    Number(Box<RawValue>),
    Real(f64),
    Text(&'a str),
    Shown(String),
    None,
}

/// One line a reading.
fn json(answer: &Readings) -> Result<(), Problem> {
    for item in &answer.readings {
        let Some(reading) = &item.reading else { continue };
        print_json(&JsonReading {
            meter: meter_name(&item.address),
            place: &item.place,
            class: u8::try_from(item.class).ok().and_then(Class::from_code).map_or("unknown", Class::name),
            version: item.version,
            quality: &item.quality,
            heard: UtcMillis(reading.heard_ms).to_string(),
            time_quality: match reading.time_quality {
                0 => "synchronised",
                1 => "re-anchored",
                _ => "uncertain",
            },
            meter_time: Some(reading.meter_time.as_str()).filter(|t| !t.is_empty()),
            counter: reading.counter,
            status: reading.status,
            assurance: reading.assurance,
            late: reading.late,
            collector: format!("c{}", reading.collector),
            receiver: Some(reading.receiver.as_str()).filter(|name| !name.is_empty()),
            rssi_dbm: Some(reading.rssi_dbm).filter(|dbm| *dbm != 0),
            telegram: hex::encode(&reading.telegram_hash),
            records: records(item, reading),
            joined: joined::of(answer, item).map(joined::JsonJoined::of),
            receipt: answer.receipt,
        })?;
    }
    // beside the lines, which stay readings alone
    answer.notes.iter().for_each(|note| eprintln!("note: {}", shown(note)));
    Ok(())
}

fn records<'a>(item: &'a MeterReading, reading: &'a Reading) -> Vec<JsonRecord<'a>> {
    let mut records: Vec<_> = reading.records.iter().map(|r| json_record(r, &item.address)).collect();
    if let Some(continued) = item.continued
        && let Some(value) = continued.value
        && let Some(record) = records.get_mut(continued.record as usize)
    {
        record.continued = Some(json_number(value.mantissa, value.exponent));
    }
    records
}

/// A number with all its digits.
pub(super) fn json_number<'a>(mantissa: i64, exponent: i32) -> JsonValue<'a> {
    let digits = decimal(mantissa, exponent);
    match RawValue::from_string(digits.clone()) {
        Ok(raw) => JsonValue::Number(raw),
        Err(_) => JsonValue::Shown(digits),
    }
}

/// The OBIS code of a record.
fn obis(record: &Record, address: &[u8]) -> Option<Obis> {
    if let Some(sent) = Obis::from_slice(&record.obis) {
        return Some(sent);
    }
    let marks = [telegram::Modifier::SUMMER_TIME, telegram::Modifier::CLOCK_INVALID];
    let modifiers = record.modifiers.iter().map(|code| u16::try_from(*code).ok().map(telegram::Modifier));
    let modifiers: Vec<_> = modifiers.collect::<Option<_>>()?;
    if modifiers.iter().any(|m| marks.contains(m)) {
        return None; // moments have no codes
    }
    let register = telegram::Register {
        quantity: u16::try_from(record.quantity).ok().and_then(Quantity::from_code)?,
        function: telegram::Function::from_code(u8::try_from(record.function).ok()?)?,
        storage: record.storage,
        tariff: record.tariff,
        subunit: u16::try_from(record.subunit).ok()?,
        modifiers: &modifiers,
    };
    telegram::obis(&MeterAddress::from_link_order(address.try_into().ok()?), &register)
}

fn json_record<'a>(record: &'a Record, address: &[u8]) -> JsonRecord<'a> {
    JsonRecord {
        quantity: quantity(record),
        value: match &record.value {
            Some(Value::Number(n)) => json_number(n.mantissa, n.exponent),
            Some(Value::Real(n)) => JsonValue::Real(*n),
            Some(Value::Text(t)) => JsonValue::Text(t),
            Some(Value::Bytes(_)) => JsonValue::Shown(text(record)),
            None => JsonValue::None,
        },
        unit: Some(unit(record)).filter(|u| !u.is_empty()),
        function: function(record.function),
        storage: record.storage,
        tariff: record.tariff,
        subunit: record.subunit,
        obis: obis(record, address).map(|code| code.to_string()),
        modifiers: modifiers(record).collect(),
        authenticated: !record.unauthenticated,
        continued: None,
    }
}
