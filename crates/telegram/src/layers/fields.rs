//! The headers of a frame field by field, for people who look at its bytes.

use std::fmt::Write as _;

use super::{Layers, Security, ci};
use crate::device::device_name;

/// One field of a header: where it lies, what it is, what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Offset in the frame.
    pub at: usize,
    /// Bytes.
    pub len: usize,
    /// Its name in the standards.
    pub name: &'static str,
    /// What its value says; empty where the name says it all.
    pub meaning: String,
}

/// Names the fields one after the other.
struct Pen<'a> {
    frame: &'a [u8],
    fields: Vec<Field>,
    at: usize,
}

impl Pen<'_> {
    fn field(&mut self, len: usize, name: &'static str, meaning: impl Into<String>) {
        let len = len.min(self.frame.len().saturating_sub(self.at));
        if len > 0 {
            self.fields.push(Field { at: self.at, len, name, meaning: meaning.into() });
            self.at = self.at.saturating_add(len);
        }
    }

    fn byte(&self) -> u8 {
        self.frame.get(self.at).copied().unwrap_or_default()
    }
}

impl Layers {
    /// The fields of the headers in their order, from the L field to where the application data begin. `frame` is the
    /// frame that these layers were read from.
    #[must_use]
    pub fn fields(&self, frame: &[u8]) -> Vec<Field> {
        let mut pen = Pen { frame, fields: Vec::new(), at: 0 };
        if let Some(address) = self.bus_address {
            let length = frame.get(1).copied().unwrap_or_default();
            pen.field(4, "start, L, L, start", format!("{length} bytes up to the checksum"));
            pen.field(1, "C", control(self.control));
            pen.field(1, "A", format!("address {address} on the bus"));
        } else {
            let length = pen.byte();
            pen.field(1, "L", format!("{length} bytes follow"));
            pen.field(1, "C", control(self.control));
            pen.field(2, "M", self.link.manufacturer());
            pen.field(4, "A: number", self.link.serial());
            pen.field(1, "A: version", format!("{:02X}", self.link.version()));
            pen.field(1, "A: type", device_name(self.link.device_type()));
        }
        self.extended_link(&mut pen);
        if let Some(hop) = self.network {
            pen.field(1, "CI", "network layer");
            pen.field(1, "hop", format!("{hop:02X}"));
        }
        self.authentication(&mut pen);
        let Some(code) = self.ci else { return pen.fields };
        pen.field(1, "CI", format!("{code:02X}: {}", content(code)));
        if ci::header(code) == ci::Header::Long {
            pen.field(4, "meter: number", self.meter.serial());
            pen.field(2, "meter: M", self.meter.manufacturer());
            pen.field(1, "meter: version", format!("{:02X}", self.meter.version()));
            pen.field(1, "meter: type", device_name(self.meter.device_type()));
        }
        self.transport(&mut pen);
        pen.fields
    }

    fn extended_link(&self, pen: &mut Pen<'_>) {
        let Some(ell) = &self.ell else { return };
        pen.field(1, "CI", format!("{:02X}: extended link layer", ell.ci));
        pen.field(1, "ELL: CC", communication(ell.control));
        pen.field(1, "ELL: ACC", format!("access number {}", ell.access_number));
        if let Some(receiver) = ell.receiver {
            pen.field(8, "ELL: receiver", receiver.to_string());
        }
        if let Some(session) = ell.session {
            let how = match session.encryption() {
                0 => "not encrypted".to_owned(),
                1 => "AES-128-CTR".to_owned(),
                other => format!("encryption {other}, reserved"),
            };
            let (minute, n) = (session.counter() >> 4, session.counter() & 0x0f);
            pen.field(
                4,
                "ELL: SN",
                format!("{how}, minute {minute} of the meter's life, telegram {n} of it"),
            );
            pen.field(2, "ELL: CRC", "checksum of what follows");
        }
    }

    fn authentication(&self, pen: &mut Pen<'_>) {
        let Some(afl) = &self.afl else { return };
        pen.field(1, "CI", "90: authentication and fragmentation layer");
        let length = pen.byte();
        pen.field(1, "AFL: length", format!("{length} bytes"));
        let (id, more) = (afl.fragmentation & 0xff, afl.fragmentation & 0x4000 != 0);
        pen.field(
            2,
            "AFL: FCL",
            if afl.is_fragment() {
                format!("fragment {id}, {}", if more { "more follow" } else { "the last" })
            } else {
                "not fragmented".to_owned()
            },
        );
        if afl.message_control.is_some() {
            pen.field(1, "AFL: MCL", format!("MAC of {} bytes", afl.mac.len()));
        }
        if let Some(key) = afl.key_information {
            pen.field(2, "AFL: KI", format!("key {}, version {}", key & 0x0f, key >> 8));
        }
        if let Some(counter) = afl.message_counter {
            pen.field(4, "AFL: MCR", format!("message counter {counter}"));
        }
        pen.field(afl.mac.len(), "AFL: MAC", "");
        if let Some(length) = afl.message_length {
            pen.field(2, "AFL: ML", format!("{length} bytes in all fragments"));
        }
    }

