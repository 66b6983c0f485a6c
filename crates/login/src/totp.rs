//! One-time codes by time (RFC 6238): SHA-1, six digits, 30 seconds, which is what every generator understands.
//!
//! SHA-1 is used as HMAC here, where its collisions do not matter. A code counts once: the step that was taken last is kept,
//! and only later ones are taken.

use base::{Secret, UtcMillis};
use subtle::ConstantTimeEq as _;
use totp_rs::{Algorithm, Builder, Totp};
use zeroize::Zeroizing;

use crate::{Challenge, Change, Factor, Name, Outcome, Proof, Refusal};

const SECONDS: u64 = 30;
const DIGITS: usize = 6;

/// What a person's generator of codes shares with the house.
pub struct CodeGenerator {
    secret: Secret<20>,
    /// The last step that was taken; 0 before the first.
    last: u64,
}

impl CodeGenerator {
    /// A new one. It counts when a first code of it was given, which is the caller's step of enrolment.
    ///
    /// # Errors
    /// [`Refusal::Machine`] without randomness.
    pub fn generate() -> Result<Self, Refusal> {
        Ok(Self { secret: Secret::random().map_err(|_| Refusal::Machine)?, last: 0 })
    }

    /// As it was kept.
    #[must_use]
    pub const fn from_parts(secret: Secret<20>, last: u64) -> Self {
        Self { secret, last }
    }

    /// The shared secret, to be stored under a seal and nowhere else.
    #[must_use]
    pub fn expose_secret(&self) -> &[u8; 20] {
        self.secret.expose()
    }

    /// The last step that was taken.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// What the person's generator reads, as a QR code or typed: `otpauth://totp/..`. Shown once.
    ///
    /// # Errors
    /// [`Refusal::Machine`] when the house's title cannot be part of it.
    pub fn enrolment_uri(&self, house: &str, name: &Name) -> Result<Zeroizing<String>, Refusal> {
        let title: String = house.chars().filter(|c| *c != ':').take(60).collect();
        let totp = self.totp(Some(title), name.as_str())?;
        totp.to_url().map(Zeroizing::new).map_err(|_| Refusal::Machine)
    }

    /// Checks a code of now, of the step before or of the one after.
    ///
    /// An earlier code than the last one taken is called replayed only when it is a true one: to anybody else it is wrong.
    pub(crate) fn prove(&self, challenge: &Challenge, code: &str, now: UtcMillis) -> Outcome<Proof> {
        match challenge.fresh(now).and_then(|()| self.step(code, now)) {
            Ok(step) => {
                let proof = Proof::of(challenge, Factor::Code);
                Outcome::new(Ok(proof), vec![Change::CodeUsed { step }])
            }
            Err(refusal) => Outcome::refused(refusal),
        }
    }

    /// Checks the first code, which shows that the generator has the secret, and takes it.
    ///
    /// # Errors
    /// [`Refusal::WrongCode`], [`Refusal::ReplayedCode`].
    pub fn confirm(mut self, code: &str, now: UtcMillis) -> Result<Self, Refusal> {
        self.last = self.step(code, now)?;
        Ok(self)
    }

    pub(crate) fn take(&mut self, step: u64) {
        self.last = self.last.max(step);
    }

    /// The step of a code. All three are computed, whichever fits.
    fn step(&self, code: &str, now: UtcMillis) -> Result<u64, Refusal> {
        let digits: String = code.chars().filter(|c| !c.is_whitespace()).take(DIGITS + 1).collect();
        if digits.len() != DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Refusal::WrongCode);
        }
        let seconds = u64::try_from(now.0 / 1000).map_err(|_| Refusal::Machine)?;
        let current = seconds / SECONDS;
        let totp = self.totp(None, "code")?;
        let mut found = None;
        // the earliest first, so that a code that fits two steps counts for the later one
        for step in current.saturating_sub(1)..=current.saturating_add(1) {
            let expected = Zeroizing::new(totp.generate(step.saturating_mul(SECONDS)).to_string());
            if bool::from(expected.as_bytes().ct_eq(digits.as_bytes())) {
                found = Some(step);
            }
        }
        match found {
            None => Err(Refusal::WrongCode),
            Some(step) if step <= self.last => Err(Refusal::ReplayedCode),
            Some(step) => Ok(step),
        }
    }

    fn totp(&self, issuer: Option<String>, account: &str) -> Result<Totp, Refusal> {
        Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_skew(0)
            .with_step_duration(SECONDS)
            .with_secret(*self.secret.expose())
            .with_issuer(issuer)
            .with_account_name(account.to_owned())
            .build()
            .map_err(|_| Refusal::Machine)
    }
}

