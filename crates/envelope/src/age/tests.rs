use proptest::prelude::*;

use super::*;

fn identity() -> Identity {
    let key: Secret<32> = bytes::fresh().unwrap();
    let hrp = Hrp::parse("age-secret-key-").unwrap();
    let text = bech32::encode::<Bech32>(hrp, key.expose()).unwrap().to_uppercase();
    Identity::from_file(&format!("# created: now\n# public key: age1...\n{text}\n")).unwrap()
}

#[test]
fn a_known_identity_has_its_known_receiver() {
    // the pair that the description of the format shows
    let text = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    let public = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
    let identity = Identity::from_file(text).unwrap();
    assert_eq!(identity.recipient().to_string(), public);
    assert_eq!(Recipient::from_text(public).unwrap(), identity.recipient());
    for bad in [&public[..61], &public.to_uppercase(), "age1zvkyg", "", text] {
        assert_eq!(Recipient::from_text(bad), Err(EnvelopeError::Key), "{bad}");
    }
    assert_eq!(Recipient::from_bytes([0; 32]), Err(EnvelopeError::Key), "agrees with nobody");
}

#[test]
fn contents_of_all_lengths_come_back_and_only_to_their_receiver() {
    let (receiver, other) = (identity(), identity());
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 17] {
        let content: Vec<u8> = (0..length).map(|i| (i * 7) as u8).collect();
        let container = seal(&content, &receiver.recipient()).unwrap();
        assert_eq!(open(&container, &receiver).unwrap().expose(), content, "{length}");
        assert_eq!(open(&container, &other).err(), Some(EnvelopeError::NotForThisKey));
        // a whole chunk taken away is noticed as well as a byte
        for less in [1, 16, CHUNK + TAG] {
            if let Some(cut) = container.len().checked_sub(less) {
                assert!(open(&container[..cut], &receiver).is_err(), "{length} less {less}");
            }
        }
    }
}

#[test]
fn no_changed_byte_opens() {
    let receiver = identity();
    let container = seal(b"keys", &receiver.recipient()).unwrap();
    for at in 0..container.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut changed = container.clone();
            changed[at] ^= bit;
            assert!(open(&changed, &receiver).is_err(), "byte {at}");
        }
    }
}

proptest! {
    #[test]
    fn garbage_is_refused(bytes: Vec<u8>, text: String) {
        let receiver = identity();
        prop_assert!(open(&bytes, &receiver).is_err());
        let headed = [VERSION_LINE.as_bytes(), b"\n", &bytes].concat();
        prop_assert!(open(&headed, &receiver).is_err());
        prop_assert!(Recipient::from_text(&text).is_err());
    }
}
