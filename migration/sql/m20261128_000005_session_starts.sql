ALTER TABLE "refresh_tokens" ADD COLUMN "started_at" bigint;
