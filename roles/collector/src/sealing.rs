//! Numbering, sealing and signing: from a batch's body to what leaves the house's edge.

use base::{CollectorId, UtcMillis};
use seal::hybrid::PublicKey;
use seal::sign::Signer;
use sha2::{Digest, Sha256};
use wire::Message;
use wire::batch::{Gap, Header, MAX_BATCH_BYTES, SEAL_INFO, SIGNATURE_DOMAIN, Signed};

use crate::CollectorError;

/// Signs in this collector's name.
pub struct Sealer {
    collector: CollectorId,
    signer: Signer,
}

impl Sealer {
    /// A sealer for an enrolled collector.
    #[must_use]
    pub const fn new(collector: CollectorId, signer: Signer) -> Self {
        Self { collector, signer }
    }

    /// Seals a batch's body to the intake and signs header and ciphertext; gives an encoded [`Signed`].
    ///
    /// # Errors
    /// When the batch is larger than the gateway takes, which 1,024 frames of 255 bytes are not.
    pub fn seal(
        &self,
        place: Place,
        key: (u32, &PublicKey),
        body: &[u8],
        count: u32,
    ) -> Result<Vec<u8>, CollectorError> {
        let (key_id, public) = key;
        let header = self.header(place, key_id, count, None);
        let sealed =
            public.seal_to(SEAL_INFO, &header, body).map_err(|e| CollectorError::Seal(e.to_string()))?;
        let signed = self.signed(header, sealed.enc, sealed.ciphertext);
        if signed.len() > MAX_BATCH_BYTES {
            return Err(CollectorError::Seal(format!(
                "a batch has {} bytes, more than the gateway takes",
                signed.len()
            )));
        }
        Ok(signed)
    }

    /// Signs a gap statement at its last number; gives an encoded [`Signed`].
    #[must_use]
    pub fn gap(&self, place: Place, gap: Gap) -> Vec<u8> {
        self.signed(self.header(place, 0, 0, Some(gap)), Vec::new(), Vec::new())
    }

    fn header(&self, place: Place, key_id: u32, count: u32, gap: Option<Gap>) -> Vec<u8> {
        let Place { epoch, seq, closed } = place;
        Header { collector: self.collector.0, epoch, seq, key_id, count, closed_ms: closed.0, gap }
            .encode_to_vec()
    }

    fn signed(&self, header: Vec<u8>, enc: Vec<u8>, sealed: Vec<u8>) -> Vec<u8> {
        let message = [&header, &enc, &sealed].map(|part| <[u8; 32]>::from(Sha256::digest(part))).concat();
        let signature = self.signer.sign(SIGNATURE_DOMAIN, &message).to_vec();
        Signed { header: header.into(), enc: enc.into(), sealed: sealed.into(), signature: signature.into() }
            .encode_to_vec()
    }
}

/// Where a batch stands, and when it was closed.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The spool's life.
    pub epoch: u64,
    /// Its number.
    pub seq: u64,
    /// Wall clock.
    pub closed: UtcMillis,
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal::hybrid::KeyPair;

    #[test]
    fn a_batch_opens_only_for_the_intake_and_only_as_signed() {
        let (signer, pair) = (Signer::generate().unwrap(), KeyPair::generate().unwrap());
        let verifier = signer.verifier();
        let sealer = Sealer::new(CollectorId(7), signer);
        let place = Place { epoch: 9, seq: 3, closed: UtcMillis(1000) };
        let bytes = sealer.seal(place, (5, pair.public()), b"body", 2).unwrap();
        let signed = Signed::decode(bytes.as_slice()).unwrap();
        let header = Header::decode(signed.header.clone()).unwrap();
        assert_eq!(
            (header.collector, header.epoch, header.seq, header.key_id, header.count),
            (7, 9, 3, 5, 2)
        );
        let message = [&signed.header, &signed.enc, &signed.sealed]
            .map(|p| <[u8; 32]>::from(Sha256::digest(p)))
            .concat();
        verifier.verify(SIGNATURE_DOMAIN, &message, &signed.signature).unwrap();
        assert_eq!(pair.open(SEAL_INFO, &signed.header, &signed.enc, &signed.sealed).unwrap(), b"body");
        let moved = Header { seq: 4, ..header }.encode_to_vec();
        assert!(pair.open(SEAL_INFO, &moved, &signed.enc, &signed.sealed).is_err(), "no other place");
    }
}
