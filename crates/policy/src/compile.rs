//! A catalogue as Cedar policies: one permit a role, purpose and way to data, and the forbids of the house.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::str::FromStr;

use base::Class;
use cedar_policy::{
    Authorizer, EntityId, EntityTypeName, EntityUid, Policy, PolicyId, PolicySet, Schema, ValidationMode,
    Validator,
};
use grant::{Action, Purpose};

use crate::catalogue::{Purposed, Role};
use crate::{Catalogue, Strength};

/// What a catalogue amounts to: policies that decide.
pub struct Policies {
    pub(crate) catalogue: Catalogue,
    pub(crate) set: PolicySet,
    /// The same policies by the role that they are of, each with the forbids: a question is held only against those of its
    /// asker's roles.
    pub(crate) by_role: BTreeMap<String, PolicySet>,
    pub(crate) authorizer: Authorizer,
    pub(crate) names: Names,
}

/// The names of entities, made once.
pub(crate) struct Names {
    pub(crate) person: EntityTypeName,
    pub(crate) data: EntityTypeName,
    pub(crate) actions: BTreeMap<Action, EntityUid>,
    pub(crate) roles: BTreeMap<String, EntityUid>,
}

/// A catalogue that does not compile: a fault of this program, not of who wrote the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policies of this house cannot be made: {0}; this is a fault of the program, please report it")]
pub struct CompileError(String);

fn failed(error: impl std::fmt::Display) -> CompileError {
    CompileError(error.to_string())
}

/// The numbers that policies compare.
pub(crate) const fn level(strength: Strength) -> i64 {
    match strength {
        Strength::Machine => 0,
        Strength::MultiFactor => 1,
        Strength::StepUp => 2,
    }
}

const FORBIDS: [(&str, &str); 4] = [
    ("forbid/left", "forbid(principal, action, resource) unless { principal.here };"),
    // what is a person's to do no token does, whatever a permit says; `Action::is_for_services` is the same list
    (
        "forbid/service",
        "forbid(principal, action, resource) when { context.service && !(action in [House::Action::\"read-readings\", House::Action::\"read-health\", House::Action::\"change-register\", House::Action::\"read-log\"]) };",
    ),
    // how a meter is, the reading of a day tells; no other class is opened for that
    (
        "forbid/not-health",
        "forbid(principal, action == House::Action::\"read-health\", resource) unless { resource.class == \"daily\" };",
    ),
    (
        "forbid/restricted",
        "forbid(principal, action in [House::Action::\"read-readings\", House::Action::\"read-health\", House::Action::\"read-contacts\"], resource) when { resource.restricted };",
    ),
];

fn schema_text() -> String {
    let actions: Vec<String> = Action::ALL.iter().map(|action| format!("\"{action}\"")).collect();
    format!(
        "namespace House {{
  entity Role;
  entity Person in [Role] = {{ here: Bool }};
  entity Data = {{ class: String, restricted: Bool }};
  type Facts = {{
    purpose: String, login: Long, case_covers: Bool, access: Bool, emergency: Bool, on_shift: Bool,
    own: Bool, permitted: Bool, single_handed: Bool, service: Bool
  }};
  action {} appliesTo {{ principal: Person, resource: Data, context: Facts }};
}}",
        actions.join(", ")
    )
}

fn set_of(classes: &BTreeSet<Class>) -> String {
    let names: Vec<String> = classes.iter().map(|class| format!("\"{}\"", class.name())).collect();
    format!("[{}].contains(resource.class)", names.join(", "))
}

fn permit(role: &str, actions: &[Action], purpose: Purpose, login: Strength, also: &[String]) -> String {
    let actions: Vec<String> = actions.iter().map(|action| format!("House::Action::\"{action}\"")).collect();
    let mut text = format!(
        "permit(principal in House::Role::\"{role}\", action in [{}], resource) when {{ ",
        actions.join(", ")
    );
    let _ = write!(text, "context.purpose == \"{purpose}\" && context.login >= {}", level(login));
    text.push_str(" && !context.service");
    also.iter().for_each(|condition| _ = write!(text, " && {condition}"));
    text.push_str(" };");
    text
}

/// What a role opens to programs for a purpose that is marked so. How they sign in is no question of factors: they show a token.
fn permit_service(role: &str, purpose: Purpose, with: &Purposed) -> Vec<String> {
    let one = |actions: Vec<&Action>, also: &str| {
        let actions: Vec<String> = actions.iter().map(|a| format!("House::Action::\"{a}\"")).collect();
        format!(
            "permit(principal in House::Role::\"{role}\", action in [{}], resource) when {{ \
             context.purpose == \"{purpose}\" && context.service{also} }};",
            actions.join(", ")
        )
    };
    let open = purpose.actions().iter().filter(|action| action.is_for_services());
    let (reading, acting): (Vec<&Action>, Vec<&Action>) = open.partition(|action| action.reaches_readings());
    let mut made = Vec::new();
    if !reading.is_empty() && !with.classes.is_empty() {
        made.push(one(reading, &format!(" && {}", set_of(&with.classes))));
    }
    if !acting.is_empty() {
        made.push(one(acting, ""));
    }
    made
}

