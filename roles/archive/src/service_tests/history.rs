//! What data subjects are shown of the log.

use wire::log::{History, HistoryQuery, Look, Told, Unmask, Unmasked};

use super::*;

/// A customer, whose role was given for what is theirs.
const MINE: &str = "kunde";

impl House {
    fn history_grant(&self, purpose: Purpose, action: Action, whose: &[TenancyId]) -> Grant {
        let tenancies = Tenancies::Only(whose.iter().copied().collect());
        let (person, role) = match purpose {
            Purpose::OwnData => (MINE, "customer"),
            _ => ("dpo", "data-protection-officer"),
        };
        Grant {
            person: person.to_owned(),
            role: role.to_owned(),
            actions: [action].into(),
            scope: Scope { tenancies, areas: Areas::All, ..Scope::nothing() },
            ..self.grant(purpose)
        }
    }

    async fn history(&self, whose: &[TenancyId], query: &HistoryQuery) -> Result<History, Refused> {
        let grant = self.history_grant(Purpose::OwnData, Action::ReadHistory, whose);
        self.call(Method::ArchiveHistory, &self.sign(&grant, Action::ReadHistory, query)).await
    }

    async fn mine(&self, tenancy: TenancyId) -> Vec<Look> {
        self.history(&[tenancy], &HistoryQuery::default()).await.unwrap().looks
    }

    async fn unmask(&self, tenancy: TenancyId, entry: u64, because: &str) -> Result<Unmasked, Refused> {
        let grant = self.history_grant(Purpose::DataProtection, Action::UnmaskStaff, &[tenancy]);
        let because = because.to_owned();
        let body = Unmask { tenancy: tenancy.0.to_vec(), entry, because };
        self.call(Method::ArchiveUnmask, &self.sign(&grant, Action::UnmaskStaff, &body)).await
    }

    async fn read_by(&self, person: &str) {
        let grant = Grant { person: person.to_owned(), ..self.grant(Purpose::Operations) };
        let query = ReadingsQuery { meters: vec!["KAM-11111111".to_owned()], ..daily() };
        self.ask_under(&grant, &query).await.unwrap();
    }
}

fn last_read(house: &House) -> Event {
    house.ledger.0.events().into_iter().rfind(|event| event.action == "read-readings").unwrap()
}

fn named_in_log(house: &House, tenancy: TenancyId) -> usize {
    house.ledger.0.events().iter().filter(|event| event.subjects.contains(&tag_of(tenancy))).count()
}

#[tokio::test]
async fn a_customer_sees_every_entry_that_names_them_and_no_name() {
    let (house, tenancies) = furnished().await;
    for person in ["anna", "bo", "anna", "carl"] {
        house.read_by(person).await;
    }
    let looks = house.mine(tenancies[0]).await;
    assert_eq!(looks.len(), named_in_log(&house, tenancies[0]), "as many as the log has of them");
    let reads: Vec<&Look> = looks.iter().filter(|look| look.action == "read-readings").collect();
    assert_eq!(reads.iter().map(|look| look.who).collect::<Vec<_>>(), [1, 2, 1, 3]);
    assert!(reads.iter().all(|look| look.purpose == "operations" && look.role == "owner" && look.class == 2));
    let shown = format!("{looks:?}");
    assert!(!["anna", "bo\"", "carl"].iter().any(|name| shown.contains(name)), "{shown}");
    let last = looks.last().unwrap();
    assert_eq!((last.action.as_str(), last.own, last.who), ("read-history", true, 4), "their own look, too");
    assert!(looks.iter().rev().skip(1).all(|look| !look.own));
    assert!(looks.is_sorted_by_key(|look| look.number));
    // the neighbour's is another one
    assert!(house.mine(tenancies[1]).await.iter().all(|look| look.action != "read-readings"));
}

#[tokio::test]
async fn who_it_was_is_told_by_a_decision_that_the_customer_sees() {
    let (house, tenancies) = furnished().await;
    house.read_by("anna").await;
    house.read_by("bo").await;
    let entry =
        house.mine(tenancies[0]).await.iter().find(|look| look.action == "read-readings").unwrap().number;
    let told = house.unmask(tenancies[0], entry, "complaint").await.unwrap();
    assert_eq!(told.name, "anna");
    let event = house.last_event();
    assert_eq!((event.action.as_str(), event.on_behalf.as_str()), ("unmask-staff", "dpo"));
    assert_eq!((event.entry, event.detail.as_str()), (Some(entry), "complaint"));
    let looks = house.mine(tenancies[0]).await;
    let names: Vec<&str> =
        looks.iter().filter(|look| look.action == "read-readings").map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["anna", ""], "of that one entry alone");
    let decision = looks.iter().find(|look| look.action == "unmask-staff").unwrap();
    assert_eq!((decision.about, decision.number), (Some(entry), told.receipt));

    for (tenancy, entry, because, code) in [
        (tenancies[0], entry, "curiosity", "no-such-reason"),
        (tenancies[1], entry, "complaint", "no-entry"),
        (tenancies[0], 10_000, "complaint", "no-entry"),
    ] {
        assert_eq!(house.unmask(tenancy, entry, because).await.unwrap_err().code, code);
        assert_eq!(house.last_event().reason, code);
    }
}

