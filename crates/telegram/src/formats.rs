//! The layouts of compact frames (EN 13757-3 annex G): learnt, remembered, never replaced silently.
//!
//! A layout is all DIFs, DIFEs, VIFs and VIFEs of a full frame, in order. Its signature is the CRC of these
//! bytes. 16 bits are few, so a layout is kept by maker, version and type too, and a second layout with the
//! same key is a [`Clash`] that the caller should raise an alarm for. Where nothing was learnt, layouts that
//! are public serve; one that a verified frame teaches goes before them, and is a clash where it differs.

use std::collections::BTreeMap;
use std::fmt;

use base::MeterAddress;

use crate::compact::published;
use crate::crc::crc16;
use crate::records::{Cursor, Item};

/// How many layouts are remembered.
pub const MAX_LAYOUTS: usize = 4096;

/// The longest layout. A wireless frame is not longer.
pub const MAX_LAYOUT_LEN: usize = 255;

/// What a layout is kept by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FormatKey {
    /// The manufacturer, as sent.
    pub manufacturer: [u8; 2],
    /// The version byte.
    pub version: u8,
    /// The device type byte.
    pub device: u8,
    /// The CRC of the layout.
    pub signature: u16,
}

impl FormatKey {
    /// The key of a meter's layout.
    #[must_use]
    pub fn new(meter: &MeterAddress, signature: u16) -> Self {
        let [m0, m1, .., version, device] = *meter.as_bytes();
        Self { manufacturer: [m0, m1], version, device, signature }
    }
}

/// `KAM-1B-16/F1E7`: maker, version, type, signature.
impl fmt::Display for FormatKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [m0, m1] = self.manufacturer;
        let maker = MeterAddress::from_link_order([m0, m1, 0, 0, 0, 0, 0, 0]).manufacturer();
        write!(f, "{maker}-{:02X}-{:02X}/{:04X}", self.version, self.device, self.signature)
    }
}

/// What came of a layout that was offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Learnt {
    /// It is new and is remembered now.
    New(FormatKey),
    /// It was known.
    Known,
    /// Another one is known by this key; that one stays.
    Clash(Clash),
    /// It is new and there is no room for it.
    NoRoom(FormatKey),
}

/// Two layouts with one key: a chance of one in 65536, or a forged telegram. Compact frames of this key cannot be
/// relied on from then on, since also the CRC of the full frame may be the same for both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// Their key.
    pub key: FormatKey,
    /// The layout that was known. It stays if it was learnt, and gives way if it was only a public one.
    pub known: Box<[u8]>,
    /// Whether the known one was a public layout, so that the offered one is used from now on.
    pub public: bool,
    /// The layout that came now.
    pub offered: Box<[u8]>,
}

/// The layouts that were learnt; behind them stand the public ones.
#[derive(Debug, Clone, Default)]
pub struct Formats {
    layouts: BTreeMap<FormatKey, Box<[u8]>>,
    changes: u64,
    /// Room for the layout of the telegram at hand.
    pub(crate) scratch: Vec<u8>,
}

/// An export that cannot be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It does not begin as an export does, or is of another edition.
    #[error("these bytes are no layouts of this edition")]
    Foreign,
    /// It ends early, or something follows.
    #[error("the layouts are cut or have extra bytes")]
    Cut,
    /// A layout does not fit its signature, does not read, or is too long.
    #[error("layout {0} is damaged")]
    Damaged(FormatKey),
    /// More than [`MAX_LAYOUTS`].
    #[error("there are more than 4096 layouts")]
    TooMany,
}

const MAGIC: &[u8; 8] = b"MKLAYO1\n";

impl Formats {
    /// Nothing learnt yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many layouts were learnt.
    #[must_use]
    pub fn len(&self) -> usize {
        self.layouts.len()
    }

