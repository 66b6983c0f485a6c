//! From the values of a notification to records. Meters push four kinds of lists: values that bring code, scale and
//! unit along; codes and values in turn; a description of all values before the values; and bare values in an
//! order that only the maker's paper tells.

use base::{Decimal, Obis, Quantity, Unit};

use super::axdr::{Node, Value as Sent};
use super::known::{Maker, Meaning, meaning, of_unit, unit};
use super::push::{Push, bare, moment};
use crate::records::{MAX_RECORDS, Modifiers, Record, Value};

/// Reads a list; `None` where it brings no codes and its order is not known.
pub(super) fn read(nodes: &[Node<'_>], maker: Maker, out: &mut Vec<Record>) -> Option<Push> {
    let mut list = List { nodes, maker, push: Push::default(), out };
    list.learn_maker();
    if !list.described() && !list.known_order() {
        list.pairs(0);
        if list.out.is_empty() {
            return None;
        }
    }
    Some(list.push)
}

struct List<'a, 'n> {
    nodes: &'a [Node<'n>],
    maker: Maker,
    push: Push,
    out: &'a mut Vec<Record>,
}

/// A scale and the number of a unit.
type Scale = (i8, u8);

impl<'n> List<'_, 'n> {
    fn node(&self, at: usize) -> Option<&Node<'n>> {
        self.nodes.get(at)
    }

    /// The numbers of a group's members.
    fn members(&self, group: usize) -> Vec<usize> {
        let Some(Node { value: Sent::Group { members, .. }, next, .. }) = self.node(group) else {
            return Vec::new();
        };
        let mut at = group + 1;
        let mut all = Vec::with_capacity((*members).min(self.nodes.len()));
        while at < *next {
            all.push(at);
            at = self.node(at).map_or(*next, |n| n.next);
        }
        all
    }

    /// Units without a system title, and those in clear, name their maker within: a list's name or the logical device
    /// name, of which the letters come first.
    fn learn_maker(&mut self) {
        for node in self.nodes {
            let (Sent::Text(text) | Sent::Octets(text)) = node.value else { continue };
            let maker = match text {
                b"Kamstrup_V0001" => Maker::Kamstrup,
                b"KFM_001" => Maker::Kaifa,
                _ if text.len() == 16 && text.iter().skip(3).all(u8::is_ascii_digit) => {
                    Maker::of_letters(text.get(..3).unwrap_or_default())
                }
                _ => continue,
            };
            if self.maker == Maker::Other {
                self.maker = maker;
            }
        }
    }

    /// A list that begins with the description of itself: the push object list, of which it is the first value
    /// (IEC 62056-6-2, class 40). Landis+Gyr E450 and ISKRA AM550 in Switzerland.
    fn described(&mut self) -> bool {
        let members = self.members(0);
        let Some((first, values)) = members.split_first() else { return false };
        let objects = self.members(*first);
        if objects.len() != members.len() || objects.len() < 2 {
            return false;
        }
        let codes: Vec<_> = objects.iter().map(|object| self.object(*object)).collect();
        if codes.iter().any(Option::is_none) {
            return false;
        }
        for (code, at) in codes.into_iter().flatten().skip(1).zip(values) {
            // attribute 1 is the object's own name, which says nothing
            if let (obis, 2..) = code {
                self.put(obis, *at, None);
            }
        }
        true
    }

    /// An entry of a push object list: class, code, attribute, index.
    fn object(&self, at: usize) -> Option<(Obis, i64)> {
        let [class, code, attribute, _] = *self.members(at) else { return None };
        let (Sent::Number(_), Sent::Octets(code), Sent::Number(attribute)) =
            (self.node(class)?.value, self.node(code)?.value, self.node(attribute)?.value)
        else {
            return None;
        };
        Some((Obis::from_slice(code)?, attribute))
    }

    /// Codes, each followed by its value and maybe by scale and unit, however they are grouped. Kamstrup, Kaifa in
    /// Austria, Aidon, Sagemcom and Kaifa of EVN.
    fn pairs(&mut self, group: usize) {
        let members = self.members(group);
        let mut at = 0;
        while let Some(member) = members.get(at) {
            at += 1;
            let Some(node) = self.node(*member).copied() else { break };
            match node.value {
                Sent::Group { .. } => self.pairs(*member),
                Sent::Octets(code) if is_code(code) => {
                    let value = members.get(at).filter(|m| self.is_value(**m));
                    let (Some(obis), Some(value)) = (Obis::from_slice(code), value) else {
                        self.push.unread = self.push.unread.saturating_add(node.len);
                        continue;
                    };
                    at += 1;
                    let scale = members.get(at).and_then(|m| self.scale(*m));
                    at += usize::from(scale.is_some());
                    self.put(obis, *value, scale);
                }
                Sent::Text(name) if self.push.list.is_none() && at == 1 => self.push.list = words(name),
                // EVN's lists begin with the time alone
                Sent::Octets(time) if at == 1 && moment(time).is_some() => {
                    self.put(Obis::CLOCK, *member, None)
                }
                _ => self.push.unread = self.push.unread.saturating_add(node.len),
            }
        }
    }

    fn is_value(&self, at: usize) -> bool {
        self.node(at).is_some_and(|n| !matches!(n.value, Sent::Group { .. }))
    }

    /// A structure of scale and unit.
    fn scale(&self, at: usize) -> Option<Scale> {
        let [scale, unit] = *self.members(at) else { return None };
        match (self.node(scale)?.value, self.node(unit)?.value) {
            (Sent::Number(scale), Sent::Enum(unit)) => Some((i8::try_from(scale).ok()?, unit)),
            _ => None,
        }
    }

    /// Lists of bare values.
    fn known_order(&mut self) -> bool {
        let members = self.members(0);
        let shape: Vec<_> = members.iter().filter_map(|m| self.node(*m)).map(|n| n.value).collect();
        let codes: &[[u8; 6]] = match *shape.as_slice() {
            // Kaifa's shortest list, every few seconds: the power alone
            [Sent::Number(_)] => POWER,
            // Wiener Netze, all makers ("Kundenschnittstelle"): the time and eight registers
            [Sent::Octets(time), Sent::Number(_), .., Sent::Number(_)]
                if shape.len() == 9 && moment(time).is_some() =>
            {
                self.maker = Maker::Other;
                WIENER_NETZE
            }
            // Kärnten Netz: own name, serial, time, date, six registers, two texts
            [Sent::Octets([0, 6, 25, 9, 0, 255]), _, Sent::Octets(time), ..]
                if shape.len() == 12 && time.len() == 4 =>
            {
                self.maker = Maker::Other;
                KAERNTEN_NETZ
            }
            [Sent::Octets(name) | Sent::Text(name), ..] if name == b"KFM_001" => {
                self.push.list = words(name);
                match shape.len() {
                    9 | 14 => KAIFA_ONE_PHASE,
                    13 | 18 => KAIFA_THREE_PHASES,
                    _ => return false,
                }
            }
            _ => return false,
        };
        for (code, at) in codes.iter().zip(members) {
            if *code != SKIP {
                self.put(Obis(*code), at, None);
            }
        }
        !self.out.is_empty()
    }

    fn put(&mut self, obis: Obis, at: usize, scale: Option<Scale>) {
        let Some(node) = self.node(at).copied() else { return };
        if self.out.len() >= MAX_RECORDS || matches!(node.value, Sent::Group { .. }) {
            self.push.unread = self.push.unread.saturating_add(node.len);
            return;
        }
        let Meaning { mut quantity, function, tariff, storage, modifier, phase } = meaning(obis);
        let is_number = matches!(node.value, Sent::Number(_) | Sent::Large(_) | Sent::Real(_));
        let scale = scale.or_else(|| self.maker.scale(quantity)).filter(|_| is_number);
        let (ours, shift) = match scale {
            Some((scale, number)) => {
                let known = unit(number);
                let (unit, power) = known.unwrap_or((Unit::None, 0));
                (unit, scale.saturating_add(power))
            }
            None => (Unit::None, 0),
        };
        if quantity == Quantity::ManufacturerSpecific && ours != Unit::None {
            quantity = of_unit(ours);
        }
        let mut modifiers = Modifiers::EMPTY;
        modifier.into_iter().chain(phase).for_each(|m| modifiers.push(m));
        let value = value(node.value, quantity, shift);
        self.out.push(Record {
            unit: ours,
            function,
            storage,
            tariff,
            modifiers,
            at: node.at,
            len: node.len,
            ..bare(obis, quantity, value)
        });
    }
}

