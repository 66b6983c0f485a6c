//! Who gets through a room's door: the table of bad peers, over real sockets and real certificates.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base::CollectorId;
use bytes::Bytes;
use link::pki::{Certified, certify_collector, certify_room, make_authority, request_certificate};
use link::{Admitted, CallError, Caller, Client, Door, Identity, Service, Shutdown, Target, Trust, serve};
use wire::gateway::Done;
use wire::{Method, Refused, Room};

const PATIENCE: Duration = Duration::from_secs(5);

struct Echo(AtomicU32);

impl Service for Echo {
    async fn call(&self, caller: Caller, method: Method, body: Bytes) -> Result<Bytes, Refused> {
        self.0.fetch_add(1, Ordering::Relaxed);
        if &*body == b"slow" {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        if &*body == b"who" {
            return Ok(format!("{caller:?}").into());
        }
        if method == Method::VaultCommitted {
            return Err(Refused::new("no-such-position", "nothing is known of that position"));
        }
        Ok(body)
    }
}

struct House {
    folder: tempfile::TempDir,
    rooms: Certified,
    collectors: Certified,
    shutdown: Shutdown,
    echo: Arc<Echo>,
}

impl Drop for House {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn me() -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").unwrap().uid()
}

impl House {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            rooms: make_authority("test house").unwrap(),
            collectors: make_authority("test collectors").unwrap(),
            shutdown: Shutdown::new(),
            echo: Arc::new(Echo(AtomicU32::new(0))),
        }
    }

    fn trust(&self) -> Trust {
        Trust::from_pem(&self.rooms.certificate).unwrap()
    }

    fn identity(&self, room: Room) -> Identity {
        identity(&self.rooms, room)
    }

    fn collector(&self, id: u32) -> Identity {
        let (key, request) = request_certificate().unwrap();
        let (certificate, _) = certify_collector(&self.collectors, &request, CollectorId(id)).unwrap();
        Identity::from_pem(&certificate, &key).unwrap()
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("room.sock")
    }

    fn open_unix(&self, room: Room, people: &[u32]) {
        let door =
            Door::unix(&self.socket(), &self.identity(room), &self.trust(), Admitted::These(people.to_vec()))
                .unwrap();
        tokio::spawn(serve(door, room, Arc::clone(&self.echo), self.shutdown.clone()));
    }

    async fn open_tcp(&self, room: Room) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let collectors = Trust::from_pem(&self.collectors.certificate).unwrap();
        let door = Door::collectors(listener, &self.identity(room), &collectors).unwrap();
        tokio::spawn(serve(door, room, Arc::clone(&self.echo), self.shutdown.clone()));
        address
    }
}

fn identity(authority: &Certified, room: Room) -> Identity {
    let certified = certify_room(authority, room).unwrap();
    Identity::from_pem(&certified.certificate, &certified.key).unwrap()
}

fn unix(path: &Path) -> Target {
    Target::Unix(path.to_owned())
}

async fn try_call(client: &Client, method: Method, body: &'static [u8]) -> Result<Bytes, CallError> {
    client.call_raw(method, Bytes::from_static(body), PATIENCE).await
}

fn code(result: Result<Bytes, CallError>) -> String {
    match result {
        Ok(_) => "answered".to_owned(),
        Err(CallError::Refused { code, .. }) => code,
        Err(CallError::Unreachable { .. }) => "unreachable".to_owned(),
        Err(other) => other.to_string(),
    }
}

#[tokio::test]
async fn the_right_room_gets_its_answer_and_its_name_is_proved() {
    let house = House::new();
    house.open_unix(Room::Vault, &[]);
    let client =
        Client::new(Room::Vault, unix(&house.socket()), Some(&house.identity(Room::Intake)), &house.trust())
            .unwrap();
    assert_eq!(try_call(&client, Method::VaultDecryptFrames, b"who").await.unwrap(), "Room(Intake)");
}

#[tokio::test]
async fn bad_peers_do_not_get_through() {
    let house = House::new();
    house.open_unix(Room::Vault, &[]);
    let other = make_authority("another house").unwrap();
    let peers = [
        ("another room", Some(house.identity(Room::Archive)), "not-permitted"),
        ("the right room of another house", Some(identity(&other, Room::Intake)), "unreachable"),
        ("a collector", Some(house.collector(3)), "unreachable"),
        ("a person who is not of the house", None, "unreachable"),
    ];
    for (who, identity, wanted) in peers {
        let client =
            Client::new(Room::Vault, unix(&house.socket()), identity.as_ref(), &house.trust()).unwrap();
        assert_eq!(code(try_call(&client, Method::VaultDecryptFrames, b"x").await), wanted, "{who}");
    }
    assert_eq!(house.echo.0.load(Ordering::Relaxed), 0, "the room's code must not have seen any of them");
}

#[tokio::test]
async fn a_room_with_another_name_is_not_taken_for_the_vault() {
    let house = House::new();
    house.open_unix(Room::Archive, &[]);
    let client =
        Client::new(Room::Vault, unix(&house.socket()), Some(&house.identity(Room::Intake)), &house.trust())
            .unwrap();
    assert_eq!(code(try_call(&client, Method::VaultDecryptFrames, b"x").await), "unreachable");
}