    fn transport(&self, pen: &mut Pen<'_>) {
        let Some(tpl) = &self.tpl else { return };
        pen.field(1, "ACC", format!("access number {}", tpl.access_number));
        let words: Vec<&str> = tpl.status.words().collect();
        pen.field(1, "STS", if words.is_empty() { "no error".to_owned() } else { words.join(", ") });
        let mut mode = match self.security() {
            Security::Mode(mode) => format!("security mode {mode}"),
            _ if tpl.mode() == 0 => "no encryption".to_owned(),
            _ => format!("security mode {}, nothing encrypted", tpl.mode()),
        };
        if let Some(bytes) = tpl.encrypted_len().filter(|n| *n > 0) {
            let _ = write!(mode, ", {bytes} bytes encrypted");
        }
        pen.field(2, "CF", mode);
        if let Some(extension) = tpl.extension {
            let key = format!("key {}, derivation {}", extension & 0x0f, extension >> 4 & 3);
            pen.field(if tpl.mode() == 10 { 2 } else { 1 }, "CFE", key);
        }
        if let Some(version) = tpl.key_version {
            pen.field(1, "key version", version.to_string());
        }
        if let Some(counter) = tpl.message_counter {
            pen.field(4, "message counter", counter.to_string());
        }
    }
}

/// The C field (EN 13757-4 table 23).
fn control(code: u8) -> &'static str {
    match code {
        0x44 => "SND-NR: sends, expects no answer",
        0x46 => "SND-IR: wants to be installed",
        0x47 => "ACC-NR: may be answered",
        0x48 => "ACC-DMD: wants to be asked",
        0x08 | 0x18 | 0x28 | 0x38 => "RSP-UD: answers with data",
        _ => "",
    }
}

/// What the CI announces, as a reader would say it.
const fn content(code: u8) -> &'static str {
    match ci::application(code) {
        ci::Application::Full => "data records",
        ci::Application::Format => "the layout of compact frames",
        ci::Application::Compact => "a compact frame",
        ci::Application::Maker => "the maker's own format",
        ci::Application::Empty => "a transport header alone",
        ci::Application::Dlms => "DLMS/COSEM application data",
        ci::Application::Other(name) => name,
    }
}

/// The communication control byte of the extended link layer (EN 13757-4 clause 13.2.7).
fn communication(cc: u8) -> String {
    let bits = [
        (0x80, "bidirectional"),
        (0x40, "answers late"),
        (0x20, "synchronous"),
        (0x10, "relayed"),
        (0x08, "priority"),
        (0x04, "accessible"),
        (0x02, "repeated"),
        (0x01, "long delay"),
    ];
    let words: Vec<&str> = bits.into_iter().filter(|(bit, _)| cc & bit != 0).map(|(_, word)| word).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(hex: &str) -> Vec<u8> {
        let mut frame = hex::decode(format!("00{}", hex.replace(' ', ""))).unwrap();
        frame[0] = (frame.len() - 1) as u8;
        frame
    }

    /// Every byte before the application data belongs to one field.
    fn without_gaps(frame: &[u8], layers: &Layers) -> Vec<Field> {
        let fields = layers.fields(frame);
        let mut at = 0;
        for field in &fields {
            assert_eq!(field.at, at, "{field:?}");
            at += field.len;
        }
        fields
    }

    #[test]
    fn each_layer_is_named_up_to_the_application_data() {
        let frame = framed(
            "44 2d2c 78563412 1b 16 8c 20 2a 90 0f 002c 25 c39a0200 1122334455667788 7a 63 04 2007 10 2f2f",
        );
        let layers = Layers::read(&frame).unwrap();
        let fields = without_gaps(&frame, &layers);
        let last = fields.last().unwrap();
        assert_eq!(last.at + last.len, layers.payload.start);
        let said = |name: &str| fields.iter().find(|f| f.name == name).unwrap().meaning.clone();
        assert_eq!(said("M"), "KAM");
        assert_eq!(said("A: number"), "12345678");
        assert_eq!(said("AFL: MCR"), "message counter 170691");
        assert_eq!(said("STS"), "power low");
        assert_eq!(said("CF"), "security mode 7, 32 bytes encrypted");
    }

    #[test]
    fn a_long_header_and_an_encrypted_link_are_named() {
        let frame = framed("44 2d2c 78563412 1b 16 72 44000057 a205 0c 37 01 00 0000 0413");
        let layers = Layers::read(&frame).unwrap();
        let fields = without_gaps(&frame, &layers);
        assert!(fields.iter().any(|f| f.name == "meter: number" && f.meaning == "57000044"));
        let hidden = framed("44 2d2c 78563412 1b 16 8d 20 17 57d2ed31 aabb 7a 01 00 0000 0413");
        let layers = Layers::read(&hidden).unwrap();
        let fields = without_gaps(&hidden, &layers);
        assert_eq!(fields.last().unwrap().name, "ELL: CRC");
        assert!(fields.iter().any(|f| f.meaning.starts_with("AES-128-CTR, minute 18799909")), "{fields:?}");
    }

    proptest! {
        #[test]
        fn the_fields_never_overlap_nor_leave_the_frame(
            mut frame in proptest::collection::vec(any::<u8>(), 0..80),
            ci in any::<u8>(),
        ) {
            if let Some(at) = frame.get_mut(10) { *at = ci; }
            let len = frame.len();
            if let Some(l) = frame.first_mut() { *l = len.saturating_sub(1) as u8; }
            for layers in [Layers::read(&frame), Layers::read_plain(&frame)].into_iter().flatten() {
                let fields = without_gaps(&frame, &layers);
                let end = fields.last().map_or(0, |f| f.at + f.len);
                prop_assert!(end <= frame.len());
                if layers.ci.is_some() { prop_assert_eq!(end, layers.payload.start); }
            }
        }
    }
}
