//! Keys reach a receiver whom two officers have named, once.

use envelope::age;
use grant::act::{
    AdmitRecipient, ApproveHandover, Deed, RecipientKey, RegisterRecipient, RemoveRecipient, RequestHandover,
    WithdrawHandover, house_of, sign_act,
};
use wire::custody::{
    ACKNOWLEDGEMENT_DOMAIN, ACKNOWLEDGEMENT_KEY, Acknowledge, Carried, Errand, ErrandAnswer, Fetch,
    HANDOVER_INFO, Look, VaultErrand, acknowledged,
};

use super::*;
use crate::{OpenError, officers, root};

/// The pair that the description of age shows.
const SECRET: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";

pub(super) struct Officers {
    pub(super) anna: Signer,
    pub(super) bo: Signer,
}

impl House {
    /// A house with two officers and the keys of two meters.
    pub(super) fn with_officers() -> (Self, Officers) {
        let mut house = Self::new();
        let officers = Officers { anna: Signer::generate().unwrap(), bo: Signer::generate().unwrap() };
        let proof = crate::Proof::Passphrase(passphrase());
        let opened = root::unlock(&house.disk, &house.layout, &proof).unwrap();
        let mut list = officers::Officers::default();
        officers::pin(&mut list, "anna", officers.anna.verifier(), NOW).unwrap();
        officers::pin(&mut list, "bo", officers.bo.verifier(), NOW).unwrap();
        officers::save(&house.disk, &house.layout, &opened.ring.lasting, &list).unwrap();
        house.restart();
        let keys = [("KAM", "10000001", "DEK", key(1)), ("KAM", "10000002", "GUEK", key(2))];
        house.import(&keys);
        (house, officers)
    }

    pub(super) fn carry(&self, carried: Carried) -> Result<ErrandAnswer, Failure> {
        self.carry_at(carried, NOW)
    }

    pub(super) fn carry_at(&self, carried: Carried, now: UtcMillis) -> Result<ErrandAnswer, Failure> {
        let grant = Grant {
            not_before: now.plus(-HOUR),
            until: now.plus(HOUR),
            ..self.grant(Purpose::KeyCustody, Action::KeepKeys)
        };
        let body = Errand { carried: Some(carried) }.encode_to_vec();
        let signed = grant.sign(&self.warden);
        let request = grant::sign_request(&signed, Action::KeepKeys, body, now, &self.session).unwrap();
        let event = Event { data: None, at: now, ..self.event(&grant, Action::KeepKeys, &request) }.encode();
        let receipt = self.receipt(&event, now);
        self.vault().custody(&VaultErrand { request, event, receipt }, now)
    }

    pub(super) fn signed(&self, name: &str, by: &Signer, deed: Deed) -> Vec<u8> {
        sign_act(house_of(self.import_key().as_bytes()), name, deed, NOW, by).unwrap()
    }

    pub(super) fn act(&self, name: &str, by: &Signer, deed: Deed) -> Result<ErrandAnswer, Failure> {
        self.carry(Carried::Act(self.signed(name, by, deed)))
    }

    /// A receiver, proposed by Anna and admitted by Bo.
    pub(super) fn receiver(&self, officers: &Officers, key: RecipientKey, fingerprint: Vec<u8>) -> u32 {
        let wish = RegisterRecipient { name: "Acme Heat".to_owned(), key: Some(key) };
        let recipient = self.act("anna", &officers.anna, Deed::Register(wish)).unwrap().number;
        self.act("bo", &officers.bo, Deed::Admit(AdmitRecipient { recipient, fingerprint })).unwrap();
        recipient
    }

    fn look(&self, handover: u32) -> ErrandAnswer {
        self.carry(Carried::Look(Look { handover })).unwrap()
    }

    fn state(&self, handover: u32) -> String {
        self.look(handover).handovers.remove(0).state
    }
}

pub(super) fn age_key() -> (age::Identity, RecipientKey, Vec<u8>) {
    let identity = age::Identity::from_file(SECRET).unwrap();
    let key = identity.recipient().as_bytes().to_vec();
    (identity, RecipientKey::Age(key.clone()), key)
}

pub(super) fn wish(recipient: u32, meters: &[&str]) -> RequestHandover {
    let meters = meters.iter().map(|m| (*m).to_owned()).collect();
    RequestHandover { recipient, meters, reason: "sold to Acme".to_owned() }
}

pub(super) fn approval(handover: u32, request: &RequestHandover) -> Deed {
    Deed::Approve(ApproveHandover { handover, digest: request.digest().to_vec() })
}

const BOTH: [&str; 2] = ["KAM-10000001", "KAM-10000002"];

