//! What roles may do, what they may not, and how that is explained.

use std::sync::LazyLock;

use base::Class;
use grant::{Action, Purpose};
use proptest::prelude::*;

use super::*;

fn house() -> &'static Policies {
    static HOUSE: LazyLock<Policies> =
        LazyLock::new(|| Policies::compile(Catalogue::built_in().unwrap()).unwrap());
    &HOUSE
}

fn asker(roles: &[&str]) -> Asker {
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    let (name, here, login) = ("anna".to_owned(), true, Strength::StepUp);
    Asker { name, roles, here, login, bounded: Vec::new(), service: false }
}

fn reads(roles: &[&str], purpose: Purpose, class: Class, facts: Facts) -> Question {
    Question { asker: asker(roles), purpose, action: Action::ReadReadings, class: Some(class), facts }
}

fn does(roles: &[&str], purpose: Purpose, action: Action) -> Question {
    Question { asker: asker(roles), purpose, action, class: None, facts: Facts::default() }
}

const NOTHING: Facts = Facts {
    case_covers: false,
    access: false,
    emergency: false,
    on_shift: false,
    own: false,
    permitted: false,
    single_handed: false,
    restricted: false,
};
const CASE: Facts = Facts { case_covers: true, ..NOTHING };
const ACCESS: Facts = Facts { access: true, ..CASE };

#[test]
fn customer_service_sees_a_day_with_a_case_and_an_hour_only_when_somebody_else_approved_it() {
    let house = house();
    let ask = |class, facts| reads(&["customer-service"], Purpose::BillQuestion, class, facts);
    assert!(!house.decide(&ask(Class::Daily, NOTHING)).allowed);
    let day = house.decide(&ask(Class::Daily, CASE));
    assert_eq!((day.allowed, day.rules), (true, vec!["customer-service/bill-question/standing".to_owned()]));
    assert!(!house.decide(&ask(Class::Fine, CASE)).allowed);
    let hour = house.decide(&ask(Class::Fine, ACCESS));
    assert_eq!((hour.allowed, hour.rules), (true, vec!["customer-service/bill-question/in-time".to_owned()]));
    let without_case = Facts { access: true, ..NOTHING };
    assert!(!house.decide(&ask(Class::Fine, without_case)).allowed, "approved for another case");

    let why = house.why(&ask(Class::Fine, CASE));
    assert_eq!(why, Reason::Needs { needs: vec![Need::Access], instead: Some(Class::Daily) });
    let said = why.sentence(Purpose::BillQuestion);
    assert!(said.contains("meterkeep access ask --purpose bill-question"), "{said}");
    assert!(said.ends_with("Open now: class `daily`"), "{said}");
    let why = house.why(&ask(Class::Fine, NOTHING));
    assert_eq!(why, Reason::Needs { needs: vec![Need::Case, Need::Access], instead: None });
}

#[test]
fn names_are_for_a_case_or_for_telling_those_concerned_and_for_nobody_else() {
    let house = house();
    let ask = |role: &str, purpose, facts| Question { facts, ..does(&[role], purpose, Action::ReadContacts) };
    let of_case = |facts| ask("customer-service", Purpose::BillQuestion, facts);
    assert_eq!(house.why(&of_case(NOTHING)), Reason::Needs { needs: vec![Need::Case], instead: None });
    let said = house.decide(&of_case(CASE));
    assert_eq!(
        (said.allowed, said.rules),
        (true, vec!["customer-service/bill-question/contacts".to_owned()])
    );
    assert_eq!(house.why(&of_case(Facts { restricted: true, ..CASE })), Reason::Restricted);
    assert!(house.decide(&ask("data-protection-officer", Purpose::Notification, NOTHING)).allowed);
    for (role, held) in &house.catalogue().roles {
        let reach =
            Purpose::ALL.map(|p| house.reach(std::slice::from_ref(role), p, Action::ReadContacts, None));
        let furthest = reach.into_iter().max().unwrap_or(Reach::Closed);
        let expected = match role.as_str() {
            "customer-service" => Reach::Case,
            "data-protection-officer" => Reach::Open,
            "owner" => Reach::SingleHanded,
            _ => Reach::Closed,
        };
        assert_eq!(furthest, expected, "{role} of {:?}", held.purposes);
    }
    // who hands out keys or roles sees no names either
    for (roles, duties) in [
        (["key-officer", "data-protection-officer"], "keys-and"),
        (["administrator", "customer-service"], "people-and"),
    ] {
        let hole = separation::check_person(house.catalogue(), "anna", roles).unwrap_err();
        assert!(hole.name.starts_with(duties), "{hole}");
    }
}

