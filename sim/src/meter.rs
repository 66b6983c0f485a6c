//! One meter: its address, its key, what it shows, and the telegrams that it sends.

use base::{MeterAddress, Secret, UtcMillis};

use crate::fragments;
use crate::frame::{self, Headers};
use crate::habits::Habits;
use crate::kind::{Kind, Protection};
use crate::record::Head;
use crate::rng::{Rng, mix};

/// One telegram in this many is a full frame, the others are compact (extended link layer models).
const FULL_EVERY: u32 = 8;

/// A simulated meter.
pub struct Meter {
    pub(crate) kind: &'static Kind,
    address: MeterAddress,
    key: Secret<16>,
    habits: Habits,
    born: UtcMillis,
    /// How far apart its telegrams are, for counters that are functions of time.
    unit_ms: i64,
    /// Telegrams sent in this run.
    sent: u32,
    /// Where in the cycle of full and compact frames it begins.
    phase: u32,
    last: Numbers,
}

/// The running numbers of a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Numbers {
    /// Messages since it was made: access number, and the counter of mode 7.
    pub messages: u32,
    /// Minutes since it was made, and the telegram within the minute.
    pub session: u32,
}

/// A record as the meter wrote it: the truth that a test compares with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shows {
    /// DIF, DIFEs, VIF and VIFEs.
    pub head: Head,
    /// The number written.
    pub value: i64,
    /// The number counts units of ten to this power of m3, kWh, kW, m3/h, °C or h.
    pub exponent: i8,
}

/// How one telegram departs from what the meter would send by itself.
#[derive(Default)]
pub(crate) struct Departure<'a> {
    /// Other running numbers.
    pub numbers: Option<Numbers>,
    /// Another key.
    pub key: Option<&'a [u8; 16]>,
    /// Another protection: `Some(None)` sends in clear.
    pub protection: Option<Option<Protection>>,
    /// Registers as they will be so much later.
    pub registers_ahead_ms: i64,
    /// Full records, even where it is a compact frame's turn.
    pub full: bool,
}

/// Buffers that telegrams are made in, so that a load generator allocates nothing a telegram.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    payload: Vec<u8>,
    records: Vec<u8>,
}

impl Meter {
    /// A meter of a model. `seed` and `index` settle its habits and age; `unit_ms` is how far apart its telegrams
    /// will be: counters are functions of time, so that a town started again goes on above where it was.
    #[must_use]
    pub fn new(
        kind: &'static Kind,
        address: MeterAddress,
        key: Secret<16>,
        (seed, index): (u64, u64),
        unit_ms: i64,
    ) -> Self {
        let mut rng = Rng::new(seed, mix(index));
        // made between 2017 and 2025, so that it is older than any time a test plays
        let born = UtcMillis(1_483_228_800_000).plus(rng.below(8 * 365 * 86_400_000).cast_signed());
        let habits = Habits::new(kind.medium, born, &mut rng);
        // the first meters begin with a full frame; neighbours in number differ in model, so that each model's
        // meters spread over the cycle
        let phase = u32::try_from(index / 8 % u64::from(FULL_EVERY)).unwrap_or_default();
        let unit_ms = unit_ms.max(1000);
        Self { kind, address, key, habits, born, unit_ms, sent: 0, phase, last: Numbers::default() }
    }

    /// Its address.
    #[must_use]
    pub const fn address(&self) -> MeterAddress {
        self.address
    }

