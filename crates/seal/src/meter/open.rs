//! Opening: from a telegram and its meter's key to the plaintext.

use std::ops::Range;

use aes::cipher::{Array, BlockModeDecrypt as _, KeyIvInit as _};
use aes::{Aes128Dec, Aes128Enc};
use cmac::Mac as _;
use ctr::cipher::StreamCipher as _;

use super::ccm::{self, Mode10};
use super::crc::crc16;
use super::header::{Damage, Header, HeaderError};
use super::kdf::{Purpose, cmac, derive};
use super::layer::Session;
use super::mode::{Check, Mode, Unsupported};
use super::protect::renew_checksum;

/// A telegram that opened, whose frame now holds plaintext (and, if wired, a checksum that fits it).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The headers.
    pub header: Header,
    /// How it was protected.
    pub mode: Mode,
    /// What told that the key fits.
    pub check: Check,
    /// The counter that may only grow: session number (minutes << 4 | telegram) of the extended link layer,
    /// message counter of modes 7 and 10. Mode 5 has none.
    pub counter: Option<u32>,
    /// The access number, a hint of 8 bits.
    pub access_number: Option<u8>,
    /// The bytes that were encrypted and are plaintext now. In modes 5 and 7 they begin with `2F 2F`, under
    /// the extended link layer with the CI byte of the inner unit.
    pub payload: Range<usize>,
    /// Bytes after the encrypted part that anybody may have written (modes 5 and 7; a MAC covers them in 7).
    pub clear_tail: Range<usize>,
}

/// Why a telegram does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The plaintext fails its check: another key, or a telegram changed on its way.
    #[error("the key does not fit this telegram")]
    WrongKey,
    /// The MAC does not fit: changed on its way, or another key. Nothing was decrypted.
    #[error("the telegram's MAC does not fit its content and this key")]
    MacMismatch,
    /// Its parts do not fit together.
    #[error("the telegram is damaged: {0}")]
    Damaged(#[from] Damage),
    /// Protection that is not built.
    #[error("{0} is not supported")]
    Unsupported(Unsupported),
    /// The header declares encryption and the payload lies in clear.
    #[error("the header declares encryption and the payload lies in clear")]
    ClearUnderEncryptedHeader,
    /// The header declares no encryption.
    #[error("the telegram is not encrypted")]
    NotEncrypted,
}

impl From<HeaderError> for OpenError {
    fn from(error: HeaderError) -> Self {
        match error {
            HeaderError::Damaged(damage) => Self::Damaged(damage),
            HeaderError::Unsupported(what) => Self::Unsupported(what),
        }
    }
}

/// Opens into a new frame.
///
/// # Errors
/// See [`OpenError`].
pub fn open(frame: &[u8], key: &[u8; 16]) -> Result<(Opened, Vec<u8>), OpenError> {
    let mut plain = frame.to_vec();
    let opened = open_in_place(&mut plain, key)?;
    Ok((opened, plain))
}

/// Opens in the caller's buffer, without allocation. After an error the buffer is as it was.
///
/// # Errors
/// See [`OpenError`].
pub fn open_in_place(frame: &mut [u8], key: &[u8; 16]) -> Result<Opened, OpenError> {
    let header = Header::read(frame)?;
    open_with(frame, key, header)
}

/// Opens in the caller's buffer with the header that was read of it, for a caller who needed the header to
/// find the key. After an error the buffer is as it was.
///
/// # Errors
/// See [`OpenError`].
pub fn open_with(frame: &mut [u8], key: &[u8; 16], header: Header) -> Result<Opened, OpenError> {
    let opened = match header.mode().map_err(OpenError::Unsupported)? {
        Mode::None => {
            check_clear_crc(frame, &header)?;
            return Err(OpenError::NotEncrypted);
        }
        Mode::Mode5 => open_mode5(frame, key, header)?,
        Mode::Mode7 => open_mode7(frame, key, header)?,
        Mode::Mode10 => open_mode10(frame, key, header)?,
        Mode::EllCtr => open_ell(frame, key, header)?,
        // a unit of DLMS is no telegram with these headers
        Mode::Dlms(_) => return Err(OpenError::NotEncrypted),
        Mode::ApatorNa1 => open_na1(frame, key, header)?,
    };
    renew_checksum(frame);
    Ok(opened)
}

