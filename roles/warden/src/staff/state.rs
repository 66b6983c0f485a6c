//! What the journal amounts to, and which step may follow.

use std::collections::{BTreeMap, BTreeSet};

use base::{Class, UtcMillis};
use grant::is_name;
use seal::sign::Verifier;

use super::access::{
    Ask, AskState, Case, GLASS_MS, Glass, LONGEST_ACCESS_MS, LONGEST_SHIFT_MS, PAST_SHIFTS_MS, Shift,
    USUAL_ACCESS_MS,
};
use super::bounds::{Bounds, BoundsError, ids};
use super::people::{Held, Member};
use super::permission::{LONGEST_PERMISSION_MS, MAX_OF_GIVER, Permission};
use super::record::{Asked, Record, Step};

/// People, open cases, waiting wishes: at most so many of each.
const MAX: usize = 10_000;
/// Tenancies of one case, at most: a customer's, or a building's.
const MAX_OF_CASE: usize = 1000;
/// Characters of a reason, at least and at most.
const REASON: std::ops::RangeInclusive<usize> = 3..=200;

/// Why a step may not follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotDone {
    /// No such person, or one who left.
    #[error("nobody called `{0}` works here; `meterkeep people list` names those who do")]
    NoPerson(String),
    /// A name that is taken, or none.
    #[error("`{0}` cannot be the name of a new person: {1}")]
    BadName(String, &'static str),
    /// For oneself.
    #[error("nobody does that for themselves; somebody else has to")]
    OneSelf,
    /// No reason.
    #[error("say why, in 3 to 200 characters on one line, without names of customers")]
    NoReason,
    /// No such case, or closed.
    #[error("there is no open case {0}; `meterkeep access list` shows them")]
    NoCase(u32),
    /// A case of nobody.
    #[error("a case is about 1 to 1000 tenancies, not {0}")]
    CaseSize(usize),
    /// A role that is given for what cannot be.
    #[error(transparent)]
    Bounds(#[from] BoundsError),
    /// No such wish.
    #[error("there is no wish {0} for access; `meterkeep access list` shows them")]
    NoAsk(u32),
    /// It is not waiting.
    #[error("the wish {0} is {1}; there is nothing to decide")]
    NotWaiting(u32, &'static str),
    /// Too long.
    #[error("access lasts 14 days at most, and ends after it begins")]
    TooLong,
    /// No such emergency.
    #[error("there is no emergency access {0}")]
    NoGlass(u32),
    /// It was reviewed.
    #[error("emergency access {0} was reviewed already")]
    Reviewed(u32),
    /// One is open.
    #[error("your emergency access {0} waits for its review; until then there is no other")]
    Unreviewed(u32),
    /// A key that another person has.
    #[error("the key is no public key, or somebody else signs with it already")]
    BadKey,
    /// No such shift.
    #[error("there is no shift {0}; `meterkeep people shifts` shows them")]
    NoShift(u32),
    /// Ends before it begins, is over, or too long.
    #[error("a shift ends after it begins, is not over yet, and lasts 14 days at most")]
    BadShift,
    /// No such permission, or none that lasts.
    #[error("there is no permission {0} that lasts; `meterkeep permission list` shows them")]
    NoPermission(u32),
    /// Over before it begins, too long, of nothing, or one too many.
    #[error(
        "a permission is about 1 to 1000 tenancies and at least one class, ends within a year, and a customer gives 20 at most"
    )]
    BadPermission,
    /// A program.
    #[error("`{0}` is a service account: it has no key of a person's, and no shifts")]
    IsService(String),
    /// Not held.
    #[error("`{0}` does not hold the role `{1}`")]
    NotHeld(String, String),
    /// Too many.
    #[error("there are 10000 of them already; close those that nobody needs")]
    TooMany,
}

