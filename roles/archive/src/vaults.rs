//! What the archive asks of the vault.

use std::future::Future;
use std::time::Duration;

use std::sync::Arc;

use base::{MeterId, TenancyId, UtcMillis};
use bytes::Bytes;
use link::{CallError, Client};
use prost::Message;
use recorder::Prover;
use store::register::Span;
use wire::alarm::{Alarms, AlarmsRequest};
use wire::custody::{ErrandAnswer, REFUSALS, VaultErrand};
use wire::erasure::{Erasures, ErasuresAnswer};
use wire::gateway::Done;
use wire::mark::{MarkAnswer, PresentMark};
use wire::proven::Proven;
use wire::vault::{
    BodyKeys, ContactKeys, DataKeys, ImportKeys, ImportReport, ReleaseKeys, SubjectTags, SubjectTagsAnswer,
    Tenancy, TenancySpan,
};
use wire::{Method, Refused, Room};
use zeroize::Zeroize;

use crate::marks::Marks;

/// How long the vault may take for one call.
const PATIENCE: Duration = Duration::from_secs(30);

/// The vault, as far as the archive may call it.
pub(crate) trait Vault: Send + Sync + 'static {
    /// Data keys for reading.
    fn release(&self, question: ReleaseKeys) -> impl Future<Output = Result<DataKeys, Refused>> + Send;

    /// Keys of contacts.
    fn contact_keys(&self, question: ContactKeys) -> impl Future<Output = Result<DataKeys, Refused>> + Send;

    /// Keys of what the log says of single data subjects.
    fn body_keys(&self, question: BodyKeys) -> impl Future<Output = Result<DataKeys, Refused>> + Send;

    /// The tags of data subjects.
    fn subject_tags(
        &self,
        question: SubjectTags,
    ) -> impl Future<Output = Result<SubjectTagsAnswer, Refused>> + Send;

    /// Tells of tenancies that begin or end.
    fn tenancy(&self, change: Tenancy) -> impl Future<Output = Result<(), Refused>> + Send;

    /// Hands over sealed meter keys.
    fn import(&self, keys: ImportKeys) -> impl Future<Output = Result<ImportReport, Refused>> + Send;

    /// Shows the newest mark of the log, and asks how far the vault has come.
    fn mark(&self, shown: PresentMark) -> impl Future<Output = Result<MarkAnswer, Refused>> + Send;

    /// Shows erasures that the vault may have forgotten, and asks for those that are new.
    fn erasures(&self, question: Erasures) -> impl Future<Output = Result<ErasuresAnswer, Refused>> + Send;

    /// The vault's alarms that are not in the log yet.
    fn alarms(&self, question: AlarmsRequest) -> impl Future<Output = Result<Alarms, Refused>> + Send;

    /// Relays an errand of key custody.
    fn custody(&self, errand: VaultErrand) -> impl Future<Output = Result<ErrandAnswer, Refused>> + Send;
}

/// The house's vault.
pub(crate) struct LinkedVault {
    client: Client,
    prover: Prover,
    marks: Arc<Marks>,
}

impl LinkedVault {
    pub(crate) const fn new(client: Client, prover: Prover, marks: Arc<Marks>) -> Self {
        Self { client, prover, marks }
    }

    /// A call. A vault that has just started is shown the newest mark first.
    async fn ask(&self, method: Method, question: &mut impl Proven) -> Result<Bytes, CallError> {
        match self.prover.call(&self.client, method, question, PATIENCE).await {
            Err(CallError::Refused { code, .. }) if code == "mark-first" => {
                self.show_mark().await?;
                self.prover.call(&self.client, method, question, PATIENCE).await
            }
            answered => answered,
        }
    }

    async fn show_mark(&self) -> Result<(), CallError> {
        let shown = self.marks.newest();
        self.client.call::<_, MarkAnswer>(Method::VaultMark, &shown, PATIENCE).await.map(drop)
    }

    async fn answered<A: Message + Default>(
        &self,
        method: Method,
        question: &mut impl Proven,
    ) -> Result<A, CallError> {
        let body = self.ask(method, question).await?;
        A::decode(body).map_err(|_| CallError::Garbled(Room::Vault))
    }
}