fn value(sent: Sent<'_>, quantity: Quantity, shift: i8) -> Value {
    match sent {
        Sent::Null | Sent::Group { .. } => Value::None,
        Sent::Flag(flag) => Value::Number(Decimal::new(flag.into(), 0)),
        Sent::Enum(number) => Value::Number(Decimal::new(number.into(), 0)),
        Sent::Number(number) => Value::Number(Decimal::new(number, shift)),
        Sent::Large(number) => {
            let scale = 10f64.powi(i32::from(shift.unsigned_abs()));
            #[expect(clippy::cast_precision_loss, reason = "more digits than a decimal holds")]
            let number = number as f64;
            Value::Float(if shift < 0 { number / scale } else { number * scale })
        }
        Sent::Real(number) if !number.is_finite() => Value::None,
        Sent::Real(number) => Value::Float(number * 10f64.powi(i32::from(shift))),
        Sent::Bits(bits) => Value::Bytes(bits.into()),
        Sent::Octets(bytes) if quantity == Quantity::DateTime => match moment(bytes) {
            Some(moment) => Value::DateTime(moment),
            None => Value::Bytes(bytes.into()),
        },
        Sent::Octets(bytes) | Sent::Text(bytes) => match words(bytes) {
            Some(words) => Value::Text(words),
            None => Value::Bytes(bytes.into()),
        },
    }
}

