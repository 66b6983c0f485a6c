//! Accounts of programs: tokens that expire, and certificates. Neither ever counts as a person's two factors.

use std::net::IpAddr;

use base::UtcMillis;
use subtle::ConstantTimeEq as _;

use crate::bytes::{Reader, Writer};
use crate::claimant::Shown;
use crate::code::{Code, CodeHash};
use crate::throttle::Ticket;
use crate::{Challenge, Factor, Name, Network, Outcome, Proof, RecordError, Refusal};

/// The longest life of a token or of a certificate's admission.
pub const LONGEST: i64 = 90 * 24 * 60 * 60 * 1000;
/// The most tokens and certificates of an account; more are a sign that old ones are not ended.
pub const MOST: usize = 8;
const DOMAIN: &str = "service";
const MAGIC: &[u8] = b"MKSERV1";
/// So that leaked ones are found by those who search for them.
const PREFIX: &str = "mkst_";

/// What a token or certificate may be used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The actions, by the policies' names. None is none.
    pub actions: Vec<String>,
    /// The purposes, by the policies' names. None is none.
    pub purposes: Vec<String>,
    /// From where. None is from everywhere.
    pub sources: Vec<Network>,
    /// Until when, at most 90 days from its making.
    pub until: UtcMillis,
}

/// What shows who the program is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    Token(CodeHash),
    Certificate([u8; 32]),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pass {
    id: u64,
    label: String,
    key: Key,
    scope: Scope,
    used: Option<UtcMillis>,
}

/// The account of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    name: Name,
    next: u64,
    passes: Vec<Pass>,
}

/// A token or certificate in lists: nothing that opens anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<'a> {
    /// Names it within its account, and is never given twice.
    pub id: u64,
    /// What it is for, in its maker's words.
    pub label: &'a str,
    /// It is a certificate.
    pub certificate: bool,
    /// What it allows.
    pub scope: &'a Scope,
    /// When it was used last.
    pub used: Option<UtcMillis>,
}

/// A token, shown once.
pub struct Token(Code);

impl Token {
    /// The token for the one moment in which it is shown.
    #[must_use]
    pub fn expose(&self) -> zeroize::Zeroizing<String> {
        zeroize::Zeroizing::new(format!("{PREFIX}{}", self.0.expose()))
    }
}

impl Scope {
    fn lasts(&self, now: UtcMillis) -> Result<(), Refusal> {
        let left = self.until.since(now);
        if left > 0 && left <= LONGEST { Ok(()) } else { Err(Refusal::Expired) }
    }

    /// Whether it lasts, and may be shown from there.
    fn holds(&self, from: IpAddr, now: UtcMillis) -> Result<(), Refusal> {
        if now >= self.until {
            return Err(Refusal::Expired);
        }
        let here = self.sources.is_empty() || self.sources.iter().any(|network| network.holds(from));
        if here { Ok(()) } else { Err(Refusal::WrongSource) }
    }

    /// Whether something is within it.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`].
    pub fn allows(&self, action: &str, purpose: &str) -> Result<(), Refusal> {
        let action = self.actions.iter().any(|allowed| allowed == action);
        let purpose = self.purposes.iter().any(|allowed| allowed == purpose);
        if action && purpose { Ok(()) } else { Err(Refusal::NotAllowed) }
    }

    fn write(&self, to: &mut Writer) {
        to.each(&self.actions, |to, action| {
            to.text(action);
        });
        to.each(&self.purposes, |to, purpose| {
            to.text(purpose);
        });
        to.each(&self.sources, |to, source| {
            to.text(&source.to_string());
        });
        to.time(self.until);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            actions: from.each(64, Reader::text)?,
            purposes: from.each(64, Reader::text)?,
            sources: from.each(64, |from| from.text()?.parse().ok())?,
            until: from.time()?,
        })
    }
}

