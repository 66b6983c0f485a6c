//! What the Qundis data sets of real meters say of their own layout: the order and the scale of the monthly
//! changes are known from nothing else. A run without the corpus says so and passes.

use std::path::PathBuf;

use base::Quantity;
use serde_json::Value as Json;
use telegram::{Formats, Modifier, Record, Value, decode};

fn number(record: &Record) -> Option<f64> {
    if let Value::Number(n) = &record.value { Some(n.to_f64()) } else { None }
}

#[test]
fn the_changes_since_the_billing_day_sum_up_to_what_lies_between_the_stored_values() {
    let shared = std::env::var_os("METERKEEP_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = shared.join("corpus/wmbus-telegrams.jsonl");
    let Ok(corpus) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not there", path.display());
        return;
    };
    let (mut seen, mut checked) = (0, 0);
    for line in corpus.lines() {
        let telegram: Json = serde_json::from_str(line).unwrap();
        if telegram["mfct"] != "QDS" || telegram["frame_kind"] != "wmbus" {
            continue;
        }
        let frame = hex::decode(telegram["telegram"].as_str().unwrap()).unwrap();
        let mut records = Vec::new();
        if decode(&frame, 0..frame.len(), &mut Formats::new(), false, &mut records).is_err() {
            continue; // some are cut on purpose
        }
        let changes: Vec<_> = records.iter().filter(|r| r.modifiers.has(Modifier::MONTHS_CHANGE)).collect();
        if changes.is_empty() {
            continue;
        }
        seen += 1;
        assert_eq!(changes.len(), 12, "{}", telegram["id"]);
        let date = |storage: u64| {
            records
                .iter()
                .find(|r| r.storage == storage && r.quantity == Quantity::Date)
                .and_then(|r| if let Value::Date(date) = r.value { Some(date) } else { None })
        };
        let value = |storage: u64| {
            records
                .iter()
                .find(|r| r.storage == storage && r.quantity == changes[0].quantity)
                .and_then(number)
        };
        let (Some(billing), Some(_), Some(from), Some(to)) = (date(1), date(17), value(1), value(17)) else {
            continue;
        };
        let since = changes.iter().filter(|r| date(r.storage).is_some_and(|d| d > billing));
        let Some(sum) = since.map(|r| number(r)).sum::<Option<f64>>() else { continue };
        let exponent = changes.iter().find_map(|r| match r.value {
            Value::Number(n) => Some(n.exponent),
            _ => None,
        });
        // both ends are rounded to the step of the changes
        let step = 10f64.powi(exponent.map_or(0, i32::from));
        assert!((sum - (to - from)).abs() <= step * 1.001, "{}: {sum}, not {}", telegram["id"], to - from);
        checked += 1;
    }
    assert!(seen >= 10 && checked >= 6, "{checked} of {seen}");
}
