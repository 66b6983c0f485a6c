//! What the steward asks of the other rooms: the archive for jobs, the warden for the grant of one, the ledger for a receipt,
//! the vault for the keys.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use base::{Class, UtcMillis};
use grant::{Action, DataSpan, Event, Outcome, Purpose, check_grant, check_request, sign_request};
use link::{CallError, Client};
use prost::Message;
use recorder::{LedgerRecorder, Record};
use seal::sign::{Signer, Verifier};
use wire::stewardship::{Ended, Jobs, JobsRequest, MachineGrantRequest};
use wire::vault::{DataKeys, ReleaseKeys, Series};
use wire::warden::Granted;
use wire::{Method, Room};
use zeroize::Zeroize;

use crate::errand::{Failed, Sum};
use crate::keys::Key;

/// How long another room may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the archive holds the question while there is no job.
const WAIT: Duration = Duration::from_secs(20);
/// Series in one call to the vault.
const SERIES: usize = 4096;

/// The house, as far as the steward may ask it.
pub(crate) trait House: Send + Sync + 'static {
    /// The grant of one job, and what asks under it.
    type Session: Send + Sync;

    /// Tells what became of a job, and gets the next one.
    fn jobs(&self, ended: Option<Ended>) -> impl Future<Output = Result<Jobs, Failed>> + Send;

    /// Gets the grant of a job.
    fn session(&self, jobs: &Jobs) -> impl Future<Output = Result<Self::Session, Failed>> + Send;

    /// Data keys of one class, in the order of the series; that they are asked for is in the log first.
    fn keys(
        &self,
        session: &Self::Session,
        class: Class,
        series: &BTreeSet<Key>,
    ) -> impl Future<Output = Result<DataKeys, Failed>> + Send;

    /// Records what a job came to.
    fn note(
        &self,
        jobs: &Jobs,
        outcome: &Result<Sum, Failed>,
    ) -> impl Future<Output = Result<(), Failed>> + Send;
}

/// The house's rooms.
pub(crate) struct LinkedHouse {
    pub(crate) archive: Client,
    pub(crate) warden: Client,
    pub(crate) vault: Client,
    pub(crate) recorder: LedgerRecorder,
    /// The warden's public key.
    pub(crate) signs_grants: Verifier,
}

/// A grant with the key that requests under it are signed with. Both live as long as the job.
pub(crate) struct Session {
    key: Signer,
    grant: Vec<u8>,
    /// The encoded job: what each request says.
    job: Vec<u8>,
    /// Whose readings they are, as the log knows them.
    subjects: Vec<[u8; 16]>,
}

impl House for LinkedHouse {
    type Session = Session;

    async fn jobs(&self, ended: Option<Ended>) -> Result<Jobs, Failed> {
        let wait_ms = u32::try_from(WAIT.as_millis()).unwrap_or(u32::MAX);
        let question = JobsRequest { wait_ms, ended };
        Ok(self.archive.call(Method::ArchiveJobs, &question, WAIT + PATIENCE).await?)
    }

    async fn session(&self, jobs: &Jobs) -> Result<Session, Failed> {
        let key = Signer::generate()?;
        let question = MachineGrantRequest {
            session_key: key.verifier().as_bytes().to_vec(),
            job: jobs.job.clone(),
            event: jobs.event.clone(),
            receipt: jobs.receipt.clone(),
        };
        let granted: Granted = self.warden.call(Method::WardenMachineGrant, &question, PATIENCE).await?;
        check_grant(&granted.grant, &self.signs_grants, UtcMillis::now())
            .map_err(|_| Failed::Garbled("warden"))?;
        let job = jobs.job.as_ref().map(Message::encode_to_vec).unwrap_or_default();
        Ok(Session { key, grant: granted.grant, job, subjects: subjects(jobs) })
    }

    async fn keys(
        &self,
        session: &Session,
        class: Class,
        series: &BTreeSet<Key>,
    ) -> Result<DataKeys, Failed> {
        let months = || series.iter().map(|(.., month)| *month);
        let (Some(first), Some(last)) = (months().min(), months().max()) else {
            return Ok(DataKeys::default());
        };
        let series: Vec<&Key> = series.iter().collect();
        let mut all = DataKeys::default();
        for some in series.chunks(SERIES) {
            let now = UtcMillis::now();
            let request =
                sign_request(&session.grant, Action::Reseal, session.job.clone(), now, &session.key)?;
            let checked = check_request(&request, Action::Reseal, &self.signs_grants, now)
                .map_err(|_| Failed::Garbled("warden"))?;
            let event = Event {
                data: Some(DataSpan { class, first, last }),
                detail: format!("keys of {} series", some.len()),
                subjects: session.subjects.clone(),
                ..Event::of_request(now, Room::Steward.name(), &checked, Outcome::Allowed)
            };
            let entry = self.recorder.record_one(event).await?;
            let mut question = ReleaseKeys {
                request,
                event: entry.event,
                receipt: entry.receipt,
                series: some
                    .iter()
                    .map(|(meter, tenancy, class, month)| Series::of(*meter, *tenancy, *class, *month))
                    .collect(),
            };
            let mut keys = self.released(&mut question).await?;
            all.keys.append(&mut keys.keys);
            all.refused.append(&mut keys.refused);
            all.term = keys.term;
        }
        Ok(all)
    }

    async fn note(&self, jobs: &Jobs, outcome: &Result<Sum, Failed>) -> Result<(), Failed> {
        let number = jobs.job.as_ref().map_or(0, |job| job.id);
        let event = Event {
            on_behalf: jobs.person.clone(),
            purpose: Purpose::Stewardship.name().to_owned(),
            subjects: subjects(jobs),
            ..Event::new(
                UtcMillis::now(),
                Room::Steward.name(),
                Action::Reseal.name(),
                match outcome {
                    Ok(_) => Outcome::Done,
                    Err(_) => Outcome::Refused,
                },
            )
        };
        let event = match outcome {
            Ok(Sum { readings, unreadable }) => {
                let mut detail = format!("job {number}: {readings} readings sealed anew");
                if *unreadable > 0 {
                    detail.push_str(&format!(", {unreadable} do not open"));
                }
                Event { detail, ..event }
            }
            Err(failed) => Event { reason: failed.word(), detail: format!("job {number}"), ..event },
        };
        self.recorder.record_one(event).await?;
        Ok(())
    }
}

/// The tags of those whose readings a job is about.
fn subjects(jobs: &Jobs) -> Vec<[u8; 16]> {
    jobs.subjects.iter().filter_map(|tag| tag.as_slice().try_into().ok()).collect()
}

impl LinkedHouse {
    async fn released(&self, question: &mut ReleaseKeys) -> Result<DataKeys, Failed> {
        let prover = self.recorder.prover();
        let answer = prover.call(&self.vault, Method::VaultResealKeys, question, PATIENCE).await?;
        let keys = DataKeys::decode(answer.clone());
        // the keys were copied out; the frame that they came in is wiped where nobody else holds it
        if let Ok(mut frame) = answer.try_into_mut() {
            frame.zeroize();
        }
        keys.map_err(|_| CallError::Garbled(Room::Vault).into())
    }
}
