//! How commands answer: tables for people, JSON for programs, colours only where wanted.

use std::io::Write as _;

use base::MeterAddress;
use clap::ValueEnum;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, LineStyle, Table};
use serde::Serialize;

use crate::problem::Problem;

/// How to answer.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// For programs.
    Json,
}

/// The option that all commands have who show something.
#[derive(clap::Args)]
pub(crate) struct FormatArg {
    /// How to answer.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

/// An empty table with a header.
pub(crate) fn table<'a>(header: impl IntoIterator<Item = &'a str>) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()))
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header);
    table
}

/// Prints lines; a reader that went away, such as `head`, is no error.
pub(crate) fn print(text: &str) -> Result<(), Problem> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Problem::during("cannot write the answer")(error))
        }
        _ => Ok(()),
    }
}

/// Prints one line, whatever becomes of it: for words beside the work, which goes on without a reader.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Prints one line of JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Problem> {
    let line = serde_json::to_string(value).map_err(Problem::during("cannot write the answer"))?;
    print(&format!("{line}\n"))
}

/// Text that came from outside, without control characters that would reach the terminal.
pub(crate) fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// `3 meters`, `1 meter`; `2 entries`, `1 entry`.
pub(crate) fn count(n: u64, what: &str) -> String {
    match what.strip_suffix('y') {
        _ if n == 1 => format!("{n} {what}"),
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{n} {stem}ies"),
        _ => format!("{n} {what}s"),
    }
}

/// A duration for people: `42 s`, `3 min`, `5 h`, `12 d`.
pub(crate) fn ago(ms: u64) -> String {
    match ms / 1000 {
        s @ 0..=119 => format!("{s} s"),
        s @ 120..=7199 => format!("{} min", s / 60),
        s @ 7200..=172_799 => format!("{} h", s / 3600),
        s => format!("{} d", s / 86_400),
    }
}

/// `KAM-12345678-1B-16`, or without version and type while they are not known.
pub(crate) fn meter_name(address: &[u8]) -> String {
    if let Ok(whole) = <[u8; 8]>::try_from(address) {
        return MeterAddress::from_link_order(whole).to_string();
    }
    match *address {
        [m0, m1, a, b, c, d] => {
            let whole = MeterAddress::from_link_order([m0, m1, a, b, c, d, 0, 0]);
            format!("{}-{}", whole.manufacturer(), whole.serial())
        }
        _ => hex::encode_upper(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_many_are_counted_in_words() {
        let said = [
            (1, "entry", "1 entry"),
            (2, "entry", "2 entries"),
            (0, "day", "0 days"),
            (3, "look", "3 looks"),
        ];
        for (n, what, text) in said {
            assert_eq!(count(n, what), text);
        }
    }
}
