//! A P1 telegram: registers in letters, a line each (NTA 8130, DSMR 5 clause 5.2; Luxembourg's smart meters put
//! one whole into a ciphered unit): `/ident`, empty line, `A-B:C.D.E(value*unit)`, `!` and a checksum.

use std::str::FromStr as _;

use base::{Decimal, Obis, Quantity, Unit};

use super::known::{Meaning, meaning, of_unit};
use super::push::{Push, bare};
use crate::records::{Date, DateTime, MAX_RECORDS, Modifiers, Record, Time, Value};

/// Reads a telegram that begins with its slash; `None` where it does not end with `!`.
pub(super) fn read(bytes: &[u8], from: usize, out: &mut Vec<Record>) -> Option<Push> {
    let telegram = bytes.get(from..)?;
    let end = telegram.iter().rposition(|b| *b == b'!')?;
    let (covered, rest) = telegram.split_at_checked(end + 1)?;
    let mut push = Push { checksum: checksum(covered, rest)?, ..Push::default() };
    let mut at = from;
    for line in covered.split_inclusive(|b| *b == b'\n') {
        let place = at;
        at += line.len();
        let text = std::str::from_utf8(line.trim_ascii_end()).ok().filter(|t| t.contains('('));
        let Some(text) = text else { continue };
        match register(text) {
            Some(record) if out.len() < MAX_RECORDS => {
                out.push(Record { at: place, len: text.len(), ..record })
            }
            _ => push.unread = push.unread.saturating_add(line.len()),
        }
    }
    Some(push)
}

/// Whether the four digits behind the exclamation mark fit (CRC-16/ARC); none where there are no digits. `None` where
/// something else stands there.
#[expect(clippy::option_option, reason = "damage, no checksum, and what it says are three things")]
fn checksum(covered: &[u8], rest: &[u8]) -> Option<Option<bool>> {
    let digits = rest.trim_ascii();
    if digits.is_empty() {
        return Some(None);
    }
    let text = std::str::from_utf8(digits).ok().filter(|t| t.len() == 4)?;
    let sent = u16::from_str_radix(text, 16).ok()?;
    let crc = covered.iter().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |c, _| if c & 1 == 0 { c >> 1 } else { (c >> 1) ^ 0xa001 })
    });
    Some(Some(crc == sent))
}

/// A line of a register: of several values the last one counts, after the moment that it was taken at.
fn register(line: &str) -> Option<Record> {
    let (code, values) = line.split_once('(')?;
    let obis: Obis = code.trim().parse().ok()?;
    let last = values.strip_suffix(')')?.rsplit(")(").next()?;
    let Meaning { mut quantity, function, tariff, storage, modifier, phase } = meaning(obis);
    let (number, unit) = last.split_once('*').unwrap_or((last, ""));
    let (unit, shift) = unit_of(unit)?;
    if quantity == Quantity::ManufacturerSpecific && unit != Unit::None {
        quantity = of_unit(unit);
    }
    let value = match decimal(number) {
        _ if quantity == Quantity::DateTime => Value::DateTime(moment(last)?),
        // numbers of devices and texts come as pairs of hexadecimal digits
        _ if unit == Unit::None && is_text(quantity) => Value::Text(letters(last)),
        Some(n) => Value::Number(Decimal::new(n.mantissa, n.exponent.saturating_add(shift))),
        None if last.is_empty() => Value::None,
        None => Value::Text(letters(last)),
    };
    let mut modifiers = Modifiers::EMPTY;
    modifier.into_iter().chain(phase).for_each(|m| modifiers.push(m));
    Some(Record { unit, function, tariff, storage, modifiers, ..bare(obis, quantity, value) })
}

const fn is_text(quantity: Quantity) -> bool {
    matches!(
        quantity,
        Quantity::FabricationNumber | Quantity::SupplierInformation | Quantity::EnhancedIdentification
    )
}

fn unit_of(word: &str) -> Option<(Unit, i8)> {
    Some(match word {
        "" => (Unit::None, 0),
        "kWh" => (Unit::KilowattHour, 0),
        "Wh" => (Unit::KilowattHour, -3),
        "kvarh" | "kVArh" => (Unit::KilovarHour, 0),
        "varh" | "VArh" => (Unit::KilovarHour, -3),
        "kVAh" => (Unit::KilovoltAmpereHour, 0),
        "kW" => (Unit::Kilowatt, 0),
        "W" => (Unit::Kilowatt, -3),
        "kvar" | "kVAr" => (Unit::Kilovar, 0),
        "var" | "VAr" => (Unit::Kilovar, -3),
        "kVA" => (Unit::KilovoltAmpere, 0),
        "VA" => (Unit::KilovoltAmpere, -3),
        "V" => (Unit::Volt, 0),
        "A" => (Unit::Ampere, 0),
        "Hz" => (Unit::Hertz, 0),
        "s" => (Unit::Second, 0),
        "m3" => (Unit::CubicMetre, 0),
        "GJ" => (Unit::Megajoule, 3),
        "MJ" => (Unit::Megajoule, 0),
        _ => return None,
    })
}

/// `000123.456`, every digit kept.
fn decimal(text: &str) -> Option<Decimal> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = || whole.bytes().chain(part.bytes());
    let sign = whole.starts_with('-');
    if whole.is_empty() || !digits().skip(usize::from(sign)).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mantissa = i64::from_str(&format!("{whole}{part}")).ok()?;
    let places = i8::try_from(part.len()).ok()?;
    Some(Decimal::new(mantissa, places.checked_neg()?))
}

