//! Where a stream goes, and the way there.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use link::{Identity, Outward};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::problem::{Problem, USAGE};
use crate::secret::refuse_open_to_others;

/// The port of syslog over TLS (RFC 5425, section 4.1).
const SYSLOG_TLS: u16 = 6514;
/// How long connecting may take, and then showing certificates.
const PATIENCE: Duration = Duration::from_secs(20);
/// Our end of a connection holds so many octets, and not the megabytes that a kernel may give, so that less is sent again.
const SEND_BUFFER: u32 = 256 * 1024;
/// Files with more bytes are no certificates or keys.
const MAX_PEM: u64 = 4 * 1024 * 1024;

/// Where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// TLS to a host and port.
    Tls { host: String, port: u16 },
    /// TCP in clear, within this machine.
    Tcp(SocketAddr),
    /// Standard output.
    Output,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::Output);
        }
        if let Some(address) = text.strip_prefix("tcp://") {
            let address: SocketAddr = address
                .parse()
                .map_err(|_| "write `tcp://127.0.0.1:514`, an address and a port".to_owned())?;
            return if address.ip().is_loopback() {
                Ok(Self::Tcp(address))
            } else {
                Err("in clear the log does not leave this machine; use `tls://host:port`".to_owned())
            };
        }
        let known = "write `tls://host:port`, `tcp://127.0.0.1:port` or `-`";
        let place = text.strip_prefix("tls://").ok_or_else(|| known.to_owned())?;
        let (host, port) = match place.rsplit_once(':') {
            // the colons of an IPv6 address stand in brackets
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().map_err(|_| format!("`{port}` is no port"))?)
            }
            _ => (place, SYSLOG_TLS),
        };
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || !host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c)) {
            return Err(format!("`{host}` is no host; {known}"));
        }
        Ok(Self::Tls { host: host.to_owned(), port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls { host, port } if host.contains(':') => write!(f, "tls://[{host}]:{port}"),
            Self::Tls { host, port } => write!(f, "tls://{host}:{port}"),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Output => f.write_str("-"),
        }
    }
}

/// Who the receiver is, and who we are to it.
#[derive(clap::Args)]
pub(super) struct Trust {
    /// The receiver is certified by an authority in this file (PEM), and by none that the machine knows.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The receiver's certificate is for this name, where that is not the host of `--to`.
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// Our certificate, where the receiver wants one (PEM).
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// Its key (PEM), which only its owner may read.
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
}

/// A connection, whatever it goes over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// The way to a receiver, set up once.
pub(super) enum Way {
    Tls { tls: Outward, host: String, port: u16 },
    Tcp(SocketAddr),
}

impl Way {
    /// `None` for standard output, which is there.
    pub(super) fn to(target: &Target, trust: &Trust) -> Result<Option<Self>, Problem> {
        Ok(match target {
            Target::Output => None,
            Target::Tcp(address) => Some(Self::Tcp(*address)),
            Target::Tls { host, port } => {
                let tls = trust.tls_to(trust.server_name.as_ref().unwrap_or(host))?;
                Some(Self::Tls { tls, host: host.clone(), port: *port })
            }
        })
    }

    /// Connects, and has the receiver show who it is.
    pub(super) async fn connect(&self) -> Result<Box<dyn Stream>, String> {
        let late = |_| format!("no answer within {} s", PATIENCE.as_secs());
        let text = |error: io::Error| error.to_string();
        match self {
            Self::Tcp(address) => {
                let tcp = timeout(PATIENCE, reach(*address)).await.map_err(late)?;
                Ok(Box::new(tcp.map_err(text)?))
            }
            Self::Tls { tls, host, port } => {
                let tcp = timeout(PATIENCE, reach_any(host, *port)).await.map_err(late)?.map_err(text)?;
                let shown = timeout(PATIENCE, tls.over(tcp)).await.map_err(late)?;
                Ok(Box::new(shown.map_err(text)?))
            }
        }
    }
}

