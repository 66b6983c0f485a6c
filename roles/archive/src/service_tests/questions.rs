//! Questions on readings: in the log first, within their scope, once.

use super::*;

#[tokio::test]
async fn a_question_is_in_the_log_before_it_is_answered_with_what_was_stored() {
    let (house, tenancies) = furnished().await;
    let answer = house.ask(&daily()).await.unwrap();
    let expected: Vec<(String, i64)> = ["place-1", "place-2"]
        .iter()
        .flat_map(|p| (1..=3).map(|days| ((*p).to_owned(), noon(days).0)))
        .collect();
    assert_eq!(heard(&answer), expected);
    assert_eq!((answer.more, answer.notes.len()), (false, 0));
    let first = &answer.readings[0];
    assert_eq!((first.quality.as_str(), first.class, first.version), ("validated", 2, 1));
    assert_eq!(first.address, [0x2d, 0x2c, 0x11, 0x11, 0x11, 0x11, 0x1b, 0x16]);
    let event = house.last_event();
    assert_eq!(answer.receipt + 1, house.ledger.0.events().len() as u64);
    assert_eq!((event.outcome, event.on_behalf.as_str()), (Outcome::Allowed, "anna"));
    assert_eq!(event.data.unwrap().class, Class::Daily);
    let tags: Vec<[u8; 16]> = tenancies.iter().map(|t| tag_of(*t)).collect();
    assert!(tags.iter().all(|t| event.subjects.contains(t)));
    assert!(tenancies.iter().all(|t| !event.subjects.contains(&t.0)), "the log holds tags, not tenancies");
}

#[tokio::test]
async fn a_meter_is_asked_for_by_address_or_serial_and_only_its_series_are_opened() {
    let (house, tenancies) = furnished().await;
    for text in ["KAM-22222222-1B-16", "KAM-22222222", "22222222"] {
        let answer = house.ask(&ReadingsQuery { meters: vec![text.to_owned()], ..daily() }).await.unwrap();
        assert!(answer.readings.len() == 3 && answer.readings.iter().all(|r| r.place == "place-2"), "{text}");
        assert_eq!(house.last_event().subjects, [tag_of(tenancies[1])]);
    }
    let unknown = ReadingsQuery { meters: vec!["KAM-33333333".to_owned()], ..daily() };
    assert_eq!(house.ask(&unknown).await.unwrap_err().code, "unknown-meter");
    assert_eq!(house.last_event().reason, "unknown-meter");
}

#[tokio::test]
async fn the_newest_reading_of_each_meter_now_and_at_an_earlier_time() {
    let (house, _) = furnished().await;
    let latest = ReadingsQuery { latest: true, ..daily() };
    let of = |days: i64| vec![("place-1".to_owned(), noon(days).0), ("place-2".to_owned(), noon(days).0)];
    assert_eq!(heard(&house.ask(&latest).await.unwrap()), of(1));
    // As the command line asks: an end that is now.
    let until_now = ReadingsQuery { until_ms: now().plus(1).0, ..latest.clone() };
    assert_eq!(heard(&house.ask(&until_now).await.unwrap()), of(1));
    let midnight = ReadingsQuery { until_ms: noon(2).0 + DAY / 2, ..latest.clone() };
    assert_eq!(heard(&house.ask(&midnight).await.unwrap()), of(2));
    let just_before = ReadingsQuery { until_ms: noon(2).0, ..latest.clone() };
    assert_eq!(heard(&house.ask(&just_before).await.unwrap()), of(3), "the day's reading came after the end");
    let just_after = ReadingsQuery { until_ms: noon(2).0 + 1, ..latest.clone() };
    assert_eq!(heard(&house.ask(&just_after).await.unwrap()), of(2));
    let one = ReadingsQuery { meters: vec!["11111111".to_owned()], ..latest };
    assert_eq!(heard(&house.ask(&one).await.unwrap()), of(1)[..1]);
}

#[tokio::test]
async fn a_span_of_time_and_a_limit_are_kept() {
    let (house, _) = furnished().await;
    let span = ReadingsQuery { from_ms: noon(3).0 + 1, until_ms: noon(1).0, ..daily() };
    let answer = house.ask(&span).await.unwrap();
    assert_eq!(heard(&answer), [("place-1".to_owned(), noon(2).0), ("place-2".to_owned(), noon(2).0)]);
    let answer = house.ask(&ReadingsQuery { limit: 4, ..daily() }).await.unwrap();
    assert_eq!((answer.readings.len(), answer.more), (4, true));
    let answer = house.ask(&ReadingsQuery { limit: 6, ..daily() }).await.unwrap();
    assert_eq!((answer.readings.len(), answer.more), (6, false));
}

