//! Who touches a decoy: noticed, told, and not told to them. What they get looks like what they would get of any meter.

use base::{CollectorId, MeterId, UtcMillis};
use grant::act::ListDecoys;
use prost::Message as _;
use seal::hybrid::PublicKey;
use wire::Refused;
use wire::custody::{DECOYS_INFO, Decoy, DecoyList, ErrandAnswer, Step};

use crate::MeterNumber;
use crate::decrypt::Plain;
use crate::table::TableError;
use crate::vault::{Failure, Vault};

/// The code of their alarms.
pub(crate) const DECOY: &str = "decoy";

impl Vault {
    /// Telegrams in the name of decoys: none is ever good, and whoever sent one is told of.
    pub(crate) fn guard_telegrams(
        &self,
        plain: &mut Plain,
        collector: CollectorId,
        now: UtcMillis,
    ) -> Result<(), TableError> {
        let touched = {
            let content = self.table.read();
            if content.decoys.is_empty() {
                return Ok(());
            }
            plain.refuse_decoys(&content.decoys)
        };
        for (number, opened) in touched {
            let text = if opened {
                format!(
                    "a telegram opened under the key of a decoy, heard by {collector}: somebody has that key"
                )
            } else {
                format!("a telegram in the name of a decoy was heard by {collector}: somebody has made it")
            };
            let how = if opened { "opened" } else { "forged" };
            self.touched(number, &format!("{collector} {how}"), &text, now)?;
        }
        Ok(())
    }

    /// Data keys of decoys: they open nothing, and nobody who goes by what is stored asks for them.
    pub(crate) fn guard_series(
        &self,
        meters: impl Iterator<Item = MeterId>,
        who: &str,
        now: UtcMillis,
    ) -> Result<(), TableError> {
        let touched = self.table.read().decoys_of(meters);
        for number in touched {
            self.touched(number, who, &format!("data keys of a decoy were asked for by {who}"), now)?;
        }
        Ok(())
    }

    /// Hand-overs that name decoys: their keys never go out.
    pub(crate) fn guard_handover(
        &self,
        numbers: impl Iterator<Item = MeterNumber>,
        officer: &str,
        now: UtcMillis,
    ) -> Result<(), TableError> {
        let touched: Vec<_> = {
            let content = self.table.read();
            numbers.filter(|number| content.decoys.has(*number)).collect()
        };
        for number in touched {
            let text =
                format!("officer {officer} asked for a hand-over that names a decoy; its key stays here");
            self.touched(number, &format!("officer {officer}"), &text, now)?;
        }
        Ok(())
    }

    fn touched(&self, number: MeterNumber, who: &str, text: &str, now: UtcMillis) -> Result<(), TableError> {
        self.alarms.raise(DECOY, &format!("{} {who}", number.plain()), text, now)
    }

    /// The decoys, sealed to the officer who asks.
    pub(crate) fn list_decoys(&self, wish: &ListDecoys) -> Result<ErrandAnswer, Failure> {
        let to =
            PublicKey::from_bytes(&wish.to).map_err(|error| Refused::new("unfit-key", error.to_string()))?;
        let touches = self.alarms.of_decoys();
        let numbers: Vec<MeterNumber> = self.table.read().decoys.iter().collect();
        let decoy = |number: &MeterNumber| {
            let meter = number.to_string();
            let of_it = touches.iter().filter(|(about, ..)| {
                about.strip_prefix(meter.as_str()).is_some_and(|rest| rest.starts_with(' '))
            });
            let touches =
                of_it.map(|(_, at, text)| Step { what: text.clone(), by: String::new(), at_ms: *at });
            Decoy { touches: touches.collect(), meter }
        };
        let mut list = DecoyList { decoys: numbers.iter().map(decoy).collect() };
        list.decoys.sort_by(|a, b| a.meter.cmp(&b.meter));
        let container = to
            .seal_to(DECOYS_INFO, &[], &list.encode_to_vec())
            .map_err(|error| Refused::new("not-sealed", error.to_string()))?
            .to_vec();
        Ok(ErrandAnswer { container, ..ErrandAnswer::default() })
    }
}
