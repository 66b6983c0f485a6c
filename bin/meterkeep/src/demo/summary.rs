//! What a demo did, in the end.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use wire::health::Health;

use super::counter;
use crate::output::{Format, print, print_json};
use crate::problem::Problem;
use crate::status::Telegrams;

/// What happened since the demo began.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    seconds: f64,
    /// Lines that the town sent, by sort.
    sent: BTreeMap<&'static str, u64>,
    /// Good telegrams that the collector heard, repeats included.
    heard: u64,
    /// Repeats among them: a second receiver, a repeater.
    repeats: u64,
    /// What the collector refused, by reason.
    refused_by_collector: BTreeMap<String, u64>,
    /// What became of the rest, by the account of the core.
    #[serde(flatten)]
    outcomes: Telegrams,
    /// Telegrams stored by this run and all before it.
    stored_in_all: u64,
}

impl Summary {
    pub(super) fn new(
        sent: &sim::Summary,
        collector: Option<&Health>,
        now: &Telegrams,
        before: &Telegrams,
        time: Duration,
    ) -> Self {
        let n = |name| collector.map_or(0, |h| counter(h, name));
        let refused = collector.iter().flat_map(|h| &h.counters).filter_map(|c| {
            let reason = c.name.strip_prefix("refused.")?;
            (c.value > 0).then(|| (reason.to_owned(), c.value))
        });
        Self {
            seconds: time.as_secs_f64(),
            sent: sent.sorts.clone(),
            heard: n("heard"),
            repeats: n("repeat"),
            refused_by_collector: refused.collect(),
            outcomes: since(now, before),
            stored_in_all: now.stored + now.late,
        }
    }

    pub(super) fn print(&self, format: Format, house: &Path) -> Result<(), Problem> {
        if format == Format::Json {
            return print_json(self);
        }
        let list = |map: &BTreeMap<String, u64>| {
            let words: Vec<String> = map.iter().map(|(reason, n)| format!("{reason} {n}")).collect();
            if words.is_empty() { String::new() } else { format!("  ({})", words.join(", ")) }
        };
        let at_collector: u64 = self.refused_by_collector.values().sum();
        let o = &self.outcomes;
        let agree = if o.sums_agree { "the sums agree" } else { "THE SUMS DO NOT AGREE" };
        print(&format!(
            "\nheard {} telegrams in {:.0} s\n  repeats dropped {:8}\n  stored          {:8}\n  thinned         {:8}\n  \
             late            {:8}\n  duplicate       {:8}\n  refused         {:8}{}\n  {agree}\n\
             refused by the collector before they counted as heard: {at_collector}{}\n\
             {} telegrams are stored in all; the next start goes on with them\n  \
             meterkeep demo --house {house}\n",
            self.heard,
            self.seconds,
            self.repeats,
            o.stored,
            o.thinned,
            o.late,
            o.duplicate,
            o.refused_sum(),
            list(&o.refused),
            list(&self.refused_by_collector),
            self.stored_in_all,
            house = house.display(),
        ))
    }
}

/// What came between two looks at the account.
pub(super) fn since(now: &Telegrams, before: &Telegrams) -> Telegrams {
    let refused = now.refused.iter().filter_map(|(reason, n)| {
        let new = n.saturating_sub(before.refused.get(reason).copied().unwrap_or_default());
        (new > 0).then(|| (reason.clone(), new))
    });
    Telegrams {
        telegrams: now.telegrams.saturating_sub(before.telegrams),
        stored: now.stored.saturating_sub(before.stored),
        thinned: now.thinned.saturating_sub(before.thinned),
        late: now.late.saturating_sub(before.late),
        duplicate: now.duplicate.saturating_sub(before.duplicate),
        refused: refused.collect(),
        sums_agree: now.sums_agree,
    }
}
