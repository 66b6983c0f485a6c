//! The warden's answers.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use base::{UtcMillis, random};
use bytes::Bytes;
use grant::{Decided, Event, Nonces, Outcome, session_of};
use house::Counters;
use link::{Caller, Service, answer};
use policy::{Catalogue, Policies};
use recorder::{Entry, Record};
use seal::sign::{Signer, Verifier};
use tlog::key::VerifierKey;
use tokio::sync::{Mutex, watch};
use wire::health::{Health, HealthRequest};
use wire::login::InSession;
use wire::warden::{GrantRequest, Granted};
use wire::{Message as _, Method, Refused};

use crate::collectors::public_version;
use crate::enrolment::Office;
use crate::in_force::InForce;
use crate::minting::{Denied, Grounds, decide, summary};
use crate::people::People;
use crate::signing_in::{Desk, Strengthened};
use crate::staff::{self, Staff};
use crate::standing::Standing;
use crate::state::{State, StateError, StateFile};

pub(crate) const ACTOR: &str = "warden";
/// Approvals in five minutes, at most.
const MAX_APPROVALS: usize = 10_000;
/// Calls in sessions in five minutes, at most.
const MAX_CALLS: usize = 100_000;

/// The room: knows people and collectors.
pub struct Warden<R>(Arc<Inner<R>>);

pub(crate) struct Inner<R> {
    pub(crate) people: People,
    signer: Signer,
    recorder: R,
    pub(crate) ledger: VerifierKey,
    pub(crate) office: Office,
    pub(crate) file: Arc<StateFile>,
    pub(crate) staff: Mutex<Staff>,
    policies: RwLock<Arc<InForce>>,
    pub(crate) state: Mutex<State>,
    pub(crate) version: watch::Sender<u64>,
    /// Refusals by token, so that a flood of forged requests does not fill the log.
    pub(crate) refusals: std::sync::Mutex<HashMap<[u8; 16], u32>>,
    /// Which house approvals have to be for.
    pub(crate) house: [u8; 32],
    pub(crate) approvals: std::sync::Mutex<Nonces>,
    /// Calls in sessions.
    pub(crate) calls: std::sync::Mutex<Nonces>,
    pub(crate) desk: Desk,
    /// Approvals and calls from before are not known to be new.
    pub(crate) since: UtcMillis,
    pub(crate) counters: Arc<Counters>,
}

/// The policies of a house with this catalogue; of the built-in one where it has none of its own.
pub(crate) fn policies_of(text: &str) -> Result<Policies, String> {
    let catalogue = if text.is_empty() { Catalogue::built_in() } else { Catalogue::parse(text) };
    Policies::compile(catalogue.map_err(|e| e.to_string())?).map_err(|e| e.to_string())
}

impl<R: Record> Warden<R> {
    pub(crate) fn new(
        people: People,
        signer: Signer,
        (recorder, ledger): (R, VerifierKey),
        office: Office,
        (file, staff): (StateFile, Staff),
        desk: Desk,
    ) -> Result<Self, StateError> {
        let state = file.load()?;
        let policies = policies_of(&staff.state().catalogue).map_err(StateError::Roles)?;
        let inner = Inner {
            people,
            house: grant::act::house_of(signer.verifier().as_bytes()),
            approvals: std::sync::Mutex::new(Nonces::new(MAX_APPROVALS)),
            calls: std::sync::Mutex::new(Nonces::new(MAX_CALLS)),
            desk,
            since: UtcMillis::now(),
            signer,
            recorder,
            ledger,
            office,
            file: Arc::new(file),
            staff: Mutex::new(staff),
            policies: RwLock::new(Arc::new(InForce::new(policies))),
            version: watch::Sender::new(public_version(&state)),
            state: Mutex::new(state),
            refusals: std::sync::Mutex::default(),
            counters: Arc::new(Counters::new()),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// What it counts.
    pub(crate) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.0.counters)
    }

