-- The register: meters, places, tenancies. No names, no streets: a place is a reference of the utility's own.

-- Grows with each change, so that intake can ask for news; and the next meter id, which is never taken back.
CREATE TABLE counter (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;
INSERT INTO counter (name, value) VALUES ('version', 1), ('next_meter', 1);

CREATE TABLE place (
    id        INTEGER PRIMARY KEY,
    reference TEXT NOT NULL UNIQUE CHECK (length(reference) BETWEEN 1 AND 200)
) STRICT;

CREATE TABLE meter (
    id          INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 4294967295),
    -- manufacturer (2, little endian) and serial (4, little endian), as on the wire
    number      BLOB NOT NULL CHECK (length(number) = 6),
    -- version and device type; unknown until the first good telegram
    kind        BLOB CHECK (length(kind) = 2),
    -- base::Resolution::code; null for the house's default
    resolution  INTEGER CHECK (resolution IN (1, 2)),
    clear       INTEGER NOT NULL CHECK (clear IN (0, 1)),
    place       INTEGER NOT NULL REFERENCES place (id),
    added_ms    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX meter_address ON meter (number, coalesce(kind, x''));
CREATE INDEX meter_place ON meter (place);

-- A number whose version and type are unknown stands for all of them, so it stands alone.
CREATE TRIGGER meter_alone BEFORE INSERT ON meter
WHEN EXISTS (SELECT 1 FROM meter WHERE number = NEW.number AND (kind IS NULL OR NEW.kind IS NULL))
BEGIN SELECT RAISE(ABORT, 'a meter of this number is registered without version and type'); END;
CREATE TRIGGER meter_stays BEFORE DELETE ON meter
BEGIN SELECT RAISE(ABORT, 'meters are never deleted'); END;
CREATE TRIGGER meter_keeps BEFORE UPDATE OF id, number ON meter
BEGIN SELECT RAISE(ABORT, 'a meter keeps its id and its number'); END;

-- Who holds a place from when to when. Each place's rows form one chain: the first begins at 0, each next
-- one where the one before ends, and the last one is open.
CREATE TABLE tenancy (
    id       BLOB PRIMARY KEY CHECK (length(id) = 16),
    place    INTEGER NOT NULL REFERENCES place (id),
    from_ms  INTEGER NOT NULL CHECK (from_ms >= 0),
    until_ms INTEGER CHECK (until_ms > from_ms),
    vacant   INTEGER NOT NULL CHECK (vacant IN (0, 1)),
    UNIQUE (place, from_ms)
) STRICT;
CREATE UNIQUE INDEX tenancy_open ON tenancy (place) WHERE until_ms IS NULL;

CREATE TRIGGER tenancy_chain BEFORE INSERT ON tenancy
WHEN NEW.until_ms IS NOT NULL
  OR NEW.from_ms IS NOT coalesce((SELECT max(until_ms) FROM tenancy WHERE place = NEW.place), 0)
  OR EXISTS (SELECT 1 FROM tenancy WHERE place = NEW.place AND until_ms IS NULL)
BEGIN SELECT RAISE(ABORT, 'tenancies of a place neither overlap nor leave holes'); END;
CREATE TRIGGER tenancy_closes_once BEFORE UPDATE ON tenancy
WHEN OLD.until_ms IS NOT NULL OR NEW.until_ms IS NULL
  OR NEW.id IS NOT OLD.id OR NEW.place IS NOT OLD.place OR NEW.from_ms IS NOT OLD.from_ms OR NEW.vacant IS NOT OLD.vacant
BEGIN SELECT RAISE(ABORT, 'a tenancy changes only by ending'); END;
CREATE TRIGGER tenancy_stays BEFORE DELETE ON tenancy
BEGIN SELECT RAISE(ABORT, 'tenancies are never deleted'); END;
