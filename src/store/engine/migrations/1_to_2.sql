-- From version 1, which knew jobs and their messages, to version 2. Frozen: it has run on people's files.

-- The tables of version 1 step aside; their indexes and the view are made anew.
DROP VIEW outbox;
DROP INDEX jobs_processing;
DROP INDEX user_ranges_of_job;
DROP INDEX message_ranges_of_job;
DROP INDEX idempotency_keys_by_expiry;
PRAGMA legacy_alter_table = ON;
ALTER TABLE file RENAME TO old_file;
ALTER TABLE environments RENAME TO old_environments;
ALTER TABLE jobs RENAME TO old_jobs;
ALTER TABLE definitions RENAME TO old_definitions;
ALTER TABLE users RENAME TO old_users;
ALTER TABLE user_ranges RENAME TO old_user_ranges;
ALTER TABLE messages RENAME TO old_messages;
ALTER TABLE message_ranges RENAME TO old_message_ranges;
ALTER TABLE failures RENAME TO old_failures;
ALTER TABLE idempotency_keys RENAME TO old_idempotency_keys;
PRAGMA legacy_alter_table = OFF;

-- The tables of version 2.
CREATE TABLE file (
    file        INTEGER PRIMARY KEY CHECK (file = 1),
    message_tag TEXT    NOT NULL,  -- 12 hex digits: the middle of every message id, different in every file
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE environments (
    environment INTEGER PRIMARY KEY,
    key_hash    BLOB    NOT NULL UNIQUE,  -- SHA-256 of the key; finds the environment of a request. 'retired <n>' after a reset
    label       TEXT    NOT NULL,         -- how logs call it
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE jobs (
    job          INTEGER PRIMARY KEY,
    job_id       TEXT    NOT NULL,         -- '1-<8 hex: seconds>-<24 hex>'; of a send, its request id
    environment  INTEGER NOT NULL REFERENCES environments,
    kind         TEXT    NOT NULL DEFAULT 'BULK' CHECK (kind = 'BULK' OR kind = 'SEND'),
    status       TEXT    NOT NULL DEFAULT 'CREATED'
                 CHECK (status = 'CREATED' OR status = 'PROCESSING' OR status = 'COMPLETED' OR status = 'ERROR'),
    received     INTEGER NOT NULL DEFAULT 0,  -- users ingested
    enqueued     INTEGER NOT NULL DEFAULT 0,  -- users whose message is in the outbox
    failures     INTEGER NOT NULL DEFAULT 0,  -- users whose message could not be made
    drained      INTEGER NOT NULL GENERATED ALWAYS AS (enqueued + failures) VIRTUAL,
    error        TEXT,                        -- why the job as a whole cannot go on, with status ERROR
    created_at   INTEGER NOT NULL,
    run_at       INTEGER,                     -- this and the next for those who read the file
    completed_at INTEGER,
    -- What the run found stored under the definition's template and brand. NULL before it, and where it found nothing.
    template_version INTEGER REFERENCES template_versions,
    brand_version    INTEGER REFERENCES brand_versions,
    archived_at  INTEGER,                     -- when its messages were archived
    UNIQUE (job_id, environment),             -- finds the job of a request
    CHECK (drained <= received)
) STRICT;

CREATE INDEX jobs_processing ON jobs (job) WHERE status = 'PROCESSING';

CREATE TABLE definitions (
    job        INTEGER PRIMARY KEY REFERENCES jobs,
    definition TEXT    NOT NULL  -- JSON
) STRICT;

CREATE TABLE users (
    number    INTEGER PRIMARY KEY,
    recipient TEXT    NOT NULL,
    user      TEXT    NOT NULL  -- JSON, as it was sent
) STRICT;

CREATE TABLE user_ranges (
    first_number INTEGER PRIMARY KEY,
    last_number  INTEGER NOT NULL CHECK (last_number >= first_number),
    job          INTEGER NOT NULL REFERENCES jobs,
    first_seq    INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX user_ranges_of_job ON user_ranges (job, first_seq);

CREATE TABLE messages (
    number    INTEGER PRIMARY KEY,
    recipient TEXT    NOT NULL,
    status    TEXT    NOT NULL CHECK (
        status = 'SENT' OR status = 'DELIVERED' OR status = 'OPENED' OR status = 'CLICKED' OR status = 'SIMULATED' OR
        status = 'DELAYED' OR status = 'CANCELED' OR status = 'FILTERED' OR status = 'UNMAPPED' OR
        status = 'UNROUTABLE' OR status = 'UNDELIVERABLE'),
    reason    TEXT CHECK (
        reason = 'BOUNCED' OR reason = 'FAILED' OR reason = 'FILTERED' OR reason = 'NO_CHANNELS' OR
        reason = 'NO_PROVIDERS' OR reason = 'OPT_IN_REQUIRED' OR reason = 'PROVIDER_ERROR' OR
        reason = 'UNPUBLISHED' OR reason = 'UNSUBSCRIBED'),
    error     TEXT,
    channel   TEXT CHECK (
        channel = 'email' OR channel = 'sms' OR channel = 'push' OR channel = 'inbox' OR
        channel = 'direct_message' OR channel = 'webhook'),  -- NULL: nothing went out
    provider  TEXT,                -- who would have carried it: 'sendgrid', 'twilio', ...
    address   TEXT,                -- e-mail address, phone number, push token, Slack channel, URL; for the inbox the recipient
    subject   TEXT,
    body      TEXT,                -- as plain text
    content   TEXT,                -- beyond the plain text: an e-mail's HTML without its frame, or a channel's own JSON
    profile_version INTEGER REFERENCES profile_versions  -- the stored profile that it was made with
) STRICT;

CREATE TABLE deliveries (
    number   INTEGER NOT NULL REFERENCES messages,
    position INTEGER NOT NULL,     -- below 0 before the one in messages, above 0 after it
    status   TEXT    NOT NULL CHECK (status = 'SENT' OR status = 'DELIVERED' OR status = 'UNDELIVERABLE'),
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

CREATE TABLE message_events (
    event      INTEGER PRIMARY KEY,
    number     INTEGER NOT NULL REFERENCES messages,
    status     TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX message_events_of_message ON message_events (number, event);

CREATE TABLE delayed (
    number INTEGER PRIMARY KEY REFERENCES messages,
    due_at INTEGER NOT NULL
) STRICT;

CREATE INDEX delayed_by_due ON delayed (due_at, number);

CREATE TABLE message_names (
    environment INTEGER NOT NULL REFERENCES environments,
    message_id  TEXT    NOT NULL,
    number      INTEGER NOT NULL REFERENCES messages,
    PRIMARY KEY (environment, message_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX message_names_of_message ON message_names (number);

CREATE TABLE message_ranges (
    first_number INTEGER PRIMARY KEY,
    last_number  INTEGER NOT NULL CHECK (last_number >= first_number),
    job          INTEGER NOT NULL REFERENCES jobs,
    environment  INTEGER NOT NULL REFERENCES environments,  -- the job's
    first_seq    INTEGER NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT;

CREATE INDEX message_ranges_of_environment ON message_ranges (environment, first_number);

CREATE UNIQUE INDEX message_ranges_of_job ON message_ranges (job, first_seq);

CREATE TABLE failures (
    job    INTEGER NOT NULL REFERENCES jobs,
    seq    INTEGER NOT NULL,
    reason TEXT    NOT NULL,
    PRIMARY KEY (job, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    id          INTEGER PRIMARY KEY,
    environment INTEGER NOT NULL REFERENCES environments,
    endpoint    TEXT    NOT NULL,  -- method and path
    key         TEXT    NOT NULL,
    status      INTEGER NOT NULL,  -- HTTP status of the answer
    body        TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    UNIQUE (environment, endpoint, key)  -- finds the answer to a repeated request
) STRICT;

CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

CREATE TABLE templates (
    template    INTEGER PRIMARY KEY,
    environment INTEGER NOT NULL REFERENCES environments,
    template_id TEXT    NOT NULL,
    alias       TEXT,               -- the event that is mapped to it
    draft       TEXT    NOT NULL,   -- JSON: {name, brand, routing, subscription, tags, content, email?}
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER,
    archived_at INTEGER,
    UNIQUE (environment, template_id)  -- finds the template of a request or a definition
) STRICT;

CREATE UNIQUE INDEX templates_by_alias ON templates (environment, alias) WHERE alias IS NOT NULL AND archived_at IS NULL;

CREATE TABLE template_versions (
    template_version INTEGER PRIMARY KEY,
    template         INTEGER NOT NULL REFERENCES templates,
    version          INTEGER NOT NULL,  -- from 1 on; shown as v001
    template_json    TEXT    NOT NULL,  -- as templates.draft was
    created_at       INTEGER NOT NULL,
    UNIQUE (template, version)          -- the newest is the one that is sent
) STRICT;

CREATE TABLE template_checks (
    template      INTEGER NOT NULL REFERENCES templates,
    submission_id TEXT    NOT NULL,
    checks        TEXT    NOT NULL,  -- JSON array
    PRIMARY KEY (template, submission_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE brands (
    brand       INTEGER PRIMARY KEY,
    environment INTEGER NOT NULL REFERENCES environments,
    brand_id    TEXT    NOT NULL,
    brand_version INTEGER NOT NULL REFERENCES brand_versions,  -- the current one
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER,
    UNIQUE (environment, brand_id)  -- finds the brand of a request or a definition
) STRICT;

CREATE TABLE brand_versions (
    brand_version INTEGER PRIMARY KEY,
    brand_json    TEXT    NOT NULL,  -- {id, name, settings?, snippets?}
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE profiles (
    environment     INTEGER NOT NULL REFERENCES environments,
    user_id         TEXT    NOT NULL,
    profile_version INTEGER NOT NULL REFERENCES profile_versions,  -- the current one
    PRIMARY KEY (environment, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE profile_versions (
    profile_version INTEGER PRIMARY KEY,
    profile         TEXT    NOT NULL,  -- JSON object
    created_at      INTEGER NOT NULL
) STRICT;

CREATE TABLE lists (
    list        INTEGER PRIMARY KEY,
    environment INTEGER NOT NULL REFERENCES environments,
    list_id     TEXT    NOT NULL,   -- up to four parts, with dots between them
    name        TEXT    NOT NULL,
    preferences TEXT,               -- JSON object
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    deleted_at  INTEGER,            -- deleted lists can be restored
    UNIQUE (environment, list_id)   -- finds a list, and pages through all of them
) STRICT;

CREATE TABLE subscriptions (
    list        INTEGER NOT NULL REFERENCES lists,
    user_id     TEXT    NOT NULL,
    preferences TEXT,               -- JSON object
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (list, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX subscriptions_by_user ON subscriptions (user_id, list);

CREATE TABLE topics (
    environment    INTEGER NOT NULL REFERENCES environments,
    topic_id       TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    default_status TEXT    NOT NULL
                   CHECK (default_status = 'OPTED_IN' OR default_status = 'OPTED_OUT' OR default_status = 'REQUIRED'),
    PRIMARY KEY (environment, topic_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE user_preferences (
    environment        INTEGER NOT NULL REFERENCES environments,
    user_id            TEXT    NOT NULL,
    tenant_id          TEXT    NOT NULL,  -- '' outside of any tenant
    topic_id           TEXT    NOT NULL,
    status             TEXT    NOT NULL
                       CHECK (status = 'OPTED_IN' OR status = 'OPTED_OUT' OR status = 'REQUIRED'),
    has_custom_routing INTEGER NOT NULL,  -- 0 or 1
    custom_routing     TEXT    NOT NULL,  -- JSON array of channels
    updated_at         INTEGER NOT NULL,
    PRIMARY KEY (environment, user_id, tenant_id, topic_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE user_tokens (
    environment  INTEGER NOT NULL REFERENCES environments,
    user_id      TEXT    NOT NULL,
    token        TEXT    NOT NULL,
    provider_key TEXT    NOT NULL
                 CHECK (provider_key = 'firebase-fcm' OR provider_key = 'apn' OR provider_key = 'expo' OR provider_key = 'onesignal'),
    token_json   TEXT    NOT NULL,  -- {device, expiry_date, properties, tracking, status, status_reason}
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (environment, user_id, token)
) STRICT, WITHOUT ROWID;

CREATE TABLE webhooks (
    webhook      INTEGER PRIMARY KEY AUTOINCREMENT,
    environment  INTEGER REFERENCES environments,  -- NULL: of all environments, given by flag
    webhook_id   TEXT    NOT NULL UNIQUE,
    url          TEXT    NOT NULL,
    secret       TEXT,              -- NULL: nothing is signed
    created_at   INTEGER NOT NULL,
    last_number  INTEGER NOT NULL,  -- messages up to this one have been queued, if they concern it,
    last_event   INTEGER NOT NULL,  -- and of message_events up to this one
    last_delivered_at INTEGER,
    last_error   TEXT,              -- why the last attempt that failed did
    last_failed_at    INTEGER
) STRICT;

CREATE TABLE webhook_events (
    webhook_event INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook     INTEGER NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    number      INTEGER NOT NULL,   -- the message
    event_id    TEXT    NOT NULL,   -- the same at every attempt, even if it is queued anew
    body        TEXT    NOT NULL,   -- what is posted
    status      TEXT    NOT NULL CHECK (status = 'PENDING' OR status = 'FAILED'),
    attempts    INTEGER NOT NULL,   -- that failed
    next_at     INTEGER NOT NULL,   -- when to attempt it next, at the earliest
    last_error  TEXT,               -- why the last one did
    created_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX webhook_events_of_webhook ON webhook_events (webhook, status, number, webhook_event);

CREATE VIEW outbox AS
SELECT
    printf('1-%08x-%s%012x', message_ranges.created_at / 1000, file.message_tag, messages.number) AS message_id,
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
    printf('1-%08x-%s%012x', message_ranges.created_at / 1000, file.message_tag, deliveries.number),
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

-- The rows of version 1 move over. It had one provider a channel, which it did not write down.
INSERT INTO file (file, message_tag, created_at)
SELECT file, message_tag, created_at FROM old_file;
INSERT INTO environments (environment, key_hash, label, created_at)
SELECT environment, key_hash, label, created_at FROM old_environments;
INSERT INTO jobs (job, job_id, environment, status, received, enqueued, failures, error, created_at, run_at, completed_at)
SELECT job, job_id, environment, status, received, enqueued, failures, error, created_at, run_at, completed_at FROM old_jobs;
INSERT INTO definitions (job, definition)
SELECT job, definition FROM old_definitions;
INSERT INTO users (number, recipient, user)
SELECT number, recipient, user FROM old_users;
INSERT INTO user_ranges (first_number, last_number, job, first_seq)
SELECT first_number, last_number, job, first_seq FROM old_user_ranges;
INSERT INTO messages (number, recipient, channel, address, status, subject, body, provider)
SELECT number, recipient, channel, address, status, subject, body,
    CASE channel WHEN 'email' THEN 'sendgrid' WHEN 'sms' THEN 'twilio' WHEN 'push' THEN 'firebase-fcm' ELSE 'courier' END
FROM old_messages;
INSERT INTO message_ranges (first_number, last_number, job, environment, first_seq, created_at)
SELECT first_number, last_number, job, environment, first_seq, old_message_ranges.created_at
FROM old_message_ranges JOIN old_jobs USING (job);
INSERT INTO failures (job, seq, reason)
SELECT job, seq, reason FROM old_failures;
INSERT INTO idempotency_keys (id, environment, endpoint, key, status, body, created_at, expires_at)
SELECT id, environment, endpoint, key, status, body, created_at, expires_at FROM old_idempotency_keys;
DROP TABLE old_idempotency_keys;
DROP TABLE old_failures;
DROP TABLE old_message_ranges;
DROP TABLE old_messages;
DROP TABLE old_user_ranges;
DROP TABLE old_users;
DROP TABLE old_definitions;
DROP TABLE old_jobs;
DROP TABLE old_environments;
DROP TABLE old_file;
