//! Somebody signs in, or shows anew who they are.

use std::net::IpAddr;

use base::{SecretBytes, UtcMillis};
use grant::{Event, Outcome, session_of};
use login::password::Standard;
use login::session::ABSOLUTE;
use login::{
    Account, Attempt, Challenge, Change, Claimant, Factor, Name, Proven, Refusal, RelyingParty,
    ServiceAccount, Session, Step, Ticket,
};
use recorder::Record;
use wire::Refused;
use wire::login::{By, LoginAnswer, Proof, Prove};

use super::{Begun, Held, address_of, copy, key, machine, malformed, place_of, refused};
use crate::service::{ACTOR, Inner};
use crate::standing::Standing;

/// Passwords with more bytes are none.
const MAX_PASSWORD: usize = 4096;

/// What was proved, what that used up, and the ticket of the attempt.
struct Shown {
    result: Result<(Proven, Ticket), Refusal>,
    changes: Vec<Change>,
}

impl<R: Record> Inner<R> {
    /// Begins a sign-in for the session key that the client made. Says the same to everybody.
    pub(super) async fn begin_sign_in(
        &self,
        standing: &Standing,
        session_key: &[u8],
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let name = super::ways::name_of(standing)?;
        let house = *self.house.first_chunk().unwrap_or(&[0; 16]);
        let challenge = Challenge::begin(house, name, key(session_key)?, now).map_err(machine)?;
        let asked = self.desk.party.as_ref().map(|party| party.ask(&challenge)).transpose();
        let (passkey, question) = asked.map_err(machine)?.unzip();
        let (nonce, to_sign) = (challenge.nonce().to_vec(), challenge.to_sign());
        let mut held = self.desk.held.lock().await;
        let post = held.provider().and_then(|provider| super::provider::first_form(&provider));
        held.begin(Begun { challenge, question, asked: None }, now);
        let passkey = passkey.unwrap_or_default();
        Ok(LoginAnswer { nonce, to_sign, passkey, post, ..LoginAnswer::default() })
    }

    /// Takes the proofs. Whoever asks, the attempt is counted on the disk before it is checked.
    pub(super) async fn prove_sign_in(
        &self,
        uid: u32,
        standing: &Standing,
        asked: Prove,
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let event = Event::new(now, ACTOR, "sign-in", Outcome::Allowed);
        let event = Event { detail: format!("user {uid}"), ..event };
        let nonce: [u8; 32] =
            asked.nonce.as_slice().try_into().map_err(|_| malformed("nonce has not 32 bytes"))?;
        let one_at_a_time = self.desk.proving.lock().await;
        let (begun, checked, ticket, device) = {
            let mut held = self.desk.held.lock().await;
            let begun = held.begun.remove(&nonce).filter(|b| b.challenge.name().as_str() == standing.name);
            let Some(begun) = begun else {
                drop(held);
                return Err(self.refuse_sign_in(standing, event, Refusal::NotThisSession).await);
            };
            let name = begun.challenge.name();
            let account = held.accounts.get(name).and_then(copy);
            let service = held.services.get(name).filter(|_| standing.service).cloned();
            let exists = account.is_some() || service.is_some();
            let device = account.as_ref().and_then(|a| a.devices.recognise(&asked.device, now));
            let attempt = Attempt { name, exists, source: place_of(uid), device };
            match held.throttle.admit(&attempt, now) {
                Ok(ticket) => {
                    self.desk.keep(&mut held).await?;
                    (begun, Checked { account, service, from: address_of(uid) }, ticket, device)
                }
                Err(throttled) => {
                    drop(held);
                    let why = format!("too many tries; there is no use in trying before {}", throttled.until);
                    let event =
                        Event { detail: format!("{}, until {}", event.detail, throttled.until), ..event };
                    return Err(self.deny(&standing.name, event, Refused::new("throttled", why)).await);
                }
            }
        };
        let party = self.desk.party.clone();
        let work = move || check(begun, &checked, ticket, asked.proofs, party.as_deref(), now);
        let shown = tokio::task::spawn_blocking(work).await.map_err(|_| refused())?;
        let answer = self.let_in(standing, event, shown, device, now).await;
        drop(one_at_a_time);
        answer
    }

