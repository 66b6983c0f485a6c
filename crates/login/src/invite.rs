//! Invitations: a code on paper, good once and for three days, by which a person sets their first credential.
//!
//! The owner of a new house comes in the same way: the first start shows one code, and there is no account before it is
//! used, so no password that everybody knows.

use base::UtcMillis;

use crate::bytes::{Reader, Writer};
use crate::code::{Code, CodeHash};
use crate::{Name, RecordError, Refusal};

/// How long an invitation is good.
pub const LASTS: i64 = 3 * 24 * 60 * 60 * 1000;
const DOMAIN: &str = "invitation";
const MAGIC: &[u8] = b"MKINVT1";
const MOST: usize = 10_000;

/// What an invitation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// The first owner of the house.
    Owner,
    /// A new person.
    Person,
    /// Somebody who lost all credentials, and whom somebody else has recognised.
    Return,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Invitation {
    name: Name,
    why: For,
    by: String,
    until: UtcMillis,
    hash: CodeHash,
}

/// Leave to set the first credential of a person. Not `Clone`; it comes only from a code that was good, and only while it
/// is fresh does it open anything.
#[derive(Debug, PartialEq, Eq)]
pub struct Enrolment {
    name: Name,
    why: For,
    by: String,
    until: UtcMillis,
}

/// The open invitations of a house.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Invitations {
    open: Vec<Invitation>,
    /// There is, or was, an owner; a second first start makes none.
    owned: bool,
}

impl Enrolment {
    /// Whose.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// What for.
    #[must_use]
    pub const fn why(&self) -> For {
        self.why
    }

    /// Who invited, for the log.
    #[must_use]
    pub fn by(&self) -> &str {
        &self.by
    }

    /// Whether there is still time to set the credential.
    ///
    /// # Errors
    /// [`Refusal::Expired`].
    pub fn fresh(&self, now: UtcMillis) -> Result<(), Refusal> {
        if now < self.until { Ok(()) } else { Err(Refusal::Expired) }
    }
}

impl Invitations {
    /// The code of the first owner. Asked again before it is used, it gives another and the earlier one is over.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`] when there is an owner already, [`Refusal::Machine`].
    pub fn first_owner(&mut self, name: Name, now: UtcMillis) -> Result<Code, Refusal> {
        if self.owned {
            return Err(Refusal::NotAllowed);
        }
        self.open.retain(|invitation| invitation.why != For::Owner);
        self.make(name, For::Owner, "first start", now)
    }

    /// There is no owner after all: the code was used and nothing came of it. That nobody signs in here is the caller's to see.
    pub const fn unowned(&mut self) {
        self.owned = false;
    }

    /// Invites a person, or lets one return; an earlier invitation of the same person is over.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`] for an owner, who is not invited like this, or too many; [`Refusal::Machine`].
    pub fn invite(&mut self, name: Name, why: For, by: &Name, now: UtcMillis) -> Result<Code, Refusal> {
        if why == For::Owner || *by == name {
            return Err(Refusal::NotAllowed);
        }
        self.make(name, why, by.as_str(), now)
    }

    fn make(&mut self, name: Name, why: For, by: &str, now: UtcMillis) -> Result<Code, Refusal> {
        self.open.retain(|open| open.until > now && open.name != name);
        if self.open.len() >= MOST {
            return Err(Refusal::NotAllowed);
        }
        let (code, hash) = Code::generate::<10>(DOMAIN)?;
        self.open.push(Invitation { name, why, by: by.to_owned(), until: now.plus(LASTS), hash });
        Ok(code)
    }

    /// Takes a code. It is used up with that: the caller makes these invitations durable before it goes on.
    ///
    /// # Errors
    /// [`Refusal::WrongInvitation`], also for one that is over.
    pub fn redeem(&mut self, typed: &str, now: UtcMillis) -> Result<Enrolment, Refusal> {
        let hash = CodeHash::of_typed::<10>(DOMAIN, typed).ok_or(Refusal::WrongInvitation)?;
        let mut found = None;
        for (at, invitation) in self.open.iter().enumerate() {
            // nothing from the future: a clock that was set back lengthens no invitation
            let left = invitation.until.since(now);
            if invitation.hash.fits(&hash) && left > 0 && left <= LASTS {
                found = Some(at);
            }
        }
        let taken = self.open.swap_remove(found.ok_or(Refusal::WrongInvitation)?);
        self.owned |= taken.why == For::Owner;
        let until = now.plus(crate::ANSWER_WITHIN.saturating_mul(6));
        Ok(Enrolment { name: taken.name, why: taken.why, by: taken.by, until })
    }

