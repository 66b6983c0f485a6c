-- Who a tenant is and how they are reached, sealed under a key of the tenancy that the vault gives, and bound to it and its version.
-- The row goes when the tenancy is erased; the key has gone before.
CREATE TABLE contact (
    tenancy BLOB PRIMARY KEY REFERENCES tenancy (id),
    version INTEGER NOT NULL CHECK (version BETWEEN 1 AND 4294967295),
    sealed  BLOB NOT NULL CHECK (length(sealed) BETWEEN 34 AND 8192),
    told_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER contact_grows BEFORE UPDATE ON contact
WHEN NEW.tenancy IS NOT OLD.tenancy OR NEW.version <= OLD.version
BEGIN SELECT RAISE(ABORT, 'a contact is replaced by a newer version only'); END;
CREATE TRIGGER contact_of_somebody BEFORE INSERT ON contact
WHEN EXISTS (SELECT 1 FROM tenancy WHERE id = NEW.tenancy AND vacant = 1)
BEGIN SELECT RAISE(ABORT, 'nobody lives in a vacant tenancy'); END;
