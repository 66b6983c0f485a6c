//! What a household uses: registers as a function of time, so that a town that is started again goes on where
//! it would be had it never stopped.

use base::UtcMillis;

use crate::rng::{Rng, mix};

const DAY_MS: i64 = 86_400_000;

/// Shares of a day's use that fall into each hour (UTC); water, and roughly power.
const USE: [f64; 24] = [
    1.0, 0.6, 0.4, 0.4, 0.8, 2.4, 6.6, 7.2, 6.0, 5.0, 4.4, 4.2, 4.6, 4.2, 3.8, 4.2, 5.4, 7.6, 8.4, 7.2, 5.8,
    4.4, 3.4, 2.0,
];
/// The same for heat, which never stops.
const WARMTH: [f64; 24] = [
    3.4, 3.4, 3.4, 3.6, 4.2, 5.4, 6.0, 5.4, 4.6, 4.2, 3.8, 3.6, 3.4, 3.4, 3.6, 4.0, 4.6, 5.0, 5.0, 4.8, 4.6,
    4.2, 3.8, 3.6,
];

/// One household's habits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habits {
    /// Identifies the meter's noise.
    salt: u64,
    born: UtcMillis,
    /// What the registers showed when the meter was made.
    start: f64,
    /// Cubic metres of water a day, or kWh a day, or heat's yearly mean in kWh a day.
    per_day: f64,
    /// Part of `per_day` that goes the other way (solar power).
    reverse: f64,
}

/// All that a meter shows at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shown {
    /// m3 or kWh.
    pub total: f64,
    /// kWh fed back.
    pub reverse: f64,
    /// m3 of heating water.
    pub volume: f64,
    /// Flow in m3/h for water, power in kW for heat and electricity.
    pub rate: f64,
    /// °C, supply side or water.
    pub flow: f64,
    /// °C, return side.
    pub back: f64,
    /// °C around the meter.
    pub ambient: f64,
    /// Hours since the meter was made.
    pub hours: f64,
}

/// What a meter measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Medium {
    /// Drinking water.
    Water,
    /// District heating.
    Heat,
    /// Electricity.
    Electricity,
}

impl Habits {
    pub(crate) fn new(medium: Medium, born: UtcMillis, rng: &mut Rng) -> Self {
        let per_day = match medium {
            Medium::Water => rng.between(0.06, 0.45),
            Medium::Heat => rng.between(18.0, 60.0),
            Medium::Electricity => rng.between(4.0, 22.0),
        };
        let solar = medium == Medium::Electricity && rng.below(4) == 0;
        Self {
            salt: rng.next(),
            born,
            start: rng.between(0.0, 2.0) * per_day,
            per_day,
            reverse: if solar { rng.between(0.3, 0.9) } else { 0.0 },
        }
    }

    /// The registers at a moment: they never fall from one moment to a later one.
    pub(crate) fn at(&self, medium: Medium, now: UtcMillis) -> Shown {
        let days = days(now.since(self.born).max(0));
        let ms_of_day = now.0.rem_euclid(DAY_MS);
        let shape = if medium == Medium::Heat { &WARMTH } else { &USE };
        // the part of a day's use that is over now, and the part that was over when the meter was made
        let (over, slope) = day_share(shape, ms_of_day);
        let (over_born, _) = day_share(shape, self.born.0.rem_euclid(DAY_MS));
        let whole = days_floor(now).max(days_floor(self.born)) - days_floor(self.born);
        let used = (whole + over - over_born).max(0.0);
        let noise = self.noise(now);
        match medium {
            Medium::Water => Shown {
                total: self.start + self.per_day * used,
                rate: self.per_day * slope / 24.0,
                flow: 8.0 + 4.0 * noise,
                ambient: 14.0 + 8.0 * noise,
                hours: days * 24.0,
                ..Shown::default()
            },
            Medium::Heat => {
                let (season, factor) = season(now, self.born);
                // the season sways the mean by 60 %, and no hour has less than 80 % of it: the sum never falls
                let total = self.start + self.per_day * (used + 0.6 * season).max(0.0);
                Shown {
                    total,
                    volume: total / 34.0, // 1 m3 cooled by 30 K gives about 34 kWh
                    rate: self.per_day * slope / 24.0 * (1.0 + 0.6 * factor),
                    flow: 68.0 + 8.0 * noise,
                    back: 36.0 + 5.0 * noise,
                    hours: days * 24.0,
                    ..Shown::default()
                }
            }
            Medium::Electricity => Shown {
                total: self.start + self.per_day * used,
                reverse: self.per_day * self.reverse * used,
                rate: self.per_day * slope / 24.0 * (0.7 + 0.6 * noise),
                hours: days * 24.0,
                ..Shown::default()
            },
        }
    }

    /// 0 to 1, another value every ten minutes.
    fn noise(&self, now: UtcMillis) -> f64 {
        Rng::new(self.salt, mix(now.0.div_euclid(600_000).unsigned_abs())).unit()
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of centuries fit into 53 bits")]
fn days(ms: i64) -> f64 {
    ms as f64 / DAY_MS as f64
}

#[expect(clippy::cast_precision_loss, reason = "days are few")]
fn days_floor(t: UtcMillis) -> f64 {
    t.0.div_euclid(DAY_MS) as f64
}

/// The part of the day's use that is over at a moment of the day, and how many times the mean is used now.
fn day_share(shape: &[f64; 24], ms_of_day: i64) -> (f64, f64) {
    let sum: f64 = shape.iter().sum();
    let hour = usize::try_from(ms_of_day / 3_600_000).unwrap_or_default();
    let into = days(ms_of_day % 3_600_000) * 24.0;
    let before: f64 = shape.iter().take(hour).sum();
    let now = shape.get(hour).copied().unwrap_or_default();
    ((before + now * into) / sum, now / sum * 24.0)
}

/// Winter's surplus since birth in days of mean use, and the sway now: +1 in January, -1 in July.
fn season(now: UtcMillis, born: UtcMillis) -> (f64, f64) {
    const YEAR: f64 = 365.25;
    let turn = |t: UtcMillis| days(t.0) / YEAR * std::f64::consts::TAU;
    let surplus = (turn(now).sin() - turn(born).sin()) * YEAR / std::f64::consts::TAU;
    (surplus, turn(now).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_never_fall_and_grow_by_about_what_a_household_uses() {
        let born: UtcMillis = "2020-03-05T07:31:00Z".parse().unwrap();
        for medium in [Medium::Water, Medium::Heat, Medium::Electricity] {
            for stream in 0..20 {
                let habits = Habits::new(medium, born, &mut Rng::new(7, stream));
                let mut last = Shown::default();
                for step in 0..4000 {
                    // steps of 7 h 7 min walk through every hour of many days and all seasons
                    let now = habits.at(medium, born.plus(step * 25_620_000));
                    assert!(now.total >= last.total, "{medium:?} {stream} {step}");
                    assert!(now.reverse >= last.reverse && now.volume >= last.volume);
                    assert!(now.rate >= 0.0);
                    last = now;
                }
                let days = 4000.0 * 25_620_000.0 / 86_400_000.0;
                let mean = last.total / days;
                assert!(mean > habits.per_day * 0.8 && mean < habits.per_day * 1.2, "{medium:?}: {mean}");
            }
        }
    }
}
