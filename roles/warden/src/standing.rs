//! Who somebody at the socket is in this house, and which roles they hold now.

use std::sync::Arc;

use base::UtcMillis;
use login::service::Scope;
use policy::{Asker, Strength};

use crate::people::People;
use crate::staff::State;

/// A role that opens everything to who is alone in the house, and nothing after.
const OWNER: &str = "owner";
/// What the owner is when others have roles.
const ADMINISTRATOR: &str = "administrator";

/// Somebody, as the policies and the log see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The person's name; the operating system's where they are none of the house's people.
    pub(crate) name: String,
    /// The roles that they hold now.
    pub(crate) roles: Vec<String>,
    /// Nobody but the owner has a role.
    pub(crate) single_handed: bool,
    /// Until when their shift lasts, if it does.
    pub(crate) shift: Option<UtcMillis>,
    /// How well they have shown who they are.
    pub(crate) login: Strength,
    /// One of the house's people, and no other user of the machine.
    pub(crate) known: bool,
    /// No person, but a program.
    pub(crate) service: bool,
    /// What the token allows that the program showed in this session. Without one it may nothing.
    pub(crate) token: Option<Arc<Scope>>,
    /// Who set the house up, or administers the machine.
    pub(crate) owner: bool,
    /// Root, who could be the owner at any time; grants say so.
    pub(crate) is_root: bool,
}

impl Standing {
    /// Of the person with this user number.
    pub(crate) fn of(people: &People, staff: &State, uid: u32, now: UtcMillis) -> Self {
        let found = people.person(uid);
        let (single_handed, owner) = (!staff.has_staff(now), found.role.is_some());
        let login = Strength::Machine;
        if let Some((name, member)) = staff.of_user(&found.name) {
            let roles = member.live_roles(now).map(ToOwned::to_owned).collect();
            let shift = staff.on_shift(name, now);
            let name = name.to_owned();
            let (service, token) = (member.service, None);
            let (known, is_root) = (true, false);
            return Self { name, roles, single_handed, shift, login, known, service, token, owner, is_root };
        }
        let role = if single_handed { OWNER } else { ADMINISTRATOR };
        let roles = found.role.iter().map(|_| role.to_owned()).collect();
        let is_root = matches!(found.role, Some(crate::Role::Root));
        let (name, known, service, token) = (found.name, owner, false, None);
        Self { name, roles, single_handed, shift: None, login, known, service, token, owner, is_root }
    }

    /// Of somebody with these roles and the best login, as a colleague asks about them.
    pub(crate) fn seen(name: &str, roles: Vec<String>, shift: Option<UtcMillis>) -> Self {
        let (name, login) = (name.to_owned(), Strength::StepUp);
        let (single_handed, known, owner, is_root) = (false, true, false, false);
        let (service, token) = (false, None);
        Self { name, roles, single_handed, shift, login, known, service, token, owner, is_root }
    }

    /// As the policies ask for it.
    pub(crate) fn asker(&self) -> Asker {
        let (name, roles, login, service) = (self.name.clone(), self.roles.clone(), self.login, self.service);
        Asker { name, roles, here: true, login, service }
    }

    /// The role that a policy's name begins with, as grants write it.
    pub(crate) fn role_of(&self, rule: &str) -> String {
        match rule.split('/').next().unwrap_or_default() {
            OWNER if self.is_root => "root".to_owned(),
            role => role.to_owned(),
        }
    }
}
