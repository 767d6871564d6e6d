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
