-- Webhooks of apps are called as bots are: their callbacks stand in the same table, under a key that no uid can be.
-- A program that knows only bots would take them for bots.
-- breaking: yes

ALTER TABLE bots ADD COLUMN kind TEXT NOT NULL DEFAULT 'bot';
ALTER TABLE bots ADD COLUMN name TEXT;
-- JSON: what a webhook hears.
ALTER TABLE bots ADD COLUMN triggers TEXT;
ALTER TABLE bots ADD COLUMN retry_on_failure INTEGER NOT NULL DEFAULT 1;
