//! Passwords: Argon2id (RFC 9106), kept as a PHC string that names its cost.
//!
//! A password is never more than one of two factors. What is kept of it is not secret like a key, but it lets somebody
//! guess without being slowed down, so it does not print.

use std::fmt;
use std::marker::PhantomData;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use base::{SecretBytes, UtcMillis};

use crate::common::COMMON;
use crate::{Challenge, Change, Factor, Name, Outcome, Proof, Refusal};

const SHORTEST: usize = 12;
const LONGEST: usize = 256;

/// The work of one guess. A type and not a number, so that no setting makes it cheap: whoever wants other work than
/// [`Standard`] writes that into the code where a review sees it.
pub trait Cost {
    /// Memory in KiB.
    const MEMORY_KIB: u32;
    /// Passes over it.
    const PASSES: u32;
    /// Lanes.
    const LANES: u32;
}

/// 64 MiB, three passes, one lane: the second recommendation of RFC 9106, about 0.15 s.
#[derive(Debug, Clone, Copy)]
pub struct Standard;

impl Cost for Standard {
    const MEMORY_KIB: u32 = 64 * 1024;
    const PASSES: u32 = 3;
    const LANES: u32 = 1;
}

/// What is kept of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPassword(String);

impl fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredPassword(..)")
    }
}

/// Why a new password is not taken. This is said to the person who chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Fewer than 12 characters.
    #[error("the password is too short; it needs 12 characters, and four words make a good one")]
    Short,
    /// More than 256 characters.
    #[error("the password is too long; 256 characters are the most")]
    Long,
    /// Not UTF-8.
    #[error("the password is no text")]
    NoText,
    /// On the list of the commonest, or a short piece over and over.
    #[error("the password is one of those that are tried first; choose another")]
    Common,
    /// Little more than the person's own name.
    #[error("the password is little more than your name; choose another")]
    OwnName,
    /// The machine lacks 64 MiB of memory or randomness.
    #[error("the machine cannot do it now: it lacks 64 MiB of memory or randomness")]
    Machine,
}

/// Passwords at a cost.
#[derive(Debug, Clone, Copy)]
pub struct Passwords<C: Cost = Standard>(PhantomData<C>);

impl<C: Cost> Passwords<C> {
    /// Keeps a new password of a person, whose sign-in name and names it must not be.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub fn keep(
        password: &SecretBytes,
        name: &Name,
        full_name: &str,
    ) -> Result<StoredPassword, PasswordError> {
        acceptable(password, name, full_name)?;
        stretch::<C>(password)
    }

    /// Checks a password. Nobody, or somebody without a password, costs as much as a wrong one, so that the time says
    /// nothing. What was kept at another cost is kept anew.
    pub(crate) fn prove(
        kept: Option<&StoredPassword>,
        challenge: &Challenge,
        password: &SecretBytes,
        now: UtcMillis,
    ) -> Outcome<Proof> {
        if let Err(refusal) = challenge.fresh(now) {
            return Outcome::refused(refusal);
        }
        if password.expose().len() > LONGEST * 4 {
            return Outcome::refused(Refusal::WrongPassword);
        }
        let Some(kept) = kept else {
            // the work of a check, and nothing learnt from it
            return Outcome::refused(match stretch::<C>(password) {
                Ok(_) => Refusal::NotEnrolled,
                Err(_) => Refusal::Machine,
            });
        };
        let Some((hash, current)) = kept.parse::<C>() else {
            return Outcome::refused(Refusal::Machine);
        };
        if Argon2::default().verify_password(password.expose(), &hash).is_err() {
            return Outcome::refused(Refusal::WrongPassword);
        }
        let change = if current { None } else { stretch::<C>(password).ok() };
        let changes = change.map(Change::PasswordKept).into_iter().collect();
        Outcome::new(Ok(Proof::of(challenge, Factor::Password)), changes)
    }
}

impl StoredPassword {
    /// The PHC string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a PHC string of Argon2id; absurd work is refused before it is done.
    #[must_use]
    pub fn from_phc(text: &str) -> Option<Self> {
        let kept = Self(text.to_owned());
        kept.parse::<Standard>().is_some().then_some(kept)
    }

