//! What the electricity meters push is read by the readers of the product.

use base::UtcMillis;
use seal::meter::dlms::{Header, Keys, open};
use sim::electricity::{Cover, ElectricityMeter, hdlc};
use telegram::dlms::{Assembler, decode_push, hdlc::Hdlc};

const NOW: UtcMillis = UtcMillis(1_795_449_600_000);

#[test]
fn pushes_are_framed_ciphered_and_laid_out_as_readers_expect() {
    for (cover, room) in
        [(Cover::Authenticated, 2000), (Cover::Authenticated, 60), (Cover::EncryptedOnly, 100)]
    {
        let mut meter = ElectricityMeter::new(27_581_522, cover, NOW).unwrap();
        let (mut stream, mut assembler) = (Hdlc::new(), Assembler::new());
        let mut counters = Vec::new();
        for n in 1..=3 {
            let now = NOW.plus(n * 3_600_000);
            let mut units = Vec::new();
            for piece in hdlc(&meter.unit(now).unwrap(), room).chunks(17) {
                stream.feed(piece);
                while let Some(frame) = stream.next_frame() {
                    units.extend(assembler.hdlc(&frame.unwrap()).unwrap());
                }
            }
            let [unit] = units.as_mut_slice() else { panic!("{} units", units.len()) };
            let header = Header::read(unit).unwrap();
            counters.push(header.counter);
            let authentication = meter.authentication_key().map(<[u8; 16]>::as_slice);
            let keys = Keys { encryption: meter.encryption_key(), authentication };
            let protection = open(unit, &keys, &header).unwrap();
            assert_eq!(protection.authenticated(), cover == Cover::Authenticated);
            let mut records = Vec::new();
            decode_push(unit, header.payload, Some(header.title), &mut records).unwrap();
            let shown: Vec<String> = records
                .iter()
                .map(|r| format!("{} {} {}", r.obis.unwrap(), r.value, r.unit.name()))
                .collect();
            let total = meter.shows(now);
            assert_eq!(shown[0], format!("1-1:1.8.0 {}.{:02} kWh", total / 100, total % 100));
            assert_eq!(shown[2], "1-1:0.0.1 27581522 ");
            assert!(shown[5].starts_with("0-1:1.0.0 2026-11-23T"), "{}", shown[5]);
            assert_eq!(shown[6], "1-1:32.7.0 231 V");
        }
        assert_eq!(counters, [1001, 1002, 1003]);
        assert_eq!(meter.title().address().unwrap().to_string(), "KAM-27581522-45-02");
    }
}
