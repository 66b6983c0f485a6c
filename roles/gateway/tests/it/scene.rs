//! A house with its authorities, a gateway at a real port, and enrolled collectors.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{CollectorId, Secret, UtcMillis};
use clock::{Clock, ManualClock};
use collector::{Collector, CollectorError, Config, Folder, Summary, Token, Until};
use gateway::{Gateway, Queue};
use house::Counters;
use journal::Disk;
use journal::faulty::FaultyDisk;
use link::pki::{Certified, certify_collector, certify_room, make_authority};
use link::{Client, Door, Identity, Shutdown, Target, Trust};
use seal::hybrid::KeyPair;
use seal::sign::{Signer, Verifier};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use wire::batch::BATCH_KEY_DOMAIN;
use wire::gateway::{
    Admission, AnswerEnrolment, BatchKey, BatchKeyBody, Done, EnrolBody, Enrolment, EnrolmentBody,
    Enrolments, Position, Publish, Wanted,
};
use wire::{Message, Method, Room};

use crate::core::{Core, ask};

pub(crate) const NOW: UtcMillis = UtcMillis(1_795_450_000_000);
const WEEK: i64 = 7 * 24 * 3_600_000;

pub(crate) struct Scene {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) rooms: Certified,
    collectors: Certified,
    gateway: Certified,
    core_signer: Signer,
    pub(crate) key: KeyPair,
    batch_key: BatchKey,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) enrolled: Vec<Enrolled>,
    pub(crate) address: SocketAddr,
}

pub(crate) struct Enrolled {
    pub(crate) id: u32,
    pub(crate) folder: PathBuf,
    pub(crate) certificate: [u8; 32],
    pub(crate) verifier: Verifier,
    pub(crate) state: &'static str,
}

/// A gateway that serves collectors.
pub(crate) struct Running {
    pub(crate) gateway: Arc<Gateway>,
    shutdown: Shutdown,
    door: JoinHandle<()>,
}

impl Running {
    /// Stops it as SIGKILL would: nobody is waited for.
    pub(crate) async fn kill(self) {
        self.door.abort();
        self.shutdown.cancel();
        // Connections are tasks of their own that end with the shutdown; the thread ends when they have.
        let until = Instant::now() + Duration::from_secs(10);
        while Arc::strong_count(&self.gateway) > 1 {
            assert!(Instant::now() < until, "a connection does not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        _ = self.gateway.close().await;
    }
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let rooms = make_authority("test house").unwrap();
        let core_signer = Signer::generate().unwrap();
        let key = KeyPair::generate().unwrap();
        let public = key.public().as_bytes().to_vec();
        let body = BatchKeyBody { key_id: 1, public, from_ms: NOW.0 - WEEK / 2, until_ms: NOW.0 + WEEK / 2 }
            .encode_to_vec();
        let signature = core_signer.sign(BATCH_KEY_DOMAIN, &body).to_vec();
        let clock = Arc::new(ManualClock::booted(NOW));
        clock.synchronise(NOW);
        // A free port that the gateway keeps when it is started again.
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            gateway: certify_room(&rooms, Room::Gateway).unwrap(),
            rooms,
            collectors: make_authority("test collectors").unwrap(),
            core_signer,
            key,
            batch_key: BatchKey { body, signature },
            clock,
            enrolled: Vec::new(),
            address,
        }
    }

    /// A gateway on a disk, which the core has told nothing yet.
    pub(crate) async fn gateway(&self, disk: &FaultyDisk) -> Running {
        self.gateway_on(Arc::new(disk.clone()), Path::new("/gateway/queue")).await
    }

