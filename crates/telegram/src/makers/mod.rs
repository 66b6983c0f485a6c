//! What single makers add to the standard: codes of their own (VIF or VIFE 7F), containers, the data after
//! DIF 0F or 1F, whole formats in place of records, and the meaning of error flags. One small file each, from facts
//! that are public; what is not public stays unread, and is marked as the maker's own.
//!
//! A maker's file is a table. To add one: write the file, and put its table into [`MAKERS`].

mod apator;
mod bfw;
mod bmeters;
mod diehl;
mod ei;
mod engelmann;
mod esys;
mod field;
mod gran_system;
mod gwf;
mod ime;
mod kamstrup;
mod lorenz;
mod qundis;
mod schneider;
mod techem;
mod zenner;

use base::{MeterAddress, Quantity, Unit};

use crate::records::{Flag, Flags, Header, Modifier, Sheet, Vib};

/// What is known of one maker.
pub(crate) struct Maker {
    /// Its three letters; some makers have several.
    letters: &'static [&'static [u8; 3]],
    /// Its own codes.
    codes: &'static [Code],
    /// The meaning of error flags (FD 17).
    errors: &'static [Errors],
    /// Reads a container: variable-length data under an own code.
    container: Option<Container>,
    /// The data after DIF 0F or 1F, by model.
    tails: &'static [Tail],
    /// Formats in place of records, by model.
    formats: &'static [Format],
    /// What subunits turn a quantity into.
    subunits: &'static [Subunit],
    /// Device types of its own, and the standard's that they stand for.
    devices: &'static [(u8, u8)],
}

impl Maker {
    /// A maker of whom nothing is known but the letters: what single files start from.
    const fn new(letters: &'static [&'static [u8; 3]]) -> Self {
        Self {
            letters,
            codes: &[],
            errors: &[],
            container: None,
            tails: &[],
            formats: &[],
            subunits: &[],
            devices: &[],
        }
    }
}

