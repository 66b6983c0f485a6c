//! The matrix of roles, actions and classes as the house answers it: everybody tries everything, each as a user of their own,
//! with calls of their own making. What comes of it must be what the policies say, cell by cell.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base::{Class, UtcMillis};
use grant::{Action, Purpose};
use policy::{Catalogue, Policies, matrix};
use seal::sign::Signer;
use sha2::{Digest as _, Sha256};
use wire::archive::{Asked, ImportKeys, ListMeters, ReadingsQuery, RegisterChange};
use wire::contact::ContactsQuery;
use wire::custody::{Carried, Errand, Look};
use wire::log::{HistoryQuery, LogQuery, Unmask};
use wire::review::{ListReviews, ReviewErrand, ReviewWish};
use wire::staff::{
    ApproveAsk, EndAsk, KeyOf, LookStaff, NewAsk, NewCase, NewPermission, NewPerson, NewRoles,
    ReviewEmergency, StaffAnswer, StaffErrand, WhatAsked, Wish,
};
use wire::warden::{GrantRequest, Granted, RevokeCollector, TokenRequest};
use wire::{Message as _, Method, Room};

use crate::crowd::{Crowd, Relay, USERS, can_act_as_others};

/// Refusals that say that somebody may not. Any other word would mean that they were let in.
const MAY_NOT: [&str; 6] = ["no-role", "other-role", "class-closed", "needs", "not-for-purpose", "left"];

/// Everybody, by role; `owner` is who set the house up.
struct Cast {
    crowd: Crowd,
    relays: BTreeMap<String, Relay>,
    /// Keys that approvals are signed with, by role, and the house that they are signed for.
    keys: BTreeMap<String, Signer>,
    house: [u8; 32],
    tenancy: Vec<u8>,
    /// A day on which what is permitted has ended.
    later: UtcMillis,
    /// An open case that is about that tenancy, once there is one.
    case: u32,
    made: u32,
}

fn wished(relay: &mut Relay, wish: Wish) -> Result<StaffAnswer, String> {
    relay.call(Method::WardenStaff, &StaffErrand { wish: Some(wish) })
}

/// What an action is done with, once it is granted.
fn granted_call(action: Action, class: Option<Class>, tenancy: &[u8]) -> (Method, Vec<u8>) {
    let class = class.map_or(0, |class| u32::from(class.code()));
    let query = ReadingsQuery { class, latest: action == Action::ReadHealth, ..Default::default() };
    match action {
        Action::ReadReadings | Action::ReadHeld | Action::ReadHealth => {
            (Method::ArchiveReadings, query.encode_to_vec())
        }
        Action::ReadContacts => {
            let asked = ContactsQuery { tenancies: vec![tenancy.to_vec()] };
            (Method::ArchiveContacts, asked.encode_to_vec())
        }
        Action::ImportKeys => {
            let told = ImportKeys { refused: "keyfile-empty".to_owned(), ..Default::default() };
            (Method::ArchiveImportKeys, told.encode_to_vec())
        }
        Action::ChangeRegister => {
            let listed = RegisterChange { list: Some(ListMeters::default()), ..Default::default() };
            (Method::ArchiveRegister, listed.encode_to_vec())
        }
        Action::KeepKeys => {
            let look = Errand { carried: Some(Carried::Look(Look { handover: 0 })) };
            (Method::ArchiveCustody, look.encode_to_vec())
        }
        Action::ReadHistory => {
            let asked = HistoryQuery { tenancies: vec![tenancy.to_vec()], ..HistoryQuery::default() };
            (Method::ArchiveHistory, asked.encode_to_vec())
        }
        Action::UnmaskStaff => {
            // an entry that is none of theirs: who is told so was let in
            let (tenancy, entry) = (tenancy.to_vec(), u64::MAX);
            let decision = Unmask { tenancy, entry, because: "complaint".to_owned() };
            (Method::ArchiveUnmask, decision.encode_to_vec())
        }
        Action::ReadLog => {
            let looked = LogQuery { limit: 1, ..LogQuery::default() };
            (Method::LedgerSearch, looked.encode_to_vec())
        }
        Action::ReviewLog => {
            let listed = ReviewErrand { wish: Some(ReviewWish::List(ListReviews {})) };
            (Method::LedgerReview, listed.encode_to_vec())
        }
        other => panic!("`{other}` is done under a grant now: say here with which call"),
    }
}

