//! `meterkeep register import`: reads a list here, has its rows judged, and sends them part by part.

use std::path::PathBuf;
use std::process::ExitCode;

use grant::{Action, Purpose};
use jiff::tz::TimeZone;
use registerfile::{BadRow, How, RegisterFile, Row};
use wire::Method;
use wire::archive::{
    ROWS_SKIP_BAD, ROWS_TRY, ROWS_WHOLE, RegisterAnswer, RegisterChange, RegisterRow, RegisterRows,
    RowsAnswer,
};
use wire::contact::Contact;

use super::told::{self, End, Outcome};
use crate::keys::{progress, source_name};
use crate::operator::{Operator, Reach};
use crate::output::{FormatArg, shown};
use crate::place::HouseArg;
use crate::problem::{Problem, USAGE};

/// Rows in one call; the archive takes no more.
const ROWS_A_CALL: usize = 10_000;
/// Rows in one call with names and contacts beside them: so many fit into one message, however long they are.
const ROWS_WITH_CONTACTS: usize = 1500;

/// Load a list of meters, places and customers: text in columns (comma, semicolon, tab) or a workbook (XLSX), a meter a line.
///
/// The first line names the columns, in English or Danish: meter, manufacturer, place, area, customer (the utility's number,
/// never a name), from, until, name, address, mail, phone, resolution, clear. A line with a customer and a day begins a tenancy.
/// Names and contacts are sealed for that tenancy alone and shown by `meterkeep contacts` only. Nothing is taken while a line is
/// bad, unless `--skip-bad` says so; the same list again changes nothing.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep register import register.csv --dry-run --house ./house\n  \
                        meterkeep register import register.xlsx --sheet Målere --until-is-last-day\n  \
                        meterkeep register import meters.csv --column place=\"Ejendom nr\" --manufacturer KAM --format json\n\n\
                        Exit code: 0 all lines are good, 1 some are bad or the list is refused, 2 wrong use.")]
pub(super) struct Import {
    #[command(flatten)]
    house: HouseArg,
    /// The list.
    file: PathBuf,
    /// Only say what would change.
    #[arg(long)]
    dry_run: bool,
    /// Take the good lines though others are bad.
    #[arg(long)]
    skip_bad: bool,
    /// Which column holds what, as `place=HEADER`; several times.
    #[arg(long, visible_alias = "map", value_name = "WHAT=HEADER")]
    column: Vec<String>,
    /// Which sheet of a workbook, where several have cells.
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// The maker of all meters for which the list names none: three letters.
    #[arg(long, value_name = "ABC")]
    manufacturer: Option<String>,
    /// The column `until` has the last day of a tenancy, not the first day after it.
    #[arg(long)]
    until_is_last_day: bool,
    /// Leave names, addresses, mail addresses and telephone numbers out.
    #[arg(long)]
    without_contacts: bool,
    #[command(flatten)]
    format: FormatArg,
}

pub(super) fn run(args: &Import) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let bytes = std::fs::read(&args.file).map_err(Problem::at(&args.file))?;
    let source = source_name(&args.file);
    let mut how = How {
        manufacturer: args.manufacturer.clone(),
        sheet: args.sheet.clone(),
        zone: TimeZone::system(),
        until_is_last_day: args.until_is_last_day,
        without_contacts: args.without_contacts,
        ..How::default()
    };
    args.column
        .iter()
        .try_for_each(|c| how.column(c))
        .map_err(|e| Problem::new(e.to_string()).exit(USAGE))?;
    let RegisterFile { rows, mut bad, unread } = registerfile::read(&bytes, &how)
        .map_err(|e| Problem::new(format!("`{source}` is refused: {e}")).help("nothing was changed"))?;
    drop(bytes);
    let operator = Operator::new(&layout)?;
    let runtime = Operator::runtime()?;
    let ask = |mode, what| runtime.block_on(send(&operator, &source, &rows, mode, what));
    // All parts are judged before the first is taken: a list is taken whole or not at all.
    let mut sent =
        if args.dry_run || !args.skip_bad { ask(ROWS_TRY, "lines checked")? } else { Sent::default() };
    let fits = bad.is_empty() && sent.bad.is_empty();
    let end = if args.dry_run {
        End::Tried
    } else if args.skip_bad || fits {
        let mode = if args.skip_bad { ROWS_SKIP_BAD } else { ROWS_WHOLE };
        sent = ask(mode, "lines taken")?;
        if sent.done { End::Taken } else { End::Cut }
    } else {
        End::HeldBack
    };
    bad.append(&mut sent.bad);
    bad.sort_by_key(|bad| bad.line);
    let outcome = Outcome { source: &source, rows: &rows, did: &sent.did, bad: &bad, unread: &unread, end };
    told::say(&outcome, args.format.format)
}

/// What the archive said of all parts.
#[derive(Default)]
struct Sent {
    /// Row by row; shorter than the rows where a part was held back.
    did: Vec<u32>,
    bad: Vec<BadRow>,
    /// All parts were taken.
    done: bool,
}

