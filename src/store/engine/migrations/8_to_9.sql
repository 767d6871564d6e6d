-- From version 8 to version 9. Frozen: it has run on people's files.
--
-- How far a channel has come is the channel's own, also when it goes from --deliver to --relay or back. Version 8 had a
-- position for each target: one for each channel of --deliver, and one for all of --relay.
ALTER TABLE delivery_channels RENAME TO targets;
ALTER TABLE delivery_queue RENAME TO queue;

CREATE TABLE delivery_channels (
    channel TEXT    PRIMARY KEY,
    number  INTEGER NOT NULL,
    event   INTEGER NOT NULL,
    route   TEXT
) STRICT, WITHOUT ROWID;

-- A channel that its own target did not deliver when the file was closed is as far as that or the relay has come: what the
-- relay sent is not to be sent again. The next start says by which route each goes.
INSERT INTO delivery_channels (channel, number, event)
SELECT
    names.channel,
    CASE
        WHEN own.channel IS NULL THEN relay.number
        WHEN own.in_use = 0 AND relay.channel IS NOT NULL THEN max(own.number, relay.number)
        ELSE own.number
    END,
    CASE
        WHEN own.channel IS NULL THEN relay.event
        WHEN own.in_use = 0 AND relay.channel IS NOT NULL THEN max(own.event, relay.event)
        ELSE own.event
    END
FROM (
    SELECT 'email' AS channel UNION ALL SELECT 'sms' UNION ALL SELECT 'push' UNION ALL SELECT 'inbox'
    UNION ALL SELECT 'direct_message' UNION ALL SELECT 'webhook') AS names
LEFT JOIN targets AS own ON own.channel = names.channel
LEFT JOIN targets AS relay ON relay.channel = 'relay'
WHERE own.channel IS NOT NULL OR relay.channel IS NOT NULL;

CREATE TABLE delivery_routes (
    route         TEXT    PRIMARY KEY,
    in_use        INTEGER NOT NULL,
    delivered     INTEGER NOT NULL DEFAULT 0,
    refused       INTEGER NOT NULL DEFAULT 0,
    paused_at     INTEGER,
    paused_reason TEXT
) STRICT, WITHOUT ROWID;

INSERT INTO delivery_routes (route, in_use, delivered, refused, paused_at, paused_reason)
SELECT channel, 0, delivered, refused, paused_at, paused_reason FROM targets;

CREATE TABLE delivery_queue (
    entry    INTEGER PRIMARY KEY AUTOINCREMENT,
    number   INTEGER NOT NULL REFERENCES messages,
    position INTEGER NOT NULL,
    channel  TEXT    NOT NULL,
    route    TEXT    NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at   INTEGER NOT NULL,
    error    TEXT
) STRICT;

-- One without a channel has nothing to be sent.
INSERT INTO delivery_queue (entry, number, position, channel, route, attempts, due_at, error)
SELECT entry, number, position, own, channel, attempts, due_at, error FROM (
    SELECT *, CASE
        WHEN channel <> 'relay' THEN channel
        WHEN position = 0 THEN (SELECT channel FROM messages WHERE messages.number = queue.number)
        ELSE (
            SELECT channel FROM deliveries
            WHERE deliveries.number = queue.number AND deliveries.position = queue.position)
    END AS own FROM queue)
WHERE own IS NOT NULL
ORDER BY entry;

-- No number is given twice.
DELETE FROM sqlite_sequence WHERE name = 'delivery_queue';
INSERT INTO sqlite_sequence (name, seq) SELECT 'delivery_queue', seq FROM sqlite_sequence WHERE name = 'queue';

DROP TABLE targets;
DROP TABLE queue;

CREATE INDEX delivery_queue_of_route ON delivery_queue (route, entry, due_at);

CREATE INDEX delivery_queue_of_message ON delivery_queue (number);