impl Cast {
    fn of(&mut self, role: &str) -> &mut Relay {
        self.relays.get_mut(role).unwrap_or_else(|| panic!("nobody plays `{role}`"))
    }

    fn is_played(&self, role: &str) -> bool {
        self.relays.contains_key(role)
    }

    /// Agrees to something, with the person's own key where they have one.
    fn agrees(&mut self, role: &str, wish: Wish) -> Result<(), String> {
        let wish = match self.keys.get(role) {
            Some(signer) => {
                let errand = StaffErrand { wish: Some(wish) }.encode_to_vec();
                Wish::Signed(
                    grant::approval::sign_approval(self.house, role, errand, UtcMillis::now(), signer)
                        .unwrap(),
                )
            }
            None => wish,
        };
        wished(self.of(role), wish).map(drop)
    }

    /// Asks for a grant, and has the room do it that answers such questions.
    fn under_a_grant(
        &mut self,
        role: &str,
        (purpose, action): (Purpose, Action),
        class: Option<Class>,
        case: u32,
    ) -> Result<(), String> {
        let fresh = Signer::generate().unwrap();
        let session = self.of(role).session.as_ref().map(crate::signing::Session::again);
        let session = session.map_or(fresh, |session| session.signer);
        let month = UtcMillis::now().month().number();
        let wish = GrantRequest {
            session_key: session.verifier().as_bytes().to_vec(),
            purpose: purpose.name().to_owned(),
            actions: vec![action.name().to_owned()],
            classes: class.map(|class| u32::from(class.code())).into_iter().collect(),
            first_month: month - 1,
            last_month: month,
            tenancies: Vec::new(),
            case,
        };
        let granted: Granted = self.of(role).call(Method::WardenGrant, &wish)?;
        let (method, body) = granted_call(action, class, &self.tenancy);
        let request = grant::sign_request(&granted.grant, action, body, UtcMillis::now(), &session).unwrap();
        self.of(role).raw(method, &Asked { request }.encode_to_vec()).map(drop)
    }

