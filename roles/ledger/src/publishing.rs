//! Keeps what is published a moment behind what is durable.

use std::sync::Arc;
use std::time::Instant;

use grant::Signed;
use house::Counters;
use journal::Reader;
use link::Shutdown;
use tlog::key::VerifierKey;
use tokio::sync::watch;

use crate::foot::Footing;
use crate::publisher::{PublishError, Publisher, rest};
use crate::tiles::Tiles;

/// What publishing works with.
pub(crate) struct Publishing {
    pub(crate) publisher: Publisher,
    pub(crate) tiles: Tiles,
    pub(crate) reader: Reader,
    pub(crate) footing: Footing,
    pub(crate) key: VerifierKey,
    pub(crate) counters: Arc<Counters>,
}

impl Publishing {
    /// Publishes whenever there is more, until the writer has ended and its last checkpoint is out.
    pub(crate) async fn follow(mut self, mut durable: watch::Receiver<Signed>, shutdown: Shutdown) {
        loop {
            let (began, signed) = (Instant::now(), durable.borrow_and_update().clone());
            let size = signed.size;
            // nobody else opens the publisher meanwhile, and one that failed is opened anew
            let (again, outcome) = match tokio::task::spawn_blocking(move || self.publish(&signed)).await {
                Ok(done) => done,
                Err(panicked) => {
                    tracing::error!(error = %panicked, "the log is not published any more");
                    return;
                }
            };
            self = again;
            let failed = outcome.is_err();
            match outcome {
                Ok(()) => self.counters.set("published", size),
                Err(error) => {
                    self.counters.add("alarm.not-published", 1);
                    self.counters.note(format!("the log's public copy is behind: {error}"));
                }
            }
            shutdown.run_until_cancelled(tokio::time::sleep(rest(began))).await;
            // a disk that has room again is not to wait for the next event of a quiet house
            if failed && !shutdown.is_cancelled() {
                continue;
            }
            if durable.changed().await.is_err() && durable.borrow().size == size {
                return;
            }
        }
    }

    fn publish(mut self, signed: &Signed) -> (Self, Result<(), PublishError>) {
        let published = self.tiles.published(&self.key);
        match &published {
            // its file may hold cosignatures by now
            Ok(Some(out)) if out.checkpoint.size() == signed.size && out.checkpoint.root() == signed.root => {
                return (self, Ok(()));
            }
            _ => {}
        }
        let outcome = self.publisher.publish(signed);
        if outcome.is_err() {
            let published = published.ok().flatten();
            let foot = self.footing.now();
            self.publisher =
                Publisher::open(self.tiles.clone(), self.reader.clone(), published.as_ref(), foot.as_deref());
        }
        (self, outcome)
    }
}