#[test]
fn nothing_is_allowed_by_silence() {
    let house = house();
    assert_eq!(house.why(&reads(&[], Purpose::Operations, Class::Daily, NOTHING)), Reason::NoRole);
    assert!(!house.decide(&reads(&["made-up"], Purpose::Operations, Class::Daily, ACCESS)).allowed);
    let why = house.why(&reads(&["auditor"], Purpose::Operations, Class::Daily, NOTHING));
    assert_eq!(why, Reason::OtherRoles(vec!["operator".to_owned()]));
    assert_eq!(house.why(&does(&["auditor"], Purpose::Audit, Action::ManagePeople)), Reason::NotCovered);
    let why = house.why(&reads(&["network-analyst"], Purpose::NetworkAnalysis, Class::Fine, ACCESS));
    assert_eq!(why, Reason::ClassClosed(vec![Class::Billing]));
}

#[test]
fn a_forbid_wins_over_every_permit() {
    let house = house();
    let mut left = reads(&["operator"], Purpose::Operations, Class::Daily, NOTHING);
    assert!(house.decide(&left).allowed);
    left.asker.here = false;
    let said = house.decide(&left);
    assert_eq!((said.allowed, said.rules), (false, vec!["forbid/left".to_owned()]));
    assert_eq!(house.why(&left), Reason::Left);
    let restricted = Facts { restricted: true, ..NOTHING };
    let asked = reads(&["operator"], Purpose::Operations, Class::Daily, restricted);
    assert_eq!(house.decide(&asked).rules, ["forbid/restricted"]);
    assert_eq!(house.why(&asked), Reason::Restricted);
    let held = Question { action: Action::ReadHeld, purpose: Purpose::LegalClaim, ..asked };
    let held = Question { asker: asker(&["claims-handler"]), ..held };
    assert!(house.decide(&held).allowed, "what a hold keeps is for the claim");
}

#[test]
fn the_owner_does_everything_alone_until_others_have_roles() {
    let house = house();
    let alone = Facts { single_handed: true, ..NOTHING };
    let ask = |facts| reads(&["owner"], Purpose::Operations, Class::Fine, facts);
    assert!(house.decide(&ask(alone)).allowed);
    assert!(!house.decide(&ask(NOTHING)).allowed);
    assert_eq!(house.why(&ask(NOTHING)), Reason::Needs { needs: vec![Need::Alone], instead: None });
}

#[test]
fn an_emergency_opens_what_an_approval_would_and_no_more() {
    let house = house();
    let emergency = Facts { emergency: true, ..NOTHING };
    let ask = |roles: &[&str], facts| reads(roles, Purpose::Emergency, Class::Fine, facts);
    assert!(house.decide(&ask(&["operator"], emergency)).allowed);
    let why = house.why(&ask(&["operator"], NOTHING));
    assert_eq!(why, Reason::Needs { needs: vec![Need::Emergency], instead: None });
    assert!(!house.decide(&ask(&["customer-service"], emergency)).allowed);
    assert!(!house.decide(&reads(&["operator"], Purpose::Operations, Class::Fine, emergency)).allowed);
}