#[test]
fn keys_go_out_once_to_whom_two_officers_named_and_the_receiver_says_that_it_has_them() {
    let (mut house, officers) = House::with_officers();
    let (identity, key_of, fingerprint) = age_key();
    let recipient = house.receiver(&officers, key_of, fingerprint);
    let request = wish(recipient, &BOTH);
    let number = house.act("anna", &officers.anna, Deed::Request(request.clone())).unwrap().number;
    let report = house
        .vault()
        .report(&wire::custody::KeysWish { state: "handed-over".into(), after: Vec::new() }, NOW);
    assert!(report.keys.is_empty(), "nothing went out yet");
    house.restart();
    assert_eq!(house.state(number), "requested");
    let approved = house.act("bo", &officers.bo, approval(number, &request)).unwrap();
    house.restart();
    assert_eq!(house.state(number), "approved");
    let fetch = || Carried::Fetch(Fetch { handover: number, code: approved.code.clone() });
    let container = house.carry(fetch()).unwrap().container;
    let list = age::open(&container, &identity).unwrap();
    let text = std::str::from_utf8(list.expose()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0], "manufacturer;serial;key;guek;gak;handover");
    let digits = |n| hex::encode(key(n));
    assert!(lines[1].starts_with(&format!("KAM;10000001;{};;;H1-", digits(1))), "{text}");
    assert!(lines[2].starts_with(&format!("KAM;10000002;;{};;H1-", digits(2))), "{text}");
    let report = house
        .vault()
        .report(&wire::custody::KeysWish { state: "handed-over".into(), after: Vec::new() }, NOW);
    let handed: Vec<_> = report.keys.iter().map(|k| (k.meter.as_str(), k.receivers.as_slice())).collect();
    assert_eq!(
        handed,
        [("KAM-10000001", &[recipient][..]), ("KAM-10000002", &[recipient])],
        "who has it is known"
    );
    // who comes second finds nothing, and everybody hears of it
    house.restart();
    assert_eq!(code(house.carry(fetch())), "fetched-already");
    assert_eq!(house.counters.get("alarm.handover-fetched-again"), 1);
    house.restart();
    assert_eq!(house.state(number), "intercepted");
    // only who opened the list can say so
    let list_hash: [u8; 32] = Sha256::digest(list.expose()).into();
    let sign = |seed: [u8; 32], message: &[u8]| {
        let seed = seal::derive::labelled(&base::Secret::new(seed), ACKNOWLEDGEMENT_KEY, &[]);
        Signer::from_seed(&seed).sign(ACKNOWLEDGEMENT_DOMAIN, message).to_vec()
    };
    let answer = |signature| Carried::Acknowledge(Acknowledge { handover: number, signature });
    let message = acknowledged(number, &list_hash);
    assert_eq!(code(house.carry(answer(sign([1; 32], &message)))), "other-receiver");
    assert_eq!(code(house.carry(answer(sign(list_hash, &acknowledged(2, &list_hash))))), "other-receiver");
    house.carry(answer(sign(list_hash, &message))).unwrap();
    let steps: Vec<(String, String)> =
        house.look(number).handovers.remove(0).steps.into_iter().map(|s| (s.what, s.by)).collect();
    let steps: Vec<(&str, &str)> = steps.iter().map(|(what, by)| (what.as_str(), by.as_str())).collect();
    assert_eq!(
        steps,
        [
            ("handover-request", "anna"),
            ("handover-approve", "bo"),
            ("fetch", "anna"),
            ("fetch-again", "anna"),
            ("acknowledge", "")
        ]
    );
    for secret in [&key(1)[..], digits(1).as_bytes(), &approved.code] {
        assert!(!has(&house.disk, secret), "a secret lies in clear on the disk");
    }
}

#[test]
fn who_asks_never_approves_and_nothing_else_is_approved_than_what_was_seen() {
    let (house, officers) = House::with_officers();
    let (_, key_of, fingerprint) = age_key();
    let registered = RegisterRecipient { name: "Acme".to_owned(), key: Some(key_of.clone()) };
    let recipient = house.act("anna", &officers.anna, Deed::Register(registered.clone())).unwrap().number;
    let admit =
        |fingerprint: &[u8]| Deed::Admit(AdmitRecipient { recipient, fingerprint: fingerprint.to_vec() });
    let request = wish(recipient, &BOTH);
    let anna = |deed| code(house.act("anna", &officers.anna, deed));
    let bo = |deed| code(house.act("bo", &officers.bo, deed));
    assert_eq!(anna(admit(&fingerprint)), "same-officer");
    assert_eq!(bo(admit(&[9; 32])), "other-fingerprint");
    assert_eq!(anna(Deed::Request(request.clone())), "recipient-not-admitted");
    assert_eq!(bo(Deed::Register(registered)), "recipient-known", "one key is one receiver");
    house.act("bo", &officers.bo, admit(&fingerprint)).unwrap();
    assert_eq!(bo(admit(&fingerprint)), "recipient-known");
    assert_eq!(anna(Deed::Request(wish(recipient, &["KAM-10000001", "KAM-10000009"]))), "no-key");
    assert_eq!(anna(Deed::Request(wish(7, &BOTH))), "no-recipient");
    let number = house.act("anna", &officers.anna, Deed::Request(request.clone())).unwrap().number;
    assert_eq!(anna(approval(number, &request)), "same-officer");
    assert_eq!(bo(approval(number, &wish(recipient, &["KAM-10000001"]))), "other-request");
    assert_eq!(bo(approval(9, &request)), "no-handover");
    // another's name, another's key, a name that nobody has
    let forged = |name: &str| code(house.act(name, &officers.anna, approval(number, &request)));
    assert_eq!(forged("bo"), "officer-signature");
    assert_eq!(forged("carl"), "no-officer");
    let code_of = |code| house.carry(Carried::Fetch(Fetch { handover: number, code }));
    assert_eq!(code(code_of(vec![0; 16])), "wrong-code", "not approved yet");
    let approved = house.act("bo", &officers.bo, approval(number, &request)).unwrap();
    assert_eq!(bo(approval(number, &request)), "not-requested");
    assert_eq!(code(code_of(vec![0; 16])), "wrong-code");
    assert_eq!(code(code_of(approved.code[..15].to_vec())), "malformed");
    // a receiver that is removed gets nothing, also of what was approved
    house.act("bo", &officers.bo, Deed::Remove(RemoveRecipient { recipient })).unwrap();
    assert_eq!(code(code_of(approved.code.clone())), "recipient-removed");
    assert_eq!(house.state(number), "approved");
    house.act("anna", &officers.anna, Deed::Withdraw(WithdrawHandover { handover: number })).unwrap();
    assert_eq!(house.state(number), "withdrawn");
    assert_eq!(code(code_of(approved.code)), "not-open");
    assert_eq!(anna(Deed::Withdraw(WithdrawHandover { handover: number })), "not-open");
}

