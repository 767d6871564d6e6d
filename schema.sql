-- The file of a bulkd daemon, version 10 (PRAGMA user_version; PRAGMA application_id is 'blkd').
--
-- Open it with the sqlite3 shell whenever you like: `SELECT * FROM outbox` shows every message that would have gone
-- out. Instants end in _at and are milliseconds since 1970, UTC. Ids that people see end in _id; the bare nouns (job,
-- environment) are this file's own row numbers.
--
-- A column that holds one of a few words has a CHECK, written as an OR chain: for IN ('a', 'b') SQLite fills a table
-- with the words in every statement that inserts, for OR it only compares. The large tables messages and deliveries
-- have none, so that a new word does not lead to a migration; `bulkd check` names a row of theirs that has an unknown
-- one.
--
-- Users and messages are only ever appended, each under the next number of its table, and never rewritten but for
-- messages that waited for their time. Which job a number belongs to is told by a range, so that neither table needs an
-- index of its own.
--
-- A job that is dropped, by --keep, by --keep-messages or with its environment by a reset, is marked first, and nothing
-- of it is found from then on. Its rows are removed piece by piece, and its own row as the last. No number is given
-- twice: `file` has the highest of those that are gone.
--
-- A list or webhook that is out of use is set aside: it moves to an environment that no key opens, with 'set aside' for a
-- key_hash, under the id 'set aside <row>'. Its rows are removed in the same way. A large list that is to replace another
-- is made there, too, and moves to its place when it is complete.

-- What is true of the file as a whole: one row.
CREATE TABLE file (
    file        INTEGER PRIMARY KEY CHECK (file = 1),
    message_tag TEXT    NOT NULL,  -- 12 hex digits: the middle of every message id, different in every file
    created_at  INTEGER NOT NULL,
    -- The highest numbers that were dropped.
    dropped_job         INTEGER NOT NULL DEFAULT 0,
    dropped_user        INTEGER NOT NULL DEFAULT 0,
    dropped_message     INTEGER NOT NULL DEFAULT 0,
    dropped_event       INTEGER NOT NULL DEFAULT 0,
    dropped_environment INTEGER NOT NULL DEFAULT 0,
    -- When the newest of the jobs and messages was made that retention has dropped, and by which flags. NULL: none was.
    dropped_until       INTEGER,
    dropped_by          TEXT,
    -- 1 while a daemon serves the file, and until it was closed cleanly: it is not whole without its log then. A copy that
    -- was made by other means than `bulkd backup` has it, too.
    serving             INTEGER NOT NULL DEFAULT 0
) STRICT;

-- One bearer key, one environment. Keys themselves are not kept.
CREATE TABLE environments (
    environment INTEGER PRIMARY KEY,
    -- SHA-256 of the key; finds the environment of a request. 'retired <n>' after a reset, and
    -- the row goes when all that belongs to it is gone.
    key_hash    BLOB    NOT NULL UNIQUE,
    label       TEXT    NOT NULL,         -- how logs call it
    created_at  INTEGER NOT NULL
) STRICT;

-- Jobs with their counters: bulk jobs, and every /send, which is a job that is run when it is made. The users
-- before the place `drained` (counted from 0) have been turned into messages or failures, the rest have not: the status
-- of a user follows from its place, and a restart goes on from here.
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
    dropped_at   INTEGER,                     -- since when it is being dropped; its job_id is 'dropped <job>' by then
    UNIQUE (job_id, environment),             -- finds the job of a request
    CHECK (drained <= received)
) STRICT;

-- The jobs that the runner has to work on.
CREATE INDEX jobs_processing ON jobs (job) WHERE status = 'PROCESSING';

-- The jobs that are being dropped.
CREATE INDEX jobs_dropped ON jobs (job) WHERE dropped_at IS NOT NULL;

-- The jobs of an environment that was reset.
CREATE INDEX jobs_of_environment ON jobs (environment);

-- Whether a version is still needed. Jobs without one cost nothing.
CREATE INDEX jobs_of_template_version ON jobs (template_version) WHERE template_version IS NOT NULL;
CREATE INDEX jobs_of_brand_version ON jobs (brand_version) WHERE brand_version IS NOT NULL;

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

