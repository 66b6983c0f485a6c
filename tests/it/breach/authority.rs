//! Who may call what, by trying it: every kind of caller with its real certificate, every method, every door of a
//! running house. What the doors let through must be the checked-in table, and the table must be the code's.
//!
//! How each check is covered; without it the named test fails:
//! - the table itself (`wire::permits` in `link`), and a row too many or too few: `the_doors_admit_whom_the_table_names`
//! - that a method belongs to the room (`wrong-room`): the same, which tries every method at every room
//! - the authority that signed a certificate, for rooms and for collectors, on Unix sockets and on TCP:
//!   `certificates_of_another_house_open_no_door`, and the same as above (collectors at room sockets, rooms at the
//!   collectors' door)
//! - that the certificate names who the caller is: the same as above (each room's certificate has its own rows)
//! - people by the socket's peer, only without a certificate: `a_person_who_is_not_of_the_house_gets_in_nowhere`
//! - TLS at all: `plain_text_gets_no_answer`
//! - the collectors' admission list: `a_collector_that_was_not_admitted_is_refused_by_the_gateway`
//! - that callers look at a room's certificate: `nobody_speaks_to_a_room_with_another_name`

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base::CollectorId;
use bytes::Bytes;
use house_tests::house::{House, Plan, rooms};
use link::pki::{certify_collector, certify_room, make_authority, request_certificate};
use link::{Admitted, CallError, Caller, Client, Door, Identity, Service, Shutdown, Target, Trust, serve};
use wire::{CallerKind, Method, Refused, Room};

const TABLE: &str = include_str!("authority.txt");
const PATIENCE: Duration = Duration::from_secs(10);

/// A place to knock at: a room's socket, or the gateway's port.
#[derive(Clone)]
struct Knocker {
    house: Trust,
    layout: house::Layout,
    listen: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Socket(Room),
    CollectorsDoor,
}

impl Knocker {
    fn new(house: &House) -> Self {
        let trust = Trust::load(&house.layout.house_authority()).unwrap();
        Self { house: trust, layout: house.layout.clone(), listen: house.listen.clone() }
    }

    fn doors() -> impl Iterator<Item = At> {
        rooms().map(At::Socket).chain([At::CollectorsDoor])
    }

    fn client(&self, at: At, identity: Option<&Identity>) -> Client {
        let (room, target) = match at {
            At::Socket(room) => (room, Target::Unix(self.layout.socket(room))),
            At::CollectorsDoor => (Room::Gateway, Target::Tcp(self.listen.clone())),
        };
        Client::new(room, target, identity, &self.house).unwrap()
    }

    async fn knock(&self, at: At, identity: Option<&Identity>, method: Method) -> String {
        outcome(self.client(at, identity).call_raw(method, Bytes::new(), PATIENCE).await)
    }
}

/// `unreachable`, or the code of the refusal, or that it was answered. An empty message asks for nothing: whoever is
/// let through gets an answer or a refusal by the room itself.
fn outcome(result: Result<Bytes, CallError>) -> String {
    match result {
        Ok(_) => "answered".to_owned(),
        Err(CallError::Refused { code, .. }) => code,
        Err(CallError::Unreachable { .. }) => "unreachable".to_owned(),
        Err(CallError::Deadline(_)) => "deadline".to_owned(),
        Err(CallError::Garbled(_)) => "garbled".to_owned(),
    }
}

fn is_shut(outcome: &str) -> bool {
    ["unreachable", "not-permitted", "wrong-room"].contains(&outcome)
}

#[test]
fn the_checked_in_table_is_the_one_in_the_code() {
    assert_eq!(
        TABLE,
        wire::table(),
        "a change of who may call what shows in `tests/it/breach/authority.txt`"
    );
}

