//! The encrypting direction, for simulated meters and for tests.

use aes::Aes128Enc;
use aes::cipher::{Array, BlockModeEncrypt as _, KeyIvInit as _};
use cmac::Mac as _;

use super::ccm::{self, Mode10};
use super::crc::crc16;
use super::header::{Damage, Header};
use super::kdf::{Purpose, cmac, derive};
use super::mode::Mode;
use super::open::{Mode7, OpenError, apply_ctr, cut, ell_iv, mac_input, mode5_iv, na1_iv};

/// Encrypts a frame that is laid out in clear, in place, as its headers say: mode 5; mode 7, whose MAC field
/// is filled; mode 10, whose tag is filled; extended link layer, whose payload CRC is filled. The checksum of a wired frame is renewed.
///
/// # Errors
/// [`OpenError::NotEncrypted`] when the header declares none, [`OpenError::Damaged`] when the layout does not fit
/// or the clear part of modes 5 and 7 does not begin with `2F 2F`, [`OpenError::Unsupported`] for other modes.
pub fn protect(frame: &mut [u8], key: &[u8; 16]) -> Result<(), OpenError> {
    let header = Header::read(frame)?;
    let mode = header.mode().map_err(OpenError::Unsupported)?;
    let span = header.encrypted(mode)?;
    match mode {
        // a unit of DLMS is no telegram with these headers
        Mode::None | Mode::Dlms(_) => return Err(OpenError::NotEncrypted),
        Mode::Mode5 => encrypt_cbc(cut(frame, &span)?, key, &mode5_iv(&header))?,
        Mode::Mode7 => {
            let seal = Mode7::of(&header)?;
            let kenc = derive(key, Purpose::Encrypt, seal.counter, seal.id);
            encrypt_cbc(cut(frame, &span)?, &kenc, &[0; 16])?;
            let kmac = derive(key, Purpose::Authenticate, seal.counter, seal.id);
            let mut mac = cmac(&kmac);
            mac_input(frame, &header).iter().for_each(|part| mac.update(part));
            let mac = mac.finalize().into_bytes();
            cut(frame, &seal.mac)?.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
        }
        Mode::Mode10 => ccm::protect(frame, &span, key, &Mode10::of(&header, &span)?)?,
        Mode::ApatorNa1 => {
            let iv = na1_iv(frame, &header);
            encrypt_blocks(cut(frame, &span)?, key, &iv, &[0x2f])?;
        }
        Mode::EllCtr => {
            let session = header.ell.as_ref().and_then(|ell| ell.session.as_ref());
            let iv = ell_iv(&header, session.ok_or(OpenError::NotEncrypted)?);
            let data = cut(frame, &span)?;
            if let Some((crc, rest)) = data.split_first_chunk_mut() {
                *crc = crc16(rest).to_le_bytes();
            }
            apply_ctr(data, key, &iv);
        }
    }
    renew_checksum(frame);
    Ok(())
}

fn encrypt_cbc(data: &mut [u8], key: &[u8; 16], iv: &[u8; 16]) -> Result<(), Damage> {
    encrypt_blocks(data, key, iv, &[0x2f, 0x2f])
}

fn encrypt_blocks(data: &mut [u8], key: &[u8; 16], iv: &[u8; 16], filler: &[u8]) -> Result<(), Damage> {
    if !data.starts_with(filler) {
        return Err(Damage::Filler);
    }
    let (blocks, _) = Array::slice_as_chunks_mut(data);
    cbc::Encryptor::<Aes128Enc>::new(key.into(), iv.into()).encrypt_blocks(blocks);
    Ok(())
}

/// A wired frame ends in a checksum, which has to follow its content.
pub(super) fn renew_checksum(frame: &mut [u8]) {
    if let [0x68, l1, l2, 0x68, inner @ .., sum, 0x16] = frame
        && l1 == l2
        && inner.len() == usize::from(*l1)
    {
        *sum = inner.iter().fold(0, |acc: u8, b| acc.wrapping_add(*b));
    }
}
