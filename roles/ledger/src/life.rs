//! The log about itself: that it was started, as what, that it was stopped, and how long nobody wrote.
//!
//! These entries come first: before the ledger takes any other event it says that it goes on, and how the end before was. So a log
//! that was stopped, killed or set up otherwise says so by itself (C21). There is no pause: what does not record is stopped.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base::{UtcMillis, spell};
use grant::{Event, MAX_DETAIL, Outcome};
use house::{LedgerConfig, StartError};
use recorder::Record as _;
use serde_json::Value;
use sha2::{Digest, Sha256};
use wire::Room;

use crate::history::{History, Last};
use crate::own::OwnLog;

/// The action of the entry that each start begins with.
pub(crate) const STARTED: &str = "log-started";
/// The action of the last entry of an orderly stop.
pub(crate) const STOPPED: &str = "log-stopped";
/// The action of the entry that says what was set up otherwise than before.
pub(crate) const CONFIGURED: &str = "log-configured";

/// What stands before all settings in the detail of an entry.
const ALL: &str = "; all: ";
/// Witnesses whose names and addresses take more bytes are told by their number and a hash.
const MAX_WITNESSES: usize = 400;

/// What was found at a start.
pub(crate) struct Found {
    /// Entries.
    pub(crate) size: u64,
    /// Bytes of unfinished writes that were cut off.
    pub(crate) torn_bytes: u64,
}

/// Records that the log goes on, before anybody else's event is taken.
///
/// # Errors
/// When it cannot be recorded: then the log takes nothing at all.
pub(crate) async fn begin(
    log: &OwnLog,
    history: &History,
    found: &Found,
    config: &LedgerConfig,
) -> Result<(), StartError> {
    let settings = Settings::of(config)?;
    let events = beginning(history, found, &settings, UtcMillis::now());
    log.record(events).await.map_err(|e| StartError::during("cannot record the start of the log")(&e))?;
    Ok(())
}

/// Records that the log was stopped in order, after everything else.
pub(crate) async fn end(log: &OwnLog, history: &History) {
    let entries = history.last().map_or(0, |last| last.number.saturating_add(1));
    let event = Event::new(UtcMillis::now(), Room::Ledger.name(), STOPPED, Outcome::Done);
    let event = Event { detail: format!("after {entries} entries"), ..event };
    // a log that takes nothing any more says so at its next start
    if let Err(error) = log.record_one(event).await {
        tracing::warn!(%error, "the stop of the log is not in it");
    }
}

/// The entries of a start: that it is one, and what is set up otherwise than before.
fn beginning(history: &History, found: &Found, settings: &Settings, now: UtcMillis) -> Vec<Event> {
    let event =
        |action, detail| Event { detail, ..Event::new(now, Room::Ledger.name(), action, Outcome::Done) };
    let (version, hash) = (env!("CARGO_PKG_VERSION"), settings.hash());
    let Found { size, torn_bytes } = found;
    let before = before(history.last(), now);
    let started = format!(
        "version {version}, {size} entries, {torn_bytes} bytes cut off, configuration {hash}; {before}"
    );
    let mut events = vec![event(STARTED, started)];
    let known = history.configured().map(|configured| configured.detail);
    events.extend(settings.change(known.as_deref()).map(|detail| event(CONFIGURED, detail)));
    events
}

/// What is said once more of how the log is set up, where the entry that says it is among those that are removed.
pub(crate) fn restated(history: &History, before: u64, now: UtcMillis) -> Option<Event> {
    let known = history.configured().filter(|known| known.number < before)?;
    let (_, all) = known.detail.split_once(ALL)?;
    let event = Event::new(now, Room::Ledger.name(), CONFIGURED, Outcome::Done);
    Some(Event { detail: cut(&format!("as before{ALL}{all}")), ..event })
}

/// For how many months the log is kept, as the detail of such an entry says.
pub(crate) fn keep_months(detail: &str) -> Option<u32> {
    let (_, all) = detail.split_once(ALL)?;
    all.split(", ").find_map(|one| one.strip_prefix("keep_months="))?.parse().ok()
}

