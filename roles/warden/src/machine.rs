//! Grants for the steward: one a job, and only for a job that the archive has open.
//!
//! No policy decides here, because no person asks. What decides is the archive's event in the log: it names the job by its
//! hash and is only minutes old, so that a job that is done, or that the register never asked for, gets no grant, whatever
//! the steward says.

use base::{Class, TenancyId, UtcMillis, random};
use grant::{Areas, Event, Grant, Outcome, Purpose, Scope, Tenancies, check_entry, request_hash};
use recorder::Record;
use seal::sign::Verifier;
use tlog::key::VerifierKey;
use wire::stewardship::{JOB_ACTION, Job, MachineGrantRequest};
use wire::warden::Granted;
use wire::{Message as _, Refused, Room, bytes16};

use crate::minting::{GRANT_LIFE_MS, summary};
use crate::service::{ACTOR, Inner};

/// The role that machine grants name.
const ROLE: &str = "steward";
/// Readings are dated a little ahead of the clock at most.
const AHEAD_MS: i64 = 24 * 3_600_000;

impl<R: Record> Inner<R> {
    /// The grant of a job. Refusals are in the log, too: whoever asks in vain has no business to.
    pub(crate) async fn machine_grant(
        &self,
        asked: MachineGrantRequest,
        now: UtcMillis,
    ) -> Result<Granted, Refused> {
        let event = Event {
            purpose: Purpose::Stewardship.name().to_owned(),
            ..Event::new(now, ACTOR, "grant", Outcome::Allowed)
        };
        let id = random().map_err(|e| Refused::new("no-randomness", e.to_string()))?;
        let grant = match decide(&asked, &self.ledger, id, now) {
            Ok(grant) => grant,
            Err(refused) => return Err(self.deny(Room::Steward.name(), event, refused).await),
        };
        let number = asked.job.map_or(0, |job| job.id);
        let detail = format!("{}, job {number}", summary(&grant));
        self.record(Event { on_behalf: grant.person.clone(), grant_id: Some(id), detail, ..event }).await?;
        self.counters.add("machine-grants", 1);
        Ok(self.signed(&grant))
    }
}

/// Holds a job against the archive's event.
fn decide(
    asked: &MachineGrantRequest,
    ledger: &VerifierKey,
    id: [u8; 16],
    now: UtcMillis,
) -> Result<Grant, Refused> {
    let no_job = |why: String| Refused::new("no-job", format!("no open job asks for this grant: {why}"));
    let job = asked.job.as_ref().ok_or_else(|| no_job("none is named".to_owned()))?;
    check_entry(&asked.event, &asked.receipt, ledger, now).map_err(|e| no_job(e.to_string()))?;
    let event = Event::decode(&asked.event).map_err(|e| no_job(e.to_string()))?;
    if event.actor != Room::Archive.name()
        || event.action != JOB_ACTION
        || event.outcome != Outcome::Allowed
        || event.on_behalf.is_empty()
    {
        return Err(no_job(format!("the event is `{}` by `{}`", event.action, event.actor)));
    }
    if event.request_hash != Some(request_hash(&job.encode_to_vec())) {
        return Err(no_job("the event is of another job".to_owned()));
    }
    let session_key = Verifier::from_bytes(&asked.session_key)
        .map_err(|_| Refused::new("malformed", "the session key is no public key"))?;
    Ok(Grant {
        id,
        person: event.on_behalf,
        role: ROLE.to_owned(),
        purpose: Purpose::Stewardship,
        actions: Purpose::Stewardship.actions().iter().copied().collect(),
        scope: scope(job, now)?,
        not_before: now,
        until: now.plus(GRANT_LIFE_MS),
        session_key: *session_key.as_bytes(),
        case: 0,
    })
}

/// The two tenancies, from the month of the move on.
fn scope(job: &Job, now: UtcMillis) -> Result<Scope, Refused> {
    let (ended, begun) = (bytes16("ended", &job.ended)?, bytes16("begun", &job.begun)?);
    let first_month = UtcMillis(job.at_ms).month();
    Ok(Scope {
        classes: Class::ALL.into_iter().collect(),
        first_month,
        last_month: now.plus(AHEAD_MS).month().max(first_month),
        tenancies: Tenancies::Only([TenancyId(ended), TenancyId(begun)].into()),
        areas: Areas::All,
    })
}
