//! Unique keys, values, names and a passphrase are planted, the path is run, and then every file and the memory of each
//! room is searched for them, in every form that the scanner knows.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use base::{MeterAddress, Secret, UtcMillis};
use house_tests::feed::hex_line;
use house_tests::house::{Collector, House, PATIENCE, Plan, rooms};
use house_tests::rng::Rng;
use house_tests::scan::{Hit, Needles, Scanner, may_read, names, report};
use sim::record::{Coding, Head};
use sim::{Kind, Meter};
use wire::Room;

/// A meter whose key and registers stand nowhere else in the world.
struct Planted {
    meter: Meter,
    key: [u8; 16],
    values: [u64; 2],
}

impl Planted {
    fn new(model: &str, serial: &str, rng: &mut Rng) -> Self {
        let kind = Kind::named(model).unwrap();
        let address =
            MeterAddress::from_parts(kind.manufacturer, serial, kind.version, kind.device_type).unwrap();
        let key = rng.bytes();
        let values = [0, 1].map(|_| 100_000_000_000 + rng.below(900_000_000_000));
        Self { meter: Meter::new(kind, address, Secret::new(key), (1, 1), 4000), key, values }
    }

    /// A telegram that shows the planted values: one as binary-coded decimal, one as an integer.
    fn transmit(&mut self) -> Vec<u8> {
        let (mut records, mut frame) = (Vec::new(), Vec::new());
        let [volume, other] = self.values.map(u64::cast_signed);
        Head::new(Coding::Bcd(6), &[0x13]).write(volume, &mut records);
        Head::new(Coding::Int(6), &[0x93, 0x3c]).write(other, &mut records);
        assert!(self.meter.transmit_records(UtcMillis::now(), &records, &mut frame));
        frame
    }
}

fn key_needles(planted: &[Planted]) -> Needles {
    planted
        .iter()
        .fold(Needles::new(), |needles, p| needles.key(&format!("key of {}", p.meter.address()), &p.key))
}

fn with_values(needles: Needles, planted: &[Planted]) -> Needles {
    planted.iter().fold(needles, |needles, p| {
        let name = |n: usize| format!("value {n} of {}", p.meter.address());
        needles.value(&name(0), p.values[0], 3).value(&name(1), p.values[1], 3)
    })
}

fn memory(scanner: &Scanner, pid: u32) -> BTreeSet<Hit> {
    let (hits, seen) = scanner.process(pid).unwrap();
    assert!(seen > 1 << 20, "only {seen} bytes of process {pid} were looked at");
    hits
}

/// Somebody who lives at a planted meter and stands nowhere else in the world.
struct Person {
    name: String,
    address: String,
    mail: String,
    phone: String,
}

impl Person {
    fn new(rng: &mut Rng) -> Self {
        let mut word = || hex::encode(rng.bytes::<8>());
        let (name, address, mail) = (format!("Vera {}", word()), format!("Vej {}", word()), word());
        let phone = format!("{}", 100_000_000_000 + rng.below(900_000_000_000));
        Self { name, address, mail: format!("{mail}@example.dk"), phone }
    }

    fn needles(&self) -> Needles {
        let of =
            [("name", &self.name), ("address", &self.address), ("mail", &self.mail), ("phone", &self.phone)];
        of.into_iter().fold(Needles::new(), |needles, (what, text)| needles.text(what, text))
    }

    /// The utility's list tells of them, and somebody who may looks.
    fn move_in(&self, house: &House, meter: &Meter, scanner: &Scanner) {
        let Self { name, address, mail, phone } = self;
        let head = "meter;place;customer;from;name;address;mail;phone";
        let list =
            format!("{head}\n{};4711-1;K-1;2024-03-01;{name};{address};{mail};{phone}\n", meter.address());
        assert_eq!(names(&scanner.bytes("the list", list.as_bytes())).len(), 4, "the scanner can see");
        let file = house.outside("register.csv");
        std::fs::write(&file, list).unwrap();
        let import = house.command("register import").args([&file]).args(["--format", "json"]);
        assert_eq!(import.said().good().json()["counts"]["contact"], 1);
        let all = house.command("meters tenancies --format json").said().good().json();
        let lived = all.as_array().unwrap().iter().find(|t| t["vacant"] == false).unwrap();
        let tenancy = lived["tenancy"].as_str().unwrap();
        let show = ["--purpose", "notification", "--tenancy", tenancy];
        let said = house.command("contacts show").args(show).said().good();
        assert!(said.out.contains(name) && said.out.contains(phone), "{said:?}");
    }
}

/// Looks until all of these were seen at least once, while telegrams go on.
fn seen_in(scanner: &Scanner, pid: u32, wanted: usize, mut meanwhile: impl FnMut()) -> BTreeSet<Hit> {
    let (begun, mut hits) = (Instant::now(), BTreeSet::new());
    while names(&hits).len() < wanted && begun.elapsed() < PATIENCE {
        meanwhile();
        hits.extend(memory(scanner, pid));
    }
    hits
}

