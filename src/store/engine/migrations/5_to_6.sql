-- From version 5 to version 6. Frozen: it has run on people's files.
--
-- A file says whether a daemon serves it, or has not ended cleanly: it is not whole without its log then.
ALTER TABLE file ADD COLUMN serving INTEGER NOT NULL DEFAULT 0;
