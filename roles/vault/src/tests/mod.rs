mod ceilings;
mod contacts;
mod containers;
mod decoys;
mod decrypting;
mod erasing;
mod frames;
mod handing;
mod importing;
mod life;
mod marking;
mod releasing;
mod resealing;
mod room;
mod subjects;
mod terms;
mod units;
mod waiting;

use std::path::Path;
use std::sync::Arc;

use base::{BatchPosition, Class, Month, Secret, SecretBytes, UtcMillis};
use grant::{Action, Areas, DataSpan, Event, Grant, Issuer, Outcome, Purpose, Scope, Tenancies};
use house::{Counters, Layout};
use journal::Disk;
use journal::faulty::FaultyDisk;
use prost::Message;
use seal::hybrid::PublicKey;
use seal::sign::Signer;
use sha2::{Digest, Sha256};
use tlog::key::LogSigner;
use wire::Room;
use wire::archive::NewMeter;
use wire::vault::{
    Committed, DecryptFrames, Decrypted, ImportKeys, KEY_LIST_INFO, KeyItem, KeyList, MeterArea, SubjectTags,
    Tenancy, TenancySpan, Verdict,
};

use crate::ceilings::Caps;
use crate::fresh::Limits;
use crate::root::create_on;
use crate::vault::{Failure, Pinned, Vault};

const NOW: UtcMillis = UtcMillis(1_795_000_000_000); // 2026-11-18
const HOUR: i64 = 3_600_000;

/// A house in a disk that can lose its power, with a warden, a ledger and a person.
struct House {
    disk: FaultyDisk,
    layout: Layout,
    warden: Signer,
    session: Signer,
    log_seed: [u8; 32],
    log: std::cell::RefCell<Issuer>,
    /// Receipts are made before any of them is shown: each goes on from the one before.
    in_advance: std::cell::Cell<bool>,
    vault: Option<Vault>,
    counters: Arc<Counters>,
    caps: Caps,
}

fn log_of(seed: [u8; 32]) -> Issuer {
    Issuer::new(LogSigner::from_seed("house/log", &Secret::new(seed)).unwrap(), u64::MAX)
}

fn passphrase() -> SecretBytes {
    SecretBytes::new(b"four words make one".to_vec())
}

impl House {
    fn new() -> Self {
        let disk = FaultyDisk::new(11);
        let layout = Layout::new("/house");
        disk.make_dir(&layout.room(Room::Vault)).unwrap();
        disk.make_dir(&layout.public("")).unwrap();
        create_on(&disk, &layout, "Test", &passphrase()).unwrap();
        Self::on(disk, layout)
    }

    /// A house whose vault's files are there already.
    fn on(disk: FaultyDisk, layout: Layout) -> Self {
        let signer = || Signer::generate().unwrap();
        let log_seed = base::random().unwrap();
        let mut house = Self {
            disk,
            layout,
            warden: signer(),
            session: signer(),
            log_seed,
            log: std::cell::RefCell::new(log_of(log_seed)),
            in_advance: std::cell::Cell::new(false),
            vault: None,
            counters: Arc::new(Counters::new()),
            caps: Caps::default(),
        };
        house.restart();
        house
    }

    /// The house's log as it was at first.
    fn empty_log(&self) -> Issuer {
        log_of(self.log_seed)
    }

    fn pinned(&self) -> Pinned {
        Pinned { warden: self.warden.verifier(), ledger: self.log.borrow().verifier() }
    }

    /// Kills the vault and opens it again.
    fn restart(&mut self) {
        self.vault = None;
        self.disk.kill_process();
        self.counters = Arc::new(Counters::new());
        let pinned = self.pinned();
        let disk = Arc::new(self.disk.clone());
        let counters = Arc::clone(&self.counters);
        let proof = crate::Proof::Passphrase(passphrase());
        let limits = Limits { caps: self.caps, ..Limits::default() };
        let vault = Vault::open(disk, &self.layout, &proof, pinned, limits, counters);
        self.vault = Some(vault.unwrap());
    }

    fn vault(&self) -> &Vault {
        self.vault.as_ref().unwrap()
    }

