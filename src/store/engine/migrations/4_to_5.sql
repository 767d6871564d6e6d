-- From version 4 to version 5. Frozen: it has run on people's files.
--
-- A repeated request is told from another one under the same idempotency key. What the older ones were is not known.
ALTER TABLE idempotency_keys ADD COLUMN request_hash BLOB;

-- What is dropped leaves its highest numbers behind, so that none is given twice.
ALTER TABLE file ADD COLUMN dropped_job INTEGER NOT NULL DEFAULT 0;
ALTER TABLE file ADD COLUMN dropped_user INTEGER NOT NULL DEFAULT 0;
ALTER TABLE file ADD COLUMN dropped_message INTEGER NOT NULL DEFAULT 0;
ALTER TABLE file ADD COLUMN dropped_event INTEGER NOT NULL DEFAULT 0;
ALTER TABLE file ADD COLUMN dropped_environment INTEGER NOT NULL DEFAULT 0;
ALTER TABLE file ADD COLUMN dropped_until INTEGER;
ALTER TABLE file ADD COLUMN dropped_by TEXT;

ALTER TABLE jobs ADD COLUMN dropped_at INTEGER;
CREATE INDEX jobs_dropped ON jobs (job) WHERE dropped_at IS NOT NULL;
CREATE INDEX jobs_of_environment ON jobs (environment);
CREATE INDEX jobs_of_template_version ON jobs (template_version) WHERE template_version IS NOT NULL;
CREATE INDEX jobs_of_brand_version ON jobs (brand_version) WHERE brand_version IS NOT NULL;
CREATE INDEX messages_of_profile_version ON messages (profile_version) WHERE profile_version IS NOT NULL;

-- Whose a version is: known of the current ones, else from what was made with it. What nothing refers to goes.
ALTER TABLE brand_versions ADD COLUMN environment INTEGER REFERENCES environments;
ALTER TABLE brand_versions ADD COLUMN replaced_at INTEGER;
CREATE INDEX brand_versions_of_environment ON brand_versions (environment);
UPDATE brand_versions SET environment = (
    SELECT environment FROM brands WHERE brands.brand_version = brand_versions.brand_version);
UPDATE brand_versions SET replaced_at = created_at, environment = (
    SELECT environment FROM jobs WHERE jobs.brand_version = brand_versions.brand_version LIMIT 1)
WHERE environment IS NULL;
DELETE FROM brand_versions WHERE environment IS NULL;

CREATE UNIQUE INDEX profiles_of_version ON profiles (profile_version);
ALTER TABLE profile_versions ADD COLUMN environment INTEGER REFERENCES environments;
ALTER TABLE profile_versions ADD COLUMN user_id TEXT;
ALTER TABLE profile_versions ADD COLUMN replaced_at INTEGER;
CREATE INDEX profile_versions_of_user ON profile_versions (environment, user_id);
UPDATE profile_versions SET (environment, user_id) = (
    SELECT environment, user_id FROM profiles WHERE profiles.profile_version = profile_versions.profile_version);
UPDATE profile_versions SET replaced_at = created_at, (environment, user_id) = (
    SELECT (SELECT environment FROM message_ranges WHERE first_number <= number ORDER BY first_number DESC LIMIT 1),
        recipient
    FROM messages WHERE messages.profile_version = profile_versions.profile_version LIMIT 1)
WHERE environment IS NULL;
DELETE FROM profile_versions WHERE environment IS NULL;
-- The profiles of users who have none any more were deleted.
UPDATE profile_versions SET profile = 'null', user_id = NULL WHERE NOT EXISTS (
    SELECT 1 FROM profiles
    WHERE profiles.environment = profile_versions.environment AND profiles.user_id = profile_versions.user_id);

-- Profiles that were deleted and had more versions than one commit overwrites: those up to this one are yet to be.
CREATE TABLE deleted_profiles (
    environment     INTEGER NOT NULL REFERENCES environments,
    user_id         TEXT    NOT NULL,
    profile_version INTEGER NOT NULL,
    PRIMARY KEY (environment, user_id)
) STRICT, WITHOUT ROWID;

-- The view leaves out what is being dropped.
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
