//! `meterkeep history`: who looked at the data of a customer, shown to that customer.

mod plain;

use std::process::ExitCode;

use base::{Class, Month, UtcMillis};
use clap::builder::PossibleValuesParser;
use grant::{Action, Purpose};
use serde_json::json;
use wire::Method;
use wire::log::{History, HistoryQuery, Look, Told, UNMASK_REASONS, Unmask, Unmasked};

use self::plain::Language;
use crate::operator::{Operator, Reach};
use crate::output::{Format, FormatArg, count, print, print_json, shown, table};
use crate::people::{purpose, tenancies, tenancy};
use crate::place::HouseArg;
use crate::problem::{Problem, USAGE};
use crate::readings::local;

/// Who looked at a customer's data: when, in which role, what for, and what they did.
///
/// It is for the customer, who sees their own, and for the data protection officer, who answers them. It shows every entry of the
/// log that names the tenancy; who it was is said as "employee 1", "employee 2", and by name only where `history unmask` told it.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Show(Show),
    Unmask(UnmaskArgs),
}

/// Show who looked.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep history show\n  meterkeep history show --language da --from 2026-01-01T00:00:00Z\n  \
                        meterkeep history show --tenancy 5d0c... --purpose data-protection --format json"
)]
struct Show {
    #[command(flatten)]
    house: HouseArg,
    /// Whose, by the number in `meterkeep meters tenancies`; a customer's own where nothing is said. Give it as often as needed.
    #[arg(long = "tenancy", value_name = "TENANCY")]
    tenancies: Vec<String>,
    /// What for: `own-data`, or `data-protection`.
    #[arg(long, value_name = "PURPOSE", default_value = "own-data")]
    purpose: String,
    /// From when on.
    #[arg(long, value_name = "TIME")]
    from: Option<UtcMillis>,
    /// Before when.
    #[arg(long, value_name = "TIME")]
    until: Option<UtcMillis>,
    /// In which language; that of your settings where nothing is said.
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    language: Option<Language>,
    #[command(flatten)]
    format: FormatArg,
}

/// Tell a customer who it was, for one entry of their history.
///
/// The data protection officer decides it. The decision and its reason stand in the log and in the history, which from then on shows
/// the name.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep history unmask 4711 --tenancy 5d0c... --because complaint\n  \
                        meterkeep history unmask 4711 --tenancy 5d0c... --because access-request --house ./house"
)]
struct UnmaskArgs {
    #[command(flatten)]
    house: HouseArg,
    /// The entry, by the number that `history show` tells.
    entry: u64,
    /// Whose history it is.
    #[arg(long, value_name = "TENANCY")]
    tenancy: String,
    /// Why.
    #[arg(long, value_name = "REASON", value_parser = PossibleValuesParser::new(UNMASK_REASONS))]
    because: String,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::Show(args) => show(args),
        Command::Unmask(args) => unmask(args),
    }
}

