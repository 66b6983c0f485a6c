//! Lists as utilities send them, and lists that say one thing and another.

use proptest::prelude::*;

use super::*;

fn list(text: &str) -> RegisterFile {
    read(text.as_bytes(), &How::default()).unwrap()
}

fn bad(read: &RegisterFile) -> Vec<(usize, &str)> {
    read.bad.iter().map(|b| (b.line, b.column)).collect()
}

fn day(text: &str) -> Option<base::UtcMillis> {
    Some(format!("{text}T00:00:00Z").parse().unwrap())
}

#[test]
fn lists_in_two_languages_and_three_forms_say_the_same() {
    let english = "# made on Monday\nMeter no,Maker,Place,Area,Customer,Move in,Move out,Keeps,Clear,Remark\n\
        90000001,kam,4711-1,Nord,K-1,2024-03-01,,daily,no,x\n7,KAM,4711-2,,,,,,,\n";
    let danish = "\u{feff}Målernr.;Fabrikat;Forbrugssted;Område;Kundenr;Tilflytning;Fraflytning;Opløsning;Ukrypteret;Note\r\n\
        90000001;KAM;4711-1;Nord;K-1;01-03-2024;31-12-9999;Daglig;Nej;x\r\n7;KAM;4711-2;;;;;;;\r\n";
    let tabs = english.replace(',', "\t");
    let wanted = list(english);
    assert_eq!(wanted.unread, ["Remark"]);
    let [first, second] = wanted.rows.as_slice() else { panic!("{wanted:?}") };
    assert_eq!(
        (first.address.as_str(), first.place.as_str(), first.area.as_deref()),
        ("KAM-90000001", "4711-1", Some("Nord"))
    );
    assert_eq!((first.customer.as_deref(), first.from, first.until), (Some("K-1"), day("2024-03-01"), None));
    assert_eq!((first.resolution, first.clear), (Some(base::Resolution::Daily), Some(false)));
    assert_eq!(
        (second.address.as_str(), second.customer.as_deref(), second.from),
        ("KAM-00000007", None, None)
    );
    for other in [danish, &tabs] {
        let rows =
            |read: &RegisterFile| read.rows.iter().cloned().map(|r| Row { line: 0, ..r }).collect::<Vec<_>>();
        assert_eq!(rows(&list(other)), rows(&wanted), "{other}");
    }
}

#[test]
fn a_workbook_counts_its_days_itself() {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (column, head) in ["meter", "place", "customer", "from"].into_iter().enumerate() {
        sheet.write(0, u16::try_from(column).unwrap(), head).unwrap();
    }
    sheet.write(1, 0, "KAM-90000001").unwrap().write(1, 1, 4711).unwrap().write(1, 2, "K-1").unwrap();
    sheet.write(1, 3, 45352).unwrap();
    let bytes = book.save_to_buffer().unwrap();
    let read = read(&bytes, &How::default()).unwrap();
    assert_eq!(
        (read.rows[0].from, read.rows[0].place.as_str(), read.rows[0].line),
        (day("2024-03-01"), "4711", 2)
    );
}

#[test]
fn each_bad_line_has_its_number_its_column_and_the_way_out() {
    let read = list(
        "meter;place;customer;from;until;resolution;clear\nKAM-1;p;;;;;\n90000001;p;;;;;\nKAM-90000001;;;;;;\n\
         KAM-90000001;p;K;3/4/2026;;;\nKAM-90000001;p;K;2026-01-01;soon;;\nKAM-90000001;p;;;;hourly;\nKAM-90000001;p;;;;;maybe\n\
         ;p;;;;;\n;;;;;;\nKAM-90000001;p;;;;;\n",
    );
    assert_eq!(
        bad(&read),
        [
            (2, "meter"),
            (3, "meter"),
            (4, "place"),
            (5, "from"),
            (6, "until"),
            (7, "resolution"),
            (8, "clear"),
            (9, "meter")
        ]
    );
    assert!(
        read.bad[1].why.contains("--manufacturer") && read.bad[3].why.contains("`3/4/2026`"),
        "{:?}",
        read.bad
    );
    assert_eq!(read.rows.len(), 1);
    let how = How { manufacturer: Some("kam".to_owned()), ..How::default() };
    let read = super::read(b"meter,place\n90000001,p\nKAM-90000002-1b-16,p\n", &how).unwrap();
    assert_eq!(
        read.rows.iter().map(|r| r.address.as_str()).collect::<Vec<_>>(),
        ["KAM-90000001", "KAM-90000002-1B-16"]
    );
}

