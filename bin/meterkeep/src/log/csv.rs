//! Lines of CSV (RFC 4180), for spreadsheets.

use csv_core::{WriteResult, Writer};

use crate::problem::Problem;

/// One line. A field that a spreadsheet would take for a formula gets an apostrophe before it; JSON has the text as it is.
pub(super) fn line<'a>(fields: impl IntoIterator<Item = &'a str>) -> Result<String, Problem> {
    let (mut writer, mut line) = (Writer::new(), Vec::new());
    for (n, field) in fields.into_iter().enumerate() {
        if n > 0 {
            put(&mut line, |room| writer.delimiter(room))?;
        }
        let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let field = if formula { format!("'{field}") } else { field.to_owned() };
        let mut rest = field.as_bytes();
        put(&mut line, |room| {
            let (result, read, written) = writer.field(rest, room);
            rest = rest.get(read..).unwrap_or_default();
            (result, written)
        })?;
    }
    put(&mut line, |room| writer.terminator(room))?;
    String::from_utf8(line).map_err(Problem::during("cannot write a line"))
}

/// Has something written, in as many parts as it takes.
fn put(line: &mut Vec<u8>, mut part: impl FnMut(&mut [u8]) -> (WriteResult, usize)) -> Result<(), Problem> {
    let mut room = [0; 256];
    loop {
        let (result, written) = part(&mut room);
        line.extend_from_slice(room.get(..written).unwrap_or_default());
        match result {
            WriteResult::InputEmpty => return Ok(()),
            WriteResult::OutputFull if written == 0 => return Err(Problem::new("cannot write a line")),
            WriteResult::OutputFull => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be_and_no_field_is_a_formula() {
        assert_eq!(line(["1", "anna", ""]).unwrap(), "1,anna,\n");
        assert_eq!(line(["a \"b\", c", "d"]).unwrap(), "\"a \"\"b\"\", c\",d\n");
        assert_eq!(line(["=1+1", "-2"]).unwrap(), "'=1+1,'-2\n");
        let long = "x,".repeat(1000);
        assert_eq!(line([long.as_str(), "y"]).unwrap(), format!("\"{long}\",y\n"));
    }
}
