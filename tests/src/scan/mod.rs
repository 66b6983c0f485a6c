//! Finds planted secrets wherever they lie: in files, in logs, in the memory of processes.
//!
//! Each secret is looked for in every form that a careless program might give it: raw, reversed, BCD, hex, decimal,
//! base64 at all three alignments, UTF-16, lists of numbers; keys also as expanded AES schedules. What it cannot
//! see: what is compressed, encrypted, or spread over several places, and keys that are expanded in ways that
//! `aes` does not know (the breach tests show that it does see the vault's).

mod aes;
mod files;
mod forms;
mod memory;

use std::collections::BTreeSet;
use std::fmt;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

pub use memory::{ScanError, may_read};

/// Patterns shorter than this would be found by chance.
const SHORTEST: usize = 6;

/// A secret that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// The secret's name, never its content.
    pub needle: String,
    /// In which form.
    pub form: String,
    /// Where: a file's path, or a process and its mapping.
    pub place: String,
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({}) in {}", self.needle, self.form, self.place)
    }
}

/// Secrets to be looked for.
#[derive(Default)]
pub struct Needles {
    patterns: Vec<Vec<u8>>,
    labels: Vec<(String, String)>,
}

impl Needles {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An AES-128 key.
    #[must_use]
    pub fn key(self, name: &str, key: &[u8; 16]) -> Self {
        self.with(name, forms::of_key(key))
    }

    /// Secret bytes of another kind, at least 8.
    #[must_use]
    pub fn bytes(self, name: &str, bytes: &[u8]) -> Self {
        assert!(bytes.len() >= 8, "`{name}` is so short that it would be found by chance");
        self.with(name, forms::of_bytes(bytes))
    }

    /// A text, such as a passphrase or a name, at least 8 bytes.
    #[must_use]
    pub fn text(self, name: &str, text: &str) -> Self {
        assert!(text.len() >= 8, "`{name}` is so short that it would be found by chance");
        self.with(name, forms::of_text(text))
    }

    /// A register's value: `digits * 10^-decimals`, with 11 or 12 digits.
    #[must_use]
    pub fn value(self, name: &str, digits: u64, decimals: usize) -> Self {
        self.with(name, forms::of_value(digits, decimals))
    }

    fn with(mut self, name: &str, forms: Vec<forms::Formed>) -> Self {
        for (form, pattern) in forms {
            assert!(pattern.len() >= SHORTEST, "`{name}` as {form} would be found by chance");
            if !self.patterns.contains(&pattern) {
                self.patterns.push(pattern);
                self.labels.push((name.to_owned(), form));
            }
        }
        self
    }

    /// The search for them.
    #[must_use]
    pub fn scanner(self) -> Scanner {
        let longest = self.patterns.iter().map(Vec::len).max().unwrap_or(1);
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&self.patterns)
            .expect("a few thousand short patterns");
        Scanner { automaton, labels: self.labels, longest }
    }
}

/// Looks for all needles at once.
pub struct Scanner {
    automaton: AhoCorasick,
    labels: Vec<(String, String)>,
    longest: usize,
}

impl Scanner {
    /// All that is found in some bytes.
    #[must_use]
    pub fn bytes(&self, place: &str, bytes: &[u8]) -> BTreeSet<Hit> {
        let found: BTreeSet<usize> =
            self.automaton.find_overlapping_iter(bytes).map(|hit| hit.pattern().as_usize()).collect();
        found
            .into_iter()
            .map(|pattern| {
                let (needle, form) = self.labels[pattern].clone();
                Hit { needle, form, place: place.to_owned() }
            })
            .collect()
    }

    /// How many bytes of one piece to keep before the next, so that nothing is missed where they meet.
    fn overlap(&self) -> usize {
        self.longest - 1
    }
}

/// The names of the needles that were found.
#[must_use]
pub fn names(hits: &BTreeSet<Hit>) -> BTreeSet<&str> {
    hits.iter().map(|hit| hit.needle.as_str()).collect()
}

/// A line a hit, for the message of a failed test.
#[must_use]
pub fn report(hits: &BTreeSet<Hit>) -> String {
    hits.iter().map(|hit| format!("\n  {hit}")).collect()
}