/// Reads what lies under an own code (without its length byte) at a place: true when it was understood, and then
/// all of its values were put.
type Container = fn(own: u8, bytes: &[u8], at: usize, sheet: &mut Sheet<'_>) -> bool;

/// One code.
struct Code {
    /// The VIF that it follows, without the extension bit; 7F is the maker's own VIF.
    vif: u8,
    /// The first byte of the code, without the extension bit.
    own: u8,
    /// The bytes of the code after the first one, without the extension bit; none means any.
    rest: Option<&'static [u8]>,
    /// With how many bytes of data; none means any.
    len: Option<u8>,
    meaning: Meaning,
}

impl Code {
    /// A code that means the same with any data.
    const fn new(vif: u8, own: u8, meaning: Meaning) -> Self {
        Self { vif, own, rest: None, len: None, meaning }
    }

    /// A code of several bytes.
    const fn long(vif: u8, own: u8, rest: &'static [u8], meaning: Meaning) -> Self {
        Self { vif, own, rest: Some(rest), len: None, meaning }
    }
}

enum Meaning {
    /// The value is this, whatever the VIF says.
    Is(Vib),
    /// The value is what its VIF says, and more.
    Also(Modifier),
}

/// What error flags mean in some models.
struct Errors {
    models: Models,
    flags: &'static [Flag],
}

/// Data after DIF 0F or 1F of some models.
struct Tail {
    models: Models,
    /// Reads the data at a place, and answers how many bytes it understood from their beginning.
    read: fn(bytes: &[u8], at: usize, sheet: &mut Sheet<'_>) -> usize,
}

/// A maker's own application data, from the first byte after the transport header on.
struct Format {
    models: Models,
    /// Under which CI bytes.
    ci: &'static [u8],
    read: Reader,
}

/// Reads application data from a place in the frame to its end, and answers where the part ends that it understood;
/// none where they are of another format. What it put then is taken back.
pub(crate) type Reader = fn(frame: &[u8], at: usize, sheet: &mut Sheet<'_>) -> Option<usize>;

/// A subunit whose values of one quantity are of another one.
struct Subunit {
    models: Models,
    subunit: u16,
    from: Quantity,
    to: Quantity,
    unit: Unit,
}

/// Meters of a maker by version and device type; an empty list means all.
struct Models {
    versions: &'static [u8],
    devices: &'static [u8],
}

impl Models {
    /// All meters of the maker.
    const ALL: Self = Self { versions: &[], devices: &[] };

    fn hold(&self, meter: &MeterAddress) -> bool {
        let among = |list: &[u8], byte| list.is_empty() || list.contains(&byte);
        among(self.versions, meter.version()) && among(self.devices, meter.device_type())
    }
}

const MAKERS: &[Maker] = &[
    kamstrup::MAKER,
    techem::MAKER,
    qundis::MAKER,
    diehl::MAKER,
    apator::MAKER,
    bmeters::MAKER,
    engelmann::MAKER,
    esys::MAKER,
    gwf::MAKER,
    bfw::MAKER,
    ime::MAKER,
    schneider::MAKER,
    zenner::MAKER,
    lorenz::MAKER,
    ei::MAKER,
    gran_system::MAKER,
];

/// A maker's two bytes as sent, from its letters (EN 13757-3 clause 5.5).
pub(crate) const fn code_of(letters: [u8; 3]) -> [u8; 2] {
    let [a, b, c] = letters;
    let [a, b, c] = [(a & 0x1f) as u16, (b & 0x1f) as u16, (c & 0x1f) as u16];
    (a << 10 | b << 5 | c).to_le_bytes()
}

/// What is known of the maker of a meter.
pub(crate) fn of(meter: &MeterAddress) -> Option<&'static Maker> {
    let [low, high, ..] = *meter.as_bytes();
    // the highest bit only says how far a serial is unique
    let code = [low, high & 0x7f];
    MAKERS.iter().find(|maker| maker.letters.iter().any(|letters| code_of(**letters) == code))
}

impl Maker {
    /// Whether [`Maker::explain`] may change a header.
    pub(crate) fn explains(&self, header: &Header) -> bool {
        header.vib.own.is_some() || header.vib.quantity == Quantity::ErrorFlags || !self.subunits.is_empty()
    }

    /// Gives a header with an own code, with error flags or of a subunit its meaning; one that is not known stays
    /// as it is.
    pub(crate) fn explain(&self, meter: &MeterAddress, header: &mut Header) {
        self.explain_code(meter, header);
        let subunit = header.subunit;
        let vib = &mut header.vib;
        let is_it = |s: &&Subunit| s.subunit == subunit && s.from == vib.quantity && s.models.hold(meter);
        if let Some(found) = self.subunits.iter().find(is_it) {
            (vib.quantity, vib.unit) = (found.to, found.unit);
        }
    }

    fn explain_code(&self, meter: &MeterAddress, header: &mut Header) {
        let vib = &mut header.vib;
        let Some(own) = vib.own else {
            if vib.quantity == Quantity::ErrorFlags
                && let Some(errors) = self.errors.iter().find(|errors| errors.models.hold(meter))
            {
                vib.flags = Flags(errors.flags);
            }
            return;
        };
        let len = header.data_field;
        let rest = vib.own_rest();
        let is_it = |c: &&Code| {
            c.vif == vib.code
                && c.own == own
                && c.rest.is_none_or(|bytes| bytes == rest)
                && c.len.is_none_or(|n| n == len)
        };
        match self.codes.iter().find(is_it).map(|c| &c.meaning) {
            Some(Meaning::Is(is)) => {
                let modifiers = vib.modifiers.without(Modifier::MANUFACTURER);
                let mut modifiers = modifiers;
                is.modifiers.iter().for_each(|m| modifiers.push(m));
                let (own, code, later) = (vib.own, vib.code, vib.own_later);
                *vib = Vib { modifiers, own, code, own_later: later, ..*is };
            }
            Some(Meaning::Also(modifier)) => {
                vib.quantity = vib.standard;
                vib.modifiers = vib.modifiers.without(Modifier::MANUFACTURER);
                vib.modifiers.push(*modifier);
            }
            None => {}
        }
    }

    /// The standard's device type of a meter that may send one of the maker's own.
    pub(crate) fn device(&self, meter: &MeterAddress) -> u8 {
        let sent = meter.device_type();
        self.devices.iter().find(|(own, _)| *own == sent).map_or(sent, |(_, standard)| *standard)
    }

    /// Reads a container, see [`Container`].
    pub(crate) fn open(&self, own: u8, bytes: &[u8], at: usize, sheet: &mut Sheet<'_>) -> bool {
        self.container.is_some_and(|read| read(own, bytes, at, sheet))
    }

    /// The reader of a meter's own format under a CI byte.
    pub(crate) fn format(&self, meter: &MeterAddress, ci: u8) -> Option<Reader> {
        self.formats.iter().find(|f| f.ci.contains(&ci) && f.models.hold(meter)).map(|f| f.read)
    }

    /// Reads data after DIF 0F or 1F, see [`Tail`].
    pub(crate) fn read_tail(
        &self,
        meter: &MeterAddress,
        bytes: &[u8],
        at: usize,
        sheet: &mut Sheet<'_>,
    ) -> usize {
        self.tails.iter().find(|tail| tail.models.hold(meter)).map_or(0, |tail| (tail.read)(bytes, at, sheet))
    }
}

#[cfg(test)]
mod formats_tests;
#[cfg(test)]
mod tests;
