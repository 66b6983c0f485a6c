//! What is decided on.

use base::Class;
use grant::{Action, Purpose};

use crate::Strength;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asker {
    /// As the log names them.
    pub name: String,
    /// The roles that they hold now.
    pub roles: Vec<String>,
    /// They work here.
    pub here: bool,
    /// How well they have shown who they are.
    pub login: Strength,
    /// Those of their roles that are given for some areas or tenancies only.
    pub bounded: Vec<String>,
    /// A program, which has shown a token of its own.
    pub service: bool,
}

/// What else counts. All of it is looked up by who asks the policies; nothing in a request is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// An open case names all that is asked about.
    pub case_covers: bool,
    /// Somebody else approved access in time to that class, for that case and purpose, and it lasts.
    pub access: bool,
    /// They have taken emergency access, and it lasts.
    pub emergency: bool,
    /// A shift of theirs lasts.
    pub on_shift: bool,
    /// All that is asked about is their own: tenancies that they hold their role for.
    pub own: bool,
    /// Customers permit them to read all that is asked about, and it lasts.
    pub permitted: bool,
    /// Nobody but the owner has a role in the house.
    pub single_handed: bool,
    /// The data subject's data is restricted (GDPR Art. 18).
    pub restricted: bool,
}

/// A question to the policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Who.
    pub asker: Asker,
    /// What for.
    pub purpose: Purpose,
    /// What.
    pub action: Action,
    /// Which class of readings, where the action reaches any.
    pub class: Option<Class>,
    /// What else counts.
    pub facts: Facts,
}
