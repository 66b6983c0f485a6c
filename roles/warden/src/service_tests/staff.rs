//! People with roles: what each gets, what each is denied, and that it stands in the log.

use base::{Class, TenancyId};
use grant::{Grant, Purpose, Tenancies};
use policy::Catalogue;
use sha2::{Digest, Sha256};
use wire::staff::{
    ApproveAsk, EndAsk, KeyOf, LookStaff, NewAsk, NewCase, NewPerson, NewRoles, ReviewEmergency, RoleOf,
    StaffAnswer, StaffErrand, WhatAsked, WhyAsked, Wish,
};

use super::signing_in::{nobody_is_signed_in, session_of, sign_in};
use super::*;

pub(super) const OWNER: Caller = ANNA;
pub(super) const CARL: Caller = Caller::Operator { uid: 1002 };
pub(super) const DORA: Caller = Caller::Operator { uid: 1003 };
pub(super) const MINE: TenancyId = TenancyId([1; 16]);
pub(super) const OTHER: TenancyId = TenancyId([2; 16]);

impl House {
    /// Bert answers customers, Carl runs the network, Dora watches over data protection; all of them have just signed in.
    pub(super) async fn with_staff(&self) -> Warden<Shared> {
        let warden = self.warden();
        nobody_is_signed_in();
        sign_in(&warden, OWNER, OWNER).await;
        for (name, role) in
            [("bert", "customer-service"), ("carl", "operator"), ("dora", "data-protection-officer")]
        {
            let (name, role) = (name.to_owned(), role.to_owned());
            let person =
                NewPerson { name: name.clone(), title: String::new(), user: name.clone(), service: false };
            errand(&warden, OWNER, Wish::AddPerson(person)).await.unwrap();
            errand(&warden, OWNER, given(&name, &role)).await.unwrap();
        }
        let pin = KeyOf { person: "dora".to_owned(), key: dora().verifier().as_bytes().to_vec() };
        errand(&warden, OWNER, Wish::PinKey(pin)).await.unwrap();
        for caller in [BERT, CARL, DORA] {
            sign_in(&warden, OWNER, caller).await;
        }
        warden
    }

    pub(super) async fn grant(
        &self,
        warden: &Warden<Shared>,
        caller: Caller,
        asked: &GrantRequest,
    ) -> Result<Grant, Refused> {
        let key = session_of(caller).map(|session| session.verifier().as_bytes().to_vec());
        let session_key = key.unwrap_or_else(|| asked.session_key.clone());
        let asked = GrantRequest { session_key, ..asked.clone() };
        let granted: Granted = ask(warden, caller, Method::WardenGrant, &asked).await?;
        let grant = check_grant(&granted.grant, &self.signer().verifier(), UtcMillis::now()).unwrap();
        Ok((*grant).clone())
    }
}

pub(super) async fn errand(
    warden: &Warden<Shared>,
    caller: Caller,
    wish: Wish,
) -> Result<StaffAnswer, Refused> {
    ask(warden, caller, Method::WardenStaff, &StaffErrand { wish: Some(wish) }).await
}

/// Dora's own key.
pub(super) fn dora() -> Signer {
    Signer::from_seed(&Secret::new([4; 32]))
}

/// An approval as its person signs it.
pub(super) fn signed_by(house: &House, person: &str, signer: &Signer, wish: Wish, at: UtcMillis) -> Wish {
    let id = grant::act::house_of(house.signer().verifier().as_bytes());
    let errand = StaffErrand { wish: Some(wish) }.encode_to_vec();
    Wish::Signed(grant::approval::sign_approval(id, person, errand, at, signer).unwrap())
}

pub(super) fn signed(house: &House, wish: Wish) -> Wish {
    signed_by(house, "dora", &dora(), wish, UtcMillis::now())
}

/// Why it was not done; answers with secrets in them do not print.
pub(super) fn no<T>(answer: Result<T, Refused>) -> Refused {
    answer.err().unwrap_or_else(|| panic!("it was done"))
}

