//! Engelmann (EFE): error flags of the FAW water meters. Source: wmbusmeters (driver `engelmann_faw`).

use super::{Errors, Maker, Models};
use crate::records::Flag;

pub(super) const MAKER: Maker = Maker {
    errors: &[Errors {
        models: Models { versions: &[0x00], devices: &[0x06, 0x07, 0x16] },
        flags: &[
            Flag::bit(0, "measuring coils defective"),
            Flag::bit(1, "reset"),
            Flag::bit(2, "memory error"),
            Flag::bit(3, "removed"),
            Flag::bit(4, "magnetic tamper"),
            Flag::bit(5, "leak"),
            Flag::bit(6, "blocked"),
            Flag::bit(7, "reverse flow"),
        ],
    }],
    ..Maker::new(&[b"EFE"])
};
