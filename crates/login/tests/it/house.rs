//! A house with one person: what the room that signs people in keeps, without its journal.

use std::net::{IpAddr, Ipv4Addr};

use authenticator::Authenticator;
use base::{Secret, SecretBytes, UtcMillis};
use login::password::Cost;
use login::throttle::Attempt;
use login::totp::code_at;
use login::{
    Account, Challenge, Claimant, CodeGenerator, DeviceToken, Name, Outcome, Passwords, RecoveryCodes,
    Refusal, RelyingParty, Session, Sessions, Shown, Source, Step, Throttle, Ticket,
};
use seal::sign::{Signer, Verifier};

pub(crate) const NOW: UtcMillis = UtcMillis(1_800_000_000_000);
pub(crate) const ORIGIN: &str = "https://meters.example.org";
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Cheap work, so that tests guess fast.
pub(crate) struct Cheap;

impl Cost for Cheap {
    const MEMORY_KIB: u32 = 64;
    const PASSES: u32 = 1;
    const LANES: u32 = 1;
}

pub(crate) struct House {
    pub(crate) account: Account,
    pub(crate) throttle: Throttle,
    pub(crate) sessions: Sessions,
    pub(crate) party: RelyingParty,
    pub(crate) log: Vec<&'static str>,
    codes: Secret<20>,
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn place(n: u32) -> Source {
    Source::of(IpAddr::V4(Ipv4Addr::from_bits(n)))
}

pub(crate) fn secret(text: &str) -> SecretBytes {
    SecretBytes::new(text.as_bytes().to_vec())
}

pub(crate) fn session_key() -> Verifier {
    Signer::generate().unwrap().verifier()
}

/// Where somebody stands who signs in.
#[derive(Clone, Copy)]
pub(crate) struct From<'a> {
    pub(crate) place: Source,
    pub(crate) device: Option<&'a DeviceToken>,
}

pub(crate) const HOME: u32 = 1;

impl From<'_> {
    pub(crate) fn stranger(n: u32) -> Self {
        Self { place: place(n), device: None }
    }
}

impl House {
    pub(crate) fn new() -> Self {
        let mut account = Account::new(name("anna"), "Anna Østergård").unwrap();
        account.password =
            Some(Passwords::<Cheap>::keep(&secret(PASSWORD), &name("anna"), "Anna Østergård").unwrap());
        let generator = CodeGenerator::generate().unwrap();
        let codes = Secret::new(*generator.expose_secret());
        account.codes = Some(generator);
        let party = RelyingParty::new("meters.example.org", "Example Water", &[ORIGIN]).unwrap();
        let throttle = Throttle::new(10).unwrap();
        Self { account, throttle, sessions: Sessions::default(), party, log: Vec::new(), codes }
    }

    pub(crate) fn code(&self, at: UtcMillis) -> String {
        code_at(&self.codes, at).unwrap()
    }

    pub(crate) fn begin(&self, who: &str, session: Verifier, now: UtcMillis) -> Challenge {
        Challenge::begin([7; 16], name(who), session, now).unwrap()
    }

    pub(crate) fn admit(&mut self, who: &str, from: From<'_>, now: UtcMillis) -> Result<Ticket, Refusal> {
        let who = name(who);
        let exists = who == *self.account.name();
        let device = from.device.filter(|_| exists);
        let device = device.and_then(|token| self.account.devices.recognise(token.expose(), now));
        let attempt = Attempt { name: &who, exists, source: from.place, device };
        let admitted = self.throttle.admit(&attempt, now).map_err(Refusal::from);
        admitted.inspect_err(|refusal| self.log.push(refusal.reason()))
    }

    /// Somebody with a ticket tries something; what it changed is kept before anybody hears of it.
    pub(crate) fn check(
        &mut self,
        challenge: &Challenge,
        ticket: Ticket,
        prove: impl FnOnce(&RelyingParty, Claimant<'_>) -> Outcome<Shown>,
    ) -> Result<Shown, Refusal> {
        let account = Some(&self.account).filter(|account| account.name() == challenge.name());
        let outcome = prove(&self.party, Claimant::new(account, challenge, ticket)?);
        let account = &mut self.account;
        let shown = outcome.after(|changes| {
            for change in changes {
                assert!(account.apply(change), "a change of nothing");
            }
            *account = Account::decode(account.encode().expose()).map_err(|_| "not kept")?;
            Ok::<(), &str>(())
        });
        shown.unwrap().inspect_err(|refusal| self.log.push(refusal.reason()))
    }

    pub(crate) fn open(&mut self, shown: Shown, challenge: Challenge, now: UtcMillis) -> Session {
        let Step::Done(proven) = challenge.answer(shown.proof, now).unwrap() else {
            panic!("one factor makes no session")
        };
        self.throttle.succeeded(shown.ticket);
        let session = Session::open(proven).unwrap();
        self.sessions.add(session.clone(), now).unwrap();
        session
    }

    /// The whole way with password and code; the refusal of whichever step fails.
    pub(crate) fn with_code(
        &mut self,
        who: &str,
        from: From<'_>,
        password: &str,
        code: &str,
        now: UtcMillis,
    ) -> Result<Session, Refusal> {
        let ticket = self.admit(who, from, now)?;
        let challenge = self.begin(who, session_key(), now);
        let first = self.check(&challenge, ticket, |_, c| c.password::<Cheap>(&secret(password), now))?;
        let Step::More(pending) = challenge.answer(first.proof, now)? else {
            panic!("a password made a session")
        };
        let second = self.check(pending.challenge(), first.ticket, |_, c| c.code(code, now))?;
        let proven = pending.answer(second.proof, now)?;
        self.throttle.succeeded(second.ticket);
        let session = Session::open(proven)?;
        self.sessions.add(session.clone(), now)?;
        Ok(session)
    }

    pub(crate) fn enrol(&mut self, authenticator: &mut Authenticator) {
        let (party, session, handle) = (&self.party, session_key(), self.account.handle());
        let asked = party.register(handle, &name("anna"), self.account.passkeys(), session, NOW);
        let (options, begun) = asked.unwrap();
        let answer = authenticator.create(&options).unwrap();
        let passkey = party.registered(begun, handle, session, "laptop", &answer, NOW).unwrap();
        self.account.add_passkey(passkey).unwrap();
    }

    pub(crate) fn recovery(&mut self) -> Vec<String> {
        let (codes, kept) = RecoveryCodes::generate().unwrap();
        self.account.recovery = Some(kept);
        codes.iter().map(|code| code.expose().to_owned()).collect()
    }
}
