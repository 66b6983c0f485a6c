//! Plays a town into a sink: paced like the air or as fast as it goes, and says what was sent and what it cost.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use serde::Serialize;

use crate::line::{Form, Writer};
use crate::mischief::Sort;
use crate::sink::Sink;
use crate::town::{Town, Transmission};

/// How fast telegrams are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As the town's clock says, so many times faster.
    Clock(f64),
    /// So many lines a second, whatever the clock says.
    PerSecond(u32),
    /// As fast as it goes.
    Fast,
}

/// When to stop; without any limit never.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits<'a> {
    /// After so many lines.
    pub telegrams: Option<u64>,
    /// After so long, by the computer's clock.
    pub time: Option<Duration>,
    /// When somebody says so.
    pub stop: Option<&'a AtomicBool>,
}

impl Limits<'_> {
    fn reached(&self, lines: u64, begun: Instant) -> bool {
        self.telegrams.is_some_and(|n| lines >= n)
            || self.time.is_some_and(|t| begun.elapsed() >= t)
            || self.stopped()
    }

    fn stopped(&self) -> bool {
        self.stop.is_some_and(|s| s.load(Ordering::Relaxed))
    }
}

/// What was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Lines sent.
    pub lines: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Lines of each sort; not known of a file that was made before.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sorts: BTreeMap<&'static str, u64>,
    /// How long it took, milliseconds.
    pub wall_ms: u64,
    /// Processor time of this process meanwhile, milliseconds.
    pub cpu_ms: u64,
}

/// Sends a town's telegrams until a limit is reached; `watch` sees each one that was sent.
///
/// # Errors
/// When the sink fails, and a collector stays away for half a minute.
pub fn run(
    town: &mut Town,
    sink: &mut Sink,
    form: Form,
    pace: Pace,
    limits: Limits<'_>,
    mut watch: impl FnMut(&Transmission),
) -> io::Result<Summary> {
    let (begun, cpu) = (Instant::now(), cpu_time());
    let first = town.due();
    let (mut writer, mut line, mut out) =
        (Writer::new(form), Vec::with_capacity(1024), Transmission::blank());
    let mut counts = [0u64; Sort::ALL.len()];
    let mut summary = Summary::default();
    while !limits.reached(summary.lines, begun) {
        let due = match pace {
            Pace::Clock(speed) => millis(town.due().since(first), speed),
            Pace::PerSecond(rate) => {
                Duration::from_nanos(1_000_000_000 / u64::from(rate.max(1))) * clamp(summary.lines)
            }
            Pace::Fast => Duration::ZERO,
        };
        if !wait(begun, due, sink, limits)? {
            break;
        }
        if !town.next_into(&mut out) {
            break;
        }
        line.clear();
        if writer.write(&out, &mut line) {
            sink.write(&line)?;
            summary.lines += 1;
            summary.bytes += line.len() as u64;
            if let Some((_, n)) = Sort::ALL.iter().zip(&mut counts).find(|(s, _)| **s == out.sort) {
                *n += 1;
            }
            watch(&out);
        }
    }
    sink.flush()?;
    summary.sorts =
        Sort::ALL.iter().zip(counts).filter(|(_, n)| *n > 0).map(|(s, n)| (s.name(), n)).collect();
    finish(summary, begun, cpu)
}

/// Sends the lines of a file that was made before, so that encryption costs nothing now.
///
/// # Errors
/// When the file cannot be read or the sink fails.
pub fn send_file(file: &Path, sink: &mut Sink, pace: Pace, limits: Limits<'_>) -> io::Result<Summary> {
    let (begun, cpu) = (Instant::now(), cpu_time());
    let mut reader = BufReader::with_capacity(256 * 1024, File::open(file)?);
    let mut line = Vec::with_capacity(1024);
    let mut summary = Summary::default();
    while !limits.reached(summary.lines, begun) {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let due = match pace {
            Pace::PerSecond(rate) => {
                Duration::from_nanos(1_000_000_000 / u64::from(rate.max(1))) * clamp(summary.lines)
            }
            Pace::Clock(_) | Pace::Fast => Duration::ZERO,
        };
        if !wait(begun, due, sink, limits)? {
            break;
        }
        sink.write(&line)?;
        summary.lines += 1;
        summary.bytes += line.len() as u64;
    }
    sink.flush()?;
    finish(summary, begun, cpu)
}

/// Sleeps until `due`, after flushing, in short naps so that a stop is seen; false when stopped.
fn wait(begun: Instant, due: Duration, sink: &mut Sink, limits: Limits<'_>) -> io::Result<bool> {
    // lines less than two milliseconds apart go together: sleeping between them costs more than it keeps apart
    const GRAIN: Duration = Duration::from_millis(2);
    const NAP: Duration = Duration::from_millis(50);
    if due.is_zero() || due <= begun.elapsed() + GRAIN {
        return Ok(true);
    }
    sink.flush()?;
    while let Some(left) = due.checked_sub(begun.elapsed()).filter(|l| !l.is_zero()) {
        if limits.stopped() || limits.time.is_some_and(|t| begun.elapsed() >= t) {
            return Ok(false);
        }
        std::thread::sleep(left.min(NAP));
    }
    Ok(true)
}

fn clamp(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a run fit into 53 bits")]
fn millis(ms: i64, speed: f64) -> Duration {
    let seconds = ms.max(0) as f64 / 1000.0 / if speed > 0.0 { speed } else { 1.0 };
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

fn finish(mut summary: Summary, begun: Instant, cpu: Duration) -> io::Result<Summary> {
    let ms = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    (summary.wall_ms, summary.cpu_ms) = (ms(begun.elapsed()), ms(cpu_time().saturating_sub(cpu)));
    Ok(summary)
}

/// Processor time that this process has used, user and system.
#[must_use]
pub fn cpu_time() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return Duration::ZERO };
    [usage.user_time(), usage.system_time()]
        .iter()
        .map(|t| {
            let seconds = u64::try_from(t.tv_sec()).unwrap_or_default();
            Duration::from_secs(seconds) + Duration::from_micros(t.tv_usec().unsigned_abs())
        })
        .sum()
}
