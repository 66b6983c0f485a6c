//! Roles that are given for some areas or tenancies; customers and whom they let read; and who leads an incident.

use base::{Class, TenancyId, UtcMillis};
use grant::{Areas, Tenancies};
use policy::Catalogue;
use wire::login::{LoginWish, LookLogins};
use wire::staff::{LookStaff, NewPermission, NewPerson, RoleOf, Wish};

use super::agreeing::EVE;
use super::signing_in::{login, sign_in};
use super::staff::{CARL, MINE, OTHER, OWNER, case_of, code, errand, given, reads};
use super::*;
use crate::minting::{Grounds, decide};
use crate::staff::{Bounds, State};
use crate::standing::Standing;

const DAY_MS: i64 = 86_400_000;

fn given_for(person: &str, role: &str, areas: &[&str], of: &[TenancyId]) -> Wish {
    let areas = areas.iter().map(|area| (*area).to_owned()).collect();
    let tenancies = of.iter().map(|tenancy| tenancy.0.to_vec()).collect();
    Wish::GiveRole(RoleOf { person: person.to_owned(), role: role.to_owned(), areas, tenancies })
}

fn permission(to: &str, of: &[TenancyId], classes: &[Class], until: UtcMillis) -> Wish {
    let tenancies = of.iter().map(|tenancy| tenancy.0.to_vec()).collect();
    let classes = classes.iter().map(|class| u32::from(class.code())).collect();
    Wish::Permit(NewPermission { to: to.to_owned(), tenancies, classes, until_ms: until.0 })
}

/// Eve joins the others, with this role.
async fn with_eve(house: &House, role: Wish) -> Warden<Shared> {
    let warden = house.with_staff().await;
    let eve =
        NewPerson { name: "eve".to_owned(), title: String::new(), user: "eve".to_owned(), service: false };
    errand(&warden, OWNER, Wish::AddPerson(eve)).await.unwrap();
    errand(&warden, OWNER, role).await.unwrap();
    sign_in(&warden, OWNER, EVE).await;
    warden
}

fn only_mine() -> Tenancies {
    Tenancies::Only([MINE].into())
}

#[tokio::test]
async fn a_role_for_an_area_opens_that_area_and_a_role_that_has_no_place_is_given_for_none() {
    let house = House::new();
    let warden = with_eve(&house, given_for("eve", "network-analyst", &["Nord", "Vest"], &[])).await;
    let asked = reads("network-analysis", Class::Billing, 0, &[]);
    let grant = house.grant(&warden, EVE, &asked).await.unwrap();
    let both = Areas::Only(["Nord".parse().unwrap(), "Vest".parse().unwrap()].into());
    assert_eq!((&grant.scope.areas, &grant.scope.tenancies), (&both, &Tenancies::All));
    let said = house.last_event().detail;
    assert!(said.contains("of all tenancies in Nord+Vest"), "{said}");
    // given again for the whole house, it is for the whole house
    errand(&warden, OWNER, given("eve", "network-analyst")).await.unwrap();
    assert_eq!(house.grant(&warden, EVE, &asked).await.unwrap().scope.areas, Areas::All);
    errand(&warden, OWNER, given_for("eve", "network-analyst", &["Nord"], &[])).await.unwrap();
    let said = house.last_event().detail;
    assert!(said.contains("`network-analyst` for Nord until"), "{said}");

    // what a role has no place for it is not given for, whoever it is given to
    let held = RoleOf { person: "eve".into(), role: "network-analyst".into(), ..RoleOf::default() };
    errand(&warden, OWNER, Wish::TakeRole(held)).await.unwrap();
    for (role, area, said) in [
        ("registrar", "Nord", "may change-register"),
        ("auditor", "Nord", "may read-access"),
        ("administrator", "Nord", "for the whole house"),
        ("technician", "Nord 3", "one word"),
    ] {
        let refused = errand(&warden, OWNER, given_for("eve", role, &[area], &[])).await.unwrap_err();
        assert!(refused.code == "bounds" && refused.message.contains(said), "{role}: {refused}");
    }
}

#[tokio::test]
async fn a_role_for_some_tenancies_is_narrowed_to_them_and_what_lies_outside_is_refused() {
    let house = House::new();
    let warden = with_eve(&house, given_for("eve", "network-analyst", &[], &[MINE])).await;
    let asked = |of: &[TenancyId]| reads("network-analysis", Class::Billing, 0, of);
    assert_eq!(house.grant(&warden, EVE, &asked(&[])).await.unwrap().scope.tenancies, only_mine());
    assert_eq!(house.grant(&warden, EVE, &asked(&[MINE])).await.unwrap().scope.tenancies, only_mine());
    for outside in [&[OTHER][..], &[MINE, OTHER]] {
        assert_eq!(code(house.grant(&warden, EVE, &asked(outside)).await), "out-of-reach");
        assert_eq!(house.last_event().reason, "out-of-reach");
    }
}

