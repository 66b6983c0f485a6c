//! The vault's alarms go into the log: it speaks to no ledger itself.

use base::UtcMillis;
use grant::{Event, Outcome};
use recorder::Record;
use wire::Refused;
use wire::alarm::{ALARM_ACTION, AlarmsRequest};

use crate::custody::line;
use crate::vaults::Vault;

/// Records all alarms that are not in the log yet, oldest first. Gives how many.
///
/// # Errors
/// The vault or the log: what was not confirmed to the vault is recorded again, under the same number.
pub(crate) async fn record<R: Record, V: Vault>(
    recorder: &R,
    vault: &V,
    now: UtcMillis,
) -> Result<u64, Refused> {
    let (mut recorded_up_to, mut count) = (0, 0);
    loop {
        let answer = vault.alarms(AlarmsRequest { recorded_up_to }).await?;
        let Some(last) = answer.alarms.last().map(|alarm| alarm.number) else { return Ok(count) };
        for alarm in &answer.alarms {
            let at = UtcMillis(alarm.at_ms);
            let detail = line(&format!("alarm {} of {at}: {}: {}", alarm.number, alarm.code, alarm.text));
            let event = Event { detail, ..Event::new(now, "archive", ALARM_ACTION, Outcome::Done) };
            recorder.record_one(event).await.map_err(Refused::from)?;
            count += 1;
        }
        if last <= recorded_up_to {
            return Err(Refused::new("vault-garbled", "the vault's alarms do not ascend"));
        }
        recorded_up_to = last;
    }
}
