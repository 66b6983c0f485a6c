//! The vault's marks: how far its files have come, as the log holds it.

/// Shows the vault the newest mark of the log.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PresentMark {
    /// The event that holds it, encoded `grant::Event`; empty while none was ever recorded.
    #[prost(bytes = "vec", tag = "1")]
    pub event: Vec<u8>,
    /// The ledger's receipt for it.
    #[prost(bytes = "vec", tag = "2")]
    pub receipt: Vec<u8>,
}

/// How far the vault's files have come. No number ever goes back.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Mark {
    /// Changes to keys, tenancies and period roots.
    #[prost(uint64, tag = "1")]
    pub table: u64,
    /// Steps at the officers' desk.
    #[prost(uint64, tag = "2")]
    pub desk: u64,
    /// Releases of data keys.
    #[prost(uint64, tag = "3")]
    pub releases: u64,
    /// Generation of the root key.
    #[prost(uint64, tag = "4")]
    pub generation: u64,
    /// Providers that there ever were.
    #[prost(uint64, tag = "5")]
    pub providers: u64,
    /// Changes to the list of officers.
    #[prost(uint64, tag = "6")]
    pub officers: u64,
    /// Tenancies and periods that were erased.
    #[prost(uint64, tag = "7")]
    pub erasures: u64,
    /// The term of the keys.
    #[prost(uint64, tag = "8")]
    pub term: u64,
    /// Legal holds that were ever set.
    #[prost(uint64, tag = "9")]
    pub holds: u64,
}

impl Mark {
    const WORDS: [&str; 9] =
        ["table", "desk", "releases", "generation", "providers", "officers", "erasures", "term", "holds"];

    /// As the log's event holds it.
    #[must_use]
    pub fn to_line(&self) -> String {
        let numbers = [
            self.table,
            self.desk,
            self.releases,
            self.generation,
            self.providers,
            self.officers,
            self.erasures,
            self.term,
            self.holds,
        ];
        let parts: Vec<String> =
            Self::WORDS.iter().zip(numbers).map(|(word, n)| format!("{word} {n}")).collect();
        parts.join(", ")
    }

    /// Reads what [`Self::to_line`] wrote, and nothing else. Marks of earlier editions end after `officers` or `term`.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Self> {
        let mut numbers = [0; Self::WORDS.len()];
        let mut parts = line.split(", ");
        for (n, (word, number)) in Self::WORDS.iter().zip(&mut numbers).enumerate() {
            match parts.next() {
                Some(part) => *number = part.strip_prefix(word)?.strip_prefix(' ')?.parse().ok()?,
                None if matches!(n, 6 | 8) => break,
                None => return None,
            }
        }
        let [table, desk, releases, generation, providers, officers, erasures, term, holds] = numbers;
        let mark = Self { table, desk, releases, generation, providers, officers, erasures, term, holds };
        parts.next().is_none().then_some(mark)
    }
}

/// The vault's answer to a mark.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MarkAnswer {
    /// How far its files have come now.
    #[prost(message, optional, tag = "1")]
    pub mark: Option<Mark>,
    /// What of it is older than the mark that was shown; empty when nothing is.
    #[prost(string, tag = "2")]
    pub older: String,
    /// The files are older than the mark that was shown, and who holds what opens the vault has accepted that.
    #[prost(bool, tag = "3")]
    pub accepted: bool,
    /// They were accepted although erasures since are lost.
    #[prost(bool, tag = "4")]
    pub forgets: bool,
}

/// The action of the event that holds a mark.
pub const MARK_ACTION: &str = "vault-mark";
