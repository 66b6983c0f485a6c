//! `meterkeep people`: who works here, and in which roles.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base::{IdError, TenancyId, UtcMillis};
use grant::Purpose;
use wire::staff::{
    KeyOf, LookStaff, NewPerson, NewShift, RoleOf, ShownPerson, StaffAnswer, StaffErrand, Wish,
};
use wire::{Message as _, Room};

use crate::officer::{self, ApproverArg};
use crate::operator::Operator;
use crate::output::{Format, FormatArg, print, print_json, say, shown, table};
use crate::place::HouseArg;
use crate::problem::{Problem, USAGE};
use crate::readings::When;
use crate::services;

/// People of the utility and their roles.
///
/// As long as nobody has a role, the owner of the house does everything alone. With the first role that changes: the owner is
/// an administrator then, who looks after people and collectors and reads nothing.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    List(List),
    Add(Add),
    Leave(Leave),
    Give(Give),
    Take(Take),
    Key(Key),
    Shift(Shift),
    EndShift(EndShift),
    Shifts(List),
    Open(Open),
    Service(services::Args),
}

/// Show who works here, and until when each role lasts. Without the right to see all, oneself.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep people list --house ./house\n  meterkeep people list --format json"
)]
struct List {
    #[command(flatten)]
    house: HouseArg,
    #[command(flatten)]
    format: FormatArg,
}

/// Name a person, who is a user of this machine.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep people add anna --title \"Anna, customer service\" --house ./house\n  \
                        meterkeep people add bo --user bjensen"
)]
struct Add {
    #[command(flatten)]
    house: HouseArg,
    /// As the log names them; never given to anybody else.
    name: String,
    /// Their user at this machine; the same name where this is left out.
    #[arg(long)]
    user: Option<String>,
    /// For people.
    #[arg(long, default_value = "")]
    title: String,
}

/// A person does not work here any more: roles, access and emergencies of theirs end at once.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep people leave anna --house ./house\n  meterkeep people leave bo"
)]
struct Leave {
    #[command(flatten)]
    house: HouseArg,
    /// Who.
    name: String,
}

/// Give a role, or give it again before it lapses: privileged ones after a quarter, others after half a year.
///
/// A role is for the whole house, for areas, or for certain tenancies: what is said last counts.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep people give anna customer-service --house ./house\n  \
                        meterkeep people give tom technician --area Nord --area Vest\n  \
                        meterkeep people give kari customer --tenancy 5d0c...")]
struct Give {
    #[command(flatten)]
    role: RoleArgs,
    /// In this area only; several where it is for several.
    #[arg(long = "area", value_name = "AREA")]
    areas: Vec<String>,
    /// For this tenancy only, 32 hexadecimal digits; several where it is for several. `meterkeep meters tenancies` names them.
    #[arg(long = "tenancy", value_name = "TENANCY")]
    tenancies: Vec<String>,
}

/// Take a role: what it opened is closed, at the latest after the ten minutes that a grant lasts.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep people take anna customer-service --house ./house\n  \
                        meterkeep people take tom technician")]
struct Take {
    #[command(flatten)]
    role: RoleArgs,
}

/// Whose role, and which.
#[derive(clap::Args)]
struct RoleArgs {
    #[command(flatten)]
    house: HouseArg,
    /// Who.
    person: String,
    /// Which; `meterkeep roles show` lists them.
    role: String,
}

/// Say when somebody works or is on call: roles with `on_shift = true` open nothing outside that.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep people shift tom --from 2026-12-01T07:00 --until 2026-12-01T15:00\n  \
                        meterkeep people shift tom --until 2026-12-08 --house ./house"
)]
struct Shift {
    #[command(flatten)]
    house: HouseArg,
    /// Who.
    person: String,
    /// From when; now where this is left out.
    #[arg(long, value_name = "WHEN")]
    from: Option<When>,
    /// Until when; two weeks later at most.
    #[arg(long, value_name = "WHEN")]
    until: When,
}

/// Take a shift back, or end it before its time.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep people end-shift 3\n  meterkeep people end-shift 3 --house ./house"
)]
struct EndShift {
    #[command(flatten)]
    house: HouseArg,
    /// Its number.
    number: u32,
}

/// Pin the key that a person signs approvals with, in place of any before. Compare it with them over a second channel first.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep officer new dora          # by Dora, on her own machine\n  \
                        meterkeep people key dora dora.officer")]
struct Key {
    #[command(flatten)]
    house: HouseArg,
    /// Who.
    person: String,
    /// Their public file, as `meterkeep officer new` made it.
    file: PathBuf,
}

