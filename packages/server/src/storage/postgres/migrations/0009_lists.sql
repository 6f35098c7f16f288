-- Lists of users in the order in which they are shown, without a look at those that are not; of what one user has answered.
-- breaking: no

CREATE INDEX users_there ON users (app_id, uid) WHERE deactivated_at IS NULL;
CREATE INDEX users_by_name ON users (app_id, lower(name), uid);
CREATE INDEX users_by_role ON users (app_id, role, uid);
CREATE INDEX interactions_completed ON interactions (uid, message_id) WHERE completes = 1;
