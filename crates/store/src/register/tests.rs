use super::*;

async fn fresh() -> (tempfile::TempDir, Register) {
    let folder = tempfile::tempdir().unwrap();
    let register = Register::open(&folder.path().join("register.db")).await.unwrap();
    (folder, register)
}

fn new(address: &str, place: &str) -> NewMeter {
    let address = address.parse().unwrap();
    NewMeter { address, place: place.into(), area: None, resolution: None, clear: false }
}

const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

async fn raw(register: &Register, sql: &'static str) -> Result<(), String> {
    let Backend::Sqlite { writer, .. } = &register.backend;
    let mut guard = writer.begin().await.unwrap();
    let done = sqlx::raw_sql(sql).execute(&mut *guard).await;
    guard.roll_back().await.ok();
    done.map(|_| ()).map_err(|e| e.to_string())
}

#[tokio::test]
async fn a_meter_gets_an_id_and_a_vacant_tenancy_from_the_beginning_of_time() {
    let (_folder, register) = fresh().await;
    let mut change = register.begin(2).await.unwrap();
    let added = change.add_meter(&new("KAM-12345678-1B-16", "inst-1"), NOW).await.unwrap();
    assert!(added.new);
    let again = change.add_meter(&new("KAM-12345678-1B-16", "inst-9"), NOW).await.unwrap();
    assert_eq!((again.new, again.id, &again.spans), (false, added.id, &added.spans));
    let [span] = added.spans.as_slice() else { panic!("{:?}", added.spans) };
    assert_eq!((span.from, span.until, span.vacant, span.meter), (UtcMillis(0), None, true, added.id));
    let mut news = register.subscribe();
    let version = change.commit().await.unwrap();
    assert_eq!((version, register.version()), (2, 2));
    assert!(news.has_changed().unwrap());
    assert_eq!(*news.borrow_and_update(), 2);
    let (_, meters) = register.meters(MeterId(0), 10, NOW).await.unwrap();
    assert_eq!(meters.len(), 1);
    assert_eq!((meters[0].place.as_str(), &meters[0].tenancies), ("inst-1", &added.spans));
}

#[tokio::test]
async fn a_dropped_change_is_undone_but_its_ids_stay_burnt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("register.db");
    let register = Register::open(&path).await.unwrap();
    let mut change = register.begin(1).await.unwrap();
    let first = change.add_meter(&new("KAM-00000001-1B-16", "p"), NOW).await.unwrap().id;
    drop(change);
    drop(register);
    let register = Register::open(&path).await.unwrap();
    assert_eq!(register.size().await.unwrap().meters, 0);
    let mut change = register.begin(1).await.unwrap();
    let second = change.add_meter(&new("KAM-00000002-1B-16", "p"), NOW).await.unwrap().id;
    assert!(second > first);
    change.commit().await.unwrap();
    assert_eq!(
        register.size().await.unwrap(),
        RegisterSize { meters: 1, places: 1, tenancies: 1, customers: 0, contacts: 0 }
    );
}

#[tokio::test]
async fn moves_make_a_chain_without_overlaps_or_holes() {
    let (_folder, register) = fresh().await;
    let mut change = register.begin(2).await.unwrap();
    change.add_meter(&new("KAM-00000001-1B-16", "p"), NOW).await.unwrap();
    change.add_meter(&new("KAM-00000002-1B-04", "p"), NOW).await.unwrap();
    let spans = change.move_at("p", UtcMillis(1000), false).await.unwrap().spans;
    assert_eq!(spans.len(), 4);
    assert_eq!(
        (spans[0].until, spans[1].from, spans[1].vacant),
        (Some(UtcMillis(1000)), UtcMillis(1000), false)
    );
    for (place, at) in [("p", 1000), ("p", 999), ("q", 5000)] {
        let refused = change.move_at(place, UtcMillis(at), false).await.unwrap_err();
        assert!(matches!(&refused, StoreError::Rule(text) if text.contains(place)), "{refused}");
    }
    change.move_at("p", UtcMillis(2000), true).await.unwrap();
    change.commit().await.unwrap();
    let meter = register.find("KAM-00000001").await.unwrap().pop().unwrap();
    let chain: Vec<_> = meter.tenancies.iter().map(|s| (s.from.0, s.until.map(|u| u.0), s.vacant)).collect();
    assert_eq!(chain, [(0, Some(1000), true), (1000, Some(2000), false), (2000, None, true)]);
    // Intake asks for recent tenancies only.
    let (_, recent) = register.meters(MeterId(0), 10, UtcMillis(1500)).await.unwrap();
    assert_eq!(recent[0].tenancies.len(), 2);
}