#[test]
fn staff_show_two_factors_and_once_more_for_keys_people_and_roles() {
    let house = house();
    let with = |login, question: &Question| {
        let mut question = question.clone();
        question.asker.login = login;
        house.why(&question)
    };
    let needs = |login| Reason::Needs { needs: vec![Need::Login(login)], instead: None };
    let reading = reads(&["billing"], Purpose::Billing, Class::Billing, NOTHING);
    assert_eq!(with(Strength::Machine, &reading), needs(Strength::MultiFactor));
    assert_eq!(with(Strength::MultiFactor, &reading), Reason::Allowed);
    let mut weighty = 0;
    for (name, role) in &house.catalogue().roles {
        for purpose in role.purposes.iter().filter(|_| !role.single_handed) {
            for action in purpose.actions().iter().filter(|action| !action.reaches_readings()) {
                let mut question = does(&[name], *purpose, *action);
                question.facts.case_covers = action.reaches_contacts();
                question.facts.own = action.reaches_histories();
                let enough = if action.is_weighty() { Strength::StepUp } else { Strength::MultiFactor };
                weighty += u32::from(action.is_weighty());
                assert_eq!(with(Strength::Machine, &question), needs(enough), "{name} {action}");
                let two = if action.is_weighty() { needs(enough) } else { Reason::Allowed };
                assert_eq!(with(Strength::MultiFactor, &question), two, "{name} {action}");
                assert_eq!(with(Strength::StepUp, &question), Reason::Allowed, "{name} {action}");
            }
        }
    }
    assert!(weighty >= 5, "keys twice, people, roles and agreement to them");
}

#[test]
fn a_house_says_so_where_it_wants_another_login_and_weakens_nothing_weighty() {
    let weak = Catalogue::built_in_text()
        .replace("[purposes.billing]\n", "[purposes.billing]\nlogin = \"machine\"\n")
        .replace("[purposes.key-import]\n", "[purposes.key-import]\nlogin = \"machine\"\n");
    let house = Policies::compile(Catalogue::parse(&weak).unwrap()).unwrap();
    let mut ask = reads(&["billing"], Purpose::Billing, Class::Billing, NOTHING);
    ask.asker.login = Strength::Machine;
    assert!(house.decide(&ask).allowed);
    let mut import = does(&["key-officer"], Purpose::KeyImport, Action::ImportKeys);
    assert!(house.decide(&import).allowed);
    import.asker.login = Strength::MultiFactor;
    assert!(!house.decide(&import).allowed);
}

#[test]
fn who_is_alone_needs_no_second_factor_and_who_is_not_does() {
    let house = house();
    let mut ask =
        reads(&["owner"], Purpose::Operations, Class::Fine, Facts { single_handed: true, ..NOTHING });
    ask.asker.login = Strength::Machine;
    assert!(house.decide(&ask).allowed);
    ask.facts.single_handed = false;
    assert!(!house.decide(&ask).allowed);
}

#[test]
fn a_role_on_shift_opens_nothing_outside_one() {
    let role = "[roles.technician]\n";
    assert!(Catalogue::built_in_text().contains(role));
    let text = Catalogue::built_in_text().replace(role, &format!("{role}on_shift = true\n"));
    let house = Policies::compile(Catalogue::parse(&text).unwrap()).unwrap();
    let ask = |on_shift| Question {
        action: Action::ReadHealth,
        ..reads(&["technician"], Purpose::FieldService, Class::Daily, Facts { on_shift, ..NOTHING })
    };
    assert!(house.decide(&ask(true)).allowed);
    let why = house.why(&ask(false));
    assert_eq!(why, Reason::Needs { needs: vec![Need::Shift], instead: None });
    assert!(why.sentence(Purpose::FieldService).contains("meterkeep people shift"));
    let reach = house.reach(
        &["technician".to_owned()],
        Purpose::FieldService,
        Action::ReadHealth,
        Some(Class::Daily),
    );
    assert_eq!(reach, Reach::Open, "as far as it gets in a shift");
}

fn with_role(purposes: &str) -> String {
    let role = "\n[roles.helper]\ntitle = { en = \"Helper\", da = \"Hjælper\" }\npurposes = ";
    format!("{}{role}{purposes}\n", Catalogue::built_in_text())
}

#[test]
fn a_made_up_role_that_can_ask_and_approve_is_refused_with_the_path_that_shows_it() {
    let error = Catalogue::parse(&with_role("[\"bill-question\", \"supervision\"]")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the role `helper` would hold two duties (ask-and-approve): role `helper` -> purpose `bill-question` -> \
         `ask-access`, and role `helper` -> purpose `supervision` -> `approve-access`; who approves looks at what \
         another wants. Give them to two people"
    );
    assert!(Catalogue::parse(&with_role("[\"bill-question\", \"billing\"]")).is_ok());
    let alone = with_role("[\"billing\"]\nsingle_handed = true");
    assert_eq!(Catalogue::parse(&alone).unwrap_err(), CatalogueError::SingleHanded("helper".to_owned()));
}