/// The code that a generator shows at a time: for tests, and for whoever plays the person.
///
/// # Errors
/// [`Refusal::Machine`] for times before 1970.
pub fn code_at(secret: &Secret<20>, at: UtcMillis) -> Result<String, Refusal> {
    let generator = CodeGenerator::from_parts(Secret::new(*secret.expose()), 0);
    let seconds = u64::try_from(at.0 / 1000).map_err(|_| Refusal::Machine)?;
    Ok(generator.totp(None, "code")?.generate(seconds).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::challenge::tests::{NOW, challenge};

    fn generator() -> (CodeGenerator, Secret<20>) {
        let bytes = *b"12345678901234567890";
        (CodeGenerator::from_parts(Secret::new(bytes), 0), Secret::new(bytes))
    }

    fn prove(generator: &mut CodeGenerator, code: &str, now: UtcMillis) -> Result<Factor, Refusal> {
        let outcome = {
            let nonce = challenge("anna");
            // a challenge of that time, since only the code is looked at here
            let begun = Challenge::begin(*nonce.house(), nonce.name().clone(), nonce.session(), now).unwrap();
            generator.prove(&begun, code, now)
        };
        let result = outcome.after(|changes| {
            for change in changes {
                if let Change::CodeUsed { step } = change {
                    generator.take(*step);
                }
            }
            Ok::<_, ()>(())
        });
        result.unwrap().map(|proof| proof.factor())
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        let (_, secret) = generator();
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(code_at(&secret, UtcMillis(seconds * 1000)).unwrap(), code);
        }
    }

    #[test]
    fn a_code_counts_once_and_a_step_to_either_side() {
        let (mut mine, secret) = generator();
        let at = |steps: i64| code_at(&secret, NOW.plus(steps * 30_000)).unwrap();
        assert_eq!(prove(&mut mine, &at(-2), NOW), Err(Refusal::WrongCode));
        assert_eq!(prove(&mut mine, &at(2), NOW), Err(Refusal::WrongCode));
        assert_eq!(prove(&mut mine, &at(-1), NOW), Ok(Factor::Code));
        assert_eq!(prove(&mut mine, &at(-1), NOW), Err(Refusal::ReplayedCode));
        assert_eq!(prove(&mut mine, &at(1), NOW), Ok(Factor::Code), "a clock that is fast");
        // what was shown before the last one taken is over with it
        assert_eq!(prove(&mut mine, &at(0), NOW), Err(Refusal::ReplayedCode));
        assert_eq!(prove(&mut mine, &at(2), NOW.plus(60_000)), Ok(Factor::Code));
    }

    #[test]
    fn what_is_no_code_is_wrong() {
        let (mut mine, secret) = generator();
        let code = code_at(&secret, NOW).unwrap();
        let spaced = format!("{} {}", &code[..3], &code[3..]);
        for text in ["", "12345", "1234567", "abcdef", "１２３４５６", &format!("{code}0")] {
            assert_eq!(prove(&mut mine, text, NOW), Err(Refusal::WrongCode), "{text}");
        }
        assert_eq!(prove(&mut mine, &spaced, NOW), Ok(Factor::Code));
    }

    #[test]
    fn enrolment_takes_a_first_code_and_tells_the_generator_all_it_needs() {
        let (mine, secret) = generator();
        let name = "anna@water".parse().unwrap();
        let uri = mine.enrolment_uri("Water: Works", &name).unwrap();
        assert!(uri.starts_with("otpauth://totp/"), "{}", *uri);
        assert!(uri.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{}", *uri);
        assert!(uri.contains("issuer=Water%20Works"), "{}", *uri);
        let (other, _) = generator();
        assert_eq!(other.confirm("000000", NOW).err(), Some(Refusal::WrongCode));
        let mut mine = mine.confirm(&code_at(&secret, NOW).unwrap(), NOW).unwrap();
        assert_eq!(prove(&mut mine, &code_at(&secret, NOW).unwrap(), NOW), Err(Refusal::ReplayedCode));
    }
}
