//! Tokens of service accounts: made and ended by who looks after people, shown once, good for what they say.

use std::collections::BTreeSet;

use base::UtcMillis;
use grant::{Action, Event, Outcome, Purpose};
use login::service::{LONGEST, Scope};
use login::{Name, Refusal, ServiceAccount};
use recorder::Record;
use wire::Refused;
use wire::login::{LoginAnswer, NewToken, ShownToken, TokenOf};

use super::machine;
use crate::service::{ACTOR, Inner};
use crate::shown::line;
use crate::standing::Standing;

/// What the log says of tokens.
const TOKEN: &str = "service-token";
const DAY_MS: i64 = 24 * 3_600_000;

impl<R: Record> Inner<R> {
    /// Makes a token. What it may be for is what the account's roles open to services now, or less.
    pub(super) async fn add_token(
        &self,
        standing: &Standing,
        asked: NewToken,
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let event = Event::new(now, ACTOR, TOKEN, Outcome::Allowed);
        let may = self.may(standing, &[Purpose::Administration], Action::ManagePeople);
        let wished = match may {
            Ok(_) => self.scope_of(&asked, now).await,
            Err(refused) => Err(refused),
        };
        let (name, scope) = match wished {
            Ok(wished) => wished,
            Err(refused) => return Err(self.deny(&standing.name, event, refused).await),
        };
        let what = format!("{} for {}", scope.actions.join(", "), scope.purposes.join(", "));
        let until = scope.until;
        let mut held = self.desk.held.lock().await;
        let service = held.services.entry(name.clone()).or_insert_with(|| ServiceAccount::new(name.clone()));
        let (id, token) = match service.add_token(&asked.label, scope, now) {
            Ok(made) => made,
            Err(refusal) => {
                drop(held);
                return Err(self.deny(&standing.name, event, not_made(refusal)).await);
            }
        };
        let done = format!("`{name}` signs in with token {id} until {until}: {what}");
        let event = Event { on_behalf: standing.name.clone(), detail: done.clone(), ..event };
        self.record_or_forget(event, &mut held).await?;
        self.desk.keep(&mut held).await?;
        self.counters.add("service-tokens.made", 1);
        Ok(LoginAnswer { done, token: token.expose().to_string(), ..LoginAnswer::default() })
    }

    /// Whose token it is to be, and for what.
    async fn scope_of(&self, asked: &NewToken, now: UtcMillis) -> Result<(Name, Scope), Refused> {
        let staff = self.staff.lock().await;
        let no_service = || {
            let why = format!(
                "`{}` is no service account; `meterkeep people list` names those there are",
                line(&asked.service)
            );
            Refused::new("no-service", why)
        };
        let member = staff.state().member(&asked.service).ok().filter(|member| member.service);
        let member = member.ok_or_else(no_service)?;
        let name = asked.service.parse::<Name>().ok().filter(|name| name.as_str() == asked.service);
        let name = name.ok_or_else(|| {
            let why = "to sign in, a name has the characters a-z, 0-9, `.`, `-`, `_` and `@` only; add the service anew";
            Refused::new("name", why)
        })?;
        let open = self.policies().catalogue().for_services(member.live_roles(now));
        let purposes: BTreeSet<&str> = open.keys().map(|purpose| purpose.name()).collect();
        let actions: BTreeSet<&str> = open.values().flatten().map(|action| action.name()).collect();
        if open.is_empty() {
            let why = format!(
                "no purpose of `{name}`'s roles is open to services; a purpose is where the file of roles says `services = true`"
            );
            return Err(Refused::new("not-for-services", why));
        }
        let until = UtcMillis(asked.until_ms);
        let scope = Scope {
            actions: chosen("action", &asked.actions, &actions)?,
            purposes: chosen("purpose", &asked.purposes, &purposes)?,
            sources: Vec::new(),
            until,
        };
        Ok((name, scope))
    }

    /// Ends a token, and the sessions that it opened.
    pub(super) async fn end_token(
        &self,
        standing: &Standing,
        of: &TokenOf,
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let event = Event::new(now, ACTOR, TOKEN, Outcome::Allowed);
        if let Err(refused) = self.may(standing, &[Purpose::Administration], Action::ManagePeople) {
            return Err(self.deny(&standing.name, event, refused).await);
        }
        let mut held = self.desk.held.lock().await;
        let name = of.service.parse::<Name>().ok().filter(|name| name.as_str() == of.service);
        let ended = name.filter(|name| held.services.get_mut(name).is_some_and(|s| s.end(of.id)));
        let Some(name) = ended else {
            drop(held);
            let why = "there is no such token; `meterkeep people service tokens` shows them";
            return Err(self.deny(&standing.name, event, Refused::new("no-token", why)).await);
        };
        let sessions = held.sessions.end_token(&name, of.id).len();
        let done = format!("token {} of `{name}` is ended, and {sessions} sessions with it", of.id);
        let event = Event { on_behalf: standing.name.clone(), detail: done.clone(), ..event };
        self.record_or_forget(event, &mut held).await?;
        self.desk.keep(&mut held).await?;
        Ok(LoginAnswer { done, ..LoginAnswer::default() })
    }
}

/// What was asked for, or all there is where nothing was; never more than there is.
fn chosen(what: &str, asked: &[String], open: &BTreeSet<&str>) -> Result<Vec<String>, Refused> {
    if let Some(other) = asked.iter().find(|name| !open.contains(name.as_str())) {
        let all: Vec<&str> = open.iter().copied().collect();
        let why = format!(
            "the {what} `{}` is none that the account's roles open to services; there are: {}",
            line(other),
            all.join(", ")
        );
        return Err(Refused::new("not-for-services", why));
    }
    let all = || open.iter().map(|name| (*name).to_owned()).collect();
    Ok(if asked.is_empty() { all() } else { asked.to_vec() })
}

fn not_made(refusal: Refusal) -> Refused {
    match refusal {
        Refusal::Expired => {
            let why = format!("a token ends in the future, and {} days from now at most", LONGEST / DAY_MS);
            Refused::new("token", why)
        }
        Refusal::Machine => machine(refusal),
        _ => Refused::new("token", "the account has 8 tokens already; end one that nobody needs first"),
    }
}

/// The tokens of an account, for people.
pub(super) fn shown(service: &ServiceAccount) -> Vec<ShownToken> {
    let of = |token: login::service::Listed<'_>| ShownToken {
        service: service.name().to_string(),
        id: token.id,
        label: token.label.to_owned(),
        until_ms: token.scope.until.0,
        used_ms: token.used.map_or(0, |at| at.0),
        actions: token.scope.actions.clone(),
        purposes: token.scope.purposes.clone(),
    };
    service.list().map(of).collect()
}
