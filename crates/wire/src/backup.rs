//! What stands in clear before a backup of the vault.

/// Of which house, from when, and who opens it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BackupHead {
    /// What acts name the house by (32 bytes).
    #[prost(bytes = "vec", tag = "1")]
    pub house: Vec<u8>,
    /// The house's name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// When it was made, UTC milliseconds.
    #[prost(sint64, tag = "3")]
    pub made_ms: i64,
    /// Who can open it.
    #[prost(message, repeated, tag = "4")]
    pub officers: Vec<BackupOpener>,
    /// Random (16 bytes): no two backups have the same head.
    #[prost(bytes = "vec", tag = "5")]
    pub nonce: Vec<u8>,
}

/// An officer who can open a backup.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BackupOpener {
    /// Their name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The key of what follows, sealed to them: `seal::hybrid::Sealed`.
    #[prost(bytes = "vec", tag = "2")]
    pub sealed: Vec<u8>,
}
