//! How receivers and hand-overs stand.

use base::UtcMillis;
use serde_json::{Value, json};
use wire::custody::{Carried, Handover, Look, Recipient, Step};

use super::{carry, fingerprint};
use crate::output::{Format, FormatArg, print, print_json, shown, table};
use crate::place::HouseArg;
use crate::problem::Problem;

/// List receivers and hand-overs.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep handover list\n  \
                        meterkeep handover list --house ./house --format json")]
pub(super) struct List {
    #[command(flatten)]
    house: HouseArg,
    #[command(flatten)]
    format: FormatArg,
}

/// Show one hand-over: to whom, whose keys, why, and who did what.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep handover show 3\n  \
                        meterkeep handover show 3 --house ./house --format json")]
pub(super) struct Show {
    #[command(flatten)]
    house: HouseArg,
    /// The hand-over's number.
    handover: u32,
    #[command(flatten)]
    format: FormatArg,
}

pub(super) fn list(args: &List) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    let answer = carry(&layout, Carried::Look(Look::default()))?;
    if args.format.format == Format::Json {
        return print_json(&json!({
            "receivers": answer.recipients.iter().map(receiver_json).collect::<Vec<_>>(),
            "handovers": answer.handovers.iter().map(handover_json).collect::<Vec<_>>(),
        }));
    }
    let mut receivers = table(["receiver", "name", "key", "state"]);
    for r in &answer.recipients {
        receivers.add_row([r.number.to_string(), shown(&r.name), shown(&r.kind), shown(&r.state)]);
    }
    let mut handovers = table(["hand-over", "to", "meters", "state", "last step", "reason"]);
    for h in &answer.handovers {
        let last = h.steps.last().map(step).unwrap_or_default();
        let (to, meters) = (h.recipient.to_string(), h.count.to_string());
        handovers.add_row([h.number.to_string(), to, meters, shown(&h.state), last, shown(&h.reason)]);
    }
    let none = |empty: bool, what: &str, table: String| {
        if empty { format!("no {what} yet\n") } else { table + "\n" }
    };
    let receivers = none(answer.recipients.is_empty(), "receivers", receivers.to_string());
    print(&format!("{receivers}\n{}", none(answer.handovers.is_empty(), "hand-overs", handovers.to_string())))
}

pub(super) fn show(args: &Show) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    let answer = carry(&layout, Carried::Look(Look { handover: args.handover }))?;
    let handover = answer.handovers.first();
    let handover =
        handover.ok_or_else(|| Problem::new(format!("there is no hand-over {}", args.handover)))?;
    match args.format.format {
        Format::Json => print_json(&handover_json(handover)),
        Format::Human => print(&whole(handover, &answer.recipients)),
    }
}

/// A hand-over with all that an officer has to know before they approve it.
pub(super) fn whole(handover: &Handover, recipients: &[Recipient]) -> String {
    let mut text = format!("hand-over {}: {}\n", handover.number, shown(&handover.state));
    text.push_str(&match recipients.iter().find(|r| r.number == handover.recipient) {
        Some(r) => {
            let (name, kind, state) = (shown(&r.name), shown(&r.kind), shown(&r.state));
            format!(
                "  to      receiver {}, {name} ({kind}, {state})\n          {}\n",
                r.number,
                receivers_fingerprint(r)
            )
        }
        None => format!("  to      receiver {}\n", handover.recipient),
    });
    text.push_str(&format!("  why     {}\n  meters  {}\n", shown(&handover.reason), handover.count));
    for meters in handover.meters.chunks(5) {
        text.push_str(&format!("          {}\n", shown(&meters.join(", "))));
    }
    for one in &handover.steps {
        text.push_str(&format!("  {}\n", step(one)));
    }
    text
}

/// As the receiver reads it out: an age key is its own fingerprint.
fn receivers_fingerprint(recipient: &Recipient) -> String {
    let age = (recipient.kind == "age").then_some(recipient.fingerprint.as_slice());
    let key = age.and_then(|key| envelope::age::Recipient::from_bytes(key.try_into().ok()?).ok());
    key.map_or_else(|| fingerprint::text(&recipient.fingerprint), |key| key.to_string())
}

pub(crate) fn step(step: &Step) -> String {
    let by = if step.by.is_empty() { "the receiver".to_owned() } else { shown(&step.by) };
    let what = match step.what.as_str() {
        "handover-request" | "erasure-request" => "requested",
        "handover-approve" | "erasure-approve" => "approved",
        "handover-withdraw" | "erasure-withdraw" => "withdrawn",
        "fetch" => "fetched",
        "fetch-again" => "FETCHED AGAIN",
        "acknowledge" => "acknowledged",
        other => other,
    };
    format!("{} {} by {by}", UtcMillis(step.at_ms), shown(what))
}

pub(crate) fn steps_json(steps: &[Step]) -> Vec<Value> {
    let one = |s: &Step| json!({"what": s.what, "by": s.by, "at": UtcMillis(s.at_ms).to_string()});
    steps.iter().map(one).collect()
}

fn receiver_json(r: &Recipient) -> Value {
    json!({
        "receiver": r.number, "name": r.name, "key": r.kind, "state": r.state,
        "fingerprint": receivers_fingerprint(r), "steps": steps_json(&r.steps),
    })
}

fn handover_json(h: &Handover) -> Value {
    let until = (h.until_ms != 0).then(|| UtcMillis(h.until_ms).to_string());
    json!({
        "handover": h.number, "receiver": h.recipient, "count": h.count, "meters": h.meters, "reason": h.reason,
        "state": h.state, "until": until, "steps": steps_json(&h.steps),
    })
}