    /// Takes an invitation back.
    pub fn end(&mut self, name: &Name) -> bool {
        let before = self.open.len();
        self.open.retain(|invitation| invitation.name != *name);
        self.open.len() < before
    }

    /// Who is invited, what for, and until when.
    pub fn list(&self) -> impl Iterator<Item = (&Name, For, UtcMillis)> {
        self.open.iter().map(|open| (&open.name, open.why, open.until))
    }

    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::default();
        to.bytes(MAGIC).number(u64::from(self.owned)).each(&self.open, |to, open| {
            to.text(open.name.as_str()).number(open.why as u64).text(&open.by);
            to.time(open.until).bytes(&open.hash.0);
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
            let owned = from.number()? != 0;
            let open = from.each(MOST, |from| {
                let name = from.text()?.parse().ok()?;
                let why = [For::Owner, For::Person, For::Return];
                let why = *why.get(usize::try_from(from.number()?).ok()?)?;
                let (by, until, hash) = (from.text()?, from.time()?, CodeHash(from.array()?));
                Some(Invitation { name, why, by, until, hash })
            })?;
            from.end(Self { open, owned })
        };
        read().ok_or(RecordError("list of invitations"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::challenge::tests::NOW;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn an_invitation_is_good_once_and_for_three_days() {
        let mut invitations = Invitations::default();
        let code = invitations.invite(name("bo"), For::Person, &name("anna"), NOW).unwrap();
        let mut stored = Invitations::decode(&invitations.encode()).unwrap();
        assert_eq!(stored, invitations);
        assert_eq!(stored.redeem(code.expose(), NOW.plus(LASTS)).err(), Some(Refusal::WrongInvitation));
        let back = NOW.plus(-1000);
        assert_eq!(stored.redeem(code.expose(), back).err(), Some(Refusal::WrongInvitation));
        let enrolment = stored.redeem(code.expose(), NOW.plus(LASTS - 1)).unwrap();
        assert_eq!((enrolment.name(), enrolment.why(), enrolment.by()), (&name("bo"), For::Person, "anna"));
        assert!(enrolment.fresh(NOW.plus(LASTS)).is_ok());
        assert_eq!(enrolment.fresh(NOW.plus(2 * LASTS)), Err(Refusal::Expired));
        assert_eq!(stored.redeem(code.expose(), NOW).err(), Some(Refusal::WrongInvitation));
    }

    #[test]
    fn a_house_has_one_first_owner() {
        let mut invitations = Invitations::default();
        let lost = invitations.first_owner(name("anna"), NOW).unwrap();
        let code = invitations.first_owner(name("anna"), NOW).unwrap();
        assert_eq!(invitations.redeem(lost.expose(), NOW).err(), Some(Refusal::WrongInvitation));
        assert_eq!(invitations.redeem(code.expose(), NOW).unwrap().why(), For::Owner);
        let mut later = Invitations::decode(&invitations.encode()).unwrap();
        assert_eq!(later.first_owner(name("mallory"), NOW).err(), Some(Refusal::NotAllowed));
        let own = later.invite(name("bo"), For::Owner, &name("anna"), NOW);
        assert_eq!(own.err(), Some(Refusal::NotAllowed));
    }

    #[test]
    fn a_second_invitation_ends_the_first_and_nobody_invites_themselves() {
        let mut invitations = Invitations::default();
        let first = invitations.invite(name("bo"), For::Person, &name("anna"), NOW).unwrap();
        let second = invitations.invite(name("bo"), For::Return, &name("anna"), NOW).unwrap();
        assert_eq!(invitations.list().count(), 1);
        assert_eq!(invitations.redeem(first.expose(), NOW).err(), Some(Refusal::WrongInvitation));
        assert!(invitations.redeem(second.expose(), NOW).is_ok());
        let own = invitations.invite(name("bo"), For::Return, &name("bo"), NOW);
        assert_eq!(own.err(), Some(Refusal::NotAllowed));
        let third = invitations.invite(name("bo"), For::Person, &name("anna"), NOW).unwrap();
        assert!(invitations.end(&name("bo")));
        assert_eq!(invitations.redeem(third.expose(), NOW).err(), Some(Refusal::WrongInvitation));
        let bytes = invitations.encode();
        assert!((0..bytes.len()).all(|cut| Invitations::decode(&bytes[..cut]).is_err()));
    }
}
