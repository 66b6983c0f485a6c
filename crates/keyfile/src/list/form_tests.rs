//! Lists as workbooks and as XML.

use std::io::{Cursor, Write as _};
use std::time::{Duration, Instant};

use rust_xlsxwriter::Workbook;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

const A: &str = "8278DB4C68355508B213D50E0D739D0C";
const B: &str = "0B26C0ED84A1C529D913BCC2ABEC8D73";

fn mapping(columns: &[&str], manufacturer: Option<&str>) -> Mapping {
    let mut mapping = Mapping::new(manufacturer);
    columns.iter().for_each(|c| mapping.column(c).unwrap());
    mapping
}

/// Meters with their keys, and what was refused.
fn read(file: &[u8], mapping: &Mapping) -> (Vec<String>, Vec<(String, &'static str)>) {
    assert!(is_list(file));
    let file = read_list(file, mapping).unwrap();
    assert_eq!(file.kind, Kind::List);
    let shown = |d: &Device| {
        let keys: Vec<String> =
            d.keys.iter().map(|k| format!("{}={}", k.role, hex::encode_upper(k.bytes.expose()))).collect();
        format!("{} {}", d.name(), keys.join(" "))
    };
    let refused = file.refused.iter().map(|r| (r.meter.clone(), r.error.name())).collect();
    (file.devices.iter().map(shown).collect(), refused)
}

fn refused(file: &[u8], mapping: &Mapping) -> ListError {
    read_list(file, mapping).err().expect("a refusal")
}

/// A workbook whose cells are text, but for what is a number.
fn workbook(sheets: &[(&str, &[&[&str]])]) -> Vec<u8> {
    let mut book = Workbook::new();
    for (name, rows) in sheets {
        let sheet = book.add_worksheet().set_name(*name).unwrap();
        for (row, cells) in (0..).zip(*rows) {
            for (column, cell) in (0..).zip(*cells) {
                if let Some(number) = cell.strip_prefix('=') {
                    sheet.write_number(row, column, number.parse::<f64>().unwrap()).unwrap();
                } else if !cell.is_empty() {
                    sheet.write_string(row, column, *cell).unwrap();
                }
            }
        }
    }
    book.save_to_buffer().unwrap()
}

fn zipped(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, data) in parts {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        writer.start_file(*name, options).unwrap();
        writer.write_all(data).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A workbook with this sheet, by hand.
fn with_sheet(sheet: &str) -> Vec<u8> {
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let rels = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let packed = "http://schemas.openxmlformats.org/package/2006";
    let workbook = format!(
        "<workbook xmlns=\"{main}\" xmlns:r=\"{rels}\"><sheets><sheet name=\"S\" sheetId=\"1\" r:id=\"a\"/></sheets></workbook>"
    );
    let related = format!(
        "<Relationships xmlns=\"{packed}/relationships\"><Relationship Id=\"a\" Type=\"{rels}/worksheet\" \
         Target=\"worksheets/sheet1.xml\"/></Relationships>"
    );
    let top = format!(
        "<Relationships xmlns=\"{packed}/relationships\"><Relationship Id=\"a\" Type=\"{rels}/officeDocument\" \
         Target=\"xl/workbook.xml\"/></Relationships>"
    );
    let sheet = sheet.replace("<worksheet>", &format!("<worksheet xmlns=\"{main}\">"));
    zipped(&[
        ("_rels/.rels", top.as_bytes()),
        ("xl/workbook.xml", workbook.as_bytes()),
        ("xl/_rels/workbook.xml.rels", related.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ])
}

#[test]
fn a_workbook_is_read_by_its_header_with_numbers_and_gaps() {
    let rows: &[&[&str]] = &[
        &[],
        &["Zählernummer", "Notiz", "Hersteller", "Schlüssel"],
        &["=90000001", "", "KAM", A],
        &[],
        &["=7", "x", "qds", B],
        &["# not this one"],
        &["=90000003", "", "KAM", "1234"],
        &["90000004", "", "KAM", "=12345678901234567890123456789012"],
    ];
    let (devices, refused) = read(&workbook(&[("Keys", rows)]), &Mapping::default());
    assert_eq!(devices, [format!("KAM-90000001 DEK={A}"), format!("QDS-00000007 DEK={B}")]);
    let of = |meter: &str, name| (meter.to_owned(), name);
    assert_eq!(
        refused,
        [of("90000003 (line 7)", "keyfile-key-length"), of("90000004 (line 8)", "keyfile-key-length")]
    );
}

#[test]
fn a_sheet_is_named_where_several_have_cells() {
    let rows: &[&[&str]] = &[&["Node", "Secret"], &["90000001", A]];
    let mapped = || mapping(&["serial=node", "key=secret"], Some("KAM"));
    let one = workbook(&[("Empty", &[]), ("Keys", rows)]);
    assert_eq!(read(&one, &mapped()).0, [format!("KAM-90000001 DEK={A}")]);
    let two = workbook(&[("Notes", &[&["hello"]]), ("Keys", rows)]);
    assert_eq!(refused(&two, &mapped()), ListError::Sheets("Notes, Keys".to_owned()));
    assert_eq!(read(&two, &mapped().sheet(Some("Keys"))).0, [format!("KAM-90000001 DEK={A}")]);
    let none = refused(&two, &mapped().sheet(Some("Key")));
    assert_eq!(none, ListError::NoSheet("Key".to_owned(), "Notes, Keys".to_owned()));
    assert_eq!(refused(&workbook(&[("Empty", &[])]), &mapped()), ListError::Empty);
}

#[test]
fn a_large_workbook_of_one_sheet_is_read() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for row in 0..30_000u32 {
        sheet.write_string(row, 0, "KAM").unwrap();
        sheet.write_string(row, 1, format!("{row:08}")).unwrap();
        sheet.write_string(row, 2, format!("{A}{row:08X}").split_off(8)).unwrap();
    }
    let file = book.save_to_buffer().unwrap();
    assert_eq!(read_list(&file, &Mapping::default()).unwrap().devices.len(), 30_000);
}

#[test]
fn hostile_workbooks_are_refused_by_name_and_soon() {
    let good =
        |cells: &str| format!("<worksheet><sheetData><row r=\"1\">{cells}</row></sheetData></worksheet>");
    let cell = |at: &str, text: &str| format!("<c r=\"{at}\" t=\"str\"><v>{text}</v></c>");
    let plain = good(&(cell("A1", "KAM") + &cell("B1", "90000001") + &cell("C1", A)));
    assert_eq!(read(&with_sheet(&plain), &Mapping::default()).0.len(), 1, "what is changed below is good");
    let wide = good(&(cell("A1", "KAM") + &cell("XFD1", A)));
    // a box of 17 thousand million cells around two of them
    let far = format!(
        "<worksheet><dimension ref=\"A1:XFD1048576\"/><sheetData><row r=\"1\">{}{}{}</row><row r=\"1048576\">{}</row></sheetData></worksheet>",
        cell("A1", "KAM"),
        cell("B1", "90000001"),
        cell("C1", A),
        cell("XFD1048576", "1")
    );
    let long = good(&cell("A1", &"1".repeat(MAX_LINE + 1)));
    let entity = with_sheet(&format!("<!DOCTYPE worksheet [<!ENTITY a \"b\">]>{}", good(&cell("A1", "&a;"))));
    let bomb = vec![b' '; crate::MAX_UNPACKED + 1];
    let many: Vec<(String, Vec<u8>)> = (0..300).map(|i| (format!("xl/{i}.xml"), b"x".to_vec())).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(n, d)| (n.as_str(), d.as_slice())).collect();
    let mut changed = with_sheet(&wide);
    let at = changed.len() / 3;
    changed[at] ^= 0x55;
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (with_sheet(&wide), "keyfile-list-line"),
        (with_sheet(&far), "keyfile-list-line"),
        (with_sheet(&long), "keyfile-list-line"),
        (entity, "keyfile-doctype"),
        (with_sheet("<worksheet><sheetData><row>"), "keyfile-xml-damaged"),
        (with_sheet(&good(&cell("7", A))), "keyfile-list-workbook"),
        (with_sheet(&good(&cell("AAAA1", A))), "keyfile-list-workbook"),
        (with_sheet(&"<a>".repeat(50)), "keyfile-xml-limit"),
        (zipped(&[("xl/workbook.xml", &bomb)]), "keyfile-zip-bomb"),
        (zipped(&[("xl/workbook.xml", b"<workbook/>"), ("../x", b"x")]), "keyfile-zip-path"),
        (zipped(&[("xl/workbook.xml", b"<workbook/>"), ("/x", b"x")]), "keyfile-zip-path"),
        (zipped(&[&many[..], &[("xl/workbook.xml", b"x")]].concat()), "keyfile-zip-members"),
        (zipped(&[("xl/workbook.bin", b"x")]), "keyfile-list-workbook"),
        (changed, "keyfile-zip-damaged"),
        (with_sheet(&wide).split_last_chunk::<10>().unwrap().0.to_vec(), "keyfile-zip-damaged"),
    ];
    for (number, (file, name)) in cases.into_iter().enumerate() {
        let started = Instant::now();
        assert!(is_list(&file), "{number}");
        assert_eq!(refused(&file, &mapping(&[], Some("KAM"))).name(), name, "{number}");
        assert!(started.elapsed() < Duration::from_secs(5), "{number}");
    }
}

