-- From version 7 to version 8. Frozen: it has run on people's files.
--
-- Messages may be delivered for real.
CREATE TABLE delivery_channels (
    channel       TEXT    PRIMARY KEY,
    number        INTEGER NOT NULL,
    event         INTEGER NOT NULL,
    in_use        INTEGER NOT NULL,
    delivered     INTEGER NOT NULL DEFAULT 0,
    refused       INTEGER NOT NULL DEFAULT 0,
    paused_at     INTEGER,
    paused_reason TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE delivery_queue (
    entry    INTEGER PRIMARY KEY AUTOINCREMENT,
    number   INTEGER NOT NULL REFERENCES messages,
    position INTEGER NOT NULL,
    channel  TEXT    NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at   INTEGER NOT NULL,
    error    TEXT
) STRICT;

CREATE INDEX delivery_queue_of_channel ON delivery_queue (channel, entry, due_at);

CREATE INDEX delivery_queue_of_message ON delivery_queue (number);