impl NotDone {
    /// The stable word.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::NoPerson(_) => "no-person",
            Self::BadName(..) => "bad-name",
            Self::OneSelf => "same-person",
            Self::NoReason => "no-reason",
            Self::NoCase(_) => "no-case",
            Self::CaseSize(_) => "case-size",
            Self::Bounds(_) => "bounds",
            Self::NoAsk(_) => "no-ask",
            Self::NotWaiting(..) => "not-waiting",
            Self::TooLong => "too-long",
            Self::NoGlass(_) => "no-emergency",
            Self::Reviewed(_) => "reviewed",
            Self::Unreviewed(_) => "unreviewed",
            Self::BadKey => "bad-key",
            Self::NoShift(_) => "no-shift",
            Self::BadShift => "bad-shift",
            Self::NoPermission(_) => "no-permission",
            Self::BadPermission => "bad-permission",
            Self::IsService(_) => "is-service",
            Self::NotHeld(..) => "not-held",
            Self::TooMany => "too-many",
        }
    }
}

/// Everybody and everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) people: BTreeMap<String, Member>,
    pub(crate) cases: BTreeMap<u32, Case>,
    pub(crate) asks: BTreeMap<u32, Ask>,
    pub(crate) glass: BTreeMap<u32, Glass>,
    pub(crate) shifts: BTreeMap<u32, Shift>,
    pub(crate) permissions: BTreeMap<u32, Permission>,
    /// The number of the last shift, which may be forgotten.
    pub(crate) last_shift: u32,
    /// The house's own roles and purposes, in TOML; empty for the built-in ones.
    pub(crate) catalogue: String,
    /// How often they were replaced.
    pub(crate) catalogue_version: u32,
    /// Ones that wait for somebody else: who asked, when, and the text.
    pub(crate) catalogue_asked: Option<(String, UtcMillis, String)>,
}

/// The number after the last.
fn next<T>(all: &BTreeMap<u32, T>) -> u32 {
    all.last_key_value().map_or(1, |(last, _)| last.saturating_add(1))
}

fn reason(text: &str) -> Result<(), NotDone> {
    let whole = REASON.contains(&text.trim().chars().count()) && !text.chars().any(char::is_control);
    if whole { Ok(()) } else { Err(NotDone::NoReason) }
}

impl State {
    /// A person who works here.
    pub(crate) fn member(&self, name: &str) -> Result<&Member, NotDone> {
        let member = self.people.get(name).filter(|member| member.left.is_none());
        member.ok_or_else(|| NotDone::NoPerson(name.chars().take(64).collect()))
    }

    /// The same, and no program.
    fn person(&self, name: &str) -> Result<&Member, NotDone> {
        let member = self.member(name)?;
        if member.service { Err(NotDone::IsService(name.to_owned())) } else { Ok(member) }
    }

    /// The person that an operating-system user is.
    pub(crate) fn of_user(&self, user: &str) -> Option<(&str, &Member)> {
        let mut here = self.people.iter().filter(|(_, member)| member.left.is_none());
        here.find(|(_, member)| !user.is_empty() && member.user == user)
            .map(|(name, member)| (name.as_str(), member))
    }

    /// Whether anybody holds a role: then the owner does not do everything alone any more. A program is nobody beside whom
    /// duties could be two people's.
    pub(crate) fn has_staff(&self, now: UtcMillis) -> bool {
        self.people.values().any(|member| !member.service && member.live_roles(now).next().is_some())
    }

    /// A case that is open.
    pub(crate) fn open_case(&self, number: u32) -> Result<&Case, NotDone> {
        self.cases.get(&number).filter(|case| case.closed.is_none()).ok_or(NotDone::NoCase(number))
    }

