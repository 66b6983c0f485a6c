//! Errands of key custody: in the log before and after, and a refusal under the vault's own word.

use grant::act::{Deed, RequestHandover, sign_act};
use wire::custody::{Carried, Errand, ErrandAnswer, Fetch, Look};

use super::*;

fn request() -> Carried {
    let meters = vec!["KAM-10000001".to_owned()];
    let wish = RequestHandover { recipient: 1, meters, reason: "sold to Acme".to_owned() };
    let officer = Signer::generate().unwrap();
    Carried::Act(sign_act([1; 32], "anna", Deed::Request(wish), now(), &officer).unwrap())
}

impl House {
    async fn carry(&self, carried: Carried) -> Result<ErrandAnswer, Refused> {
        let errand = Errand { carried: Some(carried) };
        let asked = self.sign(&self.grant(Purpose::KeyCustody), Action::KeepKeys, &errand);
        self.call(Method::ArchiveCustody, &asked).await
    }
}

#[tokio::test]
async fn an_errand_is_in_the_log_before_the_vault_hears_of_it_and_again_when_it_is_done() {
    let house = house().await;
    let answer = house.carry(request()).await.unwrap();
    assert_eq!(answer.number, 3);
    let events = house.ledger.0.events();
    let [asked, done] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((asked.outcome, done.outcome), (Outcome::Allowed, Outcome::Done));
    for event in [asked, done] {
        assert_eq!((event.action.as_str(), event.on_behalf.as_str()), ("keep-keys", "anna"));
        assert_eq!(event.purpose, "key-custody");
    }
    let wish = "handover-request by officer `anna`: keys of 1 meters for receiver 1";
    assert_eq!((asked.detail.as_str(), done.detail.as_str()), (wish, "hand-over 3 requested"));
    // who only looks leaves one event
    house.carry(Carried::Look(Look::default())).await.unwrap();
    assert_eq!(house.last_event().detail, "list of receivers and hand-overs");
    assert_eq!(house.ledger.0.events().len(), 3);
}

#[tokio::test]
async fn what_the_vault_refuses_is_in_the_log_under_its_word() {
    let house = house().await;
    let fetch = Fetch { handover: 9, code: vec![0; 16] };
    assert_eq!(house.carry(Carried::Fetch(fetch)).await.unwrap_err().code, "fetched-already");
    let last = house.last_event();
    assert_eq!((last.outcome, last.reason.as_str()), (Outcome::Refused, "fetched-already"));
    // an act that cannot be read never reaches the vault
    let calls = house.vault_calls();
    assert_eq!(house.carry(Carried::Act(vec![1, 2, 3])).await.unwrap_err().code, "malformed");
    assert_eq!(house.vault_calls(), calls);
}

#[tokio::test]
async fn no_receipt_no_errand() {
    let house = house().await;
    house.ledger.0.behave(Behaviour::Down);
    assert!(house.carry(request()).await.is_err());
    assert_eq!(house.vault_calls(), 0);
}
