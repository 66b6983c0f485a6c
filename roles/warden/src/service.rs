//! The warden's answers.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base::{CollectorId, UtcMillis, random};
use bytes::Bytes;
use grant::{Action, Event, Nonces, Outcome, Purpose};
use house::Counters;
use link::{Caller, Service, answer};
use policy::{Catalogue, Policies};
use recorder::{Entry, Record};
use seal::sign::{Signer, Verifier};
use tokio::sync::{Mutex, watch};
use wire::gateway::{Done, Enrol, Enrolment};
use wire::health::{Health, HealthRequest};
use wire::warden::{
    Collector, Collectors, CollectorsRequest, GrantRequest, Granted, RevokeCollector, Token, TokenRequest,
};
use wire::{Method, Refused};

use crate::enrolment::{Enrolled, MAX_NAME, NotEnrolled, Office};
use crate::in_force::InForce;
use crate::minting::{Grounds, decide, summary};
use crate::people::People;
use crate::staff::Staff;
use crate::standing::Standing;
use crate::state::{self, State, StateError, StateFile};

pub(crate) const ACTOR: &str = "warden";
/// A token is good for a day at most, and for a minute at least.
const TOKEN_LIFE_S: std::ops::RangeInclusive<u32> = 60..=24 * 3600;
/// Tokens that wait to be used, at most.
const MAX_TOKENS: usize = 1000;
/// Refused requests of one token that are recorded one by one; the rest is only counted.
const RECORDED_REFUSALS: u32 = 16;
/// Approvals in five minutes, at most.
const MAX_APPROVALS: usize = 10_000;
/// The longest wait of a long poll.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// The room: knows people and collectors.
pub struct Warden<R>(Arc<Inner<R>>);

