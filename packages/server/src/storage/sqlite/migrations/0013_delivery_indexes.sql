-- What a bot was handed out and has not acknowledged is found whichever consumer got it: going back to push counts its
-- attempts anew. What is over leaves the index by itself. The deliveries of an app are listed without a look at those of
-- others.
-- breaking: no

DROP INDEX deliveries_pulled;
CREATE INDEX deliveries_pulled ON deliveries (app_id, bot_uid, pull_offset) WHERE pulled_by IS NOT NULL AND state = 'pending';
CREATE INDEX deliveries_by_app ON deliveries (app_id, id);
