//! The models of meters in town: what they send and how they protect it.
//!
//! Addresses, versions and layouts follow what is heard in the field; serials and keys are invented.

use std::sync::LazyLock;

use base::UtcMillis;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

pub use crate::habits::Medium;
use crate::habits::{Habits, Shown};
use crate::record::{Coding, Function, Head, type_f, type_g, type_i};

/// How a model protects its telegrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protection {
    /// Extended link layer with AES-CTR (CI 8D); seven of eight telegrams are compact frames.
    EllCtr,
    /// Security mode 5 under a short header (CI 7A).
    Mode5,
    /// Security mode 5 under a long header (CI 72) behind a radio adapter, whose address the link layer has.
    Mode5Adapter,
    /// Security mode 7 with an authentication layer (CI 90) and an eight-byte CMAC, short header.
    Mode7,
}

/// What a record's value is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Total,
    TotalAtMonthStart,
    Reverse,
    Volume,
    Rate,
    Flow,
    Return,
    Ambient,
    Hours,
    MinuteOfMeter,
    SecondOfMeter,
    MonthStart,
    Nothing,
}

/// One record that a model sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub head: Head,
    /// The value is sent as `base unit * 10^-exponent`; base units are m3, kWh, kW, °C, h.
    pub exponent: i8,
    pub source: Source,
}

/// A model of meter.
#[derive(Debug)]
pub struct Kind {
    /// Its name in options and rosters, such as `water-ell`.
    pub name: &'static str,
    /// Manufacturer's three letters.
    pub manufacturer: &'static str,
    /// Version byte of the address.
    pub version: u8,
    /// Device type byte of the address.
    pub device_type: u8,
    /// What it measures.
    pub medium: Medium,
    /// How it protects telegrams.
    pub protection: Protection,
    /// Its name in key files.
    pub model: &'static str,
    /// Its consumption type in key files.
    pub consumption: &'static str,
    /// How often it sends by nature, milliseconds.
    pub nominal_ms: i64,
    pub(crate) fields: Vec<Field>,
    /// The CRC over all DIF, DIFE, VIF and VIFE bytes: the name of the layout in compact frames.
    pub(crate) signature: u16,
}

static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(kinds);

impl Kind {
    /// All models.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &KINDS
    }

    /// The model of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|k| k.name == name)
    }

    /// The usual Kamstrup model of a medium: what a KEM file's meters are played by.
    #[must_use]
    pub fn usual(medium: Medium) -> Option<&'static Self> {
        Self::all().iter().find(|k| k.medium == medium)
    }

    /// The signature of its layout in compact frames.
    #[must_use]
    pub const fn format_signature(&self) -> u16 {
        self.signature
    }

    /// The records of a meter at a moment.
    pub(crate) fn values(&self, habits: &Habits, now: UtcMillis) -> impl Iterator<Item = (&Field, i64)> {
        let shown = habits.at(self.medium, now);
        let time = civil(now);
        let month_start = time.date().first_of_month().to_datetime(jiff::civil::Time::midnight());
        self.fields.iter().map(move |field| {
            let scaled = |value: f64| scale(value, field.exponent);
            let Shown { total, reverse, volume, rate, flow, back, ambient, hours } = shown;
            let value = match field.source {
                Source::Total => scaled(total),
                Source::TotalAtMonthStart => scaled(habits.at(self.medium, instant(month_start)).total),
                Source::Reverse => scaled(reverse),
                Source::Volume => scaled(volume),
                Source::Rate => scaled(rate),
                Source::Flow => scaled(flow),
                Source::Return => scaled(back),
                Source::Ambient => scaled(ambient),
                Source::Hours => scaled(hours),
                Source::MinuteOfMeter => type_f(time),
                Source::SecondOfMeter => type_i(time),
                Source::MonthStart => type_g(month_start),
                Source::Nothing => 0,
            };
            (field, value)
        })
    }
}

fn civil(t: UtcMillis) -> DateTime {
    let clamped = t.0.clamp(0, 4_102_444_800_000);
    Timestamp::from_millisecond(clamped).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC).datetime()
}

fn instant(t: DateTime) -> UtcMillis {
    UtcMillis(t.to_zoned(TimeZone::UTC).map_or(0, |z| z.timestamp().as_millisecond()))
}

#[expect(clippy::cast_possible_truncation, reason = "registers are far below 2^63, and `as` saturates")]
fn scale(value: f64, exponent: i8) -> i64 {
    (value * 10f64.powi(-i32::from(exponent))).floor() as i64
}

fn field(coding: Coding, storage: u64, vif: &[u8], exponent: i8, source: Source) -> Field {
    Field { head: Head::full(coding, Function::Instantaneous, storage, 0, 0, vif), exponent, source }
}

fn present(coding: Coding, vif: &[u8], exponent: i8, source: Source) -> Field {
    field(coding, 0, vif, exponent, source)
}

