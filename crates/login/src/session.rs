//! Sessions: bound to a key that the client made before it signed in, over after a while, ended at will.
//!
//! There is no cookie that could be planted before and used after. The id is drawn when everything is proved, and it opens
//! nothing by itself: each request is signed with the session key (ADR 0003), which never leaves the client.

use std::fmt;

use base::UtcMillis;
use seal::sign::Verifier;

use crate::bytes::{Reader, Writer};
use crate::{Factor, Name, Proven, RecordError, Refusal, Strength};

/// Over after so long without use.
pub const IDLE: i64 = 30 * 60 * 1000;
/// Over after so long in any case.
pub const ABSOLUTE: i64 = 12 * 60 * 60 * 1000;
/// A fresh proof of two factors counts as fresh for so long.
pub const STEP_UP: i64 = 10 * 60 * 1000;
/// The sessions of one person; the one unused for longest makes room.
pub const PER_PERSON: usize = 16;

/// Names a session in logs and lists.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub [u8; 16]);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    id: SessionId,
    name: Name,
    key: Verifier,
    strength: Strength,
    by: String,
    created: UtcMillis,
    used: UtcMillis,
    stepped_up: Option<UtcMillis>,
    /// The token that it was opened with, by its id.
    token: Option<u64>,
}

impl Session {
    /// Opens a session for what was proved.
    ///
    /// # Errors
    /// [`Refusal::Machine`] without randomness.
    pub fn open(proven: Proven) -> Result<Self, Refusal> {
        let id = SessionId(base::random().map_err(|_| Refusal::Machine)?);
        let by: Vec<&str> = proven.factors().iter().copied().map(Factor::as_str).collect();
        Ok(Self {
            id,
            name: proven.name().clone(),
            key: proven.session(),
            strength: proven.strength(),
            by: by.join(" "),
            created: proven.at(),
            used: proven.at(),
            stepped_up: None,
            token: proven.factors().iter().find_map(|factor| match factor {
                Factor::Token(id) => Some(*id),
                _ => None,
            }),
        })
    }

    /// Its name in lists.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// Whose.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// The key that signs its requests.
    #[must_use]
    pub const fn key(&self) -> Verifier {
        self.key
    }

    /// By which factors it was opened, separated by spaces.
    #[must_use]
    pub fn by(&self) -> &str {
        &self.by
    }

    /// The token of a service account that it was opened with, by its id. It is worth no more than that token is now.
    #[must_use]
    pub const fn token(&self) -> Option<u64> {
        self.token
    }

    /// When it was opened.
    #[must_use]
    pub const fn created(&self) -> UtcMillis {
        self.created
    }

    /// When it was used last.
    #[must_use]
    pub const fn used(&self) -> UtcMillis {
        self.used
    }

    /// Whether it is over. A clock that was set back to before its beginning ends it too.
    #[must_use]
    pub const fn over(&self, now: UtcMillis) -> bool {
        let age = now.since(self.created);
        now.since(self.used) >= IDLE || age >= ABSOLUTE || age < -60_000
    }

    /// How well its person has shown who they are, as of now. The first sign-in is no step-up: that one says "yes, this,
    /// now", and has to be asked for.
    #[must_use]
    pub const fn strength(&self, now: UtcMillis) -> Strength {
        match self.stepped_up {
            Some(at) if now.since(at) < STEP_UP && now.since(at) >= 0 => Strength::StepUp,
            _ => self.strength,
        }
    }

    /// Notes a use. How old the note may be on disk is the caller's to say: a minute loses a minute of idle time.
    ///
    /// # Errors
    /// [`Refusal::Expired`].
    pub fn touch(&mut self, now: UtcMillis) -> Result<(), Refusal> {
        if self.over(now) {
            return Err(Refusal::Expired);
        }
        self.used = self.used.max(now);
        Ok(())
    }

    /// Takes two factors anew, proved by the same person for the same session key.
    ///
    /// # Errors
    /// [`Refusal::Expired`], [`Refusal::NotThisSession`], [`Refusal::SameFactor`] when it was one factor.
    pub fn step_up(&mut self, proven: &Proven, now: UtcMillis) -> Result<(), Refusal> {
        if self.over(now) {
            return Err(Refusal::Expired);
        }
        if proven.name() != &self.name || proven.session() != self.key || proven.at() < self.created {
            return Err(Refusal::NotThisSession);
        }
        if proven.strength() < Strength::MultiFactor {
            return Err(Refusal::SameFactor);
        }
        self.strength = Strength::MultiFactor;
        self.stepped_up = Some(proven.at());
        self.used = self.used.max(now);
        Ok(())
    }

    fn write(&self, to: &mut Writer) {
        to.bytes(&self.id.0).text(self.name.as_str()).bytes(self.key.as_bytes());
        to.number(u64::from(self.strength >= Strength::MultiFactor)).text(&self.by);
        to.time(self.created).time(self.used).time(self.stepped_up.unwrap_or(UtcMillis(i64::MIN)));
        to.number(self.token.unwrap_or(0));
    }

