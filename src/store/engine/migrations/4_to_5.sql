-- From version 4 to version 5. Frozen: it has run on people's files.
--
-- A repeated request is told from another one under the same idempotency key. What the older ones were is not known.
ALTER TABLE idempotency_keys ADD COLUMN request_hash BLOB;
