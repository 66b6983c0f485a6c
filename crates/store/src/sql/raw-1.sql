-- Telegrams as heard, sealed, for a while: a ring by time and by size. No promise rests on it.
CREATE TABLE raw (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    kind     INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3),
    at_ms    INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    sealed   BLOB NOT NULL
) STRICT;
CREATE INDEX raw_age ON raw (kind, at_ms, id, size);
