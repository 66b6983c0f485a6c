//! Who asks: the operating system's users, as the socket proved them.

use grant::is_name;

/// A person, as the log and the grants name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The operating system's number.
    pub uid: u32,
    /// The operating system's name, or `uid-1000` where it has none that a log can hold.
    pub name: String,
    /// What they are to the house before anybody has a role in it; `None` for everybody else.
    pub role: Option<Role>,
}

/// Who may have grants. Roles that the utility defines come with the policies; these two are the house's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Who set the house up.
    Owner,
    /// Who administers the machine, and could be the owner at any time.
    Root,
}

impl Role {
    /// Its name in grants.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Root => "root",
        }
    }
}

/// Knows the people of the house.
#[derive(Debug, Clone, Copy)]
pub struct People {
    owner_uid: u32,
    name_of: fn(u32) -> Option<String>,
}

impl People {
    /// The people of a house with this owner, named by the operating system.
    #[must_use]
    pub fn new(owner_uid: u32) -> Self {
        Self { owner_uid, name_of: |uid| Some(nix::unistd::User::from_uid(uid.into()).ok()??.name) }
    }

    #[cfg(test)]
    pub(crate) const fn named(owner_uid: u32, name_of: fn(u32) -> Option<String>) -> Self {
        Self { owner_uid, name_of }
    }

    /// The person of a user number.
    #[must_use]
    pub fn person(&self, uid: u32) -> Person {
        let name = (self.name_of)(uid).filter(|n| is_name(n)).unwrap_or_else(|| format!("uid-{uid}"));
        let role = if uid == self.owner_uid {
            Some(Role::Owner)
        } else if uid == 0 {
            Some(Role::Root)
        } else {
            None
        };
        Person { uid, name, role }
    }

    /// Whether that is the name of the owner, or of root.
    #[must_use]
    pub fn is_owner(&self, name: &str) -> bool {
        name == self.owner() || name == self.person(0).name
    }

    /// The owner's name, for a sentence that says whom to ask.
    #[must_use]
    pub fn owner(&self) -> String {
        self.person(self.owner_uid).name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_and_root_have_a_role() {
        let people = People::named(1000, |uid| match uid {
            0 => Some("root".to_owned()),
            1000 => Some("anna".to_owned()),
            1001 => Some("bad\nname".to_owned()),
            _ => None,
        });
        let role = |uid| people.person(uid).role;
        assert_eq!(
            (role(1000), role(0), role(1001), role(1)),
            (Some(Role::Owner), Some(Role::Root), None, None)
        );
        assert_eq!(
            (people.person(1001).name, people.person(7).name),
            ("uid-1001".to_owned(), "uid-7".to_owned())
        );
        assert_eq!(people.owner(), "anna");
    }

    #[test]
    fn the_operating_system_knows_root() {
        assert_eq!(People::new(0).person(0).name, "root");
    }
}
