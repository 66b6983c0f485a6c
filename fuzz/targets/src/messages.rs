//! Targets on what goes over links: calls, batches, every message, events.

use grant::Event;
use grant::act::{Act, ApproveHandover, Deed, RecipientKey, RegisterRecipient, RequestHandover};
use wire::Message;
use wire::batch::{Body, Header, Signed};

/// Reads a message and holds its encoding to be stable: what was read and written again reads the same.
fn read<M: Message + Default + PartialEq>(data: &[u8]) -> Option<M> {
    let message = M::decode(data).ok()?;
    let bytes = message.encode_to_vec();
    let again = M::decode(bytes.as_slice()).ok().map(|m| m.encode_to_vec());
    assert_eq!(again.as_ref(), Some(&bytes), "a message does not survive its own encoding");
    Some(message)
}

/// What a stranger's first bytes reach, once the framing has cut them off: a call, and its method.
pub(crate) fn call(data: &[u8]) {
    if let Some(request) = read::<wire::Request>(data) {
        let _ = wire::Method::from_number(request.method);
        all(&request.body);
    }
    let _ = read::<wire::Reply>(data);
}

/// A batch: the clear header and, as if it had opened, the body.
pub(crate) fn batch(data: &[u8]) {
    if let Some(signed) = read::<Signed>(data) {
        let _ = read::<Header>(&signed.header);
        let _ = read::<Body>(&signed.sealed);
    }
}

/// Every message that a room takes from another one.
pub(crate) fn all(data: &[u8]) {
    let _ = read::<wire::gateway::Enrol>(data);
    let _ = read::<wire::gateway::Sync>(data);
    let _ = read::<wire::gateway::Submit>(data);
    let _ = read::<wire::gateway::Pulled>(data);
    let _ = read::<wire::gateway::Publish>(data);
    let _ = read::<wire::vault::DecryptFrames>(data);
    let _ = read::<wire::vault::Committed>(data);
    let _ = read::<wire::vault::SealingKeys>(data);
    let _ = read::<wire::vault::ReleaseKeys>(data);
    let _ = read::<wire::vault::ContactKeys>(data);
    let _ = read::<wire::vault::BodyKeys>(data);
    let _ = read::<wire::vault::ImportKeys>(data);
    let _ = read::<wire::vault::Tenancy>(data);
    let _ = read::<wire::ledger::Append>(data);
    let _ = read::<wire::ledger::Prove>(data);
    let _ = read::<wire::ledger::Receipts>(data);
    let _ = read::<wire::warden::GrantRequest>(data);
    let _ = read::<wire::archive::Asked>(data);
    let _ = read::<wire::archive::RegisterChange>(data);
    let _ = read::<wire::contact::AskedBeside>(data);
    let _ = read::<wire::contact::ContactsQuery>(data);
    if let Some(told) = read::<wire::contact::Contacts>(data) {
        // what passes has its bounds, and says of itself what it was
        for contact in told.items.iter().filter_map(|item| item.checked().ok()) {
            let again = wire::contact::Contact::of(&contact).checked();
            assert_eq!(again.as_ref(), Ok(&contact), "a contact does not survive its own check");
            assert!(!contact.name().is_empty() && !contact.name().contains('\n'), "a name without bounds");
        }
    }
    let _ = read::<wire::custody::Errand>(data);
    let _ = read::<wire::custody::VaultErrand>(data);
    let _ = read::<wire::custody::ErrandAnswer>(data);
    let _ = read::<envelope::record::Answer>(data);
}

/// An event as it is hashed: there is one encoding only, so what decodes has to encode to the same bytes.
pub(crate) fn event(data: &[u8]) {
    if let Ok(event) = Event::decode(data) {
        assert_eq!(event.encode(), data, "an event has two encodings");
    }
    if let Ok(entry) = grant::LogEntry::decode(data) {
        assert_eq!(entry.encode(), data, "an entry has two encodings");
    }
    let _ = grant::Receipt::unchecked_size(data);
}

pub(crate) fn calls() -> Vec<Vec<u8>> {
    let bodies = batches();
    let calls = wire::Method::ALL.iter().zip(bodies.iter().cycle()).map(|(method, body)| {
        let body = body.clone().into();
        wire::Request { id: 7, method: method.number(), deadline_ms: 1000, body }.encode_to_vec()
    });
    calls.collect()
}

pub(crate) fn batches() -> Vec<Vec<u8>> {
    let header = Header {
        collector: 1,
        epoch: 9,
        seq: 3,
        key_id: 1,
        count: 2,
        closed_ms: 1_795_449_600_000,
        gap: None,
    };
    let gap = wire::batch::Gap {
        first_seq: 2,
        telegrams: 300,
        from_ms: 1,
        to_ms: 2,
        reason: "spool-full".to_owned(),
        ..Default::default()
    };
    let body = Body {
        boot_id: vec![1; 16],
        frames: vec![0x44; 60].into(),
        lengths: vec![30, 30],
        monotonic_ms: vec![5, 6],
        wall_ms: vec![1_795_449_600_000, 4],
        synchronised_flips: vec![1],
        rssi_dbm: vec![-70, -80],
        receivers: vec!["roof".to_owned(), "cellar".to_owned()],
        heard_by: vec![1, 0],
        times_heard: vec![1, 2],
    };
    let signed = |header: &Header, body: Vec<u8>| {
        let (header, sealed) = (header.encode_to_vec().into(), body.into());
        Signed { header, enc: vec![2; 40].into(), sealed, signature: vec![3; 64].into() }.encode_to_vec()
    };
    vec![
        signed(&header, body.encode_to_vec()),
        signed(&Header { gap: Some(gap), count: 0, ..header }, Vec::new()),
    ]
}

pub(crate) fn events() -> Vec<Vec<u8>> {
    let at = base::UtcMillis(1_795_449_600_000);
    [("archive", "readings", grant::Outcome::Allowed), ("intake", "batch", grant::Outcome::Done)]
        .into_iter()
        .map(|(actor, action, outcome)| Event::new(at, actor, action, outcome).encode())
        .collect()
}

/// An officer's act. What is read keeps its bounds.
pub(crate) fn act(data: &[u8]) {
    let Ok((act, signed)) = Act::read(data) else { return };
    assert!(grant::is_name(&act.officer) && signed.body.len() <= grant::act::MAX_ACT_BYTES);
    if let Deed::Request(wish) = &act.deed {
        assert!(!wish.meters.is_empty() && wish.meters.is_sorted());
    }
}

pub(crate) fn acts() -> Vec<Vec<u8>> {
    let signer = seal::sign::Signer::from_seed(&base::Secret::new([3; 32]));
    let key = Some(RecipientKey::Age(vec![9; 32]));
    let meters = vec!["KAM-10000001".to_owned(), "KAM-10000002".to_owned()];
    let deeds = [
        Deed::Register(RegisterRecipient { name: "Acme".to_owned(), key }),
        Deed::Request(RequestHandover { recipient: 1, meters, reason: "sold".to_owned() }),
        Deed::Approve(ApproveHandover { handover: 1, digest: vec![1; 32] }),
    ];
    let sign = |deed| grant::act::sign_act([1; 32], "anna", deed, base::UtcMillis(1), &signer);
    deeds.into_iter().filter_map(|deed| sign(deed).ok()).collect()
}
