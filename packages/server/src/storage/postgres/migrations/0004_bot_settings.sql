-- What the owner of a bot sets beyond the contract; the circuit breaker of a bot, which all nodes share; how many bots
-- have spoken in turn before a delivery, so that two of them do not go on for ever.
-- breaking: no

-- JSON.
ALTER TABLE bots ADD COLUMN settings TEXT;
-- Null: closed. Until then nothing is sent; after that one node at a time probes.
ALTER TABLE bots ADD COLUMN breaker_until_ms BIGINT;
ALTER TABLE bots ADD COLUMN breaker_opened_at_ms BIGINT;
ALTER TABLE bots ADD COLUMN breaker_failed_probes BIGINT NOT NULL DEFAULT 0;

-- Of the last delivery.
ALTER TABLE lanes ADD COLUMN hop BIGINT NOT NULL DEFAULT 0;
ALTER TABLE lanes ADD COLUMN entered_at_ms BIGINT NOT NULL DEFAULT 0;

ALTER TABLE deliveries ADD COLUMN hop BIGINT NOT NULL DEFAULT 0;
-- Why it was cancelled, where nobody did.
ALTER TABLE deliveries ADD COLUMN reason TEXT;
