//! Opening the frames of a batch: header, key, plaintext, and what freshness needs to know.

use std::ops::Range;

use base::{Secret, UtcMillis};
use seal::meter::{self, Check, Header, MAX_MESSAGE, Mode, OpenError, Opened};
use sha2::{Digest, Sha256};
use wire::vault::{Security, Verdict};
use zeroize::Zeroizing;

use crate::MeterNumber;
use crate::fresh::{Order, Outcome, Pin, Presented, Secs};
use crate::keys::{KeyRing, UnitKeys};
use crate::table::Decoys;
use crate::units;

/// What opening a batch gave.
pub(crate) struct Plain {
    /// What freshness is asked, frame by frame.
    pub(crate) presented: Vec<Presented>,
    /// The opened frames one after the other.
    bytes: Vec<u8>,
    /// Where each opened frame lies, and what protects it.
    opened: Vec<Option<(Range<usize>, Security)>>,
    /// Meters that have taken their new key, and when that was heard.
    pub(crate) rekeyed: Vec<(MeterNumber, UtcMillis)>,
}

/// Hashes of what meters sent, under a key, so that nobody outside can aim at one.
pub(crate) struct Hasher(Zeroizing<[u8; 16]>);

impl Hasher {
    pub(crate) fn new(key: &Secret<32>) -> Self {
        let mut short = Zeroizing::new([0; 16]);
        short.iter_mut().zip(key.expose()).for_each(|(to, from)| *to = *from);
        Self(short)
    }

    /// Over what the meter itself sent: repeaters change bits in the headers around it.
    fn sent(&self, number: MeterNumber, header: &Header, frame: &[u8]) -> u64 {
        let counter = header
            .ell
            .as_ref()
            .and_then(|ell| ell.session.as_ref())
            .map_or(u32::from(header.access_number().unwrap_or_default()), |s| s.number);
        let body = frame.get(header.body.start..header.tpdu.end).unwrap_or_default();
        // under the extended link layer the CRC is part of the cipher text
        let crc = header.ell.as_ref().and_then(|ell| ell.session.as_ref()).map(|s| s.crc.clone());
        let crc = crc.and_then(|range| frame.get(range)).unwrap_or_default();
        let mac = header.afl.as_ref().and_then(|afl| frame.get(afl.mac.clone())).unwrap_or_default();
        self.of(&[number.as_bytes(), &counter.to_le_bytes(), crc, mac, body])
    }

    pub(crate) fn of(&self, parts: &[&[u8]]) -> u64 {
        let mut hash = Sha256::new_with_prefix(self.0.as_slice());
        parts.iter().for_each(|part| hash.update(part));
        let digest: [u8; 32] = hash.finalize().into();
        digest.first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
    }
}

/// Opens each frame with its meter's key.
pub(crate) fn open(
    keys: &KeyRing,
    unit_keys: &UnitKeys,
    hasher: &Hasher,
    frames: &[(&[u8], UtcMillis)],
) -> Plain {
    let count = frames.len();
    // most frames name their meter here; what it is the header says
    let likely = |frame: &[u8]| frame.get(2..8).and_then(<[u8]>::first_chunk).copied().map(MeterNumber);
    keys.warm(frames.iter().filter_map(|(frame, _)| likely(frame)));
    let mut plain = Plain {
        presented: Vec::with_capacity(count),
        bytes: Vec::with_capacity(count * 64),
        opened: Vec::with_capacity(count),
        rekeyed: Vec::new(),
    };
    for (frame, heard) in frames.iter().copied() {
        if meter::dlms::Header::is_unit(frame) {
            let from = plain.bytes.len();
            let (presented, security, proves_new) =
                units::open((keys, unit_keys), hasher, frame, heard, &mut plain.bytes);
            if proves_new {
                plain.rekeyed.push((presented.number.plain(), heard));
            }
            plain.presented.push(presented);
            plain.opened.push(security.map(|facts| (from..plain.bytes.len(), facts)));
            continue;
        }
        let at = Secs::of(heard);
        let refused =
            |hash, number, verdict| Presented { hash, number, at, outcome: Outcome::Refused(verdict) };
        let unknown = MeterNumber([0; 6]);
        let (presented, opened) = match Header::read(frame) {
            Ok(header) if frame.len() <= MAX_MESSAGE => {
                let number = MeterNumber::of(&header.sender);
                let hash = hasher.sent(number, &header, frame);
                // opened where it is answered from; what does not open stays as it was, and goes
                let from = plain.bytes.len();
                plain.bytes.extend_from_slice(frame);
                let copy = plain.bytes.get_mut(from..).unwrap_or_default();
                match open_one(keys, unit_keys, number, copy, header) {
                    Ok((outcome, security)) => {
                        let opened = Some((from..plain.bytes.len(), security));
                        (Presented { hash, number, at, outcome }, opened)
                    }
                    // a changed header does not change what was sent: it must not stand for the genuine frame
                    Err(verdict) => {
                        plain.bytes.truncate(from);
                        (refused(hasher.of(&[frame]), number, verdict), None)
                    }
                }
            }
            Err(meter::HeaderError::Unsupported(_)) => {
                (refused(hasher.of(&[frame]), unknown, Verdict::UnsupportedMode), None)
            }
            _ => (refused(hasher.of(&[frame]), unknown, Verdict::Damaged), None),
        };
        plain.presented.push(presented);
        plain.opened.push(opened);
    }
    plain
}