    /// The hash, and whether it was made at that cost.
    fn parse<C: Cost>(&self) -> Option<(PasswordHash, bool)> {
        let hash = PasswordHash::new(&self.0).ok()?;
        let params = Params::try_from(&hash).ok()?;
        let sane = hash.algorithm.as_str() == "argon2id"
            && hash.hash.is_some_and(|output| output.len() >= 32)
            && params.m_cost() <= 1024 * 1024
            && params.t_cost() <= 16
            && params.p_cost() <= 8;
        let current = params.m_cost() == C::MEMORY_KIB
            && params.t_cost() == C::PASSES
            && params.p_cost() == C::LANES
            && hash.version == Some(Version::V0x13.into());
        sane.then_some((hash, current))
    }
}

fn stretch<C: Cost>(password: &SecretBytes) -> Result<StoredPassword, PasswordError> {
    let params = Params::new(C::MEMORY_KIB, C::PASSES, C::LANES, Some(32));
    let params = params.map_err(|_| PasswordError::Machine)?;
    let salt: [u8; 16] = base::random().map_err(|_| PasswordError::Machine)?;
    let hash: PasswordHash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_with_salt(password.expose(), &salt)
        .map_err(|_| PasswordError::Machine)?;
    Ok(StoredPassword(hash.to_string()))
}

/// What a new password has to be; rules on kinds of characters are not among it, they make passwords worse.
fn acceptable(password: &SecretBytes, name: &Name, full_name: &str) -> Result<(), PasswordError> {
    let text = std::str::from_utf8(password.expose()).map_err(|_| PasswordError::NoText)?;
    match text.chars().count() {
        0..SHORTEST => return Err(PasswordError::Short),
        SHORTEST..=LONGEST => {}
        _ => return Err(PasswordError::Long),
    }
    let folded = zeroize::Zeroizing::new(text.to_lowercase());
    if common(&folded) {
        return Err(PasswordError::Common);
    }
    let mut rest = folded;
    let words = full_name.to_lowercase();
    let words = words.split(|c: char| !c.is_alphanumeric());
    for own in words.chain([name.as_str()]).filter(|own| own.chars().count() >= 3) {
        rest = zeroize::Zeroizing::new(rest.replace(own, ""));
    }
    if rest.chars().count() < 8 { Err(PasswordError::OwnName) } else { Ok(()) }
}

