//! Asks witnesses to cosign how far the log has come, and raises an alarm when one says that the log is not what it was, when one is
//! silent, and when a clock runs backwards.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base::UtcMillis;
use cosigning::{Alarm, Asked, Authorities, Http, Post, Standing, ask};
use grant::{Event, Outcome};
use house::{Counters, LedgerConfig, StartError};
use link::Shutdown;
use recorder::Record as _;
use tlog::key::{Kind, VerifierKey};
use tlog::{Note, SignatureLine, TrustedTree, proof};
use wire::Room;

use crate::own::OwnLog;
use crate::tiles::{Published, Tiles};

/// The action of an alarm's event in the log.
pub(crate) const ALARM_ACTION: &str = "log-alarm";

/// The witnesses of the log.
pub(crate) struct Witnesses<P = Http> {
    http: P,
    tiles: Tiles,
    log: VerifierKey,
    asked: Vec<Witness>,
    every: Duration,
    counters: Arc<Counters>,
}

/// One of them.
struct Witness {
    key: VerifierKey,
    url: String,
    standing: Standing,
    /// Words of the alarms that were raised and have not passed.
    raised: BTreeSet<&'static str>,
}

impl Witnesses<Http> {
    /// The witnesses of the settings; `None` where there are none.
    ///
    /// # Errors
    /// A key that is none of a witness.
    pub(crate) fn of(
        config: &LedgerConfig,
        tiles: Tiles,
        log: VerifierKey,
        counters: Arc<Counters>,
    ) -> Result<Option<Self>, StartError> {
        if config.witnesses.is_empty() {
            return Ok(None);
        }
        let http = Http::new(&Authorities::OfTheMachine).map_err(|e| StartError(e.to_string()))?;
        let keys = config.witnesses.iter().map(|witness| {
            let key = VerifierKey::parse(&witness.key).ok().filter(|key| key.kind() == Kind::Witness);
            let key = key.ok_or_else(|| {
                StartError(format!(
                    "`{}` is no key of a witness; `meterkeep witness show` prints it there",
                    witness.key
                ))
            })?;
            Ok((key, witness.url.clone()))
        });
        let keys = keys.collect::<Result<_, StartError>>()?;
        let every = Duration::from_secs(config.witness_seconds.max(1));
        Ok(Some(Self::new(http, keys, tiles, (log, counters), every)))
    }
}

