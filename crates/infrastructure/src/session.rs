//! A connection that a command of the operator has to itself, beside those that serve.

use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::sqlite::SqliteConnection;

/// A session that its user has to itself, without time limits.
pub enum Session {
    /// With a PostgreSQL server.
    Postgres(Box<PgConnection>),
    /// With a SQLite file.
    Sqlite(Box<SqliteConnection>),
}

/// Writes a text as PostgreSQL's `COPY` reads it.
pub fn copy_text(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            other => out.push(other),
        }
    }
}
