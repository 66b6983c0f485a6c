//! Targets on key files.

use base::{SecretBytes, UtcMillis};
use keyfile::{Mapping, Trust};

const PASSWORD: &str = "fuzz";

/// A key file as it is given.
pub(crate) fn file(data: &[u8]) {
    let password = SecretBytes::new(PASSWORD.into());
    if let Ok(read) = keyfile::read(data, &password, &Trust::nobody(UtcMillis(0))) {
        for device in &read.devices {
            assert!(device.serial.len() == 8 && device.manufacturer.len() == 3 && !device.keys.is_empty());
        }
    }
}

/// A decrypted document, which the encryption would hide from a fuzzer.
pub(crate) fn document(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    keyfile::read_document(text);
}

/// A list in plain text (text, XML or a workbook), by its header and with a mapping.
pub(crate) fn list(data: &[u8]) {
    let mut mapped = Mapping::new(Some("KAM"));
    _ = mapped.column("key=secret");
    for mapping in [Mapping::default(), mapped] {
        _ = keyfile::is_list(data);
        if let Ok(read) = keyfile::read_list(data, &mapping) {
            for device in &read.devices {
                assert!(
                    device.serial.len() == 8 && device.manufacturer.len() == 3 && !device.keys.is_empty()
                );
            }
        }
    }
}

pub(crate) fn lists() -> Vec<Vec<u8>> {
    let (a, b) = ("6D1B0C44A7F35E20918C3FDD0A57E6B2", "0x0B26C0ED 84A1C529-D913BCC2:ABEC8D73");
    [
        format!("KAM;90000001;{a}\r\nqds;3;{b}\n"),
        format!("# made\nserial,maker,\"AES key\",GPK60\n1,KAM,{a},\n2,ELS,\"{b}\",{a}\n"),
        format!("Node\tSecret\n90000001\t{a}\n"),
        format!("<l maker='KAM'><m serial='1'><key>{a}</key></m><m><serial>2</serial><maker>ELS</maker></m></l>"),
        format!("<MetersInOrder><Meter><SerialNo>90000001</SerialNo><EncKeys><DEK>{a}</DEK></EncKeys></Meter></MetersInOrder>"),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// A workbook whose parts are the input, cut at zero bytes: a fuzzer does not pack them itself.
pub(crate) fn workbook(data: &[u8]) {
    let names = [
        "_rels/.rels",
        "xl/workbook.xml",
        "xl/_rels/workbook.xml.rels",
        "xl/worksheets/sheet1.xml",
        "xl/sharedStrings.xml",
    ];
    let parts: Vec<(&str, &[u8])> = names.into_iter().zip(data.split(|b| *b == 0)).collect();
    list(&sim::kem::store(&parts).unwrap_or_default());
    list(data);
}

pub(crate) fn workbooks() -> Vec<Vec<u8>> {
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let rels = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let packed = "http://schemas.openxmlformats.org/package/2006";
    let key = "6D1B0C44A7F35E20918C3FDD0A57E6B2";
    let parts = [
        format!(
            "<workbook xmlns=\"{main}\" xmlns:r=\"{rels}\"><sheets><sheet name=\"S\" sheetId=\"1\" r:id=\"a\"/></sheets></workbook>"
        ),
        format!(
            "<Relationships xmlns=\"{packed}/relationships\"><Relationship Id=\"a\" Type=\"{rels}/worksheet\" Target=\"worksheets/sheet1.xml\"/>\
             <Relationship Id=\"b\" Type=\"{rels}/sharedStrings\" Target=\"sharedStrings.xml\"/></Relationships>"
        ),
        format!(
            "<worksheet xmlns=\"{main}\"><dimension ref=\"A1:C2\"/><sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\" t=\"inlineStr\">\
             <is><t>maker</t></is></c><c t=\"str\"><v>key</v></c></row><row r=\"2\"><c r=\"A2\"><v>9.0000001E7</v></c><c t=\"str\"><v>KAM</v></c>\
             <c t=\"str\"><v>{key}</v></c></row></sheetData></worksheet>"
        ),
        format!("<sst xmlns=\"{main}\" count=\"1\"><si><r><t>ser</t></r><r><t>ial</t></r></si></sst>"),
    ];
    vec![parts.join("\0").into_bytes()]
}

pub(crate) fn files() -> Vec<Vec<u8>> {
    let town = sim::Town::new(&sim::Plan { meters: 3, ..sim::Plan::default() }, UtcMillis(1_795_449_600_000));
    let zipped = sim::kem::write(town.meters().iter(), PASSWORD).unwrap_or_default();
    // The simulator stores without packing, so that the member lies in the archive as it is.
    let from = zipped.windows(2).position(|w| w == b"<?").unwrap_or(0);
    let to = zipped.windows(16).position(|w| w == b"</EncryptedData>").map_or(from, |i| i + 16);
    let bare = zipped.get(from..to).unwrap_or_default().to_vec();
    vec![zipped, bare]
}

pub(crate) fn documents() -> Vec<Vec<u8>> {
    let key = "6D1B0C44A7F35E20918C3FDD0A57E6B2";
    let kem = format!(
        "<?xml version=\"1.0\"?><MetersInOrder orderid=\"1\" schemaVersion=\"2.0\"><Meter><MeterNo>A &amp; B</MeterNo>\
         <SerialNo>90000001</SerialNo><EncKeys><DEK>{key}</DEK><!-- c --><GPK60><![CDATA[{key}]]></GPK60></EncKeys>\
         <MeterName>M&#67;21</MeterName><ConfigNo /><VendorId>KAM</VendorId></Meter></MetersInOrder>"
    );
    let kem2 = format!(
        "<Devices xmlns:a=\"u:a\" a:v='1'><a:Device xmlns=\"u:b\"><SerialNumber>90000101</SerialNumber>\
         <ManufacturerId>KAW</ManufacturerId><Keys><Key><Name>DEK</Name><Value>{key}</Value></Key></Keys></a:Device>\
         <ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo><ds:CanonicalizationMethod \
         Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/><ds:SignatureMethod \
         Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/><ds:Reference URI=\"\"><ds:Transforms>\
         <ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/></ds:Transforms>\
         <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue>AA==\
         </ds:DigestValue></ds:Reference></ds:SignedInfo></ds:Signature></Devices>"
    );
    vec![kem.into_bytes(), kem2.into_bytes()]
}