/// Whether it is a common one, with digits and signs around it or not, or a short piece over and over.
fn common(folded: &str) -> bool {
    let bare = folded.trim_matches(|c: char| !c.is_alphabetic());
    let characters: zeroize::Zeroizing<Vec<char>> = zeroize::Zeroizing::new(folded.chars().collect());
    let again = |n: usize| characters.iter().zip(characters.iter().skip(n)).all(|(a, b)| a == b);
    COMMON.contains(&folded) || COMMON.contains(&bare) || (1..=6).any(again)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::challenge::tests::{NOW, challenge};

    pub(crate) struct Cheap;

    impl Cost for Cheap {
        const MEMORY_KIB: u32 = 64;
        const PASSES: u32 = 1;
        const LANES: u32 = 1;
    }

    fn secret(text: &str) -> SecretBytes {
        SecretBytes::new(text.as_bytes().to_vec())
    }

    fn keep(text: &str) -> Result<StoredPassword, PasswordError> {
        Passwords::<Cheap>::keep(&secret(text), &"anna".parse().unwrap(), "Anna Maria Østergård")
    }

    fn prove<C: Cost>(kept: Option<&StoredPassword>, text: &str) -> (Result<Factor, Refusal>, Vec<Change>) {
        let outcome = Passwords::<C>::prove(kept, &challenge("anna"), &secret(text), NOW);
        let changes = outcome.changes().to_vec();
        (outcome.after(|_| Ok::<_, ()>(())).unwrap().map(|p| p.factor()), changes)
    }

    #[test]
    fn the_right_password_is_taken_and_no_other() {
        let kept = keep("correct horse battery").unwrap();
        assert_eq!(prove::<Cheap>(Some(&kept), "correct horse battery"), (Ok(Factor::Password), vec![]));
        let long = "x".repeat(5000);
        for wrong in ["correct horse batterY", "", "correct horse battery ", long.as_str()] {
            assert_eq!(prove::<Cheap>(Some(&kept), wrong), (Err(Refusal::WrongPassword), vec![]));
        }
        assert_eq!(prove::<Cheap>(None, "correct horse battery").0, Err(Refusal::NotEnrolled));
        let over = NOW.plus(crate::challenge::ANSWER_WITHIN + 1);
        let late = Passwords::<Cheap>::prove(Some(&kept), &challenge("anna"), &secret("x"), over);
        assert_eq!(late.after(|_| Ok::<_, ()>(())).unwrap().err(), Some(Refusal::Expired));
    }

    #[test]
    fn what_was_kept_at_another_cost_is_kept_anew() {
        struct Dearer;
        impl Cost for Dearer {
            const MEMORY_KIB: u32 = 128;
            const PASSES: u32 = 1;
            const LANES: u32 = 1;
        }
        let kept = keep("correct horse battery").unwrap();
        let (result, changes) = prove::<Dearer>(Some(&kept), "correct horse battery");
        assert_eq!(result, Ok(Factor::Password));
        let [Change::PasswordKept(anew)] = changes.as_slice() else { panic!("{changes:?}") };
        assert!(anew.as_str().contains("m=128,t=1,p=1"), "{}", anew.as_str());
        assert_eq!(prove::<Dearer>(Some(anew), "correct horse battery"), (Ok(Factor::Password), vec![]));
        assert_eq!(prove::<Dearer>(Some(&kept), "wrong"), (Err(Refusal::WrongPassword), vec![]));
    }

    #[test]
    fn the_standard_cost_is_that_of_the_rfc() {
        let name = "anna".parse().unwrap();
        let kept = Passwords::<Standard>::keep(&secret("correct horse battery"), &name, "").unwrap();
        assert!(kept.as_str().starts_with("$argon2id$v=19$m=65536,t=3,p=1$"), "{}", kept.as_str());
        assert_eq!(StoredPassword::from_phc(kept.as_str()), Some(kept));
    }

    #[test]
    fn short_long_common_and_own_ones_are_refused() {
        use PasswordError::{Common, Long, OwnName, Short};
        for (text, why) in [
            ("elevenchars", Short),
            (&"ab c".repeat(65), Long),
            ("Password1234", Common),
            ("!!qwertyuiop!!", Common),
            ("123456789012", Common),
            ("abcabcabcabc", Common),
            ("aaaaaaaaaaaaaa", Common),
            ("anna-Østergård!", OwnName),
            ("AnnaMariaAnna12", OwnName),
        ] {
            assert_eq!(keep(text).err(), Some(why), "{text}");
        }
        let bytes = SecretBytes::new(vec![0xFF; 20]);
        let name = "anna".parse().unwrap();
        assert_eq!(Passwords::<Cheap>::keep(&bytes, &name, "").err(), Some(PasswordError::NoText));
        for good in ["correct horse battery", "bananas and hannah", "æøå æøå og lidt"] {
            assert!(keep(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn absurd_or_foreign_hashes_are_none() {
        for text in [
            "",
            "plain",
            "$argon2id$v=19$m=99999999,t=3,p=1$c2FsdHNhbHRzYWx0$8fD0BjvC0pjxSRcKYSMh1B2uXkhGH7dGvZd6Wg7aVYA",
            "$argon2i$v=19$m=65536,t=3,p=1$c2FsdHNhbHRzYWx0$8fD0BjvC0pjxSRcKYSMh1B2uXkhGH7dGvZd6Wg7aVYA",
            "$argon2id$v=19$m=65536,t=3,p=1$c2FsdHNhbHRzYWx0",
        ] {
            assert_eq!(StoredPassword::from_phc(text), None, "{text}");
        }
    }
}
