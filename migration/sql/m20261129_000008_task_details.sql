ALTER TABLE "tasks" ADD COLUMN "completed_at" bigint;
ALTER TABLE "tasks" ADD COLUMN "details" text COLLATE "C";
ALTER TABLE "tasks" ADD COLUMN "priority" bigint;
ALTER TABLE "tasks" ADD COLUMN "tag_keys" text COLLATE "C";
ALTER TABLE "trash" ADD COLUMN "completed_at" bigint;
ALTER TABLE "trash" ADD COLUMN "details" text COLLATE "C";
ALTER TABLE "trash" ADD COLUMN "priority" bigint;
ALTER TABLE "trash" ADD COLUMN "tag_keys" text COLLATE "C";