#[tokio::test]
async fn the_doors_admit_whom_the_table_names_and_nobody_else() {
    let mut house = House::new(Plan::default());
    house.start_all();
    let collector = house.enrol("mast");
    let knocker = Knocker::new(&house);
    let mut callers: BTreeMap<CallerKind, Option<Identity>> = BTreeMap::new();
    for room in rooms() {
        callers.insert(CallerKind::Room(room), Some(Identity::load(&house.layout.room(room)).unwrap()));
    }
    callers.insert(CallerKind::Collector, Some(Identity::load(&collector.identity()).unwrap()));
    callers.insert(CallerKind::Operator, None);
    let mut admitted: BTreeMap<Method, BTreeSet<CallerKind>> = BTreeMap::new();
    for (caller, identity) in &callers {
        for at in Knocker::doors() {
            // Without a certificate the sockets know a person, and the collectors' door knows nobody.
            let caller = match (caller, at) {
                (CallerKind::Operator, At::CollectorsDoor) => CallerKind::Stranger,
                _ => *caller,
            };
            let client = knocker.client(at, identity.as_ref());
            for method in Method::ALL {
                let outcome = outcome(client.call_raw(*method, Bytes::new(), PATIENCE).await);
                if !is_shut(&outcome) {
                    admitted.entry(*method).or_default().insert(caller);
                }
                let here = match at {
                    At::Socket(room) => room,
                    At::CollectorsDoor => Room::Gateway,
                };
                if outcome != "unreachable" && method.room().is_some_and(|owner| owner != here) {
                    assert_eq!(outcome, "wrong-room", "{caller} calls {method} at {here}");
                }
            }
        }
    }
    let mut seen = String::new();
    for method in Method::ALL {
        let admitted = admitted.remove(method).unwrap_or_default();
        // In the order of the table; a caller that it does not name comes last.
        let named = wire::callers_of(*method).iter().filter(|c| admitted.contains(c));
        let unnamed = admitted.iter().filter(|c| !wire::callers_of(*method).contains(c));
        let words: Vec<String> = named.chain(unnamed).map(ToString::to_string).collect();
        seen.push_str(&format!("{:26} {}\n", method.name(), words.join(" ")));
    }
    assert_eq!(seen, TABLE);
}

#[tokio::test]
async fn certificates_of_another_house_open_no_door() {
    let mut house = House::new(Plan::default());
    house.start_all();
    let knocker = Knocker::new(&house);
    let (rooms_of_other, collectors_of_other) =
        (make_authority("house").unwrap(), make_authority("collectors").unwrap());
    let mut strangers: Vec<(String, Identity)> = Vec::new();
    for room in rooms() {
        let made = certify_room(&rooms_of_other, room).unwrap();
        strangers.push((
            format!("{room} of another house"),
            Identity::from_pem(&made.certificate, &made.key).unwrap(),
        ));
    }
    let (key, request) = request_certificate().unwrap();
    let (certificate, _) = certify_collector(&collectors_of_other, &request, CollectorId(1)).unwrap();
    strangers
        .push(("a collector of another house".to_owned(), Identity::from_pem(&certificate, &key).unwrap()));
    for (who, identity) in &strangers {
        for at in Knocker::doors() {
            for method in
                [Method::Health, Method::GatewaySync, Method::GatewayEnrol, Method::VaultDecryptFrames]
            {
                assert_eq!(knocker.knock(at, Some(identity), method).await, "unreachable", "{who} at {at:?}");
            }
        }
    }
    // The same doors open to those of this house.
    let intake = Identity::load(&house.layout.room(Room::Intake)).unwrap();
    assert!(!is_shut(
        &knocker.knock(At::Socket(Room::Vault), Some(&intake), Method::VaultDecryptFrames).await
    ));
}

#[tokio::test]
async fn plain_text_gets_no_answer() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut house = House::new(Plan::default());
    house.start_all();
    let mut request = wire::Message::encode_to_vec(&wire::Request {
        id: 1,
        method: Method::Health.number(),
        deadline_ms: 1000,
        body: Bytes::new(),
    });
    let mut framed = u32::try_from(request.len()).unwrap().to_be_bytes().to_vec();
    framed.append(&mut request);
    let ask = async |mut stream: Box<dyn Both>| {
        stream.write_all(&framed).await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        answer
    };
    for room in rooms() {
        let socket = tokio::net::UnixStream::connect(house.layout.socket(room)).await.unwrap();
        assert!(ask(Box::new(socket)).await.len() <= 7, "{room} gives a TLS alert at most");
    }
    let port = tokio::net::TcpStream::connect(&house.listen).await.unwrap();
    assert!(ask(Box::new(port)).await.len() <= 7);
}

trait Both: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Both for T {}

#[tokio::test]
async fn a_collector_that_was_not_admitted_is_refused_by_the_gateway() {
    let mut house = House::new(Plan::default());
    house.start_all();
    let enrolled = house.enrol("mast");
    let knocker = Knocker::new(&house);
    let real = Identity::load(&enrolled.identity()).unwrap();
    assert_eq!(knocker.knock(At::CollectorsDoor, Some(&real), Method::GatewaySync).await, "answered");
    // Somebody has the authority's own key, and certifies a second key for the same collector, and a new collector.
    let authority = link::pki::Certified {
        certificate: std::fs::read_to_string(house.layout.collector_authority()).unwrap(),
        key: std::fs::read_to_string(house.layout.room(Room::Warden).join("collector-ca-key.pem")).unwrap(),
    };
    for id in [enrolled.id(), enrolled.id() + 1, 9999] {
        let (key, request) = request_certificate().unwrap();
        let (certificate, _) = certify_collector(&authority, &request, CollectorId(id)).unwrap();
        let forged = Identity::from_pem(&certificate, &key).unwrap();
        for method in [Method::GatewaySync, Method::GatewaySubmit] {
            let outcome = knocker.knock(At::CollectorsDoor, Some(&forged), method).await;
            assert!(
                !["answered", "unreachable", "deadline"].contains(&outcome.as_str()),
                "{id} {method}: {outcome}"
            );
        }
    }
}

