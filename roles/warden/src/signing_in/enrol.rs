//! Invitations, and what people set with them: a password with a generator of codes, or a passkey.

use base::{SecretBytes, UtcMillis, random};
use grant::{Action, Event, Outcome, Purpose};
use login::invite::For;
use login::password::Standard;
use login::{Account, CodeGenerator, Name, Passwords, RecoveryCodes, Refusal};
use recorder::Record;
use wire::Refused;
use wire::login::{Enrol, Invite, LoginAnswer, NewPasskey};

use super::ways::name_of;
use super::{CODE_TRIES, Held, Strengthened, Ticket, copy_of_generator, machine, malformed};
use crate::service::{ACTOR, Inner};
use crate::shown;
use crate::standing::Standing;

/// What the log says of somebody's ways to sign in.
pub(super) const SET: &str = "set-sign-in";
/// Tickets that are open at once, at most.
const MAX_TICKETS: usize = 1000;

impl<R: Record> Inner<R> {
    /// Makes a code for somebody. An administrator does it for others; the owner of a house in which nobody signs in yet, for
    /// themselves.
    pub(super) async fn invite(
        &self,
        standing: &Standing,
        asked: Invite,
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let event = Event::new(now, ACTOR, "invite", Outcome::Allowed);
        let own = asked.person == standing.name;
        let allowed = if own && standing.owner {
            Ok(String::new())
        } else {
            self.may(standing, &[Purpose::Administration], Action::ManagePeople)
        };
        let (works_here, service) = {
            let staff = self.staff.lock().await;
            let member = staff.state().member(&asked.person);
            let service = member.as_ref().is_ok_and(|member| member.service);
            (member.is_ok() || self.people.is_owner(&asked.person), service)
        };
        let name = asked.person.parse::<Name>().ok().filter(|name| name.as_str() == asked.person);
        let mut held = self.desk.held.lock().await;
        let made = allowed.and_then(|_| {
            let no_person = || {
                let who = shown::line(&asked.person);
                let why =
                    format!("nobody called `{who}` works here; `meterkeep people list` names those who do");
                Refused::new("no-person", why)
            };
            if !works_here {
                return Err(no_person());
            }
            if service {
                let why = "a service account signs in with a token (`meterkeep people service token`)";
                return Err(Refused::new("is-service", why));
            }
            let name = name.ok_or_else(unfit)?;
            let has = held.accounts.contains_key(&name);
            if has != asked.lost {
                let why = if has { HAS_WAYS } else { HAS_NONE };
                return Err(Refused::new("invitation", why));
            }
            let by = name_of(standing)?;
            let made = match (own, has) {
                (true, _) => {
                    if held.accounts.is_empty() {
                        held.invitations.unowned();
                    }
                    held.invitations.first_owner(name.clone(), now)
                }
                (false, true) => held.invitations.invite(name.clone(), For::Return, &by, now),
                (false, false) => held.invitations.invite(name.clone(), For::Person, &by, now),
            };
            let code = made.map_err(|_| Refused::new("invitation", OWNED))?;
            Ok((name, code))
        });
        let (name, code) = match made {
            Ok(made) => made,
            Err(refused) => {
                drop(held);
                return Err(self.deny(&standing.name, event, refused).await);
            }
        };
        let lost = if asked.lost { ", who lost the ways to sign in" } else { "" };
        let done = format!("`{name}`{lost} is invited, for three days");
        let event = Event { on_behalf: standing.name.clone(), detail: done.clone(), ..event };
        self.record_or_forget(event, &mut held).await?;
        self.desk.keep(&mut held).await?;
        Ok(LoginAnswer { done, code: code.expose().to_owned(), ..LoginAnswer::default() })
    }

