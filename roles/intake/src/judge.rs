//! Freshness where the telegram has no counter (mode 5, or in clear): the meter's own time against the time
//! of hearing, and registers that only grow.
//!
//! The access number of these telegrams has 8 bits and no MAC, so whoever recorded a telegram can send it
//! again. A replay says an older meter time than is due, or a smaller register. What shows neither is taken
//! but marked as without freshness. A meter whose clock was set back, or that was exchanged or reset, looks
//! like a replay too: when its telegrams have agreed with each other for hours, the new state is adopted and
//! the caller raises an alarm.

use base::{Decimal, UtcMillis};

/// How far a meter's clock may stray from what it showed before: 5 minutes.
const TOLERANCE_S: i64 = 300;
/// Summer time.
const HOUR_S: i64 = 3600;
/// A meter's clock is somewhere on earth: within 15 hours of UTC.
const EARTH_S: i64 = 15 * HOUR_S;
/// A new state must be seen so often ...
const CONFIRMATIONS: u8 = 5;
/// ... and for so long: 6 hours.
const CONFIRM_MS: i64 = 6 * 3_600_000;
/// Registers watched.
pub const WATCHED: usize = 4;

/// A register that only grows, named by a hash of what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register {
    /// Quantity, unit, tariff, subunit and modifiers, hashed.
    pub id: u32,
    /// Its value.
    pub value: Decimal,
}

/// What a telegram says that freshness can be judged by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signs {
    /// The meter's time as if it were UTC, seconds since 1970.
    pub meter_time: Option<i64>,
    /// Registers.
    pub registers: [Option<Register>; WATCHED],
}

/// What is remembered of a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct History {
    /// When its newest accepted telegram was heard; 0 when none was.
    pub newest: i64,
    /// Meter time minus time of hearing, seconds.
    pub offset: Option<i64>,
    /// Registers of the newest accepted telegram.
    pub registers: [Option<Register>; WATCHED],
    /// A state that contradicts and may become the new one.
    pub challenge: Option<Challenge>,
    /// The status byte of the newest telegram.
    pub status: u8,
}

/// A state that contradicts what is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge {
    /// Since when.
    pub since: i64,
    /// How often it was seen.
    pub seen: u8,
    /// Its offset, where time contradicts.
    pub offset: Option<i64>,
    /// The first of its registers, where registers contradict.
    pub register: Option<Register>,
}

/// What becomes of a telegram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Newer than what is known.
    Fresh,
    /// Nothing shows that it is fresh, and nothing that it is not.
    NoFreshness,
    /// As [`Judgement::NoFreshness`]; it and those before it made a new state the accepted one: an alarm.
    Adopted,
    /// It is older than it pretends to be.
    Rollback,
}

/// What one sign says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    New,
    Nothing,
    Old,
}

impl History {
    /// Judges a telegram and remembers it. `reliable` says whether the time of hearing can be relied on.
    pub fn judge(&mut self, signs: &Signs, heard: UtcMillis, reliable: bool) -> Judgement {
        let delivered_late = heard.0 < self.newest;
        let offset =
            signs.meter_time.filter(|_| reliable).map(|t| t.saturating_sub(heard.0.div_euclid(1000)));
        let (time, registers) = (self.time_says(offset, heard), self.registers_say(signs, delivered_late));
        if time == Says::Old || registers == Says::Old {
            if delivered_late || !self.challenged(offset, time, signs, registers, heard) {
                return Judgement::Rollback;
            }
            self.remember(signs, heard);
            self.offset = offset.or(self.offset);
            return Judgement::Adopted;
        }
        self.follow(offset, heard);
        if !delivered_late {
            // What is good ends a dispute about registers.
            self.challenge = self.challenge.filter(|c| c.register.is_none());
            self.remember(signs, heard);
        }
        match (time, registers) {
            (Says::New, _) => Judgement::Fresh,
            // Without a meter time, a register that grew has never been sent before.
            (Says::Nothing, Says::New) if signs.meter_time.is_none() => Judgement::Fresh,
            _ => Judgement::NoFreshness,
        }
    }

