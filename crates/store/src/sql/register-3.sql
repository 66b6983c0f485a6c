-- Each place may lie in an area: a word of the utility's own, for reports.
ALTER TABLE place ADD COLUMN area TEXT CHECK (length(area) BETWEEN 1 AND 40);