#[tokio::test]
async fn a_history_is_ones_own_and_of_a_time() {
    let (house, tenancies) = furnished().await;
    house.read_by("anna").await;
    let of_neighbour = HistoryQuery { tenancies: vec![tenancies[1].0.to_vec()], ..HistoryQuery::default() };
    assert_eq!(house.history(&tenancies[..1], &of_neighbour).await.unwrap_err().code, "not-in-scope");
    assert_eq!(house.last_event().reason, "not-in-scope");
    assert_eq!(house.history(&[], &HistoryQuery::default()).await.unwrap_err().code, "malformed");
    let grant = house.history_grant(Purpose::OwnData, Action::ReadHistory, &tenancies[..1]);
    let wrong = Grant { actions: [Action::ReadReadings].into(), ..grant };
    let asked = house.sign(&wrong, Action::ReadReadings, &HistoryQuery::default());
    let refused: Result<History, Refused> = house.call(Method::ArchiveHistory, &asked).await;
    assert_eq!(refused.unwrap_err().code, "other-action");
    let later = HistoryQuery { from_ms: now().plus(DAY).0, ..HistoryQuery::default() };
    let history = house.history(&tenancies[..1], &later).await.unwrap();
    assert_eq!((history.looks.len(), history.in_all as usize), (0, named_in_log(&house, tenancies[0])));
}

#[tokio::test]
async fn of_whom_was_erased_nothing_is_found_any_more() {
    let (house, tenancies) = furnished().await;
    house.read_by("anna").await;
    assert!(house.mine(tenancies[0]).await.len() > 1);
    house.vault.0.without_name.lock().unwrap().push(tenancies[0]);
    house.archive.0.subjects.forget();
    let history = house.history(&tenancies[..1], &HistoryQuery::default()).await.unwrap();
    assert_eq!((history.looks, history.in_all), (vec![], 0));
    assert_eq!(house.last_event().subjects, Vec::<[u8; 16]>::new());
}

#[tokio::test]
async fn what_an_entry_says_of_one_of_them_is_sealed_and_shown_to_them_alone() {
    let (house, tenancies) = furnished().await;
    house.read_by("anna").await;
    let sealed = last_read(&house);
    assert_eq!(sealed.bodies.len(), 1, "the neighbour's meter was not asked for");
    assert!(!String::from_utf8_lossy(&sealed.encode()).contains("KAM-1111"), "nothing is in clear");
    let told = |looks: &[Look]| -> Vec<Told> {
        looks
            .iter()
            .filter(|look| look.action == "read-readings")
            .flat_map(|look| look.told.clone())
            .collect()
    };
    let mine = told(&house.mine(tenancies[0]).await);
    let [said] = mine.as_slice() else { panic!("{mine:?}") };
    assert_eq!((said.by.as_str(), said.criterion.as_str()), ("meter", "KAM-11111111"));
    assert!(
        said.number > 0 && said.meters.len() == 1 && said.meters[0].starts_with("KAM-11111111"),
        "{said:?}"
    );
    // of all at once each is told of what is theirs, and of nobody else
    house.ask(&daily()).await.unwrap();
    assert_eq!(last_read(&house).bodies.len(), 2);
    for tenancy in &tenancies[..2] {
        let all = told(&house.mine(*tenancy).await);
        let newest = all.last().unwrap();
        assert_eq!((newest.by.as_str(), newest.criterion.as_str()), ("all", ""));
        assert_eq!(newest.meters.len(), 1, "{newest:?}");
    }
    // a second meter in the question is not the first one's to know
    let both = vec!["KAM-11111111".to_owned(), "KAM-22222222".to_owned()];
    house.ask(&ReadingsQuery { meters: both, ..daily() }).await.unwrap();
    let said = told(&house.mine(tenancies[0]).await).pop().unwrap();
    assert_eq!((said.by.as_str(), said.criterion.as_str()), ("meter", ""));
    assert!(!format!("{said:?}").contains("2222"), "{said:?}");
    // the tags that this room remembers do not open it: the keys are asked for under the history's own entry, each time
    house.vault.0.without_name.lock().unwrap().push(tenancies[0]);
    let erased = house.history(&tenancies[..1], &HistoryQuery::default()).await.unwrap();
    assert!(told(&erased.looks).is_empty(), "what is erased opens for nobody");
}
