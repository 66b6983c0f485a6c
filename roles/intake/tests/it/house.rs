//! A house's folder with real certificates, the fakes behind their sockets, and intake itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base::{Class, MeterId, TenancyId, UtcMillis};
use house::{Context, Layout};
use intake::faults::Faults;
use intake::shared::{Settings, Shared};
use link::pki::{certify_room, make_authority};
use link::{Admitted, Door, Identity, Service, Shutdown, Trust};
use prost::Message;
use seal::sign::Signer;
use seal::{Place, aead};
use store::{Ask, ReadingView};
use tokio::task::JoinHandle;
use wire::Room;
use wire::gateway::BatchKey;
use wire::intake::Reading;
use wire::vault::Series;

use crate::frames::{Collector, NOW};
use crate::gateway::Gateway;
use crate::others::{Archive, Ledger, Warden};
use crate::vault::{Vault, data_key};

/// How long a test waits for something before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct House {
    folder: tempfile::TempDir,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) archive: Arc<Archive>,
    pub(crate) warden: Arc<Warden>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) clock: Arc<AtomicI64>,
    fakes: Shutdown,
}

/// The tenancy of a meter.
pub(crate) fn tenancy(meter: u32) -> TenancyId {
    TenancyId([u8::try_from(meter).unwrap(); 16])
}

impl House {
    /// With the meters `KAM-<id>-1B-16`, policy `all` for even ids and `daily` for odd ones, and two collectors.
    pub(crate) async fn new(meters: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        for path in layout.folders() {
            std::fs::create_dir_all(path).unwrap();
        }
        let authority = make_authority("test").unwrap();
        std::fs::write(layout.house_authority(), &authority.certificate).unwrap();
        std::fs::write(layout.config(), "[house]\nname = \"test\"\n").unwrap();
        for room in Room::ALL.into_iter().filter(|r| *r != Room::Collector) {
            let made = certify_room(&authority, room).unwrap();
            std::fs::write(layout.room(room).join("tls-cert.pem"), &made.certificate).unwrap();
            std::fs::write(layout.room(room).join("tls-key.pem"), &made.key).unwrap();
        }
        let seed = hex::encode(Signer::generate().unwrap().expose_seed());
        std::fs::write(layout.signing_key(Room::Intake), seed).unwrap();
        let house = Self {
            folder,
            gateway: Arc::default(),
            vault: Arc::default(),
            archive: Arc::default(),
            warden: Arc::default(),
            ledger: Arc::default(),
            clock: Arc::new(AtomicI64::new(NOW.0)),
            fakes: Shutdown::new(),
        };
        house.register(1..=meters);
        house.admit(&[1, 2]);
        house.serve(Room::Gateway, &house.gateway);
        house.serve(Room::Vault, &house.vault);
        house.serve(Room::Archive, &house.archive);
        house.serve(Room::Warden, &house.warden);
        house.serve(Room::Ledger, &house.ledger);
        house
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.folder.path())
    }

    fn serve<S: Service>(&self, room: Room, service: &Arc<S>) {
        let layout = self.layout();
        let identity = Identity::load(&layout.room(room)).unwrap();
        let trust = Trust::load(&layout.house_authority()).unwrap();
        let door = Door::unix(&layout.socket(room), &identity, &trust, Admitted::These(vec![])).unwrap();
        tokio::spawn(link::serve(door, room, Arc::clone(service), self.fakes.clone()));
    }

    pub(crate) fn register(&self, ids: std::ops::RangeInclusive<u32>) {
        let mut list = self.archive.0.lock().unwrap();
        list.version += 1;
        for id in ids {
            let address = format!("KAM-{id:08}-1B-16").parse::<base::MeterAddress>().unwrap();
            list.meters.push(wire::archive::Meter {
                id,
                address: address.as_bytes().to_vec(),
                resolution: if id % 2 == 0 { 2 } else { 1 },
                clear: false,
                tenancies: vec![wire::vault::TenancySpan {
                    tenancy: tenancy(id).0.to_vec(),
                    meter: id,
                    from_ms: 0,
                    until_ms: None,
                    vacant: true,
                }],
            });
        }
    }

    pub(crate) fn admit(&self, ids: &[u32]) {
        let mut list = self.warden.0.lock().unwrap();
        list.version += 1;
        list.collectors = ids
            .iter()
            .map(|id| wire::warden::Collector {
                id: *id,
                name: "mast".into(),
                signing_key: Collector::new(*id).signer.verifier().as_bytes().to_vec(),
                certificate_sha256: vec![0; 32],
                state: "admitted".into(),
                since_ms: 0,
            })
            .collect();
    }

    /// Sets a collector's state with the warden.
    pub(crate) fn stand(&self, id: u32, state: &str, since: UtcMillis) {
        let mut list = self.warden.0.lock().unwrap();
        list.version += 1;
        let entry = list.collectors.iter_mut().find(|c| c.id == id).unwrap();
        (entry.state, entry.since_ms) = (state.into(), since.0);
    }

    pub(crate) async fn start(&self) -> Running {
        self.start_with(Faults::default()).await
    }

    pub(crate) async fn start_with(&self, faults: Faults) -> Running {
        let shutdown = Shutdown::new();
        let context = Context::open(self.layout(), Room::Intake, shutdown.clone()).unwrap();
        let settings = Settings {
            pull_wait: Duration::from_millis(40),
            recovery_patience: Duration::from_secs(2),
            call: Duration::from_secs(5),
            pause: Duration::from_millis(5),
            ..Settings::default()
        };
        let clock = Arc::clone(&self.clock);
        let clock = Box::new(move || UtcMillis(clock.load(Ordering::SeqCst)));
        let open = intake::start::open(&context, settings, faults, clock).await.unwrap();
        let shared = Arc::clone(&open.shared);
        let task = tokio::spawn(open.run(shutdown.clone()));
        Running { shared, shutdown, task }
    }

    /// The batch key that collectors are offered.
    pub(crate) async fn batch_key(&self) -> BatchKey {
        until("a batch key is published", || {
            self.gateway.state().published.last().and_then(|p| p.batch_key.clone())
        })
        .await
    }

    /// Waits until the gateway may let go everything up to `seq` of a collector's spool.
    pub(crate) async fn confirmed(&self, collector: &Collector, seq: u64) {
        let key = (collector.id, collector.epoch);
        until(&format!("c{} is confirmed up to {seq}", collector.id), || {
            (self.gateway.state().confirmed.get(&key).copied() >= Some(seq)).then_some(())
        })
        .await;
    }

    pub(crate) fn readings_path(&self) -> PathBuf {
        self.layout().store().join("readings.db")
    }

    /// A meter's stored readings of the month of [`NOW`], opened, by sequence.
    pub(crate) async fn readings(&self, meter: u32, class: Class) -> Vec<(u32, Reading)> {
        self.rows(meter, class).await.into_iter().map(|(facts, reading)| (facts.sequence, reading)).collect()
    }

    pub(crate) async fn rows(&self, meter: u32, class: Class) -> Vec<(store::Facts, Reading)> {
        let view = ReadingView::open(&self.readings_path()).await.unwrap();
        let ask = Ask {
            meter: MeterId(meter),
            class,
            month: NOW.month(),
            days: 1..=31,
            tenancy: None,
            superseded: true,
            limit: 10_000,
        };
        let mut rows = view.readings(&ask).await.unwrap();
        rows.reverse();
        rows.iter()
            .map(|row| {
                let f = row.facts;
                let series = Series {
                    meter,
                    tenancy: f.tenancy.0.to_vec(),
                    class: u32::from(f.class.code()),
                    month: f.month.number(),
                };
                let place =
                    Place::reading(f.meter, f.tenancy, f.class, f.month, f.sequence.into(), f.version);
                let plain = aead::open(&data_key(&series), &place, &row.envelope).unwrap();
                (f, Reading::decode(plain.as_slice()).unwrap())
            })
            .collect()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.fakes.cancel();
    }
}

