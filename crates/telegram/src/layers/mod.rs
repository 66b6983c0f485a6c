//! The layers of a stripped wireless frame, from the outside in:
//! link (EN 13757-4) -> extended link -> network -> authentication and fragmentation -> transport (EN 13757-7);
//! and of a long frame of the wired bus, whose link layer (EN 13757-2) names no maker.

mod afl;
mod ci;
mod ell;
mod fields;
mod reader;
mod tpl;

use std::fmt;
use std::ops::Range;

use base::MeterAddress;

pub use afl::Afl;
pub use ci::{Application, Header, application, header};
pub use ell::{Ell, Session};
pub use fields::Field;
pub use tpl::{Status, Tpl};

use reader::Reader;

use crate::link::wired_parts;

/// What the headers of a frame say. Ranges are offsets in the frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layers {
    /// The C field: 44 send without reply, 46 installation, 08 response and so on.
    pub control: u8,
    /// The sender in the link layer: the meter, or the radio adapter of a meter; on the wired bus the meter.
    pub link: MeterAddress,
    /// The primary address on the wired bus; none in the air.
    pub bus_address: Option<u8>,
    /// Whose telegram it is: the long transport header's address, else the link layer's.
    pub meter: MeterAddress,
    /// Extended link layer.
    pub ell: Option<Ell>,
    /// The hop byte of the network layer (CI 81).
    pub network: Option<u8>,
    /// Authentication and fragmentation layer.
    pub afl: Option<Afl>,
    /// Transport layer header; none where the CI has no header and where the extended link layer hides it.
    pub tpl: Option<Tpl>,
    /// The CI byte of the application; none where the extended link layer hides it.
    pub ci: Option<u8>,
    /// The application data: after the last header, to the end. Where the extended link layer is encrypted:
    /// from its payload CRC on.
    pub payload: Range<usize>,
}

impl Layers {
    /// Reads the headers of a frame as received. An encrypted extended link layer ends the reading.
    ///
    /// # Errors
    /// [`LayerError`].
    pub fn read(frame: &[u8]) -> Result<Self, LayerError> {
        Self::read_as(frame, false)
    }

    /// Reads the headers of a frame whose encrypted parts hold plaintext now.
    ///
    /// # Errors
    /// [`LayerError`].
    pub fn read_plain(frame: &[u8]) -> Result<Self, LayerError> {
        Self::read_as(frame, true)
    }

    /// Reads the headers of a wireless frame up to its authentication layer: what further fragments of a message have.
    pub(crate) fn read_outer(frame: &[u8]) -> Result<Self, LayerError> {
        let mut r = Reader::new(frame, 0);
        let (control, link) = link_layer(&mut r)?;
        Self::outer(&mut r, control, link, false)
    }

    fn read_as(frame: &[u8], plain: bool) -> Result<Self, LayerError> {
        if let Some((inner, _)) = wired_parts(frame) {
            let end = frame.len() - 2;
            let mut r = Reader::new(frame.get(..end).unwrap_or_default(), end - inner.len());
            let [control, bus] = r.array()?;
            let nobody = MeterAddress::from_link_order([0; 8]);
            let mut layers = Self::inner(&mut r, control, nobody, plain)?;
            // only the long header says whose telegram it is
            if layers.ci.map(ci::header) != Some(Header::Long) {
                return Err(LayerError::Unsupported("a wired telegram without a long header"));
            }
            (layers.link, layers.bus_address) = (layers.meter, Some(bus));
            return Ok(layers);
        }
        let mut r = Reader::new(frame, 0);
        let (control, link) = link_layer(&mut r)?;
        Self::inner(&mut r, control, link, plain)
    }

    fn outer(r: &mut Reader<'_>, control: u8, link: MeterAddress, plain: bool) -> Result<Self, LayerError> {
        let mut layers = Self {
            control,
            link,
            bus_address: None,
            meter: link,
            ell: None,
            network: None,
            afl: None,
            tpl: None,
            ci: None,
            payload: r.end()..r.end(),
        };
        match r.peek() {
            Some(0x8c..=0x8f) => layers.ell = Some(Ell::read(r)?),
            Some(0x86) => {
                return Err(LayerError::Unsupported("an extended link layer of variable length (CI 86)"));
            }
            _ => {}
        }
        if let Some(session) = layers.ell.as_ref().and_then(|ell| ell.session)
            && session.encryption() != 0
            && !plain
        {
            layers.payload = session.crc_at..r.end();
            return Ok(layers);
        }
        if r.peek() == Some(0x81) {
            let [_, hop] = r.array()?;
            layers.network = Some(hop);
        }
        if r.peek() == Some(0x90) {
            layers.afl = Some(Afl::read(r)?);
        }
        layers.payload = r.at()..r.end();
        Ok(layers)
    }

