//! A person's account: every credential in one record, and the one place where changes are made.
//!
//! The record holds the secret of the generator of codes, so its bytes are secret: the caller seals them before they lie
//! on a disk.

use base::{Secret, SecretBytes, UtcMillis};

use crate::bytes::{Reader, Writer};
use crate::key::KEYS;
use crate::passkey::PASSKEYS;
use crate::provider::Subject;
use crate::recovery::CODES;
use crate::{
    Change, CodeGenerator, Devices, Name, Passkey, RecordError, RecoveryCodes, Refusal, SignInKey,
    StoredPassword,
};

const MAGIC: &[u8] = b"MKACCT2";
/// Of the edition before, which took no statements of a provider.
const MAGIC_BEFORE: &[u8] = b"MKACCT1";
const FULL_NAME: usize = 200;

/// Everything a person is checked against.
pub struct Account {
    name: Name,
    full_name: String,
    handle: [u8; 16],
    /// The password, one factor.
    pub password: Option<StoredPassword>,
    /// The generator of codes, another.
    pub codes: Option<CodeGenerator>,
    /// For when the generator is lost.
    pub recovery: Option<RecoveryCodes>,
    keys: Vec<SignInKey>,
    passkeys: Vec<Passkey>,
    /// Who they are at the utility's own provider.
    pub subject: Option<Subject>,
    /// Devices on which they signed in.
    pub devices: Devices,
}

impl Account {
    /// An account without a credential; it signs nobody in.
    ///
    /// # Errors
    /// [`Refusal::Machine`] without randomness.
    pub fn new(name: Name, full_name: &str) -> Result<Self, Refusal> {
        Ok(Self {
            name,
            full_name: full_name.chars().filter(|c| !c.is_control()).take(FULL_NAME).collect(),
            handle: base::random().map_err(|_| Refusal::Machine)?,
            password: None,
            codes: None,
            recovery: None,
            keys: Vec::new(),
            passkeys: Vec::new(),
            subject: None,
            devices: Devices::default(),
        })
    }

    /// The sign-in name.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// The person's name, as it is shown.
    #[must_use]
    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// What authenticators know the person by: random, and nothing else uses it.
    #[must_use]
    pub const fn handle(&self) -> [u8; 16] {
        self.handle
    }

    /// Keys for the command line.
    #[must_use]
    pub fn keys(&self) -> &[SignInKey] {
        &self.keys
    }

    /// Passkeys.
    #[must_use]
    pub fn passkeys(&self) -> &[Passkey] {
        &self.passkeys
    }

    /// Adds a key.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`] for too many, or one that is there.
    pub fn add_key(&mut self, key: SignInKey) -> Result<(), Refusal> {
        let there = self.keys.iter().any(|old| old.fingerprint() == key.fingerprint());
        if there || self.keys.len() >= KEYS {
            return Err(Refusal::NotAllowed);
        }
        self.keys.push(key);
        Ok(())
    }

    /// Adds a passkey. That no other account has it is the caller's to see.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`] for too many, or one that is there.
    pub fn add_passkey(&mut self, passkey: Passkey) -> Result<(), Refusal> {
        let there = self.passkeys.iter().any(|old| old.id() == passkey.id());
        if there || self.passkeys.len() >= PASSKEYS {
            return Err(Refusal::NotAllowed);
        }
        self.passkeys.push(passkey);
        Ok(())
    }

    /// Takes a key away, by its fingerprint.
    pub fn remove_key(&mut self, fingerprint: &str) -> bool {
        let before = self.keys.len();
        self.keys.retain(|key| key.fingerprint() != fingerprint);
        self.keys.len() < before
    }

    /// Takes a passkey away, by its id.
    pub fn remove_passkey(&mut self, id: &[u8]) -> bool {
        let before = self.passkeys.len();
        self.passkeys.retain(|passkey| passkey.id() != id);
        self.passkeys.len() < before
    }

