//! Calls of who is signed in: each is signed by the session's key, counts once, and only from the session's own user.

use std::sync::{Arc, PoisonError};

use base::UtcMillis;
use grant::{Event, Outcome, check_call};
use login::SessionId;
use login::service::Scope;
use recorder::Record;
use seal::sign::Verifier;
use wire::login::{InSession, SessionCall};
use wire::{Message as _, Method, Refused};

use super::{key, malformed, strength};
use crate::service::{ACTOR, Inner};

/// A use of a session that is noted in memory only: after a restart so much of the idle time may be lost.
const NOTED_MS: i64 = 60_000;

/// A call that came in a session.
#[derive(Debug, Clone)]
pub(crate) struct Strengthened {
    /// The session.
    pub(crate) session: SessionId,
    /// Its key.
    pub(crate) key: Verifier,
    /// How well its person showed who they are, as of now.
    pub(crate) strength: policy::Strength,
    /// What the token allows, as of now, that a program opened the session with.
    pub(crate) token: Option<Arc<Scope>>,
}

/// The methods that people call.
const fn is_a_persons(method: Method) -> bool {
    matches!(
        method,
        Method::WardenGrant
            | Method::WardenCollectorToken
            | Method::WardenRevokeCollector
            | Method::WardenStaff
            | Method::WardenLogin
    )
}

impl<R: Record> Inner<R> {
    /// What is called, and with which login.
    pub(crate) async fn open_call(
        &self,
        uid: u32,
        asked: &InSession,
        now: UtcMillis,
    ) -> Result<(Method, Vec<u8>, Strengthened), Refused> {
        let person = {
            let staff = self.staff.lock().await;
            self.standing(staff.state(), uid, None, now).name
        };
        match self.opened(&person, asked, now).await {
            Ok(opened) => Ok(opened),
            Err(refused) => {
                let event = Event::new(now, ACTOR, "session", Outcome::Refused);
                Err(self.deny(&person, event, refused).await)
            }
        }
    }

    async fn opened(
        &self,
        person: &str,
        asked: &InSession,
        now: UtcMillis,
    ) -> Result<(Method, Vec<u8>, Strengthened), Refused> {
        let over = || {
            let why = "your session is over, or none of this house and user; sign in with `meterkeep login`";
            Refused::new("no-session", why)
        };
        let key = key(&asked.session_key)?;
        let mut guard = self.desk.held.lock().await;
        let held = &mut *guard;
        let session = held.sessions.by_key_mut(&key, now).filter(|session| session.name().as_str() == person);
        let session = session.ok_or_else(over)?;
        let wrong = |why: String| Refused::new("session-call", why);
        let call =
            check_call(&asked.call, person, &key, &self.house, now).map_err(|e| wrong(e.to_string()))?;
        if call.at < self.since {
            return Err(wrong("the call was signed before the warden started; sign it again".to_owned()));
        }
        let taken = self.calls.lock().unwrap_or_else(PoisonError::into_inner).take_call(&call, now);
        taken.map_err(|replayed| Refused::new(replayed.code(), replayed.to_string()))?;
        let inner = SessionCall::decode(call.body.as_slice()).map_err(|_| malformed("call is none"))?;
        let method = Method::from_number(inner.method).filter(|method| is_a_persons(*method));
        let method = method.ok_or_else(|| malformed("method is none that people call"))?;
        let (id, strength, noted) = (session.id(), strength(session.strength(now)), session.used());
        session.touch(now).map_err(|_| over())?;
        let token = match session.token() {
            None => None,
            // what a token opened is worth no more than the token is now
            Some(token) => {
                let service = held.services.get_mut(session.name()).ok_or_else(over)?;
                let scope = service.scope(token, now).map_err(|_| over())?.clone();
                service.note(token, now);
                Some(Arc::new(scope))
            }
        };
        if now.since(noted) >= NOTED_MS {
            self.desk.keep(held).await?;
        }
        Ok((method, inner.body, Strengthened { session: id, key, strength, token }))
    }
}
