//! From a telegram as given to what it says.

use std::ops::Range;

use base::Secret;
use seal::meter::{self, Header, HeaderError, Mode, OpenError};
use telegram::link::{self, LinkError};
use telegram::{DecodeError, Formats, Fragments, Layers, Learnt, Record, Tail, TailKind, Taken, decode};

use super::input::{Input, Key};
use super::{Answer, Security, Status};

/// Answers telegrams; the layouts of compact frames are remembered from one to the next.
pub(super) struct Opener {
    pub(super) accept_clear: bool,
    pub(super) formats: Formats,
    pub(super) fragments: Fragments,
}

/// The part of a frame that may be read, and how far to trust it.
struct Readable {
    payload: Range<usize>,
    /// Where the part begins that no check covers; none where a MAC covers all.
    clear_from: usize,
    /// Layouts may be learnt from it.
    verified: bool,
}

impl Opener {
    /// Answers one telegram; its records go to `records`.
    pub(super) fn answer(&mut self, line: u64, input: &Input, records: &mut Vec<Record>) -> Answer {
        records.clear();
        if let Some(answer) = super::dlms::answer(line, input, self.accept_clear, records) {
            return answer;
        }
        let Input { id, raw, key, format, .. } = input;
        let mut answer = Answer::new(line, id.clone());
        let mut buffer = Vec::new();
        let mut frame = match link::strip(raw, *format, &mut buffer) {
            Ok((frame, _)) => frame.to_vec(),
            Err(error @ LinkError::Wired) => {
                answer.fail(Status::Unsupported, error.to_string());
                return answer;
            }
            Err(error) => {
                answer.fail(Status::Damaged, error.to_string());
                return answer;
            }
        };
        describe(&frame, &mut answer);
        match self.fragments.take(&frame, 0, ()) {
            Taken::Whole => {}
            Taken::Waiting(number) => {
                answer
                    .messages
                    .push(format!("fragment {number} of a message; its values come with the last one"));
                return answer;
            }
            Taken::Joined(message) => {
                answer.messages.push("joined of several fragments; places are those in the whole".to_owned());
                frame = message.frame;
                describe(&frame, &mut answer);
            }
            Taken::Dropped(error) => {
                answer.fail(Status::Damaged, error.to_string());
                return answer;
            }
        }
        let readable = self.open(&mut frame, key, &mut answer);
        answer.frame.clone_from(&frame);
        let Some(readable) = readable else { return answer };
        answer.clear_from = readable.clear_from;
        match decode(&frame, readable.payload, &mut self.formats, readable.verified, records) {
            Ok(outcome) => {
                answer.meter = Some(outcome.layers.meter);
                answer.meter_status = outcome.layers.tpl.map(|tpl| tpl.status);
                answer.tail = outcome.tail;
                if let Some(Learnt::Clash(clash)) = outcome.learnt {
                    let what = if clash.public {
                        "differs from the public layout of that key, and goes before it; one of the two may be forged"
                    } else {
                        "is the second one of that key: the first one stays; one of the two may be forged"
                    };
                    answer.messages.push(format!("the layout {} {what}", clash.key));
                }
                if let Some(Tail { kind: TailKind::Manufacturer { more: true }, .. }) = outcome.tail {
                    answer.messages.push(
                        "the meter has more records for further telegrams (DIF 1F): ask it again".to_owned(),
                    );
                }
                if let Some(tail) = outcome.tail
                    && let TailKind::Undecoded(why) = tail.kind
                {
                    if records.is_empty() {
                        answer.fail(
                            Status::Unsupported,
                            format!("the payload is not made of data records: {why}"),
                        );
                    } else {
                        answer
                            .messages
                            .push(format!("the last {} bytes are not data records: {why}", tail.len));
                    }
                }
            }
            Err(error) => {
                let status = if error.is_unsupported() { Status::Unsupported } else { Status::Damaged };
                answer.fail(status, error.to_string());
                if let DecodeError::UnknownLayout(key) = error {
                    answer.waits_for = Some(key);
                }
            }
        }
        answer
    }

    /// Decrypts in place. `None` where the answer is ready without records.
    fn open(&self, frame: &mut [u8], key: &Key, answer: &mut Answer) -> Option<Readable> {
        let header = match Header::read(frame) {
            Ok(header) => header,
            Err(HeaderError::Damaged(damage)) => {
                answer.fail(Status::Damaged, damage.to_string());
                return None;
            }
            Err(HeaderError::Unsupported(what)) => {
                answer.fail(Status::Unsupported, format!("{what} is not supported yet"));
                return None;
            }
        };
        let mode = match header.mode() {
            Ok(mode) => mode,
            Err(what) => {
                match key {
                    Key::None => answer.fail(Status::NoKey, format!("encrypted ({what}), and no key was given; this protection is not supported yet either")),
                    _ => answer.fail(Status::Unsupported, format!("{what} is not supported yet")),
                }
                return None;
            }
        };
        if let Some(security) = &mut answer.security {
            mode.name().clone_into(&mut security.mode);
        }
        match (mode, key) {
            (Mode::None, _) => self.open_unprotected(frame, header, key, answer),
            (_, Key::Aes(key)) => self.open_with(frame, header, key, answer),
            (_, Key::Des) => {
                answer.fail(Status::WrongKey, format!("the key has 8 bytes; {mode} needs 16"));
                None
            }
            (_, Key::Aes256(_)) => {
                answer.fail(Status::WrongKey, format!("the key has 32 bytes; {mode} needs 16"));
                None
            }
            (_, Key::None) => self.open_without_key(frame, answer),
        }
    }

