//! `meterkeep log review`: the monthly review of the log, which is due, what it is of, and signing it.

use std::process::ExitCode;

use base::{Month, UtcMillis};
use clap::ValueEnum;
use grant::Action;
use serde::Serialize;
use wire::Method;
use wire::log::FoundEntry;
use wire::review::{
    Checked, Drawn, ListReviews, ReviewAnswer, ReviewErrand, ReviewSignature, ReviewWish, ReviewedMonth,
    SignReview,
};

use super::entry::Entry;
use crate::operator::{Operator, Reach};
use crate::output::{Format, FormatArg, count, print, print_json, shown, table};
use crate::place::HouseArg;
use crate::problem::Problem;
use crate::readings::local;

/// Review the log, month by month: which reviews are due, what one is of, and what it came to.
///
/// A review is of a random sample that nobody chooses, since it is drawn from the root of the log after the month, and of what
/// targeted checks find. Who was shown it signs what it came to; for entries about themselves another person signs, too. Months are
/// UTC. A review that nobody signed thirty days after its month is an alarm.
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  meterkeep log review --house ./house\n  meterkeep log review show 2026-10\n  \
                  meterkeep log review sign 2026-10 --finding ok\n  \
                  meterkeep log review sign 2026-10 --finding follow-up --note \"entry 4711: asked the head of service which case\""
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show what the review of a month is of: its sample, and what the checks find.
    Show(Show),
    /// Sign what the review of a month came to. It becomes an entry of the log.
    Sign(Sign),
}

#[derive(clap::Args)]
struct Common {
    #[command(flatten)]
    house: HouseArg,
    /// What for: `audit` or `data-protection`.
    #[arg(long, value_name = "PURPOSE", default_value = "audit")]
    purpose: String,
    #[command(flatten)]
    format: FormatArg,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep log review show 2026-10 --house ./house\n  \
                        meterkeep log review show 2026-10 --format json")]
struct Show {
    #[command(flatten)]
    common: Common,
    /// The month, as `2026-10`.
    month: Month,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep log review sign 2026-10 --finding ok --house ./house\n  \
                        meterkeep log review sign 2026-10 --finding follow-up --note \"entry 4711: which case?\" --purpose data-protection")]
