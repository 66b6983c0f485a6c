-- What the steward sealed anew has a source of its own (5). SQLite changes no check of a table, so it is made once more.
CREATE TABLE reading_new (
    id            INTEGER PRIMARY KEY,
    class         INTEGER NOT NULL CHECK (class BETWEEN 1 AND 3),
    month         INTEGER NOT NULL CHECK (month >= 0),
    -- class daily: the day of the month; class fine: a running number within meter and month
    sequence      INTEGER NOT NULL CHECK (sequence >= 0),
    meter         INTEGER NOT NULL CHECK (meter > 0),
    tenancy       INTEGER NOT NULL REFERENCES tenancy (ref),
    version       INTEGER NOT NULL CHECK (version >= 1),
    day           INTEGER NOT NULL CHECK (day BETWEEN 1 AND 31),
    source        INTEGER NOT NULL CHECK (source BETWEEN 1 AND 5),
    quality       INTEGER NOT NULL CHECK (quality BETWEEN 1 AND 5),
    -- the version that replaces this one: of the same tenancy, or of the one that it belongs to by now
    superseded_by INTEGER CHECK (superseded_by > version),
    term          INTEGER NOT NULL,
    envelope      BLOB NOT NULL,
    CHECK (class <> 2 OR sequence = day)
) STRICT;
INSERT INTO reading_new SELECT id, class, month, sequence, meter, tenancy, version, day, source, quality,
    superseded_by, term, envelope FROM reading;
DROP TABLE reading;
ALTER TABLE reading_new RENAME TO reading;
CREATE UNIQUE INDEX reading_place ON reading (class, month, sequence, meter, tenancy, version);

-- Originals are kept: a row changes by being superseded, once, and in no other way.
CREATE TRIGGER reading_keeps BEFORE UPDATE ON reading
WHEN OLD.superseded_by IS NOT NULL OR NEW.superseded_by IS NULL
  OR NEW.id IS NOT OLD.id OR NEW.class IS NOT OLD.class OR NEW.month IS NOT OLD.month
  OR NEW.sequence IS NOT OLD.sequence OR NEW.meter IS NOT OLD.meter OR NEW.tenancy IS NOT OLD.tenancy
  OR NEW.version IS NOT OLD.version OR NEW.day IS NOT OLD.day OR NEW.source IS NOT OLD.source
  OR NEW.quality IS NOT OLD.quality OR NEW.term IS NOT OLD.term OR NEW.envelope IS NOT OLD.envelope
BEGIN SELECT RAISE(ABORT, 'a reading changes only by being superseded'); END;
CREATE TRIGGER reading_stays BEFORE DELETE ON reading
BEGIN SELECT RAISE(ABORT, 'readings are not deleted'); END;

-- A day that the steward gave its reading has one: what is heard of that day later, and intake keeps because it does
-- not know of the steward's work, steps behind.
CREATE TRIGGER reading_of_a_day AFTER INSERT ON reading
WHEN NEW.class = 2 AND NEW.version = 1 AND NEW.superseded_by IS NULL AND EXISTS (
    SELECT 1 FROM reading WHERE class = 2 AND month = NEW.month AND sequence = NEW.sequence
       AND meter = NEW.meter AND tenancy = NEW.tenancy AND version > 1)
BEGIN
    UPDATE reading SET superseded_by = (
        SELECT max(version) FROM reading WHERE class = 2 AND month = NEW.month AND sequence = NEW.sequence
           AND meter = NEW.meter AND tenancy = NEW.tenancy) WHERE id = NEW.id;
END;

-- The oldest version of the register that readings may be sealed by: a move that was reported late counts from then on,
-- also for batches that are on their way.
CREATE TABLE register_floor (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL CHECK (version >= 0)
) STRICT;
