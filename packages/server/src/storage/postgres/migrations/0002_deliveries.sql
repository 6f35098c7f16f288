-- Deliveries are listed by bot and by message, newest first; what failed is found at once, what is over is swept.
-- A delivery says whose it is itself: an index over that and its id, which grows with time, is written at its end.
-- breaking: no

ALTER TABLE deliveries ADD COLUMN app_id TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE deliveries ADD COLUMN bot_uid TEXT COLLATE "C" NOT NULL DEFAULT '';
-- When it was last made due anew; its attempts are counted from there.
ALTER TABLE deliveries ADD COLUMN replayed_at_ms BIGINT;
-- The lease of its lane at that time: what began under it before decides nothing.
ALTER TABLE deliveries ADD COLUMN void_lease_id TEXT COLLATE "C";

UPDATE deliveries SET
  app_id = (SELECT lanes.app_id FROM lanes WHERE lanes.id = deliveries.lane_id),
  bot_uid = (SELECT lanes.bot_uid FROM lanes WHERE lanes.id = deliveries.lane_id);

CREATE INDEX deliveries_by_bot ON deliveries (app_id, bot_uid, id);
CREATE INDEX deliveries_by_message ON deliveries (message_id);
CREATE INDEX deliveries_failed ON deliveries (app_id, state, id) WHERE state IN ('dead', 'cancelled');
CREATE INDEX deliveries_finished ON deliveries (finished_at_ms) WHERE finished_at_ms IS NOT NULL;
