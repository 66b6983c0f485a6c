//! Sign-in with an ed25519 key, as OpenSSH keeps it: plain, or in a hardware key that is touched.
//!
//! The client signs what the challenge says in words, as `ssh-keygen -Y sign -n sign-in@meterkeep` does (SSHSIG); the
//! purpose in it keeps signatures for anything else from counting here, and what is signed here from counting elsewhere.
//! A plain key makes a session of strength `machine`: it is one factor, and whoever copies its file has it.

use std::fmt::Write as _;

use base::UtcMillis;
use ssh_key::public::KeyData;
use ssh_key::{HashAlg, PublicKey, SshSig};

use crate::bytes::{Reader, Writer};
use crate::{Challenge, Change, Factor, Outcome, Proof, Refusal};

/// The purpose that is part of each signature.
pub const PURPOSE: &str = "sign-in@meterkeep";
/// The keys of a person.
pub const KEYS: usize = 16;
const LONGEST: usize = 4096;

/// The flags of a hardware key's signature (FIDO CTAP2): somebody touched it, and it knows who.
const TOUCHED: u8 = 0x01;
const KNOWN: u8 = 0x04;

/// A key that a person signs in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInKey {
    public: PublicKey,
    added: UtcMillis,
    /// The last counter of a hardware key; 0 before the first, and for keys that count nothing.
    counter: u32,
}

/// Why a line is no key that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a line of a `.pub` file.
    #[error("it is no public key; give the line of a file `id_ed25519.pub`")]
    Line,
    /// RSA and others.
    #[error(
        "the key is of another kind; make one with `ssh-keygen -t ed25519` or `ssh-keygen -t ed25519-sk`"
    )]
    Kind,
    /// One of the few whose signatures fit anything.
    #[error("the key is worthless: its signatures fit many messages")]
    Weak,
}

impl Challenge {
    /// What a key signs: the challenge in words, so that a person who looks at it sees whom they sign in to.
    #[must_use]
    pub fn to_sign(&self) -> String {
        let mut text = String::from("meterkeep sign-in 1\n");
        let hex = |bytes: &[u8]| {
            bytes.iter().fold(String::new(), |mut hex, byte| {
                // writing to a string does not fail
                let _ = write!(hex, "{byte:02x}");
                hex
            })
        };
        let lines = [
            ("house", hex(self.house())),
            ("name", self.name().to_string()),
            ("session", hex(self.session().as_bytes())),
            ("time", self.issued().to_string()),
            ("nonce", hex(self.nonce())),
        ];
        for (what, value) in lines {
            let _ = writeln!(text, "{what} {value}");
        }
        text
    }
}