    /// Makes a change that a check found. It says whether there was anything to change: a change of a credential that is
    /// gone meanwhile is none, and its result must not count.
    pub fn apply(&mut self, change: &Change) -> bool {
        match change {
            Change::PasswordKept(password) => self.password.as_mut().map(|kept| *kept = password.clone()),
            Change::CodeUsed { step } => self.codes.as_mut().map(|codes| codes.take(*step)),
            Change::RecoveryUsed { index } => self.recovery.as_mut().map(|codes| codes.take(*index)),
            Change::KeyUsed { fingerprint, counter } => {
                let key = self.keys.iter_mut().find(|key| key.fingerprint() == *fingerprint);
                key.map(|key| key.count(*counter))
            }
            Change::PasskeyUsed(used) => {
                let passkey = self.passkeys.iter_mut().find(|passkey| passkey.id() == used.id());
                passkey.map(|passkey| passkey.clone_from(used))
            }
            Change::StatementUsed { issued } => {
                self.subject.as_mut().map(|subject| subject.taken = subject.taken.max(*issued))
            }
        }
        .is_some()
    }

    /// As bytes, which are secret.
    #[must_use]
    pub fn encode(&self) -> SecretBytes {
        let mut to = Writer::default();
        to.bytes(MAGIC).text(self.name.as_str()).text(&self.full_name).bytes(&self.handle);
        to.text(self.password.as_ref().map_or("", StoredPassword::as_str));
        match &self.codes {
            Some(codes) => to.bytes(codes.expose_secret()).number(codes.last()),
            None => to.bytes(&[]).number(0),
        };
        let places = self.recovery.as_ref().map(|recovery| recovery.places().as_slice());
        to.number(u64::from(places.is_some())).each(places.unwrap_or_default(), |to, place| {
            to.bytes(place.as_ref().map_or(&[], |hash| &hash.0));
        });
        to.each(&self.keys, |to, key| key.write(to));
        to.each(&self.passkeys, |to, passkey| {
            to.bytes(&passkey.encode());
        });
        let subject = self.subject.as_ref();
        to.text(subject.map_or("", |s| &s.issuer)).text(subject.map_or("", |s| &s.id));
        to.time(subject.map_or(UtcMillis(0), |s| s.taken));
        self.devices.write(&mut to);
        SecretBytes::new(to.end())
    }

