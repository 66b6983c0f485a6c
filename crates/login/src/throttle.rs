//! Guessing slows down who guesses, and not whose account it is.
//!
//! Two lanes. A device on which the person has signed in before is slowed by its own failures alone. Strangers are slowed
//! by account and place, by place over all accounts, and by account over all places; the last is what bounds the guesses
//! at an account however many places they come from, and it locks out strangers only.
//!
//! An attempt is counted when it is admitted, and given back when it succeeded: attempts side by side gain nothing.

use base::UtcMillis;

use crate::bounded::{Bounded, Recovers};
use crate::bytes::{Reader, Writer};
use crate::device::DeviceId;
use crate::{Name, RecordError, Refusal, Source};

const SECOND: i64 = 1000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;

/// Failures without a delay.
const FREE: u32 = 3;
/// A known device never waits longer than this after a failure of its own.
pub const DEVICE_WAIT: i64 = 60 * SECOND;
/// A stranger's longest wait after a failure of its own.
const STRANGER_WAIT: i64 = HOUR;
/// Strangers' guesses at one account in any 24 hours, from everywhere together.
pub const GUESSES_A_DAY: u32 = 50;
/// Guesses of one known device in any 24 hours, after which it counts as a stranger until they have worn off.
pub const DEVICE_GUESSES_A_DAY: u32 = 40;
/// Failures of one place over all accounts in any hour.
pub const FAILURES_OF_A_PLACE: u32 = 60;

/// Names that nobody has share so many counters, so that they take no more memory than this.
const NOBODY: u16 = 1024;
const PLACES: usize = 65_536;

/// Somebody is about to prove something.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Under which name.
    pub name: &'a Name,
    /// Whether somebody has it.
    pub exists: bool,
    /// From where.
    pub source: Source,
    /// The known device of that account that shows its token.
    pub device: Option<DeviceId>,
}

/// An admitted attempt. Dropping it leaves it counted as a failure.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a success that is not told counts as a failure"]
pub struct Ticket(Lane);