#[tokio::test]
async fn plain_text_gets_nothing() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let house = House::new();
    house.open_unix(Room::Vault, &[me()]);
    let mut socket = tokio::net::UnixStream::connect(house.socket()).await.unwrap();
    socket.write_all(&[9, 0, 0, 0, 8, 1, 16, 30, 24, 1, 34, 1, 120]).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, socket.read_to_end(&mut answer)).await.unwrap().ok();
    assert!(answer.len() <= 7, "at most a TLS alert, not {answer:?}");
    assert_eq!(house.echo.0.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_person_of_the_house_is_known_by_the_socket_and_may_only_what_the_table_says() {
    let house = House::new();
    house.open_unix(Room::Vault, &[me()]);
    let client = Client::new(Room::Vault, unix(&house.socket()), None, &house.trust()).unwrap();
    let who = try_call(&client, Method::Health, b"who").await.unwrap();
    assert_eq!(who, format!("Operator {{ uid: {} }}", me()));
    assert_eq!(code(try_call(&client, Method::VaultReleaseKeys, b"x").await), "not-permitted");
    assert_eq!(code(try_call(&client, Method::LedgerAppend, b"x").await), "wrong-room");
}

#[tokio::test]
async fn the_collectors_door_tells_collectors_strangers_and_others_apart() {
    let house = House::new();
    let address = house.open_tcp(Room::Gateway).await;
    let call = async |identity: Option<Identity>, method| {
        let client =
            Client::new(Room::Gateway, Target::Tcp(address.clone()), identity.as_ref(), &house.trust())
                .unwrap();
        try_call(&client, method, b"who").await
    };
    assert!(
        call(Some(house.collector(7)), Method::GatewaySync)
            .await
            .unwrap()
            .starts_with(b"Collector(CollectorId(7)")
    );
    assert_eq!(call(None, Method::GatewayEnrol).await.unwrap(), "Stranger");
    assert_eq!(code(call(None, Method::GatewaySubmit).await), "not-permitted");
    // A room's certificate is no collector's: this door does not trust the authority that made it.
    assert_eq!(code(call(Some(house.identity(Room::Intake)), Method::GatewayPull).await), "unreachable");
}

#[tokio::test]
async fn a_refusal_a_missed_deadline_and_an_oversized_message_are_told_apart() {
    let house = House::new();
    house.open_unix(Room::Vault, &[]);
    let client =
        Client::new(Room::Vault, unix(&house.socket()), Some(&house.identity(Room::Intake)), &house.trust())
            .unwrap();
    assert_eq!(code(try_call(&client, Method::VaultCommitted, b"x").await), "no-such-position");
    let slow =
        client.call_raw(Method::VaultDecryptFrames, Bytes::from_static(b"slow"), Duration::from_millis(50));
    let slow = slow.await.unwrap_err();
    assert!(matches!(slow, CallError::Deadline(Room::Vault)) || slow.code() == Some("deadline"), "{slow:?}");
    let long = Bytes::from(vec![0; link::MAX_FRAME + 1]);
    let refused = client.call_raw(Method::VaultDecryptFrames, long, PATIENCE).await;
    assert_eq!(code(refused), "too-long");
    // The connection still serves.
    client.call::<Done, Done>(Method::VaultDecryptFrames, &Done {}, PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_client_finds_a_room_that_came_back() {
    let house = House::new();
    let first = Shutdown::new();
    let door =
        Door::unix(&house.socket(), &house.identity(Room::Vault), &house.trust(), Admitted::These(vec![]))
            .unwrap();
    let serving = tokio::spawn(serve(door, Room::Vault, Arc::clone(&house.echo), first.clone()));
    let client =
        Client::new(Room::Vault, unix(&house.socket()), Some(&house.identity(Room::Intake)), &house.trust())
            .unwrap();
    assert_eq!(code(try_call(&client, Method::VaultDecryptFrames, b"x").await), "answered");
    first.cancel();
    serving.await.unwrap();
    assert_eq!(code(try_call(&client, Method::VaultDecryptFrames, b"x").await), "unreachable");
    house.open_unix(Room::Vault, &[]);
    assert_eq!(code(try_call(&client, Method::VaultDecryptFrames, b"x").await), "answered");
}

#[tokio::test]
async fn many_large_calls_in_both_directions_do_not_lock_each_other_out() {
    let house = House::new();
    house.open_unix(Room::Vault, &[]);
    let client =
        Client::new(Room::Vault, unix(&house.socket()), Some(&house.identity(Room::Intake)), &house.trust())
            .unwrap();
    let body = Bytes::from(vec![7; 1 << 20]);
    let calls =
        (0..200).map(|_| client.call_raw(Method::VaultDecryptFrames, body.clone(), Duration::from_secs(60)));
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(answer.unwrap().len(), body.len());
    }
}