fn kinds() -> Vec<Kind> {
    use Coding::{Bcd, Int};
    use Medium::{Electricity, Heat, Water};
    use Protection::{EllCtr, Mode5, Mode5Adapter, Mode7};
    use Source as S;
    let kind =
        |name, (manufacturer, version, device_type), medium, protection, (model, consumption), fields| {
            let heads =
                |fields: &Vec<Field>| fields.iter().flat_map(|f| f.head.bytes().to_vec()).collect::<Vec<_>>();
            let signature = seal::meter::crc16(&heads(&fields));
            let nominal_ms = 16_000;
            Kind {
                name,
                manufacturer,
                version,
                device_type,
                medium,
                protection,
                model,
                consumption,
                nominal_ms,
                fields,
                signature,
            }
        };
    vec![
        kind(
            "water-ell",
            ("KAM", 0x1b, 0x16),
            Water,
            EllCtr,
            ("flowIQ2200", "VolumeCold"),
            vec![
                present(Int(2), &[0xff, 0x20], 0, S::Nothing),
                present(Int(4), &[0x13], -3, S::Total),
                field(Int(4), 1, &[0x13], -3, S::TotalAtMonthStart),
                present(Int(1), &[0x5b], 0, S::Flow),
                present(Int(1), &[0x67], 0, S::Ambient),
            ],
        ),
        kind(
            "heat-ell",
            ("KAM", 0x34, 0x04),
            Heat,
            EllCtr,
            ("MC403", "Heat"),
            vec![
                present(Int(4), &[0x06], 0, S::Total),
                present(Int(4), &[0x14], -2, S::Volume),
                field(Int(4), 1, &[0x06], 0, S::TotalAtMonthStart),
                present(Int(2), &[0x59], -2, S::Flow),
                present(Int(2), &[0x5d], -2, S::Return),
                present(Int(2), &[0x2d], -1, S::Rate),
                present(Int(4), &[0x22], 0, S::Hours),
                present(Int(2), &[0xff, 0x22], 0, S::Nothing),
            ],
        ),
        kind(
            "power-ell",
            ("KAM", 0x30, 0x02),
            Electricity,
            EllCtr,
            ("OMNIPOWER", "Electricity"),
            vec![
                present(Int(4), &[0x04], -2, S::Total),
                present(Int(4), &[0x84, 0x3c], -2, S::Reverse),
                present(Int(4), &[0x2b], -3, S::Rate),
            ],
        ),
        kind(
            "water-mode5",
            ("DME", 0x7b, 0x07),
            Water,
            Mode5,
            ("HYDRUS", "VolumeCold"),
            vec![
                present(Bcd(4), &[0x13], -3, S::Total),
                present(Int(4), &[0x6d], 0, S::MinuteOfMeter),
                field(Bcd(4), 1, &[0x13], -3, S::TotalAtMonthStart),
                field(Int(2), 1, &[0x6c], 0, S::MonthStart),
                present(Bcd(3), &[0x3b], -3, S::Rate),
                present(Int(2), &[0xfd, 0x17], 0, S::Nothing),
            ],
        ),
        kind(
            "heat-mode5",
            ("LUG", 0x0a, 0x04),
            Heat,
            Mode5Adapter,
            ("T550", "Heat"),
            vec![
                present(Int(6), &[0x6d], 0, S::SecondOfMeter),
                present(Int(4), &[0x06], 0, S::Total),
                present(Bcd(4), &[0x14], -2, S::Volume),
                present(Int(2), &[0x5a], -1, S::Flow),
                present(Int(2), &[0x5e], -1, S::Return),
                present(Bcd(3), &[0x2b], -3, S::Rate),
            ],
        ),
        kind(
            "power-mode7",
            ("EMH", 0x01, 0x02),
            Electricity,
            Mode7,
            ("ED300L", "Electricity"),
            vec![
                present(Int(4), &[0x6d], 0, S::MinuteOfMeter),
                present(Int(6), &[0x03], -3, S::Total),
                present(Int(6), &[0x83, 0x3c], -3, S::Reverse),
                present(Int(4), &[0x2b], -3, S::Rate),
            ],
        ),
        kind(
            "water-mode7",
            ("ITW", 0x33, 0x16),
            Water,
            Mode7,
            ("INTELIS", "VolumeCold"),
            vec![
                present(Int(4), &[0x13], -3, S::Total),
                present(Int(4), &[0x6d], 0, S::MinuteOfMeter),
                field(Int(4), 1, &[0x13], -3, S::TotalAtMonthStart),
                present(Int(1), &[0x5b], 0, S::Flow),
            ],
        ),
        kind(
            "water-mode5-timeless",
            ("SEN", 0x68, 0x07),
            Water,
            Mode5,
            ("IPERL", "VolumeCold"),
            vec![present(Int(4), &[0x13], -3, S::Total), present(Int(2), &[0x3b], -3, S::Rate)],
        ),
    ]
}