impl Ticket {
    /// Whether it was given for that name, which somebody has or nobody.
    pub(crate) fn is_for(&self, name: &Name, exists: bool) -> bool {
        match &self.0 {
            Lane::Device(given, _) | Lane::Stranger(Account::Person(given), _) => exists && given == name,
            Lane::Stranger(Account::Nobody(_), _) => !exists,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Lane {
    Device(Name, DeviceId),
    Stranger(Account, Source),
}

/// Too many guesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttled {
    /// Before then there is no use in trying.
    pub until: UtcMillis,
}

impl From<Throttled> for Refusal {
    fn from(_: Throttled) -> Self {
        Self::Throttled
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Account {
    Person(Name),
    Nobody(u16),
}

/// A bucket that runs empty evenly: how long it needs for that, as of when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bucket {
    debt: i64,
    at: UtcMillis,
}

impl Bucket {
    const EMPTY: Self = Self { debt: 0, at: UtcMillis(i64::MIN) };

    /// As of now. A clock that is set back empties nothing, and fills nothing either.
    fn now(self, now: UtcMillis) -> Self {
        let gone = now.since(self.at).max(0);
        Self { debt: self.debt.saturating_sub(gone).max(0), at: now }
    }

    fn admits(self, most: u32, over: i64, now: UtcMillis) -> Result<(), Throttled> {
        let room = over.saturating_sub(step(most, over));
        let late = self.now(now).debt.saturating_sub(room);
        if late <= 0 { Ok(()) } else { Err(Throttled { until: now.plus(late) }) }
    }

    fn count(&mut self, most: u32, over: i64, now: UtcMillis) {
        *self = self.now(now);
        self.debt = self.debt.saturating_add(step(most, over));
    }

    fn give_back(&mut self, most: u32, over: i64) {
        self.debt = self.debt.saturating_sub(step(most, over)).max(0);
    }

    fn write(self, to: &mut Writer) {
        to.time(UtcMillis(self.debt)).time(self.at);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        // no bucket holds more than a day and one step; a record that says more does not lock anybody out
        let debt = from.time()?.0.clamp(0, 2 * DAY);
        Some(Self { debt, at: from.time()? })
    }
}

/// What one attempt adds, in milliseconds. Half of what may be is at once, half comes in over the time.
fn step(most: u32, over: i64) -> i64 {
    over / i64::from(most / 2).max(1)
}

/// Failures of one lane, each of which doubles the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Backoff {
    failures: u32,
    last: UtcMillis,
}

impl Backoff {
    const NONE: Self = Self { failures: 0, last: UtcMillis(i64::MIN) };

    fn wait(self, longest: i64) -> i64 {
        match self.failures.checked_sub(FREE) {
            None => 0,
            Some(over) => {
                SECOND.checked_shl(over).filter(|w| *w > 0 && over < 32).map_or(longest, |w| w.min(longest))
            }
        }
    }

    /// A clock that was set back waits from where it is now, not from where it was.
    fn admits(self, longest: i64, now: UtcMillis) -> Result<(), Throttled> {
        let until = self.last.min(now).plus(self.wait(longest));
        if until <= now { Ok(()) } else { Err(Throttled { until }) }
    }

    fn count(&mut self, now: UtcMillis) {
        if now.since(self.last) >= DAY {
            self.failures = 0;
        }
        *self = Self { failures: self.failures.saturating_add(1), last: now };
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct DeviceState {
    backoff: Backoff,
    budget: Bucket,
}

impl Recovers for Bucket {
    fn recovered_at(&self) -> i64 {
        self.at.plus(self.debt).0
    }
}

impl Recovers for Backoff {
    fn recovered_at(&self) -> i64 {
        self.last.plus(DAY).0
    }
}

impl Recovers for DeviceState {
    fn recovered_at(&self) -> i64 {
        self.budget.recovered_at().max(self.backoff.recovered_at())
    }
}

/// All counters. Memory is bounded: by the house's accounts and their devices, and by a fixed number of places.
#[derive(Debug)]
pub struct Throttle {
    key: [u8; 16],
    accounts: Bounded<Account, Bucket>,
    places: Bounded<Source, Bucket>,
    pairs: Bounded<(Account, Source), Backoff>,
    devices: Bounded<(Name, DeviceId), DeviceState>,
}

const MAGIC: &[u8] = b"MKTHRO1";

impl Throttle {
    /// Empty counters for a house of at most so many accounts.
    ///
    /// # Errors
    /// [`Refusal::Machine`] without randomness.
    pub fn new(accounts: usize) -> Result<Self, Refusal> {
        let key = base::random().map_err(|_| Refusal::Machine)?;
        Ok(Self {
            key,
            accounts: Bounded::new(accounts.saturating_add(usize::from(NOBODY))),
            places: Bounded::new(PLACES),
            pairs: Bounded::new(PLACES),
            devices: Bounded::new(accounts.saturating_mul(crate::device::DEVICES).max(1)),
        })
    }

    /// Admits an attempt, and counts it as a failure until [`Throttle::succeeded`] takes that back.
    ///
    /// # Errors
    /// [`Throttled`]; then nothing may be checked, and nothing is counted.
    pub fn admit(&mut self, attempt: &Attempt<'_>, now: UtcMillis) -> Result<Ticket, Throttled> {
        if let Some(device) = attempt.device.filter(|_| attempt.exists) {
            let lane = (attempt.name.clone(), device);
            let state = self.devices.get(&lane).copied();
            let mut state = state.unwrap_or(DeviceState { backoff: Backoff::NONE, budget: Bucket::EMPTY });
            if state.budget.admits(DEVICE_GUESSES_A_DAY, DAY, now).is_ok() {
                state.backoff.admits(DEVICE_WAIT, now)?;
                state.backoff.count(now);
                state.budget.count(DEVICE_GUESSES_A_DAY, DAY, now);
                self.devices.put(lane.clone(), state, now);
                return Ok(Ticket(Lane::Device(lane.0, lane.1)));
            }
        }
        self.admit_stranger(self.account(attempt), attempt.source, now)
    }

    fn admit_stranger(
        &mut self,
        account: Account,
        source: Source,
        now: UtcMillis,
    ) -> Result<Ticket, Throttled> {
        let pair = (account.clone(), source);
        let mut backoff = self.pairs.get(&pair).copied().unwrap_or(Backoff::NONE);
        let mut place = self.places.get(&source).copied().unwrap_or(Bucket::EMPTY);
        let mut whole = self.accounts.get(&account).copied().unwrap_or(Bucket::EMPTY);
        backoff.admits(STRANGER_WAIT, now)?;
        place.admits(FAILURES_OF_A_PLACE, HOUR, now)?;
        whole.admits(GUESSES_A_DAY, DAY, now)?;
        backoff.count(now);
        place.count(FAILURES_OF_A_PLACE, HOUR, now);
        whole.count(GUESSES_A_DAY, DAY, now);
        self.pairs.put(pair, backoff, now);
        self.places.put(source, place, now);
        self.accounts.put(account.clone(), whole, now);
        Ok(Ticket(Lane::Stranger(account, source)))
    }

    /// Takes back what the attempt counted. Only its own delay is forgotten: others' guesses stay counted.
    pub fn succeeded(&mut self, ticket: Ticket) {
        match ticket.0 {
            Lane::Device(name, device) => {
                if let Some(state) = self.devices.get_mut(&(name, device)) {
                    state.backoff = Backoff::NONE;
                    state.budget.give_back(DEVICE_GUESSES_A_DAY, DAY);
                }
            }
            Lane::Stranger(account, source) => {
                if let Some(place) = self.places.get_mut(&source) {
                    place.give_back(FAILURES_OF_A_PLACE, HOUR);
                }
                if let Some(whole) = self.accounts.get_mut(&account) {
                    whole.give_back(GUESSES_A_DAY, DAY);
                }
                self.pairs.remove(&(account, source));
            }
        }
    }

    /// Names of nobody share counters, under a key that only this process knows.
    fn account(&self, attempt: &Attempt<'_>) -> Account {
        use sha2::Digest as _;
        if attempt.exists {
            return Account::Person(attempt.name.clone());
        }
        let hash: [u8; 32] =
            sha2::Sha256::new().chain_update(self.key).chain_update(attempt.name.as_str()).finalize().into();
        let [first, second, ..] = hash;
        Account::Nobody(u16::from_le_bytes([first, second]) % NOBODY)
    }

    /// What a restart must not refill: the budgets of accounts and devices.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let accounts: Vec<(&Name, Bucket)> = self
            .accounts
            .iter()
            .filter_map(|(account, bucket)| match account {
                Account::Person(name) => Some((name, *bucket)),
                Account::Nobody(_) => None,
            })
            .collect();
        let devices: Vec<_> = self.devices.iter().collect();
        let mut to = Writer::default();
        to.bytes(MAGIC).each(&accounts, |to, (name, bucket)| {
            bucket.write(to.text(name.as_str()));
        });
        to.each(&devices, |to, ((name, device), state)| {
            state.budget.write(to.text(name.as_str()).bytes(&device.0));
            to.number(u64::from(state.backoff.failures)).time(state.backoff.last);
        });
        to.end()
    }

    /// Counters for a house of at most so many accounts, with what [`Throttle::encode`] kept.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn decode(accounts: usize, bytes: &[u8]) -> Result<Self, RecordError> {
        let mut throttle = Self::new(accounts).map_err(|_| RecordError("throttle"))?;
        let mut from = Reader::new(bytes);
        let mut read = || {
            (from.bytes()? == MAGIC).then_some(())?;
            let start = UtcMillis(i64::MIN);
            let kept = from.each(accounts.saturating_add(usize::from(NOBODY)), |from| {
                Some((from.text()?.parse().ok()?, Bucket::read(from)?))
            })?;
            for (name, bucket) in kept {
                throttle.accounts.put(Account::Person(name), bucket, start);
            }
            let kept = from.each(accounts.saturating_mul(crate::device::DEVICES).max(1), |from| {
                let lane = (from.text()?.parse().ok()?, DeviceId(from.array()?));
                let budget = Bucket::read(from)?;
                let failures = u32::try_from(from.number()?).ok()?;
                Some((lane, DeviceState { budget, backoff: Backoff { failures, last: from.time()? } }))
            })?;
            for (lane, state) in kept {
                throttle.devices.put(lane, state, start);
            }
            Some(())
        };
        let done = read().and_then(|()| from.end(()));
        done.map(|()| throttle).ok_or(RecordError("throttle"))
    }
}

#[cfg(test)]
#[path = "throttle_tests.rs"]
mod tests;
