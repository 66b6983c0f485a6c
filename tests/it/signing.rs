//! People who sign in as their browsers would: an invitation, a passkey of an authenticator in software, a session.

use std::path::Path;

use authenticator::Authenticator;
use base::UtcMillis;
use grant::approval::sign_call;
use house_tests::house::secret_file;
use seal::sign::Signer;
use wire::login::{
    By, InSession, LoginAnswer, LoginErrand, LoginWish, NewPasskey, Proof, Prove, SessionCall,
};
use wire::{Message as _, Method};

use crate::crowd::Relay;

/// Where the house's pages would be.
pub(crate) const ORIGIN: &str = "https://meters.example.org";

/// Somebody's session, as their browser or command holds it.
pub(crate) struct Session {
    pub(crate) signer: Signer,
    person: String,
    house: [u8; 32],
    id: Vec<u8>,
    until: UtcMillis,
}

/// An errand of signing in, outside of any session.
pub(crate) fn login(relay: &mut Relay, wish: LoginWish) -> Result<LoginAnswer, String> {
    let answer = relay.plain(Method::WardenLogin, &LoginErrand { wish: Some(wish) }.encode_to_vec())?;
    Ok(LoginAnswer::decode(answer.as_slice()).unwrap())
}

/// Uses an invitation for a passkey.
pub(crate) fn passkey(relay: &mut Relay, invitation: &str) -> Authenticator {
    let mut authenticator = Authenticator::new(ORIGIN);
    let ticket = login(relay, LoginWish::Redeem(invitation.to_owned())).unwrap().ticket;
    let options = login(relay, LoginWish::AskPasskey(ticket.clone())).unwrap().passkey;
    let answer = authenticator.create(&options).unwrap();
    let made = NewPasskey { ticket, label: "phone".to_owned(), answer };
    assert_eq!(login(relay, LoginWish::AddPasskey(made)).unwrap().recovery.len(), 10);
    authenticator
}

/// Shows a passkey for a session key.
pub(crate) fn show(
    relay: &mut Relay,
    authenticator: &mut Authenticator,
    key: &Signer,
) -> Result<LoginAnswer, String> {
    let begun = login(relay, LoginWish::Begin(key.verifier().as_bytes().to_vec())).unwrap();
    let proof = Proof { by: Some(By::Passkey(authenticator.get(&begun.passkey).unwrap())) };
    let prove = Prove { nonce: begun.nonce, proofs: vec![proof], device: Vec::new() };
    login(relay, LoginWish::Prove(prove))
}

/// Signs somebody in with a passkey, and once more, as keys, people and roles need it.
pub(crate) fn sign_in(
    relay: &mut Relay,
    authenticator: &mut Authenticator,
    person: &str,
    house: [u8; 32],
) -> Session {
    let signer = Signer::generate().unwrap();
    assert_eq!(show(relay, authenticator, &signer).unwrap().strength, "multi-factor");
    let shown = show(relay, authenticator, &signer).unwrap();
    assert_eq!(shown.strength, "step-up");
    let (person, until) = (person.to_owned(), UtcMillis(shown.until_ms));
    Session { signer, person, house, id: shown.session, until }
}

impl Session {
    /// A call as the session signs it.
    pub(crate) fn sign(&self, method: Method, body: &[u8]) -> Vec<u8> {
        let call = SessionCall { method: method.number(), body: body.to_vec() }.encode_to_vec();
        let call = sign_call(self.house, &self.person, call, UtcMillis::now(), &self.signer).unwrap();
        InSession { session_key: self.signer.verifier().as_bytes().to_vec(), call }.encode_to_vec()
    }

    /// The same session, for another program of its person.
    pub(crate) fn again(&self) -> Self {
        let signer = Signer::from_seed(&base::Secret::new(*self.signer.expose_seed()));
        let (person, house, id, until) = (self.person.clone(), self.house, self.id.clone(), self.until);
        Self { signer, person, house, id, until }
    }

    /// As the command keeps it between two calls.
    pub(crate) fn keep(&self, path: &Path) {
        let (person, id, until) = (&self.person, hex::encode(&self.id), self.until);
        let key = hex::encode(self.signer.expose_seed());
        let text = format!(
            "[session]\nperson = \"{person}\"\nid = \"{id}\"\nuntil = \"{until}\"\nkey = \"{key}\"\n"
        );
        secret_file(path, &text);
    }
}
