//! Rows of a utility's own list.

use store::register::Did;
use wire::archive::{ROWS_SKIP_BAD, ROWS_TRY, ROWS_WHOLE, RegisterRow, RegisterRows, RowsAnswer, did};

use super::*;

fn row(address: &str, place: &str) -> RegisterRow {
    RegisterRow { address: address.to_owned(), place: place.to_owned(), ..RegisterRow::default() }
}

fn lives(address: &str, place: &str, customer: &str, from_ms: i64) -> RegisterRow {
    RegisterRow { customer: customer.to_owned(), from_ms: Some(from_ms), ..row(address, place) }
}

fn rows(rows: Vec<RegisterRow>, mode: u32) -> RegisterChange {
    let rows = Some(RegisterRows { rows, mode, source: "list.csv\n".to_owned() });
    RegisterChange { rows, ..RegisterChange::default() }
}

impl House {
    async fn take(&self, list: &[RegisterRow], mode: u32) -> RowsAnswer {
        self.change(&rows(list.to_vec(), mode)).await.unwrap().rows.unwrap()
    }

    async fn meters(&self) -> u64 {
        self.archive.0.register.size().await.unwrap().meters
    }
}

#[test]
fn the_bits_of_a_row_mean_the_same_on_both_sides() {
    let pairs = [
        (Did::METER, did::METER),
        (Did::PLACED, did::PLACED),
        (Did::PLACE, did::PLACE),
        (Did::AREA, did::AREA),
        (Did::RESOLUTION, did::RESOLUTION),
        (Did::BEGAN, did::BEGAN),
        (Did::ENDED, did::ENDED),
        (Did::CUSTOMER, did::CUSTOMER),
    ];
    assert!(pairs.iter().all(|(store, wire)| store.0 == *wire));
}

#[tokio::test]
async fn a_list_is_tried_then_taken_and_the_log_and_the_vault_hear_before() {
    let house = house().await;
    let list = [
        lives("KAM-11111111", "place-1", "K-1", now().plus(-DAY).0),
        RegisterRow { area: "Nord".to_owned(), resolution: 2, ..row("ELS-22222222-01-07", "place-2") },
    ];
    let tried = house.take(&list, ROWS_TRY).await;
    assert_eq!((tried.done, tried.bad.len(), house.meters().await), (false, 0, 0));
    assert!(house.vault.0.spans.lock().unwrap().is_empty());
    let event = house.last_event();
    assert_eq!(event.outcome, Outcome::Allowed);
    assert_eq!(
        event.detail,
        "nothing done: 2 rows from `list.csv`: 2 meters new, 0 placed, 1 tenancies begun, 0 ended, 0 rows refused"
    );

    let done = house.take(&list, ROWS_WHOLE).await;
    assert_eq!((done.done, &done.did), (true, &tried.did));
    assert_eq!(house.last_event().subjects.len(), 3, "vacant and let, and vacant");
    let told = house.vault.0.spans.lock().unwrap().clone();
    assert_eq!(
        told.iter().map(|s| (s.meter, s.vacant, s.until_ms.is_some())).collect::<Vec<_>>(),
        [(told[0].meter, true, true), (told[0].meter, false, false), (told[2].meter, true, false)]
    );
    let again = house.take(&list, ROWS_WHOLE).await;
    assert_eq!((again.done, again.did), (true, vec![0, 0]));
    assert_eq!(house.vault.0.spans.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_bad_row_holds_the_others_back_unless_it_is_skipped() {
    let house = house().await;
    let list = [
        row("KAM-11111111", "place-1"),
        row("nonsense", "place-2"),
        RegisterRow { resolution: 9, ..row("KAM-3", "p") },
        lives("KAM-44444444", "p", "K", -1),
    ];
    for (mode, meters) in [(ROWS_TRY, 0), (ROWS_WHOLE, 0), (ROWS_SKIP_BAD, 1)] {
        let answer = house.take(&list, mode).await;
        let bad: Vec<(u32, &str)> = answer.bad.iter().map(|b| (b.row, b.column.as_str())).collect();
        assert_eq!(bad, [(1, "meter"), (2, "meter"), (3, "from")]);
        assert_eq!((answer.done, house.meters().await), (mode == ROWS_SKIP_BAD, meters));
    }
}

#[tokio::test]
async fn what_the_vault_or_the_log_does_not_take_is_not_done_and_goes_through_when_it_is_repeated() {
    let house = house().await;
    let from = now().plus(-DAY).0;
    house.add(&[("KAM-11111111", "place-1")]).await;
    let ended = RegisterRow { until_ms: Some(from + 1000), ..lives("KAM-11111111", "place-1", "K", from) };
    *house.vault.0.refuses_tenancies.lock().unwrap() = true;
    let refused = house.change(&rows(vec![ended.clone()], ROWS_WHOLE)).await.unwrap_err();
    assert_eq!(refused.code, "vault-refused");
    assert_eq!(house.archive.0.register.size().await.unwrap().tenancies, 1);
    *house.vault.0.refuses_tenancies.lock().unwrap() = false;
    assert!(house.take(&[ended], ROWS_WHOLE).await.done);
    assert_eq!(house.archive.0.register.size().await.unwrap().tenancies, 3);
}

#[tokio::test]
async fn only_rows_travel_with_rows_and_only_the_register_may_send_them() {
    let house = house().await;
    let one = rows(vec![row("KAM-11111111", "p")], ROWS_WHOLE);
    for bad in [
        rows(Vec::new(), ROWS_WHOLE),
        rows(vec![row("KAM-11111111", "p"); 10_001], ROWS_WHOLE),
        rows(vec![row("KAM-11111111", "p")], 7),
        RegisterChange { add: vec![new_meter("KAM-22222222", "p")], ..one.clone() },
        RegisterChange { list: Some(ListMeters::default()), ..one.clone() },
    ] {
        assert_eq!(house.change(&bad).await.unwrap_err().code, "malformed");
    }
    let grant = house.grant(Purpose::Operations);
    let asked = house.sign(&grant, Action::ChangeRegister, &one);
    let refused = house.call::<RegisterAnswer>(Method::ArchiveRegister, &asked).await.unwrap_err();
    assert_eq!(house.last_event().outcome, Outcome::Refused, "{refused}");
    assert_eq!(house.meters().await, 0);
}
