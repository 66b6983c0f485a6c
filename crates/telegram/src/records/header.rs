//! The header of a data record: DIF, DIFEs, VIF and VIFEs (EN 13757-3 clauses 6.3 and 6.4).

use super::Function;
use super::cursor::Cursor;
use super::vif::Vib;

/// How many DIFEs a record may have.
const MAX_DIFE: usize = 10;

/// What stands at a place where a record may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item {
    /// A record.
    Record(Header),
    /// An idle filler, 2F.
    Filler,
    /// The maker's own data, to the end; with 1F the meter has more to say in further telegrams.
    Maker { more: bool },
    /// A request for a readout of everything, 7F.
    GlobalReadout,
}

/// Everything before the data bytes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The data field: length and coding of the data, bits 3-0 of the DIF.
    pub(crate) data_field: u8,
    pub(crate) function: Function,
    pub(crate) storage: u64,
    pub(crate) tariff: u32,
    pub(crate) subunit: u16,
    pub(crate) vib: Vib,
}

/// Why no further record can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HeaderError {
    /// The record goes on past the end.
    #[error("a record goes on past the end")]
    Cut,
    /// A reserved DIF (3F to 6F): its length is unknown.
    #[error("DIF {0:02X} is reserved, so its length is unknown")]
    ReservedDif(u8),
    /// A reserved length byte of variable-length data.
    #[error("length byte {0:02X} is reserved")]
    ReservedLength(u8),
    /// More DIFEs than the standard allows.
    #[error("a record has more than 10 DIFEs")]
    TooManyDife,
    /// More VIFEs than the standard allows.
    #[error("a record has more than 10 VIFEs")]
    TooManyVife,
    /// More records than are kept.
    #[error("the telegram has more than 512 records")]
    TooManyRecords,
}

impl Item {
    /// Reads what stands at the cursor.
    #[inline]
    pub(crate) fn read(bytes: &mut Cursor<'_>) -> Result<Self, HeaderError> {
        let dif = bytes.byte()?;
        if dif & 0x0f == 0x0f {
            return match dif {
                0x0f | 0x1f => Ok(Self::Maker { more: dif == 0x1f }),
                0x2f => Ok(Self::Filler),
                0x7f => Ok(Self::GlobalReadout),
                other => Err(HeaderError::ReservedDif(other)),
            };
        }
        let mut storage = u64::from(dif >> 6 & 1);
        let (mut tariff, mut subunit) = (0u32, 0u16);
        let mut more = dif & 0x80 != 0;
        let mut n = 0;
        while more {
            if n == MAX_DIFE {
                return Err(HeaderError::TooManyDife);
            }
            let dife = bytes.byte()?;
            more = dife & 0x80 != 0;
            storage |= u64::from(dife & 0x0f) << (1 + 4 * n);
            tariff |= u32::from(dife >> 4 & 3) << (2 * n);
            subunit |= u16::from(dife >> 6 & 1) << n;
            n += 1;
        }
        Ok(Self::Record(Header {
            data_field: dif & 0x0f,
            function: Function::from_bits(dif >> 4),
            storage,
            tariff,
            subunit,
            vib: Vib::read(bytes)?,
        }))
    }
}
