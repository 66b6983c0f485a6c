//! A town: many meters, each heard once an interval, and the mischief between.

use std::collections::VecDeque;

use base::{MeterAddress, Secret, UtcMillis};

use crate::kind::Kind;
use crate::meter::{Meter, Scratch};
use crate::mischief::{Mischief, NEIGHBOUR_MEDIUM, Rate, Sort};
use crate::rng::{self, Rng};

/// What a town is made of.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many meters.
    pub meters: u32,
    /// Settles serials, keys, habits and mischief.
    pub seed: u64,
    /// Each meter sends once in so many milliseconds.
    pub interval_ms: i64,
    /// Models in turn; empty for all.
    pub kinds: Vec<&'static Kind>,
    /// What comes besides good telegrams.
    pub rates: Vec<Rate>,
}

impl Default for Plan {
    fn default() -> Self {
        Self { meters: 300, seed: 1, interval_ms: 16_000, kinds: Vec::new(), rates: Vec::new() }
    }
}

/// A telegram on the air.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmission {
    /// When.
    pub at: UtcMillis,
    /// Which sort it is.
    pub sort: Sort,
    /// The meter that it claims to be from, by its place in [`Town::meters`]; none for neighbours and garbage.
    pub meter: Option<usize>,
    /// The frame from its L field, link-layer CRCs removed; for [`Sort::Garbage`] the characters of the line.
    pub frame: Vec<u8>,
}

/// Meters that send in turn.
pub struct Town {
    meters: Vec<Meter>,
    /// Meter indexes in the order in which they send within an interval.
    order: Vec<u32>,
    interval_ms: i64,
    start: UtcMillis,
    /// Good telegrams so far.
    turn: u64,
    mischief: Mischief,
    waiting: VecDeque<Transmission>,
    scratch: Scratch,
}

impl Town {
    /// A town with serials from 10000000 and individual keys, both settled by the plan's seed.
    #[must_use]
    pub fn new(plan: &Plan, start: UtcMillis) -> Self {
        let kinds: Vec<&'static Kind> =
            if plan.kinds.is_empty() { Kind::all().iter().collect() } else { plan.kinds.clone() };
        let mut kinds = kinds.into_iter().cycle();
        let base = Rng::new(plan.seed, 0x7365_7269).below(7_000) * 10_000;
        let make = |index: u32| {
            let kind = kinds.next()?;
            let number = 10_000_000 + base + u64::from(index);
            let key = rng::key("meter", plan.seed, u64::from(index));
            meter_of(kind, number, key, (plan.seed, u64::from(index)), plan.interval_ms)
        };
        let meters = (0..plan.meters).map_while(make).collect();
        Self::with_meters(meters, plan, start)
    }

    /// A town of given meters, such as those of an imported key file. The plan's number of meters and models do
    /// not count.
    #[must_use]
    pub fn with_meters(meters: Vec<Meter>, plan: &Plan, start: UtcMillis) -> Self {
        let mut order: Vec<u32> = (0..u32::try_from(meters.len()).unwrap_or(u32::MAX)).collect();
        let mut rng = Rng::new(plan.seed, 0x6f72_6465);
        for last in (1..order.len()).rev() {
            let other = usize::try_from(rng.below(last as u64 + 1)).unwrap_or_default();
            order.swap(last, other);
        }
        let neighbours = neighbours(plan);
        let mischief = Mischief::new(plan.rates.clone(), plan.seed, neighbours);
        let interval_ms = plan.interval_ms.max(1);
        let (waiting, scratch) = (VecDeque::new(), Scratch::default());
        Self { meters, order, interval_ms, start, turn: 0, mischief, waiting, scratch }
    }

    /// The meters.
    #[must_use]
    pub fn meters(&self) -> &[Meter] {
        &self.meters
    }