pub(super) fn code<T>(answer: Result<T, Refused>) -> String {
    no(answer).code.to_owned()
}

pub(super) fn reads(purpose: &str, class: Class, case: u32, tenancies: &[TenancyId]) -> GrantRequest {
    let tenancies = tenancies.iter().map(|t| t.0.to_vec()).collect();
    GrantRequest {
        purpose: purpose.to_owned(),
        classes: vec![u32::from(class.code())],
        case,
        tenancies,
        ..wanted()
    }
}

/// A role for the whole house.
pub(super) fn given(person: &str, role: &str) -> Wish {
    Wish::GiveRole(RoleOf { person: person.into(), role: role.into(), ..RoleOf::default() })
}

pub(super) fn case_of(tenancy: TenancyId) -> Wish {
    let (reason, purpose) = ("bill 4711 is disputed".to_owned(), "bill-question".to_owned());
    Wish::OpenCase(NewCase { tenancies: vec![tenancy.0.to_vec()], reason, purpose })
}

pub(super) fn hours(case: u32, for_ms: i64) -> Wish {
    let (purpose, reason) = ("bill-question".to_owned(), "a leak at night?".to_owned());
    Wish::Ask(NewAsk { purpose, class: u32::from(Class::Fine.code()), case, reason, for_ms })
}

pub(super) async fn line_of(warden: &Warden<Shared>, number: u32) -> String {
    let all = errand(warden, CARL, Wish::Look(LookStaff { roles: false })).await.unwrap();
    all.access.into_iter().find(|a| a.number == number).unwrap().line
}

#[tokio::test]
async fn a_bill_question_opens_the_days_of_its_customer_and_hours_only_when_a_colleague_agrees() {
    let house = House::new();
    let warden = house.with_staff().await;
    let daily = |case, of: &[TenancyId]| reads("bill-question", Class::Daily, case, of);
    let fine = |case, of: &[TenancyId]| reads("bill-question", Class::Fine, case, of);

    let refused = house.grant(&warden, BERT, &daily(0, &[MINE])).await.unwrap_err();
    assert!(refused.message.contains("name an open case"), "{refused}");
    assert_eq!(house.last_event().reason, "needs");
    let case = errand(&warden, BERT, case_of(MINE)).await.unwrap().number;
    let grant = house.grant(&warden, BERT, &daily(case, &[])).await.unwrap();
    assert_eq!(
        (grant.role.as_str(), &grant.scope.tenancies),
        ("customer-service", &Tenancies::Only([MINE].into()))
    );
    let said = house.last_event().detail;
    assert!(said.contains(", case 1, policies ") && said.contains(warden.0.policies().version()), "{said}");
    assert!(house.grant(&warden, BERT, &daily(case, &[MINE])).await.is_ok());
    assert_eq!(code(house.grant(&warden, BERT, &daily(case, &[MINE, OTHER])).await), "needs");
    assert_eq!(code(house.grant(&warden, BERT, &daily(7, &[])).await), "no-case");
    assert_eq!(
        code(house.grant(&warden, BERT, &reads("operations", Class::Daily, 0, &[])).await),
        "other-role"
    );

    let refused = house.grant(&warden, BERT, &fine(case, &[])).await.unwrap_err();
    assert!(refused.message.contains("meterkeep access ask"), "{refused}");
    assert!(refused.message.contains("Open now: class `daily`"), "{refused}");
    let number = errand(&warden, BERT, hours(case, 0)).await.unwrap().number;
    assert!(house.grant(&warden, BERT, &fine(case, &[])).await.is_err(), "asking opens nothing");
    let line = line_of(&warden, number).await;
    assert!(line.contains("`bert` for bill-question, fine of case 1, 4h"), "{line}");
    let approve = |line: &str| Wish::Approve(ApproveAsk { number, line: line.to_owned() });
    assert_eq!(code(errand(&warden, BERT, approve(&line)).await), "other-role");
    assert_eq!(code(errand(&warden, CARL, approve("access 1: something else")).await), "other-request");
    errand(&warden, CARL, approve(&line)).await.unwrap();
    let event = house.last_event();
    assert_eq!((event.action.as_str(), event.on_behalf.as_str()), ("approve-access", "carl"));
    assert!(house.grant(&warden, BERT, &fine(case, &[])).await.is_ok());
    assert_eq!(code(house.grant(&warden, CARL, &fine(case, &[])).await), "other-role");
    assert_eq!(code(errand(&warden, CARL, approve(&line)).await), "not-waiting");

    errand(&warden, BERT, Wish::CloseCase(case)).await.unwrap();
    assert_eq!(code(house.grant(&warden, BERT, &fine(case, &[])).await), "no-case");
    assert_eq!(code(house.grant(&warden, BERT, &daily(case, &[])).await), "no-case");
}

