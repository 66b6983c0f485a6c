//! Ctrl-C and SIGTERM: the first stops politely, the second at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::problem::Problem;

/// Listens for signals as long as it lives.
pub(crate) struct Signals {
    stop: watch::Receiver<bool>,
    listener: JoinHandle<()>,
}

impl Signals {
    /// Listens; `kill` is called at the second signal, and at each one after.
    pub(crate) fn listen(kill: impl Fn() + Send + 'static) -> Result<Self, Problem> {
        let failed = |e: std::io::Error| Problem::during("cannot listen for signals")(e);
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let (told, stop) = watch::channel(false);
        let listener = tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if told.send_replace(true) {
                    kill();
                }
            }
        });
        Ok(Self { stop, listener })
    }

    /// Comes back at the first signal, and at once when there was one.
    pub(crate) async fn stop(&self) {
        let _ = self.stop.clone().wait_for(|stop| *stop).await;
    }

    /// Whether there was one.
    pub(crate) fn stopped(&self) -> bool {
        *self.stop.borrow()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.listener.abort();
    }
}
