CREATE TABLE IF NOT EXISTS "locks" ( "name" text NOT NULL PRIMARY KEY COLLATE "C", "holder" uuid, "expires_at" bigint );