#[test]
fn no_two_roles_of_one_person_give_two_duties_and_the_policies_agree() {
    let house = house();
    let names: Vec<&str> =
        house.catalogue().roles.keys().map(String::as_str).filter(|n| *n != "owner").collect();
    let mut refused = 0;
    for one in &names {
        for other in &names {
            let checked = separation::check_person(house.catalogue(), "anna", [*one, *other]);
            let roles = [(*one).to_owned(), (*other).to_owned()];
            // what the compiled policies really open, whatever the table of duties thinks
            let can = |action: &Action| {
                let purposes = || Purpose::ALL.into_iter().filter(|p| p.covers(*action));
                let classes: Vec<Option<Class>> =
                    if action.reaches_readings() { Class::ALL.map(Some).to_vec() } else { vec![None] };
                purposes()
                    .any(|p| classes.iter().any(|c| house.reach(&roles, p, *action, *c) != Reach::Closed))
            };
            let both =
                |duties: &separation::Duties| duties.one.iter().any(can) && duties.other.iter().any(can);
            assert_eq!(
                checked.is_err(),
                separation::DUTIES.iter().any(both),
                "{one} and {other}: {checked:?}"
            );
            refused += usize::from(checked.is_err());
        }
    }
    assert!(refused > 10, "the check sees something");
    let error = separation::check_person(house.catalogue(), "anna", ["key-officer", "operator"]).unwrap_err();
    assert!(error.to_string().starts_with("`anna` would hold two duties (keys-and-readings)"), "{error}");
}

#[test]
fn who_looks_at_the_log_reads_nothing_and_gives_no_role() {
    let house = house();
    for (name, role) in &house.catalogue().roles {
        let roles = std::slice::from_ref(name);
        let reach =
            |action| Purpose::ALL.map(|purpose| house.reach(roles, purpose, action, None)).into_iter().max();
        let expected = match name.as_str() {
            "auditor" | "data-protection-officer" => Reach::Open,
            "owner" => Reach::SingleHanded,
            _ => Reach::Closed,
        };
        // what hands the log on sees it, and reviews nothing
        let looks = if name == "log-export" { Reach::Open } else { expected };
        assert_eq!(reach(Action::ReadLog), Some(looks), "{name} of {:?}", role.purposes);
        assert_eq!(reach(Action::ReviewLog), Some(expected), "{name} of {:?}", role.purposes);
    }
    for (roles, duties) in [
        (["auditor", "operator"], "log-and-readings"),
        (["auditor", "technician"], "log-and-readings"),
        (["auditor", "customer"], "log-and-readings"),
        (["auditor", "administrator"], "people-and-log"),
        (["data-protection-officer", "administrator"], "people-and-"),
    ] {
        let hole = separation::check_person(house.catalogue(), "anna", roles).unwrap_err();
        assert!(hole.name.starts_with(duties), "{hole}");
    }
    // whoever tells those concerned of a breach finds in the log whose data it was
    assert!(
        separation::check_person(house.catalogue(), "dora", ["auditor", "data-protection-officer"]).is_ok()
    );
    let error = Catalogue::parse(&with_role("[\"audit\", \"billing\"]")).unwrap_err();
    assert!(error.to_string().contains("(log-and-readings)"), "{error}");
    // no action takes an entry away
    assert!(
        Action::ALL
            .into_iter()
            .all(|action| !["prune", "remove", "delete"].iter().any(|w| action.name().contains(w)))
    );
}

#[test]
fn the_matrix_is_complete_and_is_the_one_in_the_manual() {
    let text = matrix(house());
    for action in Action::ALL {
        let row = text.lines().filter(|line| line.starts_with(&format!("| {action} |")));
        let somebody = row
            .clone()
            .any(|line| line.contains("| open") || line.contains("| case") || line.contains("| alone"));
        let machine = Purpose::ALL.into_iter().any(|p| p.is_for_machines() && p.covers(action));
        assert!(row.count() >= 1, "`{action}` is missing");
        assert_eq!(
            somebody, !machine,
            "`{action}`: a new action needs a purpose and a role; what machines do, no person can"
        );
    }
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/book/src/access.md");
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept.contains(&text),
        "docs/book/src/access.md is not what the policies say; put this in:\n{text}"
    );
}

