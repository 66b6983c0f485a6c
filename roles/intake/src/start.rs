//! Opening the room: its folder, its databases, its keys, and then all its tasks.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use base::{Resolution, Secret, UtcMillis};
use house::{Context, StartError};
use link::Shutdown;
use store::{RawRing, ReadingStore};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use wire::Room;
use wire::ledger::{ROOM_STARTED, ROOM_STOPPED};
use zeroize::Zeroizing;

use crate::batchkeys::BatchKeys;
use crate::faults::Faults;
use crate::service::Intake;
use crate::shared::{OwnKeys, Parts, Peers, Settings, Shared};
use crate::{rawkeep, run, tasks};

/// Pieces that wait for the ring.
const RAW_QUEUE: usize = 256;

/// A room that is open and not running yet.
pub struct Open {
    /// What all parts share.
    pub shared: Arc<Shared>,
    ring: RawRing,
    jobs: mpsc::Receiver<rawkeep::RawJob>,
}

/// Opens the room's files and keys.
///
/// # Errors
/// When one of them cannot be read or made.
pub async fn open(
    context: &Context,
    settings: Settings,
    faults: Faults,
    clock: Box<dyn Fn() -> UtcMillis + Send + Sync>,
) -> Result<Open, StartError> {
    let folder = context.layout.room(Room::Intake);
    let failed = |what: &'static str| move |e: &dyn std::fmt::Display| StartError(format!("{what}: {e}"));
    std::fs::create_dir_all(context.layout.store()).map_err(|e| failed("the store's folder")(&e))?;
    let store = ReadingStore::open(&context.layout.store().join("readings.db"))
        .await
        .map_err(|e| failed("cannot open the readings")(&e))?;
    let intake = &context.config.intake;
    // Accepted and refused telegrams share what is given to raw ones.
    let limits = [intake.raw_bytes / 2, intake.raw_bytes / 2, intake.unknown_bytes];
    let ring = RawRing::open(&folder.join("raw.db"), limits)
        .await
        .map_err(|e| failed("cannot open the raw telegrams")(&e))?;
    let mut batch_keys =
        BatchKeys::open(&folder.join("batch-keys")).map_err(|e| failed("cannot open the batch keys")(&e))?;
    batch_keys.turn(clock()).map_err(|e| failed("cannot make a batch key")(&e))?;
    let keys = OwnKeys {
        signer: context.layout.signer(Room::Intake)?,
        state: Arc::new(own_key(&folder.join("state.key"))?),
        raw: Arc::new(own_key(&folder.join("raw.key"))?),
    };
    let peers = Peers {
        gateway: context.client(Room::Gateway)?,
        vault: context.client(Room::Vault)?,
        archive: context.client(Room::Archive)?,
        warden: context.client(Room::Warden)?,
        ledger: context.client(Room::Ledger)?,
    };
    let wanted = store.wanted().await.map_err(|e| failed("cannot read the readings")(&e))?;
    let (raw, jobs) = mpsc::channel(RAW_QUEUE);
    let parts = Parts { peers, settings, store, keys, batch_keys, faults, clock, raw, wanted };
    let shared = Arc::new(Shared::new(parts));
    count_what_is_there(&shared).await.map_err(|e| failed("cannot read the readings")(&e))?;
    Ok(Open { shared, ring, jobs })
}

/// Durable sums and the count of unknown meters become the first counters.
async fn count_what_is_there(shared: &Shared) -> Result<(), store::StoreError> {
    for (name, n) in shared.store.tallies().await? {
        shared.counters.set(name, n);
    }
    for unknown in shared.store.unknown().await? {
        shared.counters.add(format!("unknown.{}", unknown.manufacturer), unknown.count);
    }
    Ok(())
}

impl Open {
    /// Runs all tasks until `shutdown`, or until a test's fault ends the pipeline.
    pub async fn run(self, shutdown: Shutdown) {
        let Self { shared, ring, jobs } = self;
        let mut beside = JoinSet::new();
        beside.spawn(tasks::meters(Arc::clone(&shared)));
        beside.spawn(tasks::collectors(Arc::clone(&shared)));
        beside.spawn(tasks::publisher(Arc::clone(&shared)));
        beside.spawn(tasks::enrolments(Arc::clone(&shared)));
        beside.spawn(tasks::events(Arc::clone(&shared)));
        beside.spawn(tasks::housekeeping(Arc::clone(&shared)));
        beside.spawn(rawkeep::keep(ring, Arc::clone(&shared.keys.raw), jobs, Arc::clone(&shared)));
        run::forever(Arc::clone(&shared), shutdown).await;
        beside.shutdown().await;
    }
}

/// Runs the room.
///
/// # Errors
/// When its files or its socket cannot be opened.
pub async fn start(context: Context) -> Result<(), StartError> {
    let default_resolution =
        Resolution::from_name(&context.config.house.default_resolution).ok_or_else(|| {
            let given = &context.config.house.default_resolution;
            StartError(format!("`{given}` is no resolution; write `daily` or `all` in house.toml"))
        })?;
    let settings = Settings { default_resolution, ..Settings::default() };
    let open = open(&context, settings, Faults::from_environment(), Box::new(UtcMillis::now)).await?;
    let door = context.door()?;
    let service = Arc::new(Intake(Arc::clone(&open.shared)));
    let serving = tokio::spawn(link::serve(door, Room::Intake, service, context.shutdown.clone()));
    let shared = Arc::clone(&open.shared);
    tasks::presence(&shared, ROOM_STARTED).await;
    open.run(context.shutdown.clone()).await;
    tasks::presence(&shared, ROOM_STOPPED).await;
    tasks::last_events(&shared).await;
    serving.await.map_err(|e| StartError(format!("the room's door: {e}")))
}

/// A key of the room's own, made when it is not there.
fn own_key(path: &Path) -> Result<Secret<32>, StartError> {
    let failed = |e: &dyn std::fmt::Display| StartError(format!("`{}`: {e}", path.display()));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let key = Secret::<32>::random().map_err(|e| failed(&e))?;
            let text = Zeroizing::new(hex::encode(key.expose()));
            let fresh = path.with_extension("new");
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&fresh)
                .map_err(|e| failed(&e))?;
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|e| failed(&e))?;
            std::fs::rename(&fresh, path).map_err(|e| failed(&e))?;
            text
        }
        Err(e) => return Err(failed(&e)),
    };
    let mut bytes = Zeroizing::new([0u8; 32]);
    hex::decode_to_slice(text.trim_end(), bytes.as_mut_slice()).map_err(|e| failed(&e))?;
    Secret::from_slice(bytes.as_slice()).ok_or_else(|| failed(&"not 32 bytes"))
}