impl ServiceAccount {
    /// An account without tokens.
    #[must_use]
    pub const fn new(name: Name) -> Self {
        Self { name, next: 1, passes: Vec::new() }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// Makes a token.
    ///
    /// # Errors
    /// [`Refusal::Expired`] for a time that is past or more than 90 days away, [`Refusal::NotAllowed`] for a scope
    /// without action or purpose, or too many tokens, [`Refusal::Machine`].
    pub fn add_token(&mut self, label: &str, scope: Scope, now: UtcMillis) -> Result<(u64, Token), Refusal> {
        let (code, hash) = Code::generate::<20>(DOMAIN)?;
        Ok((self.add(label, Key::Token(hash), scope, now)?, Token(code)))
    }

    /// Admits a certificate by the SHA-256 of its DER encoding. Whether the caller holds its key is what TLS has checked.
    ///
    /// # Errors
    /// As [`ServiceAccount::add_token`].
    pub fn add_certificate(
        &mut self,
        label: &str,
        fingerprint: [u8; 32],
        scope: Scope,
        now: UtcMillis,
    ) -> Result<u64, Refusal> {
        self.add(label, Key::Certificate(fingerprint), scope, now)
    }

    fn add(&mut self, label: &str, key: Key, scope: Scope, now: UtcMillis) -> Result<u64, Refusal> {
        scope.lasts(now)?;
        self.passes.retain(|pass| now < pass.scope.until);
        if scope.actions.is_empty() || scope.purposes.is_empty() || self.passes.len() >= MOST {
            return Err(Refusal::NotAllowed);
        }
        let id = self.next;
        self.next = self.next.saturating_add(1);
        let label = label.chars().filter(|c| !c.is_control()).take(80).collect();
        self.passes.push(Pass { id, label, key, scope, used: None });
        Ok(id)
    }

    /// Ends a token or certificate at once.
    pub fn end(&mut self, id: u64) -> bool {
        let before = self.passes.len();
        self.passes.retain(|pass| pass.id != id);
        self.passes.len() < before
    }

    /// What there is, for lists.
    pub fn list(&self) -> impl Iterator<Item = Listed<'_>> {
        self.passes.iter().map(|pass| Listed {
            id: pass.id,
            label: &pass.label,
            certificate: matches!(pass.key, Key::Certificate(_)),
            scope: &pass.scope,
            used: pass.used,
        })
    }

    /// Notes that one was used.
    pub fn note(&mut self, id: u64, now: UtcMillis) {
        if let Some(pass) = self.passes.iter_mut().find(|pass| pass.id == id) {
            pass.used = pass.used.max(Some(now));
        }
    }

    /// What one allows that was shown before, as long as it is neither ended nor over: what it opened is worth no more.
    ///
    /// # Errors
    /// [`Refusal::UnknownToken`], [`Refusal::Expired`].
    pub fn scope(&self, id: u64, now: UtcMillis) -> Result<&Scope, Refusal> {
        let pass = self.passes.iter().find(|pass| pass.id == id).ok_or(Refusal::UnknownToken)?;
        if now < pass.scope.until { Ok(&pass.scope) } else { Err(Refusal::Expired) }
    }

    /// By a token, in answer to a challenge: past the throttle, as a [`crate::Claimant`] is.
    pub fn prove(
        account: Option<&Self>,
        challenge: &Challenge,
        ticket: Ticket,
        typed: &str,
        from: IpAddr,
        now: UtcMillis,
    ) -> Outcome<Shown> {
        let name = challenge.name();
        let one = ticket.is_for(name, account.is_some()) && account.is_none_or(|a| a.name() == name);
        if !one {
            return Outcome::refused(Refusal::NotThisSession);
        }
        let found = account.ok_or(Refusal::NotEnrolled).and_then(|a| a.check_token(typed, from, now));
        match found {
            Ok(id) => {
                let proof = Proof::of(challenge, Factor::Token(id));
                Outcome::new(Ok(Shown { proof, ticket }), Vec::new())
            }
            Err(refusal) => Outcome::refused(refusal),
        }
    }