#[tokio::test]
async fn access_that_is_ended_is_over_at_once_also_after_a_restart() {
    let house = House::new();
    let warden = house.with_staff().await;
    let case = errand(&warden, BERT, case_of(MINE)).await.unwrap().number;
    let number = errand(&warden, BERT, hours(case, 3_600_000)).await.unwrap().number;
    let line = line_of(&warden, number).await;
    errand(&warden, CARL, Wish::Approve(ApproveAsk { number, line })).await.unwrap();
    drop(warden);
    let warden = house.warden();
    let fine = reads("bill-question", Class::Fine, case, &[]);
    assert!(house.grant(&warden, BERT, &fine).await.is_ok());
    let end = EndAsk { number, reason: "not needed any more".to_owned() };
    errand(&warden, CARL, Wish::End(end.clone())).await.unwrap();
    assert_eq!(code(house.grant(&warden, BERT, &fine).await), "needs");
    assert_eq!(code(errand(&warden, BERT, Wish::End(end)).await), "not-waiting");
    assert_eq!(code(errand(&warden, BERT, hours(case, 15 * 24 * 3_600_000)).await), "too-long");
}

#[tokio::test]
async fn emergency_access_is_an_alarm_and_waits_for_somebody_elses_review() {
    let house = House::new();
    let warden = house.with_staff().await;
    let fine = reads("emergency", Class::Fine, 0, &[]);
    let refused = house.grant(&warden, CARL, &fine).await.unwrap_err();
    assert!(refused.message.contains("meterkeep access emergency"), "{refused}");
    let take = || Wish::Emergency("burst pipe in Nygade".to_owned());
    assert_eq!(code(errand(&warden, BERT, take()).await), "other-role");
    let number = errand(&warden, CARL, take()).await.unwrap().number;
    assert_eq!(warden.0.counters.get("alarm.emergency-access"), 1);
    let grant = house.grant(&warden, CARL, &fine).await.unwrap();
    assert_eq!(grant.scope.tenancies, Tenancies::All);
    assert_eq!(code(errand(&warden, CARL, take()).await), "unreviewed");
    let review =
        || Wish::Review(ReviewEmergency { number, justified: true, note: "seen on site".to_owned() });
    assert_eq!(code(errand(&warden, CARL, review()).await), "other-role");
    assert_eq!(code(errand(&warden, OWNER, review()).await), "other-role");
    errand(&warden, DORA, signed(&house, review())).await.unwrap();
    assert!(house.grant(&warden, CARL, &fine).await.is_err(), "a review ends it");
    assert_eq!(code(errand(&warden, DORA, signed(&house, review())).await), "reviewed");
}

