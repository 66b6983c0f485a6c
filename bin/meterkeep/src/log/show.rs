//! Entries for people and for programs.

use std::collections::BTreeMap;

use clap::ValueEnum;
use comfy_table::Table;
use wire::log::FoundEntry;

use super::ask::Found;
use super::csv;
use super::entry::Entry;
use super::ocsf;
use super::review;
use crate::output::{count, print, print_json, shown, table};
use crate::problem::Problem;
use crate::readings::local;

/// How to answer.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum As {
    /// For people.
    Human,
    /// For programs, a line an entry.
    Json,
    /// For spreadsheets.
    Csv,
    /// For security monitoring: a line an entry, as an event of OCSF.
    Ocsf,
}

/// What people are shown of entries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// A line each.
    Entries,
    /// A line each, and who they were.
    WithPeople,
    /// All that each says.
    Whole,
}

/// Shows pages as they come.
pub(super) struct Showing {
    format: As,
    shown: Shown,
    table: Table,
    whole: String,
    people: BTreeMap<String, u64>,
}

const HEADS: [&str; 7] = ["entry", "when", "who", "did", "for", "outcome", "what"];

impl Showing {
    pub(super) fn new(format: As, shown: Shown) -> Result<Self, Problem> {
        if format == As::Csv {
            print(&csv::line(Entry::COLUMNS)?)?;
        }
        Ok(Self { format, shown, table: table(HEADS), whole: String::new(), people: BTreeMap::new() })
    }

    /// Shows a page, or keeps it for the table.
    pub(super) fn page(&mut self, page: &[FoundEntry]) -> Result<(), Problem> {
        for found in page {
            let entry = Entry::read(found)?;
            match self.format {
                As::Json => print_json(&entry)?,
                As::Ocsf => print_json(&ocsf::event(&entry))?,
                As::Csv => print(&csv::line(entry.columns().iter().map(String::as_str))?)?,
                As::Human if self.shown == Shown::Whole => self.whole.push_str(&whole(&entry)),
                As::Human => self.add(&entry),
            }
        }
        Ok(())
    }

    fn add(&mut self, entry: &Entry) {
        let who = if entry.person.is_empty() { &entry.actor } else { &entry.person };
        let n = self.people.entry(shown(who)).or_default();
        *n = n.saturating_add(1);
        self.table.add_row(row(entry));
    }

    /// What is said when all was shown.
    pub(super) fn end(self, found: &Found) -> Result<(), Problem> {
        let overdue = review::overdue(&found.overdue);
        if self.format != As::Human {
            eprint!("{overdue}");
            if found.more {
                eprintln!("note: there are more; raise `--limit`, or go on with `--after`");
            }
            return Ok(());
        }
        if self.shown == Shown::Whole {
            return print(&format!("{overdue}{}", self.whole));
        }
        let more = if found.more { "; there are more, raise `--limit`" } else { "" };
        let all =
            if found.entries == 1 { "1 entry".to_owned() } else { format!("{} entries", found.entries) };
        let by: Vec<String> =
            self.people.iter().map(|(who, n)| format!("{who} ({})", count(*n, "time"))).collect();
        let by = if self.shown == Shown::WithPeople && !by.is_empty() {
            format!("by {}\n", by.join(", "))
        } else {
            String::new()
        };
        let look = format!("{all}{more} (this look is entry {})", found.receipt);
        if found.entries == 0 {
            print(&format!("{overdue}{look}\n"))
        } else {
            print(&format!("{overdue}{}\n{by}{look}\n", self.table))
        }
    }
}

/// An entry in a line of a table.
pub(super) fn row(entry: &Entry) -> [String; 7] {
    let who = if entry.person.is_empty() { &entry.actor } else { &entry.person };
    [
        entry.number.to_string(),
        local(entry.taken_at),
        shown(who),
        shown(&entry.action),
        shown(&entry.purpose),
        shown(&entry.came_out()),
        shown(&entry.detail),
    ]
}

/// All that an entry says, a line each.
fn whole(entry: &Entry) -> String {
    let columns = Entry::COLUMNS.iter().zip(entry.columns());
    let said = columns.filter(|(_, text)| !text.is_empty());
    said.map(|(name, text)| format!("{name:<12} {}\n", shown(&text))).collect()
}
