//! One line of a list.

use base::{Contact, MeterAddress, Resolution, UtcMillis};
use keyfile::Header;

use crate::How;
use crate::columns::CONTACT;
use crate::dates::When;

/// What a line says. What it leaves out stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number in the file, from 1.
    pub line: usize,
    /// The meter: `KAM-12345678`, or `KAM-12345678-1B-16` where the list has version and type.
    pub address: String,
    /// The place's reference.
    pub place: String,
    /// The place's area.
    pub area: Option<String>,
    /// The utility's number of a customer.
    pub customer: Option<String>,
    /// Since when the customer has the place.
    pub from: Option<UtcMillis>,
    /// Until when, exclusive.
    pub until: Option<UtcMillis>,
    /// What the meter's policy keeps.
    pub resolution: Option<Resolution>,
    /// Whether the meter is known to send in clear.
    pub clear: Option<bool>,
    /// Who the customer is, and how they are reached. It prints nothing of itself.
    pub contact: Option<Contact>,
}

/// A line that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Its number in the file, from 1.
    pub line: usize,
    /// What the column with the fault holds, as `--column` names it.
    pub column: &'static str,
    /// What is wrong, and the way out.
    pub why: String,
}

/// A line that is being read.
pub(crate) struct Line<'a> {
    pub(crate) number: usize,
    pub(crate) cells: &'a [&'a str],
    pub(crate) header: &'a Header,
    pub(crate) how: &'a How,
    pub(crate) of_workbook: bool,
}

/// A cell as a sentence shows it.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_debug).collect()
}

impl Line<'_> {
    pub(crate) fn row(&self) -> Result<Row, BadRow> {
        let owned = |word| self.cell(word).map(str::to_owned);
        let (from, until) = (self.when("from")?, self.when("until")?);
        Ok(Row {
            line: self.number,
            address: self.address()?,
            place: owned("place").ok_or_else(|| self.bad("place", "the line names no place".to_owned()))?,
            area: owned("area"),
            customer: owned("customer"),
            from,
            until,
            resolution: self.resolution()?,
            clear: self.clear()?,
            contact: self.contact()?,
        })
    }

    fn cell(&self, word: &str) -> Option<&str> {
        let cell = self.header.at(word).and_then(|at| self.cells.get(at))?;
        Some(*cell).filter(|cell| !cell.is_empty())
    }

    /// What is wrong with a contact is said by its column, never by what the cell holds.
    fn contact(&self) -> Result<Option<Contact>, BadRow> {
        if self.how.without_contacts {
            return Ok(None);
        }
        let [name, address, mail, phone] = CONTACT.map(|word| self.cell(word).unwrap_or_default());
        if [name, address, mail, phone].iter().all(|cell| cell.trim().is_empty()) {
            return Ok(None);
        }
        let contact = Contact::new(name, address, mail, phone);
        contact.map(Some).map_err(|error| self.bad(error.part(), error.to_string()))
    }

    fn bad(&self, column: &'static str, why: String) -> BadRow {
        BadRow { line: self.number, column, why }
    }

    /// A whole address, or a serial number and its maker.
    fn address(&self) -> Result<String, BadRow> {
        let Some(text) = self.cell("meter") else {
            return Err(self.bad("meter", "the line names no meter".to_owned()));
        };
        let upper = text.to_ascii_uppercase();
        if upper.contains('-') {
            let fits =
                [upper.clone(), format!("{upper}-00-00")].iter().any(|a| a.parse::<MeterAddress>().is_ok());
            let why = || {
                format!("`{}` is no meter; write it as `KAM-12345678` or `KAM-12345678-1B-16`", shown(text))
            };
            return fits.then_some(upper).ok_or_else(|| self.bad("meter", why()));
        }
        let maker = self.cell("manufacturer").or(self.how.manufacturer.as_deref());
        let Some(maker) = maker else {
            let why = format!(
                "`{}` does not say who made the meter; write it as `KAM-12345678`, add a column `manufacturer`, or \
                 give `--manufacturer`",
                shown(text)
            );
            return Err(self.bad("meter", why));
        };
        if maker.len() != 3 || !maker.bytes().all(|b| b.is_ascii_alphabetic()) {
            let why = format!("`{}` is no maker; makers have three letters, such as `KAM`", shown(maker));
            return Err(self.bad("manufacturer", why));
        }
        if text.len() > 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
            let why = format!("`{}` is no serial number of at most eight digits", shown(text));
            return Err(self.bad("meter", why));
        }
        // spreadsheets take the zeros in front away
        Ok(format!("{}-{text:0>8}", maker.to_ascii_uppercase()))
    }

    fn when(&self, word: &'static str) -> Result<Option<UtcMillis>, BadRow> {
        let Some(text) = self.cell(word) else { return Ok(None) };
        let wrong = || {
            let why = format!("`{}` is no day; write it as `2026-11-23` or `23-11-2026`", shown(text));
            self.bad(word, why)
        };
        let mut when = When::read(text, self.of_workbook).ok_or_else(wrong)?;
        if word == "until" {
            if when.is_no_end() {
                return Ok(None);
            }
            if self.how.until_is_last_day {
                when = when.after().ok_or_else(wrong)?;
            }
        }
        when.utc(&self.how.zone).map(Some).ok_or_else(wrong)
    }

    fn resolution(&self) -> Result<Option<Resolution>, BadRow> {
        let Some(text) = self.cell("resolution") else { return Ok(None) };
        match text.to_lowercase().as_str() {
            "daily" | "day" | "daglig" | "dagligt" | "døgn" => Ok(Some(Resolution::Daily)),
            "all" | "alle" | "alt" => Ok(Some(Resolution::All)),
            _ => {
                Err(self
                    .bad("resolution", format!("`{}` is no resolution; it is `daily` or `all`", shown(text))))
            }
        }
    }

    fn clear(&self) -> Result<Option<bool>, BadRow> {
        let Some(text) = self.cell("clear") else { return Ok(None) };
        match text.to_lowercase().as_str() {
            "yes" | "true" | "1" | "x" | "ja" | "sand" => Ok(Some(true)),
            "no" | "false" | "0" | "nej" | "falsk" => Ok(Some(false)),
            _ => Err(self.bad("clear", format!("`{}` is neither `yes` nor `no`", shown(text)))),
        }
    }
}
