-- From version 9 to version 10. Frozen: it has run on people's files.
--
-- Copies of messages that snapshots make are remembered for the channels that have yet to come past them.

CREATE TABLE delivery_copies (
    last_number  INTEGER PRIMARY KEY,
    first_number INTEGER NOT NULL,
    last_event   INTEGER NOT NULL
) STRICT;
