//! x
/// Who somebody is at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The provider.
    pub issuer: String,
    /// Their id there, which it never gives to anybody else.
    pub id: String,
}
