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

impl Facts {
    const fn all(self) -> [bool; 8] {
        let Self { case_covers, access, emergency, on_shift, own, permitted, single_handed, restricted } =
            self;
        [case_covers, access, emergency, on_shift, own, permitted, single_handed, restricted]
    }

    /// As the log keeps them: a bit each, in the order of the fields. Bits never change their meaning.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.all().into_iter().enumerate().fold(0, |bits, (n, fact)| bits | u32::from(fact) << n)
    }

    /// Reads them back; `None` where there are facts that this edition does not know.
    #[must_use]
    pub fn from_bits(bits: u32) -> Option<Self> {
        let is = |n: u32| bits & 1 << n != 0;
        let facts = Self {
            case_covers: is(0),
            access: is(1),
            emergency: is(2),
            on_shift: is(3),
            own: is(4),
            permitted: is(5),
            single_handed: is(6),
            restricted: is(7),
        };
        (facts.bits() == bits).then_some(facts)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_back_from_their_bits_and_unknown_ones_are_not() {
        for bits in 0..256 {
            assert_eq!(Facts::from_bits(bits).map(Facts::bits), Some(bits));
        }
        assert_eq!(Facts { case_covers: true, ..Facts::default() }.bits(), 1);
        assert_eq!(Facts { restricted: true, own: true, ..Facts::default() }.bits(), 0b1001_0000);
        assert_eq!(Facts::from_bits(256), None);
    }
}