struct Sign {
    #[command(flatten)]
    common: Common,
    /// The month, as `2026-10`.
    month: Month,
    /// What the review came to.
    #[arg(long, value_enum)]
    finding: Finding,
    /// What there is to say to it, one line without personal data: it stays in the log. What is followed up is said here.
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Finding {
    /// Nothing that somebody has to look into.
    Ok,
    /// Something is looked into further.
    FollowUp,
}

impl Finding {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => grant::review::Finding::Ok.name(),
            Self::FollowUp => grant::review::Finding::FollowUp.name(),
        }
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Problem> {
    let (common, wish) = match &args.command {
        None => (&args.common, ReviewWish::List(ListReviews {})),
        Some(Command::Show(args)) => (&args.common, ReviewWish::Show(args.month.number())),
        Some(Command::Sign(args)) => {
            let (month, finding) = (args.month.number(), args.finding.name().to_owned());
            (&args.common, ReviewWish::Sign(SignReview { month, finding, note: args.note.clone() }))
        }
    };
    let signs = matches!(wish, ReviewWish::Sign(_));
    let (layout, _) = common.house.open()?;
    let operator = Operator::new(&layout)?;
    let errand = (crate::people::purpose(&common.purpose)?, Action::ReviewLog);
    let (reach, body) = (Reach::default(), ReviewErrand { wish: Some(wish) });
    let asked = operator.ask(errand, &reach, Method::LedgerReview, &body);
    let answer: ReviewAnswer = Operator::runtime()?.block_on(asked)?;
    let told = Told::read(&answer)?;
    match common.format.format {
        Format::Json => print_json(&told)?,
        Format::Human if signs => print(&signed(&told))?,
        Format::Human => print(&human(&told))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The answer with the field names of its JSON. They do not change.
#[derive(Serialize)]
struct Told {
    months: Vec<ToldMonth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    review: Option<ToldReview>,
    /// The entry that says that this was asked; the signature's, where one was given.
    entry: u64,
}

#[derive(Serialize)]
struct ToldMonth {
    month: String,
    /// The month's first entry.
    first: u64,
    /// The first entry after it.
    end: u64,
    state: String,
    overdue_at: String,
    signatures: Vec<ToldSignature>,
}

#[derive(Serialize)]
struct ToldSignature {
    entry: u64,
    at: String,
    person: String,
    finding: String,
    own: u64,
    note: String,
    #[serde(skip)]
    when: UtcMillis,
}

#[derive(Serialize)]
struct ToldReview {
    /// The size of the tree that the sample is drawn from.
    size: u64,
    /// Its root, hexadecimal.
    root: String,
    sample: Vec<ToldEntry>,
    checks: Vec<ToldCheck>,
    /// Entries of all this about who asks: another person signs for them.
    own: u64,
}

#[derive(Serialize)]
struct ToldCheck {
    check: String,
    title: String,
    found: u64,
    entries: Vec<ToldEntry>,
}

/// An entry; where the answer was too long for all, its number alone.
#[derive(Serialize)]
#[serde(untagged)]
enum ToldEntry {
    Whole(Box<Entry>),
    Number { number: u64 },
}

impl ToldEntry {
    fn read(found: &FoundEntry) -> Result<Self, Problem> {
        if found.event.is_empty() {
            return Ok(Self::Number { number: found.number });
        }
        Ok(Self::Whole(Box::new(Entry::read(found)?)))
    }

    fn all(found: &[FoundEntry]) -> Result<Vec<Self>, Problem> {
        found.iter().map(Self::read).collect()
    }
}

impl Told {
    fn read(answer: &ReviewAnswer) -> Result<Self, Problem> {
        let review = answer.drawn.as_ref().map(ToldReview::read).transpose()?;
        let months = answer.months.iter().map(ToldMonth::read).collect();
        Ok(Self { months, review, entry: answer.receipt })
    }
}

impl ToldMonth {
    fn read(month: &ReviewedMonth) -> Self {
        let signature = |signature: &ReviewSignature| ToldSignature {
            entry: signature.number,
            at: UtcMillis(signature.at_ms).to_string(),
            person: signature.person.clone(),
            finding: signature.finding.clone(),
            own: signature.own,
            note: signature.note.clone(),
            when: UtcMillis(signature.at_ms),
        };
        Self {
            month: Month::from_number(month.month).to_string(),
            first: month.first,
            end: month.end,
            state: month.state.clone(),
            overdue_at: UtcMillis(month.overdue_ms).to_string(),
            signatures: month.signatures.iter().map(signature).collect(),
        }
    }
}

impl ToldReview {
    fn read(drawn: &Drawn) -> Result<Self, Problem> {
        let check = |checked: &Checked| {
            let entries = ToldEntry::all(&checked.entries)?;
            let (check, title) = (checked.check.clone(), checked.title.clone());
            Ok(ToldCheck { check, title, found: checked.found, entries })
        };
        let checks = drawn.checks.iter().map(check).collect::<Result<_, Problem>>()?;
        let (size, root, own) = (drawn.size, hex::encode(&drawn.root), drawn.own);
        Ok(Self { size, root, sample: ToldEntry::all(&drawn.sample)?, checks, own })
    }
}

/// Reviews that are overdue, for the first line of what is shown of the log; empty where there are none.
pub(super) fn overdue(months: &[u32]) -> String {
    if months.is_empty() {
        return String::new();
    }
    let names: Vec<String> = months.iter().map(|month| Month::from_number(*month).to_string()).collect();
    format!("REVIEW OVERDUE: {} (`meterkeep log review`)\n", names.join(", "))
}

fn human(told: &Told) -> String {
    let mut text = months(told);
    if let Some(review) = &told.review {
        text.push_str(&format!(
            "\nsample, drawn from the root of the first {} entries, {}:\n",
            review.size, review.root
        ));
        text.push_str(&entries(&review.sample));
        for check in &review.checks {
            text.push_str(&format!("\n{}: {}\n", shown(&check.title), count(check.found, "entry")));
            if check.found > 0 {
                text.push_str(&entries(&check.entries));
            }
            let more = check.found.saturating_sub(check.entries.len() as u64);
            if more > 0 {
                text.push_str(&format!("and {more} more: `meterkeep log search` finds them\n"));
            }
        }
        if review.own > 0 {
            text.push_str(&format!(
                "\n{} about yourself: another person has to sign, too\n",
                if review.own == 1 {
                    "1 of these is".to_owned()
                } else {
                    format!("{} of these are", review.own)
                }
            ));
        }
    }
    text.push_str(&format!("(this look is entry {})\n", told.entry));
    text
}

fn signed(told: &Told) -> String {
    let state = told.months.first().map_or("", |month| month.state.as_str());
    let what = match state {
        "done" => "the review is done",
        _ => "another person has to sign it, too: entries of it are about you",
    };
    format!("signed as entry {}; {what}\n", told.entry)
}

fn months(told: &Told) -> String {
    if told.months.is_empty() {
        return "no month of the log has ended yet; the first review is due then\n".to_owned();
    }
    let mut all = table(["month", "entries", "review", "signed by", "finding", "note"]);
    for month in &told.months {
        let state = match month.state.as_str() {
            "overdue" => "OVERDUE".to_owned(),
            "second-due" => "due from a second person".to_owned(),
            other => shown(other),
        };
        let lines = |line: fn(&ToldSignature) -> String| {
            month.signatures.iter().map(line).collect::<Vec<_>>().join("\n")
        };
        all.add_row([
            month.month.clone(),
            format!("{}-{}", month.first, month.end.saturating_sub(1)),
            state,
            lines(|s| format!("{} {}", shown(&s.person), local(s.when))),
            lines(|s| shown(&s.finding)),
            lines(|s| shown(&s.note)),
        ]);
    }
    format!("{all}\n")
}

fn entries(all: &[ToldEntry]) -> String {
    let mut rows = table(["entry", "when", "who", "did", "for", "outcome", "what"]);
    for entry in all {
        match entry {
            ToldEntry::Number { number } => {
                let there = format!("see `meterkeep log show {number}`");
                rows.add_row([number.to_string(), String::new(), String::new(), there]);
            }
            ToldEntry::Whole(entry) => {
                rows.add_row(super::show::row(entry));
            }
        }
    }
    format!("{rows}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(state: &str) -> ReviewAnswer {
        let month: Month = "2026-10".parse().unwrap();
        let signature = ReviewSignature {
            number: 4800,
            at_ms: 1_795_000_000_000,
            person: "vera".to_owned(),
            finding: "ok".to_owned(),
            own: 2,
            note: "all is well".to_owned(),
        };
        let month = ReviewedMonth {
            month: month.number(),
            first: 120,
            end: 4711,
            state: state.to_owned(),
            overdue_ms: 1_796_083_200_000,
            signatures: vec![signature],
        };
        let check = Checked {
            check: "roles".to_owned(),
            title: "people and roles changed".to_owned(),
            found: 30,
            entries: vec![],
        };
        let sample = vec![FoundEntry { number: 121, at_ms: 1, event: Vec::new().into() }];
        let drawn = Drawn { size: 4712, root: vec![0xab; 32], sample, checks: vec![check], own: 2 };
        ReviewAnswer { months: vec![month], drawn: Some(drawn), receipt: 4801 }
    }

    #[test]
    fn a_review_is_told_with_its_state_what_it_is_of_and_what_is_about_oneself() {
        let text = human(&Told::read(&answer("second-due")).unwrap());
        for said in [
            "120-4710",
            "due from a second person",
            "vera",
            "all is well",
            "first 4712 entries, abab",
            "`meterkeep log show 121`",
            "people and roles changed: 30 entries",
            "and 30 more",
            "2 of these are about yourself",
            "(this look is entry 4801)",
        ] {
            assert!(text.contains(said), "{said} in {text}");
        }
        assert!(human(&Told::read(&answer("overdue")).unwrap()).contains("OVERDUE"));
        let json = serde_json::to_value(Told::read(&answer("done")).unwrap()).unwrap();
        assert_eq!(json["months"][0]["state"], "done");
        assert_eq!(json["review"]["sample"][0]["number"], 121);
    }

    #[test]
    fn overdue_months_are_named() {
        assert_eq!(overdue(&[]), "");
        let months = ["2026-08", "2026-09"].map(|text| text.parse::<Month>().unwrap().number());
        assert_eq!(overdue(&months), "REVIEW OVERDUE: 2026-08, 2026-09 (`meterkeep log review`)\n");
    }
}
