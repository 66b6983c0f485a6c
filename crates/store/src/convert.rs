//! From database integers and blobs to strict types, and back.

use crate::StoreError;

/// A number that was written from an unsigned type.
pub(crate) fn unsigned<T: TryFrom<i64>>(value: i64, what: &'static str) -> Result<T, StoreError> {
    T::try_from(value).map_err(|_| StoreError::Damaged(what))
}

/// Sixteen bytes.
pub(crate) fn id16(bytes: &[u8], what: &'static str) -> Result<[u8; 16], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Damaged(what))
}

/// SQL integers are signed; an epoch uses all 64 bits.
pub(crate) const fn bits_in(value: u64) -> i64 {
    i64::from_ne_bytes(value.to_ne_bytes())
}

/// Back again.
pub(crate) const fn bits_out(value: i64) -> u64 {
    u64::from_ne_bytes(value.to_ne_bytes())
}
