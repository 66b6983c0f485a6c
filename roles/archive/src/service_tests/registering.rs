//! The register, and key imports, which register meters too.

use super::*;

#[tokio::test]
async fn the_register_takes_meters_moves_and_policies_and_the_vault_hears_of_tenancies() {
    let house = house().await;
    let first: Meters = house.call(Method::ArchiveMeters, &MetersRequest::default()).await.unwrap();
    assert!(first.meters.is_empty());
    let add = vec![
        new_meter("KAM-11111111-1B-16", "place-1"),
        new_meter("nonsense", "place-1"),
        new_meter("KAM-22222222", ""),
        NewMeter {
            resolution: 2,
            clear: true,
            area: "Nord".to_owned(),
            ..new_meter("ELS-33333333-01-07", "place-3")
        },
        NewMeter { resolution: 9, ..new_meter("ELS-44444444-01-07", "place-3") },
    ];
    let answer = house.change(&RegisterChange { add: add.clone(), ..Default::default() }).await.unwrap();
    assert_eq!((answer.added, answer.unchanged, answer.refused.len()), (3, 0, 2));
    assert!(answer.refused[0].contains("nonsense") && answer.refused[1].contains('9'));
    let again = house.change(&RegisterChange { add: add[..1].to_vec(), ..Default::default() }).await.unwrap();
    assert_eq!((again.added, again.unchanged), (0, 1));
    assert_eq!(house.vault.0.spans.lock().unwrap().len(), 4, "a repeated command tells the vault again");

    let at = now().plus(-DAY).0;
    let moves = vec![
        Move { place: "place-1".to_owned(), at_ms: at, vacant: false },
        Move { place: "nowhere".to_owned(), at_ms: at, vacant: false },
    ];
    let policies = vec![Policy { address: "KAM-11111111-1B-16".to_owned(), resolution: 2 }];
    let answer = house.change(&RegisterChange { moves, policies, ..Default::default() }).await.unwrap();
    assert_eq!((answer.tenancies, answer.refused.len()), (1, 1));
    let told = house.vault.0.spans.lock().unwrap().clone();
    let (closed, opened) = (&told[4], &told[5]);
    assert_eq!((closed.until_ms, closed.vacant), (Some(at), true));
    assert_eq!((opened.from_ms, opened.until_ms, opened.vacant), (at, None, false));
    assert_ne!(closed.tenancy, opened.tenancy);

    let question = MetersRequest { seen_version: first.version, wait_ms: 60_000, after_meter: 0 };
    let meters: Meters = house.call(Method::ArchiveMeters, &question).await.unwrap();
    assert_eq!(meters.meters.iter().map(|m| m.resolution).collect::<Vec<_>>(), [2, 1, 2]);
    assert_eq!(meters.meters.iter().map(|m| m.address.len()).collect::<Vec<_>>(), [8, 6, 8]);
    assert_eq!(meters.meters.iter().map(|m| m.tenancies.len()).collect::<Vec<_>>(), [2, 1, 1]);
    assert!(meters.version > first.version);
    let rest: Meters = house
        .call(
            Method::ArchiveMeters,
            &MetersRequest { after_meter: meters.meters[0].id, ..Default::default() },
        )
        .await
        .unwrap();
    assert_eq!(rest.meters.len(), 2);

    let list = RegisterChange { list: Some(ListMeters::default()), ..Default::default() };
    let listed = house.change(&list).await.unwrap();
    assert_eq!(
        listed.meters.iter().map(|m| m.place.as_str()).collect::<Vec<_>>(),
        ["place-1", "unplaced KAM-22222222", "place-3"]
    );
    assert_eq!(listed.meters.iter().map(|m| m.area.as_str()).collect::<Vec<_>>(), ["", "", "Nord"]);
    assert_eq!((listed.meters[0].tenancy_since_ms, listed.meters[0].vacant), (at, false));
    assert_eq!(house.change(&RegisterChange::default()).await.unwrap_err().code, "malformed");
}

pub(super) fn exchange(old: &str, new: &str, at: UtcMillis) -> Exchange {
    let index = |mantissa| Some(Index { mantissa, exponent: -3 });
    let (old, new) = (old.to_owned(), new.to_owned());
    Exchange { old, new, at_ms: at.0, closing: index(2_850_427), opening: index(12), unit: 1 }
}

