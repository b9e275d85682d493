ALTER TABLE "tasks" ADD COLUMN "due_date" bigint;
ALTER TABLE "tasks" ADD COLUMN "due_at" bigint;
ALTER TABLE "trash" ADD COLUMN "due_date" bigint;
ALTER TABLE "trash" ADD COLUMN "due_at" bigint;
