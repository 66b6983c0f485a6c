//! Posting over HTTP and HTTPS: short bodies, a bounded time, no detours.

use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::ask::{Post, Posted};

/// How long one question may take, connection and all. A witness syncs its disk before it answers.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest answer that is read: a few lines of signatures.
const LONGEST: u64 = 64 * 1024;

/// By whose word a witness behind HTTPS is the one at its address. What it signs is checked with its own key in any case.
#[derive(Debug, Clone)]
pub enum Authorities {
    /// Those that the machine knows.
    OfTheMachine,
    /// Those in a file (PEM).
    Pem(Vec<u8>),
}

/// Why no one can be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// No certificate in what was given.
    #[error(
        "no certificate authority in what was given; a certificate begins with `-----BEGIN CERTIFICATE-----`"
    )]
    NoAuthority,
}

/// Posts over HTTP and HTTPS.
#[derive(Debug, Clone)]
pub struct Http(Agent);

impl Http {
    /// A client that trusts these.
    ///
    /// # Errors
    /// [`HttpError`].
    pub fn new(authorities: &Authorities) -> Result<Self, HttpError> {
        let certificates = match authorities {
            // a machine without any still asks witnesses over plain HTTP
            Authorities::OfTheMachine => rustls_native_certs::load_native_certs()
                .certs
                .iter()
                .map(|der| Certificate::from_der(der).to_owned())
                .collect(),
            Authorities::Pem(pem) => from_pem(pem)?,
        };
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&certificates))
            .unversioned_rustls_crypto_provider(link::ciphers())
            .build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(PATIENCE))
            .user_agent("meterkeep")
            .tls_config(tls)
            .build();
        Ok(Self(Agent::new_with_config(config)))
    }
}

fn from_pem(pem: &[u8]) -> Result<Vec<Certificate<'static>>, HttpError> {
    let found = parse_pem(pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() { Err(HttpError::NoAuthority) } else { Ok(found) }
}

impl Post for Http {
    fn post(&self, url: &str, body: &[u8]) -> Result<Posted, String> {
        let mut response = self.0.post(url).send(body).map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(LONGEST).read_to_vec();
        Ok(Posted { status, body: body.map_err(|error| error.to_string())? })
    }
}