#[tokio::test]
async fn an_exchange_is_in_the_log_and_the_vault_before_it_is_done_and_its_readings_are_jobs() {
    let (house, tenancies) = furnished().await;
    house.add(&[("KAM-44444444-1B-16", "")]).await;
    let (old, new, at) = ("KAM-11111111-1B-16", "KAM-44444444-1B-16", noon(2));
    let change = |exchanges| RegisterChange { exchanges, ..Default::default() };
    *house.vault.0.refuses_tenancies.lock().unwrap() = true;
    assert_eq!(house.change(&change(vec![exchange(old, new, at)])).await.unwrap_err().code, "vault-refused");
    let list = RegisterChange { list_exchanges: Some(ListExchanges::default()), ..Default::default() };
    assert!(house.change(&list).await.unwrap().exchanges.is_empty(), "all or nothing");
    *house.vault.0.refuses_tenancies.lock().unwrap() = false;

    let missing = Exchange { closing: None, ..exchange(old, new, at) };
    let answer = house
        .change(&change(vec![missing, exchange("nonsense", new, at), exchange(old, new, at)]))
        .await
        .unwrap();
    assert_eq!((answer.exchanged, answer.refused.len(), answer.late), (1, 2, 1));
    assert_eq!(answer.readings, 2, "of the three days of the old meter");
    assert!(answer.refused[0].contains("closing index is missing"), "{:?}", answer.refused);
    let event = house.last_event();
    assert_eq!((event.action.as_str(), event.outcome), ("change-register", Outcome::Allowed));
    assert!(event.detail.contains("1 exchanges (1 late)") && event.detail.contains("2 refused"), "{event:?}");
    assert_eq!(event.subjects.len(), 3, "the tenancy, and the utility's own of the two meters");
    let told = house.vault.0.spans.lock().unwrap().clone();
    let told: Vec<_> = told[told.len() - 4..]
        .iter()
        .map(|s| (s.meter, s.from_ms, s.until_ms, s.tenancy == tenancies[0].0))
        .collect();
    let at = at.0;
    assert_eq!(
        told,
        [(1, 0, Some(at), true), (1, at, None, false), (3, 0, Some(at), false), (3, at, None, true)]
    );
    let listed = house.change(&list).await.unwrap().exchanges;
    let [one] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((one.place.as_str(), one.at_ms, one.unit), ("place-1", at, 1));
    assert_eq!(one.carry, Some(Index { mantissa: 2_850_415, exponent: -3 }));
    assert_eq!((one.old.len(), one.new.len()), (8, 8));
}

#[tokio::test]
async fn who_waits_for_news_of_the_register_gets_them_at_once() {
    let house = Arc::new(house().await);
    let seen: Meters = house.call(Method::ArchiveMeters, &MetersRequest::default()).await.unwrap();
    let waiter = {
        let house = Arc::clone(&house);
        let question = MetersRequest { seen_version: seen.version, wait_ms: 60_000, after_meter: 0 };
        tokio::spawn(async move { house.call::<Meters>(Method::ArchiveMeters, &question).await.unwrap() })
    };
    house.add(&[("KAM-11111111-1B-16", "place-1")]).await;
    let news = tokio::time::timeout(Duration::from_secs(10), waiter).await.unwrap().unwrap();
    assert_eq!(news.meters.len(), 1);
}

#[tokio::test]
async fn a_key_import_registers_the_meters_and_relays_the_sealed_keys_as_they_are() {
    let house = house().await;
    house.add(&[("KAM-22222222-1B-16", "place-2")]).await;
    let sealed = import(&["KAM-33333333", "KAM-22222222", "KAM-44444444"]);
    let report = house.import(&sealed).await.unwrap();
    assert_eq!(report.outcomes.len(), 3);
    let (ids, relayed) = house.vault.0.imports.lock().unwrap()[0].clone();
    assert_eq!(relayed, sealed.sealed);
    let register = &house.archive.0.register;
    for (id, serial) in ids.iter().zip(["33333333", "22222222", "44444444"]) {
        assert_eq!(register.meter(MeterId(*id)).await.unwrap().unwrap().address.serial(), serial);
    }
    assert_eq!(register.meter(MeterId(ids[1])).await.unwrap().unwrap().place, "place-2");
    let event = house.last_event();
    assert_eq!((event.action.as_str(), event.outcome), ("import-keys", Outcome::Allowed));
    assert_eq!(event.detail, "3 keys, 2 meters new, from `delivery.kem`");
    assert_eq!(event.subjects.len(), 3);
    let told: Vec<u32> = house.vault.0.spans.lock().unwrap().iter().skip(1).map(|s| s.meter).collect();
    assert_eq!(told, ids, "the vault knows the tenancies before the keys");
}

#[tokio::test]
async fn an_import_that_cannot_be_whole_changes_nothing_and_a_refused_file_is_recorded() {
    let house = house().await;
    for bad in [
        import(&["KAM-33333333", "nonsense"]),
        ImportKeys { enc: vec![1; 3], ..import(&["KAM-33333333"]) },
        ImportKeys { sealed: vec![], ..import(&["KAM-33333333"]) },
        import(&[]),
        import(&["KAM-33333333"; 1001]),
    ] {
        let refused = house.import(&bad).await.unwrap_err();
        assert!(["import-refused", "malformed"].contains(&refused.code), "{refused}");
        assert_eq!(house.last_event().outcome, Outcome::Refused);
    }
    *house.vault.0.refuses_tenancies.lock().unwrap() = true;
    let refused = house.import(&import(&["KAM-33333333"])).await.unwrap_err();
    assert_eq!(refused.code, "vault-refused");
    assert_eq!(house.archive.0.register.size().await.unwrap().meters, 0);
    assert!(house.vault.0.imports.lock().unwrap().is_empty());

    let word = "keyfile-wrong-password";
    let told = ImportKeys { refused: word.to_owned(), ..Default::default() };
    assert!(house.import(&told).await.unwrap().outcomes.is_empty());
    let event = house.last_event();
    assert_eq!((event.outcome, event.reason.as_str()), (Outcome::Refused, word));
    let health: Health = house.call(Method::Health, &HealthRequest {}).await.unwrap();
    assert!(health.counters.iter().any(|c| c.name == format!("refused.{word}") && c.value == 1));
    let odd = ImportKeys { refused: "Anna's file".to_owned(), ..Default::default() };
    assert_eq!(house.import(&odd).await.unwrap_err().code, "malformed");
}