/// Sends the rows part by part. Each part is one change, whole or not at all; where one is held back the rest is not sent.
async fn send(
    operator: &Operator,
    source: &str,
    rows: &[Row],
    mode: u32,
    what: &'static str,
) -> Result<Sent, Problem> {
    let mut sent = Sent { done: mode != ROWS_TRY, ..Sent::default() };
    let most = if rows.iter().any(|row| row.contact.is_some()) { ROWS_WITH_CONTACTS } else { ROWS_A_CALL };
    let bar = progress(rows.len(), most, what);
    for part in parts(rows, most) {
        let one = Part { operator, source, rows: part };
        let has_contacts = part.iter().any(|row| row.contact.is_some());
        let answer = if mode != ROWS_TRY && has_contacts {
            // whose the contacts are is signed, so that the vault gives keys for them alone; a trial tells the tenancies
            let tried = one.send(ROWS_TRY, &[]).await?;
            one.send(mode, &tried.tenancies).await?
        } else {
            one.send(mode, &[]).await?
        };
        sent.did.extend(answer.did);
        for bad in answer.bad {
            let of = usize::try_from(bad.row).ok().and_then(|index| part.get(index));
            let column = registerfile::column(&bad.column).unwrap_or("line");
            sent.bad.push(BadRow { line: of.map_or(0, |row| row.line), column, why: shown(&bad.why) });
        }
        if mode != ROWS_TRY && !answer.done {
            sent.done = false;
            break;
        }
        bar.inc(part.len() as u64);
    }
    bar.finish_and_clear();
    Ok(sent)
}

/// Rows that are sent together.
struct Part<'a> {
    operator: &'a Operator,
    source: &'a str,
    rows: &'a [Row],
}

impl Part<'_> {
    /// Sends them. Names and contacts go with them only where their tenancies are told, row by row.
    async fn send(&self, mode: u32, tenancies: &[Vec<u8>]) -> Result<RowsAnswer, Problem> {
        let mut items = Vec::new();
        let rows = self.rows.iter().enumerate().map(|(at, row)| {
            let mut sent = to_send(row);
            if let (Some(contact), false) = (&row.contact, tenancies.is_empty()) {
                items.push(Contact::of(contact));
                sent.contact = u32::try_from(items.len()).unwrap_or(u32::MAX);
                sent.tenancy = tenancies.get(at).cloned().unwrap_or_default();
            }
            sent
        });
        let rows = RegisterRows { rows: rows.collect(), mode, source: self.source.to_owned() };
        let (contacts, contacts_digest) = crate::contacts::beside(items)?;
        let body = RegisterChange { rows: Some(rows), contacts_digest, ..RegisterChange::default() };
        let errand = (Purpose::Register, Action::ChangeRegister);
        let (reach, method) = (Reach::default(), Method::ArchiveRegister);
        let answer: RegisterAnswer =
            self.operator.ask_beside(errand, &reach, method, &body, contacts).await?;
        let fits = |answer: &RowsAnswer| answer.did.len() == self.rows.len();
        let answer = answer.rows.filter(fits);
        answer.ok_or_else(|| Problem::new("the archive's answer does not fit the question"))
    }
}

/// Parts that one call takes. The rows of a place stay together where they can, so that a part is judged as the whole is.
fn parts(rows: &[Row], most: usize) -> Vec<&[Row]> {
    let (mut parts, mut rest) = (Vec::new(), rows);
    while !rest.is_empty() {
        let mut end = rest.len().min(most);
        let place = |at: usize| rest.get(at).map(|row| &row.place);
        if end < rest.len() {
            let whole = (1..end).rev().find(|at| place(*at) != place(*at - 1) && place(*at).is_some());
            if place(end) == place(end - 1)
                && let Some(whole) = whole
            {
                end = whole;
            }
        }
        let (part, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        parts.push(part);
        rest = after;
    }
    parts
}

/// A row without its contact: only whether there is one.
fn to_send(row: &Row) -> RegisterRow {
    RegisterRow {
        address: row.address.clone(),
        place: row.place.clone(),
        area: row.area.clone().unwrap_or_default(),
        customer: row.customer.clone().unwrap_or_default(),
        from_ms: row.from.map(|at| at.0),
        until_ms: row.until.map(|at| at.0),
        resolution: row.resolution.map_or(0, |r| u32::from(r.code())),
        clear: row.clear,
        contact: u32::from(row.contact.is_some()),
        tenancy: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(place: usize) -> Row {
        Row {
            line: 1,
            address: String::new(),
            place: place.to_string(),
            area: None,
            customer: None,
            from: None,
            until: None,
            resolution: None,
            clear: None,
            contact: None,
        }
    }

    #[test]
    fn a_part_ends_where_a_place_ends_if_it_can() {
        let sizes = |rows: &[Row]| parts(rows, ROWS_A_CALL).into_iter().map(<[Row]>::len).collect::<Vec<_>>();
        let rows = |n: usize, each: usize| (0..n).map(|i| at(i / each)).collect::<Vec<_>>();
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&rows(20_001, 1)), [10_000, 10_000, 1]);
        assert_eq!(sizes(&rows(20_001, 3)), [9999, 9999, 3]);
        assert_eq!(sizes(&rows(10_001, 20_000)), [10_000, 1], "one place that is too large");
    }
}
