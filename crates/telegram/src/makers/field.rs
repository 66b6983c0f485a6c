//! Rows of fields that lie one after the other, as makers' containers and tails have them.

use base::{Quantity, Unit};

use crate::records::{Date, Function, Modifier, Modifiers, Record, Sheet, Value, Vib, fixed};

/// One field: how it is coded, and which register it is.
#[derive(Clone, Copy)]
pub(super) struct Field {
    len: usize,
    read: Read,
    vib: Vib,
    function: Function,
    storage: u64,
    modifier: Option<Modifier>,
}

#[derive(Clone, Copy)]
enum Read {
    /// Not read: not understood, or of no use.
    Skip,
    /// As the data field of a DIF says.
    As(u8),
    /// In the maker's own way.
    Own(fn(&[u8]) -> Value),
}

/// Bytes that are not read.
pub(super) const fn skip(len: usize) -> Field {
    Field {
        len,
        read: Read::Skip,
        vib: Vib::unsigned(Quantity::Reserved),
        function: Function::Instantaneous,
        storage: 0,
        modifier: None,
    }
}

/// A binary number or date of one to four bytes, as the VIB says.
pub(super) const fn int(len: u8, vib: Vib) -> Field {
    Field { len: len as usize, read: Read::As(len), vib, ..skip(0) }
}

/// Eight BCD digits.
pub(super) const fn bcd8(vib: Vib) -> Field {
    Field { len: 4, read: Read::As(0x0c), vib, ..skip(0) }
}

/// A field that is coded in the maker's own way.
pub(super) const fn own(len: usize, quantity: Quantity, unit: Unit, read: fn(&[u8]) -> Value) -> Field {
    Field { len, read: Read::Own(read), vib: Vib::number(quantity, unit, 0, 0), ..skip(0) }
}

impl Field {
    /// Of a storage number.
    pub(super) const fn stored(self, storage: u64) -> Self {
        Self { storage, ..self }
    }

    /// With a modifier.
    pub(super) const fn with(self, modifier: Modifier) -> Self {
        Self { modifier: Some(modifier), ..self }
    }

    /// With a function other than instantaneous.
    pub(super) const fn as_function(self, function: Function) -> Self {
        Self { function, ..self }
    }

    fn value(&self, bytes: &[u8]) -> Option<Value> {
        match self.read {
            Read::Skip => None,
            Read::As(data_field) => Some(fixed(&self.vib, data_field, bytes)),
            Read::Own(read) => Some(read(bytes)),
        }
    }

    fn record(&self, value: Value, at: usize, len: usize) -> Record {
        let mut modifiers = Modifiers::EMPTY;
        if let Some(modifier) = self.modifier {
            modifiers.push(modifier);
        }
        Record {
            quantity: self.vib.quantity,
            unit: self.vib.unit,
            value,
            function: self.function,
            storage: self.storage,
            tariff: 0,
            subunit: 0,
            modifiers,
            own: None,
            flags: self.vib.flags,
            letters: None,
            obis: None,
            at,
            len,
        }
    }
}

/// Bytes that are read from the front; each value becomes a record with its place.
pub(super) struct Row<'a, 's> {
    rest: &'a [u8],
    at: usize,
    begin: usize,
    sheet: &'a mut Sheet<'s>,
}

impl<'a, 's> Row<'a, 's> {
    pub(super) const fn new(bytes: &'a [u8], at: usize, sheet: &'a mut Sheet<'s>) -> Self {
        Self { rest: bytes, at, begin: at, sheet }
    }

    /// How many bytes were read so far.
    pub(super) const fn read(&self) -> usize {
        self.at - self.begin
    }

    /// The records so far, those before this row included.
    pub(super) fn records(&self) -> &[Record] {
        self.sheet.records()
    }

    /// Reads a field; `None` where the bytes or the room end, and then nothing was put.
    pub(super) fn take(&mut self, field: &Field) -> Option<()> {
        let (bytes, rest) = self.rest.split_at_checked(field.len)?;
        if let Some(value) = field.value(bytes) {
            self.sheet.push(field.record(value, self.at, field.len)).ok()?;
        }
        (self.rest, self.at) = (rest, self.at + field.len);
        Some(())
    }

    /// Reads fields until the bytes or the room end.
    pub(super) fn take_all<'f>(&mut self, fields: impl IntoIterator<Item = &'f Field>) -> Option<()> {
        fields.into_iter().try_for_each(|field| self.take(field))
    }

    /// Reads a field whose value was found out already.
    pub(super) fn put(&mut self, field: &Field, value: Value) -> Option<()> {
        let (_, rest) = self.rest.split_at_checked(field.len)?;
        self.sheet.push(field.record(value, self.at, field.len)).ok()?;
        (self.rest, self.at) = (rest, self.at + field.len);
        Some(())
    }

    /// Puts a value of no bytes: one that follows from others.
    pub(super) fn computed(&mut self, field: &Field, value: Value) -> Option<()> {
        self.sheet.push(field.record(value, self.at, 0)).ok()
    }

    /// The bytes that are left.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Where the next field begins in the frame.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Puts a date of no bytes for a storage number: one that follows from the format and other dates.
    pub(super) fn date(&mut self, storage: u64, date: Date) -> Option<()> {
        let field = skip(0).stored(storage);
        let mut record = field.record(Value::Date(date), self.at, 0);
        record.quantity = Quantity::Date;
        self.sheet.push(record).ok()
    }
}

/// A date as three BCD bytes: year, month, day. Zeros say that there is none.
pub(super) fn bcd_ymd(bytes: &[u8]) -> Value {
    let two = |b: u8| (b >> 4 < 10 && b & 0x0f < 10).then_some((b >> 4) * 10 + (b & 0x0f));
    let read = || match *bytes {
        [y, m, d] => Date::new(2000 + u16::from(two(y)?), two(m)?, two(d)?),
        _ => None,
    };
    read().map_or(Value::None, Value::Date)
}

/// A date in 16 bits, low byte first: day 5 bits, month 4 bits, year 7 bits. Techem and Apator use it.
pub(super) fn packed_date(bytes: &[u8]) -> Value {
    let [low, high] = *bytes else { return Value::None };
    let n = u16::from_le_bytes([low, high]);
    let part = |shift: u32, ones: u16| u8::try_from(n >> shift & ones).unwrap_or_default();
    Date::new(2000 + (n >> 9), part(5, 0x0f), part(0, 0x1f)).map_or(Value::None, Value::Date)
}

/// A binary number without sign, low byte first.
pub(super) fn unsigned(bytes: &[u8]) -> Option<i64> {
    bytes.iter().rev().try_fold(0i64, |n, b| n.checked_mul(256)?.checked_add(i64::from(*b)))
}
