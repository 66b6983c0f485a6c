//! A room's start and stop.

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use link::{Admitted, Client, Door, Identity, IdentityError, Shutdown, Target, Trust};
use tokio::signal::unix::{SignalKind, signal};
use wire::Room;

use crate::{Config, Layout};

/// A room of a Meterkeep house. `meterkeep up` starts it; by hand it is started the same way.
#[derive(Parser)]
struct Arguments {
    /// The folder of the house.
    #[arg(long, env = "METERKEEP_HOUSE")]
    house: PathBuf,
}

/// Why a room did not start, or stopped.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

impl StartError {
    /// From any error, with what was being done.
    pub fn during(what: &'static str) -> impl Fn(&dyn std::fmt::Display) -> Self {
        move |error| Self(format!("{what}: {error}"))
    }
}

impl From<IdentityError> for StartError {
    fn from(error: IdentityError) -> Self {
        Self(error.to_string())
    }
}

/// What a room has when it starts.
pub struct Context {
    /// Which room this is.
    pub room: Room,
    /// Where things lie.
    pub layout: Layout,
    /// The settings.
    pub config: Config,
    /// This room's certificate and key.
    pub identity: Identity,
    /// The house's authority.
    pub trust: Trust,
    /// What the kernel enforces of the room's jail; `None` when it is switched off.
    pub jail: Option<jail::Enforced>,
    /// Cancelled when the room shall stop.
    pub shutdown: Shutdown,
}

impl Context {
    /// Opens a house's folder for one of its rooms.
    ///
    /// # Errors
    /// When settings, certificate or key cannot be read.
    pub fn open(layout: Layout, room: Room, shutdown: Shutdown) -> Result<Self, StartError> {
        let config = Config::load(&layout.config()).map_err(|e| StartError(e.to_string()))?;
        let identity = Identity::load(&layout.room(room))?;
        let trust = Trust::load(&layout.house_authority())?;
        Ok(Self { room, layout, config, identity, trust, jail: None, shutdown })
    }

    /// A caller of another room.
    ///
    /// # Errors
    /// When this room's identity is refused.
    pub fn client(&self, room: Room) -> Result<Client, StartError> {
        Ok(Client::new(room, Target::Unix(self.layout.socket(room)), Some(&self.identity), &self.trust)?)
    }

    /// This room's socket, for rooms and for the house's people: its owner and root, and where staff ask, its staff.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn door(&self) -> Result<Door, StartError> {
        let asked = matches!(self.room, Room::Warden | Room::Archive | Room::Ledger);
        let people = if asked && !self.config.house.staff_group.is_empty() {
            Admitted::Group
        } else {
            Admitted::These(vec![self.config.house.owner_uid, 0])
        };
        Ok(Door::unix(&self.layout.socket(self.room), &self.identity, &self.trust, people)?)
    }
}

/// Runs a room from its command line: settings, logs as JSON lines on standard error, stop on SIGTERM and
/// SIGINT, exit code 1 with a reason when it cannot go on.
pub fn run_room<F, Fut>(room: Room, run: F) -> ExitCode
where
    F: FnOnce(Context) -> Fut,
    Fut: Future<Output = Result<(), StartError>>,
{
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("METERKEEP_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    if let Err(error) = leave_with_launcher() {
        tracing::error!(%room, %error, "cannot start");
        return ExitCode::FAILURE;
    }
    let layout = Layout::new(arguments.house);
    // Before the first thread starts: a jail holds for the threads that come after it.
    let jail = match shut_in(&layout, room) {
        Ok(jail) => jail,
        Err(error) => {
            tracing::error!(%room, %error, "cannot start");
            return ExitCode::FAILURE;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        let shutdown = Shutdown::new();
        let mut context = Context::open(layout, room, shutdown.clone())?;
        context.jail = jail;
        stop_on_signals(shutdown)?;
        tracing::info!(%room, pid = std::process::id(), "starting");
        run(context).await
    });
    match outcome {
        Ok(()) => {
            tracing::info!(%room, "stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(%room, %error, "cannot go on");
            ExitCode::FAILURE
        }
    }
}

/// Names the launcher's process to the rooms that it starts.
pub const LAUNCHER_VARIABLE: &str = "METERKEEP_LAUNCHER";

/// Has the kernel stop this room when the launcher that started it is gone, however it went: a room without its
/// launcher would be found by nobody. A room that was started by hand or by an init system has none.
///
/// # Errors
/// When the launcher is gone already.
pub fn leave_with_launcher() -> Result<(), StartError> {
    let Ok(launcher) = std::env::var(LAUNCHER_VARIABLE) else { return Ok(()) };
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGTERM)
        .map_err(|e| StartError(format!("cannot be stopped with the launcher: {e}")))?;
    // It may have gone before the line above.
    if nix::unistd::getppid().to_string() == launcher {
        Ok(())
    } else {
        Err(StartError("the launcher that started this room is gone".to_owned()))
    }
}

