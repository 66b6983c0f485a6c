//! A provider to sign in with, as a utility would have one: HTTPS under an authority of its own, a device flow, ES256.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::UtcMillis;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use link::pki::make_authority;
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use seal::es256::Es256Signer;
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// The house's id at the provider.
pub(crate) const CLIENT: &str = "meterkeep";
/// Who signs in there.
pub(crate) const SUBJECT: &str = "00u1a2b3";

/// What the provider answers when it is asked whether the person typed the code.
#[derive(Clone)]
pub(crate) enum Reply {
    /// A word of RFC 8628 or RFC 6749.
    Error(&'static str),
    /// A statement, with what is false about it.
    States(Value),
    /// The statement that was made last, again.
    StatesAgain,
    /// No answer but a status.
    Status(u16),
}

/// What is wrong with a page.
#[derive(Clone)]
pub(crate) enum Fault {
    /// It sends elsewhere.
    Redirect,
    /// It has so many bytes.
    Bytes(usize),
    /// It comes so late.
    Late(Duration),
}

struct State {
    key: Es256Signer,
    kid: String,
    address: String,
    replies: VecDeque<Reply>,
    faults: Vec<(&'static str, Fault)>,
    last: String,
    /// What was asked, by path.
    asked: Vec<(String, String)>,
}

/// It runs until it is dropped.
pub(crate) struct Provider {
    state: Arc<Mutex<State>>,
    pub(crate) address: String,
    /// The authority that certifies it.
    pub(crate) ca: PathBuf,
    _runtime: tokio::runtime::Runtime,
}

/// A server of this machine, and the file with the authority that it is certified by.
pub(crate) fn tls(folder: &Path) -> (ServerConfig, PathBuf) {
    let authority = make_authority("the utility").unwrap();
    let issuer =
        Issuer::from_ca_cert_pem(&authority.certificate, KeyPair::from_pem(&authority.key).unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let ca = folder.join("authority.pem");
    std::fs::write(&ca, &authority.certificate).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(certificate.pem().as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(link::ciphers())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    (config, ca)
}

impl Provider {
    /// A provider at a port of this machine; what it is certified by lies in the folder.
    pub(crate) fn new(folder: &Path) -> Self {
        let (config, ca) = tls(folder);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let state = State {
            key: Es256Signer::generate().unwrap(),
            kid: "first".to_owned(),
            address: address.clone(),
            replies: VecDeque::new(),
            faults: Vec::new(),
            last: String::new(),
            asked: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let (acceptor, shared) = (TlsAcceptor::from(Arc::new(config)), Arc::clone(&state));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, state) = (acceptor.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |asked| answer(Arc::clone(&state), asked));
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { state, address, ca, _runtime: runtime }
    }

    /// What it answers next, one after the other; then that nobody has typed the code yet.
    pub(crate) fn answers(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.lock().unwrap().replies = replies.into_iter().collect();
    }

    /// Something is wrong with a page from now on.
    pub(crate) fn fails(&self, path: &'static str, fault: Fault) {
        self.state.lock().unwrap().faults.push((path, fault));
    }

    /// All is well again.
    pub(crate) fn is_well(&self) {
        self.state.lock().unwrap().faults.clear();
    }

    /// It signs with another key from now on.
    pub(crate) fn changes_keys(&self) {
        let mut state = self.state.lock().unwrap();
        (state.key, state.kid) = (Es256Signer::generate().unwrap(), "second".to_owned());
    }

    /// The forms that were posted to a page.
    pub(crate) fn posted(&self, path: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.asked.iter().filter(|(at, _)| at == path).map(|(_, form)| form.clone()).collect()
    }

    /// Its description, as it is at the well-known address.
    pub(crate) fn description(&self) -> Value {
        self.state.lock().unwrap().description()
    }

    pub(crate) fn keys(&self) -> Value {
        self.state.lock().unwrap().keys()
    }
}

impl State {
    fn description(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.address);
        json!({
            "issuer": self.address, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
            "device_authorization_endpoint": at("/device"), "jwks_uri": at("/keys"),
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    }

    fn keys(&self) -> Value {
        let point = self.key.public();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": self.kid, "use": "sig", "x": x, "y": y}]})
    }

    fn states(&mut self, false_about: &Value) -> String {
        let now = UtcMillis::now().0.div_euclid(1000);
        let mut claims =
            json!({"iss": self.address, "aud": CLIENT, "sub": SUBJECT, "exp": now + 300, "iat": now});
        for (name, value) in false_about.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"alg": "ES256", "kid": self.kid, "typ": "JWT"});
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()));
        self.last = json!({
            "access_token": "nobody uses it", "token_type": "Bearer", "id_token": format!("{signed}.{signature}"),
        })
        .to_string();
        self.last.clone()
    }

    fn page(&mut self, path: &str) -> (u16, String) {
        match path {
            "/.well-known/openid-configuration" => (200, self.description().to_string()),
            "/keys" => (200, self.keys().to_string()),
            "/device" => {
                let begun = json!({
                    "device_code": "only-the-house-has-it", "user_code": "WDJB-MJHT", "interval": 1,
                    "verification_uri": format!("{}/type", self.address), "expires_in": 600,
                });
                (200, begun.to_string())
            }
            "/token" => match self.replies.pop_front().unwrap_or(Reply::Error("authorization_pending")) {
                Reply::Error(word) => (400, json!({"error": word}).to_string()),
                Reply::States(false_about) => (200, self.states(&false_about)),
                Reply::StatesAgain => (200, self.last.clone()),
                Reply::Status(status) => (status, String::new()),
            },
            _ => (404, String::new()),
        }
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    asked: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = asked.uri().path().to_owned();
    let form = asked.into_body().collect().await.unwrap().to_bytes();
    let form = String::from_utf8(form.to_vec()).unwrap();
    let fault = {
        let mut state = state.lock().unwrap();
        state.asked.push((path.clone(), form));
        state.faults.iter().find(|(at, _)| *at == path).map(|(_, fault)| fault.clone())
    };
    let of = |status: u16, body: String| {
        Response::builder().status(status).body(Full::new(Bytes::from(body))).unwrap()
    };
    Ok(match fault {
        Some(Fault::Redirect) => {
            let elsewhere = Response::builder().status(302).header("Location", "https://evil.example.org/");
            elsewhere.body(Full::new(Bytes::new())).unwrap()
        }
        Some(Fault::Bytes(many)) => of(200, " ".repeat(many)),
        Some(Fault::Late(by)) => {
            tokio::time::sleep(by).await;
            of(200, String::new())
        }
        None => {
            let (status, body) = state.lock().unwrap().page(&path);
            of(status, body)
        }
    })
}
