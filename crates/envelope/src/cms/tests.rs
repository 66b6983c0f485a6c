use base::UtcMillis;
use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, KeyPair};
use x509_parser::prelude::FromDer as _;

use super::*;

const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

/// A key pair with its certificate, as a receiver would have.
struct Party {
    pkcs8: Vec<u8>,
    certificate: Vec<u8>,
    recipient: Option<Recipient>,
    point: Vec<u8>,
    named: (Vec<u8>, Vec<u8>),
}

fn party(pair: &KeyPair) -> Party {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Fjernvarme Æblø");
    let certificate = params.self_signed(pair).unwrap().der().to_vec();
    let (_, x509) = x509_parser::certificate::X509Certificate::from_der(&certificate).unwrap();
    let spki = x509.public_key().raw.to_vec();
    let point = x509.public_key().subject_public_key.data.to_vec();
    let named = (x509.issuer().as_raw().to_vec(), x509.raw_serial().to_vec());
    let key = PublicKey::from_spki(&spki);
    let recipient = key.ok().map(|key| Recipient::new(key, &named.0, &named.1).unwrap());
    Party { pkcs8: pair.serialize_der(), certificate: certificate.clone(), recipient, point, named }
}

fn p256() -> Party {
    party(&KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap())
}

fn p384() -> Party {
    party(&KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap())
}

fn rsa(size: rcgen::RsaKeySize) -> Party {
    party(&KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap())
}

fn to(party: &Party) -> Recipient {
    party.recipient.clone().unwrap()
}

fn key(party: &Party) -> PrivateKey {
    PrivateKey::from_pkcs8(&party.pkcs8).unwrap()
}

#[test]
fn each_receiver_opens_what_is_sealed_to_all_and_nobody_else_does() {
    let all = [p256(), p384(), rsa(rcgen::RsaKeySize::_3072), p256()];
    let container = seal(b"a list of keys", &all.iter().map(to).collect::<Vec<_>>()).unwrap();
    for one in &all {
        assert_eq!(key(one).open(&container).unwrap().expose(), b"a list of keys");
    }
    for stranger in [p256(), p384(), rsa(rcgen::RsaKeySize::_3072)] {
        assert_eq!(key(&stranger).open(&container).err(), Some(EnvelopeError::NotForThisKey));
    }
    let again = seal(b"a list of keys", &[to(&all[0])]).unwrap();
    assert_ne!(again, seal(b"a list of keys", &[to(&all[0])]).unwrap(), "fresh keys each time");
    assert_eq!(seal(b"", &[]), Err(EnvelopeError::Key));
    assert!(!container.windows(14).any(|w| w == b"a list of keys"));
}

#[test]
fn keys_that_are_short_or_of_other_kinds_do_not_receive() {
    assert_eq!(rsa(rcgen::RsaKeySize::_2048).recipient, None, "an RSA key of 2048 bits");
    assert_eq!(party(&KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap()).recipient, None);
    let good = to(&p256());
    let mut spki = good.key().as_spki().to_vec();
    *spki.last_mut().unwrap() ^= 1;
    assert_eq!(PublicKey::from_spki(&spki), Err(EnvelopeError::Key), "a point beside the curve");
    assert_eq!(PublicKey::from_spki(&spki[..90]), Err(EnvelopeError::Key));
    assert_eq!(Recipient::new(good.key().clone(), b"no name", b"\x01"), Err(EnvelopeError::Form));
    assert_eq!(Recipient::new(good.key().clone(), &good.issuer, b""), Err(EnvelopeError::Form));
}