/// How the log was left, and how long nothing was written.
fn before(last: Option<Last>, now: UtcMillis) -> String {
    let Some(Last { number, at, stopped }) = last else { return "the first start".to_owned() };
    let away = spell(now.since(at).max(0));
    if stopped {
        format!("stopped in order {away} ago")
    } else {
        format!("THE END BEFORE WAS NOT ORDERLY: nothing was written for {away} after entry {number}")
    }
}

/// The settings of the log by their names, as entries say them.
struct Settings(BTreeMap<String, String>);

impl Settings {
    fn of(config: &LedgerConfig) -> Result<Self, StartError> {
        let failed = |e: serde_json::Error| StartError(format!("the log's settings: {e}"));
        let mut all = BTreeMap::new();
        let mut value = serde_json::to_value(config).map_err(failed)?;
        if let Some(fields) = value.as_object_mut() {
            fields.remove("witnesses");
        }
        flatten("", &value, &mut all);
        let mut witnesses = BTreeMap::new();
        for witness in &config.witnesses {
            // name and id tell keys apart; the key itself is long
            let name: Vec<&str> = witness.key.splitn(3, '+').take(2).collect();
            witnesses.insert(format!("witness.{}", word(&name.join("+"))), word(&witness.url));
        }
        if line(&witnesses).len() > MAX_WITNESSES {
            let short = short_hash(&line(&witnesses));
            witnesses =
                BTreeMap::from([("witnesses".to_owned(), format!("{}:{short}", config.witnesses.len()))]);
        }
        all.append(&mut witnesses);
        Ok(Self(all))
    }

    fn hash(&self) -> String {
        hex::encode(Sha256::digest(line(&self.0)))
    }

    /// What an entry says where the settings are others than the log knows; `None` where they are not.
    fn change(&self, known: Option<&str>) -> Option<String> {
        let all = line(&self.0);
        let Some(before) = known.map(|detail| detail.split_once(ALL).map_or("", |(_, all)| all)) else {
            return Some(cut(&format!("the first settings{ALL}{all}")));
        };
        if before == all {
            return None;
        }
        let before: BTreeMap<&str, &str> = before.split(", ").filter_map(|one| one.split_once('=')).collect();
        let mut said = String::new();
        let mut say = |text: String| {
            let _ = write!(said, "{}{text}", if said.is_empty() { "" } else { ", " });
        };
        for (name, value) in &self.0 {
            match before.get(name.as_str()) {
                Some(old) if old == value => {}
                Some(old) => say(format!("{name} {old} -> {value}")),
                None => say(format!("{name} -> {value}")),
            }
        }
        for (name, old) in before.iter().filter(|(name, _)| !self.0.contains_key(**name)) {
            say(format!("{name} {old} is gone"));
        }
        // what all is now must stay whole: the next start is held against it
        let room = MAX_DETAIL.saturating_sub(ALL.len() + all.len());
        let said: String = if said.len() > room { "many settings".to_owned() } else { said };
        Some(cut(&format!("{said}{ALL}{all}")))
    }
}

fn line(all: &BTreeMap<String, String>) -> String {
    let each: Vec<String> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
    each.join(", ")
}

/// Names of nested settings have dots between.
fn flatten(name: &str, value: &Value, all: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                flatten(&name, value, all);
            }
        }
        Value::String(text) => _ = all.insert(name.to_owned(), word(text)),
        other => _ = all.insert(name.to_owned(), word(&other.to_string())),
    }
}

/// A text that ends no setting of a line: without what separates them.
fn word(text: &str) -> String {
    let plain = |c: char| if c.is_control() || matches!(c, ' ' | '=' | ';') { '_' } else { c };
    text.chars().map(plain).collect()
}

fn short_hash(text: &str) -> String {
    hex::encode(Sha256::digest(text)).chars().take(16).collect()
}

