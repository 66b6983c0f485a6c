//! `meterkeep status`: what somebody has to look into, how each room is, what was counted, and whether the sums agree.

mod alarms;

use std::collections::BTreeMap;
use std::process::ExitCode;

use base::UtcMillis;
use serde::Serialize;
use wire::Room;
use wire::health::Health;

use crate::launcher;
use crate::operator::Operator;
use crate::output::{Format, FormatArg, ago, count, print, print_json, shown, table};
use crate::place::HouseArg;
use crate::problem::Problem;

/// Show how the rooms are and what became of every telegram.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep status --house ./house\n  meterkeep status --format json\n\n\
                        Exit code: 0 all is well, 1 a room needs attention or has raised an alarm, 2 a room does not answer \
                        or the sums do not agree.")]
pub(crate) struct Args {
    #[command(flatten)]
    house: HouseArg,
    /// Show every counter.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    format: FormatArg,
}

/// How the names of counters begin that somebody must look into.
const ALARM: &str = "alarm.";
/// The state of a room that does not answer.
const SILENT: &str = "silent";

/// How the house is, for a monitoring system: the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// All is well.
    Well,
    /// A room is there and not ready.
    Attention,
    /// A room does not answer, or the sums do not agree.
    Critical,
}

impl Level {
    const fn code(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Attention => 1,
            Self::Critical => 2,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Attention => "needs attention",
            Self::Critical => "critical",
        }
    }
}

#[derive(Serialize)]
struct RoomStatus {
    room: &'static str,
    /// `ready`, another state, or `silent`.
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    up_ms: Option<u64>,
    restarts: u32,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    counters: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// What became of the telegrams that were acknowledged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Telegrams {
    /// Acknowledged and committed.
    pub telegrams: u64,
    /// Kept as readings.
    pub stored: u64,
    /// Good, but finer than the policy keeps.
    pub thinned: u64,
    /// Kept, after a newer one.
    pub late: u64,
    /// Heard before.
    pub duplicate: u64,
    /// Refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Whether the outcomes add up to the telegrams.
    pub sums_agree: bool,
}

impl Telegrams {
    /// From the counters of intake, which come from the store's own accounts.
    pub(crate) fn of(intake: &Health) -> Self {
        let mut all = Self::default();
        for counter in &intake.counters {
            let n = counter.value;
            match counter.name.as_str() {
                "telegrams" => all.telegrams = n,
                "stored" => all.stored = n,
                "thinned" => all.thinned = n,
                "late" => all.late = n,
                "duplicate" => all.duplicate = n,
                name => {
                    if let Some(reason) = name.strip_prefix("refused.") {
                        all.refused.insert(reason.to_owned(), n);
                    }
                }
            }
        }
        let sum = all.stored + all.thinned + all.late + all.duplicate + all.refused_sum();
        all.sums_agree = sum == all.telegrams;
        all
    }

    /// Refused for any reason.
    pub(crate) fn refused_sum(&self) -> u64 {
        self.refused.values().sum()
    }
}

#[derive(Serialize)]
struct Status {
    level: &'static str,
    /// What somebody has to look into, the worst first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alarms: Vec<String>,
    rooms: Vec<RoomStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    telegrams: Option<Telegrams>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let operator = Operator::new(&layout)?;
    let restarts = launcher::restarts(&layout);
    let (mut rooms, mut telegrams, mut level) = (Vec::new(), None, Level::Well);
    Operator::runtime()?.block_on(async {
        for room in launcher::rooms() {
            let health = operator.health(room).await;
            if room == Room::Intake {
                telegrams = health.as_ref().ok().map(Telegrams::of);
            }
            level = level.max(level_of(health.as_ref().ok()));
            rooms.push(room_status(
                room,
                health.ok(),
                restarts.get(room.name()).copied().unwrap_or_default(),
            ));
        }
    });
    if telegrams.as_ref().is_some_and(|t| !t.sums_agree) {
        level = Level::Critical;
    }
    let alarms = alarms::alarms(&rooms, &launcher::away(&layout), UtcMillis::now());
    let status = Status { level: level.word(), alarms, rooms, telegrams };
    match args.format.format {
        Format::Json => print_json(&status)?,
        Format::Human => print(&human(&status, args.all))?,
    }
    Ok(ExitCode::from(level.code()))
}

fn level_of(health: Option<&Health>) -> Level {
    match health {
        Some(health) if health.state == "ready" && !raises_an_alarm(health) => Level::Well,
        Some(_) => Level::Attention,
        None => Level::Critical,
    }
}

/// A room counts what somebody must look into as `alarm.` and a word, since its start.
fn raises_an_alarm(health: &Health) -> bool {
    health.counters.iter().any(|c| c.name.starts_with(ALARM) && c.value > 0)
}

