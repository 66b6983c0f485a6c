//! Certificates and keys of this end, and which authority the other end must be certified by.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// What is wrong with an identity's files.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file cannot be read or is no PEM.
    #[error("cannot read `{path}`: {why}; `meterkeep init` writes it")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// TLS does not take it.
    #[error("the certificate or key is refused: {0}")]
    Refused(String),
}

impl From<rustls::Error> for IdentityError {
    fn from(error: rustls::Error) -> Self {
        Self::Refused(error.to_string())
    }
}

/// An authority that the other end must be certified by.
#[derive(Clone)]
pub struct Trust(Arc<RootCertStore>);

impl Trust {
    /// From the authority's certificate, PEM.
    ///
    /// # Errors
    /// When it is no certificate.
    pub fn from_pem(pem: &str) -> Result<Self, IdentityError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate.map_err(|e| IdentityError::Refused(e.to_string()))?)?;
        }
        if roots.is_empty() {
            return Err(IdentityError::Refused("no certificate in the authority's file".to_owned()));
        }
        Ok(Self(Arc::new(roots)))
    }

    /// From certificates of authorities, DER, as a machine lists them. Those that cannot be read are left out.
    ///
    /// # Errors
    /// When none is left.
    pub fn from_list(certificates: impl IntoIterator<Item = Vec<u8>>) -> Result<Self, IdentityError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.into_iter().map(CertificateDer::from));
        if roots.is_empty() {
            return Err(IdentityError::Refused("no certificate of an authority".to_owned()));
        }
        Ok(Self(Arc::new(roots)))
    }

    /// From a file, PEM.
    ///
    /// # Errors
    /// When it cannot be read or is no certificate.
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        Self::from_pem(&read(path)?)
    }
}

fn read(path: &Path) -> Result<String, IdentityError> {
    std::fs::read_to_string(path)
        .map_err(|e| IdentityError::Unreadable { path: path.to_owned(), why: e.to_string() })
}

/// A certificate with its key. It has no `Debug`: the key must not reach a log.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// From PEM texts.
    ///
    /// # Errors
    /// When either is missing or malformed.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, IdentityError> {
        let refused = |e: rustls_pki_types::pem::Error| IdentityError::Refused(e.to_string());
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(refused)?;
        Ok(Self { chain: chain.map_err(refused)?, key })
    }

    /// From `tls-cert.pem` and `tls-key.pem` in a room's folder.
    ///
    /// # Errors
    /// When a file is missing or malformed.
    pub fn load(folder: &Path) -> Result<Self, IdentityError> {
        Self::from_pem(&read(&folder.join("tls-cert.pem"))?, &read(&folder.join("tls-key.pem"))?)
    }
}

/// The one implementation of the ciphers of TLS in the house, for whoever has a library of its own speak TLS with others.
#[must_use]
pub fn ciphers() -> Arc<rustls::crypto::CryptoProvider> {
    provider()
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// A server that shows `identity`, and takes client certificates of `trust`; `optional` lets people and
/// strangers in without one (they are told apart afterwards).
pub(crate) fn server_config(
    identity: &Identity,
    trust: &Trust,
    optional: bool,
) -> Result<Arc<ServerConfig>, IdentityError> {
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::clone(&trust.0), provider());
    let builder = if optional { builder.allow_unauthenticated() } else { builder };
    let verifier = builder.build().map_err(|e| IdentityError::Refused(e.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain.clone(), identity.key.clone_key())?;
    // A resumed session would skip the certificate check of a revoked peer.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// A client that wants a server of `trust`, and shows `identity` where it has one.
pub(crate) fn client_config(
    identity: Option<&Identity>,
    trust: &Trust,
) -> Result<Arc<ClientConfig>, IdentityError> {
    client(identity, trust, &[&TLS13])
}

/// The same for a server that is not of the house, and may know no newer TLS than 1.2.
pub(crate) fn outward_config(
    identity: Option<&Identity>,
    trust: &Trust,
) -> Result<Arc<ClientConfig>, IdentityError> {
    client(identity, trust, &[&TLS13, &TLS12])
}

fn client(
    identity: Option<&Identity>,
    trust: &Trust,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<Arc<ClientConfig>, IdentityError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)?
        .with_root_certificates(Arc::clone(&trust.0));
    let mut config = match identity {
        Some(identity) => builder.with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())?,
        None => builder.with_no_client_auth(),
    };
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}