/// The policies of a role for a purpose, each with its name.
fn policies_of(name: &str, role: &Role, purpose: Purpose, with: &Purposed) -> Vec<(String, String)> {
    let named = |way: &str| format!("{name}/{purpose}/{way}");
    if role.single_handed {
        // who is alone with a machine of their own proves nothing more by a second factor
        let (alone, login) = (["context.single_handed".to_owned()], Strength::Machine);
        return vec![(named("single-handed"), permit(name, purpose.actions(), purpose, login, &alone))];
    }
    let shift = || role.on_shift.then(|| "context.on_shift".to_owned()).into_iter().collect::<Vec<_>>();
    let (reading, acting): (Vec<Action>, Vec<Action>) =
        purpose.actions().iter().partition(|action| action.reaches_readings());
    let (contacts, acting): (Vec<Action>, Vec<Action>) =
        acting.into_iter().partition(|action| action.reaches_contacts());
    let (histories, acting): (Vec<Action>, Vec<Action>) =
        acting.into_iter().partition(|action| action.reaches_histories() && purpose.is_for_subjects());
    let (weighty, acting): (Vec<Action>, Vec<Action>) =
        acting.into_iter().partition(|action| action.is_weighty());
    let mut made = Vec::new();
    for (way, actions, login) in
        [("acting", acting, with.login), ("stepped-up", weighty, with.login.max(Strength::StepUp))]
    {
        if !actions.is_empty() {
            made.push((named(way), permit(name, &actions, purpose, login, &shift())));
        }
    }
    if !contacts.is_empty() {
        let mut also = shift();
        if with.case {
            also.push("context.case_covers".to_owned());
        }
        made.push((named("contacts"), permit(name, &contacts, purpose, with.login, &also)));
    }
    if !histories.is_empty() {
        let mut also = shift();
        also.push("context.own".to_owned());
        made.push((named("history"), permit(name, &histories, purpose, with.login, &also)));
    }
    if !reading.is_empty() && !with.classes.is_empty() {
        let mut also = shift();
        also.push(set_of(&with.classes));
        if with.case {
            also.push("context.case_covers".to_owned());
        }
        let bound = match purpose {
            Purpose::Emergency => Some("context.emergency"),
            Purpose::OwnData => Some("context.own"),
            Purpose::ByPermission => Some("context.permitted"),
            _ => None,
        };
        also.extend(bound.map(ToOwned::to_owned));
        made.push((named("standing"), permit(name, &reading, purpose, with.login, &also)));
    }
    if !reading.is_empty() && !with.in_time.is_empty() {
        let mut also = shift();
        also.extend([set_of(&with.in_time), "context.case_covers".to_owned(), "context.access".to_owned()]);
        made.push((named("in-time"), permit(name, &reading, purpose, with.login, &also)));
    }
    if with.services && role.is_for_services() {
        let ways = ["service", "service-acting"].map(named);
        made.extend(ways.into_iter().zip(permit_service(name, purpose, with)));
    }
    made
}

impl Policies {
    /// Compiles a catalogue, and has Cedar validate what came of it.
    ///
    /// # Errors
    /// When it does not compile, which no catalogue that was read should bring about.
    pub fn compile(catalogue: Catalogue) -> Result<Self, CompileError> {
        let (schema, _) = Schema::from_cedarschema_str(&schema_text()).map_err(failed)?;
        let mut set = PolicySet::new();
        let add = |set: &mut PolicySet, id: String, text: &str| -> Result<(), CompileError> {
            let policy = Policy::parse(Some(PolicyId::new(id)), text).map_err(failed)?;
            set.add(policy).map_err(failed)
        };
        for (id, text) in FORBIDS {
            add(&mut set, id.to_owned(), text)?;
        }
        let forbids = set.clone();
        let mut by_role = BTreeMap::new();
        for (name, role) in &catalogue.roles {
            let mut own = forbids.clone();
            for purpose in &role.purposes {
                let Some(with) = catalogue.purposes.get(purpose) else { continue };
                for (id, text) in policies_of(name, role, *purpose, with) {
                    add(&mut own, id.clone(), &text)?;
                    add(&mut set, id, &text)?;
                }
            }
            by_role.insert(name.clone(), own);
        }
        let found = Validator::new(schema).validate(&set, ValidationMode::Strict);
        if !found.validation_passed() {
            return Err(failed(found));
        }
        let kind = |name| EntityTypeName::from_str(name).map_err(failed);
        let (action, role) = (kind("House::Action")?, kind("House::Role")?);
        let uid = |kind: &EntityTypeName, id: &str| {
            EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
        };
        let names = Names {
            person: kind("House::Person")?,
            data: kind("House::Data")?,
            actions: Action::ALL.iter().map(|a| (*a, uid(&action, a.name()))).collect(),
            roles: catalogue.roles.keys().map(|name| (name.clone(), uid(&role, name))).collect(),
        };
        Ok(Self { catalogue, set, by_role, authorizer: Authorizer::new(), names })
    }

    /// What they were made of.
    #[must_use]
    pub const fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// How many policies there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.set.policies().count()
    }

    /// The policies as Cedar text, each under its name: for who wants to read or prove them.
    #[must_use]
    pub fn text(&self) -> String {
        let mut all: Vec<(String, String)> =
            self.set.policies().map(|policy| (policy.id().to_string(), policy.to_string())).collect();
        all.sort();
        all.into_iter().map(|(id, text)| format!("// {id}\n{text}\n\n")).collect()
    }

    /// The entities that a role is, for a person who holds it. Roles that this catalogue does not have open nothing.
    pub(crate) fn roles(&self, held: &[String]) -> HashSet<EntityUid> {
        held.iter().filter_map(|name| self.names.roles.get(name)).cloned().collect()
    }
}