#[test]
fn xml_is_read_by_the_names_of_elements_and_attributes() {
    let text = format!(
        "\u{feff}<?xml version=\"1.0\"?>\n<order no=\"7\"><!-- c --><meters><meter serialNo=\"90000001\" type=\"x\"><maker>KAM</maker>\
         <keys><AES-key>{A}</AES-key><GPK60>{B}</GPK60></keys></meter><meter serialNo=\"7\"><maker>qds</maker><keys>\
         <AES-key><![CDATA[{B}]]></AES-key></keys></meter><meter serialNo=\"90000003\"><maker>KAM</maker><keys/></meter>\
         <meter serialNo=\"90000004\"><maker>KAM</maker><keys><AES-key>{A}</AES-key><AES-key>{B}</AES-key></keys></meter>\
         </meters></order>"
    );
    let (devices, refused) = read(text.as_bytes(), &Mapping::default());
    assert_eq!(devices, [format!("KAM-90000001 DEK={A} GPK60={B}"), format!("QDS-00000007 DEK={B}")]);
    let of = |meter: &str, name| (meter.to_owned(), name);
    assert_eq!(
        refused,
        [
            of("90000003 (meter 3)", "keyfile-meter-without-key"),
            of("90000004 (meter 4)", "keyfile-key-twice")
        ]
    );
    let ours = format!("<x><node id=\"5\"><number>90000001</number><secret>{A}</secret></node></x>");
    let mapped = mapping(&["serial=number", "key=secret"], Some("KAM"));
    assert_eq!(read(ours.as_bytes(), &mapped).0, [format!("KAM-90000001 DEK={A}")]);
}

