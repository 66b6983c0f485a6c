//! The pipeline as a whole. Any failure ends the run; the next one loads everything from the store and begins
//! with a recovery, just as a new process would. There is one way back, and it is used every day.

use std::sync::Arc;
use std::time::Instant;

use link::Shutdown;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::commit::{self, Marks};
use crate::finish;
use crate::present;
use crate::pull::{self, InFlight, Puller};
use crate::recover::recover;
use crate::shared::{RunEnd, Shared};
use crate::work::{self, Worker};

/// Runs the pipeline again and again until `shutdown`.
pub async fn forever(shared: Arc<Shared>, shutdown: Shutdown) {
    let first = shared.settings.pause;
    let mut pause = first;
    loop {
        let began = Instant::now();
        let end = tokio::select! {
            () = shutdown.cancelled() => return,
            end = once(&shared) => end,
        };
        let Err(end) = end else { return };
        tracing::warn!(reason = end.code(), error = %end, "the pipeline begins again");
        shared.counters.add(format!("restarts.{}", end.code()), 1);
        if matches!(end, RunEnd::Fault(_)) {
            return; // a test ended it, as if the process had been killed
        }
        shared.set_state("recovering");
        if began.elapsed() > first * 64 {
            pause = first;
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(first * 32);
    }
}

/// One run, from recovery to its end.
///
/// # Errors
/// Always: it ends only by a [`RunEnd`].
async fn once(shared: &Arc<Shared>) -> Result<(), RunEnd> {
    wait_for_lists(shared).await;
    let mut puller = Puller::new(Arc::clone(shared));
    let boot = recover(shared, &mut puller).await?;
    let worker = Worker::load(Arc::clone(shared)).await?;
    shared.publish.notify_one();
    let (in_flight, marks) = (InFlight::default(), Marks::default());
    // Short queues: what waits here is memory, and the gateway keeps the rest.
    let (to_present, presents) = mpsc::channel(4);
    let (to_work, works) = mpsc::channel(2);
    let (to_commit, commits) = mpsc::channel(32);
    let (to_finish, finishes) = mpsc::channel(8);
    let mut parts = JoinSet::new();
    parts.spawn(pull::run(puller, Arc::clone(&in_flight), to_present));
    parts.spawn(present::run(Arc::clone(shared), boot, presents, to_work));
    parts.spawn(work::run(worker, works, to_commit));
    parts.spawn(commit::run(Arc::clone(shared), in_flight, Arc::clone(&marks), commits, to_finish));
    parts.spawn(finish::run(Arc::clone(shared), marks, finishes));
    shared.set_state("ready");
    let mut end = RunEnd::Neighbour;
    while let Some(ended) = parts.join_next().await {
        let reason = match ended {
            Ok(Err(reason)) => reason,
            Ok(Ok(())) => RunEnd::Neighbour,
            Err(error) if error.is_cancelled() => continue,
            Err(error) => RunEnd::Protocol(format!("a part of the pipeline failed: {error}")),
        };
        // The first real reason counts: neighbours stop because of it.
        if matches!(end, RunEnd::Neighbour) {
            end = reason;
        }
        if !matches!(end, RunEnd::Neighbour) {
            parts.abort_all();
        }
    }
    Err(end)
}

/// Waits until register and collectors are known: without them every telegram would be a stranger's.
async fn wait_for_lists(shared: &Shared) {
    let mut table = shared.table.subscribe();
    let mut collectors = shared.collectors.subscribe();
    if table.borrow().version() == 0 {
        shared.set_state("waiting-for-register");
        let _ = table.wait_for(|t| t.version() > 0).await;
    }
    if collectors.borrow().version() == 0 {
        shared.set_state("waiting-for-warden");
        let _ = collectors.wait_for(|c| c.version() > 0).await;
    }
}