    /// From bytes.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        Self::read(bytes).ok_or(RecordError("person's account"))
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader::new(bytes);
        let before = match from.bytes()? {
            MAGIC => false,
            MAGIC_BEFORE => true,
            _ => return None,
        };
        let (name, full_name, handle) = (from.text()?.parse().ok()?, from.text()?, from.array()?);
        let password = match from.text()?.as_str() {
            "" => None,
            phc => Some(StoredPassword::from_phc(phc)?),
        };
        let (secret, last) = (from.bytes()?, from.number()?);
        let codes = match secret {
            [] => None,
            secret => Some(CodeGenerator::from_parts(Secret::from_slice(secret)?, last)),
        };
        let has_recovery = from.number()? != 0;
        let places = from.each(CODES, |from| match from.bytes()? {
            [] => Some(None),
            hash => hash.try_into().ok().map(crate::code::CodeHash).map(Some),
        })?;
        let recovery = if has_recovery { Some(RecoveryCodes::from_places(places)?) } else { None };
        let keys = from.each(KEYS, SignInKey::read)?;
        let passkeys = from.each(PASSKEYS, |from| Passkey::decode(from.bytes()?))?;
        let (issuer, id) = (from.text()?, from.text()?);
        let taken = if before { UtcMillis(0) } else { from.time()? };
        let subject = if issuer.is_empty() { None } else { Some(Subject { issuer, id, taken }) };
        let devices = Devices::read(&mut from)?;
        from.end(Self {
            name,
            full_name,
            handle,
            password,
            codes,
            recovery,
            keys,
            passkeys,
            subject,
            devices,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Passwords;
    use crate::challenge::tests::NOW;
    use crate::password::tests::Cheap;

    const LINE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB+jhy0h2IbE2ZP6G8KBUYz2rpk3DMlGFHhvTsrP9Vq7 anna";

    fn full() -> Account {
        let mut account = Account::new("anna".parse().unwrap(), "Anna Ø").unwrap();
        let secret = SecretBytes::new(b"correct horse battery".to_vec());
        account.password = Some(Passwords::<Cheap>::keep(&secret, account.name(), "Anna").unwrap());
        account.codes = Some(CodeGenerator::generate().unwrap());
        account.recovery = Some(RecoveryCodes::generate().unwrap().1);
        account.add_key(SignInKey::from_line(LINE, NOW).unwrap()).unwrap();
        account.subject = Some(Subject::new("https://id.example.org".to_owned(), "anna-1".to_owned()));
        account.devices.remember(NOW).unwrap();
        account
    }

    #[test]
    fn an_account_comes_back_from_its_bytes_and_no_part_of_them_is_one() {
        for account in [full(), Account::new("bo".parse().unwrap(), "").unwrap()] {
            let bytes = account.encode();
            let again = Account::decode(bytes.expose()).unwrap();
            assert_eq!(again.encode().expose(), bytes.expose());
            assert_eq!((again.name(), again.handle()), (account.name(), account.handle()));
            for cut in 0..bytes.expose().len() {
                assert!(Account::decode(&bytes.expose()[..cut]).is_err(), "{cut}");
            }
            assert!(Account::decode(&[bytes.expose(), &[0]].concat()).is_err());
        }
    }

    #[test]
    fn changes_are_made_once_and_only_where_there_is_something_to_change() {
        let mut account = full();
        assert!(account.apply(&Change::CodeUsed { step: 77 }));
        assert!(account.apply(&Change::CodeUsed { step: 70 }));
        assert_eq!(account.codes.as_ref().unwrap().last(), 77, "never back");
        assert!(account.apply(&Change::RecoveryUsed { index: 3 }));
        assert_eq!(Account::decode(account.encode().expose()).unwrap().recovery.unwrap().left(), CODES - 1);
        let fingerprint = account.keys[0].fingerprint();
        assert!(account.apply(&Change::KeyUsed { fingerprint, counter: 4 }));
        assert!(!account.apply(&Change::KeyUsed { fingerprint: "SHA256:other".to_owned(), counter: 4 }));
        account.codes = None;
        assert!(!account.apply(&Change::CodeUsed { step: 78 }));
        for at in [NOW, NOW.plus(-5)] {
            assert!(account.apply(&Change::StatementUsed { issued: at }));
        }
        let kept = Account::decode(account.encode().expose()).unwrap().subject.unwrap();
        assert_eq!(kept.taken, NOW, "never back");
        account.subject = None;
        assert!(!account.apply(&Change::StatementUsed { issued: NOW }));
    }

    #[test]
    fn an_account_of_the_edition_before_is_read() {
        for account in [full(), Account::new("bo".parse().unwrap(), "").unwrap()] {
            let now = account.encode();
            let mut old = now.expose().to_vec();
            old[MAGIC.len() + 3] = b'1';
            // the field that is new stands before the devices
            let mut devices = Writer::default();
            account.devices.write(&mut devices);
            let devices = devices.end().len();
            let at = old.len() - devices - 8;
            old.drain(at..at + 8);
            let again = Account::decode(&old).unwrap();
            assert_eq!(again.encode().expose(), now.expose());
        }
    }

    #[test]
    fn a_key_is_added_once_and_taken_away() {
        let mut account = full();
        let key = || SignInKey::from_line(LINE, NOW).unwrap();
        assert_eq!(account.add_key(key()), Err(Refusal::NotAllowed));
        assert!(account.remove_key(&key().fingerprint()) && !account.remove_key(&key().fingerprint()));
        assert_eq!(account.add_key(key()), Ok(()));
        assert!(!account.remove_passkey(b"none"));
    }
}
