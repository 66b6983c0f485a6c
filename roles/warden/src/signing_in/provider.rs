//! The utility's own provider: which one it is, who somebody is there, and the questions that the command carries to it.
//!
//! The warden has no network. Somebody at the command line asks the provider, and what it answered is checked here with the
//! keys that an administrator set: it does not matter who carried it. ADR 0025.

use std::sync::Arc;

use base::UtcMillis;
use grant::{Action, Event, Outcome, Purpose};
use login::provider::Settings;
use login::{Account, Name, Provider, Refusal, Subject};
use recorder::Record;
use sha2::{Digest as _, Sha256};
use wire::Refused;
use wire::login::{
    LinkOf, LoginAnswer, NewProvider, ProviderBegun, ProviderPost, ProviderQuestion, ShownProvider,
};

use super::enrol::SET;
use super::{Held, KeptProvider, Strengthened, machine, malformed};
use crate::service::{ACTOR, Inner};
use crate::shown::line;
use crate::standing::Standing;

/// What the log says of a provider that is set or ended.
const PROVIDER: &str = "set-provider";
/// Characters of a client's id, and of an id at the provider, at most (OpenID Connect Core, clause 2: 255 for `sub`).
const MAX_ID: usize = 255;

impl KeptProvider {
    /// What checks statements, if what is kept reads.
    fn open(&self) -> Result<Provider, login::provider::ProviderError> {
        let (issuer, client) = (self.issuer.clone(), self.client.clone());
        let settings = Settings { issuer, client, secret: None, two_factors: Vec::new() };
        Provider::new(settings, &self.description, &self.keys)
    }
}

impl Held {
    /// The provider that statements are checked with.
    pub(super) fn provider(&self) -> Option<Arc<Provider>> {
        self.provider.as_ref().and_then(|kept| kept.open().ok()).map(Arc::new)
    }
}

/// The form that begins the device flow, where the provider has one.
pub(super) fn first_form(provider: &Provider) -> Option<ProviderPost> {
    provider.device().ok().map(post)
}

fn post(post: login::provider::Post) -> ProviderPost {
    ProviderPost { url: post.url, form: post.form.to_string() }
}

/// Said to who brings a statement that is signed with a key which is not kept here.
pub(super) fn refresh() -> Refused {
    let why = "the provider signs with a key that this house does not know; an administrator fetches its keys anew with \
               `meterkeep login provider refresh`";
    Refused::new("provider-key", why)
}

fn none() -> Refused {
    let why = "this house has no provider to sign in with; an administrator sets one with `meterkeep login provider set`";
    Refused::new("no-provider", why)
}

fn is_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic())
}

impl<R: Record> Inner<R> {
    /// Sets the provider, or its keys anew.
    pub(super) async fn set_provider(
        &self,
        standing: &Standing,
        new: NewProvider,
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let event = Event::new(now, ACTOR, PROVIDER, Outcome::Allowed);
        let kept = KeptProvider {
            issuer: new.issuer,
            client: new.client,
            description: new.description,
            keys: new.keys,
            by: standing.name.clone(),
            at_ms: now.0,
        };
        let may = self.may(standing, &[Purpose::Administration], Action::ManagePeople);
        let names = may.and_then(|_| {
            if !is_id(&kept.client) {
                let why =
                    "the house's id at the provider has 1 to 255 characters without spaces (`--client`)";
                return Err(Refused::new("provider", why));
            }
            let provider = kept.open().map_err(|e| Refused::new("provider", e.to_string()))?;
            let names: Vec<String> = provider.keys().iter().map(|name| line(name)).collect();
            if names.is_empty() {
                let why = "the provider's key set has no key that signs what is taken here (RSA, or P-256)";
                return Err(Refused::new("provider", why));
            }
            Ok(names)
        });
        let names = match names {
            Ok(names) => names,
            Err(refused) => return Err(self.deny(&standing.name, event, refused).await),
        };
        let hash = hex::encode(Sha256::digest(&kept.keys));
        let (issuer, client) = (line(&kept.issuer), line(&kept.client));
        let done = format!(
            "people sign in with `{issuer}`, too, where the house is `{client}`; its keys: {}",
            names.join(", ")
        );
        let detail = format!("{issuer}, client {client}, keys SHA-256 {hash}");
        let mut held = self.desk.held.lock().await;
        held.provider = Some(kept);
        let event = Event { on_behalf: standing.name.clone(), detail, ..event };
        self.record_or_forget(event, &mut held).await?;
        self.desk.keep(&mut held).await?;
        Ok(LoginAnswer { done, ..LoginAnswer::default() })
    }

    /// From now on nobody signs in with it. Who is who there stays, for one that is set again.
    pub(super) async fn end_provider(
        &self,
        standing: &Standing,
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let event = Event::new(now, ACTOR, PROVIDER, Outcome::Allowed);
        if let Err(refused) = self.may(standing, &[Purpose::Administration], Action::ManagePeople) {
            return Err(self.deny(&standing.name, event, refused).await);
        }
        let mut held = self.desk.held.lock().await;
        let before = held.provider.take().ok_or_else(none)?;
        let done = format!("nobody signs in with `{}` any more", line(&before.issuer));
        let event = Event { on_behalf: standing.name.clone(), detail: done.clone(), ..event };
        self.record_or_forget(event, &mut held).await?;
        self.desk.keep(&mut held).await?;
        Ok(LoginAnswer { done, ..LoginAnswer::default() })
    }