    /// Access in time that somebody has now: for this purpose and class, to the tenancies of the case, until when.
    pub(crate) fn live_access<'a>(
        &'a self,
        person: &'a str,
        now: UtcMillis,
    ) -> impl Iterator<Item = (u32, &'a Ask, &'a Case, UtcMillis)> {
        let live =
            self.asks.iter().filter(move |(_, ask)| ask.by == person && ask.state(now) == AskState::Live);
        live.filter_map(|(number, ask)| {
            let (_, _, until) = ask.approved.as_ref()?;
            Some((*number, ask, self.open_case(ask.case).ok()?, *until))
        })
    }

    /// Emergency access that somebody has now.
    pub(crate) fn live_glass(&self, person: &str, now: UtcMillis) -> Option<(u32, &Glass)> {
        let mut live = self.glass.iter().filter(|(_, glass)| glass.by == person && now < glass.until);
        live.next().map(|(number, glass)| (*number, glass))
    }

    /// Until when a shift of somebody lasts that lasts now.
    pub(crate) fn on_shift(&self, person: &str, now: UtcMillis) -> Option<UtcMillis> {
        let lasting = self.shifts.values().filter(|shift| shift.person == person && shift.lasts(now));
        lasting.map(|shift| shift.until).max()
    }

    /// Whether a step of somebody may follow. What a role allows is not decided here.
    pub(crate) fn judge(&self, by: &str, step: &Step, now: UtcMillis) -> Result<(), NotDone> {
        match step {
            Step::Person(person) => {
                let bad = |why| Err(NotDone::BadName(person.name.chars().take(64).collect(), why));
                if !is_name(&person.name) || person.name.starts_with("uid-") {
                    return bad("1 to 64 letters or digits, without spaces");
                }
                if self.people.contains_key(&person.name) {
                    return bad("somebody has or had it, and names are never given twice");
                }
                if self.of_user(&person.user).is_some() {
                    return bad("that operating-system user is somebody else already");
                }
                if self.people.len() >= MAX { Err(NotDone::TooMany) } else { Ok(()) }
            }
            Step::Left(name) if name == by => Err(NotDone::OneSelf),
            Step::Left(name) => self.member(name).map(drop),
            Step::Role(given) if given.person == by => Err(NotDone::OneSelf),
            Step::Role(given) => {
                // what it is given for was read before the step was made
                Bounds::read(&given.areas, &given.tenancies)?;
                self.member(&given.person).map(drop)
            }
            Step::Permitted(permitted) if permitted.to == by => Err(NotDone::OneSelf),
            Step::Permitted(permitted) => {
                self.member(&permitted.to)?;
                let lasts = permitted.until_ms.saturating_sub(now.0);
                let given = self.permissions.values().filter(|p| p.by == by && p.lasts(now)).count();
                let whole = (1..=LONGEST_PERMISSION_MS).contains(&lasts)
                    && (1..=MAX_OF_CASE).contains(&permitted.tenancies.len())
                    && !permitted.classes.is_empty()
                    && given < MAX_OF_GIVER;
                if whole { Ok(()) } else { Err(NotDone::BadPermission) }
            }
            Step::PermissionEnded(number) => self.lasting_permission(*number, now).map(drop),
            Step::Taken(taken) => {
                let held = self.member(&taken.person)?.roles.contains_key(&taken.role);
                if held { Ok(()) } else { Err(NotDone::NotHeld(taken.person.clone(), taken.role.clone())) }
            }
            Step::Case(case) => {
                reason(&case.reason)?;
                let size = case.tenancies.len();
                if size == 0 || size > MAX_OF_CASE {
                    return Err(NotDone::CaseSize(size));
                }
                let open = self.cases.values().filter(|case| case.closed.is_none()).count();
                if open >= MAX { Err(NotDone::TooMany) } else { Ok(()) }
            }
            Step::CaseClosed(number) => self.open_case(*number).map(drop),
            Step::Ask(ask) => self.judge_ask(ask, now),
            Step::Approved(approved) => {
                let ask = self.waiting(approved.number, now)?;
                if ask.by == by {
                    return Err(NotDone::OneSelf);
                }
                self.member(&ask.by)?;
                self.open_case(ask.case).map(drop)
            }
            Step::Ended(ended) => {
                let ask = self.asks.get(&ended.number).ok_or(NotDone::NoAsk(ended.number))?;
                match ask.state(now) {
                    AskState::Waiting | AskState::Live => reason(&ended.reason),
                    state => Err(NotDone::NotWaiting(ended.number, state.name())),
                }
            }
            Step::Glass(broken) => {
                reason(&broken.reason)?;
                let mut own =
                    self.glass.iter().filter(|(_, glass)| glass.by == by && glass.reviewed.is_none());
                own.next().map_or(Ok(()), |(number, _)| Err(NotDone::Unreviewed(*number)))
            }
            Step::Reviewed(review) => {
                let glass = self.glass.get(&review.number).ok_or(NotDone::NoGlass(review.number))?;
                if glass.by == by {
                    Err(NotDone::OneSelf)
                } else if glass.reviewed.is_some() {
                    Err(NotDone::Reviewed(review.number))
                } else {
                    reason(&review.note)
                }
            }
            Step::Catalogue(_) => match &self.catalogue_asked {
                Some((asker, ..)) if asker == by => Err(NotDone::OneSelf),
                _ => Ok(()),
            },
            Step::Shift(shift) if shift.person == by => Err(NotDone::OneSelf),
            Step::Shift(shift) => {
                self.person(&shift.person)?;
                let lasts = shift.until_ms.saturating_sub(shift.from_ms);
                if shift.until_ms <= now.0 || !(1..=LONGEST_SHIFT_MS).contains(&lasts) {
                    return Err(NotDone::BadShift);
                }
                if self.shifts.len() >= MAX { Err(NotDone::TooMany) } else { Ok(()) }
            }
            Step::ShiftTaken(number) => self.shifts.get(number).map(drop).ok_or(NotDone::NoShift(*number)),
            Step::Key(pinned) => {
                self.person(&pinned.person)?;
                let key = Verifier::from_bytes(&pinned.key).map_err(|_| NotDone::BadKey)?;
                let others = || self.people.iter().filter(|(name, _)| **name != pinned.person);
                let taken = others().any(|(_, member)| member.key.as_ref() == Some(key.as_bytes()));
                if taken { Err(NotDone::BadKey) } else { Ok(()) }
            }
            Step::Used(_) | Step::CatalogueAsked(_) => Ok(()),
        }
    }

    fn judge_ask(&self, ask: &Asked, now: UtcMillis) -> Result<(), NotDone> {
        reason(&ask.reason)?;
        self.open_case(ask.case)?;
        if !(1..=LONGEST_ACCESS_MS).contains(&ask.for_ms) {
            return Err(NotDone::TooLong);
        }
        let waiting = self.asks.values().filter(|ask| ask.state(now) == AskState::Waiting).count();
        if waiting >= MAX { Err(NotDone::TooMany) } else { Ok(()) }
    }

    /// A wish that waits for somebody.
    pub(crate) fn waiting(&self, number: u32, now: UtcMillis) -> Result<&Ask, NotDone> {
        let ask = self.asks.get(&number).ok_or(NotDone::NoAsk(number))?;
        match ask.state(now) {
            AskState::Waiting => Ok(ask),
            state => Err(NotDone::NotWaiting(number, state.name())),
        }
    }

    /// The numbers that the next case, wish and emergency get.
    pub(crate) fn next_case(&self) -> u32 {
        next(&self.cases)
    }

    pub(crate) fn next_ask(&self) -> u32 {
        next(&self.asks)
    }

    pub(crate) fn next_glass(&self) -> u32 {
        next(&self.glass)
    }

    pub(crate) fn next_permission(&self) -> u32 {
        next(&self.permissions)
    }

    pub(crate) const fn next_shift(&self) -> u32 {
        self.last_shift.saturating_add(1)
    }

    /// When access ends that is approved now.
    pub(crate) fn access_until(ask: &Ask, now: UtcMillis) -> UtcMillis {
        now.plus(ask.for_ms)
    }

    /// When an emergency ends that begins now.
    pub(crate) const fn glass_until(now: UtcMillis) -> UtcMillis {
        now.plus(GLASS_MS)
    }

    /// For how long access is asked where nobody says.
    pub(crate) const fn usual_ms() -> i64 {
        USUAL_ACCESS_MS
    }

    /// Makes a record count. `None` when it cannot be read.
    pub(crate) fn apply(&mut self, record: &Record) -> Option<()> {
        let (at, by) = (UtcMillis(record.at_ms), record.by.clone());
        match record.step.as_ref()? {
            Step::Person(person) => {
                let (title, user, service) = (person.title.clone(), person.user.clone(), person.service);
                self.people.insert(person.name.clone(), Member { title, user, service, ..Member::default() });
            }
            Step::Left(name) => {
                let member = self.people.get_mut(name)?;
                member.left = Some(at);
                member.roles.clear();
                for ask in self.asks.values_mut().filter(|ask| ask.by == *name && ask.ended.is_none()) {
                    ask.ended = Some((by.clone(), at, "does not work here any more".to_owned()));
                }
                self.shifts.retain(|_, shift| shift.person != *name);
                for glass in self.glass.values_mut().filter(|glass| glass.by == *name) {
                    glass.until = glass.until.min(at);
                }
            }
            Step::Role(given) => {
                let roles = &mut self.people.get_mut(&given.person)?.roles;
                let held = roles.get(&given.role);
                let (since, used) = held.map_or((at, None), |held| (held.since, held.used));
                let (until, bounds) = (UtcMillis(given.until_ms), Bounds::of(given)?);
                roles.insert(given.role.clone(), Held { given_by: by, since, until, used, bounds });
            }
            Step::Taken(taken) => {
                self.people.get_mut(&taken.person)?.roles.remove(&taken.role);
            }
            Step::Used(used) => {
                self.people.get_mut(&used.person)?.roles.get_mut(&used.role)?.used = Some(at);
            }
            Step::Case(case) => {
                let tenancies = ids(&case.tenancies)?;
                let reason = case.reason.clone();
                self.cases.insert(case.number, Case { by, at, tenancies, reason, closed: None });
            }
            Step::CaseClosed(number) => self.cases.get_mut(number)?.closed = Some((by, at)),
            Step::Ask(ask) => {
                let class = u8::try_from(ask.class).ok().and_then(Class::from_code)?;
                let (purpose, reason) = (ask.purpose.clone(), ask.reason.clone());
                let (case, for_ms) = (ask.case, ask.for_ms);
                let ask_of =
                    Ask { by, at, purpose, class, case, reason, for_ms, approved: None, ended: None };
                self.asks.insert(ask.number, ask_of);
            }
            Step::Approved(approved) => {
                self.asks.get_mut(&approved.number)?.approved = Some((by, at, UtcMillis(approved.until_ms)));
            }
            Step::Ended(ended) => {
                self.asks.get_mut(&ended.number)?.ended = Some((by, at, ended.reason.clone()));
            }
            Step::Glass(broken) => {
                let (until, reason) = (UtcMillis(broken.until_ms), broken.reason.clone());
                self.glass.insert(broken.number, Glass { by, at, until, reason, reviewed: None });
            }
            Step::Reviewed(review) => {
                let reviewed = (by, at, review.justified, review.note.clone());
                let glass = self.glass.get_mut(&review.number)?;
                glass.until = glass.until.min(at);
                glass.reviewed = Some(reviewed);
            }
            Step::Shift(shift) => {
                let person = shift.person.clone();
                let (from, until) = (UtcMillis(shift.from_ms), UtcMillis(shift.until_ms));
                self.shifts.retain(|_, past| at.since(past.until) < PAST_SHIFTS_MS);
                self.shifts.insert(shift.number, Shift { person, by, from, until });
                self.last_shift = self.last_shift.max(shift.number);
            }
            Step::ShiftTaken(number) => {
                self.shifts.remove(number)?;
            }
            Step::Permitted(permitted) => {
                let (to, tenancies) = (permitted.to.clone(), ids(&permitted.tenancies)?);
                let class = |code: &u32| u8::try_from(*code).ok().and_then(Class::from_code);
                let classes = permitted.classes.iter().map(class).collect::<Option<BTreeSet<_>>>()?;
                let until = UtcMillis(permitted.until_ms);
                let permission = Permission { by, to, at, tenancies, classes, until, ended: None };
                self.permissions.insert(permitted.number, permission);
            }
            Step::PermissionEnded(number) => self.permissions.get_mut(number)?.ended = Some((by, at)),
            Step::Key(pinned) => {
                self.people.get_mut(&pinned.person)?.key = Some(pinned.key.as_slice().try_into().ok()?);
            }
            Step::CatalogueAsked(new) => self.catalogue_asked = Some((by, at, new.text.clone())),
            Step::Catalogue(new) => {
                self.catalogue.clone_from(&new.text);
                self.catalogue_version = self.catalogue_version.saturating_add(1);
                self.catalogue_asked = None;
            }
        }
        Some(())
    }
}
