//! The vault's alarms: each in the log, also those that come while others are recorded.

use wire::alarm::ALARM_ACTION;

use super::*;

#[tokio::test]
async fn each_alarm_is_recorded_and_then_confirmed() {
    let house = house().await;
    let alarm = |number| Alarm {
        number,
        at_ms: 1_795_000_000_000,
        code: "decoy".to_owned(),
        text: format!("touched by {number}"),
    };
    house.vault.0.alarms.lock().unwrap().extend((1..=5).map(alarm));
    let recorded = crate::alarms::record(&house.ledger, &house.vault, now()).await;
    assert_eq!(recorded.unwrap(), 5);
    let events = house.ledger.0.events();
    assert!(events.iter().all(|event| event.action == ALARM_ACTION), "{events:?}");
    let details: Vec<&str> = events.iter().map(|event| event.detail.as_str()).collect();
    assert_eq!(details.len(), 5);
    assert!(
        details[4].starts_with("alarm 5 of 2026-") && details[4].ends_with(": decoy: touched by 5"),
        "{details:?}"
    );
    assert!(house.vault.0.alarms.lock().unwrap().is_empty(), "confirmed");
    assert_eq!(crate::alarms::record(&house.ledger, &house.vault, now()).await.unwrap(), 0);
}