    fn read(from: &mut Reader<'_>, with_tokens: bool) -> Option<Self> {
        Some(Self {
            id: SessionId(from.array()?),
            name: from.text()?.parse().ok()?,
            key: Verifier::from_bytes(from.bytes()?).ok()?,
            strength: match from.number()? {
                0 => Strength::Machine,
                1 => Strength::MultiFactor,
                _ => return None,
            },
            by: from.text()?,
            created: from.time()?,
            used: from.time()?,
            stepped_up: from.time().map(|at| (at.0 != i64::MIN).then_some(at))?,
            token: if with_tokens { from.number().map(|id| (id != 0).then_some(id))? } else { None },
        })
    }
}

/// The house's open sessions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sessions(Vec<Session>);

const MAGIC: &[u8] = b"MKSESS2";
/// Of the edition before, which had no tokens.
const MAGIC_BEFORE: &[u8] = b"MKSESS1";
const MOST: usize = 100_000;

impl Sessions {
    /// Adds a session; the same key opens no second one, and a person's oldest makes room for a new one. What ended is
    /// given back, for the log.
    ///
    /// # Errors
    /// [`Refusal::NotThisSession`] for a key that has a session.
    pub fn add(&mut self, session: Session, now: UtcMillis) -> Result<Vec<Session>, Refusal> {
        let mut ended = self.sweep(now);
        if self.0.iter().any(|other| other.key == session.key) {
            return Err(Refusal::NotThisSession);
        }
        while self.of(&session.name).count() >= PER_PERSON {
            let oldest = self.of(&session.name).min_by_key(|s| s.used).map(Session::id);
            let Some(gone) = oldest.and_then(|id| self.end(id)) else { break };
            ended.push(gone);
        }
        self.0.push(session);
        Ok(ended)
    }

    /// The session of a key, if it lasts.
    #[must_use]
    pub fn by_key(&self, key: &Verifier, now: UtcMillis) -> Option<&Session> {
        self.0.iter().find(|session| session.key == *key && !session.over(now))
    }

    /// The same, to note a use or a step-up.
    pub fn by_key_mut(&mut self, key: &Verifier, now: UtcMillis) -> Option<&mut Session> {
        self.0.iter_mut().find(|session| session.key == *key && !session.over(now))
    }

