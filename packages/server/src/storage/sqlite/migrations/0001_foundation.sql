-- Apps, users, groups, messages, bots and the outbox of their callbacks.
-- breaking: no

CREATE TABLE apps (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE api_keys (
  key TEXT PRIMARY KEY,
  app_id TEXT NOT NULL,
  name TEXT NOT NULL,
  scope TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX api_keys_by_app ON api_keys (app_id, created_at);

CREATE TABLE users (
  app_id TEXT NOT NULL,
  uid TEXT NOT NULL,
  name TEXT NOT NULL,
  avatar TEXT,
  link TEXT,
  role TEXT NOT NULL,
  status_message TEXT,
  metadata TEXT,
  tags TEXT,
  last_active_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER,
  deactivated_at INTEGER,
  PRIMARY KEY (app_id, uid)
) STRICT;

CREATE TABLE auth_tokens (
  token TEXT PRIMARY KEY,
  app_id TEXT NOT NULL,
  uid TEXT NOT NULL,
  platform TEXT,
  user_agent TEXT,
  app_info TEXT,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX auth_tokens_by_user ON auth_tokens (app_id, uid, created_at);

CREATE TABLE groups (
  app_id TEXT NOT NULL,
  guid TEXT NOT NULL,
  name TEXT NOT NULL,
  type TEXT NOT NULL,
  password_hash TEXT,
  icon TEXT,
  description TEXT,
  metadata TEXT,
  tags TEXT,
  owner TEXT NOT NULL,
  members_count INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER,
  updated_by TEXT,
  PRIMARY KEY (app_id, guid)
) STRICT;

CREATE TABLE members (
  app_id TEXT NOT NULL,
  guid TEXT NOT NULL,
  uid TEXT NOT NULL,
  scope TEXT NOT NULL,
  joined_at INTEGER NOT NULL,
  PRIMARY KEY (app_id, guid, uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_user ON members (app_id, uid);

CREATE TABLE banned_users (
  app_id TEXT NOT NULL,
  guid TEXT NOT NULL,
  uid TEXT NOT NULL,
  banned_at INTEGER NOT NULL,
  PRIMARY KEY (app_id, guid, uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX banned_users_by_user ON banned_users (app_id, uid);

-- user_a and user_b: who talks one to one. A message is found through its conversation: an index of messages by receiver
-- would cost every message a page.
CREATE TABLE conversations (
  app_id TEXT NOT NULL,
  id TEXT NOT NULL,
  type TEXT NOT NULL,
  user_a TEXT,
  user_b TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (app_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX conversations_of_a ON conversations (app_id, user_a) WHERE user_a IS NOT NULL;
CREATE INDEX conversations_of_b ON conversations (app_id, user_b) WHERE user_b IS NOT NULL;

-- AUTOINCREMENT: an id is never given twice, also after a permanent deletion.
CREATE TABLE messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  app_id TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  sender TEXT NOT NULL,
  receiver_type TEXT NOT NULL,
  receiver TEXT NOT NULL,
  category TEXT NOT NULL,
  type TEXT NOT NULL,
  data TEXT NOT NULL,
  text TEXT,
  tags TEXT,
  muid TEXT,
  parent_id INTEGER,
  sent_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  edited_at INTEGER,
  edited_by TEXT,
  deleted_at INTEGER,
  deleted_by TEXT
) STRICT;
CREATE INDEX messages_by_conversation ON messages (app_id, conversation_id, id);
CREATE INDEX messages_by_sender ON messages (app_id, sender, muid);
CREATE INDEX messages_by_parent ON messages (parent_id, id) WHERE parent_id IS NOT NULL;

CREATE TABLE bots (
  app_id TEXT NOT NULL,
  uid TEXT NOT NULL,
  callback_url TEXT NOT NULL,
  group_chat_setting TEXT NOT NULL,
  enabled INTEGER NOT NULL,
  use_basic_auth INTEGER NOT NULL,
  username TEXT,
  password TEXT,
  is_ai_bot INTEGER NOT NULL,
  signing_secret TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER,
  PRIMARY KEY (app_id, uid)
) STRICT;

CREATE TABLE lanes (
  id INTEGER PRIMARY KEY,
  app_id TEXT NOT NULL,
  bot_uid TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  next_sequence INTEGER NOT NULL,
  pending INTEGER NOT NULL,
  due_at_ms INTEGER,
  lease_id TEXT,
  lease_node TEXT,
  UNIQUE (app_id, bot_uid, conversation_id)
) STRICT;
CREATE INDEX lanes_leased ON lanes (lease_id) WHERE lease_id IS NOT NULL;
CREATE INDEX lanes_due ON lanes (app_id, bot_uid, due_at_ms) WHERE due_at_ms IS NOT NULL;

CREATE TABLE deliveries (
  id TEXT PRIMARY KEY,
  lane_id INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  message_id INTEGER NOT NULL,
  trigger TEXT NOT NULL,
  body TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  finished_at_ms INTEGER
) STRICT;
CREATE INDEX deliveries_pending ON deliveries (lane_id, sequence) WHERE state = 'pending';

CREATE TABLE attempts (
  id INTEGER PRIMARY KEY,
  delivery_id TEXT NOT NULL,
  number INTEGER NOT NULL,
  started_at_ms INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  status INTEGER,
  error TEXT,
  address TEXT,
  phases TEXT NOT NULL,
  response TEXT
) STRICT;
CREATE INDEX attempts_by_delivery ON attempts (delivery_id);
