-- Who is online, by the nodes that hold their sessions. A node says until when it is to be believed.
-- breaking: no

CREATE TABLE nodes (
  id TEXT COLLATE "C" PRIMARY KEY,
  until_ms BIGINT NOT NULL
);

CREATE TABLE presences (
  app_id TEXT COLLATE "C" NOT NULL,
  uid TEXT COLLATE "C" NOT NULL,
  node_id TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (app_id, uid, node_id)
);

CREATE INDEX presences_by_node ON presences (node_id);

ALTER TABLE users ADD COLUMN online BIGINT NOT NULL DEFAULT 0;

CREATE INDEX users_online ON users (app_id, uid) WHERE online = 1;