    /// A telegram whose header declares no encryption.
    fn open_unprotected(
        &self,
        frame: &mut [u8],
        header: Header,
        key: &Key,
        answer: &mut Answer,
    ) -> Option<Readable> {
        if !matches!(key, Key::None) && !self.accept_clear {
            answer.fail(
                Status::WrongKey,
                "the telegram is not encrypted although its meter has a key: in the field this is an attack; \
                 read it with --accept-clear",
            );
            return None;
        }
        let all = header.body.clone();
        // no key is used here: this checks the payload CRC that a clear extended link layer may carry
        match meter::open_with(frame, &[0; 16], header) {
            Err(OpenError::NotEncrypted) => {
                Some(Readable { clear_from: usize::MAX, verified: self.accept_clear, payload: all })
            }
            Err(OpenError::Damaged(damage)) => {
                answer.fail(Status::Damaged, damage.to_string());
                None
            }
            other => {
                let what = other
                    .map_or_else(|e| e.to_string(), |_| "a decryption that was not asked for".to_owned());
                answer.fail(Status::Damaged, what);
                None
            }
        }
    }

    fn open_with(
        &self,
        frame: &mut [u8],
        header: Header,
        key: &Secret<16>,
        answer: &mut Answer,
    ) -> Option<Readable> {
        match meter::open_with(frame, key.expose(), header) {
            Ok(opened) => {
                let authenticated = opened.check.authenticates();
                if let Some(security) = &mut answer.security {
                    (security.authenticated, security.opened) = (authenticated, true);
                }
                let clear_from = if authenticated { usize::MAX } else { opened.clear_tail.start };
                let payload = opened.payload.start..opened.clear_tail.end;
                return Some(Readable { payload, clear_from, verified: true });
            }
            Err(OpenError::ClearUnderEncryptedHeader) if self.accept_clear => {
                return self.open_clear(frame, answer);
            }
            Err(OpenError::ClearUnderEncryptedHeader) => answer.fail(Status::WrongKey, CLEAR),
            Err(OpenError::WrongKey) => answer.fail(
                Status::WrongKey,
                "the key does not fit: check that it is this meter's, and not turned around",
            ),
            Err(error @ OpenError::MacMismatch) => {
                answer.fail(Status::WrongKey, format!("{error}: check that the key is this meter's"));
            }
            Err(OpenError::Damaged(damage)) => answer.fail(Status::Damaged, damage.to_string()),
            Err(error @ (OpenError::Unsupported(_) | OpenError::NotEncrypted)) => {
                answer.fail(Status::Unsupported, error.to_string());
            }
        }
        None
    }

    fn open_without_key(&self, frame: &[u8], answer: &mut Answer) -> Option<Readable> {
        match meter::open_clear(frame) {
            Ok(_) if self.accept_clear => return self.open_clear(frame, answer),
            Ok(_) => answer.fail(Status::NoKey, CLEAR),
            Err(OpenError::Damaged(damage)) => answer.fail(Status::Damaged, damage.to_string()),
            Err(_) => {
                answer.fail(Status::NoKey, "encrypted, and no key was given: give it as `key` in a JSON line")
            }
        }
        None
    }

    /// A payload that lies in clear under a header that declares encryption, which the user asked to see.
    fn open_clear(&self, frame: &[u8], answer: &mut Answer) -> Option<Readable> {
        match meter::open_clear(frame) {
            Ok(clear) => {
                answer.messages.push("read in clear under a header that declares encryption".to_owned());
                let payload = clear.payload.start..clear.clear_tail.end;
                Some(Readable { payload, clear_from: usize::MAX, verified: true })
            }
            Err(error) => {
                answer.fail(Status::WrongKey, error.to_string());
                None
            }
        }
    }
}

const CLEAR: &str = "the payload lies in clear under a header that declares encryption: in the field this is an \
                     attack; read a published test telegram with --accept-clear";

/// What the headers say before anything is decrypted.
fn describe(frame: &[u8], answer: &mut Answer) {
    if let Ok(layers) = Layers::read(frame) {
        answer.meter = Some(layers.meter);
        answer.meter_status = layers.tpl.map(|tpl| tpl.status);
        let mode = layers.security().to_string();
        answer.security = Some(Security { mode, authenticated: false, opened: false });
    }
}
