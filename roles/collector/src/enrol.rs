//! Becoming a collector of a house, with a one-time token.
//!
//! The collector makes its own keys and sends only their public halves; the HMAC under the token's secret shows
//! the core that the request is from whom it gave the token to, and shows the collector that the answer is the
//! core's. The gateway in between can neither put in keys of its own nor choose which core is pinned.

use std::path::Path;
use std::time::{Duration, Instant};

use link::{CallError, Client, Target, Trust};
use wire::gateway::{Done, Enrol, Enrolment, EnrolmentBody, EnrolmentRequest};
use wire::{Message, Method, Room};

use crate::CollectorError;
use crate::identity::{About, Enrolled, Pending};
use crate::token::Token;

const CALL: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(500);

/// Enrols with a token and stores the identity. Asking again after a crash, with the same token, goes on.
///
/// # Errors
/// [`CollectorError::Enrolment`] when the house refuses (a token is good once, and for a while), when no answer
/// comes within `patience`, or when the answer is not the core's.
pub async fn enrol(
    folder: &Path,
    token: &Token,
    name: &str,
    patience: Duration,
) -> Result<About, CollectorError> {
    let failed = CollectorError::Enrolment;
    if Enrolled::exists(folder) {
        return Err(failed(format!("`{}` is enrolled already; choose another folder", folder.display())));
    }
    let house = token.authority_pem();
    let trust = Trust::from_pem(&house)?;
    // A client shows nothing: it has no certificate yet.
    let client = Client::new(Room::Gateway, Target::Tcp(token.gateway.clone()), None, &trust)?;
    let Pending { body } = Pending::prepare(folder, token.id, name)?;
    let request =
        Enrol { token_id: token.id.to_vec(), proof: seal::mac::code(&token.secret, &body).to_vec(), body };
    let answer = ask(&client, &request, patience).await?;
    if !answer.refused.is_empty() {
        return Err(failed(answer.refused));
    }
    if !seal::mac::fits(&token.secret, &answer.body, &answer.proof) {
        return Err(failed("the answer is not from the house that gave the token".to_owned()));
    }
    let body = EnrolmentBody::decode(answer.body.as_slice())
        .map_err(|_| failed("the answer cannot be read".to_owned()))?;
    if body.collector == 0 || body.core_key.len() != 32 || body.certificate.is_empty() {
        return Err(failed("the answer is not complete".to_owned()));
    }
    let about = About {
        collector: body.collector,
        name: name.to_owned(),
        gateway: token.gateway.clone(),
        core_key: hex::encode(&body.core_key),
    };
    Enrolled::store(folder, &about, &body.certificate, &house)?;
    // What cannot be loaded is told now and not at the next start.
    Enrolled::load(folder)?;
    Ok(about)
}

/// Hands the request over and waits for the core's answer. A gateway that was restarted has forgotten the
/// request, so it is sent again then; the same request is the same enrolment.
async fn ask(client: &Client, request: &Enrol, patience: Duration) -> Result<Enrolment, CollectorError> {
    let until = Instant::now() + patience;
    let mut handed_over = false;
    let mut trouble = "the gateway has not answered".to_owned();
    while Instant::now() < until {
        if !handed_over {
            match client.call::<_, Done>(Method::GatewayEnrol, request, CALL).await {
                Ok(_) => handed_over = true,
                Err(CallError::Refused { code, message }) if code != "enrolments-full" => {
                    return Err(CollectorError::Enrolment(message));
                }
                Err(error) => trouble = error.to_string(),
            }
        } else {
            let question = EnrolmentRequest { token_id: request.token_id.clone() };
            match client.call::<_, Enrolment>(Method::GatewayEnrolment, &question, CALL).await {
                Ok(answer) if answer.answered => return Ok(answer),
                Ok(_) => "the core has not answered".clone_into(&mut trouble),
                Err(CallError::Refused { code, .. }) if code == "unknown-token" => handed_over = false,
                Err(error) => trouble = error.to_string(),
            }
        }
        tokio::time::sleep(POLL).await;
    }
    Err(CollectorError::Enrolment(format!("{trouble}; run the same command again to go on")))
}