/// Intake, running.
pub(crate) struct Running {
    pub(crate) shared: Arc<Shared>,
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

impl Running {
    /// Stops it as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }

    /// Ends it where it stands.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Waits until a fault ended it.
    pub(crate) async fn ended(self) {
        tokio::time::timeout(PATIENCE, self.task).await.expect("the fault point was never passed").unwrap();
        // A commit that was under way runs to its end; a dead process has none, so it must not end in the next one's life.
        self.shared.store.commit(store::Commit::default()).await.unwrap();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Durable sums, after they were held against the accounts and rows themselves.
    pub(crate) async fn sums(&self) -> BTreeMap<String, u64> {
        let sums = self.shared.store.tallies().await.unwrap();
        let mut recount = self.shared.store.recount().await.unwrap();
        assert_eq!(recount.remove("rows"), Some(sums.get("readings").copied().unwrap_or(0)));
        for (name, n) in &recount {
            assert_eq!(sums.get(name), Some(n), "{name}");
        }
        let refused: u64 = sums.iter().filter(|(n, _)| n.starts_with("refused.")).map(|(_, n)| n).sum();
        let get = |name: &str| sums.get(name).copied().unwrap_or(0);
        assert_eq!(
            get("stored") + get("late") + get("thinned") + get("duplicate") + refused,
            get("telegrams")
        );
        sums
    }

    /// The counters as `status` shows them.
    pub(crate) async fn health(&self) -> (BTreeMap<String, u64>, Vec<String>, String) {
        let service = intake::service::Intake(Arc::clone(&self.shared));
        let caller = link::Caller::Operator { uid: 0 };
        let body = service.call(caller, wire::Method::Health, bytes::Bytes::new()).await.unwrap();
        let health = wire::health::Health::decode(body).unwrap();
        let counters = health.counters.into_iter().map(|c| (c.name, c.value)).collect();
        (counters, health.notes, health.state)
    }
}

/// Polls until there is something.
pub(crate) async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