    /// Checks a token that comes from an address; gives the token's id. What it allows is in its scope.
    ///
    /// # Errors
    /// [`Refusal::UnknownToken`], [`Refusal::Expired`], [`Refusal::WrongSource`].
    pub fn check_token(&self, typed: &str, from: IpAddr, now: UtcMillis) -> Result<u64, Refusal> {
        let hash =
            typed.trim().strip_prefix(PREFIX).and_then(|typed| CodeHash::of_typed::<20>(DOMAIN, typed));
        let hash = hash.ok_or(Refusal::UnknownToken)?;
        self.check(|key| matches!(key, Key::Token(kept) if kept.fits(&hash)), from, now)
    }

    /// Checks a certificate that TLS has verified.
    ///
    /// # Errors
    /// As [`ServiceAccount::check_token`].
    pub fn check_certificate(
        &self,
        fingerprint: &[u8; 32],
        from: IpAddr,
        now: UtcMillis,
    ) -> Result<u64, Refusal> {
        let fits = |key: &Key| matches!(key, Key::Certificate(kept) if bool::from(kept.ct_eq(fingerprint)));
        self.check(fits, from, now)
    }

    fn check(&self, fits: impl Fn(&Key) -> bool, from: IpAddr, now: UtcMillis) -> Result<u64, Refusal> {
        let pass = self.passes.iter().find(|pass| fits(&pass.key)).ok_or(Refusal::UnknownToken)?;
        pass.scope.holds(from, now)?;
        Ok(pass.id)
    }

    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::default();
        to.bytes(MAGIC).text(self.name.as_str()).number(self.next);
        to.each(&self.passes, |to, pass| {
            to.number(pass.id).text(&pass.label);
            match &pass.key {
                Key::Token(hash) => to.number(0).bytes(&hash.0),
                Key::Certificate(fingerprint) => to.number(1).bytes(fingerprint),
            };
            pass.scope.write(to);
            to.time(pass.used.unwrap_or(UtcMillis(i64::MIN)));
        });
        to.end()
    }

    /// From bytes.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let read = || {
            let mut from = Reader::new(bytes);
            (from.bytes()? == MAGIC).then_some(())?;
            let (name, next) = (from.text()?.parse().ok()?, from.number()?);
            let passes = from.each(MOST, |from| {
                let (id, label) = (from.number()?, from.text()?);
                let key = match from.number()? {
                    0 => Key::Token(CodeHash(from.array()?)),
                    1 => Key::Certificate(from.array()?),
                    _ => return None,
                };
                let scope = Scope::read(from)?;
                let used = from.time().map(|at| (at.0 != i64::MIN).then_some(at))?;
                Some(Pass { id, label, key, scope, used })
            })?;
            from.end(Self { name, next, passes })
        };
        read().ok_or(RecordError("service account"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::challenge::tests::{NOW, challenge};
    use crate::throttle::Attempt;
    use crate::{Source, Throttle};

    fn scope(days: i64) -> Scope {
        Scope {
            actions: vec!["export".to_owned()],
            purposes: vec!["billing".to_owned()],
            sources: vec!["10.0.0.0/8".parse().unwrap()],
            until: NOW.plus(days * 24 * 3600 * 1000),
        }
    }

    fn account() -> ServiceAccount {
        ServiceAccount::new("billing-export".parse().unwrap())
    }

    const HERE: &str = "10.1.2.3";

    #[test]
    fn a_token_opens_what_it_says_from_where_it_says_until_then() {
        let mut account = account();
        let (id, token) = account.add_token("billing", scope(30), NOW).unwrap();
        let token = token.expose();
        let check = |typed: &str, from: &str, now| account.check_token(typed, from.parse().unwrap(), now);
        assert_eq!(check(&token, HERE, NOW), Ok(id));
        assert_eq!(check(&token, "11.1.2.3", NOW), Err(Refusal::WrongSource));
        let over = NOW.plus(30 * 86_400_000);
        assert_eq!(check(&token, HERE, over), Err(Refusal::Expired));
        for wrong in ["", "mkst_", &token[5..], &format!("{}0", *token)] {
            assert_eq!(check(wrong, HERE, NOW), Err(Refusal::UnknownToken));
        }
        let opens = account.scope(id, NOW).unwrap();
        assert_eq!(opens.allows("export", "billing"), Ok(()));
        assert_eq!(opens.allows("import", "billing"), Err(Refusal::NotAllowed));
        assert_eq!(opens.allows("export", "operations"), Err(Refusal::NotAllowed));
        assert_eq!(account.scope(id, over), Err(Refusal::Expired));
        assert_eq!(account.scope(id + 1, NOW), Err(Refusal::UnknownToken));
        account.note(id, NOW);
        assert_eq!(account.list().next().unwrap().used, Some(NOW));
        let copy = ServiceAccount::decode(&account.encode()).unwrap();
        assert_eq!(copy, account);
        assert!(account.end(id) && !account.end(id));
        let ended = account.check_token(&token, HERE.parse().unwrap(), NOW);
        assert_eq!(ended, Err(Refusal::UnknownToken));
        assert_eq!(account.scope(id, NOW), Err(Refusal::UnknownToken), "nor does what it opened before");
    }

    #[test]
    fn a_token_answers_a_challenge_of_its_own_account_alone() {
        let mut account = account();
        let (id, token) = account.add_token("billing", scope(30), NOW).unwrap();
        let prove = |account: Option<&ServiceAccount>, name: &str, typed: &str| {
            let (challenge, mut throttle) = (challenge(name), Throttle::new(8).unwrap());
            let source = Source::of(HERE.parse().unwrap());
            let exists = account.is_some();
            let attempt = Attempt { name: challenge.name(), exists, source, device: None };
            let ticket = throttle.admit(&attempt, NOW).unwrap();
            let from = HERE.parse().unwrap();
            let outcome = ServiceAccount::prove(account, &challenge, ticket, typed, from, NOW);
            outcome.after(|_| Ok::<(), ()>(())).unwrap().map(|shown| shown.proof.factor())
        };
        let token = token.expose();
        assert_eq!(prove(Some(&account), "billing-export", &token), Ok(Factor::Token(id)));
        assert_eq!(prove(Some(&account), "another", &token), Err(Refusal::NotThisSession));
        assert_eq!(prove(None, "billing-export", &token), Err(Refusal::NotEnrolled));
        assert_eq!(prove(Some(&account), "billing-export", "mkst_x"), Err(Refusal::UnknownToken));
    }

    #[test]
    fn no_token_lasts_more_than_ninety_days_or_allows_nothing() {
        let mut account = account();
        assert!(account.add_token("x", scope(90), NOW).is_ok());
        assert_eq!(account.add_token("x", scope(91), NOW).err(), Some(Refusal::Expired));
        assert_eq!(account.add_token("x", scope(0), NOW).err(), Some(Refusal::Expired));
        let empty = Scope { actions: vec![], ..scope(1) };
        assert_eq!(account.add_token("x", empty, NOW).err(), Some(Refusal::NotAllowed));
        let aimless = Scope { purposes: vec![], ..scope(1) };
        assert_eq!(account.add_token("x", aimless, NOW).err(), Some(Refusal::NotAllowed));
        for _ in 1..MOST {
            account.add_token("x", scope(1), NOW).unwrap();
        }
        assert_eq!(account.add_token("x", scope(1), NOW).err(), Some(Refusal::NotAllowed));
        let later = NOW.plus(2 * 86_400_000);
        let (id, _) = account.add_token("x", scope(5), later).unwrap();
        assert_eq!(id, MOST as u64 + 1, "ids of ended tokens are not given again");
    }

    #[test]
    fn a_certificate_is_known_by_its_fingerprint() {
        let mut account = account();
        let id = account.add_certificate("host", [7; 32], scope(30), NOW).unwrap();
        let check = |print| account.check_certificate(&[print; 32], HERE.parse().unwrap(), NOW);
        assert_eq!(check(7), Ok(id));
        assert_eq!(check(8), Err(Refusal::UnknownToken));
        assert!(account.list().all(|pass| pass.certificate && pass.label == "host"));
        assert_eq!(ServiceAccount::decode(&account.encode()), Ok(account));
    }
}
