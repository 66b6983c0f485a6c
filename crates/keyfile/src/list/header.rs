//! Finding a table's columns by their headers: by the words in use for each, or by the caller's own.

use super::MappingError;
use crate::error::shown;

/// What columns may hold: the word for each thing, and the headers in use for it, in small letters and digits only.
pub type Names = [(&'static str, &'static [&'static str])];

/// A header or a name as it is compared: its letters and digits, small.
pub(super) fn plain(header: &str) -> String {
    header.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Columns that the caller names.
#[derive(Debug, Clone, Default)]
pub struct Named(Vec<(&'static str, String)>);

impl Named {
    /// Takes one column's name, as `key=AES Key`; one that was named before is named anew.
    ///
    /// # Errors
    /// [`MappingError::Form`].
    pub fn take(&mut self, text: &str, names: &'static Names) -> Result<(), MappingError> {
        let form = || {
            let words: Vec<&str> = names.iter().map(|(word, _)| *word).collect();
            MappingError::Form(shown(text), words.join(", "))
        };
        let (what, header) = text.split_once('=').ok_or_else(form)?;
        let (word, _) = names.iter().find(|(word, _)| *word == what.trim()).ok_or_else(form)?;
        if plain(header).is_empty() {
            return Err(form());
        }
        self.0.retain(|(known, _)| known != word);
        self.0.push((word, plain(header)));
        Ok(())
    }

    /// The header that the caller gave for a thing, as it is compared.
    pub(super) fn of(&self, word: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == word).map(|(_, header)| header.as_str())
    }
}

/// Where a table's columns are.
#[derive(Debug, Clone, Default)]
pub struct Header(Vec<(&'static str, usize)>);

impl Header {
    /// Finds the columns in a table's first line; nothing when that line is no header.
    ///
    /// # Errors
    /// [`MappingError::NoHeader`], [`MappingError::Twice`].
    pub fn find(first: &[&str], names: &'static Names, named: &Named) -> Result<Option<Self>, MappingError> {
        let headers: Vec<String> = first.iter().map(|cell| plain(cell)).collect();
        let in_use = |known: &[&str]| headers.iter().any(|h| known.contains(&h.as_str()));
        if named.0.is_empty() && !names.iter().any(|(_, known)| in_use(known)) {
            return Ok(None);
        }
        let mut columns = Vec::new();
        for (word, known) in names {
            if let Some(wanted) = named.of(word) {
                let at = headers.iter().position(|h| h == wanted);
                let missing = || MappingError::NoHeader(wanted.to_owned(), shown(&headers.join(", ")));
                columns.push((*word, at.ok_or_else(missing)?));
                continue;
            }
            let mut found = headers.iter().enumerate().filter(|(_, h)| known.contains(&h.as_str()));
            match (found.next(), found.next()) {
                (Some((at, _)), None) => columns.push((*word, at)),
                (Some(_), Some(_)) => return Err(MappingError::Twice(word)),
                _ => {}
            }
        }
        Ok(Some(Self(columns)))
    }

    /// The column of a thing, from 0.
    #[must_use]
    pub fn at(&self, word: &str) -> Option<usize> {
        self.0.iter().find(|(known, _)| *known == word).map(|(_, at)| *at)
    }
}
