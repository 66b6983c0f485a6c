//! Bridges that speak MQTT: one message a telegram.
//!
//! Three kinds: hexadecimal digits (as ESPHome's bridges send them), a field of a JSON document, and ChirpStack's
//! uplink events, whose `data` is base64.

use serde_json::Value;

use crate::frame::{Checker, Frames};
use crate::text::Frames as Digits;
use crate::{Event, Framing, Heard, Refused};

/// The longest message that is read.
pub const MAX_MESSAGE: usize = 16 * 1024;

/// What a bridge's messages are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bridge {
    /// Hexadecimal digits; a line of rtl_wmbus is no bridge's message.
    Hex,
    /// A JSON document with the digits in this field and, where it is there, the signal strength in dBm in that one.
    /// `a.b` is the field `b` of the object in the field `a`.
    Json {
        /// Where the telegram is.
        telegram: String,
        /// Where its signal strength is.
        rssi: String,
    },
    /// An event of `application/+/device/+/event/up` of ChirpStack 4.
    ChirpStack,
}

/// Reads messages. Memory: one message of 16 KiB and the document in it.
#[derive(Debug)]
pub struct Messages {
    bridge: Bridge,
    digits: Digits,
    checker: Checker,
    frame: Vec<u8>,
}

impl Messages {
    /// A reader of a bridge's messages whose frames carry their checksums so.
    #[must_use]
    pub fn new(bridge: Bridge, frames: Frames) -> Self {
        Self { bridge, digits: Digits::new(frames), checker: Checker::new(frames), frame: Vec::new() }
    }