fn open_one(
    keys: &KeyRing,
    unit_keys: &UnitKeys,
    number: MeterNumber,
    frame: &mut [u8],
    header: Header,
) -> Result<(Outcome, Security), Verdict> {
    let declared = header.mode().map_err(|_| Verdict::UnsupportedMode)?;
    let Some(key) = keys.get(number) else {
        if declared != Mode::None {
            return Err(Verdict::NoKey);
        }
        // a meter that ciphers at its port is not believed in clear over the air, however it writes its number
        if unit_keys.get(number.plain()).is_some() {
            return Err(Verdict::ClearRefused);
        }
        let order = Order::Hint(header.access_number().unwrap_or_default());
        let end = u32::try_from(header.body.start).unwrap_or_default();
        let security = Security { mode: 0, check: 0, counter: None, from: end, to: end };
        return Ok((Outcome::Verified(order, None), security));
    };
    let opened = meter::open_with(frame, key, header).map_err(|error| match error {
        OpenError::WrongKey => Verdict::WrongKey,
        OpenError::MacMismatch => Verdict::MacMismatch,
        OpenError::Damaged(_) => Verdict::Damaged,
        OpenError::Unsupported(_) => Verdict::UnsupportedMode,
        OpenError::ClearUnderEncryptedHeader | OpenError::NotEncrypted => Verdict::ClearRefused,
    })?;
    let pin = Pin { mode: opened.mode, clear_tail: !opened.clear_tail.is_empty() };
    Ok((Outcome::Verified(order(&opened), Some(pin)), security(&opened)))
}

fn order(opened: &Opened) -> Order {
    match (opened.counter, opened.mode) {
        (Some(counter), Mode::EllCtr) => Order::Session(counter),
        (Some(counter), _) if opened.check.authenticates() => Order::Counter(counter),
        (Some(counter), _) => Order::WeakCounter(counter),
        (None, _) => Order::Hint(opened.access_number.unwrap_or_default()),
    }
}

fn security(opened: &Opened) -> Security {
    let encrypted = opened.header.encrypted(opened.mode).unwrap_or_else(|_| opened.payload.clone());
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Security {
        mode: match opened.mode {
            Mode::EllCtr => 256,
            mode => u32::from(mode.code()),
        },
        check: match opened.check {
            Check::Mac { .. } if opened.check.authenticates() => 2,
            _ => 1,
        },
        counter: opened.counter,
        from: offset(encrypted.start),
        to: offset(encrypted.end),
    }
}

impl Plain {
    /// Refuses what was heard of a meter after its key was retired.
    pub(crate) fn refuse_retired(&mut self, retired: impl Fn(MeterNumber, Secs) -> bool) {
        for presented in &mut self.presented {
            if matches!(presented.outcome, Outcome::Verified(..)) && retired(presented.number, presented.at) {
                presented.outcome = Outcome::Refused(Verdict::Retired);
            }
        }
    }

    /// Refuses all telegrams in the name of decoys, and says whether each was made with its key. Who has the key is told the
    /// same as who has a wrong one.
    pub(crate) fn refuse_decoys(&mut self, decoys: &Decoys) -> Vec<(MeterNumber, bool)> {
        let mut touched = Vec::new();
        for presented in self.presented.iter_mut().filter(|p| decoys.has(p.number)) {
            // in clear it is verified, too, and says nothing about the key
            let opened = matches!(presented.outcome, Outcome::Verified(_, Some(_)));
            if matches!(presented.outcome, Outcome::Verified(..)) {
                presented.outcome = Outcome::Refused(Verdict::WrongKey);
            }
            touched.push((presented.number, opened));
        }
        touched
    }

    /// The frames whose verdict yields plaintext, one after the other, and what protects each. A frame that was
    /// accepted once and does not open now (it cannot, short of a lost key) turns into `no-key`.
    pub(crate) fn release(self, verdicts: &mut [Verdict]) -> (Vec<u8>, Vec<Security>) {
        let all_released = verdicts.iter().zip(&self.opened).all(|(v, o)| v.has_plaintext() == o.is_some());
        let mut security = Vec::with_capacity(verdicts.len());
        let mut frames = Vec::new();
        for (verdict, opened) in verdicts.iter_mut().zip(self.opened) {
            match (verdict.has_plaintext(), opened) {
                (true, Some((range, facts))) => {
                    if !all_released {
                        frames.extend_from_slice(self.bytes.get(range).unwrap_or_default());
                    }
                    security.push(facts);
                }
                (true, None) => *verdict = Verdict::NoKey,
                (false, _) => {}
            }
        }
        // the everyday case costs no second copy
        (if all_released { self.bytes } else { frames }, security)
    }
}