    /// When the next telegram is due.
    #[must_use]
    pub fn due(&self) -> UtcMillis {
        match self.waiting.front() {
            Some(next) => next.at,
            None => self.due_at(self.turn),
        }
    }

    fn due_at(&self, turn: u64) -> UtcMillis {
        let count = self.meters.len().max(1) as u64;
        let (round, place) = (turn / count, turn % count);
        let offset = u64::try_from(self.interval_ms).unwrap_or_default();
        self.start.plus((round * offset + place * offset / count).cast_signed())
    }

    /// The next telegram, into a buffer that is used again and again; false when the town has no meters.
    pub fn next_into(&mut self, out: &mut Transmission) -> bool {
        if let Some(next) = self.waiting.pop_front() {
            *out = next;
            return true;
        }
        let count = self.meters.len().max(1) as u64;
        let place = usize::try_from(self.turn % count).unwrap_or_default();
        let Some(index) = self.order.get(place).and_then(|i| usize::try_from(*i).ok()) else { return false };
        out.at = self.due_at(self.turn);
        self.turn += 1;
        let Some(meter) = self.meters.get_mut(index) else { return false };
        (out.sort, out.meter) = (Sort::Good, Some(index));
        if !meter.send(out.at, &mut self.scratch, &mut out.frame) {
            return false;
        }
        if !self.mischief.is_idle() {
            self.stir(index, out);
        }
        true
    }

    /// The next telegram; none when the town has no meters.
    pub fn transmit(&mut self) -> Option<Transmission> {
        let mut out = Transmission::blank();
        self.next_into(&mut out).then_some(out)
    }

    /// A telegram of a sort right now, out of the last good one of a meter. None where that meter has no such
    /// sort, and for replays before there is anything old enough.
    pub fn misbehave(&mut self, sort: Sort, meter: usize, at: UtcMillis) -> Option<Transmission> {
        let good = self.meters.get(meter)?;
        let mut frame = Vec::new();
        good.compose(at, &crate::meter::Departure::default(), &mut self.scratch, &mut frame).then_some(())?;
        let made = self.mischief.make(sort, (meter, good), at, &mut self.scratch, &mut frame)?;
        Some(Transmission { at, sort: made.sort, meter: made.meter, frame })
    }

    fn stir(&mut self, index: usize, good: &Transmission) {
        self.mischief.record(good.at, index, &good.frame);
        for sort in self.mischief.draw() {
            let Some(meter) = self.meters.get(index) else { return };
            let mut frame = good.frame.clone();
            let at = good.at;
            if let Some(made) = self.mischief.make(sort, (index, meter), at, &mut self.scratch, &mut frame) {
                self.waiting.push_back(Transmission { at, sort: made.sort, meter: made.meter, frame });
            }
        }
    }
}

impl Transmission {
    /// An empty one, as a buffer for [`Town::next_into`].
    #[must_use]
    pub const fn blank() -> Self {
        Self { at: UtcMillis(0), sort: Sort::Good, meter: None, frame: Vec::new() }
    }
}

fn neighbours(plan: &Plan) -> Vec<Meter> {
    let kinds = Kind::all().iter().filter(|k| k.medium == NEIGHBOUR_MEDIUM);
    let make = |(k, index): (&'static Kind, u64)| {
        let key = rng::key("neighbour", plan.seed, index);
        meter_of(k, 95_000_000 + index, key, (plan.seed, 1 << 40 | index), plan.interval_ms)
    };
    kinds.cycle().zip(0..16).filter_map(make).collect()
}

fn meter_of(
    kind: &'static Kind,
    number: u64,
    key: Secret<16>,
    stream: (u64, u64),
    interval_ms: i64,
) -> Option<Meter> {
    let serial = format!("{:08}", number % 100_000_000);
    let address =
        MeterAddress::from_parts(kind.manufacturer, &serial, kind.version, kind.device_type).ok()?;
    Some(Meter::new(kind, address, key, stream, interval_ms))
}
