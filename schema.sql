-- The file of a bulkd daemon, version 1 (PRAGMA user_version; PRAGMA application_id is 'blkd').
--
-- Open it with the sqlite3 shell whenever you like: `SELECT * FROM outbox` shows every message that would have gone out.
-- Instants end in _at and are milliseconds since 1970, UTC. Ids that people see end in _id; the bare nouns (job, environment)
-- are this file's own row numbers.
--
-- Users and messages are only ever appended, each under the next number of its table, and never rewritten. Which job a
-- number belongs to is told by a range, so that neither table needs an index of its own.

-- What is true of the file as a whole: one row.
CREATE TABLE file (
    file        INTEGER PRIMARY KEY CHECK (file = 1),
    message_tag TEXT    NOT NULL,  -- 12 hex digits: the middle of every message id, different in every file
    created_at  INTEGER NOT NULL
) STRICT;

-- One bearer key, one environment. Keys themselves are not kept.
CREATE TABLE environments (
    environment INTEGER PRIMARY KEY,
    key_hash    BLOB    NOT NULL UNIQUE,  -- SHA-256 of the key; finds the environment of a request
    label       TEXT    NOT NULL,         -- how logs call it
    created_at  INTEGER NOT NULL
) STRICT;

-- Bulk jobs with their counters. Users 0 to drained - 1 have been turned into messages or failures, the rest have not:
-- the status of a user follows from its place, and a restart goes on from here.
CREATE TABLE jobs (
    job          INTEGER PRIMARY KEY,
    job_id       TEXT    NOT NULL UNIQUE,  -- '1-<8 hex: seconds>-<24 hex>'; finds the job of a request
    environment  INTEGER NOT NULL REFERENCES environments,
    status       TEXT    NOT NULL DEFAULT 'CREATED'
                 CHECK (status = 'CREATED' OR status = 'PROCESSING' OR status = 'COMPLETED' OR status = 'ERROR'),
    received     INTEGER NOT NULL DEFAULT 0,  -- users ingested
    enqueued     INTEGER NOT NULL DEFAULT 0,  -- users whose message is in the outbox
    failures     INTEGER NOT NULL DEFAULT 0,  -- users whose message could not be made
    drained      INTEGER NOT NULL GENERATED ALWAYS AS (enqueued + failures) VIRTUAL,
    error        TEXT,                        -- why the job as a whole cannot go on, with status ERROR
    created_at   INTEGER NOT NULL,
    run_at       INTEGER,
    completed_at INTEGER,
    CHECK (drained <= received)
) STRICT;

-- The jobs that the runner has to work on.
CREATE INDEX jobs_processing ON jobs (job) WHERE status = 'PROCESSING';

-- The `message` given when the job was created, as it was sent. Apart from the counters, which change all the time.
CREATE TABLE definitions (
    job        INTEGER PRIMARY KEY REFERENCES jobs,
    definition TEXT    NOT NULL  -- JSON
) STRICT;

-- The users of all jobs, in the order in which they came.
CREATE TABLE users (
    number    INTEGER PRIMARY KEY,
    recipient TEXT    NOT NULL,
    user      TEXT    NOT NULL  -- JSON, as it was sent
) STRICT;

-- Users first_number to last_number are those of one job, from its first_seq on (counted from 0, in ingest order).
CREATE TABLE user_ranges (
    first_number INTEGER PRIMARY KEY,
    last_number  INTEGER NOT NULL CHECK (last_number >= first_number),
    job          INTEGER NOT NULL REFERENCES jobs,
    first_seq    INTEGER NOT NULL
) STRICT;

-- The users of a job from a place on.
CREATE UNIQUE INDEX user_ranges_of_job ON user_ranges (job, first_seq);

-- Every message that would have gone out, in the order of commit. People read it through the view outbox.
CREATE TABLE messages (
    number    INTEGER PRIMARY KEY,
    recipient TEXT    NOT NULL,
    channel   TEXT    NOT NULL CHECK (channel = 'email' OR channel = 'sms' OR channel = 'push' OR channel = 'inbox'),
    address   TEXT    NOT NULL,  -- e-mail address, phone number, push token, or for the inbox the recipient
    status    TEXT    NOT NULL CHECK (status = 'SENT' OR status = 'UNMAPPED'),
    subject   TEXT,
    body      TEXT    NOT NULL
) STRICT;

-- Messages first_number to last_number were made in one commit from the users of one job, one each, from first_seq on.
-- A user that failed leaves its number unused, so a message's number also tells its user.
CREATE TABLE message_ranges (
    first_number INTEGER PRIMARY KEY,
    last_number  INTEGER NOT NULL CHECK (last_number >= first_number),
    job          INTEGER NOT NULL REFERENCES jobs,
    first_seq    INTEGER NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT;

-- The messages of a job from a place on.
CREATE UNIQUE INDEX message_ranges_of_job ON message_ranges (job, first_seq);

-- Users whose message could not be made, and why.
CREATE TABLE failures (
    job    INTEGER NOT NULL REFERENCES jobs,
    seq    INTEGER NOT NULL,
    reason TEXT    NOT NULL,
    PRIMARY KEY (job, seq)
) STRICT, WITHOUT ROWID;

-- The answers to requests that carried an Idempotency-Key, written in the same commit as their work.
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

-- The keys that have expired.
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

-- The outbox, as people and tests read it. A message id is '1-<8 hex: seconds>-<12 hex: the file><12 hex: the number>'.
CREATE VIEW outbox AS
SELECT
    printf('1-%08x-%s%012x', message_ranges.created_at / 1000, file.message_tag, messages.number) AS message_id,
    jobs.job_id,
    messages.recipient,
    messages.channel,
    messages.address,
    messages.status,
    messages.subject,
    messages.body,
    message_ranges.created_at
FROM file
JOIN jobs
JOIN message_ranges ON message_ranges.job = jobs.job
JOIN messages ON messages.number BETWEEN message_ranges.first_number AND message_ranges.last_number;