-- Every message, in the order of commit, with what went out first or, if nothing did, the reason. People read it
-- through the view outbox. A row is written once, unless its message waits (status DELAYED): when that is sent or
-- refused, all but number and recipient is written anew, and when it is canceled, the status.
--
-- status is SENT, DELIVERED, OPENED, CLICKED, SIMULATED, DELAYED, CANCELED, FILTERED, UNMAPPED, UNROUTABLE or
-- UNDELIVERABLE; reason is NULL or BOUNCED, FAILED, FILTERED, NO_CHANNELS, NO_PROVIDERS, OPT_IN_REQUIRED,
-- PROVIDER_ERROR, UNPUBLISHED or UNSUBSCRIBED; channel is NULL (nothing went out) or email, sms, push, inbox,
-- direct_message or webhook; provider is NULL where channel is, else the service that would have carried it: sendgrid,
-- twilio, ...
CREATE TABLE messages (
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
    content   TEXT,                -- beyond the plain text: an e-mail's HTML without its frame, or a channel's own JSON
    profile_version INTEGER REFERENCES profile_versions  -- the stored profile that it was made with
) STRICT;

-- Whether a version is still needed. A message that was made without a stored profile costs nothing.
CREATE INDEX messages_of_profile_version ON messages (profile_version) WHERE profile_version IS NOT NULL;

-- What went out besides, or was refused before: the further channels of one message. Its words are those of messages.
CREATE TABLE deliveries (
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
) STRICT, WITHOUT ROWID;