    fn inner(r: &mut Reader<'_>, control: u8, link: MeterAddress, plain: bool) -> Result<Self, LayerError> {
        let mut layers = Self::outer(r, control, link, plain)?;
        let hidden = layers.ell.as_ref().and_then(|ell| ell.session).is_some_and(|s| s.encryption() != 0);
        // further fragments begin amid the message
        if hidden && !plain || layers.afl.as_ref().is_some_and(|afl| afl.fragment() > 1) {
            return Ok(layers);
        }
        let [ci] = r.array()?;
        layers.ci = Some(ci);
        let header = ci::header(ci);
        if header == Header::Long {
            layers.meter = MeterAddress::from_long_header(r.array()?);
        }
        if header != Header::None {
            layers.tpl = Some(Tpl::read(r)?);
        }
        layers.payload = r.at()..r.end();
        Ok(layers)
    }

    /// The protection that the headers declare.
    #[must_use]
    pub fn security(&self) -> Security {
        if let Some(session) = self.ell.as_ref().and_then(|ell| ell.session) {
            match session.encryption() {
                0 => {}
                1 => return Security::EllCtr,
                other => return Security::EllReserved(other),
            }
        }
        match &self.tpl {
            Some(tpl) if !tpl.is_clear() => Security::Mode(tpl.mode()),
            _ => Security::None,
        }
    }

    /// The access number of the transport layer, else of the extended link layer.
    #[must_use]
    pub fn access_number(&self) -> Option<u8> {
        self.tpl.as_ref().map(|t| t.access_number).or_else(|| self.ell.as_ref().map(|e| e.access_number))
    }
}

/// The C field and the sender of a wireless frame whose length fits, or of a joined message, which may be longer than
/// its L field counts; that is 0 then.
fn link_layer(r: &mut Reader<'_>) -> Result<(u8, MeterAddress), LayerError> {
    let [l, control] = r.array()?;
    let declared = usize::from(l) + 1;
    if declared != r.end() && (l != 0 || r.end() <= 256) {
        return Err(LayerError::Length { declared, actual: r.end() });
    }
    let address = r.array()?;
    Ok((control, MeterAddress::from_wireless(control, address, r.rest())))
}

/// The protection that headers declare (EN 13757-7 table 19; EN 13757-4 for the extended link layer).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Security {
    /// Nothing is encrypted.
    None,
    /// The security mode of the transport layer, 1 to 31, with encrypted bytes.
    Mode(u8),
    /// AES-128-CTR in the extended link layer.
    EllCtr,
    /// A reserved encryption number in the extended link layer.
    EllReserved(u8),
}

impl Security {
    /// Whether encrypted bytes are declared.
    #[must_use]
    pub const fn is_encrypted(self) -> bool {
        !matches!(self, Self::None)
    }
}

/// `none`, `mode5`, `ell-ctr`.
impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Mode(mode) => write!(f, "mode{mode}"),
            Self::EllCtr => f.write_str("ell-ctr"),
            Self::EllReserved(number) => write!(f, "ell-{number}"),
        }
    }
}

