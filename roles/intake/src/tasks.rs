//! What runs beside the pipeline: the lists of meters and collectors, what the gateway must know, enrolments,
//! events for the ledger, and housekeeping.

use std::sync::Arc;
use std::time::{Duration, Instant};

use link::CallError;
use store::Commit;
use wire::Method;
use wire::archive::{Meters, MetersRequest};
use wire::gateway::{AnswerEnrolment, Done, Enrolment, Enrolments, Publish, SeqRange, Wanted};
use wire::ledger::{Append, LOG_AWAY, LOG_AWAY_AFTER_S, Receipts};
use wire::warden::CollectorsRequest;

use crate::alarm;
use crate::collectors::Collectors;
use crate::shared::Shared;

/// How long the archive and the warden hold a question until there is news.
const NEWS: Duration = Duration::from_secs(20);
/// Events that wait for so long are an alarm.
const AWAY: Duration = Duration::from_secs(LOG_AWAY_AFTER_S);
/// How long a stop waits for being recorded; what is not waits in the store for the next start.
const STOP_PATIENCE: Duration = Duration::from_secs(2);
/// Events a call.
const MAX_EVENTS: u32 = 512;
/// Accounts older than 40 days are folded into their sums.
const FOLD_MS: i64 = 40 * 24 * 3_600_000;

/// Keeps the table of meters as the archive's register is.
pub async fn meters(shared: Arc<Shared>) {
    let mut pause = shared.settings.pause;
    loop {
        match fetch_meters(&shared).await {
            Ok(()) => pause = shared.settings.pause,
            Err(error) => {
                tracing::debug!(%error, "the register cannot be fetched");
                shared.counters.add("register.unreachable", 1);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(shared.settings.pause * 32);
            }
        }
    }
}

async fn fetch_meters(shared: &Shared) -> Result<(), String> {
    let known = shared.table.borrow().clone();
    let archive = &shared.peers.archive;
    let patience = NEWS + shared.settings.call;
    let mut question = MetersRequest { seen_version: known.version(), wait_ms: ms(NEWS), after_meter: 0 };
    let mut answer: Meters =
        archive.call(Method::ArchiveMeters, &question, patience).await.map_err(|e| e.to_string())?;
    if answer.version == known.version() {
        return Ok(());
    }
    let version = answer.version;
    let mut all = std::mem::take(&mut answer.meters);
    while answer.more {
        let last = all.last().map_or(0, |m| m.id);
        question = MetersRequest { seen_version: version, wait_ms: 0, after_meter: last };
        answer = archive.call(Method::ArchiveMeters, &question, patience).await.map_err(|e| e.to_string())?;
        if answer.version != version || answer.meters.first().is_some_and(|m| m.id <= last) {
            return Err("the register changed while it was fetched".to_owned());
        }
        all.append(&mut answer.meters);
    }
    let table = known.updated(version, &all, shared.settings.default_resolution).map_err(|error| {
        shared.counters.note(error.to_string());
        error.to_string()
    })?;
    shared.counters.set("meters", all.len() as u64);
    shared.table.send_replace(Arc::new(table));
    Ok(())
}

/// Keeps the list of collectors as the warden has it, and has each new one published to the gateway.
pub async fn collectors(shared: Arc<Shared>) {
    let mut pause = shared.settings.pause;
    loop {
        match fetch_collectors(&shared, NEWS).await {
            Ok(()) => pause = shared.settings.pause,
            Err(error) => {
                tracing::debug!(%error, "the collectors cannot be fetched");
                shared.counters.add("warden.unreachable", 1);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(shared.settings.pause * 32);
            }
        }
    }
}

async fn fetch_collectors(shared: &Shared, wait: Duration) -> Result<(), String> {
    let seen_version = shared.collectors.borrow().version();
    let question = CollectorsRequest { seen_version, wait_ms: ms(wait) };
    let patience = wait + shared.settings.call;
    let answer: wire::warden::Collectors = shared
        .peers
        .warden
        .call(Method::WardenCollectors, &question, patience)
        .await
        .map_err(|e| e.to_string())?;
    if answer.version == shared.collectors.borrow().version() {
        return Ok(());
    }
    let list = Collectors::read(&answer).map_err(|error| {
        shared.counters.note(error.to_string());
        error.to_string()
    })?;
    shared.counters.set("collectors", answer.collectors.len() as u64);
    shared.collectors.send_replace(Arc::new(list));
    shared.publish.notify_one();
    Ok(())
}

/// Publishes to the gateway whenever there is something new, and once a minute in case it was lost.
pub async fn publisher(shared: Arc<Shared>) {
    let mut pause = shared.settings.pause;
    loop {
        let _ = tokio::time::timeout(Duration::from_secs(60), shared.publish.notified()).await;
        while let Err(error) = publish(&shared).await {
            tracing::debug!(%error, "cannot publish");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(shared.settings.pause * 32);
        }
        pause = shared.settings.pause;
    }
}

/// Tells the gateway who is admitted, what to seal to, where collectors go on, and what is wanted again. It says
/// nothing before it knows all of it: the gateway would let collectors go on from nowhere.
async fn publish(shared: &Shared) -> Result<(), CallError> {
    if !shared.finals().known || shared.collectors.borrow().version() == 0 {
        return Ok(());
    }
    let question = Publish {
        collectors: shared.collectors.borrow().admissions().to_vec(),
        batch_key: shared.batch_keys().newest(&shared.keys.signer),
        confirmed: shared.confirmed(),
        wanted: shared
            .wanted()
            .iter()
            .map(|w| Wanted {
                collector: w.collector.0,
                epoch: w.epoch.0,
                range: Some(SeqRange { first: w.first.0, last: w.last.0 }),
            })
            .collect(),
    };
    let Done {} = shared.call(&shared.peers.gateway, Method::GatewayPublish, &question).await?;
    shared.counters.add("published", 1);
    Ok(())
}

