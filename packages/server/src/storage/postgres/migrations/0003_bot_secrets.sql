-- The secret before a rotation, which signs too for a while; which master keys have sealed secrets in this store.
-- A program that knows nothing of sealed secrets would sign with their ciphertext.
-- breaking: yes

ALTER TABLE bots ADD COLUMN previous_secret TEXT;
ALTER TABLE bots ADD COLUMN previous_secret_expires_at BIGINT;

CREATE TABLE master_keys (
  id TEXT COLLATE "C" PRIMARY KEY,
  check_value TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
