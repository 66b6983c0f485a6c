//! What a verification says: valid, and how far that goes; or the first thing that is wrong, and what it means.

use std::process::ExitCode;

use base::UtcMillis;
use grant::retention::Removal;
use logfile::Error;
use serde_json::{Map, Value, json};
use tlog::verify::{Depth, Fault, Reason, Report};
use tlog::{Cosigned, EvidenceError, Opened};

use super::given::NoCheckpoint;
use crate::output::{Format, count, print, print_json, shown};
use crate::problem::{NOT_VALID, Problem};

/// What was looked at.
pub(super) struct Checked {
    pub report: Report,
    pub depth: Depth,
    /// Not the whole log.
    pub is_part: bool,
    /// The one entry that it was about.
    pub index: Option<u64>,
    /// Entries that were removed, as the log says itself.
    pub removed: Option<Removal>,
}

/// What is wrong.
pub(super) enum Finding {
    Checkpoint(NoCheckpoint),
    Fault(Fault<Error>),
    Proof(EvidenceError),
    /// What is said of removed entries does not hold.
    Removal(String),
}

impl Finding {
    /// Its word for programs.
    fn word(&self) -> &'static str {
        match self {
            Self::Checkpoint(NoCheckpoint::Checkpoint(_)) => "checkpoint",
            Self::Checkpoint(NoCheckpoint::Quorum { .. }) => "quorum",
            Self::Proof(_) => "proof",
            Self::Removal(_) => "removal",
            Self::Fault(fault) => match fault {
                Fault::Entry { reason, .. } => match reason {
                    Reason::Changed => "changed",
                    Reason::SwappedWith(_) => "swapped",
                    Reason::Dropped => "dropped",
                    Reason::Added => "added",
                    Reason::Missing => "gap",
                    Reason::Malformed => "malformed",
                    Reason::WithinTile => "changed-within-tile",
                },
                Fault::Tile { .. } => "tile",
                Fault::Unreadable { .. } => "gap",
                Fault::Truncated { .. } => "truncated",
                Fault::Shorter { .. } => "shorter",
                Fault::Fork { .. } => "fork",
                Fault::Root { .. } => "root",
                Fault::OtherLog { .. } => "other-log",
                Fault::NoSuchSpan { .. } => "span",
            },
        }
    }

    /// What it means for who asked.
    fn meaning(&self) -> &'static str {
        match self {
            Self::Checkpoint(NoCheckpoint::Checkpoint(_)) => {
                "without a checkpoint that the log signed nothing here says what should be in it"
            }
            Self::Checkpoint(NoCheckpoint::Quorum { .. }) => {
                "the log may show others another history: ask the witnesses what they cosigned"
            }
            Self::Proof(_) => "this entry is not proved to be in the log",
            Self::Removal(_) => {
                "entries are not here, and the log does not say by itself that it removed them: somebody else did"
            }
            Self::Fault(fault) => match fault {
                Fault::Entry { .. } | Fault::Tile { .. } | Fault::Root { .. } => {
                    "these files are not what the log signed: changed after the signing, or copied badly; \
                     fetch them again, and keep these"
                }
                Fault::Unreadable { .. } | Fault::Truncated { .. } => {
                    "part of what the log signed is not here: lost, taken away, or not copied; \
                     fetch it again, and keep this"
                }
                Fault::Shorter { .. } => {
                    "the log was cut and signed anew, or this is an older copy: ask for one that is newer than \
                     what was kept"
                }
                Fault::Fork { .. } => {
                    "the log signed two histories: it was rewritten by whoever has its key; keep these files and \
                     what was kept, together they are the proof"
                }
                Fault::OtherLog { .. } | Fault::NoSuchSpan { .. } => {
                    "what was asked does not belong together"
                }
            },
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Checkpoint(error) => error.fmt(f),
            Self::Fault(fault) => fault.fmt(f),
            Self::Proof(error) => error.fmt(f),
            Self::Removal(what) => f.write_str(what),
        }
    }
}

