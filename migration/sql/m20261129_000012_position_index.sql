DROP INDEX CONCURRENTLY IF EXISTS "tasks_user_id_moved_to_id";
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tasks_user_id_moved_to_id" ON "tasks" ("user_id", "moved_to", "id") WHERE "moved_to" IS NOT NULL;