    /// Its model.
    #[must_use]
    pub const fn kind(&self) -> &'static Kind {
        self.kind
    }

    /// Its key; a test needs it, a house gets it by a key file.
    #[must_use]
    pub fn key(&self) -> &[u8; 16] {
        self.key.expose()
    }

    /// What it shows at a moment, in the order in which it sends.
    #[must_use]
    pub fn shows(&self, at: UtcMillis) -> Vec<Shows> {
        let shows = |(field, value): (&crate::kind::Field, i64)| Shows {
            head: field.head,
            value,
            exponent: field.exponent,
        };
        self.kind.values(&self.habits, at).map(shows).collect()
    }

    /// Whether its telegrams carry a counter.
    #[must_use]
    pub const fn counts(&self) -> bool {
        matches!(self.kind.protection, Protection::EllCtr | Protection::Mode7)
    }

    /// The numbers of its last telegram.
    pub(crate) const fn last(&self) -> Numbers {
        self.last
    }

    /// The next telegram, encrypted. False when it could not be made, which a layout that does not fit into a
    /// frame would cause.
    pub fn transmit(&mut self, at: UtcMillis, frame: &mut Vec<u8>) -> bool {
        self.send(at, &mut Scratch::default(), frame)
    }

    /// The next telegram, with records that a test wrote instead of the meter's own: DIF, VIF and value, one after
    /// the other. False when they do not fit into a frame.
    pub fn transmit_records(&mut self, at: UtcMillis, records: &[u8], frame: &mut Vec<u8>) -> bool {
        self.last = self.numbers(at);
        self.sent = self.sent.wrapping_add(1);
        let protection = Some(self.kind.protection);
        let (counter, lead) = match self.kind.protection {
            Protection::EllCtr => (self.last.session, &[0x78][..]),
            _ => (self.last.messages, &[][..]),
        };
        let [access, ..] = self.last.messages.to_le_bytes();
        let payload = [lead, records].concat();
        frame::lay_out(&Headers { address: self.address, protection, counter, access }, &payload, frame);
        seal::meter::protect(frame, self.key.expose()).is_ok()
    }

    /// The next message with records of a test, in so many fragments, as a meter of mode 7 sends what is too long for a
    /// frame. None for other meters, and where the fragments do not fit into frames.
    pub fn transmit_in_fragments(
        &mut self,
        at: UtcMillis,
        records: &[u8],
        pieces: usize,
    ) -> Option<Vec<Vec<u8>>> {
        if self.kind.protection != Protection::Mode7 {
            return None;
        }
        self.last = self.numbers(at);
        self.sent = self.sent.wrapping_add(1);
        let [access, ..] = self.last.messages.to_le_bytes();
        let mut whole = fragments::lay_out(self.address, self.last.messages, access, records);
        seal::meter::protect(&mut whole, self.key.expose()).ok()?;
        fragments::cut(&whole, pieces)
    }

    pub(crate) fn send(&mut self, at: UtcMillis, scratch: &mut Scratch, frame: &mut Vec<u8>) -> bool {
        self.last = self.numbers(at);
        self.sent = self.sent.wrapping_add(1);
        self.compose(at, &Departure::default(), scratch, frame)
    }

    /// The running numbers at a moment, above those of the last telegram.
    fn numbers(&self, at: UtcMillis) -> Numbers {
        let age = at.since(self.born).max(0);
        let messages = u32::try_from(age / self.unit_ms).unwrap_or(u32::MAX);
        let minutes = u32::try_from(age / 60_000).unwrap_or(u32::MAX) & 0x01ff_ffff;
        // sixteen telegrams fit into a minute: one each 3.75 seconds
        let in_minute = u32::try_from(age % 60_000 / 3_750).unwrap_or_default();
        Numbers {
            messages: messages.max(self.last.messages.wrapping_add(1)),
            session: (minutes << 4 | in_minute).max(self.last.session.wrapping_add(1)),
        }
    }

    /// A telegram with the numbers of the last one sent, or with departures.
    pub(crate) fn compose(
        &self,
        at: UtcMillis,
        departure: &Departure<'_>,
        scratch: &mut Scratch,
        frame: &mut Vec<u8>,
    ) -> bool {
        let protection = departure.protection.unwrap_or(Some(self.kind.protection));
        let numbers = departure.numbers.unwrap_or(self.last);
        let counter = match protection {
            Some(Protection::EllCtr) => numbers.session,
            _ => numbers.messages,
        };
        let [access, ..] = numbers.messages.to_le_bytes();
        let values = self.kind.values(&self.habits, at.plus(departure.registers_ahead_ms));
        let payload = &mut scratch.payload;
        payload.clear();
        let turn = self.sent.wrapping_add(self.phase) % FULL_EVERY == 1;
        match protection {
            Some(Protection::EllCtr) if turn || departure.full => {
                payload.push(0x78);
                frame::records(values, payload);
            }
            Some(Protection::EllCtr) => {
                frame::compact(self.kind.signature, values, &mut scratch.records, payload);
            }
            _ => frame::records(values, payload),
        }
        frame::lay_out(&Headers { address: self.address, protection, counter, access }, payload, frame);
        let key = departure.key.unwrap_or_else(|| self.key.expose());
        protection.is_none() || seal::meter::protect(frame, key).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMillis = UtcMillis(1_795_449_600_000);

    fn meters() -> Vec<Meter> {
        let address =
            |k: &Kind| MeterAddress::from_parts(k.manufacturer, "12345678", k.version, k.device_type);
        let new = |k| Meter::new(k, address(k).unwrap(), Secret::new([7; 16]), (1, 0), 16_000);
        Kind::all().iter().map(new).collect()
    }

    #[test]
    fn every_model_opens_with_its_key_and_counts_upwards() {
        for mut meter in meters() {
            let mut last = None;
            let mut frame = Vec::new();
            for k in 0..40 {
                assert!(meter.transmit(NOW.plus(k * 16_000), &mut frame));
                let (opened, _) = seal::meter::open(&frame, meter.key()).unwrap();
                assert_eq!(opened.header.sender, meter.address(), "{}", meter.kind().name);
                assert_eq!(opened.counter.is_some(), meter.counts());
                assert!(opened.counter.is_none() || opened.counter > last, "{}", meter.kind().name);
                last = opened.counter;
                assert!(seal::meter::open(&frame, &[8; 16]).is_err());
            }
        }
    }

    #[test]
    fn records_of_a_test_are_sent_as_they_are() {
        let records = [0x0e, 0x13, 0x12, 0x90, 0x78, 0x56, 0x34, 0x12];
        for mut meter in meters() {
            let mut frame = Vec::new();
            assert!(meter.transmit_records(NOW, &records, &mut frame));
            let (opened, plain) = seal::meter::open(&frame, meter.key()).unwrap();
            let payload = &plain[opened.payload];
            assert!(payload.windows(records.len()).any(|w| w == records), "{}", meter.kind().name);
        }
    }

    #[test]
    fn one_frame_in_eight_of_an_extended_link_layer_model_is_full() {
        let mut meter = meters().into_iter().find(|m| m.kind().name == "water-ell").unwrap();
        let mut frame = Vec::new();
        let full = (0..80).filter(|k| {
            meter.transmit(NOW.plus(k * 16_000), &mut frame);
            let (opened, plain) = seal::meter::open(&frame, meter.key()).unwrap();
            plain[opened.payload].starts_with(&[0x78])
        });
        assert_eq!(full.count(), 10);
    }

    #[test]
    fn a_meter_started_again_goes_on_above_where_it_was() {
        for (mut first, mut second) in meters().into_iter().zip(meters()) {
            let (mut a, mut b) = (Vec::new(), Vec::new());
            for k in 0..20 {
                first.transmit(NOW.plus(k * 16_000), &mut a);
            }
            second.transmit(NOW.plus(20 * 16_000), &mut b);
            let counter = |f: &[u8]| seal::meter::open(f, &[7; 16]).unwrap().0.counter;
            assert!(!first.counts() || counter(&b) > counter(&a), "{}", first.kind().name);
        }
    }
}
