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
