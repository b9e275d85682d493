CREATE TABLE "feeds" ( "user_id" text NOT NULL PRIMARY KEY COLLATE "C", "seq" bigint NOT NULL, "floor" bigint NOT NULL, "epoch" bigint NOT NULL, CONSTRAINT "feeds_user_id" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE );
ALTER TABLE feeds SET (fillfactor = 50);
CREATE TABLE "changes" ( "user_id" text NOT NULL COLLATE "C", "seq" bigint NOT NULL, "task_id" uuid NOT NULL, "kind" text NOT NULL COLLATE "C", "before" text NOT NULL COLLATE "C", "at" bigint NOT NULL, "by" text NOT NULL COLLATE "C", PRIMARY KEY ("user_id", "seq"), CONSTRAINT "changes_user_id" FOREIGN KEY ("user_id") REFERENCES "feeds" ("user_id") ON DELETE CASCADE );
CREATE TABLE "trash" ( "id" uuid NOT NULL PRIMARY KEY, "user_id" text NOT NULL COLLATE "C", "title" text NOT NULL COLLATE "C", "description" text NOT NULL COLLATE "C", "title_folded" text NOT NULL COLLATE "C", "description_folded" text NOT NULL COLLATE "C", "title_search" text COLLATE "C", "description_search" text COLLATE "C", "search_version" bigint, "is_completed" bool NOT NULL, "version" bigint NOT NULL, "created_at" bigint NOT NULL, "updated_at" bigint NOT NULL, "deleted_at" bigint NOT NULL, CONSTRAINT "trash_user_id" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE );
CREATE INDEX "changes_task_id_seq" ON "changes" ("task_id", "seq");
CREATE INDEX "changes_at" ON "changes" ("at");
CREATE INDEX "trash_user_id_deleted_at_id" ON "trash" ("user_id", "deleted_at", "id");
CREATE INDEX "trash_deleted_at" ON "trash" ("deleted_at");
ALTER TABLE "idempotency_keys" ADD COLUMN "seq" bigint;