struct Impostor(AtomicU32);

impl Service for Impostor {
    async fn call(&self, _: Caller, _: Method, _: Bytes) -> Result<Bytes, Refused> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(Refused::new("impostor", "this is not the room that was meant"))
    }
}

/// Somebody opens a socket in the vault's place, with a certificate of this house but another room's name.
#[tokio::test]
async fn nobody_speaks_to_a_room_with_another_name() {
    let mut house = House::new(Plan::default());
    house.start_all();
    let heard_by = async |house: &House, room: Room, seconds| {
        let identity = Identity::load(&house.layout.room(room)).unwrap();
        let trust = Trust::load(&house.layout.house_authority()).unwrap();
        let (impostor, shutdown) = (Arc::new(Impostor(AtomicU32::new(0))), Shutdown::new());
        let door = Door::unix(&house.layout.socket(Room::Vault), &identity, &trust, Admitted::These(vec![]))
            .unwrap();
        let serving = tokio::spawn(serve(door, Room::Vault, Arc::clone(&impostor), shutdown.clone()));
        for _ in 0..seconds * 10 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if impostor.0.load(Ordering::Relaxed) > 0 {
                break;
            }
        }
        shutdown.cancel();
        serving.await.unwrap();
        impostor.0.load(Ordering::Relaxed)
    };
    house.kill(Room::Vault);
    // Intake asks the vault for positions as soon as it starts.
    house.kill(Room::Intake);
    house.start(Room::Intake);
    assert_eq!(heard_by(&house, Room::Archive, 4).await, 0);
    assert!(heard_by(&house, Room::Vault, 30).await > 0, "with the vault's own certificate it is heard");
}

const PERSON: &str = "METERKEEP_AUTHORITY_PERSON";

/// Not a test by itself: what another user of the machine tries, in the test below. Prints each outcome.
#[tokio::test]
async fn child_is_somebody_else() {
    let Ok(text) = std::env::var(PERSON) else { return };
    let (root, authority) = text.split_once('\n').unwrap();
    let layout = house::Layout::new(root);
    let trust = Trust::load(Path::new(authority)).unwrap();
    for room in rooms() {
        let client = Client::new(room, Target::Unix(layout.socket(room)), None, &trust).unwrap();
        let answer = client.call_raw(Method::Health, Bytes::new(), PATIENCE).await;
        // A socket that may not be opened shows nothing of the check behind it.
        if let Err(CallError::Unreachable { why, .. }) = &answer {
            assert!(!why.contains("ermission"), "{why}");
        }
        println!("\noutcome {}", outcome(answer));
    }
}

#[tokio::test]
async fn a_person_who_is_not_of_the_house_gets_in_nowhere() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can try as another user");
        return;
    }
    let mut house = House::new(Plan::default());
    house.start_all();
    // The sockets' own permissions would keep others out: they are opened here, to see what stands behind them.
    let open =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    open(&house.outside("."), 0o755);
    open(&house.on_disk("."), 0o755);
    open(house.root(), 0o755);
    open(&house.layout.run(), 0o755);
    rooms().for_each(|room| open(&house.layout.socket(room), 0o666));
    // Programs and files in places that others can read.
    let (program, authority) = (house.outside("somebody"), house.outside("house-ca.pem"));
    // By another process: one that is forked here meanwhile would hold the file open for writing, and nobody could run it.
    let copied =
        std::process::Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status();
    assert!(copied.unwrap().success());
    std::fs::copy(house.layout.house_authority(), &authority).unwrap();
    open(&program, 0o755);
    open(&authority, 0o644);
    let try_as = |uid: u32| {
        let said = std::process::Command::new(&program)
            .args(["--exact", "breach::authority::child_is_somebody_else", "--nocapture"])
            .env(PERSON, format!("{}\n{}", house.root().display(), authority.display()))
            .uid(uid)
            .current_dir("/")
            .output()
            .unwrap();
        let text = String::from_utf8(said.stdout).unwrap();
        let outcomes: Vec<String> =
            text.lines().filter_map(|l| Some(l.strip_prefix("outcome ")?.to_owned())).collect();
        assert_eq!(outcomes.len(), rooms().count(), "{text}{}", String::from_utf8_lossy(&said.stderr));
        outcomes
    };
    assert!(try_as(65_534).iter().all(|outcome| outcome == "unreachable"));
    assert!(try_as(0).iter().all(|outcome| outcome == "answered"));
}
