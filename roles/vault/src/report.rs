//! Which keys can be relied on: proven by a telegram, unproven so far, or wrong; by the delivery that they came with.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base::UtcMillis;
use wire::custody::{Delivery, ErrandAnswer, KeyRow, KeysWish};
use wire::vault::Verdict;

use crate::MeterNumber;
use crate::fresh::{Presented, Secs};
use crate::vault::Vault;

/// Meters whose telegrams did not open that are remembered; more are counted only.
const MAX_WRONG: usize = 65_536;
/// A key is unused when nothing has opened under it for so long: 40 days, in milliseconds.
const UNUSED_MS: i64 = 40 * 24 * 3_600_000;
/// Keys in one answer.
const MAX_ROWS: usize = 5000;

/// Meters whose telegrams did not open under their key, since this start.
#[derive(Default)]
pub(crate) struct WrongKeys(Mutex<HashMap<MeterNumber, u32>>);

impl WrongKeys {
    /// Takes up a batch's verdicts.
    pub(crate) fn note(&self, presented: &[Presented], verdicts: &[Verdict]) {
        let wrong = |verdict: &Verdict| matches!(verdict, Verdict::WrongKey | Verdict::MacMismatch);
        if !verdicts.iter().any(wrong) {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (p, _) in presented.iter().zip(verdicts).filter(|(_, verdict)| wrong(verdict)) {
            if known.len() < MAX_WRONG || known.contains_key(&p.number) {
                let count = known.entry(p.number).or_default();
                *count = count.saturating_add(1);
            }
        }
    }

    pub(crate) fn of(&self, number: MeterNumber) -> u32 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&number).copied().unwrap_or_default()
    }
}

impl Vault {
    /// The deliveries with how their keys do, and the keys in the state that was asked for.
    pub(crate) fn report(&self, wish: &KeysWish, now: UtcMillis) -> ErrandAnswer {
        // A long answer goes on where it ended; the counts came with its beginning.
        let after = MeterNumber(wish.after.as_slice().try_into().unwrap_or_default());
        let handed_over = self.desk.handed_over();
        let content = self.table.read();
        let mut all: Vec<(MeterNumber, u32, &'static str)> = content
            .keys
            .deliveries()
            .map(|(number, delivery)| (number, delivery, "DEK"))
            .chain(content.units.deliveries().map(|(number, delivery)| (number, delivery, "GUEK")))
            .filter(|(number, ..)| wish.after.is_empty() || *number > after)
            .collect();
        all.sort_unstable();
        let proven = self.fresh.proven(all.iter().map(|(number, ..)| *number));
        let named = content.deliveries().iter().map(|d| (d.at.0, d.source.clone()));
        let mut deliveries: Vec<Delivery> = std::iter::once((0, String::new()))
            .chain(named)
            .zip(0..)
            .map(|((at_ms, source), number)| Delivery { number, at_ms, source, ..Delivery::default() })
            .collect();
        let mut answer = ErrandAnswer::default();
        let old = Secs::of(now.plus(-UNUSED_MS));
        for ((number, delivery, role), (proven, heard)) in all.into_iter().zip(proven) {
            let wrong = if proven { 0 } else { self.wrong.of(number) };
            let exposed = content.is_exposed(number);
            let state = if proven {
                "proven"
            } else if wrong > 0 {
                "wrong"
            } else {
                "unproven"
            };
            let of = usize::try_from(delivery).ok().and_then(|at| deliveries.get_mut(at));
            let came = of.as_ref().map_or(0, |of| of.at_ms);
            let retired = content.lives.retired_from(number).is_some();
            let unused = !retired && heard.unwrap_or(Secs::of(UtcMillis(came))) < old;
            if let Some(of) = of {
                of.unused = of.unused.saturating_add(u64::from(unused));
                let count = match state {
                    "proven" => &mut of.proven,
                    "wrong" => &mut of.wrong,
                    _ => &mut of.unproven,
                };
                *count = count.saturating_add(1);
                of.exposed = of.exposed.saturating_add(u64::from(exposed));
            }
            let receivers = handed_over.get(&number.plain());
            let wanted = match wish.state.as_str() {
                "all" => true,
                "exposed" => exposed,
                "handed-over" => receivers.is_some(),
                "retired" => retired,
                "unused" => unused,
                "rekey-pending" => role == "GUEK" && content.lives.is_pending(number),
                "fixed" => content.is_fixed(number, role),
                other => other == state,
            };
            if wanted {
                if answer.keys.len() < MAX_ROWS {
                    let (meter, state) = (number.plain().to_string(), state.to_owned());
                    let number = number.as_bytes().to_vec();
                    answer.keys.push(KeyRow {
                        meter,
                        number,
                        role: role.to_owned(),
                        state,
                        exposed,
                        delivery,
                        refused_telegrams: wrong,
                        receivers: receivers.into_iter().flatten().copied().collect(),
                    });
                } else {
                    answer.more = true;
                }
            }
        }
        if wish.after.is_empty() {
            // the one without a name is for keys of earlier editions
            deliveries.retain(|d| d.number > 0 || d.proven + d.unproven + d.wrong > 0);
            answer.deliveries = deliveries;
        }
        answer
    }
}
