//! Meter keys come in sealed, and stay.

use super::*;

#[test]
fn each_key_is_reported_by_itself_and_a_second_run_changes_nothing() {
    let mut house = House::new();
    let list = [
        ("KAM", "10000001", "DEK", key(1)),
        ("KAM", "10000002", "DEK", key(2)),
        ("KAM", "10000002", "DEK", key(3)),
        ("KAM", "10000003", "DEK", key(1)),
        ("KAM", "10000004", "DEK", vec![0; 16]),
        ("KAM", "10000005", "DEK", key(5)[..15].to_vec()),
        ("KAM", "10000006", "GPK60", key(6)),
        ("ELS", "10000001", "DEK", key(7)),
    ];
    let first =
        ["imported", "imported", "conflict", "duplicate", "weak", "wrong-length", "unknown-role", "imported"];
    assert_eq!(house.import(&list), first);
    let mut second = first;
    for n in [0, 1, 7] {
        second[n] = "unchanged";
    }
    assert_eq!(house.import(&list), second);
    house.restart();
    assert_eq!(house.import(&list), second);
    assert_eq!(house.counters.get("import.unchanged"), 3);
    for (.., key) in list.iter().filter(|(.., key)| key.iter().any(|b| *b != 0)) {
        assert!(!has(&house.disk, &key[..8]), "a key lies in clear on the disk");
    }
    assert!(has(&house.disk, b"MKTABLE1"), "the search can see");
}

#[test]
fn a_trial_says_what_an_import_would_and_takes_nothing() {
    let house = House::new();
    house.import(&[("KAM", "10000001", "DEK", key(1))]);
    let list = [
        ("KAM", "10000001", "DEK", key(1)),
        ("KAM", "10000001", "DEK", key(9)),
        ("KAM", "10000002", "DEK", key(2)),
        ("KAM", "10000002", "DEK", key(3)),
        ("KAM", "10000003", "DEK", key(2)),
        ("KAM", "10000004", "DEK", vec![0; 16]),
        ("KAM", "10000005", "GAK", key(4)),
        ("KAM", "10000006", "GAK", key(4)),
    ];
    let (mut body, ids) = import_body(&house.import_key(), &list);
    body.try_only = true;
    let grant = house.grant(Purpose::KeyImport, Action::ImportKeys);
    let tried = || {
        let (request, event, receipt) = house.asked(&grant, Action::ImportKeys, body.encode_to_vec());
        let message = ImportKeys { request, event, receipt, meters: ids.clone() };
        house.vault().import_keys(&message, NOW).unwrap().outcomes
    };
    let first = tried();
    assert_eq!(tried(), first, "a trial changes nothing");
    assert_eq!(house.import(&list), first, "and says what an import does");
}

#[test]
fn a_list_for_other_meters_or_another_vault_is_refused() {
    let (house, other) = (House::new(), House::new());
    let keys = [("KAM", "10000001", "DEK", key(1)), ("KAM", "10000002", "DEK", key(2))];
    let grant = house.grant(Purpose::KeyImport, Action::ImportKeys);
    let refused = |body: &wire::archive::ImportKeys, ids: Vec<u32>| {
        let (request, event, receipt) = house.asked(&grant, Action::ImportKeys, body.encode_to_vec());
        code(house.vault().import_keys(&ImportKeys { request, event, receipt, meters: ids }, NOW))
    };
    let (good, ids) = import_body(&house.import_key(), &keys);
    let mut swapped = good.clone();
    swapped.meters.swap(0, 1);
    assert_eq!(refused(&swapped, ids.clone()), "list-does-not-open");
    let mut fewer = good.clone();
    fewer.meters.pop();
    assert_eq!(refused(&fewer, ids[..1].to_vec()), "list-does-not-open");
    assert_eq!(refused(&good, ids[..1].to_vec()), "malformed");
    let foreign = import_body(&other.import_key(), &keys).0;
    assert_eq!(refused(&foreign, ids.clone()), "list-does-not-open");
    // sealed for this vault, but the addresses beside are others than those inside
    let mut list = KeyList::default();
    list.items.push(KeyItem {
        manufacturer: "KAM".into(),
        serial: "10000009".into(),
        role: "DEK".into(),
        key: key(9),
        decoy: false,
    });
    let aad = Sha256::digest("KAM-10000001");
    let sealed = house.import_key().seal_to(KEY_LIST_INFO, &aad, &list.encode_to_vec()).unwrap();
    let inside = wire::archive::ImportKeys {
        meters: vec![NewMeter { address: "KAM-10000001".into(), ..NewMeter::default() }],
        enc: sealed.enc,
        sealed: sealed.ciphertext,
        ..Default::default()
    };
    assert_eq!(refused(&inside, vec![1]), "list-mismatch");
    assert_eq!(house.import(&keys), ["imported", "imported"], "nothing of all that was taken");
}

