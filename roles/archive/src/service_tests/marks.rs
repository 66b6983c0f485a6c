//! The vault's marks: recorded when it has gone on, shown to it at its start.

use wire::MARK_ACTION;
use wire::mark::Mark;

use super::*;

fn mark(n: u64) -> MarkAnswer {
    let mark =
        Mark { table: n, desk: n, releases: n, generation: 1, providers: 1, term: 1, ..Mark::default() };
    MarkAnswer { mark: Some(mark), ..MarkAnswer::default() }
}

impl House {
    async fn settle_at(&self, answer: MarkAnswer) -> bool {
        self.settle_with(answer, true).await
    }

    async fn settle_with(&self, answer: MarkAnswer, with_releases: bool) -> bool {
        *self.vault.0.mark.lock().unwrap() = answer;
        let Inner { marks, erasures, counters, .. } = &*self.archive.0;
        let (recorder, vault) = (&self.ledger, &self.vault);
        let with = crate::marks::Settling { marks, erasures, recorder, vault, counters };
        with.settle(with_releases, now()).await.is_ok()
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
    let expected = "since the last mark: a provider was removed and the root key renewed, the list of officers was changed";
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

#[tokio::test]
async fn what_was_erased_is_kept_before_the_mark_says_so_and_shown_to_a_vault_that_forgot_it() {
    let house = house().await;
    let acts = |number| ErasureActs { number, request: vec![1], approval: vec![2], ..Default::default() };
    house.vault.0.erased.lock().unwrap().extend([acts(1), acts(4)]);
    let mut erased = mark(5);
    erased.mark.as_mut().unwrap().erasures = 2;
    assert!(house.settle_at(erased.clone()).await);
    let folder = house.folder.path().join("erasures");
    assert_eq!(house.archive.0.erasures.count(), 2);
    assert!(
        house.ledger.0.events().last().unwrap().detail.contains("erasures 2"),
        "and only then the log says how many there are"
    );

    // yesterday's vault knows of none
    house.vault.0.erased.lock().unwrap().clear();
    let older = MarkAnswer { older: "erasures".to_owned(), ..mark(5) };
    assert!(house.settle_at(older).await, "what was forgotten is all that was older");
    assert_eq!(*house.vault.0.erased.lock().unwrap(), [acts(1), acts(4)]);
    let events = house.ledger.0.events();
    assert!(
        events.iter().any(|e| e.detail.starts_with("2 erasures and holds were done again")),
        "{events:?}"
    );
    drop(house);
    assert!(!folder.exists(), "the test leaves nothing");
}

#[tokio::test]
async fn a_vault_that_was_accepted_without_its_erasures_is_an_alarm() {
    let house = house().await;
    let acts = |request| ErasureActs { number: 1, request: vec![request], ..ErasureActs::default() };
    let with_erasure = |n| {
        let mut answer = mark(n);
        answer.mark.as_mut().unwrap().erasures = 1;
        answer
    };
    house.vault.0.erased.lock().unwrap().push(acts(1));
    assert!(house.settle_at(with_erasure(5)).await);
    // the vault has forgotten it, and has given its number to another since
    *house.vault.0.erased.lock().unwrap() = vec![acts(2)];
    assert!(house.settle_at(MarkAnswer { accepted: true, forgets: true, ..with_erasure(4) }).await);
    assert_eq!(house.archive.0.counters.get("alarm.erasures-forgotten"), 1);
    assert_eq!(
        house.archive.0.erasures.count(),
        1,
        "what is decided now is kept under the number that it has"
    );
    let folders = std::fs::read_dir(house.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let aside = folders.filter(|name| name.to_string_lossy().starts_with("erasures-forgotten-")).count();
    assert_eq!(aside, 1, "what was kept lies aside");
    let told = house.ledger.0.events();
    assert!(told.iter().any(|e| e.detail.ends_with("WITHOUT the erasures since")));
}