    /// Whether none was learnt.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layouts.is_empty()
    }

    /// Grows with each layout that is learnt, so that a room knows when to store [`Formats::export`].
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// The layout that compact frames of a key are read with: what was learnt, else what is public.
    #[must_use]
    pub fn get(&self, key: &FormatKey) -> Option<&[u8]> {
        let learnt = self.layouts.get(key).map(AsRef::as_ref);
        learnt.or_else(|| published(key.manufacturer, key.signature))
    }

    /// Takes in a layout of a telegram that verified under its meter's key.
    pub(crate) fn learn(&mut self, meter: &MeterAddress, layout: &[u8]) -> Learnt {
        let key = FormatKey::new(meter, crc16(layout));
        match self.layouts.get(&key) {
            Some(known) if **known == *layout => Learnt::Known,
            Some(known) => {
                Learnt::Clash(Clash { key, known: known.clone(), public: false, offered: layout.into() })
            }
            None if self.layouts.len() >= MAX_LAYOUTS || layout.len() > MAX_LAYOUT_LEN => Learnt::NoRoom(key),
            None => {
                self.layouts.insert(key, layout.into());
                self.changes += 1;
                match published(key.manufacturer, key.signature) {
                    Some(known) if known != layout => Learnt::Clash(Clash {
                        key,
                        known: known.into(),
                        public: true,
                        offered: layout.into(),
                    }),
                    _ => Learnt::New(key),
                }
            }
        }
    }

    /// All layouts as bytes, for a room to keep. They say nothing about any person or key.
    #[must_use]
    pub fn export(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        for (key, layout) in &self.layouts {
            out.extend(key.manufacturer);
            out.extend([key.version, key.device]);
            out.extend(key.signature.to_be_bytes());
            out.push(u8::try_from(layout.len()).unwrap_or(u8::MAX)); // no longer one is ever learnt
            out.extend_from_slice(layout);
        }
        out
    }

    /// Layouts from an export.
    ///
    /// # Errors
    /// [`ImportError`]; nothing is taken in then.
    pub fn import(bytes: &[u8]) -> Result<Self, ImportError> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(ImportError::Foreign)?;
        let mut formats = Self::new();
        while !rest.is_empty() {
            let ([m0, m1, version, device, s0, s1, len], after) =
                rest.split_first_chunk().ok_or(ImportError::Cut)?;
            let (layout, after) = after.split_at_checked(usize::from(*len)).ok_or(ImportError::Cut)?;
            let signature = u16::from_be_bytes([*s0, *s1]);
            let key = FormatKey { manufacturer: [*m0, *m1], version: *version, device: *device, signature };
            if crc16(layout) != signature || !is_layout(layout) {
                return Err(ImportError::Damaged(key));
            }
            if formats.layouts.len() >= MAX_LAYOUTS {
                return Err(ImportError::TooMany);
            }
            formats.layouts.insert(key, layout.into());
            rest = after;
        }
        Ok(formats)
    }
}

/// Whether bytes are headers of records from begin to end.
pub(crate) fn is_layout(bytes: &[u8]) -> bool {
    let mut cursor = Cursor::new(bytes, 0);
    while !cursor.rest().is_empty() {
        match Item::read(&mut cursor) {
            Ok(Item::Record(_) | Item::GlobalReadout) => {}
            Ok(Item::Maker { .. }) => return cursor.rest().is_empty(),
            Ok(Item::Filler) | Err(_) => return false,
        }
    }
    !bytes.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn meter(version: u8) -> MeterAddress {
        MeterAddress::from_link_order([0x2d, 0x2c, 1, 2, 3, 4, version, 0x16])
    }

    #[test]
    fn a_layout_is_learnt_once_per_model() {
        let mut formats = Formats::new();
        let layout = [0x02, 0x02, 0x02, 0x15, 0x02, 0x2a];
        let Learnt::New(key) = formats.learn(&meter(1), &layout) else { panic!("new") };
        assert_eq!(key.to_string(), "KAM-01-16/3B31");
        assert_eq!(formats.learn(&meter(1), &layout), Learnt::Known);
        assert!(matches!(formats.learn(&meter(2), &layout), Learnt::New(_)));
        assert_eq!((formats.len(), formats.changes()), (2, 2));
    }

    #[test]
    fn an_export_comes_back_and_a_changed_one_does_not() {
        let mut formats = Formats::new();
        formats.learn(&meter(1), &[0x04, 0x13, 0x02, 0x5a]);
        formats.learn(&meter(1), &[0x04, 0x13]);
        let bytes = formats.export();
        let again = Formats::import(&bytes).unwrap();
        assert_eq!(again.layouts, formats.layouts);
        for at in 0..bytes.len() {
            assert!(Formats::import(&bytes[..at]).is_err() || at == 8 || at == 17 || at == 19, "cut at {at}");
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            let layouts = Formats::import(&bad).map(|f| f.layouts);
            // maker, version and type are not covered by the signature; everything else is
            let harmless =
                layouts.as_ref().is_ok_and(|l| l.values().eq(formats.layouts.values()) || l.len() == 2);
            assert!(layouts.is_err() || harmless, "byte {at}");
        }
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut formats = Formats::new();
        for n in 0..=MAX_LAYOUTS as u32 {
            let [a, b, ..] = n.to_le_bytes();
            // storage numbers make distinct layouts
            let layout = [0x84, 0x80 | (a & 0x0f), 0x80 | (a >> 4), b & 0x0f, 0x13];
            let learnt = formats.learn(&meter((n >> 8) as u8), &layout);
            assert_eq!(matches!(learnt, Learnt::NoRoom(_)), n >= MAX_LAYOUTS as u32, "{n} {learnt:?}");
        }
        assert!(matches!(formats.learn(&meter(200), &[0x2a; 300]), Learnt::NoRoom(_)));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut export = MAGIC.to_vec();
            export.extend(&bytes);
            let _ = Formats::import(&export);
            let _ = is_layout(&bytes);
        }
    }
}