pub(crate) struct Inner<R> {
    pub(crate) people: People,
    signer: Signer,
    recorder: R,
    pub(crate) ledger: Verifier,
    office: Office,
    file: Arc<StateFile>,
    pub(crate) staff: Mutex<Staff>,
    policies: RwLock<Arc<InForce>>,
    state: Mutex<State>,
    version: watch::Sender<u64>,
    /// Refusals by token, so that a flood of forged requests does not fill the log.
    refusals: std::sync::Mutex<HashMap<[u8; 16], u32>>,
    /// Which house approvals have to be for.
    pub(crate) house: [u8; 32],
    pub(crate) approvals: std::sync::Mutex<Nonces>,
    /// Approvals from before are not known to be new.
    pub(crate) since: UtcMillis,
    pub(crate) counters: Counters,
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
        (recorder, ledger): (R, Verifier),
        office: Office,
        (file, staff): (StateFile, Staff),
    ) -> Result<Self, StateError> {
        let state = file.load()?;
        let policies = policies_of(&staff.state().catalogue).map_err(StateError::Roles)?;
        let inner = Inner {
            people,
            house: grant::act::house_of(signer.verifier().as_bytes()),
            approvals: std::sync::Mutex::new(Nonces::new(MAX_APPROVALS)),
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
            counters: Counters::new(),
        };
        Ok(Self(Arc::new(inner)))
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

/// The version that others see: never 0, so that who knows nothing gets an answer at once.
const fn public_version(state: &State) -> u64 {
    state.version.saturating_add(1)
}

impl<R: Record> Inner<R> {
    /// The policies in force.
    pub(crate) fn policies(&self) -> Arc<InForce> {
        Arc::clone(&self.policies.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn put_in_force(&self, policies: Policies) {
        *self.policies.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(InForce::new(policies));
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

    async fn grant(&self, uid: u32, asked: GrantRequest, now: UtcMillis) -> Result<Granted, Refused> {
        let staff = self.staff.lock().await;
        let standing = Standing::of(&self.people, staff.state(), uid, now);
        let id = random().map_err(|e| Refused::new("no-randomness", e.to_string()))?;
        let known = grant::Purpose::from_name(&asked.purpose).map_or("", grant::Purpose::name);
        let (owner, policies) = (self.people.owner(), self.policies());
        let version = format!("policies {}", policies.version());
        let event = Event {
            purpose: known.to_owned(),
            detail: version.clone(),
            ..Event::new(now, ACTOR, "grant", Outcome::Allowed)
        };
        let grounds =
            Grounds { standing: &standing, owner: &owner, staff: staff.state(), policies: &policies };
        let decided = decide(grounds, &asked, id, now);
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

    /// Who may look after collectors: those whose role has that purpose.
    async fn keeper(
        &self,
        uid: u32,
        action: Action,
        event: &Event,
        now: UtcMillis,
    ) -> Result<String, Refused> {
        let staff = self.staff.lock().await;
        let standing = Standing::of(&self.people, staff.state(), uid, now);
        drop(staff);
        match self.may(&standing, &[Purpose::Collectors], action) {
            Ok(_) => Ok(standing.name),
            Err(refused) => Err(self.deny(&standing.name, event.clone(), refused).await),
        }
    }

    /// Puts a new state on the disk, then in memory.
    async fn keep(&self, held: &mut State, next: State) -> Result<(), Refused> {
        let (file, saved) = (Arc::clone(&self.file), next.clone());
        let done = tokio::task::spawn_blocking(move || file.save(&saved)).await;
        let failed = |error: String| {
            self.counters.note(format!("the state cannot be written: {error}"));
            Refused::new("not-stored", format!("the warden cannot write its state: {error}"))
        };
        done.map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.to_string()))?;
        *held = next;
        self.version.send_replace(public_version(held));
        Ok(())
    }

    async fn token(&self, uid: u32, asked: TokenRequest, now: UtcMillis) -> Result<Token, Refused> {
        let event = Event::new(now, ACTOR, "collector-token", Outcome::Allowed);
        let person = self.keeper(uid, Action::EnrolCollector, &event, now).await?;
        let name = asked.name.trim();
        if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(Refused::new(
                "malformed",
                format!("`{}` is no name; write 1 to 64 letters", name.escape_debug()),
            ));
        }
        if !TOKEN_LIFE_S.contains(&asked.valid_s) {
            return Err(Refused::new("malformed", "a token is good for at least a minute and at most a day"));
        }
        let mut state = self.state.lock().await;
        let mut next = state.clone();
        next.forget_old_tokens(now);
        let open = |t: &&state::Token| t.used_by.is_empty() && now.0 < t.expires_ms;
        if next.tokens.values().filter(open).count() >= MAX_TOKENS {
            return Err(Refused::new(
                "too-many-tokens",
                "1,000 tokens wait to be used; use them, or wait until they end",
            ));
        }
        let id: [u8; 16] = random().map_err(|e| Refused::new("no-randomness", e.to_string()))?;
        let expires = now.plus(i64::from(asked.valid_s) * 1000);
        let detail = format!("token {} until {expires}", hex::encode(id));
        self.record(Event { on_behalf: person, detail, ..event }).await?;
        let token = state::Token {
            id: id.to_vec(),
            name: name.to_owned(),
            expires_ms: expires.0,
            ..Default::default()
        };
        next.tokens.insert(id, token);
        self.keep(&mut state, next).await?;
        self.counters.add("tokens", 1);
        let secret = self.office.tokens.secret(&id, expires);
        Ok(Token { token_id: id.to_vec(), secret: secret.expose().to_vec() })
    }

    /// A refusal is an answer too, for the collector; only what may come right by itself is an error.
    async fn enrol(&self, request: Enrol, now: UtcMillis) -> Result<Enrolment, Refused> {
        let mut state = self.state.lock().await;
        let event = Event::new(now, ACTOR, "enrol-collector", Outcome::Allowed);
        let detail = format!("token {}", hex::encode(request.token_id.get(..16).unwrap_or_default()));
        match self.office.judge(&state, &request, now) {
            Ok(Enrolled::Again(enrolment)) => Ok(enrolment),
            Ok(Enrolled::New(next, id, enrolment)) => {
                self.record(Event { on_behalf: id.to_string(), detail, ..event }).await?;
                self.keep(&mut state, *next).await?;
                self.counters.add("enrolled", 1);
                tracing::info!(collector = %id, "enrolled");
                Ok(enrolment)
            }
            Err(refusal) => {
                drop(state);
                self.refuse_enrolment(&request, &refusal, Event { detail, ..event }).await?;
                Ok(Enrolment { answered: true, refused: refusal.to_string(), ..Default::default() })
            }
        }
    }

    async fn refuse_enrolment(
        &self,
        request: &Enrol,
        refusal: &NotEnrolled,
        event: Event,
    ) -> Result<(), Refused> {
        self.counters.add(format!("refused.enrolment.{}", refusal.code()), 1);
        tracing::warn!(reason = refusal.code(), "an enrolment is refused");
        // Anybody can name a token that does not exist: counted, not recorded.
        let (false, Ok(id)) = (*refusal == NotEnrolled::UnknownToken, request.token_id.as_slice().try_into())
        else {
            return Ok(());
        };
        let before = {
            let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            let count = refusals.entry(id).or_insert(0);
            *count = count.saturating_add(1);
            *count
        };
        if matches!(refusal, NotEnrolled::Forged | NotEnrolled::UsedTwice) {
            self.counters.note(format!("collector token {}: {refusal}", hex::encode(id)));
        }
        if before > RECORDED_REFUSALS {
            return Ok(());
        }
        let event = Event { outcome: Outcome::Refused, reason: refusal.code().to_owned(), ..event };
        self.record(event).await.map(drop)
    }

    async fn revoke(&self, uid: u32, asked: RevokeCollector, now: UtcMillis) -> Result<Done, Refused> {
        let event = Event::new(now, ACTOR, grant::Action::RevokeCollector.name(), Outcome::Allowed);
        let person = self.keeper(uid, Action::RevokeCollector, &event, now).await?;
        let id = CollectorId(asked.collector);
        let mut state = self.state.lock().await;
        let mut next = state.clone();
        let Some(collector) = next.collectors.get_mut(&id) else {
            return Err(Refused::new(
                "no-such-collector",
                format!("there is no collector `{id}`; `meterkeep status` lists them"),
            ));
        };
        if collector.state == "revoked" {
            return Ok(Done {});
        }
        let reason: String = asked.reason.chars().filter(|c| !c.is_control()).take(200).collect();
        self.record(Event { on_behalf: person, detail: format!("{id}: {reason}"), ..event }).await?;
        "revoked".clone_into(&mut collector.state);
        collector.since_ms = now.0;
        next.version = next.version.saturating_add(1);
        self.keep(&mut state, next).await?;
        self.counters.add("revoked", 1);
        tracing::warn!(collector = %id, "revoked");
        Ok(Done {})
    }

    async fn collectors(&self, asked: CollectorsRequest) -> Collectors {
        let mut version = self.version.subscribe();
        let wait = Duration::from_millis(u64::from(asked.wait_ms)).min(MAX_WAIT);
        // "Other than", not "newer than": who saw a later version than this file has must learn that too.
        let news = version.wait_for(|now| *now != asked.seen_version);
        let _ = tokio::time::timeout(wait, news).await;
        let state = self.state.lock().await;
        let collectors = state.collectors.values().map(|c| Collector {
            id: c.id,
            name: c.name.clone(),
            signing_key: c.signing_key.clone(),
            certificate_sha256: c.certificate_sha256.clone(),
            state: c.state.clone(),
            since_ms: c.since_ms,
        });
        Collectors { version: public_version(&state), collectors: collectors.collect() }
    }

    async fn health(&self) -> Health {
        let state = self.state.lock().await;
        let count = |what: &str| state.collectors.values().filter(|c| c.state == what).count() as u64;
        self.counters.set("collectors.admitted", count("admitted"));
        self.counters.set("collectors.revoked", count("revoked"));
        self.counters.health("ready")
    }
}

impl<R: Record> Service for Warden<R> {
    async fn call(&self, caller: Caller, method: Method, body: Bytes) -> Result<Bytes, Refused> {
        let now = UtcMillis::now();
        match (method, caller) {
            (Method::WardenGrant, Caller::Operator { uid }) => {
                answer(body, |q| self.whole(move |w| async move { w.grant(uid, q, now).await })).await
            }
            (Method::WardenCollectorToken, Caller::Operator { uid }) => {
                answer(body, |q| self.whole(move |w| async move { w.token(uid, q, now).await })).await
            }
            (Method::WardenRevokeCollector, Caller::Operator { uid }) => {
                answer(body, |q| self.whole(move |w| async move { w.revoke(uid, q, now).await })).await
            }
            (Method::WardenStaff, Caller::Operator { uid }) => {
                answer(body, |q| self.whole(move |w| async move { w.errand(uid, q, now).await })).await
            }
            (Method::WardenMachineGrant, Caller::Room(_)) => {
                answer(body, |q| self.whole(move |w| async move { w.machine_grant(q, now).await })).await
            }
            (Method::WardenEnrolCollector, _) => {
                answer(body, |q| self.whole(move |w| async move { w.enrol(q, now).await })).await
            }
            (Method::WardenCollectors, _) => answer(body, |q| async { Ok(self.0.collectors(q).await) }).await,
            (Method::Health, _) => answer(body, |_: HealthRequest| async { Ok(self.0.health().await) }).await,
            (method, _) => Err(Refused::new("not-here", format!("the warden does not answer `{method}`"))),
        }
    }
}

#[cfg(test)]
#[path = "service_tests/mod.rs"]
mod tests;
