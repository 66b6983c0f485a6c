//! Which ways to sign in somebody has, which sessions are open, and ending both.

use base::UtcMillis;
use grant::{Action, Event, Outcome, Purpose};
use login::{Account, Name, Session, SessionId, SignInKey};
use recorder::Record;
use tokio::sync::MutexGuard;
use wire::Refused;
use wire::login::{LoginAnswer, LoginErrand, LoginWish, LookLogins, ShownSession, ShownWays};

use super::enrol::SET;
use super::{Held, Strengthened, malformed};
use crate::service::{ACTOR, Inner};
use crate::standing::Standing;

/// The name that somebody signs in under: the one that the log knows them by, letter for letter.
pub(super) fn name_of(standing: &Standing) -> Result<Name, Refused> {
    let name = standing.name.parse::<Name>().ok();
    let same = name.filter(|name| name.as_str() == standing.name);
    same.filter(|_| standing.known).ok_or_else(|| {
        let why = "you have no ways to sign in here; an administrator names and invites you first";
        Refused::new("no-role", why)
    })
}

/// What needs two factors, minutes ago.
pub(super) fn not_now() -> Refused {
    Refused::new(
        "needs",
        "sign in again with two factors (`meterkeep login --again`), then do it in the same session",
    )
}

impl Held {
    /// Everybody who could have a session.
    fn names(&self) -> impl Iterator<Item = &Name> {
        self.accounts.keys().chain(self.services.keys())
    }
}

impl<R: Record> Inner<R> {
    /// Does an errand of signing in.
    pub(crate) async fn login_errand(
        &self,
        uid: u32,
        errand: LoginErrand,
        login: Option<&Strengthened>,
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let wish = errand.wish.ok_or_else(|| malformed("wish is missing"))?;
        let (standing, title) = {
            let staff = self.staff.lock().await;
            let standing = self.standing(staff.state(), uid, login, now);
            let title = staff.state().member(&standing.name).map(|m| m.title.clone()).unwrap_or_default();
            (standing, title)
        };
        match wish {
            LoginWish::Invite(asked) => self.invite(&standing, asked, now).await,
            LoginWish::Redeem(code) => self.redeem(&standing, &title, &code, now).await,
            LoginWish::Enrol(asked) => self.set_password(&standing, asked, now).await,
            LoginWish::Begin(key) => self.begin_sign_in(&standing, &key, now).await,
            LoginWish::Prove(asked) => self.prove_sign_in(uid, &standing, asked, now).await,
            LoginWish::Look(asked) => self.look_logins(&standing, &asked, now).await,
            LoginWish::End(id) => self.end_sessions(&standing, &id, now).await,
            LoginWish::AskPasskey(ticket) => self.ask_passkey(&standing, &ticket, login, now).await,
            LoginWish::AddPasskey(asked) => self.add_passkey(&standing, asked, login, now).await,
            LoginWish::AddKey(line) => {
                let key = SignInKey::from_line(&line, now).map_err(|e| Refused::new("key", e.to_string()))?;
                let what = format!("the key {}", key.fingerprint());
                let add = |account: &mut Account| account.add_key(key).is_ok();
                self.change_ways(&standing, login, &what, add, now).await
            }
            LoginWish::RemoveKey(fingerprint) => {
                let what = format!("no longer the key {}", crate::shown::line(&fingerprint));
                let remove = |account: &mut Account| account.remove_key(&fingerprint);
                self.change_ways(&standing, login, &what, remove, now).await
            }
            LoginWish::RemovePasskey(id) => {
                let what = format!("no longer the passkey {}", hex::encode(&id));
                let remove = |account: &mut Account| account.remove_passkey(&id);
                self.change_ways(&standing, login, &what, remove, now).await
            }
            LoginWish::SetProvider(new) => self.set_provider(&standing, new, now).await,
            LoginWish::EndProvider(_) => self.end_provider(&standing, now).await,
            LoginWish::LookProvider(_) => self.look_provider(&standing, now).await,
            LoginWish::Link(link) => self.link(&standing, link, login, now).await,
            LoginWish::AskProvider(begun) => self.ask_provider(&standing, &begun, now).await,
            LoginWish::AddToken(new) => self.add_token(&standing, new, now).await,
            LoginWish::EndToken(of) => self.end_token(&standing, &of, now).await,
        }
    }

    /// Changes one's own ways to sign in, in a session that showed two factors minutes ago.
    async fn change_ways(
        &self,
        standing: &Standing,
        login: Option<&Strengthened>,
        what: &str,
        change: impl FnOnce(&mut Account) -> bool,
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let event = Event::new(now, ACTOR, SET, Outcome::Allowed);
        if login.is_none_or(|login| login.strength < policy::Strength::StepUp) {
            return Err(self.deny(&standing.name, event, not_now()).await);
        }
        let name = name_of(standing)?;
        let mut held = self.desk.held.lock().await;
        let done = held.accounts.get_mut(&name).is_some_and(change);
        if !done {
            let why = "there is no such way to sign in, it is there already, or there are 16";
            return Err(Refused::new("ways", why));
        }
        self.changed_ways(held, standing, what, now).await
    }

