//! ESYS (ESY): phases of the power of its electricity meters. Source: wmbusmeters (driver `esyswm`).

use super::{Code, Maker, Meaning};
use crate::records::Modifier;

pub(super) const MAKER: Maker = Maker {
    codes: &[
        Code::new(0x29, 1, Meaning::Also(Modifier::PHASE_1)),
        Code::new(0x29, 2, Meaning::Also(Modifier::PHASE_2)),
        Code::new(0x29, 3, Meaning::Also(Modifier::PHASE_3)),
    ],
    ..Maker::new(&[b"ESY"])
};
