//! `meterkeep permission`: a customer lets a third party read what is theirs, and ends it when they like.

use std::process::ExitCode;

use base::Class;
use wire::staff::{LookStaff, NewPermission, ShownPermission, Wish};

use crate::output::{Format, FormatArg, print, print_json, shown, table};
use crate::people::{asked, errand, moment, tenancies};
use crate::place::HouseArg;
use crate::problem::Problem;
use crate::readings::When;

/// Let a third party read your readings, see who may, and end it.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    List(List),
    Give(Give),
    End(End),
}

/// Show permissions: those that you gave or were given; with the right to see all, everybody's.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep permission list --house ./house\n  meterkeep permission list --format json"
)]
struct List {
    #[command(flatten)]
    house: HouseArg,
    #[command(flatten)]
    format: FormatArg,
}

/// Let somebody read what is yours, until a day. Only somebody whom the utility has admitted as a third party can.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep permission give solar --class daily --until 2027-06-30 --house ./house\n  \
                        meterkeep permission give solar --class fine --class billing --until 2027-01-31 --tenancy 5d0c..."
)]
struct Give {
    #[command(flatten)]
    house: HouseArg,
    /// Who reads.
    to: String,
    /// How fine; several where it is about several.
    #[arg(long = "class", required = true, value_parser = ["fine", "daily", "billing"])]
    classes: Vec<String>,
    /// Until when; a year from now at most.
    #[arg(long, value_name = "WHEN")]
    until: When,
    /// Of which of your tenancies, 32 hexadecimal digits; of all of them where this is left out.
    #[arg(long = "tenancy", value_name = "TENANCY")]
    tenancies: Vec<String>,
}

/// End a permission: nothing is read with it any more, at the latest after the ten minutes that a grant lasts.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep permission end 3\n  meterkeep permission end 3 --house ./house"
)]
struct End {
    #[command(flatten)]
    house: HouseArg,
    /// Its number.
    number: u32,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::List(args) => list(args),
        Command::Give(args) => {
            let classes = args.classes.iter().filter_map(|name| Class::from_name(name));
            let classes = classes.map(|class| u32::from(class.code())).collect();
            let (to, tenancies, until_ms) = (args.to.clone(), tenancies(&args.tenancies)?, args.until.0.0);
            errand(&args.house, Wish::Permit(NewPermission { to, tenancies, classes, until_ms }))
        }
        Command::End(args) => errand(&args.house, Wish::EndPermission(args.number)),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn classes(permission: &ShownPermission) -> Vec<&'static str> {
    let class = |code: &u32| u8::try_from(*code).ok().and_then(Class::from_code).map(Class::name);
    permission.classes.iter().filter_map(class).collect()
}

fn list(args: &List) -> Result<(), Problem> {
    let answer = asked(&args.house, Wish::Look(LookStaff::default()))?;
    if args.format.format == Format::Json {
        let json = |one: &ShownPermission| {
            serde_json::json!({
                "permission": one.number, "by": one.by, "to": one.to, "tenancies": one.tenancies,
                "classes": classes(one), "until": moment(one.until_ms), "state": one.state,
            })
        };
        return print_json(&answer.permissions.iter().map(json).collect::<Vec<_>>());
    }
    let mut all = table(["permission", "by", "to", "reads", "tenancies", "until", "state"]);
    for one in &answer.permissions {
        let (number, tenancies) = (one.number.to_string(), one.tenancies.to_string());
        let (by, to, reads) = (shown(&one.by), shown(&one.to), classes(one).join(", "));
        all.add_row([number, by, to, reads, tenancies, moment(one.until_ms), one.state.clone()]);
    }
    print(&if answer.permissions.is_empty() { "no permissions\n".to_owned() } else { format!("{all}\n") })
}
