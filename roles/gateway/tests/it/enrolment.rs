//! One-time tokens: whom a new collector believes, and who is believed.

use std::time::Duration;

use journal::faulty::FaultyDisk;
use wire::gateway::{AnswerEnrolment, Done, Enrolment, EnrolmentBody, Enrolments};
use wire::{Message, Method};

use crate::core::ask;
use crate::scene::Scene;

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enrolled_collector_has_its_own_keys_and_nobody_else_can_read_them() {
    use std::os::unix::fs::PermissionsExt;
    let mut scene = Scene::new().await;
    let running = scene.gateway(&FaultyDisk::new(1)).await;
    let which = scene.enrol(&running).await;
    let identity = scene.enrolled[which].folder.join("identity");
    for file in std::fs::read_dir(&identity).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
    }
    let loaded = collector::Enrolled::load(&identity).ok().unwrap();
    assert_eq!(loaded.id.0, 1);
    assert_eq!(loaded.signer.verifier(), scene.enrolled[which].verifier);
    // The folder is taken; a second token does not change who it is.
    let error = collector::enrol(&identity, &scene.token(9), "again", PATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("enrolled already"), "{error}");
    running.kill().await;
}

/// Answers the first request that arrives.
async fn answer(gateway: &gateway::Gateway, enrolment: Enrolment) {
    loop {
        let waiting: Enrolments = ask(gateway, Method::GatewayEnrolments, &Done {}).await;
        if let Some(request) = waiting.requests.first() {
            let answer = AnswerEnrolment { token_id: request.token_id.clone(), enrolment: Some(enrolment) };
            let _: Done = ask(gateway, Method::GatewayAnswerEnrolment, &answer).await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_the_core_did_not_give_is_refused() {
    let scene = Scene::new().await;
    let running = scene.gateway(&FaultyDisk::new(2)).await;
    let identity = scene.folder.path().join("c");
    let body =
        EnrolmentBody { collector: 1, certificate: "x".to_owned(), core_key: vec![1; 32] }.encode_to_vec();
    // A captured gateway does not know the token's secret.
    let forged = Enrolment { answered: true, body, proof: vec![0; 32], refused: String::new() };
    let token = scene.token(5);
    let (enrolled, ()) =
        tokio::join!(collector::enrol(&identity, &token, "n", PATIENCE), answer(&running.gateway, forged));
    let error = enrolled.unwrap_err().to_string();
    assert!(error.contains("not from the house that gave the token"), "{error}");
    assert!(!collector::Enrolled::exists(&identity));
    running.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_of_the_warden_is_told_in_its_words() {
    let scene = Scene::new().await;
    let running = scene.gateway(&FaultyDisk::new(3)).await;
    let identity = scene.folder.path().join("c");
    let refused =
        Enrolment { answered: true, refused: "the token was used before".to_owned(), ..Enrolment::default() };
    let token = scene.token(6);
    let (enrolled, ()) =
        tokio::join!(collector::enrol(&identity, &token, "n", PATIENCE), answer(&running.gateway, refused));
    assert!(enrolled.unwrap_err().to_string().contains("the token was used before"));
    running.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_of_another_house_is_not_spoken_to() {
    let scene = Scene::new().await;
    let other = Scene::new().await;
    let running = other.gateway(&FaultyDisk::new(4)).await;
    let mut token = scene.token(7);
    token.gateway = other.address.to_string();
    let identity = scene.folder.path().join("c");
    let error = collector::enrol(&identity, &token, "n", Duration::from_millis(800)).await.unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{error}");
    let waiting: Enrolments = ask(&running.gateway, Method::GatewayEnrolments, &Done {}).await;
    assert!(waiting.requests.is_empty(), "nothing was told");
    running.kill().await;
}