fn open_mode5(frame: &mut [u8], key: &[u8; 16], header: Header) -> Result<Opened, OpenError> {
    check_clear_crc(frame, &header)?;
    let span = header.encrypted(Mode::Mode5)?;
    let data = cut(frame, &span)?;
    if !decrypt_cbc(data, key, &mode5_iv(&header), FILLER) {
        return Err(if data.starts_with(&[0x2f, 0x2f]) {
            OpenError::ClearUnderEncryptedHeader
        } else {
            OpenError::WrongKey
        });
    }
    Ok(opened(header, Mode::Mode5, Check::Fill2F2F, None, span))
}

/// `M ID Ver Type` and eight times the access number (EN 13757-7 clause 9.4).
pub(super) fn mode5_iv(header: &Header) -> [u8; 16] {
    let mut iv = [header.tpl.as_ref().map_or(0, |tpl| tpl.access_number); 16];
    iv.iter_mut().zip(header.sender.as_bytes()).for_each(|(to, from)| *to = *from);
    iv
}

fn open_mode7(frame: &mut [u8], key: &[u8; 16], header: Header) -> Result<Opened, OpenError> {
    check_clear_crc(frame, &header)?;
    let span = header.encrypted(Mode::Mode7)?;
    let seal = Mode7::of(&header)?;
    let data = cut(frame, &span)?;
    let looks_clear = data.starts_with(&[0x2f, 0x2f]);
    let received = frame.get(seal.mac.clone()).unwrap_or_default();
    let kmac = derive(key, Purpose::Authenticate, seal.counter, seal.id);
    let mac = mac_input(frame, &header).into_iter().fold(cmac(&kmac), |mut mac, part| {
        mac.update(part);
        mac
    });
    if mac.verify_truncated_left(received).is_err() {
        return Err(if looks_clear { OpenError::ClearUnderEncryptedHeader } else { OpenError::MacMismatch });
    }
    let kenc = derive(key, Purpose::Encrypt, seal.counter, seal.id);
    let data = cut(frame, &span)?;
    if !decrypt_cbc(data, &kenc, &[0; 16], FILLER) {
        return Err(OpenError::Damaged(Damage::Filler));
    }
    let check = Check::Mac { bytes: u8::try_from(seal.mac.len()).unwrap_or_default() };
    Ok(opened(header, Mode::Mode7, check, Some(u32::from_le_bytes(seal.counter)), span))
}

/// What mode 7 takes from the headers beside the ranges.
pub(super) struct Mode7 {
    pub(super) counter: [u8; 4],
    pub(super) id: [u8; 4],
    pub(super) mac: Range<usize>,
}

impl Mode7 {
    pub(super) fn of(header: &Header) -> Result<Self, OpenError> {
        let unsupported = |name| Err(OpenError::Unsupported(Unsupported { number: Some(7), name }));
        let Some(afl) = &header.afl else { return unsupported("without a MAC") };
        let Some(tpl) = &header.tpl else { return unsupported("without a transport header") };
        if afl.is_fragment() {
            return unsupported("message in several fragments");
        }
        if afl.mac.is_empty() || !matches!(afl.mcl.unwrap_or_default() & 0x0f, 3..=7) {
            return unsupported("without a CMAC");
        }
        if tpl.kdf() != Some(1) {
            return unsupported("without key derivation function A");
        }
        let Some(counter) = tpl.message_counter.or(afl.message_counter) else {
            return unsupported("without a message counter");
        };
        let [_, _, a, b, c, d, _, _] = *header.sender.as_bytes();
        Ok(Self { counter, id: [a, b, c, d], mac: afl.mac.clone() })
    }
}