#[test]
fn lines_that_contradict_each_other_are_named_with_both_lines_and_days() {
    let head = "meter;place;area;customer;from;until\n";
    for (lines, column, said) in [
        ("KAM-00000001;p;;;;\nKAM-00000001;q;;;;\n", "place", "line 2 says that KAM-00000001 is at `p`"),
        ("KAM-00000001;p;N;;;\nKAM-00000002;p;S;;;\n", "area", "in `N`, and this one `S`"),
        ("KAM-00000001;p;;A;2024-01-01;\nKAM-00000002;p;;B;2024-01-01;\n", "customer", "another customer"),
        (
            "KAM-00000001;p;;A;2024-01-01;2024-05-01\nKAM-00000002;p;;A;2024-01-01;2024-06-01\n",
            "until",
            "2024-05-01",
        ),
        (
            "KAM-00000001;p;;A;2024-01-01;2024-05-01\nKAM-00000001;p;;B;2024-04-01;\n",
            "from",
            "until 2024-05-01",
        ),
        (
            "KAM-00000001;p;;A;2024-01-01;\nKAM-00000002;p;;A;2024-01-01;2024-05-01\nKAM-00000001;p;;B;2024-04-01;\n",
            "from",
            "2024-05-01",
        ),
    ] {
        let read = list(&format!("{head}{lines}"));
        assert_eq!(read.bad.len(), 1, "{lines}{:?}", read.bad);
        assert_eq!(read.bad[0].column, column, "{lines}");
        assert!(read.bad[0].why.contains(said), "{}", read.bad[0].why);
    }
}

#[test]
fn tenancies_come_in_their_order_and_one_that_the_next_follows_has_no_end_of_its_own() {
    let read = list(
        "meter;place;customer;from;until\nKAM-00000001;p;B;2024-04-01;2024-09-01\nKAM-00000002;p;A;2024-01-01;2024-04-01\n\
         KAM-00000001;p;A;2024-01-01;2024-04-01\nKAM-00000003;a;X;2024-01-01;2024-04-01\nKAM-00000001;p;C;2024-10-01;\n",
    );
    let told: Vec<_> = read
        .rows
        .iter()
        .map(|r| (r.place.as_str(), r.customer.as_deref().unwrap(), r.line, r.until))
        .collect();
    assert_eq!(
        told,
        [
            ("a", "X", 5, day("2024-04-01")),
            ("p", "A", 3, None),
            ("p", "A", 4, None),
            ("p", "B", 2, day("2024-09-01")),
            ("p", "C", 6, None)
        ]
    );
    let how = How { until_is_last_day: true, ..How::default() };
    let list = b"meter;place;customer;from;until\nKAM-1;p;A;;\nKAM-00000001;p;A;01-01-2024;31-03-2024\nKAM-00000001;p;B;01-04-2024;\n";
    let read = super::read(list, &how).unwrap();
    assert_eq!(
        read.rows.iter().map(|r| r.until).collect::<Vec<_>>(),
        [None, None],
        "one day after the other is no vacancy"
    );
}