#[test]
fn what_would_change_is_told_for_whom() {
    let (house, people) =
        (house(), [("anna".to_owned(), vec!["billing".to_owned()]), ("bo".to_owned(), vec![])]);
    let text = Catalogue::built_in_text().replacen(
        "legal_basis = \"GDPR Art. 6(1)(b): the contract of supply\"\nclasses = [\"billing\"]",
        "legal_basis = \"GDPR Art. 6(1)(b): the contract of supply\"\nclasses = [\"billing\", \"daily\"]",
        1,
    );
    let other = Policies::compile(Catalogue::parse(&text).unwrap()).unwrap();
    let changes = house.what_if(&other, &people);
    let expected = Change {
        name: "anna".to_owned(),
        purpose: Purpose::Billing,
        action: Action::ReadReadings,
        class: Some(Class::Daily),
        before: Reach::Closed,
        after: Reach::Open,
    };
    assert_eq!(changes, [expected]);
    assert!(house.what_if(house, &people).is_empty());
    let who = house.who_can(&people, Action::ReadReadings, Some(Class::Billing));
    assert_eq!(who, [Who { name: "anna".to_owned(), purpose: Purpose::Billing, reach: Reach::Open }]);
}

#[test]
fn each_fault_of_a_file_is_named() {
    let built_in = Catalogue::built_in_text();
    let fails = |from: &str, to: &str| {
        assert!(built_in.contains(from), "{from}");
        Catalogue::parse(&built_in.replacen(from, to, 1)).unwrap_err().to_string()
    };
    for (from, to, said) in [
        ("version = 1", "version = 2", "reads version 1"),
        ("[purposes.audit]", "[purposes.curiosity]", "`curiosity` is no purpose"),
        ("classes = [\"daily\", \"billing\"]", "classes = [\"hourly\"]", "names the class `hourly`"),
        (
            "classes = [\"daily\", \"billing\"]",
            "classes = [\"fine\"]",
            "`operations` would open fine readings at any time",
        ),
        (
            "in_time = [\"fine\"]\ncase = true",
            "in_time = [\"fine\"]",
            "`bill-question` has classes in time and no case",
        ),
        (
            "in_time = [\"fine\"]\ncase",
            "in_time = [\"daily\"]\ncase",
            "opens `daily` at any time and in time",
        ),
        ("retention_days = 1095", "retention_days = 0", "keeps for 0 days"),
        ("en = \"Operations\"", "en = \"\"", "`operations` has a title"),
        ("[roles.auditor]", "[roles.Auditor]", "`Auditor` cannot be the name of a role"),
        ("purposes = [\"audit\"]", "purposes = []", "`auditor` has no purpose"),
        ("[roles.administrator]", "[roles.admin]", "`administrator` is missing"),
        ("purposes = [\"audit\"]", "purposes = [\"stewardship\"]", "is the house's own jobs'"),
        ("title = { en = \"Auditor\"", "titel = { en = \"Auditor\"", "titel"),
        (
            "[purposes.audit]\ntitle = { en = \"Audit\", da = \"Revision\" }\n",
            "[purposes.audit]\nclasses = [\"daily\"]\ntitle = { en = \"Audit\", da = \"Revision\" }\n",
            "`audit` reads no readings",
        ),
        (
            "in_time = [\"fine\"]\ncase = true",
            "in_time = [\"fine\"]\ncase = true\nservices = true",
            "the purpose `bill-question` is for people",
        ),
        ("[purposes.emergency]", "[purposes.emergency]\nservices = true", "`emergency` is for people"),
        ("[purposes.key-custody]", "[purposes.key-custody]\nservices = true", "`key-custody` is for people"),
    ] {
        let error = fails(from, to);
        assert!(error.contains(said), "{from} -> {to}: {error}");
    }
    assert!(matches!(Catalogue::parse(&"#".repeat(MAX_CATALOGUE + 1)), Err(CatalogueError::TooLarge(_))));
}