    /// Writes down what the proofs used up, in any case, and opens the session.
    async fn let_in(
        &self,
        standing: &Standing,
        event: Event,
        shown: Shown,
        device: Option<login::DeviceId>,
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let mut held = self.desk.held.lock().await;
        let name = super::ways::name_of(standing)?;
        // a way to sign in that was taken away meanwhile proves nothing
        let taken = held.accounts.get_mut(&name).is_some_and(|account| {
            // all of them, also after one that found nothing to change
            let lost = shown.changes.iter().filter(|change| !account.apply(change));
            lost.count() == 0
        });
        let result = shown.result.and_then(|(proven, ticket)| {
            let whole = match token_of(&proven) {
                None if taken => Ok(()),
                None => Err(Refusal::NotEnrolled),
                Some(token) => held.use_token(&name, token, now),
            };
            whole.map(|()| (proven, ticket))
        });
        let factors = |proven: &Proven| {
            let names: Vec<&str> = proven.factors().iter().copied().map(Factor::as_str).collect();
            names.join(" ")
        };
        let opened = result.and_then(|(proven, ticket)| {
            let by = match token_of(&proven) {
                Some(token) => format!("token {token}"),
                None => factors(&proven),
            };
            let key = proven.session();
            Ok((by, held.open(proven, now)?, key, ticket))
        });
        let (by, Opened { session, again, ended }, key, ticket) = match opened {
            Ok(opened) => opened,
            Err(refusal) => {
                self.desk.keep(&mut held).await?;
                drop(held);
                return Err(self.refuse_sign_in(standing, event, refusal).await);
            }
        };
        held.throttle.succeeded(ticket);
        let token = match (device, held.accounts.get_mut(&name)) {
            (Some(device), Some(account)) => {
                account.devices.used(device, now);
                Vec::new()
            }
            (None, Some(account)) => account.devices.remember(now).map_err(machine)?.expose().to_vec(),
            // a program is known by its token, wherever it runs
            (_, None) if session.token().is_some() => Vec::new(),
            (_, None) => return Err(refused()),
        };
        let how = if again { "anew, " } else { "" };
        let mut detail = format!("{how}session {} by {}, {}", session.id(), by, event.detail);
        for old in &ended {
            detail.push_str(&format!(", session {} ends", old.id()));
        }
        let (on_behalf, key) = (standing.name.clone(), Some(session_of(key.as_bytes())));
        let recorded = self.record(Event { on_behalf, session: key, detail, ..event }).await;
        if let Err(refused) = recorded {
            // a step-up that is not in the log does not count either; what it used up does
            held.sessions.end(session.id());
            self.desk.keep(&mut held).await?;
            return Err(refused);
        }
        self.desk.keep(&mut held).await?;
        self.counters.add(if again { "sign-ins.anew" } else { "sign-ins" }, 1);
        Ok(LoginAnswer {
            done: format!("`{}` is signed in", standing.name),
            session: session.id().0.to_vec(),
            strength: session.strength(now).as_str().to_owned(),
            until_ms: session.created().plus(ABSOLUTE).0,
            device: token,
            ..LoginAnswer::default()
        })
    }

    /// The log gets the reason, and who asks only that it is refused.
    pub(super) async fn refuse_sign_in(
        &self,
        standing: &Standing,
        event: Event,
        refusal: Refusal,
    ) -> Refused {
        let coded = Refused::new(refusal.reason(), refusal.to_string());
        let told = self.deny(&standing.name, event, coded).await;
        if refusal == Refusal::ClonedAuthenticator {
            self.counters.add("alarm.cloned-passkey", 1);
            self.counters.note(format!("somebody has a copy of a passkey of `{}`", standing.name));
        }
        match refusal {
            // about the provider's keys, which are no secret, and nothing about anybody
            Refusal::UnknownProviderKey if told.code == refusal.reason() => super::provider::refresh(),
            _ if told.code == refusal.reason() => refused(),
            _ => told,
        }
    }
}

/// Whom proofs are checked against.
struct Checked {
    account: Option<Account>,
    service: Option<ServiceAccount>,
    from: IpAddr,
}

