//! The receivers by name, with what they need to know.

use serde::{Deserialize, Serialize};

use crate::bare::{Bare, Trailer};
use crate::text::{Dialect, Text};
use crate::{Frames, Receiver, amber, han, hex_stream, imst871, imst891, rc1180, wired};

/// A kind of receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Lines, each as what it looks like: rtl_433's, rtl_wmbus's, or hexadecimal.
    #[default]
    Auto,
    /// Lines of hexadecimal digits, one frame each.
    Hex,
    /// Lines of rtl_wmbus.
    RtlWmbus,
    /// Lines of rtl_433 (`-F csv`).
    #[serde(rename = "rtl-433")]
    Rtl433,
    /// IMST iM871A and iM170A.
    Imst871,
    /// IMST iU891A.
    Imst891,
    /// Amber (Würth) AMB8465 and AMB3665 in command mode.
    Amber,
    /// The same in transparent mode, the signal strength behind each frame.
    AmberTransparent,
    /// CUL and culfw.
    Cul,
    /// Radiocrafts RC1180.
    Rc1180,
    /// Frames one after the other, binary.
    Raw,
    /// Hexadecimal digits with anything between.
    HexStream,
    /// The wired M-Bus.
    Mbus,
    /// The customer port of an electricity meter (HDLC).
    Han,
}

/// A word that is no kind of receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKind(pub String);

impl std::error::Error for UnknownKind {}

impl std::fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        write!(f, "`{}` is no receiver; there are {}", self.0, names.join(", "))
    }
}

impl std::str::FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What a stick with a radio of its own is to listen to (EN 13757-4 and, for N, the 169 MHz band).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the standard's")]
pub enum Mode {
    /// Both, where the receiver can.
    #[default]
    C1T1,
    C1,
    T1,
    S1,
    N1A,
    N1B,
    N1C,
    N1D,
    N1E,
    N1F,
}

/// Parity of a serial line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parity {
    /// None: 8N1.
    #[default]
    None,
    /// Even: 8E1.
    Even,
    /// Odd: 8O1.
    Odd,
}

/// How a receiver's serial line is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serial {
    /// Baud.
    pub baud: u32,
    /// Parity; always eight data bits and one stop bit.
    pub parity: Parity,
}

/// What a receiver needs to know besides its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// How frames carry their link checksums, where the receiver does not say.
    pub frames: Frames,
    /// What the radio is to listen to, where it can be told.
    pub mode: Mode,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 14] = [
        Self::Auto,
        Self::Hex,
        Self::RtlWmbus,
        Self::Rtl433,
        Self::Imst871,
        Self::Imst891,
        Self::Amber,
        Self::AmberTransparent,
        Self::Cul,
        Self::Rc1180,
        Self::Raw,
        Self::HexStream,
        Self::Mbus,
        Self::Han,
    ];

    /// Its name in settings and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Hex => "hex",
            Self::RtlWmbus => "rtl-wmbus",
            Self::Rtl433 => "rtl-433",
            Self::Imst871 => "imst871",
            Self::Imst891 => "imst891",
            Self::Amber => "amber",
            Self::AmberTransparent => "amber-transparent",
            Self::Cul => "cul",
            Self::Rc1180 => "rc1180",
            Self::Raw => "raw",
            Self::HexStream => "hex-stream",
            Self::Mbus => "mbus",
            Self::Han => "han",
        }
    }

    /// How its serial line is set when nobody says otherwise.
    #[must_use]
    pub const fn serial(self) -> Serial {
        let (baud, parity) = match self {
            Self::Imst871 => (57_600, Parity::None),
            Self::Imst891 => (115_200, Parity::None),
            Self::Amber | Self::AmberTransparent => (9_600, Parity::None),
            Self::Cul => (38_400, Parity::None),
            Self::Rc1180 => (19_200, Parity::None),
            Self::Mbus => (2_400, Parity::Even),
            Self::Han => (2_400, Parity::None),
            Self::Auto | Self::Hex | Self::RtlWmbus | Self::Rtl433 | Self::Raw | Self::HexStream => {
                (115_200, Parity::None)
            }
        };
        Serial { baud, parity }
    }

    /// Its state machine.
    #[must_use]
    pub fn receiver(self, options: &Options) -> Box<dyn Receiver> {
        let Options { frames, mode } = *options;
        match self {
            Self::Auto => Box::new(Text::new(Dialect::Auto, frames)),
            Self::Hex => Box::new(Text::new(Dialect::Hex, frames)),
            Self::RtlWmbus => Box::new(Text::new(Dialect::RtlWmbus, frames)),
            Self::Rtl433 => Box::new(Text::new(Dialect::Rtl433, frames)),
            Self::Imst871 => Box::new(imst871::Imst871::new(mode)),
            Self::Imst891 => Box::new(imst891::Imst891::new(mode)),
            Self::Amber => Box::new(amber::Amber::new(mode)),
            Self::AmberTransparent => Box::new(Bare::new(Frames::Stripped, Trailer::Amber)),
            Self::Cul => Box::new(Text::cul(mode)),
            Self::Rc1180 => Box::new(rc1180::Rc1180::new()),
            Self::Raw => Box::new(Bare::new(frames, Trailer::None)),
            Self::HexStream => Box::new(hex_stream::HexStream::new(frames)),
            Self::Mbus => Box::new(wired::Wired::default()),
            Self::Han => Box::new(han::Han::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        let message = "im871".parse::<Kind>().unwrap_err().to_string();
        assert!(message.contains("`im871`") && message.contains("imst871"), "{message}");
    }
}