impl LinkedVault {
    /// Keys, which are wiped where they came in.
    async fn keys(&self, method: Method, question: &mut impl Proven) -> Result<DataKeys, Refused> {
        let body = self.ask(method, question).await.map_err(|error| match error {
            // the log names the ceiling, not only that the vault said no
            CallError::Refused { code, message } if code == "ceiling" => Refused::new("ceiling", message),
            error => refused(error),
        })?;
        let keys = DataKeys::decode(body.clone());
        // The keys were copied out; the frame that they came in is wiped where nobody else holds it.
        if let Ok(mut frame) = body.try_into_mut() {
            frame.zeroize();
        }
        keys.map_err(|_| Refused::new("vault-garbled", "the vault's answer cannot be read"))
    }
}

impl Vault for LinkedVault {
    async fn release(&self, mut question: ReleaseKeys) -> Result<DataKeys, Refused> {
        self.keys(Method::VaultReleaseKeys, &mut question).await
    }

    async fn contact_keys(&self, mut question: ContactKeys) -> Result<DataKeys, Refused> {
        self.keys(Method::VaultContactKeys, &mut question).await
    }

    async fn body_keys(&self, mut question: BodyKeys) -> Result<DataKeys, Refused> {
        self.keys(Method::VaultBodyKeys, &mut question).await
    }

    async fn subject_tags(&self, question: SubjectTags) -> Result<SubjectTagsAnswer, Refused> {
        let ask = || self.client.call(Method::VaultSubjectTags, &question, PATIENCE);
        match ask().await {
            Err(CallError::Refused { code, .. }) if code == "mark-first" => {
                self.show_mark().await.map_err(refused)?;
                ask().await.map_err(refused)
            }
            answered => answered.map_err(refused),
        }
    }

    async fn tenancy(&self, mut change: Tenancy) -> Result<(), Refused> {
        self.answered::<Done>(Method::VaultTenancy, &mut change).await.map(drop).map_err(refused)
    }

    async fn import(&self, mut keys: ImportKeys) -> Result<ImportReport, Refused> {
        self.answered(Method::VaultImportKeys, &mut keys).await.map_err(refused)
    }

    async fn mark(&self, shown: PresentMark) -> Result<MarkAnswer, Refused> {
        self.client.call(Method::VaultMark, &shown, PATIENCE).await.map_err(refused)
    }

    async fn erasures(&self, question: Erasures) -> Result<ErasuresAnswer, Refused> {
        self.client.call(Method::VaultErasures, &question, PATIENCE).await.map_err(refused)
    }

    async fn alarms(&self, question: AlarmsRequest) -> Result<Alarms, Refused> {
        self.client.call(Method::VaultAlarms, &question, PATIENCE).await.map_err(refused)
    }

    async fn custody(&self, mut errand: VaultErrand) -> Result<ErrandAnswer, Refused> {
        self.answered(Method::VaultCustody, &mut errand).await.map_err(|error| match &error {
            // the log names what the vault said, not only that it said no
            CallError::Refused { code, message } => match REFUSALS.iter().find(|known| *known == code) {
                Some(known) => Refused::new(known, message.clone()),
                None => refused(error),
            },
            _ => refused(error),
        })
    }
}

fn refused(error: CallError) -> Refused {
    match error {
        CallError::Refused { code, message } => {
            Refused::new("vault-refused", format!("the vault refused: {message} ({code})"))
        }
        other => Refused::new(
            "vault-unreachable",
            format!("{other}; try again when `meterkeep status` shows it ready"),
        ),
    }
}

/// A tenancy's span as it travels.
pub(crate) fn span(span: &Span) -> TenancySpan {
    let (TenancyId(tenancy), MeterId(meter), UtcMillis(from_ms)) = (span.tenancy, span.meter, span.from);
    TenancySpan {
        tenancy: tenancy.to_vec(),
        meter,
        from_ms,
        until_ms: span.until.map(|u| u.0),
        vacant: span.vacant,
    }
}
