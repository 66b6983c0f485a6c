//! Errands of key custody: recorded, relayed to the vault, and what came of them recorded, too. The archive reads an act
//! only to say in the log what is asked; whether it counts is the vault's to say.

use base::UtcMillis;
use grant::act::{Act, Deed};
use grant::{Body, Event, MAX_DETAIL, Outcome, Request, Verified};
use prost::Message;
use recorder::gate::Gate;
use recorder::{Entry, Record};
use wire::Refused;
use wire::custody::{Carried, Errand, ErrandAnswer, VaultErrand};

use crate::subjects::Tag;
use crate::vaults::Vault;

/// Does an errand that was admitted. What is about one meter names those who hold or held it, and says which it is to them alone.
pub(crate) async fn errand<R: Record, V: Vault>(
    gate: &Gate<R>,
    vault: &V,
    encoded: &[u8],
    request: &Verified<Request>,
    about_meter: Option<(Vec<Tag>, Vec<Body>)>,
    now: UtcMillis,
) -> Result<ErrandAnswer, Refused> {
    let asked = asked(&request.body)?;
    let is_of_meter = about_meter.is_some();
    let (subjects, bodies) = about_meter.unwrap_or_default();
    let passed = gate.pass_telling(request, None, (&subjects, bodies), asked, now).await?;
    let Entry { number, event, receipt } = passed.entry;
    let answer = vault.custody(VaultErrand { request: encoded.to_vec(), event, receipt }).await?;
    if !answer.done.is_empty() {
        // That it may be done stands in the log already; that it was is for who reads it later. When the log fails
        // now, the answer still goes out: a code or a container that nobody gets would be lost.
        // of one meter the answer says which it is, and the log does not
        let detail = if is_of_meter { format!("done as entry {number} asks") } else { line(&answer.done) };
        let done = Event::of_request(now, "archive", request, Outcome::Done);
        gate.note_done(Event { detail, subjects, ..done }).await;
    }
    Ok(answer)
}

/// The one meter that an errand is about, where it is about one: those who hold or held it are named in the log, and it is not.
pub(crate) fn meter_of(body: &[u8]) -> Option<String> {
    match Errand::decode(body).ok()?.carried? {
        Carried::Life(wish) => Some(wish.meter),
        Carried::Retire(wish) => Some(wish.meter),
        _ => None,
    }
}

/// What is asked, in a line for the log: no meter, and nothing that somebody wrote of their own. A reason stands with what it is
/// the reason of, in the vault.
fn asked(body: &[u8]) -> Result<String, Refused> {
    let malformed = |what: &str| Refused::new("malformed", format!("the errand {what}"));
    let errand = Errand::decode(body).map_err(|_| malformed("cannot be read"))?;
    let text = match errand.carried.ok_or_else(|| malformed("carries nothing"))? {
        Carried::Act(act) => {
            let (act, _) = Act::read(&act).map_err(|e| Refused::new("malformed", e.to_string()))?;
            format!("{} by officer `{}`{}", act.deed.word(), act.officer, about(&act.deed))
        }
        Carried::Fetch(fetch) => format!("fetch of hand-over {}", fetch.handover),
        Carried::Acknowledge(answer) => format!("acknowledgement of hand-over {}", answer.handover),
        Carried::Look(look) if look.handover == 0 => "list of receivers and hand-overs".to_owned(),
        Carried::Look(look) => format!("look at hand-over {}", look.handover),
        Carried::Erasures(look) if look.erasure == 0 => "list of erasures and holds".to_owned(),
        Carried::Erasures(look) => format!("look at erasure {}", look.erasure),
        Carried::Certificate(erasure) => format!("certificate of erasure {erasure}"),
        Carried::Life(_) => "look at the life of the keys of a meter".to_owned(),
        Carried::Retire(wish) if wish.take_back => "a meter is not retired after all".to_owned(),
        Carried::Retire(wish) => {
            format!("keys of a meter retired for what is heard from {}", UtcMillis(wish.from_ms))
        }
        Carried::Rekey(wish) => format!("new keys for {} meters", wish.meters.len()),
        Carried::Unwrap(wish) => {
            format!("key of a container, `{}`, SHA-256 {}", short(&wish.source), hex::encode(&wish.digest))
        }
        Carried::Address(_) => "what suppliers seal to".to_owned(),
        Carried::Keys(wish) if wish.state.is_empty() => "report of keys by delivery".to_owned(),
        Carried::Keys(wish) => {
            format!("report of keys by delivery, and of the meters whose are {}", wish.state)
        }
    };
    Ok(line(&text))
}

fn about(deed: &Deed) -> String {
    match deed {
        Deed::Register(wish) => format!(": `{}`", wish.name),
        Deed::Admit(wish) => format!(": receiver {}", wish.recipient),
        Deed::Remove(wish) => format!(": receiver {}", wish.recipient),
        Deed::Request(wish) => {
            let (count, to) = (wish.meters.len(), wish.recipient);
            format!(": keys of {count} meters for receiver {to}")
        }
        Deed::Approve(wish) => format!(": hand-over {}", wish.handover),
        Deed::Withdraw(wish) => format!(": hand-over {}", wish.handover),
        Deed::Hold(wish) => format!(": {} tenancies", wish.tenancies.len()),
        Deed::Erase(wish) => format!(
            ": {} tenancies, {} periods, {} holds lifted",
            wish.tenancies.len(),
            wish.periods.len(),
            wish.holds.len()
        ),
        Deed::ApproveErasure(wish) => format!(": erasure {}", wish.erasure),
        Deed::WithdrawErasure(wish) => format!(": erasure {}", wish.erasure),
        Deed::Decoys(_) => String::new(),
    }
}

/// A file's name as the log takes it.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// A line that fits an event.
pub(crate) fn line(text: &str) -> String {
    let mut line: String = text.chars().filter(|c| !c.is_control()).collect();
    while line.len() > MAX_DETAIL {
        line.pop();
    }
    line
}