/// Let the members of a group of this machine speak to the house: to the warden, the archive and the ledger, and to no other
/// room.
///
/// Who they are is proved by their user, and what they may do is decided by their roles; without a role they are denied. The
/// house has to be started again after this.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep people open --group meterkeep --house ./house\n  \
                        meterkeep people open --group staff")]
struct Open {
    #[command(flatten)]
    house: HouseArg,
    /// The operating system's group.
    #[arg(long)]
    group: String,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::List(args) => list(args),
        Command::Add(args) => {
            let user = args.user.as_ref().unwrap_or(&args.name).clone();
            let new = NewPerson { name: args.name.clone(), title: args.title.clone(), user, service: false };
            errand(&args.house, Wish::AddPerson(new))
        }
        Command::Leave(args) => errand(&args.house, Wish::Leave(args.name.clone())),
        Command::Give(args) => {
            let (areas, tenancies) = (args.areas.clone(), tenancies(&args.tenancies)?);
            let wish = Wish::GiveRole(RoleOf { areas, tenancies, ..role(&args.role) });
            errand(&args.role.house, wish)
        }
        Command::Take(args) => errand(&args.role.house, Wish::TakeRole(role(&args.role))),
        Command::Key(args) => key(args),
        Command::Shift(args) => {
            let from = args.from.map_or_else(UtcMillis::now, |when| when.0);
            let person = args.person.clone();
            errand(&args.house, Wish::Shift(NewShift { person, from_ms: from.0, until_ms: args.until.0.0 }))
        }
        Command::EndShift(args) => errand(&args.house, Wish::TakeShift(args.number)),
        Command::Shifts(args) => shifts(args),
        Command::Open(args) => open(args),
        Command::Service(args) => services::run(args),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn role(args: &RoleArgs) -> RoleOf {
    RoleOf { person: args.person.clone(), role: args.role.clone(), ..RoleOf::default() }
}

/// Tenancies as people write them.
pub(crate) fn tenancies(texts: &[String]) -> Result<Vec<Vec<u8>>, Problem> {
    texts.iter().map(|text| tenancy(text)).collect()
}

/// One of them.
pub(crate) fn tenancy(text: &str) -> Result<Vec<u8>, Problem> {
    let id: TenancyId = text.parse().map_err(|e: IdError| {
        Problem::new(e.to_string()).help("`meterkeep meters tenancies` lists them").exit(USAGE)
    })?;
    Ok(id.0.to_vec())
}

/// Does an errand and gives the warden's answer.
pub(crate) fn asked(house: &HouseArg, wish: Wish) -> Result<StaffAnswer, Problem> {
    let (layout, _) = house.open()?;
    let operator = Operator::new(&layout)?;
    Operator::runtime()?.block_on(operator.staff(wish))
}

/// Does an errand and says what was done.
pub(crate) fn errand(house: &HouseArg, wish: Wish) -> Result<(), Problem> {
    let answer = asked(house, wish)?;
    say(&shown(&answer.done));
    Ok(())
}

/// Does an errand that somebody agrees to, signed with their key where they give one.
pub(crate) fn agreed(house: &HouseArg, key: &ApproverArg, wish: Wish) -> Result<(), Problem> {
    let (layout, _) = house.open()?;
    let id = || layout.verifier(Room::Warden).map(|warden| grant::act::house_of(warden.as_bytes()));
    let encoded = StaffErrand { wish: Some(wish.clone()) }.encode_to_vec();
    let signed = key.approve(id().map_err(|e| Problem::new(e.to_string()))?, encoded)?;
    errand(house, signed.map_or(wish, Wish::Signed))
}

fn key(args: &Key) -> Result<(), Problem> {
    let public = officer::public(&args.file)?;
    if public.name != args.person {
        let why = format!("`{}` is the key of `{}`", args.file.display(), shown(&public.name));
        return Err(Problem::new(why).help("a key file bears the name of its person").exit(USAGE));
    }
    let key = public.key.as_bytes().to_vec();
    errand(&args.house, Wish::PinKey(KeyOf { person: args.person.clone(), key }))
}

/// The purpose of a name.
pub(crate) fn purpose(name: &str) -> Result<Purpose, Problem> {
    Purpose::from_name(name).ok_or_else(|| {
        let known = Purpose::ALL.map(Purpose::name).join(", ");
        Problem::new(format!("`{name}` is no purpose; there are: {known}")).exit(USAGE)
    })
}

/// A moment for people; nothing for never.
pub(crate) fn moment(ms: i64) -> String {
    if ms == 0 { String::new() } else { UtcMillis(ms).to_string() }
}

fn list(args: &List) -> Result<(), Problem> {
    let answer = asked(&args.house, Wish::Look(LookStaff::default()))?;
    if args.format.format == Format::Json {
        return print_json(&answer.people.iter().map(json).collect::<Vec<_>>());
    }
    let mut all =
        table(["person", "user", "role", "for", "state", "until", "given by", "used last", "key", "title"]);
    for person in &answer.people {
        let named = |role: &str, bounds: &str, state: &str, until: i64, by: &str, used: i64| {
            let (name, title) = (shown(&person.name), shown(&person.title));
            let user = format!("{}{}", shown(&person.user), if person.service { " (service)" } else { "" });
            let (key, state) = (hex::encode(person.key.get(..4).unwrap_or_default()), state.to_owned());
            let (role, bounds, until, by) = (shown(role), shown(bounds), moment(until), shown(by));
            [name, user, role, bounds, state, until, by, moment(used), key, title]
        };
        if person.roles.is_empty() {
            let state = if person.left_ms > 0 { "left" } else { "no role" };
            all.add_row(named("", "", state, person.left_ms, "", 0));
        }
        for role in &person.roles {
            let bounds = if role.bounds.is_empty() { "all" } else { &role.bounds };
            all.add_row(named(&role.name, bounds, &role.state, role.until_ms, &role.given_by, role.used_ms));
        }
    }
    print(&if answer.people.is_empty() { "nobody has a role yet\n".to_owned() } else { format!("{all}\n") })
}

fn shifts(args: &List) -> Result<(), Problem> {
    let answer = asked(&args.house, Wish::Look(LookStaff::default()))?;
    let mut all = table(["shift", "person", "from", "until", "set by"]);
    for one in &answer.shifts {
        let (from, until) = (moment(one.from_ms), moment(one.until_ms));
        if args.format.format == Format::Json {
            let (number, person, by) = (one.number, &one.person, &one.by);
            print_json(
                &serde_json::json!({ "shift": number, "person": person, "from": from, "until": until, "by": by }),
            )?;
        }
        all.add_row([one.number.to_string(), shown(&one.person), from, until, shown(&one.by)]);
    }
    match (args.format.format, answer.shifts.is_empty()) {
        (Format::Json, _) => Ok(()),
        (Format::Human, true) => print("no shifts\n"),
        (Format::Human, false) => print(&format!("{all}\n")),
    }
}

fn json(person: &ShownPerson) -> serde_json::Value {
    let roles = person.roles.iter().map(|role| {
        serde_json::json!({
            "role": role.name, "state": role.state, "until": moment(role.until_ms), "given_by": role.given_by,
            "used": (role.used_ms > 0).then(|| moment(role.used_ms)),
            "for": (!role.bounds.is_empty()).then_some(&role.bounds),
        })
    });
    serde_json::json!({
        "person": person.name, "user": person.user, "service": person.service, "title": person.title,
        "roles": roles.collect::<Vec<_>>(),
        "key": (!person.key.is_empty()).then(|| hex::encode(&person.key)),
        "left": (person.left_ms > 0).then(|| moment(person.left_ms)),
    })
}

fn open(args: &Open) -> Result<(), Problem> {
    let (layout, mut config) = args.house.open()?;
    let group =
        nix::unistd::Group::from_name(&args.group).map_err(Problem::during("cannot look the group up"))?;
    let group = group.ok_or_else(|| {
        Problem::new(format!("this machine has no group `{}`", args.group))
            .help("make one with `groupadd`, and put the house's staff and its owner into it")
    })?;
    config.house.staff_group.clone_from(&args.group);
    let text = toml::to_string_pretty(&config).map_err(Problem::during("cannot write the settings"))?;
    journal::write_atomically(&journal::RealDisk, &layout.config(), text.as_bytes())
        .map_err(|e| Problem::new(format!("cannot write the settings: {e}")))?;
    let public = layout.public("");
    // sockets that are made in a folder with the set-group bit belong to its group
    for (path, mode) in [
        (layout.root(), 0o710),
        (&layout.run(), 0o2710),
        (&public, 0o710),
        (&layout.config(), 0o640),
        (&layout.house_authority(), 0o640),
        // approvals are signed for this house
        (&layout.public_key(Room::Warden), 0o640),
    ] {
        let path: &Path = path;
        nix::unistd::chown(path, None, Some(group.gid)).map_err(Problem::at(path))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(Problem::at(path))?;
    }
    say(&format!(
        "members of `{}` may speak to the warden, the archive and the ledger once the house is started again",
        args.group
    ));
    Ok(())
}