    fn time_says(&self, offset: Option<i64>, heard: UtcMillis) -> Says {
        let (Some(offset), Some(known)) = (offset, self.offset) else { return Says::Nothing };
        let stray = offset.saturating_sub(known);
        if stray.abs() <= TOLERANCE_S {
            return Says::New;
        }
        // Summer time ends without the meter saying so, or the clock was set ahead: the latter no replay does.
        let winter = (stray + HOUR_S).abs() <= TOLERANCE_S && summer_time_ends(heard);
        if winter || stray > 0 { Says::Nothing } else { Says::Old }
    }

    fn registers_say(&self, signs: &Signs, delivered_late: bool) -> Says {
        let mut says = Says::Nothing;
        for register in signs.registers.iter().flatten() {
            let Some(known) = self.registers.iter().flatten().find(|r| r.id == register.id) else { continue };
            match compare(register.value, known.value) {
                std::cmp::Ordering::Less if !delivered_late => return Says::Old,
                std::cmp::Ordering::Greater if !delivered_late => says = Says::New,
                // Heard before the newest one and yet ahead of it.
                std::cmp::Ordering::Greater => return Says::Old,
                _ => {}
            }
        }
        says
    }

    /// Counts a contradiction; true when it has become the new state.
    fn challenged(
        &mut self,
        offset: Option<i64>,
        time: Says,
        signs: &Signs,
        registers: Says,
        heard: UtcMillis,
    ) -> bool {
        let offset = offset.filter(|_| time == Says::Old);
        let register = signs.registers.iter().flatten().next().copied().filter(|_| registers == Says::Old);
        let agrees = |c: &Challenge| {
            let times = match (c.offset, offset) {
                (Some(a), Some(b)) => a.saturating_sub(b).abs() <= TOLERANCE_S,
                (None, None) => true,
                _ => false,
            };
            let values = match (c.register, register) {
                (Some(a), Some(b)) => a.id == b.id && compare(b.value, a.value).is_ge(),
                (None, None) => true,
                _ => false,
            };
            times && values
        };
        match &mut self.challenge {
            Some(challenge) if agrees(challenge) => {
                challenge.seen = challenge.seen.saturating_add(1);
                challenge.register = register;
                let long = heard.0.saturating_sub(challenge.since) >= CONFIRM_MS;
                if long && challenge.seen >= CONFIRMATIONS {
                    self.challenge = None;
                    return true;
                }
            }
            challenge => *challenge = Some(Challenge { since: heard.0, seen: 1, offset, register }),
        }
        false
    }

    /// Follows a clock that drifts at once, and one that was set ahead when it has been seen three times.
    fn follow(&mut self, offset: Option<i64>, heard: UtcMillis) {
        let Some(offset) = offset.filter(|o| o.abs() <= EARTH_S) else { return };
        let Some(known) = self.offset else {
            self.offset = Some(offset);
            return;
        };
        let stray = offset.saturating_sub(known);
        if stray.abs() <= TOLERANCE_S {
            self.offset = Some(known + stray / 8);
            self.challenge = None;
            return;
        }
        match &mut self.challenge {
            Some(c) if c.offset.is_some_and(|o| o.saturating_sub(offset).abs() <= TOLERANCE_S) => {
                c.seen = c.seen.saturating_add(1);
                if c.seen >= 3 {
                    (self.offset, self.challenge) = (Some(offset), None);
                }
            }
            c => *c = Some(Challenge { since: heard.0, seen: 1, offset: Some(offset), register: None }),
        }
    }

    fn remember(&mut self, signs: &Signs, heard: UtcMillis) {
        self.newest = self.newest.max(heard.0);
        if signs.registers.iter().any(Option::is_some) {
            self.registers = signs.registers;
        }
    }
}

