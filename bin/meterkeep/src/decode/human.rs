//! Answers for people: a block of text for each telegram.

use std::io::{self, Write};

use base::Unit;
use comfy_table::{CellAlignment, Table};
use telegram::{Function, Record, TailKind, Value, device_name, standard_device};

use super::{Answer, Status};
use crate::output::shown;

/// Writes an answer.
pub(super) fn write(output: &mut impl Write, answer: &Answer, records: &[Record]) -> io::Result<()> {
    head(output, answer)?;
    if !records.is_empty() {
        writeln!(output, "{}", table(answer, records))?;
    }
    let unread = |t: &telegram::Tail| t.len > 0 && matches!(t.kind, TailKind::Manufacturer { .. });
    if let Some(tail) = answer.tail.filter(unread) {
        writeln!(output, "  then {} bytes of the maker's own data from byte {} on", tail.len, tail.at)?;
    }
    writeln!(output)
}

/// Whose telegram it is, how it is protected, what the meter reports, and what is wrong or to be done.
pub(super) fn head(output: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let name = answer.id.as_ref().map_or_else(|| format!("line {}", answer.line), |id| shown(id));
    write!(output, "{name}: {}", answer.status.name())?;
    if let Some(meter) = answer.meter {
        let device = meter.device_type();
        write!(
            output,
            ", {} {}, {}, version {:02X}, type {device:02X}",
            meter.manufacturer(),
            meter.serial(),
            device_name(standard_device(&meter)),
            meter.version(),
        )?;
    }
    writeln!(output)?;
    if let Some(security) = &answer.security {
        let words = match (security.mode.as_str(), security.opened, security.authenticated) {
            ("none", ..) => "not encrypted: anybody may have sent or changed it",
            (_, true, true) => "encrypted; the key fits and the MAC proves the sender",
            (_, true, false) => "encrypted; the key fits, but no MAC proves the sender",
            (_, false, _) if answer.status == Status::Decoded => "encryption declared, payload in clear",
            _ => "encrypted",
        };
        writeln!(output, "  security: {} ({words})", security.mode)?;
    }
    if let Some(status) = answer.meter_status.filter(|s| s.words().next().is_some()) {
        writeln!(output, "  the meter reports: {}", status.words().collect::<Vec<_>>().join(", "))?;
    }
    for message in &answer.messages {
        writeln!(output, "  {message}")?;
    }
    Ok(())
}

fn table(answer: &Answer, records: &[Record]) -> Table {
    let mut table = crate::output::table(["quantity", "value", "unit", "which", "bytes"]);
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for record in records {
        let value = match &record.value {
            Value::None => "no value".to_owned(),
            value => shown(&value.to_string()),
        };
        let place = format!("{}+{}", record.at, record.len);
        table.add_row([record.quantity.name().to_owned(), value, unit(record), which(answer, record), place]);
    }
    table
}

/// The unit as shown; nothing where there is none.
pub(super) fn unit(record: &Record) -> String {
    match record.unit {
        Unit::Text => shown(record.letters.as_deref().unwrap_or_default()),
        unit => unit.name().to_owned(),
    }
}

/// Which register of the quantity it is.
pub(super) fn which(answer: &Answer, record: &Record) -> String {
    let mut words: Vec<String> =
        record.obis.or_else(|| record.code(&answer.meter?)).iter().map(ToString::to_string).collect();
    if record.function != Function::Instantaneous {
        words.push(match record.function {
            Function::Error => "during an error".to_owned(),
            function => function.name().to_owned(),
        });
    }
    for (number, word) in
        [(record.storage, "storage"), (record.tariff.into(), "tariff"), (record.subunit.into(), "subunit")]
    {
        if number != 0 {
            words.push(format!("{word} {number}"));
        }
    }
    words.extend(record.modifiers.iter().map(|m| m.name().to_owned()));
    words.extend(record.set_flags().map(str::to_owned));
    words.extend(record.marks().map(|mark| mark.name().to_owned()));
    if record.at + record.len > answer.clear_from {
        words.push("in clear, not protected by the key".to_owned());
    }
    words.join(", ")
}
