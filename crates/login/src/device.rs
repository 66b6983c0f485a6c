//! Devices on which somebody has signed in before. That is no factor: it only keeps strangers' guesses from slowing them.

use base::{Secret, UtcMillis};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::Refusal;
use crate::bytes::{Reader, Writer};

/// How many a person has at most; the one unused for longest makes room.
pub const DEVICES: usize = 10;
/// A device that was not used for so long is a stranger again.
pub const FORGOTTEN_AFTER: i64 = 180 * 24 * 60 * 60 * 1000;

/// What the device keeps: 32 random bytes.
pub struct DeviceToken(Secret<32>);

/// Names a device of one person, in the throttle and in logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(pub [u8; 16]);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Device {
    hash: [u8; 32],
    used: UtcMillis,
}

/// The devices of a person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Devices(Vec<Device>);

impl DeviceToken {
    /// The token, to be given to the device once.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

impl Devices {
    /// Gives a device a token, after a sign-in on it succeeded.
    ///
    /// # Errors
    /// [`Refusal::Machine`] without randomness.
    pub fn remember(&mut self, now: UtcMillis) -> Result<DeviceToken, Refusal> {
        let token = Secret::random().map_err(|_| Refusal::Machine)?;
        self.0.retain(|device| now.since(device.used) < FORGOTTEN_AFTER);
        while self.0.len() >= DEVICES {
            let oldest = self.0.iter().enumerate().min_by_key(|(_, device)| device.used);
            let Some((at, _)) = oldest else { break };
            self.0.swap_remove(at);
        }
        self.0.push(Device { hash: hash(token.expose()), used: now });
        Ok(DeviceToken(token))
    }

    /// The device that shows a token.
    #[must_use]
    pub fn recognise(&self, token: &[u8], now: UtcMillis) -> Option<DeviceId> {
        let shown = hash(token);
        let mut found = None;
        for device in &self.0 {
            if bool::from(device.hash.ct_eq(&shown)) && now.since(device.used) < FORGOTTEN_AFTER {
                found = Some(id(&device.hash));
            }
        }
        found
    }

    /// Notes that somebody signed in on it.
    pub fn used(&mut self, device: DeviceId, now: UtcMillis) {
        if let Some(device) = self.0.iter_mut().find(|d| id(&d.hash) == device) {
            device.used = device.used.max(now);
        }
    }

    /// Forgets all of them, when one was lost.
    pub fn forget_all(&mut self) {
        self.0.clear();
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        to.each(&self.0, |to, device| {
            to.bytes(&device.hash).time(device.used);
        });
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.each(DEVICES, |from| Some(Device { hash: from.array()?, used: from.time()? })).map(Self)
    }
}

fn hash(token: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update("meterkeep/device/1/").chain_update(token).finalize().into()
}

fn id(hash: &[u8; 32]) -> DeviceId {
    let (head, _) = hash.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
    DeviceId(*head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::challenge::tests::NOW;

    #[test]
    fn a_device_is_recognised_until_it_is_forgotten() {
        let mut devices = Devices::default();
        let token = devices.remember(NOW).unwrap();
        let id = devices.recognise(token.expose(), NOW).unwrap();
        assert_eq!(devices.recognise(&[0; 32], NOW), None);
        assert_eq!(devices.recognise(token.expose(), NOW.plus(FORGOTTEN_AFTER)), None);
        devices.used(id, NOW.plus(FORGOTTEN_AFTER - 1));
        assert_eq!(devices.recognise(token.expose(), NOW.plus(FORGOTTEN_AFTER)), Some(id));
        for _ in 0..DEVICES {
            devices.remember(NOW.plus(FORGOTTEN_AFTER)).unwrap();
        }
        assert_eq!(devices.0.len(), DEVICES);
        assert_eq!(
            devices.recognise(token.expose(), NOW.plus(FORGOTTEN_AFTER)),
            None,
            "the oldest made room"
        );
    }
}
