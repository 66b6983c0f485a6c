//! What is asked of the vault with a proof that the asking is in the log.

use crate::custody::VaultErrand;
use crate::vault::{BodyKeys, ContactKeys, ImportKeys, ReleaseKeys, Tenancy};

/// A question that shows an event and its receipt.
pub trait Proven: prost::Message {
    /// The event.
    fn event(&self) -> &[u8];

    /// Its receipt.
    fn receipt(&self) -> &[u8];

    /// Shows another receipt of the same event.
    fn show(&mut self, receipt: Vec<u8>);
}

macro_rules! proven {
    ($($question:ty),*) => {$(
        impl Proven for $question {
            fn event(&self) -> &[u8] {
                &self.event
            }

            fn receipt(&self) -> &[u8] {
                &self.receipt
            }

            fn show(&mut self, receipt: Vec<u8>) {
                self.receipt = receipt;
            }
        }
    )*};
}

proven!(ReleaseKeys, ContactKeys, BodyKeys, ImportKeys, Tenancy, VaultErrand);
