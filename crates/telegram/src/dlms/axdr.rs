//! Values as A-XDR writes them (IEC 62056-6-2 table 2 and IEC 61334-6): a tag, then the value; groups count their
//! members.

use crate::dlms::apdu::length;

/// How deep groups may lie in groups. Pushed lists need four.
pub const MAX_DEPTH: usize = 8;
/// How many values one unit may hold, groups counted.
pub const MAX_VALUES: usize = 1024;

/// A value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Flag(bool),
    Number(i64),
    /// Above what an `i64` holds.
    Large(u64),
    Real(f64),
    /// An octet string, or date, time and both.
    Octets(&'a [u8]),
    Text(&'a [u8]),
    Bits(&'a [u8]),
    Enum(u8),
    /// A structure or an array.
    Group {
        array: bool,
        members: usize,
    },
}

/// A value in its place; groups stand before their members.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Node<'a> {
    pub(crate) value: Value<'a>,
    /// Where it begins, tag included.
    pub(crate) at: usize,
    /// How many bytes it takes.
    pub(crate) len: usize,
    /// The number of the first node that is not below it.
    pub(crate) next: usize,
}

/// A value that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AxdrError {
    /// It goes on past the end.
    #[error("the values end within one, at byte {0}")]
    Truncated(usize),
    /// A type that is not built.
    #[error("type {tag:02X} at byte {at} is not read")]
    Type {
        /// Its tag.
        tag: u8,
        /// Where it stands.
        at: usize,
    },
    /// Deeper than [`MAX_DEPTH`] or more than [`MAX_VALUES`].
    #[error("the values are nested too deep or are too many, at byte {0}")]
    TooMuch(usize),
}

