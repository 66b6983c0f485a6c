//! The room: sealed first, then open; a wrong passphrase; a failing disk.

use link::{Caller, Service, Shutdown};
use wire::Method;
use wire::health::{Health, HealthRequest};
use wire::vault::{Positions, PositionsRequest};

use super::*;
use crate::VaultRoom;

async fn health(room: &VaultRoom) -> Health {
    let body = HealthRequest {}.encode_to_vec().into();
    let answer = room.call(Caller::Operator { uid: 0 }, Method::Health, body).await.unwrap();
    Health::decode(answer).unwrap()
}

#[tokio::test]
async fn a_sealed_room_says_so_and_answers_once_it_is_open() {
    let mut house = House::new();
    let room = VaultRoom::sealed(Arc::clone(&house.counters), Shutdown::new());
    assert_eq!(health(&room).await.state, "sealed");
    let ask = || {
        room.call(
            Caller::Room(Room::Intake),
            Method::VaultPositions,
            PositionsRequest {}.encode_to_vec().into(),
        )
    };
    assert_eq!(ask().await.unwrap_err().code, "sealed");
    room.unseal(house.vault.take().unwrap());
    assert_ne!(Positions::decode(ask().await.unwrap()).unwrap().boot, 0);
    let health = health(&room).await;
    assert_eq!(health.state, "ready");
    assert!(health.counters.iter().any(|c| c.name == "keys.unproven"));
    let refused = room.call(Caller::Room(Room::Intake), Method::LedgerCheckpoint, bytes::Bytes::new()).await;
    assert_eq!(refused.unwrap_err().code, "not-here");
}

#[test]
fn a_wrong_passphrase_opens_nothing() {
    let mut house = House::new();
    house.vault = None;
    house.disk.kill_process();
    let pinned = house.pinned();
    let wrong = crate::Proof::Passphrase(SecretBytes::new(b"four words make two".to_vec()));
    let disk = Arc::new(house.disk.clone());
    let opened =
        Vault::open(disk, &house.layout, &wrong, pinned, Limits::default(), Arc::clone(&house.counters));
    assert_eq!(opened.err().unwrap().to_string(), "the passphrase does not fit");
}

#[tokio::test]
async fn a_failing_disk_stops_the_room_and_nothing_is_said_to_be_final() {
    let mut house = House::new();
    let (shutdown, disk) = (Shutdown::new(), house.disk.clone());
    house.decrypt(at(1), &[]);
    let boot = house.vault().positions().boot;
    let room = VaultRoom::sealed(Arc::clone(&house.counters), shutdown.clone());
    room.unseal(house.vault.take().unwrap());
    disk.cut_power();
    let body = Committed { boot, positions: vec![wire_position(&at(1))] }.encode_to_vec().into();
    let refused = room.call(Caller::Room(Room::Intake), Method::VaultCommitted, body).await.unwrap_err();
    assert_eq!(refused.code, "vault-stopped");
    assert!(shutdown.is_cancelled() && room.broken().is_some());
    drop(room);
    house.disk.restart();
    house.restart();
    assert!(house.vault().positions().all_up_to.is_empty());
}
