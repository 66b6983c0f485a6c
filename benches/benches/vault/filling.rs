//! A vault that is filled in this process before it is started as one of its own, and telegrams of its meters.

use std::sync::Arc;

use base::{Secret, SecretBytes, UtcMillis};
use grant::{Action, Event, Grant, Issuer, Outcome, Purpose, Scope};
use house::{Counters, Layout};
use journal::RealDisk;
use seal::hybrid::PublicKey;
use seal::meter::protect;
use seal::sign::Signer;
use sha2::{Digest, Sha256};
use tlog::key::LogSigner;
use vault::{Limits, Pinned, Vault};
use wire::Message as _;
use wire::archive::NewMeter;
use wire::vault::{ImportKeys, KEY_LIST_INFO, KeyItem, KeyList};

/// Telegrams of one batch.
pub(crate) const BATCH: usize = 512;

/// A meter's key.
pub(crate) fn key(n: u32) -> [u8; 16] {
    *Sha256::digest(n.to_le_bytes()).first_chunk().unwrap_or(&[0; 16])
}

/// A meter's number.
pub(crate) fn serial(n: u32) -> String {
    format!("{:08}", n + 10_000_000)
}

/// 43 bytes under the extended link layer, or 47 in mode 5, or 67 in mode 7: a third each.
pub(crate) fn telegram(n: u32, round: u32) -> Vec<u8> {
    let mut id = hex::decode(serial(n)).unwrap_or_default();
    id.reverse();
    let mut f = vec![0, 0x44, 0x2d, 0x2c];
    f.extend(id);
    f.extend([0x1b, 0x16]);
    let records = [0x2f, 0x2f, 0x04, 0x13, round as u8, 2, 3, 4].repeat(4);
    match n % 3 {
        0 => {
            f.extend([0x8d, 0x20, round as u8]);
            f.extend((1u32 << 29 | 1_000_000 << 4 | round).to_le_bytes());
            f.extend([0, 0, 0x78]);
            f.extend(&records[8..32]);
        }
        1 => {
            f.extend([0x7a, round as u8, 0, 0x20, 0x05]);
            f.extend(&records);
        }
        _ => {
            f.extend([0x8c, 0x20, round as u8, 0x90, 15, 0x00, 0x2c, 0x25]);
            f.extend(round.to_le_bytes());
            f.extend([0; 8]);
            f.extend([0x7a, round as u8, 0, 0x20, 0x07, 0x10]);
            f.extend(&records);
        }
    }
    f[0] = (f.len() - 1) as u8;
    protect(&mut f, &key(n)).expect("a frame that is laid out right");
    f
}

/// A vault, opened here with a warden and a ledger that are this program's own.
pub(crate) struct Filling {
    vault: Vault,
    public: PublicKey,
    warden: Signer,
    log: Issuer,
}

impl Filling {
    /// Opens the vault of a house that does not run.
    pub(crate) fn new(layout: &Layout, passphrase: &str) -> Self {
        let signer = || Signer::generate().expect("randomness");
        let warden = signer();
        let key = LogSigner::from_seed("bench/log", &Secret::random().expect("randomness")).expect("a key");
        let log = Issuer::new(key, 1 << 16);
        let pinned = Pinned { warden: warden.verifier(), ledger: log.verifier() };
        let proof = vault::Proof::Passphrase(SecretBytes::new(passphrase.as_bytes().to_vec()));
        let counters = Arc::new(Counters::new());
        let vault = Vault::open(Arc::new(RealDisk), layout, &proof, pinned, Limits::default(), counters);
        let text = std::fs::read_to_string(layout.public(vault::IMPORT_PUBLIC)).expect("a public key");
        let public = PublicKey::from_bytes(&hex::decode(text.trim_end()).expect("hex")).expect("a key");
        Self { vault: vault.expect("opened"), public, warden, log }
    }

    /// Puts keys of so many thousand meters in.
    pub(crate) fn import(mut self, meters: u32) -> Self {
        (0..meters).step_by(1000).for_each(|from| self.import_thousand(from));
        self
    }

    /// Closes it, so that its own process can open it.
    pub(crate) fn close(self) {
        self.vault.close(UtcMillis::now()).expect("closed");
    }

    fn import_thousand(&mut self, from: u32) {
        let Self { vault, public, warden, log } = self;
        let now = UtcMillis::now();
        let session = Signer::generate().expect("randomness");
        let (mut list, mut meters, mut aad) = (KeyList::default(), Vec::new(), Vec::new());
        for n in from..from + 1000 {
            let address = format!("KAM-{}", serial(n));
            aad.extend(Sha256::digest(&address));
            meters.push(NewMeter { address, ..NewMeter::default() });
            let (manufacturer, role) = ("KAM".to_owned(), "DEK".to_owned());
            list.items.push(KeyItem {
                manufacturer,
                serial: serial(n),
                role,
                key: key(n).to_vec(),
                decoy: false,
            });
        }
        let sealed = public.seal_to(KEY_LIST_INFO, &aad, &list.encode_to_vec()).expect("sealed");
        let body = wire::archive::ImportKeys {
            meters,
            enc: sealed.enc,
            sealed: sealed.ciphertext,
            ..Default::default()
        };
        let grant = Grant {
            id: [1; 16],
            person: "bench".to_owned(),
            role: "owner".to_owned(),
            purpose: Purpose::KeyImport,
            actions: [Action::ImportKeys].into(),
            scope: Scope::nothing(),
            not_before: now,
            until: now.plus(3_600_000),
            session_key: *session.verifier().as_bytes(),
            case: 0,
        };
        let request = grant::sign_request(
            &grant.sign(&*warden),
            Action::ImportKeys,
            body.encode_to_vec(),
            now,
            &session,
        );
        let request = request.expect("signed");
        let event = Event {
            on_behalf: grant.person.clone(),
            grant_id: Some(grant.id),
            request_hash: Some(grant::request_hash(&request)),
            ..Event::new(now, "archive", "import-keys", Outcome::Allowed)
        }
        .encode();
        let receipt = log.record(&event, now, vault.log_seen().size).expect("recorded");
        let message = ImportKeys { request, event, receipt, meters: (from..from + 1000).collect() };
        let report = vault.import_keys(&message, now).expect("imported");
        assert!(report.outcomes.iter().all(|o| o == "imported"), "{:?}", report.outcomes.first());
    }
}
