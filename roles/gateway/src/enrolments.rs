//! Enrolment requests on their way to the core, and its answers on their way back. Only in memory: a collector
//! that gets no answer asks again with the same request.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use wire::Refused;
use wire::gateway::{AnswerEnrolment, Enrol, Enrolment};

/// Requests kept at a time; strangers must not fill the memory.
const MOST: usize = 64;
/// A request or an answer that nobody fetched is forgotten after this.
const PATIENCE: Duration = Duration::from_secs(600);

/// Requests and answers by token.
#[derive(Default)]
pub(crate) struct Enrolments {
    entries: HashMap<[u8; 16], Entry>,
}

struct Entry {
    request: Enrol,
    answer: Option<Enrolment>,
    since: Instant,
}

fn token(bytes: &[u8]) -> Result<[u8; 16], Refused> {
    Ok(wire::bytes16("token_id", bytes)?)
}

impl Enrolments {
    /// Takes a request; the same one again changes nothing.
    pub(crate) fn ask(&mut self, request: Enrol, now: Instant) -> Result<(), Refused> {
        let id = token(&request.token_id)?;
        if request.proof.len() != 32 {
            return Err(Refused::new("malformed", "an enrolment without a proof of its token"));
        }
        self.entries.retain(|_, e| now.saturating_duration_since(e.since) < PATIENCE);
        let full = self.entries.len() >= MOST;
        match self.entries.get_mut(&id) {
            Some(entry) if entry.request == request => Ok(()),
            // Another request under the same token: the first one may be anybody's, so both go to the core, one
            // after the other; only the proof decides there.
            Some(entry) if entry.answer.is_some() => {
                *entry = Entry { request, answer: None, since: now };
                Ok(())
            }
            Some(_) => {
                Err(Refused::new("enrolments-full", "another request under this token waits; try again"))
            }
            None if full => Err(Refused::new("enrolments-full", "too many enrolments wait; try again")),
            None => {
                self.entries.insert(id, Entry { request, answer: None, since: now });
                Ok(())
            }
        }
    }

    /// The answer to a request, if there is one.
    pub(crate) fn answer_of(&self, token_id: &[u8]) -> Result<Enrolment, Refused> {
        let unknown =
            || Refused::new("unknown-token", "no request under this token waits here; send it again");
        let entry = self.entries.get(&token(token_id)?).ok_or_else(unknown)?;
        Ok(entry.answer.clone().unwrap_or_default())
    }

    /// Requests that have no answer.
    pub(crate) fn waiting(&self) -> Vec<Enrol> {
        self.entries.values().filter(|e| e.answer.is_none()).map(|e| e.request.clone()).collect()
    }

    pub(crate) fn any_waiting(&self) -> bool {
        self.entries.values().any(|e| e.answer.is_none())
    }

    /// The core's answer.
    pub(crate) fn answer(&mut self, answer: AnswerEnrolment) -> Result<(), Refused> {
        if let Some(entry) = self.entries.get_mut(&token(&answer.token_id)?) {
            entry.answer = answer.enrolment.map(|e| Enrolment { answered: true, ..e });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(token: u8, body: u8) -> Enrol {
        Enrol { token_id: vec![token; 16], body: vec![body], proof: vec![0; 32] }
    }

    #[test]
    fn a_request_waits_for_its_answer_and_strangers_cannot_fill_the_memory() {
        let (mut enrolments, now) = (Enrolments::default(), Instant::now());
        assert_eq!(enrolments.answer_of(&[1; 16]).unwrap_err().code, "unknown-token");
        enrolments.ask(request(1, 1), now).unwrap();
        enrolments.ask(request(1, 1), now).unwrap();
        assert_eq!(enrolments.ask(request(1, 2), now).unwrap_err().code, "enrolments-full");
        assert_eq!(enrolments.waiting().len(), 1);
        assert!(!enrolments.answer_of(&[1; 16]).unwrap().answered);
        let answer = AnswerEnrolment { token_id: vec![1; 16], enrolment: Some(Enrolment::default()) };
        enrolments.answer(answer).unwrap();
        assert!(enrolments.answer_of(&[1; 16]).unwrap().answered);
        assert!(!enrolments.any_waiting());
        for n in 0..100 {
            let _ = enrolments.ask(request(n + 2, 1), now);
        }
        assert_eq!(enrolments.entries.len(), MOST);
        enrolments.ask(request(200, 1), now + PATIENCE).unwrap();
        assert_eq!(enrolments.entries.len(), 1);
    }
}
