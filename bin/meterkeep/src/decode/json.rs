//! Answers for programs: one line of JSON each.

use std::io::{self, Write};

use base::Unit;
use serde::Serialize;
use serde_json::value::RawValue;
use telegram::{Record, TailKind, Value};

use super::Answer;

#[derive(Serialize)]
struct JsonAnswer<'a> {
    id: Option<&'a str>,
    line: u64,
    meter: Option<JsonMeter>,
    security: Option<JsonSecurity<'a>>,
    status: &'static str,
    records: Vec<JsonRecord<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tail: Option<JsonTail>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    messages: &'a [String],
}

#[derive(Serialize)]
struct JsonMeter {
    manufacturer: String,
    serial: String,
    version: u8,
    #[serde(rename = "type")]
    device: u8,
}

#[derive(Serialize)]
struct JsonSecurity<'a> {
    mode: &'a str,
    authenticated: bool,
}

#[derive(Serialize)]
struct JsonRecord<'a> {
    quantity: &'static str,
    value: JsonValue<'a>,
    unit: Option<&'a str>,
    function: &'static str,
    storage: u64,
    tariff: u32,
    subunit: u16,
    at: usize,
    len: usize,
    /// Which register of its meter it is, where a list of EN 13757-1 or OMS has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    obis: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    modifiers: Vec<&'static str>,
    /// The names of the bits that are set, where the maker's meanings are known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    flags: Vec<&'static str>,
    /// The moment is in summer time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    summer_time: bool,
    /// The meter says that its clock is not to be relied on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    clock_invalid: bool,
    /// It lies behind the encrypted part, where no key protects it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    clear: bool,
}

/// Numbers keep every digit that the meter sent.
#[derive(Serialize)]
#[serde(untagged)]
enum JsonValue<'a> {
    Number(Box<RawValue>),
    Float(f64),
    Text(&'a str),
    Shown(String),
    None,
}

#[derive(Serialize)]
struct JsonTail {
    kind: &'static str,
    at: usize,
    len: usize,
}

/// Writes an answer.
pub(super) fn write(output: &mut impl Write, answer: &Answer, records: &[Record]) -> io::Result<()> {
    let line = JsonAnswer {
        id: answer.id.as_deref(),
        line: answer.line,
        meter: answer.meter.map(|meter| JsonMeter {
            manufacturer: meter.manufacturer(),
            serial: meter.serial(),
            version: meter.version(),
            device: meter.device_type(),
        }),
        security: answer
            .security
            .as_ref()
            .map(|security| JsonSecurity { mode: &security.mode, authenticated: security.authenticated }),
        status: answer.status.name(),
        records: records.iter().map(|record| json_record(record, answer)).collect(),
        tail: answer.tail.map(|tail| JsonTail {
            kind: match tail.kind {
                TailKind::Manufacturer { .. } => "manufacturer",
                TailKind::Undecoded(_) => "undecoded",
            },
            at: tail.at,
            len: tail.len,
        }),
        messages: &answer.messages,
    };
    serde_json::to_writer(&mut *output, &line)?;
    output.write_all(b"\n")
}

fn json_record<'a>(record: &'a Record, answer: &Answer) -> JsonRecord<'a> {
    JsonRecord {
        quantity: record.quantity.name(),
        value: json_value(&record.value),
        unit: match record.unit {
            Unit::None => None,
            Unit::Text => record.letters.as_deref(),
            unit => Some(unit.name()),
        },
        function: record.function.name(),
        storage: record.storage,
        tariff: record.tariff,
        subunit: record.subunit,
        at: record.at,
        len: record.len,
        obis: record.obis.or_else(|| record.code(&answer.meter?)).map(|code| code.to_string()),
        modifiers: record.modifiers.iter().map(telegram::Modifier::name).collect(),
        flags: record.set_flags().collect(),
        summer_time: matches!(record.value, Value::DateTime(moment) if moment.summer),
        clock_invalid: matches!(record.value, Value::DateTime(moment) if moment.invalid),
        clear: record.at + record.len > answer.clear_from,
    }
}

fn json_value(value: &Value) -> JsonValue<'_> {
    match value {
        Value::Number(number) => RawValue::from_string(number.to_string())
            .map_or(JsonValue::Float(number.to_f64()), JsonValue::Number),
        Value::Float(number) => JsonValue::Float(*number),
        Value::Text(text) => JsonValue::Text(text),
        Value::None => JsonValue::None,
        other => JsonValue::Shown(other.to_string()),
    }
}
