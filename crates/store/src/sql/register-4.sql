-- Customers by the utility's own numbers, never by name; and since when a meter hangs where it hangs.

CREATE TABLE customer (
    id        INTEGER PRIMARY KEY,
    reference TEXT NOT NULL UNIQUE CHECK (length(reference) BETWEEN 1 AND 100)
) STRICT;

-- Whose a tenancy is, where that is known.
CREATE TABLE tenant (
    tenancy  BLOB PRIMARY KEY REFERENCES tenancy (id),
    customer INTEGER NOT NULL REFERENCES customer (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX tenant_customer ON tenant (customer);

-- Where a meter was before its present place, and until when.
ALTER TABLE meter ADD COLUMN placed_ms INTEGER NOT NULL DEFAULT 0 CHECK (placed_ms >= 0);
CREATE TABLE stay (
    meter    INTEGER NOT NULL REFERENCES meter (id),
    place    INTEGER NOT NULL REFERENCES place (id),
    from_ms  INTEGER NOT NULL CHECK (from_ms >= 0),
    until_ms INTEGER NOT NULL CHECK (until_ms > from_ms),
    PRIMARY KEY (meter, from_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX stay_place ON stay (place);
CREATE TRIGGER stay_stays BEFORE DELETE ON stay
BEGIN SELECT RAISE(ABORT, 'where a meter was is never deleted'); END;
CREATE TRIGGER stay_keeps BEFORE UPDATE ON stay
BEGIN SELECT RAISE(ABORT, 'where a meter was does not change'); END;

-- From when to when each tenancy holds each meter: while both are at one place. Together they leave no hole.
CREATE VIEW span AS
    SELECT h.meter AS meter, t.id AS id, t.vacant AS vacant,
           max(t.from_ms, h.from_ms) AS from_ms,
           CASE WHEN t.until_ms IS NULL THEN h.until_ms
                WHEN h.until_ms IS NULL THEN t.until_ms
                ELSE min(t.until_ms, h.until_ms) END AS until_ms
    FROM (SELECT id AS meter, place, placed_ms AS from_ms, NULL AS until_ms FROM meter
          UNION ALL SELECT meter, place, from_ms, until_ms FROM stay) h
    JOIN tenancy t ON t.place = h.place
     AND (t.until_ms IS NULL OR t.until_ms > h.from_ms)
     AND (h.until_ms IS NULL OR t.from_ms < h.until_ms);

-- What makes the ids of tenancies: whoever repeats a change that was cut off makes the same ones, and they say nothing.
CREATE TABLE seed (value BLOB NOT NULL CHECK (length(value) = 32)) STRICT;
INSERT INTO seed VALUES (randomblob(32));