/// Whether summer time ends on this day or ended the day before: the last Sunday of October. On these two days
/// alone an hour back is taken for the clock and not for a replay.
fn summer_time_ends(at: UtcMillis) -> bool {
    let day = at.day();
    let weekday = (at.0.div_euclid(86_400_000) + 4).rem_euclid(7); // 1970-01-01 was a Thursday; 0 is Sunday
    let october = day.month().number() % 12 == 9;
    october && weekday <= 1 && (25..=31).contains(&(i64::from(day.of_month()) - weekday))
}

/// Exact, as far as 128 bits reach.
fn compare(a: Decimal, b: Decimal) -> std::cmp::Ordering {
    let low = a.exponent.min(b.exponent);
    let wide = |d: Decimal| {
        let shift = u32::try_from(i32::from(d.exponent) - i32::from(low)).ok()?;
        10i128.checked_pow(shift)?.checked_mul(i128::from(d.mantissa))
    };
    match (wide(a), wide(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.to_f64().total_cmp(&b.to_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_795_000_000_000;
    const MINUTE: i64 = 60_000;

    fn signs(meter_time: Option<i64>, litres: Option<i64>) -> Signs {
        let first = litres.map(|n| Register { id: 1, value: Decimal::new(n, -3) });
        Signs { meter_time, registers: [first, None, None, None] }
    }

    /// A meter whose clock is one hour ahead of UTC.
    fn clock(heard: i64) -> Option<i64> {
        Some(heard / 1000 + HOUR_S)
    }

    fn judge(history: &mut History, heard: i64, meter_time: Option<i64>, litres: Option<i64>) -> Judgement {
        history.judge(&signs(meter_time, litres), UtcMillis(heard), true)
    }

    #[test]
    fn meter_time_shows_what_is_fresh_and_what_is_replayed() {
        let mut h = History::default();
        assert_eq!(
            judge(&mut h, START, clock(START), Some(5)),
            Judgement::NoFreshness,
            "the first shows nothing"
        );
        for n in 1..100 {
            let at = START + n * 16_000;
            assert_eq!(judge(&mut h, at, clock(at), Some(5)), Judgement::Fresh);
        }
        let later = START + 30 * MINUTE;
        assert_eq!(judge(&mut h, later, clock(START), Some(5)), Judgement::Rollback);
        assert_eq!(
            judge(&mut h, later, clock(later), Some(6)),
            Judgement::Fresh,
            "and loses nothing that is good"
        );
    }

    #[test]
    fn a_register_never_goes_back() {
        let mut h = History::default();
        assert_eq!(judge(&mut h, START, None, Some(100)), Judgement::NoFreshness);
        assert_eq!(judge(&mut h, START + MINUTE, None, Some(101)), Judgement::Fresh, "it grew");
        assert_eq!(
            judge(&mut h, START + 2 * MINUTE, None, Some(101)),
            Judgement::NoFreshness,
            "it may be a replay"
        );
        assert_eq!(judge(&mut h, START + 3 * MINUTE, None, Some(100)), Judgement::Rollback);
        assert_eq!(
            judge(&mut h, START + 4 * MINUTE, clock(START + 4 * MINUTE), Some(100)),
            Judgement::Rollback
        );
        assert_eq!(judge(&mut h, START + 5 * MINUTE, None, Some(102)), Judgement::Fresh);
    }

    #[test]
    fn late_delivery_fits_between_its_neighbours() {
        let mut h = History::default();
        judge(&mut h, START, clock(START), Some(100));
        judge(&mut h, START + 60 * MINUTE, clock(START + 60 * MINUTE), Some(110));
        let between = START + 30 * MINUTE;
        assert_eq!(judge(&mut h, between, clock(between), Some(105)), Judgement::Fresh);
        assert_eq!(
            judge(&mut h, between, clock(between), Some(111)),
            Judgement::Rollback,
            "ahead of its successor"
        );
        assert_eq!(h.registers[0].unwrap().value, Decimal::new(110, -3));
    }

    #[test]
    fn the_end_of_summer_time_is_followed_and_on_no_other_day_an_hour_back() {
        let mut h = History::default();
        let sunday = "2026-10-25T02:00:00Z".parse::<UtcMillis>().unwrap().0;
        for n in -2..4 {
            let (at, shift) = (sunday + n * MINUTE, if n < 0 { 0 } else { -HOUR_S });
            let said = judge(&mut h, at, clock(at).map(|t| t + shift), Some(1));
            let due = if (-1..0).contains(&n) || n == 3 { Judgement::Fresh } else { Judgement::NoFreshness };
            assert_eq!(said, due, "{n}");
        }
        for (day, ends) in [
            ("2026-10-18", false),
            ("2026-10-24", false),
            ("2026-10-25", true),
            ("2026-10-26", true),
            ("2026-10-27", false),
            ("2026-11-01", false),
            ("2027-10-31", true),
            ("2027-11-01", false),
        ] {
            let at: UtcMillis = format!("{day}T12:00:00Z").parse().unwrap();
            assert_eq!(summer_time_ends(at), ends, "{day}");
        }
    }

    #[test]
    fn a_clock_set_ahead_is_followed_and_one_set_back_is_adopted_after_hours() {
        let mut h = History::default();
        for n in 0..3 {
            judge(&mut h, START + n * MINUTE, clock(START + n * MINUTE), Some(1));
        }
        for n in 3..7 {
            let at = START + n * MINUTE;
            assert_ne!(judge(&mut h, at, clock(at).map(|t| t + 1200), Some(1)), Judgement::Rollback);
        }
        assert_eq!(h.offset, Some(HOUR_S + 1200));
        let (mut refused, mut at) = (0, START + 10 * MINUTE);
        loop {
            match judge(&mut h, at, clock(at).map(|t| t - 5000), Some(1)) {
                Judgement::Rollback => refused += 1,
                Judgement::Adopted => break,
                other => panic!("{other:?}"),
            }
            at += 30 * MINUTE;
        }
        assert_eq!(refused, 12, "six hours");
        assert_eq!(
            judge(&mut h, at + MINUTE, clock(at + MINUTE).map(|t| t - 5000), Some(1)),
            Judgement::Fresh
        );
    }

    #[test]
    fn replays_that_do_not_agree_with_each_other_are_never_adopted() {
        let mut h = History::default();
        judge(&mut h, START, clock(START), Some(1));
        for n in 1..200 {
            let at = START + n * 10 * MINUTE;
            // One recorded telegram, sent again and again: its offset falls behind.
            assert_eq!(judge(&mut h, at, clock(START), Some(1)), Judgement::Rollback, "{n}");
        }
    }

    #[test]
    fn an_exchanged_meter_is_adopted_after_hours() {
        let mut h = History::default();
        judge(&mut h, START, None, Some(99_000));
        let said: Vec<Judgement> =
            (1..10).map(|n| judge(&mut h, START + n * 60 * MINUTE, None, Some(n))).collect();
        assert_eq!(said.iter().position(|j| *j == Judgement::Adopted), Some(6));
        assert_eq!(said.last(), Some(&Judgement::Fresh));
    }

    #[test]
    fn an_unreliable_time_of_hearing_judges_no_clock() {
        let mut h = History::default();
        judge(&mut h, START, clock(START), Some(1));
        let odd = signs(clock(START - 50 * 60 * MINUTE), Some(2));
        assert_eq!(h.judge(&odd, UtcMillis(START + MINUTE), false), Judgement::NoFreshness);
    }

    #[test]
    fn decimals_compare_exactly() {
        use std::cmp::Ordering::{Equal, Greater, Less};
        for (a, b, order) in [
            ((1, 0), (1000, -3), Equal),
            ((1, 0), (1001, -3), Less),
            ((-1, 0), (-1001, -3), Greater),
            ((i64::MAX, 127), (i64::MAX, -128), Greater),
        ] {
            assert_eq!(compare(Decimal::new(a.0, a.1), Decimal::new(b.0, b.1)), order);
        }
    }
}
