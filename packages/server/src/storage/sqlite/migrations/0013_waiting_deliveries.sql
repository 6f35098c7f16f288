-- What a bot was handed out and has not acknowledged is found whichever consumer got it: going back to push counts its
-- attempts anew. What is over leaves the index by itself. The deliveries of an app are listed without a look at those of
-- others. When a delivery is due that waits, for a retry or for somebody to act, is its own: what is replayed before it goes
-- first, and it waits on.
-- breaking: no

DROP INDEX deliveries_pulled;
CREATE INDEX deliveries_pulled ON deliveries (app_id, bot_uid, pull_offset) WHERE pulled_by IS NOT NULL AND state = 'pending';
CREATE INDEX deliveries_by_app ON deliveries (app_id, id);

ALTER TABLE deliveries ADD COLUMN due_at_ms INTEGER;
CREATE INDEX deliveries_waiting ON deliveries (app_id, bot_uid) WHERE due_at_ms IS NOT NULL AND state = 'pending';

UPDATE deliveries SET due_at_ms = (SELECT lanes.due_at_ms FROM lanes WHERE lanes.id = deliveries.lane_id)
WHERE id IN (
  SELECT (SELECT heads.id FROM deliveries heads
          WHERE heads.lane_id = lanes.id AND heads.state = 'pending' ORDER BY heads.sequence LIMIT 1)
  FROM lanes WHERE lanes.due_at_ms IS NOT NULL AND lanes.lease_id IS NULL
);
