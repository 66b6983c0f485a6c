//! Targets on what decides who may do what: a utility's file of roles, approvals, and the errands inside them.

use base::{Secret, UtcMillis};
use grant::approval::{MAX_APPROVAL_BYTES, MAX_CALL_BYTES, sign_approval, sign_call};
use grant::{check_approval, check_call};
use policy::{Catalogue, Policies, matrix};
use seal::sign::Signer;
use wire::login::{LoginErrand, SessionCall};
use wire::staff::{ReviewEmergency, StaffErrand, Wish};
use wire::{Message as _, Method};

const NOW: UtcMillis = UtcMillis(1_795_449_600_000);
const HOUSE: [u8; 32] = [1; 32];

/// A file of roles. One that is read compiles, and its matrix has a line for each role.
pub(crate) fn roles(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(catalogue) = Catalogue::parse(text) else { return };
    let roles = catalogue.roles.len();
    let compiled = Policies::compile(catalogue);
    assert!(compiled.is_ok(), "a file that was read does not compile");
    let Ok(policies) = compiled else { return };
    let head = matrix(&policies).lines().next().map_or(0, |line| line.matches('|').count());
    assert_eq!(head, roles + 3, "a column for each role");
}

pub(crate) fn role_files() -> Vec<Vec<u8>> {
    let whole = Catalogue::built_in_text();
    // the two roles that a house needs, and what they are made of: small enough to be changed everywhere
    let small = "version = 1\n[purposes.administration]\ntitle = { en = \"A\", da = \"A\" }\nlegal_basis = \"GDPR Art. 32\"\n\
                 retention_days = 9\n[roles.owner]\ntitle = { en = \"O\", da = \"E\" }\npurposes = [\"administration\"]\n\
                 single_handed = true\n[roles.administrator]\ntitle = { en = \"A\", da = \"A\" }\non_shift = true\n\
                 purposes = [\"administration\"]\nprivileged = true\n";
    vec![whole.as_bytes().to_vec(), small.as_bytes().to_vec()]
}

/// An approval, and the errand in it. Only what its person signed counts.
pub(crate) fn approval(data: &[u8]) {
    let _ = StaffErrand::decode(data);
    let _ = LoginErrand::decode(data);
    let signer = signer();
    // the same key in a session: what it calls is no approval, and the other way round
    if let Ok(call) = check_call(data, "bo", &signer.verifier(), &HOUSE, NOW) {
        assert!(
            data.len() <= MAX_CALL_BYTES
                && check_approval(data, "bo", &signer.verifier(), &HOUSE, NOW).is_err()
        );
        assert!(
            SessionCall::decode(call.body.as_slice()).is_ok_and(|c| c == call_of_seed()),
            "somebody else's call counted"
        );
    }
    if let Ok(approval) = check_approval(data, "bo", &signer.verifier(), &HOUSE, NOW) {
        assert!(data.len() <= MAX_APPROVAL_BYTES && approval.person == "bo" && approval.house == HOUSE);
        let again = StaffErrand::decode(approval.errand.as_slice());
        assert!(again.is_ok_and(|errand| errand == errand_of_seed()), "somebody else's errand counted");
    }
}

fn signer() -> Signer {
    Signer::from_seed(&Secret::new([3; 32]))
}

fn errand_of_seed() -> StaffErrand {
    let review = ReviewEmergency { number: 1, justified: true, note: "seen on site".to_owned() };
    StaffErrand { wish: Some(Wish::Review(review)) }
}

fn call_of_seed() -> SessionCall {
    SessionCall { method: Method::WardenStaff.number(), body: errand_of_seed().encode_to_vec() }
}

pub(crate) fn approvals() -> Vec<Vec<u8>> {
    let errand = errand_of_seed().encode_to_vec();
    let signed = sign_approval(HOUSE, "bo", errand.clone(), NOW, &signer());
    let call = sign_call(HOUSE, "bo", call_of_seed().encode_to_vec(), NOW, &signer());
    signed.into_iter().chain(call).chain([errand]).collect()
}