#[tokio::test]
async fn the_database_itself_forbids_what_the_rules_forbid() {
    let (_folder, register) = fresh().await;
    let mut change = register.begin(2).await.unwrap();
    change.add_meter(&new("KAM-00000001-1B-16", "p"), NOW).await.unwrap();
    change.move_at("p", UtcMillis(1000), false).await.unwrap();
    change.commit().await.unwrap();
    for (sql, why) in [
        ("INSERT INTO tenancy VALUES (randomblob(16), 1, 500, NULL, 0)", "neither overlap"),
        ("INSERT INTO tenancy VALUES (randomblob(16), 1, 500, 700, 0)", "neither overlap"),
        ("UPDATE tenancy SET until_ms = 900 WHERE from_ms = 0", "only by ending"),
        (
            "UPDATE tenancy SET until_ms = 3000 WHERE from_ms = 1000;
          INSERT INTO tenancy VALUES (randomblob(16), 1, 3001, NULL, 0)",
            "neither overlap",
        ),
        ("UPDATE tenancy SET from_ms = 900 WHERE from_ms = 1000", "only by ending"),
        ("DELETE FROM tenancy", "never deleted"),
        ("DELETE FROM meter", "never deleted"),
        ("INSERT INTO contact SELECT id, 1, zeroblob(64), 0 FROM tenancy WHERE from_ms = 0", "nobody lives"),
        (
            "INSERT INTO contact SELECT id, 1, zeroblob(64), 0 FROM tenancy WHERE from_ms = 1000;
          UPDATE contact SET sealed = zeroblob(65)",
            "newer version only",
        ),
        ("UPDATE meter SET id = 77", "keeps its id"),
        ("INSERT INTO meter SELECT 9, number, kind, NULL, 0, 1, 0, 0 FROM meter", "UNIQUE"),
        ("INSERT INTO meter SELECT 9, number, NULL, NULL, 0, 1, 0, 0 FROM meter", "without version"),
        ("INSERT INTO meter VALUES (9, x'0102', NULL, NULL, 0, 1, 0, 0)", "CHECK"),
    ] {
        let error = raw(&register, sql).await.expect_err(sql);
        assert!(error.contains(why), "{sql}: {error}");
    }
}

#[tokio::test]
async fn a_number_without_version_and_type_stands_for_one_meter() {
    let (_folder, register) = fresh().await;
    let mut change = register.begin(9).await.unwrap();
    let short = change.add_meter(&new("KAM-00000001", "p"), NOW).await.unwrap();
    let whole = change.add_meter(&new("KAM-00000001-1B-16", "p"), NOW).await.unwrap();
    assert_eq!((whole.new, whole.id), (false, short.id));
    change.complete(short.id, [0x1b, 0x16]).await.unwrap();
    assert!(matches!(change.complete(short.id, [0x1c, 0x16]).await, Err(StoreError::Rule(_))));
    let other = change.add_meter(&new("KAM-00000001-1B-04", "p"), NOW).await.unwrap();
    assert!(other.new);
    let refused = change.add_meter(&new("KAM-00000001", "p"), NOW).await.unwrap_err();
    assert!(refused.to_string().contains("several meters"), "{refused}");
    change.set_resolution(&"KAM-00000001-1B-16".parse().unwrap(), Some(Resolution::All)).await.unwrap();
    change.commit().await.unwrap();
    assert_eq!(register.find("00000001").await.unwrap().len(), 2);
    assert_eq!(register.find("KAM-00000001-1B-16").await.unwrap()[0].resolution, Some(Resolution::All));
    assert!(register.find("' OR 1=1").await.unwrap().is_empty());
}

#[tokio::test]
async fn too_many_meters_and_bad_places_are_refused_and_the_rest_goes_on() {
    let (_folder, register) = fresh().await;
    let mut change = register.begin(1).await.unwrap();
    assert!(matches!(change.add_meter(&new("KAM-00000001-1B-16", ""), NOW).await, Err(StoreError::Rule(_))));
    change.add_meter(&new("KAM-00000001-1B-16", "p"), NOW).await.unwrap();
    assert!(matches!(change.add_meter(&new("KAM-00000002-1B-16", "p"), NOW).await, Err(StoreError::Rule(_))));
    change.commit().await.unwrap();
    assert_eq!(register.size().await.unwrap().meters, 1);
}