#[test]
fn what_was_reported_as_imported_survives_a_power_cut() {
    for seed in 0..4 {
        let mut house = House::new();
        house.import(&[("KAM", "10000001", "DEK", key(1))]);
        let message =
            house.import_message(&[("KAM", "10000002", "DEK", key(2)), ("KAM", "10000003", "DEK", key(3))]);
        house.disk.cut_after(seed % 4);
        let reported = house.vault().import_keys(&message, NOW);
        house.vault = None;
        house.disk.restart();
        house.restart();
        let again = house.vault().import_keys(&message, NOW).unwrap().outcomes;
        if reported.is_ok() {
            assert_eq!(again, ["unchanged", "unchanged"], "seed {seed}");
        } else {
            assert!(matches!(reported, Err(Failure::Broken(_))));
            assert!(again.iter().all(|o| o == "imported" || o == "unchanged"), "{again:?}");
        }
        assert_eq!(house.import(&[("KAM", "10000001", "DEK", key(1))]), ["unchanged"]);
    }
}

#[test]
fn keys_are_reported_by_the_delivery_that_they_came_with() {
    let mut house = House::new();
    let import = |house: &House, source: &str, keys: &[(&str, &str, &str, Vec<u8>)]| {
        let (mut body, ids) = import_body(&house.import_key(), keys);
        body.source = source.to_owned();
        let grant = house.grant(Purpose::KeyImport, Action::ImportKeys);
        let (request, event, receipt) = house.asked(&grant, Action::ImportKeys, body.encode_to_vec());
        house.vault().import_keys(&ImportKeys { request, event, receipt, meters: ids }, NOW).unwrap()
    };
    import(&house, "may.kem", &[("KAM", "10000001", "DEK", key(1))]);
    import(&house, "may.kem", &[("KAM", "10000002", "DEK", key(2)), ("KAM", "10000002", "GUEK", key(3))]);
    import(&house, "june.kem", &[("KAM", "10000001", "DEK", key(1))]);
    import(&house, "june.kem", &[("KAM", "10000004", "DEK", key(4))]);
    house.restart();
    let report = |state: &str, after: Vec<u8>| {
        house.vault().report(&wire::custody::KeysWish { state: state.to_owned(), after }, NOW)
    };
    let all = report("unproven", Vec::new());
    let deliveries: Vec<_> =
        all.deliveries.iter().map(|d| (d.number, d.source.as_str(), d.unproven, d.proven)).collect();
    assert_eq!(
        deliveries,
        [(1, "may.kem", 3, 0), (2, "june.kem", 1, 0)],
        "a key that was there keeps its delivery"
    );
    let rows: Vec<_> = all.keys.iter().map(|k| (k.meter.as_str(), k.role.as_str(), k.delivery)).collect();
    let expected = [
        ("KAM-10000001", "DEK", 1),
        ("KAM-10000002", "DEK", 1),
        ("KAM-10000004", "DEK", 2),
        ("KAM-10000002", "GUEK", 1),
    ];
    assert_eq!(rows, expected);
    assert_eq!(report("unproven", all.keys[1].number.clone()).keys, all.keys[2..], "it goes on after a key");
    assert!(report("wrong", Vec::new()).keys.is_empty() && report("", Vec::new()).keys.is_empty());
    assert!(report("unused", Vec::new()).keys.is_empty(), "they have just come");
    let later = |days: i64| {
        let wish = wire::custody::KeysWish { state: "unused".to_owned(), after: Vec::new() };
        house.vault().report(&wish, NOW.plus(days * 24 * 3_600_000))
    };
    assert!(later(39).keys.is_empty());
    let unused = later(41);
    assert_eq!((unused.keys.len(), unused.deliveries[0].unused, unused.deliveries[1].unused), (4, 3, 1));
}
