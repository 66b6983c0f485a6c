//! Dependency directions: the real arrows between the workspace's packages against `graph.txt`.
//!
//! The table has to equal the real arrows, so that a new one, and one that is gone, is a line in a diff.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::steps::{Outcome, cargo, output};

/// The intended arrows.
const TABLE: &str = include_str!("graph.txt");

/// Arrows from each package to the packages it uses, by short name (`vault` for `meterkeep-vault`).
type Arrows = BTreeMap<String, BTreeSet<String>>;

/// The table, or the workspace as it is.
#[derive(Debug, Default, PartialEq, Eq)]
struct Graph {
    /// What a package needs to run or build.
    uses: Arrows,
    /// What only its tests need.
    tests_use: Arrows,
    /// Who uses which package of others, tests apart. In the table: the packages that only some may use.
    others: Arrows,
}

/// What a package must not reach, also not through others.
#[derive(Debug, Default, PartialEq, Eq)]
struct Never(Vec<(String, Vec<String>)>);

/// Holds the workspace against the table.
pub(crate) fn check(root: &Path) -> Outcome {
    let (table, never) = parse(TABLE)?;
    let (real, rooms) = workspace(root)?;
    let mut wrong = differences(&table, &real);
    wrong.extend(strangers(&table, &real));
    wrong.extend(between_rooms(&real, &rooms));
    for (package, forbidden) in &never.0 {
        let reached = reach(root, package)?;
        for name in forbidden.iter().filter(|name| reached.contains(*name)) {
            wrong.push(format!(
                "`{package}` reaches `{name}`, which it never may; `cargo tree -i {name}` shows how"
            ));
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("the dependencies are not those of xtask/src/graph.txt:\n  {}", wrong.join("\n  ")))
    }
}

/// Lines `a -> b c` (uses), `a ~> b` (tests use), `a <= b c` (used by these only), `a -x b c` (never, also not
/// through others); `#` starts a remark.
fn parse(table: &str) -> Result<(Graph, Never), String> {
    let mut graph = Graph::default();
    let mut never = Never::default();
    for line in table.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let mut words = line.split_whitespace();
        let (Some(from), Some(arrow)) = (words.next(), words.next()) else {
            return Err(format!("graph.txt: `{line}` has no arrow"));
        };
        let to = words.map(str::to_owned);
        match arrow {
            "->" => graph.uses.entry(from.to_owned()).or_default().extend(to),
            "~>" => graph.tests_use.entry(from.to_owned()).or_default().extend(to),
            "<=" => graph.others.entry(from.to_owned()).or_default().extend(to),
            "-x" => never.0.push((from.to_owned(), to.collect())),
            _ => return Err(format!("graph.txt: `{arrow}` is no arrow")),
        }
    }
    Ok((graph, never))
}