/// Enters the room's jail, unless the house's settings switch it off.
fn shut_in(layout: &Layout, room: Room) -> Result<Option<jail::Enforced>, StartError> {
    let config = Config::load(&layout.config()).map_err(|e| StartError(e.to_string()))?;
    match config.house.jail.as_str() {
        "enforce" => {}
        "off" => {
            tracing::warn!(%room, "the jail is switched off in house.toml");
            return Ok(None);
        }
        other => return Err(StartError(format!("house.jail is `{other}`; it is `enforce` or `off`"))),
    }
    let enforced = jail::enter(&profile(layout, &config, room)?).map_err(|e| StartError(e.to_string()))?;
    if enforced.locked == Some(false) {
        tracing::warn!(%room, "its memory is not locked and may reach the swap disk: raise LimitMEMLOCK to infinity, or have no swap");
    } else if !enforced.is_full() {
        tracing::warn!(%room, %enforced, "this kernel does not enforce the whole jail");
    }
    Ok(Some(enforced))
}

/// What a room may touch: its own folder, the sockets, the public keys, and what its work needs.
fn profile(layout: &Layout, config: &Config, room: Room) -> Result<jail::Profile, StartError> {
    let mut profile = jail::Profile {
        read: vec![layout.config(), layout.public("")],
        write: vec![layout.room(room), layout.run()],
        ..jail::Profile::default()
    };
    match room {
        Room::Gateway => {
            let port = config.gateway.listen.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
            let port = port.ok_or_else(|| {
                StartError(format!(
                    "gateway.listen is `{}`; write it as `127.0.0.1:7370`",
                    config.gateway.listen
                ))
            })?;
            profile.network = jail::Network::Listen(vec![port]);
        }
        Room::Vault => profile.lock_memory = true,
        Room::Intake => profile.write.push(layout.store()),
        // Write, because a reader of a write-ahead log takes its locks in the shared-memory file; that the
        // archive never writes rows is held by opening the database read-only.
        Room::Archive => profile.write.push(layout.store()),
        // Where it adds newer versions; that it removes nothing is held by what it is built with, and by the database.
        Room::Steward => profile.write.push(layout.store()),
        // The names of the operating system's users.
        Room::Warden => {
            profile.read.extend(["/etc/passwd", "/etc/nsswitch.conf", "/etc/group"].map(PathBuf::from));
            // The C library loads its name services when first asked.
            profile.read.extend(["/lib", "/usr/lib", "/lib64", "/etc/ld.so.cache"].map(PathBuf::from));
        }
        Room::Ledger => {
            let ports = config.ledger.witnesses.iter().map(|witness| {
                witness.port().ok_or_else(|| {
                    StartError(format!(
                        "the address of a witness is `{}`; write it as `https://witness.example.org`",
                        witness.url
                    ))
                })
            });
            let connect = ports.collect::<Result<Vec<u16>, StartError>>()?;
            if !connect.is_empty() {
                profile.network = jail::Network::Ports { listen: Vec::new(), connect };
                // what finding a host by its name and trusting its certificate takes
                let names = [
                    "/etc/hosts",
                    "/etc/resolv.conf",
                    "/etc/nsswitch.conf",
                    "/etc/ssl",
                    "/usr/share/ca-certificates",
                ];
                let libraries = ["/lib", "/usr/lib", "/lib64", "/etc/ld.so.cache"];
                profile.read.extend(names.into_iter().chain(libraries).map(PathBuf::from));
            }
        }
        Room::Collector => {}
    }
    Ok(profile)
}

fn stop_on_signals(shutdown: Shutdown) -> Result<(), StartError> {
    let failed = |e: std::io::Error| StartError(format!("cannot listen for signals: {e}"));
    let mut term = signal(SignalKind::terminate()).map_err(failed)?;
    let mut int = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        shutdown.cancel();
    });
    Ok(())
}
