//! The demo on the screen: moving lines at a terminal, plain ones elsewhere.

use std::io::Write as _;
use std::time::{Duration, Instant};

use base::{Class, UtcMillis};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::feed::Feed;
use crate::launcher::{Event, State};
use crate::operator::Operator;
use crate::readings::{self, Query};
use crate::status::Telegrams;

/// Readings shown at a time.
const LINES: u32 = 5;
/// How often counters are written where lines do not move.
const PLAIN_EVERY: Duration = Duration::from_secs(2);

/// Where the demo tells what happens.
pub(super) struct Show {
    begun: Instant,
    live: Option<Live>,
    /// False where the answer is for programs: then only the summary is written.
    talks: bool,
    counted: Option<Instant>,
}

struct Live {
    all: MultiProgress,
    counts: ProgressBar,
    readings: ProgressBar,
}

impl Show {
    pub(super) fn new(live: bool, talks: bool) -> Self {
        let live = live.then(|| {
            let all = MultiProgress::new();
            let style = |template| {
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
            };
            let counts =
                all.add(ProgressBar::new_spinner().with_style(style("{spinner} {elapsed_precise} {msg}")));
            let readings = all.add(ProgressBar::new_spinner().with_style(style("{msg}")));
            counts.enable_steady_tick(Duration::from_millis(120));
            Live { all, counts, readings }
        });
        Self { begun: Instant::now(), live, talks, counted: None }
    }

    /// One thing that happened.
    pub(super) fn say(&mut self, text: &str) {
        let line = format!("{:5.1} s  {text}", self.begun.elapsed().as_secs_f64());
        match &self.live {
            Some(live) => drop(live.all.println(line)),
            None => self.plain(&line),
        }
    }

    fn plain(&self, line: &str) {
        if self.talks {
            // a reader that went away is no reason to stop
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }

    /// A room came or went.
    pub(super) fn event(&mut self, event: &Event) {
        match &event.state {
            State::Died { why } => self.say(&format!("{} died: {why}; it is started again", event.room)),
            State::Silent => self.say(&format!("{} does not answer any more", event.room)),
            State::Up { .. } if event.restarts > 0 => self.say(&format!("{} is up again", event.room)),
            State::Up { .. } => {}
        }
    }

    /// The counters since the start.
    pub(super) fn counts(&mut self, feed: &Feed, now: &Telegrams) {
        let refused: Vec<String> = now.refused.iter().map(|(reason, n)| format!("{reason} {n}")).collect();
        let line = format!(
            "sent {}, heard {}: stored {}, thinned {}, late {}, duplicate {}, refused {}{}",
            feed.sent(),
            now.telegrams,
            now.stored,
            now.thinned,
            now.late,
            now.duplicate,
            now.refused_sum(),
            if refused.is_empty() { String::new() } else { format!(" ({})", refused.join(", ")) }
        );
        match &self.live {
            Some(live) => live.counts.set_message(line),
            None if self.counted.is_none_or(|t| t.elapsed() >= PLAIN_EVERY) => {
                self.counted = Some(Instant::now());
                self.say(&line);
            }
            None => {}
        }
    }

    /// The newest readings of meters that were heard lately, asked for as a person would.
    pub(super) async fn readings(&mut self, operator: &Operator, feed: &Feed) {
        let (meters, now) = (feed.recent(), UtcMillis::now());
        if meters.is_empty() {
            return;
        }
        let query = Query {
            meters: &meters,
            place: None,
            class: Class::Daily,
            from: now.plus(-86_400_000),
            until: now.plus(1),
            limit: LINES,
            latest: true,
            purpose: grant::Purpose::Operations,
            case: 0,
        };
        match readings::ask(operator, &query).await {
            Ok(answer) => {
                let lines: Vec<String> = answer.readings.iter().filter_map(readings::summary).collect();
                match &self.live {
                    Some(live) => live.readings.set_message(lines.join("\n")),
                    None => lines.iter().for_each(|line| self.plain(&format!("         reading {line}"))),
                }
            }
            Err(problem) => self.say(&format!("no readings: {problem}")),
        }
    }

    /// Takes the moving lines away.
    pub(super) fn end(&mut self) {
        if let Some(live) = self.live.take() {
            live.counts.finish_and_clear();
            live.readings.finish_and_clear();
        }
    }
}
