//! Units that a value comes in.

/// Makes an enum whose variants carry a number that never changes and a word that people see.
macro_rules! coded {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal, $word:literal;)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// All of them, by growing code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The number that stands in stored readings; never changes.
            #[must_use]
            pub const fn code(self) -> u16 {
                match self { $(Self::$variant => $code,)* }
            }

            /// What a code stands for.
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }

            /// The word people and programs see.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// What a word stands for.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}
pub(crate) use coded;

coded! {
    /// The unit of a value. Meters send many multiples; each kind is brought to one multiple by moving the
    /// decimal point, so that no digit is lost. Kinds that differ by other factors (kWh and MJ, min and h)
    /// stay as sent.
    Unit {
        /// No unit: counts, numbers, texts, dates.
        None = 0, "";
        /// Cubic metre.
        CubicMetre = 1, "m3";
        /// Kilowatt-hour.
        KilowattHour = 2, "kWh";
        /// Megajoule.
        Megajoule = 3, "MJ";
        /// Megacalorie.
        Megacalorie = 4, "Mcal";
        /// Kilovolt-ampere reactive hour.
        KilovarHour = 5, "kvarh";
        /// Kilovolt-ampere hour.
        KilovoltAmpereHour = 6, "kVAh";
        /// Kilowatt.
        Kilowatt = 7, "kW";
        /// Megajoule per hour.
        MegajoulePerHour = 8, "MJ/h";
        /// Kilovolt-ampere reactive.
        Kilovar = 9, "kvar";
        /// Kilovolt-ampere.
        KilovoltAmpere = 10, "kVA";
        /// Cubic metre per hour.
        CubicMetrePerHour = 11, "m3/h";
        /// Cubic metre per minute.
        CubicMetrePerMinute = 12, "m3/min";
        /// Cubic metre per second.
        CubicMetrePerSecond = 13, "m3/s";
        /// Kilogram.
        Kilogram = 14, "kg";
        /// Kilogram per hour.
        KilogramPerHour = 15, "kg/h";
        /// Degree Celsius.
        Celsius = 16, "°C";
        /// Kelvin, of a difference.
        Kelvin = 17, "K";
        /// Bar.
        Bar = 18, "bar";
        /// Volt.
        Volt = 19, "V";
        /// Ampere.
        Ampere = 20, "A";
        /// Hertz.
        Hertz = 21, "Hz";
        /// Degree of an angle.
        Degree = 22, "deg";
        /// Per cent of relative humidity.
        RelativeHumidity = 23, "%RH";
        /// Unit of a heat cost allocator.
        HeatCostUnit = 24, "HCA";
        /// Second.
        Second = 25, "s";
        /// Minute.
        Minute = 26, "min";
        /// Hour.
        Hour = 27, "h";
        /// Day.
        Day = 28, "d";
        /// Month.
        Month = 29, "mo";
        /// Year.
        Year = 30, "y";
        /// Decibel milliwatt.
        DecibelMilliwatt = 31, "dBm";
        /// Baud.
        Baud = 32, "Bd";
        /// Time of one bit on the bus.
        BitTime = 33, "bit times";
        /// The nominal local legal currency.
        Currency = 34, "currency";
        /// Cubic foot.
        CubicFoot = 35, "ft3";
        /// A unit that the meter writes out in letters, kept with the record.
        Text = 36, "text";
        /// Cubic metre times degree Celsius.
        CubicMetreCelsius = 37, "m3·°C";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_find_their_way_back() {
        for (at, unit) in Unit::ALL.iter().enumerate() {
            assert_eq!(Unit::from_code(unit.code()), Some(*unit));
            assert_eq!(Unit::from_name(unit.name()), Some(*unit), "{unit:?} shares its name");
            assert_eq!(usize::from(unit.code()), at, "codes are given out in order");
        }
        assert_eq!(Unit::from_code(999), None);
    }
}