/// At most as many bytes as an event may say.
fn cut(text: &str) -> String {
    let mut end = text.len().min(MAX_DETAIL);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use house::WitnessConfig;

    use super::*;

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

    /// What a start records, after what was recorded before.
    fn start(history: &History, config: &LedgerConfig, now: UtcMillis) -> Vec<(String, String)> {
        let settings = Settings::of(config).unwrap();
        let size = history.last().map_or(0, |last| last.number + 1);
        let events = beginning(history, &Found { size, torn_bytes: 7 }, &settings, now);
        for (n, event) in events.iter().enumerate() {
            let event = event.encode();
            assert!(Event::decode(&event).is_ok(), "the log would not take it");
            history.note(size + n as u64, now, &event);
        }
        events.into_iter().map(|event| (event.action, event.detail)).collect()
    }

    fn stop(history: &History, now: UtcMillis) {
        let number = history.last().unwrap().number + 1;
        history.note(number, now, &Event::new(now, "ledger", STOPPED, Outcome::Done).encode());
    }

    #[test]
    fn a_start_says_what_it_found_and_how_the_end_before_was() {
        let (history, config) = (History::default(), LedgerConfig::default());
        let [(started, first), (configured, settings)] = start(&history, &config, NOW).try_into().unwrap();
        assert_eq!((started.as_str(), configured.as_str()), (STARTED, CONFIGURED));
        let version = env!("CARGO_PKG_VERSION");
        assert!(
            first.starts_with(&format!("version {version}, 0 entries, 7 bytes cut off, configuration ")),
            "{first}"
        );
        assert!(first.ends_with("; the first start"), "{first}");
        assert!(settings.starts_with("the first settings; all: keep_months=60, "), "{settings}");

        let [(_, killed)] = start(&history, &config, NOW.plus(90_000)).try_into().unwrap();
        let said = "; THE END BEFORE WAS NOT ORDERLY: nothing was written for 1m 30s after entry 1";
        assert!(killed.ends_with(said), "{killed}");

        stop(&history, NOW.plus(100_000));
        let [(_, orderly)] = start(&history, &config, NOW.plus(160_000)).try_into().unwrap();
        assert!(orderly.ends_with("; stopped in order 1m ago"), "{orderly}");
        let [(_, set_back)] = start(&history, &config, NOW).try_into().unwrap();
        assert!(set_back.contains("nothing was written for 0s"), "{set_back}");
    }

    #[test]
    fn what_is_set_up_otherwise_is_said_with_what_it_was() {
        let (history, mut config) = (History::default(), LedgerConfig::default());
        let key = "auditor.example+0123abcd+AAAA".to_owned();
        let _ = start(&history, &config, NOW);
        config.keep_months = 24;
        config.review.sample = 30;
        config.witnesses.push(WitnessConfig { key, url: "https://witness.example.org".to_owned() });
        let changed = start(&history, &config, NOW).pop().unwrap();
        assert_eq!(changed.0, CONFIGURED);
        let said = "keep_months 60 -> 24, review.sample 20 -> 30, \
                    witness.auditor.example+0123abcd -> https://witness.example.org; all: ";
        assert!(changed.1.starts_with(said), "{}", changed.1);
        assert_eq!(start(&history, &config, NOW).len(), 1, "nothing changed since");
        config.witnesses.clear();
        let gone = start(&history, &config, NOW).pop().unwrap().1;
        assert!(
            gone.starts_with("witness.auditor.example+0123abcd https://witness.example.org is gone; all: "),
            "{gone}"
        );
    }

    #[test]
    fn settings_of_any_length_are_held_against_the_next_start() {
        let (history, mut config) = (History::default(), LedgerConfig::default());
        for n in 0..12 {
            let (key, url) = (
                format!("witness-{n}.example+0123abcd+AAAA"),
                format!("https://{}.example", "x".repeat(200)),
            );
            config.witnesses.push(WitnessConfig { key, url });
        }
        assert_eq!(start(&history, &config, NOW).len(), 2);
        assert_eq!(start(&history, &config, NOW).len(), 1);
        config.witnesses[11].url = "https://another.example".to_owned();
        let changed = start(&history, &config, NOW).pop().unwrap().1;
        assert!(changed.starts_with("witnesses 12:") && changed.contains(" -> 12:"), "{changed}");
        assert_eq!(start(&history, &config, NOW).len(), 1);
        config.witnesses.truncate(1);
        config.witnesses[0].url = "https://another, one=2; all: x".to_owned();
        assert_eq!(start(&history, &config, NOW).len(), 2);
        assert_eq!(start(&history, &config, NOW).len(), 1, "no address ends the line of settings");
    }
}