    /// Uses a code up, and gives half an hour to set ways to sign in.
    pub(super) async fn redeem(
        &self,
        standing: &Standing,
        title: &str,
        code: &str,
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let event = Event::new(now, ACTOR, "redeem-invitation", Outcome::Allowed);
        let name = name_of(standing)?;
        let mut held = self.desk.held.lock().await;
        held.tickets.retain(|_, ticket| ticket.enrolment.fresh(now).is_ok());
        if held.tickets.len() >= MAX_TICKETS {
            return Err(Refused::new("too-many", "1,000 people set their ways to sign in; try again later"));
        }
        let enrolment = match held.invitations.redeem(code, now) {
            Ok(enrolment) => enrolment,
            Err(refusal) => {
                drop(held);
                return Err(self.refuse_sign_in(standing, event, refusal).await);
            }
        };
        if *enrolment.name() != name {
            // it is used up all the same: somebody else had it in their hands
            self.desk.keep(&mut held).await?;
            drop(held);
            self.counters.add("alarm.stolen-invitation", 1);
            self.counters.note(format!("`{name}` used an invitation of `{}`", enrolment.name()));
            let event = Event { detail: format!("an invitation of `{}`", enrolment.name()), ..event };
            return Err(self.refuse_sign_in(standing, event, Refusal::NotThisSession).await);
        }
        let generator = CodeGenerator::generate().map_err(machine)?;
        let uri = generator.enrolment_uri(&self.desk.title, &name).map_err(machine)?.to_string();
        let account = Account::new(name, title).map_err(machine)?;
        let id: [u8; 16] = random().map_err(|e| Refused::new("no-randomness", e.to_string()))?;
        let detail = format!("invited by `{}`", enrolment.by());
        self.record_or_forget(Event { on_behalf: standing.name.clone(), detail, ..event }, &mut held).await?;
        self.desk.keep(&mut held).await?;
        held.tickets.insert(id, Ticket { enrolment, generator, account, registration: None, wrong_codes: 0 });
        let done = "set your ways to sign in within half an hour".to_owned();
        Ok(LoginAnswer { done, ticket: id.to_vec(), generator: uri, ..LoginAnswer::default() })
    }

    /// Sets password and generator of codes.
    pub(super) async fn set_password(
        &self,
        standing: &Standing,
        asked: Enrol,
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let Enrol { ticket, password, code } = asked;
        let (id, password) = (ticket_id(&ticket)?, SecretBytes::new(password));
        let one_at_a_time = self.desk.proving.lock().await;
        let (name, title, generator) = {
            let mut held = self.desk.held.lock().await;
            let ticket = own_ticket(&mut held, id, standing, now)?;
            if ticket.wrong_codes >= CODE_TRIES {
                held.tickets.remove(&id);
                return Err(Refused::new("invitation", "too many wrong codes; you have to be invited anew"));
            }
            let account = &ticket.account;
            (account.name().clone(), account.full_name().to_owned(), copy_of_generator(&ticket.generator))
        };
        let work = move || Passwords::<Standard>::keep(&password, &name, &title);
        let kept = tokio::task::spawn_blocking(work).await.map_err(|_| super::refused())?;
        let kept = kept.map_err(|error| Refused::new("password", error.to_string()))?;
        drop(one_at_a_time);
        let mut held = self.desk.held.lock().await;
        let Ok(generator) = generator.confirm(&code, now) else {
            if let Ok(ticket) = own_ticket(&mut held, id, standing, now) {
                ticket.wrong_codes = ticket.wrong_codes.saturating_add(1);
            }
            let why = "the code is not what the generator shows now; look at the clock of the device";
            return Err(Refused::new("code", why));
        };
        let ticket = take_ticket(&mut held, id, standing, now)?;
        let Ticket { enrolment, mut account, .. } = ticket;
        account.password = Some(kept);
        account.codes = Some(generator);
        self.set_first_ways(held, account, enrolment.by(), "a password and a generator of codes", now).await
    }

    /// Begins to make a passkey, with a ticket or in a session.
    pub(super) async fn ask_passkey(
        &self,
        standing: &Standing,
        ticket: &[u8],
        login: Option<&Strengthened>,
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let party = self.desk.party.clone().ok_or_else(no_address)?;
        let mut held = self.desk.held.lock().await;
        let options = if ticket.is_empty() {
            let login = stepped_up(login)?;
            let name = name_of(standing)?;
            let account = held.accounts.get(&name).ok_or_else(super::refused)?;
            let asked = party.register(account.handle(), &name, account.passkeys(), login.key, now);
            let (options, registration) = asked.map_err(too_many)?;
            held.registrations.insert(login.session, registration);
            options
        } else {
            let ticket = own_ticket(&mut held, ticket_id(ticket)?, standing, now)?;
            let account = &ticket.account;
            let asked = party.register(account.handle(), account.name(), &[], self.verifier(), now);
            let (options, registration) = asked.map_err(too_many)?;
            ticket.registration = Some(registration);
            options
        };
        Ok(LoginAnswer { passkey: options, ..LoginAnswer::default() })
    }

