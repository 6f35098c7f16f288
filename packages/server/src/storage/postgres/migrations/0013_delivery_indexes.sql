-- What a bot was handed out and has not acknowledged is found whichever consumer got it: going back to push counts its
-- attempts anew. What is over leaves the index by itself.
-- breaking: no

DROP INDEX deliveries_pulled;
CREATE INDEX deliveries_pulled ON deliveries (app_id, bot_uid, pull_offset) WHERE pulled_by IS NOT NULL AND state = 'pending';
