-- The rest of the contract: roles and what they forbid, friends and blocks, reactions, interactions, threads, pins and
-- saved messages, how a conversation stands for each of its users, who has received and read what, files, flags, and
-- what administrators did.
-- breaking: no

-- settings, restricted_features, permissions: JSON.
CREATE TABLE roles (
  app_id TEXT NOT NULL,
  role TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT,
  metadata TEXT,
  settings TEXT,
  restricted_features TEXT,
  permissions TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER,
  PRIMARY KEY (app_id, role)
) STRICT;
INSERT INTO roles (app_id, role, name, created_at) SELECT id, 'default', 'Default Role', created_at FROM apps;
INSERT INTO roles (app_id, role, name, created_at)
  SELECT app_id, role, role, min(created_at) FROM users WHERE role <> 'default' GROUP BY app_id, role;

-- JSON: scope → permissions.
ALTER TABLE groups ADD COLUMN scope_permissions TEXT;

-- Two rows for two friends.
CREATE TABLE friends (
  app_id TEXT NOT NULL,
  uid TEXT NOT NULL,
  friend_uid TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (app_id, uid, friend_uid)
) STRICT, WITHOUT ROWID;

CREATE TABLE blocked_users (
  app_id TEXT NOT NULL,
  uid TEXT NOT NULL,
  blocked_uid TEXT NOT NULL,
  blocked_at INTEGER NOT NULL,
  PRIMARY KEY (app_id, uid, blocked_uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX blocked_users_by_blocked ON blocked_users (app_id, blocked_uid);

-- reactions: JSON, how often each was given; null for none. What is rare is null, and stands in partial indexes only.
ALTER TABLE messages ADD COLUMN reactions TEXT;
ALTER TABLE messages ADD COLUMN quoted_id INTEGER;
ALTER TABLE messages ADD COLUMN pinned_at INTEGER;
ALTER TABLE messages ADD COLUMN pinned_by TEXT;
ALTER TABLE messages ADD COLUMN reply_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN last_reply_id INTEGER;
CREATE INDEX messages_pinned ON messages (app_id, conversation_id, pinned_at) WHERE pinned_at IS NOT NULL;
CREATE INDEX messages_changed ON messages (app_id, conversation_id, updated_at) WHERE updated_at > sent_at;
CREATE INDEX messages_with_replies ON messages (app_id, conversation_id, last_reply_id) WHERE last_reply_id IS NOT NULL;
UPDATE messages SET
  reply_count = (SELECT count(*) FROM messages AS replies WHERE replies.parent_id = messages.id),
  last_reply_id = (SELECT max(replies.id) FROM messages AS replies WHERE replies.parent_id = messages.id)
WHERE id IN (SELECT parent_id FROM messages WHERE parent_id IS NOT NULL);

CREATE TABLE reactions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  app_id TEXT NOT NULL,
  message_id INTEGER NOT NULL,
  reaction TEXT NOT NULL,
  uid TEXT NOT NULL,
  reacted_at INTEGER NOT NULL,
  UNIQUE (message_id, reaction, uid)
) STRICT;
CREATE INDEX reactions_by_message ON reactions (message_id, id);

CREATE TABLE interactions (
  message_id INTEGER NOT NULL,
  uid TEXT NOT NULL,
  element_id TEXT NOT NULL,
  interacted_at INTEGER NOT NULL,
  -- 1: with it the goal of the message was reached.
  completes INTEGER NOT NULL,
  PRIMARY KEY (message_id, uid, element_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE saved_messages (
  app_id TEXT NOT NULL,
  uid TEXT NOT NULL,
  message_id INTEGER NOT NULL,
  saved_at INTEGER NOT NULL,
  PRIMARY KEY (app_id, uid, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX saved_messages_by_message ON saved_messages (message_id);

-- Who has written in a thread, and who wants to hear of it.
CREATE TABLE thread_followers (
  app_id TEXT NOT NULL,
  uid TEXT NOT NULL,
  root_id INTEGER NOT NULL,
  participated INTEGER NOT NULL,
  subscribed INTEGER NOT NULL,
  PRIMARY KEY (app_id, uid, root_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX thread_followers_by_root ON thread_followers (root_id);

CREATE TABLE message_flags (
  message_id INTEGER NOT NULL,
  uid TEXT NOT NULL,
  app_id TEXT NOT NULL,
  reason TEXT NOT NULL,
  remark TEXT,
  flagged_at INTEGER NOT NULL,
  PRIMARY KEY (message_id, uid)
) STRICT, WITHOUT ROWID;

-- Pinned for everybody.
ALTER TABLE conversations ADD COLUMN pinned_at INTEGER;
CREATE INDEX conversations_pinned ON conversations (app_id) WHERE pinned_at IS NOT NULL;

-- Up to which message it was read and delivered, and up to which it is hidden, because the user deleted it then.
CREATE TABLE user_conversations (
  app_id TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  uid TEXT NOT NULL,
  read_id INTEGER NOT NULL DEFAULT 0,
  delivered_id INTEGER NOT NULL DEFAULT 0,
  hidden_id INTEGER NOT NULL DEFAULT 0,
  tags TEXT,
  pinned_at INTEGER,
  PRIMARY KEY (app_id, conversation_id, uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_conversations_by_user ON user_conversations (app_id, uid);

-- When a user had received, or read, everything up to a message. When one message was, the first row at or after it says.
CREATE TABLE receipts (
  app_id TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  uid TEXT NOT NULL,
  kind TEXT NOT NULL,
  up_to_id INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (app_id, conversation_id, uid, kind, up_to_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipts_by_time ON receipts (app_id, at);

CREATE TABLE files (
  id TEXT PRIMARY KEY,
  app_id TEXT NOT NULL,
  uid TEXT NOT NULL,
  name TEXT NOT NULL,
  mime_type TEXT NOT NULL,
  size INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX files_by_app ON files (app_id, created_at);

CREATE TABLE audit_log (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  app_id TEXT NOT NULL,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT,
  request_id TEXT
) STRICT;
CREATE INDEX audit_log_by_app ON audit_log (app_id, id);
