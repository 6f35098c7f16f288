-- How calls stand, and who is in them: what happened stands in the messages that tell of it.
-- breaking: no

CREATE TABLE calls (
  app_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  type TEXT NOT NULL,
  initiator TEXT NOT NULL,
  receiver_type TEXT NOT NULL,
  receiver TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  status TEXT NOT NULL,
  -- JSON: the entities as they were when it was initiated, and its metadata.
  data TEXT NOT NULL,
  initiated_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  PRIMARY KEY (app_id, session_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX calls_by_conversation ON calls (app_id, conversation_id);

CREATE TABLE call_participants (
  app_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  uid TEXT NOT NULL,
  joined_at INTEGER NOT NULL,
  left_at INTEGER,
  PRIMARY KEY (app_id, session_id, uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX call_participants_by_user ON call_participants (app_id, uid);