/// Passes enrolment requests from the gateway to the warden, and its answers back.
pub async fn enrolments(shared: Arc<Shared>) {
    loop {
        shared.enrolments.notified().await;
        if let Err(error) = enrol(&shared).await {
            tracing::warn!(%error, "an enrolment waits");
            tokio::time::sleep(shared.settings.pause * 4).await;
            shared.enrolments.notify_one();
        }
    }
}

async fn enrol(shared: &Shared) -> Result<(), String> {
    let gateway = &shared.peers.gateway;
    let waiting: Enrolments =
        shared.call(gateway, Method::GatewayEnrolments, &Done {}).await.map_err(|e| e.to_string())?;
    let mut waits = None;
    for request in waiting.requests {
        let token_id = request.token_id.clone();
        let enrolment = match shared
            .call::<_, Enrolment>(&shared.peers.warden, Method::WardenEnrolCollector, &request)
            .await
        {
            Ok(enrolment) => enrolment,
            // A request that cannot be read will not be read next time either. Any other refusal passes (the
            // ledger is away, say): the request waits, and the others go on.
            Err(CallError::Refused { code, message }) if code == "malformed" => {
                Enrolment { answered: true, refused: format!("{message} ({code})"), ..Enrolment::default() }
            }
            Err(error) => {
                waits = Some(error.to_string());
                continue;
            }
        };
        if enrolment.refused.is_empty() {
            // The collector comes at once: the gateway must know it before it has its answer.
            fetch_collectors(shared, Duration::ZERO).await?;
            publish(shared).await.map_err(|e| e.to_string())?;
            shared.counters.add("enrolled", 1);
        } else {
            shared.counters.add("enrolments.refused", 1);
        }
        let answer = AnswerEnrolment { token_id, enrolment: Some(enrolment) };
        let Done {} =
            shared.call(gateway, Method::GatewayAnswerEnrolment, &answer).await.map_err(|e| e.to_string())?;
    }
    waits.map_or(Ok(()), Err)
}

/// Brings events to the ledger. They wait in the store while it is away, and collecting goes on.
pub async fn events(shared: Arc<Shared>) {
    let mut pause = shared.settings.pause;
    let mut away_since: Option<Instant> = None;
    shared.counters.set(LOG_AWAY, 0);
    loop {
        let _ = tokio::time::timeout(Duration::from_secs(10), shared.outbox.notified()).await;
        loop {
            match deliver(&shared).await {
                Ok(0) => break,
                Ok(_) => {
                    pause = shared.settings.pause;
                    away_since = None;
                    shared.counters.set(LOG_AWAY, 0);
                }
                Err(error) => {
                    tracing::debug!(%error, "events wait for the ledger");
                    if away_since.get_or_insert_with(Instant::now).elapsed() >= AWAY {
                        shared.counters.set(LOG_AWAY, 1);
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(shared.settings.pause * 32);
                }
            }
        }
    }
}

async fn deliver(shared: &Shared) -> Result<usize, String> {
    let waiting = shared.store.outbox(MAX_EVENTS).await.map_err(|e| e.to_string())?;
    let Some(last) = waiting.last().map(|o| o.id) else { return Ok(0) };
    let count = waiting.len();
    let events = waiting.into_iter().map(|o| o.event.into()).collect();
    let receipts: Receipts = shared
        .call(&shared.peers.ledger, Method::LedgerAppend, &Append { events, since: 0 })
        .await
        .map_err(|e| {
            shared.counters.set("events.waiting", count as u64);
            e.to_string()
        })?;
    if receipts.receipts.len() != count {
        return Err(format!("the ledger gave {} receipts for {count} events", receipts.receipts.len()));
    }
    shared.store.delivered(last).await.map_err(|e| e.to_string())?;
    shared.counters.add("events.delivered", count as u64);
    shared.counters.set("events.waiting", 0);
    Ok(count)
}

/// Has the log told that the room started or stopped, through the store, so that it is told even where the log is away now.
pub async fn presence(shared: &Shared, action: &str) {
    let event = alarm::presence_event(shared.now(), action);
    let commit = Commit { events: vec![event], ..Commit::default() };
    if let Err(error) = shared.store.commit(commit).await {
        tracing::warn!(%error, action, "what the log is told of this room cannot be kept");
    }
    shared.outbox.notify_one();
}

/// Brings what waits to the log once more, at a stop.
pub async fn last_events(shared: &Shared) {
    let bring = async { while matches!(deliver(shared).await, Ok(1..)) {} };
    if tokio::time::timeout(STOP_PATIENCE, bring).await.is_err() {
        tracing::info!("events wait for the next start");
    }
}

/// Turns batch keys and folds old accounts.
pub async fn housekeeping(shared: Arc<Shared>) {
    let mut minute = tokio::time::interval(Duration::from_secs(60));
    let mut minutes = 0u32;
    loop {
        minute.tick().await;
        let now = shared.now();
        let turned = shared.batch_keys_mut().turn(now);
        match turned {
            Ok(true) => shared.publish.notify_one(),
            Ok(false) => {}
            Err(error) => shared.counters.note(error.to_string()),
        }
        if minutes.is_multiple_of(60) {
            match shared.store.fold_accounts(now.plus(-FOLD_MS)).await {
                Ok(0) => {}
                Ok(folded) => tracing::info!(folded, "old accounts are folded into their sums"),
                Err(error) => tracing::warn!(%error, "old accounts cannot be folded"),
            }
        }
        minutes = minutes.wrapping_add(1);
    }
}

fn ms(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