#[test]
fn a_service_does_what_is_marked_for_services_and_nothing_else_whatever_its_roles() {
    let house = house();
    let roles: Vec<String> = house.catalogue().roles.keys().cloned().collect();
    let service = |login| Asker {
        name: "export".to_owned(),
        roles: roles.clone(),
        here: true,
        login,
        bounded: Vec::new(),
        service: true,
    };
    let mut open = Vec::new();
    for purpose in Purpose::ALL {
        for action in Action::ALL {
            for class in Class::ALL.into_iter().map(Some).chain([None]) {
                for all in [false, true] {
                    let facts = Facts {
                        case_covers: all,
                        access: all,
                        emergency: all,
                        on_shift: all,
                        own: all,
                        permitted: all,
                        single_handed: all,
                        restricted: false,
                    };
                    let of = |login| Question { asker: service(login), purpose, action, class, facts };
                    let allowed = house.decide(&of(Strength::Machine)).allowed;
                    assert_eq!(
                        allowed,
                        house.decide(&of(Strength::StepUp)).allowed,
                        "no login makes it a person"
                    );
                    if allowed {
                        open.push((purpose, action, class));
                    }
                }
            }
        }
    }
    open.dedup();
    let reading = (Purpose::Billing, Action::ReadReadings, Some(Class::Billing));
    let exporting = (Purpose::SecurityMonitoring, Action::ReadLog);
    assert!(open.contains(&reading), "{open:?}");
    let others = open.iter().filter(|one| **one != reading);
    assert!(others.into_iter().all(|(purpose, action, _)| (*purpose, *action) == exporting), "{open:?}");
    let forbid = house.text();
    let forbid = forbid.split("// forbid/service\n").nth(1).and_then(|text| text.split("//").next()).unwrap();
    for action in Action::ALL {
        let named = forbid.contains(&format!("\"{action}\""));
        assert_eq!(named, action.is_for_services(), "{action}");
    }
}

#[test]
fn a_service_is_told_why_not_and_never_to_sign_in_with_a_factor() {
    let house = house();
    let service = |roles: &[&str], purpose, class, facts| Question {
        asker: Asker { service: true, login: Strength::Machine, ..asker(roles) },
        ..reads(&[], purpose, class, facts)
    };
    let ask = |roles: &[&str], purpose, class| house.why(&service(roles, purpose, class, NOTHING));
    assert_eq!(ask(&["billing"], Purpose::Billing, Class::Billing), Reason::Allowed);
    let rules = house.decide(&service(&["billing"], Purpose::Billing, Class::Billing, NOTHING)).rules;
    assert_eq!(rules, ["billing/billing/service"]);
    let closed = ask(&["billing"], Purpose::Billing, Class::Daily);
    assert_eq!(closed, Reason::ClassClosed(vec![Class::Billing]));
    assert_eq!(ask(&["operator"], Purpose::Operations, Class::Daily), Reason::NotForServices);
    assert!(matches!(ask(&["operator"], Purpose::Billing, Class::Billing), Reason::OtherRoles(_)));
    let restricted = Facts { restricted: true, ..NOTHING };
    let why = house.why(&service(&["billing"], Purpose::Billing, Class::Billing, restricted));
    assert_eq!(why, Reason::Restricted);
    let said = Reason::NotForServices.sentence(Purpose::Operations);
    assert!(said.contains("`services = true`") && !said.contains("sign in"), "{said}");
    // a person is not held to what is for services
    let mut person = reads(&["billing"], Purpose::Billing, Class::Billing, NOTHING);
    person.asker.login = Strength::Machine;
    assert!(!house.decide(&person).allowed, "a person without two factors is no program");
    let named = [("export".to_owned(), vec!["billing".to_owned(), "operator".to_owned()])];
    let who = house.services_that_can(&named, Action::ReadReadings, Some(Class::Billing));
    assert_eq!(who.len(), 1);
    assert_eq!(house.who_can(&named, Action::ReadReadings, Some(Class::Billing)).len(), 3, "as a person");
    let other = Catalogue::built_in_text().replacen("services = true\n", "", 1);
    let other = Policies::compile(Catalogue::parse(&other).unwrap()).unwrap();
    let changes = house.what_if_for_services(&other, &named);
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].before, changes[0].after), (Reach::Open, Reach::Closed));
    let for_services = house.catalogue().for_services(["billing", "operator", "auditor"]);
    assert_eq!(
        for_services.into_iter().collect::<Vec<_>>(),
        [(Purpose::Billing, vec![Action::ReadReadings])]
    );
}

