//! An application unit field by field, for people who look at its bytes.

use super::apdu::{Apdu, Ciphered, KeyKind};
use super::axdr::{self, Node, Value};
use super::lists::is_code;
use super::push;
use crate::layers::Field;
use base::Obis;

/// The fields of a unit in their order: its head, and between the values what says where they lie and which they are.
/// The values themselves are [`super::decode_push`]'s records. `readable` is whether the content is decrypted or was
/// never encrypted.
#[must_use]
pub fn fields(unit: &[u8], readable: bool) -> Vec<Field> {
    let mut out = Vec::new();
    match Apdu::read(unit) {
        Ok(Apdu::Ciphered(ciphered)) => {
            head(&ciphered, &mut out);
            if readable {
                content(
                    unit.get(..ciphered.payload.end).unwrap_or_default(),
                    ciphered.payload.start,
                    &mut out,
                );
            }
            put(&mut out, ciphered.tag.start, ciphered.tag.len(), "tag", "of AES-GCM, over all of the unit");
        }
        Ok(Apdu::DataNotification) => content(unit, 0, &mut out),
        _ => {}
    }
    out
}

fn put(out: &mut Vec<Field>, at: usize, len: usize, name: &'static str, meaning: impl Into<String>) {
    if len > 0 {
        out.push(Field { at, len, name, meaning: meaning.into() });
    }
}

/// Whose the unit is and how it is protected (IEC 62056-5-3 clause 5.3.4).
fn head(unit: &Ciphered, out: &mut Vec<Field>) {
    let kind = match unit.kind {
        KeyKind::Global => "general-glo-ciphering: the meter's global key",
        KeyKind::Dedicated => "general-ded-ciphering: the key of one association",
        KeyKind::General => "general-ciphering",
    };
    put(out, 0, 1, "unit", kind);
    let Some(control) = unit.payload.start.checked_sub(5) else { return };
    if unit.kind == KeyKind::General {
        put(out, 1, control.saturating_sub(1), "key information", unit.title.to_string());
    } else {
        let meter = unit.title.address().map(|m| format!("{} {}: ", m.manufacturer(), m.serial()));
        put(out, 1, 9, "system title", format!("{}{}", meter.unwrap_or_default(), unit.title));
        put(out, 10, control.saturating_sub(10), "length", "of what follows");
    }
    put(out, control, 1, "security control", unit.control.to_string());
    put(out, control.saturating_add(1), 4, "invocation counter", unit.counter.to_string());
}

/// A data notification that begins at a place.
fn content(bytes: &[u8], at: usize, out: &mut Vec<Field>) {
    if bytes.get(at) != Some(&0x0f) {
        return;
    }
    let Some((time, from)) = push::head(bytes, at) else { return };
    put(out, at, 1, "unit", "data-notification");
    put(out, at.saturating_add(1), 4, "invoke id, priority", "");
    let rest = at.saturating_add(5);
    match time {
        Some(time) => {
            let begins = from.saturating_sub(12);
            put(out, rest, begins.saturating_sub(rest), "length", "of the time");
            put(out, begins, 12, "sent at", time.to_string());
        }
        None => put(out, rest, from.saturating_sub(rest), "sent at", "left open"),
    }
    if let Ok((nodes, _)) = axdr::read(bytes, from) {
        values(&nodes, out);
    }
}

/// Heads of groups, codes, scales and units.
fn values(nodes: &[Node<'_>], out: &mut Vec<Field>) {
    let mut number = 0;
    while let Some(node) = nodes.get(number) {
        let below = nodes.get(number.saturating_add(1)..node.next).unwrap_or_default();
        let mut next = number.saturating_add(1);
        match (node.value, below) {
            (Value::Group { members: 2, .. }, [scale, unit])
                if matches!((scale.value, unit.value), (Value::Number(_), Value::Enum(_))) =>
            {
                if let (Value::Number(scale), Value::Enum(unit)) = (scale.value, unit.value) {
                    put(out, node.at, node.len, "scale, unit", format!("x 10^{scale}, unit {unit}"));
                }
                next = node.next;
            }
            (Value::Group { members: 4, .. }, [_, code, attribute, _])
                if object(code, attribute).is_some() =>
            {
                let meaning = object(code, attribute).unwrap_or_default();
                put(out, node.at, node.len, "object", meaning);
                next = node.next;
            }
            (Value::Group { array, members }, _) => {
                let head = below.first().map_or(node.len, |first| first.at.saturating_sub(node.at));
                let name = if array { "array" } else { "structure" };
                put(out, node.at, head, name, format!("of {members}"));
            }
            (Value::Octets(code), _) if is_code(code) => {
                let code = Obis::from_slice(code).map(|o| o.to_string()).unwrap_or_default();
                put(out, node.at, node.len, "OBIS code", code);
            }
            (Value::Text(name), _) if number == 1 => {
                put(out, node.at, node.len, "list", String::from_utf8_lossy(name));
            }
            _ => {}
        }
        number = next.max(number.saturating_add(1));
    }
}

/// An entry of a push object list: which register's which attribute stands at this place among the values.
fn object(code: &Node<'_>, attribute: &Node<'_>) -> Option<String> {
    let (Value::Octets(code), Value::Number(attribute)) = (code.value, attribute.value) else { return None };
    Some(format!("{}, attribute {attribute}", Obis::from_slice(code)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dlms::{SecurityControl, decode_push, write_global};
    use base::SystemTitle;

    fn unhex(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    fn names(fields: &[Field]) -> Vec<(usize, usize, &'static str)> {
        fields.iter().map(|f| (f.at, f.len, f.name)).collect()
    }

    /// Every byte that is no value is a field, and no byte is two.
    #[test]
    fn heads_codes_and_groups_are_named_and_values_are_left_to_records() {
        let plain = unhex(
            "0f 00000001 0c 07ea0b18 02 10 1e 05 00 ffc4 00 0203 0a0e 4b616d73747275705f5630303031 \
             09 06 0101010800ff 06 000d394c",
        );
        let unit = write_global(SystemTitle(*b"KAM\x45\x01\xa4\xdc\x52"), SecurityControl(0x30), 7, &plain);
        let fields = fields(&unit, true);
        let mut records = Vec::new();
        let range = unit.len() - 12 - plain.len()..unit.len() - 12;
        decode_push(&unit, range, None, &mut records).unwrap();
        let mut covered = vec![0; unit.len()];
        let stretches = fields.iter().map(|f| (f.at, f.len)).chain(
            // the time that closes the list of records is that of the head
            records.iter().filter(|r| r.obis != Some(Obis::CLOCK)).map(|r| (r.at, r.len)),
        );
        for (at, len) in stretches {
            covered[at..at + len].iter_mut().for_each(|n| *n += 1);
        }
        assert!(covered.iter().all(|n| *n == 1), "{covered:?} {:?}", names(&fields));
        assert!(fields.iter().any(|f| f.name == "OBIS code" && f.meaning == "1-1:1.8.0"));
        assert!(fields.iter().any(|f| f.name == "invocation counter" && f.meaning == "7"));
    }

    #[test]
    fn of_what_cannot_be_read_only_the_head_is_named() {
        let title = SystemTitle(*b"KAM\x45\x01\xa4\xdc\x52");
        let unit = write_global(title, SecurityControl(0x20), 7, &[0; 30]);
        let fields = fields(&unit, false);
        assert!(fields.iter().all(|f| f.at + f.len <= unit.len() - 30), "{:?}", names(&fields));
        assert!(super::fields(&[], true).is_empty());
    }
}
