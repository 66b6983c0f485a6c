//! How erasures and holds stand, and the certificate.

use std::path::PathBuf;

use base::{Month, UtcMillis};
use grant::erasure::RequestErasure;
use serde_json::{Value, json};
use wire::Message as _;
use wire::custody::{Carried, ErrandAnswer};
use wire::erasure::{Erasure, Hold, LookErasures};

use crate::handover::{carry, step, steps_json};
use crate::output::{Format, FormatArg, print, print_json, say, shown, table};
use crate::place::HouseArg;
use crate::private_file;
use crate::problem::Problem;

/// List erasures and legal holds.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep erasure list\n  \
                        meterkeep erasure list --house ./house --format json")]
pub(super) struct List {
    #[command(flatten)]
    house: HouseArg,
    #[command(flatten)]
    format: FormatArg,
}

/// Show one erasure: what, why, and who did what.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep erasure show 3\n  \
                        meterkeep erasure show 3 --house ./house --format json")]
pub(super) struct Show {
    #[command(flatten)]
    house: HouseArg,
    /// The erasure's number.
    erasure: u32,
    #[command(flatten)]
    format: FormatArg,
}

/// Have the certificate of an erasure made: what was erased, who decided it, and from when on no backup brings it back.
///
/// It is signed with the house's key for lists. `openssl cms -verify -inform DER -in FILE -CAfile public/handover.pem` shows it.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep erasure certificate 3 --into erasure-3.p7m\n  \
                        meterkeep erasure certificate 3 --into erasure-3.p7m --house ./house")]
pub(super) struct Certificate {
    #[command(flatten)]
    house: HouseArg,
    /// The erasure's number.
    erasure: u32,
    /// The file that it goes into; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    into: PathBuf,
}

/// The one that was asked for, and its request.
pub(super) fn one(look: &ErrandAnswer, number: u32) -> Result<(&Erasure, RequestErasure), Problem> {
    let erasure = look.erasures.first();
    let erasure = erasure.ok_or_else(|| Problem::new(format!("there is no erasure {number}")))?;
    let request = RequestErasure::decode(erasure.request.as_slice())
        .map_err(|_| Problem::new("the vault's answer cannot be read"))?;
    Ok((erasure, request))
}

pub(super) fn list(args: &List) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    let answer = carry(&layout, Carried::Erasures(LookErasures::default()))?;
    let reason = |e: &Erasure| RequestErasure::decode(e.request.as_slice()).unwrap_or_default().reason;
    if args.format.format == Format::Json {
        let erasure = |e: &Erasure| {
            json!({
                "erasure": e.number, "state": e.state, "tenancies": e.tenancies, "periods": e.periods,
                "holds_lifted": e.holds, "reason": reason(e), "erased": erased(e), "steps": steps_json(&e.steps),
            })
        };
        return print_json(&json!({
            "erasures": answer.erasures.iter().map(erasure).collect::<Vec<_>>(),
            "holds": answer.holds.iter().map(hold_json).collect::<Vec<_>>(),
        }));
    }
    let mut erasures =
        table(["erasure", "tenancies", "periods", "holds lifted", "state", "last step", "reason"]);
    for e in &answer.erasures {
        let last = e.steps.last().map(step).unwrap_or_default();
        let (tenancies, periods) = (e.tenancies.to_string(), e.periods.to_string());
        let (number, holds) = (e.number.to_string(), e.holds.to_string());
        erasures.add_row([number, tenancies, periods, holds, shown(&e.state), last, shown(&reason(e))]);
    }
    let mut holds = table(["hold", "tenancies", "from", "until", "state", "reason"]);
    for h in &answer.holds {
        let (from, until) = (Month::from_number(h.first).to_string(), Month::from_number(h.last).to_string());
        let (number, tenancies) = (h.number.to_string(), h.tenancies.len().to_string());
        holds.add_row([number, tenancies, from, until, shown(&h.state), shown(&h.reason)]);
    }
    let none = |empty: bool, what: &str, table: String| {
        if empty { format!("no {what} yet\n") } else { table + "\n" }
    };
    let erasures = none(answer.erasures.is_empty(), "erasures", erasures.to_string());
    print(&format!("{erasures}\n{}", none(answer.holds.is_empty(), "holds", holds.to_string())))
}

pub(super) fn show(args: &Show) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    let look = carry(&layout, Carried::Erasures(LookErasures { erasure: args.erasure }))?;
    let (erasure, request) = one(&look, args.erasure)?;
    if args.format.format == Format::Human {
        return print(&whole(erasure, &request));
    }
    let tenancies: Vec<String> = request.tenancies.iter().map(hex::encode).collect();
    print_json(&json!({
        "erasure": erasure.number, "state": erasure.state, "tenancies": tenancies, "periods": periods(&request),
        "holds_lifted": request.holds, "reason": request.reason, "erased": erased(erasure),
        "steps": steps_json(&erasure.steps),
    }))
}

fn periods(request: &RequestErasure) -> Vec<String> {
    let text = |(class, month): (base::Class, Month)| format!("{}:{month}", class.name());
    request.class_months().into_iter().map(text).collect()
}

fn erased(erasure: &Erasure) -> Option<String> {
    (erasure.erased_ms != 0).then(|| UtcMillis(erasure.erased_ms).to_string())
}

/// An erasure with all that an officer has to know before they approve it.
pub(super) fn whole(erasure: &Erasure, request: &RequestErasure) -> String {
    let mut text = format!("erasure {}: {}\n", erasure.number, shown(&erasure.state));
    text.push_str(&format!("  why      {}\n", shown(&request.reason)));
    for tenancy in &request.tenancies {
        text.push_str(&format!("  tenancy  {}\n", hex::encode(tenancy)));
    }
    for period in periods(request) {
        text.push_str(&format!("  all of   {period}\n"));
    }
    for hold in &request.holds {
        text.push_str(&format!("  lifts    hold {hold}\n"));
    }
    for one in &erasure.steps {
        text.push_str(&format!("  {}\n", step(one)));
    }
    if let Some(at) = erased(erasure) {
        text.push_str(&format!("  {at} no key of it goes out any more\n"));
    }
    text
}

fn hold_json(h: &Hold) -> Value {
    json!({
        "hold": h.number, "state": h.state, "tenancies": h.tenancies.iter().map(hex::encode).collect::<Vec<_>>(),
        "from": Month::from_number(h.first).to_string(), "until": Month::from_number(h.last).to_string(),
        "reason": h.reason, "set": h.set.iter().map(|s| json!({"by": s.by, "at": UtcMillis(s.at_ms).to_string()})).next(),
    })
}

pub(super) fn certificate(args: &Certificate) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    let mut out = private_file::create(&args.into)?;
    let answer = carry(&layout, Carried::Certificate(args.erasure));
    let answer = answer.inspect_err(|_| _ = std::fs::remove_file(&args.into))?;
    private_file::fill(&mut out, &args.into, &[&answer.container])?;
    say(&shown(&answer.done));
    say(&format!("  openssl cms -verify -inform DER -in {} -CAfile handover.pem", args.into.display()));
    Ok(())
}