    fn grant(&self, purpose: Purpose, action: Action) -> Grant {
        Grant {
            id: [7; 16],
            person: "anna".to_owned(),
            role: "owner".to_owned(),
            purpose,
            actions: [action].into(),
            scope: Scope {
                classes: [Class::Daily].into(),
                first_month: month("2026-10"),
                last_month: month("2026-12"),
                tenancies: Tenancies::All,
                areas: Areas::All,
            },
            not_before: NOW.plus(-HOUR),
            until: NOW.plus(HOUR),
            session_key: *self.session.verifier().as_bytes(),
            case: 0,
        }
    }

    /// A request, the event that records it, and the ledger's receipt.
    fn asked(&self, grant: &Grant, action: Action, body: Vec<u8>) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let request =
            grant::sign_request(&grant.sign(&self.warden), action, body, NOW, &self.session).unwrap();
        let event = self.event(grant, action, &request).encode();
        let receipt = self.receipt(&event, NOW);
        (request, event, receipt)
    }

    fn event(&self, grant: &Grant, action: Action, request: &[u8]) -> Event {
        let data = DataSpan { class: Class::Daily, first: month("2026-10"), last: month("2026-12") };
        Event {
            on_behalf: grant.person.clone(),
            grant_id: Some(grant.id),
            request_hash: Some(grant::request_hash(request)),
            data: Some(data),
            subjects: self.tags(),
            ..Event::new(NOW, "archive", action.name(), Outcome::Allowed)
        }
    }

    /// The tags of all tenancies that tests name.
    fn tags(&self) -> Vec<[u8; 16]> {
        let tenancies = (0..=u8::MAX).map(|n| vec![n; 16]).collect();
        let question = SubjectTags { tenancies, beginning: Vec::new(), with_keys: false };
        let told = self.vault().subject_tags(&question, NOW).unwrap().tags;
        told.iter().filter_map(|tag| tag.as_slice().try_into().ok()).collect()
    }

    fn receipt(&self, event: &[u8], at: UtcMillis) -> Vec<u8> {
        let mut log = self.log.borrow_mut();
        let seen = self.vault().log_seen().size;
        let since = if self.in_advance.get() { log.size() } else { seen };
        let since = if since <= log.size() { since } else { 0 };
        log.record(event, at, since).unwrap()
    }

    /// An import as a client seals it and the archive relays it.
    fn import_message(&self, keys: &[(&str, &str, &str, Vec<u8>)]) -> ImportKeys {
        let grant = self.grant(Purpose::KeyImport, Action::ImportKeys);
        let (body, ids) = import_body(&self.import_key(), keys);
        let (request, event, receipt) = self.asked(&grant, Action::ImportKeys, body.encode_to_vec());
        ImportKeys { request, event, receipt, meters: ids }
    }

    fn import(&self, keys: &[(&str, &str, &str, Vec<u8>)]) -> Vec<String> {
        self.vault().import_keys(&self.import_message(keys), NOW).unwrap().outcomes
    }

    fn import_key(&self) -> PublicKey {
        let path = self.layout.public(crate::IMPORT_PUBLIC);
        let text = journal::read_whole(&self.disk, &path, 10_000).unwrap().unwrap();
        PublicKey::from_bytes(&hex::decode(std::str::from_utf8(&text).unwrap().trim_end()).unwrap()).unwrap()
    }

    fn tell(&self, spans: &[TenancySpan]) -> Result<(), Failure> {
        self.told(spans, &[])
    }

    fn told(&self, spans: &[TenancySpan], areas: &[(u32, &str)]) -> Result<(), Failure> {
        let grant = self.grant(Purpose::Register, Action::ChangeRegister);
        let (request, event, receipt) = self.asked(&grant, Action::ChangeRegister, Vec::new());
        let area = |(meter, area): &(u32, &str)| MeterArea { meter: *meter, area: (*area).to_owned() };
        let (spans, areas) = (spans.to_vec(), areas.iter().map(area).collect());
        self.vault().tenancy(&Tenancy { request, event, receipt, spans, areas }, NOW)
    }

    fn decrypt(&self, at: BatchPosition, frames: &[Vec<u8>]) -> (Vec<Verdict>, Decrypted) {
        self.decrypt_heard(at, &frames.iter().map(|f| (f.clone(), NOW)).collect::<Vec<_>>())
    }

    fn decrypt_heard(&self, at: BatchPosition, frames: &[(Vec<u8>, UtcMillis)]) -> (Vec<Verdict>, Decrypted) {
        let answer = self.vault().decrypt_frames(&question(at, frames), NOW).unwrap();
        (answer.verdicts.iter().map(|v| Verdict::from_code(*v).unwrap()).collect(), answer)
    }

    fn commit(&self, positions: &[BatchPosition]) -> Vec<wire::gateway::Position> {
        let boot = self.vault().positions().boot;
        let positions = positions.iter().map(wire_position).collect();
        self.vault().committed(&Committed { boot, positions }, NOW).unwrap().unknown
    }
}