/// `YYMMDDhhmmssX`, X = S for summer time.
fn moment(text: &str) -> Option<DateTime> {
    let two = |at: usize| text.get(at..at + 2).and_then(|t| t.parse::<u8>().ok());
    let summer = match text.get(12..) {
        Some("S") => true,
        Some("W" | "") => false,
        _ => return None,
    };
    let date = Date::new(2000 + u16::from(two(0)?), two(2)?, two(4)?)?;
    let (hour, minute, second) = (two(6)?, two(8)?, two(10)?);
    let time = Time { hour, minute, second: Some(second) };
    (hour < 24 && minute < 60 && second < 60).then_some(DateTime { date, time, summer, invalid: false })
}

/// Pairs of hexadecimal digits that stand for printable letters; anything else as it stands.
fn letters(text: &str) -> Box<str> {
    let pairs = text.as_bytes().chunks(2);
    let read = pairs.map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|p| p.len() == 2)?;
        let byte = u8::from_str_radix(pair, 16).ok()?;
        (0x20..0x7f).contains(&byte).then_some(char::from(byte))
    });
    read.collect::<Option<String>>().filter(|t| !t.is_empty()).map_or_else(|| text.into(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TELEGRAM: &str = "/SAG5SAG-METER\r\n\r\n1-3:0.2.8(42)\r\n0-0:1.0.0(261124163005W)\r\n\
        0-0:42.0.0(53414731)\r\n1-0:1.8.0(000123.456*kWh)\r\n1-0:2.8.0(000000.007*kWh)\r\n1-0:3.8.0(000001.0*kvarh)\r\n\
        1-0:1.7.0(00.329*kW)\r\n1-0:32.7.0(230.1*V)\r\n1-0:31.7.0(002*A)\r\n0-0:96.14.0(0002)\r\n\
        0-2:24.2.1(261124160000W)(01543.012*m3)\r\n1-0:99.97.0(1)(0-0:96.7.19)(000101000001W)(2147483647*s)\r\n\
        0-0:96.13.0()\r\n1-0:9.9.9(1*furlong)\r\n!";

    fn arc(bytes: &[u8]) -> u16 {
        bytes.iter().fold(0u16, |crc, byte| {
            (0..8).fold(crc ^ u16::from(*byte), |c, _| if c & 1 == 0 { c >> 1 } else { (c >> 1) ^ 0xa001 })
        })
    }

    #[test]
    fn the_catalogue_check_value_holds() {
        assert_eq!(arc(b"123456789"), 0xbb3d);
        assert_eq!(checksum(b"123456789", b"BB3D\r\n"), Some(Some(true)));
    }

    #[test]
    fn registers_are_read_with_every_digit() {
        let telegram = format!("{TELEGRAM}{:04X}\r\n", arc(TELEGRAM.as_bytes()));
        let mut out = Vec::new();
        let push = read(telegram.as_bytes(), 0, &mut out).unwrap();
        assert_eq!((push.checksum, push.unread), (Some(true), "1-0:9.9.9(1*furlong)\r\n".len()));
        let shown: Vec<String> = out
            .iter()
            .map(|r| format!("{} {} {}", r.obis.unwrap(), r.value, r.unit.name()).trim_end().to_owned())
            .collect();
        assert_eq!(
            shown,
            [
                "1-3:0.2.8 42",
                "0-0:1.0.0 2026-11-24T16:30:05",
                "0-0:42.0.0 SAG1",
                "1-0:1.8.0 123.456 kWh",
                "1-0:2.8.0 0.007 kWh",
                "1-0:3.8.0 1.0 kvarh",
                "1-0:1.7.0 0.329 kW",
                "1-0:32.7.0 230.1 V",
                "1-0:31.7.0 2 A",
                "0-0:96.14.0 2",
                "0-2:24.2.1 1543.012 m3",
                "1-0:99.97.0 2147483647 s",
                "0-0:96.13.0",
            ]
        );
        assert_eq!(out[10].quantity, Quantity::Volume);
        assert_eq!(&telegram[out[3].at..][..out[3].len], "1-0:1.8.0(000123.456*kWh)");
    }

    #[test]
    fn damage_is_noticed() {
        let mut out = Vec::new();
        let wrong = format!("{TELEGRAM}0000\r\n");
        assert_eq!(read(wrong.as_bytes(), 0, &mut out).unwrap().checksum, Some(false));
        assert_eq!(read(TELEGRAM.as_bytes(), 0, &mut out).unwrap().checksum, None, "older ones have none");
        assert_eq!(read(&TELEGRAM.as_bytes()[..60], 0, &mut out), None);
        assert_eq!(read(format!("{TELEGRAM}12345").as_bytes(), 0, &mut out), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "/[0-9a-z:.*()\r\n!-]{0,200}") {
            let _ = read(text.as_bytes(), 0, &mut Vec::new());
        }

        #[test]
        fn a_written_register_is_read_again(n in 0u32..1_000_000_000, c in 1u8..5) {
            let line = format!("1-0:{c}.8.0({:06}.{:03}*kWh)", n / 1000, n % 1000);
            let record = register(&line).unwrap();
            prop_assert_eq!(record.value, Value::Number(Decimal::new(n.into(), -3)));
            prop_assert_eq!(record.obis, Some(Obis([1, 0, c, 8, 0, 255])));
        }
    }
}