#[tokio::test]
async fn long_registers_come_in_pages() {
    let (_folder, register) = fresh().await;
    let mut change = register.begin(250).await.unwrap();
    for n in 0..250 {
        change.add_meter(&new(&format!("KAM-{n:08}-1B-16"), &format!("p{}", n / 2)), NOW).await.unwrap();
    }
    change.commit().await.unwrap();
    let (mut seen, mut after) = (0, MeterId(0));
    loop {
        let (_, page) = register.meters(after, 100, NOW).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.iter().all(|m| m.tenancies.len() == 1 && m.id > after));
        after = last.id;
        seen += page.len();
    }
    assert_eq!(seen, 250);
}

fn zoned(id: u32, area: &str) -> (MeterId, Option<Area>) {
    (MeterId(id), Some(area.parse().unwrap()))
}

#[tokio::test]
async fn a_place_has_the_area_that_was_said_last() {
    let (_folder, register) = fresh().await;
    let mut change = register.begin(3).await.unwrap();
    let within =
        |address, place, area: &str| NewMeter { area: Some(area.parse().unwrap()), ..new(address, place) };
    change.add_meter(&within("KAM-00000001", "p", "Nord"), NOW).await.unwrap();
    change.add_meter(&new("KAM-00000002", "p"), NOW).await.unwrap();
    change.add_meter(&new("KAM-00000003", "q"), NOW).await.unwrap();
    assert_eq!(change.areas().await.unwrap(), [zoned(1, "Nord"), zoned(2, "Nord"), (MeterId(3), None)]);
    change.commit().await.unwrap();
    let areas = async || -> Vec<Option<String>> {
        let area = |m: RegisteredMeter| m.area.map(|area| area.to_string());
        register.meters(MeterId(0), 10, NOW).await.unwrap().1.into_iter().map(area).collect()
    };
    assert_eq!(areas().await, [Some("Nord".to_owned()), Some("Nord".to_owned()), None]);
    let mut change = register.begin(1).await.unwrap();
    assert!(!change.add_meter(&within("KAM-00000002", "elsewhere", "Øst-2"), NOW).await.unwrap().new);
    // who hears of areas hears of both meters of the place
    assert_eq!(change.areas().await.unwrap(), [zoned(1, "Øst-2"), zoned(2, "Øst-2")]);
    assert_eq!(change.commit().await.unwrap(), 3);
    assert_eq!(areas().await, [Some("Øst-2".to_owned()), Some("Øst-2".to_owned()), None]);
    // the same word again is no change, and is told again: who hears of it may have missed it
    let mut change = register.begin(1).await.unwrap();
    change.add_meter(&within("KAM-00000002", "p", "Øst-2"), NOW).await.unwrap();
    assert_eq!(change.areas().await.unwrap().len(), 2);
    assert_eq!(change.commit().await.unwrap(), 3);
}

#[tokio::test]
async fn a_register_of_the_first_layout_is_brought_up_to_date_with_all_that_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("register.db");
    let first = Layout { scripts: &[include_str!("../sql/register-1.sql")], ..LAYOUT };
    let writer = sqlite::open_writer(&path, &first).await.unwrap();
    let mut guard = writer.begin().await.unwrap();
    let old = "INSERT INTO place VALUES (1, 'p');
        INSERT INTO tenancy VALUES (x'00112233445566778899aabbccddeeff', 1, 0, NULL, 1);
        INSERT INTO meter VALUES (7, x'2d2c78563412', NULL, NULL, 0, 1, 5);
        UPDATE counter SET value = 8 WHERE name = 'next_meter'";
    sqlx::raw_sql(old).execute(&mut *guard).await.unwrap();
    guard.commit().await.unwrap();
    drop(writer);
    let register = Register::open(&path).await.unwrap();
    let meter = register.find("KAM-12345678").await.unwrap().pop().unwrap();
    assert_eq!((meter.id, meter.place.as_str(), meter.area), (MeterId(7), "p", None));
    assert_eq!(meter.tenancies.len(), 1);
    assert!(meter.tenancies[0].vacant && meter.tenancies[0].from == UtcMillis(0));
    let mut change = register.begin(1).await.unwrap();
    let placed = NewMeter { area: Some("Vest".parse().unwrap()), ..new("KAM-12345678", "p") };
    assert_eq!(change.add_meter(&placed, NOW).await.unwrap().id, MeterId(7));
    change.commit().await.unwrap();
    assert_eq!(register.find("KAM-12345678").await.unwrap()[0].area, Some("Vest".parse().unwrap()));
}
