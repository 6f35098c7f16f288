-- Apps, users, groups, messages, bots and the outbox of their callbacks.
-- breaking: no

CREATE TABLE apps (
  id TEXT COLLATE "C" PRIMARY KEY,
  name TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE api_keys (
  key TEXT COLLATE "C" PRIMARY KEY,
  app_id TEXT COLLATE "C" NOT NULL,
  name TEXT NOT NULL,
  scope TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX api_keys_by_app ON api_keys (app_id, created_at);

CREATE TABLE users (
  app_id TEXT COLLATE "C" NOT NULL,
  uid TEXT COLLATE "C" NOT NULL,
  name TEXT NOT NULL,
  avatar TEXT,
  link TEXT,
  role TEXT NOT NULL,
  status_message TEXT,
  metadata TEXT,
  tags TEXT,
  last_active_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT,
  deactivated_at BIGINT,
  PRIMARY KEY (app_id, uid)
);

CREATE TABLE auth_tokens (
  token TEXT COLLATE "C" PRIMARY KEY,
  app_id TEXT COLLATE "C" NOT NULL,
  uid TEXT COLLATE "C" NOT NULL,
  platform TEXT,
  user_agent TEXT,
  app_info TEXT,
  created_at BIGINT NOT NULL
);
CREATE INDEX auth_tokens_by_user ON auth_tokens (app_id, uid, created_at);

CREATE TABLE groups (
  app_id TEXT COLLATE "C" NOT NULL,
  guid TEXT COLLATE "C" NOT NULL,
  name TEXT NOT NULL,
  type TEXT NOT NULL,
  password_hash TEXT,
  icon TEXT,
  description TEXT,
  metadata TEXT,
  tags TEXT,
  owner TEXT NOT NULL,
  members_count BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT,
  updated_by TEXT,
  PRIMARY KEY (app_id, guid)
);

CREATE TABLE members (
  app_id TEXT COLLATE "C" NOT NULL,
  guid TEXT COLLATE "C" NOT NULL,
  uid TEXT COLLATE "C" NOT NULL,
  scope TEXT NOT NULL,
  joined_at BIGINT NOT NULL,
  PRIMARY KEY (app_id, guid, uid)
);
CREATE INDEX members_by_user ON members (app_id, uid);

CREATE TABLE banned_users (
  app_id TEXT COLLATE "C" NOT NULL,
  guid TEXT COLLATE "C" NOT NULL,
  uid TEXT COLLATE "C" NOT NULL,
  banned_at BIGINT NOT NULL,
  PRIMARY KEY (app_id, guid, uid)
);
CREATE INDEX banned_users_by_user ON banned_users (app_id, uid);

-- user_a and user_b: who talks one to one. A message is found through its conversation: an index of messages by receiver
-- would cost every message a page.
CREATE TABLE conversations (
  app_id TEXT COLLATE "C" NOT NULL,
  id TEXT COLLATE "C" NOT NULL,
  type TEXT NOT NULL,
  user_a TEXT COLLATE "C",
  user_b TEXT COLLATE "C",
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (app_id, id)
);
CREATE INDEX conversations_of_a ON conversations (app_id, user_a) WHERE user_a IS NOT NULL;
CREATE INDEX conversations_of_b ON conversations (app_id, user_b) WHERE user_b IS NOT NULL;

-- An identity is never given twice, also after a permanent deletion.
CREATE TABLE messages (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app_id TEXT COLLATE "C" NOT NULL,
  conversation_id TEXT COLLATE "C" NOT NULL,
  sender TEXT COLLATE "C" NOT NULL,
  receiver_type TEXT NOT NULL,
  receiver TEXT COLLATE "C" NOT NULL,
  category TEXT NOT NULL,
  type TEXT NOT NULL,
  data TEXT NOT NULL,
  text TEXT,
  tags TEXT,
  muid TEXT COLLATE "C",
  parent_id BIGINT,
  sent_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  edited_at BIGINT,
  edited_by TEXT,
  deleted_at BIGINT,
  deleted_by TEXT
);
CREATE INDEX messages_by_conversation ON messages (app_id, conversation_id, id);
CREATE INDEX messages_by_sender ON messages (app_id, sender, muid);
CREATE INDEX messages_by_parent ON messages (parent_id, id) WHERE parent_id IS NOT NULL;

CREATE TABLE bots (
  app_id TEXT COLLATE "C" NOT NULL,
  uid TEXT COLLATE "C" NOT NULL,
  callback_url TEXT NOT NULL,
  group_chat_setting TEXT NOT NULL,
  enabled BIGINT NOT NULL,
  use_basic_auth BIGINT NOT NULL,
  username TEXT,
  password TEXT,
  is_ai_bot BIGINT NOT NULL,
  signing_secret TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT,
  PRIMARY KEY (app_id, uid)
);

CREATE TABLE lanes (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app_id TEXT COLLATE "C" NOT NULL,
  bot_uid TEXT COLLATE "C" NOT NULL,
  conversation_id TEXT COLLATE "C" NOT NULL,
  next_sequence BIGINT NOT NULL,
  pending BIGINT NOT NULL,
  due_at_ms BIGINT,
  lease_id TEXT,
  lease_node TEXT,
  UNIQUE (app_id, bot_uid, conversation_id)
);
CREATE INDEX lanes_leased ON lanes (lease_id) WHERE lease_id IS NOT NULL;
CREATE INDEX lanes_due ON lanes (app_id, bot_uid, due_at_ms) WHERE due_at_ms IS NOT NULL;

CREATE TABLE deliveries (
  id TEXT COLLATE "C" PRIMARY KEY,
  lane_id BIGINT NOT NULL,
  sequence BIGINT NOT NULL,
  message_id BIGINT NOT NULL,
  trigger TEXT NOT NULL,
  body TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  finished_at_ms BIGINT
);
CREATE INDEX deliveries_pending ON deliveries (lane_id, sequence) WHERE state = 'pending';

CREATE TABLE attempts (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  delivery_id TEXT NOT NULL,
  number BIGINT NOT NULL,
  started_at_ms BIGINT NOT NULL,
  outcome TEXT NOT NULL,
  status BIGINT,
  error TEXT,
  address TEXT,
  phases TEXT NOT NULL,
  response TEXT
);
CREATE INDEX attempts_by_delivery ON attempts (delivery_id);