/// Says that nothing is wrong.
pub(super) fn valid(format: Format, opened: &Opened, checked: &Checked) -> Result<ExitCode, Problem> {
    if format == Format::Json {
        let mut answer = about(opened);
        answer.insert("valid".to_owned(), true.into());
        answer.insert("entries".to_owned(), checked.report.entries.into());
        answer.insert(
            "read".to_owned(),
            if checked.depth == Depth::Tiles { "tiles" } else { "entries" }.into(),
        );
        answer.extend(checked.removed.map(|removal| {
            let Removal { end, before, keep_months, entry } = removal;
            let told = json!({"before": end, "month": before.to_string(), "keep_months": keep_months, "entry": entry});
            ("removed".to_owned(), told)
        }));
        answer.insert("kept".to_owned(), checked.report.kept.into());
        answer.extend(checked.index.map(|index| ("index".to_owned(), index.into())));
        print_json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut lines = format!("valid\n{}", head(opened));
    if let Some(index) = checked.index {
        lines += &format!("entry      {index} is in the log\n");
        print(&lines)?;
        return Ok(ExitCode::SUCCESS);
    }
    let read = if checked.depth == Depth::Tiles { ", by their tiles alone" } else { "" };
    if !checked.is_part {
        lines += &format!("looked at  all of {}{read}\n", count(checked.report.entries, "entry"));
    } else if checked.report.entries > 0 {
        lines += &format!("looked at  {}{read}\n", count(checked.report.entries, "entry"));
    }
    if let Some(Removal { end, before, keep_months, entry }) = checked.removed {
        lines += &format!(
            "removed    entries before {end}: from before {before}, kept for {keep_months} months, as entry {entry} says; of \
             those their hashes\n"
        );
    }
    lines += &match checked.report.kept {
        0 => {
            "kept       nothing from before: a log rebuilt with its own key would look the same\n".to_owned()
        }
        kept => format!(
            "kept       {} from before, and the log goes on from there\n",
            count(kept as u64, "checkpoint")
        ),
    };
    print(&lines)?;
    Ok(ExitCode::SUCCESS)
}

/// Says what is wrong first.
pub(super) fn wrong(
    format: Format,
    origin: &str,
    opened: Option<&Opened>,
    finding: &Finding,
) -> Result<ExitCode, Problem> {
    let message = shown(&finding.to_string());
    if format == Format::Json {
        let mut answer =
            opened.map_or_else(|| Map::from_iter([("log".to_owned(), json!(shown(origin)))]), about);
        answer.insert("valid".to_owned(), false.into());
        answer.insert("fault".to_owned(), finding.word().into());
        answer.insert("message".to_owned(), message.into());
        if let Finding::Fault(fault) = finding {
            answer.insert("index".to_owned(), fault.first_index().into());
        }
        print_json(&answer)?;
    } else {
        let head = opened.map_or_else(|| format!("log        {}\n", shown(origin)), head);
        print(&format!("NOT VALID: {message}\n{head}meaning    {}\n", finding.meaning()))?;
    }
    Ok(ExitCode::from(NOT_VALID))
}

fn head(opened: &Opened) -> String {
    let checkpoint = &opened.checkpoint;
    let mut lines = format!(
        "log        {}\nsize       {}\nroot       {}\n",
        shown(checkpoint.origin()),
        checkpoint.size(),
        checkpoint.root().to_base64()
    );
    for Cosigned { witness, time } in &opened.cosigned {
        lines += &format!("witness    {} at {}\n", shown(witness), at(*time));
    }
    lines
}

fn about(opened: &Opened) -> Map<String, Value> {
    let checkpoint = &opened.checkpoint;
    let witness = |c: &Cosigned| json!({"name": shown(&c.witness), "time": at(c.time)});
    let witnesses: Vec<Value> = opened.cosigned.iter().map(witness).collect();
    Map::from_iter([
        ("log".to_owned(), json!(shown(checkpoint.origin()))),
        ("size".to_owned(), json!(checkpoint.size())),
        ("root".to_owned(), json!(checkpoint.root().to_base64())),
        ("witnesses".to_owned(), witnesses.into()),
    ])
}

/// A time of a witness, in seconds since 1970.
pub(crate) fn at(time: u64) -> String {
    UtcMillis(i64::try_from(time).unwrap_or(i64::MAX).saturating_mul(1000)).to_string()
}
