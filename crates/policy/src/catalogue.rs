//! The house's roles and purposes, as a file that people write.

use std::collections::{BTreeMap, BTreeSet};

use base::Class;
use grant::{Action, Purpose, is_word};
use serde::Deserialize;

use crate::separation::{self, Hole};

/// Bytes of a catalogue, at most.
pub const MAX_CATALOGUE: usize = 256 * 1024;
/// Roles of a house, at most.
const MAX_ROLES: usize = 200;
/// Characters of a title or a legal basis, at most.
const MAX_TEXT: usize = 200;
/// A decade, in days.
const MAX_RETENTION: u32 = 3660;

const BUILT_IN: &str = include_str!("house.toml");

/// How well somebody has shown who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strength {
    /// As a user of the machine.
    #[default]
    Machine,
    /// With two factors.
    MultiFactor,
    /// With two factors, minutes ago.
    StepUp,
}

impl Strength {
    const ALL: [Self; 3] = [Self::Machine, Self::MultiFactor, Self::StepUp];

    /// As the log keeps it. Numbers never change their meaning.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Reads it back.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|strength| strength.code() == code)
    }
}

/// A word for people, in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Title {
    /// English.
    pub en: String,
    /// Danish.
    pub da: String,
}

/// What a purpose opens in this house. Which actions it covers is the program's: [`Purpose::actions`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purposed {
    /// For people.
    pub title: Title,
    /// Which clause of the law it rests on.
    pub legal_basis: String,
    /// Classes that are open at any time.
    pub classes: BTreeSet<Class>,
    /// Classes that are open under approved access in time only.
    pub in_time: BTreeSet<Class>,
    /// Whose data is read stands in an open case.
    pub case: bool,
    /// How well who asks has shown who they are; for what is weighty at least [`Strength::StepUp`].
    pub login: Strength,
    /// Open to service accounts, too: programs that sign in with a token, which nobody is there to type a second factor for.
    pub services: bool,
    /// How long what is kept for it is kept, days.
    pub retention_days: u32,
}

/// A role: some purposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// For people.
    pub title: Title,
    /// What for.
    pub purposes: BTreeSet<Purpose>,
    /// Looked at again every quarter, not every half year.
    pub privileged: bool,
    /// The owner's role of a house that has nobody else: open until it has.
    pub single_handed: bool,
    /// Opens what it opens in a shift of its holder alone.
    pub on_shift: bool,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    /// The purposes that this house uses.
    pub purposes: BTreeMap<Purpose, Purposed>,
    /// The roles, by name.
    pub roles: BTreeMap<String, Role>,
}