#[tokio::test]
async fn the_owner_of_a_house_with_staff_looks_after_people_and_reads_nothing() {
    let house = House::new();
    let warden = house.with_staff().await;
    assert_eq!(code(house.grant(&warden, OWNER, &wanted()).await), "other-role");
    let keys = GrantRequest { purpose: "key-custody".into(), actions: vec!["keep-keys".into()], ..wanted() };
    assert_eq!(code(house.grant(&warden, OWNER, &keys).await), "other-role");
    let token = TokenRequest { name: "mast".to_owned(), valid_s: 600 };
    assert!(ask::<_, Token>(&warden, OWNER, Method::WardenCollectorToken, &token).await.is_ok());
    assert_eq!(
        code(ask::<_, Token>(&warden, CARL, Method::WardenCollectorToken, &token).await),
        "other-role"
    );
    let root = Caller::Operator { uid: 0 };
    sign_in(&warden, OWNER, root).await;
    // and gives themselves nothing
    let anna = NewPerson { name: "anna".into(), title: String::new(), user: "anna".into(), service: false };
    errand(&warden, OWNER, Wish::AddPerson(anna)).await.unwrap();
    let role = |role: &str| given("anna", role);
    let give = StaffErrand { wish: Some(role("administrator")) }.encode_to_vec();
    let outside = warden.call(root, Method::WardenStaff, give.into()).await;
    assert_eq!(code(outside), "needs", "root signs in as others do");
    errand(&warden, root, role("administrator")).await.unwrap();
    assert_eq!(code(errand(&warden, OWNER, role("billing")).await), "two-duties");
    assert_eq!(code(errand(&warden, OWNER, role("auditor")).await), "two-duties");
    assert_eq!(code(errand(&warden, OWNER, role("incident-lead")).await), "same-person");
    assert_eq!(code(errand(&warden, OWNER, Wish::Leave("anna".into())).await), "same-person");
    assert_eq!(code(errand(&warden, Caller::Operator { uid: 0 }, role("owner")).await), "no-such-role");
}

#[tokio::test]
async fn two_duties_never_come_together_in_one_person_and_the_way_is_shown() {
    let house = House::new();
    let warden = house.with_staff().await;
    let give = given;
    let refused = errand(&warden, OWNER, give("bert", "operator")).await.unwrap_err();
    assert!(
        refused.message.contains("role `customer-service` -> purpose `bill-question` -> `ask-access`"),
        "{refused}"
    );
    assert!(
        refused.message.contains("role `operator` -> purpose `supervision` -> `approve-access`"),
        "{refused}"
    );
    assert_eq!(house.last_event().reason, "two-duties");
    errand(&warden, OWNER, give("bert", "billing")).await.unwrap();
    assert_eq!(code(errand(&warden, CARL, give("bert", "auditor")).await), "other-role");
}

#[tokio::test]
async fn who_leaves_is_out_at_once() {
    let house = House::new();
    let warden = house.with_staff().await;
    let case = errand(&warden, BERT, case_of(MINE)).await.unwrap().number;
    let daily = reads("bill-question", Class::Daily, case, &[]);
    assert!(house.grant(&warden, BERT, &daily).await.is_ok());
    errand(&warden, OWNER, Wish::Leave("bert".into())).await.unwrap();
    assert_eq!(code(house.grant(&warden, BERT, &daily).await), "no-session");
    let outside = warden.call(BERT, Method::WardenGrant, daily.encode_to_vec().into()).await;
    assert_eq!(code(outside), "no-role");
    let again = NewPerson { name: "bert".into(), title: String::new(), user: "x".into(), service: false };
    assert_eq!(code(errand(&warden, OWNER, Wish::AddPerson(again)).await), "bad-name");
}

#[tokio::test]
async fn the_three_questions_are_answered_and_only_to_who_may_ask() {
    let house = House::new();
    let warden = house.with_staff().await;
    let fine = WhatAsked { action: "read-readings".into(), class: 1 };
    let why = |person: &str, what: &WhatAsked| {
        let (person, purpose, what) = (person.to_owned(), "bill-question".to_owned(), Some(what.clone()));
        Wish::Why(WhyAsked { person, purpose, what, case: 0 })
    };
    let own = errand(&warden, BERT, why("", &fine)).await.unwrap();
    assert_eq!(own.code, "needs");
    assert!(own.done.contains("name an open case") && own.done.contains("access ask"), "{}", own.done);
    assert_eq!(code(errand(&warden, BERT, why("carl", &fine)).await), "other-role");
    let of_bert = errand(&warden, DORA, why("bert", &fine)).await.unwrap();
    assert_eq!(of_bert.done, own.done);
    let who = errand(&warden, DORA, Wish::WhoCan(fine.clone())).await.unwrap();
    assert_eq!(who.lines, ["bert for bill-question: in time", "carl for emergency: emergency"]);
    assert_eq!(code(errand(&warden, BERT, Wish::WhoCan(fine)).await), "other-role");
    let mine = errand(&warden, BERT, Wish::Look(LookStaff::default())).await.unwrap();
    assert_eq!(mine.people.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["bert"]);
}

