//! The vault's marks: recorded when it has gone on, shown to it at its start.

use wire::MARK_ACTION;
use wire::mark::Mark;

use super::*;

fn mark(n: u64) -> MarkAnswer {
    let mark = Mark { table: n, desk: n, releases: n, generation: 1, providers: 1, officers: 0 };
    MarkAnswer { mark: Some(mark), ..MarkAnswer::default() }
}

impl House {
    async fn settle_at(&self, answer: MarkAnswer) -> bool {
        self.settle_with(answer, true).await
    }

    async fn settle_with(&self, answer: MarkAnswer, with_releases: bool) -> bool {
        *self.vault.0.mark.lock().unwrap() = answer;
        let (marks, recorder) = (&self.archive.0.marks, &self.ledger);
        crate::marks::settle(marks, recorder, &self.vault, &self.archive.0.counters, with_releases, now())
            .await
            .is_ok()
    }

    fn shown(&self) -> PresentMark {
        self.vault.0.shown.lock().unwrap().last().unwrap().clone()
    }
}

#[tokio::test]
async fn a_mark_is_recorded_once_and_shown_at_the_next_start() {
    let house = house().await;
    assert!(house.settle_at(mark(5)).await && house.settle_at(mark(5)).await);
    let events = house.ledger.0.events();
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(
        (event.action.as_str(), event.detail.as_str()),
        (MARK_ACTION, mark(5).mark.unwrap().to_line().as_str())
    );
    assert!(house.settle_at(mark(6)).await);
    // the next start of the archive reads it from its file
    let again = Marks::load(&journal::RealDisk, house.folder.path().join("vault.mark")).unwrap();
    assert_eq!(Event::decode(&again.newest().event).unwrap().detail, mark(6).mark.unwrap().to_line());
    house.settle_at(mark(6)).await;
    assert_eq!(house.shown(), again.newest());
}

#[tokio::test]
async fn a_vault_that_was_put_back_is_in_the_log_once_and_an_accepted_one_too() {
    let house = house().await;
    house.settle_at(mark(5)).await;
    let older = MarkAnswer { older: "hand-overs".to_owned(), ..mark(4) };
    assert!(!house.settle_at(older.clone()).await && !house.settle_at(older).await);
    let events = house.ledger.0.events();
    let told: Vec<_> = events.iter().filter(|e| e.reason == "vault-put-back").collect();
    assert_eq!((told.len(), told[0].detail.as_str()), (1, "hand-overs"));
    assert!(house.settle_at(MarkAnswer { accepted: true, ..mark(4) }).await);
    let details: Vec<String> = house.ledger.0.events().into_iter().map(|e| e.detail).collect();
    assert!(details.iter().any(|d| d.contains("an older state of the vault was accepted")));
    assert_eq!(details.last(), Some(&mark(4).mark.unwrap().to_line()));
}

#[tokio::test]
async fn what_was_changed_with_the_vault_closed_is_told_at_its_next_start() {
    let house = house().await;
    house.settle_at(mark(5)).await;
    let mut changed = mark(6);
    let with = changed.mark.as_mut().unwrap();
    (with.generation, with.officers) = (2, 3);
    house.settle_at(changed.clone()).await;
    house.settle_at(changed).await;
    let events = house.ledger.0.events();
    let told: Vec<&str> =
        events.iter().filter(|e| e.action == "vault-custody").map(|e| e.detail.as_str()).collect();
    let expected = "since the last start: a provider was removed and the root key renewed, the list of officers was changed";
    assert_eq!(told, [expected]);
}

#[tokio::test]
async fn releases_alone_are_recorded_now_and_then_and_anything_else_at_once() {
    let house = house().await;
    house.settle_at(mark(5)).await;
    let mut later = mark(5);
    later.mark.as_mut().unwrap().releases = 9;
    house.settle_with(later.clone(), false).await;
    assert_eq!(house.ledger.0.events().len(), 1, "only keys were released");
    house.settle_with(later.clone(), true).await;
    assert_eq!(house.ledger.0.events().len(), 2);
    later.mark.as_mut().unwrap().desk = 6;
    house.settle_with(later, false).await;
    assert_eq!(house.ledger.0.events().len(), 3);
}