async fn reach(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The first address of a host that takes the connection.
async fn reach_any(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host((host, port)).await? {
        match reach(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Trust {
    /// TLS to a server of this name.
    fn tls_to(&self, name: &str) -> Result<Outward, Problem> {
        let authorities = match &self.ca {
            Some(file) => link::Trust::from_pem(&read(file)?).map_err(Problem::at(file))?,
            None => {
                let found = rustls_native_certs::load_native_certs().certs;
                link::Trust::from_list(found.iter().map(|der| der.to_vec())).map_err(|e| {
                    Problem::new(format!("this machine's list of certificate authorities: {e}"))
                        .help("install `ca-certificates`, or give the receiver's authority with `--ca FILE`")
                })?
            }
        };
        let identity = match (&self.client_cert, &self.client_key) {
            (Some(certificate), Some(key)) => {
                refuse_open_to_others(key, "private key")?;
                let secret = Zeroizing::new(read(key)?);
                let both = Identity::from_pem(&read(certificate)?, &secret);
                Some(both.map_err(Problem::at(key))?)
            }
            _ => None,
        };
        Outward::new(name, &authorities, identity.as_ref()).map_err(|e| {
            Problem::new(format!("cannot set up TLS to `{name}`: {e}"))
                .help("give the server's name, and a certificate with the key that it is for")
                .exit(USAGE)
        })
    }
}

fn read(file: &Path) -> Result<String, Problem> {
    if std::fs::metadata(file).map_err(Problem::at(file))?.len() > MAX_PEM {
        return Err(Problem::new(format!("`{}` is too long to be a certificate or a key", file.display())));
    }
    std::fs::read_to_string(file).map_err(Problem::at(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_named_with_tls_within_the_machine_or_not_at_all() {
        let tls = |host: &str, port| Ok(Target::Tls { host: host.to_owned(), port });
        let cases = [
            ("tls://siem.example:6515", tls("siem.example", 6515)),
            ("tls://siem.example", tls("siem.example", 6514)),
            ("tls://[2001:db8::7]:6514", tls("2001:db8::7", 6514)),
            ("tls://[2001:db8::7]", tls("2001:db8::7", 6514)),
            ("tls://10.0.0.7:6514", tls("10.0.0.7", 6514)),
            ("tcp://127.0.0.1:514", Ok(Target::Tcp("127.0.0.1:514".parse().unwrap()))),
            ("tcp://[::1]:514", Ok(Target::Tcp("[::1]:514".parse().unwrap()))),
            ("-", Ok(Target::Output)),
        ];
        for (text, expected) in cases {
            let target: Result<Target, String> = text.parse();
            assert_eq!(target, expected, "{text}");
            let target = target.unwrap();
            assert_eq!(target.to_string().parse(), Ok(target), "{text}");
        }
        let refused = |text: &str| text.parse::<Target>().unwrap_err();
        assert!(refused("tcp://10.0.0.7:514").contains("does not leave this machine"));
        assert!(refused("tcp://siem.example:514").contains("an address and a port"));
        assert!(refused("siem.example:6514").contains("tls://host:port"));
        assert!(refused("udp://127.0.0.1:514").contains("tls://host:port"));
        assert!(refused("tls://siem.example:70000").contains("is no port"));
        assert!(refused("tls://a b:1").contains("is no host"));
    }

    #[test]
    fn files_that_are_no_certificates_or_open_to_others_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "no certificate\n").unwrap();
        let trust = |ca: Option<&Path>, client: Option<(&Path, &Path)>| Trust {
            ca: ca.map(Path::to_owned),
            server_name: None,
            client_cert: client.map(|(cert, _)| cert.to_owned()),
            client_key: client.map(|(_, key)| key.to_owned()),
        };
        let said = |trust: Trust| trust.tls_to("siem.example").err().unwrap().to_string();
        assert!(said(trust(Some(&file), None)).contains("no certificate in the authority's file"));
        let authority = link::pki::make_authority("test").unwrap();
        std::fs::write(&file, &authority.certificate).unwrap();
        let key = folder.path().join("key.pem");
        std::fs::write(&key, &*authority.key).unwrap();
        assert!(said(trust(Some(&file), Some((&file, &key)))).contains("others may read"));
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&key, private).unwrap();
        assert!(trust(Some(&file), Some((&file, &key))).tls_to("10.0.0.7").is_ok());
        assert!(said(trust(Some(&file), Some((&key, &key)))).contains("cannot set up TLS"));
        let other = link::pki::make_authority("other").unwrap();
        std::fs::write(&key, &*other.key).unwrap();
        assert!(said(trust(Some(&file), Some((&file, &key)))).contains("cannot set up TLS"));
    }
}
