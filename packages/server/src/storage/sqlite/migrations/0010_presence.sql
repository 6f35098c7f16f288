-- Who is online, by the nodes that hold their sessions. A node says until when it is to be believed.
-- breaking: no

CREATE TABLE nodes (
  id TEXT PRIMARY KEY,
  until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE presences (
  app_id TEXT NOT NULL,
  uid TEXT NOT NULL,
  node_id TEXT NOT NULL,
  PRIMARY KEY (app_id, uid, node_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX presences_by_node ON presences (node_id);

ALTER TABLE users ADD COLUMN online INTEGER NOT NULL DEFAULT 0;

CREATE INDEX users_online ON users (app_id, uid) WHERE online = 1;
