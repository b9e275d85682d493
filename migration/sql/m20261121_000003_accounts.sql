ALTER TABLE "users" ADD COLUMN "email_key" text COLLATE "C";
CREATE UNIQUE INDEX "users_email_key_unique" ON "users" ("email_key");
CREATE TABLE "refresh_tokens" ( "token_hash" bytea NOT NULL PRIMARY KEY, "family" uuid NOT NULL, "user_id" text NOT NULL COLLATE "C", "created_at" bigint NOT NULL, "expires_at" bigint NOT NULL, "used_at" bigint, CONSTRAINT "refresh_tokens_user_id" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE, CONSTRAINT "refresh_tokens_token_hash_length" CHECK (length(token_hash) = 32) );
CREATE INDEX "refresh_tokens_family" ON "refresh_tokens" ("family");
CREATE INDEX "refresh_tokens_user_id" ON "refresh_tokens" ("user_id");
CREATE INDEX "refresh_tokens_expires_at" ON "refresh_tokens" ("expires_at");
CREATE TABLE "revocations" ( "subject_hash" bytea NOT NULL PRIMARY KEY, "not_before" bigint NOT NULL, "kept_until" bigint NOT NULL, CONSTRAINT "revocations_subject_hash_length" CHECK (length(subject_hash) = 32) );
CREATE TABLE "attempts" ( "bucket" bytea NOT NULL PRIMARY KEY, "count" integer NOT NULL, "since" bigint NOT NULL, CONSTRAINT "attempts_bucket_length" CHECK (length(bucket) = 32), CONSTRAINT "attempts_count_positive" CHECK (count >= 1) );
CREATE INDEX "attempts_since" ON "attempts" ("since");