impl SignInKey {
    /// Reads the line of a `.pub` file: `ssh-ed25519` or `sk-ssh-ed25519@openssh.com`.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_line(line: &str, now: UtcMillis) -> Result<Self, KeyError> {
        if line.len() > LONGEST {
            return Err(KeyError::Line);
        }
        let public = PublicKey::from_openssh(line.trim()).map_err(|_| KeyError::Line)?;
        let point = match public.key_data() {
            KeyData::Ed25519(key) => key.as_ref(),
            // other applications are websites' passkeys, which a website could have made sign this
            KeyData::SkEd25519(key) if key.application().starts_with("ssh:") => key.public_key().as_ref(),
            _ => return Err(KeyError::Kind),
        };
        seal::sign::Verifier::from_bytes(point).map_err(|_| KeyError::Weak)?;
        Ok(Self { public, added: now, counter: 0 })
    }

    /// As `ssh-keygen -l` shows it: `SHA256:..`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.public.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Its comment in the line it came from.
    #[must_use]
    pub fn comment(&self) -> &str {
        self.public.comment()
    }

    /// When it was added.
    #[must_use]
    pub const fn added(&self) -> UtcMillis {
        self.added
    }

    /// Whether it lies in a hardware key.
    #[must_use]
    pub fn hardware(&self) -> bool {
        self.public.key_data().is_sk_ed25519()
    }

    /// Checks an armoured SSH signature over [`Challenge::to_sign`] by one of these keys.
    pub(crate) fn prove(
        keys: &[Self],
        challenge: &Challenge,
        armoured: &str,
        now: UtcMillis,
    ) -> Outcome<Proof> {
        if let Err(refusal) = challenge.fresh(now) {
            return Outcome::refused(refusal);
        }
        let signature = if armoured.len() > LONGEST { None } else { SshSig::from_pem(armoured.trim()).ok() };
        let Some(signature) = signature else {
            return Outcome::refused(Refusal::Malformed);
        };
        let Some(key) = keys.iter().find(|key| key.public.key_data() == signature.public_key()) else {
            return Outcome::refused(Refusal::UnknownKey);
        };
        if key.public.verify(PURPOSE, challenge.to_sign().as_bytes(), &signature).is_err() {
            return Outcome::refused(Refusal::WrongSignature);
        }
        if !key.hardware() {
            return Outcome::new(Ok(Proof::of(challenge, Factor::Key)), Vec::new());
        }
        match key.touched(signature.signature_bytes()) {
            Ok((factor, counter)) => {
                let change = Change::KeyUsed { fingerprint: key.fingerprint(), counter };
                Outcome::new(Ok(Proof::of(challenge, factor)), vec![change])
            }
            Err(refusal) => Outcome::refused(refusal),
        }
    }

    /// What a hardware key says beside its signature, which covers it: `signature(64) flags(1) counter(4)`.
    fn touched(&self, bytes: &[u8]) -> Result<(Factor, u32), Refusal> {
        let (_, trailer) = bytes.split_last_chunk::<5>().ok_or(Refusal::Malformed)?;
        let [flags, counter @ ..] = *trailer;
        let counter = u32::from_be_bytes(counter);
        if flags & TOUCHED == 0 {
            return Err(Refusal::NotVerified);
        }
        if (counter > 0 || self.counter > 0) && counter <= self.counter {
            return Err(Refusal::ClonedAuthenticator);
        }
        let factor = if flags & KNOWN == 0 { Factor::TouchedKey } else { Factor::VerifiedKey };
        Ok((factor, counter))
    }

    pub(crate) fn count(&mut self, counter: u32) {
        self.counter = self.counter.max(counter);
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        // what was read from a line is written as one
        to.text(&self.public.to_openssh().unwrap_or_default()).time(self.added);
        to.number(u64::from(self.counter));
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (line, added) = (from.text()?, from.time()?);
        let mut key = Self::from_line(&line, added).ok()?;
        key.counter = u32::try_from(from.number()?).ok()?;
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use ssh_key::private::{Ed25519Keypair, KeypairData};
    use ssh_key::public::SkEd25519;
    use ssh_key::{Algorithm, LineEnding, PrivateKey, Signature, SigningKey};

    use super::*;
    use crate::challenge::tests::{NOW, challenge};

    fn keypair(seed: u8) -> PrivateKey {
        PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32])), "anna@desk").unwrap()
    }

    fn key(seed: u8) -> SignInKey {
        SignInKey::from_line(&keypair(seed).public_key().to_openssh().unwrap(), NOW).unwrap()
    }

    fn sign(seed: u8, purpose: &str, text: &str) -> String {
        let signature = keypair(seed).sign(purpose, HashAlg::Sha512, text.as_bytes()).unwrap();
        signature.to_pem(LineEnding::LF).unwrap()
    }

    fn prove(
        keys: &[SignInKey],
        challenge: &Challenge,
        armoured: &str,
    ) -> (Result<Factor, Refusal>, Vec<Change>) {
        let outcome = SignInKey::prove(keys, challenge, armoured, NOW);
        let changes = outcome.changes().to_vec();
        (outcome.after(|_| Ok::<_, ()>(())).unwrap().map(|p| p.factor()), changes)
    }

    #[test]
    fn a_key_signs_one_challenge_for_one_purpose() {
        let (keys, mine, other) = ([key(1), key(2)], challenge("anna"), challenge("anna"));
        let good = sign(2, PURPOSE, &mine.to_sign());
        assert_eq!(prove(&keys, &mine, &good), (Ok(Factor::Key), vec![]));
        assert_eq!(prove(&keys, &other, &good).0, Err(Refusal::WrongSignature), "another session key");
        assert_eq!(prove(&keys, &mine, &sign(2, "git", &mine.to_sign())).0, Err(Refusal::WrongSignature));
        assert_eq!(prove(&keys, &mine, &sign(3, PURPOSE, &mine.to_sign())).0, Err(Refusal::UnknownKey));
        for armoured in ["", "x", &good[..good.len() - 60], &"x".repeat(5000)] {
            assert_eq!(prove(&keys, &mine, armoured).0, Err(Refusal::Malformed));
        }
    }

    /// What a hardware key does: it signs a hash of its application, flags, a counter and a hash of the message.
    fn touch(seed: u8, flags: u8, counter: u32, text: &str) -> String {
        fn raw<K: SigningKey>(key: &K, message: &[u8]) -> Signature {
            key.try_sign(message).unwrap()
        }
        use sha2::{Digest as _, Sha256};
        let trailer = [[flags].as_slice(), &counter.to_be_bytes()].concat();
        let blob = SshSig::signed_data(PURPOSE, HashAlg::Sha512, text.as_bytes()).unwrap();
        let signed = [Sha256::digest("ssh:").as_slice(), &trailer, &Sha256::digest(blob)].concat();
        let bytes = [raw(&keypair(seed), &signed).as_bytes(), &trailer].concat();
        let signature = Signature::new(Algorithm::SkEd25519, bytes).unwrap();
        let public = KeyData::SkEd25519(hardware(seed));
        SshSig::new(public, PURPOSE, HashAlg::Sha512, signature).unwrap().to_pem(LineEnding::LF).unwrap()
    }

    fn hardware(seed: u8) -> SkEd25519 {
        SkEd25519::new(*keypair(seed).public_key().key_data().ed25519().unwrap(), "ssh:")
    }

    #[test]
    fn a_hardware_key_has_to_be_touched_and_its_counter_to_grow() {
        let line = PublicKey::new(KeyData::SkEd25519(hardware(5)), "token").to_openssh().unwrap();
        assert!(line.starts_with("sk-ssh-ed25519@openssh.com "), "{line}");
        let mut keys = [SignInKey::from_line(&line, NOW).unwrap()];
        let mine = challenge("anna");
        let text = mine.to_sign();
        let used = |counter| vec![Change::KeyUsed { fingerprint: key_print(&line), counter }];
        assert_eq!(prove(&keys, &mine, &touch(5, TOUCHED, 7, &text)), (Ok(Factor::TouchedKey), used(7)));
        keys[0].count(7);
        let verified = touch(5, TOUCHED | KNOWN, 8, &text);
        assert_eq!(prove(&keys, &mine, &verified), (Ok(Factor::VerifiedKey), used(8)));
        assert_eq!(prove(&keys, &mine, &touch(5, 0, 8, &text)).0, Err(Refusal::NotVerified));
        for counter in [0, 6, 7] {
            let cloned = touch(5, TOUCHED, counter, &text);
            assert_eq!(prove(&keys, &mine, &cloned).0, Err(Refusal::ClonedAuthenticator));
        }
        assert_eq!(prove(&keys, &challenge("anna"), &verified).0, Err(Refusal::WrongSignature));
    }

    fn key_print(line: &str) -> String {
        SignInKey::from_line(line, NOW).unwrap().fingerprint()
    }

    #[test]
    fn keys_of_other_kinds_and_worthless_ones_are_refused() {
        let website = SkEd25519::new(*keypair(1).public_key().key_data().ed25519().unwrap(), "example.org");
        let website = PublicKey::new(KeyData::SkEd25519(website), "").to_openssh().unwrap();
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let neutral = KeyData::Ed25519(ssh_key::public::Ed25519PublicKey(neutral));
        let neutral = PublicKey::new(neutral, "").to_openssh().unwrap();
        for (line, why) in [
            ("", KeyError::Line),
            ("ssh-ed25519 AAAA", KeyError::Line),
            (website.as_str(), KeyError::Kind),
            (neutral.as_str(), KeyError::Weak),
        ] {
            assert_eq!(SignInKey::from_line(line, NOW).err(), Some(why), "{line}");
        }
    }

    #[test]
    fn the_text_names_all_that_counts() {
        let mine = challenge("anna");
        let text = mine.to_sign();
        let lines: Vec<&str> = text.lines().map(|l| l.split(' ').next().unwrap()).collect();
        assert_eq!(lines, ["meterkeep", "house", "name", "session", "time", "nonce"]);
        assert!(text.contains("\nname anna\n") && text.contains(&"07".repeat(16)), "{text}");
    }
}
