//! Containers with keys that suppliers sealed to the house: a person carries how a container's key is wrapped, and gets that
//! one key back, sealed to their session. What is in the container never comes here.

use std::sync::PoisonError;

use base::UtcMillis;
use envelope::record::WrappedKey;
use prost::Message;
use seal::hybrid::PublicKey;
use wire::custody::{ErrandAnswer, MAX_WRAPPED, UNWRAPPED_INFO, Unwrap};
use wire::{Refused, bytes32};

use crate::vault::{Failure, Vault, malformed};

/// Containers whose keys are opened for one person in an hour.
pub(crate) const PERSONAL_CONTAINERS: u64 = 100;

impl Vault {
    /// Opens the key of a container. The errand is in the log already, with the container's hash.
    ///
    /// # Errors
    /// `container-elsewhere`, `rate-limited`, `malformed`.
    pub(crate) fn unwrap_key(
        &self,
        wish: &Unwrap,
        person: &str,
        now: UtcMillis,
    ) -> Result<ErrandAnswer, Failure> {
        let digest = bytes32("digest", &wish.digest)?;
        let answer_to = PublicKey::from_bytes(&wish.answer_to)
            .map_err(|_| malformed("the key that the answer is sealed to is none"))?;
        if wish.keys.len() > MAX_WRAPPED {
            return Err(malformed(format!("at most {MAX_WRAPPED} receivers of a container are looked at")));
        }
        let keys = wish.keys.iter().map(|key| WrappedKey::decode(key.as_slice()));
        let keys: Vec<WrappedKey> =
            keys.collect::<Result<_, _>>().map_err(|_| malformed("a wrapped key cannot be read"))?;
        let mut ceiling = self.containers.lock().unwrap_or_else(PoisonError::into_inner);
        if !ceiling.take(person.to_owned(), 1, now) {
            let message =
                format!("at most {PERSONAL_CONTAINERS} containers are opened for one person in an hour");
            return Err(Refused::new("rate-limited", message).into());
        }
        drop(ceiling);
        let key = keys.iter().find_map(|key| self.address.content_key(&self.import, key)).ok_or_else(|| {
            let message = "the container is not sealed to this house; give its sender what `meterkeep keys address` prints";
            Refused::new("container-elsewhere", message)
        })?;
        let sealed = answer_to
            .seal_to(UNWRAPPED_INFO, &digest, key.expose())
            .map_err(|_| malformed("the key cannot be sealed to who asked"))?;
        self.counters.add("custody.unwrap", 1);
        let source: String = wish.source.chars().filter(|c| !c.is_control()).take(80).collect();
        let done = format!("key of the container `{source}` opened for `{person}`");
        Ok(ErrandAnswer { done, container: sealed.to_vec(), ..ErrandAnswer::default() })
    }
}
