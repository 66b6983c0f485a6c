//! Electricity meters that push DLMS at their customer port, every ten seconds: a data notification in suite 0, in HDLC
//! frames, as Kamstrup's do with a module for the port. An encoder of its own, so that tests hold the readers against
//! something else than themselves.

use base::{Secret, SystemTitle, UtcMillis};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use seal::meter::dlms::{Keys, OpenError, TAG_LEN, protect};

/// How often such a meter pushes, milliseconds.
pub const PUSH_MS: i64 = 10_000;

/// How a meter protects what it pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cover {
    /// Encrypted, with a tag (`30`).
    Authenticated,
    /// Encrypted and no more (`20`).
    EncryptedOnly,
}

/// A meter. It holds keys in order to play one; like all of the simulator it belongs into no house.
pub struct ElectricityMeter {
    title: SystemTitle,
    cover: Cover,
    encryption: Secret<16>,
    authentication: Secret<16>,
    counter: u32,
    serial: u32,
    /// Watt-hours that it had taken when it began, and the power since.
    start: (UtcMillis, i64, i64),
}

impl ElectricityMeter {
    /// A meter of a serial number of up to eight digits, with fresh keys.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn new(serial: u32, cover: Cover, now: UtcMillis) -> Result<Self, &'static str> {
        let fresh = || Secret::random().map_err(|_| "no randomness");
        Ok(Self::with_keys(serial, cover, fresh()?, fresh()?, now))
    }

    /// A meter with given keys.
    #[must_use]
    pub fn with_keys(
        serial: u32,
        cover: Cover,
        encryption: Secret<16>,
        authentication: Secret<16>,
        now: UtcMillis,
    ) -> Self {
        let [a, b, c, d] = serial.to_be_bytes();
        let title = SystemTitle([b'K', b'A', b'M', 0x45, a, b, c, d]);
        let load = 200 + i64::from(serial % 1800);
        Self {
            title,
            cover,
            encryption,
            authentication,
            counter: 1000,
            serial,
            start: (now, i64::from(serial) * 10, load),
        }
    }

    /// Its system title.
    #[must_use]
    pub const fn title(&self) -> SystemTitle {
        self.title
    }

    /// Its printed serial number.
    #[must_use]
    pub const fn serial(&self) -> u32 {
        self.serial
    }

    /// The key that encrypts (GUEK).
    #[must_use]
    pub fn encryption_key(&self) -> &[u8; 16] {
        self.encryption.expose()
    }

    /// The key that goes into the tag (GAK); none where the meter sends none.
    #[must_use]
    pub fn authentication_key(&self) -> Option<&[u8; 16]> {
        match self.cover {
            Cover::Authenticated => Some(self.authentication.expose()),
            Cover::EncryptedOnly => None,
        }
    }

    /// What its main register (1-1:1.8.0) shows at a moment, in tens of watt-hours.
    #[must_use]
    pub const fn shows(&self, now: UtcMillis) -> i64 {
        let (since, watt_hours, load) = self.start;
        (watt_hours + now.since(since) / 1000 * load / 3600) / 10
    }

    /// The next application unit, ciphered. The invocation counter grows by one.
    ///
    /// # Errors
    /// Never, short of a defect.
    pub fn unit(&mut self, now: UtcMillis) -> Result<Vec<u8>, OpenError> {
        let content = self.notification(now);
        self.counter = self.counter.wrapping_add(1);
        let (control, tag) = match self.cover {
            Cover::Authenticated => (0x30, TAG_LEN),
            Cover::EncryptedOnly => (0x20, 0),
        };
        let len = u16::try_from(5 + content.len() + tag).unwrap_or(u16::MAX).to_be_bytes();
        let mut unit = vec![0xdb, 8];
        unit.extend(self.title.0);
        unit.push(0x82);
        unit.extend(len);
        unit.push(control);
        unit.extend(self.counter.to_be_bytes());
        unit.extend(content);
        unit.resize(unit.len() + tag, 0);
        let authentication = self.authentication_key().map(<[u8; 16]>::as_slice);
        protect(&mut unit, &Keys { encryption: self.encryption.expose(), authentication })?;
        Ok(unit)
    }

    /// The notification in clear: the list `Kamstrup_V0001`, codes and values in turn.
    #[must_use]
    pub fn notification(&self, now: UtcMillis) -> Vec<u8> {
        let time = cosem_time(now);
        let mut out = vec![0x0f, 0, 0, 0, 0, 0x0c];
        out.extend(time);
        out.extend([0x02, 15, 0x0a, 14]);
        out.extend(*b"Kamstrup_V0001");
        let (_, _, load) = self.start;
        let word = |n: i64| u32::try_from(n).unwrap_or_default().to_be_bytes();
        for (c, d, value) in
            [(1u8, 8u8, self.shows(now)), (2, 8, 0), (0, 0, i64::from(self.serial)), (1, 7, load), (2, 7, 0)]
        {
            out.extend([0x09, 6, 1, 1, c, d, u8::from(c == 0), 0xff, 0x06]);
            out.extend(word(value));
        }
        out.extend([0x09, 6, 0, 1, 1, 0, 0, 0xff, 0x09, 12]);
        out.extend(time);
        out.extend([0x09, 6, 1, 1, 32, 7, 0, 0xff, 0x12, 0, 231]);
        out
    }
}

/// Date and time in twelve bytes, in UTC, which the deviation of zero says.
fn cosem_time(now: UtcMillis) -> [u8; 12] {
    let at = Timestamp::from_millisecond(now.0).unwrap_or_default().to_zoned(TimeZone::UTC);
    let [y0, y1] = at.year().to_be_bytes();
    let day_of_week = at.weekday().to_monday_one_offset().cast_unsigned();
    let part = |n: i8| n.cast_unsigned();
    let (hour, minute, second) = (part(at.hour()), part(at.minute()), part(at.second()));
    [y0, y1, part(at.month()), part(at.day()), day_of_week, hour, minute, second, 0xff, 0, 0, 0]
}

/// A unit in HDLC frames with at most so many bytes of it each: from address 1 to everybody, unnumbered information.
#[must_use]
pub fn hdlc(unit: &[u8], room: usize) -> Vec<u8> {
    let message = [&[0xe6, 0xe7, 0x00][..], unit].concat();
    let parts: Vec<&[u8]> = message.chunks(room.clamp(1, 2000)).collect();
    let mut out = Vec::new();
    for (number, part) in (1..).zip(&parts) {
        let segmented = if number == parts.len() { 0 } else { 0x0800 };
        let len = u16::try_from(part.len() + 9).unwrap_or(u16::MAX);
        let mut frame = Vec::new();
        frame.extend((0xa000 | segmented | len).to_be_bytes());
        frame.extend([0xff, 0x03, 0x13]);
        frame.extend(x25(&frame).to_le_bytes());
        frame.extend_from_slice(part);
        frame.extend(x25(&frame).to_le_bytes());
        out.push(0x7e);
        out.extend(frame);
        out.push(0x7e);
    }
    out
}

/// CRC-16/X-25, bit by bit: not the reader's own, which tests hold against this.
fn x25(bytes: &[u8]) -> u16 {
    !bytes.iter().fold(0xffff, |crc: u16, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |c, _| if c & 1 == 0 { c >> 1 } else { (c >> 1) ^ 0x8408 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_check_value_holds() {
        assert_eq!(x25(b"123456789"), 0x906e);
    }
}
