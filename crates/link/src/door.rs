//! The doors of a room: where it listens, and whom a connection may turn out to be.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::caller::{Caller, collector_of, room_of};
use crate::identity::{Identity, IdentityError, Trust, server_config};

/// A place where a room listens.
pub struct Door {
    pub(crate) listener: Listener,
    pub(crate) tls: Arc<ServerConfig>,
}

pub(crate) enum Listener {
    /// Rooms (house certificate) and people (peer uid).
    Unix { listener: UnixListener, path: PathBuf, people: Admitted },
    /// Rooms on other machines.
    Rooms(TcpListener),
    /// Collectors, and strangers who want to become one.
    Collectors(TcpListener),
}

/// Which people a socket admits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// Users with these numbers.
    These(Vec<u32>),
    /// Everybody whom the operating system lets at it: the owner, and members of the socket folder's group. Who they are is
    /// proved all the same, and what they may do is for the room to decide.
    Group,
}

impl Door {
    /// A Unix socket for rooms and for people. A socket file left behind by a
    /// killed room is replaced.
    ///
    /// # Errors
    /// When the socket cannot be made or the identity is refused.
    pub fn unix(
        path: &Path,
        identity: &Identity,
        house: &Trust,
        people: Admitted,
    ) -> Result<Self, IdentityError> {
        let failed =
            |e: std::io::Error| IdentityError::Unreadable { path: path.to_owned(), why: e.to_string() };
        // Bound under another name and moved into place, so that it is never there with open permissions.
        let fresh = path.with_extension(format!("new-{}", std::process::id()));
        let _ = std::fs::remove_file(&fresh);
        let listener = UnixListener::bind(&fresh).map_err(failed)?;
        let mode = if people == Admitted::Group { 0o660 } else { 0o600 };
        std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(mode)).map_err(failed)?;
        std::fs::rename(&fresh, path).map_err(failed)?;
        let tls = server_config(identity, house, true)?;
        Ok(Self { listener: Listener::Unix { listener, path: path.to_owned(), people }, tls })
    }

    /// A TCP door for rooms on other machines; a certificate of the house is required.
    ///
    /// # Errors
    /// When the identity is refused.
    pub fn rooms(listener: TcpListener, identity: &Identity, house: &Trust) -> Result<Self, IdentityError> {
        Ok(Self { listener: Listener::Rooms(listener), tls: server_config(identity, house, false)? })
    }

    /// A TCP door for collectors, certified by the collector authority, and for strangers who enrol.
    ///
    /// # Errors
    /// When the identity is refused.
    pub fn collectors(
        listener: TcpListener,
        identity: &Identity,
        collectors: &Trust,
    ) -> Result<Self, IdentityError> {
        Ok(Self { listener: Listener::Collectors(listener), tls: server_config(identity, collectors, true)? })
    }

    pub(crate) async fn accept(&self) -> std::io::Result<Knock> {
        match &self.listener {
            Listener::Unix { listener, people, .. } => {
                let (stream, _) = listener.accept().await?;
                let uid = stream.peer_cred()?.uid();
                let person = match people {
                    Admitted::These(people) => people.contains(&uid),
                    Admitted::Group => true,
                }
                .then_some(uid);
                Ok(Knock {
                    socket: Socket::Unix(stream),
                    kind: Kind::Unix { person },
                    tls: Arc::clone(&self.tls),
                })
            }
            Listener::Rooms(listener) | Listener::Collectors(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let kind =
                    if matches!(self.listener, Listener::Rooms(_)) { Kind::Rooms } else { Kind::Collectors };
                Ok(Knock { socket: Socket::Tcp(stream), kind, tls: Arc::clone(&self.tls) })
            }
        }
    }
}

/// The socket file goes with the door.
impl Drop for Door {
    fn drop(&mut self) {
        if let Listener::Unix { path, .. } = &self.listener {
            let _ = std::fs::remove_file(path);
        }
    }
}

pub(crate) enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

enum Kind {
    Unix { person: Option<u32> },
    Rooms,
    Collectors,
}

/// A connection that has not proved anything yet.
pub(crate) struct Knock {
    socket: Socket,
    kind: Kind,
    tls: Arc<ServerConfig>,
}

/// A connection with its proved caller.
pub(crate) enum Guest {
    Unix(Box<TlsStream<UnixStream>>, Caller),
    Tcp(Box<TlsStream<TcpStream>>, Caller),
}

impl Knock {
    /// TLS, then who it is; `None` when it is nobody whom this door lets in.
    pub(crate) async fn admit(self) -> std::io::Result<Option<Guest>> {
        let acceptor = TlsAcceptor::from(self.tls);
        Ok(match self.socket {
            Socket::Unix(socket) => {
                let stream = acceptor.accept(socket).await?;
                caller(&self.kind, leaf(stream.get_ref().1)).map(|c| Guest::Unix(Box::new(stream), c))
            }
            Socket::Tcp(socket) => {
                let stream = acceptor.accept(socket).await?;
                caller(&self.kind, leaf(stream.get_ref().1)).map(|c| Guest::Tcp(Box::new(stream), c))
            }
        })
    }
}

fn leaf(connection: &rustls::ServerConnection) -> Option<Vec<u8>> {
    Some(connection.peer_certificates()?.first()?.to_vec())
}

/// TLS has verified the certificate against the door's authority; this reads who it names. A certificate
/// that names nobody known is never taken for an anonymous connection.
fn caller(kind: &Kind, certificate: Option<Vec<u8>>) -> Option<Caller> {
    match (kind, certificate) {
        (Kind::Unix { .. } | Kind::Rooms, Some(der)) => room_of(&der).map(Caller::Room),
        (Kind::Unix { person }, None) => person.map(|uid| Caller::Operator { uid }),
        (Kind::Collectors, Some(der)) => {
            let digest = rustls_digest(&der);
            collector_of(&der).map(|id| Caller::Collector(id, digest))
        }
        (Kind::Collectors, None) => Some(Caller::Stranger),
        (Kind::Rooms, None) => None,
    }
}

fn rustls_digest(der: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(der).into()
}
