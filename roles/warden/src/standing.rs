//! Who somebody at the socket is in this house, and which roles they hold now.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::UtcMillis;
use login::service::Scope;
use policy::{Asker, Catalogue, Strength};

use crate::people::People;
use crate::staff::{Bounds, Member, State};

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
    /// What those of them reach that are given for less than the whole house.
    pub(crate) bounds: BTreeMap<String, Bounds>,
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
            let (roles, bounds) = roles_of(member, now);
            let shift = staff.on_shift(name, now);
            let (name, known, is_root) = (name.to_owned(), true, false);
            let (service, token) = (member.service, None);
            return Self {
                name,
                roles,
                bounds,
                single_handed,
                shift,
                login,
                known,
                service,
                token,
                owner,
                is_root,
            };
        }
        let role = if single_handed { OWNER } else { ADMINISTRATOR };
        let roles = found.role.iter().map(|_| role.to_owned()).collect();
        let is_root = matches!(found.role, Some(crate::Role::Root));
        let (name, bounds, known) = (found.name, BTreeMap::new(), owner);
        let (shift, service, token) = (None, false, None);
        Self { name, roles, bounds, single_handed, shift, login, known, service, token, owner, is_root }
    }

    /// Of somebody who works here, with the best login, as a colleague asks about them.
    pub(crate) fn seen(name: &str, member: &Member, shift: Option<UtcMillis>, now: UtcMillis) -> Self {
        let ((roles, bounds), name, login) = (roles_of(member, now), name.to_owned(), Strength::StepUp);
        let (single_handed, known, owner, is_root) = (false, true, false, false);
        let (service, token) = (member.service, None);
        Self { name, roles, bounds, single_handed, shift, login, known, service, token, owner, is_root }
    }

    /// Of who set the house up, or administers the machine, with the best login.
    pub(crate) fn of_owner(name: &str, is_root: bool, staff: &State, now: UtcMillis) -> Self {
        let single_handed = !staff.has_staff(now);
        let role = if single_handed { OWNER } else { ADMINISTRATOR };
        let seen = Self::seen(name, &Member::default(), None, now);
        Self { roles: vec![role.to_owned()], single_handed, owner: true, is_root, ..seen }
    }

    /// Of somebody who holds these roles, each within its bounds.
    #[cfg(test)]
    pub(crate) fn holding(roles: &[(&str, Bounds)]) -> Self {
        let bounded = roles.iter().filter(|(_, bounds)| bounds.is_bounded());
        Self {
            roles: roles.iter().map(|(role, _)| (*role).to_owned()).collect(),
            bounds: bounded.map(|(role, bounds)| ((*role).to_owned(), bounds.clone())).collect(),
            ..Self::seen("somebody", &Member::default(), None, UtcMillis(0))
        }
    }

    /// As the policies ask for it.
    pub(crate) fn asker(&self) -> Asker {
        let (name, roles, login, service) = (self.name.clone(), self.roles.clone(), self.login, self.service);
        let bounded = self.bounds.keys().cloned().collect();
        Asker { name, roles, here: true, login, bounded, service }
    }

    /// What a role of theirs reaches.
    pub(crate) fn reach(&self, role: &str) -> &Bounds {
        self.bounds.get(role).unwrap_or(&Bounds::EVERYWHERE)
    }

    /// The role that a policy's name begins with, as grants write it.
    pub(crate) fn role_of(&self, rule: &str) -> String {
        match rule.split('/').next().unwrap_or_default() {
            OWNER if self.is_root => "root".to_owned(),
            role => role.to_owned(),
        }
    }
}

fn roles_of(member: &Member, now: UtcMillis) -> (Vec<String>, BTreeMap<String, Bounds>) {
    let roles = member.live_roles(now).map(ToOwned::to_owned).collect();
    let bounded = member.held_now(now).filter(|(_, held)| held.bounds.is_bounded());
    (roles, bounded.map(|(name, held)| (name.to_owned(), held.bounds.clone())).collect())
}

/// Whether a role is one that data subjects hold for what is theirs.
pub(crate) fn is_of_subjects(catalogue: &Catalogue, role: &str) -> bool {
    let role = catalogue.roles.get(role);
    role.is_some_and(|role| role.purposes.iter().any(|purpose| purpose.is_for_subjects()))
}
