//! From the loose types of the wire to the strict types of `base`.

use base::MeterAddress;

/// A field that does not hold what it must.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the field `{field}` has {found} bytes where {wanted} are due")]
pub struct Malformed {
    field: &'static str,
    wanted: usize,
    found: usize,
}

fn fixed<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], Malformed> {
    bytes.try_into().map_err(|_| Malformed { field, wanted: N, found: bytes.len() })
}

/// Sixteen bytes: ids.
///
/// # Errors
/// When there are not sixteen.
pub fn bytes16(field: &'static str, bytes: &[u8]) -> Result<[u8; 16], Malformed> {
    fixed(field, bytes)
}

/// Thirty-two bytes: hashes and public keys.
///
/// # Errors
/// When there are not thirty-two.
pub fn bytes32(field: &'static str, bytes: &[u8]) -> Result<[u8; 32], Malformed> {
    fixed(field, bytes)
}

/// Sixty-four bytes: signatures.
///
/// # Errors
/// When there are not sixty-four.
pub fn bytes64(field: &'static str, bytes: &[u8]) -> Result<[u8; 64], Malformed> {
    fixed(field, bytes)
}

/// A meter's address in link-layer order.
///
/// # Errors
/// When there are not eight bytes.
pub fn meter_address(field: &'static str, bytes: &[u8]) -> Result<MeterAddress, Malformed> {
    fixed(field, bytes).map(MeterAddress::from_link_order)
}