#[tokio::test]
async fn other_roles_are_in_force_only_when_a_second_person_agrees_to_just_them() {
    let house = House::new();
    let warden = house.with_staff().await;
    let text = Catalogue::built_in_text().replacen(
        "classes = [\"daily\", \"billing\"]\nin_time",
        "classes = [\"billing\"]\nin_time",
        1,
    );
    let new = |text: &str, propose| Wish::Roles(NewRoles { text: text.to_owned(), propose });
    let would = errand(&warden, OWNER, new(&text, false)).await.unwrap();
    assert_eq!(would.lines, ["bert for bill-question: read-readings daily: case -> -"]);
    let hole = format!(
        "{text}\n[roles.helper]\ntitle = {{ en = \"H\", da = \"H\" }}\npurposes = [\"bill-question\", \"supervision\"]\n"
    );
    let refused = errand(&warden, OWNER, new(&hole, true)).await.unwrap_err();
    assert!(refused.message.contains("purpose `supervision` -> `approve-access`"), "{refused}");
    errand(&warden, OWNER, new(&text, true)).await.unwrap();
    let case = errand(&warden, BERT, case_of(MINE)).await.unwrap().number;
    let daily = reads("bill-question", Class::Daily, case, &[]);
    assert!(house.grant(&warden, BERT, &daily).await.is_ok(), "a proposal changes nothing");
    let seen = |text: &str| Wish::ApproveRoles(Sha256::digest(text).to_vec());
    assert_eq!(code(errand(&warden, OWNER, seen(&text)).await), "other-role");
    assert_eq!(code(errand(&warden, DORA, signed(&house, seen("other"))).await), "other-request");
    errand(&warden, DORA, signed(&house, seen(&text))).await.unwrap();
    assert_eq!(code(house.grant(&warden, BERT, &daily).await), "class-closed");
    drop(warden);
    assert_eq!(code(house.grant(&house.warden(), BERT, &daily).await), "class-closed");
}

#[tokio::test]
async fn nothing_is_done_that_the_log_does_not_take() {
    let house = House::new();
    let warden = house.with_staff().await;
    house.ledger.0.behave(Behaviour::Down);
    assert_eq!(code(errand(&warden, BERT, case_of(MINE)).await), "no-receipt");
    house.ledger.0.behave(Behaviour::Good);
    assert_eq!(errand(&warden, BERT, case_of(MINE)).await.unwrap().number, 1);
}

/// Each role against each action that the warden does itself, as the matrix says.
#[tokio::test]
async fn each_cell_of_the_matrix_is_what_the_warden_does() {
    let house = House::new();
    let warden = house.with_staff().await;
    let catalogue = Catalogue::built_in().unwrap();
    let policies = policy::Policies::compile(catalogue.clone()).unwrap();
    for role in catalogue.roles.iter().filter(|(_, role)| !role.single_handed).map(|(name, _)| name) {
        let roles = [role.clone()];
        let standing = crate::standing::Standing::holding(&[(role, crate::staff::Bounds::EVERYWHERE)]);
        let of_data = |action: &Action| action.reaches_readings() || action.reaches_contacts();
        for action in Action::ALL.into_iter().filter(|action| !of_data(action)) {
            let purposes: Vec<_> =
                Purpose::ALL.into_iter().filter(|purpose| purpose.covers(action)).collect();
            let open =
                purposes.iter().any(|p| policies.reach(&roles, *p, action, None) == policy::Reach::Open);
            assert_eq!(warden.0.may(&standing, &purposes, action).is_ok(), open, "{role} {action}");
        }
    }
}