/// The real arrows, and which packages are rooms.
fn workspace(root: &Path) -> Result<(Graph, BTreeSet<String>), String> {
    let text = output(cargo(root).args(["metadata", "--no-deps", "--format-version", "1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&text).map_err(|e| format!("cargo metadata: {e}"))?;
    let list =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let text =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut graph = Graph::default();
    let mut rooms = BTreeSet::new();
    for package in list(&metadata, "packages") {
        let name = short(&text(&package, "name"));
        if text(&package, "manifest_path").contains("/roles/") {
            rooms.insert(name.clone());
        }
        graph.uses.entry(name.clone()).or_default();
        for dependency in list(&package, "dependencies") {
            let to = text(&dependency, "name");
            let ours = dependency.get("path").is_some_and(|path| !path.is_null());
            match (ours, text(&dependency, "kind") == "dev") {
                (true, false) => graph.uses.entry(name.clone()).or_default().insert(short(&to)),
                (true, true) => graph.tests_use.entry(name.clone()).or_default().insert(short(&to)),
                (false, false) => graph.others.entry(to).or_default().insert(name.clone()),
                (false, true) => false,
            };
        }
    }
    Ok((graph, rooms))
}

fn short(package: &str) -> String {
    package.strip_prefix("meterkeep-").unwrap_or(package).to_owned()
}

fn differences(table: &Graph, real: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    for (mark, table, real) in [("->", &table.uses, &real.uses), ("~>", &table.tests_use, &real.tests_use)] {
        let packages: BTreeSet<&String> = table.keys().chain(real.keys()).collect();
        for package in packages {
            let none = BTreeSet::new();
            let intended = table.get(package).unwrap_or(&none);
            let actual = real.get(package).unwrap_or(&none);
            if mark == "->" && !table.contains_key(package) {
                found.push(format!("`{package}` is not in the table"));
            }
            if mark == "->" && !real.contains_key(package) {
                found.push(format!("`{package}` is in the table, but not in the workspace"));
            }
            found.extend(actual.difference(intended).map(|to| format!("`{package} {mark} {to}` is new")));
            found.extend(
                intended
                    .difference(actual)
                    .map(|to| format!("`{package} {mark} {to}` is gone; drop it from the table")),
            );
        }
    }
    found
}

/// Packages of others that the table keeps to a few of ours: ciphers, databases, parsers, the kernel's locks.
fn strangers(table: &Graph, real: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    for (package, allowed) in &table.others {
        let none = BTreeSet::new();
        let users = real.others.get(package).unwrap_or(&none);
        found.extend(
            users.difference(allowed).map(|user| format!("`{user}` uses `{package}`, which is not for it")),
        );
        found.extend(
            allowed.difference(users).map(|user| format!("`{user}` no longer uses `{package}`; drop it")),
        );
    }
    found
}

/// Rooms talk over links only: whatever the table says, none is built into another.
fn between_rooms(real: &Graph, rooms: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for (package, uses) in &real.uses {
        for room in uses.intersection(rooms) {
            if rooms.contains(package) {
                found.push(format!(
                    "the room `{package}` is built with the room `{room}`; they may only talk"
                ));
            }
        }
    }
    found
}

/// Every package that ends up in this one, by short name.
pub(crate) fn reach(root: &Path, package: &str) -> Result<BTreeSet<String>, String> {
    let mut tree = cargo(root);
    tree.args(["tree", "--edges", "normal,build", "--prefix", "none", "--format", "{p}", "--locked"]);
    match package {
        "*" => tree.arg("--workspace"),
        "meterkeep" => tree.args(["--package", "meterkeep"]),
        _ => tree.args(["--package", &format!("meterkeep-{package}")]),
    };
    let tree = output(&mut tree)?;
    Ok(tree.lines().filter_map(|line| line.split_whitespace().next()).map(short).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_as_intended() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert_eq!(check(root), Ok(()));
    }

    fn graph(table: &str) -> Graph {
        parse(table).unwrap().0
    }

    #[test]
    fn a_new_arrow_and_one_that_is_gone_are_both_told() {
        let table = graph("base ->\nseal -> base\nvault -> base seal # the key room\nvault ~> sim");
        assert_eq!(
            differences(&table, &graph("base ->\nseal -> base\nvault -> base seal\nvault ~> sim")),
            [""; 0]
        );
        let other = graph("base ->\nseal -> base\nvault -> base telegram\nnew ->");
        assert_eq!(
            differences(&table, &other),
            [
                "`new` is not in the table",
                "`vault -> telegram` is new",
                "`vault -> seal` is gone; drop it from the table",
                "`vault ~> sim` is gone; drop it from the table"
            ]
        );
    }

    #[test]
    fn a_package_that_is_for_a_few_is_told_elsewhere() {
        let table = graph("aes <= seal keyfile");
        let mut real = Graph::default();
        real.others.insert("aes".to_owned(), ["seal".to_owned(), "vault".to_owned()].into());
        assert_eq!(
            strangers(&table, &real),
            ["`vault` uses `aes`, which is not for it", "`keyfile` no longer uses `aes`; drop it"]
        );
    }

    #[test]
    fn a_room_within_a_room_is_told_whatever_the_table_says() {
        let rooms = ["vault".to_owned(), "intake".to_owned()].into();
        assert_eq!(between_rooms(&graph("intake -> vault\nmeterkeep -> vault intake"), &rooms).len(), 1);
    }

    #[test]
    fn lines_without_a_known_arrow_are_refused() {
        assert!(parse("vault base").is_err());
        assert!(parse("vault").is_err());
    }

    #[test]
    fn what_a_package_reaches_is_seen_through_others() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let reached = reach(root, "keyfile").unwrap();
        assert!(reached.contains("base") && reached.contains("quick-xml") && reached.contains("memchr"));
        assert!(!reached.contains("telegram"));
    }
}