    pub(crate) async fn gateway_on(&self, disk: Arc<dyn Disk>, folder: &Path) -> Running {
        let shutdown = Shutdown::new();
        let queue = Queue::open(disk, folder, 1 << 30, shutdown.clone()).unwrap();
        let gateway = Arc::new(Gateway::new(queue, 1_000_000));
        let identity = Identity::from_pem(&self.gateway.certificate, &self.gateway.key).unwrap();
        let trust = Trust::from_pem(&self.collectors.certificate).unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(error) => assert!(Instant::now() < until, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let door = Door::collectors(listener, &identity, &trust).unwrap();
        let door = tokio::spawn(link::serve(door, Room::Gateway, Arc::clone(&gateway), shutdown.clone()));
        Running { gateway, shutdown, door }
    }

    /// The core tells the gateway who may come in and where everybody stands.
    pub(crate) async fn publish(&self, gateway: &Gateway, confirmed: Vec<Position>, wanted: Vec<Wanted>) {
        let admission = |e: &Enrolled| Admission {
            collector: e.id,
            certificate_sha256: e.certificate.to_vec(),
            state: e.state.to_owned(),
        };
        let collectors = self.enrolled.iter().map(admission).collect();
        let publish = Publish { collectors, batch_key: Some(self.batch_key.clone()), confirmed, wanted };
        let _: Done = ask(gateway, Method::GatewayPublish, &publish).await;
    }

    pub(crate) fn token(&self, secret: u8) -> Token {
        let id = [secret; 16];
        Token::new(self.address.to_string(), &self.rooms.certificate, id, Secret::new([secret; 32])).unwrap()
    }

    /// Enrols a collector as warden and intake would, and publishes it.
    pub(crate) async fn enrol(&mut self, running: &Running) -> usize {
        let id = u32::try_from(self.enrolled.len()).unwrap() + 1;
        let folder = self.folder.path().join(format!("collector-{id}"));
        let token = self.token(id as u8);
        let identity = Folder(folder.clone()).identity();
        let asking = tokio::spawn({
            let (token, identity) = (self.token(id as u8), identity.clone());
            async move { collector::enrol(&identity, &token, "mast north", Duration::from_secs(10)).await }
        });
        let until = Instant::now() + Duration::from_secs(10);
        let request = loop {
            let waiting: Enrolments = ask(&running.gateway, Method::GatewayEnrolments, &Done {}).await;
            if let Some(request) = waiting.requests.first() {
                break request.clone();
            }
            assert!(Instant::now() < until, "no request arrives");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert!(seal::mac::fits(&token.secret, &request.body, &request.proof));
        let body = EnrolBody::decode(request.body.as_slice()).unwrap();
        let (certificate, der) = certify_collector(&self.collectors, &body.csr, CollectorId(id)).unwrap();
        let answer = EnrolmentBody {
            collector: id,
            certificate,
            core_key: self.core_signer.verifier().as_bytes().to_vec(),
        }
        .encode_to_vec();
        let proof = seal::mac::code(&token.secret, &answer).to_vec();
        let enrolment = Enrolment { answered: true, body: answer, proof, refused: String::new() };
        let answer = AnswerEnrolment { token_id: request.token_id, enrolment: Some(enrolment) };
        let _: Done = ask(&running.gateway, Method::GatewayAnswerEnrolment, &answer).await;
        assert_eq!(asking.await.unwrap().unwrap().collector, id);
        self.enrolled.push(Enrolled {
            id,
            folder,
            certificate: Sha256::digest(&der).into(),
            verifier: Verifier::from_bytes(&body.signing_key).unwrap(),
            state: "admitted",
        });
        self.publish(&running.gateway, Vec::new(), Vec::new()).await;
        self.enrolled.len() - 1
    }

    pub(crate) fn signers(&self) -> Vec<Verifier> {
        self.enrolled.iter().map(|e| e.verifier).collect()
    }

    /// A client with a collector's certificate, for what no collector would do.
    pub(crate) fn client(&self, which: usize) -> Client {
        let identity = Folder(self.enrolled[which].folder.clone()).identity();
        let identity = Identity::load(&identity).unwrap();
        let trust = Trust::from_pem(&self.rooms.certificate).unwrap();
        Client::new(Room::Gateway, Target::Tcp(self.address.to_string()), Some(&identity), &trust).unwrap()
    }

    /// Writes lines to a file for a collector to read.
    pub(crate) fn file(&self, name: &str, lines: &[String]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        path
    }

    /// Runs a collector on a disk until `until`, reading one file.
    pub(crate) async fn collect(
        &self,
        which: usize,
        disk: &FaultyDisk,
        config: Config,
        until: Until,
    ) -> Result<(Summary, Arc<Counters>), CollectorError> {
        let running = self.start(which, disk, config, until).await?;
        let counters = Arc::clone(&running.counters);
        let summary = tokio::time::timeout(Duration::from_secs(60), running.task).await.unwrap().unwrap()?;
        Ok((summary, counters))
    }

    pub(crate) async fn start(
        &self,
        which: usize,
        disk: &FaultyDisk,
        config: Config,
        until: Until,
    ) -> Result<Collecting, CollectorError> {
        self.start_on(which, Arc::new(disk.clone()), config, until).await
    }

    pub(crate) async fn start_on(
        &self,
        which: usize,
        disk: Arc<dyn Disk>,
        config: Config,
        until: Until,
    ) -> Result<Collecting, CollectorError> {
        let folder = Folder(self.enrolled[which].folder.clone());
        let clock: Arc<dyn Clock> = self.clock.clone();
        let collector = Collector::open_on(disk, config, folder, clock).await?;
        let counters = collector.counters();
        let listening = collector.listening();
        let shutdown = Shutdown::new();
        let task = tokio::spawn(collector.run(until, shutdown.clone()));
        Ok(Collecting { task, counters, listening, shutdown })
    }

    /// Pulls until so many telegrams are there, and confirms them.
    pub(crate) async fn receive(&self, core: &mut Core, gateway: &Gateway, telegrams: usize) {
        core.pull_until(gateway, &self.key, &self.signers(), |c| c.telegrams().len() >= telegrams).await;
        core.confirm(gateway).await;
    }
}

pub(crate) struct Collecting {
    pub(crate) task: JoinHandle<Result<Summary, CollectorError>>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) listening: Vec<SocketAddr>,
    pub(crate) shutdown: Shutdown,
}

/// A whole frame without checksums that says which one it is.
pub(crate) fn frame(n: u32) -> Vec<u8> {
    let len = 40 + (n % 60) as u8;
    let mut frame = vec![len - 1, 0x44, 0x2d, 0x2c];
    frame.extend(n.to_le_bytes());
    frame.extend([0x1b, 0x16, 0x8d]);
    let mut x = n.wrapping_mul(2_654_435_761);
    while frame.len() < usize::from(len) {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        frame.push((x >> 24) as u8);
    }
    frame
}

pub(crate) fn frames(from: u32, to: u32) -> Vec<Vec<u8>> {
    (from..to).map(frame).collect()
}

/// As rtl_wmbus prints them.
pub(crate) fn lines(from: u32, to: u32) -> Vec<String> {
    frames(from, to).iter().map(|f| rtl(f, "1;1")).collect()
}

pub(crate) fn rtl(frame: &[u8], flags: &str) -> String {
    let hex: String = frame.iter().map(|b| format!("{b:02x}")).collect();
    format!("T1;{flags};2026-11-23 16:00:00.000;61;78;63452869;0x{hex}")
}

pub(crate) fn reading(path: PathBuf) -> Config {
    let input = collector::Input::new(collector::From::File(path));
    Config { input: vec![input], ..Config::default() }
}
