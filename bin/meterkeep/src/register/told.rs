//! What an import of a register says: line by line what changes, and what is wrong.

use std::process::ExitCode;

use registerfile::{BadRow, Row};
use serde_json::{Value, json};
use wire::archive::did;

use crate::output::{Format, count, print, print_json, shown, table};
use crate::problem::Problem;

/// Lines that are shown to people; programs get all.
const SHOWN: usize = 50;

/// What became of a list.
pub(super) struct Outcome<'a> {
    pub source: &'a str,
    pub rows: &'a [Row],
    /// Row by row, as far as they were judged.
    pub did: &'a [u32],
    pub bad: &'a [BadRow],
    pub unread: &'a [String],
    pub end: End,
}

/// How an import ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It was to change nothing.
    Tried,
    /// The good lines are in the register.
    Taken,
    /// Bad lines held all back.
    HeldBack,
    /// The register changed meanwhile, so that a part did not fit any more; those before it are in.
    Cut,
}

/// What the bits of a row are called: in answers for programs, and with its number in sentences.
static WORDS: [(u32, &str, &str); 9] = [
    (did::METER, "meter", "new meter"),
    (did::PLACED, "placed", "meter that gets its place"),
    (did::PLACE, "place", "new place"),
    (did::AREA, "area", "area"),
    (did::RESOLUTION, "resolution", "policy"),
    (did::BEGAN, "tenancy", "tenancy that begins"),
    (did::ENDED, "end", "tenancy that ends"),
    (did::CUSTOMER, "customer", "tenancy that gets its customer"),
    (did::CONTACT, "contact", "name or contact"),
];

/// The plural of one of those sentences.
fn many(n: u64, what: &str) -> String {
    match (n, what) {
        (1, _) => format!("1 {what}"),
        (_, "meter that gets its place") => format!("{n} meters that get their places"),
        (_, "tenancy that begins") => format!("{n} tenancies that begin"),
        (_, "tenancy that ends") => format!("{n} tenancies that end"),
        (_, "tenancy that gets its customer") => format!("{n} tenancies that get their customers"),
        (_, "name or contact") => format!("{n} names or contacts"),
        (_, "policy") => format!("{n} policies"),
        _ => count(n, what),
    }
}

/// Says it. The exit code is 0 when no line is bad.
pub(super) fn say(outcome: &Outcome<'_>, format: Format) -> Result<ExitCode, Problem> {
    let number = |bit: u32| outcome.did.iter().filter(|did| **did & bit != 0).count() as u64;
    let changed = outcome.did.iter().filter(|did| **did != 0).count();
    match format {
        Format::Json => {
            let counts: serde_json::Map<String, Value> =
                WORDS.iter().map(|(bit, word, _)| ((*word).to_owned(), number(*bit).into())).collect();
            let words =
                |did: u32| WORDS.iter().filter(move |(bit, ..)| did & bit != 0).map(|(_, word, _)| *word);
            let changes: Vec<Value> = outcome
                .rows
                .iter()
                .zip(outcome.did)
                .filter(|(_, did)| **did != 0)
                .map(|(row, did)| json!({"line": row.line, "meter": row.address, "place": row.place, "does": words(*did).collect::<Vec<_>>()}))
                .collect();
            let bad: Vec<Value> = outcome
                .bad
                .iter()
                .map(|b| json!({"line": b.line, "column": b.column, "why": b.why}))
                .collect();
            print_json(&json!({
                "file": outcome.source, "lines": outcome.rows.len(), "dry_run": outcome.end == End::Tried, "done": outcome.end == End::Taken,
                "counts": counts, "changes": changes, "bad": bad, "unread_columns": outcome.unread,
            }))?;
        }
        Format::Human => {
            let mut text = String::new();
            if !outcome.unread.is_empty() {
                let unread: Vec<String> =
                    outcome.unread.iter().map(|header| format!("`{}`", shown(header))).collect();
                text.push_str(&format!("these columns are not read: {}\n", unread.join(", ")));
            }
            if !outcome.bad.is_empty() {
                let mut table = table(["line", "column", "what is wrong"]);
                for bad in outcome.bad.iter().take(SHOWN) {
                    table.add_row([bad.line.to_string(), bad.column.to_owned(), shown(&bad.why)]);
                }
                text.push_str(&format!("{table}\n"));
                if let Some(more) = outcome.bad.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                    text.push_str(&format!(
                        "and {}; `--format json` shows all\n",
                        count(more as u64, "line more")
                    ));
                }
            }
            let parts: Vec<String> = WORDS
                .iter()
                .map(|(bit, _, what)| (number(*bit), *what))
                .filter(|(n, _)| *n > 0)
                .map(|(n, what)| many(n, what))
                .collect();
            let same = outcome.did.len().saturating_sub(changed).saturating_sub(judged_bad(outcome));
            let what = if parts.is_empty() { "nothing changes".to_owned() } else { parts.join(", ") };
            text.push_str(&format!(
                "{}: {} read, {what}; {} as the register has it, {} bad\n",
                outcome.source,
                count((outcome.rows.len() + unsent_bad(outcome)) as u64, "line"),
                count(same as u64, "line"),
                count(outcome.bad.len() as u64, "line"),
            ));
            text.push_str(match outcome.end {
                End::Tried => "this was a dry run: nothing was changed\n",
                End::Taken => "",
                End::HeldBack => {
                    "nothing was taken: correct the bad lines, or take the others with `--skip-bad`\n"
                }
                End::Cut => {
                    "the register changed meanwhile, and only a part was taken; import the list again\n"
                }
            });
            print(&text)?;
        }
    }
    let whole = outcome.bad.is_empty() && outcome.end != End::Cut;
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Bad lines that the archive judged: they are among the rows.
fn judged_bad(outcome: &Outcome<'_>) -> usize {
    let sent: std::collections::HashSet<usize> = outcome.rows.iter().map(|row| row.line).collect();
    outcome.bad.iter().filter(|bad| sent.contains(&bad.line)).count()
}

/// Bad lines that were not sent.
fn unsent_bad(outcome: &Outcome<'_>) -> usize {
    outcome.bad.len() - judged_bad(outcome)
}