#[test]
fn planted_keys_and_values_lie_only_where_they_belong() {
    let mut rng = Rng::announced();
    // Rooms hide their memory even from their own user, so that only root can look; others look at rooms that are
    // not in their jails.
    let is_root = nix::unistd::geteuid().is_root();
    let environment = if is_root { Vec::new() } else { vec![("METERKEEP__HOUSE__JAIL", "off".into())] };
    let mut house = House::new(Plan { environment, ..Plan::default() });
    house.start_all();
    if !may_read(house.pid(Room::Vault)) {
        println!("skipped: this user may not read the memory of processes");
        return;
    }
    let models = ["water-ell", "water-mode5-timeless", "water-mode7", "power-mode7"];
    let serials = 47_110_001..;
    let mut planted: Vec<Planted> =
        models.iter().zip(serials).map(|(model, n)| Planted::new(model, &format!("{n}"), &mut rng)).collect();
    let keys = key_needles(&planted).scanner();
    let values = with_values(Needles::new(), &planted).scanner();
    let person = Person::new(&mut rng);
    let people = person.needles().scanner();
    let passphrase = Needles::new().text("passphrase", &house.passphrase).scanner();
    let (all_keys, all_values) = (planted.len(), 2 * planted.len());

    house.import(planted.iter().map(|p| &p.meter));
    person.move_in(&house, &planted[0].meter, &people);
    let mut collector = house.enrol("mast");
    collector.set("METERKEEP_COLLECTOR__BATCH__MILLIS", "100");
    collector.run(["--stdin"]);
    let mut sent = 0;
    let mut send = |collector: &mut Collector| {
        for p in &mut planted {
            collector.process().write(hex_line(&p.transmit()).as_bytes());
            sent += 1;
        }
        std::thread::sleep(Duration::from_millis(200));
        sent
    };
    send(&mut collector);
    house.wait_for("the planted telegrams", |status| status.account().stored >= 4);

    // The scanner can see: the vault holds the keys, and the values pass through intake.
    let in_vault = seen_in(&keys, house.pid(Room::Vault), all_keys, || _ = send(&mut collector));
    assert_eq!(names(&in_vault).len(), all_keys, "keys in the vault: {}", report(&in_vault));
    let in_intake = seen_in(&values, house.pid(Room::Intake), all_values, || _ = send(&mut collector));
    assert_eq!(names(&in_intake).len(), all_values, "values in intake: {}", report(&in_intake));

    // A person asks, so that the whole path was walked.
    assert!(house.readings("fine").len() >= models.len());

    // What each captured part yields, while telegrams go on.
    for _ in 0..3 {
        send(&mut collector);
        let outside = [("collector", collector.process().pid()), ("gateway", house.pid(Room::Gateway))];
        for (who, pid) in outside {
            for scanner in [&keys, &values, &passphrase, &people] {
                let hits = memory(scanner, pid);
                assert!(hits.is_empty(), "in the memory of the {who}: {}", report(&hits));
            }
        }
        for room in rooms().filter(|room| *room != Room::Vault) {
            let hits = memory(&keys, house.pid(room));
            assert!(hits.is_empty(), "meter keys in the memory of the {room}: {}", report(&hits));
            let hits = memory(&passphrase, house.pid(room));
            assert!(hits.is_empty(), "the passphrase in the memory of the {room}: {}", report(&hits));
        }
        // names pass through the archive alone; not even the vault, which sees what was signed, sees one
        for room in rooms().filter(|room| *room != Room::Archive) {
            let hits = memory(&people, house.pid(room));
            assert!(hits.is_empty(), "names in the memory of the {room}: {}", report(&hits));
        }
        for room in [Room::Warden, Room::Ledger, Room::Steward] {
            let hits = memory(&values, house.pid(room));
            assert!(hits.is_empty(), "values in the memory of the {room}: {}", report(&hits));
        }
    }
    let hits = memory(&passphrase, house.pid(Room::Vault));
    assert!(hits.is_empty(), "the vault keeps the passphrase that opened it: {}", report(&hits));
    files_are_clean(&house, [&keys, &values, &passphrase, &people]);

    // Once more after a clean stop, when everything is on the disk.
    collector.stop();
    house.stop_all();
    files_are_clean(&house, [&keys, &values, &passphrase, &people]);
}

/// The house's folder, logs and sockets' folder included, and the collector's.
fn files_are_clean(house: &House, scanners: [&Scanner; 4]) {
    for scanner in scanners {
        let (hits, files) = scanner.folder(&house.on_disk(".")).unwrap();
        assert!(files > 30, "only {files} files were looked into");
        assert!(hits.is_empty(), "in files: {}", report(&hits));
    }
}
