//! Errands about the life of keys: seeing it, retiring a meter's keys, and making new ones.

use base::UtcMillis;
use wire::Refused;
use wire::custody::{ErrandAnswer, KeyLife, KeyTransfer, MAX_REKEYED, RekeyWish, RetireWish, Step};
use wire::vault::Verdict;

use crate::MeterNumber;
use crate::decrypt::Plain;
use crate::vault::{Failure, Vault, malformed};

fn number_of(name: &str) -> Result<MeterNumber, Refused> {
    let parts = name.split_once('-').and_then(|(maker, serial)| MeterNumber::from_parts(maker, serial));
    parts
        .ok_or_else(|| Refused::new("no-meter", format!("`{name}` names no meter; write it as KAM-12345678")))
}

fn no_key(name: &str) -> Refused {
    Refused::new("no-key", format!("the vault has no key of {name}"))
}

impl Vault {
    /// What happened to a meter's keys, and by whom.
    pub(crate) fn life(&self, name: &str, now: UtcMillis) -> Result<ErrandAnswer, Failure> {
        let meter = number_of(name)?;
        let handed = self.desk.handovers_of(&meter.to_string());
        let content = self.table.read();
        let keys = content.keys.delivery_of(meter).map(|delivery| (meter, delivery, "DEK"));
        let units = content.units.delivery_of(meter).map(|(number, delivery)| (number, delivery, "GUEK"));
        let mut lives = Vec::new();
        for (number, delivery, role) in keys.into_iter().chain(units) {
            let step = |what: String, by: &str, at: UtcMillis| Step { what, by: by.to_owned(), at_ms: at.0 };
            let mut steps: Vec<Step> = Vec::new();
            let came =
                usize::try_from(delivery).ok().and_then(|n| content.deliveries().get(n.checked_sub(1)?));
            steps.extend(came.map(|came| {
                step(format!("imported with delivery {delivery}, {}", came.source), &came.person, came.at)
            }));
            let proven_at = content.lives.proven_at(number);
            steps.extend(proven_at.map(|at| step("proven by its telegrams".to_owned(), "", at)));
            let mut others = content.lives.steps(meter);
            others.retain(|step| {
                role == "GUEK" || !matches!(step.what.as_str(), "rekey-requested" | "replaced")
            });
            steps.append(&mut others);
            for (at, officer, receiver) in &handed {
                steps.push(step(format!("handed over to receiver {receiver}"), officer, *at));
            }
            steps.sort_by_key(|step| step.at_ms);
            let retired = content.lives.retired_from(meter);
            let proven =
                self.fresh.proven(std::iter::once(number)).first().is_some_and(|(proven, _)| *proven);
            let state = if retired.is_some_and(|from| from <= now) {
                "retired"
            } else if proven {
                "proven"
            } else if self.wrong.of(number) > 0 {
                "wrong"
            } else {
                "unproven"
            };
            lives.push(KeyLife {
                role: role.to_owned(),
                state: state.to_owned(),
                changeable: !content.is_fixed(number, role),
                pending: role == "GUEK" && content.lives.is_pending(meter),
                retired_from_ms: retired.map_or(0, |from| from.0),
                steps,
            });
        }
        if lives.is_empty() {
            return Err(no_key(name).into());
        }
        Ok(ErrandAnswer { lives, ..ErrandAnswer::default() })
    }

    /// Retires a meter's keys: telegrams heard from then on are refused, late ones from before are taken.
    pub(crate) fn retire(
        &self,
        wish: &RetireWish,
        person: &str,
        now: UtcMillis,
    ) -> Result<ErrandAnswer, Failure> {
        let meter = number_of(&wish.meter)?;
        {
            let content = self.table.read();
            if content.keys.get(meter).is_none() && content.units.get(meter).is_none() {
                return Err(no_key(&wish.meter).into());
            }
            if wish.take_back && content.lives.retired_from(meter).is_none() {
                return Err(Refused::new("not-retired", format!("{meter} is not retired")).into());
            }
        }
        let from = (!wish.take_back).then_some(UtcMillis(wish.from_ms));
        self.table.retire(meter, from, (person, now))?;
        self.counters.add("custody.retire", 1);
        let done = match from {
            Some(from) => format!("{meter} retired: what is heard from {from} is refused"),
            None => format!("{meter} is not retired any more"),
        };
        Ok(ErrandAnswer { done, ..ErrandAnswer::default() })
    }

    /// Makes new keys for meters that can take them, all or none, wrapped under each one's master key.
    pub(crate) fn rekey(
        &self,
        wish: &RekeyWish,
        person: &str,
        now: UtcMillis,
    ) -> Result<ErrandAnswer, Failure> {
        if wish.meters.is_empty() || wish.meters.len() > MAX_REKEYED {
            return Err(malformed(format!("ask for new keys of 1 to {MAX_REKEYED} meters")));
        }
        let meters = wish.meters.iter().map(|name| number_of(name)).collect::<Result<Vec<_>, _>>()?;
        {
            let content = self.table.read();
            let without: Vec<String> = meters
                .iter()
                .filter(|meter| content.units.master(**meter).is_none())
                .take(10)
                .map(ToString::to_string)
                .collect();
            if !without.is_empty() {
                let message = format!(
                    "the keys of {} are fixed: no master key of theirs is here; `meterkeep keys fixed` lists such meters",
                    without.join(", ")
                );
                return Err(Refused::new("no-master-key", message).into());
            }
        }
        let mut transfers = Vec::with_capacity(meters.len());
        for meter in meters {
            let made = self.table.rekey(meter, (person, now))?;
            let parameters = made.ok_or_else(|| no_key(&meter.to_string()))?;
            transfers.push(KeyTransfer { meter: meter.to_string(), parameters });
        }
        self.counters.add("custody.rekey", transfers.len() as u64);
        let done = format!("new keys of {} meters wait for their meters", transfers.len());
        Ok(ErrandAnswer { transfers, done, ..ErrandAnswer::default() })
    }

    /// Notes which meters have taken their new keys, as good telegrams of theirs show.
    pub(crate) fn note_rekeyed(
        &self,
        plain: &Plain,
        verdicts: &[Verdict],
        now: UtcMillis,
    ) -> Result<(), Failure> {
        if plain.rekeyed.is_empty() {
            return Ok(());
        }
        // a replay under the new key would have been one under it before, so that only what is taken counts
        let taken = plain.presented.iter().zip(verdicts).filter(|(_, verdict)| verdict.has_plaintext());
        let good: std::collections::HashSet<MeterNumber> = taken.map(|(p, _)| p.number.plain()).collect();
        let shown: Vec<_> = plain.rekeyed.iter().filter(|(n, _)| good.contains(n)).copied().collect();
        let count = self.table.rekeyed(&shown, now)?;
        self.counters.add("keys.rekeyed", count);
        Ok(())
    }
}