fn wire_position(p: &BatchPosition) -> wire::gateway::Position {
    wire::gateway::Position { collector: p.collector.0, epoch: p.epoch.0, seq: p.seq.0 }
}

fn import_body(
    to: &PublicKey,
    keys: &[(&str, &str, &str, Vec<u8>)],
) -> (wire::archive::ImportKeys, Vec<u32>) {
    import_body_of(to, keys, false)
}

fn import_body_of(
    to: &PublicKey,
    keys: &[(&str, &str, &str, Vec<u8>)],
    decoy: bool,
) -> (wire::archive::ImportKeys, Vec<u32>) {
    let mut list = KeyList::default();
    let (mut meters, mut aad) = (Vec::new(), Vec::new());
    for (manufacturer, serial, role, key) in keys {
        let address = format!("{manufacturer}-{serial}");
        aad.extend(Sha256::digest(&address));
        meters.push(NewMeter { address, ..NewMeter::default() });
        list.items.push(KeyItem {
            manufacturer: (*manufacturer).to_owned(),
            serial: (*serial).to_owned(),
            role: (*role).to_owned(),
            key: key.clone(),
            decoy,
        });
    }
    let sealed = to.seal_to(KEY_LIST_INFO, &aad, &list.encode_to_vec()).unwrap();
    let ids = keys.iter().map(|(_, serial, ..)| serial.parse().unwrap_or(0)).collect();
    let body = wire::archive::ImportKeys {
        meters,
        enc: sealed.enc,
        sealed: sealed.ciphertext,
        source: "test".to_owned(),
        ..Default::default()
    };
    (body, ids)
}

fn question(at: BatchPosition, frames: &[(Vec<u8>, UtcMillis)]) -> DecryptFrames {
    let mut before = 0;
    let heard_ms = frames.iter().map(|(_, t)| t.0 - std::mem::replace(&mut before, t.0)).collect();
    DecryptFrames {
        collector: at.collector.0,
        epoch: at.epoch.0,
        seq: at.seq.0,
        frames: frames.iter().flat_map(|(f, _)| f.clone()).collect::<Vec<u8>>().into(),
        lengths: frames.iter().map(|(f, _)| f.len() as u32).collect(),
        meters: frames
            .iter()
            .map(|(f, _)| if f.get(7) == Some(&0x12) { 12_345_678 } else { 87_654_321 })
            .collect(),
        heard_ms,
        time_reliable: true,
    }
}

fn at(seq: u64) -> BatchPosition {
    BatchPosition { collector: base::CollectorId(1), epoch: base::Epoch(5), seq: base::BatchSeq(seq) }
}

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

/// A key that is not weak.
fn key(n: u8) -> Vec<u8> {
    Sha256::digest([n])[..16].to_vec()
}

fn code(result: Result<impl std::fmt::Debug, Failure>) -> &'static str {
    match result {
        Err(Failure::Refused(refused)) => refused.code,
        other => panic!("{other:?}"),
    }
}

fn has(disk: &FaultyDisk, needle: &[u8]) -> bool {
    fn walk(disk: &FaultyDisk, dir: &Path, needle: &[u8]) -> bool {
        disk.list(dir).unwrap_or_default().into_iter().any(|name| {
            let path = dir.join(name);
            match journal::read_whole(disk, &path, 1 << 30) {
                Ok(Some(bytes)) => bytes.windows(needle.len()).any(|w| w == needle),
                _ => walk(disk, &path, needle),
            }
        })
    }
    ["", "alarms", "desk", "table-1", "table-2", "fresh", "fresh/journal", "releases"]
        .iter()
        .any(|part| walk(disk, &Path::new("/house/rooms/vault").join(part), needle))
}