#[test]
fn an_act_counts_once_and_a_code_for_a_day() {
    let (mut house, officers) = House::with_officers();
    let (_, key_of, fingerprint) = age_key();
    let recipient = house.receiver(&officers, key_of, fingerprint);
    let request = wish(recipient, &BOTH);
    let asked = house.signed("anna", &officers.anna, Deed::Request(request.clone()));
    let number = house.carry(Carried::Act(asked.clone())).unwrap().number;
    assert_eq!(code(house.carry(Carried::Act(asked.clone()))), "act-again");
    let agreed = house.signed("bo", &officers.bo, approval(number, &request));
    let approved = house.carry(Carried::Act(agreed.clone())).unwrap();
    house.restart();
    for old in [asked, agreed] {
        assert_eq!(code(house.carry(Carried::Act(old))), "act-again", "after a restart, too");
    }
    assert_eq!(approved.until_ms, NOW.plus(24 * HOUR).0);
    let late = UtcMillis(approved.until_ms);
    let fetch = Carried::Fetch(Fetch { handover: number, code: approved.code });
    assert_eq!(code(house.carry_at(fetch, late)), "not-open");
}

#[test]
fn a_machine_gets_a_list_that_the_house_signed() {
    let (house, officers) = House::with_officers();
    let machine = seal::hybrid::KeyPair::generate().unwrap();
    let public = machine.public().as_bytes().to_vec();
    let fingerprint = Sha256::digest(&public).to_vec();
    let recipient = house.receiver(&officers, RecipientKey::Machine(public), fingerprint);
    let request = wish(recipient, &BOTH[..1]);
    let number = house.act("anna", &officers.anna, Deed::Request(request.clone())).unwrap().number;
    let approved = house.act("bo", &officers.bo, approval(number, &request)).unwrap();
    let fetch = Carried::Fetch(Fetch { handover: number, code: approved.code });
    let sealed = seal::hybrid::Sealed::from_slice(&house.carry(fetch).unwrap().container).unwrap();
    let signed = machine.open_secret(HANDOVER_INFO, b"", &sealed).unwrap();
    let digits = hex::encode(key(1));
    assert!(signed.expose().windows(32).any(|w| w == digits.as_bytes()));
}

#[test]
fn a_desk_whose_journal_was_changed_does_not_open() {
    let (mut house, officers) = House::with_officers();
    let (_, key_of, fingerprint) = age_key();
    house.receiver(&officers, key_of, fingerprint);
    house.vault = None;
    let dir = house.layout.room(Room::Vault).join("desk");
    let names = house.disk.list(&dir).unwrap();
    let file = dir.join(names.into_iter().find(|n| n.to_string_lossy().ends_with(".seg")).unwrap());
    let good = journal::read_whole(&house.disk, &file, 1 << 20).unwrap().unwrap();
    // before the last record: a damaged end is what a power cut leaves, and is cut off
    for at in [good.len() / 3, good.len() / 2] {
        let mut changed = good.clone();
        changed[at] ^= 1;
        journal::write_atomically(&house.disk, &file, &changed).unwrap();
        house.disk.kill_process();
        let pinned = house.pinned();
        let proof = crate::Proof::Passphrase(passphrase());
        let (disk, counters) = (Arc::new(house.disk.clone()), Arc::new(Counters::new()));
        let opened = Vault::open(disk, &house.layout, &proof, pinned, Limits::default(), counters);
        assert!(matches!(opened, Err(OpenError::Table(_))), "byte {at} of {}", good.len());
    }
}
