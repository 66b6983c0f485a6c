//! Who this collector is: the files of its identity folder, each written whole and for the owner alone.

use std::path::Path;

use base::{CollectorId, Secret};
use journal::{RealDisk, read_whole, write_atomically};
use link::{Identity, Trust};
use seal::sign::{Signer, Verifier};
use serde::{Deserialize, Serialize};
use wire::Message;
use wire::gateway::EnrolBody;
use zeroize::Zeroizing;

use crate::CollectorError;

/// The file that makes an identity complete; it is written last.
const ABOUT: &str = "collector.json";
const TLS_KEY: &str = "tls-key.pem";
const TLS_CERTIFICATE: &str = "tls-cert.pem";
const SIGNING_KEY: &str = "signing.key";
const HOUSE: &str = "house-ca.pem";
/// An unfinished enrolment: the token's id, then the encoded request.
const PENDING: &str = "enrolling";
const MAX_FILE: usize = 64 * 1024;

/// What is public about an enrolled collector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Its number.
    pub collector: u32,
    /// A name for people.
    pub name: String,
    /// Where the gateway is.
    pub gateway: String,
    /// The Ed25519 key that signs batch keys, hexadecimal.
    pub core_key: String,
}

/// An enrolled collector.
pub struct Enrolled {
    /// What is public.
    pub about: About,
    /// Its number.
    pub id: CollectorId,
    /// Certificate and key for TLS.
    pub tls: Identity,
    /// Signs batches.
    pub signer: Signer,
    /// The authority that the gateway must be certified by.
    pub house: Trust,
    /// Checks batch keys.
    pub core: Verifier,
}

/// An encoded `wire::gateway::EnrolBody` whose keys are on disk.
pub(crate) struct Pending {
    pub(crate) body: Vec<u8>,
}

impl Enrolled {
    /// Reads an identity.
    ///
    /// # Errors
    /// [`CollectorError::NotEnrolled`] when there is none, [`CollectorError::Identity`] when a file is damaged.
    pub fn load(folder: &Path) -> Result<Self, CollectorError> {
        let bad = |why: String| CollectorError::Identity { path: folder.to_owned(), why };
        let about = read(folder, ABOUT)?.ok_or_else(|| CollectorError::NotEnrolled(folder.to_owned()))?;
        let about: About = serde_json::from_slice(&about).map_err(|e| bad(e.to_string()))?;
        let text = |file: &'static str| {
            let bytes = read(folder, file)?.ok_or_else(|| bad(format!("`{file}` is missing")))?;
            std::str::from_utf8(&bytes).map(|t| Zeroizing::new(t.to_owned())).map_err(|e| bad(e.to_string()))
        };
        let tls = Identity::from_pem(&text(TLS_CERTIFICATE)?, &text(TLS_KEY)?)?;
        let house = Trust::from_pem(&text(HOUSE)?)?;
        let signer = read_signer(folder)?.ok_or_else(|| bad(format!("`{SIGNING_KEY}` is missing")))?;
        let core = hex::decode(&about.core_key)
            .ok()
            .and_then(|key| Verifier::from_bytes(&key).ok())
            .ok_or_else(|| bad("the core's key is malformed".to_owned()))?;
        Ok(Self { id: CollectorId(about.collector), about, tls, signer, house, core })
    }

    /// Whether a folder holds a complete identity.
    #[must_use]
    pub fn exists(folder: &Path) -> bool {
        folder.join(ABOUT).exists()
    }

    /// Completes an enrolment: certificate and pinned keys, and last the file that makes it one.
    pub(crate) fn store(
        folder: &Path,
        about: &About,
        certificate: &str,
        house: &str,
    ) -> Result<(), CollectorError> {
        write(folder, TLS_CERTIFICATE, certificate.as_bytes())?;
        write(folder, HOUSE, house.as_bytes())?;
        write(folder, ABOUT, &serde_json::to_vec_pretty(about).unwrap_or_default())?;
        // Left behind, it does no harm: a complete identity is never enrolled again.
        _ = std::fs::remove_file(folder.join(PENDING));
        Ok(())
    }
}

impl Pending {
    /// The request for a token: the one made before for the same one (so that a crash in between does not waste
    /// the token), or a new one with new keys.
    pub(crate) fn prepare(folder: &Path, token_id: [u8; 16], name: &str) -> Result<Self, CollectorError> {
        journal::Disk::make_dir(&RealDisk, folder).map_err(CollectorError::io(folder))?;
        if let Some(body) = read(folder, PENDING)?.and_then(|p| p.strip_prefix(&token_id).map(<[u8]>::to_vec))
        {
            return Ok(Self { body });
        }
        let failed = |why: &dyn std::fmt::Display| CollectorError::Enrolment(why.to_string());
        let (tls_key, csr) = link::pki::request_certificate().map_err(|e| failed(&e))?;
        let tls_key = Zeroizing::new(tls_key);
        let signer = Signer::generate().map_err(|e| failed(&e))?;
        write(folder, TLS_KEY, tls_key.as_bytes())?;
        write(folder, SIGNING_KEY, Zeroizing::new(hex::encode(signer.expose_seed())).as_bytes())?;
        let signing_key = signer.verifier().as_bytes().to_vec();
        let body = EnrolBody { csr, signing_key, name: name.to_owned() }.encode_to_vec();
        write(folder, PENDING, &[token_id.as_slice(), &body].concat())?;
        Ok(Self { body })
    }
}

fn read_signer(folder: &Path) -> Result<Option<Signer>, CollectorError> {
    let Some(text) = read(folder, SIGNING_KEY)? else { return Ok(None) };
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim_ascii_end(), seed.as_mut_slice()).map_err(|_| {
        CollectorError::Identity {
            path: folder.to_owned(),
            why: format!("`{SIGNING_KEY}` does not hold 64 hexadecimal digits"),
        }
    })?;
    Ok(Secret::from_slice(seed.as_slice()).map(|seed| Signer::from_seed(&seed)))
}

fn read(folder: &Path, file: &str) -> Result<Option<Zeroizing<Vec<u8>>>, CollectorError> {
    Ok(read_whole(&RealDisk, &folder.join(file), MAX_FILE)?.map(Zeroizing::new))
}

fn write(folder: &Path, file: &str, bytes: &[u8]) -> Result<(), CollectorError> {
    Ok(write_atomically(&RealDisk, &folder.join(file), bytes)?)
}
