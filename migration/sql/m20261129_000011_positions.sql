ALTER TABLE "tasks" ADD COLUMN "moved_to" text COLLATE "C";
ALTER TABLE "trash" ADD COLUMN "moved_to" text COLLATE "C";