    /// Takes a whole message.
    pub fn take(&mut self, payload: &[u8], give: &mut dyn FnMut(Event<'_>)) {
        if payload.len() > MAX_MESSAGE {
            return give(Event::Refused(Refused::TooLong));
        }
        let payload = payload.trim_ascii();
        match &self.bridge {
            Bridge::Hex => self.digits.hex(payload, None, give),
            Bridge::Json { telegram, rssi } => {
                let Ok(document) = serde_json::from_slice::<Value>(payload) else {
                    return give(Event::Refused(Refused::Damaged));
                };
                let Some(text) = field(&document, telegram).and_then(Value::as_str) else {
                    return give(Event::Refused(Refused::NoFrame));
                };
                let rssi_dbm = field(&document, rssi).and_then(strength);
                self.digits.hex(text.trim().as_bytes(), rssi_dbm, give);
            }
            Bridge::ChirpStack => self.uplink(payload, give),
        }
    }

    fn uplink(&mut self, payload: &[u8], give: &mut dyn FnMut(Event<'_>)) {
        let Ok(document) = serde_json::from_slice::<Value>(payload) else {
            return give(Event::Refused(Refused::Damaged));
        };
        let data = document.get("data").and_then(Value::as_str).map(str::as_bytes);
        let Some(data) = data.and_then(unbase64).filter(|data| !data.is_empty()) else {
            return give(Event::Refused(Refused::NoFrame));
        };
        // several gateways may have heard it: the strongest counts
        let receptions = document.get("rxInfo").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let rssi_dbm = receptions.iter().filter_map(|r| strength(r.get("rssi")?)).max();
        match self.checker.check(&data) {
            Ok((frame, framing)) => give(Event::Heard(Heard { frame, framing, rssi_dbm, ticks: None })),
            Err(why) => {
                if !link_layer(&data, &mut self.frame) {
                    return give(Event::Refused(if why == Refused::CrcFailed {
                        why
                    } else {
                        Refused::NoFrame
                    }));
                }
                let (frame, framing) = (self.frame.as_slice(), Framing::Application);
                give(Event::Heard(Heard { frame, framing, rssi_dbm, ticks: None }));
            }
        }
    }
}

fn field<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(document, |value, name| value.get(name))
}

/// In dBm: a whole or broken number below zero.
fn strength(value: &Value) -> Option<i16> {
    let dbm = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    (-200.0..0.0).contains(&dbm).then_some(dbm as i16)
}

/// Standard base64 with padding (RFC 4648), as protobuf's JSON has it.
fn unbase64(text: &[u8]) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// Puts the link layer before an application layer with a long header, from the address in it (EN 13757-7 clause 7.4:
/// identification, manufacturer, version, device type). `false` where there is none.
fn link_layer(application: &[u8], frame: &mut Vec<u8>) -> bool {
    let [
        0x72 | 0x6b | 0x7f | 0x6f | 0x8b | 0x68,
        i0,
        i1,
        i2,
        i3,
        m0,
        m1,
        version,
        device,
        _access,
        _status,
        _c0,
        _c1,
        ..,
    ] = application
    else {
        return false;
    };
    let Some(l) = application.len().checked_add(9).and_then(|l| u8::try_from(l).ok()) else { return false };
    frame.clear();
    frame.extend([l, 0x44, *m0, *m1, *i0, *i1, *i2, *i3, *version, *device]);
    frame.extend_from_slice(application);
    crate::frame::may_begin(frame, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use proptest::prelude::*;

    /// Frame, framing, strength.
    type Told = Result<(Vec<u8>, Framing, Option<i16>), Refused>;

    const DIGITS: &str = "0b442d2c692845631b168d20";

    fn told(bridge: Bridge, payload: &[u8]) -> Vec<Told> {
        let mut all = Vec::new();
        Messages::new(bridge, Frames::Auto).take(payload, &mut |event| match event {
            Event::Heard(t) => all.push(Ok((t.frame.to_vec(), t.framing, t.rssi_dbm))),
            Event::Refused(why) => all.push(Err(why)),
            Event::Answer { .. } => panic!("a bridge answers nothing"),
        });
        all
    }

    fn json() -> Bridge {
        Bridge::Json { telegram: "telegram".to_owned(), rssi: "rssi".to_owned() }
    }

    fn frame() -> Vec<u8> {
        hex::decode(DIGITS).unwrap()
    }

    #[test]
    fn digits_are_a_telegram_also_in_a_field() {
        for payload in [DIGITS.to_owned(), format!(" 0x{DIGITS}\n"), DIGITS.to_uppercase()] {
            assert_eq!(told(Bridge::Hex, payload.as_bytes()), [Ok((frame(), Framing::Stripped, None))]);
        }
        for (document, rssi) in [
            (format!(r#"{{"telegram":"{DIGITS}","rssi":-71,"meter":"x"}}"#), Some(-71)),
            (format!(r#"{{"rssi":"-71.5","telegram":"{DIGITS}"}}"#), Some(-71)),
            (format!(r#"{{"telegram":"{DIGITS}","rssi":12}}"#), None),
            (format!(r#"{{"telegram":"{DIGITS}"}}"#), None),
        ] {
            assert_eq!(
                told(json(), document.as_bytes()),
                [Ok((frame(), Framing::Stripped, rssi))],
                "{document}"
            );
        }
        let nested = Bridge::Json { telegram: "raw.hex".to_owned(), rssi: "raw.dbm".to_owned() };
        let document = format!(r#"{{"raw":{{"hex":"{DIGITS}","dbm":-40}}}}"#);
        assert_eq!(told(nested, document.as_bytes()), [Ok((frame(), Framing::Stripped, Some(-40)))]);
    }

    #[test]
    fn what_is_no_telegram_has_its_name() {
        for (bridge, payload, why) in [
            (Bridge::Hex, "", Refused::NotHex),
            (Bridge::Hex, "on", Refused::NotHex),
            (Bridge::Hex, "0b44", Refused::Damaged),
            (json(), "{", Refused::Damaged),
            (json(), "{}", Refused::NoFrame),
            (json(), r#"{"telegram":5}"#, Refused::NoFrame),
            (json(), r#"{"telegram":"0b4"}"#, Refused::NotHex),
            (Bridge::ChirpStack, "[]", Refused::NoFrame),
            (Bridge::ChirpStack, r#"{"data":"?"}"#, Refused::NoFrame),
            (Bridge::ChirpStack, r#"{"data":""}"#, Refused::NoFrame),
            (Bridge::ChirpStack, r#"{"data":"AQID"}"#, Refused::NoFrame),
        ] {
            assert_eq!(told(bridge, payload.as_bytes()), [Err(why)], "{payload}");
        }
        assert_eq!(told(Bridge::Hex, &vec![b'0'; MAX_MESSAGE + 1]), [Err(Refused::TooLong)]);
        let deep = "[".repeat(10_000);
        assert_eq!(told(json(), deep.as_bytes()), [Err(Refused::Damaged)]);
    }

    #[test]
    fn an_uplink_is_a_frame_or_an_application_layer_with_an_address() {
        let uplink = |data: &[u8]| {
            let data = base64::engine::general_purpose::STANDARD.encode(data);
            format!(
                r#"{{"deviceInfo":{{"devEui":"0102030405060708"}},"fPort":1,"data":"{data}","rxInfo":[{{"rssi":-97}},{{"rssi":-88}}]}}"#
            )
        };
        assert_eq!(
            told(Bridge::ChirpStack, uplink(&frame()).as_bytes()),
            [Ok((frame(), Framing::Stripped, Some(-88)))]
        );
        let application = [
            0x72, 0x78, 0x56, 0x34, 0x12, 0x2d, 0x2c, 0x1b, 0x16, 0x05, 0x00, 0x00, 0x00, 0x04, 0x13, 1, 2,
            3, 4,
        ];
        let mut expected = vec![28, 0x44, 0x2d, 0x2c, 0x78, 0x56, 0x34, 0x12, 0x1b, 0x16];
        expected.extend(application);
        assert_eq!(
            told(Bridge::ChirpStack, uplink(&application).as_bytes()),
            [Ok((expected, Framing::Application, Some(-88)))]
        );
    }

    proptest! {
        #[test]
        fn nothing_panics(payload in prop::collection::vec(any::<u8>(), 0..400)) {
            for bridge in [Bridge::Hex, json(), Bridge::ChirpStack] {
                prop_assert!(told(bridge, &payload).len() <= 1);
            }
        }
    }
}
