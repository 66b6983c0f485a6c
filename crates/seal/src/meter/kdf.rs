//! Key derivation function A and the CMAC that it rests on (EN 13757-7 clause 9.6.2, RFC 4493).

use aes::Aes128Enc;
use cmac::{Cmac, KeyInit as _, Mac as _};
use zeroize::Zeroizing;

/// What a derived key is for: the derivation constant DC, for the direction meter to partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Kenc
    Encrypt,
    /// Kmac
    Authenticate,
}

impl Purpose {
    const fn constant(self) -> u8 {
        match self {
            Self::Encrypt => 0x00,
            Self::Authenticate => 0x01,
        }
    }
}

/// `CMAC(MK, DC | C | ID | 07 x 7)`; counter and identification number as they are sent, low byte first.
pub(super) fn kdf_a(master: &[u8; 16], dc: u8, counter: [u8; 4], id: [u8; 4]) -> Zeroizing<[u8; 16]> {
    let [c0, c1, c2, c3] = counter;
    let [i0, i1, i2, i3] = id;
    let mut mac = cmac(master);
    mac.update(&[dc, c0, c1, c2, c3, i0, i1, i2, i3, 7, 7, 7, 7, 7, 7, 7]);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// The ephemeral key of one message.
pub(super) fn derive(
    master: &[u8; 16],
    purpose: Purpose,
    counter: [u8; 4],
    id: [u8; 4],
) -> Zeroizing<[u8; 16]> {
    kdf_a(master, purpose.constant(), counter, id)
}

/// AES-128-CMAC under a key, ready for its input.
pub(super) fn cmac(key: &[u8; 16]) -> Cmac<Aes128Enc> {
    Cmac::new(key.into())
}
