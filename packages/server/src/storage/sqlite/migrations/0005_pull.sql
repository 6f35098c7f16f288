-- Bots that fetch what they are to hear instead of being called: who does so now, and what has been handed out to whom.
-- breaking: yes

CREATE TABLE consumers (
  app_id TEXT NOT NULL,
  bot_uid TEXT NOT NULL,
  consumer TEXT NOT NULL,
  until_ms INTEGER NOT NULL,
  last_offset INTEGER NOT NULL,
  PRIMARY KEY (app_id, bot_uid)
) STRICT;

ALTER TABLE deliveries ADD COLUMN pulled_by TEXT;
-- Given when it is handed out, per bot in ascending order; what is acknowledged has none any more.
ALTER TABLE deliveries ADD COLUMN pull_offset INTEGER;
CREATE INDEX deliveries_pulled ON deliveries (app_id, bot_uid, pull_offset) WHERE pull_offset IS NOT NULL;
