//! The room's answers: sealed at first, then the opened vault's, each on a thread where it may block.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use base::UtcMillis;
use bytes::Bytes;
use house::Counters;
use link::{Caller, Service, Shutdown};
use prost::Message;
use wire::gateway::Done;
use wire::health::{Health, HealthRequest};
use wire::vault::{DataKeys, LogRequest, PositionsRequest, SubjectTagsAnswer};
use wire::{Method, Refused};
use zeroize::Zeroize;

use crate::term::TermError;
use crate::vault::{Failure, Vault};

/// How often it is looked whether a new term is due.
const LOOK_FOR_TERMS: Duration = Duration::from_secs(5);

/// The vault as a room.
pub struct VaultRoom {
    vault: OnceLock<Arc<Vault>>,
    counters: Arc<Counters>,
    shutdown: Shutdown,
    broken: Mutex<Option<String>>,
}

impl VaultRoom {
    /// A sealed room. `shutdown` is cancelled when the disk fails.
    #[must_use]
    pub fn sealed(counters: Arc<Counters>, shutdown: Shutdown) -> Self {
        Self { vault: OnceLock::new(), counters, shutdown, broken: Mutex::new(None) }
    }

    /// From now on the vault answers.
    pub fn unseal(&self, vault: Vault) {
        if self.vault.set(Arc::new(vault)).is_ok() {
            tracing::info!("the vault is open");
        }
    }

    /// The opened vault.
    #[must_use]
    pub fn opened(&self) -> Option<Arc<Vault>> {
        self.vault.get().cloned()
    }

    /// Why the room had to stop, if it had to.
    #[must_use]
    pub fn broken(&self) -> Option<String> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins a new term whenever one is due, until the room stops.
    pub(crate) async fn keep_terms(&self) {
        let mut told = false;
        while let Some(vault) = self.opened() {
            let renewed = tokio::task::spawn_blocking(move || vault.renew_term(UtcMillis::now())).await;
            match renewed {
                Ok(Err(TermError::Unsure(why))) => return self.stop(why.to_string()),
                // it is tried again; people hear of it once
                Ok(Err(error)) if !std::mem::replace(&mut told, true) => {
                    self.counters.note(format!("no new term of the vault's keys could begin: {error}"));
                }
                Ok(Ok(_)) => told = false,
                _ => {}
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = tokio::time::sleep(LOOK_FOR_TERMS) => {}
            }
        }
    }

    /// Stops the room, because it cannot go on.
    fn stop(&self, why: String) {
        tracing::error!(error = %why, "the vault cannot go on");
        *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        self.shutdown.cancel();
    }

    async fn health(&self) -> Health {
        let Some(vault) = self.opened() else { return self.counters.health("sealed") };
        // counting the keys takes a while when there are many
        let state = if vault.is_put_back() { "put-back" } else { "ready" };
        let _ = tokio::task::spawn_blocking(move || vault.gauge()).await;
        self.counters.health(state)
    }

    async fn work<Q: Message + Default + 'static>(
        &self,
        method: Method,
        body: Bytes,
        work: impl FnOnce(&Vault, Q) -> Result<Bytes, Failure> + Send + 'static,
    ) -> Result<Bytes, Refused> {
        let vault = self.opened().ok_or_else(|| {
            Refused::new(
                "sealed",
                "the vault is sealed; start it with its passphrase, officers' shares or a token",
            )
        })?;
        vault.may(method)?;
        let question = Q::decode(body)
            .map_err(|e| Refused::new("malformed", format!("the message cannot be read: {e}")))?;
        let done = tokio::task::spawn_blocking(move || work(&vault, question)).await;
        match done {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Failure::Refused(refused))) => Err(refused),
            Ok(Err(Failure::Broken(why))) => {
                self.stop(why);
                Err(Refused::new(
                    "vault-stopped",
                    "the vault's disk failed; it starts again from what is on it",
                ))
            }
            Err(panicked) => {
                tracing::error!(error = %panicked, "a call failed");
                Err(Refused::new("internal", "the vault failed at this call; its log says where"))
            }
        }
    }
}

fn encoded(answer: impl Message) -> Bytes {
    answer.encode_to_vec().into()
}

/// Encodes keys and wipes them where they were gathered.
fn encoded_keys(mut answer: DataKeys) -> Bytes {
    let bytes = answer.encode_to_vec();
    answer.keys.zeroize();
    bytes.into()
}

fn encoded_tags(mut answer: SubjectTagsAnswer) -> Bytes {
    let bytes = answer.encode_to_vec();
    answer.keys.zeroize();
    bytes.into()
}

impl Service for VaultRoom {
    async fn call(&self, _: Caller, method: Method, body: Bytes) -> Result<Bytes, Refused> {
        let now = UtcMillis::now();
        match method {
            Method::Health => link::answer(body, |_: HealthRequest| async { Ok(self.health().await) }).await,
            Method::VaultDecryptFrames => {
                self.work(method, body, move |vault, q| vault.decrypt_frames(&q, now).map(encoded)).await
            }
            Method::VaultCommitted => {
                self.work(method, body, move |vault, q| vault.committed(&q, now).map(encoded)).await
            }
            Method::VaultPositions => {
                self.work(method, body, |vault, _: PositionsRequest| Ok(encoded(vault.positions()))).await
            }
            Method::VaultSealingKeys => {
                self.work(method, body, move |vault, q| vault.sealing_keys(&q, now).map(encoded_keys)).await
            }
            Method::VaultReleaseKeys => {
                self.work(method, body, move |vault, q| vault.release_keys(&q, now).map(encoded_keys)).await
            }
            Method::VaultContactKeys => {
                self.work(method, body, move |vault, q| vault.contact_keys(&q, now).map(encoded_keys)).await
            }
            Method::VaultBodyKeys => {
                self.work(method, body, move |vault, q| vault.body_keys(&q, now).map(encoded_keys)).await
            }
            Method::VaultResealKeys => {
                self.work(method, body, move |vault, q| vault.reseal_keys(&q, now).map(encoded_keys)).await
            }
            Method::VaultImportKeys => {
                self.work(method, body, move |vault, q| vault.import_keys(&q, now).map(encoded)).await
            }
            Method::VaultTenancy => {
                self.work(method, body, move |vault, q| vault.tenancy(&q, now).map(|()| encoded(Done {})))
                    .await
            }
            Method::VaultSubjectTags => {
                self.work(method, body, move |vault, q| vault.subject_tags(&q, now).map(encoded_tags)).await
            }
            Method::VaultReleases => {
                self.work(method, body, |vault, q| vault.releases(&q).map(encoded)).await
            }
            Method::VaultMark => {
                self.work(method, body, move |vault, q| vault.mark(&q, now).map(encoded)).await
            }
            Method::VaultErasures => {
                self.work(method, body, move |vault, q| vault.erasures(&q, now).map(encoded)).await
            }
            Method::VaultLog => {
                self.work(method, body, |vault, _: LogRequest| Ok(encoded(vault.log_seen()))).await
            }
            Method::VaultAlarms => {
                self.work(method, body, |vault, q| vault.untold_alarms(&q).map(encoded)).await
            }
            Method::VaultCustody => {
                self.work(method, body, move |vault, q| vault.custody(&q, now).map(encoded)).await
            }
            other => Err(Refused::new("not-here", format!("the vault does not answer `{other}`"))),
        }
    }
}
