//! Data keys of a job of the steward: a move was reported late, and the readings since are sealed anew for whom they
//! belong to.
//!
//! The vault takes nobody's word for the job. It looks into its own spans whether the one tenancy followed the other at
//! that meter and moment, and gives keys of those two only, from that month on. These are the only keys of a tenancy that
//! it ever gives for months that the tenancy does not touch any more.

use base::{MeterId, Month, TenancyId, UtcMillis};
use grant::Action;
use prost::Message;
use wire::stewardship::Job;
use wire::vault::{DataKeys, ReleaseKeys};
use wire::{Refused, Room, bytes16};

use crate::ceilings::{By, Taken};
use crate::proven::{OneSeries, TERM, all_series};
use crate::subjects::Named;
use crate::vault::{Failure, Vault, malformed};

/// Readings are dated a little ahead of the clock at most.
const AHEAD_MS: i64 = 24 * 3_600_000;

/// A job as the vault understands it.
struct Move {
    meters: Vec<u32>,
    ended: TenancyId,
    begun: TenancyId,
    at: UtcMillis,
}

impl Move {
    fn read(body: &[u8]) -> Result<Self, Failure> {
        let job = Job::decode(body).map_err(|_| malformed("the job cannot be read"))?;
        let (ended, begun) = (bytes16("ended", &job.ended)?, bytes16("begun", &job.begun)?);
        let (ended, begun) = (TenancyId(ended), TenancyId(begun));
        Ok(Self { meters: job.meters, ended, begun, at: UtcMillis(job.at_ms) })
    }

    /// Why a series has nothing to do with it; empty when it has.
    fn is_strange_to(&self, series: &OneSeries, latest: Month) -> &'static str {
        let of_another = series.tenancy != self.ended && series.tenancy != self.begun;
        if of_another || !self.meters.contains(&series.meter.0) {
            "not-in-job"
        } else if series.month < self.at.month() {
            "before-the-move"
        } else if series.month > latest {
            "not-yet"
        } else {
            ""
        }
    }
}

impl Vault {
    /// Data keys to seal readings anew after a late move, for the steward. Each series that does not belong to the job is
    /// refused by name; all are counted durably, under a ceiling of their own, before a key goes out.
    ///
    /// # Errors
    /// The first check that fails, by its word; `no-such-move` when the vault's own spans know of no such move at one of the
    /// meters; `ceiling`; [`Failure::Broken`] when the disk fails.
    pub fn reseal_keys(&self, question: &ReleaseKeys, now: UtcMillis) -> Result<DataKeys, Failure> {
        let series = all_series(&question.series)?;
        let recorded = self.recorded_by(
            Room::Steward,
            &question.request,
            &[Action::Reseal],
            (&question.event, &question.receipt),
            now,
        )?;
        let job = Move::read(&recorded.request.body)?;
        let who = format!("the steward, for {}", recorded.request.grant.person);
        self.guard_series(series.iter().map(|s| s.meter), &who, now)?;
        let latest = now.plus(AHEAD_MS).month();
        let mut keys = DataKeys { term: TERM, ..DataKeys::default() };
        let (mut counts, mut meters) = (Vec::<(TenancyId, u64)>::new(), Vec::new());
        {
            let (content, mut named) = (self.table.read(), Named::by(&recorded.event));
            for meter in &job.meters {
                if !content.follows(MeterId(*meter), job.ended, job.begun, job.at) {
                    self.counters.add("refused.no-such-move", 1);
                    let message = format!(
                        "no tenancy of {} ended at {} where the other began; the register and the vault differ",
                        MeterId(*meter),
                        job.at
                    );
                    return Err(Refused::new("no-such-move", message).into());
                }
            }
            for s in &series {
                let strange = match job.is_strange_to(s, latest) {
                    "" => named.misses(&content, s.tenancy),
                    strange => strange,
                };
                let permitted = recorded.permits(s.tenancy, s.class, s.month, content.area(s.meter));
                let refused = match (strange, permitted) {
                    ("", Ok(())) => match content.key_of_any_month(s.meter, s.tenancy, s.class, s.month) {
                        Ok(key) => {
                            keys.keys.extend_from_slice(key.expose());
                            ""
                        }
                        Err(error) => error.code(),
                    },
                    ("", Err(error)) => error.code(),
                    (strange, _) => strange,
                };
                if refused.is_empty() {
                    self.counters.add("reseal-keys", 1);
                    meters.push(s.meter.0);
                    match counts.iter_mut().find(|(tenancy, _)| *tenancy == s.tenancy) {
                        Some((_, n)) => *n += 1,
                        None => counts.push((s.tenancy, 1)),
                    }
                } else {
                    self.counters.add(format!("reseal-keys.refused.{refused}"), 1);
                }
                keys.refused.push(refused.to_owned());
            }
        }
        let opened = meters.len() as u64;
        meters.sort_unstable();
        meters.dedup();
        let taken = Taken { at: now, by: By::Resealing, keys: opened, meters };
        let entry = recorded.receipt.index;
        self.let_out(keys, entry, counts, taken, "the job waits for the next one")
    }
}
