//! The room's answers: the steward answers `health` and nothing else. Nobody can have it do a job.

use std::sync::Arc;

use bytes::Bytes;
use house::Counters;
use link::{Caller, Service, answer};
use wire::health::HealthRequest;
use wire::{Method, Refused};

/// The room.
pub(crate) struct Steward(pub(crate) Arc<Counters>);

impl Service for Steward {
    async fn call(&self, _: Caller, method: Method, body: Bytes) -> Result<Bytes, Refused> {
        match method {
            Method::Health => answer(body, |_: HealthRequest| async { Ok(self.0.health("ready")) }).await,
            other => Err(Refused::new("not-here", format!("the steward does not answer `{other}`"))),
        }
    }
}
