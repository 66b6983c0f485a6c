//! Kamstrup (KAM, KAW): energy registers E8 and E9, averages, info codes.
//!
//! Sources: the maker's technical descriptions (flowIQ 2101/3100 wired M-Bus, 5512-1944; MULTICAL 21, 5512-897,
//! clause 11.4 on the info register) and wmbusmeters (drivers kamwater, kamheat and kampress).

use base::{Quantity, Unit};

use super::Meaning::{Also, Is};
use super::{Code, Errors, Maker, Models};
use crate::records::{Flag, Flags, Modifier, Vib};

pub(super) const MAKER: Maker = Maker {
    codes: &[
        Code::new(0x7f, 0x07, Is(E8)),
        Code::new(0x7f, 0x08, Is(E9)),
        // MULTICAL 602 sends them behind the VIF of heat cost units
        Code::new(0x6e, 0x07, Is(E8)),
        Code::new(0x6e, 0x08, Is(E9)),
        Code::new(0x5b, 0x0f, Also(Modifier::AVERAGE)),
        Code::new(0x67, 0x0f, Also(Modifier::AVERAGE)),
        Code::new(0x7f, 0x1b, Is(Vib::bytes(Quantity::AcousticNoise))),
        Code::new(0x7f, 0x20, Is(info(MULTICAL_21))),
        Code { len: Some(2), ..Code::new(0x7f, 0x22, Is(info(HEAT_16))) },
        Code::new(0x7f, 0x22, Is(info(HEAT))),
        Code::new(0x7f, 0x23, Is(info(FLOWIQ))),
    ],
    errors: &[
        Errors {
            models: Models { versions: &[], devices: &[0x04, 0x0a, 0x0b, 0x0c, 0x0d] },
            flags: HEAT_ERRORS,
        },
        Errors { models: Models { versions: &[], devices: &[0x18] }, flags: PRESSURE },
    ],
    ..Maker::new(&[b"KAM", b"KAW"])
};

/// Volume times flow temperature, and times return temperature.
const E8: Vib = Vib::number(Quantity::VolumeFlowTemperature, Unit::CubicMetreCelsius, 0, 0);
const E9: Vib = Vib::number(Quantity::VolumeReturnTemperature, Unit::CubicMetreCelsius, 0, 0);

const fn info(names: &'static [Flag]) -> Vib {
    let mut vib = Vib::flags(Quantity::ErrorFlags);
    vib.flags = Flags(names);
    vib
}

/// Each state has its bit, and three bits that say how long it lasted within the last 31 days.
macro_rules! states {
    ($($bit:literal $hours:literal $name:literal),*) => {
        &[$(
            Flag::bit($bit, $name),
            Flag::field($hours, 7, 1, concat!($name, " for 1 to 8 hours")),
            Flag::field($hours, 7, 2, concat!($name, " for 9 to 24 hours")),
            Flag::field($hours, 7, 3, concat!($name, " for 2 to 3 days")),
            Flag::field($hours, 7, 4, concat!($name, " for 4 to 7 days")),
            Flag::field($hours, 7, 5, concat!($name, " for 8 to 14 days")),
            Flag::field($hours, 7, 6, concat!($name, " for 15 to 21 days")),
            Flag::field($hours, 7, 7, concat!($name, " for 22 to 31 days")),
        )*]
    };
}

const MULTICAL_21: &[Flag] = states![0 4 "dry", 1 7 "reverse flow", 2 10 "leak", 3 13 "burst"];

const FLOWIQ: &[Flag] = &[
    Flag::bit(0, "dry"),
    Flag::bit(1, "reverse flow"),
    Flag::bit(2, "leak"),
    Flag::bit(3, "burst"),
    Flag::bit(4, "tamper"),
    Flag::bit(5, "low battery"),
    Flag::bit(6, "low ambient temperature"),
    Flag::bit(7, "flow above Q4"),
    Flag::bit(9, "no consumption"),
];

