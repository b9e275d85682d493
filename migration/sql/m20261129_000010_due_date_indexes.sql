DROP INDEX CONCURRENTLY IF EXISTS "tasks_user_id_due_date_id";
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tasks_user_id_due_date_id" ON "tasks" ("user_id", "due_date", "id") WHERE "due_date" IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS "tasks_user_id_due_at_id";
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tasks_user_id_due_at_id" ON "tasks" ("user_id", "due_at", "id") WHERE "due_at" IS NOT NULL;