/// Why a catalogue is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// Too large.
    #[error("the file has {0} bytes; roles and purposes fit in {MAX_CATALOGUE}")]
    TooLarge(usize),
    /// Not TOML, or a field that is not known.
    #[error("the file cannot be read: {0}")]
    Syntax(String),
    /// Another edition's.
    #[error("the file is of version {0}; this edition reads version 1")]
    Version(u32),
    /// A purpose that the program does not know.
    #[error("`{0}` is no purpose; there are: {known}", known = known())]
    NoPurpose(String),
    /// A class that there is not.
    #[error("the purpose `{purpose}` names the class `{class}`; there are: fine, daily, billing")]
    NoClass {
        /// The purpose.
        purpose: Purpose,
        /// The class.
        class: String,
    },
    /// A class that is open anyway needs no access in time.
    #[error("the purpose `{purpose}` opens `{class}` at any time and in time; say one of them", class = .class.name())]
    Twice {
        /// The purpose.
        purpose: Purpose,
        /// The class.
        class: Class,
    },
    /// Classes of a purpose that reads nothing.
    #[error("the purpose `{0}` reads no readings; leave its classes out")]
    ReadsNothing(Purpose),
    /// Fine readings open to anybody of a role at any time (C14).
    #[error(
        "the purpose `{0}` would open fine readings at any time; put `fine` under `in_time`, with `case = true`"
    )]
    StandingFine(Purpose),
    /// Access in time without a case.
    #[error("the purpose `{0}` has classes in time and no case; set `case = true`")]
    NoCase(Purpose),
    /// Open to programs, although it takes a person.
    #[error(
        "the purpose `{0}` is for people: it needs a case, is for emergencies, or has nothing that a program may do; leave \
         `services` out"
    )]
    NotForServices(Purpose),
    /// A title or a basis that is empty or too long.
    #[error(
        "`{0}` has a title or a legal basis that is empty, has line breaks, or is longer than {MAX_TEXT} characters"
    )]
    Text(String),
    /// No time, or too long.
    #[error("the purpose `{0}` keeps for {1} days; it is 1 to {MAX_RETENTION}")]
    Retention(Purpose, u32),
    /// A name that the log cannot hold.
    #[error("`{0}` cannot be the name of a role: small letters, digits and hyphens, at most 64")]
    BadRole(String),
    /// A role without a purpose, or with one that the house does not use.
    #[error("the role `{role}` has the purpose `{purpose}`, which this file does not describe")]
    Undescribed {
        /// The role.
        role: String,
        /// The purpose.
        purpose: String,
    },
    /// Nothing in it.
    #[error("the role `{0}` has no purpose")]
    Empty(String),
    /// A purpose that no person acts for.
    #[error("the role `{role}` has the purpose `{purpose}`, which is the house's own jobs'; leave it out")]
    Machines {
        /// The role.
        role: String,
        /// The purpose.
        purpose: Purpose,
    },
    /// Too many.
    #[error("there are {0} roles; a house has at most {MAX_ROLES}")]
    TooMany(usize),
    /// Roles that the house cannot be without.
    #[error("the role `{0}` is missing, and the house cannot be looked after without it")]
    Missing(&'static str),
    /// An exception from the separation of duties that is not the owner's.
    #[error("the role `{0}` is single-handed; only `owner` is")]
    SingleHanded(String),
    /// Two duties in one hand.
    #[error(transparent)]
    Hole(#[from] Hole),
}

fn known() -> String {
    Purpose::ALL.map(Purpose::name).join(", ")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    purposes: BTreeMap<String, FilePurpose>,
    roles: BTreeMap<String, FileRole>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilePurpose {
    title: Title,
    legal_basis: String,
    #[serde(default)]
    classes: Vec<String>,
    #[serde(default)]
    in_time: Vec<String>,
    #[serde(default)]
    case: bool,
    #[serde(default = "usual_login")]
    login: Strength,
    #[serde(default)]
    services: bool,
    retention_days: u32,
}

/// Staff show two factors; a house that wants less has to say so.
const fn usual_login() -> Strength {
    Strength::MultiFactor
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRole {
    title: Title,
    purposes: Vec<String>,
    #[serde(default)]
    privileged: bool,
    #[serde(default)]
    single_handed: bool,
    #[serde(default)]
    on_shift: bool,
}

impl Role {
    /// Whether a service account may hold it: one that is privileged, as those that reach keys and people
    /// are, or that follows shifts, is a person's.
    #[must_use]
    pub const fn is_for_services(&self) -> bool {
        !self.privileged && !self.single_handed && !self.on_shift
    }
}

impl Catalogue {
    /// The one that every house begins with.
    ///
    /// # Errors
    /// Never, which a test shows: what is built in is held to the same rules.
    pub fn built_in() -> Result<Self, CatalogueError> {
        Self::parse(BUILT_IN)
    }

    /// The text of [`Self::built_in`], to begin an own file with.
    #[must_use]
    pub const fn built_in_text() -> &'static str {
        BUILT_IN
    }

    /// Reads a file, and holds it against every rule.
    ///
    /// # Errors
    /// What is wrong, by the name of the purpose or role.
    pub fn parse(text: &str) -> Result<Self, CatalogueError> {
        if text.len() > MAX_CATALOGUE {
            return Err(CatalogueError::TooLarge(text.len()));
        }
        let file: File = toml::from_str(text).map_err(|e| CatalogueError::Syntax(e.to_string()))?;
        if file.version != 1 {
            return Err(CatalogueError::Version(file.version));
        }
        let mut purposes = BTreeMap::new();
        for (name, found) in file.purposes {
            let purpose = named(&name)?;
            purposes.insert(purpose, found.check(purpose)?);
        }
        if file.roles.len() > MAX_ROLES {
            return Err(CatalogueError::TooMany(file.roles.len()));
        }
        let mut roles = BTreeMap::new();
        for (name, found) in file.roles {
            let role = found.check(&name, &purposes)?;
            roles.insert(name, role);
        }
        for needed in ["owner", "administrator"] {
            if !roles.contains_key(needed) {
                return Err(CatalogueError::Missing(needed));
            }
        }
        let catalogue = Self { purposes, roles };
        separation::check(&catalogue)?;
        Ok(catalogue)
    }

    /// What a service account with these roles may do, if its token says so: purposes that are open to services, each with the
    /// actions of it that are.
    #[must_use]
    pub fn for_services<'a>(
        &self,
        roles: impl IntoIterator<Item = &'a str>,
    ) -> BTreeMap<Purpose, Vec<Action>> {
        let held = roles.into_iter().filter_map(|name| self.roles.get(name)).filter(|r| r.is_for_services());
        let purposes = held.flat_map(|role| role.purposes.iter().copied());
        let open = purposes.filter(|purpose| self.purposes.get(purpose).is_some_and(|with| with.services));
        let of =
            |purpose: Purpose| purpose.actions().iter().copied().filter(|a| a.is_for_services()).collect();
        open.map(|purpose| (purpose, of(purpose))).collect()
    }

    /// The actions of a role, each with the purpose that brings it.
    pub(crate) fn actions_of<'a>(&'a self, role: &'a str) -> impl Iterator<Item = (Purpose, Action)> + 'a {
        let purposes = self.roles.get(role).into_iter().flat_map(|role| &role.purposes);
        purposes.flat_map(|purpose| purpose.actions().iter().map(|action| (*purpose, *action)))
    }
}

fn named(name: &str) -> Result<Purpose, CatalogueError> {
    Purpose::from_name(name).ok_or_else(|| CatalogueError::NoPurpose(name.chars().take(64).collect()))
}

fn is_text(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= MAX_TEXT && !text.chars().any(char::is_control)
}

impl FilePurpose {
    fn check(self, purpose: Purpose) -> Result<Purposed, CatalogueError> {
        let classes = |names: &[String]| {
            let class = |name: &String| {
                let class = name.chars().take(64).collect();
                Class::from_name(name).ok_or(CatalogueError::NoClass { purpose, class })
            };
            names.iter().map(class).collect::<Result<BTreeSet<Class>, _>>()
        };
        let (open, in_time) = (classes(&self.classes)?, classes(&self.in_time)?);
        if let Some(class) = open.intersection(&in_time).next() {
            return Err(CatalogueError::Twice { purpose, class: *class });
        }
        let reads = purpose.actions().iter().any(|action| action.reaches_readings());
        let opens = !open.is_empty() || !in_time.is_empty();
        if opens && !reads {
            return Err(CatalogueError::ReadsNothing(purpose));
        }
        // an emergency is no standing access, a legal claim reaches only what a hold keeps, and what is one's own is one's own
        let bounded = matches!(
            purpose,
            Purpose::Emergency | Purpose::LegalClaim | Purpose::OwnData | Purpose::ByPermission
        );
        if open.contains(&Class::Fine) && !bounded {
            return Err(CatalogueError::StandingFine(purpose));
        }
        if !in_time.is_empty() && !self.case {
            return Err(CatalogueError::NoCase(purpose));
        }
        let programs_can = purpose.actions().iter().any(|action| action.is_for_services());
        if self.services && (self.case || purpose == Purpose::Emergency || !programs_can) {
            return Err(CatalogueError::NotForServices(purpose));
        }
        if ![&self.title.en, &self.title.da, &self.legal_basis].into_iter().all(|text| is_text(text)) {
            return Err(CatalogueError::Text(purpose.name().to_owned()));
        }
        if !(1..=MAX_RETENTION).contains(&self.retention_days) {
            return Err(CatalogueError::Retention(purpose, self.retention_days));
        }
        let (title, legal_basis, case, login) = (self.title, self.legal_basis, self.case, self.login);
        let (services, retention_days) = (self.services, self.retention_days);
        Ok(Purposed { title, legal_basis, classes: open, in_time, case, login, services, retention_days })
    }
}

impl FileRole {
    fn check(self, name: &str, known: &BTreeMap<Purpose, Purposed>) -> Result<Role, CatalogueError> {
        let short = || name.chars().take(64).collect::<String>();
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !is_word(name) || !name.bytes().all(plain) {
            return Err(CatalogueError::BadRole(short()));
        }
        if !is_text(&self.title.en) || !is_text(&self.title.da) {
            return Err(CatalogueError::Text(short()));
        }
        if self.purposes.is_empty() {
            return Err(CatalogueError::Empty(short()));
        }
        if self.single_handed && name != "owner" {
            return Err(CatalogueError::SingleHanded(short()));
        }
        let described = |text: &String| {
            let purpose = named(text)?;
            let undescribed = || CatalogueError::Undescribed { role: short(), purpose: text.clone() };
            if known.contains_key(&purpose) { Ok(purpose) } else { Err(undescribed()) }
        };
        let purposes: BTreeSet<Purpose> = self.purposes.iter().map(described).collect::<Result<_, _>>()?;
        if let Some(purpose) = purposes.iter().find(|purpose| purpose.is_for_machines()) {
            return Err(CatalogueError::Machines { role: short(), purpose: *purpose });
        }
        let (title, privileged) = (self.title, self.privileged);
        let (single_handed, on_shift) = (self.single_handed, self.on_shift);
        Ok(Role { title, purposes, privileged, single_handed, on_shift })
    }
}