fn open_mode10(frame: &mut [u8], key: &[u8; 16], header: Header) -> Result<Opened, OpenError> {
    check_clear_crc(frame, &header)?;
    let span = header.encrypted(Mode::Mode10)?;
    let seal = Mode10::of(&header, &span)?;
    if !ccm::open(frame, &span, key, &seal)? {
        return Err(OpenError::MacMismatch);
    }
    let check = Check::Mac { bytes: u8::try_from(seal.tag.len()).unwrap_or_default() };
    let counter = Some(u32::from_le_bytes(seal.counter));
    let mut opened = opened(header, Mode::Mode10, check, counter, span);
    opened.clear_tail = opened.payload.end..opened.payload.end; // the tag is no data
    Ok(opened)
}

fn open_na1(frame: &mut [u8], key: &[u8; 16], header: Header) -> Result<Opened, OpenError> {
    let span = header.encrypted(Mode::ApatorNa1)?;
    let iv = na1_iv(frame, &header);
    let data = cut(frame, &span)?;
    let looks_clear = data.first() == Some(&0x2f);
    if !decrypt_cbc(data, key, &iv, &[0x2f]) {
        return Err(if looks_clear { OpenError::ClearUnderEncryptedHeader } else { OpenError::WrongKey });
    }
    let access_number = frame.get(header.na1_access_number_at()).copied();
    let mut opened = opened(header, Mode::ApatorNa1, Check::Fill2F, None, span);
    opened.access_number = access_number;
    Ok(opened)
}

/// As in mode 5, with the access number that follows the CI byte.
pub(super) fn na1_iv(frame: &[u8], header: &Header) -> [u8; 16] {
    let mut iv = [frame.get(header.na1_access_number_at()).copied().unwrap_or_default(); 16];
    iv.iter_mut().zip(header.sender.as_bytes()).for_each(|(to, from)| *to = *from);
    iv
}

/// `MCL | KI | MCR`, `ML`, and the transport unit from its CI byte to the end.
pub(super) fn mac_input<'f>(frame: &'f [u8], header: &Header) -> [&'f [u8]; 3] {
    let part = |range: &Range<usize>| frame.get(range.clone()).unwrap_or_default();
    let (control, length) =
        header.afl.as_ref().map_or((&[][..], &[][..]), |afl| (part(&afl.control), part(&afl.message_length)));
    [control, length, part(&header.tpdu)]
}

fn open_ell(frame: &mut [u8], key: &[u8; 16], header: Header) -> Result<Opened, OpenError> {
    let Some(session) = header.ell.as_ref().and_then(|ell| ell.session.clone()) else {
        return Err(OpenError::NotEncrypted);
    };
    let span = header.encrypted(Mode::EllCtr)?;
    let iv = ell_iv(&header, &session);
    let data = cut(frame, &span)?;
    apply_ctr(data, key, &iv);
    if !crc_fits(data) {
        apply_ctr(data, key, &iv); // the key stream is its own inverse: the caller's bytes are back
        return Err(if crc_fits(data) { OpenError::ClearUnderEncryptedHeader } else { OpenError::WrongKey });
    }
    let payload = session.crc.end..span.end;
    let mut opened = opened(header, Mode::EllCtr, Check::Crc16, Some(session.counter()), span);
    opened.payload = payload;
    Ok(opened)
}

/// `M A CC SN FN BC`: the link layer's sender, the control field without its hop and repeat bits, the session
/// as sent, then frame number and block counter from 0 (EN 13757-4 clause 13.2.8).
pub(super) fn ell_iv(header: &Header, session: &Session) -> [u8; 16] {
    let [m0, m1, a0, a1, a2, a3, a4, a5] = *header.link.as_bytes();
    let cc = header.ell.as_ref().map_or(0, |ell| ell.cc) & 0xed;
    let [s0, s1, s2, s3] = session.number.to_le_bytes();
    [m0, m1, a0, a1, a2, a3, a4, a5, cc, s0, s1, s2, s3, 0, 0, 0]
}

