//! Targets on a utility's own lists of meters, places and customers.

use registerfile::How;

/// A list as text or a workbook, by its header and with columns that the caller names.
pub(crate) fn list(data: &[u8]) {
    let mut named = How { manufacturer: Some("KAM".to_owned()), until_is_last_day: true, ..How::default() };
    _ = named.column("place=where");
    for how in [How::default(), named] {
        let Ok(read) = registerfile::read(data, &how) else { continue };
        for row in &read.rows {
            assert!(
                !row.place.is_empty() && row.address.len() >= 12,
                "a row without meter or place: {row:?}"
            );
        }
        // what is sent is in the order of its tenancies, and no two of a place hold it at once
        for pair in read.rows.windows(2) {
            let [a, b] = pair else { continue };
            let (Some(from), Some(next)) = (a.from, b.from) else { continue };
            assert!(a.place != b.place || from <= next, "out of order: {a:?} {b:?}");
            let ends_before = a.until.is_none_or(|until| until <= next);
            assert!(a.place != b.place || from == next || ends_before, "overlap: {a:?} {b:?}");
        }
    }
}

pub(crate) fn lists() -> Vec<Vec<u8>> {
    let mut lists = [
        "meter;place;area;customer;from;until;resolution;clear\nKAM-90000001;p;Nord;K-1;2024-03-01;2025-01-01;all;no\n\
         KAM-90000002-1B-16;p;Nord;K-1;2024-03-01;;;\nKAM-90000001;p;;K-2;2025-01-01;;;\n",
        "\u{feff}M\u{e5}lernr.,Fabrikat,Forbrugssted,Kundenr,Tilflytning,Fraflytning\r\n7,KAM,\"a, b\",K,1.3.2024,31-12-9999\r\n",
        "meter;place;customer;from;name;address;mail;phone\nKAM-90000001;p;K-1;2024-03-01;A B;Road 1;a@b.dk;12345678\n\
         KAM-90000002;p;K-1;2024-03-01;A B;;;\nKAM-90000003;q;K-2;2024-03-01;;Road 1;;\n",
        "# made\nserial\twhere\tcustomer\tfrom\n90000001\tq\tK\t2024-03-01T12:00:00+01:00\n90000001\tq\tL\t20250101\n",
    ]
    .map(|list| list.as_bytes().to_vec())
    .to_vec();
    lists.extend(crate::keys::workbooks());
    lists
}
