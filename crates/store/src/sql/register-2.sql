-- Moves that were reported after the day, or so short before it that readings may have been sealed without them: what the
-- steward seals anew. A row is written with the move itself, so that none is forgotten.
CREATE TABLE late_move (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    place       INTEGER NOT NULL REFERENCES place (id),
    ended       BLOB NOT NULL REFERENCES tenancy (id),
    begun       BLOB NOT NULL REFERENCES tenancy (id),
    at_ms       INTEGER NOT NULL,
    reported_ms INTEGER NOT NULL,
    -- who reported it: the name of a user of the machine
    person      TEXT NOT NULL CHECK (length(person) BETWEEN 1 AND 64),
    attempts    INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- not to be tried again before
    due_ms      INTEGER NOT NULL DEFAULT 0,
    -- why the last attempt failed: a word
    problem     TEXT NOT NULL DEFAULT '',
    done_ms     INTEGER,
    -- readings that were sealed anew, over all attempts
    readings    INTEGER NOT NULL DEFAULT 0 CHECK (readings >= 0)
) STRICT;
CREATE INDEX late_move_open ON late_move (place, id) WHERE done_ms IS NULL;
CREATE TRIGGER late_move_keeps BEFORE UPDATE OF id, place, ended, begun, at_ms, reported_ms, person ON late_move
BEGIN SELECT RAISE(ABORT, 'a late move stays as it was reported'); END;
CREATE TRIGGER late_move_stays BEFORE DELETE ON late_move
BEGIN SELECT RAISE(ABORT, 'late moves are never deleted'); END;
