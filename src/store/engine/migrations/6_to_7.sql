-- From version 6 to version 7. Frozen: it has run on people's files.
--
-- A message may come to its end later.
CREATE TABLE endings (
    number   INTEGER NOT NULL REFERENCES messages,
    position INTEGER NOT NULL,
    due_at   INTEGER NOT NULL,
    status   TEXT    NOT NULL,
    reason   TEXT,
    PRIMARY KEY (number, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX endings_by_due ON endings (due_at, number, position);
