//! Mode 10: AES-128-CCM under a key of key derivation function A (EN 13757-7 clauses 9.3 and 9.6).
//!
//! Nonce: `M ID Ver Type`, 00, message counter high byte first. Associated data: the transport header from its CI byte
//! to where its counter begins. The tag, of 4, 8, 12 or 16 bytes, is the end of the telegram.

use std::ops::Range;

use aes::Aes128;
use aes::cipher::array::ArraySize;
use ccm::aead::AeadInOut as _;
use ccm::consts::{U4, U8, U12, U13, U16};
use ccm::{Ccm, KeyInit as _, TagSize};

use super::header::{Damage, Header, MAX_FRAME};
use super::kdf::{Purpose, derive};
use super::mode::Unsupported;
use super::open::OpenError;

/// What mode 10 takes from the headers beside the encrypted range.
pub(super) struct Mode10 {
    pub(super) counter: [u8; 4],
    pub(super) tag: Range<usize>,
    id: [u8; 4],
    nonce: [u8; 13],
    associated: Range<usize>,
}

impl Mode10 {
    pub(super) fn of(header: &Header, encrypted: &Range<usize>) -> Result<Self, OpenError> {
        let unsupported = |name| Err(OpenError::Unsupported(Unsupported { number: Some(10), name }));
        let Some(tpl) = &header.tpl else { return unsupported("without a transport header") };
        if header.afl.as_ref().is_some_and(super::Afl::is_fragment) {
            return unsupported("message in several fragments");
        }
        if tpl.kdf() != Some(1) {
            return unsupported("without key derivation function A");
        }
        let afl_counter = header.afl.as_ref().and_then(|afl| afl.message_counter);
        let Some(counter) = tpl.message_counter.or(afl_counter) else {
            return unsupported("without a message counter");
        };
        let tag = encrypted.end..header.body.end;
        if tag.len() != tpl.tag_len() {
            return unsupported("of a part of the data"); // no telegram or vector of this kind is public
        }
        let [m0, m1, a, b, c, d, version, device] = *header.sender.as_bytes();
        let [c0, c1, c2, c3] = counter;
        Ok(Self {
            counter,
            tag,
            id: [a, b, c, d],
            nonce: [m0, m1, a, b, c, d, version, device, 0, c3, c2, c1, c0],
            associated: header.tpdu.start..tpl.associated_end,
        })
    }
}

/// Decrypts in place if the tag fits; else leaves the frame as it is.
pub(super) fn open(
    frame: &mut [u8],
    span: &Range<usize>,
    master: &[u8; 16],
    seal: &Mode10,
) -> Result<bool, Damage> {
    match seal.tag.len() {
        4 => open_as::<U4>(frame, span, master, seal),
        8 => open_as::<U8>(frame, span, master, seal),
        12 => open_as::<U12>(frame, span, master, seal),
        _ => open_as::<U16>(frame, span, master, seal),
    }
}

/// Encrypts in place and fills the tag.
pub(super) fn protect(
    frame: &mut [u8],
    span: &Range<usize>,
    master: &[u8; 16],
    seal: &Mode10,
) -> Result<(), Damage> {
    match seal.tag.len() {
        4 => protect_as::<U4>(frame, span, master, seal),
        8 => protect_as::<U8>(frame, span, master, seal),
        12 => protect_as::<U12>(frame, span, master, seal),
        _ => protect_as::<U16>(frame, span, master, seal),
    }
}

/// The parts of a frame around the encrypted range.
struct Parts<'f> {
    associated: &'f [u8],
    data: &'f mut [u8],
    tag: &'f mut [u8],
}

fn parts<'f>(frame: &'f mut [u8], span: &Range<usize>, seal: &Mode10) -> Result<Parts<'f>, Damage> {
    let cut = Damage::Truncated(seal.tag.end);
    let (before, rest) = frame.split_at_mut_checked(span.start).ok_or(cut)?;
    let (data, rest) = rest.split_at_mut_checked(span.len()).ok_or(cut)?;
    let tag = rest.get_mut(..seal.tag.len()).ok_or(cut)?;
    let associated = before.get(seal.associated.clone()).ok_or(cut)?;
    Ok(Parts { associated, data, tag })
}

fn open_as<T: TagSize + ArraySize>(
    frame: &mut [u8],
    span: &Range<usize>,
    master: &[u8; 16],
    seal: &Mode10,
) -> Result<bool, Damage> {
    let key = derive(master, Purpose::Encrypt, seal.counter, seal.id);
    let Parts { associated, data, tag } = parts(frame, span, seal)?;
    let Ok(tag) = (&*tag).try_into() else { return Err(Damage::Truncated(seal.tag.end)) };
    // a tag that does not fit wipes the data, which the caller wants back; only joined messages are longer
    let (mut sent, mut long) = ([0; MAX_FRAME], Vec::new());
    let kept = match sent.get_mut(..data.len()) {
        Some(kept) => kept,
        None => {
            long.resize(data.len(), 0);
            long.as_mut_slice()
        }
    };
    kept.copy_from_slice(data);
    let cipher = Ccm::<Aes128, T, U13>::new((&*key).into());
    let fits =
        cipher.decrypt_inout_detached(&seal.nonce.into(), associated, (&mut *data).into(), tag).is_ok();
    if !fits {
        data.copy_from_slice(kept);
    }
    Ok(fits)
}

fn protect_as<T: TagSize + ArraySize>(
    frame: &mut [u8],
    span: &Range<usize>,
    master: &[u8; 16],
    seal: &Mode10,
) -> Result<(), Damage> {
    let key = derive(master, Purpose::Encrypt, seal.counter, seal.id);
    let Parts { associated, data, tag } = parts(frame, span, seal)?;
    let cipher = Ccm::<Aes128, T, U13>::new((&*key).into());
    let made = cipher
        .encrypt_inout_detached(&seal.nonce.into(), associated, data.into())
        .map_err(|_| Damage::Truncated(seal.tag.end))?;
    tag.iter_mut().zip(made).for_each(|(to, from)| *to = from);
    Ok(())
}