    /// Shows it, to anybody who works here: nothing in it opens anything.
    pub(super) async fn look_provider(
        &self,
        standing: &Standing,
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let event = Event::new(now, ACTOR, Action::ReadAccess.name(), Outcome::Allowed);
        if let Err(refused) = super::ways::name_of(standing) {
            return Err(self.deny(&standing.name, event, refused).await);
        }
        let held = self.desk.held.lock().await;
        let kept = held.provider.as_ref().ok_or_else(none)?;
        let open = kept.open().map_err(|e| Refused::new("provider", e.to_string()))?;
        let shown = ShownProvider {
            issuer: kept.issuer.clone(),
            client: kept.client.clone(),
            keys: open.keys(),
            by: kept.by.clone(),
            at_ms: kept.at_ms,
            device: open.device().is_ok(),
        };
        Ok(LoginAnswer { provider: Some(shown), ..LoginAnswer::default() })
    }

    /// Says who somebody is at the provider: an administrator of anybody, anybody of themselves with two factors minutes ago.
    pub(super) async fn link(
        &self,
        standing: &Standing,
        link: LinkOf,
        login: Option<&Strengthened>,
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let event = Event::new(now, ACTOR, SET, Outcome::Allowed);
        let own = link.person == standing.name;
        let stepped_up = login.is_some_and(|login| login.strength >= policy::Strength::StepUp);
        let allowed = match (own, stepped_up) {
            (true, true) => Ok(()),
            (true, false) => Err(super::ways::not_now()),
            (false, _) => self.may(standing, &[Purpose::Administration], Action::ManagePeople).map(|_| ()),
        };
        if let Err(refused) = allowed {
            return Err(self.deny(&standing.name, event, refused).await);
        }
        let mut held = self.desk.held.lock().await;
        let detail = match linked(&mut held, &link) {
            Ok(detail) => detail,
            Err(refused) => {
                drop(held);
                return Err(self.deny(&standing.name, event, refused).await);
            }
        };
        let event = Event { on_behalf: standing.name.clone(), detail: detail.clone(), ..event };
        self.record_or_forget(event, &mut held).await?;
        self.desk.keep(&mut held).await?;
        Ok(LoginAnswer { done: detail, ..LoginAnswer::default() })
    }

    /// Takes the provider's first answer, and says what a person is shown and what to ask the provider then.
    pub(super) async fn ask_provider(
        &self,
        standing: &Standing,
        begun: &ProviderBegun,
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let nonce: [u8; 32] =
            begun.nonce.as_slice().try_into().map_err(|_| malformed("nonce has not 32 bytes"))?;
        let mut held = self.desk.held.lock().await;
        let provider = held.provider().ok_or_else(none)?;
        let own = |begun: &&mut super::Begun| {
            begun.challenge.name().as_str() == standing.name && begun.challenge.fresh(now).is_ok()
        };
        let sign_in = held.begun.get_mut(&nonce).filter(own);
        let over = "the sign-in is over; begin again with `meterkeep login --provider`";
        let sign_in = sign_in.ok_or_else(|| Refused::new("no-sign-in", over))?;
        let asked = provider.device_begun(&sign_in.challenge, &begun.answer);
        let (question, open) = asked.map_err(|refusal| match refusal {
            Refusal::Machine => machine(refusal),
            _ => Refused::new(
                "provider",
                "the provider's answer gives no code to type, or no address with TLS",
            ),
        })?;
        let poll = provider.poll(&open).map_err(machine)?;
        sign_in.asked = Some((provider, open));
        let question = ProviderQuestion {
            user_code: question.user_code,
            address: question.address,
            interval_s: question.interval,
            lasts_s: question.lasts,
        };
        Ok(LoginAnswer { question: Some(question), post: Some(post(poll)), ..LoginAnswer::default() })
    }
}

/// Makes the link in memory, and says what it is.
fn linked(held: &mut Held, link: &LinkOf) -> Result<String, Refused> {
    let person = line(&link.person);
    let name = link.person.parse::<Name>().ok().filter(|name| name.as_str() == link.person);
    let no_ways = || {
        let why =
            format!("`{person}` has no ways to sign in; invite them first with `meterkeep login invite`");
        Refused::new("no-person", why)
    };
    let name = name.ok_or_else(no_ways)?;
    let issuer = held.provider.as_ref().map(|kept| kept.issuer.clone());
    let is = |account: &Account, issuer: &str| {
        account.subject.as_ref().is_some_and(|s| s.issuer == issuer && s.id == link.subject)
    };
    if link.subject.is_empty() {
        let account = held.accounts.get_mut(&name).ok_or_else(no_ways)?;
        let before = account.subject.take();
        let before = before.ok_or_else(|| {
            Refused::new("ways", format!("`{person}` is nobody at the provider; there is nothing to end"))
        })?;
        return Ok(format!("`{person}` is no longer `{}` at `{}`", line(&before.id), line(&before.issuer)));
    }
    let issuer = issuer.ok_or_else(none)?;
    if !is_id(&link.subject) {
        let why = "an id at the provider (`sub`) has 1 to 255 characters without spaces";
        return Err(Refused::new("subject", why));
    }
    if held.accounts.values().any(|other| is(other, &issuer)) {
        return Err(Refused::new(
            "subject",
            "somebody is that at the provider already; `meterkeep login show --all`",
        ));
    }
    let account = held.accounts.get_mut(&name).ok_or_else(no_ways)?;
    account.subject = Some(Subject::new(issuer.clone(), link.subject.clone()));
    Ok(format!("`{person}` is `{}` at `{}`", line(&link.subject), line(&issuer)))
}