    /// How far somebody gets with readings: each way in turn, from the one that needs least.
    fn reading(&mut self, role: &str, action: Action, class: Class) -> &'static str {
        let mut refusals = Vec::new();
        for purpose in Purpose::ALL.into_iter().filter(|purpose| purpose.covers(action)) {
            let errand = (purpose, action);
            let case = self.case;
            match self.under_a_grant(role, errand, Some(class), 0) {
                // who holds a role for what is theirs was asked for nothing else
                Ok(()) if purpose == Purpose::OwnData => return "own",
                Ok(()) => return "open",
                Err(code) => refusals.push(code),
            }
            if case == 0 {
                continue;
            }
            match self.by_permission(role, errand, class) {
                Ok(()) => return "permitted",
                Err(code) => refusals.push(code),
            }
            match self.under_a_grant(role, errand, Some(class), case) {
                Ok(()) => return "case",
                Err(code) => refusals.push(code),
            }
            match self.in_time(role, errand, class) {
                Ok(()) => return "in time",
                Err(code) => refusals.push(code),
            }
            match self.in_an_emergency(role, errand, class) {
                Ok(()) => return "emergency",
                Err(code) => refusals.push(code),
            }
        }
        // access that nobody could approve is refused by its own word
        refusals.retain(|code| code != "not-in-time");
        all_say_no(role, action, &refusals)
    }

    fn in_time(&mut self, role: &str, errand: (Purpose, Action), class: Class) -> Result<(), String> {
        let number = self.asks(role, errand.0, class)?;
        let (operator, line) = ("operator", self.line(number));
        wished(self.of(operator), Wish::Approve(ApproveAsk { number, line })).unwrap();
        let case = self.case;
        let done = self.under_a_grant(role, errand, Some(class), case);
        let end = EndAsk { number, reason: "seen".to_owned() };
        wished(self.of(operator), Wish::End(end)).unwrap();
        assert!(self.under_a_grant(role, errand, Some(class), case).is_err(), "{role}: it has ended");
        done
    }

    fn by_permission(&mut self, role: &str, errand: (Purpose, Action), class: Class) -> Result<(), String> {
        if errand.0 != Purpose::ByPermission {
            return Err("needs".to_owned());
        }
        let number = match self.permits("customer", role, class) {
            Ok(number) => number,
            // nobody can permit anything to who is no third party
            Err(code) if code == "no-third-party" || code == "no-person" => {
                return Err("other-role".to_owned());
            }
            Err(code) => return Err(code),
        };
        let done = self.under_a_grant(role, errand, Some(class), 0);
        wished(self.of("customer"), Wish::EndPermission(number)).unwrap();
        assert!(self.under_a_grant(role, errand, Some(class), 0).is_err(), "{role}: it has ended");
        done
    }

    fn permits(&mut self, customer: &str, to: &str, class: Class) -> Result<u32, String> {
        let (classes, until_ms) = (vec![u32::from(class.code())], self.later.0);
        let wish = NewPermission { to: to.to_owned(), tenancies: Vec::new(), classes, until_ms };
        wished(self.of(customer), Wish::Permit(wish)).map(|answer| answer.number)
    }

    fn asks(&mut self, role: &str, purpose: Purpose, class: Class) -> Result<u32, String> {
        let (purpose, class) = (purpose.name().to_owned(), u32::from(class.code()));
        let ask = NewAsk { purpose, class, case: self.case, reason: "at night".to_owned(), for_ms: 0 };
        wished(self.of(role), Wish::Ask(ask)).map(|answer| answer.number)
    }

    /// What somebody who agrees is shown.
    fn line(&mut self, number: u32) -> String {
        let shown = wished(self.of("operator"), Wish::Look(LookStaff { roles: false })).unwrap();
        shown.access.into_iter().find(|access| access.number == number).unwrap().line
    }

    fn in_an_emergency(&mut self, role: &str, errand: (Purpose, Action), class: Class) -> Result<(), String> {
        if errand.0 != Purpose::Emergency {
            return Err("needs".to_owned());
        }
        let number = wished(self.of(role), Wish::Emergency("burst pipe".to_owned()))?.number;
        let done = self.under_a_grant(role, errand, Some(class), 0);
        self.reviewed(number);
        assert!(self.under_a_grant(role, errand, Some(class), 0).is_err(), "{role}: it was reviewed");
        done
    }

    fn reviewed(&mut self, number: u32) {
        let review = ReviewEmergency { number, justified: true, note: "seen".to_owned() };
        self.agrees("data-protection-officer", Wish::Review(review)).unwrap();
    }

    /// What is done without readings.
    fn acting(&mut self, role: &str, action: Action) -> &'static str {
        let purposes: Vec<Purpose> =
            Purpose::ALL.into_iter().filter(|purpose| purpose.covers(action)).collect();
        let mut refusals = Vec::new();
        for purpose in purposes {
            match self.act(role, purpose, action) {
                Ok(()) => return "open",
                Err(code) => refusals.push(code),
            }
        }
        all_say_no(role, action, &refusals)
    }

    fn act(&mut self, role: &str, purpose: Purpose, action: Action) -> Result<(), String> {
        self.made += 1;
        let name = format!("new-{}", self.made);
        let wish = match action {
            Action::ImportKeys
            | Action::ChangeRegister
            | Action::KeepKeys
            | Action::ReadLog
            | Action::ReviewLog
            | Action::Reseal => {
                return self.under_a_grant(role, (purpose, action), None, 0);
            }
            Action::EnrolCollector => {
                let token = TokenRequest { name, valid_s: 60 };
                return self.of(role).raw(Method::WardenCollectorToken, &token.encode_to_vec()).map(drop);
            }
            Action::RevokeCollector => {
                let collector = self.crowd.scene.collector.id();
                let revoke = RevokeCollector { collector, reason: "stolen".to_owned() };
                return self.of(role).raw(Method::WardenRevokeCollector, &revoke.encode_to_vec()).map(drop);
            }
            Action::OpenCase => {
                let (tenancies, reason) = (vec![self.tenancy.clone()], "bill 4711".to_owned());
                Wish::OpenCase(NewCase { tenancies, reason, purpose: purpose.name().to_owned() })
            }
            Action::AskAccess => {
                let number = self.asks(role, purpose, Class::Fine)?;
                return wished(self.of(role), Wish::End(EndAsk { number, reason: "not needed".to_owned() }))
                    .map(drop);
            }
            Action::ApproveAccess => return self.approve(role),
            Action::EndAccess => return self.end(role),
            Action::Permit => {
                let to = if self.is_played("third-party") { "third-party" } else { "nobody" };
                let number = self.permits(role, to, Class::Daily)?;
                return wished(self.of(role), Wish::EndPermission(number)).map(drop);
            }
            Action::BreakGlass => {
                let number = wished(self.of(role), Wish::Emergency("burst pipe".to_owned()))?.number;
                if self.is_played("data-protection-officer") {
                    self.reviewed(number);
                }
                return Ok(());
            }
            Action::ReviewBreakGlass => return self.review(role),
            Action::ManagePeople => Wish::AddPerson(NewPerson {
                name: name.clone(),
                title: String::new(),
                user: name,
                service: false,
            }),
            Action::ManageRoles => self.other_roles(),
            Action::ApproveRoles => {
                let proposes = self.other_roles();
                if self.is_played("administrator") {
                    wished(self.of("administrator"), proposes).unwrap();
                }
                let seen = Wish::ApproveRoles(Sha256::digest(Catalogue::built_in_text()).to_vec());
                return self.agrees(role, seen);
            }
            Action::ReadAccess => {
                let (action, class) = (Action::ManagePeople.name().to_owned(), 0);
                Wish::WhoCan(WhatAsked { action, class })
            }
            Action::ReadReadings | Action::ReadHeld | Action::ReadHealth => unreachable!("decided by class"),
            Action::ReadContacts | Action::ReadHistory | Action::UnmaskStaff => {
                unreachable!("decided by tenancy")
            }
        };
        wished(self.of(role), wish).map(drop)
    }

    fn other_roles(&self) -> Wish {
        Wish::Roles(NewRoles { text: Catalogue::built_in_text().to_owned(), propose: true })
    }

    fn approve(&mut self, role: &str) -> Result<(), String> {
        let (asker, purpose) = ("customer-service", Purpose::BillQuestion);
        let (number, line) = if self.is_played(asker) {
            let number = self.asks(asker, purpose, Class::Fine).unwrap();
            (number, self.line(number))
        } else {
            (1, String::new())
        };
        let done = self.agrees(role, Wish::Approve(ApproveAsk { number, line }));
        if self.is_played(asker) {
            wished(self.of(asker), Wish::End(EndAsk { number, reason: "not needed".to_owned() })).unwrap();
        }
        done
    }

    /// Somebody else's wish ends before it is answered.
    fn end(&mut self, role: &str) -> Result<(), String> {
        let asker = "customer-service";
        let own = role == asker || !self.is_played(asker);
        let number = if own { 1000 } else { self.asks(asker, Purpose::BillQuestion, Class::Fine).unwrap() };
        let reason = "not needed".to_owned();
        let done = wished(self.of(role), Wish::End(EndAsk { number, reason })).map(drop);
        if !own && done.is_err() {
            let end = EndAsk { number, reason: "not needed".to_owned() };
            wished(self.of(asker), Wish::End(end)).unwrap();
        }
        done
    }

    fn review(&mut self, role: &str) -> Result<(), String> {
        let taken = self.is_played("operator");
        let number = if taken {
            wished(self.of("operator"), Wish::Emergency("burst pipe".to_owned())).unwrap().number
        } else {
            1
        };
        let review = ReviewEmergency { number, justified: true, note: "seen".to_owned() };
        let done = self.agrees(role, Wish::Review(review));
        if taken && done.is_err() {
            self.reviewed(number);
        }
        done
    }

    /// How far somebody gets with what stands under tenancies alone: without a case, then with one.
    fn naming(&mut self, role: &str, action: Action) -> &'static str {
        let mut refusals = Vec::new();
        for purpose in Purpose::ALL.into_iter().filter(|purpose| purpose.covers(action)) {
            for (case, reach) in [(0, "open"), (self.case, "case")] {
                match self.under_a_grant(role, (purpose, action), None, case) {
                    Ok(()) if purpose == Purpose::OwnData => return "own",
                    Ok(()) => return reach,
                    Err(code) if action == Action::UnmaskStaff && code == "no-entry" => return reach,
                    Err(code) => refusals.push(code),
                }
            }
        }
        all_say_no(role, action, &refusals)
    }

    fn cell(&mut self, role: &str, action: Action, class: Option<Class>) -> &'static str {
        match class {
            None if action.is_by_tenancy() => self.naming(role, action),
            Some(class) => self.reading(role, action, class),
            None => self.acting(role, action),
        }
    }
}