/// Bytes that are printable letters.
fn words(bytes: &[u8]) -> Option<Box<str>> {
    let printable = bytes.iter().all(|b| (0x20..0x7f).contains(b));
    std::str::from_utf8(bytes).ok().filter(|_| printable).map(Into::into)
}

/// Six bytes that may be a code: media beyond 15 do not exist, and texts begin with letters.
pub(super) fn is_code(bytes: &[u8]) -> bool {
    matches!(bytes, [0..=15, _, _, _, _, _])
}

const fn import(c: u8, d: u8) -> [u8; 6] {
    [1, 0, c, d, 0, 255]
}

/// A value that is no register.
const SKIP: [u8; 6] = [0; 6];
const POWER: &[[u8; 6]] = &[import(1, 7)];
/// The list's name, the meter's number and model.
const KAIFA_HEAD: [[u8; 6]; 3] = [SKIP, [0, 0, 96, 1, 0, 255], [0, 0, 96, 1, 7, 255]];
const KAIFA_ONE_PHASE: &[[u8; 6]] = &[
    KAIFA_HEAD[0],
    KAIFA_HEAD[1],
    KAIFA_HEAD[2],
    import(1, 7),
    import(2, 7),
    import(3, 7),
    import(4, 7),
    import(31, 7),
    import(32, 7),
    Obis::CLOCK.0,
    import(1, 8),
    import(2, 8),
    import(3, 8),
    import(4, 8),
];
const KAIFA_THREE_PHASES: &[[u8; 6]] = &[
    KAIFA_HEAD[0],
    KAIFA_HEAD[1],
    KAIFA_HEAD[2],
    import(1, 7),
    import(2, 7),
    import(3, 7),
    import(4, 7),
    import(31, 7),
    import(51, 7),
    import(71, 7),
    import(32, 7),
    import(52, 7),
    import(72, 7),
    Obis::CLOCK.0,
    import(1, 8),
    import(2, 8),
    import(3, 8),
    import(4, 8),
];
const WIENER_NETZE: &[[u8; 6]] = &[
    Obis::CLOCK.0,
    import(1, 8),
    import(2, 8),
    import(3, 8),
    import(4, 8),
    import(1, 7),
    import(2, 7),
    import(3, 7),
    import(4, 7),
];
const KAERNTEN_NETZ: &[[u8; 6]] = &[
    SKIP,
    [0, 0, 96, 1, 0, 255],
    SKIP,
    SKIP,
    import(1, 8),
    import(2, 8),
    import(3, 8),
    import(4, 8),
    import(1, 7),
    import(2, 7),
];

#[cfg(test)]
mod tests;
