//! A pushed unit in clear: a data notification with a list of values, or a P1 telegram in letters.

use std::ops::Range;

use base::{Obis, Quantity, SystemTitle, Unit};

use super::axdr::{self, AxdrError};
use super::known::Maker;
use super::{lists, p1};
use crate::records::{Date, DateTime, Function, Modifiers, Record, Time, Value};
use crate::records::{Flags, MAX_RECORDS};

/// What a pushed unit was, beside its records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Push {
    /// The name that the list gives itself, as `Kamstrup_V0001`.
    pub list: Option<Box<str>>,
    /// Bytes of values that nothing is known of: no OBIS code stands by them.
    pub unread: usize,
    /// Whether the telegram's own checksum fits; none where it has none. Only P1 telegrams do.
    pub checksum: Option<bool>,
}

/// Why a unit has no records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// Its bytes do not read.
    #[error("the pushed values are damaged: {0}")]
    Values(#[from] AxdrError),
    /// Its head does not read.
    #[error("the head of the notification is damaged")]
    Head,
    /// Something follows the values.
    #[error(
        "{0} bytes follow the pushed values, where nothing may: a tag was taken for data, or the unit was changed"
    )]
    Trailing(usize),
    /// A P1 telegram that does not read.
    #[error("the P1 telegram within is damaged")]
    P1,
    /// Known by name and not read.
    #[error("{0} is not supported yet")]
    Unsupported(&'static str),
    /// A list without OBIS codes of a form that is not known.
    #[error("the meter pushes values without OBIS codes in an order that is not known")]
    UnknownList,
}

impl PushError {
    /// Whether a later edition of this program may read it; else the bytes themselves are wrong.
    #[must_use]
    pub const fn is_unsupported(&self) -> bool {
        matches!(self, Self::Unsupported(_) | Self::UnknownList | Self::Values(AxdrError::Type { .. }))
    }
}

/// Reads the values of a unit in clear that lies at `content` of a frame; places of records are offsets in the frame.
/// The system title tells the maker, whose lists may leave out what is known of them. `out` is cleared first.
///
/// # Errors
/// [`PushError`]; `out` is empty then.
pub fn decode_push(
    frame: &[u8],
    content: Range<usize>,
    title: Option<SystemTitle>,
    out: &mut Vec<Record>,
) -> Result<Push, PushError> {
    out.clear();
    let bytes = frame.get(..content.end).unwrap_or_default();
    let result = match bytes.get(content.start) {
        Some(0x0f) => notification(bytes, content.start, title, out),
        Some(b'/') => p1::read(bytes, content.start, out).ok_or(PushError::P1),
        Some(0xdf) => Err(PushError::Unsupported("general-signing (DF)")),
        Some(0xe0) => Err(PushError::Unsupported("a block of a longer unit (E0)")),
        Some(0xc0..=0xd7) => Err(PushError::Unsupported("an answer or request of a session")),
        Some(0xd8..=0xde) => Err(PushError::Unsupported("a ciphered unit within a unit")),
        Some(_) => Err(PushError::Unsupported("an application unit that meters do not push")),
        None => Err(PushError::Head),
    };
    if result.is_err() {
        out.clear();
    }
    out.truncate(MAX_RECORDS);
    result
}

/// Whether a plaintext begins as one does; one wrong key in about 30,000 passes.
#[must_use]
pub(super) fn is_notification(bytes: &[u8]) -> bool {
    head(bytes, 0).is_some_and(|(_, at)| axdr::read(bytes, at).is_ok_and(|(_, end)| end == bytes.len()))
}

/// `0F | long invoke id and priority (4) | time`: the time and where the values begin (IEC 62056-5-3 clause 7.3.13).
/// Older meters of Kamstrup and Kaifa write the time with its tag.
pub(super) fn head(bytes: &[u8], at: usize) -> Option<(Option<DateTime>, usize)> {
    let rest = bytes.get(at..)?;
    let (_, rest) = rest.split_at_checked(5)?;
    let (len, skip) = match rest {
        [0x00, ..] => (0, 1),
        [0x0c, ..] => (12, 1),
        [0x09, 0x0c, ..] => (12, 2),
        _ => return None,
    };
    let time = rest.get(skip..skip + len)?;
    Some((moment(time), at + 5 + skip + len))
}

fn notification(
    bytes: &[u8],
    at: usize,
    title: Option<SystemTitle>,
    out: &mut Vec<Record>,
) -> Result<Push, PushError> {
    let (time, from) = head(bytes, at).ok_or(PushError::Head)?;
    let (nodes, end) = axdr::read(bytes, from)?;
    if end != bytes.len() {
        return Err(PushError::Trailing(bytes.len() - end));
    }
    let maker = title.map_or(Maker::Other, |t| Maker::of_letters(t.0.get(..3).unwrap_or_default()));
    let push = lists::read(&nodes, maker, out).ok_or(PushError::UnknownList)?;
    let clock = |r: &Record| r.quantity == Quantity::DateTime && r.storage == 0;
    if let Some(time) = time
        && !out.iter().any(clock)
    {
        out.push(Record {
            at: from.saturating_sub(12),
            len: 12,
            ..bare(Obis::CLOCK, Quantity::DateTime, Value::DateTime(time))
        });
    }
    Ok(push)
}

/// A record of which only this is known.
pub(super) fn bare(obis: Obis, quantity: Quantity, value: Value) -> Record {
    Record {
        quantity,
        unit: Unit::None,
        value,
        function: Function::Instantaneous,
        storage: 0,
        tariff: 0,
        subunit: 0,
        modifiers: Modifiers::EMPTY,
        own: None,
        flags: Flags::UNKNOWN,
        letters: None,
        obis: Some(obis),
        at: 0,
        len: 0,
    }
}

/// Date and time in twelve bytes (IEC 62056-6-2 clause 4.1.6.1): year, month, day, day of week, hour, minute, second,
/// hundredths, deviation from UTC in minutes, status, whose bit 7 says that summer time is in force and bit 0 that the
/// clock is invalid. Fields may be left open; a moment needs all but the seconds.
pub(super) fn moment(bytes: &[u8]) -> Option<DateTime> {
    let [y0, y1, month, day, _, hour, minute, second, _, _, _, status] = *bytes else { return None };
    let date = Date::new(u16::from_be_bytes([y0, y1]), month, day)?;
    let second = (second != 0xff).then_some(second);
    if hour > 23 || minute > 59 || second.is_some_and(|s| s > 59) {
        return None;
    }
    let said = |bit: u8| status != 0xff && status & bit != 0;
    Some(DateTime { date, time: Time { hour, minute, second }, summer: said(0x80), invalid: said(0x01) })
}