#[test]
fn a_role_that_became_privileged_opens_nothing_to_a_service_any_more() {
    let text = Catalogue::built_in_text();
    let from = "purposes = [\"billing\"]";
    assert!(text.contains(from));
    for with in ["privileged = true", "on_shift = true"] {
        let other = text.replacen(from, &format!("{from}\n{with}"), 1);
        let other = Policies::compile(Catalogue::parse(&other).unwrap()).unwrap();
        let mut question = reads(&["billing"], Purpose::Billing, Class::Billing, NOTHING);
        question.facts.on_shift = true;
        assert!(other.decide(&question).allowed);
        question.asker.service = true;
        assert!(!other.decide(&question).allowed, "{with}");
    }
}

fn any_question() -> impl Strategy<Value = Question> {
    let roles: Vec<String> = Catalogue::built_in().unwrap().roles.into_keys().collect();
    let roles_of = proptest::sample::subsequence(roles.clone(), 0..=roles.len());
    let asker = (roles_of, any::<bool>(), 0..3u8, any::<bool>());
    let what = (0..Purpose::ALL.len(), 0..Action::ALL.len(), 0..4usize);
    (asker, what, any::<[bool; 8]>()).prop_map(
        |((roles, here, login, service), (purpose, action, class), f)| {
            let login = [Strength::Machine, Strength::MultiFactor, Strength::StepUp][usize::from(login)];
            let [case_covers, access, emergency, single_handed, restricted, on_shift, own, permitted] = f;
            let facts =
                Facts { case_covers, access, emergency, on_shift, own, permitted, single_handed, restricted };
            Question {
                asker: Asker { name: "anna".to_owned(), roles, here, login, bounded: Vec::new(), service },
                purpose: Purpose::ALL[purpose],
                action: Action::ALL[action],
                class: Class::ALL.get(class).copied(),
                facts,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn taking_something_away_never_opens_anything(question in any_question(), what in 0..11usize) {
        let house = house();
        let mut less = question.clone();
        match what {
            0 => less.facts.case_covers = false,
            1 => less.facts.access = false,
            2 => less.facts.emergency = false,
            3 => less.facts.single_handed = false,
            4 => less.asker.here = false,
            5 => less.asker.login = Strength::Machine,
            6 => less.facts.on_shift = false,
            7 => less.facts.own = false,
            8 => less.facts.permitted = false,
            9 => less.asker.bounded.clone_from(&less.asker.roles),
            _ => _ = less.asker.roles.pop(),
        }
        if house.decide(&less).allowed {
            prop_assert!(house.decide(&question).allowed);
        }
        let why = house.why(&question);
        prop_assert_eq!(why == Reason::Allowed, house.decide(&question).allowed);
        prop_assert!(!why.sentence(question.purpose).is_empty());
    }

    #[test]
    fn what_is_said_to_help_does_help(question in any_question()) {
        let house = house();
        if let Reason::Needs { needs, instead } = house.why(&question) {
            let mut with = question.clone();
            for need in needs {
                match need {
                    Need::Login(login) => with.asker.login = login,
                    Need::Case => with.facts.case_covers = true,
                    Need::Access => with.facts.access = true,
                    Need::Emergency => with.facts.emergency = true,
                    Need::Shift => with.facts.on_shift = true,
                    Need::Own => with.facts.own = true,
                    Need::Permission => with.facts.permitted = true,
                    Need::Alone => with.facts.single_handed = true,
                }
            }
            prop_assert!(house.decide(&with).allowed, "{:?}", question);
            if let Some(class) = instead {
                let coarser = Question { class: Some(class), ..question };
                prop_assert!(house.decide(&coarser).allowed);
            }
        }
    }

    #[test]
    fn the_policies_of_the_askers_roles_say_what_all_policies_say(question in any_question()) {
        let house = house();
        let by_all = house.held_against(&question, std::iter::once(&house.set));
        let by_roles = house.decide(&question);
        prop_assert_eq!(by_roles.allowed, by_all.allowed);
        // who has no role is denied before anything is asked
        if !question.asker.roles.is_empty() {
            prop_assert_eq!(by_roles.rules, by_all.rules);
        }
    }

    #[test]
    fn several_roles_reach_as_far_as_the_one_that_reaches_furthest(question in any_question()) {
        let (house, Question { asker, purpose, action, class, .. }) = (house(), question);
        let of_one = |role| house.reach(std::slice::from_ref(role), purpose, action, class);
        let furthest = asker.roles.iter().map(of_one).max().unwrap_or(Reach::Closed);
        prop_assert_eq!(house.reach(&asker.roles, purpose, action, class), furthest);
    }

    #[test]
    fn no_text_panics(text: String) {
        let _ = Catalogue::parse(&text);
        let _ = Catalogue::parse(&with_role(&text));
    }
}

#[test]
fn a_policy_that_cannot_be_evaluated_is_a_denial_whatever_permits_beside_it() {
    let question = reads(&["operator"], Purpose::Operations, Class::Daily, NOTHING);
    let said = |text: &str| {
        let set: cedar_policy::PolicySet = text.parse().unwrap();
        house().held_against(&question, [&set, &cedar_policy::PolicySet::new()].into_iter()).allowed
    };
    assert!(said("permit(principal, action, resource);"));
    assert!(!said(
        "permit(principal, action, resource); forbid(principal, action, resource) when { context.unheard_of };"
    ));
}

#[test]
fn each_policy_can_be_read_under_its_name() {
    let text = house().text();
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("// ")).collect();
    assert_eq!(names.len(), house().count());
    assert!(names.contains(&"customer-service/bill-question/in-time") && names.contains(&"forbid/left"));
    assert_eq!(text.matches("forbid(").count() + text.matches("permit(").count(), names.len(), "{text}");
}

#[test]
fn a_customer_reads_what_is_their_own_and_a_third_party_what_a_customer_permits() {
    let house = house();
    for class in Class::ALL {
        let own = |facts| house.decide(&reads(&["customer"], Purpose::OwnData, class, facts)).allowed;
        assert!(own(Facts { own: true, ..NOTHING }) && !own(NOTHING) && !own(ACCESS));
        let third =
            |facts| house.decide(&reads(&["third-party"], Purpose::ByPermission, class, facts)).allowed;
        assert!(third(Facts { permitted: true, ..NOTHING }) && !third(Facts { own: true, ..ACCESS }));
    }
    let why = |role, purpose| house.why(&reads(&[role], purpose, Class::Daily, NOTHING));
    assert_eq!(why("customer", Purpose::OwnData), Reason::Needs { needs: vec![Need::Own], instead: None });
    let said = why("third-party", Purpose::ByPermission).sentence(Purpose::ByPermission);
    assert!(said.contains("meterkeep permission give"), "{said}");
}

#[test]
fn a_role_for_some_places_does_nothing_that_has_no_place() {
    let house = house();
    for action in Action::ALL {
        for (name, role) in &house.catalogue.roles {
            for purpose in role.purposes.iter().filter(|purpose| purpose.covers(action)) {
                let class = action.reaches_readings().then_some(Class::Daily);
                let facts = Facts { own: true, permitted: true, emergency: true, ..ACCESS };
                let mut question = Question { class, facts, ..does(&[name], *purpose, action) };
                let everywhere = house.decide(&question).allowed;
                question.asker.bounded = vec![name.clone()];
                assert_eq!(
                    house.decide(&question).allowed,
                    everywhere && action.keeps_bounds(),
                    "{name} {action}"
                );
                question.asker.bounded = vec!["another".to_owned()];
                assert_eq!(house.decide(&question).allowed, everywhere, "{name} {action}");
            }
        }
    }
    // who leads an incident ends and revokes, and opens nothing
    let lead = house.catalogue.roles["incident-lead"].purposes.iter().flat_map(|purpose| purpose.actions());
    let done: Vec<Action> = lead.copied().collect();
    assert_eq!(done, [Action::RevokeCollector, Action::EndAccess, Action::ReadAccess]);
}
