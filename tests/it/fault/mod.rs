//! Things break: processes die, power goes, disks are lost. Nothing that was acknowledged is lost or counted twice.

mod calls;
mod kill;
mod late;
mod ledger;
mod lost;
mod power;

use std::collections::{BTreeMap, BTreeSet};

use house_tests::feed::traces;
use house_tests::house::{Account, Collector, House};
use serde_json::Value;

/// All readings of these meters, asked for in parts.
fn all_readings(house: &House, meters: &[String], class: &str) -> Vec<Value> {
    let ask = |part: &[String]| {
        let mut arguments = vec!["--class", class];
        arguments.extend(part.iter().map(String::as_str));
        house.readings_with(&arguments)
    };
    meters.chunks(100).flat_map(ask).collect()
}

/// The meters as a question names them.
fn names(town: &sim::Town) -> Vec<String> {
    town.meters().iter().map(|m| m.address().to_string()).collect()
}

/// Every telegram that the collectors made durable has exactly one outcome, and with resolution `all` each that was
/// good is stored once. The collectors must have been stopped, and everything confirmed.
fn account_of(
    house: &House,
    collectors: &[&Collector],
    meters: &[String],
    sent: &BTreeSet<String>,
) -> Account {
    let spooled: u64 = collectors.iter().map(|c| c.spooled()).sum();
    let account = house.status().account();
    assert!(account.sums_agree && account.sum() == account.telegrams, "the sums do not agree: {account:?}");
    assert_eq!(account.telegrams, spooled, "acknowledged by the collectors, and accounted for: {account:?}");
    let stored: BTreeMap<String, usize> = traces(&all_readings(house, meters, "fine"));
    let twice: Vec<_> = stored.iter().filter(|(_, n)| **n != 1).collect();
    assert!(twice.is_empty(), "stored more than once: {twice:?}");
    assert_eq!(stored.len() as u64, account.stored + account.late, "{account:?}");
    let strange: Vec<_> = stored.keys().filter(|trace| !sent.contains(*trace)).collect();
    assert!(strange.is_empty(), "stored, but never sent: {strange:?}");
    account
}
