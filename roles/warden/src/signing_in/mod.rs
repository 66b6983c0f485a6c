//! Signing in: who shows that they are who the operating system says, and how well.
//!
//! The user of the machine names the person; what they prove beyond that gives their calls a better login. Every attempt is
//! counted on the disk before it is checked, and is in the log before it is answered; outside, all refusals are the same.

mod attempt;
mod enrol;
mod in_session;
mod kept;
mod provider;
mod tokens;
mod ways;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use base::{Secret, UtcMillis};
use login::passkey::{PartyError, Question, Registration};
use login::provider::Open;
use login::{
    Account, Challenge, CodeGenerator, Enrolment, Invitations, Name, Provider, Refusal, RelyingParty,
    ServiceAccount, SessionId, Sessions, Source, Strength, Throttle,
};
use seal::sign::Verifier;
use tokio::sync::Mutex;
use wire::Refused;

use crate::errands::malformed;

pub(crate) use self::in_session::Strengthened;
pub(crate) use self::kept::{KeptError, KeptProvider, LoginFile};

/// People who sign in, at most.
const MAX_ACCOUNTS: usize = 10_000;
/// Sign-ins of one person that have begun, at most; the oldest makes room.
const MAX_BEGUN: usize = 8;
/// First codes that may be wrong before an invitation is used up.
const CODE_TRIES: u32 = 5;

/// The desk at which people sign in.
pub(crate) struct Desk {
    file: Arc<LoginFile>,
    /// As browsers know the house; without an address there are no passkeys.
    party: Option<Arc<RelyingParty>>,
    title: String,
    /// One proof at a time: each takes 64 MiB and a sixth of a second, and what one used up no other may use beside it.
    proving: Mutex<()>,
    pub(crate) held: Mutex<Held>,
}

/// What the file holds, and what is under way.
pub(crate) struct Held {
    pub(crate) accounts: BTreeMap<Name, Account>,
    pub(crate) sessions: Sessions,
    pub(crate) throttle: Throttle,
    pub(crate) invitations: Invitations,
    /// Programs and their tokens.
    pub(crate) services: BTreeMap<Name, ServiceAccount>,
    /// The utility's own provider.
    provider: Option<KeptProvider>,
    begun: HashMap<[u8; 32], Begun>,
    tickets: HashMap<[u8; 16], Ticket>,
    /// Passkeys that people in a session are making.
    registrations: HashMap<SessionId, Registration>,
}

/// A sign-in that was begun.
struct Begun {
    challenge: Challenge,
    question: Option<Question>,
    /// What is asked of the provider, once that was begun, and the provider as it was then.
    asked: Option<(Arc<Provider>, Open)>,
}

/// Leave to set the first ways to sign in.
struct Ticket {
    enrolment: Enrolment,
    generator: CodeGenerator,
    account: Account,
    registration: Option<Registration>,
    wrong_codes: u32,
}

/// What browsers have to know of a house.
pub(crate) struct Address<'a> {
    /// `https://meters.example.org`, or empty.
    pub(crate) origin: &'a str,
    /// For people.
    pub(crate) title: &'a str,
}

impl Desk {
    pub(crate) fn open(file: LoginFile, address: &Address<'_>) -> Result<Self, KeptError> {
        let held = file.load()?;
        let host = address.origin.split_once("://").map_or("", |(_, rest)| rest);
        let host = host.split([':', '/']).next().unwrap_or_default();
        let party = |origin| RelyingParty::new(host, address.title, &[origin]);
        let party = Some(address.origin).filter(|origin| !origin.is_empty()).map(party).transpose();
        let party = party.map_err(|error: PartyError| KeptError::Address(error.to_string()))?.map(Arc::new);
        let title = address.title.to_owned();
        let (file, proving, held) = (Arc::new(file), Mutex::new(()), Mutex::new(held));
        Ok(Self { file, party, title, proving, held })
    }

