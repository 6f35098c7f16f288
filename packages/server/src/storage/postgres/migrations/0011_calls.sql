-- How calls stand, and who is in them: what happened stands in the messages that tell of it.
-- breaking: no

CREATE TABLE calls (
  app_id TEXT COLLATE "C" NOT NULL,
  session_id TEXT COLLATE "C" NOT NULL,
  type TEXT NOT NULL,
  initiator TEXT COLLATE "C" NOT NULL,
  receiver_type TEXT NOT NULL,
  receiver TEXT COLLATE "C" NOT NULL,
  conversation_id TEXT COLLATE "C" NOT NULL,
  status TEXT NOT NULL,
  -- JSON: the entities as they were when it was initiated, and its metadata.
  data TEXT NOT NULL,
  initiated_at BIGINT NOT NULL,
  started_at BIGINT,
  ended_at BIGINT,
  PRIMARY KEY (app_id, session_id)
);
CREATE INDEX calls_by_conversation ON calls (app_id, conversation_id);

CREATE TABLE call_participants (
  app_id TEXT COLLATE "C" NOT NULL,
  session_id TEXT COLLATE "C" NOT NULL,
  uid TEXT COLLATE "C" NOT NULL,
  joined_at BIGINT NOT NULL,
  left_at BIGINT,
  PRIMARY KEY (app_id, session_id, uid)
);
CREATE INDEX call_participants_by_user ON call_participants (app_id, uid);
