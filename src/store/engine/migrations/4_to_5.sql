-- From version 4 to version 5. A placeholder.
SELECT 1;
