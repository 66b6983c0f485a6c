//! The collector's jail: its own folder, what its inputs are, and nothing else.

use std::path::{Path, PathBuf};

use crate::config::{Config, Folder};
use crate::identity::Enrolled;
use crate::input::From;
use crate::{CollectorError, Input};

/// Name service over TCP, when an answer is too long for UDP.
const DNS: u16 = 53;

/// Where sticks appear.
const DEVICES: &str = "/dev";

/// Enters the jail.
pub(crate) fn shut_in(folder: &Folder, config: &Config) -> Result<(), CollectorError> {
    std::fs::create_dir_all(&folder.0).map_err(CollectorError::io(&folder.0))?;
    let gateway = match &config.gateway.address {
        Some(address) => address.clone(),
        None => Enrolled::load(&folder.identity())?.about.gateway,
    };
    let enforced = jail::enter(&profile(folder, config, &gateway)?)
        .map_err(|e| CollectorError::Config(e.to_string()))?;
    if enforced.is_full() {
        tracing::info!(%enforced, "shut in");
    } else {
        tracing::warn!(%enforced, "this kernel does not enforce the whole jail");
    }
    Ok(())
}

/// Its own folder, the files and devices that it reads, the resolver's files, and TCP to the ports of its gateway,
/// receivers and brokers. Hosts cannot be told apart by the kernel, ports can.
fn profile(folder: &Folder, config: &Config, gateway: &str) -> Result<jail::Profile, CollectorError> {
    let mut read: Vec<PathBuf> = [
        "/etc/resolv.conf",
        "/etc/hosts",
        "/etc/nsswitch.conf",
        "/etc/ld.so.cache",
        "/lib",
        "/lib64",
        "/usr/lib",
        "/proc/sys/kernel/random",
    ]
    .map(PathBuf::from)
    .to_vec();
    let mut devices = Vec::new();
    let (mut listen, mut connect) = (Vec::new(), vec![port(gateway)?, DNS]);
    for Input { from, .. } in &config.input {
        match from {
            From::File(path) => read.push(path.clone()),
            // A file that is replaced is another one under the same folder.
            From::Follow(path) => read.extend(path.parent().map(PathBuf::from)),
            // So is a stick that is plugged in again; and what is under `/dev/serial/by-id` only points there.
            From::Serial(path) => {
                let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
                devices.extend(
                    [path.as_path(), real.as_path()].into_iter().filter_map(Path::parent).map(Path::to_owned),
                );
                if !real.exists() && path.starts_with(DEVICES) {
                    // not plugged in yet: nobody knows where its name will point
                    devices.push(DEVICES.into());
                }
            }
            From::Stdin => {}
            From::Listen(at) => listen.push(port(at)?),
            From::Connect(to) => connect.push(port(to)?),
            From::Mqtt(mqtt) => {
                read.extend(mqtt.files().cloned());
                connect.push(mqtt.broker().map_err(CollectorError::Config)?.port);
            }
        }
    }
    Ok(jail::Profile {
        read,
        write: vec![folder.0.clone()],
        devices,
        network: jail::Network::Ports { listen, connect },
        lock_memory: false,
    })
}

fn port(address: &str) -> Result<u16, CollectorError> {
    let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    port.ok_or_else(|| CollectorError::Config(format!("`{address}` has no port; write it as `host:port`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jail_lets_through_what_the_inputs_need_and_no_more() {
        let inputs = [
            From::Serial("/dev/ttyUSB7".into()),
            From::Listen("0.0.0.0:7371".to_owned()),
            From::Connect("192.0.2.1:4000".to_owned()),
        ];
        let config = Config { input: inputs.map(Input::new).to_vec(), ..Config::default() };
        let folder = Folder("/var/lib/meterkeep".into());
        let profile = profile(&folder, &config, "meters.example.org:7370").unwrap();
        assert_eq!(
            profile.network,
            jail::Network::Ports { listen: vec![7371], connect: vec![7370, 53, 4000] }
        );
        assert!(profile.devices.iter().all(|d| d == Path::new("/dev")) && !profile.devices.is_empty());
        assert_eq!(profile.write, std::slice::from_ref(&folder.0));
        let plain = Config { input: vec![Input::new(From::Stdin)], ..Config::default() };
        let profile = super::profile(&folder, &plain, "h:1").unwrap();
        assert!(profile.devices.is_empty());
        assert!(super::profile(&folder, &plain, "h").is_err());
    }

    /// The jail is the thread's, so that a thread of this test can be shut in.
    #[test]
    fn a_serial_port_is_opened_and_set_from_within_the_jail_and_nothing_else() {
        use tokio_serial::SerialPortBuilderExt as _;
        let pair = nix::pty::openpty(None, None).unwrap();
        let port = nix::unistd::ttyname(&pair.slave).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let secret = tempfile::NamedTempFile::new().unwrap();
        let config = Config { input: vec![Input::new(From::Serial(port.clone()))], ..Config::default() };
        let profile = profile(&Folder(folder.path().to_owned()), &config, "127.0.0.1:9").unwrap();
        let other = secret.path().to_owned();
        let shut = std::thread::spawn(move || {
            let enforced = jail::enter(&profile).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let opened = runtime
                .block_on(async { tokio_serial::new(port.to_string_lossy(), 57_600).open_native_async() });
            (enforced, opened.map(drop), std::fs::read(other))
        });
        let (enforced, opened, read) = shut.join().unwrap();
        assert!(opened.is_ok(), "{opened:?}");
        if enforced.files == "none" {
            println!("skipped: this kernel enforces no rules on files");
            return;
        }
        assert!(read.is_err());
    }
}
