ALTER TABLE "tasks" ADD COLUMN "title_search" text COLLATE "C";
ALTER TABLE "tasks" ADD COLUMN "description_search" text COLLATE "C";
ALTER TABLE "tasks" ADD COLUMN "search_version" bigint;
