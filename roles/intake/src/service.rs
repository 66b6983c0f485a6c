//! The room's answers: intake answers `health` and nothing else.

use std::sync::Arc;

use bytes::Bytes;
use link::{Caller, Service, answer};
use wire::health::{Health, HealthRequest};
use wire::{Method, Refused};

use crate::shared::Shared;

/// The room.
pub struct Intake(pub Arc<Shared>);

impl Intake {
    async fn health(&self) -> Health {
        let shared = &self.0;
        match shared.store.tallies().await {
            Ok(tallies) => {
                let get = |name: &str| tallies.get(name).copied().unwrap_or(0);
                let refused: u64 =
                    tallies.iter().filter(|(name, _)| name.starts_with("refused.")).map(|(_, n)| n).sum();
                let outcomes = get("stored") + get("late") + get("thinned") + get("duplicate") + refused;
                shared.counters.set("sums-agree", u64::from(outcomes == get("telegrams")));
                for (name, n) in tallies {
                    shared.counters.set(name, n);
                }
            }
            Err(error) => shared.counters.note(format!("the account cannot be read: {error}")),
        }
        shared.counters.health(shared.state())
    }
}

impl Service for Intake {
    async fn call(&self, _: Caller, method: Method, body: Bytes) -> Result<Bytes, Refused> {
        match method {
            Method::Health => answer(body, |_: HealthRequest| async { Ok(self.health().await) }).await,
            other => Err(Refused::new("not-here", format!("intake does not answer `{other}`"))),
        }
    }
}