#[test]
fn a_key_file_that_somebody_decrypted_is_a_list_in_plain_text() {
    let text = format!(
        "<MetersInOrder orderid=\"1\"><Meter><MeterNo>C</MeterNo><SerialNo>90000001</SerialNo><EncKeys><DEK>{A}</DEK></EncKeys>\
         <VendorId>KAM</VendorId></Meter></MetersInOrder>"
    );
    assert_eq!(read(text.as_bytes(), &Mapping::default()).0, [format!("KAM-90000001 DEK={A}")]);
}

#[test]
fn other_xml_is_told_apart_or_refused() {
    for other in [
        "<!DOCTYPE a [<!ENTITY b \"c\">]><a><m serial=\"1\" key=\"&b;\"/></a>",
        "<a><m serial=\"1\"></a>",
        "<EncryptedData xmlns=\"http://www.w3.org/2001/04/xmlenc#\"/>",
        "<?xml version=\"1.0\" encoding=\"utf-16\"?><a/>",
    ] {
        assert!(!is_list(other.as_bytes()), "{other}");
    }
    assert_eq!(refused(b"<a><b>c</b></a>", &Mapping::default()), ListError::Empty);
    let nameless = refused(b"<a><m serial=\"1\" maker=\"KAM\"/></a>", &Mapping::default());
    assert_eq!(nameless, ListError::Columns(MappingError::Missing("key")));
    let names: String = (0..MAX_COLUMNS).map(|i| format!("<n{i}>x</n{i}>")).collect();
    let wide = refused(format!("<a><m serial=\"1\">{names}</m></a>").as_bytes(), &Mapping::default());
    assert_eq!(wide.name(), "keyfile-list-line");
}
