-- From version 2 to version 3. Frozen: it has run on people's files.

-- Deliveries come to more than version 2 let them. The view stays as it is.
PRAGMA legacy_alter_table = ON;
ALTER TABLE deliveries RENAME TO old_deliveries;
PRAGMA legacy_alter_table = OFF;
CREATE TABLE deliveries (
    number   INTEGER NOT NULL REFERENCES messages,
    position INTEGER NOT NULL,     -- below 0 before the one in messages, above 0 after it
    status   TEXT    NOT NULL CHECK (
        status = 'SENT' OR status = 'DELIVERED' OR status = 'OPENED' OR status = 'CLICKED' OR status = 'SIMULATED' OR
        status = 'DELAYED' OR status = 'CANCELED' OR status = 'FILTERED' OR status = 'UNMAPPED' OR
        status = 'UNROUTABLE' OR status = 'UNDELIVERABLE'),
    reason   TEXT,
    error    TEXT,
    channel  TEXT    NOT NULL CHECK (
        channel = 'email' OR channel = 'sms' OR channel = 'push' OR channel = 'inbox' OR
        channel = 'direct_message' OR channel = 'webhook'),
    provider TEXT    NOT NULL,
    address  TEXT    NOT NULL,
    subject  TEXT,
    body     TEXT    NOT NULL,
    content  TEXT,
    PRIMARY KEY (number, position)
) STRICT, WITHOUT ROWID;
INSERT INTO deliveries (number, position, status, reason, error, channel, provider, address, subject, body, content)
SELECT number, position, status, reason, error, channel, provider, address, subject, body, content FROM old_deliveries;
DROP TABLE old_deliveries;
