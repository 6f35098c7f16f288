-- The rest of the contract: roles and what they forbid, friends and blocks, reactions, interactions, threads, pins and
-- saved messages, how a conversation stands for each of its users, who has received and read what, files, flags, and
-- what administrators did.
-- breaking: no

-- settings, restricted_features, permissions: JSON.
CREATE TABLE roles (
  app_id TEXT COLLATE "C" NOT NULL,
  role TEXT COLLATE "C" NOT NULL,
  name TEXT NOT NULL,
  description TEXT,
  metadata TEXT,
  settings TEXT,
  restricted_features TEXT,
  permissions TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT,
  PRIMARY KEY (app_id, role)
);
INSERT INTO roles (app_id, role, name, created_at) SELECT id, 'default', 'Default Role', created_at FROM apps;
INSERT INTO roles (app_id, role, name, created_at)
  SELECT app_id, role, role, min(created_at) FROM users WHERE role <> 'default' GROUP BY app_id, role;

-- JSON: scope → permissions.
ALTER TABLE groups ADD COLUMN scope_permissions TEXT;

-- Two rows for two friends.
CREATE TABLE friends (
  app_id TEXT COLLATE "C" NOT NULL,
  uid TEXT COLLATE "C" NOT NULL,
  friend_uid TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (app_id, uid, friend_uid)
);

CREATE TABLE blocked_users (
  app_id TEXT COLLATE "C" NOT NULL,
  uid TEXT COLLATE "C" NOT NULL,
  blocked_uid TEXT COLLATE "C" NOT NULL,
  blocked_at BIGINT NOT NULL,
  PRIMARY KEY (app_id, uid, blocked_uid)
);
CREATE INDEX blocked_users_by_blocked ON blocked_users (app_id, blocked_uid);

-- reactions: JSON, how often each was given; null for none. What is rare is null, and stands in partial indexes only.
ALTER TABLE messages ADD COLUMN reactions TEXT;
ALTER TABLE messages ADD COLUMN quoted_id BIGINT;
ALTER TABLE messages ADD COLUMN pinned_at BIGINT;
ALTER TABLE messages ADD COLUMN pinned_by TEXT;
ALTER TABLE messages ADD COLUMN reply_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN last_reply_id BIGINT;
CREATE INDEX messages_pinned ON messages (app_id, conversation_id, pinned_at) WHERE pinned_at IS NOT NULL;
CREATE INDEX messages_changed ON messages (app_id, conversation_id, updated_at) WHERE updated_at > sent_at;
CREATE INDEX messages_with_replies ON messages (app_id, conversation_id, last_reply_id) WHERE last_reply_id IS NOT NULL;
UPDATE messages SET
  reply_count = (SELECT count(*) FROM messages AS replies WHERE replies.parent_id = messages.id),
  last_reply_id = (SELECT max(replies.id) FROM messages AS replies WHERE replies.parent_id = messages.id)
WHERE id IN (SELECT parent_id FROM messages WHERE parent_id IS NOT NULL);

CREATE TABLE reactions (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app_id TEXT COLLATE "C" NOT NULL,
  message_id BIGINT NOT NULL,
  reaction TEXT COLLATE "C" NOT NULL,
  uid TEXT COLLATE "C" NOT NULL,
  reacted_at BIGINT NOT NULL,
  UNIQUE (message_id, reaction, uid)
);
CREATE INDEX reactions_by_message ON reactions (message_id, id);

CREATE TABLE interactions (
  message_id BIGINT NOT NULL,
  uid TEXT COLLATE "C" NOT NULL,
  element_id TEXT COLLATE "C" NOT NULL,
  interacted_at BIGINT NOT NULL,
  -- 1: with it the goal of the message was reached.
  completes BIGINT NOT NULL,
  PRIMARY KEY (message_id, uid, element_id)
);

CREATE TABLE saved_messages (
  app_id TEXT COLLATE "C" NOT NULL,
  uid TEXT COLLATE "C" NOT NULL,
  message_id BIGINT NOT NULL,
  saved_at BIGINT NOT NULL,
  PRIMARY KEY (app_id, uid, message_id)
);
CREATE INDEX saved_messages_by_message ON saved_messages (message_id);

-- Who has written in a thread, and who wants to hear of it.
CREATE TABLE thread_followers (
  app_id TEXT COLLATE "C" NOT NULL,
  uid TEXT COLLATE "C" NOT NULL,
  root_id BIGINT NOT NULL,
  participated BIGINT NOT NULL,
  subscribed BIGINT NOT NULL,
  PRIMARY KEY (app_id, uid, root_id)
);
CREATE INDEX thread_followers_by_root ON thread_followers (root_id);

CREATE TABLE message_flags (
  message_id BIGINT NOT NULL,
  uid TEXT COLLATE "C" NOT NULL,
  app_id TEXT COLLATE "C" NOT NULL,
  reason TEXT NOT NULL,
  remark TEXT,
  flagged_at BIGINT NOT NULL,
  PRIMARY KEY (message_id, uid)
);

-- Pinned for everybody.
ALTER TABLE conversations ADD COLUMN pinned_at BIGINT;
CREATE INDEX conversations_pinned ON conversations (app_id) WHERE pinned_at IS NOT NULL;

-- Up to which message it was read and delivered, and up to which it is hidden, because the user deleted it then.
CREATE TABLE user_conversations (
  app_id TEXT COLLATE "C" NOT NULL,
  conversation_id TEXT COLLATE "C" NOT NULL,
  uid TEXT COLLATE "C" NOT NULL,
  read_id BIGINT NOT NULL DEFAULT 0,
  delivered_id BIGINT NOT NULL DEFAULT 0,
  hidden_id BIGINT NOT NULL DEFAULT 0,
  tags TEXT,
  pinned_at BIGINT,
  PRIMARY KEY (app_id, conversation_id, uid)
);
CREATE INDEX user_conversations_by_user ON user_conversations (app_id, uid);

-- When a user had received, or read, everything up to a message. When one message was, the first row at or after it says.
CREATE TABLE receipts (
  app_id TEXT COLLATE "C" NOT NULL,
  conversation_id TEXT COLLATE "C" NOT NULL,
  uid TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL,
  up_to_id BIGINT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (app_id, conversation_id, uid, kind, up_to_id)
);
CREATE INDEX receipts_by_time ON receipts (app_id, at);

CREATE TABLE files (
  id TEXT COLLATE "C" PRIMARY KEY,
  app_id TEXT COLLATE "C" NOT NULL,
  uid TEXT COLLATE "C" NOT NULL,
  name TEXT NOT NULL,
  mime_type TEXT NOT NULL,
  size BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX files_by_app ON files (app_id, created_at);

CREATE TABLE audit_log (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app_id TEXT COLLATE "C" NOT NULL,
  at BIGINT NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT,
  request_id TEXT
);
CREATE INDEX audit_log_by_app ON audit_log (app_id, id);
