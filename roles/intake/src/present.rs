//! The second part: asks the vault for the plaintext of each batch, in order.

use std::sync::Arc;

use base::BatchSeq;
use link::CallError;
use tokio::sync::mpsc;
use wire::Method;
use wire::vault::{DecryptFrames, Decrypted};

use crate::faults;
use crate::prepare::{Prepared, PreparedContent, empty_question};
use crate::shared::{RunEnd, Shared};

/// A batch with the vault's answer.
pub struct Presented {
    /// The batch.
    pub prepared: Prepared,
    /// The answer; `None` where there was nothing to decrypt.
    pub answer: Option<Decrypted>,
}

/// Asks for one batch. A batch without frames, a gap and a loss are presented too: the vault notes all numbers
/// of a spool, so that it can say "all up to here".
///
/// # Errors
/// [`RunEnd`] when the vault fails or is another run than `boot`.
pub async fn present(shared: &Shared, boot: u64, prepared: &Prepared) -> Result<Option<Decrypted>, RunEnd> {
    let position = prepared.position;
    if let PreparedContent::Gap { first, .. } | PreparedContent::Lost { first } = &prepared.content {
        for seq in first.0..position.seq.0 {
            let number = base::BatchPosition { seq: BatchSeq(seq), ..position };
            if !shared.finals_contain(&number) {
                ask(shared, boot, &empty_question(number)).await?;
            }
        }
    }
    let table = shared.table.borrow().clone();
    let answer = ask(shared, boot, &prepared.question(&table)).await?;
    Ok(matches!(prepared.content, PreparedContent::Telegrams(_)).then_some(answer))
}

async fn ask(shared: &Shared, boot: u64, question: &DecryptFrames) -> Result<Decrypted, RunEnd> {
    let vault = &shared.peers.vault;
    let answer: Decrypted = loop {
        match shared.call(vault, Method::VaultDecryptFrames, question).await {
            // nothing of the batch was judged: it waits here, and those behind it where they are
            Err(CallError::Refused { code, .. }) if code == "throttled" => {
                shared.counters.add("vault-throttled", 1);
                tokio::time::sleep(shared.settings.pause * 32).await;
            }
            answered => break answered?,
        }
    };
    if answer.boot == boot { Ok(answer) } else { Err(RunEnd::VaultRestarted) }
}

/// Presents batches for ever.
///
/// # Errors
/// [`RunEnd`].
pub async fn run(
    shared: Arc<Shared>,
    boot: u64,
    mut batches: mpsc::Receiver<Prepared>,
    next: mpsc::Sender<Presented>,
) -> Result<(), RunEnd> {
    while let Some(prepared) = batches.recv().await {
        let answer = present(&shared, boot, &prepared).await?;
        shared.faults.pass(faults::DECRYPTED)?;
        next.send(Presented { prepared, answer }).await.map_err(|_| RunEnd::Neighbour)?;
    }
    Err(RunEnd::Neighbour)
}