    /// Records a change of one's own ways to sign in that was made in memory, and keeps it; or takes it back.
    pub(super) async fn changed_ways(
        &self,
        mut held: MutexGuard<'_, Held>,
        standing: &Standing,
        what: &str,
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let event = Event::new(now, ACTOR, SET, Outcome::Allowed);
        let event = Event { on_behalf: standing.name.clone(), detail: what.to_owned(), ..event };
        self.record_or_forget(event, &mut held).await?;
        self.desk.keep(&mut held).await?;
        Ok(LoginAnswer {
            done: format!("`{}` signs in with {what}", standing.name),
            ..LoginAnswer::default()
        })
    }

    /// Records what was changed in memory already; where that fails, it is not changed.
    pub(super) async fn record_or_forget(&self, event: Event, held: &mut Held) -> Result<(), Refused> {
        let recorded = self.record(event).await.map(drop);
        if recorded.is_err() {
            self.desk.forget_changes(held);
        }
        recorded
    }

    async fn look_logins(
        &self,
        standing: &Standing,
        asked: &LookLogins,
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let event = Event::new(now, ACTOR, Action::ReadAccess.name(), Outcome::Allowed);
        if asked.all {
            let lookers = [Purpose::Administration, Purpose::Audit, Purpose::Incident];
            let may = self.may(standing, &lookers, Action::ReadAccess);
            if let Err(refused) = may {
                return Err(self.deny(&standing.name, event, refused).await);
            }
        }
        let whose = if asked.all { "everybody's" } else { "their own" };
        let detail = format!("looked at {whose} sessions and ways to sign in");
        self.record(Event { on_behalf: standing.name.clone(), detail, ..event }).await?;
        let mut held = self.desk.held.lock().await;
        held.sessions.sweep(now);
        let of = |name: &Name| asked.all || name.as_str() == standing.name;
        let mut ways: Vec<ShownWays> = held.accounts.values().filter(|a| of(a.name())).map(ways).collect();
        let mut sessions = Vec::new();
        for name in held.names().filter(|name| of(name)) {
            sessions.extend(held.sessions.of(name).map(|session| shown(session, now)));
        }
        let tokens = held.services.values().filter(|s| of(s.name())).flat_map(super::tokens::shown).collect();
        for (name, _, until) in held.invitations.list().filter(|(name, ..)| of(name)) {
            match ways.iter_mut().find(|w| w.person == name.as_str()) {
                Some(ways) => ways.invited_until_ms = until.0,
                None => ways.push(ShownWays {
                    person: name.to_string(),
                    invited_until_ms: until.0,
                    ..ShownWays::default()
                }),
            }
        }
        Ok(LoginAnswer { sessions, ways, tokens, ..LoginAnswer::default() })
    }

    /// Ends one session, of one's own or by who looks after people or leads an incident; or all of one's own.
    async fn end_sessions(
        &self,
        standing: &Standing,
        id: &[u8],
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let event = Event::new(now, ACTOR, "sign-out", Outcome::Allowed);
        let id = match id {
            [] => None,
            id => Some(SessionId(id.try_into().map_err(|_| malformed("session id has not 16 bytes"))?)),
        };
        let may_all = self.may(standing, &[Purpose::Administration], Action::ManagePeople).is_ok()
            || self.may(standing, &[Purpose::Incident, Purpose::DataProtection], Action::EndAccess).is_ok();
        let mut held = self.desk.held.lock().await;
        let names: Vec<Name> = held.names().cloned().collect();
        let own = |name: &Name| may_all || name.as_str() == standing.name;
        let ended: Vec<Session> = match id {
            None => names.iter().find(|n| n.as_str() == standing.name).map(|n| held.sessions.end_all(n)),
            Some(id) => {
                let found =
                    names.iter().filter(|n| own(n)).any(|n| held.sessions.of(n).any(|s| s.id() == id));
                if found { held.sessions.end(id).map(|session| vec![session]) } else { None }
            }
        }
        .unwrap_or_default();
        if ended.is_empty() {
            return Err(Refused::new("no-session", "there is no such session of yours"));
        }
        let list: Vec<String> = ended.iter().map(|s| format!("{} of `{}`", s.id(), s.name())).collect();
        let detail: String = format!("ended: {}", list.join(", ")).chars().take(400).collect();
        let event = Event { on_behalf: standing.name.clone(), detail: detail.clone(), ..event };
        self.record_or_forget(event, &mut held).await?;
        self.desk.keep(&mut held).await?;
        Ok(LoginAnswer { done: detail, ..LoginAnswer::default() })
    }
}

fn shown(session: &Session, now: UtcMillis) -> ShownSession {
    ShownSession {
        id: session.id().0.to_vec(),
        person: session.name().to_string(),
        by: session.by().to_owned(),
        strength: session.strength(now).as_str().to_owned(),
        since_ms: session.created().0,
        used_ms: session.used().0,
    }
}

fn ways(account: &Account) -> ShownWays {
    let left = account.recovery.as_ref().map_or(0, login::RecoveryCodes::left);
    ShownWays {
        person: account.name().to_string(),
        password: account.password.is_some() && account.codes.is_some(),
        recovery_left: u32::try_from(left).unwrap_or_default(),
        keys: account.keys().iter().map(|key| format!("{} {}", key.fingerprint(), key.comment())).collect(),
        passkeys: account
            .passkeys()
            .iter()
            .map(|passkey| format!("{} {}", hex::encode(passkey.id()), passkey.label()))
            .collect(),
        invited_until_ms: 0,
        provider: account.subject.as_ref().map_or(String::new(), |s| format!("{} {}", s.issuer, s.id)),
    }
}
