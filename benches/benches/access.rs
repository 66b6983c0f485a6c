//! What a decision costs: who may do what, asked of the policies in the way the warden asks them, in a utility with 200 people
//! and 1,000,000 meters.
//!
//! `cargo bench -p meterkeep-house-benches --bench access -- [DECISIONS] [METERS]`
//!
//! Each decision looks up the person, the meter's tenancy and the case, builds the entities that it touches and asks Cedar. The
//! rate counts this process's CPU time; the spread counts the clock, one decision at a time. Beside it stands a bare map lookup
//! of the same keys: what a decision would cost if nothing were decided.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use base::{Class, TenancyId};
use grant::{Action, Purpose};
use house_benches::used;
use policy::{Asker, Catalogue, Facts, Policies, Question, Strength};

const PEOPLE: usize = 200;
const POLICIES: usize = 40;

/// The house's catalogue with roles of a utility's own, until there are 40 policies.
fn policies() -> Policies {
    let mut text = Catalogue::built_in_text().to_owned();
    for number in 0.. {
        let made = Policies::compile(Catalogue::parse(&text).expect("a catalogue")).expect("policies");
        if made.count() >= POLICIES {
            return made;
        }
        let purpose = ["bill-question", "leak-analysis", "billing", "network-analysis"][number % 4];
        write!(
            text,
            "\n[roles.own-{number}]\ntitle = {{ en = \"Own {number}\", da = \"Egen {number}\" }}\npurposes = [\"{purpose}\"]\n"
        )
        .expect("text");
    }
    unreachable!("each role adds a policy")
}

struct Utility {
    policies: Policies,
    people: Vec<(String, Vec<String>)>,
    /// Which tenancy a meter's readings belong to now.
    tenancies: HashMap<u32, TenancyId>,
    cases: BTreeMap<u32, BTreeSet<TenancyId>>,
}

fn tenancy(meter: u32) -> TenancyId {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&meter.to_be_bytes());
    TenancyId(id)
}

impl Utility {
    fn new(meters: u32) -> Self {
        let policies = policies();
        let roles: Vec<String> = policies.catalogue().roles.keys().cloned().collect();
        let people = (0..PEOPLE).map(|n| (format!("person-{n}"), vec![roles[n % roles.len()].clone()]));
        let tenancies = (0..meters).map(|meter| (meter, tenancy(meter))).collect();
        let cases = (0..1000).map(|case| (case, BTreeSet::from([tenancy(case * 7 % meters)])));
        Self { people: people.collect(), tenancies, cases: cases.collect(), policies }
    }

    /// A question like those of a day: any person, any meter, any purpose that reads, half of them with a case.
    fn question(&self, random: &mut u64, meters: u32) -> Question {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let word = |at: u32| usize::try_from((*random >> at) & 0xffff).unwrap_or(0);
        let meter = u32::try_from(*random >> 33).unwrap_or(0) % meters;
        let (name, roles) = &self.people[word(20) % PEOPLE];
        let reading: Vec<Purpose> =
            Purpose::ALL.into_iter().filter(|p| p.covers(Action::ReadReadings)).collect();
        let tenancy = self.tenancies[&meter];
        let case_covers = self.cases.get(&(meter % 2000)).is_some_and(|case| case.contains(&tenancy));
        Question {
            asker: Asker {
                bounded: Vec::new(),
                name: name.clone(),
                roles: roles.clone(),
                here: true,
                login: Strength::MultiFactor,
                service: false,
            },
            purpose: reading[word(8) % reading.len()],
            action: Action::ReadReadings,
            class: Some(Class::ALL[word(40) % Class::ALL.len()]),
            facts: Facts { case_covers, access: word(30) % 3 == 0, ..Facts::default() },
        }
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let number = |at: usize, default: u32| words.get(at).map_or(default, |w| w.parse().expect("a number"));
    let (decisions, meters) = (number(0, 200_000), number(1, 1_000_000));
    let utility = Utility::new(meters);
    println!(
        "{} policies, {} roles, {PEOPLE} people, {meters} meters",
        utility.policies.count(),
        utility.policies.catalogue().roles.len()
    );

    let mut random = 7;
    let questions: Vec<Question> = (0..decisions).map(|_| utility.question(&mut random, meters)).collect();
    let before = used(std::process::id()).cpu;
    let allowed = questions.iter().filter(|q| utility.policies.decide(black_box(q)).allowed).count();
    let cpu = used(std::process::id()).cpu.saturating_sub(before);
    let rate = f64::from(decisions) / cpu.as_secs_f64();
    println!(
        "decisions: {rate:.0} a second of one core ({:.2} of the goal of 20,000); {allowed} allowed",
        rate / 20_000.0
    );

    let mut times: Vec<Duration> = questions
        .iter()
        .map(|question| {
            let started = Instant::now();
            black_box(utility.policies.decide(question));
            started.elapsed()
        })
        .collect();
    times.sort();
    let at = |share: f64| micros(times[((times.len() - 1) as f64 * share) as usize]);
    println!(
        "one at a time: median {:.0} us, 99 of 100 within {:.0} us (goal 200), longest {:.0} us",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    let started = Instant::now();
    let reasons = questions.iter().take(10_000).map(|q| utility.policies.why(q).code().len()).sum::<usize>();
    println!("with the reason: {:.0} us each ({reasons})", micros(started.elapsed()) / 10_000.0);

    let mut whos = Vec::new();
    for class in Class::ALL {
        let started = Instant::now();
        let who = utility.policies.who_can(&utility.people, Action::ReadReadings, Some(class));
        whos.push((started.elapsed(), who.len(), class.name()));
    }
    for (time, who, class) in whos {
        println!("who can read {class} of one meter: {:.1} ms (goal 50), {who} ways", micros(time) / 1e3);
    }
}