#[test]
fn a_list_is_believed_by_the_key_that_signed_it_and_no_other() {
    let (house, other) = (p256(), p256());
    let signer = Signer::new(&house.pkcs8, &house.certificate, &house.named.0, &house.named.1).unwrap();
    let signed = signer.sign(b"content", NOW).unwrap();
    assert_eq!(verify(&signed, &house.point).unwrap(), b"content");
    assert_eq!(verify(&signed, &other.point), Err(EnvelopeError::Signature));
    let at = signed.windows(7).position(|w| w == b"content").unwrap();
    let mut changed = signed.clone();
    changed[at] ^= 1;
    assert_eq!(verify(&changed, &house.point), Err(EnvelopeError::Signature));
    assert!(verify(&seal(b"content", &[to(&house)]).unwrap(), &house.point).is_err(), "sealed is not signed");
}

#[test]
fn a_record_of_a_signed_list_is_believed_only_as_it_was_signed() {
    let house = p256();
    let signer = Signer::new(&house.pkcs8, &house.certificate, &house.named.0, &house.named.1).unwrap();
    let read = read_signed(&signer.sign(b"content", NOW).unwrap()).unwrap();
    assert!(is_signed_by(&read, &house.point) && !is_signed_by(&read, &p256().point));
    let changed = |change: &dyn Fn(&mut crate::record::Signed)| {
        let mut record = read.clone();
        change(&mut record);
        is_signed_by(&record, &house.point)
    };
    assert!(!changed(&|r| r.content.push(b'x')), "another content");
    assert!(!changed(&|r| r.signers.clear()), "no signer");
    for at in 0..read.signers[0].attributes.len() {
        assert!(!changed(&|r| r.signers[0].attributes[at] ^= 1), "attribute byte {at}");
    }
    // what another list was signed with does not serve for this one
    let other = read_signed(&signer.sign(b"other", NOW).unwrap()).unwrap();
    assert!(!changed(&|r| r.signers.clone_from(&other.signers)));
    assert!(changed(&|r| r.signers.insert(0, other.signers[0].clone())), "one of them is enough");
}

#[test]
fn a_container_read_to_its_record_opens_as_the_container_does() {
    let (receiver, other) = (p256(), p384());
    let container = seal(b"keys", &[to(&other), to(&receiver)]).unwrap();
    let record = read(&container).unwrap();
    assert_eq!((record.keys.len(), record.unknown.as_str()), (2, ""));
    let keys: Vec<_> =
        record.keys.iter().filter_map(|wrapped| key(&receiver).content_key(wrapped).unwrap()).collect();
    assert_eq!(keys.len(), 1);
    assert_eq!(open_content(&record, &keys[0]).unwrap().expose(), b"keys");
    let mut changed = record.clone();
    changed.body[0] ^= 1;
    assert_eq!(open_content(&changed, &keys[0]).err(), Some(EnvelopeError::Changed));
    changed.nonce.push(0);
    assert_eq!(open_content(&changed, &keys[0]).err(), Some(EnvelopeError::Form));
}

#[test]
fn no_changed_byte_opens() {
    let receiver = p256();
    let container = seal(b"keys", &[to(&receiver)]).unwrap();
    let private = key(&receiver);
    // the name of the receiver is for programs that look for a key; nothing rests on it
    let name = to(&receiver).name().unwrap();
    let named = der::Encode::to_der(&name).unwrap();
    let from = container.windows(named.len()).position(|w| w == named).unwrap();
    for at in (0..container.len()).filter(|at| !(from..from + named.len()).contains(at)) {
        for bit in [0x01, 0x80] {
            let mut changed = container.clone();
            changed[at] ^= bit;
            let opened = private.open(&changed);
            assert!(opened.is_err(), "byte {at} of {}", container.len());
        }
    }
    for end in 0..container.len() {
        assert!(private.open(&container[..end]).is_err(), "cut at {end}");
    }
}

proptest! {
    #[test]
    fn garbage_is_refused(bytes: Vec<u8>) {
        let receiver = p256();
        prop_assert!(key(&receiver).open(&bytes).is_err());
        prop_assert!(verify(&bytes, &receiver.point).is_err());
        prop_assert!(PublicKey::from_spki(&bytes).is_err());
    }
}
