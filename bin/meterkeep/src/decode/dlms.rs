//! Electricity meters' pushes: HDLC, the wired M-Bus, or the bare application unit.

use telegram::Record;
use telegram::dlms::{Apdu, Assembler, Ciphered, KeyKind, carried, decode_push, hdlc, is_unit, mbus};
use telegram::link::{FrameFormat, strip};

use seal::meter::dlms::{Header, Keys, OpenError, open};

use super::input::{Input, Key};
use super::{Answer, Security, Status};

/// Answers a telegram that is DLMS; `None` for any other. Places of records are offsets in the joined unit.
pub(super) fn answer(
    line: u64,
    input: &Input,
    accept_clear: bool,
    records: &mut Vec<Record>,
) -> Option<Answer> {
    let mut answer = Answer::new(line, input.id.clone());
    let unit = match &*input.raw {
        [0x7e, format, ..] if format >> 4 == 0x0a => from_hdlc(&input.raw),
        [0x68, l1, l2, 0x68, _, _, 0x00..=0x1f, ..] if l1 == l2 => from_mbus(&input.raw),
        bytes if is_unit(bytes) => Ok(bytes.to_vec()),
        bytes => Ok(from_transport(bytes, input.format)?),
    };
    match unit {
        Ok(mut unit) => {
            read(&mut unit, input, accept_clear, &mut answer, records);
            answer.frame = unit;
            answer.is_unit = true;
        }
        Err(why) => answer.fail(Status::Damaged, why),
    }
    Some(answer)
}

/// The first whole unit of a stream.
fn from_hdlc(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let (mut stream, mut assembler) = (hdlc::Hdlc::new(), Assembler::new());
    stream.feed(bytes);
    let mut trouble = None;
    while let Some(next) = stream.next_frame() {
        let taken = match next {
            Ok(frame) => assembler.hdlc(&frame).map_err(|lost| lost.to_string()),
            Err(dropped) => Err(dropped.to_string()),
        };
        match taken {
            Ok(Some(unit)) => return Ok(unit),
            Ok(None) => {}
            Err(why) => trouble = Some(why),
        }
    }
    let cut = stream.silence().map(|dropped| dropped.to_string());
    Err(trouble.or(cut).unwrap_or_else(|| "the frames end before the message does".to_owned()))
}

/// A unit that protects itself behind a transport header (CI 7C, 7D).
fn from_transport(bytes: &[u8], format: Option<FrameFormat>) -> Option<Vec<u8>> {
    let mut buffer = Vec::new();
    let (frame, _) = strip(bytes, format, &mut buffer).ok()?;
    carried(frame).and_then(|unit| frame.get(unit)).map(<[u8]>::to_vec)
}

fn from_mbus(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut assembler = Assembler::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (frame, after) = mbus::split_frame(rest).ok_or("the frames are cut")?;
        let segment = mbus::Segment::read(frame).map_err(|e| e.to_string())?;
        if let Some(unit) = assembler.mbus(&segment).map_err(|e| e.to_string())? {
            return Ok(unit);
        }
        rest = after;
    }
    Err("the segments end before the message does".to_owned())
}

fn read(unit: &mut [u8], input: &Input, accept_clear: bool, answer: &mut Answer, records: &mut Vec<Record>) {
    let (content, title) = match Apdu::read(unit) {
        Ok(Apdu::DataNotification | Apdu::P1) => {
            answer.security = Some(Security { mode: "none".to_owned(), authenticated: false, opened: false });
            if !matches!(input.key, Key::None) && !accept_clear {
                return answer.fail(
                    Status::WrongKey,
                    "the telegram is not encrypted although its meter has a key: in the field this is an attack; \
                     read it with --accept-clear",
                );
            }
            (0..unit.len(), None)
        }
        Ok(Apdu::Ciphered(ciphered)) => {
            let authenticated = match decrypt(unit, &ciphered, input, answer) {
                Some(authenticated) => authenticated,
                None => return,
            };
            if let Some(security) = &mut answer.security {
                (security.authenticated, security.opened) = (authenticated, true);
            }
            (ciphered.payload, Some(ciphered.title))
        }
        Ok(Apdu::Other(name)) => {
            return answer.fail(Status::Unsupported, format!("{name} is not supported yet"));
        }
        Err(error) => return answer.fail(Status::Damaged, error.to_string()),
    };
    match decode_push(unit, content, title, records) {
        Ok(push) => {
            if push.checksum == Some(false) {
                if answer.security.as_ref().is_some_and(|s| s.authenticated) {
                    answer
                        .messages
                        .push("the P1 telegram's own checksum is wrong, though its tag fits".to_owned());
                } else {
                    records.clear();
                    return answer.fail(Status::Damaged, "the P1 telegram's checksum is wrong");
                }
            }
            if push.unread > 0 {
                answer.messages.push(format!("{} bytes of values are not understood", push.unread));
            }
            answer.messages.extend(push.list.map(|name| format!("list {name}")));
        }
        Err(error) if error.is_unsupported() => answer.fail(Status::Unsupported, error.to_string()),
        Err(error) => answer.fail(Status::Damaged, error.to_string()),
    }
}

/// Opens a unit in place and says whether a tag fitted. `None` where the answer is ready without records.
fn decrypt(unit: &mut [u8], ciphered: &Ciphered, input: &Input, answer: &mut Answer) -> Option<bool> {
    answer.meter = ciphered.title.address();
    if answer.meter.is_none() {
        answer
            .messages
            .push(format!("the system title {} names no meter that a register could hold", ciphered.title));
    }
    let mode = ciphered.control.to_string();
    answer.security = Some(Security { mode, authenticated: false, opened: false });
    if ciphered.kind == KeyKind::General {
        answer.fail(Status::Unsupported, "general-ciphering (DD) is not supported yet");
        return None;
    }
    let encryption: &[u8] = match &input.key {
        Key::Aes(key) => key.expose(),
        Key::Aes256(key) => key.expose(),
        Key::Des => {
            answer.fail(Status::WrongKey, "the key has 8 bytes; DLMS needs 16, or 32 in suite 2");
            return None;
        }
        Key::None => {
            answer.fail(
                Status::NoKey,
                "ciphered, and no key was given: give `key` (GUEK, GPK60) and `auth_key` (GAK, GPK61) in a JSON line",
            );
            return None;
        }
    };
    let authentication = input.auth_key.as_ref().map(base::SecretBytes::expose);
    let opened = Header::read(unit)
        .map_err(OpenError::from)
        .and_then(|header| open(unit, &Keys { encryption, authentication }, &header));
    match opened {
        Ok(protection) => return Some(protection.authenticated()),
        Err(error @ OpenError::NoAuthenticationKey) => {
            answer.fail(Status::NoKey, format!("{error}: give it as `auth_key`"));
        }
        Err(error @ OpenError::TagMissing) => {
            answer.fail(Status::WrongKey, format!("{error}; in the field this is an attack"));
        }
        Err(error @ (OpenError::TagMismatch | OpenError::WrongKey | OpenError::KeyLength { .. })) => {
            answer.fail(Status::WrongKey, format!("{error}: check that the keys are this meter's"));
        }
        Err(error @ OpenError::Damaged(_)) => answer.fail(Status::Damaged, error.to_string()),
        Err(error @ OpenError::Unsupported(_)) => answer.fail(Status::Unsupported, error.to_string()),
    }
    None
}
