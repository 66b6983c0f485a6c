//! Telegrams and batches as collectors send them, except that nothing is encrypted: the fake vault reads its
//! verdict from the telegram itself.

use base::UtcMillis;
use bytes::Bytes;
use prost::Message;
use seal::hybrid::PublicKey;
use seal::sign::Signer;
use sha2::{Digest, Sha256};
use wire::batch::{Body, Gap, Header, SEAL_INFO, SIGNATURE_DOMAIN, Signed};
use wire::gateway::{BatchKey, BatchKeyBody};
use wire::vault::Verdict;

/// A noon in November.
pub(crate) const NOW: UtcMillis = UtcMillis(1_795_435_200_000);
pub(crate) const HOUR: i64 = 3_600_000;
pub(crate) const DAY: i64 = 24 * HOUR;

/// A telegram of meter `KAM-<serial>-1B-16` with a volume in litres; `n` makes it unlike others.
pub(crate) fn frame(serial: u32, litres: u32, n: u32, verdict: Verdict) -> Vec<u8> {
    frame_of([0x2d, 0x2c], serial, litres, n, verdict.code(), None)
}

/// A telegram that also says the meter's own time.
pub(crate) fn frame_at(serial: u32, litres: u32, n: u32, verdict: Verdict, time: UtcMillis) -> Vec<u8> {
    frame_of([0x2d, 0x2c], serial, litres, n, verdict.code(), Some(time))
}

pub(crate) fn frame_of(
    maker: [u8; 2],
    serial: u32,
    litres: u32,
    n: u32,
    verdict: u8,
    time: Option<UtcMillis>,
) -> Vec<u8> {
    let mut frame = vec![0, 0x44];
    frame.extend(maker);
    let mut bcd = serial;
    for _ in 0..4 {
        frame.push(u8::try_from(bcd % 10 + (bcd / 10 % 10) * 16).unwrap());
        bcd /= 100;
    }
    frame.extend([0x1b, 0x16, 0x7a, 0, 0, 0, 0]);
    frame.extend([0x04, 0x13]);
    frame.extend(litres.to_le_bytes());
    if let Some(time) = time {
        frame.extend([0x04, 0x6d]);
        frame.extend(type_f(time));
    }
    frame.extend([0x0f, verdict]);
    frame.extend(n.to_le_bytes());
    frame[0] = u8::try_from(frame.len() - 1).unwrap();
    frame
}

/// A push of the meter `KAM-<serial>-1B-16` at its customer port, opened: energies taken and given, in watt-hours. Its
/// system title is the address, as meters of the M-Bus have it.
pub(crate) fn unit(serial: u8, taken: u32, given: u32, counter: u32, verdict: Verdict) -> Vec<u8> {
    let mut content = b"\x0f\0\0\0\x01\x0c\x07\xea\x0b\x17\x01\x0c\0\0\xff\0\0\0\x02\x06".to_vec();
    for (quantity, value) in [(1, taken), (2, given)] {
        content.extend([0x09, 6, 1, 0, quantity, 8, 0, 0xff, 0x06]);
        content.extend(value.to_be_bytes());
        content.extend([0x02, 2, 0x0f, 0, 0x16, 30]);
    }
    let title = base::SystemTitle([0x2d, 0x2c, serial, 0, 0, 0, 0x1b, 0x16]);
    let mut unit =
        telegram::dlms::write_global(title, telegram::dlms::SecurityControl(0x30), counter, &content);
    // the tag is the place for what the fake vault reads
    let at = unit.len() - 5;
    unit[at] = verdict.code();
    unit
}

/// Date and time to the minute (EN 13757-3 annex A, type F).
fn type_f(time: UtcMillis) -> [u8; 4] {
    let text = time.to_string();
    let part = |range: std::ops::Range<usize>| text[range].parse::<u8>().unwrap();
    let (year, month, day, hour, minute) = (part(2..4), part(5..7), part(8..10), part(11..13), part(14..16));
    [minute, hour, day | (year & 7) << 5, month | (year >> 3) << 4]
}

/// A telegram and when it was heard.
pub(crate) type Heard = (Vec<u8>, UtcMillis);

/// A collector: signs and seals batches, and keeps them in a ring.
pub(crate) struct Collector {
    pub(crate) id: u32,
    pub(crate) epoch: u64,
    pub(crate) signer: Signer,
    pub(crate) synchronised: bool,
}

impl Collector {
    pub(crate) fn new(id: u32) -> Self {
        let seed = base::Secret::new([u8::try_from(id).unwrap(); 32]);
        Self { id, epoch: 0x1000 + u64::from(id), signer: Signer::from_seed(&seed), synchronised: true }
    }

    pub(crate) fn header(&self, seq: u64, key_id: u32, count: usize) -> Header {
        let count = u32::try_from(count).unwrap();
        Header { collector: self.id, epoch: self.epoch, seq, key_id, count, closed_ms: NOW.0, gap: None }
    }

    pub(crate) fn batch(&self, key: &BatchKey, seq: u64, telegrams: &[Heard]) -> Bytes {
        let (key_id, public) = read_key(key);
        self.seal(&public, &self.header(seq, key_id, telegrams.len()), &body(telegrams, self.synchronised))
    }

    pub(crate) fn seal(&self, public: &PublicKey, header: &Header, body: &Body) -> Bytes {
        let header = header.encode_to_vec();
        let sealed = public.seal_to(SEAL_INFO, &header, &body.encode_to_vec()).unwrap();
        self.sign(header, sealed.enc, sealed.ciphertext)
    }

    pub(crate) fn gap(&self, first: u64, last: u64, telegrams: u64) -> Bytes {
        let gap = Gap {
            first_seq: first,
            telegrams,
            from_ms: NOW.0,
            to_ms: NOW.0,
            reason: "spool-full".into(),
            counts: vec![],
        };
        let header = Header { gap: Some(gap), key_id: 0, ..self.header(last, 0, 0) };
        self.sign(header.encode_to_vec(), Vec::new(), Vec::new())
    }

    pub(crate) fn sign(&self, header: Vec<u8>, enc: Vec<u8>, sealed: Vec<u8>) -> Bytes {
        let message = [&header, &enc, &sealed].map(|p| <[u8; 32]>::from(Sha256::digest(p))).concat();
        let signature = self.signer.sign(SIGNATURE_DOMAIN, &message).to_vec();
        Signed { header: header.into(), enc: enc.into(), sealed: sealed.into(), signature: signature.into() }
            .encode_to_vec()
            .into()
    }
}

pub(crate) fn read_key(key: &BatchKey) -> (u32, PublicKey) {
    let body = BatchKeyBody::decode(key.body.as_slice()).unwrap();
    (body.key_id, PublicKey::from_bytes(&body.public).unwrap())
}

pub(crate) fn body(telegrams: &[Heard], synchronised: bool) -> Body {
    let mut body = Body { boot_id: vec![7; 16], ..Body::default() };
    let (mut frames, mut wall, mut monotonic) = (Vec::new(), 0, 0);
    for (frame, heard) in telegrams {
        frames.extend_from_slice(frame);
        body.lengths.push(u32::try_from(frame.len()).unwrap());
        body.wall_ms.push(heard.0 - wall);
        wall = heard.0;
        // The computer booted a month ago.
        let since_boot = heard.0 - (NOW.0 - 30 * DAY);
        body.monotonic_ms.push(since_boot - monotonic);
        monotonic = since_boot;
    }
    if synchronised && !telegrams.is_empty() {
        body.synchronised_flips = vec![0];
    }
    body.frames = frames.into();
    body
}
