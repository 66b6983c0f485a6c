//! One entry a meter, and a warning where meters share a key.

use std::collections::BTreeMap;

use crate::device::{Device, DeviceError, KeyRole, RefusedDevice};

/// A key that several meters have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedKey {
    /// Its role at the first of them.
    pub role: KeyRole,
    /// The meters, as `KAM-90000001`.
    pub meters: Vec<String>,
}

/// Entries of one meter with the same keys become one; with different keys the meter is refused, since neither
/// entry can be known to be the right one.
pub(crate) fn merge(devices: Vec<Device>, refused: &mut Vec<RefusedDevice>) -> Vec<Device> {
    let mut order = Vec::new();
    let mut by_name: BTreeMap<String, (Device, bool)> = BTreeMap::new();
    for device in devices {
        let name = device.name();
        if let Some((first, conflict)) = by_name.get_mut(&name) {
            *conflict |= !first.same_keys(&device);
        } else {
            order.push(name.clone());
            by_name.insert(name, (device, false));
        }
    }
    let mut merged = Vec::with_capacity(order.len());
    for meter in order {
        match by_name.remove(&meter) {
            Some((_, true)) => refused.push(RefusedDevice { meter, error: DeviceError::Conflict }),
            Some((device, false)) => merged.push(device),
            None => {}
        }
    }
    merged
}

/// Keys that more than one meter has. Several roles of one meter with one key count too.
pub(crate) fn shared_keys(devices: &[Device]) -> Vec<SharedKey> {
    let mut holders: BTreeMap<&[u8], Vec<(&KeyRole, &Device)>> = BTreeMap::new();
    for device in devices {
        for key in &device.keys {
            holders.entry(key.bytes.expose()).or_default().push((&key.role, device));
        }
    }
    let mut shared: Vec<SharedKey> = holders
        .into_values()
        .filter(|holders| holders.len() > 1)
        .filter_map(|holders| {
            let (role, _) = holders.first()?;
            Some(SharedKey { role: (*role).clone(), meters: holders.iter().map(|(_, d)| d.name()).collect() })
        })
        .collect();
    // Ordered by meter and not by key, so that the list says nothing about the keys.
    shared.sort_by(|a, b| a.meters.cmp(&b.meters));
    shared
}