fn all_say_no(role: &str, action: Action, refusals: &[String]) -> &'static str {
    let strange: Vec<&String> = refusals.iter().filter(|code| !MAY_NOT.contains(&code.as_str())).collect();
    assert!(strange.is_empty(), "{role} tries `{action}` and is told {strange:?}, not that they may not");
    "-"
}

/// The rows of the matrix.
fn rows() -> impl Iterator<Item = (Action, Option<Class>)> {
    Action::ALL.into_iter().flat_map(|action| {
        let classes = if action.reaches_readings() { Class::ALL.map(Some).to_vec() } else { vec![None] };
        classes.into_iter().map(move |class| (action, class))
    })
}

#[test]
fn everybody_gets_as_far_as_the_matrix_says_and_no_further() {
    if !can_act_as_others() {
        return;
    }
    let policies = Policies::compile(Catalogue::built_in().unwrap()).unwrap();
    let roles: Vec<String> = policies.catalogue().roles.keys().cloned().collect();
    let mut crowd = Crowd::new(&["water-mode5"], 2);
    crowd.open_doors();
    let listed = crowd.owner("meters tenancies --format json", &[]).good().json();
    let tenancy = hex::decode(listed[0]["tenancy"].as_str().unwrap()).unwrap();
    let owner = ("owner".to_owned(), crowd.relay("root"));
    let warden = crowd.scene.house.layout.verifier(Room::Warden).unwrap();
    let house = grant::act::house_of(warden.as_bytes());
    let later = UtcMillis::now().plus(86_400_000);
    let mut cast = Cast {
        crowd,
        relays: [owner].into(),
        keys: BTreeMap::new(),
        house,
        tenancy,
        later,
        case: 0,
        made: 0,
    };

    // whoever set the house up, as long as they are alone
    let mut cells: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (action, class) in rows() {
        let cell = cast.cell("owner", action, class);
        cells.entry("owner".to_owned()).or_default().push(if cell == "open" { "alone" } else { cell });
    }
    let others: Vec<&String> = roles.iter().filter(|role| *role != "owner").collect();
    assert!(others.len() <= USERS.len(), "more roles than users to play them");
    for (role, user) in others.iter().zip(USERS) {
        let own = hex::encode(&cast.tenancy);
        let bounds: &[&str] = if *role == "customer" { &["--tenancy", &own] } else { &[] };
        cast.crowd.name_for(role, user, role, bounds);
    }
    for (role, user) in others.iter().zip(USERS) {
        let relay = cast.crowd.relay(user);
        cast.relays.insert((*role).clone(), relay);
    }
    let officer = "data-protection-officer";
    let key = Signer::generate().unwrap();
    let pin = KeyOf { person: officer.to_owned(), key: key.verifier().as_bytes().to_vec() };
    wished(cast.of("administrator"), Wish::PinKey(pin)).unwrap();
    cast.keys.insert(officer.to_owned(), key);
    let (tenancies, reason) = (vec![cast.tenancy.clone()], "bill 4711".to_owned());
    let case = NewCase { tenancies, reason, purpose: Purpose::BillQuestion.name().to_owned() };
    cast.case = wished(cast.of("customer-service"), Wish::OpenCase(case)).unwrap().number;
    for role in others {
        for (action, class) in rows() {
            let cell = cast.cell(role, action, class);
            cells.entry(role.clone()).or_default().push(cell);
        }
    }

    let line = |first: String, cells: Vec<&str>| format!("{first} | {} |\n", cells.join(" | "));
    let mut seen = line("| action | class".to_owned(), roles.iter().map(String::as_str).collect());
    seen.push_str(&line("| --- | ---".to_owned(), vec!["---"; roles.len()]));
    for (n, (action, class)) in rows().enumerate() {
        let mut first = String::new();
        write!(first, "| {action} | {}", class.map_or("", Class::name)).unwrap();
        seen.push_str(&line(first, roles.iter().map(|role| cells[role][n]).collect()));
    }
    assert_eq!(seen, matrix(&policies), "what the house does is not what its policies say");

    // a person of the machine whom nobody named gets nothing at all
    let stranger = cast.crowd.relay(USERS[USERS.len() - 1]);
    cast.relays.insert("stranger".to_owned(), stranger);
    for (action, class) in rows() {
        assert_eq!(cast.cell("stranger", action, class), "-", "{action}");
    }
}
