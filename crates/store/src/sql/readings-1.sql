-- Sealed readings, and the account of every telegram. Intake writes; the archive opens it only to read.

-- Sixteen random bytes in each row and again in its index would be a third of the file: rows name a tenancy
-- by a small number.
CREATE TABLE tenancy (
    ref INTEGER PRIMARY KEY,
    id  BLOB NOT NULL UNIQUE CHECK (length(id) = 16)
) STRICT;

-- Rows as they come. What a row says is sealed; what stands beside it is its place and how it came to be.
CREATE TABLE reading (
    id            INTEGER PRIMARY KEY,
    class         INTEGER NOT NULL CHECK (class BETWEEN 1 AND 3),
    month         INTEGER NOT NULL CHECK (month >= 0),
    -- class daily: the day of the month; class fine: a running number within meter and month
    sequence      INTEGER NOT NULL CHECK (sequence >= 0),
    meter         INTEGER NOT NULL CHECK (meter > 0),
    tenancy       INTEGER NOT NULL REFERENCES tenancy (ref),
    version       INTEGER NOT NULL CHECK (version >= 1),
    day           INTEGER NOT NULL CHECK (day BETWEEN 1 AND 31),
    source        INTEGER NOT NULL CHECK (source BETWEEN 1 AND 4),
    quality       INTEGER NOT NULL CHECK (quality BETWEEN 1 AND 5),
    -- the version that replaces this one
    superseded_by INTEGER CHECK (superseded_by > version),
    term          INTEGER NOT NULL,
    envelope      BLOB NOT NULL,
    CHECK (class <> 2 OR sequence = day)
) STRICT;
-- The order of this index decides how fast readings are written: with the sequence before the meter, the
-- readings of a day (or of one round of telegrams) fall into one stretch of it, not one page each.
CREATE UNIQUE INDEX reading_place ON reading (class, month, sequence, meter, tenancy, version);

-- Up to where class fine is numbered, so that a meter's readings are found by number and never by search.
CREATE TABLE fine_head (
    month INTEGER NOT NULL,
    meter INTEGER NOT NULL,
    next  INTEGER NOT NULL,
    PRIMARY KEY (month, meter)
) STRICT, WITHOUT ROWID;

-- One row a batch: what became of each of its telegrams. The id is the order of commits.
CREATE TABLE account (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    collector    INTEGER NOT NULL,
    epoch        INTEGER NOT NULL,
    seq          INTEGER NOT NULL CHECK (seq >= first_seq),
    -- below seq only in a gap or a loss, which stand for several batches
    first_seq    INTEGER NOT NULL CHECK (first_seq >= 1),
    -- 1 a batch, 2 a gap that the collector stated, 3 a loss that the core wrote off
    kind         INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3),
    telegrams    INTEGER NOT NULL CHECK (telegrams >= 0),
    stored       INTEGER NOT NULL CHECK (stored >= 0),
    thinned      INTEGER NOT NULL CHECK (thinned >= 0),
    late         INTEGER NOT NULL CHECK (late >= 0),
    duplicate    INTEGER NOT NULL CHECK (duplicate >= 0),
    refused      INTEGER NOT NULL CHECK (refused >= 0),
    -- rows written to `reading`
    readings     INTEGER NOT NULL CHECK (readings >= stored + late),
    committed_ms INTEGER NOT NULL,
    -- the vault holds its freshness as final
    final        INTEGER NOT NULL CHECK (final IN (0, 1)),
    UNIQUE (collector, epoch, seq),
    CHECK (telegrams = stored + thinned + late + duplicate + refused)
) STRICT;
CREATE INDEX account_open ON account (id) WHERE final = 0;

CREATE TABLE account_refused (
    account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    reason  TEXT NOT NULL,
    count   INTEGER NOT NULL CHECK (count > 0),
    PRIMARY KEY (account, reason)
) STRICT, WITHOUT ROWID;

-- Sums over all accounts, and other durable counts, kept in the same transactions.
CREATE TABLE tally (
    name  TEXT PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- The part of those sums whose accounts were folded away after their time.
CREATE TABLE folded (
    name  TEXT PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Up to where each spool's batches are committed without holes.
CREATE TABLE epoch (
    collector INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    all_up_to INTEGER NOT NULL,
    PRIMARY KEY (collector, epoch)
) STRICT, WITHOUT ROWID;

-- Batches that are wanted once more, and since when.
CREATE TABLE wanted (
    collector INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL CHECK (last_seq >= first_seq),
    since_ms  INTEGER NOT NULL,
    PRIMARY KEY (collector, epoch, first_seq)
) STRICT, WITHOUT ROWID;

-- What intake must still know of each meter after a restart, sealed by intake.
CREATE TABLE meter_state (
    meter INTEGER PRIMARY KEY,
    state BLOB NOT NULL
) STRICT;

-- Learnt layouts of compact frames.
CREATE TABLE format (
    key    BLOB PRIMARY KEY,
    layout BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Telegrams of meters that are not in the register.
CREATE TABLE unknown_count (
    day          TEXT NOT NULL,
    manufacturer TEXT NOT NULL,
    count        INTEGER NOT NULL CHECK (count > 0),
    PRIMARY KEY (day, manufacturer)
) STRICT, WITHOUT ROWID;

-- Events for the ledger that it has not taken yet.
CREATE TABLE outbox (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    event BLOB NOT NULL
) STRICT;