#[tokio::test]
async fn the_archive_refuses_without_a_receipt() {
    let (house, _) = furnished().await;
    let before = house.vault_calls();
    for behaviour in [Behaviour::Down, Behaviour::Forges, Behaviour::Confuses, Behaviour::Forgets] {
        house.ledger.0.behave(behaviour);
        let refused = house.ask(&daily()).await.unwrap_err();
        assert_eq!(refused.code, "no-receipt", "{behaviour:?}");
        let add = vec![new_meter("KAM-33333333", "")];
        let refused = house.change(&RegisterChange { add, ..Default::default() }).await.unwrap_err();
        assert_eq!(refused.code, "no-receipt", "{behaviour:?}");
        assert_eq!(house.import(&import(&["KAM-33333333"])).await.unwrap_err().code, "no-receipt");
    }
    assert_eq!(house.vault_calls(), before, "the vault was not even asked");
    assert_eq!(house.archive.0.register.size().await.unwrap().meters, 2);
    house.ledger.0.behave(Behaviour::Good);
    assert_eq!(house.ask(&daily()).await.unwrap().readings.len(), 6);
}

#[tokio::test]
async fn a_request_without_a_good_grant_is_refused_and_recorded() {
    let (house, _) = furnished().await;
    let good = house.grant(Purpose::Operations);
    let cases: Vec<(&str, Asked)> = vec![
        ("no-grant", {
            let grant = Signer::generate().unwrap();
            let request = grant::sign_request(&[], Action::ReadReadings, vec![], now(), &grant);
            Asked { request: request.unwrap() }
        }),
        ("grant-forged", {
            let request = grant::sign_request(
                &good.sign(&house.session),
                Action::ReadReadings,
                daily().encode_to_vec(),
                now(),
                &house.session,
            );
            Asked { request: request.unwrap() }
        }),
        ("grant-expired", {
            let old = Grant { not_before: now().plus(-1000), until: now().plus(-1), ..good.clone() };
            house.sign(&old, Action::ReadReadings, &daily())
        }),
        ("other-session-key", {
            let other = Grant { session_key: *house.warden.verifier().as_bytes(), ..good.clone() };
            house.sign(&other, Action::ReadReadings, &daily())
        }),
        ("action-not-in-grant", house.sign(&house.grant(Purpose::KeyImport), Action::ReadReadings, &daily())),
        ("other-action", house.sign(&house.grant(Purpose::KeyImport), Action::ImportKeys, &daily())),
    ];
    let before = house.vault_calls();
    for (code, asked) in cases {
        let refused = house.call::<Readings>(Method::ArchiveReadings, &asked).await.unwrap_err();
        assert_eq!(refused.code, code);
        let event = house.last_event();
        assert_eq!((event.outcome, event.reason.as_str()), (Outcome::Refused, code));
        assert_eq!((event.on_behalf.as_str(), event.action.as_str()), ("uid-1000", "read-readings"));
    }
    assert_eq!(house.vault_calls(), before);
}

#[tokio::test]
async fn a_request_presented_again_is_not_answered_again() {
    let (house, _) = furnished().await;
    let asked = house.sign(&house.grant(Purpose::Operations), Action::ReadReadings, &daily());
    assert!(house.call::<Readings>(Method::ArchiveReadings, &asked).await.is_ok());
    let refused = house.call::<Readings>(Method::ArchiveReadings, &asked).await.unwrap_err();
    assert_eq!(refused.code, "request-replayed");
    assert_eq!(
        (house.last_event().reason.as_str(), house.last_event().on_behalf.as_str()),
        ("request-replayed", "anna")
    );
}

#[tokio::test]
async fn what_lies_outside_the_scope_is_not_answered() {
    let (house, tenancies) = furnished().await;
    let mut grant = house.grant(Purpose::Operations);
    grant.scope.tenancies = Tenancies::Only([tenancies[0]].into());
    let answer = house.ask_under(&grant, &daily()).await.unwrap();
    assert!(answer.readings.len() == 3 && answer.readings.iter().all(|r| r.place == "place-1"));
    assert_eq!(house.last_event().subjects, [tag_of(tenancies[0])]);
    let latest = house.ask_under(&grant, &ReadingsQuery { latest: true, ..daily() }).await.unwrap();
    assert_eq!(heard(&latest), [("place-1".to_owned(), noon(1).0)]);
    let other = ReadingsQuery { meters: vec!["22222222".to_owned()], ..daily() };
    assert!(house.ask_under(&grant, &other).await.unwrap().readings.is_empty());
    assert!(house.last_event().subjects.is_empty());

    let fine = ReadingsQuery { class: 1, ..daily() };
    assert_eq!(house.ask(&fine).await.unwrap_err().code, "not-in-scope");
    assert_eq!(house.last_event().reason, "not-in-scope");
    let long_ago = ReadingsQuery { from_ms: now().plus(-200 * DAY).0, ..daily() };
    assert_eq!(house.ask(&long_ago).await.unwrap_err().code, "not-in-scope");
}

