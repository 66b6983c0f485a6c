-- Where in the log what stands. A cache: what is here can be made anew from the log, and nothing is answered from it alone.

-- Words that entries repeat. kind: 1 actor, 2 person, 3 action, 4 reason, 5 purpose. n: how many entries have it, about.
CREATE TABLE word (
    id   INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    text TEXT NOT NULL,
    n    INTEGER NOT NULL,
    UNIQUE (kind, text)
) STRICT;

-- An entry of the log. grant_id, request and session: the first eight bytes.
CREATE TABLE entry (
    position INTEGER PRIMARY KEY,
    at_ms    INTEGER NOT NULL,
    actor    INTEGER NOT NULL,
    person   INTEGER,
    action   INTEGER NOT NULL,
    outcome  INTEGER NOT NULL,
    reason   INTEGER,
    purpose  INTEGER,
    grant_id INTEGER,
    request  INTEGER,
    case_no  INTEGER,
    session  INTEGER
) STRICT;
-- Each index ends with the position, so that it gives a word's entries in their order.
CREATE INDEX entry_actor ON entry (actor);
CREATE INDEX entry_person ON entry (person) WHERE person IS NOT NULL;
CREATE INDEX entry_action ON entry (action);
CREATE INDEX entry_reason ON entry (reason) WHERE reason IS NOT NULL;
CREATE INDEX entry_refused ON entry (position) WHERE reason IS NOT NULL;
CREATE INDEX entry_purpose ON entry (purpose) WHERE purpose IS NOT NULL;
CREATE INDEX entry_grant ON entry (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX entry_request ON entry (request) WHERE request IS NOT NULL;
CREATE INDEX entry_case ON entry (case_no) WHERE case_no IS NOT NULL;
CREATE INDEX entry_session ON entry (session) WHERE session IS NOT NULL;

-- Whose data: the first eight bytes of each tag.
CREATE TABLE subject (
    tag      INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (tag, position)
) STRICT, WITHOUT ROWID;

-- One row. low: the position of the first entry that is here; those before were removed. upto: the position after the last entry that is here. last: SHA-256 of that entry's event. The sums are over all rows.
CREATE TABLE state (
    low          INTEGER NOT NULL,
    upto         INTEGER NOT NULL,
    last         BLOB NOT NULL,
    entry_sum    INTEGER NOT NULL,
    subject_sum  INTEGER NOT NULL,
    word_sum     INTEGER NOT NULL
) STRICT;
INSERT INTO state VALUES (0, 0, x'', 0, 0, 0);