fn show(args: &Show) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let (purpose, tenancies) = (purpose(&args.purpose)?, tenancies(&args.tenancies)?);
    if tenancies.is_empty() && !purpose.is_for_subjects() {
        return Err(Problem::new(format!("for `{purpose}`, say whose history it is"))
            .help("add `--tenancy`; `meterkeep meters tenancies` lists them")
            .exit(USAGE));
    }
    let reach = Reach { tenancies: tenancies.clone(), ..Reach::default() };
    let ms = |at: Option<UtcMillis>| at.map_or(0, |at| at.0);
    let query = HistoryQuery { tenancies, from_ms: ms(args.from), until_ms: ms(args.until) };
    let errand = (purpose, Action::ReadHistory);
    let operator = Operator::new(&layout)?;
    let asked = operator.ask(errand, &reach, Method::ArchiveHistory, &query);
    let history: History = Operator::runtime()?.block_on(asked)?;
    match args.format.format {
        Format::Json => history.looks.iter().try_for_each(|look| print_json(&as_json(look)))?,
        Format::Human => {
            let language = args.language.unwrap_or_else(Language::of_the_user);
            print(&for_people(&history, language))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn unmask(args: &UnmaskArgs) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let whose = tenancy(&args.tenancy)?;
    let reach = Reach { tenancies: vec![whose.clone()], ..Reach::default() };
    let decision = Unmask { tenancy: whose, entry: args.entry, because: args.because.clone() };
    let errand = (Purpose::DataProtection, Action::UnmaskStaff);
    let operator = Operator::new(&layout)?;
    let told = operator.ask(errand, &reach, Method::ArchiveUnmask, &decision);
    let told: Unmasked = Operator::runtime()?.block_on(told)?;
    let name = shown(&told.name);
    print(&format!(
        "entry {} was {name}; the history says so now (log entry {})\n",
        args.entry, told.receipt
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// A class and a span of months, or empty.
fn data(look: &Look) -> (&'static str, String, String) {
    let class = u8::try_from(look.class).ok().and_then(Class::from_code);
    class.map_or(("", String::new(), String::new()), |class| {
        let month = |number| Month::from_number(number).to_string();
        (class.name(), month(look.first_month), month(look.last_month))
    })
}

fn as_json(look: &Look) -> serde_json::Value {
    let both = |(en, da): (&str, &str)| json!({ "en": en, "da": da });
    let (class, first_month, last_month) = data(look);
    let details: Vec<serde_json::Value> = look
        .told
        .iter()
        .map(|told| {
            let Told { by, criterion, meters, number } = told;
            json!({ "looked_for_by": by, "looked_for": criterion, "meters": meters, "given": number })
        })
        .collect();
    json!({
        "entry": look.number, "at": UtcMillis(look.at_ms).to_string(),
        "who": look.who, "name": look.name, "own": look.own, "role": look.role,
        "purpose": look.purpose, "action": look.action, "outcome": look.outcome,
        "class": class, "first_month": first_month, "last_month": last_month, "about": look.about,
        "told": {
            "deed": both(plain::deed(&look.action)), "purpose": both(plain::purpose(&look.purpose)),
            "outcome": both(plain::outcome(&look.outcome)),
        },
        "details": details,
    })
}

/// What was given, and what was looked for, in a line each below the data.
fn details(look: &Look, span: String, language: Language) -> String {
    let mut lines: Vec<String> = Some(span).filter(|span| !span.is_empty()).into_iter().collect();
    for Told { by, criterion, meters, number } in &look.told {
        let of = if meters.is_empty() { String::new() } else { format!(" ({})", shown(&meters.join(", "))) };
        // of names there is one, or none
        if look.class > 0 {
            lines.push(format!("{number} {}{of}", language.of(plain::readings(*number))));
        }
        let (what, for_what) = (language.of(plain::looked_for(by, look.own)), shown(criterion));
        lines.push(if for_what.is_empty() { what.to_owned() } else { format!("{what}: {for_what}") });
    }
    lines.join("\n")
}

/// Who it was, as far as the customer is told.
fn who(look: &Look, language: Language) -> String {
    let role = plain::role(&look.role).map_or_else(|| shown(&look.role), |role| language.of(role).to_owned());
    let somebody = match look.who {
        _ if look.own => language.of(("you", "dig")).to_owned(),
        _ if !look.name.is_empty() => shown(&look.name),
        0 => return language.of(("the system", "systemet")).to_owned(),
        number => format!("{} {number}", language.of(("employee", "medarbejder"))),
    };
    if role.is_empty() || look.own { somebody } else { format!("{somebody} ({role})") }
}

fn for_people(history: &History, language: Language) -> String {
    let heads = [("entry", "nr."), ("when", "hvornår"), ("who", "hvem"), ("did", "gjorde"), ("data", "data")];
    let heads = heads.into_iter().chain([("what for", "formål"), ("outcome", "udfald")]);
    let heads: Vec<&str> = heads.map(|head| language.of(head)).collect();
    let mut rows = table(heads);
    for look in &history.looks {
        let (class, first, last) = data(look);
        let class = language.of(plain::class(class));
        let span = if class.is_empty() { String::new() } else { format!("{class} {first} - {last}") };
        let about = look.about.map_or_else(String::new, |about| format!("#{about}"));
        rows.add_row([
            look.number.to_string(),
            local(UtcMillis(look.at_ms)),
            who(look, language),
            language.of(plain::deed(&look.action)).to_owned(),
            if about.is_empty() { details(look, span, language) } else { about },
            language.of(plain::purpose(&look.purpose)).to_owned(),
            language.of(plain::outcome(&look.outcome)).to_owned(),
        ]);
    }
    let (shown, all) = (history.looks.len() as u64, history.in_all);
    let end = match language {
        Language::En => {
            format!("{} of {} in all (this look is entry {})", count(shown, "look"), all, history.receipt)
        }
        Language::Da => format!("{shown} opslag af {all} i alt (dette opslag er nr. {})", history.receipt),
    };
    if history.looks.is_empty() { format!("{end}\n") } else { format!("{rows}\n{end}\n") }
}
