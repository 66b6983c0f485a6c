//! The house of a demo: made or reopened, with a collector and the keys of a simulated town.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use ::collector::Folder;
use base::{Resolution, SecretBytes, UtcMillis};
use house::{Config, Layout};
use keyfile::Trust as Signers;
use link::{Client, Target, Trust};
use sim::{Meter, Plan, Rate, Sort, Town};
use wire::health::{Health, HealthRequest};
use wire::{Method, Room};

use super::show::Show;
use crate::launcher::{Job, Launcher, program};
use crate::operator::Operator;
use crate::problem::Problem;
use crate::{collect, collectors, init, keys, place, secret};

/// The seed of the demo's town: the same meters at each start.
const SEED: u64 = 7;
/// One meter in so many keeps every telegram, the others one a day.
const KEEPS_ALL: usize = 10;
const COLLECTOR_NAME: &str = "demo";

/// The demo's house and what lies beside it.
pub(super) struct Stage {
    pub(super) layout: Layout,
    gateway: String,
    collector: Folder,
}

impl Stage {
    /// Makes the house, or opens the one that is there.
    pub(super) fn set(folder: &Path, show: &mut Show) -> Result<Self, Problem> {
        let layout = Layout::new(folder);
        let beside = folder.join("demo");
        let passphrase = beside.join("passphrase");
        if layout.config().exists() {
            if !passphrase.is_file() {
                return Err(Problem::new(format!(
                    "the house in `{}` was not made by the demo",
                    folder.display()
                ))
                .help("give the demo another folder with `--house DIR`"));
            }
            show.say(&format!("opening the demo's house in `{}`", folder.display()));
        } else {
            let text = invent()?;
            let listen = format!("127.0.0.1:{}", free_port()?);
            let plan = init::Plan { name: "demo", listen: &listen, resolution: "daily", officers: &[] };
            init::make(folder, &plan, &text)?;
            std::fs::create_dir_all(&beside).map_err(Problem::at(&beside))?;
            write_private(&passphrase, text.expose())?;
            show.say(&format!("made a house in `{}`", folder.display()));
        }
        let words = secret::first_line(&passphrase, "passphrase")?;
        show.say(&format!(
            "its passphrase is \"{}\", kept in `{}`",
            String::from_utf8_lossy(words.expose()),
            passphrase.display()
        ));
        let (layout, mut config) = place::open(&layout)?;
        if TcpListener::bind(&config.gateway.listen).is_err() {
            // somebody else has taken the port since
            config.gateway.listen = format!("127.0.0.1:{}", free_port()?);
            let text =
                toml::to_string_pretty(&config).map_err(Problem::during("cannot write the settings"))?;
            std::fs::write(layout.config(), text).map_err(Problem::at(&layout.config()))?;
        }
        let Config { gateway, .. } = config;
        Ok(Self { layout, gateway: gateway.listen, collector: Folder(beside.join("collector")) })
    }

    fn beside(&self, file: &str) -> PathBuf {
        self.layout.root().join("demo").join(file)
    }

    pub(super) fn passphrase(&self) -> Result<SecretBytes, Problem> {
        secret::first_line(&self.beside("passphrase"), "passphrase")
    }

    /// Enrols the collector with a one-time token, at the first start.
    pub(super) async fn enrol(&self, operator: &Operator, show: &mut Show) -> Result<(), Problem> {
        if collect::is_enrolled(&self.collector) {
            return Ok(());
        }
        let token = collectors::request(operator, COLLECTOR_NAME, 600, &self.gateway).await?;
        let number = collect::enrol_in(&self.collector, &token, COLLECTOR_NAME).await?;
        show.say(&format!("enrolled the collector c{number} with a one-time token"));
        Ok(())
    }

    /// Starts the collector, which then listens for receivers at the port that is given back.
    pub(super) async fn start_collector(&self, launcher: &mut Launcher) -> Result<u16, Problem> {
        let port = free_port()?;
        let run = ["run", "--format", "rtl-wmbus", "--listen"].map(Into::into);
        let mut arguments = vec!["--folder".into(), (&self.collector.0).into()];
        arguments.extend(run);
        arguments.push(format!("127.0.0.1:{port}").into());
        let job = Job {
            room: Room::Collector,
            program: program(Room::Collector)?,
            arguments,
            environment: vec![("METERKEEP_COLLECTOR__GATEWAY__ADDRESS", (&self.gateway).into())],
            log: self.layout.log(Room::Collector),
            socket: self.collector.socket(),
            authority: self.collector.local_authority(),
            passphrase: None,
        };
        launcher.add(job).await?;
        Ok(port)
    }

