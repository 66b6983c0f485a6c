//! The archive, the warden and the ledger.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use link::{Caller, Service, answer};
use wire::archive::{Meters, MetersRequest};
use wire::gateway::{Enrol, Enrolment};
use wire::ledger::{Append, Receipts};
use wire::warden::{Collectors, CollectorsRequest};
use wire::{Method, Refused};

/// Waits until a version is another than the one seen, or time is up.
async fn news(wait_ms: u32, changed: impl Fn() -> bool) {
    let until = tokio::time::Instant::now() + Duration::from_millis(wait_ms.into());
    while !changed() && tokio::time::Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[derive(Default)]
pub(crate) struct Archive(pub(crate) Mutex<Meters>);

impl Service for Archive {
    async fn call(&self, _: Caller, method: Method, body: Bytes) -> Result<Bytes, Refused> {
        assert_eq!(method, Method::ArchiveMeters);
        answer(body, async |q: MetersRequest| {
            if q.after_meter == 0 {
                news(q.wait_ms, || self.0.lock().unwrap().version != q.seen_version).await;
            }
            let all = self.0.lock().unwrap().clone();
            // Small pages, so that paging is played too.
            let mut meters: Vec<_> = all.meters.into_iter().filter(|m| m.id > q.after_meter).collect();
            let more = meters.len() > 3;
            meters.truncate(3);
            Ok(Meters { version: all.version, meters, more })
        })
        .await
    }
}

#[derive(Default)]
pub(crate) struct Warden(pub(crate) Mutex<Collectors>);

impl Service for Warden {
    async fn call(&self, _: Caller, method: Method, body: Bytes) -> Result<Bytes, Refused> {
        match method {
            Method::WardenCollectors => {
                answer(body, async |q: CollectorsRequest| {
                    news(q.wait_ms, || self.0.lock().unwrap().version != q.seen_version).await;
                    Ok(self.0.lock().unwrap().clone())
                })
                .await
            }
            Method::WardenEnrolCollector => {
                answer(body, async |q: Enrol| {
                    if q.proof.is_empty() {
                        return Ok(Enrolment {
                            answered: true,
                            refused: "forged".into(),
                            ..Enrolment::default()
                        });
                    }
                    let mut list = self.0.lock().unwrap();
                    list.version += 1;
                    let mut entry = list.collectors[0].clone();
                    entry.id = 77;
                    list.collectors.push(entry);
                    Ok(Enrolment {
                        answered: true,
                        body: b"welcome".to_vec(),
                        proof: vec![1],
                        ..Enrolment::default()
                    })
                })
                .await
            }
            other => Err(Refused::new("not-here", other.to_string())),
        }
    }
}

#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) events: Mutex<Vec<grant::Event>>,
    pub(crate) down: Mutex<bool>,
}

impl Service for Ledger {
    async fn call(&self, _: Caller, method: Method, body: Bytes) -> Result<Bytes, Refused> {
        assert_eq!(method, Method::LedgerAppend);
        if *self.down.lock().unwrap() {
            return Err(Refused::new("log-stopped", "the ledger is away"));
        }
        answer(body, async |q: Append| {
            let receipts = vec![wire::ledger::Receipt::default(); q.events.len()];
            let events = q.events.iter().map(|e| grant::Event::decode(e).unwrap());
            self.events.lock().unwrap().extend(events);
            Ok(Receipts { receipts, ..Receipts::default() })
        })
        .await
    }
}
