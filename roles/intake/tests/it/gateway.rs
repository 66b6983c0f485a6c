//! The gateway and the collectors' rings behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use link::{Caller, Service, answer};
use prost::Message;
use wire::batch::{Header, Signed};
use wire::gateway::{AnswerEnrolment, Confirm, Done, Enrol, Enrolments, Position, Publish, Pull, Pulled};
use wire::{Method, Refused};

type Place = (u32, u64, u64);

#[derive(Default)]
pub(crate) struct State {
    pub(crate) queue: Vec<(Place, Bytes)>,
    pub(crate) disk: u8,
    pub(crate) confirmed: BTreeMap<(u32, u64), u64>,
    pub(crate) published: Vec<Publish>,
    /// What collectors could send once more.
    pub(crate) ring: BTreeMap<Place, Bytes>,
    asked: BTreeSet<Place>,
    pub(crate) enrolments: Vec<Enrol>,
    pub(crate) answered: Vec<AnswerEnrolment>,
    /// Refuses everything.
    pub(crate) down: bool,
    pub(crate) pulls: u64,
}

impl State {
    /// What is confirmed stays so: a word that was longer under way takes nothing back.
    fn confirm(&mut self, position: &Position) {
        let confirmed = self.confirmed.entry((position.collector, position.epoch)).or_default();
        *confirmed = position.seq.max(*confirmed);
    }
}

#[derive(Default)]
pub(crate) struct Gateway(pub(crate) Mutex<State>);

impl Gateway {
    pub(crate) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// A batch arrives from its collector, who keeps it in its ring.
    pub(crate) fn deliver(&self, bytes: Bytes) {
        let mut state = self.state();
        let place = place(&bytes);
        state.ring.insert(place, bytes.clone());
        state.queue.push((place, bytes));
    }

    /// Bytes arrive that no collector has in its ring.
    pub(crate) fn inject(&self, bytes: Bytes) {
        let place = place(&bytes);
        self.state().queue.push((place, bytes));
    }

    /// The queue's disk is lost. Collectors send again what is not confirmed, once the core has told where
    /// they go on.
    pub(crate) fn lose_disk(&self) {
        let mut state = self.state();
        state.disk += 1;
        state.queue.clear();
        state.confirmed.clear();
        state.asked.clear();
        state.published.clear();
    }

    fn pull(&self, pull: &Pull) -> Pulled {
        let mut state = self.state();
        state.pulls += 1;
        let cursor = if pull.disk_id == [state.disk; 16] { usize::try_from(pull.cursor).unwrap() } else { 0 };
        let mut batches = Vec::new();
        let mut next = cursor;
        for (place, bytes) in state.queue.iter().skip(cursor).take(8) {
            next += 1;
            let confirmed = state.confirmed.get(&(place.0, place.1)).copied().unwrap_or(0);
            // What was sent again stays until it is fetched, though its number is confirmed; garbage has none.
            if place.2 == 0 || place.2 > confirmed || state.asked.contains(place) {
                batches.push(bytes.clone());
            }
        }
        Pulled {
            batches,
            next: u64::try_from(next).unwrap(),
            disk_id: vec![state.disk; 16],
            enrolments: !state.enrolments.is_empty(),
        }
    }

    fn publish(&self, publish: Publish) {
        let mut state = self.state();
        let first = state.published.is_empty();
        publish.confirmed.iter().for_each(|p| state.confirm(p));
        let mut again: Vec<Place> = publish
            .wanted
            .iter()
            .flat_map(|w| {
                let range = w.range.as_ref().unwrap();
                (range.first..=range.last.min(range.first + 1000)).map(|seq| (w.collector, w.epoch, seq))
            })
            .filter(|place| state.asked.insert(*place))
            .collect();
        if first && state.disk > 0 && state.queue.is_empty() {
            // After a lost disk collectors go on behind what is confirmed.
            let behind = |p: &Place| p.2 > state.confirmed.get(&(p.0, p.1)).copied().unwrap_or(0);
            again.extend(state.ring.keys().filter(|p| behind(p)).copied().collect::<Vec<_>>());
        }
        for place in again {
            if let Some(bytes) = state.ring.get(&place).cloned() {
                state.queue.push((place, bytes));
            }
        }
        state.published.push(publish);
    }
}

fn place(bytes: &Bytes) -> Place {
    let header =
        Signed::decode(bytes.clone()).ok().and_then(|s| Header::decode(s.header).ok()).unwrap_or_default();
    (header.collector, header.epoch, header.seq)
}

impl Service for Gateway {
    async fn call(&self, _: Caller, method: Method, body: Bytes) -> Result<Bytes, Refused> {
        if self.state().down {
            return Err(Refused::new("down", "the gateway is away"));
        }
        match method {
            Method::GatewayPull => {
                answer(body, async |pull: Pull| {
                    let until = tokio::time::Instant::now() + Duration::from_millis(pull.wait_ms.into());
                    loop {
                        let pulled = self.pull(&pull);
                        if !pulled.batches.is_empty()
                            || pulled.enrolments
                            || tokio::time::Instant::now() >= until
                        {
                            return Ok(pulled);
                        }
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                })
                .await
            }
            Method::GatewayConfirm => {
                answer(body, async |confirm: Confirm| {
                    let mut state = self.state();
                    confirm.positions.iter().for_each(|p| state.confirm(p));
                    Ok(Done {})
                })
                .await
            }
            Method::GatewayPublish => {
                answer(body, async |publish: Publish| {
                    self.publish(publish);
                    Ok(Done {})
                })
                .await
            }
            Method::GatewayEnrolments => {
                answer(body, async |_: Done| Ok(Enrolments { requests: self.state().enrolments.clone() }))
                    .await
            }
            Method::GatewayAnswerEnrolment => {
                answer(body, async |given: AnswerEnrolment| {
                    let mut state = self.state();
                    state.enrolments.retain(|e| e.token_id != given.token_id);
                    state.answered.push(given);
                    Ok(Done {})
                })
                .await
            }
            other => Err(Refused::new("not-here", other.to_string())),
        }
    }
}