fn room_status(room: Room, health: Option<Health>, restarts: u32) -> RoomStatus {
    let room = room.name();
    match health {
        None => RoomStatus {
            room,
            state: SILENT.to_owned(),
            up_ms: None,
            restarts,
            counters: BTreeMap::new(),
            notes: Vec::new(),
        },
        Some(health) => RoomStatus {
            room,
            state: shown(&health.state),
            up_ms: Some(health.up_ms),
            restarts,
            counters: health.counters.into_iter().map(|c| (shown(&c.name), c.value)).collect(),
            notes: health.notes.iter().map(|n| shown(n)).collect(),
        },
    }
}

fn human(status: &Status, all: bool) -> String {
    let mut rooms = table(["room", "state", "up", "restarts", "notes"]);
    for room in &status.rooms {
        let up = room.up_ms.map(ago).unwrap_or_default();
        let notes = room.notes.last().cloned().unwrap_or_default();
        rooms.add_row([room.room.to_owned(), room.state.clone(), up, room.restarts.to_string(), notes]);
    }
    let mut text: String = status.alarms.iter().map(|alarm| format!("ALARM: {alarm}\n")).collect();
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&format!("{rooms}\n\n"));
    if let Some(t) = &status.telegrams {
        let mut lines = table(["telegrams", "count"]);
        for (name, n) in
            [("stored", t.stored), ("thinned", t.thinned), ("late", t.late), ("duplicate", t.duplicate)]
        {
            lines.add_row([name.to_owned(), n.to_string()]);
        }
        for (reason, n) in &t.refused {
            lines.add_row([format!("refused: {}", shown(reason)), n.to_string()]);
        }
        let agree = if t.sums_agree { "the sums agree" } else { "THE SUMS DO NOT AGREE" };
        lines.add_row(["acknowledged".to_owned(), format!("{} ({agree})", t.telegrams)]);
        text.push_str(&format!("{lines}\n\n"));
    }
    // alarms, and refusals of other rooms, always show; the rest on request
    let mut others = table(["room", "counter", "value"]);
    let mut any = false;
    for room in &status.rooms {
        for (name, n) in &room.counters {
            let refusal = name.starts_with("refused") && room.room != Room::Intake.name();
            if all || ((refusal || name.starts_with(ALARM)) && *n > 0) {
                others.add_row([room.room.to_owned(), name.clone(), n.to_string()]);
                any = true;
            }
        }
    }
    if any {
        text.push_str(&format!("{others}\n\n"));
    }
    if let Some(jobs) = open_jobs(status) {
        text.push_str(&format!("{jobs}\n\n"));
    }
    text.push_str(&format!("the house: {}\n", status.level));
    text
}

/// What the steward has to do, as the archive's register says.
fn open_jobs(status: &Status) -> Option<String> {
    let archive = status.rooms.iter().find(|room| room.room == Room::Archive.name())?;
    let counted = |name: &str| archive.counters.get(name).copied().unwrap_or(0);
    let (open, failing) = (counted("late-moves.open"), counted("late-moves.failing"));
    if open == 0 {
        return None;
    }
    let moves = count(open, "move");
    let failed =
        if failing == 0 { String::new() } else { format!("; {failing} failed and will be tried again") };
    Some(format!("{moves} reported late: readings are being sealed anew{failed}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::health::Counter;

    fn health(counters: &[(&str, u64)]) -> Health {
        let counters = counters.iter().map(|(n, v)| Counter { name: (*n).to_owned(), value: *v }).collect();
        Health { state: "ready".to_owned(), up_ms: 1, counters, notes: Vec::new() }
    }

    #[test]
    fn an_alarm_needs_attention_and_a_silent_room_more() {
        assert_eq!(
            level_of(Some(&health(&[("refused.clear", 3), ("alarm.vault-put-back", 0)]))),
            Level::Well
        );
        assert_eq!(level_of(Some(&health(&[("alarm.vault-put-back", 1)]))), Level::Attention);
        assert_eq!(level_of(None), Level::Critical);
    }

    #[test]
    fn open_jobs_are_told_as_long_as_there_are_any() {
        let said = |open, failing| {
            let counters = [("late-moves.open", open), ("late-moves.failing", failing)];
            let rooms = vec![room_status(Room::Archive, Some(health(&counters)), 0)];
            human(&Status { level: Level::Well.word(), alarms: Vec::new(), rooms, telegrams: None }, false)
        };
        assert!(!said(0, 0).contains("late"));
        assert!(
            said(1, 0).contains("1 move reported late: readings are being sealed anew\n"),
            "{}",
            said(1, 0)
        );
        assert!(said(3, 2).contains("2 failed and will be tried again"));
    }

    #[test]
    fn sums_agree_only_when_every_telegram_has_an_outcome() {
        let counters =
            [("telegrams", 10), ("stored", 4), ("thinned", 3), ("refused.clear", 2), ("duplicate", 1)];
        let told = Telegrams::of(&health(&counters));
        assert!(told.sums_agree && told.refused_sum() == 2);
        let mut one_lost = counters;
        one_lost[0].1 = 11;
        assert!(!Telegrams::of(&health(&one_lost)).sums_agree);
    }
}