-- What happened to messages after they were made, in the order in which it happened. The rest of a message's history
-- follows from its row.
CREATE TABLE message_events (
    event      INTEGER PRIMARY KEY,
    number     INTEGER NOT NULL REFERENCES messages,
    status     TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- What happened to one message.
CREATE INDEX message_events_of_message ON message_events (number, event);

-- Messages that wait for their time.
CREATE TABLE delayed (
    number INTEGER PRIMARY KEY REFERENCES messages,
    due_at INTEGER NOT NULL
) STRICT;

-- The next ones that are due.
CREATE INDEX delayed_by_due ON delayed (due_at, number);

-- How messages that went out come to their ends later, as a test has said.
CREATE TABLE endings (
    number   INTEGER NOT NULL REFERENCES messages,
    position INTEGER NOT NULL,     -- 0: what stands in messages, else that of deliveries
    due_at   INTEGER NOT NULL,
    status   TEXT    NOT NULL,
    reason   TEXT,
    PRIMARY KEY (number, position)
) STRICT, WITHOUT ROWID;

-- The next ones that are due.
CREATE INDEX endings_by_due ON endings (due_at, number, position);

-- Ids that a seed has given to messages, which otherwise carry their number.
CREATE TABLE message_names (
    environment INTEGER NOT NULL REFERENCES environments,
    message_id  TEXT    NOT NULL,
    number      INTEGER NOT NULL REFERENCES messages,
    PRIMARY KEY (environment, message_id)
) STRICT, WITHOUT ROWID;

-- The name of a message.
CREATE INDEX message_names_of_message ON message_names (number);

-- Messages first_number to last_number were made in one commit from the users of one job, one each, from first_seq on.
-- A user that failed leaves its number unused, so a message's number also tells its user.
CREATE TABLE message_ranges (
    first_number INTEGER PRIMARY KEY,
    last_number  INTEGER NOT NULL CHECK (last_number >= first_number),
    job          INTEGER NOT NULL REFERENCES jobs,
    environment  INTEGER NOT NULL REFERENCES environments,  -- the job's
    first_seq    INTEGER NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT;

-- The messages of an environment, from either end.
CREATE INDEX message_ranges_of_environment ON message_ranges (environment, first_number);

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
    request_hash BLOB,             -- SHA-256 of the request's body; NULL if version 4 of the file has answered it
    UNIQUE (environment, endpoint, key)  -- finds the answer to a repeated request
) STRICT;

-- The keys that have expired.
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

-- Templates, with what is being worked on. An archived one is kept for the messages that were made of it.
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

-- The template that an event is mapped to, and whether an alias is free.
CREATE UNIQUE INDEX templates_by_alias ON templates (environment, alias) WHERE alias IS NOT NULL AND archived_at IS NULL;

-- What was published of a template. Never rewritten.
CREATE TABLE template_versions (
    template_version INTEGER PRIMARY KEY,
    template         INTEGER NOT NULL REFERENCES templates,
    version          INTEGER NOT NULL,  -- from 1 on; shown as v001
    template_json    TEXT    NOT NULL,  -- as templates.draft was
    created_at       INTEGER NOT NULL,
    UNIQUE (template, version)          -- the newest is the one that is sent
) STRICT;

-- The results of checks on a template, as their submitter gave them.
CREATE TABLE template_checks (
    template      INTEGER NOT NULL REFERENCES templates,
    submission_id TEXT    NOT NULL,
    checks        TEXT    NOT NULL,  -- JSON array
    PRIMARY KEY (template, submission_id)
) STRICT, WITHOUT ROWID;

-- Brands, each with the version that messages get now.
CREATE TABLE brands (
    brand       INTEGER PRIMARY KEY,
    environment INTEGER NOT NULL REFERENCES environments,
    brand_id    TEXT    NOT NULL,
    brand_version INTEGER NOT NULL REFERENCES brand_versions,  -- the current one
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER,
    UNIQUE (environment, brand_id)  -- finds the brand of a request or a definition
) STRICT;

-- What a brand was at some time. Never rewritten: messages keep the look in which they went out.
CREATE TABLE brand_versions (
    brand_version INTEGER PRIMARY KEY,
    brand_json    TEXT    NOT NULL,  -- {id, name, settings?, snippets?}
    created_at    INTEGER NOT NULL,
    environment   INTEGER REFERENCES environments,
    replaced_at   INTEGER            -- since when it is not the current one
) STRICT;

-- The versions of an environment.
CREATE INDEX brand_versions_of_environment ON brand_versions (environment);

-- Users' stored profiles.
CREATE TABLE profiles (
    environment     INTEGER NOT NULL REFERENCES environments,
    user_id         TEXT    NOT NULL,
    profile_version INTEGER NOT NULL REFERENCES profile_versions,  -- the current one
    PRIMARY KEY (environment, user_id)
) STRICT, WITHOUT ROWID;

-- Whether a version is the current one.
CREATE UNIQUE INDEX profiles_of_version ON profiles (profile_version);

-- What a profile was at some time: a message's history shows the profile that it was made with. Rewritten only when the
-- user's profile is deleted: then nothing is left in any of its versions.
CREATE TABLE profile_versions (
    profile_version INTEGER PRIMARY KEY,
    profile         TEXT    NOT NULL,  -- JSON object; null once it was deleted
    created_at      INTEGER NOT NULL,
    environment     INTEGER REFERENCES environments,
    user_id         TEXT,              -- NULL once it was deleted
    replaced_at     INTEGER            -- since when it is not the current one
) STRICT;

-- The versions of a user, and those of an environment.
CREATE INDEX profile_versions_of_user ON profile_versions (environment, user_id);

-- Profiles that were deleted and had more versions than one commit overwrites: those up to this one are yet to be.
CREATE TABLE deleted_profiles (
    environment     INTEGER NOT NULL REFERENCES environments,
    user_id         TEXT    NOT NULL,
    profile_version INTEGER NOT NULL,
    PRIMARY KEY (environment, user_id)
) STRICT, WITHOUT ROWID;

-- Lists of users.
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

-- Subscriptions: the users of lists.
CREATE TABLE subscriptions (
    list        INTEGER NOT NULL REFERENCES lists,
    user_id     TEXT    NOT NULL,
    preferences TEXT,               -- JSON object
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (list, user_id)
) STRICT, WITHOUT ROWID;

-- The lists of a user.
CREATE INDEX subscriptions_by_user ON subscriptions (user_id, list);

-- Subscription topics. One that is not here has its id for a name and is OPTED_IN by default.
CREATE TABLE topics (
    environment    INTEGER NOT NULL REFERENCES environments,
    topic_id       TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    default_status TEXT    NOT NULL
                   CHECK (default_status = 'OPTED_IN' OR default_status = 'OPTED_OUT' OR default_status = 'REQUIRED'),
    PRIMARY KEY (environment, topic_id)
) STRICT, WITHOUT ROWID;

-- What users have chosen, by topic.
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

-- Push tokens of users.
CREATE TABLE user_tokens (
    environment  INTEGER NOT NULL REFERENCES environments,
    user_id      TEXT    NOT NULL,
    token        TEXT    NOT NULL,
    provider_key TEXT    NOT NULL
                 CHECK (provider_key = 'firebase-fcm' OR provider_key = 'apn' OR provider_key = 'expo' OR
                        provider_key = 'onesignal'),
    token_json   TEXT    NOT NULL,  -- {device, expiry_date, properties, tracking, status, status_reason}
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (environment, user_id, token)
) STRICT, WITHOUT ROWID;

-- Where events are posted to. Its position in messages and in message_events moves in the same commit in which what is
-- up to there enters its queue. No number is given twice, in either table: a thread that still works for a webhook that
-- was removed finds nothing under it, and nothing of another's. SQLite keeps the last ones in sqlite_sequence.
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

-- Each webhook's queue: events that have yet to be delivered (PENDING), and the newest that were given up (FAILED), a
-- bounded number of either. What was delivered is deleted.
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

-- The events of a webhook, those of one message in their order.
CREATE INDEX webhook_events_of_webhook ON webhook_events (webhook, status, number, webhook_event);

-- The channels that are delivered for real, and those that once were. A position in messages and in message_events moves in
-- the same commit in which what is up to there enters the queue. It is the channel's, whatever its route.
CREATE TABLE delivery_channels (
    channel TEXT    PRIMARY KEY,
    number  INTEGER NOT NULL,  -- messages up to this one have been queued, if they concern it,
    event   INTEGER NOT NULL,  -- and of message_events up to this one
    route   TEXT               -- by which this start delivers it; NULL: by none
) STRICT, WITHOUT ROWID;

-- Copies of messages that a restore or a fork of a snapshot made: they are not delivered. There is a row only if a channel
-- was ever delivered, and until all have come past it.
CREATE TABLE delivery_copies (
    last_number  INTEGER PRIMARY KEY,
    first_number INTEGER NOT NULL,
    last_event   INTEGER NOT NULL  -- message_events up to this one were copied with them; what comes later is their own
) STRICT;

-- By which ways channels are delivered: 'relay' for those of --relay, and one for each channel of --deliver, with its name.
CREATE TABLE delivery_routes (
    route         TEXT    PRIMARY KEY,
    in_use        INTEGER NOT NULL,  -- 0 or 1: whether this start has it
    delivered     INTEGER NOT NULL DEFAULT 0,  -- that its target took, since it was first used
    refused       INTEGER NOT NULL DEFAULT 0,  -- that were given up
    paused_at     INTEGER,  -- since when nothing is sent; NULL: it is
    paused_reason TEXT
) STRICT, WITHOUT ROWID;

-- What has yet to be delivered, in the order of commit: entries of a message that went out. No number is given twice, so
-- that who has taken one knows all that come later. What was delivered or given up is deleted.
CREATE TABLE delivery_queue (
    entry    INTEGER PRIMARY KEY AUTOINCREMENT,
    number   INTEGER NOT NULL REFERENCES messages,
    position INTEGER NOT NULL,  -- 0: what stands in messages, else that of deliveries
    channel  TEXT    NOT NULL,  -- of delivery_channels
    route    TEXT    NOT NULL,  -- of delivery_routes: where it waits, also when its channel has another one by now
    attempts INTEGER NOT NULL DEFAULT 0,  -- that failed
    due_at   INTEGER NOT NULL,  -- when to attempt it next, at the earliest
    error    TEXT              -- why the last one did
) STRICT;

-- The next entries of a route.
CREATE INDEX delivery_queue_of_route ON delivery_queue (route, entry, due_at);

-- The entries of a message.
CREATE INDEX delivery_queue_of_message ON delivery_queue (number);

-- The outbox, as people and tests read it. A message id is '1-<8 hex: seconds>-<12 hex: the file><12 hex: the number>',
-- unless a seed has given it another. A message that went out on several channels has several rows; one that did not go
-- out has a row that says why. Jobs that are being dropped are not in it.
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
JOIN jobs ON jobs.dropped_at IS NULL
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
JOIN jobs ON jobs.dropped_at IS NULL
JOIN message_ranges ON message_ranges.job = jobs.job
JOIN deliveries ON deliveries.number BETWEEN message_ranges.first_number AND message_ranges.last_number
JOIN messages USING (number);