    /// How the collector is, by its own socket.
    pub(super) async fn collector_health(&self) -> Option<Health> {
        let trust = Trust::load(&self.collector.local_authority()).ok()?;
        let target = Target::Unix(self.collector.socket());
        let client = Client::new(Room::Collector, target, None, &trust).ok()?;
        client.call(Method::Health, &HealthRequest {}, std::time::Duration::from_secs(2)).await.ok()
    }

    /// The simulated town: good telegrams, and some of each sort that must be refused.
    pub(super) fn town(&self, meters: u32, interval_ms: i64) -> Town {
        let rates = Sort::ALL.into_iter().skip(1).map(|sort| Rate { sort, share: 0.01 }).collect();
        let plan = Plan { meters, seed: SEED, interval_ms, kinds: Vec::new(), rates };
        Town::new(&plan, UtcMillis::now())
    }

    /// Imports the town's keys as a supplier would deliver them: in password-protected key files, which go again.
    pub(super) async fn import_keys(
        &self,
        operator: &Operator,
        town: &Town,
        show: &mut Show,
    ) -> Result<(), Problem> {
        let all = |n: usize| n.is_multiple_of(KEEPS_ALL);
        for (name, wanted, resolution) in
            [("town-all.zip.kem", true, Resolution::All), ("town-daily.zip.kem", false, Resolution::Daily)]
        {
            let meters: Vec<&Meter> =
                town.meters().iter().enumerate().filter(|(n, _)| all(*n) == wanted).map(|(_, m)| m).collect();
            if !meters.is_empty() {
                self.import_file(operator, &meters, (name, resolution), show).await?;
            }
        }
        Ok(())
    }

    async fn import_file(
        &self,
        operator: &Operator,
        meters: &[&Meter],
        (name, resolution): (&str, Resolution),
        show: &mut Show,
    ) -> Result<(), Problem> {
        const PASSWORD: &str = "demo-town";
        let file = self.beside(name);
        let bytes =
            sim::kem::write(meters.iter().copied(), PASSWORD).map_err(|e| Problem::new(e.to_string()))?;
        write_private(&file, &bytes)?;
        let password = SecretBytes::new(PASSWORD.as_bytes().to_vec());
        let delivered = std::fs::read(&file).map_err(Problem::at(&file))?;
        let read = keyfile::read(&delivered, &password, &Signers::nobody(UtcMillis::now()))
            .map_err(|e| Problem::new(e.to_string()))?;
        let plan = keys::Plan {
            decoys: false,
            source: name,
            place: "unplaced",
            resolution: Some(resolution),
            plain_because: "",
            try_only: false,
        };
        let outcomes = keys::import(operator, &self.layout, &read.devices, &plan).await?;
        std::fs::remove_file(&file).map_err(Problem::at(&file))?;
        if let Some(bad) = outcomes.iter().find(|o| !o.is_in()) {
            return Err(Problem::new(format!("the key of {} was not imported: {}", bad.meter, bad.outcome)));
        }
        show.say(&format!("imported {} keys from the key file `{name}`", outcomes.len()));
        Ok(())
    }
}

/// A passphrase that nobody else has: 100 random bits in letters that are hard to mistake.
fn invent() -> Result<SecretBytes, Problem> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let random: [u8; 20] = base::random().map_err(Problem::during("cannot make a passphrase"))?;
    let mut text = Vec::with_capacity(24);
    for (n, byte) in random.iter().enumerate() {
        if n > 0 && n % 5 == 0 {
            text.push(b'-');
        }
        text.extend(LETTERS.get(usize::from(byte & 31)));
    }
    Ok(SecretBytes::new(text))
}

fn free_port() -> Result<u16, Problem> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Problem::during("no port is free"))?;
    listener.local_addr().map(|a| a.port()).map_err(Problem::during("no port is free"))
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(path).map_err(Problem::at(path))?;
    file.write_all(bytes).map_err(Problem::at(path))
}
