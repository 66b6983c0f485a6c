//! Schneider Electric (SEC): the iEM3000 series of electricity meters.
//!
//! Source: the maker's manual of the series (DOCA0005, chapter on M-Bus communication): the telegrams' tables name the
//! VIFEs after FF, and subunit 1 as reactive and subunit 2 as apparent.

use base::{Quantity, Unit};

use super::Meaning::{Also, Is};
use super::{Code, Maker, Models, Subunit};
use crate::records::{Modifier, Vib};

pub(super) const MAKER: Maker = Maker {
    codes: &[
        Code::new(0x03, 0x01, Also(Modifier::PHASE_1)),
        Code::new(0x03, 0x02, Also(Modifier::PHASE_2)),
        Code::new(0x03, 0x03, Also(Modifier::PHASE_3)),
        Code::new(0x03, 0x09, Also(Modifier::BACKWARD)),
        Code::new(0x03, 0x0d, Also(Modifier::PARTIAL)),
        Code::new(0x2e, 0x01, Also(Modifier::PHASE_1)),
        Code::new(0x2e, 0x02, Also(Modifier::PHASE_2)),
        Code::new(0x2e, 0x03, Also(Modifier::PHASE_3)),
        // currents and voltages; 0 and 4, 8 are averages
        Code::new(0x7d, 0x00, Also(Modifier::AVERAGE)),
        Code::new(0x7d, 0x01, Also(Modifier::PHASE_1)),
        Code::new(0x7d, 0x02, Also(Modifier::PHASE_2)),
        Code::new(0x7d, 0x03, Also(Modifier::PHASE_3)),
        Code::new(0x7d, 0x04, Also(Modifier::AVERAGE)),
        Code::new(0x7d, 0x05, Also(Modifier::PHASES_1_2)),
        Code::new(0x7d, 0x06, Also(Modifier::PHASES_2_3)),
        Code::new(0x7d, 0x07, Also(Modifier::PHASES_3_1)),
        Code::new(0x7d, 0x08, Also(Modifier::AVERAGE)),
        Code::new(0x7f, 0x0b, Is(HERTZ)),
        Code::new(0x7f, 0x20, Is(Vib::number(Quantity::OperatingTime, Unit::Second, 0, 0))),
        Code::new(0x7f, 0x24, Is(HERTZ.with(Modifier::NOMINAL))),
    ],
    subunits: &[
        subunit(1, Quantity::Energy, Quantity::ReactiveEnergy, Unit::KilovarHour),
        subunit(1, Quantity::Power, Quantity::ReactivePower, Unit::Kilovar),
        subunit(2, Quantity::Power, Quantity::ApparentPower, Unit::KilovoltAmpere),
    ],
    ..Maker::new(&[b"SEC"])
};

const HERTZ: Vib = Vib::number(Quantity::Frequency, Unit::Hertz, 0, 0);

const fn subunit(subunit: u16, from: Quantity, to: Quantity, unit: Unit) -> Subunit {
    let models = Models { versions: &[0x13, 0x15, 0x18], devices: &[0x02] };
    Subunit { models, subunit, from, to, unit }
}
