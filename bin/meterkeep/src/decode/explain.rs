//! A telegram field by field: which bytes say what, what is not understood, and what to do.

use std::io::{self, Write};

use telegram::{Layers, Record, TailKind, Value};

use super::{Answer, Status, human};

/// The names of rows that nobody understood.
const UNREAD: [&str; 2] = ["maker's own", "not understood"];

/// A stretch of the frame and what it says.
struct Row {
    at: usize,
    len: usize,
    name: String,
    meaning: String,
}

/// Writes an answer with a table of all bytes.
pub(super) fn write(output: &mut impl Write, answer: &Answer, records: &[Record]) -> io::Result<()> {
    human::head(output, answer)?;
    summary(output, answer, records)?;
    let rows = rows(answer, records);
    let unread: usize =
        rows.iter().filter(|row| UNREAD.contains(&row.name.as_str())).map(|row| row.len).sum();
    if unread > 0 {
        writeln!(output, "  not understood: {unread} of {} bytes, marked below", answer.frame.len())?;
    }
    if !rows.is_empty() {
        let mut table = crate::output::table(["at", "bytes", "field", "meaning"]);
        for row in &rows {
            let end = row.at.saturating_add(row.len);
            let hex = hex_of(answer.frame.get(row.at..end).unwrap_or_default());
            table.add_row([row.at.to_string(), hex, row.name.clone(), row.meaning.clone()]);
        }
        writeln!(output, "{table}")?;
    }
    writeln!(output)
}

/// What a reader wants to know first: the main register and its time, every alarm, and what nobody understood.
fn summary(output: &mut impl Write, answer: &Answer, records: &[Record]) -> io::Result<()> {
    if answer.status != Status::Decoded {
        return Ok(());
    }
    if let Some(main) = main_register(records) {
        let unit = human::unit(main);
        writeln!(output, "  main register: {} {} {unit}", main.quantity.name(), main.value)?;
    }
    let time = records.iter().find(|r| r.storage == 0 && matches!(r.value, Value::DateTime(_)));
    match time {
        Some(time) => writeln!(output, "  the meter's time: {}", time.value)?,
        None => {
            writeln!(output, "  the meter's time: not in this telegram; it counts from when it was heard")?
        }
    }
    let mut alarms: Vec<String> = answer
        .meter_status
        .into_iter()
        .flat_map(telegram::layers::Status::words)
        .map(str::to_owned)
        .collect();
    for record in records {
        alarms.extend(record.set_flags().map(str::to_owned));
        let unnamed = matches!(record.value, Value::Number(n) if n.mantissa != 0)
            && record.set_flags().next().is_none();
        if unnamed && record.quantity.name().contains("error") {
            alarms.push(format!(
                "{} {} (its bits have no published names)",
                record.quantity.name(),
                record.value
            ));
        }
    }
    let alarms = if alarms.is_empty() { "none is set".to_owned() } else { alarms.join(", ") };
    writeln!(output, "  alarms: {alarms}")
}

/// The register that a bill goes by: the present total of the first quantity that is counted.
fn main_register(records: &[Record]) -> Option<&Record> {
    let counted = ["energy", "volume", "heat-cost", "mass"];
    let mut totals = records.iter().filter(|r| {
        r.storage == 0
            && r.tariff == 0
            && r.function == telegram::Function::Instantaneous
            && matches!(r.value, Value::Number(_) | Value::Float(_))
            && counted.contains(&r.quantity.name())
    });
    // What is at base conditions, or backward, counts only where nothing plainer is sent.
    totals.clone().find(|r| r.modifiers.iter().next().is_none()).or_else(|| totals.next())
}

/// Every byte of the frame in one row: headers, records, fillers, and the rest by name.
fn rows(answer: &Answer, records: &[Record]) -> Vec<Row> {
    let frame = answer.frame.as_slice();
    let plain = answer.status == Status::Decoded || answer.security.as_ref().is_some_and(|s| s.opened);
    let headers = if answer.is_unit {
        telegram::dlms::fields(frame, plain)
    } else {
        let layers = if plain { Layers::read_plain(frame) } else { Layers::read(frame) };
        layers.as_ref().map(|layers| layers.fields(frame)).unwrap_or_default()
    };
    // A time in a head can be a record at once.
    let is_record = |at: usize| records.iter().any(|r| r.len > 0 && r.at == at);
    let mut rows: Vec<Row> = headers
        .into_iter()
        .filter(|f| !is_record(f.at))
        .map(|f| Row {
            at: f.at,
            len: f.len,
            name: f.name.to_owned(),
            meaning: crate::output::shown(&f.meaning),
        })
        .collect();
    rows.extend(records.iter().filter(|r| r.len > 0).map(|r| record_row(answer, r)));
    rows.sort_by_key(|row| row.at);
    let mut all: Vec<Row> = Vec::with_capacity(rows.len());
    let mut at = 0usize;
    for row in rows {
        if row.at > at {
            all.push(between(frame, at, row.at, answer, plain));
        }
        at = at.max(row.at.saturating_add(row.len));
        all.push(row);
    }
    if frame.len() > at {
        all.push(between(frame, at, frame.len(), answer, plain));
    }
    all
}

fn record_row(answer: &Answer, record: &Record) -> Row {
    let value = match &record.value {
        Value::None => "no value".to_owned(),
        value => crate::output::shown(&value.to_string()),
    };
    let unit = human::unit(record);
    let which = human::which(answer, record);
    let mut meaning = value;
    for word in [unit, which] {
        if !word.is_empty() {
            meaning.push(' ');
            meaning.push_str(&word);
        }
    }
    Row { at: record.at, len: record.len, name: record.quantity.name().to_owned(), meaning }
}

/// Bytes that are neither a header nor a record.
fn between(frame: &[u8], from: usize, to: usize, answer: &Answer, readable: bool) -> Row {
    let bytes = frame.get(from..to).unwrap_or_default();
    let own = answer
        .tail
        .is_some_and(|t| matches!(t.kind, TailKind::Manufacturer { .. }) && from >= t.at.saturating_sub(1));
    if to == frame.len() && bytes.len() == 2 && layers_are_wired(frame) {
        let meaning = "checksum and stop".to_owned();
        return Row { at: from, len: 2, name: "end".to_owned(), meaning };
    }
    let encrypted = answer.security.as_ref().is_some_and(|s| s.mode != "none");
    let (name, meaning) = if !readable && encrypted {
        ("encrypted", "cannot be read without the key")
    } else if !readable {
        ("not understood", "a format that is not known here")
    } else if bytes.iter().all(|b| *b == 0x2f) {
        ("filler", "")
    } else if own {
        ("maker's own", "not understood: the maker has not published what it means")
    } else {
        ("not understood", "no record and no header")
    };
    Row { at: from, len: to.saturating_sub(from), name: name.to_owned(), meaning: meaning.to_owned() }
}

/// A long frame of the wired bus ends with its checksum.
fn layers_are_wired(frame: &[u8]) -> bool {
    matches!(frame, [0x68, _, _, 0x68, ..])
}

/// Hexadecimal in groups of eight bytes, lines of sixteen.
fn hex_of(bytes: &[u8]) -> String {
    let line = |part: &[u8]| part.chunks(8).map(hex::encode_upper).collect::<Vec<_>>().join(" ");
    bytes.chunks(16).map(line).collect::<Vec<_>>().join("\n")
}
