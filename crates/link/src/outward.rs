//! TLS to a receiver outside of the house, which is known by its name.

use std::io;

use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::identity::{Identity, IdentityError, Trust, outward_config};

/// Speaks TLS (1.3, or 1.2) with one server.
pub struct Outward {
    tls: TlsConnector,
    name: ServerName<'static>,
}

impl Outward {
    /// With a server of this name (or address), certified by `trust`; shows `identity` where the server wants one.
    ///
    /// # Errors
    /// When the name is none, or certificate and key do not belong together.
    pub fn new(name: &str, trust: &Trust, identity: Option<&Identity>) -> Result<Self, IdentityError> {
        let named = ServerName::try_from(name.to_owned());
        let name = named.map_err(|_| IdentityError::Refused(format!("`{name}` is no server's name")))?;
        Ok(Self { tls: TlsConnector::from(outward_config(identity, trust)?), name })
    }

    /// Has the server at the other end show who it is.
    ///
    /// # Errors
    /// When it is another one, or the connection breaks.
    pub async fn over(&self, connection: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.tls.connect(self.name.clone(), connection).await
    }
}