#[tokio::test]
async fn rows_that_were_moved_and_series_that_are_withheld_are_said() {
    let (house, tenancies) = furnished().await;
    store(&house.readings_file(), 2, &[sealed(1, tenancies[0], noon(4), 1)]).await;
    let answer = house.ask(&daily()).await.unwrap();
    assert_eq!(answer.readings.len(), 6);
    assert!(
        answer.notes.len() == 1 && answer.notes[0].contains("1 readings do not open"),
        "{:?}",
        answer.notes
    );
    let health: Health = house.call(Method::Health, &HealthRequest {}).await.unwrap();
    assert!(health.counters.iter().any(|c| c.name == "unreadable" && c.value == 1));

    *house.vault.0.withholds.lock().unwrap() = Some(2);
    let answer = house.ask(&daily()).await.unwrap();
    assert!(answer.readings.iter().all(|r| r.place == "place-1"));
    assert!(
        answer.notes.iter().any(|n| n.contains("withheld by the vault: rate-limited")),
        "{:?}",
        answer.notes
    );
}

#[tokio::test]
async fn before_the_first_reading_the_answer_is_empty_and_a_restored_store_is_read() {
    let house = house().await;
    house.add(&[("KAM-11111111-1B-16", "place-1")]).await;
    assert!(house.ask(&daily()).await.unwrap().readings.is_empty());
    let tenancy = house.tenancy_of(1).await;
    store(&house.readings_file(), 1, &[sealed(1, tenancy, noon(2), 0)]).await;
    let copy = house.folder.path().join("copy.db");
    ReadingStore::open(&house.readings_file()).await.unwrap().copy_to(&copy).await.unwrap();
    store(&house.readings_file(), 2, &[sealed(1, tenancy, noon(1), 0)]).await;
    assert_eq!(house.ask(&daily()).await.unwrap().readings.len(), 2);
    for rest in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{rest}", house.readings_file().display()));
    }
    std::fs::rename(&copy, house.readings_file()).unwrap();
    assert_eq!(house.ask(&daily()).await.unwrap().readings.len(), 1, "yesterday's copy");
}

#[tokio::test]
async fn how_meters_are_is_told_without_what_they_measured_and_silent_ones_are_named() {
    let (house, _) = furnished().await;
    house.add(&[("KAM-33333333", "place-3")]).await;
    let grant = house.grant(Purpose::FieldService);
    let ask = async |query: &ReadingsQuery| {
        let asked = house.sign(&grant, Action::ReadHealth, query);
        house.call::<Readings>(Method::ArchiveReadings, &asked).await
    };
    let answer = ask(&ReadingsQuery { latest: true, ..daily() }).await.unwrap();
    let shown: Vec<(&str, Option<i64>)> = answer
        .readings
        .iter()
        .map(|r| (r.place.as_str(), r.reading.as_ref().map(|reading| reading.heard_ms)))
        .collect();
    let noon = Some(noon(1).0);
    assert_eq!(shown, [("place-1", noon), ("place-2", noon), ("place-3", None)]);
    let all_masked = answer
        .readings
        .iter()
        .flat_map(|r| &r.reading)
        .all(|r| r.records.is_empty() && r.telegram_hash.is_empty());
    assert!(all_masked, "{answer:?}");
    assert_eq!(
        (house.last_event().action.as_str(), house.last_event().purpose.as_str()),
        ("read-health", "field-service")
    );

    let before = house.vault_calls();
    for wider in [daily(), ReadingsQuery { latest: true, until_ms: super::noon(1).0, ..daily() }] {
        assert_eq!(ask(&wider).await.unwrap_err().code, "not-health", "{wider:?}");
    }
    assert_eq!(house.vault_calls(), before);
    let as_readings = house.sign(&grant, Action::ReadReadings, &ReadingsQuery { latest: true, ..daily() });
    let refused = house.call::<Readings>(Method::ArchiveReadings, &as_readings).await.unwrap_err();
    assert_eq!(refused.code, "action-not-in-grant");
}
