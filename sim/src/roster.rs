//! Towns of given meters: from a roster in JSON, or from a key file that a supplier made.

use std::collections::HashSet;

use base::{MeterAddress, Secret};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::kind::{Kind, Medium};
use crate::meter::Meter;

/// Why a roster was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// It is not JSON of the right shape. The text of the roster holds keys, so that only the place is named.
    #[error(
        "the roster cannot be read at line {line}, column {column}; it is a JSON list of `manufacturer`, `serial`, `key` and `kind`"
    )]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// No such model.
    #[error("`{0}` is no model; choose one of: {models}", models = models())]
    Kind(String),
    /// The manufacturer or serial is malformed.
    #[error("meter {0} has no valid manufacturer and serial")]
    Address(String),
    /// The key is malformed.
    #[error("the key of meter {0} is not 32 hexadecimal digits")]
    Key(String),
    /// Twice the same meter.
    #[error("meter {0} is listed twice")]
    Twice(String),
}

fn models() -> String {
    Kind::all().iter().map(|k| k.name).collect::<Vec<_>>().join(", ")
}

#[derive(Deserialize)]
struct Entry {
    manufacturer: String,
    serial: String,
    key: Zeroizing<String>,
    kind: String,
}

#[derive(Serialize)]
struct Line<'a> {
    manufacturer: String,
    serial: String,
    key: &'a str,
    kind: &'a str,
}

/// Meters from a roster: `[{"manufacturer": "KAM", "serial": "12345678", "key": "<32 digits>", "kind":
/// "water-ell"}]`. `unit_ms` is how far apart their telegrams will be.
///
/// # Errors
/// See [`RosterError`].
pub fn from_roster(json: &str, seed: u64, unit_ms: i64) -> Result<Vec<Meter>, RosterError> {
    let entries: Vec<Entry> =
        serde_json::from_str(json).map_err(|e| RosterError::Json { line: e.line(), column: e.column() })?;
    let mut seen = HashSet::new();
    let mut meters = Vec::with_capacity(entries.len());
    for (index, entry) in (0u64..).zip(entries) {
        let name = format!("{}-{}", entry.manufacturer, entry.serial);
        let kind = Kind::named(&entry.kind).ok_or_else(|| RosterError::Kind(entry.kind.clone()))?;
        let mut key = Zeroizing::new([0; 16]);
        hex::decode_to_slice(entry.key.as_bytes(), key.as_mut_slice())
            .map_err(|_| RosterError::Key(name.clone()))?;
        if !seen.insert(name.clone()) {
            return Err(RosterError::Twice(name));
        }
        let address =
            MeterAddress::from_parts(&entry.manufacturer, &entry.serial, kind.version, kind.device_type)
                .map_err(|_| RosterError::Address(name))?;
        meters.push(Meter::new(kind, address, Secret::new(*key), (seed, index), unit_ms));
    }
    Ok(meters)
}

/// The roster of a town, with all keys in clear: for tests only.
#[must_use]
pub fn to_roster(meters: &[Meter]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::from("[\n"));
    for (n, meter) in meters.iter().enumerate() {
        let key = Zeroizing::new(hex::encode_upper(meter.key()));
        let line = Line {
            manufacturer: meter.address().manufacturer(),
            serial: meter.address().serial(),
            key: &key,
            kind: meter.kind().name,
        };
        text.push_str(if n == 0 { "" } else { ",\n" });
        text.push_str(&Zeroizing::new(serde_json::to_string(&line).unwrap_or_default()));
    }
    text.push_str("\n]\n");
    text
}

/// The meters of a key file that have a telegram key, played by the usual model of their medium (what a key file
/// says of consumption does not say which model of telegrams).
#[must_use]
pub fn from_key_file(file: &keyfile::KeyFile, seed: u64, unit_ms: i64) -> Vec<Meter> {
    let meter = |(index, device): (u64, &keyfile::Device)| {
        let key = device.keys.iter().find(|k| k.role == keyfile::KeyRole::Dek)?;
        let key = Secret::from_slice(key.bytes.expose())?;
        let consumption = device.consumption.as_deref().unwrap_or_default().to_ascii_lowercase();
        let medium = match consumption.as_str() {
            c if c.contains("heat") || c.contains("cool") => Medium::Heat,
            c if c.contains("electric") => Medium::Electricity,
            _ => Medium::Water,
        };
        let kind = Kind::usual(medium)?;
        let address =
            MeterAddress::from_parts(&device.manufacturer, &device.serial, kind.version, kind.device_type)
                .ok()?;
        Some(Meter::new(kind, address, key, (seed, index), unit_ms))
    };
    (0..).zip(&file.devices).filter_map(meter).collect()
}
