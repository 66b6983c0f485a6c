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
}

impl Mark {
    const WORDS: [&str; 6] = ["table", "desk", "releases", "generation", "providers", "officers"];

    /// As the log's event holds it.
    #[must_use]
    pub fn to_line(&self) -> String {
        let numbers = [self.table, self.desk, self.releases, self.generation, self.providers, self.officers];
        let parts: Vec<String> =
            Self::WORDS.iter().zip(numbers).map(|(word, n)| format!("{word} {n}")).collect();
        parts.join(", ")
    }

    /// Reads what [`Self::to_line`] wrote, and nothing else.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Self> {
        let mut parts = line.split(", ");
        let mut next = |word: &str| parts.next()?.strip_prefix(word)?.strip_prefix(' ')?.parse::<u64>().ok();
        let [a, b, c, d, e, f] = Self::WORDS;
        let mark = Self {
            table: next(a)?,
            desk: next(b)?,
            releases: next(c)?,
            generation: next(d)?,
            providers: next(e)?,
            officers: next(f)?,
        };
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
}

/// The action of the event that holds a mark.
pub const MARK_ACTION: &str = "vault-mark";