    /// Puts what is held on the disk; or forgets what is not there.
    async fn keep(&self, held: &mut Held) -> Result<(), Refused> {
        let sealed = kept::encode(held);
        let file = Arc::clone(&self.file);
        let done = tokio::task::spawn_blocking(move || file.save(&sealed)).await;
        let error = match done {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        self.forget_changes(held);
        Err(Refused::new("not-stored", format!("the warden cannot write it down: {error}")))
    }

    /// What was changed in memory and is not to count: what is held is what the disk has, but for what slows guessing.
    fn forget_changes(&self, held: &mut Held) {
        if let Ok(durable) = self.file.load() {
            held.accounts = durable.accounts;
            held.sessions = durable.sessions;
            held.invitations = durable.invitations;
            held.services = durable.services;
            held.provider = durable.provider;
        }
    }

    /// Somebody does not work here any more: their sessions and ways to sign in end.
    pub(crate) async fn forget(&self, person: &str) -> Result<(), Refused> {
        let Ok(name) = person.parse::<Name>() else { return Ok(()) };
        let mut held = self.held.lock().await;
        let there = held.accounts.remove(&name).is_some()
            | held.services.remove(&name).is_some()
            | held.invitations.end(&name);
        held.sessions.end_all(&name);
        held.tickets.retain(|_, ticket| *ticket.enrolment.name() != name);
        if there { self.keep(&mut held).await } else { Ok(()) }
    }
}

impl Held {
    fn new(
        accounts: BTreeMap<Name, Account>,
        sessions: Sessions,
        throttle: Throttle,
        invitations: Invitations,
    ) -> Self {
        let (begun, tickets, registrations) = (HashMap::new(), HashMap::new(), HashMap::new());
        let (services, provider) = (BTreeMap::new(), None);
        Self { accounts, sessions, throttle, invitations, services, provider, begun, tickets, registrations }
    }

    /// Keeps what was begun; of one person only the newest few, so that nobody fills the desk.
    fn begin(&mut self, begun: Begun, now: UtcMillis) {
        self.begun.retain(|_, other| other.challenge.fresh(now).is_ok());
        let name = begun.challenge.name().clone();
        let of = |(nonce, other): (&[u8; 32], &Begun)| {
            (*other.challenge.name() == name).then_some((other.challenge.issued(), *nonce))
        };
        let mut own: Vec<(UtcMillis, [u8; 32])> = self.begun.iter().filter_map(of).collect();
        own.sort_unstable();
        let over = own.len().saturating_add(1).saturating_sub(MAX_BEGUN);
        for (_, nonce) in own.into_iter().take(over) {
            self.begun.remove(&nonce);
        }
        self.begun.insert(*begun.challenge.nonce(), begun);
    }
}

/// The address that stands for a user of this machine.
fn address_of(uid: u32) -> IpAddr {
    let [a, b, c, d] = uid.to_be_bytes();
    IpAddr::V6(Ipv6Addr::from([0xfd, 0, 0, 0, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0]))
}

/// The place of a user of this machine: guesses are counted by it, as they are by the address of who comes from elsewhere.
fn place_of(uid: u32) -> Source {
    Source::of(address_of(uid))
}

/// As the policies know it.
pub(crate) const fn strength(login: Strength) -> policy::Strength {
    match login {
        Strength::Machine => policy::Strength::Machine,
        Strength::MultiFactor => policy::Strength::MultiFactor,
        Strength::StepUp => policy::Strength::StepUp,
    }
}

/// A copy for a check that must not hold the desk up.
fn copy(account: &Account) -> Option<Account> {
    Account::decode(account.encode().expose()).ok()
}

fn copy_of_generator(generator: &CodeGenerator) -> CodeGenerator {
    CodeGenerator::from_parts(Secret::new(*generator.expose_secret()), generator.last())
}

fn key(bytes: &[u8]) -> Result<Verifier, Refused> {
    Verifier::from_bytes(bytes).map_err(|_| malformed("session key is no public key"))
}

fn machine(refusal: Refusal) -> Refused {
    Refused::new("no-randomness", refusal.to_string())
}

/// The one answer for everybody who is not let in.
fn refused() -> Refused {
    Refused::new("sign-in", "the sign-in is refused; see what you typed, and begin again")
}
