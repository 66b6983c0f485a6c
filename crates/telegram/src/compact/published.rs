//! Layouts of compact frames that are public, so that a meter whose full frame was not heard yet can be read.
//!
//! Kamstrup's water and heat meters send a full frame only every sixth telegram, some meters hardly ever. Their
//! layouts are facts that open decoders publish: wmbusmeters (`compact_frame_formats` of its drivers kamwater,
//! kamheat and engelmann_faw) and the decoders that follow it. A layout names itself, since its signature is
//! its CRC, which the test below computes; and the CRC of the full frame is checked with every compact frame.
//! What a meter's own verified frame teaches always goes first ([`crate::Formats`]).

use crate::makers::code_of;

/// A layout that is public.
struct Published {
    /// The letters of the makers whose meters send it.
    makers: &'static [&'static [u8; 3]],
    /// Its CRC.
    signature: u16,
    /// DIFs, DIFEs, VIFs and VIFEs in order.
    layout: &'static [u8],
}

const KAMSTRUP: &[&[u8; 3]] = &[b"KAM", b"KAW"];

/// The layouts; a row is one kind of telegram.
const PUBLISHED: &[Published] = &[
    // MULTICAL 21 and flowIQ: info code, volume, and what the configured datagram adds
    kamstrup(0xdd34, b"\x02\xff\x20\x04\x13\x44\x13"),
    kamstrup(0xa8ed, b"\x02\xff\x20\x04\x13\x44\x13\x61\x5b\x61\x67"),
    kamstrup(0xd2f7, b"\x02\xff\x20\x04\x13\x44\x13\x61\x5b\x51\x67"),
    kamstrup(0x61eb, b"\x02\xff\x20\x04\x13\x44\x13\xa1\x01\x5b\x81\x01\xe7\xff\x0f"),
    kamstrup(0xc412, b"\x02\xff\x20\x04\x13\x92\x01\x3b\xa1\x01\x5b\x81\x01\xe7\xff\x0f"),
    kamstrup(0x7c0e, b"\x02\xff\x20\x04\x13\x52\x3b"),
    kamstrup(
        0x36d4,
        b"\x02\xff\x20\x04\x13\x44\x13\x42\x6c\x52\x3b\x61\x5b\x61\x67\x51\x67\x81\x01\xe7\xff\x0f\x06\xff\x1b",
    ),
    // flowIQ 2200 and KWM2231
    kamstrup(
        0x0905,
        b"\x04\xff\x23\x44\x13\x52\x3b\x06\xff\x1b\x42\x6c\x61\x67\x51\x67\x02\x3b\x04\x13\x81\x01\xe7\xff\x0f",
    ),
    kamstrup(
        0xa9f3,
        b"\x04\xff\x23\x04\x13\x44\x13\x42\x6c\x02\x3b\x92\x01\x3b\xa2\x01\x3b\x06\xff\x1b\xa1\x01\x5b\x91\x01\x5b\xa1\x01\x67",
    ),
    // MULTICAL 302 in kWh and in MJ, MULTICAL 403
    kamstrup(0xf1e7, b"\x03\x06\x43\x06\x03\x14\x42\x6c\x02\x2d\x01\xff\x21"),
    kamstrup(0x52c2, b"\x03\x0e\x43\x0e\x03\x13\x42\x6c\x02\x2d\x01\xff\x21"),
    kamstrup(
        0xb34d,
        b"\x04\x06\x04\xff\x07\x04\xff\x08\x04\x14\x04\x3b\x02\x59\x02\x5d\x04\xff\x22\x02\x6c\x44\x06\x44\x14\x42\x6c",
    ),
    // Engelmann FAW: 15 months
    Published {
        makers: &[b"EFE"],
        signature: 0x052d,
        layout: b"\x42\x6c\x44\x13\x01\xfd\x17\x84\x01\x13\xc4\x01\x13\x84\x02\x13\xc4\x02\x13\x84\x03\x13\
            \xc4\x03\x13\x84\x04\x13\xc4\x04\x13\x84\x05\x13\xc4\x05\x13\x84\x06\x13\xc4\x06\x13\x84\x07\x13\
            \xc4\x07\x13\x84\x08\x13\x04\x6d\x04\x13",
    },
];

const fn kamstrup(signature: u16, layout: &'static [u8]) -> Published {
    Published { makers: KAMSTRUP, signature, layout }
}

/// The public layout of a signature, for a maker's two bytes as sent.
pub(crate) fn published(manufacturer: [u8; 2], signature: u16) -> Option<&'static [u8]> {
    let is_of = |makers: &[&[u8; 3]]| makers.iter().any(|m| code_of(**m) == manufacturer);
    PUBLISHED.iter().find(|p| p.signature == signature && is_of(p.makers)).map(|p| p.layout)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crc::crc16;
    use crate::formats::is_layout;

    #[test]
    fn each_layout_is_one_and_has_the_signature_that_stands_beside_it() {
        for (n, p) in PUBLISHED.iter().enumerate() {
            assert_eq!(format!("{:04x}", crc16(p.layout)), format!("{:04x}", p.signature));
            assert!(is_layout(p.layout), "{:04x}", p.signature);
            assert!(PUBLISHED.iter().take(n).all(|other| other.signature != p.signature));
        }
    }

    #[test]
    fn a_layout_serves_its_makers_alone() {
        let [kam, kaw, efe] = [[0x2d, 0x2c], [0x37, 0x2c], [0xc5, 0x14]];
        assert_eq!(published(kam, 0xdd34), Some(&b"\x02\xff\x20\x04\x13\x44\x13"[..]));
        assert!(published(kaw, 0xa9f3).is_some() && published(efe, 0x052d).is_some());
        assert_eq!((published(efe, 0xdd34), published(kam, 0x052d), published(kam, 0)), (None, None, None));
    }
}
