-- From version 3 to version 4. Frozen: it has run on people's files.
--
-- The words of status, reason and channel leave the CHECKs of messages and deliveries. A CHECK that goes changes no row, so
-- only the text of the two tables is written anew, as SQLite's documentation of ALTER TABLE has it; the format of the rows
-- stays what it is. The schema's cookie moves with the view, and RESET has this connection read the schema again.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = 'CREATE TABLE messages (
    number    INTEGER PRIMARY KEY,
    recipient TEXT    NOT NULL,
    status    TEXT    NOT NULL,
    reason    TEXT,
    error     TEXT,
    channel   TEXT,
    provider  TEXT,
    address   TEXT,                -- e-mail address, phone number, push token, channel, URL; of the inbox the recipient
    subject   TEXT,
    body      TEXT,                -- as plain text
    content   TEXT,                -- beyond the plain text: an e-mail''s HTML without its frame, or a channel''s own JSON
    profile_version INTEGER REFERENCES profile_versions  -- the stored profile that it was made with
) STRICT'
WHERE type = 'table' AND name = 'messages';
UPDATE sqlite_schema SET sql = 'CREATE TABLE deliveries (
    number   INTEGER NOT NULL REFERENCES messages,
    position INTEGER NOT NULL,     -- below 0 before the one in messages, above 0 after it
    status   TEXT    NOT NULL,
    reason   TEXT,
    error    TEXT,
    channel  TEXT    NOT NULL,
    provider TEXT    NOT NULL,
    address  TEXT    NOT NULL,
    subject  TEXT,
    body     TEXT    NOT NULL,
    content  TEXT,
    PRIMARY KEY (number, position)
) STRICT, WITHOUT ROWID'
WHERE type = 'table' AND name = 'deliveries';
PRAGMA writable_schema = RESET;

-- The view knows the ids that a seed has given.
DROP VIEW outbox;
CREATE VIEW outbox AS
SELECT
    coalesce(
        (SELECT message_id FROM message_names WHERE message_names.number = messages.number),
        printf('1-%08x-%s%012x', message_ranges.created_at / 1000, file.message_tag, messages.number)) AS message_id,
    jobs.job_id,
    messages.recipient,
    messages.channel,
    messages.provider,
    messages.address,
    messages.status,
    messages.reason,
    messages.subject,
    messages.body,
    messages.content,
    message_ranges.created_at
FROM file
JOIN jobs
JOIN message_ranges ON message_ranges.job = jobs.job
JOIN messages ON messages.number BETWEEN message_ranges.first_number AND message_ranges.last_number
UNION ALL
SELECT
    coalesce(
        (SELECT message_id FROM message_names WHERE message_names.number = deliveries.number),
        printf('1-%08x-%s%012x', message_ranges.created_at / 1000, file.message_tag, deliveries.number)),
    jobs.job_id,
    messages.recipient,
    deliveries.channel,
    deliveries.provider,
    deliveries.address,
    deliveries.status,
    deliveries.reason,
    deliveries.subject,
    deliveries.body,
    deliveries.content,
    message_ranges.created_at
FROM file
JOIN jobs
JOIN message_ranges ON message_ranges.job = jobs.job
JOIN deliveries ON deliveries.number BETWEEN message_ranges.first_number AND message_ranges.last_number
JOIN messages USING (number);
