//! What an import says: what became of each key, or why a file is refused.

use std::process::ExitCode;

use keyfile::Signature;
use serde::Serialize;

use super::Outcome;
use super::supplied::{Supplied, Unread};
use crate::output::{Format, count, print, print_json, shown, table};
use crate::problem::Problem;

#[derive(Serialize)]
struct Report<'a> {
    file: &'a str,
    kind: &'static str,
    /// The container that it came in.
    container: Option<&'static str>,
    signature: String,
    meters: &'a [Outcome],
    refused: Vec<Refused>,
    shared_keys: Vec<&'a [String]>,
}

#[derive(Serialize)]
struct Refused {
    meter: String,
    reason: &'static str,
    message: String,
}

/// Says what became of each key. The exit code is 0 when all are in.
pub(super) fn say_outcomes(
    source: &str,
    supplied: &Supplied,
    outcomes: &[Outcome],
    format: Format,
) -> Result<ExitCode, Problem> {
    let read = &supplied.file;
    let by = supplied.sealed.as_ref().and_then(|(_, signer)| signer.as_deref());
    let container = supplied.sealed.as_ref().map(|(form, _)| form.name());
    let signature = match &read.signature {
        Signature::Absent => by.map_or_else(|| "absent".to_owned(), |by| format!("valid, by {}", shown(by))),
        Signature::Valid(signer) if signer.trusted => format!("valid, by {}", shown(&signer.subject)),
        Signature::Valid(signer) => {
            format!("fits the file, by an unknown signer ({})", shown(&signer.subject))
        }
    };
    let kind = match read.kind {
        keyfile::Kind::Kem => "KEM",
        keyfile::Kind::Kem2 => "KEM2",
        keyfile::Kind::List if container.is_some() => "list",
        keyfile::Kind::List => "list in plain text",
    };
    let refused: Vec<Refused> = read
        .refused
        .iter()
        .map(|r| Refused { meter: shown(&r.meter), reason: r.error.name(), message: r.error.to_string() })
        .collect();
    let all_in = refused.is_empty() && outcomes.iter().all(Outcome::is_in);
    match format {
        Format::Json => {
            let shared_keys = read.shared.iter().map(|s| s.meters.as_slice()).collect();
            let meters = outcomes;
            print_json(&Report { file: source, kind, container, signature, meters, refused, shared_keys })?;
        }
        Format::Human => {
            let sealed = container.map_or_else(String::new, |form| format!(" sealed to the house ({form})"));
            let mut text = format!("{source}: {kind}{sealed}, signature {signature}\n");
            let mut table = table(["meter", "key", "outcome"]);
            for Outcome { meter, key, outcome } in outcomes {
                table.add_row([meter.as_str(), key, outcome]);
            }
            for r in &refused {
                table.add_row([
                    r.meter.clone(),
                    String::new(),
                    format!("refused: {} ({})", r.message, r.reason),
                ]);
            }
            text.push_str(&format!("{table}\n"));
            for shared in &read.shared {
                text.push_str(&format!(
                    "warning: {} have one key in common; each opens the others\n",
                    shared.meters.join(", ")
                ));
            }
            let known = outcomes.iter().filter(|o| o.is_in()).count();
            let held = outcomes.iter().filter(|o| o.outcome == "held-back").count();
            if held > 0 {
                text.push_str("all or nothing was asked for, and not all are good: nothing was imported\n");
            } else {
                let known = count(known as u64, "key");
                let which = if container.is_some() { "it" } else { "the file and its password" };
                text.push_str(&format!("{known} in the vault; delete {which} now\n"));
            }
            if supplied.is_exposed() {
                text.push_str(
                    "they are marked as exposed: have the meters' keys changed where that can be done\n",
                );
            }
            print(&text)?;
        }
    }
    Ok(if all_in { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says why a file is refused as a whole, and whether the house has counted it.
pub(super) fn refuse(
    source: &str,
    refused: &Unread,
    told: bool,
    format: Format,
) -> Result<ExitCode, Problem> {
    if format == Format::Json {
        print_json(&serde_json::json!({
            "file": source, "refused": refused.name(), "message": refused.to_string(), "counted": told,
        }))?;
        return Ok(ExitCode::FAILURE);
    }
    let counted = if told {
        "it is counted and in the log"
    } else {
        "the house is not up, so that it is not in the log"
    };
    Err(Problem::new(format!("`{source}` is refused: {refused} ({})", refused.name())).help(
        match refused.way_out() {
            Some(way) => format!("{way}. No key was imported; {counted}"),
            None => format!("no key was imported and nothing was changed; {counted}"),
        },
    ))
}
