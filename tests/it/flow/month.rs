//! A month at a utility with 200 people, who look at the meters of many: what each customer is shown, what the log has, and which
//! keys went out agree, to the last one.
//!
//! People are made up here, with grants signed by the house's own warden's key: everything behind the grant is the real house. The
//! test of each day has a few hundred meters; `cargo xtask month` has 10,000.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base::{Class, Secret, TenancyId, UtcMillis};
use grant::{Action, Areas, Grant, Purpose, Scope, Tenancies};
use link::{Client, Target, Trust};
use seal::sign::Signer;
use wire::archive::{Asked, Readings, ReadingsQuery};
use wire::log::{History, HistoryQuery};
use wire::{Message, Method, Room};

use crate::flow::history::check_often;
use crate::scene::Scene;

const PEOPLE: usize = 200;
const DAYS: usize = 30;
/// Customers whose history is held against the month, look by look.
const ASKED: usize = 50;
/// How many meters; and on how many days of the month each person looks.
const METERS: &str = "METERKEEP_MONTH_METERS";
const LOOKS: &str = "METERKEEP_MONTH_LOOKS";

fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

/// Somebody who asks the archive under grants of their own.
struct House {
    archive: Client,
    warden: Signer,
    session: Signer,
}

impl House {
    fn grant(&self, person: &str, purpose: Purpose, action: Action, tenancies: Tenancies) -> Grant {
        let (now, month) = (UtcMillis::now(), UtcMillis::now().month().number());
        let by_tenancy = Scope { tenancies, areas: Areas::All, ..Scope::nothing() };
        let readings = Scope {
            classes: [Class::Fine, Class::Daily].into(),
            first_month: base::Month::from_number(month - 1),
            last_month: base::Month::from_number(month),
            ..by_tenancy.clone()
        };
        Grant {
            id: *Secret::<16>::random().unwrap().expose(),
            person: person.to_owned(),
            role: "operator".to_owned(),
            purpose,
            actions: [action].into(),
            scope: if action.is_by_tenancy() { by_tenancy } else { readings },
            not_before: now.plus(-1000),
            until: now.plus(600_000),
            session_key: *self.session.verifier().as_bytes(),
            case: 0,
        }
    }

    async fn ask<A: Message + Default>(
        &self,
        grant: &Grant,
        (method, action): (Method, Action),
        body: &impl Message,
    ) -> A {
        let signed = grant.sign(&self.warden);
        let request =
            grant::sign_request(&signed, action, body.encode_to_vec(), UtcMillis::now(), &self.session);
        let asked = Asked { request: request.unwrap() };
        self.archive.call(method, &asked, Duration::from_secs(60)).await.unwrap()
    }

    /// One look at some meters, as one of the people would.
    async fn look(&self, person: usize, day: usize, meters: Vec<String>) {
        let name = format!("p{person:03}");
        let how_they_are = (person + day).is_multiple_of(5);
        let (purpose, action, class) = if how_they_are {
            (Purpose::FieldService, Action::ReadHealth, Class::Daily)
        } else {
            (Purpose::Operations, Action::ReadReadings, Class::Fine)
        };
        let grant = self.grant(&name, purpose, action, Tenancies::All);
        let class = u32::from(class.code());
        let query = ReadingsQuery { meters, class, latest: how_they_are, ..ReadingsQuery::default() };
        let _: Readings = self.ask(&grant, (Method::ArchiveReadings, action), &query).await;
    }

    async fn history(&self, tenancy: TenancyId) -> History {
        let tenancies = Tenancies::Only([tenancy].into());
        let grant = self.grant("kunde", Purpose::OwnData, Action::ReadHistory, tenancies);
        let query = HistoryQuery::default();
        self.ask(&grant, (Method::ArchiveHistory, Action::ReadHistory), &query).await
    }
}

#[test]
fn after_a_month_of_200_people_histories_log_and_released_keys_agree() {
    let (meters, looks) = (number(METERS, 300), number(LOOKS, 3));
    let mut scene = Scene::new(&["water-mode5"], u32::try_from(meters).unwrap());
    let frames = scene.good(meters);
    scene.deliver(&frames);
    let listed = scene.house.command("meters tenancies --format json").said().good().json();
    let of = |one: &serde_json::Value| {
        let text = |field: &str| one[field].as_str().unwrap().to_owned();
        (text("meter"), text("tenancy").parse::<TenancyId>().unwrap())
    };
    let all: Vec<(String, TenancyId)> = listed.as_array().unwrap().iter().map(of).collect();
    assert_eq!(all.len(), meters);

    let layout = &scene.house.layout;
    let trust = Trust::load(&layout.house_authority()).unwrap();
    let target = Target::Unix(layout.socket(Room::Archive));
    let house = Arc::new(House {
        archive: Client::new(Room::Archive, target, None, &trust).unwrap(),
        warden: layout.signer(Room::Warden).unwrap(),
        session: Signer::generate().unwrap(),
    });
    // who looks at which meters on which day, the same in each run
    let mut happened: BTreeMap<TenancyId, u64> = BTreeMap::new();
    let mut month = Vec::new();
    for day in 0..DAYS {
        for person in (0..PEOPLE).filter(|person| (person * 7 + day) % DAYS < looks) {
            let chosen: BTreeSet<usize> =
                (0..1 + person % 4).map(|n| (person * 131 + day * 977 + n * 389) % meters).collect();
            for meter in &chosen {
                *happened.entry(all[*meter].1).or_default() += 1;
            }
            month.push((person, day, chosen.iter().map(|meter| all[*meter].0.clone()).collect::<Vec<_>>()));
        }
    }
    assert_eq!(month.len(), PEOPLE * looks);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        for some in month.chunks(8) {
            let looks = some.iter().cloned().map(|(person, day, meters)| {
                let house = Arc::clone(&house);
                tokio::spawn(async move { house.look(person, day, meters).await })
            });
            for look in looks.collect::<Vec<_>>() {
                look.await.unwrap();
            }
        }
        for (tenancy, times) in happened.iter().take(ASKED) {
            let history = house.history(*tenancy).await;
            let reads = history
                .looks
                .iter()
                .filter(|look| look.action.starts_with("read-re") || look.action == "read-health");
            assert_eq!(reads.count() as u64, *times, "{tenancy}");
            assert_eq!(history.in_all, history.looks.len() as u64);
        }
    });

    // and the house itself holds all of it against the log and against the vault
    check_often(&mut scene);
    let status = scene.house.wait_for("the check", |status| status.counter(Room::Ledger, "reconciled") > 0);
    assert_eq!(status.counter(Room::Ledger, "alarm.log-difference"), 0, "{:?}", status.notes(Room::Ledger));
    let released = status.counter(Room::Ledger, "reconciled.releases");
    let opened = month.iter().filter(|(person, day, _)| !(person + day).is_multiple_of(5)).count() as u64;
    assert!(released >= opened, "{released} of {opened}: each look at readings let keys out");
    let status =
        scene.house.wait_for("the vault to hear", |s| s.counter(Room::Vault, "releases.unchecked") == 0);
    assert_eq!(status.counter(Room::Vault, "releases.let-go"), 0);
    if std::env::var_os(METERS).is_some() {
        println!(
            "{} looks of {PEOPLE} people in {DAYS} days at {meters} meters: {released} releases, {} subjects: they agree",
            month.len(),
            happened.len()
        );
    }
}
