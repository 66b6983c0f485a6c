//! The decrypted documents: `MetersInOrder` (KEM) and `Devices` (KEM2).
//!
//! The vendor publishes no schema that could be read here, so elements are found by their local names below each
//! meter, and whatever is there twice is unclear and refuses that meter.

use zeroize::Zeroizing;

use crate::device::{Device, DeviceError, Key, KeyBytes, KeyRole, RefusedDevice};
use crate::error::shown;
use crate::xml::Element;

/// Where the two kinds keep the same things.
struct Names {
    device: &'static str,
    serial: &'static str,
    manufacturer: &'static str,
    customer_no: &'static str,
    model: &'static str,
    consumption: &'static str,
    config_no: &'static str,
    type_no: &'static str,
    order_no: &'static str,
}

const KEM: Names = Names {
    device: "Meter",
    serial: "SerialNo",
    manufacturer: "VendorId",
    customer_no: "MeterNo",
    model: "MeterName",
    consumption: "ConsumptionType",
    config_no: "ConfigNo",
    type_no: "TypeNo",
    order_no: "OrderNo",
};

const KEM2: Names = Names {
    device: "Device",
    serial: "SerialNumber",
    manufacturer: "ManufacturerId",
    customer_no: "CustomerDeviceNumber",
    model: "ShortName",
    consumption: "ConsumptionTypeName",
    config_no: "ConfigNumber",
    type_no: "TypeNumber",
    order_no: "OrderNumber",
};

/// Which edition of the document.
#[derive(Clone, Copy)]
pub(crate) enum Edition {
    /// `MetersInOrder`.
    Kem,
    /// `Devices`.
    Kem2,
}

/// Reads every meter of the document; the refused ones apart.
pub(crate) fn devices(root: &Element, edition: Edition) -> (Vec<Device>, Vec<RefusedDevice>) {
    let names = match edition {
        Edition::Kem => &KEM,
        Edition::Kem2 => &KEM2,
    };
    let order = root.attribute("orderid").filter(|order| !order.is_empty());
    let mut good = Vec::new();
    let mut refused = Vec::new();
    for element in root.elements().filter(|e| &*e.local == names.device) {
        match device(element, names, edition, order) {
            Ok(device) => good.push(device),
            Err(error) => {
                let part =
                    |local| unique(element, local).filter(|t| !t.is_empty()).map_or("?".to_owned(), shown);
                let meter = format!("{}-{}", part(names.manufacturer), part(names.serial));
                refused.push(RefusedDevice { meter, error });
            }
        }
    }
    (good, refused)
}

fn device(
    element: &Element,
    names: &Names,
    edition: Edition,
    order: Option<&str>,
) -> Result<Device, DeviceError> {
    let serial = unique(element, names.serial).ok_or(DeviceError::Serial)?;
    if serial.len() != 8 || !serial.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DeviceError::Serial);
    }
    let manufacturer = unique(element, names.manufacturer).ok_or(DeviceError::Manufacturer)?;
    if manufacturer.len() != 3 || !manufacturer.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(DeviceError::Manufacturer);
    }
    let mut keys: Vec<Key> = Vec::new();
    for (role, text) in key_texts(element, edition)? {
        if keys.iter().any(|key| key.role == role) {
            return Err(DeviceError::RoleTwice { role });
        }
        let bytes = KeyBytes::from_hex(&role, &text)?;
        keys.push(Key { role, bytes });
    }
    if keys.is_empty() {
        return Err(DeviceError::NoKey);
    }
    keys.sort_by(|a, b| a.role.cmp(&b.role));
    let text = |local| unique(element, local).filter(|t| !t.is_empty()).map(|t| t.chars().take(64).collect());
    Ok(Device {
        manufacturer: manufacturer.to_owned(),
        serial: serial.to_owned(),
        customer_no: text(names.customer_no),
        model: text(names.model),
        consumption: text(names.consumption),
        config_no: text(names.config_no),
        type_no: text(names.type_no),
        order_no: text(names.order_no).or_else(|| order.map(str::to_owned)),
        keys,
    })
}

/// The names and digits of a meter's keys. Empty elements stand for keys that were not ordered.
fn key_texts(element: &Element, edition: Edition) -> Result<Vec<(KeyRole, Zeroizing<String>)>, DeviceError> {
    let mut keys = Vec::new();
    let mut push = |name: Option<&str>, text: Option<&str>| {
        let text = text.ok_or(DeviceError::KeyName)?;
        if !text.is_empty() {
            let role = name.and_then(KeyRole::from_name).ok_or(DeviceError::KeyName)?;
            keys.push((role, Zeroizing::new(text.to_owned())));
        }
        Ok(())
    };
    match edition {
        // <EncKeys><DEK>32 digits</DEK></EncKeys>
        Edition::Kem => {
            for key in element.all("EncKeys").flat_map(Element::elements) {
                push(Some(&key.local), key.text())?;
            }
        }
        // <Keys><Key><Name>DEK</Name><Value>32 digits</Value></Key></Keys>, or the name as attribute `Type`
        Edition::Kem2 => {
            for key in element.all("Key") {
                let name = unique(key, "Name").or_else(|| key.attribute("Type"));
                let has_value = key.all("Value").next().is_some();
                push(name, if has_value { unique(key, "Value") } else { key.text() })?;
            }
        }
    }
    Ok(keys)
}

/// The text of the only descendant of that name; `None` when there is none, or several, or one with elements.
fn unique<'a>(element: &'a Element, local: &'a str) -> Option<&'a str> {
    let mut found = element.all(local);
    match (found.next(), found.next()) {
        (Some(one), None) => one.text(),
        _ => None,
    }
}