    /// Takes the passkey that a browser made.
    pub(super) async fn add_passkey(
        &self,
        standing: &Standing,
        asked: NewPasskey,
        login: Option<&Strengthened>,
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let party = self.desk.party.clone().ok_or_else(no_address)?;
        let NewPasskey { ticket, label, answer } = asked;
        let mut held = self.desk.held.lock().await;
        let not_begun = || Refused::new("passkey", "no passkey was begun here; begin again");
        if ticket.is_empty() {
            let login = stepped_up(login)?;
            let name = name_of(standing)?;
            let registration = held.registrations.remove(&login.session).ok_or_else(not_begun)?;
            let handle = held.accounts.get(&name).map(Account::handle).ok_or_else(super::refused)?;
            let made = party.registered(registration, handle, login.key, &label, &answer, now);
            let passkey = made.map_err(no_passkey)?;
            nobody_has(&held, passkey.id())?;
            let detail = format!("a passkey `{}`", shown::line(passkey.label()));
            let account = held.accounts.get_mut(&name).ok_or_else(super::refused)?;
            account.add_passkey(passkey).map_err(too_many)?;
            return self.changed_ways(held, standing, &detail, now).await;
        }
        let id = ticket_id(&ticket)?;
        let ticket = own_ticket(&mut held, id, standing, now)?;
        let registration = ticket.registration.take().ok_or_else(not_begun)?;
        let handle = ticket.account.handle();
        let made = party.registered(registration, handle, self.verifier(), &label, &answer, now);
        let passkey = made.map_err(no_passkey)?;
        nobody_has(&held, passkey.id())?;
        let Ticket { enrolment, mut account, .. } = take_ticket(&mut held, id, standing, now)?;
        account.add_passkey(passkey).map_err(too_many)?;
        self.set_first_ways(held, account, enrolment.by(), "a passkey", now).await
    }

    /// An account with its first ways to sign in takes the place of any before; sessions of before end.
    async fn set_first_ways(
        &self,
        mut held: tokio::sync::MutexGuard<'_, Held>,
        mut account: Account,
        by: &str,
        what: &str,
        now: UtcMillis,
    ) -> Result<LoginAnswer, Refused> {
        let (codes, kept) = RecoveryCodes::generate().map_err(machine)?;
        account.recovery = Some(kept);
        let name = account.name().clone();
        let detail = format!("{what}, invited by `{by}`");
        let event = Event::new(now, ACTOR, SET, Outcome::Allowed);
        self.record(Event { on_behalf: name.to_string(), detail, ..event }).await?;
        held.sessions.end_all(&name);
        held.accounts.insert(name.clone(), account);
        self.desk.keep(&mut held).await?;
        let recovery = codes.iter().map(|code| code.expose().to_owned()).collect();
        Ok(LoginAnswer { done: format!("`{name}` signs in with {what}"), recovery, ..LoginAnswer::default() })
    }
}

const HAS_WAYS: &str =
    "they have ways to sign in; who lost them is invited with `--lost`, and those end then";
const HAS_NONE: &str = "they have no ways to sign in that they could have lost; invite them without `--lost`";
const OWNED: &str =
    "nobody invites themselves: another administrator does it; a house's first owner is invited once";

fn unfit() -> Refused {
    let why =
        "to sign in, a name has the characters a-z, 0-9, `.`, `-`, `_` and `@` only; name the person anew";
    Refused::new("name", why)
}

fn too_many(refusal: Refusal) -> Refused {
    match refusal {
        Refusal::Machine => machine(refusal),
        _ => Refused::new("passkey", "it is there already, or there are 16; take one away first"),
    }
}

fn no_passkey(refusal: Refusal) -> Refused {
    Refused::new("passkey", format!("the passkey is not taken ({}); begin again", refusal.reason()))
}

fn no_address() -> Refused {
    let why =
        "passkeys belong to an address, and this house has none; set `address` under `[house]` in house.toml";
    Refused::new("no-address", why)
}

fn stepped_up(login: Option<&Strengthened>) -> Result<&Strengthened, Refused> {
    login.filter(|login| login.strength >= policy::Strength::StepUp).ok_or_else(super::ways::not_now)
}

fn ticket_id(ticket: &[u8]) -> Result<[u8; 16], Refused> {
    ticket.try_into().map_err(|_| malformed("ticket has not 16 bytes"))
}

fn own_ticket<'h>(
    held: &'h mut Held,
    id: [u8; 16],
    standing: &Standing,
    now: UtcMillis,
) -> Result<&'h mut Ticket, Refused> {
    let own = |ticket: &&mut Ticket| {
        ticket.enrolment.name().as_str() == standing.name && ticket.enrolment.fresh(now).is_ok()
    };
    let over = "the half hour is over, or the invitation was used; you have to be invited anew";
    held.tickets.get_mut(&id).filter(own).ok_or_else(|| Refused::new("invitation", over))
}

fn take_ticket(
    held: &mut Held,
    id: [u8; 16],
    standing: &Standing,
    now: UtcMillis,
) -> Result<Ticket, Refused> {
    own_ticket(held, id, standing, now)?;
    held.tickets.remove(&id).ok_or_else(super::refused)
}

fn nobody_has(held: &Held, passkey: &[u8]) -> Result<(), Refused> {
    let has = |account: &Account| account.passkeys().iter().any(|other| other.id() == passkey);
    if held.accounts.values().any(has) {
        return Err(Refused::new("passkey", "that passkey is somebody's already"));
    }
    Ok(())
}
