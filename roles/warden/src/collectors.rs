//! The collectors' desk: tokens for new ones, their enrolment and revocation, and who is admitted.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use base::{CollectorId, UtcMillis, random};
use grant::{Action, Event, Outcome, Purpose};
use recorder::Record;
use wire::Refused;
use wire::gateway::{Done, Enrol, Enrolment};
use wire::warden::{Collector, Collectors, CollectorsRequest, RevokeCollector, Token, TokenRequest};

use crate::enrolment::{Enrolled, MAX_NAME, NotEnrolled};
use crate::service::{ACTOR, Inner};
use crate::signing_in::Strengthened;
use crate::state::{self, State};

/// A token is good for a day at most, and for a minute at least.
const TOKEN_LIFE_S: std::ops::RangeInclusive<u32> = 60..=24 * 3600;
/// Tokens that wait to be used, at most.
const MAX_TOKENS: usize = 1000;
/// Refused requests of one token that are recorded one by one; the rest is only counted.
pub(crate) const RECORDED_REFUSALS: u32 = 16;
/// The longest wait of a long poll.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// The version that others see: never 0, so that who knows nothing gets an answer at once.
pub(crate) const fn public_version(state: &State) -> u64 {
    state.version.saturating_add(1)
}

impl<R: Record> Inner<R> {
    /// Who may look after collectors: those whose role has that purpose.
    async fn keeper(
        &self,
        (uid, login): (u32, Option<Strengthened>),
        action: Action,
        event: &Event,
        now: UtcMillis,
    ) -> Result<String, Refused> {
        let staff = self.staff.lock().await;
        let standing = self.standing(staff.state(), uid, login.as_ref(), now);
        drop(staff);
        match self.may(&standing, &[Purpose::Collectors, Purpose::Incident], action) {
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

    pub(crate) async fn token(
        &self,
        uid: u32,
        asked: TokenRequest,
        login: Option<Strengthened>,
        now: UtcMillis,
    ) -> Result<Token, Refused> {
        let event = Event::new(now, ACTOR, "collector-token", Outcome::Allowed);
        let person = self.keeper((uid, login), Action::EnrolCollector, &event, now).await?;
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
    pub(crate) async fn enrol(&self, request: Enrol, now: UtcMillis) -> Result<Enrolment, Refused> {
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

    pub(crate) async fn revoke(
        &self,
        uid: u32,
        asked: RevokeCollector,
        login: Option<Strengthened>,
        now: UtcMillis,
    ) -> Result<Done, Refused> {
        let event = Event::new(now, ACTOR, grant::Action::RevokeCollector.name(), Outcome::Allowed);
        let person = self.keeper((uid, login), Action::RevokeCollector, &event, now).await?;
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

    pub(crate) async fn collectors(&self, asked: CollectorsRequest) -> Collectors {
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
}