pub(super) fn apply_ctr(data: &mut [u8], key: &[u8; 16], iv: &[u8; 16]) {
    ctr::Ctr32BE::<Aes128Enc>::new(key.into(), iv.into()).apply_keystream(data);
}

/// Whether the first two bytes are the CRC of the rest, low byte first.
fn crc_fits(data: &[u8]) -> bool {
    data.split_first_chunk().is_some_and(|(crc, rest)| u16::from_le_bytes(*crc) == crc16(rest))
}

/// An extended link layer with a session but without encryption still carries its CRC.
fn check_clear_crc(frame: &[u8], header: &Header) -> Result<(), Damage> {
    let Some(session) = header.ell.as_ref().and_then(|ell| ell.session.as_ref()) else { return Ok(()) };
    let payload = frame.get(session.crc.start..header.tpdu.end).unwrap_or_default();
    if crc_fits(payload) { Ok(()) } else { Err(Damage::Checksum) }
}

/// What modes 5 and 7 begin with.
const FILLER: &[u8] = &[0x2f, 0x2f];

/// Decrypts whole blocks if the first one begins with the filler; else leaves them as they are.
fn decrypt_cbc(data: &mut [u8], key: &[u8; 16], iv: &[u8; 16], filler: &[u8]) -> bool {
    let (blocks, _) = Array::slice_as_chunks_mut(data);
    let Some((first, rest)) = blocks.split_first_mut() else { return false };
    let cipher_text = *first;
    let mut cbc = cbc::Decryptor::<Aes128Dec>::new(key.into(), iv.into());
    cbc.decrypt_block(first);
    if !first.starts_with(filler) {
        *first = cipher_text;
        return false;
    }
    cbc.decrypt_blocks(rest);
    true
}

fn opened(header: Header, mode: Mode, check: Check, counter: Option<u32>, span: Range<usize>) -> Opened {
    let access_number = header.access_number();
    let clear_tail = span.end..header.tpdu.end;
    Opened { header, mode, check, counter, access_number, payload: span, clear_tail }
}

/// The bytes of a range that came from this frame's headers.
pub(super) fn cut<'f>(frame: &'f mut [u8], span: &Range<usize>) -> Result<&'f mut [u8], Damage> {
    frame.get_mut(span.clone()).ok_or(Damage::Truncated(span.end))
}

/// A payload that lies in clear under a header that declares encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClearPayload {
    /// The headers.
    pub header: Header,
    /// The protection that the header declares and that is not there.
    pub declared: Mode,
    /// As [`Opened::payload`].
    pub payload: Range<usize>,
    /// As [`Opened::clear_tail`].
    pub clear_tail: Range<usize>,
}

/// Finds the payload that lies in clear under a header that declares encryption: published test telegrams
/// do so. Only a diagnostic may use it; in the field such a telegram is an attack.
///
/// # Errors
/// [`OpenError::WrongKey`] when the payload does not look clear, else as [`open`].
pub fn open_clear(frame: &[u8]) -> Result<ClearPayload, OpenError> {
    let header = Header::read(frame)?;
    let declared = header.mode().map_err(OpenError::Unsupported)?;
    let span = header.encrypted(declared)?;
    let data = frame.get(span.clone()).unwrap_or_default();
    let payload = match declared {
        Mode::None => return Err(OpenError::NotEncrypted),
        Mode::Mode5 | Mode::Mode7 if data.starts_with(&[0x2f, 0x2f]) => span.clone(),
        Mode::EllCtr if crc_fits(data) => span.start + 2..span.end,
        // one byte tells too little
        Mode::Mode10 | Mode::ApatorNa1 => return Err(OpenError::WrongKey),
        _ => return Err(OpenError::WrongKey),
    };
    let clear_tail = span.end..header.tpdu.end;
    Ok(ClearPayload { header, declared, payload, clear_tail })
}
