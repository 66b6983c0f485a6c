//! Containers that suppliers seal to the house.

use envelope::record::{Agreed, Hybrid, Stanza, Way, WrappedKey};
use envelope::{age, cms};
use seal::hybrid::{KeyPair, Sealed};
use seal::parcel::{self, Parcel};
use wire::custody::{AddressWish, Carried, MAX_WRAPPED, UNWRAPPED_INFO, Unwrap};

use super::*;
use crate::containers::PERSONAL_CONTAINERS;

const CONTENT: &[u8] = b"KAM;10000001;the key\n";

impl House {
    /// What the vault makes of wrapped keys.
    fn unwrap(&self, keys: &[WrappedKey]) -> Result<Vec<u8>, Failure> {
        let session = KeyPair::generate().unwrap();
        let digest = [9; 32];
        let wish = Unwrap {
            digest: digest.to_vec(),
            source: "list.age".to_owned(),
            keys: keys.iter().map(Message::encode_to_vec).collect(),
            answer_to: session.public().as_bytes().to_vec(),
        };
        let answer = self.carry(Carried::Unwrap(wish))?;
        assert_eq!(answer.done, "key of the container `list.age` opened for `anna`");
        let sealed = Sealed::from_slice(&answer.container).unwrap();
        assert!(session.open(UNWRAPPED_INFO, &[8; 32], &sealed.enc, &sealed.ciphertext).is_err());
        Ok(session.open(UNWRAPPED_INFO, &digest, &sealed.enc, &sealed.ciphertext).unwrap())
    }

    fn address(&self) -> wire::custody::Address {
        self.carry(Carried::Address(AddressWish {})).unwrap().address.unwrap()
    }
}

fn hybrid(file: &[u8]) -> WrappedKey {
    let parcel = Parcel::read(file).unwrap();
    let (enc, wrapped) = (parcel.enc.to_vec(), parcel.wrapped.to_vec());
    WrappedKey::by(Way::Hybrid(Hybrid { enc, wrapped }))
}

#[test]
fn a_containers_key_is_opened_for_this_house_and_its_content_never_comes_here() {
    let mut house = House::new();
    let address = house.address();
    assert!(address.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
    let recipient = age::Recipient::from_bytes(address.age.clone().try_into().unwrap()).unwrap();
    let container = age::read(&age::seal(CONTENT, &recipient).unwrap()).unwrap();
    // the same after a restart: suppliers keep what they were given
    house.restart();
    assert_eq!(house.address(), address);
    let key = house.unwrap(&container.keys).unwrap();
    let opened = age::open_content(&container, &base::Secret::from_slice(&key).unwrap()).unwrap();
    assert_eq!(opened.expose(), CONTENT);

    let file = parcel::seal(CONTENT, &house.import_key()).unwrap();
    let own = house.unwrap(&[hybrid(&file)]).unwrap();
    let opened = Parcel::read(&file).unwrap().open(&base::Secret::from_slice(&own).unwrap()).unwrap();
    assert_eq!(opened.expose(), CONTENT);
    for secret in [&key, &own] {
        assert!(!has(&house.disk, secret), "a container's key lies on the disk");
    }
}

#[test]
fn what_is_for_another_house_or_no_key_at_all_opens_nothing() {
    let (house, other) = (House::new(), House::new());
    assert_ne!(house.address(), other.address());
    let refused = |keys: &[WrappedKey]| code(house.unwrap(keys));
    let theirs = age::Recipient::from_bytes(other.address().age.try_into().unwrap()).unwrap();
    let container = age::read(&age::seal(CONTENT, &theirs).unwrap()).unwrap();
    assert_eq!(refused(&container.keys), "container-elsewhere");
    assert_eq!(
        refused(&[hybrid(&parcel::seal(CONTENT, &other.import_key()).unwrap())]),
        "container-elsewhere"
    );
    assert_eq!(refused(&[]), "container-elsewhere");
    let ours = age::Recipient::from_bytes(house.address().age.try_into().unwrap()).unwrap();
    let good = age::read(&age::seal(CONTENT, &ours).unwrap()).unwrap().keys.remove(0);
    let Some(Way::Age(stanza)) = good.way.clone() else { panic!("a stanza") };
    let changed = |share: Vec<u8>, wrapped: Vec<u8>| WrappedKey::by(Way::Age(Stanza { share, wrapped }));
    let flip = |bytes: &[u8]| [&[bytes[0] ^ 1], &bytes[1..]].concat();
    for bad in [
        changed(flip(&stanza.share), stanza.wrapped.clone()),
        changed(stanza.share.clone(), flip(&stanza.wrapped)),
        changed(vec![0; 32], stanza.wrapped.clone()),
        changed(stanza.share[1..].to_vec(), stanza.wrapped.clone()),
        changed(stanza.share.clone(), Vec::new()),
        // points beside the curve, of another curve, and none
        WrappedKey::by(Way::Agreed(Agreed { point: vec![4; 65], ukm: None, wrapped: vec![0; 40] })),
        WrappedKey::by(Way::Agreed(Agreed { point: vec![4; 97], ukm: None, wrapped: vec![0; 40] })),
        WrappedKey::by(Way::Agreed(Agreed {
            point: Vec::new(),
            ukm: Some(vec![0; 1000]),
            wrapped: vec![0; 40],
        })),
        WrappedKey::by(Way::Transported(vec![1; 384])),
        WrappedKey::by(Way::Hybrid(Hybrid { enc: vec![0; 1120], wrapped: vec![0; 48] })),
        // a list of keys that a client sealed for an import is no container
        {
            let sealed = house.import_key().seal_to(KEY_LIST_INFO, parcel::MAGIC, &[7; 32]).unwrap();
            WrappedKey::by(Way::Hybrid(Hybrid { enc: sealed.enc, wrapped: sealed.ciphertext }))
        },
        WrappedKey::default(),
    ] {
        assert_eq!(refused(std::slice::from_ref(&bad)), "container-elsewhere", "{bad:?}");
        // beside the right one it does no harm
        assert_eq!(house.unwrap(&[bad, good.clone()]).unwrap().len(), 16);
    }
    assert_eq!(refused(&vec![good.clone(); MAX_WRAPPED + 1]), "malformed");
    assert!(cms::read(CONTENT).is_err());
    let with = |wish: Unwrap| code(house.carry(Carried::Unwrap(wish)));
    let key = good.encode_to_vec();
    let wish = || Unwrap {
        digest: vec![9; 32],
        source: String::new(),
        keys: vec![key.clone()],
        answer_to: house.import_key().as_bytes().to_vec(),
    };
    assert_eq!(with(Unwrap { digest: vec![9; 31], ..wish() }), "malformed");
    assert_eq!(with(Unwrap { answer_to: vec![1; 32], ..wish() }), "malformed");
    assert_eq!(with(Unwrap { keys: vec![vec![0xff; 3]], ..wish() }), "malformed");
}

#[test]
fn one_person_opens_so_many_containers_an_hour_and_no_more() {
    let house = House::new();
    for _ in 0..PERSONAL_CONTAINERS {
        assert_eq!(code(house.unwrap(&[])), "container-elsewhere");
    }
    assert_eq!(code(house.unwrap(&[])), "rate-limited");
}
