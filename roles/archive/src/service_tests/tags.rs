//! Tags for who searches the log.

use wire::archive::{ROWS_WHOLE, RegisterRow, RegisterRows};
use wire::log::{TagsAnswer, TagsQuery};

use super::*;

fn of_meters(meters: &[&str]) -> TagsQuery {
    TagsQuery { meters: meters.iter().map(|m| (*m).to_owned()).collect(), ..TagsQuery::default() }
}

impl House {
    async fn tags(&self, query: &TagsQuery) -> Result<TagsAnswer, Refused> {
        let grant = Grant { scope: Scope::nothing(), ..self.grant(Purpose::Audit) };
        self.call(Method::ArchiveSubjectTags, &self.sign(&grant, Action::ReadLog, query)).await
    }
}

#[tokio::test]
async fn the_tags_of_meters_customers_and_tenancies_are_told_and_the_log_says_whose() {
    let (house, tenancies) = furnished().await;
    let told = house.tags(&of_meters(&["KAM-11111111"])).await.unwrap();
    assert_eq!(told.tags, [tag_of(tenancies[0]).to_vec()]);
    let event = house.last_event();
    assert_eq!((event.action.as_str(), event.outcome), ("read-log", Outcome::Allowed));
    assert_eq!(event.detail, "tags of 1 meters, 0 customers and 0 tenancies told");
    assert_eq!(event.subjects, [<[u8; 16]>::try_from(told.tags[0].as_slice()).unwrap()]);
    // the tags are those by which a question for readings is in the log
    house.ask(&ReadingsQuery { meters: vec!["KAM-11111111".to_owned()], ..daily() }).await.unwrap();
    assert_eq!(house.last_event().subjects[0].to_vec(), told.tags[0]);

    let row = RegisterRow {
        address: "KAM-22222222-1B-16".to_owned(),
        place: "place-2".to_owned(),
        customer: "K-1".to_owned(),
        from_ms: Some(now().plus(-DAY).0),
        ..RegisterRow::default()
    };
    let rows = Some(RegisterRows { rows: vec![row], mode: ROWS_WHOLE, source: "list".to_owned() });
    house.change(&RegisterChange { rows, ..Default::default() }).await.unwrap();
    let moved_in = house.tenancy_of(2).await;
    let of_customer = TagsQuery { customers: vec!["K-1".to_owned()], ..TagsQuery::default() };
    assert_eq!(house.tags(&of_customer).await.unwrap().tags, [tag_of(moved_in).to_vec()]);
    let mut both = vec![tag_of(tenancies[1]).to_vec(), tag_of(moved_in).to_vec()];
    both.sort();
    assert_eq!(
        house.tags(&of_meters(&["22222222"])).await.unwrap().tags,
        both,
        "who held it and who holds it"
    );
    let of_tenancy = TagsQuery { tenancies: vec![moved_in.0.to_vec()], ..TagsQuery::default() };
    assert_eq!(house.tags(&of_tenancy).await.unwrap().tags, [tag_of(moved_in).to_vec()]);
}

#[tokio::test]
async fn tags_are_told_under_a_grant_for_the_log_alone_and_refusals_are_in_the_log() {
    let (house, _) = furnished().await;
    let refused = |code: &str| {
        let event = house.last_event();
        assert_eq!((event.outcome, event.reason.as_str()), (Outcome::Refused, code));
    };
    let reads =
        house.sign(&house.grant(Purpose::Operations), Action::ReadReadings, &of_meters(&["KAM-11111111"]));
    let said: Result<TagsAnswer, Refused> = house.call(Method::ArchiveSubjectTags, &reads).await;
    assert_eq!(said.unwrap_err().code, "other-action");
    refused("other-action");
    // and a grant for the log is none for readings
    let grant = Grant { scope: Scope::nothing(), ..house.grant(Purpose::Audit) };
    let asked = house.sign(&grant, Action::ReadLog, &daily());
    let said: Result<Readings, Refused> = house.call(Method::ArchiveReadings, &asked).await;
    assert_eq!(said.unwrap_err().code, "other-action");
    refused("other-action");

    for (query, code) in [
        (of_meters(&["KAM-99999999"]), "unknown-meter"),
        (TagsQuery { customers: vec!["K-9".to_owned()], ..TagsQuery::default() }, "unknown-customer"),
        (TagsQuery { tenancies: vec![vec![1; 15]], ..TagsQuery::default() }, "malformed"),
        (TagsQuery::default(), "malformed"),
        (of_meters(&["KAM-11111111"; 101]), "malformed"),
    ] {
        assert_eq!(house.tags(&query).await.unwrap_err().code, code);
        refused(code);
    }
}
