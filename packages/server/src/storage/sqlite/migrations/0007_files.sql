-- Which files belong to which messages, and when a file that belongs to none goes; uploads that were announced.
-- breaking: no

-- Unix seconds. Null while a message has the file.
ALTER TABLE files ADD COLUMN expires_at INTEGER;
-- What whoever uploads an announced file must show; null once it is there.
ALTER TABLE files ADD COLUMN upload_token TEXT;
CREATE INDEX files_expiring ON files (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE message_files (
  message_id INTEGER NOT NULL,
  file_id TEXT NOT NULL,
  PRIMARY KEY (message_id, file_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_files_by_file ON message_files (file_id);