/// Headers that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LayerError {
    /// The length field and the number of bytes disagree.
    #[error("the length field says {declared} bytes and {actual} are there")]
    Length {
        /// How many bytes the frame should have.
        declared: usize,
        /// How many it has.
        actual: usize,
    },
    /// A header goes on past the end.
    #[error("the frame ends at byte {0}, within a header")]
    Truncated(usize),
    /// The fields of the authentication and fragmentation layer do not fill its length.
    #[error("the fields of the authentication layer do not fill its length")]
    Authentication,
    /// A layer that is not built.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(hex: &str) -> Vec<u8> {
        let mut frame = hex::decode(format!("00{}", hex.replace(' ', ""))).unwrap();
        frame[0] = (frame.len() - 1) as u8;
        frame
    }

    const LINK: &str = "44 2d2c 78563412 1b 16";

    #[test]
    fn a_short_header_takes_the_address_of_the_link() {
        let frame = framed(&format!("{LINK} 7a 05 10 2005 2f2f0413"));
        let layers = Layers::read(&frame).unwrap();
        assert_eq!(layers.meter.to_string(), "KAM-12345678-1B-16");
        let tpl = layers.tpl.as_ref().unwrap();
        assert_eq!(
            (tpl.access_number, tpl.status.0, tpl.mode(), tpl.encrypted_len()),
            (5, 0x10, 5, Some(32))
        );
        assert_eq!((layers.ci, layers.payload.clone()), (Some(0x7a), 15..19));
        assert_eq!(layers.security(), Security::Mode(5));
    }

    #[test]
    fn a_long_header_names_the_meter_behind_the_adapter() {
        let frame = framed(&format!("{LINK} 72 44000057 a205 0c 37 01 00 0000 0413"));
        let layers = Layers::read(&frame).unwrap();
        assert_eq!(layers.link.serial(), "12345678");
        assert_eq!(layers.meter.serial(), "57000044");
        assert_eq!(layers.security(), Security::None);
    }

    #[test]
    fn all_layers_of_a_mode_7_telegram_are_read() {
        let frame =
            framed(&format!("{LINK} 8c 20 2a 90 0f 002c 25 c39a0200 1122334455667788 7a 63 00 2007 10 2f2f"));
        let layers = Layers::read(&frame).unwrap();
        let afl = layers.afl.unwrap();
        assert_eq!((afl.message_counter, afl.mac.len(), afl.is_fragment()), (Some(0x0002_9ac3), 8, false));
        assert_eq!(layers.ell.unwrap().access_number, 0x2a);
        let tpl = layers.tpl.unwrap();
        assert_eq!((tpl.mode(), tpl.extension, tpl.access_number), (7, Some(0x10), 0x63));
        assert_eq!(layers.payload.len(), 2);
    }

    #[test]
    fn an_encrypted_link_hides_what_follows_until_it_is_plain() {
        let frame = framed(&format!("{LINK} 8d 20 17 57d2ed31 aabb 7a 01 00 0000 0413"));
        let hidden = Layers::read(&frame).unwrap();
        assert_eq!((hidden.ci, hidden.tpl, hidden.payload.clone()), (None, None, 17..frame.len()));
        assert_eq!(hidden.security(), Security::EllCtr);
        assert_eq!(hidden.ell.unwrap().session.unwrap().counter(), 0x11ed_d257);
        let plain = Layers::read_plain(&frame).unwrap();
        assert_eq!((plain.ci, plain.payload.clone()), (Some(0x7a), 24..frame.len()));
    }

    #[test]
    fn a_wired_frame_names_its_meter_in_the_long_header() {
        let wired = |inner: &str| {
            let inner = hex::decode(inner.replace(' ', "")).unwrap();
            let l = inner.len() as u8;
            let sum = inner.iter().fold(0u8, |acc, b| acc.wrapping_add(*b));
            [&[0x68, l, l, 0x68][..], &inner, &[sum, 0x16]].concat()
        };
        let frame = wired("08 05 72 44000057 a205 0c 37 01 00 0000 0413 0102 0304");
        let layers = Layers::read(&frame).unwrap();
        assert_eq!((layers.control, layers.bus_address), (8, Some(5)));
        assert_eq!((layers.meter.serial().as_str(), layers.link), ("57000044", layers.meter));
        assert_eq!(layers.payload, 19..frame.len() - 2, "the sum is no data");
        for nameless in ["08 05 78 0413", "08 05 7a 01 00 0000 0413"] {
            assert!(matches!(Layers::read(&wired(nameless)), Err(LayerError::Unsupported(_))));
        }
    }

    #[test]
    fn cut_headers_and_wrong_lengths_are_named() {
        let frame = framed(&format!("{LINK} 72 44000057 a205 0c 37 01"));
        assert_eq!(Layers::read(&frame), Err(LayerError::Truncated(20)));
        assert_eq!(Layers::read(&frame[..12]), Err(LayerError::Length { declared: 20, actual: 12 }));
        let odd = framed(&format!("{LINK} 90 10 002c 25 c39a0200 1122334455667788 7a 63 00 2007 10 2f2f"));
        assert_eq!(Layers::read(&odd), Err(LayerError::Authentication));
        assert!(matches!(Layers::read(&framed(&format!("{LINK} 86 01"))), Err(LayerError::Unsupported(_))));
    }

    proptest! {
        #[test]
        fn nothing_panics(mut frame in proptest::collection::vec(any::<u8>(), 0..80), ci in any::<u8>(), cut in 0usize..80) {
            if let Some(at) = frame.get_mut(10) { *at = ci; }
            frame.truncate(cut);
            let len = frame.len();
            if let Some(l) = frame.first_mut() { *l = len.saturating_sub(1) as u8; }
            for layers in [Layers::read(&frame), Layers::read_plain(&frame)].into_iter().flatten() {
                prop_assert!(layers.payload.start <= layers.payload.end && layers.payload.end == frame.len());
            }
        }
    }
}
