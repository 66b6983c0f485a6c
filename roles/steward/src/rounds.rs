//! One job after the other, for ever.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::UtcMillis;
use house::Counters;
use store::Resealing;
use wire::stewardship::{Ended, Jobs};

use crate::errand::{Errand, Failed, Sum};
use crate::peers::House;
use crate::reseal::reseal;

/// The first pause when another room cannot be asked; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The room's work.
pub(crate) struct Rounds<H> {
    house: H,
    readings: PathBuf,
    counters: Arc<Counters>,
}

impl<H: House> Rounds<H> {
    pub(crate) const fn new(house: H, readings: PathBuf, counters: Arc<Counters>) -> Self {
        Self { house, readings, counters }
    }

    /// Asks for jobs and does them. What became of one is told with the next question, until the archive has heard it.
    pub(crate) async fn forever(&self) {
        let (mut ended, mut pause) = (None, FIRST_PAUSE);
        loop {
            match self.house.jobs(ended.clone()).await {
                Ok(jobs) => {
                    pause = FIRST_PAUSE;
                    ended = self.round(&jobs).await;
                }
                Err(error) => {
                    tracing::debug!(%error, "no jobs can be had");
                    self.counters.add("archive.unreachable", 1);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// One job, if there is one: what became of it.
    pub(crate) async fn round(&self, jobs: &Jobs) -> Option<Ended> {
        let number = jobs.job.as_ref()?.id;
        tracing::info!(job = number, "a job begins");
        let mut outcome = self.work(jobs).await;
        // the log first: a job counts as done when it says so
        if let Err(error) = self.house.note(jobs, &outcome).await {
            outcome = outcome.and(Err(error));
        }
        Some(match outcome {
            Ok(Sum { readings, unreadable }) => {
                tracing::info!(job = number, readings, unreadable, "the job is done");
                self.counters.add("jobs.done", 1);
                self.counters.add("readings.resealed", readings);
                self.counters.add("readings.unreadable", unreadable);
                Ended { job: number, readings, unreadable, problem: String::new() }
            }
            Err(failed) => {
                tracing::warn!(job = number, error = %failed, "the job failed and is tried again");
                self.counters.add("jobs.failed", 1);
                self.counters.note(format!("job {number} failed and is tried again: {failed}"));
                Ended { job: number, problem: failed.word(), ..Ended::default() }
            }
        })
    }

    async fn work(&self, jobs: &Jobs) -> Result<Sum, Failed> {
        let Some(errand) = Errand::read(jobs)? else { return Ok(Sum::default()) };
        let store = match Resealing::open(&self.readings).await {
            // nothing was ever heard: there is nothing to seal anew, and nothing on its way
            Err(error) if error.is_absent() => return Ok(Sum::default()),
            opened => opened?,
        };
        reseal(&self.house, &store, jobs, &errand, UtcMillis::now()).await
    }
}