/// Of 32 bits.
const HEAT: &[Flag] = &[
    Flag::bit(0, "supply voltage interrupted"),
    Flag::bit(1, "low battery"),
    Flag::bit(2, "sensor error"),
    Flag::bit(3, "temperature sensor T1 above measuring range"),
    Flag::bit(4, "temperature sensor T2 above measuring range"),
    Flag::bit(5, "temperature sensor T1 below measuring range"),
    Flag::bit(6, "temperature sensor T2 below measuring range"),
    Flag::bit(7, "temperature difference of wrong polarity"),
    Flag::bit(8, "flow sensor V1 weak or air"),
    Flag::bit(9, "flow sensor V1 in wrong direction"),
    Flag::bit(11, "flow of V1 too high"),
    Flag::bit(12, "leak at input A1"),
    Flag::bit(13, "leak at input B1"),
    Flag::bit(14, "external alarm at input A1 or A2"),
    Flag::bit(15, "external alarm at input B1 or B2"),
    Flag::bit(16, "flow sensor V1 does not answer"),
    Flag::bit(17, "flow sensor V1 has wrong pulse figure"),
    Flag::bit(18, "leak at input A2"),
    Flag::bit(19, "leak at input B2"),
    Flag::bit(20, "temperature sensor T3 above measuring range or off"),
    Flag::bit(21, "temperature sensor T3 below measuring range or off"),
    Flag::bit(22, "flow sensor V2 does not answer"),
    Flag::bit(23, "flow sensor V2 has wrong pulse figure"),
    Flag::bit(24, "air in flow sensor V2"),
    Flag::bit(25, "flow sensor V2 in wrong direction"),
    Flag::bit(27, "flow of V2 too high"),
    Flag::bit(28, "burst between V1 and V2, water lost"),
    Flag::bit(29, "burst between V1 and V2, water gained"),
    Flag::bit(30, "leak between V1 and V2, water lost"),
    Flag::bit(31, "leak between V1 and V2, water gained"),
];

/// Of 16 bits: some that have a meaning in 32 bits are reserved.
const HEAT_16: &[Flag] = &[
    Flag::bit(0, "supply voltage interrupted"),
    Flag::bit(1, "low battery"),
    Flag::bit(3, "temperature sensor T1 above measuring range"),
    Flag::bit(4, "temperature sensor T2 above measuring range"),
    Flag::bit(5, "temperature sensor T1 below measuring range"),
    Flag::bit(6, "temperature sensor T2 below measuring range"),
    Flag::bit(7, "temperature difference of wrong polarity"),
    Flag::bit(8, "flow sensor V1 weak or air"),
    Flag::bit(9, "flow sensor V1 in wrong direction"),
    Flag::bit(11, "flow of V1 too high"),
];

/// Older heat meters, which send their info code as error flags.
const HEAT_ERRORS: &[Flag] = &[
    Flag::bit(0, "supply voltage interrupted"),
    Flag::bit(2, "temperature sensor T2 outside measuring range"),
    Flag::bit(3, "temperature sensor T1 outside measuring range"),
    Flag::bit(4, "flow sensor V1 does not answer"),
    Flag::bit(5, "temperature sensor T3 outside measuring range"),
    Flag::bit(6, "leak in cold water"),
    Flag::bit(7, "flow sensor V2 has wrong pulse figure"),
    Flag::bit(8, "leak in hot water"),
    Flag::bit(9, "burst, water lost"),
    Flag::bit(10, "flow sensor V2 does not answer"),
    Flag::bit(11, "flow sensor V1 has wrong pulse figure"),
    Flag::bit(12, "air in flow sensor V1"),
    Flag::bit(13, "air in flow sensor V2"),
    Flag::bit(14, "flow sensor V1 in wrong direction"),
    Flag::bit(15, "flow sensor V2 in wrong direction"),
];

const PRESSURE: &[Flag] = &[
    Flag::bit(0, "sudden drop"),
    Flag::bit(1, "sudden rise"),
    Flag::bit(2, "high pressure"),
    Flag::bit(3, "low pressure"),
    Flag::bit(4, "transients"),
    Flag::bit(5, "measurement failed"),
];