/// The token that a program showed.
fn token_of(proven: &Proven) -> Option<u64> {
    proven.factors().iter().find_map(|factor| match factor {
        Factor::Token(id) => Some(*id),
        _ => None,
    })
}

/// Checks one or two proofs of one challenge. Nothing here is said to anybody before the changes are on the disk.
fn check(
    begun: Begun,
    checked: &Checked,
    ticket: Ticket,
    proofs: Vec<Proof>,
    party: Option<&RelyingParty>,
    now: UtcMillis,
) -> Shown {
    let (mut changes, account) = (Vec::new(), checked.account.as_ref());
    let Begun { challenge, mut question, mut asked } = begun;
    let mut proofs = proofs.into_iter();
    let (first, second) = (proofs.next().and_then(|p| p.by), proofs.next().map(|p| p.by));
    let mut prove = |by: Option<By>, challenge: &Challenge, ticket: Ticket| {
        let by = by.ok_or(Refusal::Malformed)?;
        if let By::Token(typed) = &by {
            // nobody else's account has tokens
            let service = checked.service.as_ref().ok_or(Refusal::NotEnrolled)?;
            let outcome = ServiceAccount::prove(Some(service), challenge, ticket, typed, checked.from, now);
            return outcome
                .after(|_| Ok::<(), std::convert::Infallible>(()))
                .unwrap_or(Err(Refusal::Machine));
        }
        let claimant = Claimant::new(account, challenge, ticket)?;
        let outcome = match by {
            By::Password(password) if password.len() <= MAX_PASSWORD => {
                claimant.password::<Standard>(&SecretBytes::new(password), now)
            }
            By::Password(_) => return Err(Refusal::WrongPassword),
            By::Code(code) => claimant.code(&code, now),
            By::Recovery(code) => claimant.recovery(&code, now),
            By::Key(signature) => claimant.key(&signature, now),
            By::Passkey(answer) => match (party, question.take()) {
                (Some(party), Some(question)) => claimant.passkey(party, question, &answer, now),
                _ => return Err(Refusal::NotEnrolled),
            },
            By::Provider(answer) => match asked.take() {
                Some((provider, open)) => claimant.provider(&provider, &open, &answer, now),
                None => return Err(Refusal::NotThisSession),
            },
            By::Token(_) => return Err(Refusal::NotEnrolled),
        };
        let kept = outcome.after(|found| {
            changes.extend_from_slice(found);
            Ok::<(), std::convert::Infallible>(())
        });
        kept.unwrap_or(Err(Refusal::Machine))
    };
    let run = || {
        let shown = prove(first, &challenge, ticket)?;
        let Some(second) = second else {
            return match challenge.answer(shown.proof, now)? {
                Step::Done(proven) => Ok((proven, shown.ticket)),
                // one of two: outside that is no other answer than a wrong one
                Step::More(_) => Err(Refusal::SameFactor),
            };
        };
        let pending = challenge.answer_first(shown.proof, now)?;
        let shown = prove(second, pending.challenge(), shown.ticket)?;
        Ok((pending.answer(shown.proof, now)?, shown.ticket))
    };
    let result = run();
    Shown { result, changes }
}

/// A session that was opened, or shown anew.
struct Opened {
    session: Session,
    again: bool,
    /// Sessions that made room.
    ended: Vec<Session>,
}

impl Held {
    /// Notes the use of a program's token, if it is still good.
    fn use_token(&mut self, name: &Name, token: u64, now: UtcMillis) -> Result<(), Refusal> {
        let service = self.services.get_mut(name).ok_or(Refusal::UnknownToken)?;
        service.scope(token, now)?;
        service.note(token, now);
        Ok(())
    }

    /// Opens a session for what was proved; or takes it as shown anew, where its key has one.
    fn open(&mut self, proven: Proven, now: UtcMillis) -> Result<Opened, Refusal> {
        if let Some(session) = self.sessions.by_key_mut(&proven.session(), now) {
            session.step_up(&proven, now)?;
            return Ok(Opened { session: session.clone(), again: true, ended: Vec::new() });
        }
        let session = Session::open(proven)?;
        let ended = self.sessions.add(session.clone(), now)?;
        Ok(Opened { session, again: false, ended })
    }
}