    /// Does the work in a task of its own, so that a caller who gives up does not stop it half way between log
    /// and file.
    async fn whole<A, F, Fut>(&self, work: F) -> Result<A, Refused>
    where
        A: Send + 'static,
        F: FnOnce(Arc<Inner<R>>) -> Fut,
        Fut: Future<Output = Result<A, Refused>> + Send + 'static,
    {
        let done = tokio::spawn(work(Arc::clone(&self.0))).await;
        done.unwrap_or_else(|_| Err(Refused::new("internal", "the warden failed; see its log")))
    }
}

impl<R: Record> Inner<R> {
    /// The policies in force.
    pub(crate) fn policies(&self) -> Arc<InForce> {
        Arc::clone(&self.policies.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn put_in_force(&self, policies: Policies) {
        *self.policies.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(InForce::new(policies));
    }

    /// Somebody of this user number, as far as their call showed who they are.
    pub(crate) fn standing(
        &self,
        staff: &staff::State,
        uid: u32,
        login: Option<&Strengthened>,
        now: UtcMillis,
    ) -> Standing {
        let mut standing = Standing::of(&self.people, staff, uid, now);
        standing.login = login.map(|login| login.strength).unwrap_or_default();
        standing.token = login.and_then(|login| login.token.clone());
        standing
    }

    /// The key that checks the warden's own signatures.
    pub(crate) fn verifier(&self) -> Verifier {
        self.signer.verifier()
    }

    pub(crate) async fn record(&self, event: Event) -> Result<Entry, Refused> {
        let entry = self.recorder.record_one(event).await;
        entry.map_err(|error| {
            self.counters.add("refused.no-receipt", 1);
            tracing::warn!(%error, "nothing is done that cannot be recorded");
            error.into()
        })
    }

    /// Records a refusal to a person, then refuses.
    pub(crate) async fn deny(&self, person: &str, event: Event, refused: Refused) -> Refused {
        self.counters.add(format!("denied.{}", refused.code), 1);
        tracing::info!(%person, action = %event.action, reason = refused.code, "denied");
        let reason = refused.code.to_owned();
        let event = Event { outcome: Outcome::Refused, reason, on_behalf: person.to_owned(), ..event };
        match self.record(event).await {
            Ok(_) => refused,
            Err(refused) => refused,
        }
    }

    async fn grant(
        &self,
        uid: u32,
        asked: GrantRequest,
        login: Option<Strengthened>,
        now: UtcMillis,
    ) -> Result<Granted, Refused> {
        let staff = self.staff.lock().await;
        let standing = self.standing(staff.state(), uid, login.as_ref(), now);
        let id = random().map_err(|e| Refused::new("no-randomness", e.to_string()))?;
        let known = grant::Purpose::from_name(&asked.purpose).map_or("", grant::Purpose::name);
        let (owner, policies) = (self.people.owner(), self.policies());
        let version = format!("policies {}", policies.version());
        let session: Option<[u8; 32]> = asked.session_key.as_slice().try_into().ok();
        let event = Event {
            purpose: known.to_owned(),
            detail: version.clone(),
            case: asked.case,
            session: session.map(|key| session_of(&key)),
            ..Event::new(now, ACTOR, "grant", Outcome::Allowed)
        };
        let grounds =
            Grounds { standing: &standing, owner: &owner, staff: staff.state(), policies: &policies };
        let foreign = login.as_ref().is_some_and(|login| asked.session_key != login.key.as_bytes());
        let mut put = Vec::new();
        let decided =
            if foreign { Err(Denied::OtherSession) } else { decide(grounds, &asked, id, now, &mut put) };
        let (policies, login) = (policies.hash(), standing.login.code());
        let rested = Decided { policies, staff: staff.records(), login, put };
        let event = Event { decided: (!rested.put.is_empty()).then_some(rested), ..event };
        drop(staff);
        let grant = match decided {
            Ok(grant) => grant,
            Err(denied) => {
                let refused = Refused::new(denied.code(), denied.to_string());
                return Err(self.deny(&standing.name, event, refused).await);
            }
        };
        let mut detail = summary(&grant);
        if asked.case != 0 {
            detail.push_str(&format!(", case {}", asked.case));
        }
        detail.push_str(&format!(", {version}"));
        let event = Event { on_behalf: grant.person.clone(), grant_id: Some(id), detail, ..event };
        self.record(event).await?;
        self.note_use(&grant.person, &grant.role, now).await;
        self.counters.add("grants", 1);
        Ok(self.signed(&grant))
    }

    pub(crate) fn signed(&self, grant: &grant::Grant) -> Granted {
        Granted { grant: grant.sign(&self.signer) }
    }

    async fn health(&self) -> Health {
        let state = self.state.lock().await;
        let count = |what: &str| state.collectors.values().filter(|c| c.state == what).count() as u64;
        self.counters.set("collectors.admitted", count("admitted"));
        self.counters.set("collectors.revoked", count("revoked"));
        self.counters.health("ready")
    }
}

impl<R: Record> Warden<R> {
    /// A call of a person, in their session or outside of any.
    async fn by_person(
        &self,
        uid: u32,
        method: Method,
        body: Bytes,
        login: Option<Strengthened>,
        now: UtcMillis,
    ) -> Result<Bytes, Refused> {
        match method {
            Method::WardenGrant => {
                answer(body, |q| self.whole(move |w| async move { w.grant(uid, q, login, now).await })).await
            }
            Method::WardenCollectorToken => {
                let work = |q| self.whole(move |w| async move { w.token(uid, q, login, now).await });
                answer(body, work).await
            }
            Method::WardenRevokeCollector => {
                let work = |q| self.whole(move |w| async move { w.revoke(uid, q, login, now).await });
                answer(body, work).await
            }
            Method::WardenStaff => {
                let work = |q| self.whole(move |w| async move { w.errand(uid, q, login, now).await });
                answer(body, work).await
            }
            Method::WardenLogin => {
                let work =
                    |q| self.whole(move |w| async move { w.login_errand(uid, q, login.as_ref(), now).await });
                answer(body, work).await
            }
            method => Err(Refused::new("not-here", format!("the warden does not answer `{method}`"))),
        }
    }
}

impl<R: Record> Service for Warden<R> {
    async fn call(&self, caller: Caller, method: Method, body: Bytes) -> Result<Bytes, Refused> {
        let now = UtcMillis::now();
        match (method, caller) {
            (Method::WardenMachineGrant, Caller::Room(_)) => {
                answer(body, |q| self.whole(move |w| async move { w.machine_grant(q, now).await })).await
            }
            (Method::WardenEnrolCollector, _) => {
                answer(body, |q| self.whole(move |w| async move { w.enrol(q, now).await })).await
            }
            (Method::WardenCollectors, _) => answer(body, |q| async { Ok(self.0.collectors(q).await) }).await,
            (Method::Health, _) => answer(body, |_: HealthRequest| async { Ok(self.0.health().await) }).await,
            (Method::WardenInSession, Caller::Operator { uid }) => {
                let asked = InSession::decode(body)
                    .map_err(|_| Refused::new("malformed", "the call in a session cannot be read"))?;
                let opened = self.whole(move |w| async move { w.open_call(uid, &asked, now).await }).await?;
                let (method, body, login) = opened;
                self.by_person(uid, method, body.into(), Some(login), now).await
            }
            (method, Caller::Operator { uid }) => self.by_person(uid, method, body, None, now).await,
            (method, _) => Err(Refused::new("not-here", format!("the warden does not answer `{method}`"))),
        }
    }
}

#[cfg(test)]
#[path = "service_tests/mod.rs"]
mod tests;
