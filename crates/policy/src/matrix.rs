//! The matrix of roles, actions and classes: what the policies open, in one table for people.

use grant::{Action, Purpose};

use crate::Policies;
use crate::explain::{Reach, rows};

/// A line for each action and class, a column for each role: the furthest that any of its purposes reaches.
#[must_use]
pub fn matrix(policies: &Policies) -> String {
    let roles: Vec<&String> = policies.catalogue().roles.keys().collect();
    let cells = |of: &mut dyn Iterator<Item = String>| of.collect::<Vec<_>>().join(" | ");
    let mut text = format!("| action | class | {} |\n", cells(&mut roles.iter().map(|role| (*role).clone())));
    text.push_str(&format!("| --- | --- | {} |\n", cells(&mut roles.iter().map(|_| "---".to_owned()))));
    for (action, class) in rows() {
        let reached = |role: &&String| furthest(policies, role, action, class).name().to_owned();
        let class = class.map_or("", base::Class::name);
        text.push_str(&format!("| {action} | {class} | {} |\n", cells(&mut roles.iter().map(reached))));
    }
    text
}

fn furthest(policies: &Policies, role: &str, action: Action, class: Option<base::Class>) -> Reach {
    let roles = [role.to_owned()];
    let purposes = Purpose::ALL.into_iter().filter(|purpose| purpose.covers(action));
    purposes.map(|purpose| policies.reach(&roles, purpose, action, class)).max().unwrap_or(Reach::Closed)
}