#[tokio::test]
async fn a_customer_sees_their_own_and_nobody_elses() {
    let house = House::new();
    let warden = with_eve(&house, given_for("eve", "customer", &[], &[MINE])).await;
    for nothing in [given("eve", "customer"), given_for("eve", "customer", &["Nord"], &[])] {
        let refused = errand(&warden, OWNER, nothing).await.unwrap_err();
        assert!(refused.message.contains("which tenancies are theirs"), "{refused}");
    }
    for class in Class::ALL {
        let grant = house.grant(&warden, EVE, &reads("own-data", class, 0, &[])).await.unwrap();
        assert_eq!((grant.role.as_str(), &grant.scope.tenancies), ("customer", &only_mine()));
        let others = reads("own-data", class, 0, &[MINE, OTHER]);
        assert_eq!(code(house.grant(&warden, EVE, &others).await), "needs");
    }
    assert_eq!(
        code(house.grant(&warden, EVE, &reads("billing", Class::Billing, 0, &[])).await),
        "other-role"
    );
    // they see of the house what is theirs
    let all = errand(&warden, EVE, Wish::Look(LookStaff::default())).await.unwrap();
    assert_eq!(all.people.iter().map(|person| person.name.as_str()).collect::<Vec<_>>(), ["eve"]);
    assert_eq!(all.people[0].roles[0].bounds, "1 tenancy");
}

/// What somebody gets who holds these roles, each within its bounds.
fn granted(roles: &[(&str, Bounds)], asked: &GrantRequest) -> Result<grant::Grant, &'static str> {
    let text = Catalogue::built_in_text()
        .replace("[roles.technician]", "[roles.chief]\ntitle = { en = \"Chief\", da = \"Chef\" }\npurposes = [\"network-analysis\", \"own-data\"]\n\n[roles.technician]");
    let policies = policy::Policies::compile(Catalogue::parse(&text).unwrap()).unwrap();
    let standing = Standing::holding(roles);
    let grounds =
        Grounds { standing: &standing, owner: "anna", staff: &State::default(), policies: &policies };
    decide(grounds, asked, [1; 16], UtcMillis::now(), &mut Vec::new()).map_err(|denied| denied.code())
}

#[test]
fn of_two_roles_that_open_something_the_one_counts_that_reaches_it() {
    let bounds = |areas: &[&str], of: &[TenancyId]| {
        let areas: Vec<String> = areas.iter().map(|area| (*area).to_owned()).collect();
        let of: Vec<Vec<u8>> = of.iter().map(|tenancy| tenancy.0.to_vec()).collect();
        Bounds::read(&areas, &of).unwrap()
    };
    let billing = |of: &[TenancyId]| reads("network-analysis", Class::Billing, 0, of);
    let own = |of: &[TenancyId]| reads("own-data", Class::Daily, 0, of);
    let north = || bounds(&["Nord"], &[]);
    for roles in [
        [("chief", north()), ("network-analyst", Bounds::EVERYWHERE)],
        [("chief", Bounds::EVERYWHERE), ("network-analyst", north())],
    ] {
        let grant = granted(&roles, &billing(&[])).unwrap();
        assert_eq!((grant.scope.areas, grant.scope.tenancies), (Areas::All, Tenancies::All));
    }
    let mine = [("chief", bounds(&[], &[MINE])), ("network-analyst", bounds(&[], &[OTHER]))];
    assert_eq!(granted(&mine, &billing(&[OTHER])).unwrap().role, "network-analyst");
    assert_eq!(granted(&mine, &billing(&[MINE])).unwrap().role, "chief");
    assert_eq!(granted(&mine, &billing(&[MINE, OTHER])), Err("out-of-reach"));
    // what is one's own is never everything, not even to who holds such a role for the whole house
    for roles in
        [&[("chief", Bounds::EVERYWHERE)][..], &[("chief", north())], &[("customer", Bounds::EVERYWHERE)]]
    {
        assert!(granted(roles, &own(&[])).is_err());
        assert!(granted(roles, &own(&[MINE])).is_err());
    }
    let both = [("chief", Bounds::EVERYWHERE), ("customer", bounds(&[], &[MINE]))];
    let grant = granted(&both, &own(&[])).unwrap();
    assert_eq!((grant.role.as_str(), grant.scope.tenancies), ("customer", only_mine()));
}

