-- Meters that were exchanged for others at their place, with what both showed. Indices are exact: mantissa and power of ten.
CREATE TABLE exchange (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    place            INTEGER NOT NULL REFERENCES place (id),
    removed          INTEGER NOT NULL REFERENCES meter (id),
    hung             INTEGER NOT NULL REFERENCES meter (id) CHECK (hung <> removed),
    at_ms            INTEGER NOT NULL CHECK (at_ms > 0),
    closing_mantissa INTEGER NOT NULL CHECK (closing_mantissa >= 0),
    closing_exponent INTEGER NOT NULL CHECK (closing_exponent BETWEEN -18 AND 18),
    opening_mantissa INTEGER NOT NULL CHECK (opening_mantissa >= 0),
    opening_exponent INTEGER NOT NULL CHECK (opening_exponent BETWEEN -18 AND 18),
    -- base::Unit::code; 0 where none was said
    unit             INTEGER NOT NULL CHECK (unit >= 0),
    -- what is added to the new meter's index so that the place's count goes on; null where it cannot be said
    carry_mantissa   INTEGER,
    carry_exponent   INTEGER CHECK (carry_exponent BETWEEN -18 AND 18),
    told_ms          INTEGER NOT NULL
) STRICT;
CREATE INDEX exchange_place ON exchange (place, at_ms);
CREATE INDEX exchange_removed ON exchange (removed);
CREATE TRIGGER exchange_keeps BEFORE UPDATE ON exchange
BEGIN SELECT RAISE(ABORT, 'an exchange stays as it was told'); END;
CREATE TRIGGER exchange_stays BEFORE DELETE ON exchange
BEGIN SELECT RAISE(ABORT, 'exchanges are never deleted'); END;