    /// A person's sessions.
    pub fn of<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = &'a Session> {
        self.0.iter().filter(move |session| session.name == *name)
    }

    /// Ends one.
    pub fn end(&mut self, id: SessionId) -> Option<Session> {
        let at = self.0.iter().position(|session| session.id == id)?;
        Some(self.0.swap_remove(at))
    }

    /// Ends all of a person: who leaves, changes the password or lost a device.
    pub fn end_all(&mut self, name: &Name) -> Vec<Session> {
        self.0.extract_if(.., |session| session.name == *name).collect()
    }

    /// Ends those that a token of a service account opened.
    pub fn end_token(&mut self, name: &Name, token: u64) -> Vec<Session> {
        self.0.extract_if(.., |session| session.name == *name && session.token == Some(token)).collect()
    }

    /// Takes out what is over.
    pub fn sweep(&mut self, now: UtcMillis) -> Vec<Session> {
        self.0.extract_if(.., |session| session.over(now)).collect()
    }

    /// As bytes. There is nothing secret in them: keys are public halves.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::default();
        to.bytes(MAGIC).each(&self.0, |to, session| session.write(to));
        to.end()
    }

    /// From bytes.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let read = || {
            let mut from = Reader::new(bytes);
            let with_tokens = match from.bytes()? {
                MAGIC => true,
                MAGIC_BEFORE => false,
                _ => return None,
            };
            let sessions = from.each(MOST, |from| Session::read(from, with_tokens))?;
            from.end(Self(sessions))
        };
        read().ok_or(RecordError("list of sessions"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::challenge::tests::{NOW, challenge};
    use crate::{Challenge, Proof, Step};

    fn proven(challenge: Challenge, factor: Factor, now: UtcMillis) -> Proven {
        let proof = Proof::of(&challenge, factor);
        let Step::Done(proven) = challenge.answer(proof, now).unwrap() else { panic!("one factor") };
        proven
    }

    fn session(name: &str, factor: Factor) -> Session {
        Session::open(proven(challenge(name), factor, NOW)).unwrap()
    }

    fn again(session: &Session, name: &str, now: UtcMillis) -> Challenge {
        Challenge::begin([7; 16], name.parse().unwrap(), session.key(), now).unwrap()
    }

    #[test]
    fn it_is_over_when_it_is_idle_and_after_half_a_day() {
        let mut session = session("anna", Factor::Passkey);
        assert!(!session.over(NOW.plus(IDLE - 1)) && session.over(NOW.plus(IDLE)));
        let mut now = NOW;
        while now.since(NOW) < ABSOLUTE - IDLE {
            now = now.plus(IDLE - 1);
            session.touch(now).unwrap();
        }
        assert!(!session.over(NOW.plus(ABSOLUTE - 1)) || session.over(now.plus(IDLE)));
        assert!(session.over(NOW.plus(ABSOLUTE)));
        assert_eq!(session.touch(NOW.plus(ABSOLUTE)), Err(Refusal::Expired));
        assert!(session.over(NOW.plus(-3_600_000)), "a clock that was set back makes no session longer");
    }

    #[test]
    fn a_step_up_is_two_factors_of_the_same_person_and_key_and_lasts_ten_minutes() {
        let mut mine = session("anna", Factor::Key);
        assert_eq!(mine.strength(NOW), Strength::Machine);
        let later = NOW.plus(60_000);
        let weak = proven(again(&mine, "anna", later), Factor::Key, later);
        assert_eq!(mine.step_up(&weak, later), Err(Refusal::SameFactor));
        let other = proven(again(&mine, "bo", later), Factor::Passkey, later);
        assert_eq!(mine.step_up(&other, later), Err(Refusal::NotThisSession));
        let elsewhere = proven(challenge("anna"), Factor::Passkey, later);
        assert_eq!(mine.step_up(&elsewhere, later), Err(Refusal::NotThisSession));
        let good = proven(again(&mine, "anna", later), Factor::Passkey, later);
        mine.step_up(&good, later).unwrap();
        assert_eq!(mine.strength(later.plus(STEP_UP - 1)), Strength::StepUp);
        assert_eq!(mine.strength(later.plus(STEP_UP)), Strength::MultiFactor);
    }

    #[test]
    fn a_session_knows_its_token_and_ends_with_it() {
        let (mut sessions, name) = (Sessions::default(), "export".parse().unwrap());
        for token in [3, 4] {
            sessions.add(session("export", Factor::Token(token)), NOW).unwrap();
        }
        sessions.add(session("anna", Factor::Passkey), NOW).unwrap();
        let mut again = Sessions::decode(&sessions.encode()).unwrap();
        assert_eq!(again, sessions);
        let ended = again.end_token(&name, 3);
        assert_eq!(ended.iter().map(Session::token).collect::<Vec<_>>(), [Some(3)]);
        assert_eq!(again.of(&name).map(Session::token).collect::<Vec<_>>(), [Some(4)]);
        assert_eq!(again.of(&"anna".parse().unwrap()).map(Session::token).collect::<Vec<_>>(), [None]);
    }

    #[test]
    fn a_list_of_the_edition_before_is_read() {
        let mut sessions = Sessions::default();
        sessions.add(session("anna", Factor::Passkey), NOW).unwrap();
        let mut before = Writer::default();
        before.bytes(MAGIC_BEFORE).number(1);
        let mut old = before.end();
        // the one field more is a session's last
        let now = sessions.encode();
        old.extend_from_slice(&now[old.len()..now.len() - 8]);
        assert_eq!(Sessions::decode(&old), Ok(sessions));
    }

    #[test]
    fn ids_are_drawn_after_the_proof_and_a_key_has_one_session() {
        let (first, second) = (session("anna", Factor::Passkey), session("anna", Factor::Passkey));
        assert_ne!(first.id(), second.id());
        let mut sessions = Sessions::default();
        sessions.add(first.clone(), NOW).unwrap();
        let same_key = Session::open(proven(again(&first, "bo", NOW), Factor::Passkey, NOW)).unwrap();
        assert_eq!(sessions.add(same_key, NOW), Err(Refusal::NotThisSession));
    }

    #[test]
    fn sessions_are_listed_ended_and_kept_as_bytes() {
        let mut sessions = Sessions::default();
        for _ in 0..PER_PERSON {
            assert_eq!(sessions.add(session("anna", Factor::Passkey), NOW).unwrap(), []);
        }
        let bo = session("bo", Factor::Key);
        sessions.add(bo.clone(), NOW).unwrap();
        assert_eq!(sessions.add(session("anna", Factor::Passkey), NOW).unwrap().len(), 1);
        assert_eq!(sessions.of(&"anna".parse().unwrap()).count(), PER_PERSON);
        assert_eq!(Sessions::decode(&sessions.encode()).unwrap(), sessions);
        assert_eq!(sessions.end_all(&"anna".parse().unwrap()).len(), PER_PERSON);
        assert_eq!(sessions.by_key(&bo.key(), NOW), Some(&bo));
        assert_eq!(sessions.by_key(&bo.key(), NOW.plus(IDLE)), None);
        assert_eq!(sessions.end(bo.id()), Some(bo));
        assert_eq!(sessions, Sessions::default());
        let bytes = sessions.encode();
        for cut in 0..bytes.len() {
            assert!(Sessions::decode(&bytes[..cut]).is_err(), "{cut}");
        }
    }
}