/// Reads one value, and all below it, that begins at a place. Answers the nodes and where the value ends.
pub(crate) fn read(bytes: &[u8], at: usize) -> Result<(Vec<Node<'_>>, usize), AxdrError> {
    let mut r = Reader { bytes, at, nodes: Vec::new() };
    r.value(0)?;
    Ok((r.nodes, r.at))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node<'a>>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], AxdrError> {
        let bytes = self.bytes.get(self.at..).and_then(|rest| rest.get(..n));
        let bytes = bytes.ok_or(AxdrError::Truncated(self.bytes.len()))?;
        self.at += n;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], AxdrError> {
        let end = self.bytes.len();
        self.take(N)?.first_chunk().copied().ok_or(AxdrError::Truncated(end))
    }

    fn length(&mut self) -> Result<usize, AxdrError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (len, n) = length(rest).ok_or(AxdrError::Truncated(self.bytes.len()))?;
        self.at += n;
        Ok(len)
    }

    fn octets(&mut self) -> Result<&'a [u8], AxdrError> {
        let n = self.length()?;
        self.take(n)
    }

    fn value(&mut self, depth: usize) -> Result<(), AxdrError> {
        let at = self.at;
        if depth > MAX_DEPTH || self.nodes.len() >= MAX_VALUES {
            return Err(AxdrError::TooMuch(at));
        }
        let [tag] = self.array()?;
        let value = match tag {
            0x00 => Value::Null,
            0x01 | 0x02 => {
                let members = self.length()?;
                let place = self.nodes.len();
                let value = Value::Group { array: tag == 1, members };
                self.nodes.push(Node { value, at, len: 0, next: 0 });
                for _ in 0..members {
                    self.value(depth + 1)?;
                }
                let (len, next) = (self.at - at, self.nodes.len());
                if let Some(group) = self.nodes.get_mut(place) {
                    (group.len, group.next) = (len, next);
                }
                return Ok(());
            }
            0x03 => Value::Flag(self.array()? != [0]),
            0x04 => {
                let bits = self.length()?;
                Value::Bits(self.take(bits.div_ceil(8))?)
            }
            0x05 => Value::Number(i32::from_be_bytes(self.array()?).into()),
            0x06 => Value::Number(u32::from_be_bytes(self.array()?).into()),
            0x09 => Value::Octets(self.octets()?),
            0x0a | 0x0c => Value::Text(self.octets()?),
            // BCD: one byte, and makers differ on what it holds
            0x0d => Value::Octets(self.take(1)?),
            0x0f => Value::Number(i8::from_be_bytes(self.array()?).into()),
            0x10 => Value::Number(i16::from_be_bytes(self.array()?).into()),
            0x11 => Value::Number(u8::from_be_bytes(self.array()?).into()),
            0x12 => Value::Number(u16::from_be_bytes(self.array()?).into()),
            0x14 => Value::Number(i64::from_be_bytes(self.array()?)),
            0x15 => {
                let n = u64::from_be_bytes(self.array()?);
                i64::try_from(n).map_or(Value::Large(n), Value::Number)
            }
            0x16 => {
                let [n] = self.array()?;
                Value::Enum(n)
            }
            0x17 => Value::Real(f32::from_be_bytes(self.array()?).into()),
            0x18 => Value::Real(f64::from_be_bytes(self.array()?)),
            0x19 => Value::Octets(self.take(12)?),
            0x1a => Value::Octets(self.take(5)?),
            0x1b => Value::Octets(self.take(4)?),
            _ => return Err(AxdrError::Type { tag, at }),
        };
        self.nodes.push(Node { value, at, len: self.at - at, next: self.nodes.len() + 1 });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(hex: &str) -> Vec<Value<'static>> {
        let bytes = hex::decode(hex.replace(' ', "")).unwrap().leak();
        let (nodes, end) = read(bytes, 0).unwrap();
        assert_eq!(end, bytes.len());
        nodes.iter().map(|n| n.value).collect()
    }

    #[test]
    fn each_type_is_read() {
        let group = |members| Value::Group { array: false, members };
        assert_eq!(values("02 02 03 01 00"), [group(2), Value::Flag(true), Value::Null]);
        assert_eq!(
            values(
                "02 0a 05 fffffffe 06 ffffffff 0f ff 10 fffe 11 ff 12 ffff 14 ffffffffffffffff 15 ffffffffffffffff 16 1e \
                    15 0000000000000005"
            ),
            [
                group(10),
                Value::Number(-2),
                Value::Number(0xffff_ffff),
                Value::Number(-1),
                Value::Number(-2),
                Value::Number(255),
                Value::Number(65535),
                Value::Number(-1),
                Value::Large(u64::MAX),
                Value::Enum(30),
                Value::Number(5),
            ]
        );
        assert_eq!(
            values("02 05 09 02 0102 0a 01 41 04 09 8080 17 3fc00000 1b 01020304"),
            [
                group(5),
                Value::Octets(&[1, 2]),
                Value::Text(b"A"),
                Value::Bits(&[0x80, 0x80]),
                Value::Real(1.5),
                Value::Octets(&[1, 2, 3, 4]),
            ]
        );
    }

    #[test]
    fn a_group_knows_where_it_ends() {
        let bytes = hex::decode("0202010211011102 1103".replace(' ', "")).unwrap();
        let (nodes, _) = read(&bytes, 0).unwrap();
        let shape: Vec<_> = nodes.iter().map(|n| (n.at, n.len, n.next)).collect();
        assert_eq!(shape, [(0, 10, 5), (2, 6, 4), (4, 2, 3), (6, 2, 4), (8, 2, 5)]);
    }

    #[test]
    fn what_is_too_much_or_cut_is_named() {
        let deep = [[2, 1]; 20].concat();
        assert_eq!(read(&deep, 0), Err(AxdrError::TooMuch(18)));
        let many = [&[1, 0x82, 0xff, 0xff][..], &[0; 2000]].concat();
        assert!(matches!(read(&many, 0), Err(AxdrError::TooMuch(_))));
        assert_eq!(read(&[2, 2, 0], 0), Err(AxdrError::Truncated(3)));
        assert_eq!(read(&[2, 0x84, 0xff, 0xff, 0xff, 0xff], 0), Err(AxdrError::Truncated(6)));
        assert_eq!(read(&[9, 0x84, 0xff, 0xff, 0xff, 0xff], 0), Err(AxdrError::Truncated(6)));
        assert_eq!(read(&[0x13, 0], 0), Err(AxdrError::Type { tag: 0x13, at: 0 }));
        assert_eq!(read(&[], 5), Err(AxdrError::Truncated(0)));
        assert_eq!(read(&[3], 0), Err(AxdrError::Truncated(1)));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(prop_oneof![0u8..0x1c, any::<u8>()], 0..200)) {
            if let Ok((nodes, end)) = read(&bytes, 0) {
                prop_assert!(end <= bytes.len() && nodes.len() <= MAX_VALUES);
                for (i, node) in nodes.iter().enumerate() {
                    prop_assert!(node.at + node.len <= end && node.next > i && node.next <= nodes.len());
                }
            }
        }
    }
}