#[test]
fn names_and_contacts_are_read_in_both_languages_and_no_fault_repeats_them() {
    let danish = "M\u{e5}lernr;Fabrikat;Forbrugssted;Kundenr;Tilflytning;Navn;Adresse;E-mail;Telefon\n\
        90000001;KAM;p;K-1;01-03-2024;\u{c5}se \u{d8}sterg\u{e5}rd;Nygade 1, 8000 Aarhus C;ase@example.dk;12 34 56 78\n\
        90000002;KAM;q;;;;;;\n";
    let read = list(danish);
    assert!(read.unread.is_empty() && read.bad.is_empty(), "{read:?}");
    let contact = read.rows[0].contact.as_ref().unwrap();
    assert_eq!((contact.name(), contact.phone()), ("\u{c5}se \u{d8}sterg\u{e5}rd", "12 34 56 78"));
    assert_eq!((contact.address(), contact.mail()), ("Nygade 1, 8000 Aarhus C", "ase@example.dk"));
    assert!(read.rows[1].contact.is_none());
    assert!(!format!("{read:?}").contains("sterg"), "{read:?}");
    let without = How { without_contacts: true, ..How::default() };
    let read = super::read(danish.as_bytes(), &without).unwrap();
    assert_eq!(read.unread, ["Navn", "Adresse", "E-mail", "Telefon"]);
    assert!(read.rows.iter().all(|row| row.contact.is_none()));

    let head = "meter;place;customer;from;name;address;mail;phone\n";
    for (lines, column) in [
        ("KAM-00000001;p;K;2024-01-01;;Nygade 1;;\n", "name"),
        ("KAM-00000001;p;K;2024-01-01;Smith;;smith.example;\n", "mail"),
        ("KAM-00000001;p;K;2024-01-01;Smith\u{202e};;;\n", "name"),
        ("KAM-00000001;p;K;2024-01-01;Smith;;;\nKAM-00000002;p;K;2024-01-01;Smithe;;;\n", "name"),
    ] {
        let read = list(&format!("{head}{lines}"));
        assert_eq!(read.bad.len(), 1, "{lines}{:?}", read.bad);
        assert_eq!(read.bad[0].column, column, "{lines}");
        let why = &read.bad[0].why;
        assert!(!why.contains("Smith") && !why.contains("smith") && !why.contains("Nygade"), "{why}");
    }
    let same = "KAM-00000001;p;K;2024-01-01;Smith;;;\nKAM-00000002;p;K;2024-01-01;;;;\nKAM-00000003;p;K;2024-01-01;Smith;;;\n";
    assert!(list(&format!("{head}{same}")).bad.is_empty());
}

#[test]
fn what_is_no_list_is_refused_with_the_way_out() {
    let refused = |bytes: &[u8]| read(bytes, &How::default()).unwrap_err().to_string();
    assert!(refused(b"").contains("empty"));
    assert!(refused(b"hello\n").contains("neither text in columns"));
    assert!(refused(b"<a><b serial='1'/></a>").contains("neither text in columns"));
    assert!(refused(b"a;b\n1;2\n").contains("no header"));
    assert!(refused(b"meter;customer\n1;2\n").contains("--column place=HEADER"));
    assert!(refused(b"meter;place;place no\n1;2;3\n").contains("two columns"));
    assert!(refused(b"m\xe5ler;place\n1;2\n").contains("UTF-8"));
    let mut how = How::default();
    how.column("place=Where").unwrap();
    assert!(read(b"meter;here\n1;2\n", &how).unwrap_err().to_string().contains("no column `where`"));
    assert_eq!(read(b"meter;where\nKAM-00000001;p\n", &how).unwrap().rows[0].place, "p");
    assert!(how.column("street=Gade").unwrap_err().to_string().contains("meter, manufacturer, place"));
}

#[test]
fn a_list_of_one_place_takes_no_longer_than_others() {
    let mut text = "meter;place;customer;from\n".to_owned();
    for n in 0..100_000 {
        text.push_str(&format!("KAM-{n:08};p;K;2024-01-01\n"));
    }
    assert_eq!(list(&text).rows.len(), 100_000);
}

proptest! {
    #[test]
    fn no_bytes_upset_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes, &How::default());
        let mut list = b"meter;place;customer;from;until\n".to_vec();
        list.extend(&bytes);
        if let Ok(read) = read(&list, &How::default()) {
            prop_assert!(read.rows.iter().all(|r| !r.place.is_empty() && !r.address.is_empty()));
        }
    }
}
