-- What is leased is asked once, at the start of the one process that owns an embedded store, and `lanes_due` answers it:
-- a lane that is leased is due when its lease lapses. An index of its own cost every callback two changes.
-- breaking: no

DROP INDEX lanes_leased;