impl<P: Post + Send + 'static> Witnesses<P> {
    fn new(
        http: P,
        keys: Vec<(VerifierKey, String)>,
        tiles: Tiles,
        (log, counters): (VerifierKey, Arc<Counters>),
        every: Duration,
    ) -> Self {
        let now = seconds(UtcMillis::now());
        let all: Vec<VerifierKey> = keys.iter().map(|(key, _)| key.clone()).collect();
        let before = tiles.witnessed(&log, &all).unwrap_or_default();
        let asked = keys.into_iter().map(|(key, url)| {
            let mut standing = Standing::new(now);
            // what it cosigned before this start, so that its silence counts from there
            if let Some((size, time)) = before.as_ref().and_then(|before| before.of(key.name())) {
                standing = Standing { since: time, size, came: time, time, ..standing };
            }
            Witness { key, url, standing, raised: BTreeSet::new() }
        });
        counters.set("witnesses", all.len() as u64);
        Self { http, asked: asked.collect(), tiles, log, every, counters }
    }

    /// Asks all of them, again and again, until the room stops.
    pub(crate) async fn follow(mut self, log: OwnLog, shutdown: Shutdown) {
        loop {
            let asking = tokio::task::spawn_blocking(move || {
                let alarms = self.round(UtcMillis::now());
                (self, alarms)
            });
            let alarms = match shutdown.run_until_cancelled(asking).await {
                Some(Ok((again, alarms))) => {
                    self = again;
                    alarms
                }
                Some(Err(panicked)) => {
                    tracing::error!(error = %panicked, "witnesses are not asked any more");
                    return;
                }
                None => return,
            };
            for detail in alarms {
                let event = Event::new(UtcMillis::now(), Room::Ledger.name(), ALARM_ACTION, Outcome::Done);
                let detail = detail.chars().take(grant::MAX_DETAIL / 4).collect();
                // without the log nothing is raised in it; the counter and the note stand all the same
                let _ = log.record_one(Event { detail, ..event }).await;
            }
            if shutdown.run_until_cancelled(tokio::time::sleep(self.every)).await.is_none() {
                return;
            }
        }
    }

    /// Asks each once about what is published. Gives what has to be raised.
    fn round(&mut self, now: UtcMillis) -> Vec<String> {
        let published = match self.tiles.published(&self.log) {
            Ok(Some(published)) => published,
            Ok(None) => return Vec::new(),
            Err(error) => return vec![format!("the published checkpoint cannot be read: {error}")],
        };
        let Ok(note) = Note::parse(&published.note) else { return Vec::new() };
        let (mut lines, mut alarms) = (Vec::new(), Vec::new());
        for witness in &mut self.asked {
            let mut prove = |old| {
                let (size, root) = (published.checkpoint.size(), published.checkpoint.root());
                let mut tree =
                    TrustedTree::open(self.tiles.clone(), size, root).map_err(|e| e.to_string())?;
                proof::consistency(&mut tree, old, size).map_err(|e| e.to_string())
            };
            let known = witness.standing.size;
            let asked = Asked { key: &witness.key, url: &witness.url, known, checkpoint: &note };
            let outcome = ask(&self.http, asked, &mut prove);
            witness.standing.take(outcome.as_ref(), seconds(now));
            match outcome {
                Ok(cosignature) => {
                    self.counters.add("cosignatures", 1);
                    lines.push(cosignature.line);
                }
                Err(error) => {
                    self.counters.add("cosignatures.missed", 1);
                    tracing::info!(witness = witness.key.name(), %error, "no cosignature");
                }
            }
            alarms.extend(witness.raise(now, &self.counters));
        }
        if !lines.is_empty()
            && let Err(error) = self.keep(&published, &note, &lines)
        {
            self.counters.note(format!("cosignatures are not kept: {error}"));
        }
        let witnessed = self.asked.iter().map(|witness| witness.standing.size).min().unwrap_or(0);
        self.counters.set("witnessed", witnessed);
        alarms
    }

    fn keep(&self, published: &Published, note: &Note, lines: &[SignatureLine]) -> Result<(), String> {
        let others = note.signatures().iter().filter(|line| !lines.iter().any(|new| new.id == line.id));
        let all: Vec<String> = others.chain(lines).map(SignatureLine::line).collect();
        let cosigned = Note::new(note.unchecked_text(), &all).map_err(|e| e.to_string())?;
        self.tiles.cosign(published, &cosigned.bytes(), &self.log).map_err(|e| e.to_string())
    }
}

impl Witness {
    /// What has to be raised that was not raised already. What has passed may be raised again.
    fn raise(&mut self, now: UtcMillis, counters: &Counters) -> Vec<String> {
        let found = self.standing.alarms(seconds(now));
        let words: BTreeSet<&'static str> = found.iter().map(word).collect();
        let new = found.into_iter().filter(|alarm| !self.raised.contains(word(alarm)));
        let raised = new.map(|alarm| {
            let text = format!("{}: {}: {alarm}", word(&alarm), self.key.name());
            counters.add(format!("alarm.{}", word(&alarm)), 1);
            counters.note(text.clone());
            text
        });
        let raised = raised.collect();
        self.raised = words;
        raised
    }
}

const fn word(alarm: &Alarm) -> &'static str {
    match alarm {
        Alarm::Silent { .. } => "witness-silent",
        Alarm::Fork { .. } => "log-forked",
        Alarm::Gap { .. } => "log-gap",
        Alarm::Clock(_) => "clock-backwards",
    }
}

fn seconds(at: UtcMillis) -> u64 {
    u64::try_from(at.0.div_euclid(1000)).unwrap_or(0)
}
