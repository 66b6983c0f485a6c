//! A passkey authenticator in software, and the browser around it: for tests that sign in as a person would.
//!
//! It answers the JSON that a page would hand to `navigator.credentials`, with ES256 and without attestation. What can be
//! set on it is what attackers would change: the origin, the counter, the flags.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ciborium::Value as Cbor;
use der::Encode as _;
use der::asn1::UintRef;
use seal::es256::Es256Signer;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// What is in a question that it cannot answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticatorError {
    /// The question is not in the form that pages get.
    #[error("the question has no `{0}`")]
    Question(&'static str),
    /// It has no passkey for that house.
    #[error("there is no passkey for this house")]
    NoPasskey,
    /// No randomness, or an encoding failed.
    #[error("the machine cannot do it now")]
    Machine,
}

use AuthenticatorError::{Machine, NoPasskey, Question};

struct Held {
    id: [u8; 32],
    party: String,
    handle: Vec<u8>,
    key: Es256Signer,
}

/// An authenticator that holds passkeys, and the browser that it is plugged into.
pub struct Authenticator {
    /// Where the browser is.
    pub origin: String,
    /// Added up at each use; 0 stays 0 when [`Authenticator::counts`] is off, as with passkeys that are synchronised.
    pub counter: u32,
    /// Whether it counts.
    pub counts: bool,
    /// Whether it checks who holds it.
    pub verifies: bool,
    /// Whether the page is in a frame of another site.
    pub framed: bool,
    held: Vec<Held>,
}

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

impl Authenticator {
    /// An empty one, in a browser at that origin.
    #[must_use]
    pub fn new(origin: &str) -> Self {
        let origin = origin.to_owned();
        Self { origin, counter: 0, counts: true, verifies: true, framed: false, held: Vec::new() }
    }

    /// Answers `navigator.credentials.create()`.
    ///
    /// # Errors
    /// [`AuthenticatorError`].
    pub fn create(&mut self, options: &str) -> Result<String, AuthenticatorError> {
        let options = public_key(options)?;
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let party = text(options.pointer("/rp/id")).ok_or(Question("rp.id"))?;
        let handle = text(options.pointer("/user/id")).ok_or(Question("user.id"))?;
        let handle = URL_SAFE_NO_PAD.decode(handle).map_err(|_| Question("user.id"))?;
        let id = base::random().map_err(|_| Machine)?;
        let key = Es256Signer::generate().map_err(|_| Machine)?;
        let client = self.client_data("webauthn.create", &options)?;
        let mut data = self.data(&party, ATTESTED);
        // no model is named; then the id with its length, and the key
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(&32_u16.to_be_bytes());
        data.extend_from_slice(&id);
        data.extend_from_slice(&cbor(&cose(&key)?)?);
        let attestation = Cbor::Map(vec![
            (Cbor::from("fmt"), Cbor::from("none")),
            (Cbor::from("attStmt"), Cbor::Map(Vec::new())),
            (Cbor::from("authData"), Cbor::Bytes(data)),
        ]);
        let response = json!({
            "attestationObject": URL_SAFE_NO_PAD.encode(cbor(&attestation)?),
            "clientDataJSON": URL_SAFE_NO_PAD.encode(client),
        });
        self.held.push(Held { id, party, handle, key });
        Ok(answer(&id, &response))
    }

    /// Answers `navigator.credentials.get()` with the newest passkey of that house.
    ///
    /// # Errors
    /// [`AuthenticatorError`].
    pub fn get(&mut self, options: &str) -> Result<String, AuthenticatorError> {
        let options = public_key(options)?;
        let party = options.get("rpId").and_then(Value::as_str).ok_or(Question("rpId"))?;
        if self.counts {
            self.counter = self.counter.saturating_add(1);
        }
        let held = self.held.iter().rev().find(|held| held.party == party).ok_or(NoPasskey)?;
        let client = self.client_data("webauthn.get", &options)?;
        let data = self.data(party, 0);
        let signature = held.key.sign(&[data.as_slice(), &Sha256::digest(&client)].concat());
        let (r, s) = signature.split_at(32);
        let signature = [UintRef::new(r), UintRef::new(s)];
        let [Ok(r), Ok(s)] = signature else { return Err(Machine) };
        let signature = vec![r, s].to_der().map_err(|_| Machine)?;
        let response = json!({
            "authenticatorData": URL_SAFE_NO_PAD.encode(data),
            "clientDataJSON": URL_SAFE_NO_PAD.encode(client),
            "signature": URL_SAFE_NO_PAD.encode(signature),
            "userHandle": URL_SAFE_NO_PAD.encode(&held.handle),
        });
        Ok(answer(&held.id, &response))
    }

    /// What the browser says of the page that asked.
    fn client_data(&self, what: &str, options: &Value) -> Result<Vec<u8>, AuthenticatorError> {
        let challenge = options.get("challenge").ok_or(Question("challenge"))?;
        let client = json!({
            "type": what, "challenge": challenge, "origin": self.origin, "crossOrigin": self.framed,
        });
        serde_json::to_vec(&client).map_err(|_| Machine)
    }

    /// `SHA-256(party) flags counter`.
    fn data(&self, party: &str, more: u8) -> Vec<u8> {
        let flags = PRESENT | if self.verifies { VERIFIED } else { 0 } | more;
        [Sha256::digest(party).as_slice(), &[flags], &self.counter.to_be_bytes()].concat()
    }
}

fn public_key(options: &str) -> Result<Value, AuthenticatorError> {
    let mut options: Value = serde_json::from_str(options).map_err(|_| Question("publicKey"))?;
    options.get_mut("publicKey").map(Value::take).ok_or(Question("publicKey"))
}

fn answer(id: &[u8], response: &Value) -> String {
    let id = URL_SAFE_NO_PAD.encode(id);
    json!({
        "id": id, "rawId": id, "type": "public-key", "response": response, "clientExtensionResults": {},
    })
    .to_string()
}

/// The public key as RFC 9053 writes it: EC2, ES256, P-256, x, y.
fn cose(key: &Es256Signer) -> Result<Cbor, AuthenticatorError> {
    let point = key.public();
    let (x, y) = point.get(1..).and_then(|xy| xy.split_at_checked(32)).ok_or(Machine)?;
    let entry = |label: i64, value| (Cbor::from(label), value);
    Ok(Cbor::Map(vec![
        entry(1, Cbor::from(2)),
        entry(3, Cbor::from(-7)),
        entry(-1, Cbor::from(1)),
        entry(-2, Cbor::Bytes(x.to_vec())),
        entry(-3, Cbor::Bytes(y.to_vec())),
    ]))
}

fn cbor(value: &Cbor) -> Result<Vec<u8>, AuthenticatorError> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).map_err(|_| Machine)?;
    Ok(bytes)
}