#[tokio::test]
async fn a_third_party_reads_what_a_customer_permits_as_long_as_the_customer_does() {
    let house = House::new();
    let warden = with_eve(&house, given_for("eve", "customer", &[], &[MINE])).await;
    let until = UtcMillis::now().plus(30 * DAY_MS);
    let daily = || permission("bert", &[], &[Class::Daily], until);
    assert_eq!(code(errand(&warden, EVE, daily()).await), "no-third-party");
    errand(&warden, OWNER, given("bert", "third-party")).await.unwrap();
    let asked = |class, of: &[TenancyId]| reads("by-permission", class, 0, of);
    let refused = house.grant(&warden, BERT, &asked(Class::Daily, &[])).await.unwrap_err();
    assert!(refused.message.contains("ask the customer"), "{refused}");

    for (wish, word) in [
        (permission("bert", &[OTHER], &[Class::Daily], until), "out-of-reach"),
        (permission("bert", &[], &[], until), "bad-permission"),
        (permission("bert", &[], &[Class::Daily], UtcMillis::now()), "bad-permission"),
        (permission("bert", &[], &[Class::Daily], until.plus(400 * DAY_MS)), "bad-permission"),
        (permission("nobody", &[], &[Class::Daily], until), "no-person"),
        (permission("carl", &[], &[Class::Daily], until), "no-third-party"),
    ] {
        assert_eq!(code(errand(&warden, EVE, wish).await), word);
    }
    // staff permit nothing in a customer's place
    assert_eq!(code(errand(&warden, CARL, daily()).await), "other-role");

    let number = errand(&warden, EVE, daily()).await.unwrap().number;
    let said = house.last_event().detail;
    assert!(said.contains("`bert` reads daily of 1 tenancies"), "{said}");
    let grant = house.grant(&warden, BERT, &asked(Class::Daily, &[])).await.unwrap();
    assert_eq!((grant.role.as_str(), &grant.scope.tenancies), ("third-party", &only_mine()));
    assert!(house.grant(&warden, BERT, &asked(Class::Daily, &[MINE])).await.is_ok());
    assert_eq!(code(house.grant(&warden, BERT, &asked(Class::Fine, &[])).await), "needs");
    assert_eq!(code(house.grant(&warden, BERT, &asked(Class::Daily, &[MINE, OTHER])).await), "needs");
    assert_eq!(code(house.grant(&warden, EVE, &asked(Class::Daily, &[])).await), "other-role");

    // both see it, as those do who see everybody's, and it stays over a restart
    drop(warden);
    let warden = house.warden();
    for caller in [EVE, BERT, CARL] {
        let shown = errand(&warden, caller, Wish::Look(LookStaff::default())).await.unwrap().permissions;
        assert_eq!(shown.iter().map(|one| one.state.as_str()).collect::<Vec<_>>(), ["live"]);
    }
    assert_eq!(code(errand(&warden, CARL, Wish::EndPermission(number + 1)).await), "no-permission");
    // who is no party to it and has no duty to does not end it; each party does, without leave
    assert_eq!(code(errand(&warden, OWNER, Wish::EndPermission(number)).await), "other-role");
    errand(&warden, EVE, Wish::EndPermission(number)).await.unwrap();
    assert_eq!(code(house.grant(&warden, BERT, &asked(Class::Daily, &[])).await), "needs");
    let given_back = errand(&warden, EVE, daily()).await.unwrap().number;
    errand(&warden, BERT, Wish::EndPermission(given_back)).await.unwrap();
    assert_eq!(code(house.grant(&warden, BERT, &asked(Class::Daily, &[])).await), "needs");
    // one that lasts ends with what its giver holds
    errand(&warden, EVE, daily()).await.unwrap();
    assert!(house.grant(&warden, BERT, &asked(Class::Daily, &[])).await.is_ok());
    errand(&warden, OWNER, given_for("eve", "customer", &[], &[OTHER])).await.unwrap();
    assert_eq!(code(house.grant(&warden, BERT, &asked(Class::Daily, &[])).await), "needs");
    errand(&warden, EVE, daily()).await.unwrap();
    assert!(house.grant(&warden, BERT, &asked(Class::Daily, &[])).await.is_ok());
    errand(&warden, OWNER, Wish::Leave("eve".into())).await.unwrap();
    assert_eq!(code(house.grant(&warden, BERT, &asked(Class::Daily, &[])).await), "needs");
}

#[tokio::test]
async fn a_grant_by_permission_ends_with_the_permission() {
    let house = House::new();
    let warden = with_eve(&house, given_for("eve", "customer", &[], &[MINE])).await;
    errand(&warden, OWNER, given("bert", "third-party")).await.unwrap();
    let until = UtcMillis::now().plus(60_000);
    errand(&warden, EVE, permission("bert", &[], &[Class::Daily], until)).await.unwrap();
    let grant = house.grant(&warden, BERT, &reads("by-permission", Class::Daily, 0, &[])).await.unwrap();
    assert_eq!(grant.until, until);
}

#[tokio::test]
async fn who_leads_an_incident_ends_what_others_have_and_gets_nothing_themselves() {
    let house = House::new();
    let warden = with_eve(&house, given("eve", "incident-lead")).await;
    let look = LoginWish::Look(LookLogins { all: true });
    let sessions = login(&warden, EVE, look).await.ok().unwrap().sessions;
    let of_bert = sessions.iter().find(|session| session.person == "bert").unwrap();
    let ended = login(&warden, EVE, LoginWish::End(of_bert.id.clone())).await.ok().unwrap();
    assert!(ended.done.contains("of `bert`"), "{}", ended.done);
    for purpose in ["operations", "network-analysis", "emergency", "own-data"] {
        let refused = house.grant(&warden, EVE, &reads(purpose, Class::Daily, 0, &[])).await;
        assert_eq!(code(refused), "other-role", "{purpose}");
    }
    assert_eq!(code(errand(&warden, EVE, case_of(MINE)).await), "other-role");
    assert_eq!(code(errand(&warden, EVE, Wish::Emergency("a breach".into())).await), "other-role");
}
